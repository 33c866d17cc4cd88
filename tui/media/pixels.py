"""Pictures of pixels as a terminal takes them: kitty's and iTerm2's protocols with a PNG, and Sixel."""

from __future__ import annotations

import base64
from itertools import pairwise

import numpy as np

from labeltool.tui.media.graphics import Graphics
from labeltool.util.png import Levels, Palette, png

PALETTE_SIZES = {Graphics.KITTY: 64, Graphics.ITERM: 64, Graphics.SIXEL: 20}
"""The number of colours of a picture: each one more makes a Sixel longer."""

# Where a PNG is scaled by the terminal, a picture is no finer than the sound is analysed.
_MAX_PNG_HEIGHT, _MAX_PNG_WIDTH = 256, 1200
_KITTY_LAYER = -1  # below the text, which stands on it
_KITTY_CHUNK = 4096
_SIXEL_ROWS = 6
_MAX_SIXEL = 1000  # pixels of a side: xterm draws nothing of a larger one
_SIXEL_ZERO = 63
_MIN_RUN = 4


def picture_size(graphics: Graphics, cells: tuple[int, int], cell: tuple[int, int]) -> tuple[int, int]:
    """Return the height and width in pixels of a picture that fills `cells` (columns, rows) of `cell` pixels."""
    width, height = cells[0] * cell[0], cells[1] * cell[1]
    if graphics is Graphics.SIXEL:
        return height, width
    return min(height, _MAX_PNG_HEIGHT), min(width, _MAX_PNG_WIDTH)


def picture_pieces(
    graphics: Graphics, levels: Levels, palette: Palette, cells: tuple[int, int], *, number: int = 1
) -> list[tuple[int, int, str]]:
    """Return what to write to a terminal for a picture on `cells` (columns, rows): a column, a row, and a text.

    Where pictures lie below the text, it takes the place of the last one with its number.
    """
    if graphics is Graphics.SIXEL:
        return _sixel_pieces(levels, palette, cells)
    data = base64.standard_b64encode(png(levels, palette)).decode()
    if graphics is Graphics.ITERM:
        size = f"width={cells[0]};height={cells[1]};preserveAspectRatio=0;doNotMoveCursor=1"
        return [(0, 0, f"\x1b]1337;File=inline=1;{size}:{data}\x07")]
    keys = f"a=T,f=100,i={number},p=1,c={cells[0]},r={cells[1]},z={_KITTY_LAYER},C=1,q=2,"
    chunks = [data[at : at + _KITTY_CHUNK] for at in range(0, len(data), _KITTY_CHUNK)]
    last = len(chunks) - 1
    texts = [f"\x1b_G{keys if not at else ''}m={int(at < last)};{chunk}\x1b\\" for at, chunk in enumerate(chunks)]
    return [(0, 0, "".join(texts))]


def _sixel_pieces(levels: Levels, palette: Palette, cells: tuple[int, int]) -> list[tuple[int, int, str]]:
    """Return a picture in pieces of whole cells that are no larger than xterm takes them."""
    columns, rows = cells
    height, width = levels.shape[0] // rows, levels.shape[1] // columns
    wide, high = max(1, _MAX_SIXEL // width), max(1, _MAX_SIXEL // height)
    return [
        (x, y, sixel(levels[y * height : (y + high) * height, x * width : (x + wide) * width], palette))
        for y in range(0, rows, high)
        for x in range(0, columns, wide)
    ]


def removal_sequence(graphics: Graphics, number: int) -> str:
    """Return what removes a picture from a terminal; nothing where text that is written over it does."""
    return f"\x1b_Ga=d,d=I,i={number},q=2\x1b\\" if graphics is Graphics.KITTY else ""


def sixel(levels: Levels, palette: Palette) -> str:
    """Return a picture as Sixel: bands of six rows, in each of which every colour has a line of its own."""
    height, width = levels.shape
    bands, colours = -(-height // _SIXEL_ROWS), len(palette)
    lines = np.zeros((bands, colours, width), np.uint8)
    columns = np.arange(width)
    for row in range(_SIXEL_ROWS):
        within = levels[row::_SIXEL_ROWS]
        lines[np.arange(len(within))[:, None], within, columns] |= 1 << row
    percent = np.rint(palette * (100 / 255)).astype(int).tolist()
    names = "".join(f"#{number};2;{red};{green};{blue}" for number, (red, green, blue) in enumerate(percent))
    band, colour = np.nonzero(lines.any(axis=2))
    texts = _run_lengths(lines[band, colour] + np.uint8(_SIXEL_ZERO))
    begins = np.flatnonzero(np.diff(band, prepend=-1)).tolist()
    coloured = [f"#{number}{text}" for number, text in zip(colour.tolist(), texts, strict=True)]
    drawn = ["$".join(coloured[first:last]) for first, last in zip(begins, [*begins[1:], None], strict=True)]
    return f'\x1bP0;1;0q"1;1;{width};{height}{names}{"-".join(drawn)}\x1b\\'


def _run_lengths(lines: Levels) -> list[str]:
    """Return lines of letters, `(n, width)`, as texts in which `!4A` means four times A."""
    width = lines.shape[1]
    flat = lines.ravel()
    changes = np.diff(flat, prepend=flat[:1]) != 0
    changes[::width] = True
    begins = np.flatnonzero(changes)
    counts = np.diff(begins, append=len(flat))
    letters = flat[begins]
    is_run = counts >= _MIN_RUN
    digits = np.where(counts >= 1000, 4, np.where(counts >= 100, 3, np.where(counts >= 10, 2, 1)))
    sizes = np.where(is_run, digits + 2, counts)
    ends = np.cumsum(sizes)
    text = np.repeat(letters, sizes)  # right where there are no runs, and at the end of each run
    text[ends[is_run] - sizes[is_run]] = ord("!")
    for digit in range(int(digits.max(initial=1))):  # from the last one
        has = is_run & (digits > digit)
        text[ends[has] - 2 - digit] = ord("0") + counts[has] // 10**digit % 10
    firsts = np.flatnonzero(begins % width == 0)
    at = [0, *ends[np.append(firsts[1:], len(begins)) - 1].tolist()]
    joined = text.tobytes().decode("ascii")
    return [joined[first:last] for first, last in pairwise(at)]
