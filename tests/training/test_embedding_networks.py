"""Architectures over a pretrained model's embeddings: which model, its frames, the way to int8."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from helpers.command_line import labeltool
from helpers.level_network import label_clips, right, true_label
from helpers.progress import quiet
from labeltool import project as projects
from labeltool.active_learning.suggest import suggest
from labeltool.audio.frontend import EmbeddingFrontend, frontend_from_dict
from labeltool.errors import LabeltoolError
from labeltool.exporters.registry import export
from labeltool.inference import classify, detect
from labeltool.networks import build as networks
from labeltool.networks import model_folder, quantization
from labeltool.networks.predict import predict
from labeltool.pretrained import registry
from labeltool.pretrained.card import read_card
from labeltool.pretrained.embedding_frames import EmbeddingFrames, embedding_frontend, pretrained_for
from labeltool.project import Project
from labeltool.similarity import compare
from labeltool.store import clips
from labeltool.tasks import evaluate, retrain, simulate
from labeltool.training.augmentation.embedding import EmbeddingSampler
from labeltool.training.augmentation.samplers import Augmentation, SampledClips

OVER_EMBEDDINGS = ["embedding-mlp", "embedding-attention"]


def frontend_of_pretrained(project: Project, arch: str) -> EmbeddingFrontend:
    path = registry.find(project, "pretrained")
    return embedding_frontend(arch, None, path, read_card(path.parent))


@pytest.mark.slow
@pytest.mark.parametrize("arch", OVER_EMBEDDINGS)
def test_it_learns_suggests_is_measured_and_exported_and_the_pretrained_model_can_go_and_come_back(
    level_project: Project, tmp_path: Path, arch: str
) -> None:
    with level_project.open_store() as store:
        label_clips(store, range(16))
        sound = clips.unlabelled(store)[0]
    # The settings' pretrained model, whose embeddings are the input, is also the teacher; the other has labels alone.
    teacher = None if arch == "embedding-mlp" else ""
    result = retrain.retrain(level_project, report=quiet, arch=arch, teacher=teacher)
    assert (result.arch, result.embedding_model) == (arch, "pretrained")
    assert result.clip_accuracy == result.int8_clip_accuracy == 1
    files = model_folder.read(level_project.models / str(result.model))
    assert files.card.embedding_model is not None and files.card.embedding_model.file == "level.tflite"
    assert files.frontend == frontend_of_pretrained(level_project, arch)
    assert (files.card.teacher is None) == (teacher == "")
    suggested = suggest(level_project, report=quiet, model_id=result.model)
    with level_project.open_store() as store:
        assert suggested.suggestions == 8 and all(right(store))
    # From the second time on it is a warm start.
    assert retrain.retrain(level_project, report=quiet, arch=arch, teacher="").warm
    one_file = {"model": str(result.model), "files": [sound.path]}
    (one,) = classify.classify(level_project, report=quiet, **one_file).files
    assert one.scores[0].label == true_label(sound) and one.windows[0].label == true_label(sound)
    in_process = detect.DetectOptions(processes=1)
    (found,) = detect.detect(level_project, report=quiet, options=in_process, **one_file).files
    assert [event.label for event in found.spans] == [true_label(sound)]

    options = {"report": quiet, "model_id": None, "output": str(tmp_path / "out"), "force": False}
    (written,) = export(level_project, products=["int8"], **options).written
    card = json.loads((Path(written) / "card.json").read_text())
    assert card["embedding_model"]["name"] == "pretrained"
    assert frontend_from_dict(card["frontend"]) == files.frontend
    with pytest.raises(LabeltoolError, match=r"needs a pretrained model.*does not fit on an MCU.*--teacher"):
        export(level_project, products=["stm32"], **options)

    source = level_project.directory.parent / "level.tflite"
    source.write_bytes(registry.find(level_project, "pretrained").read_bytes())
    registry.remove(level_project, "pretrained")
    for work in (
        lambda: evaluate.evaluate(level_project, report=quiet),
        lambda: suggest(level_project, report=quiet),
        lambda: compare.compare(level_project, report=quiet),
        lambda: classify.classify(level_project, report=quiet, **one_file),
        lambda: classify.classify(None, report=quiet, model=written, files=[sound.path]),
        lambda: detect.detect(level_project, report=quiet, **one_file),
    ):
        with pytest.raises(
            LabeltoolError, match=r"needs the pretrained model pretrained, which.*add` it again"
        ) as gone:
            work()
        assert "\n" not in str(gone.value)
    names = str(level_project.directory.parent / "names.txt")
    registry.add(level_project, report=quiet, file=str(source), name="again", labels=names, rate_hz=16_000)
    assert evaluate.evaluate(level_project, report=quiet).int8_clip_accuracy == 1.0
    assert suggest(level_project, report=quiet).suggestions == 8


def test_the_pretrained_model_is_named_set_or_the_only_one_and_else_the_error_names_a_remedy(
    level_project: Project, project: Project, level_model_file: Path
) -> None:
    learning = replace(level_project.settings.learning, pretrained=None)
    unset = replace(level_project, settings=replace(level_project.settings, learning=learning))
    path = registry.find(level_project, "pretrained")
    assert pretrained_for(level_project, "miniresnet") is None
    assert pretrained_for(level_project, "embedding-mlp") == pretrained_for(unset, "embedding-mlp") == path
    registry.add(level_project, report=quiet, file=str(level_model_file), name="second", rate_hz=16_000)
    assert pretrained_for(unset, "embedding-mlp", "second") == registry.find(level_project, "second")
    with pytest.raises(LabeltoolError, match=r"several of them.*--pretrained names one of pretrained, second"):
        pretrained_for(unset, "embedding-mlp")
    with pytest.raises(LabeltoolError, match=r"no pretrained model 'third'.*there are: pretrained, second"):
        pretrained_for(level_project, "embedding-mlp", "third")
    with pytest.raises(LabeltoolError, match=r"miniresnet takes no embeddings.*--teacher"):
        pretrained_for(level_project, "miniresnet", "pretrained")
    for name in ("pretrained", "second"):
        registry.remove(level_project, name)
    refused = labeltool(level_project, "retrain", "--arch", "embedding-mlp", check=1).stderr
    assert "none with an embedding (`labeltool model fetch` or `add` brings one)" in refused.splitlines()[-1]


def test_frames_are_the_embedding_of_each_window_with_its_level_before_it(level_project: Project) -> None:
    frontend = frontend_of_pretrained(level_project, "embedding-mlp")
    assert (frontend.window, frontend.hop, frontend.width, frontend.columns) == (1600, 800, 8, 9)
    assert frontend_from_dict(frontend.to_dict()) == frontend and frontend.patch_hops_s == 0.1
    path = registry.find(level_project, "pretrained")
    pcm = np.zeros(4000, np.int16)
    pcm[:1600] = 8192
    pcm[2400:] = -16_384
    frames = EmbeddingFrames(path, read_card(path.parent), frontend)(pcm)
    np.testing.assert_allclose(frames[:, 0], [0.25, np.sqrt(0.5) * 0.25, np.sqrt(0.5) * 0.5, 0.5], rtol=1e-5)
    np.testing.assert_allclose(frames[0, 1:], [0.25, 0, 0.6, 0, 0.55, 0.05, 0.75, 0], atol=1e-5)
    patches, loudness = frontend.patches(frames), frontend.loudness_db(frames)
    np.testing.assert_allclose(patches[0, :, 0] / patches[0, 0, 0], np.sqrt(frames[0, 1:] / frames[0, 1]), rtol=1e-5)
    np.testing.assert_allclose(np.square(patches).mean(axis=1), 1.0, rtol=1e-5)
    np.testing.assert_allclose(loudness, 20 * np.log10(frames[:, 0]), atol=1e-3)
    silence = EmbeddingFrames(path, read_card(path.parent), frontend)(np.zeros(1600, np.int16))
    assert not silence.any() and not frontend.patches(silence).any() and frontend.loudness_db(silence) < -60
    # A longer patch has several windows; windows overlap where that is asked for.
    longer = frontend.lasting(0.2)
    assert (longer.patch_frames, longer.patch_s, len(longer.patches(frames))) == (3, 0.2, 2)
    assert frontend.overlapping(4).hop == 400 and longer.overlapping(3).patch_hop == 1


def test_training_patches_are_mixtures_of_activations_with_windows_blanked() -> None:
    frontend = replace(networks.ARCHITECTURES["embedding-attention"].frontend, width=6, pretrained="")
    rng = np.random.default_rng(0)
    one, other = (np.abs(rng.normal(1, 0.1, (9, 6))).astype(np.float32) for _ in range(2))
    one[:, :3] = other[:, 3:] = 0
    frames = [np.concatenate([np.ones((9, 1), np.float32), of], axis=1) for of in (one, other)]
    targets = np.eye(2, dtype=np.float32)
    mixing = Augmentation(mix_share=1, same_label_share=0, mask_share=0)
    patches, wanted = EmbeddingSampler(SampledClips(frontend, frames, targets), mixing, np.random.default_rng(0)).batch(
        40
    )
    assert patches.shape == (40, 6, 5) and patches.dtype == np.float32
    # The kernel's squares are shares of the activations: those of the second clip are of the first label.
    np.testing.assert_allclose(np.square(patches[:, 3:]).sum(axis=1) / 6, np.tile(wanted[:, :1], 5), atol=1e-5)
    changed = Augmentation(mask_share=1, mask_frames=10, mix_share=0)
    patches, wanted = EmbeddingSampler(
        SampledClips(frontend, frames, targets), changed, np.random.default_rng(0)
    ).batch(60)
    left = np.abs(patches).sum(axis=1) > 0
    assert left.any(axis=1).all() and set(left.sum(axis=1)) == {1, 2, 3, 4, 5}
    np.testing.assert_array_equal(np.abs(patches[:, 3:]).sum(axis=(1, 2)) > 0, wanted[:, 0] == 1)
    single = replace(frontend, patch_frames=1, patch_hop=1)
    patches, _ = EmbeddingSampler(SampledClips(single, frames, targets), changed, np.random.default_rng(0)).batch(60)
    assert (np.abs(patches).sum(axis=1) > 0).all()


@pytest.mark.parametrize("width, windows", [(1024, 1), (1024, 5), (7, 3)])
def test_sizes_follow_from_the_width_of_the_embedding(width: int, windows: int) -> None:
    frontend = replace(networks.ARCHITECTURES["embedding-mlp"].frontend, width=width, patch_frames=windows)
    hidden, attending, labels = 256, 64, 10
    head = labels * (hidden + 1)
    mlp = networks.build("embedding-mlp", labels, frontend)
    assert mlp.count_params() == hidden * (width + 1) + head
    assert networks.macc(mlp) == windows * width * hidden + labels * hidden
    attention = networks.build("embedding-attention", labels, frontend)
    assert attention.count_params() == hidden * (width + 1) + attending * (hidden + 1) + attending + head
    assert networks.macc(attention) == windows * hidden * (width + attending) + windows * attending + labels * hidden


@pytest.mark.parametrize("arch", OVER_EMBEDDINGS)
def test_int8_predicts_what_float_predicts_and_silence_gives_finite_scores(arch: str) -> None:
    import keras

    keras.utils.set_random_seed(2)
    frontend = replace(networks.ARCHITECTURES[arch].frontend, width=64)
    network = networks.build(arch, 4, frontend)
    rows = np.abs(np.random.default_rng(1).normal(0, 1, (120, 64, frontend.patch_frames))).astype(np.float32)
    patches = frontend.normalise(rows)
    tflite = quantization.to_int8(network, patches)
    reference = quantization.Int8Model(tflite)
    np.testing.assert_allclose(reference.predict(patches), predict(network, patches), atol=0.03)
    assert np.isfinite(reference.predict(np.zeros_like(patches[:1]))).all()


@pytest.mark.slow
def test_labels_are_replayed_for_an_architecture_over_embeddings(level_project: Project) -> None:
    with level_project.open_store() as store:
        label_clips(store, range(24))
    result = simulate.simulate(
        level_project, report=quiet, strategy_names=["random"], budgets=[8], arch="embedding-mlp", batch=8
    )
    assert result.strategies[0].models[0].clip_accuracy == 1.0
    assert projects.load(level_project.directory).settings.learning.pretrained == "pretrained"
    assert registry.names(level_project) == ["pretrained"]


def test_clips_are_described_by_their_embeddings() -> None:
    frontend = replace(networks.ARCHITECTURES["embedding-mlp"].frontend, width=40)
    rng = np.random.default_rng(0)
    kinds = rng.exponential(1, (2, 40))
    clips_of = [[np.abs(kind + rng.normal(0, 0.05, (windows, 40))) for windows in (1, 4, 9)] for kind in kinds]
    frames = [np.insert(one, 0, 0.1, axis=1).astype(np.float32) for kind in clips_of for one in kind]
    described = np.stack([frontend.describe(one) for one in frames])
    assert described.shape == (6, 192) and described.dtype == np.float32
    apart = np.linalg.norm(described[:, None] - described[None], axis=2)
    assert apart[:3, :3].max() < apart[:3, 3:].min() > apart[3:, 3:].max()
