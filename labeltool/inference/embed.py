"""Embeddings and scores of clips by a trained model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from labeltool.audio.descriptors import random_projection
from labeltool.inference import scoring
from labeltool.inference.clip_features import ClipFeatures
from labeltool.networks import build as networks
from labeltool.networks.dense_head import DenseHead
from labeltool.networks.model_folder import HEAD, KERAS, ModelFiles
from labeltool.records import StoredClip
from labeltool.type_aliases import Float32
from labeltool.util.extras import has_tensorflow

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True, slots=True)
class ClipEmbedding:
    """A clip's scores and embeddings by a model.

    Attributes
    ----------
    probabilities : (labels,) float32
        Calibrated, by the float network; without TensorFlow, by the int8 network.
    int8_probabilities : (labels,) float32, optional
        Calibrated, by the int8 network; only where the extractor was made with it.
    features : (128,) float32
        The network's last features, projected, mean over the clip's patches.
    """

    clip: StoredClip
    probabilities: Float32
    int8_probabilities: Float32 | None
    features: Float32


class FeatureExtractor:
    """Extracts embeddings and scores of clips with a model's networks."""

    def __init__(self, files: ModelFiles, network: keras.Model | None = None, *, with_int8: bool = False) -> None:
        self._frontend, self._rule = files.feature_frontend, files.rule
        if files.card.trunk:
            self._network, width = _head_network(files)
        elif network is None and not has_tensorflow():
            self._network, width = _int8_network(files)
        else:
            self._network, width = _keras_network(files, network)
        self._projection = random_projection(width)
        self._int8 = scoring.int8_feature_predictor(files) if with_int8 else None

    def extract(self, features: ClipFeatures) -> list[ClipEmbedding]:
        """Return the embedding of each clip."""
        projected: list[Float32] = []

        def predict(patches: Float32, /) -> Float32:
            both = self._network(patches)
            projected.append(both[:, : len(self._projection)] @ self._projection)
            return both[:, len(self._projection) :]

        scores = list(scoring.score_clips(self._frontend, self._rule, predict, features.frames))
        if not scores:
            return []
        by_clip = np.split(np.concatenate(projected), np.cumsum([len(score.patches) for score in scores])[:-1])
        int8_rows: list[Float32 | None] = [None] * len(scores)
        if self._int8 is not None:
            int8_scores = scoring.score_clips(self._frontend, self._rule, self._int8, features.frames)
            int8_rows = [score.probabilities for score in int8_scores]
        return [
            ClipEmbedding(clip, score.probabilities, int8, patches.mean(axis=0))
            for clip, score, int8, patches in zip(features.clips, scores, int8_rows, by_clip, strict=True)
        ]


def _keras_network(files: ModelFiles, network: keras.Model | None) -> tuple[scoring.Predictor, int]:
    """Return a function from patches to last features and then probabilities, and the number of the former."""
    networks.start_tensorflow()
    import keras

    network = network or networks.load(files.directory / KERAS)
    features = network.get_layer(networks.HEAD).input
    both = keras.Model(network.inputs, keras.layers.Concatenate()([features, network.output]))
    return networks.compiled(both), int(features.shape[-1])


def _int8_network(files: ModelFiles) -> tuple[scoring.Predictor, int]:
    """Return the same of the int8 network, for where TensorFlow is not installed."""
    from labeltool.networks.quantization import Int8Model

    model = Int8Model(files.int8)
    return model.predict_with_features, model.n_features


def _head_network(files: ModelFiles) -> tuple[scoring.Predictor, int]:
    """Return the same of a head on a trunk."""
    head, codes_of = DenseHead.load(files.directory / HEAD), scoring.head_codes(files)

    def both(patches: Float32, /) -> Float32:
        codes = codes_of(patches)
        return np.concatenate([head.hidden(codes), head.predict(codes)], axis=1)

    return both, len(head.kernels[-1])
