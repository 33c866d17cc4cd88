"""The journal as text: out of a project, and into one."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from labeltool.cli.common import ProgressDisplay, current_project, emit, json_option, narrate, project_option
from labeltool.cli.import_ import counted_noun, print_skipped
from labeltool.errors import ExitCode, LabeltoolError

if TYPE_CHECKING:
    from labeltool.store.journal_import import JournalImport


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
    from labeltool.store.journal_text import export_lines
    from labeltool.util.atomic_write import open_atomic

    with current_project().open_store() as store:
        if output is None:
            sys.stdout.buffer.writelines(export_lines(store))
            return
        if output.is_dir():
            raise LabeltoolError("is a folder", file=output, remedy="-o names a file")
        with open_atomic(output, durable=True) as file:
            file.writelines(export_lines(store))
    narrate(f"wrote {output}")


@journal.command("import")
@click.argument("source", metavar="FILE", type=click.Path(path_type=Path, allow_dash=True))
@project_option
@json_option
def import_(source: Path, as_json: bool) -> None:
    """Add a journal that `journal export` wrote to the project.

    What the project has already stays; importing a journal twice changes nothing. Sounds may be missing: `labeltool
    relocate` finds them later. FILE may be - for stdin.

    \b
    labeltool init copy && labeltool --project copy journal import labels.jsonl
    """  # noqa: D301 - click's mark for "do not wrap" is a real backspace
    from labeltool.store.journal_import import import_journal

    with (
        current_project().open_store() as store,
        _opened(source) as file,
        ProgressDisplay() as progress,
    ):
        imported = import_journal(store, file, str(source), report=lambda number: progress("reading", number, 0))
    if as_json:
        emit(imported)
    else:
        _narrate(imported)
    if imported.skipped:
        raise click.exceptions.Exit(ExitCode.FAILED)


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


def _narrate(imported: JournalImport) -> None:
    print_skipped(imported.skipped)
    counts = {name: getattr(imported, name) for name in imported.already_there}
    new = ", ".join(counted_noun(count, name) for name, count in counts.items() if count) or "nothing new"
    known = sum(imported.already_there.values())
    already = f"; {counted_noun(known, 'rows')} already there" if known else ""
    skipped = f"; {counted_noun(len(imported.skipped), 'lines')} skipped" if imported.skipped else ""
    narrate(f"{new} imported{already}{skipped}")
    if imported.missing:
        narrate(
            f"{counted_noun(imported.missing, 'recordings')} of the project not found here: "
            "`labeltool relocate FOLDER` finds them by their content"
        )
