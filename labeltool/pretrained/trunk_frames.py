"""Frames of a `TrunkFrontend`: the features that a trunk computes of a clip's windows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from labeltool.audio.device import loudness_gate
from labeltool.audio.log_mel_frontend import YAMNET_FRONTEND
from labeltool.audio.trunk_frontend import TrunkFrontend
from labeltool.errors import LabeltoolError
from labeltool.networks.quantization import optimised_interpreter
from labeltool.pretrained.runtimes.base import read_file
from labeltool.pretrained.trunk import Trunk, read_own_trunk
from labeltool.pretrained.trunk_network import feature_network
from labeltool.type_aliases import Int8, Int16
from labeltool.util.files.atomic_write import write_bytes

_FRAME_HOP = 24
"""Frames between windows: 0.24 s."""

_PATCHES = YAMNET_FRONTEND.with_patches(YAMNET_FRONTEND.patch_frames, _FRAME_HOP)


@dataclass(frozen=True, slots=True)
class TrunkFrames:
    """Computes frames by a trunk; may be sent to another process, which loads the network when it is called.

    Attributes
    ----------
    path
        A file of `trunk_network.feature_network`.
    """

    path: Path
    frontend: TrunkFrontend

    def __call__(self, pcm: Int16) -> Int8:
        """Return the frames of some samples: `(windows, columns) int8`.

        Raises
        ------
        LabeltoolError
            When the network's file is missing or damaged.
        """
        log_mel = _PATCHES.log_mel(pcm)
        codes = _opened(self.path).features(_PATCHES.patches(log_mel))
        return self.frontend.frames(codes, _PATCHES.loudness_db(log_mel), loudness_gate.peak_db(_PATCHES, log_mel))


def trunk_frontend(trunk: Trunk) -> TrunkFrontend:
    """Return the frontend of a trunk's features."""
    middle, output = trunk.middle, trunk.output
    middle_channels = middle.shape[2] if middle else 0
    return TrunkFrontend(
        trunk.fingerprint, trunk.channels, output.scale, output.zero_point, middle_channels=middle_channels
    )


def trunk_frames(trunk: Trunk, directory: Path) -> TrunkFrames:
    """Return what computes a trunk's frames; its network is kept in a folder that may be deleted at will."""
    return _written(trunk, trunk_frontend(trunk), directory)


def trunk_frames_of_model(network: Path, frontend: TrunkFrontend, directory: Path) -> TrunkFrames:
    """Return what computes the frames of the trunk in a model's int8 file; see `trunk_frames`."""
    return _written(read_own_trunk(network), frontend, directory)


def _written(trunk: Trunk, frontend: TrunkFrontend, directory: Path) -> TrunkFrames:
    # Not by `frontend.trunk`, which a foreign model's card may give as a path.
    network = feature_network(trunk, middle=frontend.middle_channels > 0 and trunk.middle is not None)
    path = directory / f"{frontend.fingerprint}.tflite"
    # It takes milliseconds to make: a damaged file is replaced.
    if not path.is_file() or path.read_bytes() != network:
        write_bytes(path, network)
    return TrunkFrames(path, frontend)


class _FeatureNetwork:
    """A network from log-mels to the codes of its features.

    The kernels are the optimised ones: on convolutions and pools they give the codes of the reference kernels, in
    a sixth of their time (a test holds them against each other).
    """

    def __init__(self, content: bytes) -> None:
        self._interpreter: Any = optimised_interpreter(content)
        self._input = self._interpreter.get_input_details()[0]
        self._output = self._interpreter.get_output_details()[0]

    def features(self, patches: Any) -> Int8:
        """Return the codes of the features, `(n, width) int8`, of patches, `(n, mels, frames) float32`."""
        scale, zero_point = self._input["quantization"]
        steps = np.rint(patches / np.float32(scale)) + np.float32(zero_point)
        given = np.clip(steps, -128, 127).astype(np.int8)
        rows = []
        for patch in given:
            self._interpreter.set_tensor(self._input["index"], patch.reshape(self._input["shape"]))
            self._interpreter.invoke()
            rows.append(self._interpreter.get_tensor(self._output["index"])[0])
        return np.array(rows, np.int8).reshape(len(rows), self._output["shape"][-1])


@lru_cache(maxsize=1)
def _opened(path: Path) -> _FeatureNetwork:
    """Return the network of a file, loaded once; one is kept at a time."""
    try:
        return _FeatureNetwork(read_file(path))
    except LabeltoolError as error:
        raise LabeltoolError("cannot be read", file=path, remedy="delete it: it is written again") from error
