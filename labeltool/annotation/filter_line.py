"""A filter of clips as one line of text: `file:site3 label:"dog bark" unlabelled transcript:hello site=A`."""

from __future__ import annotations

import re

from labeltool.annotation.listing import Filter

_WORD = re.compile(
    r'(?:(?P<name>file|label|transcript):|(?P<column>[^\s=":]+)=)?(?:"(?P<quoted>[^"]*)"|(?P<plain>\S+))'
)
_NAMED = re.compile(r"[^\W\d]+:\S")


def parse_filter(line: str) -> Filter:
    """Return the filter that a line of text means; words without a name are a part of the file's path.

    Of several words of one name the last counts, of the file's path all, in their order.
    """
    text: list[str] = []
    label: str | None = None
    labelled: bool | None = None
    transcript = ""
    where: list[tuple[str, str]] = []
    for word in _WORD.finditer(line):
        value = word["plain"] if word["quoted"] is None else word["quoted"]
        if word["column"]:
            where.append((word["column"], value))
        elif word["name"] == "label":
            label = value or None
        elif word["name"] == "transcript":
            transcript = value
        elif word["name"] is None and word["quoted"] is None and value in ("labelled", "unlabelled"):
            labelled = value == "labelled"
        else:
            text.append(value)
    return Filter(" ".join(text), label, labelled, transcript, tuple(where))


def unknown_names(line: str) -> list[str]:
    """Return the words such as `lable:dog` whose name is none of a filter; they are looked for in the file's path."""
    words = (word["plain"] for word in _WORD.finditer(line) if word["plain"] and not word["name"])
    return [word for word in words if _NAMED.match(word)]


def filter_line(wanted: Filter) -> str:
    """Return the line that means a filter."""
    words = [
        f"file:{_quoted(wanted.text)}" if wanted.text else "",
        f"label:{_quoted(wanted.label)}" if wanted.label is not None else "",
        {None: "", True: "labelled", False: "unlabelled"}[wanted.labelled],
        f"transcript:{_quoted(wanted.transcript)}" if wanted.transcript else "",
        *(f"{name}={_quoted(value)}" for name, value in wanted.where),
    ]
    return " ".join(word for word in words if word)


def _quoted(value: str) -> str:
    return f'"{value}"' if re.search(r"\s", value) else value
