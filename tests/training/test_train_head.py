"""A head on YAMNet's own layers through the whole product: trained, measured, suggesting, exported."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from helpers.progress import quiet
from helpers.real_data import REAL_DATA
from helpers.tones import P, add_tones, suggestions
from labeltool.audio.trunk_frontend import Pools
from labeltool.exporters.registry import export
from labeltool.inference import classify
from labeltool.networks import model_folder
from labeltool.networks.model_card import Comparison, TrunkSource
from labeltool.networks.quantization import Int8Model
from labeltool.pretrained import registry
from labeltool.project import Project
from labeltool.tasks import earlier_models, evaluate, retrain
from labeltool.training.labelled_spans import read_training_clips
from labeltool.training.prepare import TrainingRequest, make_request
from labeltool.training.targets import build_training_set

YAMNET = REAL_DATA / "models" / "yamnet" / "yamnet.tflite"


@pytest.mark.parametrize("pools", ["halves", "layers"])
def test_a_head_is_compared_again_for_other_head_units(
    project: Project, monkeypatch: pytest.MonkeyPatch, pools: Pools
) -> None:
    trunk = TrunkSource("a", "b", 13, "c", 4, 0.1, 0, 0, pools, head_units=0)
    training_set = SimpleNamespace(labels=("x", "y"), head="softmax", clips=[None])
    card = SimpleNamespace(
        trunk=trunk,
        compared=Comparison(1, training_set.labels),
        test_fold=None,
        labels=training_set.labels,
        clip_rule=SimpleNamespace(head="softmax", pooling="mean"),
        stream_rule=None,
    )
    files = SimpleNamespace(card=card, groups_seen=set)
    monkeypatch.setattr(earlier_models.models, "latest", lambda *_: SimpleNamespace(id=1))
    monkeypatch.setattr(earlier_models.model_folder, "read", lambda *_: files)
    request = TrainingRequest("yamnet256", trunk=SimpleNamespace(fingerprint="c"))

    def is_known(units: int) -> bool:
        with project.open_store() as store:
            own = replace(request, units=units)
            return earlier_models.known_head(project, store, training_set, own) is not None

    assert is_known(0) and not is_known(56)


@pytest.mark.slow
@pytest.mark.skipif(not YAMNET.is_file(), reason="the published YAMNet is not part of the project")
def test_a_head_on_a_trunk_suggests_is_measured_and_exported_as_one_network(project: Project, tmp_path: Path) -> None:
    registry.add(project, report=quiet, file=str(YAMNET))
    add_tones(project, tmp_path / "wav", *[(["low"], {"low": P}), (["high"], {"high": P})] * 9, (["high"], {}))
    result = retrain.retrain(project, report=quiet, arch="yamnet256")
    assert (result.arch, result.suggester, result.int8_clip_accuracy) == ("yamnet256", result.model, 1.0)
    assert suggestions(project)[0].probabilities["high"] > 0.5
    files = model_folder.read(project.models / str(result.model))
    assert files.card.trunk is not None and files.card.trunk.layers == 11
    assert (files.directory / model_folder.HEAD).is_file() and not (files.directory / model_folder.KERAS).exists()
    assert Int8Model(files.int8).predict(np.zeros((1, 64, 96), np.float32)).shape == (1, 2)
    assert evaluate.evaluate(project, report=quiet).int8_clip_accuracy == 1.0
    classified = classify.classify(project, report=quiet, files=[str(tmp_path / "wav" / "0.wav")]).files[0]
    assert classified.scores[0].label == "low"
    options = {"report": quiet, "model_id": None, "output": str(tmp_path / "out"), "force": False}
    assert export(project, products=["int8"], **options).model == result.model
    # The next one takes the kind of head that this one chose, unless this one may have chosen it by clips to be tested.
    request = make_request(project, "yamnet256")
    with project.open_store() as store:
        training_set = build_training_set(read_training_clips(store, min_window_s=1.0).labelled)
        known = earlier_models.known_head(project, store, training_set, request)
        assert known is not None and known.pools == files.card.trunk.pools
        assert earlier_models.known_head(project, store, training_set, replace(request, units=0)) is None
        assert earlier_models.known_head(project, store, training_set, replace(request, test_fold=1)) is None
    renewed = retrain.renew(project, report=quiet)
    assert renewed.model is not None and renewed.model > result.model
