"""Linear probes: logistic regression over a pretrained model's embeddings, for the project's labels.

The pretrained model (YAMNet, say) runs on the laptop only. A probe trained on the labelled clips estimates the labels
of the others, and the small network trains on those: distillation (Hinton et al. 2015) by way of labels.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from labeltool.audio.descriptors import hellinger_embeddings
from labeltool.networks.heads import Head, log_loss
from labeltool.type_aliases import Float32, Float64

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression


Classifier = Callable[[Float32], Float32]

# Rounds of self-training.
_ROUNDS = 4
_REGULARISATION = 0.01
# Two classes, of which one is rare, need a weaker penalty than the classes of many labels.
_REGULARISATION_BY_LABEL = 0.1
# Weight of a labelled clip during self-training, in clips of the pool.
_LABELLED_WEIGHT = 3.0
# Parts of the cross-validation by which self-training is judged, the clips it needs, and the least probability.
_PARTS, _MIN_CLIPS_TO_COMPARE, _SMALLEST_PROBABILITY = 3, 20, 1e-3


def train_probe(head: Head, labelled: Float32, present: Float32, absent: Float32, pool: Float32) -> Classifier:
    """Train a classifier on labelled clips.

    A logistic regression over the square roots of the embeddings, brought to one length (the Hellinger kernel, with
    which activations compare better). Under a softmax it then trains itself on the pool: on its most confident
    predictions first, in the end on all, which `may_train_itself` judges; under a sigmoid there is one regression
    for each label, as in `label_by_probes`.

    Parameters
    ----------
    labelled, pool : (clips, width) float32
        Embeddings; the pool's are used under a softmax only.
    present, absent : (labelled, labels) float32
        As in `labeltool.networks.heads`.

    Returns
    -------
    callable
        Embeddings to probabilities, (clips, labels) float32; 0 for a label that cannot be estimated yet.
    """
    from threadpoolctl import threadpool_limits

    rows = hellinger_embeddings(np.concatenate([labelled, pool]))
    axes = _row_space(rows)
    n_labels = present.shape[1]
    # Small products: beside other work, threads for them would mostly wait for each other.
    with threadpool_limits(limits=1, user_api="blas"):
        rows = rows @ axes
        train, rest = rows[: len(labelled)], rows[len(labelled) :]
        models = {0: _self_trained(train, present, rest)} if head == "softmax" else _one_a_label(train, present, absent)

    def predict(embeddings: Float32) -> Float32:
        probabilities = np.zeros((len(embeddings), n_labels), np.float32)
        for label, model in models.items() if len(embeddings) else ():
            by_class = model.predict_proba(hellinger_embeddings(embeddings) @ axes)
            if head == "softmax":
                probabilities[:, model.classes_] = by_class
            else:
                probabilities[:, label] = by_class[:, 1]
        return probabilities

    return predict


def may_train_itself(
    labelled: Float32, present: Float32, groups: Sequence[str], pool: Float32, pool_groups: Sequence[str]
) -> bool:
    """Return whether a classifier of one label a clip may train itself on a pool.

    Where embeddings do not separate the labels, its confident predictions are wrong, and so is what is queried by them.
    It may not where labelled clips, each predicted without its group, have a log loss that is lower without by more
    than the standard error. On fewer than 20 clips either may be better by chance.

    Parameters
    ----------
    labelled, pool : (clips, width) float32
        Embeddings.
    present : (labelled, labels) float32
        Rows sum to one.
    groups, pool_groups
        Of the clips.
    """
    if len(labelled) < _MIN_CLIPS_TO_COMPARE or not len(pool):
        return True
    order = np.random.default_rng(0).permutation(sorted({*groups, *pool_groups}))
    part_of = {name: number % _PARTS for number, name in enumerate(order.tolist())}
    part, pool_part = (np.array([part_of[group] for group in some]) for some in (groups, pool_groups))
    gains = []
    for number in range(_PARTS):
        train = part != number
        # A label of no other group cannot be predicted.
        test = ~train & (present @ present[train].sum(axis=0) > 0)
        if not test.any() or np.count_nonzero(present[train].sum(axis=0)) < 2:
            continue
        losses = []
        for rest in (pool[pool_part != number], pool[:0]):
            predict = train_probe("softmax", labelled[train], present[train], np.zeros_like(present[train]), rest)
            predicted = np.maximum(predict(labelled[test]), np.float32(_SMALLEST_PROBABILITY))
            losses.append(log_loss("softmax", predicted, present[test], np.zeros_like(present[test])))
        gains.append(losses[0] - losses[1])
    gain = np.concatenate(gains) if gains else np.zeros(1)
    return bool(gain.mean() <= gain.std() / np.sqrt(len(gain)))


def _row_space(rows: Float64) -> Float64:
    """Return orthonormal axes of the space that some rows lie in, (width, at most as many as rows).

    The weights of a classifier with a quadratic penalty are sums of its rows: along these axes it is the very same, and
    with fewer rows than numbers in each, several times as fast. Any basis will do, so it is no PCA.
    """
    if len(rows) >= rows.shape[1]:
        return np.eye(rows.shape[1])
    return np.asarray(np.linalg.qr(rows.T)[0], np.float64)


def _self_trained(labelled: Any, targets: Float32, pool: Any) -> LogisticRegression:
    # A clip of several labels counts once for each, by its share.
    clip, label = np.nonzero(targets)
    weights = _LABELLED_WEIGHT * targets[clip, label].astype(np.float64)
    model = _classifier(labelled[clip], label, weights / _LABELLED_WEIGHT)
    for number in range(1, _ROUNDS + 1 if len(pool) else 1):
        scores = model.predict_proba(pool)
        confident = np.argsort(-scores.max(axis=1), kind="stable")[: int(np.ceil(number / _ROUNDS * len(pool)))]
        predicted = model.classes_[scores[confident].argmax(axis=1)]
        model = _classifier(
            np.concatenate([labelled[clip], pool[confident]]),
            np.concatenate([label, predicted]),
            np.concatenate([weights, np.ones(len(confident))]),
        )
    return model


def label_by_probes(embeddings: Float32, present: Float32, absent: Float32) -> tuple[Float32, Float32]:
    """Estimate the targets of unlabelled clips under a sigmoid.

    One classifier for each label, as in `train_probe`, over the clips on which it was checked. There is no
    self-training: measured, it only made wrong predictions more confident.

    Parameters
    ----------
    embeddings : (labelled + pool, width) float32
        The labelled clips first.
    present, absent : (labelled, labels) float32
        As in `labeltool.networks.heads`.

    Returns
    -------
    present, absent : (pool, labels) float32
        Probabilities that sum to one; both zero for a label that is present on no labelled clip, or absent on none.
    """
    rows = hellinger_embeddings(embeddings)
    labelled, pool = rows[: len(present)], rows[len(present) :]
    targets = np.zeros((2, len(pool), present.shape[1]), np.float32)
    if len(pool):
        for label, model in _one_a_label(labelled, present, absent).items():
            targets[1, :, label], targets[0, :, label] = model.predict_proba(pool).T
    return targets[0], targets[1]


def _one_a_label(labelled: Any, present: Float32, absent: Float32) -> dict[int, LogisticRegression]:
    """Train a classifier for each label that is present on some clips and absent on others."""
    models = {}
    for label in range(present.shape[1]):
        positive, negative = np.flatnonzero(present[:, label]), np.flatnonzero(absent[:, label])
        if len(positive) and len(negative):
            clips = np.concatenate([positive, negative])
            weights = np.concatenate([present[positive, label], absent[negative, label]]).astype(np.float64)
            models[label] = _classifier(
                labelled[clips], np.arange(len(clips)) < len(positive), weights, _REGULARISATION_BY_LABEL
            )
    return models


def _classifier(rows: Any, labels: Any, weights: Any, regularisation: float = _REGULARISATION) -> LogisticRegression:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # what is left to gain after 500 steps is nothing
        return LogisticRegression(C=regularisation, max_iter=500).fit(rows, labels, sample_weight=weights)
