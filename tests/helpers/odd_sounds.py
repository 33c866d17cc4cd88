"""Sound files whose headers lie, or that are damaged, made of good ones."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import soundfile

RATE = 16_000
FRAMES = 3 * RATE


def samples() -> np.ndarray:
    """Three seconds of a tone in noise, (FRAMES,) float32."""
    rng = np.random.default_rng(7)
    tone = 0.3 * np.sin(np.arange(FRAMES) * 0.2)
    return np.asarray(tone + rng.normal(0, 0.05, FRAMES), np.float32)


def flac(path: Path, *, total: int | None = None, kept: float = 1.0) -> Path:
    """Write a FLAC file whose header claims a number of frames (0: not known), cut to a part of its bytes."""
    soundfile.write(path, samples(), RATE, format="FLAC")
    content = path.read_bytes()
    if total is not None:
        fields = int.from_bytes(content[18:26]) >> 36 << 36 | total
        content = content[:18] + fields.to_bytes(8) + content[26:]
    path.write_bytes(content[: int(kept * len(content))])
    return path


def wav(path: Path, *, claimed_bytes: int | None = None, rate: int = RATE, channels: int = 1, bits: int = 16) -> Path:
    """Write a WAV file with any header."""
    data = np.rint(samples() * 32767).astype("<i2").tobytes()
    size = len(data) if claimed_bytes is None else claimed_bytes
    frame = channels * bits // 8
    head = struct.pack("<HHIIHH", 1, channels, rate, rate * frame & 0xFFFFFFFF, frame & 0xFFFF, bits)
    riff = b"RIFF" + struct.pack("<I", min(36 + size, 0xFFFFFFFF)) + b"WAVEfmt " + struct.pack("<I", 16) + head
    path.write_bytes(riff + b"data" + struct.pack("<I", size) + data)
    return path


def mp3(path: Path, *, loud_first: bool | None = None, with_length: bool = True) -> Path:
    """Write an MP3 of `FRAMES`, of variable bit rate; its first or its second half is loud, the other silent."""
    sound = samples()
    if loud_first is not None:
        sound[FRAMES // 2 :] *= not loud_first
        sound[: FRAMES // 2] *= loud_first
    with soundfile.SoundFile(path, "w", RATE, 1, format="MP3", bitrate_mode="VARIABLE", compression_level=0.1) as file:
        file.write(sound)
    if not with_length:
        content = path.read_bytes()
        path.write_bytes(content.replace(b"Xing", bytes(4), 1).replace(b"Info", bytes(4), 1))
    return path
