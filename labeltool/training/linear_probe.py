"""A borrowed ear as teacher: what a large network's embeddings make of a clip, put into the project's labels.

The network (YAMNet, say) runs on the laptop only. A linear classifier over its embeddings, taught by the labelled
clips, labels the others, and the small network learns from those: distillation (Hinton et al. 2015) by way of labels.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from labeltool.audio import files
from labeltool.audio.feature_cache import heard_span
from labeltool.audio.frontend import Frontend
from labeltool.errors import LabeltoolError
from labeltool.networks.heads import Head
from labeltool.pretrained.model import Ear
from labeltool.records import StoredClip
from labeltool.training.distillation import STEP_S, Directions, hellinger, sample

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression

Float32 = npt.NDArray[np.float32]

Report = Callable[..., None]
Classifier = Callable[[Float32], Float32]

_LISTENING = "listening with the teacher"
_MOMENTS, _SCORES = ".hellinger", ".scores"
_REVIEWS = 4
# So many clips settle what hints mean, however many there are.
_SETTLED_BY = 512
_REGULARISATION = 0.01
# Two answers, of which one is rare, are told apart by a bolder classifier than one of many labels.
_REGULARISATION_BY_LABEL = 0.1
# What a person said counts as much as so many clips of the pool.
_LABELLED_WEIGHT = 3.0


def embed_clips(
    ear: Ear, directory: Path, clips: Sequence[StoredClip], *, report: Report
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
            embeddings[clip.key] = _kept(
                directory,
                ear,
                clip,
                (clip.start_s, clip.end_s),
                "",
                ear.embed,
                partial(report, _LISTENING, place, len(clips)),
            )
        except LabeltoolError as error:
            failed[clip.key] = error
    return embeddings, failed


def score_clips(
    ear: Ear, directory: Path, clips: Sequence[StoredClip], *, report: Report
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
            scores[clip.key] = _kept(directory, ear, clip, (clip.start_s, clip.end_s), kind, make, told)
        except LabeltoolError as error:
            failed[clip.key] = error
    return scores, failed


def hints_for(
    ear: Ear, directory: Path, clips: Sequence[StoredClip], frontend: Frontend, *, report: Report
) -> tuple[dict[str, Float32], dict[str, LabeltoolError]]:
    """Tell what an ear makes of clips that teach, moment by moment, for a network to learn (`labeltool.hints`).

    Parameters
    ----------
    clips
        By these it is settled what a hint's numbers mean, too: none that checks the network may be among them.
    frontend
        The network's: the ear hears what it hears.

    Returns
    -------
    hints
        Clip key to (moments, width of a hint) float32.
    failed
        Clip key to error, of the clips that could not be read.
    """
    failed: dict[str, LabeltoolError] = {}

    def embeddings(place: int) -> Float32:
        clip = clips[place]
        span = heard_span(clip, frontend)
        make = partial(_moments, ear, span[1] - span[0])
        return _kept(directory, ear, clip, span, _MOMENTS, make, partial(report, _LISTENING, place, len(clips)))

    some = set(np.linspace(0, len(clips) - 1, min(len(clips), _SETTLED_BY)).astype(int).tolist())
    rows: list[Float32] = []
    for place, clip in enumerate(clips):
        try:
            heard = embeddings(place)
        except LabeltoolError as error:
            failed[clip.key] = error
            continue
        if place in some or not rows:
            rows.append(sample(heard, len(some)))
    if not rows:
        return {}, failed
    directions = Directions.of(np.concatenate(rows))
    # Read again rather than held: a clip's embeddings are as large as its sound, its hints small.
    kept = [place for place, clip in enumerate(clips) if clip.key not in failed]
    return {clips[place].key: directions.hints(embeddings(place)) for place in kept}, failed


def taught(head: Head, known: Float32, present: Float32, absent: Float32, pool: Float32) -> Classifier:
    """Teach a classifier by clips with a verdict, for any others.

    A logistic regression over the square roots of the embeddings, brought to one length (the Hellinger kernel, with
    which activations compare better). Where a clip has one label it goes on by its own word on the surest clips, in the
    end on all; where each label is judged for itself there is one of them a label, as `teach_each_label` says.

    Parameters
    ----------
    head
        Whether a clip has one label or each is judged for itself.
    known, pool : (clips, width) float32
        Embeddings; by the pool's it goes on where a clip has one label.
    present, absent : (labelled, labels) float32
        As in `labeltool.heads`.

    Returns
    -------
    callable
        Embeddings to probabilities, (clips, labels) float32; 0 for a label that cannot be told yet.
    """
    from threadpoolctl import threadpool_limits

    rows = hellinger(np.concatenate([known, pool]))
    axes = _span(rows)
    labels = present.shape[1]
    # Small products: beside other work, threads for them would mostly wait for each other.
    with threadpool_limits(limits=1, user_api="blas"):
        rows = rows @ axes
        learnt, rest = rows[: len(known)], rows[len(known) :]
        models = {0: _going_on(learnt, present, rest)} if head == "softmax" else _one_a_label(learnt, present, absent)

    def told(embeddings: Float32) -> Float32:
        shares = np.zeros((len(embeddings), labels), np.float32)
        for label, model in models.items() if len(embeddings) else ():
            held = model.predict_proba(hellinger(embeddings) @ axes)
            if head == "softmax":
                shares[:, model.classes_] = held
            else:
                shares[:, label] = held[:, 1]
        return shares

    return told


def _span(rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return orthonormal axes of the space that some rows lie in, (width, at most as many as rows).

    The weights of a classifier with a quadratic penalty are sums of its rows: along these axes it is the very same, and
    with fewer rows than numbers in each, several times as fast.
    """
    if len(rows) >= rows.shape[1]:
        return np.eye(rows.shape[1])
    return np.asarray(np.linalg.qr(rows.T)[0], np.float64)


def _going_on(known: Any, targets: Float32, pool: Any) -> LogisticRegression:
    # A clip of several labels counts once for each, by its share.
    clip, label = np.nonzero(targets)
    weights = _LABELLED_WEIGHT * targets[clip, label].astype(np.float64)
    model = _classifier(known[clip], label, weights / _LABELLED_WEIGHT)
    for review in range(1, _REVIEWS + 1 if len(pool) else 1):
        scores = model.predict_proba(pool)
        sure = np.argsort(-scores.max(axis=1), kind="stable")[: int(np.ceil(review / _REVIEWS * len(pool)))]
        said = model.classes_[scores[sure].argmax(axis=1)]
        model = _classifier(
            np.concatenate([known[clip], pool[sure]]),
            np.concatenate([label, said]),
            np.concatenate([weights, np.ones(len(sure))]),
        )
    return model


def teach_each_label(embeddings: Float32, present: Float32, absent: Float32) -> tuple[Float32, Float32]:
    """Label the clips without a verdict where each label is judged for itself.

    One classifier a label, as in `taught`, over the clips on which it was checked. None goes on by its own word:
    measured, that only made it surer of what it had wrong.

    Parameters
    ----------
    embeddings : (labelled + pool, width) float32
        The labelled clips first.
    present, absent : (labelled, labels) float32
        As in `labeltool.heads`.

    Returns
    -------
    present, absent : (pool, labels) float32
        Probabilities that sum to one; both zero for a label of which nothing was heard, or nothing denied.
    """
    rows = hellinger(embeddings)
    known, pool = rows[: len(present)], rows[len(present) :]
    told = np.zeros((2, len(pool), present.shape[1]), np.float32)
    if len(pool):
        for label, model in _one_a_label(known, present, absent).items():
            told[1, :, label], told[0, :, label] = model.predict_proba(pool).T
    return told[0], told[1]


def _one_a_label(known: Any, present: Float32, absent: Float32) -> dict[int, LogisticRegression]:
    """Teach a classifier for each label that was both heard and denied."""
    models = {}
    for label in range(present.shape[1]):
        heard, denied = np.flatnonzero(present[:, label]), np.flatnonzero(absent[:, label])
        if len(heard) and len(denied):
            clips = np.concatenate([heard, denied])
            weights = np.concatenate([present[heard, label], absent[denied, label]]).astype(np.float64)
            models[label] = _classifier(
                known[clips], np.arange(len(clips)) < len(heard), weights, _REGULARISATION_BY_LABEL
            )
    return models


def _classifier(rows: Any, labels: Any, weights: Any, regularisation: float = _REGULARISATION) -> LogisticRegression:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=regularisation, max_iter=500).fit(rows, labels, sample_weight=weights)


def _kept(
    directory: Path,
    ear: Ear,
    clip: StoredClip,
    span: tuple[float, float],
    kind: str,
    make: Callable[[npt.NDArray[np.int16]], npt.NDArray[np.floating]],
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


def _moments(ear: Ear, duration_s: float, pcm: npt.NDArray[np.int16]) -> npt.NDArray[np.float16]:
    # What a file is too short for is silence on both sides, as the network hears it.
    missing = max(0, round(duration_s * ear.card.rate_hz) - len(pcm))
    padded = np.pad(pcm, (missing // 2, missing - missing // 2))
    return np.asarray(hellinger(ear.embed_moments(padded, STEP_S)), np.float16)


def _mean_scores(ear: Ear, pcm: npt.NDArray[np.int16]) -> Float32:
    window = ear.card.window
    padded = np.pad(pcm, (0, max(0, window - len(pcm))))
    starts = range(0, len(padded) - window + 1, max(1, window // 2))
    rows = [ear.probabilities(one) for first in starts if (one := padded[first : first + window]).any()]
    silent = np.zeros(len(ear.card.classes), np.float32)
    return np.asarray(np.mean(rows, axis=0) if rows else silent, np.float32)
