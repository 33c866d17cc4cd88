"""Labels and file names as text on one line: nothing in them is markup, ends a line or gives the terminal an order."""

from __future__ import annotations

import unicodedata

from rich.cells import cell_len

# Line and paragraph separators and characters that steer the terminal or turn the writing direction around. The joiners
# that build emoji and Arabic or Indic ligatures are of category Cf too and stay.
_KEPT_FORMAT = frozenset("\u200c\u200d")
_EIGHTHS = " ▏▎▍▌▋▊▉"
_STOOD_IN = {"\n": "⏎", "\r": "⏎", "\t": "⇥", "\u2028": "⏎", "\u2029": "⏎"}


def shown(text: str) -> str:
    """Return text as it may stand on screen: one line, each control character replaced by a mark of its own."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_STOOD_IN.get(letter) or ("�" if _steers(letter) else letter) for letter in text)


def fit(text: str, width: int) -> str:
    """Return text on one line of exactly `width` cells, cut with an ellipsis or filled with spaces."""
    return clip(text, width) + " " * max(0, width - cell_len(clip(text, width)))


def clip(text: str, width: int) -> str:
    """Return text on one line of at most `width` cells, cut with an ellipsis where it is longer."""
    text = shown(text)
    if cell_len(text) <= width:
        return text
    cells, kept = 0, []
    for letter in text:
        cells += cell_len(letter)
        if cells > width - 1:
            break
        kept.append(letter)
    return "".join(kept) + "…" if width > 0 else ""


def clip_left(text: str, width: int) -> str:
    """Return text on one line of at most `width` cells, cut at its beginning: the end of a path tells most."""
    text = shown(text)
    if cell_len(text) <= width:
        return text
    cells, kept = 0, []
    for letter in reversed(text):
        cells += cell_len(letter)
        if cells > width - 1:
            break
        kept.append(letter)
    return "…" + "".join(reversed(kept)) if width > 0 else ""


def bar(share: float, width: int) -> str:
    """Return a bar of exactly `width` cells, as long as `share` (0 to 1) of them."""
    full, part = divmod(round(share * width * len(_EIGHTHS)), len(_EIGHTHS))
    return ("█" * full + (_EIGHTHS[part] if part else "")).ljust(width)


def clock(seconds: float) -> str:
    """Return a time as `m:ss.t`, with hours where it has any."""
    tenths = max(0, round(seconds * 10))
    minutes, tenths = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    return f"{f'{hours}:{minutes:02}' if hours else minutes}:{tenths / 10:04.1f}"


def _steers(letter: str) -> bool:
    category = unicodedata.category(letter)
    return category in ("Cc", "Cs", "Zl", "Zp") or (category == "Cf" and letter not in _KEPT_FORMAT)
