"""The level below which a patch contains nothing: digital silence, a DC offset, noise of the last bit."""

from __future__ import annotations

import numpy as np

from labeltool.audio.device_tables import dc_bands
from labeltool.audio.log_mel_frontend import LogMelFrontend
from labeltool.type_aliases import Float32

# Decibels above the floor, where a band of digital silence lies.
_ABOVE_FLOOR_DB = 6.0
# Power of one step of 16-bit samples.
_STEP_POWER = 2.0**-30


def gate_db(frontend: LogMelFrontend) -> float:
    """Return the gate of a frontend, decibels of `peak_db`: 6 dB above its floor.

    Where the floor is very low, the gate is above every signal whose samples are 0 or one step: by Parseval's theorem
    the powers in the bins of a frame sum to at most `n_fft / 2` times the energy of the window. A band's sum of
    magnitudes is at most the root of that sum times the root of its squared coefficients' (Cauchy and Schwarz).
    """
    coefficients = frontend.mel_filters()[dc_bands(frontend) :]
    energy = np.square(frontend.window(), dtype=np.float64).sum() * _STEP_POWER * frontend.n_fft / 2
    if frontend.spectrum == "power":
        loudest = energy * float(coefficients.max())
    else:
        loudest = float(np.sqrt(energy * np.square(coefficients, dtype=np.float64).sum(axis=1).max()))
    one_step = loudest + frontend.floor
    return max(10.0 * float(np.log10(frontend.floor)) + _ABOVE_FLOOR_DB, 10.0 * float(np.log10(one_step)))


def peak_db(frontend: LogMelFrontend, frames: Float32) -> Float32:
    """Return the largest log-mel of each patch, `(patches,) float32` in decibels, without the bands that DC reaches."""
    peaks = frames[:, dc_bands(frontend) :].max(axis=1)
    in_patch = frontend.patch_starts(len(frames))[:, None] + np.arange(frontend.patch_frames)
    return np.asarray(peaks[in_patch].max(axis=1) * np.float32(frontend.scale_db) + np.float32(frontend.offset_db))
