"""The frontend of ST's applications in NumPy: what they compute from 16-bit samples, written anew.

Each step is in float32 and rounds where theirs does: samples times 1/32768, times the window, real FFT, power or
magnitude, mel filters bin after bin, logarithm, and the network's int8 codes, half away from zero. The FFT is NumPy's:
the same definition in the same precision, but CMSIS-DSP adds in another order, so that last bits differ, and with them
about one code in a million, by one step (6 of 3,431,424 on 80 clips at two sizes).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class StFrontend:
    """What ST's applications compute with the tables and the configuration of a frontend.

    A frame lies in the middle of the samples of its FFT, the others are zero, and the first begins at sample 0.
    Versions of ST's library without support for the hardware DSP (the STM32U5's) write the last bin of the spectrum
    over the real part of bin `n_fft / 4`, later ones (the STM32U3's) do not: the mel filters leave that bin out.
    """

    frontend: LogMelFrontend

    @property
    def patch_samples(self) -> int:
        """Samples of one buffer, which makes one patch; the next buffer begins where it ends."""
        return (self.frontend.patch_frames - 1) * self.frontend.hop + self.frontend.n_fft

    def log_mels(self, buffers: Int16) -> Float32:
        """Compute log-mels.

        Parameters
        ----------
        buffers : (patches, patch_samples) int16

        Returns
        -------
        (patches, n_mels, patch_frames) float32
            Decibels, or natural logarithms.
        """
        own = self.frontend
        framed = np.lib.stride_tricks.sliding_window_view(buffers, own.frame_samples, axis=1)
        frames = framed[:, : own.patch_frames * own.hop : own.hop][:, : own.patch_frames]
        padded = np.zeros((*frames.shape[:2], own.n_fft), np.float32)
        left = (own.n_fft - own.frame_samples) // 2
        padded[..., left : left + own.frame_samples] = frames * _FULL_SCALE * own.window()
        mels = self._mels(self._spectrum(padded))
        mels[mels <= 0] = _SMALLEST
        if logarithm_of(own) == "ln":
            return np.log(mels)
        return np.float32(10.0) * np.log10(mels)

    def _spectrum(self, frames: Float32) -> Float32:
        # NumPy before 2.0 computes this FFT in float64.
        bins = np.fft.rfft(frames).astype(np.complex64)
        power = np.square(bins.real) + np.square(bins.imag)
        return np.sqrt(power) if self.frontend.spectrum == "magnitude" else power

    def _mels(self, spectrum: Float32) -> Float32:
        own = self.frontend
        mels = np.zeros((len(spectrum), own.n_mels, own.patch_frames), np.float32)
        coefficients, starts, lengths = without_zeros(without_spoilt_bin(own.mel_filters()))
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


def buffers(pcm: Int16, patch_samples: int, step: int | None = None) -> Int16:
    """Cut a clip into the buffers that an application would record, `(patches, patch_samples)`; at least one.

    Parameters
    ----------
    pcm : (samples,) int16
    step
        Samples from one buffer to the next, where they overlap. None: they do not, and the clip ends within one that an
        application would fill with the sound that follows: zeros here, if at least half of it belongs to the clip.
    """
    rest = len(pcm) % patch_samples
    if len(pcm) < patch_samples or (step is None and 2 * rest >= patch_samples):
        pcm = np.pad(pcm, (0, patch_samples - rest))
    return np.lib.stride_tricks.sliding_window_view(pcm, patch_samples)[:: step or patch_samples]


def quantise(log_mels: Float32, scale: float, zero_point: int) -> Int8:
    """Round log-mels of any shape to the codes of the network's input: half away from zero, then saturated."""
    steps = log_mels * (np.float32(1.0) / np.float32(scale)) + np.float32(zero_point)
    whole = np.trunc(steps)
    away = np.where(np.abs(steps - whole) >= 0.5, np.copysign(np.float32(1.0), steps), np.float32(0.0))
    return np.asarray(np.clip(whole + away, -128, 127), np.int8)
