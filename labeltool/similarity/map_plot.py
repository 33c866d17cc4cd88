"""A map of clips: similar ones lie close to each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from labeltool.evaluation.plots import _GREY, _as_text, _figure, _name, _save
from labeltool.type_aliases import Float32

_LIGHT = "#d0d0d0"


# Matplotlib's cycle without its grey, which is for what has no label; more could not be told apart.
_COLOURS = ("C0", "C1", "C2", "C3", "C4", "C5", "C6", "C8", "C9", "#191970")


def sounds(path: Path, points: Float32, labels: Sequence[Sequence[str]], title: str) -> None:
    """Draw clips as a map on which those that sound alike lie close.

    Parameters
    ----------
    points : (clips, 1 or 2) float32
    labels
        Each clip's, those it is known by most first; none: it is drawn in grey.
    title
        What they are compared by.
    """
    told = Counter(named[0] for named in labels if named)
    first_of = [named[0] if named else None for named in labels]
    shown = [label for label, _ in told.most_common(len(_COLOURS))]
    points = np.pad(points, ((0, 0), (0, 2 - points.shape[1])))
    figure, (axis,) = _figure(8.4, 6.4, 1)
    groups: list[tuple[str, Any, list[int]]] = [
        (f"no label ({len(labels) - told.total():,})", _LIGHT, [at for at, one in enumerate(first_of) if one is None]),
        ("other labels", _GREY, [at for at, one in enumerate(first_of) if one is not None and one not in shown]),
    ]
    for label, colour in zip(shown, _COLOURS, strict=False):
        name = f"{_name(label)} ({told[label]:,})"
        groups.append((name, colour, [at for at, one in enumerate(first_of) if one == label]))
    for name, colour, members in groups:
        if members:
            axis.scatter(points[members, 0], points[members, 1], s=14, color=colour, label=name, linewidths=0)
    axis.set(xticks=[], yticks=[])
    axis.spines[["left", "bottom"]].set_visible(False)
    _as_text([axis.set_title(_name(title), fontsize=10)])
    _as_text(axis.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=8).get_texts())
    _save(figure, path)
