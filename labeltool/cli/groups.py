"""Groups of recordings: list them, change them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from labeltool.cli.common import (
    annotator_option,
    current_project,
    emit,
    exit_for_failed,
    json_option,
    narrate,
    print_failed,
    project_option,
    quoted,
)
from labeltool.errors import LabeltoolError, SkippedFile

if TYPE_CHECKING:
    from labeltool.store import Store
    from labeltool.store.recordings import StoredRecording


@click.command()
@click.argument("names", metavar="[RECORDING]...", nargs=-1)
@click.option("--as", "group_name", metavar="NAME", help="The recordings are one group of this name.")
@click.option("--by", metavar="RULE", help="As --group-by of import: folder, column:NAME, '{site}_{date}_*', name, none.")
@annotator_option
@project_option
@json_option
def group(
    names: tuple[str, ...], group_name: str | None, by: str | None, annotator: str | None, as_json: bool
) -> None:
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
    failed: list[SkippedFile] = []
    with project.open_store() as store:
        if group_name is None and by is None:
            sizes = groups.group_sizes(store)
        else:
            chosen = _recordings(store, names, failed)
            wanted = _names_by(store, chosen, by) if by is not None else _one_group(chosen, group_name or "")
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


def _recordings(
    store: Store, names: tuple[str, ...], failed: list[SkippedFile]
) -> dict[int, tuple[StoredRecording, str]]:
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
            failed.append(SkippedFile(name, str(error)))
    return found


def _one_group(chosen: dict[int, tuple[StoredRecording, str]], name: str) -> dict[int, str]:
    from labeltool.store.groups import checked_group

    return dict.fromkeys(chosen, checked_group(name))


def _names_by(store: Store, chosen: dict[int, tuple[StoredRecording, str]], by: str) -> dict[int, str]:
    """Return the group that a rule gives each recording, by its id; without those of which it says nothing."""
    from labeltool.importers.grouping import Place, rule_of
    from labeltool.store.groups import own_columns

    rule, columns = rule_of(by), own_columns(store)
    found = {
        number: rule(Place(Path(recording.path), columns.get(number, {}), sha256))
        for number, (recording, sha256) in chosen.items()
    }
    return {number: one.group for number, one in found.items() if one is not None}
