"""The C frontend in fixed point (`AED_FIXED_POINT`) in NumPy, integer by integer: its golden values, bit for bit."""

from __future__ import annotations

import numpy as np

from labeltool.audio.device.device_frontend import PatchInputs
from labeltool.audio.device.device_tables import dc_bands, fft_tables, mel_bands
from labeltool.audio.frontend import LogMelFrontend
from labeltool.exporters.stm32.codegen.fixed_point_tables import (
    DECIBELS_PER_OCTAVE,
    FixedTables,
    fixed_offset,
    fixed_scale,
    fixed_tables,
)
from labeltool.exporters.stm32.tflite.summary import TensorFormat
from labeltool.type_aliases import Int16, Int64


def log2_mel(frontend: LogMelFrontend, pcm: Int16) -> Int16:
    """Compute log2 of the mel powers, in 2^-9, as the C code does.

    Parameters
    ----------
    pcm : (samples,) int16

    Returns
    -------
    (frames, n_mels) int16
    """
    n = frontend.n_frames(len(pcm))
    if n == 0:
        return np.empty((0, frontend.n_mels), np.int16)
    tables = fixed_tables(frontend)
    framed = np.lib.stride_tricks.sliding_window_view(pcm, frontend.n_fft)[:: frontend.hop][:n].astype(np.int64)
    largest = np.where(framed < 0, ~framed, framed).max(axis=1)
    shifts = np.minimum(15 - _bit_length(largest), tables.max_shift)
    window = np.concatenate([tables.window, tables.window[-2:0:-1]]).astype(np.int64)
    mantissas, exponents = _powers((framed << shifts[:, None]) * window >> 2, tables)
    mels = mel_bands(frontend)
    sums = np.full((n, frontend.n_mels), tables.floor, np.int64) << 2 * shifts[:, None]
    at = 0
    for band, (start, length) in enumerate(zip(mels.starts.tolist(), mels.lengths.tolist(), strict=True)):
        for place in range(start, start + length):
            sums[:, band] += tables.mel_coefficients[at].astype(np.int64) * mantissas[:, place] << exponents[:, place]
            at += 1
    logs = _log2(sums, tables) - ((tables.bits + 2 * shifts[:, None]) << 15)
    return (logs + 32 >> 6).astype(np.int16)


def patches(frontend: LogMelFrontend, frames: Int16, network_input: TensorFormat) -> PatchInputs:
    """Compute the network's input and the levels from `log2_mel` as the C code does."""
    starts = frontend.patch_starts(len(frames))
    if len(starts) == 0:
        return PatchInputs.empty(frontend)
    chosen = frames[starts[:, None] + np.arange(frontend.patch_frames)].astype(np.int64)
    size = frontend.patch_frames * frontend.n_mels
    means = (chosen.sum(axis=(1, 2)) * 128) // size
    offsets = means if frontend.centred else np.full_like(means, fixed_offset(frontend))
    steps = ((chosen * 128 - offsets[:, None, None]) * fixed_scale(frontend, network_input) + 2**31) >> 32
    codes = np.clip(steps + (network_input.zero_point or 0), -128, 127).astype(np.int8)
    peaks = chosen[:, :, dc_bands(frontend) :].max(axis=(1, 2)) * 128
    loudness, peak = (level.astype(np.float32) * np.float32(DECIBELS_PER_OCTAVE / 2**16) for level in (means, peaks))
    return PatchInputs(np.ascontiguousarray(codes.transpose(0, 2, 1)), loudness, peak)


def _powers(frames: Int64, tables: FixedTables) -> tuple[Int64, Int64]:
    """Return the power spectrum as mantissas below 2^16 and powers of two, `(frames, n_fft // 2 + 1)` each."""
    n, n_fft = frames.shape
    points = n_fft // 2
    layout = fft_tables(n_fft)
    re, im = np.empty((2, n, points), np.int64)
    re[:, layout.places], im[:, layout.places] = frames[:, ::2], frames[:, 1::2]
    if layout.begins_with_pairs:
        for part in (re, im):
            a, b = part[:, ::2] >> 1, part[:, 1::2] >> 1
            part[:, ::2], part[:, 1::2] = a + b, a - b
    at = 0
    for stage in layout.twiddles:
        size = len(stage)
        # The first butterfly has the factors 1, 1, 1.
        factors = tables.twiddles[at : at + 6 * (size - 1)].astype(np.int64).reshape(size - 1, 3, 2)
        at += 6 * (size - 1)
        _butterflies(re.reshape(n, -1, 4, size), im.reshape(n, -1, 4, size), factors)
    low = np.arange(1, points // 2 + 1)
    high = points - low
    spectrum_re, spectrum_im = np.zeros((2, n, points + 1), np.int64)
    spectrum_re[:, 0], spectrum_re[:, points] = 2 * (re[:, 0] + im[:, 0]), 2 * (re[:, 0] - im[:, 0])
    even_re, even_im = re[:, low] + re[:, high], im[:, low] - im[:, high]
    odd_re, odd_im = im[:, low] + im[:, high], re[:, high] - re[:, low]
    joints = tables.joints.astype(np.int64).reshape(-1, 2)
    turned_re, turned_im = _times(odd_re, odd_im, joints)
    spectrum_re[:, low], spectrum_im[:, low] = even_re + turned_re, even_im + turned_im
    spectrum_re[:, high], spectrum_im[:, high] = even_re - turned_re, even_im - turned_im
    largest = np.maximum(np.abs(spectrum_re), np.abs(spectrum_im))
    shifts = np.maximum(_bit_length(largest) - 15, 0)
    squares = (spectrum_re >> shifts) ** 2 + (spectrum_im >> shifts) ** 2
    return squares >> 15, 2 * shifts


def _butterflies(re: Int64, im: Int64, factors: Int64) -> None:
    """Do one stage of radix 4 in place, divided by 4; `re` and `im` are (frames, groups, 4, butterflies)."""
    legs = []
    for leg in range(4):
        part_re, part_im = re[:, :, leg] >> 2, im[:, :, leg] >> 2
        if leg > 0:
            turned = _times(part_re[..., 1:], part_im[..., 1:], factors[:, leg - 1])
            part_re[..., 1:], part_im[..., 1:] = turned
        legs.append((part_re, part_im))
    (a_re, a_im), (b_re, b_im), (c_re, c_im), (d_re, d_im) = legs
    s0_re, s0_im, s1_re, s1_im = a_re + c_re, a_im + c_im, a_re - c_re, a_im - c_im
    s2_re, s2_im, s3_re, s3_im = b_re + d_re, b_im + d_im, b_im - d_im, d_re - b_re
    re[:, :, 0], im[:, :, 0] = s0_re + s2_re, s0_im + s2_im
    re[:, :, 1], im[:, :, 1] = s1_re + s3_re, s1_im + s3_im
    re[:, :, 2], im[:, :, 2] = s0_re - s2_re, s0_im - s2_im
    re[:, :, 3], im[:, :, 3] = s1_re - s3_re, s1_im - s3_im


def _times(re: Int64, im: Int64, factors: Int64) -> tuple[Int64, Int64]:
    """Multiply by complex factors in 2^-15; each product is rounded down."""
    w_re, w_im = factors[..., 0], factors[..., 1]
    return (re * w_re >> 15) - (im * w_im >> 15), (re * w_im >> 15) + (im * w_re >> 15)


def _log2(x: Int64, tables: FixedTables) -> Int64:
    """Return log2 of positive numbers in 2^-15, by linear interpolation."""
    exponents = _bit_length(x) - 1
    # 31 bits: 1, then 5 for the segment and 16 within it, of which the rest is dropped.
    mantissas = np.where(exponents > 30, x >> np.maximum(exponents - 30, 0), x << np.maximum(30 - exponents, 0))
    segments, within = mantissas >> 25 & 31, mantissas >> 9 & 0xFFFF
    table = tables.log2.astype(np.int64)
    rise = (table[segments + 1] - table[segments]) * within >> 16
    return np.asarray((exponents << 15) + table[segments] + rise, np.int64)


def _bit_length(x: Int64) -> Int64:
    """Return the number of bits of numbers from 0 to 2^63 - 1."""
    lengths = np.zeros_like(x)
    for power in (32, 16, 8, 4, 2, 1):
        large = (x >> lengths) >> power > 0
        lengths += np.where(large, power, 0)
    return np.asarray(lengths + (x > 0), np.int64)
