"""Tables with which a microcontroller computes log-mels: of its FFT, and of the mel filters."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from labeltool.audio.log_mel_frontend import LogMelFrontend
from labeltool.audio.mel_filters import periodic_hann
from labeltool.type_aliases import Float32, Float64, Int64

# The C code does not divide samples by 32768, and its FFT gives four times the power. Both factors are powers of two,
# so the coefficients absorb them without rounding.
_SCALES = {"power": np.float32(2.0**-32), "magnitude": np.float32(2.0**-16)}
# Power of one step of 16-bit samples.
_STEP_POWER = 2.0**-30

_MIN_N_FFT, _MAX_N_FFT = 16, 2048


@dataclass(frozen=True, slots=True)
class FftTables:
    """Tables of the C code's FFT of `n_fft` real samples: `n_fft // 2` complex points, radix 4, decimation in time.

    Attributes
    ----------
    begins_with_pairs
        Whether the first stage is of radix 2.
    places : (n_fft // 2,) uint16
        Position of each complex input before the first stage.
    twiddles
        For each stage of radix 4, (butterflies, 3) complex64.
    joints : (n_fft // 4,) complex64
        Factors of bins 1, 2, ... that join the spectra of even and odd samples.
    """

    begins_with_pairs: bool
    places: npt.NDArray[np.uint16]
    twiddles: tuple[npt.NDArray[np.complex64], ...]
    joints: npt.NDArray[np.complex64]


@dataclass(frozen=True, slots=True)
class MelTables:
    """Mel filters without their zeros, scaled for the spectrum of the C code (`_SCALES`).

    Attributes
    ----------
    coefficients : (n,) float32
        Band after band.
    starts, lengths : (n_mels,) uint16
        First bin of each band and its number of bins; 0 for an empty band.
    """

    coefficients: Float32
    starts: npt.NDArray[np.uint16]
    lengths: npt.NDArray[np.uint16]

    def bands(self) -> list[tuple[int, Float32]]:
        """Return each band's first bin and its coefficients."""
        ends = np.concatenate([[0], np.cumsum(self.lengths, dtype=np.int64)])
        return [
            (int(start), self.coefficients[first:last])
            for start, (first, last) in zip(self.starts, pairwise(ends), strict=True)
        ]


def device_problem(frontend: LogMelFrontend) -> str:
    """Return why the C code cannot compute a frontend's frames; empty where it can."""
    n_fft, frame = frontend.n_fft, frontend.frame_samples
    if n_fft & (n_fft - 1) or not _MIN_N_FFT <= n_fft <= _MAX_N_FFT:
        return f"the FFT of the C code needs a length that is a power of two from 16 to 2048, not {n_fft}"
    return f"the C code needs a window of a multiple of 4 samples, not {frame}" if frame % 4 else ""


@lru_cache(maxsize=8)
def fft_tables(n_fft: int) -> FftTables:
    """Return the tables of an FFT; `n_fft` is a power of two, at least 16."""
    points = n_fft // 2
    begins_with_pairs = points.bit_length() % 2 == 0
    places = np.empty(points, np.uint16)
    places[_input_order(points)] = np.arange(points, dtype=np.uint16)
    twiddles = []
    size = 2 if begins_with_pairs else 1
    while size < points:
        turns = np.outer(np.arange(size), (1, 2, 3)) / (4 * size)
        twiddles.append(_unit_roots(turns))
        size *= 4
    return FftTables(begins_with_pairs, places, tuple(twiddles), _unit_roots(np.arange(1, points // 2 + 1) / n_fft))


@lru_cache(maxsize=8)
def mel_bands(frontend: LogMelFrontend) -> MelTables:
    """Return the mel filters of a frontend as the C code uses them."""
    coefficients, starts, lengths = without_zeros(frontend.mel_filters())
    return MelTables(coefficients * _SCALES[frontend.spectrum], starts.astype(np.uint16), lengths.astype(np.uint16))


@lru_cache(maxsize=8)
def dc_bands(frontend: LogMelFrontend) -> int:
    """Return the number of lowest bands into which a DC offset leaks, never all.

    That is where an offset of full scale gives more than noise of the last bit can. A periodic Hann window of `n_fft`
    samples turns a constant into bins 0 and 1 and nothing else, a shorter one into side lobes as well.
    """
    response = np.abs(np.fft.rfft(periodic_hann(frontend.frame_samples), frontend.n_fft))
    spectrum = np.square(response) if frontend.spectrum == "power" else response
    leaking = np.flatnonzero(frontend.mel_filters() @ spectrum > one_step_mel(frontend))
    return min(int(leaking[-1]) + 1 if len(leaking) else 0, frontend.n_mels - 1)


def one_step_mel(frontend: LogMelFrontend, first_band: int = 0) -> float:
    """Return a bound of the mels of signals whose samples are 0 or one step, from one band on.

    By Parseval's theorem the powers in the bins of a frame sum to at most `n_fft / 2` times the energy of the window. A
    band's sum of magnitudes is at most the root of that sum times the root of its squared coefficients' (Cauchy and
    Schwarz).
    """
    coefficients = frontend.mel_filters()[first_band:].astype(np.float64)
    energy = np.square(frontend.window(), dtype=np.float64).sum() * _STEP_POWER * frontend.n_fft / 2
    if frontend.spectrum == "power":
        return float(energy * coefficients.max())
    return float(np.sqrt(energy * np.square(coefficients).sum(axis=1).max()))


def without_zeros(filters: Float32) -> tuple[Float32, Int64, Int64]:
    """Return the coefficients of filters `(bands, bins)`, band after band, and first bin and number of bins of each."""
    starts = (filters != 0).argmax(axis=1)
    stops = filters.shape[1] - (filters[:, ::-1] != 0).argmax(axis=1)
    lengths = np.where(filters.any(axis=1), stops - starts, 0)
    rows = [row[start : start + n] for row, start, n in zip(filters, starts, lengths, strict=True)]
    return np.concatenate(rows), starts, lengths


def _input_order(points: int) -> Int64:
    """Return the index of the input at each position: every fourth one in turn, and the same within each quarter."""
    if points == 1:
        return np.zeros(1, np.int64)
    radix = 2 if points == 2 else 4
    part = _input_order(points // radix) * radix
    return np.concatenate([part + offset for offset in range(radix)])


def _unit_roots(turns: Float64) -> npt.NDArray[np.complex64]:
    """Return exp(-2 pi i turns); rounded so that quarter turns are exact."""
    angle = 2.0 * np.pi * turns
    return np.asarray(np.round(np.cos(angle), 15) - 1j * np.round(np.sin(angle), 15), np.complex64)
