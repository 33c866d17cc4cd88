"""Groups of recordings by their names, folders or columns: what stays together in every split.

A rule is what `--group-by` takes:

`name`
    Recordings of one folder whose names differ in the numbers at the end only: siteA-01.wav, siteA-02.wav.
`folder`
    Recordings of one folder.
`column:NAME`
    Recordings with one value in a column of the table.
`{site}_{date}_*`
    A pattern of the name without its ending, or of the path's last parts where it has slashes: `{site}` is some
    characters, kept as a column of that name, `*` any. What is in braces is the group.
`none`
    Each recording by itself.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Literal, TypeVar

from labeltool.errors import LabeltoolError
from labeltool.importers.base import quoted
from labeltool.records import MAX_LABEL_CHARACTERS, GroupsNote, Imported, Recording, Verdict, VerdictTable, label_name
from labeltool.util.unicode_names import nfc

_RULE_NAMES = "folder, column:NAME, a pattern such as '{site}_{date}_*', name, none"
HOW = f"one of: {_RULE_NAMES}"
"""What a person can say, for messages."""

_MAX_PATTERN, _MAX_FIELDS = 200, 8
_WILD = re.compile(r"\{([^{}]*)\}|\*")
# Numbers at the end of a name: a counter, a date, a time. The last one, where a date is one, or all of them.
_LAST_NUMBER = re.compile(r"[-_. ]+(?:\d{4}[-_. ]\d\d[-_. ]\d\d|\d+)$")
_ALL_NUMBERS = re.compile(r"(?:[-_. ]+\d+)+$")

_NOTHING = re.compile(r"(?!)")
_Key = TypeVar("_Key")


@dataclass(frozen=True, slots=True)
class Place:
    """What a rule knows of a recording: its path, its own columns, and the hash by which the project knows it."""

    path: Path
    columns: Mapping[str, str]
    sha256: str


@dataclass(frozen=True, slots=True)
class Named:
    """The group that a rule gives a recording, and the columns that a pattern reads from its name."""

    group: str
    columns: Mapping[str, str] = field(default_factory=dict)


Rule = Callable[[Place], Named | None]
"""Returns the group of a recording; None where its name or its table gives none."""


def rule_of(text: str) -> Rule:
    """Return the rule that a person named."""
    if text in _RULES:
        return _RULES[text]
    kind, _, name = text.partition(":")
    if kind == "column" and name.strip():
        return partial(_by_column, label_name(name))
    if _WILD.search(text):
        return partial(_by_pattern, _compiled(text), text.count("/") + 1)
    raise LabeltoolError(f"{quoted(text)} is no rule for groups", remedy=HOW)


def grouped(records: Iterable[Imported], by: str | None = None) -> Iterator[Imported]:
    """Give the recordings of an import their groups; one that its source gave stays.

    Parameters
    ----------
    by
        A rule. None: by the names of the files, where that says something: not where it would make one group of
        everything, nor where the names are those of the labels.

    Yields
    ------
    Recording, Clip, ... or GroupsNote
        A note on the groups comes first, the rest in its order.

    Raises
    ------
    LabeltoolError
        When the rule is none, or no recording has the column that it names.
    """
    if by is not None:
        rule_of(by)  # refused before anything is read
    read = list(records)
    places = {
        one.sha256: Place(Path(one.path), _tidy([*one.recorder_columns, *one.columns]), one.sha256)
        for one in read
        if isinstance(one, Recording) and one.group == one.sha256
    }
    named = _by_shared_stems(places, _labels(read)) if by is None else named_by(by, places)
    if named and by != "none":
        yield _note(named, places, is_default=by is None)
    for one in read:
        if not isinstance(one, Recording):
            yield one
        elif (found := named.get(one.sha256)) is None:
            yield replace(one, columns=tuple(_tidy(one.columns).items()))
        else:
            columns = tuple({**_tidy(one.columns), **found.columns}.items())
            by_whom: Literal["names", "person"] = "names" if by is None else "person"
            yield replace(one, group=found.group, columns=columns, grouped_by=by_whom)


def named_by(by: str, places: Mapping[_Key, Place]) -> dict[_Key, Named]:
    """Return what a rule gives recordings, without those of which it says nothing.

    Raises
    ------
    LabeltoolError
        When the rule is none, or says nothing of any recording.
    """
    rule = rule_of(by)
    named = {key: found for key, place in places.items() if (found := rule(place)) is not None}
    if places and not named:
        raise LabeltoolError(f"{quoted(by)} gives no recording a group", remedy=HOW)
    return named


def _tidy(columns: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return columns with their names and values as those of labels are written, without empty ones."""
    tidy = {label_name(name): label_name(value)[:MAX_LABEL_CHARACTERS] for name, value in columns}
    return {name[:MAX_LABEL_CHARACTERS]: value for name, value in tidy.items() if name and value}


def _note(named: Mapping[str, Named], places: Mapping[str, Place], *, is_default: bool) -> GroupsNote:
    """Return the line that says which groups there are, and how to have others."""
    groups = Counter(one.group for one in named.values())
    largest, _ = groups.most_common(1)[0]
    members = [places[sha256].path.name for sha256, one in named.items() if one.group == largest]
    how = (
        f"guessed from names that share a stem; --group-by RULE gives others ({_RULE_NAMES})"
        if is_default
        else "as asked"
    )
    such = f"{largest!r} has {', '.join(members[:2])}{', ...' if len(members) > 2 else ''}"
    alone = len(places) - len(named)
    others = f"; {alone} more recordings are by themselves" if alone else ""
    reason = f"groups that stay together in splits: {len(groups)} ({such}){others}; {how}"
    return GroupsNote(str(places[next(iter(named))].path.parent), None, reason)


def _labels(records: Sequence[Imported]) -> Mapping[str, frozenset[str]]:
    """Return the labels of each recording, by its hash."""
    found: dict[str, set[str]] = defaultdict(set)
    for one in records:
        if isinstance(one, Verdict) and one.label is not None:
            found[one.clip.recording_sha256].add(one.label)
        elif isinstance(one, VerdictTable):
            pairs = one.rows[["recording_sha256", "label"]].dropna().drop_duplicates()
            for sha256, label in pairs.itertuples(index=False):
                found[sha256].add(label)
    return {sha256: frozenset(labels) for sha256, labels in found.items()}


def _by_shared_stems(places: Mapping[str, Place], labels: Mapping[str, frozenset[str]]) -> dict[str, Named]:
    """Return the groups of recordings whose names share a stem; none where that says nothing."""
    for numbers in (_ALL_NUMBERS, _LAST_NUMBER):
        # Without a letter, what is shared is a year or a day, and says nothing of a place.
        found = {
            sha256: _by_stem(numbers if any(map(str.isalpha, numbers.sub("", place.path.stem))) else _NOTHING, place)
            for sha256, place in places.items()
        }
        sizes = Counter(one.group for one in found.values())
        if len(sizes) > 1 and max(sizes.values()) > 1 and not _repeats_labels(found, labels):
            return {sha256: one for sha256, one in found.items() if sizes[one.group] > 1}
    return {}


def _repeats_labels(found: Mapping[str, Named], labels: Mapping[str, frozenset[str]]) -> bool:
    """Whether most labels would be in one group only: files called after labels (dog-1.wav) say nothing of places."""
    groups: dict[str, set[str]] = defaultdict(set)
    recordings: Counter[str] = Counter()
    for sha256, of_recording in labels.items():
        if sha256 in found:
            recordings.update(of_recording)
            for label in of_recording:
                groups[label].add(found[sha256].group)
    several = [label for label, count in recordings.items() if count > 1]
    return 2 * sum(len(groups[label]) == 1 for label in several) > len(several)


def _in_folder(name: str, folder: Path) -> str:
    """Return a name that is the same for one folder only, and shows nothing of where it is."""
    return f"{name}#{hashlib.sha256(nfc(str(folder)).encode(errors='surrogateescape')).hexdigest()[:8]}"


def _by_stem(numbers: re.Pattern[str], place: Place) -> Named:
    stem = nfc(place.path.stem)
    return Named(_in_folder(numbers.sub("", stem) or stem, place.path.parent))


def _by_folder(place: Place) -> Named:
    return Named(_in_folder(nfc(place.path.parent.name), place.path.parent))


def _by_column(name: str, place: Place) -> Named | None:
    value = place.columns.get(name, "")
    return Named(f"{name}={value}") if value else None


def _by_pattern(pattern: re.Pattern[str], parts: int, place: Place) -> Named | None:
    match = pattern.fullmatch(nfc("/".join(place.path.with_suffix("").parts[-parts:])))
    if match is None:
        return None
    columns = match.groupdict()
    return Named(",".join(f"{name}={value}" for name, value in columns.items()), columns)


def _alone(place: Place) -> Named:
    return Named(f"file:{place.sha256}")


_RULES: Mapping[str, Rule] = {"name": partial(_by_stem, _ALL_NUMBERS), "folder": _by_folder, "none": _alone}


def _compiled(text: str) -> re.Pattern[str]:
    """Return a pattern as a regular expression that takes no longer than the name's length."""
    fields = [match[1] for match in _WILD.finditer(text) if match[1] is not None]
    if len(text) > _MAX_PATTERN or len(fields) > _MAX_FIELDS or len(set(fields)) < len(fields):
        raise LabeltoolError(f"{quoted(text)} is too long, or names a field twice", remedy=HOW)
    if not fields or not all(name.isidentifier() for name in fields):
        raise LabeltoolError(f"{quoted(text)} needs names in braces, of letters only: '{{site}}_*'", remedy=HOW)
    if re.search(r"(?:\}|\*)(?:\{|\*)", text):
        raise LabeltoolError(f"{quoted(text)} needs a character between two fields", remedy=HOW)
    text = nfc(text)
    wild = list(_WILD.finditer(text))
    expression = re.escape(text[: wild[0].start()])
    for match, following in zip(wild, [*wild[1:], None], strict=True):
        some = f"(?P<{match[1]}>[^/]+?)" if match[1] is not None else "[^/]*?"
        fixed = re.escape(text[match.end() : None if following is None else following.start()])
        # Up to the next place of what follows: no other is tried, but for the last.
        expression += f"(?>{some}{fixed})" if following is not None else some + fixed
    return re.compile(expression)
