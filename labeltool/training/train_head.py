"""A model with a pretrained trunk: a head is fitted to the trunk's features in a second, without TensorFlow."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from labeltool.audio.feature_cache import FeatureCache
from labeltool.audio.trunk_frontend import TrunkFrontend
from labeltool.errors import LabeltoolError
from labeltool.networks import build as networks
from labeltool.networks import dense_head, model_folder
from labeltool.networks.calibration import pooling_named
from labeltool.networks.dense_head import DenseHead
from labeltool.networks.model_card import TrunkSource
from labeltool.networks.postprocessing import POOLINGS
from labeltool.pretrained import trunk_network
from labeltool.pretrained.trunk import Trunk
from labeltool.pretrained.trunk_frames import trunk_frames
from labeltool.project import Project
from labeltool.records import StoredClip
from labeltool.settings import LearningSettings
from labeltool.training import fit
from labeltool.training.expected_temperature import expected_temperature
from labeltool.training.fit_head import HeadData, HeadSettings, fit_head
from labeltool.training.prepare import Prepared, TrainedModel, TrainingRequest, prepare
from labeltool.training.targets import TrainingSet
from labeltool.training.write_model import Fitted, make_card, write_model
from labeltool.type_aliases import Float32, Progress

if TYPE_CHECKING:
    import keras

# Fine-tuning changes what comes after: the first layers serve any sound, and few clips would spoil them.
_FROZEN_LAYERS = 5


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
    prepared, data, head = _fit(project, training_set, request, trunk, settings, unlabelled, report)
    quantised = dense_head.quantise(head, np.concatenate(data.codes))
    check = prepared.data.only(prepared.held_out)

    def score(patches: Float32) -> Float32:
        return head.predict(patches[:, :, 0].astype(np.int8))

    expected = expected_temperature(prepared.data.only(prepared.train), prepared.unlabelled.pool)
    rule, stream_rule, _ = fit.choose_rules(score, check, settings, expected)
    fitted = Fitted(
        parameters=_parameters(trunk, head),
        macc=trunk_network.macc(trunk, quantised),
        rule=rule,
        stream_rule=stream_rule,
        seconds=time.monotonic() - began_s,
        patches=sum(len(codes) for codes in data.codes),
        trunk=_source(trunk, request.units),
    )
    card = make_card(request, None, prepared, fitted)

    def save(folder: Path) -> None:
        head.save(folder / model_folder.HEAD)

    int8 = trunk_network.network_with_head(trunk, quantised)
    return write_model(directory, card, int8, save, prepared, None, report)


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
    _, _, head = _fit(project, training_set, request, trunk, settings, unlabelled, report)
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


def _fit(
    project: Project,
    training_set: TrainingSet,
    request: TrainingRequest,
    trunk: Trunk,
    settings: fit.TrainingSettings,
    unlabelled: Sequence[StoredClip],
    report: Progress,
) -> tuple[Prepared, HeadData, DenseHead]:
    """Compute features and fit a head to those of the clips to train on."""
    frames = trunk_frames(trunk, project.cache / "trunks")
    cache = FeatureCache(project.cache / "features", frames.frontend, frames)
    prepared = prepare(project, cache, training_set, request, None, settings, unlabelled, report)
    report("training", 0, 0)
    data = head_data(prepared, frames.frontend)
    units = (request.units,) if request.units else ()
    return prepared, data, fit_head(data, HeadSettings(hidden_units=units), seed=request.seed)


def head_data(prepared: Prepared, frontend: TrunkFrontend) -> HeadData:
    """Return what a head is fitted to: the clips to train on, and the pool's."""
    data, pool = prepared.data, prepared.unlabelled.pool
    train = data.only(prepared.train)
    clips = [*train.frames, *pool.frames]
    present, absent = pool.label_targets(len(data.label_names))
    present, absent = np.concatenate([train.present, present]), np.concatenate([train.absent, absent])
    # Clips of a pool without any target are not drawn; under a softmax those that are less sure are drawn less often.
    known = (present + absent).any(axis=1)
    sure = present.max(axis=1) if data.head == "softmax" else known
    return HeadData(
        activation=data.head,
        scale=frontend.scale,
        zero_point=frontend.zero_point,
        codes=[frontend.codes(one) for one in clips],
        loudness_db=[frontend.levels_db(one)[:, 0] for one in clips],
        present=present,
        absent=absent,
        weights=np.where(np.arange(len(clips)) < len(train), 1.0, known * sure).astype(np.float32),
    )


def _parameters(trunk: Trunk, head: DenseHead) -> int:
    arrays = [array for layer in trunk.layers for array in (layer.weights, layer.bias)]
    return sum(int(one.size) for one in (*arrays, *head.kernels, *head.biases))


def _source(trunk: Trunk, units: int) -> TrunkSource:
    output = trunk.output
    return TrunkSource(
        trunk.name,
        trunk.sha256,
        len(trunk.layers),
        trunk.fingerprint,
        trunk.width,
        output.scale,
        output.zero_point,
        units,
    )
