"""Models the project has trained, and what they, or ears it has borrowed, suggest."""

from __future__ import annotations

import json
import math
import sqlite3
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labeltool.errors import LabeltoolError
from labeltool.records import Suggestion
from labeltool.store.clips import LARGEST_ID, RESTING, names_today
from labeltool.store.database import Store, now

BORROWED = "borrowed ear"
"""The architecture of a row that is no network of the project's: an ear that suggested, its name in the card."""

_OWN = f"architecture <> '{BORROWED}'"


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A trained model, or a borrowed ear that suggests.

    `card` is what `models/<id>/card.json` says, `journal_mark` the last verdict it learnt from.
    """

    id: int
    uid: str
    parent_id: int | None
    architecture: str
    labels_seen: int
    journal_mark: str
    clip_accuracy: float | None
    int8_clip_accuracy: float | None
    created_at: str
    card: dict[str, Any]

    @property
    def ear(self) -> str | None:
        """The borrowed ear's name; None for a network of the project's."""
        return str(self.card["ear"]) if self.architecture == BORROWED else None


_WRITTEN_AT_ONCE = 1000
_OTHERS_TURN_S = 0.03  # SQLite's waiting writers look again after 25 ms at first

_COLUMNS = (
    "id, uid, parent_id, architecture, labels_seen, journal_mark, clip_accuracy, int8_clip_accuracy, created_at, card"
)


def latest(store: Store) -> ModelRow | None:
    """Return the newest network, None before the first."""
    row = store.connection.execute(f"SELECT {_COLUMNS} FROM models WHERE {_OWN} ORDER BY id DESC LIMIT 1").fetchone()
    return None if row is None else _of(row)


def suggester(store: Store) -> ModelRow | None:
    """Return the network or ear whose suggestions are the newest; None where nothing is suggested yet."""
    # What was found in whole recordings stands on clips of its own, and counts for nothing when they are answered.
    row = store.connection.execute(
        f"""
        SELECT {_COLUMNS} FROM models WHERE id = (
            SELECT model_id FROM suggestions WHERE clip_id NOT IN (SELECT c.id FROM clips c WHERE {RESTING})
            AND model_id NOT IN (SELECT id FROM models WHERE json_extract(card, '$.finds'))
            ORDER BY model_id DESC LIMIT 1
        )
        """
    ).fetchone()
    return None if row is None else _of(row)


def finder(store: Store, ear: str) -> int:
    """Return the id by which an ear's finds in whole recordings are known, made when it first found any."""
    row = store.connection.execute(
        f"SELECT id FROM models WHERE NOT {_OWN} AND json_extract(card, '$.ear') = ? AND json_extract(card, '$.finds')",
        (ear,),
    ).fetchone()
    if row is not None:
        return int(row["id"])
    card = {"architecture": BORROWED, "ear": ear, "finds": True}
    unknown = {"labels_seen": 0, "clip_accuracy": None, "int8_clip_accuracy": None}
    return add(store, parent_id=None, card={**card, **unknown}, journal_mark="", publish=lambda _: None)


def older_networks(store: Store, model_id: int) -> list[int]:
    """Return the ids of the networks that were trained before one; none where it is an ear."""
    rows = store.connection.execute(
        f"SELECT o.id FROM models o JOIN models m ON m.id = ? WHERE o.id < m.id AND o.{_OWN} AND m.{_OWN}", (model_id,)
    )
    return [one for (one,) in rows]


def uid(store: Store, model_id: int) -> str:
    """Return by which name the journal knows what suggested, network or ear."""
    (told,) = store.connection.execute("SELECT uid FROM models WHERE id = ?", (model_id,)).fetchone()
    return str(told)


def _of(row: sqlite3.Row) -> ModelRow:
    return ModelRow(**{**row, "card": json.loads(row["card"])})


def accuracies(store: Store) -> list[dict[str, Any]]:
    """Return `labels_seen`, `clip_accuracy` and `int8_clip_accuracy` of every network, oldest first."""
    rows = store.connection.execute(
        f"SELECT labels_seen, clip_accuracy, int8_clip_accuracy FROM models WHERE {_OWN} ORDER BY id"
    )
    return [dict(row) for row in rows]


def model(store: Store, model_id: int | None = None) -> ModelRow:
    """Return a network by id, by default the newest.

    Raises
    ------
    LabeltoolError
        When there is none.
    """
    if model_id is None:
        newest = latest(store)
        if newest is None:
            raise LabeltoolError("the project has no model yet", remedy="`labeltool retrain` trains one")
        return newest
    row = None
    if model_id <= LARGEST_ID:
        statement = f"SELECT {_COLUMNS} FROM models WHERE id = ? AND {_OWN}"
        row = store.connection.execute(statement, (model_id,)).fetchone()
    if row is None:
        raise LabeltoolError(f"no model {model_id}", remedy="`labeltool status` names the newest")
    return _of(row)


def add(
    store: Store,
    *,
    parent_id: int | None,
    card: dict[str, Any],
    journal_mark: str,
    publish: Callable[[int], None],
) -> int:
    """Write a model down and return its id.

    Parameters
    ----------
    card
        With `architecture`, `labels_seen`, `clip_accuracy` and `int8_clip_accuracy`; with `ear` where one is borrowed.
    publish
        Puts the model's files in their place, given the id; when it fails, nothing is written down.
    """
    with store.transaction() as connection:
        cursor = connection.execute(
            "INSERT INTO models (uid, parent_id, architecture, labels_seen, journal_mark, clip_accuracy, "
            "int8_clip_accuracy, created_at, card) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                str(uuid.uuid4()),
                parent_id,
                card["architecture"],
                card["labels_seen"],
                journal_mark,
                card["clip_accuracy"],
                card["int8_clip_accuracy"],
                now(),
                json.dumps(card, ensure_ascii=False),
            ),
        )
        model_id = cursor.lastrowid or 0
        publish(model_id)
        return model_id


def pending(store: Store, journal_mark: str) -> int:
    """Return how many rows the journal has that a model with this mark has not learnt from."""
    (count,) = store.connection.execute(
        "SELECT COUNT(*) FROM journal WHERE id > ? AND kind NOT IN ('skip', 'note')", (journal_mark,)
    ).fetchone()
    return int(count)


def by_int8_hash(store: Store, beginning: str) -> ModelRow:
    """Return the model whose int8 file's SHA-256 begins so.

    Raises
    ------
    LabeltoolError
        When the project has not made it.
    """
    for model_id, sha256 in store.connection.execute(
        f"SELECT id, json_extract(card, '$.int8_sha256') FROM models WHERE {_OWN} ORDER BY id DESC"
    ):
        if beginning and str(sha256).startswith(beginning):
            return model(store, model_id)
    raise LabeltoolError(
        f"no model of this project has an int8 file of SHA-256 {beginning}...", remedy="import it where it was trained"
    )


def suggestion_of(clip_id: int, model_id: int, card: Mapping[str, Any], scores: Sequence[float]) -> Suggestion:
    """Make a suggestion of a model's answer to a clip, probabilities in the order of its outputs.

    Raises
    ------
    LabeltoolError
        When there are not as many as the model has outputs.
    """
    labels: list[str] = card["labels"]
    if len(labels) != len(scores):
        raise LabeltoolError(f"model {model_id} has {len(labels)} labels, its scores {len(scores)}")
    held = dict(sorted(zip(labels, scores, strict=True), key=lambda item: -item[1]))
    background = held.pop(card.get("background") or "", 0.0)
    return Suggestion(clip_id, model_id, held, background, card.get("clip_rule", {}).get("head") == "sigmoid")


def replace_suggestions(store: Store, suggestions: Iterable[Suggestion]) -> None:
    """Put a model's suggestions in place of all there were.

    Suggestions of earlier models go: they can be made again, and the queue asks by the newest. What was found in whole
    recordings stays, for that took long (`spans.replace_held`). A million take a while
    to write: it is done in short transactions, between which whoever answers meanwhile gets their turn. Until the end
    the last clips have their earlier suggestions.
    """
    ordered = sorted(suggestions, key=lambda one: one.clip_id)
    replaced_to = 0
    for first in range(0, len(ordered) or 1, _WRITTEN_AT_ONCE):
        if first:
            time.sleep(_OTHERS_TURN_S)
        rows = ordered[first : first + _WRITTEN_AT_ONCE]
        to = rows[-1].clip_id if first + len(rows) < len(ordered) else LARGEST_ID
        with store.transaction() as connection:
            connection.execute(
                "DELETE FROM suggestions WHERE clip_id > ? AND clip_id <= ? "
                f"AND clip_id NOT IN (SELECT c.id FROM clips c WHERE {RESTING})",
                (replaced_to, to),
            )
            connection.executemany(_INSERT_SUGGESTION, map(_suggestion_row, rows))
        replaced_to = to


def add_suggestion(connection: sqlite3.Connection, suggestion: Suggestion) -> bool:
    """Write a suggestion down inside a transaction; return whether it says something new."""
    row = _suggestion_row(suggestion)
    known = connection.execute(
        "SELECT probabilities FROM suggestions WHERE model_id = ? AND clip_id = ?", row[:2]
    ).fetchone()
    if known and known["probabilities"] == row[-1]:
        return False
    connection.execute(_INSERT_SUGGESTION, row)
    return True


_INSERT_SUGGESTION = (
    "INSERT OR REPLACE INTO suggestions "
    "(model_id, clip_id, top_label, top_probability, margin, entropy, probabilities) VALUES (?, ?, ?, ?, ?, ?, ?)"
)


def _suggestion_row(suggestion: Suggestion) -> tuple[int, int, str, float, float, float, str]:
    ordered = sorted(suggestion.probabilities.items(), key=lambda item: -item[1])
    top_label, first = ordered[0]
    if suggestion.independent:
        # The label that is least sure decides: each is a question of its own.
        margin = min(abs(2.0 * value - 1.0) for _, value in ordered)
        entropy = sum(_entropy((value, 1.0 - value)) for _, value in ordered)
    else:
        shares = sorted((*(value for _, value in ordered), suggestion.background), reverse=True)
        margin, entropy = shares[0] - shares[1], _entropy(shares)
    told = json.dumps({name: round(value, 5) for name, value in ordered}, ensure_ascii=False)
    return suggestion.model_id, suggestion.clip_id, top_label, first, margin, entropy, told


def _entropy(shares: Iterable[float]) -> float:
    return -sum(share * math.log(share) for share in shares if share > 0)


def suggestion(store: Store, clip_id: int) -> Suggestion | None:
    """Return what the newest model that scored a clip holds of it, under today's label names."""
    row = store.connection.execute(
        "SELECT model_id, probabilities FROM suggestions WHERE clip_id = ? ORDER BY model_id DESC LIMIT 1", (clip_id,)
    ).fetchone()
    if row is None:
        return None
    held = under_todays_names(json.loads(row["probabilities"]), names_today(store))
    return Suggestion(clip_id=clip_id, model_id=row["model_id"], probabilities=held)


def under_todays_names(held: dict[str, float], goes_by: dict[str, str]) -> dict[str, float]:
    """Return probabilities by the labels' names of today, the largest first; labels that became one are added up."""
    summed: dict[str, float] = {}
    for name, probability in held.items():
        today = goes_by.get(name, name)
        summed[today] = min(1.0, summed.get(today, 0.0) + probability)
    return dict(sorted(summed.items(), key=lambda item: -item[1]))
