"""Plots of an evaluation, as PNG, where matplotlib is installed (`pip install labeltool[plots]`)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np

from labeltool.evaluation import metrics
from labeltool.evaluation.figure import (
    FLOAT_COLOUR,
    GREY,
    INT8_COLOUR,
    draw_plain,
    new_figure,
    save,
    short_name,
)
from labeltool.evaluation.operating_points import Row
from labeltool.networks.model_card import LabelMetrics
from labeltool.store.models import ModelAccuracy

# Numbers in the cells of a larger matrix could not be read.
_MAX_NUMBERED_LABELS = 30
# More intervals hide each other.
_MAX_BANDS = 4


def confusion(
    path: Path,
    labels: Sequence[str],
    as_float: Sequence[Sequence[int]],
    int8: Sequence[Sequence[int]],
    unseen: Collection[str] = (),
) -> None:
    """Draw two confusion matrices, (labels, labels), side by side; rows are the true labels, the unseen ones marked."""
    size = min(14.0, 2.4 + 0.34 * len(labels))
    figure, axes = new_figure(2 * size, size + 0.6, 2)
    for axis, counts, title in zip(axes, (as_float, int8), ("float", "int8"), strict=True):
        matrix = np.asarray(counts)
        shares = matrix / np.maximum(1, matrix.sum(axis=1, keepdims=True))
        axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        names = [_axis_name(label, unseen) for label in labels]
        for set_ticks, set_tick_labels in (
            (axis.set_xticks, axis.set_xticklabels),
            (axis.set_yticks, axis.set_yticklabels),
        ):
            set_ticks(range(len(names)))
            draw_plain(set_tick_labels(names, fontsize=8))
        axis.tick_params(axis="x", rotation=90)
        axis.set_xlabel("predicted label")
        axis.set_title(title)
        if len(labels) <= _MAX_NUMBERED_LABELS:
            for row, column in zip(*np.nonzero(matrix), strict=True):
                colour = "white" if shares[row, column] > 0.55 else "black"
                axis.text(column, row, str(matrix[row, column]), ha="center", va="center", fontsize=8, color=colour)
    axes[0].set_ylabel("true label")
    save(figure, path)


def reliability(path: Path, curves: Mapping[str, tuple[Sequence[Sequence[float]], float]]) -> None:
    """Draw a reliability diagram: the accuracy of predictions by their confidence.

    Parameters
    ----------
    curves
        For "float" and "int8": mean confidence, accuracy and number of predictions of each bin; and the ECE.
    """
    figure, (above, below) = new_figure(5.2, 6.0, 2, heights=(3, 1))
    above.plot((0, 1), (0, 1), color=GREY, linewidth=1, linestyle="--", label="perfect calibration")
    for (name, (bins, ece)), colour, offset in zip(
        curves.items(), (FLOAT_COLOUR, INT8_COLOUR), (-0.011, 0.011), strict=True
    ):
        confidence, accuracy, counts = (np.array(column) for column in zip(*bins, strict=True))
        above.plot(confidence, accuracy, "o-", color=colour, markersize=4, label=f"{name}, ECE {ece:.3f}")
        # Both precisions in the middle of the bin, side by side, wherever in it their predictions lie.
        centres = np.array([(metrics.bin_index(one) + 0.5) / metrics.BINS for one in confidence])
        below.bar(centres + offset, counts, width=0.02, color=colour)
    above.set(xlim=(0, 1), ylim=(0, 1.02), ylabel="accuracy")
    above.legend(loc="upper left", frameon=False)
    below.set(xlim=(0, 1), xlabel="confidence", ylabel="predictions")
    save(figure, path)


def recall(path: Path, by_label: Sequence[LabelMetrics], unseen: Collection[str] = ()) -> None:
    """Draw the recall of each label, float beside int8, the unseen labels marked."""
    rows = [one for one in by_label if one.recall is not None]
    figure, (axis,) = new_figure(6.4, 1.2 + 0.32 * len(rows), 1)
    positions = np.arange(len(rows))
    for recalls, name, colour, offset in (
        ([one.recall or 0.0 for one in rows], "float", FLOAT_COLOUR, -0.19),
        ([one.int8_recall or 0.0 for one in rows], "int8", INT8_COLOUR, 0.19),
    ):
        axis.barh(positions + offset, recalls, height=0.36, color=colour, label=name)
    axis.set_yticks(positions)
    names = [f"{_axis_name(one.label, unseen)} ({one.clips})" for one in rows]
    draw_plain(axis.set_yticklabels(names, fontsize=8))
    axis.invert_yaxis()
    axis.set(xlim=(0, 1), xlabel="recall")
    axis.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, frameon=False)
    save(figure, path)


def learning_curves(path: Path, losses: Sequence[Sequence[float]], models: Sequence[ModelAccuracy]) -> None:
    """Draw a model's training loss, and the validation accuracy of every model of the project.

    Parameters
    ----------
    losses
        Step and mean training loss.
    models
        The project's models, oldest first.
    """
    from matplotlib.ticker import MaxNLocator

    figure, (left, right) = new_figure(10.0, 4.0, 2)
    steps, means = zip(*losses, strict=True) if losses else ((), ())
    left.plot(steps, means, color=FLOAT_COLOUR)
    left.xaxis.set_major_locator(MaxNLocator(integer=True))
    left.set(xlabel="step", ylabel="training loss", title="this model")
    measured = [one for one in models if one.clip_accuracy is not None]
    labelled_clips = [one.labels_seen for one in measured]
    # Where both are equal, the larger dot shows behind the smaller.
    for accuracies, name, colour, size in (
        ([one.clip_accuracy or 0.0 for one in measured], "float", FLOAT_COLOUR, 8),
        ([one.int8_clip_accuracy or 0.0 for one in measured], "int8", INT8_COLOUR, 4),
    ):
        right.plot(labelled_clips, accuracies, "o-", color=colour, label=name, markersize=size)
    right.set(ylim=(0, 1.02), xlabel="labelled clips", title="the project's models")
    right.set_ylabel("validation accuracy")
    right.legend(loc="lower right", frameon=False)
    save(figure, path)


def thresholds(path: Path, rows: Sequence[Row]) -> None:
    """Draw precision, and recall where it is known, by threshold, with their intervals where labels are few."""
    by_label = {label: list(of_label) for label, of_label in groupby(rows, key=lambda row: row.label)}
    kinds = [name for name in ("precision", "recall") if any(getattr(row, name) is not None for row in rows)]
    figure, axes = new_figure(5.4 * max(1, len(kinds)), 4.6, max(1, len(kinds)))
    for axis, kind in zip(axes, kinds, strict=False):
        for label, of_label in by_label.items():
            known = [(row.threshold, share) for row in of_label if (share := getattr(row, kind)) is not None]
            at = [threshold for threshold, _ in known]
            (line,) = axis.plot(at, [share.value for _, share in known], ".-", label=short_name(label))
            if len(by_label) <= _MAX_BANDS:
                low, high = [share.low for _, share in known], [share.high for _, share in known]
                axis.fill_between(at, low, high, color=line.get_color(), alpha=0.15, linewidth=0)
        axis.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="threshold", title=kind)
    if kinds and len(by_label) <= _MAX_NUMBERED_LABELS:
        draw_plain(axes[0].legend(loc="lower left", fontsize=7, frameon=False).get_texts())
    save(figure, path)


def _axis_name(label: str, unseen: Collection[str]) -> str:
    return short_name(label) + (", not trained" if label in unseen else "")
