"""A borrowed ear as teacher: what a large network's embeddings make of a clip, put into the project's labels.

The network (YAMNet, say) runs on the laptop only. A linear classifier over its embeddings, taught by the labelled
clips, labels the others, and the small network learns from those: distillation (Hinton et al. 2015) by way of labels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from labeltool.audio.descriptors import hellinger_embeddings
from labeltool.networks.heads import Head
from labeltool.type_aliases import Float32, Float64

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression


Classifier = Callable[[Float32], Float32]

_REVIEWS = 4
_REGULARISATION = 0.01
# Two answers, of which one is rare, are told apart by a bolder classifier than one of many labels.
_REGULARISATION_BY_LABEL = 0.1
# What a person said counts as much as so many clips of the pool.
_LABELLED_WEIGHT = 3.0


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

    rows = hellinger_embeddings(np.concatenate([known, pool]))
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
            held = model.predict_proba(hellinger_embeddings(embeddings) @ axes)
            if head == "softmax":
                shares[:, model.classes_] = held
            else:
                shares[:, label] = held[:, 1]
        return shares

    return told


def _span(rows: Float64) -> Float64:
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
    rows = hellinger_embeddings(embeddings)
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
