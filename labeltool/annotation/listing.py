"""Lists of clips: by a filter, or by the label that a model predicts.

A list is found once, as ids (8 bytes each, a million in 8 MB), and read a page at a time: so a screen over it starts
and scrolls as fast with a million clips as with a thousand.
"""

from __future__ import annotations

import json
import sqlite3
import time
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from labeltool.errors import LabeltoolError
from labeltool.records import StoredClip, Value
from labeltool.store import Store
from labeltool.store.clips import (
    CLIP_COLUMNS,
    UNLABELLED_REGION,
    current_names,
    retired_names,
    select_present,
    stored_clip,
    stored_names,
    verdicts_on,
)
from labeltool.store.groups import column_names
from labeltool.store.transcripts import select_matching
from labeltool.util.unicode_names import nfc

MIN_PROBABILITY = 0.015
"""The least probability of a prediction: what is shown as 0 or 1 % is a label that the model all but excludes."""


@dataclass(frozen=True, slots=True)
class ListedClip:
    """A clip in a list, with its labels by their current names, and the newest model's prediction, if there is one.

    `labelled` is also true for a clip that is excluded as bad audio.
    """

    clip: StoredClip
    present: tuple[str, ...]
    absent: tuple[str, ...]
    unsure: tuple[str, ...]
    top_label: str | None
    top_probability: float | None
    labelled: bool


@dataclass(frozen=True, slots=True)
class Filter:
    """Which clips a list has; None and "" do not filter.

    `text` is a part of the recording's path, ignoring case; `label` is present in the clip; `labelled` selects labelled
    or unlabelled clips; `transcript` is searched in the transcripts, see `transcripts.search`; `where` are own columns
    of the recording with their values.
    """

    text: str = ""
    label: str | None = None
    labelled: bool | None = None
    transcript: str = ""
    where: tuple[tuple[str, str], ...] = ()


class Order(StrEnum):
    """The order of a list: as the clips were added, by file, label, predicted label, or probability (highest first)."""

    ADDED = "added"
    FILE = "file"
    LABEL = "label"
    PREDICTED = "predicted"
    PROBABILITY = "probability"

    @property
    def descends(self) -> bool:
        """Whether the highest comes first."""
        return self is Order.PROBABILITY


_NEWEST_SUGGESTION = "FROM suggestions g WHERE g.clip_id = c.id ORDER BY g.model_id DESC LIMIT 1"
# `+` keeps SQLite from the index of all present labels, which it would read for each clip.
_ORDER_BY = {
    Order.ADDED: "c.id",
    Order.FILE: "(SELECT r.path FROM recordings r WHERE r.id = c.recording_id), c.start_s, c.id",
    Order.LABEL: """(
        SELECT MIN(COALESCE(today.name, e.label)) FROM latest_events e
        LEFT JOIN labels own ON own.name = e.label LEFT JOIN labels today ON today.id = own.merged_into
        WHERE e.clip_id = c.id AND +e.value = 'present'
    ) NULLS LAST, c.id""",
    Order.PREDICTED: f"(SELECT g.top_label {_NEWEST_SUGGESTION}) NULLS LAST, "
    f"(SELECT g.top_probability {_NEWEST_SUGGESTION}) DESC, c.id",
    Order.PROBABILITY: f"(SELECT g.top_probability {_NEWEST_SUGGESTION}) DESC NULLS LAST, c.id",
}


def matching(store: Store, wanted: Filter = Filter(), order: Order = Order.ADDED) -> array[int]:
    """Return the ids of the clips that pass a filter."""
    conditions, values = [f"NOT {UNLABELLED_REGION}"], []
    if wanted.text:
        path = "path" if wanted.text.isascii() else "nfc(path)"
        found = f"SELECT id FROM active_recordings WHERE INSTR(LOWER({path}), LOWER(?))"
        conditions.append(f"c.recording_id IN ({found})")
        values.append(nfc(wanted.text))
    if wanted.where:
        known = column_names(store)
    for name, value in wanted.where:
        if name not in known:
            remedy = f"there are {', '.join(map(repr, known))}" if known else "tables bring columns (docs/groups.md)"
            raise LabeltoolError(f"no recording has a column {name!r}", remedy=remedy)
        conditions.append("c.recording_id IN (SELECT recording_id FROM recording_columns WHERE name = ? AND value = ?)")
        values += name, value
    if wanted.label is not None:
        statement, names = select_present(store, wanted.label)
        conditions.append(f"c.id IN ({statement})")
        values += names
    if wanted.transcript:
        statement, words = select_matching(wanted.transcript)
        conditions.append(f"c.id IN ({statement})")
        values += words
    if wanted.labelled is not None:
        conditions.append("c.is_labelled" if wanted.labelled else "NOT c.is_labelled")
    rows = store.connection.execute(
        f"SELECT c.id FROM active_clips c WHERE {' AND '.join(conditions)} ORDER BY {_ORDER_BY[order]}", values
    )
    return array("q", (row[0] for row in rows))


def clips_predicted_as(
    store: Store, label: str, *, annotator: str | None = None, min_probability: float = MIN_PROBABILITY
) -> array[int]:
    """Return the ids of the unlabelled clips for which the model predicts a label, most confident first.

    Parameters
    ----------
    label
        By its current name. Probabilities of labels that were merged since are not added up.
    annotator
        Clips that other annotators have claimed are excluded.
    """
    names = stored_names(store, label)
    condition, values = _unlabelled_for(annotator)
    rows = store.connection.execute(
        f"""
        SELECT g.clip_id FROM suggestions g
        WHERE g.top_label IN (SELECT value FROM json_each(:names)) AND g.top_probability >= :least AND {condition}
        ORDER BY g.top_probability DESC
        """,
        {"names": json.dumps(names), "least": min_probability, **values},
    )
    return array("q", (row[0] for row in rows))


def count_by_predicted_label(store: Store, *, annotator: str | None = None) -> dict[str, int]:
    """Return the number of clips that `clips_predicted_as` finds for each label, without zeros, largest first."""
    renamed, retired = current_names(store), retired_names(store)
    condition, values = _unlabelled_for(annotator)
    counts: dict[str, int] = {}
    for name, count in store.connection.execute(
        f"SELECT g.top_label, COUNT(*) FROM suggestions g WHERE g.top_probability >= :least AND {condition} "
        "GROUP BY g.top_label",
        {"least": MIN_PROBABILITY, **values},
    ):
        current = renamed.get(name, name)
        if current not in retired:
            counts[current] = counts.get(current, 0) + count
    return dict(sorted(counts.items(), key=lambda item: -item[1]))


def _unlabelled_for(annotator: str | None) -> tuple[str, dict[str, object]]:
    """Return the SQL condition, and its parameters, for suggestions g whose clips the annotator can label."""
    if annotator is None:
        return "g.is_unlabelled", {}
    # Claims are few: one set of them is faster than a look-up for each of a label's clips.
    claimed = "SELECT m.clip_id FROM claims m WHERE m.annotator <> :annotator AND m.until_s > :now_s"
    return f"g.is_unlabelled AND g.clip_id NOT IN ({claimed})", {"annotator": annotator, "now_s": time.time()}


def page(store: Store, ids: Sequence[int]) -> list[ListedClip]:
    """Return the clips of some ids, in their order; meant for a page, not for a million."""
    if not ids:
        return []
    verdicts, renamed = verdicts_on(store, ids), current_names(store)
    rows = {
        row["id"]: row
        for row in store.connection.execute(
            f"""
            SELECT {CLIP_COLUMNS}, c.is_labelled, g.top_label, g.top_probability
            FROM active_clips c JOIN recordings r ON r.id = c.recording_id
            LEFT JOIN suggestions g ON g.clip_id = c.id AND g.model_id =
                (SELECT MAX(n.model_id) FROM suggestions n WHERE n.clip_id = c.id)
            WHERE c.id IN (SELECT value FROM json_each(?))
            """,
            (json.dumps(list(ids)),),
        )
    }
    return [
        ListedClip(
            clip=stored_clip(store, row),
            present=labels_with(Value.PRESENT, verdicts.get(row["id"], {})),
            absent=labels_with(Value.ABSENT, verdicts.get(row["id"], {})),
            unsure=labels_with(Value.UNSURE, verdicts.get(row["id"], {})),
            top_label=renamed.get(row["top_label"], row["top_label"]) if _is_predicted(row) else None,
            top_probability=row["top_probability"] if _is_predicted(row) else None,
            labelled=bool(row["is_labelled"]),
        )
        for row in (rows[clip_id] for clip_id in ids if clip_id in rows)
    ]


def _is_predicted(row: sqlite3.Row) -> bool:
    return row["top_probability"] is not None and row["top_probability"] >= MIN_PROBABILITY


def labels_with(value: Value, verdicts: Mapping[str | None, Value]) -> tuple[str, ...]:
    """Return the labels of one clip that have a value, in the order of its verdicts."""
    return tuple(label for label, its_value in verdicts.items() if label is not None and its_value is value)
