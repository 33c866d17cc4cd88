"""Features of a trunk, the first layers of a pretrained network, as a frontend: what is cached of a clip for its head.

`labeltool.pretrained.trunk_frames` computes them. The model itself takes log-mels: this frontend is the laptop's alone.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from labeltool.audio.descriptors import describe_embeddings
from labeltool.audio.frontend_base import Frontend, require_positive
from labeltool.type_aliases import Float32, Int8, Int16, Int64

Pools = Literal["whole", "halves", "layers"]
"""How a head reads the maps that a trunk computes: "whole" is the mean and the maximum of each channel over all of the
last one, "halves" the means over its lower and its upper half of the frequencies, and the maximum; "layers" the mean
and the maximum of the middle layer, and the mean of the last one."""

# Before the codes of a window: its loudness and its loudest band, as the bytes of two float32.
_LEVEL_BYTES = 8


@dataclass(frozen=True, slots=True)
class TrunkFrontend(Frontend):
    """Int8 features of windows; a frame is one window, and so is a patch.

    The codes of a window are four for each channel, one kind after the other: the mean, the maximum, the mean over the
    lower half of the frequencies, and over the upper half; then the mean and the maximum of the middle layer. Before
    them a frame has the bytes of two float32 in decibels: the window's loudness and its loudest band.

    Attributes
    ----------
    trunk
        Fingerprint of the layers, and of how features are computed of them.
    scale, zero_point
        What they stand for: `scale * (code - zero_point)`.
    sample_rate_hz, window, hop
        Hertz; length of a window and distance between windows, samples.
    patch_hop
        Distance between the windows that a clip is scored by, in windows.
    middle_channels
        Of a layer amid the trunk (`Trunk.middle`) that is read too; 0: none.
    """

    trunk: str
    channels: int
    scale: float
    zero_point: int
    sample_rate_hz: int = 16_000
    window: int = 15_600
    hop: int = 3_840
    patch_hop: int = 2
    middle_channels: int = 0

    def __post_init__(self) -> None:
        require_positive(self, ("channels", "scale", "sample_rate_hz", "window", "hop", "patch_hop"))

    @property
    def frame_samples(self) -> int:
        """`window`."""
        return self.window

    @property
    def floor(self) -> float:
        """Loudness is that of the log-mels, whose floor it has."""
        return 0.0

    @property
    def patch_frames(self) -> int:
        """A patch is one window."""
        return 1

    @property
    def centred(self) -> bool:
        """Codes stay as they are."""
        return False

    @property
    def width(self) -> int:
        """Codes of a window."""
        return 4 * self.channels + 2 * self.middle_channels

    @property
    def n_features(self) -> int:
        """`width`."""
        return self.width

    def places(self, pools: Pools) -> Int64:
        """Return which codes of a window a head reads, in its order."""
        of_last, middle = np.split(np.arange(self.width), [4 * self.channels])
        mean, maximum, lower, upper = of_last.reshape(4, self.channels)
        read = {"whole": [mean, maximum], "halves": [lower, upper, maximum], "layers": [middle, mean]}
        return np.concatenate(read[pools])

    @property
    def columns(self) -> int:
        """The bytes of both levels and the codes."""
        return _LEVEL_BYTES + self.width

    @property
    def dtype(self) -> npt.DTypeLike:
        """Codes are int8."""
        return np.int8

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain JSON values; the distance between patches changes no frame."""
        fields = {name: value for name, value in asdict(self).items() if name != "patch_hop"}
        if not self.middle_channels:
            del fields["middle_channels"]  # as it was before there was one: the same fingerprint
        return {"kind": "trunk", **fields}

    def overlapping(self, depth: int) -> TrunkFrontend:
        """Return the same frontend with a patch for every window."""
        return replace(self, patch_hop=1)

    def frames(self, codes: Int8, loudness_db: Float32, peak_db: Float32) -> Int8:
        """Return the frames of windows, `(windows, columns) int8`.

        Parameters
        ----------
        codes : (windows, width) int8
        loudness_db, peak_db : (windows,) float32
        """
        levels = np.stack([loudness_db, peak_db], axis=1).astype("<f4")
        return np.concatenate([levels.view(np.int8), codes], axis=1)

    def compute_frames(self, pcm: Int16) -> Float32:
        """Raise a `TypeError`: frames need the trunk; see `pretrained.trunk_frames`."""
        raise TypeError("the frames of a trunk frontend are computed by its trunk")

    def normalise(self, patches: Float32) -> Float32:
        """Return the patches as they are."""
        return patches

    def codes(self, frames: npt.NDArray[Any]) -> Int8:
        """Return the codes of every window, `(windows, width) int8`."""
        return np.asarray(frames[:, _LEVEL_BYTES:], np.int8)

    def levels_db(self, frames: npt.NDArray[Any]) -> Float32:
        """Return loudness and loudest band of every window, `(windows, 2) float32` in decibels."""
        return np.ascontiguousarray(frames[:, :_LEVEL_BYTES], np.int8).view("<f4").astype(np.float32)

    def loudness_db(self, frames: Float32) -> Float32:
        """Return how loud each patch is, `(patches,) float32` in decibels: the mean of its log-mels."""
        return self.levels_db(frames)[:: self.patch_hop, 0]

    def peak_db(self, frames: Float32) -> Float32:
        """Return the loudest band of each patch, `(patches,) float32` in decibels, as `loudness_gate.peak_db`."""
        return self.levels_db(frames)[:: self.patch_hop, 1]

    def describe(self, frames: Float32) -> Float32:
        """Summarise a clip by the mean and maximum of its features, projected to `(192,) float32`."""
        codes = self.codes(frames)[:, : self.channels]
        return describe_embeddings(np.float32(self.scale) * (codes.astype(np.float32) - self.zero_point))
