"""A clip's picture in a line of a list: how loud it is when, above and below the middle of its frequencies."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from labeltool.audio.files import read_span
from labeltool.records import StoredClip
from labeltool.tui.media.clip_picture import LONGEST_S, draw, pooled, range_of
from labeltool.tui.theme import INK, LEVELS, ladder
from labeltool.tui.widgets.clip_list import Part

Levels = npt.NDArray[np.intp]

COLUMNS = 24
"""Cells of a thumbnail."""


def thumbnail(clip: StoredClip) -> Levels:
    """Return the brightness of each half of each cell, `(2, COLUMNS)`, upper half first.

    Raises
    ------
    LabeltoolError
        When the clip cannot be read.
    """
    decoded, rate = read_span(clip.path, clip.start_s, min(clip.end_s, clip.start_s + LONGEST_S))
    if not len(decoded):
        return np.zeros((2, COLUMNS), np.intp)
    mono = np.nan_to_num(decoded.mean(axis=1, dtype=np.float32), posinf=1.0, neginf=-1.0)
    picture, _ = draw(mono, rate)
    # Their mean power: the loudest of many bands would be as bright throughout, and a mean of decibels hide a whistle.
    halves = np.stack([10.0 * np.log10(np.mean(10.0 ** (half / 10.0), axis=0)) for half in np.array_split(picture, 2)])
    halves = halves[::-1].astype(np.float32)
    loudest, quiet = range_of(halves)
    cells = pooled(halves, 2, COLUMNS)
    return np.asarray(np.rint((cells - quiet) / (loudest - quiet) * (LEVELS - 1)).clip(0, LEVELS - 1), np.intp)


def strip(levels: Levels | None, *, dark: bool, ink: bool) -> list[Part]:
    """Return a thumbnail as it stands in a line; blank where there is none (yet).

    Parameters
    ----------
    ink
        Whether the terminal has no colours.
    """
    if levels is None:
        return [(" " * COLUMNS, "")]
    if ink:
        shades = levels.max(axis=0) * (len(INK) - 1) // (LEVELS - 1)
        return [("".join(INK[shade] for shade in shades), "")]
    colours = ladder(dark)
    return [("▀", f"{colours[upper]} on {colours[lower]}") for upper, lower in levels.T]
