"""What all figures share: colours, axes without frames, and text that is drawn as it stands. Needs matplotlib."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from labeltool.errors import in_one_line
from labeltool.util.files.atomic_write import open_atomic

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Text

FLOAT_COLOUR, INT8_COLOUR = "#1f77b4", "#d95f02"  # distinct for the colour-blind too
GREY = "#8a8a8a"
_DPI = 120
_MAX_NAME_LENGTH = 24


def available() -> bool:
    """Return whether figures can be drawn: whether matplotlib is installed."""
    from importlib.util import find_spec

    return find_spec("matplotlib") is not None


def new_figure(
    width: float, height: float, parts: int, heights: Sequence[float] | None = None
) -> tuple[Figure, Sequence[Axes]]:
    """Return a figure with axes side by side, or below each other with the given relative heights.

    Parameters
    ----------
    width, height
        Inches.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)  # needs no screen
    shape = (1, parts) if heights is None else (parts, 1)
    axes = figure.subplots(*shape, squeeze=False, gridspec_kw=None if heights is None else {"height_ratios": heights})
    for axis in axes.flat:
        axis.spines[["top", "right"]].set_visible(False)
    return figure, list(axes.flat)


def short_name(label: str) -> str:
    """Return a label shortened for an axis, in one line."""
    line = in_one_line(label)
    return line if len(line) <= _MAX_NAME_LENGTH else line[: _MAX_NAME_LENGTH - 1] + "…"


def draw_plain(texts: Sequence[Text]) -> None:
    """Draw texts as they stand: a dollar sign in a label starts no formula."""
    for text in texts:
        text.set_parse_math(False)


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, without a trace of the software, so that equal figures are equal files."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a script that the font lacks is drawn as boxes
        with open_atomic(path) as file:
            figure.savefig(file, format="png", metadata={"Software": None})
