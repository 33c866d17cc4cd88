"""A borrowed ear as teacher: what a large network's embeddings make of a clip, put into the project's labels.

The network (YAMNet, say) runs on the laptop only. A linear classifier over its embeddings, taught by the labelled
clips, labels the others, and the small network learns from those: distillation (Hinton et al. 2015) by way of labels.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from labeltool import audio
from labeltool.ears.ear import Ear
from labeltool.errors import LabeltoolError
from labeltool.features import heard_span
from labeltool.frontend import Frontend
from labeltool.hints import STEP_S, Directions, hellinger
from labeltool.records import StoredClip

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression

Float32 = npt.NDArray[np.float32]

Report = Callable[..., None]

_LISTENING = "listening with the teacher"
_MOMENTS = ".moments"
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
                directory, ear, clip, (clip.start_s, clip.end_s), "", partial(report, _LISTENING, place, len(clips))
            )
        except LabeltoolError as error:
            failed[clip.key] = error
    return embeddings, failed


def hints_for(
    ear: Ear,
    directory: Path,
    clips: Sequence[StoredClip],
    learnt: Sequence[int],
    frontend: Frontend,
    *,
    report: Report,
) -> list[Float32]:
    """Tell what an ear makes of clips, moment by moment, for a network to learn to tell (`labeltool.hints`).

    Parameters
    ----------
    learnt
        Indices of clips that may teach: by these it is settled what a hint's numbers mean.
    frontend
        The network's: the ear hears what it hears.

    Returns
    -------
    (moments, width of a hint) float32 each

    Raises
    ------
    LabeltoolError
        When a clip cannot be read.
    """

    def embeddings(place: int) -> Float32:
        clip = clips[place]
        span = heard_span(clip, frontend)
        return _kept(directory, ear, clip, span, _MOMENTS, partial(report, _LISTENING, place, len(clips)))

    # Read again for the second pass rather than held: a clip's embeddings are as large as its sound, its hints small.
    some = np.unique(np.linspace(0, len(learnt) - 1, min(len(learnt), _SETTLED_BY)).astype(int))
    directions = Directions.of([embeddings(learnt[place]) for place in some])
    return [directions.hints(embeddings(place)) for place in range(len(clips))]


def teach_rest(embeddings: Float32, targets: Float32) -> Float32:
    """Label the clips without a verdict by those with one.

    A logistic regression over the square roots of the embeddings, brought to one length (the Hellinger kernel, with
    which activations compare better), that goes on by its own word on the surest clips, in the end on all.

    Parameters
    ----------
    embeddings : (labelled + pool, width) float32
        The labelled clips first.
    targets : (labelled, labels) float32
        Rows sum to one; two or more labels have clips.

    Returns
    -------
    (pool, labels) float32
        Probabilities.
    """
    rows = hellinger(embeddings)
    known, pool = rows[: len(targets)], rows[len(targets) :]
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
    told = np.zeros((len(pool), targets.shape[1]), np.float32)
    if len(pool):
        told[:, model.classes_] = model.predict_proba(pool)
    return told


def teach_each_label(embeddings: Float32, present: Float32, absent: Float32) -> tuple[Float32, Float32]:
    """Label the clips without a verdict where each label is judged for itself.

    One classifier a label, as in `teach_rest`, over the clips on which it was checked. None goes on by its own word:
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
    for label in range(present.shape[1] if len(pool) else 0):
        heard, denied = np.flatnonzero(present[:, label]), np.flatnonzero(absent[:, label])
        if len(heard) and len(denied):
            clips = np.concatenate([heard, denied])
            weights = np.concatenate([present[heard, label], absent[denied, label]]).astype(np.float64)
            model = _classifier(known[clips], np.arange(len(clips)) < len(heard), weights, _REGULARISATION_BY_LABEL)
            told[1, :, label], told[0, :, label] = model.predict_proba(pool).T
    return told[0], told[1]


def _classifier(rows: Any, labels: Any, weights: Any, regularisation: float = _REGULARISATION) -> LogisticRegression:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=regularisation, max_iter=500).fit(rows, labels, sample_weight=weights)


def _kept(
    directory: Path, ear: Ear, clip: StoredClip, span: tuple[float, float], kind: str, report: Callable[[], None]
) -> Float32:
    """Return what is kept of a clip, or make it now; a file that cannot be read is made anew."""
    heard = f"{clip.key} {span[0]:.6f} {span[1]:.6f}" if kind else clip.key
    path = directory / ear.name / f"{hashlib.sha256(heard.encode()).hexdigest()}{kind}.npy"
    try:
        return np.asarray(np.load(path, allow_pickle=False), np.float32)
    except (OSError, ValueError, EOFError):
        report()
    audio.require_content(clip.path, clip.sha256)
    pcm = audio.read_pcm(clip.path, *span, ear.card.rate_hz)
    # Half the bits do for what is compressed to a few numbers anyway.
    made = ear.embed_moments(pcm, STEP_S).astype(np.float16) if kind else ear.embed(pcm)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".partial")
    with unfinished.open("wb") as file:
        np.save(file, made)
    unfinished.replace(path)
    return np.asarray(made, np.float32)
