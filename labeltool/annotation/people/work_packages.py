"""Work packages: projects that share the sounds of one, each with a part of its unlabelled clips, to be merged back."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from labeltool import project as projects
from labeltool.annotation.people.overlap import is_in_overlap
from labeltool.errors import LabeltoolError
from labeltool.project import Project
from labeltool.records import StoredClip
from labeltool.store import Store, clips
from labeltool.store.text_journal.lines import ClipLine, Line, RecordingLine, export_lines
from labeltool.store.text_journal.reading import import_journal
from labeltool.util.files.atomic_write import new_folder, write_text
from labeltool.util.files.writable import writing_to

# A larger group than this part of a package is divided: else one recording might be all the work of one person.
_PARTS_OF_A_PACKAGE = 4

_FOREVER_S = 2.0**40
_ELSEWHERE = "\N{RIGHTWARDS ARROW} another work package"


@dataclass(frozen=True, slots=True)
class WorkPackage:
    """A package that was written; `clips` are unlabelled in it, `twice` of them in another package too."""

    directory: str
    clips: int
    twice: int


def clips_by_package(unlabelled: Sequence[StoredClip], packages: int, overlap: float) -> list[set[int]]:
    """Return the ids of the clips of each package, a share `overlap` of them in two; groups stay whole if they fit."""
    by_group: dict[str, list[StoredClip]] = {}
    for clip in sorted(unlabelled, key=lambda one: (one.sha256, one.start_s, one.end_s)):
        by_group.setdefault(clip.group, []).append(clip)
    most = max(1, math.ceil(len(unlabelled) / packages / _PARTS_OF_A_PACKAGE))
    runs = [
        group[first : first + most] for _, group in sorted(by_group.items()) for first in range(0, len(group), most)
    ]
    shares: list[list[StoredClip]] = [[] for _ in range(packages)]
    for run in sorted(runs, key=len, reverse=True):
        min(shares, key=len).extend(run)
    found = [{clip.id for clip in share} for share in shares]
    if packages > 1:
        for place, share in enumerate(shares):
            found[(place + 1) % packages].update(clip.id for clip in share if is_in_overlap(clip.key, overlap))
    return found


def write_packages(
    project: Project, packages: int, folder: Path, *, overlap: float, report: Callable[[int], None] = lambda _: None
) -> list[WorkPackage]:
    """Write projects that share a project's sounds and have its labels and their part of its unlabelled clips.

    All of them are there when this returns, or none. `labeltool merge` brings what was labelled in them back.

    Parameters
    ----------
    folder
        Is made; the projects are in it.
    report
        Is called with the number of each package that is begun.

    Raises
    ------
    LabeltoolError
        When the folder is there, there are fewer groups to label than packages, or the disk cannot be written.
    """
    if folder.exists() or folder.is_symlink():
        raise LabeltoolError("is there already", file=folder, remedy="-o names a new folder")
    with project.open_store() as store:
        unlabelled = clips.unlabelled(store)
        if not unlabelled:
            raise LabeltoolError("the project has no unlabelled clips to share out", file=project.directory)
        groups = len({clip.group for clip in unlabelled})
        if packages > groups:
            raise LabeltoolError(
                f"{packages} packages are too many: the unlabelled clips are of {groups} groups",
                remedy=f"--into {groups}",
            )
        shares = clips_by_package(unlabelled, packages, overlap)
        written = []
        with writing_to(folder), new_folder(folder.parent) as new:
            for place, share in enumerate(shares):
                report(place + 1)
                name = f"{folder.name}-{place + 1}"
                others = set().union(*(one for other, one in enumerate(shares) if other != place))
                _write_package(project, store, new.path / name, unlabelled, share)
                written.append(WorkPackage(str(folder / name), len(share), len(share & others)))
            new.publish(folder.name)
    return written


def _write_package(
    project: Project, store: Store, directory: Path, unlabelled: Sequence[StoredClip], share: set[int]
) -> None:
    rows = store.connection.execute(
        "SELECT DISTINCT clip_id FROM journal WHERE clip_id IN (SELECT id FROM clips WHERE NOT is_labelled)"
    )
    # A clip that somebody skipped has rows that others may refer to: it is there, and is not given to be labelled.
    with_rows = {clip_id for (clip_id,) in rows}
    elsewhere = [clip for clip in unlabelled if clip.id not in share]
    absent = {(one.sha256, one.start_s, one.end_s) for one in elsewhere if one.id not in with_rows}
    sounds = {one.sha256 for one in unlabelled if one.id in share} | {
        sha256
        for (sha256,) in store.connection.execute(
            "SELECT sha256 FROM recordings r WHERE EXISTS (SELECT 1 FROM journal j WHERE j.recording_id = r.id) "
            "OR EXISTS (SELECT 1 FROM clips c JOIN journal j ON j.clip_id = c.id WHERE c.recording_id = r.id)"
        )
    }

    def is_kept(line: Line) -> bool:
        if isinstance(line, ClipLine):
            return line.recording in sounds and (line.recording, line.start_s, line.end_s) not in absent
        return not isinstance(line, RecordingLine) or line.sha256 in sounds

    package = projects.create(directory)
    _write_settings(project, package)
    with tempfile.TemporaryFile() as lines, package.open_store() as made:
        lines.writelines(export_lines(store, is_kept))
        lines.seek(0)
        result = import_journal(made, lines, str(project.directory), sounds_in=project.directory)
        if result.skipped:
            raise LabeltoolError(f"cannot be shared out: {result.skipped[0].reason}", file=project.database)
        with made.transaction() as connection:
            connection.executemany(
                "INSERT INTO claims SELECT c.id, ?, ? FROM clips c JOIN recordings r ON r.id = c.recording_id "
                "WHERE r.sha256 = ? AND c.start_s = ? AND c.end_s = ?",
                [
                    (_ELSEWHERE, _FOREVER_S, one.sha256, one.start_s, one.end_s)
                    for one in elsewhere
                    if one.id in with_rows
                ],
            )


def _write_settings(project: Project, package: Project) -> None:
    """Write the project's settings without who labels, the pretrained model, which stays there, and the overlap."""
    import tomlkit

    from labeltool.settings import settings_text
    from labeltool.util.files.project_names import SETTINGS_FILE

    text = settings_text(project.directory / SETTINGS_FILE)
    if not text:
        return
    document = tomlkit.parse(text)
    document.pop("annotator", None)
    for table, name in (("learning", "pretrained"), ("labelling", "overlap")):
        if table in document:
            document[table].pop(name, None)
    write_text(package.directory / SETTINGS_FILE, tomlkit.dumps(document))
