"""Frames of clips that are read when they are used: those of a million clips would fit no memory."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Generic, TypeVar, cast, overload

import numpy as np

from labeltool.type_aliases import Float32, Int64

T = TypeVar("T")
R = TypeVar("R")


class LazySequence(Sequence[R], Generic[T, R]):
    """A sequence whose elements are made anew each time that they are asked for.

    Parameters
    ----------
    read
        Returns the element of an item.
    items
        One for each element.
    length_of
        Returns the length of an item's element, without reading it; None: it is read.
    """

    def __init__(self, read: Callable[[T], R], items: Sequence[T], length_of: Callable[[T], int] | None = None) -> None:
        self._read, self._items, self._length_of = read, items, length_of

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[R]:
        return map(self._read, self._items)

    @overload
    def __getitem__(self, index: int) -> R: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[R]: ...

    def __getitem__(self, index: int | slice) -> R | Sequence[R]:
        if isinstance(index, slice):
            return LazySequence(self._read, self._items[index], self._length_of)
        return self._read(self._items[index])

    def length_at(self, index: int) -> int:
        """Return the length of an element."""
        return (
            len(cast("Sequence[object]", self[index]))
            if self._length_of is None
            else self._length_of(self._items[index])
        )


def pick(some: Sequence[R], indices: Sequence[int] | Int64) -> Sequence[R]:
    """Return some elements, of frames say, in the order of the indices."""
    return LazySequence(some.__getitem__, cast("Sequence[int]", indices), partial(_length_at, some))


def frame_counts(frames: Sequence[Float32]) -> Int64:
    """Return the number of frames of each clip, `(clips,)`; of those in a cache none is read."""
    return np.fromiter((_length_at(frames, index) for index in range(len(frames))), np.int64, len(frames))


def _length_at(some: Sequence[Any], index: int) -> int:
    return some.length_at(index) if isinstance(some, LazySequence) else len(some[index])


def in_one_array(frames: Sequence[Float32]) -> Float32:
    """Return the frames of all clips as one array, (frames of all, columns); one clip's file is open at a time."""
    counts = frame_counts(frames)
    together = np.empty((sum(counts), frames[0].shape[1]), frames[0].dtype)
    for part, one in zip(np.split(together, np.cumsum(counts)[:-1]), frames, strict=True):
        part[...] = one
    return together


def join(*parts: Sequence[Float32]) -> Sequence[Float32]:
    """Return the frames of several sequences, one after the other."""
    ends = [*itertools.accumulate(map(len, parts))]

    def place(index: int) -> tuple[Sequence[Float32], int]:
        part = bisect.bisect_right(ends, index)
        return parts[part], index - ends[part]

    def frames(index: int) -> Float32:
        part, row = place(index)
        return part[row]

    return LazySequence(frames, range(ends[-1]), lambda index: _length_at(*place(index)))
