"""The frontend of ST's applications in NumPy: what they compute from 16-bit samples, written anew.

Each step is in float32 and rounds where theirs does: samples times 1/32768, times the window, real FFT, power or
magnitude, mel filters bin after bin, logarithm, and the network's int8 codes, half away from zero. The FFT is NumPy's:
the same definition in the same precision, but CMSIS-DSP adds in another order, so that last bits differ, and with them
about one code in a million, by one step (6 of 3,431,424 on 80 clips at two sizes).
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from labeltool.audio.device.device_tables import without_zeros
from labeltool.audio.frontend import LogMelFrontend
from labeltool.exporters.stm32.codegen.st_mel_tables import without_spoilt_bin
from labeltool.type_aliases import Float32, Int8, Int16

_SMALLEST = np.finfo(np.float32).tiny
"""`FLT_MIN`, which stands for a mel of zero."""

_FULL_SCALE = np.float32(1.0 / 32768.0)

Logarithm = Literal["db", "ln"]
"""Unit of log-mels: 10 log10, or natural logarithms."""

DECIBELS = {"db": 1.0, "ln": 10.0 / math.log(10.0)}
"""Decibels of one unit."""

UNITS = {"db": "dB", "ln": "natural logarithms"}
"""Names of the units in texts."""


def buffer_samples(frontend: LogMelFrontend) -> int:
    """Return the samples of one buffer, which makes one patch; the next buffer begins where it ends."""
    return (frontend.patch_frames - 1) * frontend.hop + frontend.n_fft


def st_log_mels(buffers: Int16, frontend: LogMelFrontend) -> Float32:
    """Compute log-mels as ST's applications do with the tables and the configuration of a frontend.

    A frame lies in the middle of the samples of its FFT, the others are zero, and the first begins at sample 0.
    Versions of ST's library without support for the hardware DSP (the STM32U5's) write the last bin of the spectrum
    over the real part of bin `n_fft / 4`, later ones (the STM32U3's) do not: the mel filters leave that bin out.

    Parameters
    ----------
    buffers : (patches, buffer_samples) int16

    Returns
    -------
    (patches, n_mels, patch_frames) float32
        In the unit of `logarithm_of`.
    """
    framed = np.lib.stride_tricks.sliding_window_view(buffers, frontend.frame_samples, axis=1)
    frames = framed[:, : frontend.patch_frames * frontend.hop : frontend.hop][:, : frontend.patch_frames]
    padded = np.zeros((*frames.shape[:2], frontend.n_fft), np.float32)
    left = (frontend.n_fft - frontend.frame_samples) // 2
    padded[..., left : left + frontend.frame_samples] = frames * _FULL_SCALE * frontend.window()
    # NumPy before 2.0 computes this FFT in float64.
    bins = np.fft.rfft(padded).astype(np.complex64)
    power = np.square(bins.real) + np.square(bins.imag)
    mels = _mels(np.sqrt(power) if frontend.spectrum == "magnitude" else power, frontend)
    mels[mels <= 0] = _SMALLEST
    return np.log(mels) if logarithm_of(frontend) == "ln" else np.float32(10.0) * np.log10(mels)


def _mels(spectrum: Float32, frontend: LogMelFrontend) -> Float32:
    mels = np.zeros((len(spectrum), frontend.n_mels, frontend.patch_frames), np.float32)
    coefficients, starts, lengths = without_zeros(without_spoilt_bin(frontend.mel_filters()))
    of_band = np.split(coefficients, np.cumsum(lengths)[:-1])
    for band, (start, values) in enumerate(zip(starts, of_band, strict=True)):
        for place, coefficient in enumerate(values, start):
            mels[:, band] += coefficient * spectrum[..., place]
    return mels


def logarithm_of(frontend: LogMelFrontend) -> Logarithm:
    """Return the unit in which ST's applications compute the log-mels of a frontend.

    Natural logarithms where the network takes nothing else, so that it reads them as they are; else decibels.
    """
    natural = frontend.offset_db == 0 and math.isclose(frontend.scale_db, DECIBELS["ln"])
    return "ln" if natural and not frontend.centred else "db"


def buffers(pcm: Int16, frontend: LogMelFrontend, step: int | None = None) -> Int16:
    """Cut a clip into the buffers that an application would record, `(patches, buffer_samples)`; at least one.

    Parameters
    ----------
    pcm : (samples,) int16
    step
        Samples from one buffer to the next, where they overlap. None: they do not, and the clip ends within one that an
        application would fill with the sound that follows: zeros here, if at least half of it belongs to the clip.
    """
    size = buffer_samples(frontend)
    rest = len(pcm) % size
    if len(pcm) < size or (step is None and 2 * rest >= size):
        pcm = np.pad(pcm, (0, size - rest))
    return np.lib.stride_tricks.sliding_window_view(pcm, size)[:: step or size]


def quantise(log_mels: Float32, scale: float, zero_point: int) -> Int8:
    """Round log-mels of any shape to the codes of the network's input: half away from zero, then saturated."""
    steps = log_mels * (np.float32(1.0) / np.float32(scale)) + np.float32(zero_point)
    whole = np.trunc(steps)
    away = np.where(np.abs(steps - whole) >= 0.5, np.copysign(np.float32(1.0), steps), np.float32(0.0))
    return np.asarray(np.clip(whole + away, -128, 127), np.int8)
