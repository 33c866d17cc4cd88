"""Entries of a TOML file that a person writes: one is put in another's place, and comments stay."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Sequence

# A string, in each of TOML's four kinds, or a comment.
_STRING_OR_COMMENT = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}|'  # basic, of several lines
    r"'''.*?'{3,5}|"  # literal, of several lines
    r'"(?:\\.|[^"\\\n])*"|'  # basic
    r"'[^'\n]*'|"  # literal
    r"(?P<comment>#[^\n]*)",
    re.DOTALL,
)


def line(key: str, values: Sequence[str]) -> str:
    """Return an entry of a list of texts."""
    return f"{_quoted(key)} = [{', '.join(map(_quoted, values))}]"


def replaced(lines: Sequence[str], key: str, entry: str) -> list[str]:
    """Return a file's lines with another entry for a key that is among them.

    A comment behind an entry of one line stays behind it, those inside one of several lines stand above it.
    """
    found: list[str] = []
    for statement, name in _statements(lines):
        if name != key:
            found += statement
            continue
        comments = [one["comment"] for one in _STRING_OR_COMMENT.finditer("\n".join(statement)) if one["comment"]]
        behind = len(statement) == 1
        found += [*(() if behind else comments), "  ".join([entry, *comments]) if behind else entry]
    return found


def _statements(lines: Sequence[str]) -> Iterator[tuple[list[str], str | None]]:
    """Yield the lines of each entry with its key, and those between entries one by one with None."""
    begun: list[str] = []
    for one in lines:
        begun.append(one)
        try:
            told = tomllib.loads("\n".join(begun))
        except tomllib.TOMLDecodeError:
            continue  # it goes on in the next line
        yield begun, next(iter(told), None)
        begun = []
    if begun:
        yield begun, None


def _quoted(text: str) -> str:
    """Quote a text; JSON's escapes are TOML's, which wants one more character escaped."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
