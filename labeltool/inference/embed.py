"""Clip scores and features by a trained model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from labeltool.audio import descriptors
from labeltool.inference import scoring
from labeltool.inference.clip_features import Hearing
from labeltool.networks import build as networks
from labeltool.networks.model_folder import KERAS, ModelFiles
from labeltool.records import StoredClip
from labeltool.type_aliases import Float32

# Networks have thousands of last features; distances survive a random projection onto so many (Johnson-Lindenstrauss).
_KEPT_FEATURES = 128

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True, slots=True)
class Impression:
    """What a model makes of a clip.

    Attributes
    ----------
    probabilities, int8_probabilities : (labels,) float32
        The clip's, calibrated; those of the int8 network only where the project asks by them.
    features : (128,) float32
        The network's last features, projected, mean over the clip's patches.
    sound : (192,) float32
        `descriptors.describe`.
    """

    clip: StoredClip
    probabilities: Float32
    int8_probabilities: Float32 | None
    features: Float32
    sound: Float32


class Listener:
    """A model's networks, ready to listen to clips.

    Parameters
    ----------
    files
        The model's.
    network
        The float one, where it is at hand; else it is loaded.
    with_int8
        Whether the int8 network scores the clips too.
    """

    def __init__(self, files: ModelFiles, network: keras.Model | None = None, *, with_int8: bool = False) -> None:
        import keras

        self._files = files
        network = network or networks.load(files.directory / KERAS)
        features = network.get_layer(networks.HEAD).input
        # One pass gives both: the features stand before the probabilities.
        both = keras.Model(network.inputs, keras.layers.Concatenate()([features, network.output]))
        self._network = networks.traced(both)
        scale = 1.0 / np.sqrt(_KEPT_FEATURES)
        drawn = np.random.default_rng(0).normal(0.0, scale, (features.shape[-1], _KEPT_FEATURES))
        self._projection = drawn.astype(np.float32)
        self._int8 = scoring.int8_predictor(files) if with_int8 else None

    def listen(self, hearing: Hearing) -> list[Impression]:
        """Return an impression of each clip."""
        tapped: list[Float32] = []

        def predict(patches: Float32, /) -> Float32:
            both = self._network(patches)
            tapped.append(both[:, : len(self._projection)] @ self._projection)
            return both[:, len(self._projection) :]

        scores = list(scoring.score_clips(self._files, predict, hearing.log_mels))
        if not scores:
            return []
        of_clips = np.split(np.concatenate(tapped), np.cumsum([len(score.patches) for score in scores])[:-1])
        as_int8: list[Float32 | None] = [None] * len(scores)
        if self._int8 is not None:
            rows = scoring.score_clips(self._files, self._int8, hearing.log_mels)
            as_int8 = [score.probabilities for score in rows]
        return [
            Impression(clip, score.probabilities, by_int8, features.mean(axis=0), sound)
            for clip, score, by_int8, features, sound in zip(
                hearing.clips, scores, as_int8, of_clips, self._sounds(hearing), strict=True
            )
        ]

    def _sounds(self, hearing: Hearing) -> list[Float32]:
        return [descriptors.describe(log_mel, self._files.frontend) for log_mel in hearing.log_mels]
