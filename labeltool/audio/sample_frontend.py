"""Plain samples as a frontend, for networks that learn their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from labeltool.audio.frontend_base import (
    UNUSED_KEYS,
    Frontend,
    UnusedMelFields,
    kind_to_dict,
    loudness_of_levels,
    require_positive,
    unit_samples,
)
from labeltool.audio.log_mel_frontend import LogMelFrontend
from labeltool.errors import LabeltoolError
from labeltool.type_aliases import Float32, Int16

# A rare peak above it would make the int8 codes of everything else coarse.
_MAX_LEVELS = 8.0


@dataclass(frozen=True, slots=True)
class SampleFrontend(Frontend):
    """Plain samples from -1 to 1, for networks with a frontend of their own; a frame is one sample.

    With `centred`, each patch is divided by its root mean square, or by that of `floor` where it is quieter, and
    clipped to 8 of them.

    Attributes
    ----------
    floor
        The least power of a patch that is scaled up to one level.
    patch_frames, patch_hop
        Length of a patch and distance between patches, samples.
    unused
        Values that the fingerprint of an older description has in it.
    """

    sample_rate_hz: int = 16_000
    floor: float = 1e-5
    patch_frames: int = 16_000
    patch_hop: int = 8_000
    centred: bool = True
    unused: UnusedMelFields = field(default_factory=UnusedMelFields)

    def __post_init__(self) -> None:
        require_positive(self, ("sample_rate_hz", "floor", "patch_frames", "patch_hop"))

    @property
    def hop(self) -> int:
        """Frames follow each other sample by sample."""
        return 1

    @property
    def frame_samples(self) -> int:
        """A frame is one sample."""
        return 1

    @property
    def n_features(self) -> int:
        """A frame is one number."""
        return 1

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> SampleFrontend:
        """Make the frontend that `to_dict` described, its keys known; raises a `TypeError` where one is no number."""
        given = dict(values)
        unused = UnusedMelFields(**{key: given.pop(key) for key in UNUSED_KEYS if key in given})
        if any(given.pop(key, 1) != 1 for key in ("n_fft", "hop", "n_mels")):
            raise LabeltoolError("frontend: a frame of plain samples is one sample")
        return cls(**given, unused=unused)

    def to_dict(self) -> dict[str, Any]:
        """Return the definition as plain JSON values, with the keys that all frontends have."""
        return kind_to_dict(self, "pcm", 1, 1, self.unused)

    def compute_frames(self, pcm: Int16) -> Float32:
        """Return the samples from -1 to 1, `(samples, 1) float32`."""
        return unit_samples(pcm)[:, None]

    def normalise(self, patches: Float32) -> Float32:
        """Bring each patch to one level where the frontend is `centred`; `(n, 1, samples)` in and out."""
        if not self.centred:
            return patches
        power = np.square(patches).mean(axis=(1, 2), keepdims=True, dtype=np.float32)
        level = np.sqrt(np.maximum(power, np.float32(self.floor)))
        return np.asarray(np.clip(patches / level, -_MAX_LEVELS, _MAX_LEVELS), np.float32)

    def loudness_db(self, frames: Float32) -> Float32:
        """Return the mean power of each patch, `(patches,) float32` in decibels."""
        return loudness_of_levels(self, frames[:, 0])

    def describe(self, frames: Float32) -> Float32:
        """Summarise a clip as `LogMelFrontend` does, by its log-mels."""
        log_mels = LogMelFrontend(sample_rate_hz=self.sample_rate_hz)
        pcm = np.rint(frames[:, 0] * 32768.0).clip(-32768, 32767).astype(np.int16)
        return log_mels.describe(log_mels.log_mel(pcm))
