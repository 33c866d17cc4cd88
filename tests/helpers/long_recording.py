"""Two hours of almost nothing, with a hum of a minute and a half and a call of three seconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

RATE = 8_000
HOURS_S = 7200.0
CHIRP_S, CHIRP_HZ, CHIRP_LONG_S = 5025.0, 2500.0, 3.0
HUM_S, HUM_HZ, HUM_LONG_S = 1800.0, 300.0, 90.0


def write_two_hours(path: Path) -> Path:
    """Write them as FLAC and return the path."""
    silence = np.zeros(60 * RATE, np.int16)
    silence[::4000] = 1
    with soundfile.SoundFile(path, "w", RATE, 1, subtype="PCM_16", compression_level=0.0) as file:
        for minute in range(int(HOURS_S // 60)):
            samples = silence.copy()
            for start_s, hertz, long_s in ((CHIRP_S, CHIRP_HZ, CHIRP_LONG_S), (HUM_S, HUM_HZ, HUM_LONG_S)):
                moments = minute * 60 + np.arange(60 * RATE) / RATE
                sounds = (moments >= start_s) & (moments < start_s + long_s)
                if sounds.any():
                    samples[sounds] += (8000 * np.sin(2 * np.pi * hertz * moments[sounds])).astype(np.int16)
            file.write(samples)
    return path
