"""Score patches and clips with a network."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from labeltool.audio.frontend import Frontend
from labeltool.networks import postprocessing
from labeltool.networks.build import PATCHES_AT_ONCE
from labeltool.type_aliases import Float32

if TYPE_CHECKING:
    import keras


def predict(model: keras.Model, patches: Float32) -> Float32:
    """Score patches with the float network: `(n, mels, frames)` to `(n, labels)` probabilities."""
    if len(patches) == 0:
        return np.empty((0, model.output_shape[-1]), np.float32)
    starts = range(0, len(patches), PATCHES_AT_ONCE)
    return np.concatenate(
        [np.asarray(model(patches[i : i + PATCHES_AT_ONCE, :, :, None], training=False)) for i in starts]
    )


def clip_probabilities(
    score: Callable[[Float32], Float32], frontend: Frontend, clips: Sequence[Float32], rule: postprocessing.ClipRule
) -> tuple[Float32, list[Float32]]:
    """Score clips by a model's pooling rule.

    Parameters
    ----------
    score
        Patches to probabilities: a partial of `predict`, or `Int8Model.predict`.
    clips : (frames, columns) each
        One array a clip.

    Returns
    -------
    clips : (clips, labels) float32
    patches : list of (patches, labels) float32
        One array a clip.
    """
    by_clip, loudness_db = patch_probabilities(score, frontend, clips)
    if not loudness_db:
        return by_clip[0], []
    rows = [
        postprocessing.clip_scores(probabilities, levels, rule)
        for probabilities, levels in zip(by_clip, loudness_db, strict=True)
    ]
    return np.stack(rows), by_clip


def patch_probabilities(
    score: Callable[[Float32], Float32], frontend: Frontend, clips: Sequence[Float32]
) -> tuple[list[Float32], list[Float32]]:
    """Score the patches of clips; parameters as of `clip_probabilities`.

    Returns
    -------
    probabilities : list of (patches, labels) float32
        One array a clip; of no clips one without rows.
    loudness_db : list of (patches,) float32
        One array a clip, decibels.
    """
    loudness_db: list[Float32] = []

    def patches_of_each() -> Iterator[Float32]:
        for frames in clips:  # once: those of a cache are read for it
            loudness_db.append(frontend.loudness_db(frames))
            yield frontend.patches(frames)

    scored = np.concatenate([score(patches) for patches in _batches(frontend, patches_of_each())])
    ends = np.cumsum([len(levels) for levels in loudness_db], dtype=np.int64)
    return list(np.split(scored, ends[:-1])), loudness_db


def _batches(frontend: Frontend, patches_of_each: Iterable[Float32]) -> Iterator[Float32]:
    """Yield the patches of all clips, a bounded number at a time: of thousands of clips they would take gigabytes.

    But for the last, a multiple of the patches that are scored at once: what a network returns for one may depend, in
    its last bits, on how many are with it.
    """
    waiting = [np.empty((0, frontend.n_features, frontend.patch_frames), np.float32)]
    count, is_any = 0, False
    for of_clip in patches_of_each:
        waiting.append(of_clip)
        count += len(of_clip)
        if count >= PATCHES_AT_ONCE:
            patches, whole = np.concatenate(waiting), count - count % PATCHES_AT_ONCE
            yield patches[:whole]
            waiting, count, is_any = [patches[whole:]], count - whole, True
    if count or not is_any:
        yield np.concatenate(waiting)
