"""The results of a cross-validation's folds as one: means, sums and joined tables."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from labeltool.evaluation import metrics
from labeltool.evaluation.unseen_labels import LevelAccuracy, MeasuredOnAll, UnseenLabel
from labeltool.networks.model_card import LabelMetrics, ReliabilityBin


def summed(
    matrices: Sequence[tuple[Sequence[str], Sequence[Sequence[int]]]], labels: Sequence[str]
) -> tuple[tuple[int, ...], ...]:
    """Add up matrices, each with the labels of its rows and columns."""
    total = np.zeros((len(labels), len(labels)), np.int64)
    for names, matrix in matrices:
        places = [labels.index(name) for name in names]
        total[np.ix_(places, places)] += np.array(matrix)
    return tuple(map(tuple, total.tolist()))


def mean_over_folds(results: Sequence[MeasuredOnAll], name: str) -> float | None:
    """Average a metric over the folds that have it."""
    values = [value for value in (getattr(result, name) for result in results) if value is not None]
    return float(np.mean(values)) if values else None


def joined_unseen(results: Sequence[MeasuredOnAll]) -> tuple[UnseenLabel, ...]:
    """Add up the clips of the labels that were unseen in some fold."""
    labels = sorted({one.label for result in results for one in result.unseen_labels})
    by_label = {
        label: [one for result in results for one in result.unseen_labels if one.label == label] for label in labels
    }
    return tuple(
        UnseenLabel(label, sum(one.clips for one in rows), sum(one.unknown for one in rows))
        for label, rows in by_label.items()
    )


def levels_over_folds(results: Sequence[MeasuredOnAll]) -> tuple[LevelAccuracy, ...]:
    """Average the folds' accuracy at each level, as `mean_over_folds` does."""
    return tuple(
        LevelAccuracy(
            of_level[0].level,
            tuple(sorted({name for one in of_level for name in one.labels})),
            float(np.mean([one.clip_accuracy for one in of_level])),
            float(np.mean([one.int8_clip_accuracy for one in of_level])),
        )
        for of_level in zip(*(result.by_level for result in results), strict=True)
    )


def label_over_folds(results: Sequence[MeasuredOnAll], label: str) -> LabelMetrics:
    """Average the folds' recalls of a label, weighted by its clips in each."""
    rows = [one for result in results for one in result.by_label if one.label == label and one.clips]
    clips_of = [one.clips for one in rows]

    def mean(recalls: Sequence[float | None]) -> float | None:
        return float(np.average([recall or 0.0 for recall in recalls], weights=clips_of)) if rows else None

    recall, int8_recall = mean([one.recall for one in rows]), mean([one.int8_recall for one in rows])
    return LabelMetrics(label, sum(clips_of), recall, None, int8_recall, None)


def joined_reliability(reliabilities: Sequence[Sequence[ReliabilityBin]]) -> tuple[ReliabilityBin, ...]:
    """Merge the folds' bins of confidence."""
    bins = [one for reliability in reliabilities for one in reliability]
    merged = []
    for index in sorted({metrics.bin_index(confidence) for confidence, _, _ in bins}):
        members = [one for one in bins if metrics.bin_index(one[0]) == index]
        counts = [count for _, _, count in members]
        confidence, accuracy = (float(np.average([one[i] for one in members], weights=counts)) for i in (0, 1))
        merged.append((confidence, accuracy, sum(counts)))
    return tuple(merged)
