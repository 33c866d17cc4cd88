"""Frames of clips that are read when they are asked for."""

from __future__ import annotations

import weakref

import numpy as np

from labeltool.inference.lazy_frames import LazySequence, in_one_array
from labeltool.type_aliases import Float32


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
