"""Log-mels: the default frontend, computed in a stream on a microcontroller too."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

import numpy as np

from labeltool.audio.descriptors import describe_log_mel
from labeltool.audio.frontend_base import Frontend, require_positive, unit_samples
from labeltool.audio.mel_filters import MelScale, mel_filters, periodic_hann
from labeltool.errors import LabeltoolError
from labeltool.type_aliases import Float32, Int16

# Frames per batch: they stay in the first-level cache, and a product this small is done by one thread. With larger ones
# BLAS wakes its threads for every batch, which costs three to six times what it saves on a busy machine.
_BATCH_FRAMES = 16
# Fields that are absent from the dictionary where they have their default, so that older fingerprints stay.
_LATER = ("win_length", "spectrum", "mel_scale")

# Of the mel filters' matrix, FFT times bands: 128 MiB.
_MAX_FILTER_VALUES = 1 << 26

Spectrum = Literal["power", "magnitude"]
"""What mels are sums of: squared magnitudes, or magnitudes."""


@dataclass(frozen=True, slots=True)
class LogMelFrontend(Frontend):
    """Log-mels of short frames, on a fixed scale.

    `log_mel = (10 log10(mel + floor) - offset_db) / scale_db`, where `mel` is the spectrum, of power or magnitude, of
    a periodic-Hann frame of samples in -1 to 1 under mel filters. With `centred`, each patch is given to the network
    less its own mean, so that loudness does not reach it.

    Attributes
    ----------
    sample_rate_hz
        Hertz.
    n_fft, hop
        Length of the FFT and distance between frames, samples. Frames are not centred: the first starts at sample 0.
    n_mels, low_hz, high_hz
        Number of mel bands and their range, hertz.
    floor
        Power added before the logarithm: quieter sound than that vanishes in it.
    offset_db, scale_db
        The fixed affine scale: the decibels that become 0, and those that make 1.
    patch_frames, patch_hop
        Length of a patch and distance between patches, frames.
    centred
        Whether the network gets each patch less its own mean.
    win_length
        Length of a frame and of its window, samples; the FFT is padded with zeros after it. 0: `n_fft`.
    spectrum
        Of power or of magnitude; the floor is added to a sum of either.
    mel_scale
        "slaney" with filters of unit area, or another of `MelScale` with filters of height one.
    """

    sample_rate_hz: int = 16_000
    n_fft: int = 1024
    hop: int = 320
    n_mels: int = 64
    low_hz: float = 20.0
    high_hz: float = 7500.0
    floor: float = 1e-5
    offset_db: float = -50.0
    scale_db: float = 15.0
    patch_frames: int = 50
    patch_hop: int = 25
    centred: bool = True
    win_length: int = 0
    spectrum: Spectrum = "power"
    mel_scale: MelScale = "slaney"

    def __post_init__(self) -> None:
        positive = ("sample_rate_hz", "n_fft", "hop", "n_mels", "floor", "scale_db", "patch_frames", "patch_hop")
        require_positive(self, positive)
        if not 0 <= self.low_hz < self.high_hz <= self.sample_rate_hz / 2:
            raise LabeltoolError(
                f"frontend: the mel range {self.low_hz:g} to {self.high_hz:g} Hz does not fit "
                f"a rate of {self.sample_rate_hz} Hz"
            )
        if self.n_fft * self.n_mels > _MAX_FILTER_VALUES:
            raise LabeltoolError(f"frontend: {self.n_mels} bands of an FFT of {self.n_fft} samples are too many")
        if not 0 <= self.win_length <= self.n_fft:
            raise LabeltoolError(f"frontend: a window of {self.win_length} samples is longer than its FFT")
        for name, known in (("spectrum", get_args(Spectrum)), ("mel_scale", get_args(MelScale))):
            if getattr(self, name) not in known:
                raise LabeltoolError(f"frontend: {name} must be one of {', '.join(known)}")

    @property
    def frame_samples(self) -> int:
        """`win_length`, or `n_fft`."""
        return self.win_length or self.n_fft

    @property
    def n_features(self) -> int:
        """`n_mels`."""
        return self.n_mels

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain JSON values, those of `_LATER` only where they are not the default."""
        # Through the declared type, so that 7500 and 7500.0 are one frontend.
        cast = {"int": int, "float": float, "bool": bool}
        return {
            one.name: cast.get(str(one.type), str)(getattr(self, one.name))
            for one in fields(self)
            if one.name not in _LATER or getattr(self, one.name) != one.default
        }

    def window(self) -> Float32:
        """Return the periodic Hann window, `(frame_samples,) float32`."""
        return periodic_hann(self.frame_samples).astype(np.float32)

    def mel_filters(self) -> Float32:
        """Return the mel filters, `(n_mels, n_fft // 2 + 1) float32`: Slaney's per hertz, others of height one."""
        return mel_filters(
            self.sample_rate_hz,
            self.n_fft,
            self.n_mels,
            self.low_hz,
            self.high_hz,
            scale=self.mel_scale,
            normalised=self.mel_scale == "slaney",
        )

    def compute_frames(self, pcm: Int16) -> Float32:
        """Return the log-mel frames of samples, as `log_mel`."""
        return self.log_mel(pcm)

    def log_mel(self, pcm: Int16) -> Float32:
        """Turn samples into log-mel frames.

        Parameters
        ----------
        pcm : (samples,) int16
            Mono, at `sample_rate_hz`.

        Returns
        -------
        (frames, n_mels) float32
            `n_frames(samples)` of them; a tail shorter than a frame is dropped, as in a stream.
        """
        signal = unit_samples(pcm)
        n = self.n_frames(len(pcm))
        out = np.empty((n, self.n_mels), np.float32)
        if n == 0:
            return out
        framed = np.lib.stride_tricks.sliding_window_view(signal, self.frame_samples)[:: self.hop]
        window, filters = self.window(), self.mel_filters().T
        for first in range(0, n, _BATCH_FRAMES):
            bins = np.fft.rfft(framed[first : min(first + _BATCH_FRAMES, n)] * window, self.n_fft).astype(np.complex64)
            power = np.square(bins.real) + np.square(bins.imag)
            values = power if self.spectrum == "power" else np.sqrt(power)
            out[first : first + len(values)] = self.log_of_power(values @ filters)
        return out

    def log_of_power(self, mel_power: Float32) -> Float32:
        """Apply floor, logarithm and scale to mel powers of any shape."""
        decibels = np.float32(10.0) * np.log10(mel_power + np.float32(self.floor))
        return np.asarray((decibels - np.float32(self.offset_db)) / np.float32(self.scale_db), np.float32)

    def power_of_log(self, log_mel: Float32) -> Float32:
        """Undo `log_of_power`: mel powers, never below zero."""
        power = np.power(np.float32(10.0), (log_mel * np.float32(self.scale_db) + np.float32(self.offset_db)) / 10)
        return np.asarray(np.maximum(power - np.float32(self.floor), 0), np.float32)

    def normalise(self, patches: Float32) -> Float32:
        """Subtract each patch's own mean where the frontend is `centred`; `(n, n_mels, frames)` in and out."""
        if not self.centred:
            return patches
        return np.asarray(patches - patches.mean(axis=(1, 2), keepdims=True, dtype=np.float32), np.float32)

    def loudness_db(self, frames: Float32) -> Float32:
        """Return the mean of each patch's log-mels, `(patches,) float32` in decibels: what `normalise` subtracts."""
        starts = self.patch_starts(len(frames))
        sums = np.concatenate([[0.0], np.cumsum(frames.mean(axis=1, dtype=np.float64))])
        means = (sums[starts + self.patch_frames] - sums[starts]) / self.patch_frames if len(starts) else np.empty(0)
        return (means * self.scale_db + self.offset_db).astype(np.float32)

    def describe(self, frames: Float32) -> Float32:
        """Summarise a clip's log-mels by band levels and modulation, `(192,) float32`; see `describe_log_mel`."""
        return describe_log_mel(frames, self.scale_db, self.sample_rate_hz / self.hop)


YAMNET_FRONTEND = LogMelFrontend(
    n_fft=512,
    hop=160,
    low_hz=125.0,
    floor=1e-3,
    offset_db=0.0,
    scale_db=10.0 / math.log(10.0),  # natural logarithms
    patch_frames=96,
    patch_hop=48,
    centred=False,
    win_length=400,
    spectrum="magnitude",
    mel_scale="tensorflow",
)
"""That of YAMNet (Plakal and Ellis 2019, `features.py`): ln(mel + 0.001) of magnitudes, patches of 0.96 s."""
