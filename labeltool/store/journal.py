"""The journal: what people said, appended and never changed. Undo and renaming are rows too.

An act is what undo takes back at once: a row by itself, or rows that were said together and carry one `act`, the id of
the first of them. What takes an act back, and what says it again, is an act as well.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from labeltool.errors import LabeltoolError
from labeltool.records import Value
from labeltool.store import labels
from labeltool.store.database import Store
from labeltool.store.journal_rows import append, append_act, newest


@dataclass(frozen=True, slots=True)
class JournalRow:
    """A row of the journal, as `labeltool log` shows it.

    `act` is the id of the first of the rows said together with it, `together` their number; None and 1 for a row by
    itself.
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
    took_ms: int | None
    said_at: str
    act: str | None
    together: int
    revoked: bool


_ROW_COLUMNS = """
    j.id, j.kind, j.clip_id, j.label, j.value, j.new_label, j.note, j.revokes, j.annotator, j.origin, j.took_ms,
    j.said_at, j.act,
    CASE WHEN j.act IS NULL THEN 1 ELSE (SELECT COUNT(*) FROM journal a WHERE a.act = j.act) END AS together,
    EXISTS (SELECT 1 FROM journal r WHERE r.revokes = j.id) AS revoked
"""


def say(
    store: Store,
    clip_id: int,
    label: str | None,
    value: Value = Value.PRESENT,
    *,
    annotator: str,
    accepted_from: str | None = None,
    suggested: str | None = None,
    took_ms: int | None = None,
    instead_of: Sequence[str] = (),
) -> str:
    """Append a person's verdict; it is on the disk when this returns.

    Parameters
    ----------
    label
        None speaks of the clip as a whole: absent is "none of these", unsure is "cannot tell". A name not heard before
        becomes a label of the project.
    accepted_from
        The `uid` of the model whose suggestion was accepted.
    suggested
        The label that stood first on the screen, by a model; None where none suggested.
    took_ms
        How long the person took, from the clip's appearance.
    instead_of
        Labels it is not after all: said absent before it, in the same act.

    Returns
    -------
    str
        The row's id.
    """
    with store.transaction() as connection:
        return append_verdict(
            connection,
            clip_id,
            label,
            value,
            annotator=annotator,
            accepted_from=accepted_from,
            suggested=suggested,
            took_ms=took_ms,
            instead_of=instead_of,
        )


def append_verdict(
    connection: sqlite3.Connection,
    clip_id: int,
    label: str | None,
    value: Value,
    *,
    annotator: str,
    accepted_from: str | None,
    suggested: str | None,
    took_ms: int | None,
    instead_of: Sequence[str] = (),
    **bounds: float | None,
) -> str:
    """Append a person's verdict inside a transaction and return the row's id.

    Parameters
    ----------
    bounds
        `start_s`, `end_s`, `low_hz`, `high_hz`, where the verdict has bounds of its own.
    """
    if label is not None:
        labels.check_name(label)
        labels.ensure_label(connection, label)
    by_hand = {"kind": "verdict", "clip_id": clip_id, "annotator": annotator, "origin": "human", "took_ms": took_ms}
    verdict = {
        **by_hand,
        **bounds,
        "label": label,
        "value": value.value,
        "origin": "human" if accepted_from is None else "suggestion",
        "model_uid": accepted_from,
        "suggested_label": suggested,
    }
    not_it = [{**by_hand, "label": name, "value": Value.ABSENT.value} for name in instead_of]
    return append_act(connection, [*not_it, verdict])[-1]


def say_all(
    store: Store,
    label: str | None,
    values: Mapping[int, Value],
    *,
    annotator: str,
    accepted_from: Mapping[int, str] = MappingProxyType({}),
    suggested: Mapping[int, str] = MappingProxyType({}),
    took_ms: int,
    answered_here: Collection[int] = (),
) -> list[JournalRow]:
    """Append a verdict on one label, or on the whole, for each of several clips as one act.

    All of it is on the disk when this returns, or none.

    Parameters
    ----------
    label
        As in `say`.
    values
        What is said, by clip.
    accepted_from
        The `uid` of the model whose suggestion was accepted, by clip; of clips that are not named, and where anything
        but present is said, it is the person's own word.
    suggested
        The label that stood first beside a clip, by a model; none where none suggested.
    took_ms
        How long the person took over all of them, from their appearance; the rows share it evenly.
    answered_here
        Clips that have an answer already and are meant all the same. Others that got one, from another terminal say,
        are left out: what was shown when the person said this no longer holds.

    Returns
    -------
    list[JournalRow]
        The rows, in the order of `values`.
    """
    if label is not None:
        labels.check_name(label)
    with store.transaction() as connection:
        if label is not None:
            labels.ensure_label(connection, label)
        told = json.dumps([clip_id for clip_id in values if clip_id not in answered_here])
        answered = {
            clip_id
            for (clip_id,) in connection.execute(
                "SELECT id FROM clips WHERE answered AND id IN (SELECT value FROM json_each(?))", (told,)
            )
        }
        wanted = [(clip_id, value) for clip_id, value in values.items() if clip_id not in answered]
        # What does not divide goes to the first ones, so that the shares add up to the whole.
        share, rest = divmod(took_ms, max(1, len(wanted)))
        verdicts: list[dict[str, object]] = [
            {
                "kind": "verdict",
                "clip_id": clip_id,
                "label": label,
                "value": value.value,
                "annotator": annotator,
                "origin": "suggestion" if value is Value.PRESENT and clip_id in accepted_from else "human",
                "model_uid": accepted_from.get(clip_id) if value is Value.PRESENT else None,
                "suggested_label": suggested.get(clip_id),
                "took_ms": share + (place < rest),
            }
            for place, (clip_id, value) in enumerate(wanted)
        ]
        return _read(connection, append_act(connection, verdicts))


def set_aside(store: Store, clip_id: int, kind: str, *, annotator: str, took_ms: int | None = None) -> str:
    """Append that a clip was passed over: `kind` is "skip" (ask later) or "bad audio" (do not ask again)."""
    with store.transaction() as connection:
        return append(connection, kind=kind, clip_id=clip_id, annotator=annotator, origin="human", took_ms=took_ms)


def note(store: Store, clip_id: int, text: str, *, annotator: str) -> str:
    """Append a remark on a clip and return the row's id."""
    if not text.strip():
        raise LabeltoolError("a note needs words")
    with store.transaction() as connection:
        return append(connection, kind="note", clip_id=clip_id, note=text, annotator=annotator, origin="human")


def undo(store: Store, *, annotator: str) -> JournalRow | None:
    """Take back the annotator's last act that still stands, and return its last row; None when there is none.

    Acts are verdicts, skips, notes and renamings by hand; imports are not undone row by row. `said_together` finds the
    other rows of the act.
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
        taken_back = _act(connection, row["id"], row["act"])
        revoking = {"kind": "revoke", "annotator": annotator, "origin": "human"}
        append_act(connection, [{**revoking, "revokes": row_id} for row_id in taken_back])
        if row["kind"] == "rename":
            labels.resolve(connection)
        return _row(row)


def redo(store: Store, *, annotator: str) -> JournalRow | None:
    """Say again what the annotator's last undo took back, and return its last row; None when there is nothing to.

    There is nothing after another act. The journal keeps both: the rows that were revoked stay so, new ones say the
    same and name the undo they answer.
    """
    with store.transaction() as connection:
        answered: set[str] = set()
        # From the newest row back: a redo answers an undo, any other act ends what can be redone.
        for row in connection.execute(
            "SELECT id, kind, revokes, redoes, act FROM journal WHERE annotator = ? AND origin <> 'import' "
            "ORDER BY id DESC",
            (annotator,),
        ):
            if row["redoes"]:
                answered.add(row["redoes"])
            elif row["kind"] != "revoke":
                return None
            elif row["id"] not in answered:
                return _say_again(connection, _act(connection, row["id"], row["act"]))
        return None


def _say_again(connection: sqlite3.Connection, undo_ids: Sequence[str]) -> JournalRow:
    said_anew: list[dict[str, object]] = []
    for undo_id in undo_ids:
        row = connection.execute(
            "SELECT j.* FROM journal u JOIN journal j ON j.id = u.revokes WHERE u.id = ?", (undo_id,)
        ).fetchone()
        own = ("id", "said_at", "import_key", "act")
        said_anew.append({**{name: row[name] for name in row.keys() if name not in own}, "redoes": undo_id})  # noqa: SIM118
    fresh = append_act(connection, said_anew)
    if said_anew[-1]["kind"] == "rename":
        labels.resolve(connection)
    return _read(connection, fresh[-1:])[0]


def said_together(store: Store, row: JournalRow) -> list[JournalRow]:
    """Return the rows of a row's act, oldest first; of a row by itself, only it."""
    return _read(store.connection, _act(store.connection, row.id, row.act))


def rows(store: Store, *, clip_id: int | None = None, limit: int | None = None) -> Iterator[JournalRow]:
    """Yield the journal's rows, newest first, of one clip or of all."""
    of_clip = "" if clip_id is None else "WHERE j.clip_id = :clip"
    for row in store.connection.execute(
        f"SELECT {_ROW_COLUMNS} FROM journal j {of_clip} ORDER BY j.id DESC LIMIT :limit",
        {"clip": clip_id, "limit": -1 if limit is None else limit},
    ):
        yield _row(row)


def row(store: Store, row_id: str) -> JournalRow:
    """Return one row; its id is one that the journal gave."""
    return _read(store.connection, [row_id])[0]


def mark(store: Store) -> str:
    """Return the id of the newest row, "" for an empty journal: what a model that learns now will have heard of."""
    return newest(store.connection)


def _act(connection: sqlite3.Connection, row_id: str, act: str | None) -> list[str]:
    """Return the ids of the rows of a row's act, oldest first."""
    if act is None:
        return [row_id]
    return [each for (each,) in connection.execute("SELECT id FROM journal WHERE act = ? ORDER BY id", (act,))]


def _read(connection: sqlite3.Connection, row_ids: Sequence[str]) -> list[JournalRow]:
    return [
        _row(connection.execute(f"SELECT {_ROW_COLUMNS} FROM journal j WHERE j.id = ?", (row_id,)).fetchone())
        for row_id in row_ids
    ]


def _row(row: sqlite3.Row) -> JournalRow:
    return JournalRow(**{**row, "revoked": bool(row["revoked"])})
