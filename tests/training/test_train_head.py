"""A head on YAMNet's own layers through the whole product: trained, measured, suggesting, exported."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from helpers.progress import quiet
from helpers.real_data import REAL_DATA
from helpers.tones import P, add_tones, suggestions
from labeltool.exporters.registry import export
from labeltool.inference import classify
from labeltool.networks import model_folder
from labeltool.networks.quantization import Int8Model
from labeltool.pretrained import registry
from labeltool.project import Project
from labeltool.tasks import earlier_models, evaluate, retrain
from labeltool.training.labelled_spans import read_training_clips
from labeltool.training.prepare import make_request
from labeltool.training.targets import build_training_set

YAMNET = REAL_DATA / "models" / "yamnet" / "yamnet.tflite"


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
        assert earlier_models.known_head(project, store, training_set, replace(request, test_fold=1)) is None
    renewed = retrain.renew(project, report=quiet)
    assert renewed.model is not None and renewed.model > result.model
