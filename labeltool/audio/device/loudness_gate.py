"""The level below which a patch contains nothing: digital silence, a DC offset, noise of the last bit."""

from __future__ import annotations

import numpy as np

from labeltool.audio.device.device_tables import dc_bands, one_step_mel
from labeltool.audio.log_mel_frontend import LogMelFrontend
from labeltool.type_aliases import Float32

# Decibels above the floor, where a band of digital silence lies.
_ABOVE_FLOOR_DB = 6.0


def gate_db(frontend: LogMelFrontend) -> float:
    """Return the gate of a frontend, decibels of `peak_db`: 6 dB above its floor.

    Where the floor is very low, the gate is above every signal whose samples are 0 or one step.
    """
    one_step = one_step_mel(frontend, dc_bands(frontend)) + frontend.floor
    return max(10.0 * float(np.log10(frontend.floor)) + _ABOVE_FLOOR_DB, 10.0 * float(np.log10(one_step)))


def peak_db(frontend: LogMelFrontend, frames: Float32) -> Float32:
    """Return the largest log-mel of each patch, `(patches,) float32` in decibels, without the bands that DC reaches."""
    peaks = frames[:, dc_bands(frontend) :].max(axis=1)
    in_patch = frontend.patch_starts(len(frames))[:, None] + np.arange(frontend.patch_frames)
    return np.asarray(peaks[in_patch].max(axis=1) * np.float32(frontend.scale_db) + np.float32(frontend.offset_db))
