"""Work packages share the sounds, part the unlabelled clips, and merge back."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from helpers.command_line import labeltool_here, labeltool_json
from labeltool import project as projects
from labeltool.annotation import next_clips
from labeltool.annotation.people.overlap import is_in_overlap
from labeltool.annotation.people.work_packages import clips_by_package
from labeltool.project import Project
from labeltool.records import StoredClip
from labeltool.store import clips, journal


def clip(number: int, group: str) -> StoredClip:
    return StoredClip(number, number, "", f"{number:064x}", 0.0, 1.0, None, group)


def test_groups_stay_whole_and_packages_are_of_one_size() -> None:
    some = [clip(number, f"g{number % 30}") for number in range(300)]
    shares = clips_by_package(some, 3, 0.0)
    assert sorted(one for share in shares for one in share) == list(range(300))
    assert [len(share) for share in shares] == [100, 100, 100]
    assert sum(len({number % 30 for number in share}) for share in shares) == 30
    # One long recording is shared out as well.
    shares = clips_by_package([clip(number, "g") for number in range(90)], 3, 0.0)
    assert sorted(one for share in shares for one in share) == list(range(90))
    assert max(map(len, shares)) - min(map(len, shares)) <= 8


def test_a_share_of_the_clips_is_in_two_packages_by_their_content() -> None:
    some = [clip(number, f"g{number % 60}") for number in range(3000)]
    times = Counter(number for share in clips_by_package(some, 4, 0.1) for number in share)
    twice = {number for number, count in times.items() if count == 2}
    assert max(times.values()) == 2 and 240 <= len(twice) <= 360
    assert twice == {one.id for one in some if is_in_overlap(one.key, 0.1)}
    assert twice <= {one.id for one in some if is_in_overlap(one.key, 0.2)}


def test_packages_are_written_labelled_and_merged_back(project: Project, write_tone: Callable[..., Path]) -> None:
    sounds = [write_tone(f"sounds/{number}.wav", seconds=0.2) for number in range(12)]
    labeltool_here(project, "import", "audio", *sounds)
    with project.open_store() as store:
        count = clips.counts(store).clips
        journal.annotate(store, 1, "low", annotator="ann")
        journal.exclude(store, 2, "skip", annotator="ann")
    (project.directory / "labeltool.toml").write_text('annotator = "ann"\n[labelling]\noverlap = 0.5\n')
    out = project.directory.parent / "work"
    done = labeltool_here(project, "split-work", "--into", "2", "-o", out, "--json")
    written = json.loads(done.stdout)["written"]
    twice = sum(one["twice"] for one in written) // 2
    assert twice > 0 and sum(one["clips"] for one in written) == count - 1 + twice
    assert "is there already" in labeltool_here(project, "split-work", "--into", "2", "-o", out, check=1).stderr
    for number, one in enumerate(written):
        package = projects.load(Path(one["directory"]))
        assert package.settings.annotator is None and package.settings.labelling.overlap == 0
        with package.open_store() as store:
            given = next_clips.next_clips(store, 1000, annotator="bob")
            assert len(given) == one["clips"] and clips.counts(store).labelled == 1
            assert all(Path(each.path).is_file() for each in given)
            for each in given:
                journal.annotate(store, each.id, f"label {number}", annotator=f"person {number}")
        labeltool_here(project, "merge", package.directory)
    with project.open_store() as store:
        assert clips.counts(store).unlabelled == 0
    assert labeltool_json(project, "stats")["agreement"]["clips"] == twice
    assert labeltool_json(project, "conflicts")["conflicts"] == twice
