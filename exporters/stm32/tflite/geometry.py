"""Geometry of a convolution's or pooling's window: its padding, and how far its output may overlap its input."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np


def same_padding(size: int, out_size: int, kernel: int, stride: int) -> int:
    """Return the number of cells that TensorFlow's SAME padding puts before the first."""
    return max(0, (out_size - 1) * stride + kernel - size) // 2


def window_lead(geometry: Mapping[str, int]) -> int:
    """Return how many bytes before its input the output must begin, so that no byte is overwritten before it is read.

    Pixel `p` of the output ends at byte `(p + 1) * out_channels`. After it, the input is needed from the first cell of
    any later window on.
    """
    g = geometry
    rows = np.clip(np.arange(g["out_rows"]) * g["stride_rows"] - g["pad_rows"], 0, g["in_rows"] - 1)
    columns = np.clip(np.arange(g["out_columns"]) * g["stride_columns"] - g["pad_columns"], 0, g["in_columns"] - 1)
    first = ((rows[:, None] * g["in_columns"] + columns) * g["in_channels"]).ravel()
    needed = np.minimum.accumulate(first[::-1])[::-1]
    written = np.arange(1, len(first) + 1) * g["out_channels"]
    return int((written - needed).max())
