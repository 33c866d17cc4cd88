"""Types that many modules share: arrays by their element type, and how long work reports its progress."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Objects = npt.NDArray[np.object_]
UInt32 = npt.NDArray[np.uint32]
Int32 = npt.NDArray[np.int32]
Int16 = npt.NDArray[np.int16]
Int8 = npt.NDArray[np.int8]
Bools = npt.NDArray[np.bool_]


class Progress(Protocol):
    """Called by long work with how far a stage is.

    Parameters
    ----------
    stage
        What is being done.
    done, total
        In the stage's own unit; a total of 0 is one not known beforehand.
    text
        The item at hand, or a remark.
    """

    def __call__(self, stage: str, done: int, total: int, text: str = "", /) -> None:
        """Take a report."""
