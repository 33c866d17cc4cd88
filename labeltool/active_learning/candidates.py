"""Candidates for suggesting labels by a pretrained model, and how each does on labels that it was not trained on.

There are two: the pretrained model's own classes, mapped to the project's labels, and a classifier over its embeddings,
trained on the project's labels. The better one is then compared with the project's own network.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import TypedDict

import numpy as np

from labeltool.errors import LabeltoolError
from labeltool.evaluation import metrics
from labeltool.networks import model_folder
from labeltool.networks.heads import Head, log_loss
from labeltool.networks.model_card import card_from_json
from labeltool.project import Project
from labeltool.store import Store, models
from labeltool.training.targets import TrainingSet
from labeltool.training.unlabelled.linear_probe import Classifier
from labeltool.training.warm_start import MIN_CLIPS_TO_COMPARE
from labeltool.type_aliases import Float32, Int64

# Folds in which a candidate is cross-validated.
_FOLDS = 5
_SMOOTHING = 0.01


@dataclass(frozen=True, slots=True)
class Candidate:
    """A way to suggest labels by a pretrained model.

    Attributes
    ----------
    by_embedding
        Whether it predicts from the pretrained model's embeddings; else from its class scores.
    predict
        From embeddings or class scores of clips, (clips, width), to probabilities of labels, (clips, labels).
    fit_without
        Returns `predict` fitted without the clips of some groups; None where too few are left.
    labelled
        The labelled clips to validate it on; None where there are not two labels to tell apart.
    rows : (labelled clips, width) float32
        The embeddings or class scores of `labelled`.
    loss, accuracy
        Cross-validated log loss and clip accuracy; None with too few labelled clips.
    """

    description: str
    labels: tuple[str, ...]
    background: str | None
    head: Head
    by_embedding: bool
    predict: Classifier
    fit_without: Callable[[Collection[str]], Classifier | None]
    labelled: TrainingSet | None
    rows: Float32
    loss: float | None = None
    accuracy: float | None = None


class NetworkComparison(TypedDict, total=False):
    """What the card keeps of a comparison with a network: its id and log loss, and the candidate's."""

    network: int
    network_log_loss: float
    log_loss: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """Whether a candidate is to suggest instead of a network, why, in words, and the metrics for the card."""

    is_better: bool
    why: str
    metrics: NetworkComparison


def suggesting_model(store: Store) -> models.ModelRow | None:
    """Return the newest model, or the one that was trained beside it where that is better; None without any."""
    newest = models.latest(store)
    if newest is None:
        return None
    try:
        beside = card_from_json(newest.card).beside
    except LabeltoolError:
        return newest
    return models.model(store, beside.model) if beside and beside.is_better else newest


def best(candidates: Sequence[Candidate]) -> Candidate | None:
    """Return the candidate with the lowest loss; where not all could be validated, the last, the own classes."""
    if len(candidates) > 1 and all(one.loss is not None for one in candidates):
        return min(candidates, key=lambda one: one.loss or 0.0)
    return candidates[-1] if candidates else None


def cross_validated(candidate: Candidate) -> Candidate:
    """Return the candidate with its loss and accuracy, fold by fold on groups that it was not fitted on."""
    labelled = candidate.labelled
    if labelled is None or len(labelled.clips) < MIN_CLIPS_TO_COMPARE:
        return candidate
    groups = labelled.groups
    fold = _folds(groups)
    predicted = np.zeros_like(labelled.present)
    is_predicted = np.zeros(len(fold), bool)
    for number in range(_FOLDS):
        test = fold == number
        if not test.any():
            continue
        predict = candidate.fit_without({groups[row] for row in np.flatnonzero(test)})
        if predict is not None:
            predicted[test] = _in_order_of(labelled, candidate, predict(candidate.rows[test]))
            is_predicted[test] = True
    if is_predicted.sum() < MIN_CLIPS_TO_COMPARE:
        return candidate
    loss, accuracy = _loss_and_accuracy(
        labelled.head, predicted[is_predicted], labelled.present[is_predicted], labelled.absent[is_predicted]
    )
    return replace(candidate, loss=loss, accuracy=accuracy)


def compare_with_network(
    project: Project, candidate: Candidate, network: models.ModelRow, *, pretrained: str
) -> Comparison:
    """Compare a candidate with a network on the network's validation clips, fitted without them.

    Where they cannot be compared, the candidate suggests; but not where the training of a network on the layers of the
    same pretrained model found that the model's similar clips predict labelled clips worse than the network does.

    Parameters
    ----------
    pretrained
        Name of the candidate's pretrained model.
    """
    not_comparable = Comparison(True, f"model {network.id} has too few validation clips to be judged by", {})
    labelled = candidate.labelled
    if labelled is None:
        return not_comparable
    try:
        validation_groups = model_folder.read(project.models / str(network.id)).groups_validated_on()
        card = card_from_json(network.card)
    except LabeltoolError:
        return not_comparable
    test = np.array([group in validation_groups for group in labelled.groups], bool)
    # The loss of a sigmoid is a sum over labels: it cannot be compared with a softmax's.
    network_loss = card.log_loss if card.clip_rule.head == labelled.head else None
    if network_loss is None or test.sum() < MIN_CLIPS_TO_COMPARE:
        trunk, same = card.trunk, (card.labels, card.clip_rule.head) == (labelled.labels, labelled.head)
        if trunk and trunk.without_unlabelled and same and candidate.by_embedding and trunk.name == pretrained:
            why = f"model {network.id} predicts labelled clips better than {pretrained}'s similar clips do"
            return Comparison(False, why, {})
        return not_comparable
    predict = candidate.fit_without(validation_groups)
    if predict is None:
        return not_comparable
    predicted = _in_order_of(labelled, candidate, predict(candidate.rows[test]))
    loss, _ = _loss_and_accuracy(labelled.head, predicted, labelled.present[test], labelled.absent[test])
    count = int(test.sum())
    why = f"log loss {loss:.3f} on model {network.id}'s {count} validation clips, the model's {network_loss:.3f}"
    return Comparison(
        loss < network_loss, why, {"network": network.id, "network_log_loss": network_loss, "log_loss": loss}
    )


def _in_order_of(labelled: TrainingSet, candidate: Candidate, probabilities: Float32) -> Float32:
    """Return a candidate's probabilities in the order of the training set's labels."""
    ordered = np.zeros((len(probabilities), len(labelled.labels)), np.float32)
    for column, name in enumerate(labelled.labels):
        if name in candidate.labels:
            ordered[:, column] = probabilities[:, candidate.labels.index(name)]
        elif name == labelled.background:
            ordered[:, column] = 1.0 - probabilities.sum(axis=1)
    return ordered


def _folds(groups: Sequence[str]) -> Int64:
    """Return the fold of each clip; it depends on the group's name alone."""
    digests = (int.from_bytes(hashlib.sha256(group.encode()).digest()[:8]) for group in groups)
    return np.array([digest % _FOLDS for digest in digests], np.int64)


def _loss_and_accuracy(head: Head, predicted: Float32, present: Float32, absent: Float32) -> tuple[float, float]:
    """Return log loss and clip accuracy.

    Probabilities are smoothed, so that none is zero: else one clip would decide the loss.
    """
    smoothing = _SMOOTHING / predicted.shape[1] if head == "softmax" else _SMOOTHING / 2
    loss = float(log_loss(head, (1.0 - _SMOOTHING) * predicted + np.float32(smoothing), present, absent).mean())
    return loss, float((metrics.correct_share(predicted, present, absent, head) == 1.0).mean())
