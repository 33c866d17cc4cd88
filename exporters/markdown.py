"""Tables in Markdown, of text that comes from outside."""

from __future__ import annotations

import re

import pandas as pd

_SPECIAL = re.compile(r"([\\`*_\[\]<>|~&#!$])")
_BREAKS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_LINK = re.compile(r"https?://[\w.-]+(/[\w.~!$&'()*+,;=:@%/?#-]*)?", re.ASCII)


def cell(value: object) -> str:
    """Return a value as it is read, whatever characters it contains; a web address is a link, nothing is empty."""
    text = "" if value is None or value is pd.NA or value != value else str(value)
    if _LINK.fullmatch(text):
        return f"<{text}>"
    return _SPECIAL.sub(r"\\\1", _BREAKS.sub(" ", text))


def table(frame: pd.DataFrame) -> str:
    """Return the columns of a table, without its index, as a table of GitHub's Markdown."""
    rows = [list(frame.columns), ["---"] * len(frame.columns), *frame.itertuples(index=False, name=None)]
    lines = [map(cell, row) if number != 1 else row for number, row in enumerate(rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
