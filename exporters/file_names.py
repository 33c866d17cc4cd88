"""File names made from names that come from outside."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from labeltool.store import Store
from labeltool.util.unicode_names import is_device, nfc
from labeltool.util.urls import is_url

# Characters with a meaning for Windows, macOS or a shell.
_UNSAFE = re.compile(r'[\x00-\x1f\x7f-\x9f<>:"/\\|?*\u2028\u2029]')
_MAX_BYTES = 120

OWN_FILES = frozenset(
    {
        "README.md",
        "MANIFEST.sha256",
        "not_exported.csv",
        "tracks.csv",
        "metadata.csv",
        "ATTRIBUTION.md",
        "attributions.csv",
    }
)
"""Files that products write beside folders which are called after labels or recordings."""


def write_recording_files(
    store: Store, directory: Path, texts: Mapping[int, tuple[str, int]], ending: str, index: str
) -> None:
    """Write a text file for each recording, named as that is, and an index of the files.

    Parameters
    ----------
    texts
        Of each recording, by its id: the text and the number of its regions.
    index
        The index's name; it is a table of track (the file), path, recording_sha256 and regions.
    """
    rows = store.connection.execute("SELECT id, path, sha256 FROM recordings")
    recordings = sorted((row["path"], row["sha256"], row["id"]) for row in rows if row["id"] in texts)
    names = [f"{stem}{ending}" for stem in safe_stems([Path(path).stem for path, _, _ in recordings])]
    with (directory / index).open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n")
        table.writerow(("track", "path", "recording_sha256", "regions"))
        for name, (path, sha256, recording_id) in zip(names, recordings, strict=True):
            text, regions = texts[recording_id]
            (directory / name).write_text(text, encoding="utf-8", newline="\n")
            table.writerow((name, store.absolute_path(path), sha256, regions))


def common_folder(paths: Iterable[str]) -> Path:
    """Return the nearest folder that all files are below, given by absolute paths; URLs do not count."""
    folders = [str(Path(path).parent) for path in paths if not is_url(path)]
    return Path(os.path.commonpath(folders)) if folders else Path()


def short_names(paths: Collection[str]) -> dict[str, str]:
    """Return a different name for each absolute path: the file's, or where two are equal the path below all.

    A URL is then without its scheme.
    """
    names = {path: Path(path).name for path in paths}
    if len(set(names.values())) == len(names):
        return names
    folder = common_folder(paths)
    return {
        path: path.partition("://")[2] if is_url(path) else Path(path).relative_to(folder).as_posix() for path in paths
    }


def safe_stems(
    stems: Sequence[str], max_bytes: int = _MAX_BYTES, *, reserved: Collection[str] = frozenset()
) -> list[str]:
    """Return file name stems that every common file system accepts, all different, in the order given.

    Letters of any script stay. Where two would differ only by case, or not at all, or one so from a name that is
    `reserved`, a number is appended. They have at most `max_bytes` bytes and that number.
    """
    used = {name.casefold() for name in reserved}
    safe: list[str] = []
    for stem in stems:
        plain = _safe(stem, max_bytes)
        candidate, number = plain, 1
        while candidate.casefold() in used:
            number += 1
            candidate = f"{plain}-{number}"
        used.add(candidate.casefold())
        safe.append(candidate)
    return safe


def _safe(stem: str, max_bytes: int) -> str:
    # Composed (NFC): macOS and Linux would otherwise treat two spellings of one name as two files.
    plain = _UNSAFE.sub("_", nfc(stem))
    plain = plain.encode("utf-8", "replace")[:max_bytes].decode("utf-8", "ignore")
    # A leading dot hides a file, a leading hyphen reads as an option, Windows drops dots and spaces at the end.
    plain = plain.lstrip(".- ").rstrip(". ")
    return f"_{plain}" if not plain or is_device(plain) else plain
