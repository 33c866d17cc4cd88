"""What clips without a verdict are, told by the company they keep: which of them sound like those that people labelled.

Before a network knows any label it can learn to tell clips apart, each a class of its own (Dosovitskiy et al. 2014,
"Discriminative unsupervised feature learning with exemplar convolutional neural networks"). By what it then hears, and
by a plain description of each sound, clips are alike or not; labels spread along that likeness (Zhou et al. 2004,
"Learning with local and global consistency"). How far they are to be believed is asked of the labelled clips, each
judged in turn by the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from labeltool.audio import descriptors
from labeltool.audio.descriptors import hellinger_embeddings
from labeltool.audio.frontend import Frontend
from labeltool.networks import build as networks
from labeltool.networks.pretrained_weights import Weights
from labeltool.training import fit
from labeltool.training.loop import Report
from labeltool.training.unlabelled_pool import Pool
from labeltool.type_aliases import Float32, Float64, Int64

if TYPE_CHECKING:
    import keras


# `Pool.worth` of clips that only their kin vouch for.
_WORTH = 1 / 3
# What learning to tell clips apart takes of a schedule for as many labelled ones, and of the time there is: three times
# as long made likeness no better.
_SCHEDULE_SHARE, _BUDGET_SHARE = 0.1, 0.2
# More clips than this have nothing more to tell: comparing each with each takes its time.
_MOST_LABELLED, _MOST_TOLD_APART = 1500, 512
# Of each clip so many others are its kin at most, the less alike beside the most alike one, the less.
_KIN, _FALL = 10, 0.1
# How much of what a clip is held to be comes from its kin, and not from what a person said of it.
_BY_KIN = 0.9
# Spread labels are too doubtful: how much sharper they are taken, held to what is usual as if by two clips.
_SHARPER, _USUALLY_SHARPER = np.geomspace(0.5, 8.0, 25), 2.0
# Less than this nothing is believed to be.
_LEAST_BELIEF = 1e-3


def told_by_kin(
    arch: str,
    frontend: Frontend,
    log_mels: Sequence[Float32],
    targets: Float32,
    groups: Sequence[str],
    pool: Pool,
    *,
    settings: fit.TrainingSettings,
    network: keras.Model | None = None,
    backbone: Weights | None = None,
    on_progress: Report | None = None,
) -> Pool:
    """Return a pool with what its clips are held to be, as `spread` says.

    Two clips are as alike as the mean of two cosines: of what a network makes of them before its head, and of
    `strategies.describe`.

    Parameters
    ----------
    arch, frontend, settings, backbone, on_progress
        As in `training.fit`; of schedule and budget a share is taken.
    log_mels, targets, groups
        Of the labelled clips to learn from (none that checks), one label each, as there.
    network
        One that hears already, a warm start's; default: one that learns to tell these clips apart.
    """
    some = _some(len(log_mels), _MOST_LABELLED)
    heard = [*(log_mels[i] for i in some), *pool.log_mels]
    if network is None:
        apart = [heard[i] for i in _some(len(heard), _MOST_TOLD_APART)]
        network = _tell_apart(arch, frontend, apart, settings, backbone, on_progress)
    described = descriptors.standardised(np.stack([descriptors.describe(log_mel, frontend) for log_mel in heard]))
    views = [_features(network, frontend, heard), described.astype(np.float64)]
    alike = np.asarray(np.mean([_cosines(view - view.mean(axis=0)) for view in views], axis=0), np.float64)
    return replace(pool, targets=spread(alike, targets[some], [groups[i] for i in some]), worth=_WORTH)


def told_by_ear(embeddings: Float32, targets: Float32, groups: Sequence[str]) -> Float32:
    """Label clips without a verdict by those with one, as `spread` does, by how alike a borrowed ear hears them.

    Parameters
    ----------
    embeddings : (labelled + pool, width) float32
        The labelled clips first; compared as `hellinger_embeddings` has them.
    targets : (labelled, labels) float32
        Rows sum to one.
    groups
        Of the labelled clips.

    Returns
    -------
    (pool, labels) float32
        Probabilities.
    """
    rows = hellinger_embeddings(embeddings)
    some = _some(len(targets), _MOST_LABELLED)
    kept = np.concatenate([some, np.arange(len(targets), len(rows))])
    return spread(_cosines(rows[kept] - rows[kept].mean(axis=0)), targets[some], [groups[i] for i in some])


def _some(count: int, most: int) -> Int64:
    """Return the places of so many clips at most, spread evenly."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.int64))


def _tell_apart(
    arch: str,
    frontend: Frontend,
    log_mels: Sequence[Float32],
    settings: fit.TrainingSettings,
    backbone: Weights | None,
    on_progress: Report | None,
) -> keras.Model:
    """Train a network to tell clips apart; no label is looked at."""
    names = [str(place) for place in range(len(log_mels))]
    budget_s = None if settings.budget_s is None else _BUDGET_SHARE * settings.budget_s
    shares = {
        name: round(_SCHEDULE_SHARE * getattr(settings, name)) for name in ("epochs", "least_patches", "most_patches")
    }
    return fit.fit(
        arch,
        frontend,
        log_mels,
        np.eye(len(names), dtype=np.float32),
        names,
        label_names=names,
        settings=replace(settings, budget_s=budget_s, **shares),
        backbone=backbone,
        validation=np.zeros(0, np.int64),
        on_progress=on_progress,
    ).model


def _features(network: keras.Model, frontend: Frontend, log_mels: Sequence[Float32]) -> Float64:
    """Return what a network makes of clips before its head, (clips, features), their loud patches counting most."""
    import keras

    cut = [frontend.patches(log_mel) for log_mel in log_mels]
    listen = networks.traced(keras.Model(network.inputs, network.get_layer(networks.HEAD).input))
    rows = listen(np.concatenate(cut))
    means = []
    for log_mel, of_clip in zip(log_mels, np.split(rows, np.cumsum([len(one) for one in cut])[:-1]), strict=True):
        loudness_db = frontend.loudness_db(log_mel).astype(np.float64)
        weights = 10.0 ** ((loudness_db - loudness_db.max()) / 10.0)
        means.append(weights @ np.maximum(of_clip, 0.0) / weights.sum())
    # Roots, as of a borrowed ear's embeddings (`hellinger_embeddings`): activations compare better by them.
    return np.asarray(np.sqrt(means), np.float64)


def spread(alike: Float64, targets: Float32, groups: Sequence[str]) -> Float32:
    """Spread the labels of some clips over the others.

    Parameters
    ----------
    alike : (labelled + pool, labelled + pool) float64
        How alike each two are, 1 at most; the labelled clips first.
    targets : (labelled, labels) float32
        Rows sum to one.
    groups
        Of the labelled clips: one is judged without its group's word.

    Returns
    -------
    (pool, labels) float32
        Probabilities, as sharp as the labelled clips bear out; 0 for a label that no clip has.
    """
    reach = np.asarray(np.linalg.inv(np.eye(len(alike)) - _BY_KIN * _graph(alike)), np.float64)
    labelled = len(targets)
    told = targets.astype(np.float64)
    said, true = [], []
    names = np.array(groups)
    for place, group in enumerate(names):
        others = names != group
        # Its own label must be among the others' to be found at all.
        if (told[place] * told[others].sum(axis=0)).sum() > 0:
            said.append(_word(reach[place : place + 1, :labelled][:, others], told[others])[0])
            true.append(told[place])
    sharper = _sharpness(np.array(said), np.array(true)) if said else _USUALLY_SHARPER
    return _sharpened(_word(reach[labelled:, :labelled], told), sharper).astype(np.float32)


def _cosines(rows: Float64) -> Float64:
    unit = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    return np.asarray(unit @ unit.T, np.float64)


def _graph(alike: Float64) -> Float64:
    """Return weights between clips and their kin, symmetric, normalised by how many kin both have."""
    others = np.where(np.eye(len(alike), dtype=bool), -np.inf, alike)
    kin = np.argsort(-others, axis=1, kind="stable")[:, : min(_KIN, len(alike) - 1)]
    near = np.take_along_axis(others, kin, axis=1)
    weights = np.zeros_like(alike)
    np.put_along_axis(weights, kin, np.exp((near - near[:, :1]) / _FALL), axis=1)
    weights = np.maximum(weights, weights.T)
    degrees = np.maximum(weights.sum(axis=1), 1e-12)
    return np.asarray(weights / np.sqrt(degrees[:, None] * degrees[None, :]), np.float64)


def _word(reach: Float64, told: Float64) -> Float64:
    """Return what some clips are held to be: every label has the same voice, however many clips have it."""
    voices = reach @ (told / np.maximum(told.sum(axis=0), 1e-9))
    return np.asarray(voices / np.maximum(voices.sum(axis=1, keepdims=True), 1e-12), np.float64)


def _sharpness(said: Float64, true: Float64) -> float:
    """Return the power of which what was said of some clips tells best what they are."""

    def loss(power: float) -> float:
        held = np.log(np.maximum(_sharpened(said, power), _LEAST_BELIEF))
        return float(-(true * held).sum() + 2.0 * np.log(power / _USUALLY_SHARPER) ** 2)

    return float(min(_SHARPER, key=loss))


def _sharpened(word: Float64, power: float) -> Float64:
    powers = word**power
    return np.asarray(powers / np.maximum(powers.sum(axis=1, keepdims=True), 1e-300), np.float64)
