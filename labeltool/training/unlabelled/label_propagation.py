"""Labels of unlabelled clips, propagated from similar labelled ones.

Before a network is trained on any label it can be trained to distinguish clips, each a class of its own (Dosovitskiy et
al. 2014, "Discriminative unsupervised feature learning with exemplar convolutional neural networks"). The similarity of
clips is that of its features and of a plain description of each sound; labels spread over the graph of nearest
neighbours (Zhou et al. 2004, "Learning with local and global consistency"). How sharp the result may be is measured on
the labelled clips, each predicted from the others.

Why not scikit-learn's `LabelSpreading`, which is the same method:

- it takes one hard label a clip; targets here are rows of shares, for clips with several labels;
- its graph is a kernel over one feature space; here it is over the mean of two similarities, with weights relative to
  the nearest neighbour's;
- a label with many clips outweighs the others there; here every label spreads the same mass;
- here the solution is kept as a matrix: each labelled clip can be predicted without the clips of its group, for all
  groups, at the price of one inverse. The sharpness of the probabilities is fitted on those predictions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from labeltool.audio import descriptors
from labeltool.audio.descriptors import hellinger_embeddings
from labeltool.audio.frontend import Frontend
from labeltool.networks import build as networks
from labeltool.training import fit
from labeltool.training.loop import OnProgress
from labeltool.training.training_data import TrainingData
from labeltool.training.unlabelled.pool import Pool
from labeltool.type_aliases import Bools, Float32, Float64, Int64
from labeltool.util.lazy_frames import join, pick

if TYPE_CHECKING:
    import keras


# `Pool.schedule_weight` of clips whose labels were propagated.
_SCHEDULE_WEIGHT = 1 / 3
# What training to distinguish clips takes of the schedule for as many labelled ones, and of the time there is: three
# times as long made the similarity no better.
_SCHEDULE_SHARE, _BUDGET_SHARE = 0.1, 0.2
# Labelled clips to propagate from and clips to distinguish, at most: each is compared with each.
_MAX_LABELLED, _MAX_DISTINGUISHED = 1500, 512
# Neighbours of a clip at most; `_FALL` less similarity than the nearest one has divides the weight by e.
_NEIGHBOURS, _FALL = 10, 0.1
# Share of a clip's labels that comes from its neighbours, the rest from its own label: alpha in Zhou et al.
_ALPHA = 0.9
# Propagated probabilities are too even: powers to choose from, and the usual one, which counts as much as two clips.
_POWERS, _USUAL_POWER = np.geomspace(0.5, 8.0, 25), 2.0
_POWERS_BY_LABEL = np.geomspace(0.125, 8.0, 37)
_SMALLEST_PROBABILITY = 1e-3


def propagate_labels(
    start: fit.InitialNetwork,
    labelled: TrainingData,
    pool: Pool,
    settings: fit.TrainingSettings,
    *,
    on_progress: OnProgress | None = None,
) -> Pool:
    """Return a pool with targets for its clips: those of `spread_labels`, under a sigmoid those of `spread_by_label`.

    The similarity of two clips is the mean of two cosines: of a network's features before its head, and of
    `Frontend.describe`.

    Parameters
    ----------
    start
        The features are those of its `warm_start`; without one, a network is trained to distinguish these clips.
    labelled
        Clips to train on (no validation clip).
    settings
        As for the training that follows; of schedule and budget a share is taken.
    """
    some = _evenly(len(labelled), _MAX_LABELLED)
    frontend = labelled.frontend
    frames = join(pick(labelled.frames, some.tolist()), pool.frames)
    network = start.warm_start
    if network is None:
        distinguished = pick(frames, _evenly(len(frames), _MAX_DISTINGUISHED).tolist())
        network = _train_to_distinguish(start, frontend, distinguished, settings, on_progress)
    described = descriptors.standardise(np.stack([frontend.describe(one) for one in frames]))
    views = [_features(network, frontend, frames), described.astype(np.float64)]
    similarity = np.asarray(np.mean([_cosines(view - view.mean(axis=0)) for view in views], axis=0), np.float64)
    present, groups = labelled.present[some], [labelled.groups[i] for i in some]
    if labelled.head == "sigmoid":
        targets, absent = spread_by_label(similarity, present, labelled.absent[some], groups)
        return replace(pool, targets=targets, absent=absent, schedule_weight=_SCHEDULE_WEIGHT)
    return replace(pool, targets=spread_labels(similarity, present, groups).targets, schedule_weight=_SCHEDULE_WEIGHT)


@dataclass(frozen=True, slots=True)
class Propagated:
    """Propagated labels.

    Attributes
    ----------
    targets : (pool, labels) float32
        Probabilities.
    cross_predicted : (labelled, labels) float32
        What the other groups' clips predict for each labelled clip; NaN where none of them has its label.
    """

    targets: Float32
    cross_predicted: Float32


def propagate_by_embeddings(embeddings: Float32, targets: Float32, groups: Sequence[str]) -> Propagated:
    """Estimate the labels of unlabelled clips as `spread_labels` does, by a pretrained model's embeddings.

    Parameters
    ----------
    embeddings : (labelled + pool, width) float32
        The labelled clips first; compared as `hellinger_embeddings` scales them.
    targets : (labelled, labels) float32
        Rows sum to one.
    groups
        Of the labelled clips.
    """
    rows = hellinger_embeddings(embeddings)
    some = _evenly(len(targets), _MAX_LABELLED)
    kept = np.concatenate([some, np.arange(len(targets), len(rows))])
    similarity = _cosines(rows[kept] - rows[kept].mean(axis=0))
    found = spread_labels(similarity, targets[some], [groups[i] for i in some])
    cross_predicted = np.full(targets.shape, np.nan, np.float32)
    cross_predicted[some] = found.cross_predicted
    return Propagated(found.targets, cross_predicted)


def _evenly(count: int, max_count: int) -> Int64:
    """Return at most `max_count` of `count` indices, spread evenly."""
    return np.unique(np.linspace(0, count - 1, min(count, max_count)).round().astype(np.int64))


def _train_to_distinguish(
    start: fit.InitialNetwork,
    frontend: Frontend,
    frames: Sequence[Float32],
    settings: fit.TrainingSettings,
    on_progress: OnProgress | None,
) -> keras.Model:
    """Train a network with a class for each clip; no label is used."""
    names = [str(place) for place in range(len(frames))]
    budget_s = None if settings.budget_s is None else _BUDGET_SHARE * settings.budget_s
    shares = {
        name: round(_SCHEDULE_SHARE * getattr(settings, name)) for name in ("epochs", "least_patches", "most_patches")
    }
    classes = np.eye(len(names), dtype=np.float32)
    data = TrainingData(frontend, frames, classes, np.zeros_like(classes), names, names)
    nothing = np.zeros(0, np.int64)
    settings = replace(settings, budget_s=budget_s, **shares)
    return fit.fit(start, data, settings, validation=nothing, on_progress=on_progress).model


def _features(network: keras.Model, frontend: Frontend, frames: Sequence[Float32]) -> Float64:
    """Return a network's features of clips before its head, (clips, features), loud patches weighing most."""
    import keras

    patches = [frontend.patches(one) for one in frames]
    features_of = networks.compiled(keras.Model(network.inputs, network.get_layer(networks.HEAD).input))
    rows = features_of(np.concatenate(patches))
    means = []
    for one, features in zip(frames, np.split(rows, np.cumsum([len(cut) for cut in patches])[:-1]), strict=True):
        loudness_db = frontend.loudness_db(one).astype(np.float64)
        weights = 10.0 ** ((loudness_db - loudness_db.max()) / 10.0)
        means.append(weights @ np.maximum(features, 0.0) / weights.sum())
    # Square roots, as of embeddings (`hellinger_embeddings`): activations compare better.
    return np.asarray(np.sqrt(means), np.float64)


def spread_labels(similarity: Float64, targets: Float32, groups: Sequence[str]) -> Propagated:
    """Spread the labels of some clips over the others, as sharp as the labelled clips allow; 0 for a label of no clip.

    Parameters
    ----------
    similarity : (labelled + pool, labelled + pool) float64
        Of each two clips, 1 at most; the labelled clips first.
    targets : (labelled, labels) float32
        Rows sum to one.
    groups
        Of the labelled clips; where the sharpness is fitted, a clip is predicted without its group.
    """
    reach = np.asarray(np.linalg.inv(np.eye(len(similarity)) - _ALPHA * _graph(similarity)), np.float64)
    n_labelled = len(targets)
    labels = targets.astype(np.float64)
    cross_predicted = np.full(targets.shape, np.nan)
    names = np.array(groups)
    for place, group in enumerate(names):
        others = names != group
        # Its own label must be among the others' to be predicted at all.
        if (labels[place] * labels[others].sum(axis=0)).sum() > 0:
            cross_predicted[place] = _predict(reach[place : place + 1, :n_labelled][:, others], labels[others])[0]
    known = ~np.isnan(cross_predicted).any(axis=1)
    power = _best_power(cross_predicted[known], labels[known]) if known.any() else _USUAL_POWER
    pool = _sharpened(_predict(reach[n_labelled:, :n_labelled], labels), power)
    return Propagated(pool.astype(np.float32), _sharpened(cross_predicted, power).astype(np.float32))


def spread_by_label(
    similarity: Float64, present: Float32, absent: Float32, groups: Sequence[str]
) -> tuple[Float32, Float32]:
    """Estimate for each label by itself whether it is present on the other clips.

    The mass that spreads from the clips where a label is present is held against that from those where it is absent, on
    the graph of `spread_labels`. The odds are those of the label among the labelled clips, times a power of the ratio
    of the masses, which is fitted on the labelled clips, each predicted without its group.

    Parameters
    ----------
    similarity : (labelled + pool, labelled + pool) float64
        As for `spread_labels`.
    present, absent : (labelled, labels) float32
        As in `labeltool.networks.heads`.
    groups
        Of the labelled clips.

    Returns
    -------
    present, absent : (pool, labels) float32
        Probabilities that sum to one; both zero for a label that is present on no labelled clip, or absent on none.
    """
    reach = np.asarray(np.linalg.inv(np.eye(len(similarity)) - _ALPHA * _graph(similarity)), np.float64)
    n_labelled = len(present)
    masses = present.astype(np.float64), absent.astype(np.float64)
    names = np.array(groups)
    ratios, true = [], []
    for place, group in enumerate(names):
        others = names != group
        checked = present[place] + absent[place]
        column = (checked > 0) & _both(masses[0][others], masses[1][others])
        ratio = _log_ratios(reach[place : place + 1, :n_labelled][:, others], masses[0][others], masses[1][others])
        ratios.append(np.where(column, ratio[0], np.nan))
        true.append(present[place] / np.maximum(checked, 1e-9))
    prior = np.log((masses[0].sum(axis=0) + 0.5) / (masses[1].sum(axis=0) + 0.5))
    power = _best_power_by_label(np.array(ratios), prior, np.array(true))
    odds = power * _log_ratios(reach[n_labelled:, :n_labelled], *masses) + prior
    known = _both(*masses)
    return (_logistic(odds) * known).astype(np.float32), (_logistic(-odds) * known).astype(np.float32)


def _both(present: Float64, absent: Float64) -> Bools:
    return np.asarray((present.sum(axis=0) > 0) & (absent.sum(axis=0) > 0))


def _log_ratios(reach: Float64, present: Float64, absent: Float64) -> Float64:
    """Return the logarithm of the mass that reaches clips from where a label is present over that of its absence."""
    near, far = (reach @ (mass / np.maximum(mass.sum(axis=0), 1e-9)) for mass in (present, absent))
    return np.asarray(np.log(np.maximum(near, 1e-12) / np.maximum(far, 1e-12)), np.float64)


def _logistic(odds: Float64) -> Float64:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(odds, -30.0, 30.0))), np.float64)


def _best_power_by_label(ratios: Float64, prior: Float64, true: Float64) -> float:
    """Return the power of the ratios that has the least log loss, near one; a ratio that is not known is NaN."""
    known = np.isfinite(ratios)

    def loss(power: float) -> float:
        odds = power * np.where(known, ratios, 0.0) + prior
        logs = true * np.log(_logistic(odds)) + (1.0 - true) * np.log(_logistic(-odds))
        return float(-(logs * known).sum() + 2.0 * np.log(power) ** 2)

    return float(min(_POWERS_BY_LABEL, key=loss))


def _cosines(rows: Float64) -> Float64:
    unit = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    return np.asarray(unit @ unit.T, np.float64)


def _graph(similarity: Float64) -> Float64:
    """Return weights between clips and their nearest neighbours, symmetric, normalised by both clips' degrees."""
    others = np.where(np.eye(len(similarity), dtype=bool), -np.inf, similarity)
    neighbours = np.argsort(-others, axis=1, kind="stable")[:, : min(_NEIGHBOURS, len(similarity) - 1)]
    near = np.take_along_axis(others, neighbours, axis=1)
    weights = np.zeros_like(similarity)
    np.put_along_axis(weights, neighbours, np.exp((near - near[:, :1]) / _FALL), axis=1)
    weights = np.maximum(weights, weights.T)
    degrees = np.maximum(weights.sum(axis=1), 1e-12)
    return np.asarray(weights / np.sqrt(degrees[:, None] * degrees[None, :]), np.float64)


def _predict(reach: Float64, labels: Float64) -> Float64:
    """Return label probabilities; every label spreads the same mass, however many clips have it."""
    masses = reach @ (labels / np.maximum(labels.sum(axis=0), 1e-9))
    return np.asarray(masses / np.maximum(masses.sum(axis=1, keepdims=True), 1e-12), np.float64)


def _best_power(predicted: Float64, true: Float64) -> float:
    """Return the power of the predictions that has the least log loss, near the usual one."""

    def loss(power: float) -> float:
        logs = np.log(np.maximum(_sharpened(predicted, power), _SMALLEST_PROBABILITY))
        return float(-(true * logs).sum() + 2.0 * np.log(power / _USUAL_POWER) ** 2)

    return float(min(_POWERS, key=loss))


def _sharpened(probabilities: Float64, power: float) -> Float64:
    powers = probabilities**power
    return np.asarray(powers / np.maximum(powers.sum(axis=1, keepdims=True), 1e-300), np.float64)
