"""The C frontend in NumPy, operation by operation: the golden values of the package, bit for bit.

`c/aed_preproc.c` adds and multiplies float32 numbers in a fixed order. The same additions and multiplications here,
over all frames at once, give the same bits on any machine and without a C compiler; a test compares the two.
`in_float64` is the definition itself; both may differ from it by at most one int8 step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from labeltool.audio.device.device_math import log2, sequential_sum
from labeltool.audio.device.device_tables import fft_tables, mel_bands
from labeltool.audio.device.loudness_gate import peak_db
from labeltool.audio.log_mel_frontend import LogMelFrontend
from labeltool.audio.mel_filters import periodic_hann
from labeltool.type_aliases import Float32, Int8, Int16

_DECIBELS = np.float32(3.01029992)


class CodeScale(Protocol):
    """What a network's int8 codes stand for: `scale * (code - zero_point)`; neither is None for such codes."""

    @property
    def scale(self) -> float | None:
        """Size of an int8 step."""

    @property
    def zero_point(self) -> int | None:
        """The code of 0."""


def log_mel(frontend: LogMelFrontend, pcm: Int16) -> Float32:
    """Compute log-mel frames as the C code does.

    Parameters
    ----------
    pcm : (samples,) int16

    Returns
    -------
    (frames, n_mels) float32
    """
    n = frontend.n_frames(len(pcm))
    if n == 0:
        return np.empty((0, frontend.n_mels), np.float32)
    size = frontend.frame_samples
    framed = np.lib.stride_tricks.sliding_window_view(pcm, size)[:: frontend.hop][:n]
    half = frontend.window()[: size // 2 + 1]
    windowed = np.zeros((n, frontend.n_fft), np.float32)
    windowed[:, :size] = framed.astype(np.float32) * np.concatenate([half, half[-2:0:-1]])
    spectrum = _powers(windowed)
    if frontend.spectrum == "magnitude":
        spectrum = np.sqrt(spectrum)
    bands = []
    for start, coefficients in mel_bands(frontend).bands():
        mel = np.zeros(n, np.float32)
        for place, coefficient in enumerate(coefficients, start):
            mel = mel + coefficient * spectrum[:, place]
        bands.append(mel)
    decibels = _DECIBELS * log2(np.stack(bands, axis=1) + np.float32(frontend.floor))
    return np.asarray((decibels - np.float32(frontend.offset_db)) / np.float32(frontend.scale_db), np.float32)


@dataclass(frozen=True, slots=True)
class PatchInputs:
    """The network's input for each patch of a recording, and its level.

    Attributes
    ----------
    codes : (patches, n_mels, patch_frames) int8
        The network's input.
    loudness_db, peak_db : (patches,) float32
        The members of `aed_level`: mean and largest log-mel of each patch, dB; the largest without the bands into which
        a DC offset leaks.
    """

    codes: Int8
    loudness_db: Float32
    peak_db: Float32

    @staticmethod
    def empty(frontend: LogMelFrontend) -> PatchInputs:
        """Return those of a recording shorter than a patch."""
        none = np.empty(0, np.float32)
        return PatchInputs(np.empty((0, frontend.n_mels, frontend.patch_frames), np.int8), none, none)


def patches(frontend: LogMelFrontend, frames: Float32, network_input: CodeScale) -> PatchInputs:
    """Compute the network's input and the levels from log-mel frames, `(frames, n_mels)`, as the C code does."""
    starts = frontend.patch_starts(len(frames))
    if len(starts) == 0:
        return PatchInputs.empty(frontend)
    chosen = frames[starts[:, None] + np.arange(frontend.patch_frames)]
    means = sequential_sum(sequential_sum(chosen)) / np.float32(frontend.patch_frames * frontend.n_mels)
    offsets = means if frontend.centred else np.zeros_like(means)
    steps = (chosen - offsets[:, None, None]) / np.float32(network_input.scale)
    # The addition rounds half to even, as in the C code.
    rounded = np.clip(steps, -(2**21), 2**21).astype(np.float32) + np.float32(12582912.0) - np.float32(12582912.0)
    codes = np.clip(rounded.astype(np.int64) + (network_input.zero_point or 0), -128, 127).astype(np.int8)
    loudness = means * np.float32(frontend.scale_db) + np.float32(frontend.offset_db)
    return PatchInputs(np.ascontiguousarray(codes.transpose(0, 2, 1)), loudness, peak_db(frontend, frames))


def in_float64(frontend: LogMelFrontend, pcm: Int16, network_input: CodeScale) -> Int8:
    """Compute the network's input by the frontend's definition in float64, `(patches, n_mels, patch_frames) int8`."""
    starts = frontend.patch_starts(frontend.n_frames(len(pcm)))
    if len(starts) == 0:
        return np.empty((0, frontend.n_mels, frontend.patch_frames), np.int8)
    size = frontend.frame_samples
    framed = np.lib.stride_tricks.sliding_window_view(pcm / 32768.0, size)[:: frontend.hop]
    spectrum = np.abs(np.fft.rfft(framed * periodic_hann(size), frontend.n_fft))
    if frontend.spectrum == "power":
        spectrum = np.square(spectrum)
    mels = spectrum @ frontend.mel_filters().T.astype(np.float64)
    frames = (10.0 * np.log10(mels + frontend.floor) - frontend.offset_db) / frontend.scale_db
    chosen = frames[starts[:, None] + np.arange(frontend.patch_frames)].transpose(0, 2, 1)
    if frontend.centred:
        chosen = chosen - chosen.mean(axis=(1, 2), keepdims=True)
    steps = np.rint(chosen / (network_input.scale or 0.0)) + (network_input.zero_point or 0)
    return np.asarray(np.clip(steps, -128, 127), np.int8)


def _powers(frames: Float32) -> Float32:
    """Return four times the power spectrum of windowed frames, `(frames, n_fft) float32`."""
    n, n_fft = frames.shape
    points = n_fft // 2
    tables = fft_tables(n_fft)
    re, im = np.empty((2, n, points), np.float32)
    re[:, tables.places], im[:, tables.places] = frames[:, ::2], frames[:, 1::2]
    if tables.begins_with_pairs:
        a, b = (re[:, ::2].copy(), im[:, ::2].copy()), (re[:, 1::2].copy(), im[:, 1::2].copy())
        re[:, ::2], im[:, ::2] = a[0] + b[0], a[1] + b[1]
        re[:, 1::2], im[:, 1::2] = a[0] - b[0], a[1] - b[1]
    for twiddles in tables.twiddles:
        shape = (n, -1, 4, len(twiddles))
        _butterflies(re.reshape(shape), im.reshape(shape), twiddles)
    powers = np.empty((n, points + 1), np.float32)
    ends = re[:, 0] + im[:, 0], re[:, 0] - im[:, 0]
    powers[:, 0], powers[:, points] = (np.float32(4) * (end * end) for end in ends)
    low = np.arange(1, points // 2 + 1)
    high = points - low
    even_re, even_im = re[:, low] + re[:, high], im[:, low] - im[:, high]
    odd_re, odd_im = im[:, low] + im[:, high], re[:, high] - re[:, low]
    turned_re, turned_im = _times(odd_re, odd_im, tables.joints)
    powers[:, low] = np.square(even_re + turned_re) + np.square(even_im + turned_im)
    powers[:, high] = np.square(even_re - turned_re) + np.square(even_im - turned_im)
    return powers


def _butterflies(re: Float32, im: Float32, twiddles: npt.NDArray[np.complex64]) -> None:
    """Do one stage of radix 4 in place; `re` and `im` are (frames, groups, 4, butterflies)."""
    a_re, a_im = re[:, :, 0].copy(), im[:, :, 0].copy()
    (b_re, b_im), (c_re, c_im), (d_re, d_im) = (
        _times(re[:, :, leg], im[:, :, leg], twiddles[:, leg - 1]) for leg in (1, 2, 3)
    )
    s0_re, s0_im, s1_re, s1_im = a_re + c_re, a_im + c_im, a_re - c_re, a_im - c_im
    s2_re, s2_im, s3_re, s3_im = b_re + d_re, b_im + d_im, b_im - d_im, d_re - b_re
    re[:, :, 0], im[:, :, 0] = s0_re + s2_re, s0_im + s2_im
    re[:, :, 1], im[:, :, 1] = s1_re + s3_re, s1_im + s3_im
    re[:, :, 2], im[:, :, 2] = s0_re - s2_re, s0_im - s2_im
    re[:, :, 3], im[:, :, 3] = s1_re - s3_re, s1_im - s3_im


def _times(re: Float32, im: Float32, factors: npt.NDArray[np.complex64]) -> tuple[Float32, Float32]:
    """Multiply complex numbers with each product rounded: NumPy's complex product may fuse operations."""
    return re * factors.real - im * factors.imag, re * factors.imag + im * factors.real
