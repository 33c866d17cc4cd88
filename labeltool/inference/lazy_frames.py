"""Frames of clips that are read when they are asked for: those of a million clips would fit no memory."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar, cast, overload

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
    """

    def __init__(self, read: Callable[[T], R], items: Sequence[T]) -> None:
        self._read, self._items = read, items

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
            return LazySequence(self._read, self._items[index])
        return self._read(self._items[index])


def pick(some: Sequence[R], indices: Sequence[int] | Int64) -> Sequence[R]:
    """Return some elements, of frames say, in the order of the indices."""
    return LazySequence(some.__getitem__, cast("Sequence[int]", indices))


def in_one_array(frames: Sequence[Float32]) -> Float32:
    """Return the frames of all clips as one array, (frames of all, columns); one clip's file is open at a time."""
    counts = [len(one) for one in frames]
    together = np.empty((sum(counts), frames[0].shape[1]), frames[0].dtype)
    for part, one in zip(np.split(together, np.cumsum(counts)[:-1]), frames, strict=True):
        part[...] = one
    return together


def join(*parts: Sequence[Float32]) -> Sequence[Float32]:
    """Return the frames of several sequences, one after the other."""
    ends = [*itertools.accumulate(map(len, parts))]

    def frames(index: int) -> Float32:
        part = bisect.bisect_right(ends, index)
        return parts[part][index - ends[part]]

    return LazySequence(frames, range(ends[-1]))
