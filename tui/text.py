"""Labels and file names as text on one line, without markup, line ends and control characters."""

from __future__ import annotations

import unicodedata

from rich.cells import cell_len, set_cell_size

# Of category Cf, which changes the writing direction, only the joiners that build emoji and Arabic or Indic ligatures
# are kept.
_KEPT_FORMAT = frozenset("\u200c\u200d")
_EIGHTHS = " ▏▎▍▌▋▊▉"
_REPLACEMENTS = {"\n": "⏎", "\r": "⏎", "\t": "⇥", "\u2028": "⏎", "\u2029": "⏎"}


def one_line(text: str) -> str:
    """Return text for the screen: one line, each control character replaced by a visible one."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_REPLACEMENTS.get(letter) or ("�" if _is_control(letter) else letter) for letter in text)


def fit(text: str, width: int) -> str:
    """Return text on one line of exactly `width` cells, cut with an ellipsis or padded with spaces."""
    text = truncate(text, width)
    return text + " " * max(0, width - cell_len(text))


def truncate(text: str, width: int) -> str:
    """Return text on one line of at most `width` cells, cut with an ellipsis where it is longer."""
    text = one_line(text)
    if cell_len(text) <= width:
        return text
    # Where a wide letter does not fit, `set_cell_size` has a space in its place.
    return set_cell_size(text, width - 1).rstrip() + "…" if width > 0 else ""


def truncate_left(text: str, width: int) -> str:
    """Return text on one line of at most `width` cells, cut at the start: the end of a path matters most."""
    text = one_line(text)
    if cell_len(text) <= width:
        return text
    # Not within an emoji of several characters.
    starts = (at for at in range(1, len(text)) if cell_len(text[at]) and text[at - 1] != "\u200d")
    return "…" + text[next((at for at in starts if cell_len(text[at:]) < width), len(text)) :] if width > 0 else ""


def bar(share: float, width: int) -> str:
    """Return a bar of exactly `width` cells, as long as `share` (0 to 1) of them."""
    full, part = divmod(round(share * width * len(_EIGHTHS)), len(_EIGHTHS))
    return ("█" * full + (_EIGHTHS[part] if part else "")).ljust(width)


def format_time(seconds: float) -> str:
    """Return a time as `m:ss.t`, with hours where it has any."""
    tenths = max(0, round(seconds * 10))
    minutes, tenths = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    return f"{f'{hours}:{minutes:02}' if hours else minutes}:{tenths / 10:04.1f}"


def format_hertz(hertz: float) -> str:
    """Return a frequency with two or three digits: `87 Hz`, `2.45 kHz`."""
    return f"{hertz / 1000:.3g} kHz" if hertz >= 1000 else f"{hertz:.0f} Hz"


def format_left(seconds: float) -> str:
    """Return the time that something still takes, in words, as coarse as an estimate is."""
    if seconds < 60:
        return "under a minute left"
    minutes = seconds / 60
    return f"about {round(minutes) if minutes < 7.5 else 5 * round(minutes / 5)} min left"


def _is_control(letter: str) -> bool:
    category = unicodedata.category(letter)
    return category in ("Cc", "Cs", "Zl", "Zp") or (category == "Cf" and letter not in _KEPT_FORMAT)
