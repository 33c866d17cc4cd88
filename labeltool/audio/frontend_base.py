"""What every frontend has, and the helpers that the three of them share."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt

from labeltool.errors import LabeltoolError
from labeltool.type_aliases import Float32, Float64, Int16, Int64

DEFINITION = 1
"""Version of the formulas: raised whenever they change a number, so that every fingerprint changes."""

COMPUTATION = 2
"""Of how frames are computed: raised where a change moves their last bits but no formula. A cache has frames of one."""

FULL_SCALE = np.float32(32768.0)
"""The 16-bit sample that is 1."""


class Frontend(Protocol):
    """Frames of samples, patches of frames, and how loud a patch is; a frozen dataclass.

    Frames are not centred: the first starts at sample 0.
    """

    __slots__ = ()

    @property
    def sample_rate_hz(self) -> int:
        """Hertz."""

    @property
    def frame_samples(self) -> int:
        """Length of a frame, samples."""

    @property
    def hop(self) -> int:
        """Distance between frames, samples."""

    @property
    def floor(self) -> float:
        """Power added before a logarithm of it."""

    @property
    def patch_frames(self) -> int:
        """Length of a patch, frames."""

    @property
    def patch_hop(self) -> int:
        """Distance between patches, frames."""

    @property
    def centred(self) -> bool:
        """Whether patches are normalised."""

    @property
    def n_features(self) -> int:
        """Numbers of a frame that the network gets: the height of a patch."""

    def to_dict(self) -> dict[str, Any]:
        """Return the definition as plain JSON values."""

    def compute_frames(self, pcm: Int16) -> Float32:
        """Return the frames of samples, `(samples,) int16` at `sample_rate_hz`: `(frames, columns) float32`."""

    def normalise(self, patches: Float32) -> Float32:
        """Remove each patch's level where the frontend is `centred`; `(n, n_features, patch_frames)` in and out."""

    def loudness_db(self, frames: Float32) -> Float32:
        """Return how loud each patch is, `(patches,) float32` in decibels: the level that `normalise` removes.

        `postprocessing.clip_scores` weights patches by it.
        """

    def describe(self, frames: Float32) -> Float32:
        """Summarise a clip's frames without a network, `(192,) float32`: clips of one sound are close in it."""

    @property
    def columns(self) -> int:
        """Numbers of a frame."""
        return self.n_features

    @property
    def dtype(self) -> npt.DTypeLike:
        """Type of the numbers of a frame."""
        return np.float32

    @property
    def fingerprint(self) -> str:
        """16 hex digits that change with anything that changes the numbers, and with nothing else."""
        described = json.dumps({"definition": DEFINITION, **self.to_dict()}, sort_keys=True)
        return hashlib.sha256(described.encode()).hexdigest()[:16]

    @property
    def patch_samples(self) -> int:
        """Samples under one patch."""
        return self.frame_samples + (self.patch_frames - 1) * self.hop

    @property
    def highest_hz(self) -> float:
        """Highest frequency of which a frame has anything: of the mel bands, or half the sample rate."""
        return float(getattr(self, "high_hz", self.sample_rate_hz / 2))

    @property
    def patch_hop_s(self) -> float:
        """Seconds from one patch to the next."""
        return self.patch_hop * self.hop / self.sample_rate_hz

    @property
    def patch_s(self) -> float:
        """Seconds under one patch."""
        return self.patch_samples / self.sample_rate_hz

    @property
    def patch_hops_s(self) -> float:
        """Seconds of a patch as settings give them, counted in hops: 50 frames of 20 ms are one second."""
        return self.patch_frames * self.hop / self.sample_rate_hz

    def with_patches(self, patch_frames: int, patch_hop: int) -> Self:
        """Return the same frontend with patches of another length and distance, frames."""
        changed: Self = replace(self, patch_frames=patch_frames, patch_hop=patch_hop)  # type: ignore[type-var]
        return changed

    def lasting(self, patch_s: float) -> Self:
        """Return the same frontend with patches of this duration that overlap by half, or itself if they have it."""
        frames = max(1, round(self._frames_lasting(patch_s)))
        if frames == self.patch_frames:
            return self
        return self.with_patches(frames, max(1, frames // 2))

    def overlapping(self, depth: int) -> Self:
        """Return the same frontend with this many patches over one moment, as far as its frames allow."""
        return self.with_patches(self.patch_frames, max(1, self.patch_frames // depth))

    def n_frames(self, samples: int) -> int:
        """Return the number of whole frames in a number of samples."""
        return 0 if samples < self.frame_samples else 1 + (samples - self.frame_samples) // self.hop

    def patch_starts(self, frames: int) -> Int64:
        """Return the first frame of each whole patch in a number of frames."""
        return np.arange(0, max(0, frames - self.patch_frames + 1), self.patch_hop, dtype=np.int64)

    def patch_counts(self, frames: Int64) -> Int64:
        """Return the number of whole patches in each number of frames."""
        return np.maximum(0, (frames - self.patch_frames) // self.patch_hop + 1)

    def patches(self, frames: Float32) -> Float32:
        """Cut frames into what the network takes.

        Parameters
        ----------
        frames : (frames, columns) float32

        Returns
        -------
        (patches, n_features, patch_frames) float32
            Normalised; empty when there are fewer than `patch_frames` frames.
        """
        starts = self.patch_starts(len(frames))
        if len(starts) == 0:
            return np.empty((0, self.n_features, self.patch_frames), np.float32)
        features = frames[:, self.columns - self.n_features :]
        views = np.lib.stride_tricks.sliding_window_view(features, self.patch_frames, axis=0)
        return self.normalise(np.ascontiguousarray(views[starts]))

    def _frames_lasting(self, patch_s: float) -> float:
        return patch_s * self.sample_rate_hz / self.hop


@dataclass(frozen=True, slots=True)
class UnusedMelFields:
    """Fields of log-mels that the other frontends' dictionaries have too: they change no number but the fingerprint."""

    low_hz: float = 20.0
    high_hz: float = 7500.0
    offset_db: float = -50.0
    scale_db: float = 15.0


UNUSED_KEYS = tuple(one.name for one in fields(UnusedMelFields))


def kind_to_dict(frontend: Frontend, kind: str, n_fft: int, n_mels: int, unused: UnusedMelFields) -> dict[str, Any]:
    """Return a definition under the keys of log-mels, in their order, and its kind: fingerprints are made of these."""
    return {
        "sample_rate_hz": int(frontend.sample_rate_hz),
        "n_fft": int(n_fft),
        "hop": int(frontend.hop),
        "n_mels": int(n_mels),
        "low_hz": float(unused.low_hz),
        "high_hz": float(unused.high_hz),
        "floor": float(frontend.floor),
        "offset_db": float(unused.offset_db),
        "scale_db": float(unused.scale_db),
        "patch_frames": int(frontend.patch_frames),
        "patch_hop": int(frontend.patch_hop),
        "centred": bool(frontend.centred),
        "kind": kind,
    }


def require_positive(frontend: object, names: Iterable[str]) -> None:
    """Raise a `LabeltoolError` where one of some fields is not above zero."""
    for name in names:
        if not getattr(frontend, name) > 0:
            raise LabeltoolError(f"frontend: {name} must be above zero, not {getattr(frontend, name)!r}")


def require_pcm(pcm: Int16) -> None:
    """Raise a `ValueError` where samples are not one-dimensional int16."""
    if pcm.dtype != np.int16 or pcm.ndim != 1:
        raise ValueError(f"pcm must be one-dimensional int16, not {pcm.ndim}-dimensional {pcm.dtype}")


def unit_samples(pcm: Int16) -> Float32:
    """Return 16-bit samples as float32 from -1 to 1."""
    require_pcm(pcm)
    return pcm.astype(np.float32) / FULL_SCALE


def mean_powers(levels: Float32, starts: Int64, patch_frames: int) -> Float64:
    """Return the mean square of levels, `(frames,)`, over the patch at each start: `(patches,) float64`."""
    sums = np.concatenate([[0.0], np.cumsum(np.square(levels, dtype=np.float64))])
    return np.asarray((sums[starts + patch_frames] - sums[starts]) / patch_frames, np.float64)


def loudness_of_levels(frontend: Frontend, levels: Float32) -> Float32:
    """Return the mean power of each patch by the levels of its frames, `(frames,)`: `(patches,) float32`, decibels."""
    powers = mean_powers(levels, frontend.patch_starts(len(levels)), frontend.patch_frames)
    return np.asarray(10.0 * np.log10(powers + frontend.floor), np.float32)
