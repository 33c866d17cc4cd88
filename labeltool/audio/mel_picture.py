"""Spectrograms for people: mel bands at the file's own rate, and the range of levels that is drawn."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np

from labeltool.audio.frontend import LogMelFrontend
from labeltool.type_aliases import Float32, Float64

BANDS = 96
"""Mel bands of a spectrogram, before it is resized to the rows of a screen."""

TOP_HZ = 16_000.0
"""The highest frequency that is drawn."""

MIN_FFT_S = 0.035
MAX_FRAMES = 1200
"""Of a spectrogram: more would be finer than a picture."""

_FLOOR_POWER = 1e-12
_SILENCE_DB = -75.0


def mel_spectrogram(mono: Float32, rate: int) -> tuple[Float32, Float64]:
    """Return the mel spectrogram of samples, `(bands, frames) float32 dB`, and the bands' centres, `(bands,)` Hz.

    It is drawn at the file's own rate; models get `LogMelFrontend`'s, which ends at 7.5 kHz.
    """
    analyzer = MelAnalyzer.for_rate(rate)
    hop = max(1, analyzer.window // 4, -(-len(mono) // MAX_FRAMES))
    # Centred frames: an event at the edge of the clip is drawn at the edge of the spectrogram.
    padded = np.pad(mono, analyzer.window // 2)
    framed = np.lib.stride_tricks.sliding_window_view(padded, analyzer.window)[::hop]
    return np.ascontiguousarray(analyzer.mel_db(framed).T), analyzer.band_hz


class MelAnalyzer:
    """Computes the columns of a spectrogram. Get one from `MelAnalyzer.for_rate`, which caches them.

    Attributes
    ----------
    window
        The number of samples of one column.
    band_hz : (BANDS,) float64
        The centres of the bands: the same at one rate, however short the window.
    """

    def __init__(self, rate: int, max_window_s: float, top_hz: float) -> None:
        n_fft = 1 << max(6, round(MIN_FFT_S * rate).bit_length() - 1)
        high_hz = min(rate / 2, top_hz)
        self._n_fft = n_fft
        self.window = min(n_fft, max(16, round(max_window_s * rate)))
        frontend = LogMelFrontend(
            sample_rate_hz=rate, n_fft=n_fft, n_mels=BANDS, low_hz=min(40.0, high_hz / 4), high_hz=high_hz
        )
        self._taper = replace(frontend, n_fft=self.window).window()
        filters = frontend.mel_filters()
        # Unit weight instead of Slaney's unit area: a flat brightness for noise, whatever the rate; a sine at full
        # scale is at 0 dB.
        self._weights = (filters / np.maximum(filters.max(axis=1, keepdims=True), 1e-9)).T
        self.band_hz = np.array([_centre(band, rate, n_fft) for band in filters])

    @classmethod
    @lru_cache(maxsize=16)
    def for_rate(cls, rate: int, max_window_s: float = 1.0, top_hz: float = TOP_HZ) -> MelAnalyzer:
        """Return the analyzer for a rate; a window below the usual 35 ms or so separates events that follow closely."""
        return cls(rate, max_window_s, top_hz)

    def mel_db(self, framed: Float32) -> Float32:
        """Return the mel power of windows of samples: `(n, window)` to `(n, BANDS) float32 dB`."""
        spectrum = np.fft.rfft(framed * self._taper, self._n_fft).astype(np.complex64)
        power = np.square(spectrum.real) + np.square(spectrum.imag)
        mel = (power @ self._weights) * np.float32(16.0 / self.window**2)
        decibels: Float32 = (10.0 * np.log10(mel + _FLOOR_POWER)).astype(np.float32)
        return decibels


def resize(mel_db: Float32, rows: int, columns: int) -> Float32:
    """Resize a spectrogram to `(rows, columns)`: values that fall together give their maximum, to keep clicks."""
    return _resize_axis(_resize_axis(mel_db, rows, 0), columns, 1)


def _resize_axis(values: Float32, size: int, axis: int) -> Float32:
    old_size = values.shape[axis]
    edges = np.arange(size) * old_size / size
    if old_size >= size:
        return np.maximum.reduceat(values, edges.astype(np.intp), axis=axis)
    # Fewer values than cells: interpolate, so that the spectrogram shows no steps that the sound does not have.
    place = np.clip((np.arange(size) + 0.5) * old_size / size - 0.5, 0, old_size - 1)
    below = place.astype(np.intp)
    above = np.minimum(below + 1, old_size - 1)
    share = (place - below).astype(np.float32)
    share = share[:, None] if axis == 0 else share[None, :]
    interpolated: Float32 = np.take(values, below, axis) * (1 - share) + np.take(values, above, axis) * share
    return interpolated


def _centre(band: Float32, rate: int, n_fft: int) -> float:
    weight = float(band.sum())
    return float(band @ np.arange(len(band))) / weight * rate / n_fft if weight else 0.0


def brightness_range(mel_db: Float32, within: Float32 | None = None) -> tuple[float, float]:
    """Return the brightest and the darkest level in dB: from the peaks to the noise floor, 35 to 70 dB apart.

    Parameters
    ----------
    within
        The spectrogram of the whole recording that `mel_db` is a part of: it keeps the brightness of all parts alike.
    """
    whole = mel_db if within is None else within
    peaks = max(float(np.percentile(part, 99.7)) for part in (mel_db, whole))
    loudest = max(peaks, _SILENCE_DB + 35.0)
    noise = float(np.percentile(whole, 35)) + 3.0
    return loudest, loudest - min(70.0, max(35.0, loudest - noise))
