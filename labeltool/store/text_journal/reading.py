"""Adding another project, or its journal as text, to this one: a union of the rows by their ids."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

from labeltool.errors import LabeltoolError
from labeltool.records import Skipped
from labeltool.store.database import Store
from labeltool.store.recordings import all_recordings
from labeltool.store.text_journal.journal_import import JournalImport
from labeltool.store.text_journal.lines import export_lines, read_lines
from labeltool.store.text_journal.union import Union
from labeltool.util.urls import is_there

MAX_SKIPPED = 1000
"""More lines that were skipped are counted, not listed."""

_LINES_PER_REPORT = 1000
_IN_MEMORY_BYTES = 32 << 20


def import_journal(
    store: Store,
    file: IO[bytes],
    name: str,
    *,
    sounds_in: Path | None = None,
    report: Callable[[int], None] = lambda _: None,
) -> JournalImport:
    """Add what a journal has and the project has not; all of it is on the disk when this returns, or nothing.

    A line that cannot be read, or that contradicts the project, is skipped and named; the others are added. Importing
    journals in any order, any number of times, gives the same rows and the same annotations.

    Parameters
    ----------
    file
        Read once, a line at a time, while nobody else can write to the project.
    name
        What the lines that are skipped call the file.
    sounds_in
        The folder that relative paths of sounds are in; None: the project's own.
    report
        Is called with the number of the line now and then.

    Raises
    ------
    LabeltoolError
        When the file is no journal, or of a newer version.
    """
    result = JournalImport()
    unlisted = 0
    with store.transaction_of_many_rows() as connection:
        union = Union(store, connection, result, sounds_in)
        for number, line in read_lines(file, name):
            if number % _LINES_PER_REPORT == 0:
                report(number)
            try:
                if isinstance(line, LabeltoolError):
                    raise line
                union.add(line)
            except (LabeltoolError, sqlite3.IntegrityError) as error:
                if len(result.skipped) < MAX_SKIPPED:
                    reason = error.reason if isinstance(error, LabeltoolError) else f"the database refused: {error}"
                    result.skipped.append(Skipped(name, number, reason))
                else:
                    unlisted += 1
        union.finish()
    if unlisted:
        result.skipped.append(Skipped(name, None, f"{unlisted} more lines"))
    result.missing = sum(not is_there(recording.path) for recording, _ in all_recordings(store))
    return result


def merge_database(
    store: Store, database: Path, name: str, *, report: Callable[[int], None] = lambda _: None
) -> JournalImport:
    """Add what another project has and this one has not, as `import_journal` does with the journal it would export.

    Its database may be a stranger's: it is checked as every database is and only read, with what was committed to its
    -wal. All of it is read before others have to wait for this project. Sounds are where the other project has them.

    Raises
    ------
    LabeltoolError
        When it cannot be opened, or is damaged.
    """
    with tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES) as lines:
        with Store.open(database, to_read=True) as other:
            lines.writelines(export_lines(other))
            directory = other.directory
        lines.seek(0)
        return import_journal(store, lines, name, sounds_in=directory, report=report)
