"""The results of a simulation: the models of one replay, their means over seeds, and strategies compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from labeltool.annotation import speed


@dataclass(frozen=True, slots=True)
class Point:
    """A model of a replay; shares are 0 to 1.

    Attributes
    ----------
    labels
        Clips labelled.
    clip_accuracy, int8_clip_accuracy
        Share of the test clips right; a clip of a label that was not met yet is wrong.
    suggestions_right
        Share of the unlabelled clips whose first suggestion is their label; None when there are none.
    first_right
        The same of the clips labelled since the model before, when they were queried; None before the first model.
    """

    labels: int
    clip_accuracy: float
    int8_clip_accuracy: float
    suggestions_right: float | None
    first_right: float | None


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """The models of several replays, seeds apart, at one number of labels: means, and the values by seed."""

    labels: int
    clip_accuracy: float
    clip_accuracy_by_seed: tuple[float, ...]
    int8_clip_accuracy: float
    suggestions_right: float | None
    suggestions_right_by_seed: tuple[float | None, ...]
    first_right: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyResult:
    """The replays of one query strategy, as means over the seeds.

    Attributes
    ----------
    curve, models
        At the budgets; at every model that was trained.
    full_clip_accuracy
        Of a model trained on all labels.
    labels_to_95_percent_of_full, labels_until_suggestions_90
        Labels until the clip accuracy reaches 95 % of that, and until 90 % of the suggestions are right; None: never.
    """

    strategy: str
    seeds: tuple[int, ...]
    curve: tuple[CurvePoint, ...]
    models: tuple[CurvePoint, ...]
    full_clip_accuracy: float
    labels_to_95_percent_of_full: int | None
    labels_until_suggestions_90: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulateResult(StrategyResult):
    """What `labeltool simulate --json` prints: the result of the first strategy, and these.

    Attributes
    ----------
    pool, test_clips
        Clips that are queried, and clips that measure.
    labels_saved
        The first strategy compared with random order, where both were replayed.
    """

    pool: int
    test_clips: int
    labels_saved: speed.LabelsSaved | None
    strategies: tuple[StrategyResult, ...]


def summarise(
    name: str, seeds: Sequence[int], budgets: Sequence[int], runs: Sequence[Sequence[Point]], full: float
) -> StrategyResult:
    """Summarise a strategy's replays as means over the seeds."""
    points = tuple(
        CurvePoint(
            labels=of_seeds[0].labels,
            clip_accuracy=float(np.mean([point.clip_accuracy for point in of_seeds])),
            clip_accuracy_by_seed=tuple(point.clip_accuracy for point in of_seeds),
            int8_clip_accuracy=float(np.mean([point.int8_clip_accuracy for point in of_seeds])),
            suggestions_right=_mean([point.suggestions_right for point in of_seeds]),
            suggestions_right_by_seed=tuple(point.suggestions_right for point in of_seeds),
            first_right=_mean([point.first_right for point in of_seeds]),
        )
        for of_seeds in zip(*runs, strict=True)
    )
    return StrategyResult(
        strategy=name,
        seeds=tuple(seeds),
        curve=tuple(point for point in points if point.labels in budgets),
        models=points,
        full_clip_accuracy=full,
        labels_to_95_percent_of_full=_labels_until([(one.labels, one.clip_accuracy) for one in points], 0.95 * full),
        labels_until_suggestions_90=_labels_until([(one.labels, one.suggestions_right) for one in points], 0.9),
    )


def compare_with_random(results: Sequence[StrategyResult]) -> speed.LabelsSaved | None:
    """Compare the first strategy that is not random with random order, where both were replayed."""
    at_random = next((one for one in results if one.strategy == speed.AT_RANDOM), None)
    other = next((one for one in results if one.strategy != speed.AT_RANDOM), None)
    if at_random is None or other is None:
        return None
    # The highest accuracy that both reach.
    reached = min(max(point.clip_accuracy for point in one.models) for one in (at_random, other))
    labels, labels_at_random = (
        _labels_until([(point.labels, point.clip_accuracy) for point in one.models], reached)
        for one in (other, at_random)
    )
    assert labels is not None and labels_at_random is not None
    return speed.LabelsSaved(
        strategy=other.strategy,
        clip_accuracy=reached,
        labels=labels,
        labels_at_random=labels_at_random,
        until_suggestions_90=other.labels_until_suggestions_90,
        until_suggestions_90_at_random=at_random.labels_until_suggestions_90,
    )


def _labels_until(points: Sequence[tuple[int, float | None]], share: float) -> int | None:
    """Return the first number of labels at which a share is reached."""
    return next((labels for labels, reached in points if reached is not None and reached >= share), None)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
