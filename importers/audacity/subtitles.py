"""SubRip (`.srt`) and WebVTT (`.vtt`), as Audacity 3.5 and later exports labels and as other programs write them.

Of a cue its times and its text are read; lines of one text are joined by a blank, as Audacity does. Formatting tags,
WebVTT's character references and settings are not part of a label. WebVTT: https://www.w3.org/TR/webvtt1/.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from labeltool.importers.audacity.label_track import LINE_END, LabelRow, clock_time_s, parsed_labels, require_bounded
from labeltool.importers.base import quoted, read_text
from labeltool.importers.file_kinds import ARROW
from labeltool.importers.label_rows import ParsedLabels
from labeltool.records import Skipped

_ARROW = re.compile("-->")
_ANY_ARROW = re.compile(ARROW)
_TAG = re.compile(r"</?(?:[bius]|font|c|i|lang|ruby|rt|v)(?:[\s.][^<>]{0,200})?>", re.IGNORECASE)
_NOT_A_CUE = ("WEBVTT", "NOTE", "STYLE", "REGION")
_REMEDY = "give the SubRip or WebVTT file that the program exported"


@dataclass(frozen=True, slots=True)
class _Cue:
    """The line of a cue's times, start and end in seconds, and the lines of its text."""

    line: int
    times: tuple[float, float]
    text: list[str]


def parse_subtitles(path: Path, encoding: str | None = None, *, is_webvtt: bool) -> ParsedLabels:
    """Read a SubRip or WebVTT file."""
    text, skipped = read_text(path, "a subtitle file", _REMEDY, encoding)
    rows: list[LabelRow] = []
    for one in _cues(path, LINE_END.split(text), is_webvtt):
        if isinstance(one, Skipped):
            skipped.append(one)
        else:
            start_s, end_s = sorted(one.times)
            label = _TAG.sub("", " ".join(one.text))
            label = html.unescape(label) if is_webvtt else label
            rows.append(LabelRow(one.line, start_s, end_s, label))
        require_bounded(path, rows, skipped)
    return parsed_labels(rows, skipped)


def _cues(path: Path, lines: list[str], is_webvtt: bool) -> Iterator[_Cue | Skipped]:
    """Yield the cues, and the lines that belong to none."""
    cue: _Cue | None = None
    before: Skipped | None = None  # a counter or an identifier, where times follow
    previous = ""
    in_note = False  # or in the text of a cue whose times cannot be read
    for number, line in enumerate([*lines, ""], start=1):
        # In a cue any arrow but the standard's is text, except after a counter without a blank line before it.
        is_outside, follows_counter = cue is None and not in_note, previous.strip().isdigit()
        arrow = (_ANY_ARROW if is_outside or follows_counter else _ARROW).search(line)
        times = _times(line, arrow) if arrow else None
        is_damaged = (
            arrow is not None and times is None and (is_outside or (follows_counter and line.lstrip()[:1].isdigit()))
        )
        if times is not None or is_damaged:
            if cue is not None:
                if cue.text and follows_counter:
                    cue.text.pop()
                yield cue
            cue = None if times is None else _Cue(number, times, [])
            if is_damaged:
                yield Skipped(str(path), number, f"has times that cannot be read, with its text: {quoted(line)}")
            before, in_note = None, is_damaged
        elif cue is not None and line.strip():
            cue.text.append(line)
        elif line.strip() and not in_note:
            if before is not None:
                yield before
            in_note = is_webvtt and line.lstrip("\ufeff").split(maxsplit=1)[0] in _NOT_A_CUE
            is_counter = in_note or line.strip().isdigit()
            before = None if is_counter else Skipped(str(path), number, f"belongs to no times: {quoted(line)}")
        elif not line.strip():
            yield from (one for one in (before, cue) if one is not None)
            cue, before, in_note = None, None, False
        previous = line


def _times(line: str, arrow: re.Match[str]) -> tuple[float, float] | None:
    end, *_ = line[arrow.end() :].split(maxsplit=1) or [""]  # WebVTT's settings follow
    start_s, end_s = clock_time_s(line[: arrow.start()]), clock_time_s(end)
    return None if start_s is None or end_s is None else (start_s, end_s)
