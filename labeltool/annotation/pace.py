"""The stopwatch: how fast people answer, how often the model's first suggestion was right, what good questions save."""

from __future__ import annotations

import json
import statistics
from dataclasses import asdict, dataclass
from pathlib import Path

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


AT_RANDOM = "random"
"""The strategy that others are held against."""


@dataclass(frozen=True, slots=True)
class LabelsSaved:
    """What a strategy's questions saved against asking at random, as `labeltool simulate` found it.

    `labels` and `labels_at_random` reach the same `clip_accuracy`, 0 to 1, the most that both reached; the other two
    are the labels until nine of ten suggestions were right, None where that was not reached.
    """

    strategy: str
    clip_accuracy: float
    labels: int
    labels_at_random: int
    until_suggestions_90: int | None
    until_suggestions_90_at_random: int | None

    def in_words(self) -> str:
        """Say it in half a line."""
        return f"{self.clip_accuracy:.0%} right took {self.labels}, at random {self.labels_at_random}"


def labels_saved(cache: Path) -> LabelsSaved | None:
    """Return what the last simulation of a project said; None before the first.

    Parameters
    ----------
    cache
        The project's.
    """
    try:
        return LabelsSaved(**json.loads((cache / _LABELS_SAVED).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def write_labels_saved(cache: Path, saved: LabelsSaved) -> None:
    """Keep what a simulation said for `labels_saved`."""
    path = cache / _LABELS_SAVED
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(asdict(saved)), encoding="utf-8")
    partial.replace(path)


_LABELS_SAVED = Path("simulations", "labels_saved.json")
