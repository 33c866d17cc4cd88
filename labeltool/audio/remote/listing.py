"""The sounds of a folder in a store, and of a list of URLs; what a list names is data, and may only be a URL."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from labeltool.audio.remote.reference import remember
from labeltool.audio.remote.remote_file import open_bytes
from labeltool.errors import LabeltoolError, in_one_line
from labeltool.util.files.bounded_read import MAX_TABLE_BYTES
from labeltool.util.urls import as_url, checked_url, is_url

LISTS = frozenset({".txt", ".csv", ".tsv"})
"""Endings of lists of URLs."""

REQUESTS_AT_ONCE = 16
"""Sounds that are requested at the same time: most of the time goes by with waiting."""

# Columns of a table that name a sound, the likeliest first.
_COLUMNS = ("url", "uri", "file", "path", "recording", "audio", "filename", "file_name")
_MAX_SHOWN = 80


def suffix_of(place: str | Path) -> str:
    """Return the ending of a place's file name, in small letters; of a web server's, without query and fragment."""
    text = as_url(place) if is_url(place) else str(place)
    # Names in a store may have `?` and `#`.
    return PurePosixPath(urlsplit(text).path if text.startswith("http") and is_url(text) else text).suffix.lower()


def are_urls(text: str, suffix: str) -> bool:
    """Return whether a file that ends so, with this text, is a list of URLs, and of nothing else."""
    rows = _rows(text, suffix) if suffix in LISTS else []
    return bool(rows) and all(is_url(name) for _, name in rows)


def sounds_at(place: str | Path, suffixes: Collection[str]) -> Iterator[str | LabeltoolError]:
    """Yield the URLs of a URL, which may be a sound, a folder of a store or a list, or of a list on this disk.

    Parameters
    ----------
    suffixes
        Endings of sounds, by which a folder is searched; hidden files are passed over.

    Yields
    ------
    str or LabeltoolError
        An error for each line of a list that is no URL, and for a folder that cannot be listed any further.

    Raises
    ------
    LabeltoolError
        When the place cannot be read at all.
    """
    if suffix_of(place) in LISTS:
        yield from _listed(place)
        return
    from labeltool.audio.remote import fetching

    url = checked_url(place)
    # A sound is no folder: that costs no request.
    found = None if suffix_of(url) in suffixes else fetching.files(url)
    if found is None:
        yield url
        return
    try:
        for reference in found:
            if suffix_of(reference.url) in suffixes:
                remember(reference)
                yield reference.url
    except LabeltoolError as error:
        yield error


def _listed(place: str | Path) -> Iterator[str | LabeltoolError]:
    shown = as_url(place) if is_url(place) else str(place)
    try:
        with open_bytes(place) as file:
            content = file.read(MAX_TABLE_BYTES + 1)
        if len(content) > MAX_TABLE_BYTES:
            raise ValueError(f"is larger than {MAX_TABLE_BYTES >> 20} MiB")
        text = content.decode("utf-8-sig")
        rows = _rows(text, suffix_of(place))
    except (OSError, ValueError, csv.Error) as error:
        raise LabeltoolError(f"cannot be read as a list of URLs: {error}", file=shown) from error
    if not any(is_url(name) for _, name in rows) and not is_url(place):
        raise LabeltoolError(
            "has no URLs", file=shown, remedy="give sound files, or `labeltool import table` for labels"
        )
    base = shown.rpartition("/")[0] if is_url(place) else None
    for line, name in rows:
        try:
            yield _resolved(name, base)
        except LabeltoolError as error:
            yield LabeltoolError(
                f"{error.file or in_one_line(name)[:_MAX_SHOWN]!r} {error.reason}",
                file=shown,
                line=line,
                remedy=error.remedy,
            )


def _resolved(name: str, base: str | None) -> str:
    """Return the URL that a list has; what is relative is beside a remote list."""
    if is_url(name):
        return checked_url(name)
    parts = name.split("/")
    if base is None or name.startswith("/") or ".." in parts or ":" in parts[0]:
        raise LabeltoolError("is no URL", remedy="a list has one URL in each line")
    return checked_url(f"{base}/{name}")


def _rows(text: str, suffix: str) -> list[tuple[int, str]]:
    """Return the number and the place of each line that has one."""
    if suffix == ".txt":
        lines = enumerate(map(str.strip, text.splitlines()), start=1)
        return [(number, line) for number, line in lines if line and not line.startswith("#")]
    first = text.partition("\n")[0]
    delimiter = "\t" if suffix == ".tsv" or "\t" in first else ";" if first.count(";") > first.count(",") else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    rows = [(reader.line_num, row) for row in reader if any(row)]
    if not rows:
        return []
    header = [name.strip().casefold() for name in rows[0][1]]
    column = next((header.index(name) for name in _COLUMNS if name in header), None)
    if column is None:
        column = next((at for at, name in enumerate(rows[0][1]) if is_url(name.strip())), 0)
    else:
        rows = rows[1:]
    return [(number, row[column].strip()) for number, row in rows if column < len(row) and row[column].strip()]
