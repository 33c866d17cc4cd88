"""Log-mels: the default frontend, computed in a stream on a microcontroller too."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any, Literal, get_args

import numpy as np

from labeltool.audio.descriptors import describe_log_mel
from labeltool.audio.frontend_base import FULL_SCALE, Frontend, require_pcm, require_positive
from labeltool.audio.mel_filters import MelScale, mel_filters, periodic_hann
from labeltool.errors import LabeltoolError
from labeltool.type_aliases import Float32, Int16

# Frames per block: of 1024 samples they stay in the second-level cache. One size, for a BLAS may add in another order
# for another number of rows; with a multiple of 12 and fewer than 16 bands OpenBLAS treats all rows of a block alike.
_BLOCK_FRAMES = 96
_GROUP_BANDS = 12
# Multiplications of one product: with more of these OpenBLAS wakes its threads, which costs three to six times what it
# saves on a busy machine.
_MAX_PRODUCT = 1 << 18
# Frames are transformed in multiples of this, which all vector widths of the FFT divide: all take the same path.
_LANES = 16
# Of an FFT in such blocks; a longer one is done `_LANES` at a time.
_LONGEST_FFT = 1 << 16
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
    n_fft, hop
        Length of the FFT and distance between frames, samples. Frames are not centred: the first starts at sample 0.
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
            self.sample_rate_hz, self.n_fft, self.n_mels, self.low_hz, self.high_hz, scale=self.mel_scale
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
        # 0.2 s that commands without frames need not pay. A float32 FFT in half of NumPy's time, and in its own place.
        from scipy.fftpack import rfft

        require_pcm(pcm)
        n = self.n_frames(len(pcm))
        if n == 0:
            return np.empty((0, self.n_mels), np.float32)
        framed = np.lib.stride_tricks.sliding_window_view(pcm, self.frame_samples)[:: self.hop]
        tables = _block_tables(self)
        rows = tables.rows
        block = np.zeros((rows, self.n_fft), np.float32)
        out = np.empty((-(-n // rows) * rows, self.n_mels), np.float32)
        for first in range(0, n, rows):
            count = min(rows, n - first)
            used = -(-count // _LANES) * _LANES
            np.copyto(block[:count, : self.frame_samples], framed[first : first + count])
            lanes = block[:used].reshape(-1, tables.window.size)
            np.multiply(lanes, tables.window, out=lanes)
            spectrum = rfft(block[:used], overwrite_x=True)
            if not np.may_share_memory(spectrum, block):
                block[:used] = spectrum
            mels = out[first : first + rows]
            tables.write_mels(block, mels)
            self._take_log(mels)
            if self.frame_samples < self.n_fft:
                block[:used, self.frame_samples :] = 0  # the padding, in which the FFT was computed
        return out[:n]

    def log_of_power(self, mel_power: Float32) -> Float32:
        """Apply floor, logarithm and scale to mel powers of any shape."""
        return self._take_log(np.array(mel_power, np.float32))

    def _take_log(self, mel_power: Float32) -> Float32:
        # The natural logarithm: NumPy has it in vectors on more processors than the one to base 10.
        mel_power += np.float32(self.floor)
        np.log(mel_power, out=mel_power)
        mel_power *= np.float32(10.0 / math.log(10.0) / self.scale_db)
        mel_power -= np.float32(self.offset_db / self.scale_db)
        return mel_power

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


@dataclass(frozen=True, slots=True)
class _FilterGroup:
    """The filters of some neighbouring bands, without the values that all of them leave out."""

    bands: slice
    values: slice
    weights: Float32


@dataclass(frozen=True, slots=True)
class _BlockTables:
    """What a block of frames is multiplied by.

    Attributes
    ----------
    window : (_LANES * n_fft,) float32
        That of as many frames, one after the other; it also brings 16-bit samples to -1 to 1.
    groups
        For power, of the squares of real and imaginary parts; else of magnitudes.
    """

    rows: int
    window: Float32
    groups: tuple[_FilterGroup, ...]
    spectrum: Spectrum

    def write_mels(self, spectra: Float32, mels: Float32) -> None:
        """Write the mels of a block, `(rows, n_mels)`, of its spectra, `(rows, n_fft)`, which are lost.

        As SciPy's `rfft` packs them: the real part of bin 0, then the real and the imaginary part of each other bin.
        """
        values = np.square(spectra, out=spectra) if self.spectrum == "power" else _magnitudes(spectra)
        for group in self.groups:
            np.matmul(values[:, group.values], group.weights, out=mels[:, group.bands])


def _magnitudes(spectra: Float32) -> Float32:
    rows, n_fft = spectra.shape
    pairs = (n_fft - 1) // 2
    magnitudes = np.empty((rows, n_fft // 2 + 1), np.float32)
    np.abs(spectra[:, 0], out=magnitudes[:, 0])
    np.abs(spectra[:, 1 : 1 + 2 * pairs].view(np.complex64), out=magnitudes[:, 1 : 1 + pairs])
    np.abs(spectra[:, 1 + 2 * pairs :], out=magnitudes[:, 1 + pairs :])  # half the sample rate has no imaginary part
    return magnitudes


@lru_cache(maxsize=8)
def _block_tables(frontend: LogMelFrontend) -> _BlockTables:
    rows = _BLOCK_FRAMES if frontend.n_fft <= _LONGEST_FFT else _LANES
    window = np.zeros((_LANES, frontend.n_fft), np.float32)
    window[:, : frontend.frame_samples] = frontend.window() / FULL_SCALE  # exact: a power of two
    filters = frontend.mel_filters()
    if frontend.spectrum == "power":
        filters = np.repeat(filters, 2, axis=1)[:, 1 : 1 + frontend.n_fft]
    groups, first = [], 0
    while first < len(filters):
        last = first + 1
        while last < min(len(filters), first + _GROUP_BANDS):
            used = _used_values(filters[first : last + 1])
            if rows * (last + 1 - first) * (used.stop - used.start) > _MAX_PRODUCT:
                break
            last += 1
        used = _used_values(filters[first:last])
        groups.append(_FilterGroup(slice(first, last), used, np.ascontiguousarray(filters[first:last, used].T)))
        first = last
    return _BlockTables(rows, window.ravel(), tuple(groups), frontend.spectrum)


def _used_values(filters: Float32) -> slice:
    """Return the values of which any of some filters takes something."""
    places = np.flatnonzero(filters.any(axis=0))
    return slice(int(places[0]), int(places[-1]) + 1) if len(places) else slice(0, 0)


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
