"""Frames of clips that are read when they are asked for: those of a million clips would fit no memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar, overload

import numpy as np

from labeltool.type_aliases import Float32

T = TypeVar("T")


class LazyFrames(Sequence[Float32], Generic[T]):
    """A sequence of frames, (frames, columns) each, that are read anew each time.

    Parameters
    ----------
    read
        Returns the frames of an item.
    items
        One for each array.
    """

    def __init__(self, read: Callable[[T], Float32], items: Sequence[T]) -> None:
        self._read, self._items = read, items

    def __len__(self) -> int:
        return len(self._items)

    @overload
    def __getitem__(self, index: int) -> Float32: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Float32]: ...

    def __getitem__(self, index: int | slice) -> Float32 | Sequence[Float32]:
        if isinstance(index, slice):
            return LazyFrames(self._read, self._items[index])
        return self._read(self._items[index])


def pick(frames: Sequence[Float32], indices: Sequence[int]) -> Sequence[Float32]:
    """Return some of the frames of clips, in the order of the indices."""
    return LazyFrames(frames.__getitem__, indices)


def in_one_array(frames: Sequence[Float32]) -> Float32:
    """Return the frames of all clips as one array, (frames of all, columns); one clip's file is open at a time."""
    counts = [len(one) for one in frames]
    together = np.empty((sum(counts), frames[0].shape[1]), frames[0].dtype)
    for part, one in zip(np.split(together, np.cumsum(counts)[:-1]), frames, strict=True):
        part[...] = one
    return together


def join(*parts: Sequence[Float32]) -> Sequence[Float32]:
    """Return the frames of several sequences, one after the other."""
    return LazyFrames(lambda item: item[0][item[1]], [(part, index) for part in parts for index in range(len(part))])
