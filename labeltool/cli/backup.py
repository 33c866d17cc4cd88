"""Copies of what people did: backups of the database, going back to one, and the journal as text."""

from __future__ import annotations

import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from labeltool.cli.common import (
    ProgressDisplay,
    current_project,
    emit,
    exit_for_failed,
    narrate,
    project_option,
    project_options,
)
from labeltool.cli.import_ import counted_nouns, print_skipped
from labeltool.errors import LabeltoolError
from labeltool.util.counted import counted

if TYPE_CHECKING:
    from labeltool.store.text_journal.journal_import import JournalImport


@click.command()
@click.argument("file", metavar="[FILE]", required=False, type=click.Path(path_type=Path))
@click.option("--overwrite", is_flag=True, help="Replace FILE, if it is there already.")
@project_options
def backup(file: Path | None, overwrite: bool, as_json: bool) -> None:
    """Write all labels, clips and suggestions into FILE.

    FILE is a whole copy of the project's labels.db (default: a new name in its folder backups/). Others may go on
    labelling meanwhile. Sounds and models are not in it.

    \b
    labeltool backup
    labeltool backup /media/stick/birds.db
    """  # noqa: D301 - click's mark for "do not wrap" is a real backspace
    from labeltool.store import backup as backups

    project = current_project()
    with project.open_store() as store:
        made = backups.back_up(store, file or backups.default_path(project.database), overwrite=overwrite)
    if as_json:
        emit({"written": str(made.path), "bytes": made.size_bytes, "journal_rows": made.journal_rows})
    else:
        narrate(f"wrote {made.path}: {made.size_bytes / 1e6:.1f} MB, {made.journal_rows} rows in the journal")


@click.command()
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@project_options
def restore(file: Path, as_json: bool) -> None:
    """Put a backup in the place of the project's labels.db.

    What was there is kept beside it, and named: restoring that goes back. An app that is open stops by itself.

    \b
    labeltool restore backups/daily-2026-05-04.db
    """  # noqa: D301 - click's mark for "do not wrap" is a real backspace
    from labeltool.store import backup as backups

    project = current_project(may_be_lost=True)
    kept = backups.restore(project.database, file)
    if kept is not None and not kept.exists():
        kept = kept.with_name(f"{kept.name}-wal")  # there was no labels.db any more
    if as_json:
        emit({"restored": str(file), "kept": None if kept is None else str(kept)})
        return
    narrate(f"{project.database} is {file} now")
    if kept is not None:
        back = f"; `labeltool restore {shlex.quote(str(kept))}` goes back to it" if kept.suffix == ".bak" else ""
        narrate(f"what was there is {kept}{back}")


@click.group()
@project_option
def journal() -> None:
    """Write every label ever given to a text file, or read one.

    \b
    labeltool journal export -o labels.jsonl
    labeltool --project other journal import labels.jsonl
    """  # noqa: D301 - click's mark for "do not wrap" is a real backspace


@journal.command("export")
@click.option("-o", "--output", metavar="FILE", type=click.Path(path_type=Path), help="Write here.  [default: stdout]")
@project_option
def export(output: Path | None) -> None:
    """Write the journal as JSON lines.

    It has everything that people did: labels, undo, renamings, notes, checked parts, removed recordings. Recordings are
    named by their content, clips by their times: it means the same in every project. Models and sounds are not in it.

    \b
    labeltool journal export -o labels.jsonl
    """  # noqa: D301 - click's mark for "do not wrap" is a real backspace
    from labeltool.store.text_journal.lines import export_lines
    from labeltool.util.files.atomic_write import open_atomic

    with current_project().open_store() as store:
        if output is None:
            sys.stdout.buffer.writelines(export_lines(store))
            return
        if output.is_dir():
            raise LabeltoolError("is a folder", file=output, remedy="-o names a file")
        # Its folder may be a link: it is the person's own.
        with open_atomic(output.parent.resolve() / output.name, durable=True) as file:
            file.writelines(export_lines(store))
    narrate(f"wrote {output}")


@journal.command("import")
@click.argument("source", metavar="FILE", type=click.Path(path_type=Path, allow_dash=True))
@project_options
def import_(source: Path, as_json: bool) -> None:
    """Add a journal that `journal export` wrote to the project.

    What the project has already stays; importing a journal twice changes nothing. Sounds may be missing: `labeltool
    relocate` finds them later. FILE may be - for stdin.

    \b
    labeltool init copy && labeltool --project copy journal import labels.jsonl
    """  # noqa: D301 - click's mark for "do not wrap" is a real backspace
    from labeltool.store.text_journal.reading import import_journal

    with current_project().open_store() as store, _opened(source) as file, ProgressDisplay() as progress:
        imported = import_journal(store, file, str(source), report=lambda number: progress("reading", number, 0))
    if as_json:
        emit(imported)
    else:
        narrate_import(imported, "imported")
    exit_for_failed(imported.skipped)


@contextmanager
def _opened(source: Path) -> Iterator[IO[bytes]]:
    """Open a journal; what comes through a pipe is read first, for nobody else can write while it is imported."""
    with click.open_file(str(source), "rb") as file:
        if source.is_file():
            yield file
            return
        with tempfile.TemporaryFile() as copy:
            shutil.copyfileobj(file, copy)
            copy.seek(0)
            yield copy


def narrate_import(imported: JournalImport, what_was_done: str) -> None:
    """Name on stderr what a journal added to the project."""
    print_skipped([*imported.notes, *imported.skipped])
    counts = {name: getattr(imported, name) for name in imported.already_there}
    new, known = counted_nouns(counts) or "nothing new", counted_nouns(imported.already_there)
    already = f"; {known} already there" if known else ""
    skipped = f"; {counted(len(imported.skipped), 'line')} skipped" if imported.skipped else ""
    narrate(f"{new} {what_was_done}{already}{skipped}")
    if imported.missing:
        narrate(
            f"{counted(imported.missing, 'recording')} of the project not found here: "
            "`labeltool relocate FOLDER` finds them by their content"
        )
