"""A clip's spectrogram in one line of a list: the level over time, above and below the middle of the mel bands."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from labeltool.records import StoredClip
from labeltool.settings import ColourMap
from labeltool.tui.media.clip_picture import brightness_range, mel_spectrogram, read_mono, resize
from labeltool.tui.theme import LEVELS, SHADES, brightness_colors
from labeltool.tui.widgets.clip_list import Part

Levels = npt.NDArray[np.intp]

COLUMNS = 24
"""The number of cells of a thumbnail."""


def thumbnail(clip: StoredClip) -> Levels:
    """Return the brightness levels of the halves of each cell, `(2, COLUMNS) intp`, upper half first.

    Raises
    ------
    LabeltoolError
        If the file cannot be read.
    """
    mono, rate = read_mono(clip)
    if not len(mono):
        return np.zeros((2, COLUMNS), np.intp)
    mel_db, _ = mel_spectrogram(mono, rate)
    # The mean power: the maximum of many bands would be equally bright throughout, a mean of decibels hides a whistle.
    halves = np.stack([10.0 * np.log10(np.mean(10.0 ** (half / 10.0), axis=0)) for half in np.array_split(mel_db, 2)])
    halves = halves[::-1].astype(np.float32)
    loudest, quiet = brightness_range(halves)
    cells = resize(halves, 2, COLUMNS)
    return np.asarray(np.rint((cells - quiet) / (loudest - quiet) * (LEVELS - 1)).clip(0, LEVELS - 1), np.intp)


def strip(levels: Levels | None, *, dark: bool, ink: bool, colour_map: ColourMap = ColourMap.TEAL) -> list[Part]:
    """Return the parts of a line for a thumbnail; blank if there is none.

    Parameters
    ----------
    ink
        Whether the terminal has no colours.
    """
    if levels is None:
        return [(" " * COLUMNS, "")]
    if ink:
        shades = levels.max(axis=0) * (len(SHADES) - 1) // (LEVELS - 1)
        return [("".join(SHADES[shade] for shade in shades), "")]
    colours = brightness_colors(colour_map, dark)
    return [("▀", f"{colours[upper]} on {colours[lower]}") for upper, lower in levels.T]
