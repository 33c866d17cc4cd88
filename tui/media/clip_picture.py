"""A clip made ready for ear and eye: samples to play, a log-mel picture and the waveform's envelope, drawn ahead."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from labeltool.audio.files import read_span
from labeltool.audio.frontend import Frontend
from labeltool.errors import LabeltoolError
from labeltool.records import StoredClip
from labeltool.type_aliases import Float32, Float64, Int16

PLAYBACK_RATE_HZ = 48_000
"""The rate every clip is brought to, so that one open device plays them all."""

LONGEST_S = 180.0
"""A longer clip is shown and played up to here: the room stays quick whatever it is given."""

BANDS = 96
"""Rows of a picture before it is pooled to the screen's."""

_MOST_FRAMES = 1200  # pictures are pooled down to a terminal's columns; more frames would only cost time
_TOP_HZ = 16_000.0
_SHORTEST_FFT_S = 0.035
_FLOOR_POWER = 1e-12
_SILENCE_DB = -75.0
_ENVELOPE_BINS = 1600


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What is seen of a stretch of sound.

    Attributes
    ----------
    picture : (bands, frames) float32
        Mel power in decibels below full scale, low bands first.
    band_hz : (bands,) float64
        The bands' centres.
    envelope : (2, bins) float32
        Lowest and highest sample, -1 to 1, in equal pieces of time.
    loudest_db, quiet_db
        What counts as bright and as dark in this picture.
    start_s, duration_s
        Where the picture's time axis begins, and how long it is.
    """

    picture: Float32
    band_hz: Float64
    envelope: Float32
    loudest_db: float
    quiet_db: float
    start_s: float = 0.0
    duration_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound(Sight):
    """What is heard and seen of a clip.

    Attributes
    ----------
    samples : (n,) int16
        Mono, at `PLAYBACK_RATE_HZ`.
    cut_s
        Seconds of the clip that are left out because it is longer than `LONGEST_S`; `duration_s` is what was decoded.
    """

    samples: Int16
    cut_s: float

    @property
    def size_bytes(self) -> int:
        """Memory it takes, roughly."""
        return self.samples.nbytes + self.picture.nbytes + self.envelope.nbytes


def load(clip: StoredClip) -> Sound:
    """Decode a clip and draw what the screen needs of it.

    Raises
    ------
    LabeltoolError
        When its file cannot be read or holds nothing at the clip's span.
    """
    end_s = min(clip.end_s, clip.start_s + LONGEST_S)
    decoded, rate = read_span(clip.path, clip.start_s, end_s)
    if not len(decoded):
        raise LabeltoolError("ends before this clip begins", file=clip.path, remedy="was it cut or replaced?")
    mono = np.ascontiguousarray(decoded.mean(axis=1, dtype=np.float32))
    # A float file may hold what is no sound at all; to the ear and the eye that is silence.
    mono = np.nan_to_num(mono, copy=False, nan=0.0, posinf=1.0, neginf=-1.0)
    picture, band_hz = draw(mono, rate)
    loudest, quiet = range_of(picture)
    return Sound(
        samples=for_playback(mono, rate),
        duration_s=len(mono) / rate,
        cut_s=max(0.0, clip.end_s - end_s),
        picture=picture,
        band_hz=band_hz,
        envelope=_envelope(mono),
        loudest_db=loudest,
        quiet_db=quiet,
    )


def draw(mono: Float32, rate: int) -> tuple[Float32, Float64]:
    """Compute the picture of a sound: `((bands, frames) float32 dB, (bands,) Hz)`.

    It is for the eye alone, at the file's own rate: what the network hears is `Frontend`'s and ends at 7.5 kHz.
    """
    eye = Eye.of(rate)
    hop = max(1, eye.window // 4, -(-len(mono) // _MOST_FRAMES))
    # Centred frames: an event at the edge of the clip is drawn at the edge of the picture.
    padded = np.pad(mono, eye.window // 2)
    framed = np.lib.stride_tricks.sliding_window_view(padded, eye.window)[::hop]
    return np.ascontiguousarray(eye.look(framed).T), eye.band_hz


class Eye:
    """Turns windows of samples into columns of a picture; `Eye.of` keeps those made.

    Attributes
    ----------
    window
        Samples that one column is made from.
    band_hz : (BANDS,) float64
        The bands' centres: the same at one rate, however short the window.
    """

    def __init__(self, rate: int, longest_window_s: float) -> None:
        n_fft = 1 << max(6, round(_SHORTEST_FFT_S * rate).bit_length() - 1)
        high_hz = min(rate / 2, _TOP_HZ)
        self._n_fft = n_fft
        self.window = min(n_fft, max(16, round(longest_window_s * rate)))
        frontend = Frontend(
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
    def of(cls, rate: int, longest_window_s: float = 1.0) -> Eye:
        """Return the eye for a rate; a window shorter than its own 35 ms or so parts events that follow closely."""
        return cls(rate, longest_window_s)

    def look(self, framed: Float32) -> Float32:
        """Turn `(n, window)` samples into `(n, BANDS)` decibels, float32."""
        spectrum = np.fft.rfft(framed * self._taper, self._n_fft).astype(np.complex64)
        power = np.square(spectrum.real) + np.square(spectrum.imag)
        mel = (power @ self._weights) * np.float32(16.0 / self.window**2)
        decibels: Float32 = (10.0 * np.log10(mel + _FLOOR_POWER)).astype(np.float32)
        return decibels


def pooled(picture: Float32, rows: int, columns: int) -> Float32:
    """Bring a picture to `(rows, columns)`: the loudest of what falls together, so that a click stays visible."""
    return _along(_along(picture, rows, 0), columns, 1)


def _along(values: Float32, wanted: int, axis: int) -> Float32:
    there = values.shape[axis]
    edges = np.arange(wanted) * there / wanted
    if there >= wanted:
        return np.maximum.reduceat(values, edges.astype(np.intp), axis=axis)
    # Fewer values than cells: between two of them, so that no steps are seen that the sound has not.
    place = np.clip((np.arange(wanted) + 0.5) * there / wanted - 0.5, 0, there - 1)
    below = place.astype(np.intp)
    above = np.minimum(below + 1, there - 1)
    share = (place - below).astype(np.float32)
    share = share[:, None] if axis == 0 else share[None, :]
    mixed: Float32 = np.take(values, below, axis) * (1 - share) + np.take(values, above, axis) * share
    return mixed


def _centre(band: Float32, rate: int, n_fft: int) -> float:
    weight = float(band.sum())
    return float(band @ np.arange(len(band))) / weight * rate / n_fft if weight else 0.0


def range_of(picture: Float32, within: Float32 | None = None) -> tuple[float, float]:
    """Choose what is bright and what is dark: from the noise floor to the peaks, 35 to 70 dB apart.

    Parameters
    ----------
    within
        The picture of the whole that `picture` is a part of: by it one moment is as bright as another.
    """
    whole = picture if within is None else within
    peaks = max(float(np.percentile(part, 99.7)) for part in (picture, whole))
    loudest = max(peaks, _SILENCE_DB + 35.0)
    noise = float(np.percentile(whole, 35)) + 3.0
    return loudest, loudest - min(70.0, max(35.0, loudest - noise))


def _envelope(mono: Float32) -> Float32:
    bins = min(_ENVELOPE_BINS, len(mono))
    edges = (np.arange(bins) * len(mono) / bins).astype(np.intp)
    return np.stack([np.minimum.reduceat(mono, edges), np.maximum.reduceat(mono, edges)])


def for_playback(mono: Float32, rate: int) -> Int16:
    """Bring samples to `PLAYBACK_RATE_HZ` and to 16 bits."""
    if rate != PLAYBACK_RATE_HZ:
        import soxr

        mono = soxr.resample(mono, rate, PLAYBACK_RATE_HZ, quality="HQ")
    pcm: Int16 = np.clip(np.rint(mono * 32767.0), -32768, 32767).astype(np.int16)
    return pcm
