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
from labeltool.audio.mel_filters import MelScale, mel_filters, periodic_hann
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
    """What the macros `CTRL_X_CUBE_AI_SPECTROGRAM_...` set in ST's applications.

    Attributes
    ----------
    n_fft, window_length
        Samples: a frame of `window_length` samples lies in the middle of `n_fft` of them, the others are zero.
    hop
        Samples between frames; the first begins at sample 0.
    columns
        Frames of a patch.
    spectrum
        Whether the mels are sums of powers or of magnitudes.
    in_place
        Versions of ST's library without support for the hardware DSP (the STM32U5's) write the last bin of the spectrum
        over the real part of bin `n_fft / 4` before they read it. Later ones (the STM32U3's) do not.
    without_spoilt_bin
        Whether the mel filters leave that bin out, as the tables of a package do.
    """

    sample_rate_hz: int
    n_fft: int
    window_length: int
    hop: int
    n_mels: int
    columns: int
    low_hz: float
    high_hz: float
    spectrum: Literal["power", "magnitude"] = "power"
    logarithm: Logarithm = "db"
    mel_scale: MelScale = "slaney"
    normalised: bool = True
    in_place: bool = True
    without_spoilt_bin: bool = False

    @property
    def patch_samples(self) -> int:
        """Samples of one buffer, which makes one patch; the next buffer begins where it ends."""
        return (self.columns - 1) * self.hop + self.n_fft

    def window(self) -> Float32:
        """Return the periodic Hann window, `(window_length,) float32`."""
        return periodic_hann(self.window_length).astype(np.float32)

    def mel_filters(self) -> Float32:
        """Return the mel filters, `(n_mels, n_fft // 2 + 1) float32`."""
        filters = mel_filters(
            self.sample_rate_hz,
            self.n_fft,
            self.n_mels,
            self.low_hz,
            self.high_hz,
            scale=self.mel_scale,
            normalised=self.normalised,
        )
        return without_spoilt_bin(filters) if self.without_spoilt_bin else filters

    def log_mels(self, buffers: Int16) -> Float32:
        """Compute log-mels.

        Parameters
        ----------
        buffers : (patches, patch_samples) int16

        Returns
        -------
        (patches, n_mels, columns) float32
            Decibels, or natural logarithms.
        """
        framed = np.lib.stride_tricks.sliding_window_view(buffers, self.window_length, axis=1)
        frames = framed[:, : self.columns * self.hop : self.hop][:, : self.columns]
        padded = np.zeros((*frames.shape[:2], self.n_fft), np.float32)
        left = (self.n_fft - self.window_length) // 2
        padded[..., left : left + self.window_length] = frames * _FULL_SCALE * self.window()
        mels = self._mels(self._spectrum(padded))
        mels[mels <= 0] = _SMALLEST
        if self.logarithm == "ln":
            return np.log(mels)
        return np.float32(10.0) * np.log10(mels)

    def _spectrum(self, frames: Float32) -> Float32:
        # NumPy before 2.0 computes this FFT in float64.
        bins = np.fft.rfft(frames).astype(np.complex64)
        real = bins.real.copy()
        if self.in_place:
            last = real[..., -1]
            real[..., self.n_fft // 4] = np.square(last) if self.spectrum == "power" else np.abs(last)
        power = np.square(real) + np.square(bins.imag)
        return np.sqrt(power) if self.spectrum == "magnitude" else power

    def _mels(self, spectrum: Float32) -> Float32:
        mels = np.zeros((len(spectrum), self.n_mels, self.columns), np.float32)
        coefficients, starts, lengths = without_zeros(self.mel_filters())
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


def st_frontend(frontend: LogMelFrontend) -> StFrontend:
    """Return what ST's applications compute with the tables and the configuration of a frontend."""
    return StFrontend(
        sample_rate_hz=frontend.sample_rate_hz,
        n_fft=frontend.n_fft,
        window_length=frontend.frame_samples,
        hop=frontend.hop,
        n_mels=frontend.n_mels,
        columns=frontend.patch_frames,
        low_hz=frontend.low_hz,
        high_hz=frontend.high_hz,
        spectrum=frontend.spectrum,
        logarithm=logarithm_of(frontend),
        mel_scale=frontend.mel_scale,
        normalised=frontend.mel_scale == "slaney",
        without_spoilt_bin=True,
    )


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
