"""Frames of clips that are read when they are asked for."""

from __future__ import annotations

import weakref

import numpy as np

from labeltool.type_aliases import Float32
from labeltool.util.lazy_frames import LazySequence, frame_counts, in_one_array, join, pick


def test_frames_become_one_array_with_few_of_them_in_memory() -> None:
    alive: list[weakref.ref[Float32]] = []
    most = 0

    def read(item: int) -> Float32:
        nonlocal most
        frames = np.full((item, 2), item, np.float32)
        alive.append(weakref.ref(frames))
        most = max(most, sum(one() is not None for one in alive))
        return frames

    together = in_one_array(LazySequence(read, [3, 1, 2, 5, 4] * 10))
    assert together.shape == (150, 2)
    np.testing.assert_array_equal(together[:11, 0], [3, 3, 3, 1, 2, 2, 5, 5, 5, 5, 5])
    assert most <= 2


def test_frames_are_counted_without_reading_those_whose_number_is_known() -> None:
    def read(item: int) -> Float32:
        raise AssertionError("nothing is read")

    known = LazySequence(read, [3, 1, 2], lambda item: item)
    in_memory = [np.zeros((7, 2), np.float32), np.zeros((9, 2), np.float32)]
    assert frame_counts(pick(join(known, in_memory), [4, 0, 2])).tolist() == [9, 3, 2]
    assert frame_counts(known[1:]).tolist() == [1, 2]
    assert frame_counts(join(in_memory, known)).tolist() == [7, 9, 3, 1, 2]
    assert frame_counts([]).tolist() == []
