"""A clip's spectrogram in the lines of a list: the level over time, in bands of mel, two to a line."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from labeltool.audio.mel_picture import brightness_range, mel_spectrogram, resize
from labeltool.records import StoredClip
from labeltool.settings import ColourMap
from labeltool.tui.media.clip_picture import read_mono
from labeltool.tui.theme import LEVELS, SHADES, brightness_colors
from labeltool.tui.widgets.lists.clip_list import Part

Levels = npt.NDArray[np.intp]

COLUMNS = 24
"""The number of cells of a thumbnail's lines."""

LINES = 2
"""The number of its lines."""


def thumbnail(clip: StoredClip) -> Levels:
    """Return the brightness levels of the halves of each cell, `(2 * LINES, COLUMNS) intp`, the highest band first."""
    mono, rate = read_mono(clip)
    if not len(mono):
        return np.zeros((2 * LINES, COLUMNS), np.intp)
    mel_db, _ = mel_spectrogram(mono, rate)
    # The mean power: the maximum of many bands would be equally bright throughout, a mean of decibels hides a whistle.
    bands = [10.0 * np.log10(np.mean(10.0 ** (band / 10.0), axis=0)) for band in np.array_split(mel_db, 2 * LINES)]
    highest_first = np.stack(bands[::-1]).astype(np.float32)
    loudest, quiet = brightness_range(highest_first)
    cells = resize(highest_first, 2 * LINES, COLUMNS)
    return np.asarray(np.rint((cells - quiet) / (loudest - quiet) * (LEVELS - 1)).clip(0, LEVELS - 1), np.intp)


def strips(levels: Levels | None, *, dark: bool, ink: bool, colour_map: ColourMap = ColourMap.TEAL) -> list[list[Part]]:
    """Return the parts of each line of a thumbnail, blank without one; `ink`: the terminal has no colours."""
    if levels is None:
        return [[(" " * COLUMNS, "")]] * LINES
    pairs = levels.reshape(LINES, 2, COLUMNS)
    if ink:
        shades = pairs.max(axis=1) * (len(SHADES) - 1) // (LEVELS - 1)
        return [[("".join(SHADES[shade] for shade in line), "")] for line in shades]
    colours = brightness_colors(colour_map, dark)
    return [[("▀", f"{colours[upper]} on {colours[lower]}") for upper, lower in line.T] for line in pairs]
