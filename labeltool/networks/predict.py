"""Score patches and clips with a network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from labeltool.audio.frontend import Frontend
from labeltool.networks import postprocessing
from labeltool.type_aliases import Float32

if TYPE_CHECKING:
    import keras


def predict(model: keras.Model, patches: Float32) -> Float32:
    """Score patches with the float network: `(n, mels, frames)` to `(n, labels)` probabilities."""
    if len(patches) == 0:
        return np.empty((0, model.output_shape[-1]), np.float32)
    return np.concatenate(
        [np.asarray(model(patches[i : i + 256, :, :, None], training=False)) for i in range(0, len(patches), 256)]
    )


def clip_probabilities(
    score: Callable[[Float32], Float32], frontend: Frontend, clips: Sequence[Float32], rule: postprocessing.ClipRule
) -> tuple[Float32, list[Float32]]:
    """Score clips by a model's pooling rule.

    Parameters
    ----------
    score
        Patches to probabilities: a partial of `predict`, or `Int8Model.predict`.
    frontend
        The definition the frames were computed with.
    clips : (frames, columns) each
        One array a clip.
    rule
        How patches are pooled to a clip.

    Returns
    -------
    clips : (clips, labels) float32
    patches : list of (patches, labels) float32
        One array a clip.
    """
    cut = [frontend.patches(frames) for frames in clips]
    if not cut:
        return score(np.empty((0, frontend.n_features, frontend.patch_frames), np.float32)), []
    scored = score(np.concatenate(cut))
    by_clip = np.split(scored, np.cumsum([len(patches) for patches in cut])[:-1])
    rows = [
        postprocessing.clip_scores(probabilities, frontend.loudness_db(frames), rule)
        for probabilities, frames in zip(by_clip, clips, strict=True)
    ]
    return np.stack(rows), list(by_clip)
