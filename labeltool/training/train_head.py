"""A model with a pretrained trunk: a head is fitted to the trunk's features in a second, without TensorFlow."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from labeltool.audio.trunk_frontend import Pools, TrunkFrontend
from labeltool.errors import LabeltoolError
from labeltool.inference.clip_features import ClipFeatures
from labeltool.networks import build as networks
from labeltool.networks import dense_head, model_folder
from labeltool.networks.calibration import choose_rule, pooling_named
from labeltool.networks.dense_head import DenseHead
from labeltool.networks.heads import log_loss
from labeltool.networks.model_card import TrunkSource
from labeltool.networks.postprocessing import DEFAULT_TEMPERATURE, POOLINGS, ClipRule, Pooling
from labeltool.networks.stream_calibration import choose_stream_rule
from labeltool.networks.stream_rule import StreamRule
from labeltool.pretrained import trunk_network
from labeltool.pretrained.trunk import Trunk
from labeltool.project import Project
from labeltool.records import StoredClip
from labeltool.settings import LearningSettings
from labeltool.training import fit
from labeltool.training.fit_head import HeadData, HeadSettings, cross_validated_scores, fit_head
from labeltool.training.prepare import Prepared, TrainedModel, TrainingRequest, prepare, trunk_feature_cache
from labeltool.training.targets import TrainingSet
from labeltool.training.unlabelled.pool import Pool
from labeltool.training.unlabelled.semi_supervised import UnlabelledData
from labeltool.training.write_model import Fitted, make_card, write_model
from labeltool.type_aliases import Float32, Float64, Progress
from labeltool.util.lazy_frames import join, pick

if TYPE_CHECKING:
    import keras

# Fine-tuning leaves the first layers as they are: they serve any sound, and few clips would spoil them.
_FROZEN_LAYERS = 5
# On fewer labelled clips either kind of head may be better by chance.
_MIN_CLIPS_TO_COMPARE_HEADS = 20
# Weight decay of a head without a hidden layer.
_LINEAR_DECAY = 2.0


def train_head(
    project: Project,
    training_set: TrainingSet,
    request: TrainingRequest,
    trunk: Trunk,
    directory: Path,
    *,
    report: Progress,
    unlabelled: Sequence[StoredClip] = (),
) -> TrainedModel:
    """Fit a head on a training set and fill a model's folder; parameters as of `train_model`."""
    # Not chosen: a vote of windows that all agree has the lowest log loss on few validation clips, and no other merit.
    pooling = pooling_named(project.settings.learning.pooling or POOLINGS[0])
    settings = fit.settings_for(request.arch, seed=request.seed, pooling=pooling)
    began_s = time.monotonic()
    cache = trunk_feature_cache(project, trunk)
    prepared = prepare(project, cache, training_set, request, None, settings, unlabelled, report)
    report("training", 0, 0)
    fitted = _best_head(prepared, request, pooling)
    if fitted.without_unlabelled:
        prepared = _without_unlabelled(prepared)
    data, head = fitted.data, fitted.head
    quantised = dense_head.quantise(head, np.concatenate(data.codes))
    card = make_card(
        request,
        None,
        prepared,
        Fitted(
            parameters=_parameters(trunk, head),
            macc=trunk_network.macc(trunk, quantised),
            rule=fitted.rule,
            stream_rule=fitted.stream_rule,
            seconds=time.monotonic() - began_s,
            patches=sum(len(codes) for codes in data.codes),
            trunk=_source(trunk, head, fitted, request.units),
        ),
    )

    def save(folder: Path) -> None:
        head.save(folder / model_folder.HEAD)

    int8 = trunk_network.network_with_head(trunk, quantised, fitted.pools)
    return write_model(directory, card, int8, save, prepared, None, report, limit=request.budget.end.after(0.5))


def finetune_start(
    project: Project,
    training_set: TrainingSet,
    request: TrainingRequest,
    trunk: Trunk,
    *,
    report: Progress,
    unlabelled: Sequence[StoredClip] = (),
) -> keras.Model:
    """Return the float twin of a trunk with a head fitted on a training set; its first layers stay as they are.

    Raises
    ------
    LabeltoolError
        When the settings ask for another trunk or head than the architecture's own.
    """
    own = LearningSettings()
    if (len(trunk.layers), request.units) != (own.trunk_layers, own.head_units):
        raise LabeltoolError(
            f"only {own.trunk_layers} layers with {own.head_units} units behind them can be fine-tuned",
            remedy="remove trunk_layers and head_units from labeltool.toml",
        )
    settings = fit.settings_for(request.arch, seed=request.seed)
    cache = trunk_feature_cache(project, trunk)
    prepared = prepare(project, cache, training_set, request, None, settings, unlabelled, report)
    report("training", 0, 0)
    head = fit_head(head_data(prepared, "whole"), _head_settings(request.units), seed=request.seed)
    network = networks.build(request.arch, len(training_set.labels), request.frontend, training_set.head)
    before = trunk.input.scale
    for number, layer in enumerate(trunk.layers, 1):
        kernel = layer.weights.astype(np.float32)
        scales = np.array(layer.scales, np.float32)
        # Keras has filters last; of a depthwise convolution there is one filter a channel.
        kernel = (kernel * scales).transpose(1, 2, 3, 0) if layer.depthwise else kernel.transpose(1, 2, 3, 0) * scales
        network.get_layer(f"layer{number}").set_weights([kernel, layer.bias * (before * scales)])
        network.get_layer(f"layer{number}").trainable = number > _FROZEN_LAYERS
        before = layer.output.scale
    for name, kernel, bias in zip(("features", networks.HEAD), head.kernels, head.biases, strict=True):
        network.get_layer(name).set_weights([kernel, bias])
    return network


@dataclass(frozen=True, slots=True)
class _FittedHead:
    """A head, what it was fitted to and whether without unlabelled clips, and the rules chosen for it."""

    data: HeadData
    head: DenseHead
    pools: Pools
    without_unlabelled: bool
    rule: ClipRule
    stream_rule: StreamRule


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A kind of head, and its windows of clips, each predicted without the clip's group.

    Attributes
    ----------
    rule
        Chosen on them.
    losses : (labelled clips,) float64
        Their log loss by that rule.
    """

    pools: Pools
    settings: HeadSettings
    data: HeadData
    scores: list[Float32]
    rule: ClipRule
    losses: Float64


def _best_head(prepared: Prepared, request: TrainingRequest, pooling: Pooling) -> _FittedHead:
    """Fit the kind of head that predicts labelled clips best which it was not fitted to.

    A dozen validation clips are too few to choose and calibrate by, and a head takes half a second: so each clip is
    predicted by a head without its group. A linear head, of an eleven-layer trunk on the halves of the frequencies, is
    better where many labels have few clips each. It is taken where its log loss is lower by more than the standard
    error.
    """
    known = request.known_head
    if known is not None:
        prepared = _without_unlabelled(prepared) if known.without_unlabelled else prepared
        data = head_data(prepared, known.pools)
        head = fit_head(data, _head_settings(known.units), seed=request.seed)
        return _FittedHead(data, head, known.pools, known.without_unlabelled, known.rule, known.stream_rule)
    without_unlabelled = _leave_out_unlabelled(prepared, request, pooling)
    if without_unlabelled:
        prepared = _without_unlabelled(prepared)
    pools = _pools(prepared)
    chosen = _candidate(prepared, request, pooling, pools, request.units)
    if len(prepared.train) >= _MIN_CLIPS_TO_COMPARE_HEADS:
        linear = _candidate(prepared, request, pooling, "halves" if pools == "whole" else pools, 0)
        gain = chosen.losses - linear.losses
        chosen = linear if gain.mean() > gain.std() / np.sqrt(len(gain)) else chosen
    head = fit_head(chosen.data, chosen.settings, seed=request.seed)
    stream_rule = _stream_rule(prepared, chosen, head)
    return _FittedHead(chosen.data, head, chosen.pools, without_unlabelled, chosen.rule, stream_rule)


def _pools(prepared: Prepared) -> Pools:
    """Return what a head with a hidden layer reads: two layers where the trunk has a middle one."""
    return "layers" if _frontend(prepared).middle_channels else "whole"


def _without_unlabelled(prepared: Prepared) -> Prepared:
    return replace(prepared, unlabelled=UnlabelledData(Pool(), ClipFeatures([], [], ()), None))


def _leave_out_unlabelled(prepared: Prepared, request: TrainingRequest, pooling: Pooling) -> bool:
    """Return whether the estimated labels of unlabelled clips are worse than what a head without them predicts.

    A pretrained model may not distinguish the sounds of a project, and neighbours have other labels then. Both
    predict the labelled clips without their groups.
    """
    cross_predicted = prepared.unlabelled.pool.cross_predicted
    if cross_predicted is None or not len(prepared.unlabelled.pool):
        return False
    known = ~np.isnan(cross_predicted).any(axis=1)
    if known.sum() < _MIN_CLIPS_TO_COMPARE_HEADS:
        return False
    clips = prepared.data.only(prepared.train)
    by_neighbours = log_loss(clips.head, cross_predicted[known], clips.present[known], clips.absent[known])
    head = _candidate(_without_unlabelled(prepared), request, pooling, _pools(prepared), request.units)
    gain = by_neighbours - head.losses[known]
    return bool(gain.mean() > gain.std() / np.sqrt(len(gain)))


def _candidate(prepared: Prepared, request: TrainingRequest, pooling: Pooling, pools: Pools, units: int) -> _Candidate:
    data, settings = head_data(prepared, pools), _head_settings(units)
    frontend, pool = _frontend(prepared), prepared.unlabelled.pool
    known = np.flatnonzero(data.weights > 0)
    some = data.only(known)
    groups = [*(prepared.data.groups[i] for i in prepared.train), *pool.groups]
    windows = cross_validated_scores(some, [groups[i] for i in known], settings, seed=request.seed)
    scores = [rows[:: frontend.patch_hop] for rows in windows]
    loudness_db = [levels[:: frontend.patch_hop] for levels in some.loudness_db]
    # Clips of the pool count by their estimated targets.
    rule = ClipRule(fit.TrainingSettings().loudness_exponent, DEFAULT_TEMPERATURE, data.activation, pooling=pooling)
    rule, predicted = choose_rule(scores, loudness_db, some.present, some.absent, rule, pooling=pooling)
    labelled = known < len(prepared.train)
    losses = log_loss(data.activation, predicted[labelled], some.present[labelled], some.absent[labelled])
    return _Candidate(pools, settings, data, scores, rule, losses)


def _stream_rule(prepared: Prepared, chosen: _Candidate, head: DenseHead) -> StreamRule:
    """Choose thresholds on the labelled clips: those to train on without their group, and the validation clips."""
    frontend, clips = _frontend(prepared), prepared.data
    places = frontend.places(chosen.pools)
    check = [frontend.codes(clips.frames[i])[:: frontend.patch_hop, places] for i in prepared.held_out]
    order = [*prepared.train, *prepared.held_out]
    by_clip = [*chosen.scores[: len(prepared.train)], *(head.predict(codes) for codes in check)]
    frames = pick(clips.frames, order)
    return choose_stream_rule(frontend, frames, by_clip, clips.present[order], clips.absent[order], chosen.rule)


def _head_settings(units: int) -> HeadSettings:
    return HeadSettings(hidden_units=(units,)) if units else HeadSettings(hidden_units=(), weight_decay=_LINEAR_DECAY)


def _frontend(prepared: Prepared) -> TrunkFrontend:
    frontend = prepared.data.frontend
    assert isinstance(frontend, TrunkFrontend), "features of a trunk"
    return frontend


def head_data(prepared: Prepared, pools: Pools) -> HeadData:
    """Return what a head is fitted to: the clips to train on, and the pool's."""
    data, pool, frontend = prepared.data, prepared.unlabelled.pool, _frontend(prepared)
    train, places = data.only(prepared.train), frontend.places(pools)
    clips = join(train.frames, pool.frames)
    present, absent = pool.label_targets(len(data.label_names))
    present, absent = np.concatenate([train.present, present]), np.concatenate([train.absent, absent])
    # Clips of a pool without any target are not drawn; under a softmax those that are less sure are drawn less often.
    known = (present + absent).any(axis=1)
    sure = present.max(axis=1) if data.head == "softmax" else known
    if data.head == "softmax" and len(pool):
        # Propagated probabilities are too even for training.
        sharp = np.square(present[len(train) :])
        present[len(train) :] = sharp / np.maximum(sharp.sum(axis=1, keepdims=True), 1e-9)
    return HeadData(
        activation=data.head,
        scale=frontend.scale,
        zero_point=frontend.zero_point,
        codes=[frontend.codes(one)[:, places] for one in clips],
        loudness_db=[frontend.levels_db(one)[:, 0] for one in clips],
        present=present,
        absent=absent,
        weights=np.where(np.arange(len(clips)) < len(train), 1.0, known * sure).astype(np.float32),
    )


def _parameters(trunk: Trunk, head: DenseHead) -> int:
    arrays = [array for layer in trunk.layers for array in (layer.weights, layer.bias)]
    return sum(int(one.size) for one in (*arrays, *head.kernels, *head.biases))


def _source(trunk: Trunk, head: DenseHead, fitted: _FittedHead, head_units: int) -> TrunkSource:
    output, units = trunk.output, len(head.biases[0]) if len(head.biases) > 1 else 0
    return TrunkSource(
        trunk.name,
        trunk.sha256,
        len(trunk.layers),
        trunk.fingerprint,
        trunk.channels,
        output.scale,
        output.zero_point,
        units,
        fitted.pools,
        fitted.without_unlabelled,
        trunk.middle.shape[2] if trunk.middle else 0,
        head_units,
    )
