"""Window and mel filters as librosa or TensorFlow make them, in NumPy alone.

By default Slaney's scale and norm, after Malcolm Slaney's Auditory Toolbox (1998); or HTK's scale, and no norm. A test
compares them with librosa's and TensorFlow's.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np

from labeltool.type_aliases import Float32, Float64

MelScale = Literal["slaney", "htk", "tensorflow"]
"""Slaney's: linear up to 1 kHz, then logarithmic. HTK's: 2595 log10(1 + f / 700).

"tensorflow" is HTK's with filters that are triangles over mels, not over hertz, and without bin 0, as
`tf.signal.linear_to_mel_weight_matrix` makes them.
"""


def periodic_hann(length: int) -> Float64:
    """Return the periodic Hann window, `(length,) float64`."""
    return np.asarray(0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(length) / length))


@lru_cache(maxsize=8)
def mel_filters(
    sample_rate_hz: int,
    n_fft: int,
    n_mels: int,
    low_hz: float,
    high_hz: float,
    *,
    scale: MelScale = "slaney",
) -> Float32:
    """Return triangular filters, `(n_mels, n_fft // 2 + 1) float32`, read-only.

    Those of Slaney's scale are per hertz: each has unit area; others have a height of one.
    """
    to_mel, to_hertz = (_hertz_to_mel, _mel_to_hertz) if scale == "slaney" else (_hertz_to_htk, _htk_to_hertz)
    low, high = to_mel(np.array([low_hz, high_hz], dtype=np.float64))
    edges = np.asarray(np.linspace(low, high, n_mels + 2), np.float64)
    bins = np.asarray(np.arange(n_fft // 2 + 1) * (sample_rate_hz / n_fft), np.float64)
    if scale == "tensorflow":
        bins = np.concatenate([[-np.inf], to_mel(bins[1:])])
    else:
        edges = to_hertz(edges)
    widths = np.diff(edges)
    ramps = edges[:, None] - bins[None, :]
    rising, falling = -ramps[:-2] / widths[:-1, None], ramps[2:] / widths[1:, None]
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    heights = 2.0 / (edges[2:] - edges[:-2]) if scale == "slaney" else np.ones(n_mels)
    filters = (triangles * heights[:, None]).astype(np.float32)
    filters.flags.writeable = False  # shared by every caller
    return filters


def _hertz_to_mel(hertz: Float64) -> Float64:
    """Slaney's scale: 3 mels per 200 Hz up to 1 kHz, then 27 mels per factor 6.4."""
    linear = hertz * 3.0 / 200.0
    logarithmic = 15.0 + 27.0 * np.log(np.maximum(hertz, 1000.0) / 1000.0) / np.log(6.4)
    return np.where(hertz < 1000.0, linear, logarithmic)


def _mel_to_hertz(mels: Float64) -> Float64:
    linear = mels * 200.0 / 3.0
    logarithmic = 1000.0 * np.exp(np.log(6.4) * (mels - 15.0) / 27.0)
    return np.where(mels < 15.0, linear, logarithmic)


def _hertz_to_htk(hertz: Float64) -> Float64:
    return np.asarray(2595.0 * np.log10(1.0 + hertz / 700.0), np.float64)


def _htk_to_hertz(mels: Float64) -> Float64:
    return np.asarray(700.0 * (10.0 ** (mels / 2595.0) - 1.0), np.float64)
