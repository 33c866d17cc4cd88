"""The stopwatch: how fast people answer, and how often the model's first suggestion was their answer."""

from __future__ import annotations

import statistics
from dataclasses import dataclass

from labeltool.store import Store


@dataclass(frozen=True, slots=True)
class Pace:
    """What the journal tells of answers by hand that stand.

    `clips_per_minute` and `median_ms` are over the time from a clip's appearance to its first answer, None where
    nothing was timed; `first_right` is the share, 0 to 1, of the `suggested` answers that were the label shown first.
    """

    answers: int
    clips_per_minute: float | None
    median_ms: int | None
    suggested: int
    first_right: float | None


def measure(store: Store, *, annotator: str | None = None, since: str = "") -> Pace:
    """Measure answers by hand.

    Parameters
    ----------
    annotator
        One person's; None for everybody's.
    since
        Only journal rows after this id, the beginning of a session say.
    """
    rows = store.connection.execute(
        """
        SELECT clip_id, label, value, suggested_label, took_ms FROM standing
        WHERE kind = 'verdict' AND origin <> 'import' AND id > ? AND (? IS NULL OR annotator = ?) ORDER BY id
        """,
        (since, annotator, annotator),
    ).fetchall()
    # A second label for the same clip is part of one answer.
    first_took = {row["clip_id"]: row["took_ms"] for row in reversed(rows)}
    timed = [took for took in first_took.values() if took is not None]
    suggested = [row for row in rows if row["suggested_label"] is not None]
    right = sum(row["label"] == row["suggested_label"] and row["value"] == "present" for row in suggested)
    return Pace(
        answers=len(first_took),
        clips_per_minute=60_000 * len(timed) / sum(timed) if sum(timed) else None,
        median_ms=round(statistics.median(timed)) if timed else None,
        suggested=len(suggested),
        first_right=right / len(suggested) if suggested else None,
    )
