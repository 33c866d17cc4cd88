"""The colours of the app: a dark and a light theme, and the brightness levels of spectrograms."""

from __future__ import annotations

import os
from functools import lru_cache

from rich.color import Color
from rich.style import Style
from textual.theme import Theme

from labeltool.settings import ThemeName

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

# From the background through deep blue and teal to warm white, in even steps of lightness: it works in grey too.
_DARK_STOPS = ("#11151c", "#16233a", "#1b3a5c", "#1f5673", "#25757f", "#43957f", "#80b37c", "#c9cc86", "#fbf3c4")
_LIGHT_STOPS = ("#f7f6f2", "#dfe8e2", "#bcd8d2", "#8fc1c0", "#5fa3ac", "#3d8197", "#2d5f80", "#273f63", "#1c2140")
LEVELS = len(_DARK_STOPS)
"""The number of brightness levels; few, since over SSH each change of colour costs bytes."""

SHADES = " ░▒▓█"
"""Brightness levels as characters, for terminals without colour."""


def theme_name(chosen: ThemeName) -> str:
    """Return the theme of the settings, or for the terminal: `COLORFGBG`, where it is set, ends in its background."""
    if chosen is not ThemeName.AUTO:
        return LIGHT.name if chosen is ThemeName.LIGHT else DARK.name
    background = os.environ.get("COLORFGBG", "").rpartition(";")[2]
    return LIGHT.name if background in ("7", "15") else DARK.name


@lru_cache(maxsize=2)
def cell_styles(dark: bool) -> tuple[tuple[Style, ...], ...]:
    """Return the styles of a half block `▀` by the levels of its halves; equal ones need no foreground."""
    steps = _steps(dark)
    return tuple(
        tuple(Style(color=None if upper == lower else upper, bgcolor=lower) for lower in steps) for upper in steps
    )


@lru_cache(maxsize=2)
def playhead_styles(dark: bool) -> tuple[Style, ...]:
    """Return the styles of the playhead over a cell, by its level."""
    theme = DARK if dark else LIGHT
    assert theme.accent is not None
    return tuple(Style(color=Color.parse(theme.accent), bgcolor=level, bold=True) for level in _steps(dark))


def brightness_colors(dark: bool) -> tuple[str, ...]:
    """Return the colours of the brightness levels, `#rrggbb`, from silence up."""
    return _DARK_STOPS if dark else _LIGHT_STOPS


def _steps(dark: bool) -> list[Color]:
    return [Color.parse(stop) for stop in brightness_colors(dark)]
