"""TextGrids of Praat in text form, long or short: tiers of intervals and of points.

Both forms are read by Praat's own rule (https://www.fon.hum.uva.nl/praat/manual/TextGrid_file_formats.html): only what
stands alone is data, texts in quotes and numbers; the rest, such as `xmin =`, is for people. `praatio` reads real files
right too, but has no line numbers, ends at the first number that it does not know (`1e-5`), takes a label `item [2]:`
or `IntervalTier` for structure, and reads a file that was cut without a word; `textgrid` reads no short form and rounds
times.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from labeltool.errors import LabeltoolError
from labeltool.importers.base import quoted, read_text
from labeltool.importers.file_kinds import describe_kind
from labeltool.importers.label_rows import ParsedLabels, label_rows
from labeltool.records import Skipped

_KIND, _REMEDY = "a TextGrid in text form", "save it in Praat with Save > Save as text file"
_LINE_END = re.compile(r"\r\n?")
# No part of it is tried twice: the time is that of the length, whatever the text.
_TOKEN = re.compile(
    r'"(?P<text>(?:[^"]|"")*+)(?P<close>"?)|![^\n]*+'
    r"|(?<!\S)(?P<number>[+-]?+(?:\d++\.?+\d*+|\.\d++)(?:[eE][+-]?+\d++)?+)(?!\S)",
    re.ASCII,
)
_MAX_NUMBER, _MAX_NUMBERS, _MAX_ENTRIES = 100, 8, 500_000
_TIMES = {"IntervalTier": 2, "TextTier": 1}
_HEADER = 3  # numbers of a tier: its start, its end, and how many entries it has


@dataclass(frozen=True, slots=True)
class _Entry:
    """A text with its line, and the numbers before it; None where the file ends before the text does."""

    line: int
    numbers: list[float]
    text: str | None


@dataclass(slots=True)
class _Tier:
    line: int
    kind: str
    name: str | None = None
    declared: float | None = None
    entries: int = 0


def parse(path: Path, *, encoding: str | None = None) -> ParsedLabels:
    """Read a TextGrid: a tier is a track, an empty interval is no label, an empty point is one without a name."""
    text, notes = read_text(path, _KIND, _REMEDY, encoding)
    entries = _entries(_LINE_END.sub("\n", text))
    heads = [entry.text or "" for entry in islice(entries, 2)]
    if not heads or not heads[0].startswith("ooTextFile"):
        raise LabeltoolError(describe_kind(path, _KIND), file=path, remedy=_REMEDY)
    if heads[1:] != ["TextGrid"]:
        raise LabeltoolError(f"is no TextGrid of Praat, but {quoted(heads[-1])}", file=path, remedy=_REMEDY)
    grid = _Grid(str(path), notes)
    for entry in entries:
        grid.add(entry)
    grid.close()
    return ParsedLabels(label_rows(grid.rows), grid.skipped)


def _entries(text: str) -> Iterator[_Entry]:
    numbers: list[float] = []
    line, position = 1, 0
    for token in _TOKEN.finditer(text):
        line += text.count("\n", position, token.start())
        position = token.start()
        if token["text"] is not None:
            yield _Entry(line, numbers, token["text"].replace('""', '"') if token["close"] else None)
            numbers = []
        elif token["number"] and len(token["number"]) <= _MAX_NUMBER and len(numbers) < _MAX_NUMBERS:
            numbers.append(float(token["number"]))
    if numbers:
        yield _Entry(line, numbers, None)


@dataclass(slots=True)
class _Grid:
    """The labels of a TextGrid; an entry ends with its text, so that one with a damaged number harms no other."""

    file: str
    skipped: list[Skipped]
    rows: list[dict[str, object]] = field(default_factory=list)
    _tier: _Tier | None = None
    _entries: int = 0
    _tiers: int = 0
    _declared_tiers: float = 0.0

    def add(self, entry: _Entry) -> None:
        """Take the next entry: the class of a tier, its name, or an interval or a point."""
        self._entries += 1
        if self._entries > _MAX_ENTRIES:
            raise LabeltoolError(f"has more than {_MAX_ENTRIES} intervals and points", file=self.file)
        tier, numbers = self._tier, entry.numbers
        if tier is not None and tier.name is None:
            tier.name = entry.text or ""
            return
        if (tier is None or tier.declared is None) and len(numbers) >= _HEADER:
            if tier is None:
                self._declared_tiers = numbers[_HEADER - 1]
            else:
                tier.declared = numbers[_HEADER - 1]
            numbers = numbers[_HEADER:]
        if not numbers and entry.text in _TIMES:
            self._close_tier()
            self._tier = _Tier(entry.line, entry.text)
            self._tiers += 1
        elif tier is None:
            self._skip(entry.line, f"belongs to no tier: {quoted(entry.text or '')}")
        elif entry.text is not None or numbers:
            self._add_label(tier, entry.line, numbers, entry.text)

    def _add_label(self, tier: _Tier, line: int, times: list[float], text: str | None) -> None:
        if text is None:
            self._skip(line, f"ends within {self._described(tier)}: the file is cut")
            return
        tier.entries += 1
        if len(times) != _TIMES[tier.kind] or not all(map(math.isfinite, times)):
            expected = "a start and an end" if tier.kind == "IntervalTier" else "one time"
            self._skip(line, f"the label {quoted(text)} in {self._described(tier)} must have {expected}")
        elif text.strip() or tier.kind == "TextTier":
            start_s, end_s = min(times), max(times)
            self.rows.append({"line": line, "start_s": start_s, "end_s": end_s, "label": text, "track": tier.name})

    def close(self) -> None:
        """Report what the file declares and does not have."""
        self._close_tier()
        if self._tiers < self._declared_tiers:
            self._skip(None, f"has {self._tiers} of its {self._declared_tiers:g} tiers: the file is cut")

    def _close_tier(self) -> None:
        tier = self._tier
        if tier is not None and (tier.declared is None or tier.entries < tier.declared):
            declared = "entries" if tier.declared is None else f"{tier.declared:g} entries"
            self._skip(tier.line, f"{self._described(tier)} has {tier.entries} of its {declared}: the file is cut")

    def _skip(self, line: int | None, reason: str) -> None:
        self.skipped.append(Skipped(self.file, line, reason))

    @staticmethod
    def _described(tier: _Tier) -> str:
        return f"the tier {quoted(tier.name or '')}"
