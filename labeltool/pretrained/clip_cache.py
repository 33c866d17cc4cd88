"""Embeddings and class scores of clips by a pretrained model, computed once and cached."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from labeltool.audio import files
from labeltool.errors import LabeltoolError
from labeltool.parallel.dask_workers import KilledWorkers
from labeltool.parallel.engine import map_in_processes, processes_for
from labeltool.pretrained.card import PretrainedCard
from labeltool.pretrained.model import ClipDescription, PretrainedModel
from labeltool.records import StoredClip
from labeltool.type_aliases import Float32, Int16, Progress
from labeltool.util.files.atomic_write import open_atomic
from labeltool.util.files.npz import UNREADABLE
from labeltool.util.files.writable import kept

STAGE = "embedding clips"
_EMBEDDING = ""
# Fewer clips than this are done here: a process that loads the model costs more than it saves.
_WORTH_A_PROCESS = 64


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
    return _arrays(pretrained, directory, clips, _EMBEDDING, report, STAGE)


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
    return _arrays(pretrained, directory, clips, _kinds(pretrained.card)[1], report, "scoring clips")


def _arrays(
    pretrained: PretrainedModel, directory: Path, clips: Sequence[StoredClip], kind: str, report: Progress, stage: str
) -> tuple[dict[str, Float32], dict[str, LabeltoolError]]:
    """Return an array of each clip by its key, from the cache or computed, and the errors of the others."""
    missing = [clip for clip in clips if not kept(_path(directory, pretrained.card, clip.key, kind)).exists()]
    failed: dict[str, LabeltoolError] = {}
    if processes_for(len(missing), at_least=_WORTH_A_PROCESS) != 1:
        compute = partial(_compute, pretrained, directory, kind)
        for done, (key, error) in enumerate(map_in_processes(compute, missing, if_killed=_killed, large=True), 1):
            report(stage, done, len(missing))
            if error is not None:
                failed[key] = error
    arrays: dict[str, Float32] = {}
    for number, clip in enumerate(clips):
        if clip.key in failed:
            continue
        try:
            arrays[clip.key] = _array(pretrained, directory, clip, kind, partial(report, stage, number, len(clips)))
        except LabeltoolError as error:
            failed[clip.key] = error
    return arrays, failed


def _compute(
    pretrained: PretrainedModel, directory: Path, kind: str, clip: StoredClip
) -> tuple[str, LabeltoolError | None]:
    """Put an array of a clip into the cache; return the clip's key, and why it cannot be computed."""
    try:
        _array(pretrained, directory, clip, kind, lambda: None)
    except LabeltoolError as error:
        return clip.key, error
    return clip.key, None


def _killed(clip: StoredClip) -> tuple[str, LabeltoolError | None]:
    return clip.key, KilledWorkers.of_file(clip.path)


def _array(
    pretrained: PretrainedModel, directory: Path, clip: StoredClip, kind: str, report: Callable[[], None]
) -> Float32:
    def scores(pcm: Int16) -> Float32:
        return pretrained.describe(pcm).scores

    compute = pretrained.embed if kind == _EMBEDDING else scores
    return cached(directory, pretrained, clip, (clip.start_s, clip.end_s), kind, compute, report)


def described(pretrained: PretrainedModel, directory: Path, clip: StoredClip) -> ClipDescription:
    """Return a clip's embedding and class scores, from where `embed_clips` and `score_clips` keep them too.

    Raises
    ------
    LabeltoolError
        When the clip cannot be read.
    """
    found = read_described(pretrained.card, directory, clip)
    if found is not None:
        return found
    files.require_content(clip.path, clip.sha256, clip.samples_sha256)
    computed = pretrained.describe(files.read_pcm(clip.path, clip.start_s, clip.end_s, pretrained.card.rate_hz))
    if computed.embedding is not None:
        # In the cache or not yet, an embedding has the same numbers.
        computed = replace(computed, embedding=_in_half(computed.embedding).astype(np.float32))
    for kind, values in zip(
        _kinds(pretrained.card),
        (None if computed.embedding is None else _in_half(computed.embedding), computed.scores, computed.peaks),
        strict=True,
    ):
        if values is not None:
            with open_atomic(_path(directory, pretrained.card, clip.key, kind)) as file:
                np.save(file, values)
    return computed


def is_described(card: PretrainedCard, directory: Path, clip: StoredClip) -> bool:
    """Return whether `described` has computed what there is of a clip."""
    return kept(_path(directory, card, clip.key, _kinds(card)[-1])).exists()


def read_described(card: PretrainedCard, directory: Path, clip: StoredClip) -> ClipDescription | None:
    """Return what `described` has computed of a clip; None where it has not yet."""
    try:
        # The last that is written first: without it the others are missing, or not all there yet.
        peaks, scores, embedding = (
            None
            if kind == _EMBEDDING and card.embedding is None
            else _read(_path(directory, card, clip.key, kind), kind)
            for kind in reversed(_kinds(card))
        )
    except UNREADABLE:
        return None
    assert scores is not None and peaks is not None
    return ClipDescription(embedding, scores, peaks)


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

    Raises
    ------
    LabeltoolError
        When the clip cannot be read.
    """
    key = clip.key if span == (clip.start_s, clip.end_s) else f"{clip.key} {span[0]:.6f} {span[1]:.6f}"
    path = _path(directory, pretrained.card, key, kind)
    try:
        return _read(path, kind)
    except UNREADABLE:
        report()
    files.require_content(clip.path, clip.sha256, clip.samples_sha256)
    computed = compute(files.read_pcm(clip.path, *span, pretrained.card.rate_hz))
    if kind == _EMBEDDING:
        computed = _in_half(computed)
    with open_atomic(path) as file:
        np.save(file, computed)
    return np.asarray(computed, np.float32)


def _read(path: Path, kind: str) -> Float32:
    """Return an array of a file; an embedding in 16 bits also where it was stored in 32, as all once were."""
    found = np.asarray(np.load(kept(path), allow_pickle=False), np.float32)
    return np.asarray(_in_half(found), np.float32) if kind == _EMBEDDING else found


def _in_half(embedding: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """Return an embedding as float16, half of the disk; unchanged where that is too narrow for it.

    Of YAMNet's nearest clips none changes, see `benchmarks/NOTES.md`.
    """
    with np.errstate(over="ignore"):
        half = embedding.astype(np.float16)
    return half if np.isfinite(half).all() else embedding


def _kinds(card: PretrainedCard) -> tuple[str, str, str]:
    """Return the endings of the names of the files with a clip's embedding, mean scores and largest scores."""
    return _EMBEDDING, f".scores-{card.activation}", f".peaks-{card.activation}"


def _path(directory: Path, card: PretrainedCard, key: str, kind: str) -> Path:
    return directory / card.fingerprint / f"{hashlib.sha256(key.encode()).hexdigest()}{kind}.npy"
