"""Embeddings and class scores of clips by a pretrained model, computed once and cached."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from labeltool.audio import files
from labeltool.errors import LabeltoolError
from labeltool.pretrained.model import Ear
from labeltool.records import StoredClip
from labeltool.type_aliases import Float32, Int16, Progress

STAGE = "embedding clips"
_SCORES = ".scores"


def embed_clips(
    ear: Ear, directory: Path, clips: Sequence[StoredClip], *, report: Progress
) -> tuple[dict[str, Float32], dict[str, LabeltoolError]]:
    """Embed clips, each only once: `directory/<ear>/` keeps what was computed and may be deleted at will.

    Returns
    -------
    embeddings
        Clip key to (2 * width,) float32.
    failed
        Clip key to error, of the clips that could not be read.
    """
    embeddings: dict[str, Float32] = {}
    failed: dict[str, LabeltoolError] = {}
    for place, clip in enumerate(clips):
        try:
            embeddings[clip.key] = cached(
                directory,
                ear,
                clip,
                (clip.start_s, clip.end_s),
                "",
                ear.embed,
                partial(report, STAGE, place, len(clips)),
            )
        except LabeltoolError as error:
            failed[clip.key] = error
    return embeddings, failed


def score_clips(
    ear: Ear, directory: Path, clips: Sequence[StoredClip], *, report: Progress
) -> tuple[dict[str, Float32], dict[str, LabeltoolError]]:
    """Score clips by an ear's own classes, each only once, as `embed_clips` does.

    Returns
    -------
    scores
        Clip key to (classes,) float32: the mean over windows that overlap by half, of which those without any sound,
        which only fill a clip up, are left out; zeros where none has any.
    failed
        As there.
    """
    scores: dict[str, Float32] = {}
    failed: dict[str, LabeltoolError] = {}
    for place, clip in enumerate(clips):
        told = partial(report, "listening by its classes", place, len(clips))
        try:
            kind = f"{_SCORES}-{ear.card.activation}"
            make = partial(_mean_scores, ear)
            scores[clip.key] = cached(directory, ear, clip, (clip.start_s, clip.end_s), kind, make, told)
        except LabeltoolError as error:
            failed[clip.key] = error
    return scores, failed


def cached(
    directory: Path,
    ear: Ear,
    clip: StoredClip,
    span: tuple[float, float],
    kind: str,
    make: Callable[[Int16], npt.NDArray[np.floating]],
    report: Callable[[], None],
) -> Float32:
    """Return what is kept of a clip, or make it of the span's samples now; what cannot be read is made anew."""
    heard = clip.key if span == (clip.start_s, clip.end_s) else f"{clip.key} {span[0]:.6f} {span[1]:.6f}"
    path = directory / ear.name / f"{hashlib.sha256(heard.encode()).hexdigest()}{kind}.npy"
    try:
        return np.asarray(np.load(path, allow_pickle=False), np.float32)
    except (OSError, ValueError, EOFError):
        report()
    files.require_content(clip.path, clip.sha256)
    made = make(files.read_pcm(clip.path, *span, ear.card.rate_hz))
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.{uuid.uuid4().hex}.partial")
    with unfinished.open("wb") as file:
        np.save(file, made)
    unfinished.replace(path)
    return np.asarray(made, np.float32)


def _mean_scores(ear: Ear, pcm: Int16) -> Float32:
    window = ear.card.window
    padded = np.pad(pcm, (0, max(0, window - len(pcm))))
    starts = range(0, len(padded) - window + 1, max(1, window // 2))
    rows = [ear.probabilities(one) for first in starts if (one := padded[first : first + window]).any()]
    silent = np.zeros(len(ear.card.classes), np.float32)
    return np.asarray(np.mean(rows, axis=0) if rows else silent, np.float32)
