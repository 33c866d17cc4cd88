"""Projects: create one, show its status, find moved recordings, remove recordings, change their groups."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from labeltool.cli.common import (
    PathOnDisk,
    ProgressDisplay,
    annotator_option,
    current_project,
    emit,
    exit_for_failed,
    narrate,
    print_failed,
    project_options,
    quoted,
    with_names,
)
from labeltool.errors import LabeltoolError, in_one_line
from labeltool.records import Skipped
from labeltool.util.counted import counted
from labeltool.util.library_messages import libraries_off_stderr
from labeltool.util.urls import is_url

if TYPE_CHECKING:
    from labeltool.store import Store
    from labeltool.store.models import ModelRow
    from labeltool.store.recordings import StoredRecording


@click.command()
@click.argument("directory", metavar="[DIR]", default=".", type=click.Path(path_type=Path))
@click.option("--empty-database", is_flag=True, help="Of a project whose labels.db is lost: begin without labels.")
def init(directory: Path, empty_database: bool = False) -> None:
    """Make DIR a project (default: the current directory).

    \b
    labeltool init birds
    """  # noqa: D301 - click's mark for "do not wrap" is a real backspace
    from labeltool import project as projects

    made = projects.create(directory, empty_database=empty_database)
    narrate(f"made the project {made.directory}; next: labeltool import --help")


@click.command()
@project_options
def status(as_json: bool) -> None:
    """Show how many clips and labels there are, and the model."""
    from labeltool.active_learning.suggester_state import suggester_state
    from labeltool.annotation.remote_clips import remote_clips
    from labeltool.store import clips, models, progress

    project = current_project()
    with project.open_store() as store:
        counts = clips.counts(store)
        hours = progress.hours(store, any_excluded=counts.excluded > 0)
        model = models.latest(store)
        pending = progress.count_labelled_since(store, model.journal_mark if model else "")
        suggester, read_only = models.suggester(store), store.read_only
        state = suggester_state(project, store)
        remote = remote_clips(store)
    if as_json:
        emit(
            {
                **with_names(counts, excluded="set_aside"),
                "hours": hours,
                "model": model.id if model else None,
                "pending_retrain": pending,
                "suggests": _suggests(suggester),
                "suggester": state.to_json() if state else None,
                "read_only": read_only or None,
                "remote": {"clips": remote.clips, "on_this_disk": remote.on_disk} if remote else None,
            }
        )
        return
    click.echo(f"recordings  {counts.recordings}")
    click.echo(f"clips       {counts.clips}: {counts.labelled} labelled, {counts.unlabelled} unlabelled")
    click.echo(f"hours       {_hours(hours.all)}: {_hours(hours.labelled)} labelled")
    if remote:
        click.echo(f"remote      {remote.clips} clips; without a network {remote.on_disk} of them can be played")
    names = {name: quoted(name) for name in counts.labels}
    width = max(map(len, names.values()), default=0)
    for name, count in sorted(counts.labels.items(), key=lambda item: (-item[1], item[0])):
        click.echo(f"  {names[name]:{width}}  {count}")
    if model is None:
        next_command = "retrain" if counts.labelled else "label" if counts.clips else "import"
        click.echo(f"model       none yet: labeltool {next_command}")
    else:
        accuracy = _accuracy(model.clip_accuracy, model.validation_clips)
        click.echo(f"model       {model.id} ({model.architecture}), {accuracy}; {pending} labels since")
    if state is not None:
        why = suggester.why if suggester is not None and suggester.pretrained == state.name else None
        click.echo(f"suggests    {in_one_line('; '.join(filter(None, (str(state), why))))}")
    if read_only:
        click.echo(f"read only   {read_only.removeprefix('read-only: ')}: nothing can be labelled")


def _accuracy(share: float | None, clips: int) -> str:
    """Return a share of validation clips as text, and of how many where the card says so."""
    if share is None:
        return "not measured"
    return f"{share:.1%} of {counted(clips, 'validation clip') if clips else 'validation clips'}"


def _hours(hours: float) -> str:
    """Return hours as text, with as many digits as tell a minute of a few hours from none."""
    return f"{hours:,.0f}" if hours >= 100 else f"{hours:.2f}"


def _suggests(suggester: ModelRow | None) -> dict[str, Any] | None:
    """Return which model suggests labels, and why where it is a pretrained one."""
    if suggester is None:
        return None
    return {
        "model": suggester.id,
        "ear": suggester.pretrained,  # promised name
        "clip_accuracy": suggester.clip_accuracy,
        "why": suggester.why,
    }


@click.command()
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=PathOnDisk())
@project_options
def relocate(paths: tuple[Path, ...], as_json: bool) -> None:
    """Find moved or renamed recordings by their content.

    Each PATH is a file, or a folder with everything below it. Files with other tags, or in another lossless encoding,
    are found too. It may be a URL (docs/remote.md): what is there is fetched and compared.

    \b
    labeltool relocate ~/field /media/card
    labeltool relocate s3://bucket/season
    """  # noqa: D301 - click's mark for "do not wrap" is a real backspace
    click.get_current_context().with_resource(libraries_off_stderr())
    from labeltool.tasks.relocate import Relocation, places_below

    for path in paths:
        if not is_url(path) and not path.exists():
            raise LabeltoolError("no such file or folder", file=path)
    failed: list[Skipped] = []
    done = 0
    with current_project().open_store(to_write=True) as store, ProgressDisplay() as progress:
        relocation = Relocation(store)
        for done, place in enumerate((place for path in paths for place in places_below(path)), start=1):
            progress("hashing", done, 0, Path(place).name)
            try:
                relocation.look_at(place)
            except LabeltoolError as error:
                failed.append(Skipped.of(error, place))
            except OSError as error:
                failed.append(Skipped(in_one_line(place), reason=f"cannot be read: {error.strerror}"))
        moved = relocation.store_found()
    missing = len(relocation.missing)
    if as_json:
        emit({"relocated": moved, "missing": missing, **({"failed": failed} if failed else {})})
    else:
        narrate(f"found {moved} recordings; {missing} are still missing")
        print_failed(failed, done)
    exit_for_failed(failed)


@click.command()
@click.argument("names", metavar="RECORDING...", nargs=-1, required=True)
@click.option("--undo", is_flag=True, help="Bring back recordings that were removed, with all their labels.")
@annotator_option
@project_options
def remove(names: tuple[str, ...], undo: bool, annotator: str | None, as_json: bool) -> None:
    """Take recordings out of the project; sound files stay.

    RECORDING is a file, or the id of one of its clips. Its clips and labels no longer count, nothing is deleted:
    `labeltool undo` brings them back. Imported again, a removed recording stays removed.

    \b
    labeltool remove windy.wav night.flac
    labeltool remove --undo night.flac
    """  # noqa: D301 - click's mark for "do not wrap" is a real backspace
    from labeltool.store import recordings

    project = current_project()
    found: dict[int, StoredRecording] = {}
    failed = []
    with project.open_store() as store:
        for name in names:
            try:
                recording = recordings.recording_of(store, name, is_removed=undo)
                found[recording.id] = recording
            except LabeltoolError as error:
                failed.append(Skipped.of(error, name))
        if found:
            change = recordings.bring_back if undo else recordings.remove
            change(store, list(found.values()), annotator=project.annotator(annotator))
    paths = [recording.path for recording in found.values()]
    if as_json:
        emit({"brought_back" if undo else "removed": paths, "failed": failed})
    else:
        for path in paths:
            narrate(f"{path}: {'brought back' if undo else 'removed'}")
        print_failed(failed, len(names))
    exit_for_failed(failed)


@click.command()
@click.argument("names", metavar="[RECORDING]...", nargs=-1)
@click.option("--as", "group_name", metavar="NAME", help="The recordings are one group of this name.")
@click.option(
    "--by", metavar="RULE", help="As --group-by of import: folder, column:NAME, '{site}_{date}_*', name, none."
)
@annotator_option
@project_options
def group(names: tuple[str, ...], group_name: str | None, by: str | None, annotator: str | None, as_json: bool) -> None:
    """Change what stays together in splits; alone: list the groups.

    RECORDING is a file, or the id of one of its clips; with --by, all recordings where none is named. `labeltool undo`
    brings the groups before back.

    \b
    labeltool group
    labeltool group siteA-01.wav siteA-02.wav --as siteA
    labeltool group --by '{site}_{date}_*'
    """  # noqa: D301 - click's mark for "do not wrap" is a real backspace
    from labeltool.store import groups

    if group_name is not None and by is not None:
        raise click.UsageError("--as and --by exclude each other")
    if names and group_name is None and by is None:
        raise click.UsageError("name the group with --as, or a rule with --by")
    if group_name is not None and not names:
        raise click.UsageError("--as needs a RECORDING")
    project = current_project()
    failed: list[Skipped] = []
    with project.open_store() as store:
        if group_name is None and by is None:
            sizes = groups.group_sizes(store)
        else:
            chosen = _recordings(store, names, failed)
            if by is not None:
                wanted = _names_by(store, chosen, by)
            else:
                wanted = dict.fromkeys(chosen, groups.checked_group(group_name or ""))
            changed = groups.set_groups(store, wanted, annotator=project.annotator(annotator))
            sizes = groups.group_sizes(store)
    if group_name is None and by is None:
        _list_groups(sizes, as_json)
    elif as_json:
        emit({"changed": changed, "groups": len(sizes), "failed": failed})
    else:
        without = f"; {more} keep theirs: the rule says nothing of them" if (more := len(chosen) - len(wanted)) else ""
        narrate(f"{changed} recordings have another group; {len(sizes)} groups in all{without}")
        print_failed(failed, len(names))
    exit_for_failed(failed)


def _list_groups(sizes: dict[str, int], as_json: bool) -> None:
    if as_json:
        emit({"groups": [{"group": name, "recordings": count} for name, count in sizes.items()]})
        return
    alone = sum(count == 1 for count in sizes.values())
    for name, count in sizes.items():
        if count > 1:
            click.echo(f"{count}\t{quoted(name, 60)}")
    narrate(f"{len(sizes) - alone} groups of several recordings, {alone} recordings by themselves")


def _recordings(store: Store, names: tuple[str, ...], failed: list[Skipped]) -> dict[int, tuple[StoredRecording, str]]:
    """Return the recordings of some names, or all, by their ids, each with its hash."""
    from labeltool.store import recordings

    every = {recording.id: (recording, sha256) for recording, sha256 in recordings.all_recordings(store)}
    if not names:
        return every
    found = {}
    for name in names:
        try:
            number = recordings.recording_of(store, name).id
            found[number] = every[number]
        except LabeltoolError as error:
            failed.append(Skipped.of(error, name))
    return found


def _names_by(store: Store, chosen: dict[int, tuple[StoredRecording, str]], by: str) -> dict[int, str]:
    """Return the group that a rule gives each recording, by its id; without those of which it says nothing."""
    from labeltool.importers.grouping import Place, named_by
    from labeltool.store.groups import own_columns

    columns = own_columns(store)
    places = {
        number: Place(Path(recording.path), columns.get(number, {}), sha256)
        for number, (recording, sha256) in chosen.items()
    }
    return {number: one.group for number, one in named_by(by, places).items()}
