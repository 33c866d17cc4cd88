"""A clip ready to be played and drawn: its samples, its mel spectrogram, and the envelope of its waveform."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from labeltool.audio import files
from labeltool.audio.mel_picture import MAX_FRAMES, MIN_FFT_S, TOP_HZ, MelAnalyzer, brightness_range, mel_spectrogram
from labeltool.errors import LabeltoolError
from labeltool.records import StoredClip
from labeltool.type_aliases import Float32, Float64, Int16
from labeltool.util.urls import is_url

PLAYBACK_RATE_HZ = 48_000
"""The rate that every clip is resampled to, so that one open device plays them all."""

MAX_CLIP_S = 180.0
"""A longer clip is shown and played only up to here, so that the app stays quick."""

_ENVELOPE_BINS = 1600
# A stretch is analysed in the longest of these windows that fits into it `_STRETCH_WINDOWS` times: a shorter window
# shows when, a longer one at which frequency.
_STRETCH_WINDOWS_S = (1.0, 0.016, 0.008, 0.004)
_STRETCH_WINDOWS = 48


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """The spectrogram and the waveform of a stretch of sound.

    Attributes
    ----------
    mel_db : (bands, frames) float32
        Mel power in decibels below full scale, low bands first.
    band_hz : (bands,) float64
        The centres of the bands.
    envelope : (2, bins) float32
        The lowest and highest sample, -1 to 1, in equal pieces of time.
    loudest_db, quiet_db
        The levels drawn brightest and darkest.
    start_s, duration_s
        The start and the length of the time axis.
    whole_s
        The length of the clip or recording that it is a stretch of.
    """

    mel_db: Float32
    band_hz: Float64
    envelope: Float32
    loudest_db: float
    quiet_db: float
    start_s: float = 0.0
    duration_s: float
    whole_s: float

    @property
    def end_s(self) -> float:
        return self.start_s + self.duration_s


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipPicture(Picture):
    """The spectrogram, the waveform and the samples of a clip.

    Attributes
    ----------
    samples : (n,) int16
        Mono, at `PLAYBACK_RATE_HZ`.
    top_hz
        The highest frequency that the file has, or that is shown.
    cut_s
        Seconds of the clip after `MAX_CLIP_S`, which are not part of it; `duration_s` is without them.
    """

    samples: Int16
    top_hz: float
    cut_s: float

    @property
    def size_bytes(self) -> int:
        """The memory it takes, roughly."""
        return self.samples.nbytes + self.mel_db.nbytes + self.envelope.nbytes


def read_mono(clip: StoredClip) -> tuple[Float32, int]:
    """Return up to `MAX_CLIP_S` of a clip, `(n,) float32`, and its rate; none of it where the file ends before it."""
    if is_url(clip.path):  # costs nothing, and another sound of that URL must not get the label
        files.require_content(clip.path, clip.sha256, clip.samples_sha256)
    return files.read_mono(clip.path, clip.start_s, min(clip.end_s, clip.start_s + MAX_CLIP_S))


def load_clip(clip: StoredClip) -> ClipPicture:
    """Decode a clip and compute what the screen shows of it."""
    mono, rate = read_mono(clip)
    if not len(mono):
        raise LabeltoolError("ends before this clip begins", file=clip.path, remedy="was it cut or replaced?")
    mel_db, band_hz = mel_spectrogram(mono, rate)
    loudest, quiet = brightness_range(mel_db)
    return ClipPicture(
        samples=to_playback_pcm(mono, rate),
        top_hz=min(rate / 2, TOP_HZ),
        duration_s=len(mono) / rate,
        whole_s=len(mono) / rate,
        cut_s=max(0.0, clip.end_s - (clip.start_s + MAX_CLIP_S)),
        mel_db=mel_db,
        band_hz=band_hz,
        envelope=_envelope(mono),
        loudest_db=loudest,
        quiet_db=quiet,
    )


def stretch(sound: ClipPicture, start_s: float, duration_s: float) -> Picture:
    """Return a stretch of a clip, analysed anew in finer steps; as bright as in the whole clip."""
    fitting = (window_s for window_s in _STRETCH_WINDOWS_S if min(window_s, MIN_FFT_S) * _STRETCH_WINDOWS < duration_s)
    window_s = next(fitting, _STRETCH_WINDOWS_S[-1])
    analyzer = MelAnalyzer.for_rate(PLAYBACK_RATE_HZ, window_s, sound.top_hz)
    first = round(start_s * PLAYBACK_RATE_HZ)
    count = max(1, round(duration_s * PLAYBACK_RATE_HZ))
    margin = analyzer.window // 2
    before, after = max(0, first - margin), min(len(sound.samples), first + count + margin)
    around = np.zeros(count + 2 * margin, np.float32)
    at = before - (first - margin)
    around[at : at + max(0, after - before)] = sound.samples[before:after] / np.float32(32768.0)
    hop = max(1, analyzer.window // 8, -(-count // MAX_FRAMES))
    framed = np.lib.stride_tricks.sliding_window_view(around, analyzer.window)[:count:hop]
    return Picture(
        mel_db=np.ascontiguousarray(analyzer.mel_db(framed).T),
        band_hz=analyzer.band_hz,
        envelope=_envelope(around[margin : margin + count]),
        loudest_db=sound.loudest_db,
        quiet_db=sound.quiet_db,
        start_s=start_s,
        duration_s=duration_s,
        whole_s=sound.duration_s,
    )


def _envelope(mono: Float32) -> Float32:
    bins = min(_ENVELOPE_BINS, len(mono))
    edges = (np.arange(bins) * len(mono) / bins).astype(np.intp)
    return np.stack([np.minimum.reduceat(mono, edges), np.maximum.reduceat(mono, edges)])


def to_playback_pcm(mono: Float32, rate: int) -> Int16:
    """Resample to `PLAYBACK_RATE_HZ` and convert to 16 bits."""
    if rate != PLAYBACK_RATE_HZ:
        import soxr

        mono = soxr.resample(mono, rate, PLAYBACK_RATE_HZ, quality="HQ")
    pcm: Int16 = np.clip(np.rint(mono * 32767.0), -32768, 32767).astype(np.int16)
    return pcm
