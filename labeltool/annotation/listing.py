"""Clips in lists: verdicts that look wrong, and all there are.

A list is found once, as ids (8 bytes each, a million in 8 MB), and read a page at a time: so a screen over it starts
and scrolls as fast with a million clips as with a thousand.
"""

from __future__ import annotations

import json
import time
from array import array
from collections.abc import Sequence
from dataclasses import dataclass

from labeltool.records import StoredClip, Value
from labeltool.store import Store
from labeltool.store.clips import CLIP_COLUMNS, RESTING, names_today, said_names, stored_clip, verdicts_on, where_heard
from labeltool.store.transcripts import where_said


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
class Filter:
    """What a list of clips is narrowed to; None and "" do not narrow.

    `text` is sought in the recordings' paths, whatever its case; `label` among those heard; `answered` parts clips that
    somebody has answered on from those nobody has; `said` is sought in the transcripts, as `transcripts.found` does.
    """

    text: str = ""
    label: str | None = None
    answered: bool | None = None
    said: str = ""


def matching(store: Store, wanted: Filter = Filter()) -> array[int]:
    """Return the ids of the clips a filter lets through, in the order they came."""
    conditions, values = [f"NOT {RESTING}"], []
    if wanted.text:
        escaped = wanted.text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        conditions.append("c.recording_id IN (SELECT id FROM recordings WHERE path LIKE ? ESCAPE '\\')")
        values.append(f"%{escaped}%")
    if wanted.label is not None:
        heard, names = where_heard(store, wanted.label)
        conditions.append(f"c.id IN ({heard})")
        values += names
    if wanted.said:
        spoken, words = where_said(wanted.said)
        conditions.append(f"c.id IN ({spoken})")
        values += words
    if wanted.answered is not None:
        conditions.append("c.answered" if wanted.answered else "NOT c.answered")
    rows = store.connection.execute(f"SELECT c.id FROM clips c WHERE {' AND '.join(conditions)} ORDER BY c.id", values)
    return array("q", (row[0] for row in rows))


def sweepable(store: Store, label: str, *, annotator: str | None = None) -> array[int]:
    """Return the ids of the clips that wait for an answer and that the model would call so, the surest first.

    Parameters
    ----------
    label
        Under the name it goes by today. What a model held of two labels that have become one since is not added up.
    annotator
        Whose sweep it is: what others have claimed is left out.
    """
    names = said_names(store, label)
    condition, values = _sweep(annotator)
    rows = store.connection.execute(
        f"""
        SELECT g.clip_id FROM suggestions g WHERE g.top_label IN (SELECT value FROM json_each(:names)) AND {condition}
        ORDER BY g.top_probability DESC
        """,
        {"names": json.dumps(names), **values},
    )
    return array("q", (row[0] for row in rows))


def sweep_labels(store: Store, *, annotator: str | None = None) -> dict[str, int]:
    """Return how many clips `sweepable` finds for each label it finds any for, the most first."""
    goes_by = names_today(store)
    condition, values = _sweep(annotator)
    found: dict[str, int] = {}
    for name, count in store.connection.execute(
        f"SELECT g.top_label, COUNT(*) FROM suggestions g WHERE {condition} GROUP BY g.top_label", values
    ):
        today = goes_by.get(name, name)
        found[today] = found.get(today, 0) + count
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def _sweep(annotator: str | None) -> tuple[str, dict[str, object]]:
    if annotator is None:
        return "g.waiting", {}
    # Claims are few: one set of them is faster than a look for each of a label's clips.
    claimed = "SELECT m.clip_id FROM claims m WHERE m.annotator <> :annotator AND m.until_s > :now_s"
    return f"g.waiting AND g.clip_id NOT IN ({claimed})", {"annotator": annotator, "now_s": time.time()}


def page(store: Store, ids: Sequence[int]) -> list[Listed]:
    """Read the clips of some ids, in their order; a page, not a million."""
    if not ids:
        return []
    said, goes_by = verdicts_on(store, ids), names_today(store)
    rows = {
        row["id"]: row
        for row in store.connection.execute(
            f"""
            SELECT {CLIP_COLUMNS}, c.answered, g.top_label, g.top_probability
            FROM clips c JOIN recordings r ON r.id = c.recording_id
            LEFT JOIN suggestions g ON g.clip_id = c.id AND g.model_id =
                (SELECT MAX(n.model_id) FROM suggestions n WHERE n.clip_id = c.id)
            WHERE c.id IN (SELECT value FROM json_each(?))
            """,
            (json.dumps(list(ids)),),
        )
    }
    return [
        Listed(
            clip=stored_clip(store, row),
            present=_of_value(said.get(row["id"], {}), Value.PRESENT),
            absent=_of_value(said.get(row["id"], {}), Value.ABSENT),
            unsure=_of_value(said.get(row["id"], {}), Value.UNSURE),
            top_label=goes_by.get(row["top_label"], row["top_label"]),
            top_probability=row["top_probability"],
            answered=bool(row["answered"]),
        )
        for row in (rows[clip_id] for clip_id in ids if clip_id in rows)
    ]


def _of_value(said: dict[str | None, Value], wanted: Value) -> tuple[str, ...]:
    return tuple(label for label, value in said.items() if label is not None and value is wanted)
