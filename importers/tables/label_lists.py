"""Fields of a table that have several labels: lists as programs write them, and labels with separators between them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from labeltool.importers.json_file import items_of, text_of
from labeltool.util.files.bounded_read import parse_json

# A quoted item of a list, as Python writes it.
_ITEM = re.compile(r"""'(?:[^'\\]|\\['\\])*'|"(?:[^"\\]|\\["\\])*\"""")
_LIST = re.compile(rf"\[\s*(?:{_ITEM.pattern})(?:\s*,\s*(?:{_ITEM.pattern}))*\s*\]")
_UNQUOTED = re.compile(r"\[[^\[\]]*\]")


def several_labels(fields: Iterable[str]) -> tuple[dict[str, list[str]], set[str]]:
    """Return the labels of the fields that are several, and those fields of one label that have a separator.

    Several are lists of quoted texts or numbers, and fields between whose `;`, `|` or commas each part is the whole of
    another field, or a part of another one too. Names of labels have such characters as well: without this evidence, a
    field is one label.
    """
    texts = set(fields)
    found = {text: items for text in texts if (items := _items(text)) is not None}
    parted: set[str] = set()
    for mark in ";|,":
        parts = {text: _split(text, mark) for text in texts - found.keys() if mark in text}
        parts = {text: one for text, one in parts.items() if len(one) > 1}
        counts = Counter(part for one in parts.values() for part in set(one))
        parted |= parts.keys()
        found |= {text: one for text, one in parts.items() if all(part in texts or counts[part] > 1 for part in one)}
    return found, parted - found.keys()


def listed_labels(fields: Iterable[str]) -> dict[str, list[str]]:
    """Return the labels of each field of a column of lists: quoted ones, else with the same separator in all fields."""
    lists = {text: _items(text) for text in fields}
    mark = next((mark for mark in ";|" if any(mark in text for text, items in lists.items() if items is None)), ",")
    inner = {text: text[1:-1] if mark in text and _UNQUOTED.fullmatch(text) else text for text in lists}
    return {text: _split(inner[text], mark) if items is None else items for text, items in lists.items()}


def _items(text: str) -> list[str] | None:
    """Return the items of a field that is a list of quoted texts or of numbers; None of any other field."""
    if not (text.startswith("[") and text.endswith("]")):
        return None
    try:
        items = items_of(parse_json(text))
    except ValueError:
        if not _LIST.fullmatch(text):
            return None
        items = [re.sub(r"\\(.)", r"\1", one[1:-1]) for one in _ITEM.findall(text)]
    return [text_of(str(one)) or "" for one in items] if all(isinstance(one, str | int) for one in items) else None


def _split(text: str, mark: str) -> list[str]:
    # What a separator too many leaves beside labels is no label.
    return [part for one in re.findall(f"[^{mark}]+", text) if (part := one.strip())]
