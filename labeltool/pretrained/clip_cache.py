"""Embeddings and class scores of clips by a pretrained model, computed once and cached."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from labeltool.audio import files
from labeltool.errors import LabeltoolError
from labeltool.pretrained.model import PretrainedModel
from labeltool.records import StoredClip
from labeltool.type_aliases import Float32, Int16, Progress
from labeltool.util.atomic_write import open_atomic
from labeltool.util.npz import UNREADABLE
from labeltool.util.writable import kept

STAGE = "embedding clips"
_SCORES = ".scores"


def embed_clips(
    pretrained: PretrainedModel, directory: Path, clips: Sequence[StoredClip], *, report: Progress
) -> tuple[dict[str, Float32], dict[str, LabeltoolError]]:
    """Embed clips, each only once: `directory/<fingerprint>/` keeps what was computed and may be deleted at will.

    Returns
    -------
    embeddings
        Clip key to (2 * width,) float32.
    failed
        Clip key to error, of the clips that could not be read.
    """
    embeddings: dict[str, Float32] = {}
    failed: dict[str, LabeltoolError] = {}
    for number, clip in enumerate(clips):
        try:
            embeddings[clip.key] = cached(
                directory,
                pretrained,
                clip,
                (clip.start_s, clip.end_s),
                "",
                pretrained.embed,
                partial(report, STAGE, number, len(clips)),
            )
        except LabeltoolError as error:
            failed[clip.key] = error
    return embeddings, failed


def score_clips(
    pretrained: PretrainedModel, directory: Path, clips: Sequence[StoredClip], *, report: Progress
) -> tuple[dict[str, Float32], dict[str, LabeltoolError]]:
    """Score clips by a model's own classes, each only once, as `embed_clips` does.

    Returns
    -------
    scores
        Clip key to (classes,) float32: the mean over windows that overlap by half, without those of digital silence,
        which only pad a clip; zeros where all are silent.
    failed
        As there.
    """
    scores: dict[str, Float32] = {}
    failed: dict[str, LabeltoolError] = {}
    for number, clip in enumerate(clips):
        try:
            scores[clip.key] = cached(
                directory,
                pretrained,
                clip,
                (clip.start_s, clip.end_s),
                f"{_SCORES}-{pretrained.card.activation}",
                partial(_mean_scores, pretrained),
                partial(report, "scoring clips", number, len(clips)),
            )
        except LabeltoolError as error:
            failed[clip.key] = error
    return scores, failed


def cached(
    directory: Path,
    pretrained: PretrainedModel,
    clip: StoredClip,
    span: tuple[float, float],
    kind: str,
    compute: Callable[[Int16], npt.NDArray[np.floating]],
    report: Callable[[], None],
) -> Float32:
    """Return an array of a clip from the cache, or compute it of a span's samples and keep it.

    Parameters
    ----------
    span
        Start and end in the recording, seconds.
    kind
        What the array is: the ending of the file's name.
    compute
        Given the span's samples, `(samples,) int16` at the model's rate.
    report
        Called before something is computed.

    Raises
    ------
    LabeltoolError
        When the clip cannot be read.
    """
    key = clip.key if span == (clip.start_s, clip.end_s) else f"{clip.key} {span[0]:.6f} {span[1]:.6f}"
    path = directory / pretrained.fingerprint / f"{hashlib.sha256(key.encode()).hexdigest()}{kind}.npy"
    try:
        return np.asarray(np.load(kept(path), allow_pickle=False), np.float32)
    except UNREADABLE:
        report()
    files.require_content(clip.path, clip.sha256, clip.samples_sha256)
    computed = compute(files.read_pcm(clip.path, *span, pretrained.card.rate_hz))
    with open_atomic(path) as file:
        np.save(file, computed)
    return np.asarray(computed, np.float32)


def _mean_scores(pretrained: PretrainedModel, pcm: Int16) -> Float32:
    window = pretrained.card.window
    padded = np.pad(pcm, (0, max(0, window - len(pcm))))
    starts = range(0, len(padded) - window + 1, max(1, window // 2))
    rows = [pretrained.probabilities(part) for first in starts if (part := padded[first : first + window]).any()]
    silent = np.zeros(len(pretrained.card.classes), np.float32)
    return np.asarray(np.mean(rows, axis=0) if rows else silent, np.float32)
