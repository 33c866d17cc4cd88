"""How a terminal shows pictures of pixels: what it says about itself, and the size of its cells."""

from __future__ import annotations

import os
import re
import select
import sys
import time
from collections.abc import Mapping
from enum import StrEnum

from labeltool.settings import Pixels

# Every terminal answers, most at once: an answer that nobody waits for any more would be taken for keys.
_TIMEOUT_S = 1.0
_DEFAULT_CELL = (10, 20)
# Multiplexers answer for themselves, and do not pass pictures on; the console of Linux has none.
_WITHOUT = re.compile(r"dumb|linux|screen|tmux")
# Who answers to its name (XTVERSION) shows these; kitty's protocol first, as its pictures lie below the text.
_KITTY = re.compile(r"kitty|ghostty", re.IGNORECASE)
_ITERM = re.compile(r"iterm2|wezterm", re.IGNORECASE)
_NAME = re.compile(rb"\x1bP>\|([^\x1b]*)\x1b\\")
_ATTRIBUTES = re.compile(rb"\x1b\[\?([\d;]*)c")
_SIXEL_ATTRIBUTE = "4"


class Graphics(StrEnum):
    """How pixels get to the terminal."""

    NONE = "none"
    KITTY = "kitty"
    ITERM = "iTerm2"
    SIXEL = "Sixel"


def terminal_graphics(wanted: Pixels) -> Graphics:
    """Ask the terminal which pictures it shows; call it before the app reads from the terminal.

    It is asked for its name and its attributes; the attributes come last, and every terminal has them.
    """
    if not _may_ask(wanted, os.environ):
        return Graphics.NONE
    return graphics_of(_answer(b"\x1b[>q\x1b[c"))


def graphics_of(answer: bytes) -> Graphics:
    """Return the pictures of a terminal by its answer."""
    name = (_NAME.search(answer) or [b"", b""])[1].decode(errors="replace")
    if _KITTY.match(name):
        return Graphics.KITTY
    if _ITERM.match(name):
        return Graphics.ITERM
    attributes = _ATTRIBUTES.search(answer)
    sixel = attributes is not None and _SIXEL_ATTRIBUTE in attributes[1].decode().split(";")
    return Graphics.SIXEL if sixel else Graphics.NONE


def _may_ask(wanted: Pixels, environment: Mapping[str, str]) -> bool:
    if environment.get("NO_COLOR") or "TEXTUAL_DRIVER" in environment or _WITHOUT.match(environment.get("TERM", "")):
        return False
    return wanted is Pixels.ON or "SSH_CONNECTION" not in environment


def _answer(query: bytes) -> bytes:
    """Send a query to where Textual draws and return the answer; empty where there is none in time."""
    try:
        import termios
        import tty
    except ModuleNotFoundError:  # Windows
        return b""
    assert sys.__stderr__ is not None
    terminal, answer = sys.stdin.fileno(), b""
    before = termios.tcgetattr(terminal)
    try:
        tty.setcbreak(terminal)
        os.write(sys.__stderr__.fileno(), query)
        until = time.monotonic() + _TIMEOUT_S
        while not _ATTRIBUTES.search(answer):
            left_s = until - time.monotonic()
            if left_s <= 0 or not select.select([terminal], [], [], left_s)[0]:
                break
            answer += os.read(terminal, 1024)
    finally:
        termios.tcsetattr(terminal, termios.TCSAFLUSH, before)
    return answer


def cell_pixels() -> tuple[int, int]:
    """Return the width and height of a cell in pixels."""
    try:
        import fcntl
        import struct
        import termios

        size = fcntl.ioctl(sys.stdin.fileno(), termios.TIOCGWINSZ, bytes(8))
        rows, columns, width, height = struct.unpack("HHHH", size)
    except (ModuleNotFoundError, OSError, ValueError):
        return _DEFAULT_CELL
    return (width // columns, height // rows) if rows and columns and width and height else _DEFAULT_CELL
