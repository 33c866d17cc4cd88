"""The temperature to expect of a network before any validation clip, by what it is trained on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from labeltool.audio.descriptors import standardise
from labeltool.networks.postprocessing import DEFAULT_TEMPERATURE
from labeltool.training.training_data import TrainingData
from labeltool.training.unlabelled.pool import Pool
from labeltool.type_aliases import Bools, Float32, Float64, Int64

# The temperature where nothing is wrong or recordings are endless, and how much it rises; `benchmarks/NOTES.md`.
_LEAST, _RISE = 0.35, 2.4
# Clips that are compared, each with each, at most.
_MAX_CLIPS = 1500


def expected_temperature(train: TrainingData, pool: Pool) -> float:
    """Return the temperature to expect of a network: the centre of the prior of `calibration.choose_temperature`.

    A network is certain of the clips it is trained on, however few they are. How far that holds for others cannot be
    seen in its training, and hardly on a dozen validation clips, which come from the labels with recordings to spare.
    Two things show it: how many clips have a nearest neighbour, among those of other recordings, of another label; and
    how few recordings a label has. The temperature rises with the geometric mean of that error and of the mean over
    labels of one over their recordings.

    Parameters
    ----------
    train
        The labelled clips it is trained on, without validation clips.
    pool
        Unlabelled clips beside them; a label that is estimated counts as far as it is certain.

    Returns
    -------
    float
        From 0.35; `DEFAULT_TEMPERATURE` where no label has clips of two recordings.
    """
    some = np.unique(np.linspace(0, len(train) - 1, min(len(train), _MAX_CLIPS)).round().astype(np.int64))
    present, place = train.present[some], np.unique(np.asarray(train.groups)[some], return_inverse=True)[1]
    labels_to_compare = (_by_group(present, place) > 0).sum(axis=0) > 1
    comparable = (present[:, labels_to_compare] > 0).any(axis=1)
    if not comparable.any():
        return DEFAULT_TEMPERATURE
    descriptions = standardise(np.stack([train.frontend.describe(train.frames[i]) for i in some]))
    correct = _neighbour_agreement(descriptions.astype(np.float64), present, place)[comparable]
    # As if there were one clip more of each outcome: none wrong of few is no promise.
    error = (1.0 + (1.0 - correct).sum()) / (2.0 + len(correct))
    return float(_LEAST + _RISE * np.sqrt(error * (1.0 / _recordings(train, pool)).mean()))


def _recordings(train: TrainingData, pool: Pool) -> Float64:
    """Return the number of recordings of each label, (labels,), one at least."""
    estimated, _ = pool.label_targets(len(train.label_names))
    groups: Sequence[str] = [*train.groups, *pool.groups]
    place = np.unique(np.asarray(groups), return_inverse=True)[1]
    # The square is the probability that a label drawn by the estimate is right; of an even estimate little is left.
    by_group = _by_group(np.concatenate([train.present, estimated**2]), place)
    return np.asarray(np.maximum(by_group.sum(axis=0), 1.0), np.float64)


def _by_group(present: Float32, place: Int64) -> Float64:
    """Return how far each label is present in each group, (groups, labels)."""
    by_group = np.zeros((int(place.max()) + 1, present.shape[1]))
    np.maximum.at(by_group, place, present)
    return by_group


def _neighbour_agreement(descriptions: Float64, present: Float32, place: Int64) -> Float64:
    """Return what share of the labels of each clip and its nearest neighbour of another group they have in common."""
    unit = descriptions / np.maximum(np.linalg.norm(descriptions, axis=1, keepdims=True), 1e-9)
    same_group: Bools = place[:, None] == place[None, :]
    nearest = present[np.where(same_group, -np.inf, unit @ unit.T).argmax(axis=1)]
    common, either = np.minimum(present, nearest).sum(axis=1), np.maximum(present, nearest).sum(axis=1)
    return np.asarray(common / np.maximum(either, 1e-9), np.float64)
