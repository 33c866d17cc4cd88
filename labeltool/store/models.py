"""Models trained in the project, pretrained models that make suggestions, and the suggestions of both."""

from __future__ import annotations

import json
import math
import sqlite3
import time
import uuid
from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from labeltool.errors import LabeltoolError
from labeltool.records import Suggestion
from labeltool.store.clips import LARGEST_ID, UNLABELLED_REGION, current_names, retired_names
from labeltool.store.database import Store, now
from labeltool.store.journal_rows import ALL_ROWS, Until
from labeltool.store.labels import by_current_names
from labeltool.store.stored_card import StoredCard, stored_card
from labeltool.util.lifetime import exit_if_stopped

if TYPE_CHECKING:
    from labeltool.type_aliases import Float32  # its numpy is not needed to read a store

PRETRAINED = "pretrained"
"""The architecture of a row for a pretrained model that made suggestions; its card has the model's name."""

_TRAINED_HERE = f"architecture <> '{PRETRAINED}'"


@dataclass(frozen=True, slots=True)
class NewModel:
    """A model to store.

    Attributes
    ----------
    architecture
        Its name; `PRETRAINED` for a pretrained model that makes suggestions.
    card
        JSON text: the content of `models/<id>/card.json`, or for a pretrained model at least `pretrained`, its name.
    """

    architecture: str
    card: str
    labels_seen: int = 0
    clip_accuracy: float | None = None
    int8_clip_accuracy: float | None = None


@dataclass(frozen=True, slots=True)
class Outputs:
    """A model's outputs: their labels in order, the one that is the background, and whether each is independent."""

    labels: tuple[str, ...]
    background: str | None = None
    independent: bool = False


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A model trained in the project, or a pretrained model that makes suggestions.

    `card` is JSON text, see `NewModel`; `journal_mark` is the id of the newest journal row at training.
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
    card: str

    @property
    def pretrained(self) -> str | None:
        """Name of the pretrained model; None for a model trained in the project."""
        return self._card.pretrained if self.architecture == PRETRAINED else None

    @property
    def why(self) -> str | None:
        """Why a pretrained model makes the suggestions, in words; None for a model trained in the project."""
        return self._card.why if self.architecture == PRETRAINED else None

    @property
    def test_fold(self) -> int | None:
        """The fold the model was not trained on, whatever else its card says; None without one."""
        return self._card.test_fold

    @property
    def validation_clips(self) -> int:
        """Number of the clips that its accuracy was measured on."""
        return self._card.validation_clips

    @property
    def outputs(self) -> Outputs:
        """The model's outputs."""
        card = self._card
        return Outputs(card.labels, card.background, card.clip_rule.head == "sigmoid")

    @property
    def _card(self) -> StoredCard:
        return stored_card(self.card, self.id)


_ROWS_PER_TRANSACTION = 1000
_PAUSE_S = 0.03  # another writer that is blocked tries again after 25 ms at first

_COLUMNS = ", ".join(field.name for field in fields(ModelRow))


def _from_card(field: str) -> str:
    """Return the SQL of a field of the card; NULL where a card is damaged."""
    return f"CASE WHEN json_valid(card) THEN json_extract(card, '$.{field}') END"


def latest(store: Store, architecture: str | None = None, until: Until = ALL_ROWS) -> ModelRow | None:
    """Return the newest model trained in the project, of an architecture where one is given; None before the first."""
    wanted = f"{_TRAINED_HERE} AND architecture = COALESCE(:architecture, architecture) AND {until.made}"
    row = store.connection.execute(
        f"SELECT {_COLUMNS} FROM models WHERE {wanted} ORDER BY id DESC LIMIT 1",
        {"architecture": architecture, "at": until.at},
    ).fetchone()
    return None if row is None else ModelRow(**row)


def suggester(store: Store) -> ModelRow | None:
    """Return the model whose suggestions are the newest; None where there are no suggestions yet."""
    # Detections in long recordings are on regions of their own and are not suggestions for the queue.
    row = store.connection.execute(
        f"""
        SELECT {_COLUMNS} FROM models WHERE id = (
            SELECT model_id FROM suggestions WHERE clip_id NOT IN (SELECT c.id FROM clips c WHERE {UNLABELLED_REGION})
            AND model_id NOT IN (SELECT id FROM models WHERE {_from_card("finds")})
            ORDER BY model_id DESC LIMIT 1
        )
        """
    ).fetchone()
    return None if row is None else ModelRow(**row)


def detection_model_id(store: Store, pretrained: str, label: str | None = None) -> int:
    """Return the model id for a pretrained model's detections in long recordings; the row is made at the first use.

    Parameters
    ----------
    label
        The only label that it detects, by a classifier over its embeddings; None: its classes.
    """
    return _pretrained_id(store, {"pretrained": pretrained, "finds": True, "found_label": label})


def live_model_id(store: Store, pretrained: str) -> int:
    """Return the model id for what a pretrained model suggests in the app; the row is made at the first use."""
    return _pretrained_id(store, {"pretrained": pretrained, "live": True})


def _pretrained_id(store: Store, card: dict[str, str | bool | None]) -> int:
    """Return the id of the pretrained model's row with these fields on its card; it is made at the first use."""
    same = " AND ".join([f"NOT {_TRAINED_HERE}", *(f"{_from_card(name)} IS ?" for name in card)])
    row = store.connection.execute(f"SELECT id FROM models WHERE {same}", (*card.values(),)).fetchone()
    if row is not None:
        return int(row["id"])
    model = NewModel(PRETRAINED, json.dumps(card, ensure_ascii=False))
    return add(store, model, parent_id=None, journal_mark="", publish=lambda _: None)


def detections_of(store: Store, model_id: int) -> dict[tuple[int, float], int]:
    """Return the newest clip of each region that a model suggests, by the recording's id and the start in seconds."""
    rows = store.connection.execute(
        "SELECT c.recording_id, c.start_s, c.id FROM suggestions g JOIN active_clips c ON c.id = g.clip_id "
        "WHERE g.model_id = ? AND c.is_region ORDER BY c.id",
        (model_id,),
    )
    return {(recording_id, start_s): clip_id for recording_id, start_s, clip_id in rows}


def older_networks(store: Store, model_id: int) -> list[int]:
    """Return the ids of the models trained in the project before one; none where that is a pretrained model."""
    rows = store.connection.execute(
        f"SELECT o.id FROM models o JOIN models m ON m.id = ? "
        f"WHERE o.id < m.id AND o.{_TRAINED_HERE} AND m.{_TRAINED_HERE}",
        (model_id,),
    )
    return [older_id for (older_id,) in rows]


def uid(store: Store, model_id: int) -> str:
    """Return the unique id by which the journal names a model."""
    (model_uid,) = store.connection.execute("SELECT uid FROM models WHERE id = ?", (model_id,)).fetchone()
    return str(model_uid)


def model(store: Store, model_id: int | None = None) -> ModelRow:
    """Return a model trained in the project by id, by default the newest.

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
        statement = f"SELECT {_COLUMNS} FROM models WHERE id = ? AND {_TRAINED_HERE}"
        row = store.connection.execute(statement, (model_id,)).fetchone()
    if row is None:
        raise LabeltoolError(f"no model {model_id}", remedy="`labeltool status` names the newest")
    return ModelRow(**row)


def add(
    store: Store, model: NewModel, *, parent_id: int | None, journal_mark: str, publish: Callable[[int], None]
) -> int:
    """Store a model and return its id; nothing is stored where `publish`, which puts its files in place, fails."""
    with store.transaction() as connection:
        cursor = connection.execute(
            "INSERT INTO models (uid, parent_id, architecture, labels_seen, journal_mark, clip_accuracy, "
            "int8_clip_accuracy, created_at, card) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(str(uuid.uuid4()), parent_id, model.architecture, model.labels_seen, journal_mark),
                *(model.clip_accuracy, model.int8_clip_accuracy, now(), model.card),
            ),
        )
        model_id = cursor.lastrowid or 0
        exit_if_stopped()
        publish(model_id)
        return model_id


def by_int8_hash(store: Store, beginning: str) -> ModelRow:
    """Return the model whose int8 file's SHA-256 has a given beginning.

    Raises
    ------
    LabeltoolError
        When the project has no such model.
    """
    for model_id, sha256 in store.connection.execute(
        f"SELECT id, {_from_card('int8_sha256')} FROM models WHERE {_TRAINED_HERE} ORDER BY id DESC"
    ):
        if beginning and str(sha256).startswith(beginning):
            return model(store, model_id)
    raise LabeltoolError(
        f"no model of this project has an int8 file of SHA-256 {beginning}...", remedy="import it where it was trained"
    )


def suggestion_from_scores(clip_id: int, model_id: int, outputs: Outputs, scores: Sequence[float]) -> Suggestion:
    """Return a suggestion from a model's scores of a clip, in the order of its outputs.

    Raises
    ------
    LabeltoolError
        When their number is not the number of the model's outputs.
    """
    if len(outputs.labels) != len(scores):
        raise LabeltoolError(f"model {model_id} has {len(outputs.labels)} labels, its scores {len(scores)}")
    probabilities = dict(sorted(zip(outputs.labels, scores, strict=True), key=lambda item: -item[1]))
    background = probabilities.pop(outputs.background or "", 0.0)
    return Suggestion(clip_id, model_id, probabilities, background, outputs.independent)


def replace_by_scores(store: Store, model_id: int, outputs: Outputs, clip_ids: Sequence[int], scores: Float32) -> None:
    """Replace all suggestions by a model's scores of clips, (clips, outputs).

    Those of earlier models are deleted: they can be computed again. Detections in long recordings stay
    (`detections.replacing`). A million take a while to write: short transactions let a person who is labelling write
    between them, and until the end the last clips have their earlier ones.
    """
    order, replaced_to = array("q", sorted(range(len(clip_ids)), key=clip_ids.__getitem__)), 0
    for first in range(0, len(order) or 1, _ROWS_PER_TRANSACTION):
        if first:
            time.sleep(_PAUSE_S)
        places = order[first : first + _ROWS_PER_TRANSACTION]
        made = (suggestion_from_scores(clip_ids[one], model_id, outputs, scores[one].tolist()) for one in places)
        rows = [_suggestion_row(one) for one in made]
        to = clip_ids[places[-1]] if first + len(places) < len(order) else LARGEST_ID
        with store.transaction() as connection:
            connection.execute(
                "DELETE FROM suggestions WHERE clip_id > ? AND clip_id <= ? "
                f"AND clip_id NOT IN (SELECT c.id FROM clips c WHERE {UNLABELLED_REGION})",
                (replaced_to, to),
            )
            connection.executemany(_INSERT_SUGGESTION, rows)
        replaced_to = to


def add_suggestion(connection: sqlite3.Connection, suggestion: Suggestion) -> bool:
    """Store a suggestion inside a transaction; return whether it differs from the one there was."""
    row = _suggestion_row(suggestion)
    stored = connection.execute(
        "SELECT probabilities FROM suggestions WHERE model_id = :model_id AND clip_id = :clip_id", row
    ).fetchone()
    if stored and stored["probabilities"] == row["probabilities"]:
        return False
    connection.execute(_INSERT_SUGGESTION, row)
    return True


_SUGGESTION_COLUMNS = (
    "model_id, clip_id, top_label, top_probability, margin, entropy, probabilities, background, is_independent"
)

_INSERT_SUGGESTION = (
    f"INSERT OR REPLACE INTO suggestions ({_SUGGESTION_COLUMNS}) "
    f"VALUES (:{', :'.join(_SUGGESTION_COLUMNS.split(', '))})"
)


def _suggestion_row(suggestion: Suggestion) -> dict[str, int | float | str]:
    """Return the columns of a suggestion's row."""
    ordered = sorted(suggestion.probabilities.items(), key=lambda item: -item[1])
    top_label, first = ordered[0]
    if suggestion.independent:
        # The least certain label decides: each is a decision of its own.
        margin = min(abs(2.0 * value - 1.0) for _, value in ordered)
        entropy = sum(_entropy((value, 1.0 - value)) for _, value in ordered)
    else:
        shares = sorted((*(value for _, value in ordered), suggestion.background), reverse=True)
        margin, entropy = shares[0] - shares[1], _entropy(shares)
    return {
        "model_id": suggestion.model_id,
        "clip_id": suggestion.clip_id,
        "top_label": top_label,
        "top_probability": first,
        "margin": margin,
        "entropy": entropy,
        "probabilities": json.dumps({name: round(value, 5) for name, value in ordered}, ensure_ascii=False),
        "background": round(suggestion.background, 5),
        "is_independent": int(suggestion.independent),
    }


def _entropy(shares: Iterable[float]) -> float:
    return -sum(share * math.log(share) for share in shares if share > 0)


def suggestion(store: Store, clip_id: int) -> Suggestion | None:
    """Return the newest model's suggestion for a clip, by the labels' current names, without retired ones; or None."""
    row = store.connection.execute(
        "SELECT model_id, probabilities, background, is_independent FROM suggestions WHERE clip_id = ? "
        "ORDER BY model_id DESC LIMIT 1",
        (clip_id,),
    ).fetchone()
    if row is None:
        return None
    retired = retired_names(store)
    predicted = {name: share for name, share in json.loads(row["probabilities"]).items() if name not in retired}
    probabilities = by_current_names(predicted, current_names(store))
    return Suggestion(clip_id, row["model_id"], probabilities, row["background"], bool(row["is_independent"]))
