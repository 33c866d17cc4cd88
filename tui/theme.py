"""The colours of the app: a dark and a light theme, and the brightness levels of spectrograms."""

from __future__ import annotations

import os
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from rich.color import Color
from rich.style import Style
from textual.theme import Theme

from labeltool.settings import ColourMap, ThemeName

DARK = Theme(
    name="labeltool-dark",
    primary="#6fb7b0",
    secondary="#8aa4c8",
    accent="#f0b75e",
    warning="#e0a458",
    error="#e58070",
    success="#86c28b",
    foreground="#d9dee6",
    background="#11151c",
    surface="#171c25",
    panel="#1e2531",
    dark=True,
    variables={"quiet": "#828d9e", "faint": "#4a5466", "input-cursor-background": "#f0b75e"},
)
LIGHT = Theme(
    name="labeltool-light",
    primary="#1d6f69",
    secondary="#3c5f94",
    accent="#a85b00",
    warning="#985200",
    error="#b3261e",
    success="#2d6a33",
    foreground="#1b2027",
    background="#f7f6f2",
    surface="#efede6",
    panel="#e4e1d8",
    dark=False,
    variables={"quiet": "#5d6570", "faint": "#aaa89f", "input-cursor-background": "#a85b00"},
)

# Okabe and Ito's colours, which colour-blind people tell apart, and a few more; darker on a light background.
_LABEL_COLOURS = {
    "blue": ("#5fa8e8", "#0b62a4"),
    "orange": ("#e69f00", "#a86400"),
    "green": ("#2fbf91", "#00755a"),
    "pink": ("#e48cc0", "#a8437d"),
    "sky": ("#8fd0f5", "#2581b5"),
    "yellow": ("#f0e442", "#8a7c00"),
    "red": ("#f0703c", "#b8400c"),
    "purple": ("#ab8ff0", "#6a45b8"),
    "brown": ("#c09a72", "#7a5230"),
    "grey": ("#a8b0bc", "#59616d"),
}

# Teal: from near the background through deep blue and teal to warm white, in even steps of lightness; it works in grey
# too. Its darkest level is not quite the background, so that silence is seen to be part of the clip. Viridis and magma
# are matplotlib's; on a light theme the first and the last map are as in print, dark on light.
_STOPS = {
    (ColourMap.TEAL, True): "#0a0d12 #16233a #1b3a5c #1f5673 #25757f #43957f #80b37c #c9cc86 #fbf3c4",
    (ColourMap.TEAL, False): "#ffffff #dfe8e2 #bcd8d2 #8fc1c0 #5fa3ac #3d8197 #2d5f80 #273f63 #1c2140",
    (ColourMap.VIRIDIS, True): "#440154 #472d7b #3b528b #2c728e #21918c #28ae80 #5ec962 #addc30 #fde725",
    (ColourMap.MAGMA, True): "#000004 #1d1147 #51127c #832681 #b73779 #e75263 #fc8961 #fec488 #fcfdbf",
    (ColourMap.GREY, True): "#060606 #252525 #444444 #636363 #828282 #a1a1a1 #c0c0c0 #dfdfdf #fefefe",
    (ColourMap.GREY, False): "#ffffff #dfdfdf #c0c0c0 #a1a1a1 #828282 #636363 #444444 #252525 #060606",
}
LEVELS = 9
"""The number of brightness levels of half blocks; few, since over SSH each change of colour costs bytes."""

SHADES = " ░▒▓█"
"""Brightness levels as characters, for terminals without colour."""


def theme_name(chosen: ThemeName) -> str:
    """Return the theme of the settings, or for the terminal: `COLORFGBG`, where it is set, ends in its background."""
    if chosen is not ThemeName.AUTO:
        return LIGHT.name if chosen is ThemeName.LIGHT else DARK.name
    background = os.environ.get("COLORFGBG", "").rpartition(";")[2]
    return LIGHT.name if background in ("7", "15") else DARK.name


def label_colour(name: str, *, dark: bool) -> str:
    """Return a label's colour, `#rrggbb`; that of text for a label without one."""
    return _LABEL_COLOURS[name][not dark] if name in _LABEL_COLOURS else "$foreground"


@lru_cache(maxsize=8)
def cell_styles(colour_map: ColourMap, dark: bool) -> tuple[tuple[Style, ...], ...]:
    """Return the styles of a half block `▀` by the levels of its halves; equal ones need no foreground."""
    steps = [Color.parse(stop) for stop in brightness_colors(colour_map, dark)]
    return tuple(
        tuple(Style(color=None if upper == lower else upper, bgcolor=lower) for lower in steps) for upper in steps
    )


@lru_cache(maxsize=8)
def playhead_styles(colour_map: ColourMap, dark: bool) -> tuple[Style, ...]:
    """Return the styles of the playhead over a cell, by its level."""
    theme = DARK if dark else LIGHT
    assert theme.accent is not None
    accent = Color.parse(theme.accent)
    levels = [Color.parse(stop) for stop in brightness_colors(colour_map, dark)]
    return tuple(Style(color=accent, bgcolor=level, bold=True) for level in levels)


def brightness_colors(colour_map: ColourMap, dark: bool) -> tuple[str, ...]:
    """Return the colours of the brightness levels, `#rrggbb`, from silence up."""
    return tuple(_STOPS.get((colour_map, dark), _STOPS[colour_map, True]).split())


@lru_cache(maxsize=8)
def palette(colour_map: ColourMap, dark: bool, size: int) -> npt.NDArray[np.uint8]:
    """Return the colours of `size` brightness levels, `(size, 3) uint8` red, green, blue."""
    stops = np.array([Color.parse(stop).triplet for stop in brightness_colors(colour_map, dark)], float)
    at = np.linspace(0, len(stops) - 1, size)
    return np.rint([np.interp(at, np.arange(len(stops)), stops[:, part]) for part in range(3)]).T.astype(np.uint8)
