"""What the mouse reports to the views."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

from textual.message import Message


@dataclass
class PointedAt(Message):
    """The mouse is over a moment of a sound; `share` is None when it has left.

    Attributes
    ----------
    share
        The moment, as a share of what is on the screen.
    hertz, decibels
        The frequency under the mouse and its level; None where the widget shows no frequencies.
    """

    share: float | None
    hertz: float | None = None
    decibels: float | None = None


@dataclass
class ClickedAt(Message):
    """A moment of a sound was clicked; `in_whole` where the widget always shows the whole recording."""

    share: float
    in_whole: bool


@dataclass
class Dragged(Message):
    """The mouse goes over a part of a sound; `over` when the button was released."""

    start: float
    end: float
    over: bool


@dataclass
class Wheeled(Message):
    """The wheel was turned over a sound, up (`steps` 1) or down (-1); `share` and `height` say where, 0 to 1."""

    steps: int
    share: float
    height: float
    _: KW_ONLY
    ctrl: bool
    shift: bool
