"""Many clips in columns, a twentieth as large as their records; a record is made when it is read."""

from __future__ import annotations

import operator
from abc import abstractmethod
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar, overload

from labeltool.records import LabelledClip, StoredClip

R = TypeVar("R")


class _Columns(Sequence[R]):
    """Records that are made of columns whenever they are asked for."""

    @overload
    def __getitem__(self, index: int) -> R: ...

    @overload
    def __getitem__(self, index: slice) -> list[R]: ...

    def __getitem__(self, index: int | slice) -> R | list[R]:
        if isinstance(index, slice):
            return [self._record(row) for row in range(*index.indices(len(self)))]
        return self._record(index)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and len(self) == len(other) and all(map(operator.eq, self, other))

    __hash__ = None  # type: ignore[assignment]

    @abstractmethod
    def _record(self, row: int) -> R: ...


class StoredClips(_Columns[StoredClip]):
    """Clips in an order; each becomes a record when it is asked for.

    Attributes
    ----------
    ids
        Of the clips; as int64, it is no copy for NumPy.
    """

    def __init__(self, clips: Iterable[StoredClip] = ()) -> None:
        self.ids, self._starts_s, self._ends_s = array("q"), array("d"), array("d")
        # What the clips of a recording share is kept once, with a place in that list for each clip.
        self._shared: list[tuple[int, str, str, int | None, str, str | None]] = []
        self._place = array("i")
        places: dict[tuple[int, str, str, int | None, str, str | None], int] = {}
        for clip in clips:
            shared = (clip.recording_id, clip.path, clip.sha256, clip.fold, clip.group, clip.samples_sha256)
            self._place.append(places.setdefault(shared, len(places)))
            self.ids.append(clip.id)
            self._starts_s.append(clip.start_s)
            self._ends_s.append(clip.end_s)
        self._shared.extend(places)

    def __len__(self) -> int:
        return len(self.ids)

    def _record(self, row: int) -> StoredClip:
        recording_id, path, sha256, fold, group, samples = self._shared[self._place[row]]
        start_s, end_s = self._starts_s[row], self._ends_s[row]
        return StoredClip(self.ids[row], recording_id, path, sha256, start_s, end_s, fold, group, samples)

    def __iter__(self) -> Iterator[StoredClip]:
        for id_, start_s, end_s, place in zip(self.ids, self._starts_s, self._ends_s, self._place, strict=True):
            recording_id, path, sha256, fold, group, samples = self._shared[place]
            yield StoredClip(id_, recording_id, path, sha256, start_s, end_s, fold, group, samples)

    def pick(self, rows: Sequence[int]) -> StoredClips:
        """Return some of the clips, by their row numbers, in the order of those numbers."""
        picked = StoredClips()
        picked.ids = array("q", (self.ids[row] for row in rows))
        picked._starts_s = array("d", (self._starts_s[row] for row in rows))
        picked._ends_s = array("d", (self._ends_s[row] for row in rows))
        picked._place = array("i", (self._place[row] for row in rows))
        picked._shared = self._shared
        return picked


class LabelledClips(_Columns[LabelledClip]):
    """Clips with their verdicts, in an order; clips with the same verdicts share them.

    Attributes
    ----------
    clips
        Without their verdicts.
    distinct
        Of the clips with the same verdicts, one.
    distinct_row
        The place in `distinct` for each clip; as int32, it is no copy for NumPy.
    """

    def __init__(self, labelled: Iterable[LabelledClip] = ()) -> None:
        self.distinct: list[LabelledClip] = []
        self.distinct_row = array("i")
        self._places: dict[object, int] = {}
        self.clips = StoredClips(map(self._added, labelled))

    @classmethod
    def of(cls, labelled: Sequence[LabelledClip]) -> LabelledClips:
        """Return clips in columns: themselves where they are."""
        return labelled if isinstance(labelled, LabelledClips) else cls(labelled)

    def _added(self, one: LabelledClip) -> StoredClip:
        self.distinct_row.append(self._distinct_row_of(one))
        return one.clip

    def _distinct_row_of(self, one: LabelledClip) -> int:
        # By the order of the verdicts too: it is kept.
        place = self._places.setdefault((*one.verdicts.items(), one.none_of_these, one.hierarchy), len(self.distinct))
        if place == len(self.distinct):
            self.distinct.append(one)
        return place

    def __len__(self) -> int:
        return len(self.distinct_row)

    def _record(self, row: int) -> LabelledClip:
        same = self.distinct[self.distinct_row[row]]
        return LabelledClip(self.clips[row], same.verdicts, same.none_of_these, same.hierarchy)

    def __iter__(self) -> Iterator[LabelledClip]:
        for clip, row in zip(self.clips, self.distinct_row, strict=True):
            same = self.distinct[row]
            yield LabelledClip(clip, same.verdicts, same.none_of_these, same.hierarchy)

    def set_verdicts(self, row: int, one: LabelledClip) -> None:
        """Give the clip at a place the verdicts of another record of it."""
        self.distinct_row[row] = self._distinct_row_of(one)

    def pick(self, rows: Sequence[int]) -> LabelledClips:
        """Return some of the clips, by their row numbers, in the order of those numbers."""
        picked = LabelledClips()
        picked.clips, picked.distinct, picked._places = self.clips.pick(rows), self.distinct, self._places
        picked.distinct_row = array("i", (self.distinct_row[row] for row in rows))
        return picked

    def where(self, is_wanted: Callable[[LabelledClip], bool]) -> LabelledClips:
        """Return the clips that are wanted; their verdicts alone decide."""
        wanted = [is_wanted(one) for one in self.distinct]
        return self.pick(array("q", (row for row, place in enumerate(self.distinct_row) if wanted[place])))

    def counted(self) -> list[tuple[LabelledClip, int]]:
        """Return one clip of those with the same verdicts, and their number."""
        return [(self.distinct[place], count) for place, count in Counter(self.distinct_row).items()]
