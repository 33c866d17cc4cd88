"""Adding another project, or a copy of its database, to this one."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from labeltool.store.database import Store
from labeltool.store.text_journal.journal_import import JournalImport
from labeltool.store.text_journal.lines import export_lines
from labeltool.store.text_journal.reading import import_journal

_IN_MEMORY_BYTES = 32 << 20


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
