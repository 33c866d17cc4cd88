"""Embeddings of a pretrained model as a frontend; `labeltool.pretrained.embedding_frames` computes its frames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from labeltool.audio.descriptors import describe_embeddings, hellinger
from labeltool.audio.frontend_base import (
    UNUSED_KEYS,
    Frontend,
    UnusedMelFields,
    kind_to_dict,
    loudness_of_levels,
    require_positive,
)
from labeltool.type_aliases import Float32, Int16

# Dictionaries have the keys of log-mels, and an older word for the pretrained model: fingerprints are made of them.
_KEYS = {"n_fft": "window", "n_mels": "width", "ear": "pretrained"}  # former name


@dataclass(frozen=True, slots=True)
class EmbeddingFrontend(Frontend):
    """Embeddings of a pretrained model; a frame is one window of samples.

    Before the embedding a frame has the window's level, which does not reach the network. The frames are computed by
    `labeltool.pretrained.embedding_frames`. With `centred`, each embedding is scaled as `hellinger` does.

    Attributes
    ----------
    window, hop
        Length of a window and distance between windows, samples.
    floor
        Power added before the logarithm of a level.
    patch_frames, patch_hop
        Length of a patch and distance between patches, windows.
    pretrained
        Fingerprint of the pretrained model; "" for any.
    """

    sample_rate_hz: int = 16_000
    window: int = 15_600
    hop: int = 7_800
    width: int = 1024
    floor: float = 1e-7
    patch_frames: int = 1
    patch_hop: int = 1
    centred: bool = True
    pretrained: str = ""

    def __post_init__(self) -> None:
        require_positive(self, ("sample_rate_hz", "window", "hop", "width", "floor", "patch_frames", "patch_hop"))

    @property
    def frame_samples(self) -> int:
        """`window`."""
        return self.window

    @property
    def n_features(self) -> int:
        """`width`."""
        return self.width

    @property
    def columns(self) -> int:
        """The level and the embedding."""
        return self.width + 1

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> EmbeddingFrontend:
        """Make the frontend that `to_dict` described, its keys known; raises a `TypeError` where one is no number."""
        return cls(**{_KEYS.get(key, key): value for key, value in values.items() if key not in UNUSED_KEYS})

    def to_dict(self) -> dict[str, Any]:
        """Return the definition as plain JSON values, with the keys that all frontends have."""
        unused = UnusedMelFields(low_hz=0.0, high_hz=self.sample_rate_hz / 2)
        values = kind_to_dict(self, "embedding", self.window, self.width, unused)
        return {**values, "ear": self.pretrained} if self.pretrained else values  # former name

    @property
    def patch_hops_s(self) -> float:
        """Seconds of a patch: windows, long and few, are counted whole."""
        return self.patch_s

    def _frames_lasting(self, patch_s: float) -> float:
        return (patch_s * self.sample_rate_hz - self.window) / self.hop + 1

    def overlapping(self, depth: int) -> EmbeddingFrontend:
        """Return the same frontend with this many patches over one moment."""
        if self.patch_frames == 1:
            return replace(self, hop=max(1, self.window // depth), patch_hop=1)
        return self.with_patches(self.patch_frames, max(1, self.patch_frames // depth))

    def compute_frames(self, pcm: Int16) -> Float32:
        """Raise a `TypeError`: frames need the pretrained model; see `framer` in `pretrained.embedding_frames`."""
        raise TypeError("the frames of an embedding frontend are computed by its pretrained model")

    def normalise(self, patches: Float32) -> Float32:
        """Scale each embedding by `hellinger` where the frontend is `centred`; `(n, width, windows)` in and out."""
        if not self.centred:
            return patches
        return hellinger(patches, float(np.sqrt(self.width)), axis=1)

    def loudness_db(self, frames: Float32) -> Float32:
        """Return the mean power of each patch by its windows' levels, `(patches,) float32` in decibels."""
        return loudness_of_levels(self, frames[:, 0])

    def describe(self, frames: Float32) -> Float32:
        """Summarise a clip by the mean and maximum of its embeddings, projected to `(192,) float32`."""
        return describe_embeddings(frames[:, 1:])
