"""Clips in lists: verdicts that look wrong, and all there are.

A list is found once, as ids (8 bytes each, a million in 8 MB), and read a page at a time: so a screen over it starts
and scrolls as fast with a million clips as with a thousand.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Sequence
from dataclasses import dataclass

from labeltool.records import StoredClip, Value
from labeltool.store import Store
from labeltool.store.clips import ANSWERED, CLIP_COLUMNS, RESTING, stored_clip


@dataclass(frozen=True, slots=True)
class Listed:
    """A clip in a list, with what was said of it and what the newest model holds of it.

    Labels go by today's names; `answered` is also a clip set aside as bad audio.
    """

    clip: StoredClip
    present: tuple[str, ...]
    absent: tuple[str, ...]
    unsure: tuple[str, ...]
    top_label: str | None
    top_probability: float | None
    answered: bool


@dataclass(frozen=True, slots=True)
class Suspicion:
    """A verdict that looks wrong, and why: `reason` is for people, `weight` orders, the most suspicious first."""

    clip_id: int
    label: str
    reason: str
    weight: float


@dataclass(frozen=True, slots=True)
class Filter:
    """What a list of clips is narrowed to; None and "" do not narrow.

    `text` is sought in the recordings' paths, whatever its case; `label` among those heard; `answered` parts clips that
    somebody has answered on from those nobody has.
    """

    text: str = ""
    label: str | None = None
    answered: bool | None = None


def matching(store: Store, wanted: Filter = Filter()) -> array[int]:
    """Return the ids of the clips a filter lets through, in the order they came."""
    conditions, values = [f"NOT {RESTING}"], []
    if wanted.text:
        escaped = wanted.text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        conditions.append("c.recording_id IN (SELECT id FROM recordings WHERE path LIKE ? ESCAPE '\\')")
        values.append(f"%{escaped}%")
    if wanted.label is not None:
        conditions.append("c.id IN (SELECT clip_id FROM truth WHERE value = 'present' AND label = ?)")
        values.append(wanted.label)
    if wanted.answered is not None:
        conditions.append(ANSWERED if wanted.answered else f"NOT {ANSWERED}")
    rows = store.connection.execute(f"SELECT c.id FROM clips c WHERE {' AND '.join(conditions)} ORDER BY c.id", values)
    return array("q", (row[0] for row in rows))


def suspicions(store: Store) -> list[Suspicion]:
    """Return verdicts that people disagree on or the model contradicts, the most suspicious first.

    Disagreement comes before contradiction: a person's other word weighs more than a network's.
    """
    found = [*_disagreements(store), *_contradictions(store)]
    # One entry a clip, its weightiest.
    best: dict[int, Suspicion] = {}
    for one in sorted(found, key=lambda one: -one.weight):
        best.setdefault(one.clip_id, one)
    return list(best.values())


def page(store: Store, ids: Sequence[int]) -> list[Listed]:
    """Read the clips of some ids, in their order; a page, not a million."""
    if not ids:
        return []
    told = json.dumps(list(ids))
    said: dict[int, dict[Value, list[str]]] = {}
    for clip_id, label, value in store.connection.execute(
        """
        SELECT clip_id, label, value FROM truth
        WHERE clip_id IN (SELECT value FROM json_each(?)) AND label IS NOT NULL ORDER BY label
        """,
        (told,),
    ):
        said.setdefault(clip_id, {}).setdefault(Value(value), []).append(label)
    rows = {
        row["id"]: row
        for row in store.connection.execute(
            f"""
            SELECT {CLIP_COLUMNS}, {ANSWERED} AS answered, g.top_label, g.top_probability
            FROM clips c JOIN recordings r ON r.id = c.recording_id
            LEFT JOIN suggestions g ON g.clip_id = c.id AND g.model_id =
                (SELECT MAX(n.model_id) FROM suggestions n WHERE n.clip_id = c.id)
            WHERE c.id IN (SELECT value FROM json_each(?))
            """,
            (told,),
        )
    }
    return [
        Listed(
            clip=stored_clip(store, row),
            present=tuple(said.get(row["id"], {}).get(Value.PRESENT, ())),
            absent=tuple(said.get(row["id"], {}).get(Value.ABSENT, ())),
            unsure=tuple(said.get(row["id"], {}).get(Value.UNSURE, ())),
            top_label=row["top_label"],
            top_probability=row["top_probability"],
            answered=bool(row["answered"]),
        )
        for row in (rows[clip_id] for clip_id in ids if clip_id in rows)
    ]


def _disagreements(store: Store) -> list[Suspicion]:
    """Where two annotators' last words on one label of one clip differ."""
    return [
        Suspicion(clip_id, label, f"{one!r} says {first}, {other!r} says {second}", 2.0)
        for clip_id, label, one, first, other, second in store.connection.execute(
            """
            WITH last AS (
                SELECT clip_id, label, annotator, value, MAX(id) AS id FROM standing
                WHERE kind = 'verdict' AND label IS NOT NULL GROUP BY clip_id, label, annotator
            )
            SELECT a.clip_id, a.label, a.annotator, a.value, b.annotator, b.value
            FROM last a JOIN last b ON b.clip_id = a.clip_id AND b.label = a.label AND a.annotator < b.annotator
            WHERE a.value <> b.value ORDER BY a.clip_id, a.label
            """
        )
    ]


def _contradictions(store: Store) -> list[Suspicion]:
    """Where the model is surer of another label than of the one that was heard."""
    found = []
    for clip_id, label, top_label, probabilities in store.connection.execute(
        """
        SELECT t.clip_id, t.label, g.top_label, g.probabilities
        FROM truth t JOIN suggestions g ON g.clip_id = t.clip_id
        WHERE t.value = 'present' AND t.label IS NOT NULL AND g.top_label <> t.label
          AND NOT EXISTS (SELECT 1 FROM truth o WHERE o.clip_id = t.clip_id AND o.label = g.top_label
                          AND o.value = 'present')
        """
    ):
        held = json.loads(probabilities)
        doubt = held[top_label] - held.get(label, 0.0)
        found.append(Suspicion(clip_id, label, f"the model hears {top_label!r} ({held[top_label]:.0%})", doubt))
    return found
