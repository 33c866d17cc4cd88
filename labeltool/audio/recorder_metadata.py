"""What a recorder wrote into a WAV about its recording: GUANO (the chunk `guan`), and an AudioMoth's comment.

GUANO 1.0 is lines of `Key: Value` in UTF-8, a maker's own keys with a prefix (`WA|Song Meter|Prefix`); some recorders
fill it up with zeros, and write offsets such as `+1:00` that ISO 8601 does not know. An AudioMoth writes a sentence.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

from labeltool.audio.remote.remote_file import open_bytes
from labeltool.records import label_name
from labeltool.util.recorded_at import DEVICE, RECORDED_AT, SITE, prefix_of_name, time_of_name

LOCATION = "location"
"""The column with latitude and longitude, degrees (WGS 84)."""

# A WAV has a handful of chunks, and GUANO some hundred bytes; some programs add their results to it.
_MAX_CHUNKS, _MAX_BYTES = 64, 1 << 16
_MAX_CHARACTERS = 200
# The size of the sound in an RF64, whose first chunk has it.
_IN_DS64 = 0xFFFFFFFF

_TIME = re.compile(r"\s*(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d)?)")
_POSITION = re.compile(r"([+-]?\d{1,3}(?:[.,]\d{1,20})?)[\s,;]+([+-]?\d{1,3}(?:[.,]\d{1,20})?)", re.ASCII)
_AUDIOMOTH = re.compile(
    r"Recorded at (\d\d:\d\d:\d\d)(?:\.\d{1,6})? (\d\d)/(\d\d)/(\d{4})\b.{0,60}?\bby (AudioMoth [0-9A-F]{8,16})\b"
)
_SITES = ("Site", "NABat|Site Name", "WA|Song Meter|Prefix")


def recorder_columns(path: str | Path) -> tuple[tuple[str, str], ...]:
    """Return when, where and by what a recording was made, as far as its recorder wrote it.

    Times are by the recorder's own clock, without a zone, as those of names. What the file's name has too is no column.

    Returns
    -------
    pairs of name and value
        `recorded_at` (ISO 8601), `site`, `device` and `location`, as a table has them of a recording.

    Raises
    ------
    OSError
        When the file cannot be read.
    LabeltoolError
        When it is remote and cannot be read.
    """
    found: dict[str, str] = {}
    for name, content in _chunks(path):
        columns = _of_guano(content) if name == b"guan" else _of_comment(content)
        tidy = {name: label_name(text[:_MAX_CHARACTERS]) for name, text in columns.items()}
        found |= {name: text for name, text in tidy.items() if text}  # a chunk that lacks it hides nothing
    place = Path(path)
    time, site = time_of_name(place), prefix_of_name(place)
    known = {RECORDED_AT: "" if time is None else time.isoformat(), SITE: site}
    return tuple((name, text) for name, text in found.items() if text != known.get(name))


def _chunks(path: str | Path) -> Iterator[tuple[bytes, bytes]]:
    """Yield the chunks of a WAV that may be metadata, with their beginnings; none of another file."""
    with open_bytes(path) as file:
        head = file.read(12)
        if head[:4] not in (b"RIFF", b"RF64") or head[8:] != b"WAVE":
            return
        length, place, data_bytes = file.seek(0, os.SEEK_END), len(head), 0
        for _ in range(_MAX_CHUNKS):
            if place + 8 > length:
                return
            file.seek(place)
            head = file.read(8)
            name, size = head[:4], int.from_bytes(head[4:], "little")
            if name in (b"guan", b"LIST"):
                yield name, file.read(min(size, _MAX_BYTES))
            elif name == b"ds64":
                data_bytes = int.from_bytes(file.read(16)[8:], "little")
            elif name == b"data" and size == _IN_DS64:
                size = data_bytes
            place += 8 + size + size % 2


def _of_guano(content: bytes) -> dict[str, str]:
    lines = content.decode("utf-8", "replace").replace("\0", "").splitlines()
    fields = {key.strip(): text.strip() for key, colon, text in (line.partition(":") for line in lines) if colon}
    time = _TIME.match(fields.get("Timestamp", ""))
    device = (fields.get(name, "") for name in ("Make", "Model", "Serial"))
    return {
        **_time(f"{time[1]}T{time[2]}" if time else ""),
        SITE: next((fields[name] for name in _SITES if fields.get(name)), ""),
        DEVICE: " ".join(filter(None, device)),
        LOCATION: _location(fields),
    }


def _location(fields: Mapping[str, str]) -> str:
    """Return a position, "" where it is none, or the 0 0 of a receiver that had none yet."""
    position = _POSITION.fullmatch(fields.get("Loc Position", ""))
    if position is None:
        return ""
    latitude, longitude = (float(text.replace(",", ".")) for text in position.groups())
    is_place = abs(latitude) <= 90 and abs(longitude) <= 180 and (latitude, longitude) != (0, 0)
    return f"{latitude} {longitude}" if is_place else ""


def _of_comment(content: bytes) -> dict[str, str]:
    """Return what an AudioMoth's comment says, in a list of information; nothing of another one."""
    comment = _AUDIOMOTH.search(content.decode("latin-1")) if content.startswith(b"INFO") else None
    if comment is None:
        return {}
    time, day, month, year, device = comment.groups()
    return {**_time(f"{year}-{month}-{day}T{time}"), DEVICE: device}


def _time(text: str) -> dict[str, str]:
    try:
        return {RECORDED_AT: datetime.fromisoformat(text).isoformat()}
    except ValueError:
        return {}
