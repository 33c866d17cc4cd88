"""Pictures of what was measured, as PNG, where matplotlib is installed (`pip install labeltool[plots]`)."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from labeltool.errors import in_one_line
from labeltool.evaluation import metrics

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Text

_FLOAT, _INT8 = "#1f77b4", "#d95f02"  # told apart by the colour-blind too
_GREY = "#8a8a8a"
_DPI = 120
_LONGEST_NAME = 24
# Numbers in the cells of a larger matrix could not be read.
_MOST_NUMBERED = 30


def available() -> bool:
    """Tell whether pictures can be made."""
    from importlib.util import find_spec

    return find_spec("matplotlib") is not None


def confusion(
    path: Path, labels: Sequence[str], as_float: Sequence[Sequence[int]], int8: Sequence[Sequence[int]]
) -> None:
    """Draw two confusion matrices, (labels, labels), side by side: rows are the truth."""
    size = min(14.0, 2.4 + 0.34 * len(labels))
    figure, axes = _figure(2 * size, size + 0.6, 2)
    for axis, counts, title in zip(axes, (as_float, int8), ("float", "int8"), strict=True):
        matrix = np.asarray(counts)
        shares = matrix / np.maximum(1, matrix.sum(axis=1, keepdims=True))
        axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        names = [_name(label) for label in labels]
        for places, tick_labels in (
            (axis.set_xticks, axis.set_xticklabels),
            (axis.set_yticks, axis.set_yticklabels),
        ):
            places(range(len(names)))
            _as_text(tick_labels(names, fontsize=8))
        axis.tick_params(axis="x", rotation=90)
        axis.set_xlabel("heard as")
        axis.set_title(title)
        if len(labels) <= _MOST_NUMBERED:
            for row, column in zip(*np.nonzero(matrix), strict=True):
                colour = "white" if shares[row, column] > 0.55 else "black"
                axis.text(column, row, str(matrix[row, column]), ha="center", va="center", fontsize=8, color=colour)
    axes[0].set_ylabel("is")
    _save(figure, path)


def reliability(path: Path, curves: Mapping[str, tuple[Sequence[Sequence[float]], float]]) -> None:
    """Draw how often answers of each confidence are right.

    Parameters
    ----------
    curves
        For "float" and "int8": mean confidence, share that is right and number of answers for each bin; and the ECE.
    """
    figure, (above, below) = _figure(5.2, 6.0, 2, heights=(3, 1))
    above.plot((0, 1), (0, 1), color=_GREY, linewidth=1, linestyle="--", label="as sure as right")
    for (name, (bins, ece)), colour, offset in zip(curves.items(), (_FLOAT, _INT8), (-0.011, 0.011), strict=True):
        sure, right, counts = (np.array(column) for column in zip(*bins, strict=True))
        above.plot(sure, right, "o-", color=colour, markersize=4, label=f"{name}, ECE {ece:.3f}")
        # Both precisions in the middle of the bin, side by side, wherever in it their answers lie.
        centres = np.array([(metrics.bin_of(one) + 0.5) / metrics.BINS for one in sure])
        below.bar(centres + offset, counts, width=0.02, color=colour)
    above.set(xlim=(0, 1), ylim=(0, 1.02), ylabel="share that is right")
    above.legend(loc="upper left", frameon=False)
    below.set(xlim=(0, 1), xlabel="confidence", ylabel="answers")
    _save(figure, path)


def recall(path: Path, by_label: Sequence[Mapping[str, Any]]) -> None:
    """Draw how much of each label is found, float beside int8."""
    rows = [one for one in by_label if one["recall"] is not None]
    figure, (axis,) = _figure(6.4, 1.2 + 0.32 * len(rows), 1)
    places = np.arange(len(rows))
    for key, name, colour, offset in (("recall", "float", _FLOAT, -0.19), ("int8_recall", "int8", _INT8, 0.19)):
        axis.barh(places + offset, [one[key] for one in rows], height=0.36, color=colour, label=name)
    axis.set_yticks(places)
    _as_text(axis.set_yticklabels([f"{_name(one['label'])} ({one['clips']})" for one in rows], fontsize=8))
    axis.invert_yaxis()
    axis.set(xlim=(0, 1), xlabel="share of its clips that is found")
    axis.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, frameon=False)
    _save(figure, path)


def learning(path: Path, losses: Sequence[Sequence[float]], models: Sequence[Mapping[str, Any]]) -> None:
    """Draw how a model's training went, and what every model of the project made of the clips it had.

    Parameters
    ----------
    losses
        Step and mean training loss.
    models
        Each with `labels_seen`, `clip_accuracy` and `int8_clip_accuracy`, the last two None where not measured.
    """
    from matplotlib.ticker import MaxNLocator

    figure, (left, right) = _figure(10.0, 4.0, 2)
    steps, means = zip(*losses, strict=True) if losses else ((), ())
    left.plot(steps, means, color=_FLOAT)
    left.xaxis.set_major_locator(MaxNLocator(integer=True))
    left.set(xlabel="step", ylabel="loss on training patches", title="this model")
    told = [one for one in models if one["clip_accuracy"] is not None]
    seen = [one["labels_seen"] for one in told]
    # Where both are equal, the larger dot shows behind the smaller.
    for key, name, colour, size in (("clip_accuracy", "float", _FLOAT, 8), ("int8_clip_accuracy", "int8", _INT8, 4)):
        right.plot(seen, [one[key] for one in told], "o-", color=colour, label=name, markersize=size)
    right.set(ylim=(0, 1.02), xlabel="clips learnt from and checked on", title="the project's models")
    right.set_ylabel("validation clips right")
    right.legend(loc="lower right", frameon=False)
    _save(figure, path)


def _figure(
    width: float, height: float, parts: int, heights: Sequence[float] | None = None
) -> tuple[Figure, Sequence[Axes]]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)  # no screen is asked for
    shape = (1, parts) if heights is None else (parts, 1)
    axes = figure.subplots(*shape, squeeze=False, gridspec_kw=None if heights is None else {"height_ratios": heights})
    for axis in axes.flat:
        axis.spines[["top", "right"]].set_visible(False)
    return figure, list(axes.flat)


def _name(label: str) -> str:
    """Return a label short enough for an axis, in one line."""
    line = in_one_line(label)
    return line if len(line) <= _LONGEST_NAME else line[: _LONGEST_NAME - 1] + "…"


def _as_text(texts: Sequence[Text]) -> None:
    """Let labels stand as they are: a dollar in one begins no formula."""
    for text in texts:
        text.set_parse_math(False)


def _save(figure: Figure, path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a script that the font lacks is drawn as boxes
        figure.savefig(path, metadata={"Software": None})
