"""Labels of HTK: a file for each sound (`.lab`), or one for all (`.mlf`): lines of start, end and label.

Times are whole numbers of 100 ns. Other programs write samples in the same shape: taken are only files all of whose
times are whole milliseconds, the last one after 0.1 s, and not at the beginning alone of a recording that they would
fill as samples. A label may be in quotes. Of several levels the first is taken, scores are not. Source: The HTK Book
3.4, 6.2 and 6.3.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from labeltool.errors import LabeltoolError
from labeltool.importers.audacity.label_track import LINE_END
from labeltool.importers.base import first_skipped, quoted, read_text
from labeltool.importers.label_rows import ParsedLabels, label_rows
from labeltool.records import Note, Skipped

_KIND, _REMEDY = "a label file of HTK", "give a .lab or an .mlf file with lines of start, end and label"
_MASTER = "#!MLF!#"
_QUOTED = r""""(?:[^"\\]|\\.)*"(?!\S)|'(?:[^'\\]|\\.)*'(?!\S)"""
_LINE = re.compile(rf"[ \t]*([0-9]{{1,15}})[ \t]+([0-9]{{1,15}})[ \t]+({_QUOTED}|[^ \t]+)(.*)")
# Of names of sounds in an .mlf: what follows another dot is a part of the name.
_SUFFIX = re.compile(r"\.(?:lab|rec|phn|wrd|txt)$", re.IGNORECASE)
_UNIT_S, _MILLISECOND, _LEAST_END = 1e-7, 10_000, 1_000_000
_MAX_LINES, _MAX_SKIPPED = 2_000_000, 1000


def parse(path: Path, *, encoding: str | None = None) -> ParsedLabels:
    """Read labels; those of an .mlf name their sounds."""
    text, skipped = read_text(path, _KIND, _REMEDY, encoding)
    lines = LINE_END.split(text)
    if len(lines) > _MAX_LINES:
        raise LabeltoolError(f"has more than {_MAX_LINES} lines", file=path, remedy=_REMEDY)
    found, unread, others = [], [], 0
    for number, sound, line in _lines_of_sounds(lines):
        match = _LINE.fullmatch(line)
        if match is None:
            unread.append(Skipped(str(path), number, f"has no start, end and label: {quoted(line)}"))
            continue
        has_more = any(re.search(r"[^\d\s.eE+-]", part) for part in match[4].split())
        if has_more and "\t" in line[: match.start(3)] and match[4].startswith(" "):
            reason = f"has blanks after tabs: put quotes around what is one label: {quoted(line)}"
            unread.append(Skipped(str(path), number, reason))
            continue
        others += has_more
        found.append((number, sound, int(match[1]), int(match[2]), _unquoted(match[3])))
    ends = [end for *_, end, _ in found]
    if not found:
        raise LabeltoolError(f"is not {_KIND}: no line has a start, an end and a label", file=path, remedy=_REMEDY)
    if max(ends) < _LEAST_END or any(time % _MILLISECOND for _, _, *times, _ in found for time in times):
        raise LabeltoolError(
            "has times that are not whole milliseconds in HTK's unit of 100 ns: they may be seconds or samples",
            file=path,
            remedy="write a header above them: start_sample end_sample label, or start end label above seconds",
        )
    last_s = _seconds(max(ends))
    other = "if they are microseconds, write a header above them: start_us end_us label"
    reason = f"times read in units of 100 ns: the last label ends at {last_s:g} s ({other})"
    skipped.append(Note(str(path), None, reason))
    if others:
        skipped.append(Note(str(path), None, f"has labels of several levels: only the first is taken ({others} lines)"))
    rows = [
        {"line": number, "recording": sound, "start_s": _seconds(start), "end_s": _seconds(end), "label": label}
        for number, sound, start, end, label in found
        if start <= end
    ]
    backwards = [number for number, _, start, end, _ in found if start > end]
    unread += [Skipped(str(path), number, "ends before it starts") for number in backwards]
    unread = first_skipped(unread, _MAX_SKIPPED) if unread else []
    return ParsedLabels(label_rows(rows), skipped + unread, unit_s=_UNIT_S)


def _unquoted(label: str) -> str:
    """Return a label without the quotes around it, and the backslashes before others in it."""
    is_quoted = len(label) > 1 and label[0] in "\"'" and label[0] == label[-1]
    return re.sub(r"\\(.)", r"\1", label[1:-1]) if is_quoted else label


def _seconds(time: int) -> float:
    return round(time * _UNIT_S, 7)


def _lines_of_sounds(lines: list[str]) -> Iterator[tuple[int, str | None, str]]:
    """Yield the number of each line with a label, its sound and the line; of several alternatives the first."""
    is_master = lines[0].strip() == _MASTER
    sound: str | None = None
    is_taken = not is_master
    for number, line in enumerate(lines, start=1):
        if not is_master and line.strip():
            yield number, None, line
        elif is_master and line.startswith('"'):
            # "*/a.lab" is any folder's a.lab.
            name = PurePosixPath(line.strip().strip('"').replace("\\", "/").removeprefix("*/"))
            sound, is_taken = _SUFFIX.sub("", str(name)) if name.name else None, True
        elif is_master and line.strip() in (".", "///"):
            is_taken = False
        elif is_master and is_taken and line.strip():
            yield number, sound, line
