"""Mel filters as librosa makes them by default: Slaney's scale and norm, in NumPy alone.

After Malcolm Slaney's Auditory Toolbox (1998). A test compares them with librosa's.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from labeltool.type_aliases import Float32, Float64


@lru_cache(maxsize=8)
def mel_filters(sample_rate_hz: int, n_fft: int, n_mels: int, low_hz: float, high_hz: float) -> Float32:
    """Return triangular filters, `(n_mels, n_fft // 2 + 1) float32`, per hertz (each has unit area); read-only."""
    low, high = _hertz_to_mel(np.array([low_hz, high_hz], dtype=np.float64))
    edges = _mel_to_hertz(np.linspace(low, high, n_mels + 2))
    bins = np.arange(n_fft // 2 + 1) * (sample_rate_hz / n_fft)
    widths = np.diff(edges)
    ramps = edges[:, None] - bins[None, :]
    rising, falling = -ramps[:-2] / widths[:-1, None], ramps[2:] / widths[1:, None]
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    filters = (triangles * (2.0 / (edges[2:] - edges[:-2]))[:, None]).astype(np.float32)
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
