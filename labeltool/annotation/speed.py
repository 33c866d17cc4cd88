"""Annotation statistics: speed, how often the first suggestion was right, labels that a query strategy saves."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from msgspec import convert

from labeltool.store import Store
from labeltool.store.clips import current_names
from labeltool.store.journal_rows import AUTO_ACCEPTED
from labeltool.util.files.atomic_write import write_text
from labeltool.util.files.bounded_read import parse_json, read_bytes


@dataclass(frozen=True, slots=True)
class AnnotationStatistics:
    """Statistics of the current verdicts by hand; the JSON of `labeltool stats` has these keys.

    `answers` counts clips. `clips_per_minute` and `median_ms` are over the time from a clip's appearance to its first
    verdict, None where no time is known; `first_right` is the share, 0 to 1, of the `suggested` verdicts, those with a
    suggestion on the screen, that were the label suggested first.
    """

    answers: int
    clips_per_minute: float | None
    median_ms: int | None
    suggested: int
    first_right: float | None


MAX_RESPONSE_MS = 60_000
"""A longer time on one clip is a break: the speed is of the time at work."""


def clips_per_minute(response_ms: Iterable[int]) -> float | None:
    """Return the annotation speed from the time for each clip; None where no time is known.

    The one definition, for the app's header, its progress page and `labeltool stats`.
    """
    times = [min(each, MAX_RESPONSE_MS) for each in response_ms]
    return 60_000 * len(times) / sum(times) if sum(times) else None


def annotation_statistics(store: Store, *, annotator: str | None = None, since: str = "") -> AnnotationStatistics:
    """Return the statistics of verdicts by hand; those accepted automatically are not among them.

    Parameters
    ----------
    annotator
        Of one person; None for all.
    since
        Only journal rows after this id, the start of a session say.
    """
    rows = store.connection.execute(
        f"""
        SELECT clip_id, label, value, suggested_label, response_ms FROM active_events j
        WHERE kind = 'verdict' AND origin NOT IN ('import', 'rule') AND NOT {AUTO_ACCEPTED}
          AND id > ? AND (? IS NULL OR annotator = ?) ORDER BY id
        """,
        (since, annotator, annotator),
    ).fetchall()
    # A second label for the same clip belongs to the first.
    first_ms = {row["clip_id"]: row["response_ms"] for row in reversed(rows)}
    timed = [response_ms for response_ms in first_ms.values() if response_ms is not None]
    suggested = [row for row in rows if row["suggested_label"] is not None]
    renamed = current_names(store)
    right = sum(
        row["value"] == "present" and row["label"] == renamed.get(row["suggested_label"], row["suggested_label"])
        for row in suggested
    )
    return AnnotationStatistics(
        answers=len(first_ms),
        clips_per_minute=clips_per_minute(timed),
        median_ms=round(statistics.median(timed)) if timed else None,
        suggested=len(suggested),
        first_right=right / len(suggested) if suggested else None,
    )


def labels_given(store: Store, annotator: str, since: str) -> tuple[int, dict[str, int]]:
    """Return how many clips an annotator labelled after a journal row, and those with each label, most first."""
    new = "kind = 'verdict' AND origin NOT IN ('import', 'rule') AND id > ? AND annotator = ?"
    connection = store.connection
    (clips,) = connection.execute(
        f"SELECT COUNT(DISTINCT clip_id) FROM active_events WHERE {new}", (since, annotator)
    ).fetchone()
    rows = connection.execute(
        f"""
        SELECT label, COUNT(DISTINCT clip_id) AS clips FROM active_events
        WHERE {new} AND value = 'present' AND label IS NOT NULL GROUP BY label ORDER BY clips DESC, label
        """,
        (since, annotator),
    )
    return clips, {row["label"]: row["clips"] for row in rows}


AT_RANDOM = "random"
"""The query strategy that others are compared with."""


@dataclass(frozen=True, slots=True)
class LabelsSaved:
    """Labels that a query strategy saved compared with random order, as `labeltool simulate` measured them.

    `labels` and `labels_at_random` reach the same `clip_accuracy`, 0 to 1, the highest that both reached; the other two
    are the labels until nine of ten suggestions were right, None where that was not reached.
    """

    strategy: str
    clip_accuracy: float
    labels: int
    labels_at_random: int
    until_suggestions_90: int | None
    until_suggestions_90_at_random: int | None

    def describe(self) -> str:
        """Return a summary of half a line."""
        return f"{self.clip_accuracy:.0%} right after {self.labels}, at random after {self.labels_at_random}"


def labels_saved(cache: Path) -> LabelsSaved | None:
    """Return the result of a project's last simulation; None before the first."""
    try:
        return convert(parse_json(read_bytes(cache / _LABELS_SAVED)), LabelsSaved)
    except (OSError, ValueError):
        return None


def write_labels_saved(cache: Path, saved: LabelsSaved) -> None:
    """Write a simulation's result for `labels_saved`."""
    write_text(cache / _LABELS_SAVED, json.dumps(asdict(saved)))


_LABELS_SAVED = Path("simulations", "labels_saved.json")
