"""Several people: projects become one, what they contradict each other in is settled, work is shared out."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from labeltool.cli.backup import narrate_import
from labeltool.cli.common import (
    Number,
    ProgressDisplay,
    Whole,
    annotator_option,
    current_project,
    emit,
    exit_for_failed,
    limit_option,
    narrate,
    project_options,
    quoted,
    with_names,
)
from labeltool.errors import LabeltoolError, in_one_line
from labeltool.util.counted import counted

if TYPE_CHECKING:
    from collections.abc import Callable

    from labeltool.annotation.people.conflicts import Rule, Settled
    from labeltool.store import Store
    from labeltool.store.text_journal.journal_import import JournalImport

_SQLITE = b"SQLite format 3\0"


@click.command()
@click.argument("other", metavar="OTHER", type=click.Path(path_type=Path))
@project_options
def merge(other: Path, as_json: bool) -> None:
    """Add another person's labels of the same sounds.

    OTHER is their project, a backup of it, or a journal that `journal export` wrote; it is only read. In any order and
    any number of times, everybody gets the same labels. Sounds stay where they are, settings and models too.

    \b
    labeltool merge ../birds-bob
    labeltool merge bob.jsonl
    """  # noqa: D301 - click's mark for "do not wrap" is a real backspace
    from labeltool.annotation.people.conflicts import find_conflicts

    project = current_project()
    database = _database_of(other)
    with suppress(OSError):
        if database is not None and database.samefile(project.database):
            raise LabeltoolError("is this project itself", file=other)
    with project.open_store(to_write=True) as store, ProgressDisplay() as progress:
        merged = _merge(store, other, database, lambda number: progress("reading", number, 0))
        contradicted = sum(1 for _ in find_conflicts(store))
    if as_json:
        emit({**with_names(merged), "conflicts": contradicted})
    else:
        narrate_import(merged, "merged")
        if contradicted:
            narrate(f"{counted(contradicted, 'clip')} that people label differently: `labeltool conflicts`")
    exit_for_failed(merged.skipped)


@click.command()
@click.option(
    "--settle",
    type=click.Choice(["majority", "trusted", "newest"]),
    help="Settle them: what most gave, what --trusted gave, or what was given last.",
)
@click.option("--trusted", metavar="NAME", help="With --settle trusted: the annotator whose labels count.")
@click.option("--dry-run", is_flag=True, help="With --settle: show what would be settled, store nothing.")
@limit_option(20, "clips")
@annotator_option
@project_options
def conflicts(
    settle: Rule | None, trusted: str | None, dry_run: bool, limit: int, annotator: str | None, as_json: bool
) -> None:
    """Settle clips that people label differently.

    Listen to them in the app: the view Review (R) shows them first. A rule settles all at once, and `labeltool undo`
    reverts it. What a rule decides is nobody's label in the agreement that `labeltool stats` shows.

    \b
    labeltool conflicts
    labeltool conflicts --settle majority --dry-run
    labeltool conflicts --settle trusted --trusted ann
    """  # noqa: D301 - click's mark for "do not wrap" is a real backspace
    from labeltool.annotation.people import conflicts as found_by

    if (settle == "trusted") is not (trusted is not None):
        raise click.UsageError("--settle trusted and --trusted NAME go together")
    if dry_run and settle is None:
        raise click.UsageError("--dry-run goes with --settle")
    project = current_project()
    with project.open_store(to_write=settle is not None and not dry_run) as store:
        if settle is None:
            found = [found_by.Settled(one, {}) for one in found_by.find_conflicts(store)]
        else:
            who = project.annotator(annotator)
            found = found_by.settle(store, settle, trusted=trusted, annotator=who, dry_run=dry_run)
    settled = sum(bool(one.verdicts) for one in found)
    if as_json:
        emit({"conflicts": len(found), "settled": settled, "clips": [_conflict_json(one) for one in found[:limit]]})
        return
    for one in found[:limit]:
        decided = ", ".join(f"{_quoted(label)} {value}" for label, value in one.verdicts.items())
        outcome = f"; {decided}" if decided else ""
        click.echo(in_one_line(f"clip {one.conflict.clip_id}: {one.conflict.reason}{outcome}"))
    if len(found) > limit:
        narrate(f"... and {len(found) - limit} more: --limit")
    if settle is None:
        narrate(
            f"{counted(len(found), 'clip')} that people label differently"
            + ("; --settle, or R in the app" if found else "")
        )
    else:
        would = "would be " if dry_run else ""
        narrate(
            f"{settled} of {len(found)} {would}settled"
            + ("" if dry_run or not settled else "; `labeltool undo` reverts it")
        )


@click.command("split-work")
@click.option("--into", metavar="N", type=Whole(1, 1000), required=True, help="Number of packages, one a person.")
@click.option(
    "-o", "--output", metavar="DIR", type=click.Path(path_type=Path), help="A new folder.  [default: exports/work]"
)
@click.option(
    "--overlap",
    metavar="SHARE",
    type=Number(min=0, max=1),
    help="Share of the clips that are in two packages.  [default: [labelling] overlap of labeltool.toml]",
)
@project_options
def split_work(into: int, output: Path | None, overlap: float | None, as_json: bool) -> None:
    """Write a project for each person who labels.

    Each has all labels and a part of the unlabelled clips, by group; sounds are not copied. `labeltool merge` brings
    what was labelled back, in any order; who labels sets `annotator` in the package's labeltool.toml.

    \b
    labeltool split-work --into 3 --overlap 0.1 -o ~/shared/birds
    labeltool merge ~/shared/birds/birds-2
    """  # noqa: D301 - click's mark for "do not wrap" is a real backspace
    from labeltool.annotation.people.work_packages import write_packages

    project = current_project()
    folder = (output or project.exports / "work").absolute()
    share = project.settings.labelling.overlap if overlap is None else overlap
    with ProgressDisplay() as progress:
        written = write_packages(
            project, into, folder, overlap=share, report=lambda number: progress("package", number, into)
        )
    if as_json:
        emit({"written": [asdict(one) for one in written]})
    else:
        for one in written:
            twice = f", {one.twice} of them in another package too" if one.twice else ""
            narrate(f"wrote {one.directory}: {one.clips} unlabelled clips{twice}")


def _quoted(label: str | None) -> str:
    return "the whole clip" if label is None else quoted(label)


def _conflict_json(one: Settled) -> dict[str, object]:
    given = one.conflict.verdicts.by_annotator
    return {
        "clip": one.conflict.clip_id,
        "reason": one.conflict.reason,
        "verdicts": {
            who: [{"label": label, "value": each.value} for label, each in verdicts.items()]
            for who, verdicts in given.items()
        },
        "settled": [{"label": label, "value": value.value} for label, value in one.verdicts.items()],
    }


def _merge(store: Store, other: Path, database: Path | None, report: Callable[[int], None]) -> JournalImport:
    from labeltool.store.text_journal.reading import import_journal, merge_database

    if database is not None:
        return merge_database(store, database, str(other), report=report)
    with other.open("rb") as file:
        return import_journal(store, file, str(other), report=report)


def _database_of(other: Path) -> Path | None:
    """Return the database of a project or of a backup; None for a journal as text.

    Raises
    ------
    LabeltoolError
        When there is no such file, or the folder is no project.
    """
    from labeltool.util.files.project_names import DATABASE_FILE

    if other.is_dir():
        if not os.path.lexists(other / DATABASE_FILE):
            raise LabeltoolError(
                f"is no labeltool project: it has no {DATABASE_FILE}", file=other, remedy="give a project"
            )
        return other / DATABASE_FILE
    if not other.is_file():
        raise LabeltoolError("no such project or journal", file=other, remedy="check the name")
    with other.open("rb") as file:
        return other if file.read(len(_SQLITE)) == _SQLITE else None
