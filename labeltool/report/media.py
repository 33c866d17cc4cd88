"""Pictures and sounds of clips, small enough for a page: spectrograms as PNG, sound as MP3."""

from __future__ import annotations

import io

import numpy as np

from labeltool.audio import files
from labeltool.audio.mel_picture import BANDS, TOP_HZ, brightness_range, mel_spectrogram, resize
from labeltool.errors import LabeltoolError
from labeltool.records import StoredClip
from labeltool.report.contents import Media
from labeltool.type_aliases import Float32
from labeltool.util.png import Palette, png
from labeltool.util.urls import is_url

MAX_CLIP_S = 30.0
"""Of a longer clip, the beginning is shown and played."""

SNIPPET_S = 3.0
"""Of each clip on the map, so much can be played."""

# The rates of MPEG-1 and MPEG-2 layer III.
_MP3_RATES_HZ = (16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
# Variable bit rate: 60 kbit/s at 44.1 kHz, 26 kbit/s at 16 kHz, by ESC-10.
_COMPRESSION, _SNIPPET_COMPRESSION = 0.5, 0.7
_SNIPPET_RATE_HZ = 16_000
_COLUMNS = 360
_LEVELS = 64
# From black by blue-green to near white: its lightness rises evenly, so it reads in grey print as well.
_COLOURS = ((6, 12, 18), (8, 48, 66), (12, 96, 104), (52, 148, 122), (150, 196, 120), (248, 244, 200))


def clip_media(clip: StoredClip, *, with_sound: bool) -> Media:
    """Return the picture and the sound of a clip, up to `MAX_CLIP_S`; the reason where it cannot be read."""
    try:
        mono, rate_hz = _read(clip, MAX_CLIP_S)
        shown_s = len(mono) / rate_hz
        sound = _mp3(mono, rate_hz) if with_sound else None
        return Media(_picture(mono, rate_hz), sound, min(rate_hz / 2, TOP_HZ), shown_s)
    except LabeltoolError as error:
        return Media(problem=str(error))


def snippet(clip: StoredClip) -> bytes | None:
    """Return the beginning of a clip as MP3, for the map; None where it cannot be read."""
    try:
        mono, rate_hz = _read(clip, SNIPPET_S)
        return _mp3(mono, rate_hz, max_rate_hz=_SNIPPET_RATE_HZ, compression=_SNIPPET_COMPRESSION)
    except LabeltoolError:
        return None


def _read(clip: StoredClip, max_s: float) -> tuple[Float32, int]:
    if is_url(clip.path):
        files.require_content(clip.path, clip.sha256, clip.samples_sha256)
    mono, rate_hz = files.read_mono(clip.path, clip.start_s, min(clip.end_s, clip.start_s + max_s))
    if not len(mono):
        raise LabeltoolError("ends before this clip begins", file=clip.path, remedy="was it cut or replaced?")
    return mono, rate_hz


def _picture(mono: Float32, rate_hz: int) -> bytes:
    mel_db, _ = mel_spectrogram(mono, rate_hz)
    loudest, quiet = brightness_range(mel_db)
    drawn = resize(mel_db, BANDS, _COLUMNS)[::-1]
    levels = np.clip((drawn - quiet) / (loudest - quiet) * (_LEVELS - 1), 0, _LEVELS - 1).astype(np.uint8)
    return png(levels, _palette(), compression=9)


def _palette() -> Palette:
    at = np.linspace(0, len(_COLOURS) - 1, _LEVELS)
    channels = [np.interp(at, range(len(_COLOURS)), [colour[channel] for colour in _COLOURS]) for channel in range(3)]
    return np.rint(np.stack(channels, axis=1)).astype(np.uint8)


def _mp3(
    mono: Float32, rate_hz: int, *, max_rate_hz: int = _MP3_RATES_HZ[-1], compression: float = _COMPRESSION
) -> bytes:
    import soundfile
    import soxr

    rates = [one for one in _MP3_RATES_HZ if one <= max_rate_hz]
    new_hz = next((one for one in rates if one >= rate_hz), rates[-1])
    if new_hz != rate_hz:
        mono = soxr.resample(mono, rate_hz, new_hz, quality="HQ")
    target = io.BytesIO()
    soundfile.write(
        target,
        np.clip(mono, -1.0, 1.0),
        new_hz,
        format="MP3",
        subtype="MPEG_LAYER_III",
        compression_level=compression,
        bitrate_mode="VARIABLE",
    )
    return target.getvalue()
