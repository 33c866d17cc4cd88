"""The journal of annotations: rows are appended and never changed. Undo and renaming are rows too.

Undo and redo revert and repeat one batch: a single row, or rows that were appended together and carry one `batch_id`,
the id of the first of them. The rows that undo or redo append are a batch as well.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType

from labeltool.errors import LabeltoolError
from labeltool.records import Value
from labeltool.store import labels
from labeltool.store.database import Store
from labeltool.store.journal_rows import AUTO_ACCEPTED, append, append_batch, is_revoked, newest


@dataclass(frozen=True, slots=True)
class JournalRow:
    """A row of the journal, as `labeltool log` shows it.

    `batch_id` is the id of the first row of its batch and `batch_size` the number of rows in it; None and 1 for a
    single row. `recording` is the path of one that was removed or locked, or that got the group `group_name`.
    """

    id: str
    kind: str
    clip_id: int | None
    label: str | None
    value: str | None
    new_label: str | None
    note: str | None
    revokes: str | None
    annotator: str
    origin: str
    response_ms: int | None
    created_at: str
    batch_id: str | None
    batch_size: int
    revoked: bool
    recording: str | None
    group_name: str | None

    @property
    def auto_accepted(self) -> bool:
        """Whether a suggestion was accepted without listening to the clip: nobody took time for it."""
        return self.origin == "suggestion" and self.response_ms is None

    def to_json(self) -> dict[str, object]:
        """Return the row with the keys that the JSON of `log`, `undo` and `redo` promises, the last two where set."""
        columns = asdict(self)
        for name in ("recording", "group_name"):
            if columns[name] is None:
                del columns[name]
        return {_JSON_KEYS.get(name, name): value for name, value in columns.items()}


# Scripts read these keys: they stay as they were before the columns got their present names.
_JSON_KEYS = {"response_ms": "took_ms", "created_at": "said_at", "batch_id": "act", "batch_size": "together"}

_ROW_COLUMNS = f"""
    j.id, j.kind, j.clip_id, j.label, j.value, j.new_label, j.note, j.revokes, j.annotator, j.origin, j.response_ms,
    j.created_at, j.batch_id, {is_revoked("j")} AS revoked,
    (SELECT r.path FROM recordings r WHERE r.id = j.recording_id) AS recording, j.group_name
"""


@dataclass(frozen=True, slots=True)
class AnnotationContext:
    """How a person came to a verdict.

    Attributes
    ----------
    accepted_from
        The `uid` of the model whose suggestion was accepted.
    suggested
        The label that a model suggested first on the screen; None without a suggestion.
    instead_of
        Labels that the verdict replaces: appended as absent before it, in the same batch.
    """

    accepted_from: str | None = None
    suggested: str | None = None
    response_ms: int | None = None
    instead_of: Sequence[str] = ()


NO_CONTEXT = AnnotationContext()
"""Of a verdict that was not given on the screen."""


def annotate(
    store: Store,
    clip_id: int,
    label: str | None,
    value: Value = Value.PRESENT,
    *,
    annotator: str,
    context: AnnotationContext = NO_CONTEXT,
) -> str:
    """Append a person's verdict and return its row's id; the row is on the disk when this returns.

    Parameters
    ----------
    label
        None is the clip as a whole: absent means "none of these", unsure "cannot tell". A new name becomes a label of
        the project.
    """
    with store.transaction() as connection:
        return append_verdict(connection, clip_id, label, value, annotator=annotator, context=context)


def append_verdict(
    connection: sqlite3.Connection,
    clip_id: int,
    label: str | None,
    value: Value,
    *,
    annotator: str,
    context: AnnotationContext,
    bounds: Mapping[str, float | None] = MappingProxyType({}),
) -> str:
    """Append a person's verdict inside a transaction and return its row's id.

    Parameters
    ----------
    bounds
        `start_s`, `end_s`, `low_hz`, `high_hz`, where the verdict has bounds of its own.
    """
    if label is not None:
        label = labels.checked_name(label)
        labels.ensure_label(connection, label, brings_back=value is not Value.ABSENT)
    common = {
        "kind": "verdict",
        "clip_id": clip_id,
        "annotator": annotator,
        "origin": "human",
        "response_ms": context.response_ms,
    }
    replaced = [{**common, "label": name, "value": Value.ABSENT.value} for name in context.instead_of]
    verdict = {**common, **bounds, "label": label, "value": value.value, **_suggestion_columns(context)}
    return append_batch(connection, [*replaced, verdict])[-1]


def annotate_batch(
    store: Store,
    label: str | None,
    values: Mapping[int, Value],
    *,
    annotator: str,
    contexts: Mapping[int, AnnotationContext] = MappingProxyType({}),
    response_ms: int | None,
    include_labelled: Collection[int] = (),
) -> list[JournalRow]:
    """Append a verdict on one label, or on the whole clip, for each of several clips as one batch.

    All rows are on the disk when this returns, or none.

    Parameters
    ----------
    contexts
        The suggestion for each clip that had one, and labels that the verdict replaces; a model counts as accepted only
        where the value is present.
    response_ms
        Time from the clips' appearance to the verdict on all of them; the rows share it evenly. None: nobody listened
        to them (`JournalRow.auto_accepted`).
    include_labelled
        Clips that have a label already and get this one as well. Other clips that were labelled meanwhile, in another
        terminal say, are skipped: the person did not see that.

    Returns
    -------
    list[JournalRow]
        The rows, in the order of `values`; before each those of the labels that it replaces.
    """
    if label is not None:
        label = labels.checked_name(label)
    with store.transaction() as connection:
        if label is not None:
            is_used = any(value is not Value.ABSENT for value in values.values())
            labels.ensure_label(connection, label, brings_back=is_used)
        labelled = _labelled_among(connection, [clip_id for clip_id in values if clip_id not in include_labelled])
        wanted = [clip_id for clip_id in values if clip_id not in labelled]
        verdicts: list[dict[str, object]] = []
        for clip_id, its_ms in zip(wanted, _shares(response_ms, len(wanted)), strict=True):
            context, present = contexts.get(clip_id, NO_CONTEXT), values[clip_id] is Value.PRESENT
            common = {"kind": "verdict", "clip_id": clip_id, "annotator": annotator, "response_ms": its_ms}
            verdicts += [
                {**common, "label": name, "value": Value.ABSENT.value, "origin": "human"} for name in context.instead_of
            ]
            columns = _suggestion_columns(context if present else AnnotationContext(suggested=context.suggested))
            verdicts.append({**common, "label": label, "value": values[clip_id].value, **columns})
        return _read(connection, append_batch(connection, verdicts))


def _shares(response_ms: int | None, count: int) -> list[int | None]:
    """Return equal whole shares of a time; the remainder goes to the first, so that they add up to the whole."""
    if response_ms is None:
        return [None] * count
    share, remainder = divmod(response_ms, max(1, count))
    return [share + (place < remainder) for place in range(count)]


def _suggestion_columns(context: AnnotationContext) -> dict[str, object]:
    return {
        "origin": "human" if context.accepted_from is None else "suggestion",
        "model_uid": context.accepted_from,
        "suggested_label": context.suggested,
    }


def _labelled_among(connection: sqlite3.Connection, clip_ids: Sequence[int]) -> set[int]:
    rows = connection.execute(
        "SELECT id FROM clips WHERE is_labelled AND id IN (SELECT value FROM json_each(?))", (json.dumps(clip_ids),)
    )
    return {clip_id for (clip_id,) in rows}


def exclude(store: Store, clip_id: int, kind: str, *, annotator: str, response_ms: int | None = None) -> str:
    """Append that a clip got no label: `kind` is "skip" (show it again later) or "bad audio" (do not show it again)."""
    with store.transaction() as connection:
        return append(
            connection, kind=kind, clip_id=clip_id, annotator=annotator, origin="human", response_ms=response_ms
        )


def note(store: Store, clip_id: int, text: str, *, annotator: str) -> str:
    """Append a note on a clip and return its row's id."""
    check_note(text)
    with store.transaction() as connection:
        return append(connection, kind="note", clip_id=clip_id, note=text, annotator=annotator, origin="human")


def check_note(text: str) -> None:
    """Refuse a note without text.

    Raises
    ------
    LabeltoolError
        When there is nothing but white space.
    """
    if not text.strip():
        raise LabeltoolError("a note needs words")


def undo(store: Store, *, annotator: str) -> JournalRow | None:
    """Revoke the annotator's last batch that is not revoked, and return its last row; None when there is none.

    Whatever a person does can be undone; imports are not undone row by row.
    `batch_rows` returns the other rows of the batch.
    """
    with store.transaction() as connection:
        row = connection.execute(
            f"""
            SELECT {_ROW_COLUMNS} FROM journal j
            WHERE j.annotator = ? AND j.kind <> 'revoke' AND j.origin <> 'import' AND NOT revoked
            ORDER BY j.id DESC LIMIT 1
            """,
            (annotator,),
        ).fetchone()
        if row is None:
            return None
        revoke = {"kind": "revoke", "annotator": annotator, "origin": "human"}
        row_ids = _batch_ids(connection, row["id"], row["batch_id"])
        append_batch(connection, [{**revoke, "revokes": row_id} for row_id in row_ids])
        labels.update_derived_columns(connection)
        return next(_sized(connection, [row]))


def redo(store: Store, *, annotator: str) -> JournalRow | None:
    """Append again what the annotator's last undo revoked, and return its last row; None when there is nothing to redo.

    After any other annotation there is nothing to redo. The revoked rows stay revoked: new rows repeat them and name
    the undo that they redo.
    """
    with store.transaction() as connection:
        redone: set[str] = set()
        # From the newest row back: a redo belongs to an undo; any other row ends what can be redone.
        for row in connection.execute(
            "SELECT id, kind, revokes, redoes, batch_id FROM journal WHERE annotator = ? AND origin <> 'import' "
            "ORDER BY id DESC",
            (annotator,),
        ):
            if row["redoes"]:
                redone.add(row["redoes"])
            elif row["kind"] != "revoke":
                return None
            elif row["id"] not in redone:
                return _redo_rows(connection, _batch_ids(connection, row["id"], row["batch_id"]), annotator)
        return None


def _redo_rows(connection: sqlite3.Connection, undo_ids: Sequence[str], annotator: str) -> JournalRow:
    """Append copies of the rows that some undo rows revoked, as the annotator's; return the last."""
    not_copied = ("id", "created_at", "import_key", "batch_id")
    copies: list[dict[str, object]] = []
    for undo_id in undo_ids:
        row = connection.execute(
            "SELECT j.* FROM journal u JOIN journal j ON j.id = u.revokes WHERE u.id = ?", (undo_id,)
        ).fetchone()
        copied = {name: row[name] for name in row.keys() if name not in not_copied}  # noqa: SIM118
        # A recording that another checked, or an import, may have been marked as unchecked.
        origin = "human" if row["origin"] == "import" else row["origin"]
        copies.append({**copied, "annotator": annotator, "origin": origin, "redoes": undo_id})
    row_ids = append_batch(connection, copies)
    labels.update_derived_columns(connection)
    return _read(connection, row_ids[-1:])[0]


def batch_rows(store: Store, row: JournalRow) -> list[JournalRow]:
    """Return the rows of a row's batch, oldest first; of a single row, only itself."""
    return _read(store.connection, _batch_ids(store.connection, row.id, row.batch_id))


def rows(store: Store, *, clip_id: int | None = None, limit: int | None = None) -> Iterator[JournalRow]:
    """Yield the journal's rows, newest first, of one clip or of all."""
    of_clip = "" if clip_id is None else "WHERE j.clip_id = :clip"
    found = store.connection.execute(
        f"SELECT {_ROW_COLUMNS} FROM journal j {of_clip} ORDER BY j.id DESC LIMIT :limit",
        {"clip": clip_id, "limit": -1 if limit is None else limit},
    )
    yield from _sized(store.connection, found)


def active_rows(store: Store, clip_id: int) -> tuple[JournalRow, ...]:
    """Return the rows of a clip that count, oldest first: none that was undone."""
    active = [row for row in rows(store, clip_id=clip_id) if not row.revoked and row.kind != "revoke"]
    return tuple(reversed(active))


def row(store: Store, row_id: str) -> JournalRow:
    """Return the row of an id that the journal gave."""
    return _read(store.connection, [row_id])[0]


def newest_id(store: Store) -> str:
    """Return the id of the newest row, "" for an empty journal: what a model trained now is up to date with."""
    return newest(store.connection)


def changed_clips(store: Store, since: str) -> set[int] | None:
    """Return the clips that rows newer than one are about; None where it may be any, as where labels were renamed.

    What was accepted automatically is not among them.
    """
    rows = store.connection.execute(
        "SELECT DISTINCT COALESCE(j.clip_id, r.clip_id) FROM journal j LEFT JOIN journal r ON r.id = j.revokes "
        "WHERE j.id > ? AND COALESCE(r.kind, j.kind) NOT IN ('checked', 'define', 'example', 'split') "
        f"AND NOT {AUTO_ACCEPTED}",
        (since,),
    )
    changed = {clip_id for (clip_id,) in rows}
    return None if None in changed else changed


def _batch_ids(connection: sqlite3.Connection, row_id: str, batch_id: str | None) -> list[str]:
    """Return the ids of the rows of a row's batch, oldest first."""
    if batch_id is None:
        return [row_id]
    return [
        each for (each,) in connection.execute("SELECT id FROM journal WHERE batch_id = ? ORDER BY id", (batch_id,))
    ]


def _read(connection: sqlite3.Connection, row_ids: Sequence[str]) -> list[JournalRow]:
    statement = f"SELECT {_ROW_COLUMNS} FROM journal j WHERE j.id = ?"
    return list(_sized(connection, (connection.execute(statement, (row_id,)).fetchone() for row_id in row_ids)))


def _sized(connection: sqlite3.Connection, found: Iterable[sqlite3.Row]) -> Iterator[JournalRow]:
    """Yield rows with the sizes of their batches, each counted once: a batch may have 10,000 rows."""
    sizes: dict[str | None, int] = {None: 1}
    for row in found:
        batch_id = row["batch_id"]
        if batch_id not in sizes:
            sizes[batch_id] = len(_batch_ids(connection, row["id"], batch_id))
        yield JournalRow(**{**row, "revoked": bool(row["revoked"]), "batch_size": sizes[batch_id]})
