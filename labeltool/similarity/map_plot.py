"""A map of clips on which similar ones lie close to each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from labeltool.evaluation.figure import GREY, draw_plain, new_figure, save, short_name
from labeltool.type_aliases import Float32

_LIGHT_GREY = "#d0d0d0"
# Matplotlib's cycle without its grey, which is for clips without a label; more could not be distinguished.
_COLOURS = ("C0", "C1", "C2", "C3", "C4", "C5", "C6", "C8", "C9", "#191970")


def draw_map(path: Path, points: Float32, labels: Sequence[Sequence[str]], title: str) -> None:
    """Draw clips as points, coloured by their first label.

    Parameters
    ----------
    points : (clips, 2) float32
    labels
        Those of each clip, the most frequent labels of the project first; a clip without any is drawn in light grey.
    title
        What the clips are compared by.
    """
    first_labels = [names[0] if names else None for names in labels]
    counts = Counter(label for label in first_labels if label is not None)
    shown = [label for label, _ in counts.most_common(len(_COLOURS))]
    groups: list[tuple[str, Any, list[int]]] = [
        (
            f"no label ({len(labels) - counts.total():,})",
            _LIGHT_GREY,
            [row for row, label in enumerate(first_labels) if label is None],
        ),
        (
            "other labels",
            GREY,
            [row for row, label in enumerate(first_labels) if label is not None and label not in shown],
        ),
    ]
    for label, colour in zip(shown, _COLOURS, strict=False):
        name = f"{short_name(label)} ({counts[label]:,})"
        groups.append((name, colour, [row for row, first in enumerate(first_labels) if first == label]))

    figure, (axis,) = new_figure(8.4, 6.4, 1)
    for name, colour, members in groups:
        if members:
            axis.scatter(points[members, 0], points[members, 1], s=14, color=colour, label=name, linewidths=0)
    axis.set(xticks=[], yticks=[])
    axis.spines[["left", "bottom"]].set_visible(False)
    draw_plain([axis.set_title(short_name(title), fontsize=10)])
    draw_plain(axis.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=8).get_texts())
    save(figure, path)
