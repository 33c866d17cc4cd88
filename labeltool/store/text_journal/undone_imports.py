"""Which labels no longer count after a merge, because somebody undid the import that another made as well.

An import that was undone is undone for everybody who merges it, in whatever order, until somebody imports it again.
What people labelled themselves is never undone with it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from labeltool.records import Note
from labeltool.store.journal_rows import is_revoked
from labeltool.util.counted import counted

TABLES = ("CREATE TEMP TABLE IF NOT EXISTS undos (id TEXT PRIMARY KEY) STRICT", "DELETE FROM temp.undos")
"""SQL that makes the table of the rows of a journal that undo imports."""

_IMPORTED = "j.kind IN ('verdict', 'checked') AND j.origin = 'import'"
_UNDONE = f"o.kind = 'revoke' AND o.origin = 'import' AND NOT {is_revoked('o')}"
_SUMS = "SELECT j.import_id, o.annotator, COUNT(DISTINCT j.id) AS rows"
_OURS = f"""
    {_SUMS} FROM journal o JOIN journal j ON j.id = o.revokes
    WHERE o.rowid > :last AND j.rowid <= :last AND {_IMPORTED} AND {_UNDONE} AND NOT EXISTS (
        SELECT 1 FROM journal b WHERE b.revokes = j.id AND b.rowid <= :last AND NOT {is_revoked("b")}
    ) GROUP BY j.import_id, o.annotator
"""
# A row that both imported has our id, or theirs where that is earlier.
_THEIRS = f"""
    {_SUMS} FROM temp.twins t JOIN journal j ON j.id IN (t.id, t.ours) JOIN journal o ON o.revokes = j.id
    WHERE o.rowid <= :last AND o.id NOT IN (SELECT id FROM temp.undos) AND {_IMPORTED} AND {_UNDONE} AND NOT EXISTS (
        SELECT 1 FROM journal b JOIN temp.undos USING (id) WHERE b.revokes = j.id AND NOT {is_revoked("b")}
    ) GROUP BY j.import_id, o.annotator
"""


def undone_imports(connection: sqlite3.Connection, last: int) -> Iterator[Note]:
    """Yield a note for each import whose labels counted here and no longer do, or there, of rows that both imported.

    Parameters
    ----------
    last
        The rowid of the newest row before; `temp.twins` has the rows that both imported, `temp.undos` what undid
        imports in the journal that was added.
    """
    for statement, where in ((_OURS, "counted here"), (_THEIRS, "counted there")):
        # The sources, long lists of files say, are joined to the sums alone.
        named = (
            f"SELECT source, annotator, rows FROM ({statement}) n JOIN imports i ON i.id = n.import_id ORDER BY i.id"
        )
        for source, annotator, rows in connection.execute(named, {"last": last}).fetchall():
            reason = f"{counted(rows, 'annotation')} of this import that {where} no longer count: {annotator} undid it"
            yield Note(source, None, f"{reason} (importing it again brings them back)")
