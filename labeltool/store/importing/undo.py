"""An import is undone as a whole: rows that revoke what it brought. Importing its file again brings it back.

These rows have the origin of an import, as those that they revoke, so that a person's undo and redo pass over them.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass

from labeltool.errors import LabeltoolError, in_one_line
from labeltool.store import labels
from labeltool.store.database import Store, now
from labeltool.store.journal_rows import is_revoked, new_row_ids, newest, without_triggers
from labeltool.util.counted import counted

# A row is of the import that brought it, or that brought it back last. What a person revoked is revoked too: undoing a
# deletion is not to bring back what an undone import had.
_IMPORTED = f"""
    SELECT j.id, j.clip_id, j.label, NOT {is_revoked("j")} AS counts, COALESCE((
        SELECT back.import_id FROM journal b JOIN journal back ON back.revokes = b.id
        WHERE b.revokes = j.id AND b.origin = 'import' AND back.origin = 'import' ORDER BY back.id DESC LIMIT 1
    ), j.import_id) AS import_id
    FROM journal j WHERE j.kind IN ('verdict', 'checked') AND j.import_id IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM journal b WHERE b.revokes = j.id AND b.origin = 'import' AND NOT {is_revoked("b")}
    )
"""
# The sources, long lists of files say, are joined to the sums alone.
_LAST = f"""
    SELECT i.id, i.kind, i.source, i.imported_at, n.number, SUM(n.number) OVER (PARTITION BY i.source) - n.number,
           n.names
    FROM (
        SELECT r.import_id, COUNT(*) AS number, json_group_array(DISTINCT r.label) AS names
        FROM ({_IMPORTED}) r WHERE r.counts GROUP BY r.import_id
    ) n JOIN imports i ON i.id = n.import_id
    ORDER BY i.imported_at DESC, i.id DESC LIMIT 1
"""
_APPEND = """
    INSERT INTO journal (id, kind, revokes, annotator, origin, import_id, batch_id, created_at)
    SELECT :beginning || printf('%012x', :number + rowid), 'revoke', id, :annotator, 'import', import_id, :batch_id,
           :now
    FROM temp.revoked ORDER BY rowid
"""
_MAX_SHOWN = 160
_OF_CLIPS = "IN (SELECT clip_id FROM temp.revoked)"
# As the trigger `journal_updates_latest_events` does for each row.
_DERIVE = (
    f"DELETE FROM latest_events WHERE clip_id {_OF_CLIPS}",
    f"""
    INSERT INTO latest_events (journal_id, clip_id, label, value)
    SELECT MAX(j.id), j.clip_id, j.label, j.value FROM journal j JOIN active_clips c ON c.id = j.clip_id
    WHERE j.clip_id {_OF_CLIPS} AND j.kind = 'verdict' AND NOT {is_revoked("j")} AND NOT EXISTS (
        SELECT 1 FROM journal w WHERE w.clip_id = j.clip_id AND w.kind = 'verdict' AND w.id > j.id
          AND (j.label IS NULL) <> (w.label IS NULL) AND NOT {is_revoked("w")}
    )
    GROUP BY j.clip_id, j.label
    """,
    f"""
    UPDATE clips SET is_labelled = EXISTS (
        SELECT 1 FROM journal j
        WHERE j.clip_id = clips.id AND j.kind IN ('verdict', 'bad audio') AND NOT {is_revoked("j")}
    ) WHERE id {_OF_CLIPS}
    """,
)


@dataclass(frozen=True, slots=True)
class LastImport:
    """The last import of which some annotations count: the one that is undone next.

    Attributes
    ----------
    kind, source, imported_at
        The importer, the file or folder, and when.
    rows
        Number of its annotations and checked parts that count.
    rows_left
        Those of other imports of the same source that count: `import auto` makes an import for each format.
    """

    kind: str
    source: str
    imported_at: str
    rows: int
    rows_left: int

    def describe(self) -> str:
        """Return what is undone with it, in one line; of a long list of files the beginning and the end."""
        source = self.source
        if len(source) > _MAX_SHOWN:
            source = f"{source[: _MAX_SHOWN // 2]} … {source[-_MAX_SHOWN // 2 :]}"
        annotations = counted(self.rows, "annotation")
        return f"{annotations} of the import of {in_one_line(source)} ({self.kind}, {self.imported_at})"


@dataclass(frozen=True, slots=True)
class UndoneImport(LastImport):
    """An import that was undone: its `rows` no longer count.

    Attributes
    ----------
    unused_labels
        Labels that came with it and that no annotation has now; they are still offered.
    """

    unused_labels: tuple[str, ...]


def last_import(store: Store) -> LastImport | None:
    """Return the import that `undo_last_import` undoes; None where no import has annotations that count."""
    found = store.connection.execute(_LAST).fetchone()
    return None if found is None else LastImport(*found[1:6])


def undo_last_import(store: Store, *, annotator: str, expected: LastImport | None = None) -> UndoneImport | None:
    """Revoke all annotations of the last import of which some count, as one batch; None where there is none.

    What an import brought back, after its own import was undone, is of that import. What people labelled of its clips
    stays, and so do its recordings, clips, groups, columns and labels.

    Parameters
    ----------
    expected
        What somebody was shown before; None: whichever is the last.

    Raises
    ------
    LabeltoolError
        When that has changed since; nothing is undone then.
    """
    with store.transaction() as connection:
        found = connection.execute(_LAST).fetchone()
        if expected not in (None, found and LastImport(*found[1:6])):
            raise LabeltoolError("the imported labels have changed since: nothing was undone", remedy="ask again")
        if found is None:
            return None
        number, kind, source, imported_at, rows, rows_left, names = found
        which = f"SELECT id, import_id, clip_id FROM ({_IMPORTED}) WHERE import_id = {number} ORDER BY id"
        _revoke(connection, which, annotator)
        unused = labels.unused_since(connection, imported_at, {*json.loads(names)})
        return UndoneImport(kind, source, imported_at, rows, rows_left, unused)


def bring_back(connection: sqlite3.Connection, keys: str, *, annotator: str, import_id: int) -> int:
    """Revoke the revocations of rows whose import was undone, inside a transaction; return how many count again.

    Parameters
    ----------
    keys
        SQL that selects the import keys of the rows.
    annotator, import_id
        The importer, and its import.
    """
    undone = f"""
        SELECT b.id, {import_id}, j.clip_id FROM journal j JOIN journal b ON b.revokes = j.id
        WHERE j.import_key IN ({keys}) AND b.origin = 'import' AND NOT {is_revoked("b")} ORDER BY b.id
    """
    before = newest(connection)
    if not _revoke(connection, undone, annotator):
        return 0
    back = connection.execute(
        "SELECT COUNT(DISTINCT j.id) FROM journal back JOIN journal b ON b.id = back.revokes "
        f"JOIN journal j ON j.id = b.revokes WHERE back.id > ? AND NOT {is_revoked('j')}",
        (before,),
    )
    return int(back.fetchone()[0])


def _revoke(connection: sqlite3.Connection, which: str, annotator: str) -> int:
    """Revoke the rows that SQL selects with their imports and clips, as one batch; return how many.

    The journal's triggers would derive anew what each single row changes.
    """
    connection.execute("CREATE TEMP TABLE revoked (id TEXT, import_id INTEGER, clip_id INTEGER)")
    count = connection.execute(f"INSERT INTO temp.revoked {which}").rowcount
    if count:
        beginning, number = new_row_ids(count, after=newest(connection))
        values = {"beginning": beginning, "number": number - 1, "annotator": annotator, "now": now()}
        with without_triggers(connection):
            connection.execute(_APPEND, {**values, "batch_id": None if count == 1 else f"{beginning}{number:012x}"})
        for statement in _DERIVE:
            connection.execute(statement)
        labels.update_derived_columns(connection)
    connection.execute("DROP TABLE temp.revoked")
    return count
