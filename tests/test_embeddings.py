"""Architectures over a borrowed ear's embeddings: which ear, what it makes of sound, the way to int8."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ear_helpers import quiet
from test_borrowed import answer, right, truth
from test_borrowed import heard as heard
from test_borrowed import level_ear as level_ear
from test_command_line import labeltool

from labeltool import project as projects
from labeltool.active_learning.suggest import suggest
from labeltool.audio import descriptors
from labeltool.audio.frontend import Frontend
from labeltool.errors import LabeltoolError
from labeltool.exporters.registry import export
from labeltool.inference import classify, detect
from labeltool.networks import build as networks
from labeltool.networks import model_folder, quantization
from labeltool.networks.predict import predict
from labeltool.pretrained import registry
from labeltool.pretrained.card import read_card
from labeltool.pretrained.embedding_frontend import EarFrames, ear_for, frontend_by
from labeltool.project import Project
from labeltool.similarity import compare
from labeltool.store import clips
from labeltool.tasks import evaluate, retrain, simulate
from labeltool.training.augment import Augmentation
from labeltool.training.augment_embedding import EmbeddingSampler

OVER_EMBEDDINGS = ["embedding-mlp", "embedding-attention"]


def by_ear(project: Project, arch: str) -> Frontend:
    path = registry.find(project, "ear")
    return frontend_by(arch, None, path, read_card(path.parent))


@pytest.mark.parametrize("arch", OVER_EMBEDDINGS)
def test_it_learns_suggests_is_measured_and_exported_and_the_ear_can_go_and_come_back(
    heard: Project, tmp_path: Path, arch: str
) -> None:
    with heard.open_store() as store:
        answer(store, range(16))
        sound = clips.unanswered(store)[0]
    # The settings' ear, which feeds the network, also teaches it; the other is taught by answers alone.
    teacher = None if arch == "embedding-mlp" else ""
    told = retrain.retrain(heard, report=quiet, arch=arch, teacher=teacher)
    assert (told["arch"], told["hears_by"], told["clip_accuracy"], told["int8_clip_accuracy"]) == (arch, "ear", 1, 1)
    files = model_folder.read(heard.models / str(told["model"]))
    assert files.card["hears_by"]["file"] == "level.tflite" and files.frontend == by_ear(heard, arch)
    assert (files.card["teacher"] is None) == (teacher == "")
    asked = suggest(heard, report=quiet, model_id=told["model"])
    with heard.open_store() as store:
        assert asked["suggestions"] == 8 and all(right(store))
    # From the second time on it goes on from the last.
    assert retrain.retrain(heard, report=quiet, arch=arch, teacher="")["warm"]
    answers = {"model": str(told["model"]), "files": [sound.path]}
    (one,) = classify.classify(heard, report=quiet, **answers)["files"]
    assert one["scores"][0]["label"] == truth(sound) and one["windows"][0]["label"] == truth(sound)
    (found,) = detect.detect(heard, report=quiet, processes=1, **answers)["files"]
    assert [span["label"] for span in found["spans"]] == [truth(sound)]

    options = {"report": quiet, "model_id": None, "output": str(tmp_path / "out"), "force": False}
    (written,) = export(heard, products=["int8"], **options)["written"]
    card = json.loads((Path(written) / "card.json").read_text())
    assert card["hears_by"]["name"] == "ear" and card["frontend"]["ear"] == files.frontend.ear
    with pytest.raises(LabeltoolError, match=r"borrowed one, which no chip.*--teacher"):
        export(heard, products=["stm32"], **options)

    source = heard.directory.parent / "level.tflite"
    source.write_bytes(registry.find(heard, "ear").read_bytes())
    registry.remove(heard, "ear")
    for work in (
        lambda: evaluate.evaluate(heard, report=quiet),
        lambda: suggest(heard, report=quiet),
        lambda: compare.compare(heard, report=quiet),
        lambda: classify.classify(heard, report=quiet, **answers),
        lambda: classify.classify(None, report=quiet, model=written, files=[sound.path]),
        lambda: detect.detect(heard, report=quiet, **answers),
    ):
        with pytest.raises(LabeltoolError, match=r"hears by the borrowed network ear, which.*add` it again") as gone:
            work()
        assert "\n" not in str(gone.value)
    names = str(heard.directory.parent / "names.txt")
    registry.add(heard, report=quiet, file=str(source), name="again", labels=names, rate_hz=16_000)
    assert evaluate.evaluate(heard, report=quiet)["int8_clip_accuracy"] == 1.0
    assert suggest(heard, report=quiet)["suggestions"] == 8


def test_which_ear_it_is_is_named_set_or_the_only_one_and_else_said_how_to_get_one(
    heard: Project, project: Project, level_ear: Path
) -> None:
    settings = replace(heard.settings, ear=None)
    unset = replace(heard, settings=settings)
    path = registry.find(heard, "ear")
    assert ear_for(heard, "miniresnet") is None
    assert ear_for(heard, "embedding-mlp") == ear_for(unset, "embedding-mlp") == path
    registry.add(heard, report=quiet, file=str(level_ear), name="second", rate_hz=16_000)
    assert ear_for(unset, "embedding-mlp", "second") == registry.find(heard, "second")
    with pytest.raises(LabeltoolError, match=r"several of them.*--ear names one of ear, second"):
        ear_for(unset, "embedding-mlp")
    with pytest.raises(LabeltoolError, match=r"no ear 'third'.*there are: ear, second"):
        ear_for(heard, "embedding-mlp", "third")
    with pytest.raises(LabeltoolError, match=r"miniresnet hears for itself.*--teacher"):
        ear_for(heard, "miniresnet", "ear")
    for name in ("ear", "second"):
        registry.remove(heard, name)
    refused = labeltool("--project", heard.directory, "retrain", "--arch", "embedding-mlp", check=1).stderr
    assert "none that embeds sounds (`labeltool model fetch` or `add` brings one)" in refused.splitlines()[-1]


def test_frames_are_the_ears_word_on_each_window_with_its_level_before_it(heard: Project) -> None:
    frontend = by_ear(heard, "embedding-mlp")
    assert (frontend.n_fft, frontend.hop, frontend.n_mels, frontend.columns) == (1600, 800, 8, 9)
    assert Frontend.from_dict(frontend.to_dict()) == frontend and frontend.patch_hops_s == 0.1
    path = registry.find(heard, "ear")
    pcm = np.zeros(4000, np.int16)
    pcm[:1600] = 8192
    pcm[2400:] = -16_384
    frames = EarFrames(path, read_card(path.parent), frontend)(pcm)
    np.testing.assert_allclose(frames[:, 0], [0.25, np.sqrt(0.5) * 0.25, np.sqrt(0.5) * 0.5, 0.5], rtol=1e-5)
    np.testing.assert_allclose(frames[0, 1:], [0.25, 0, 0.6, 0, 0.55, 0.05, 0.75, 0], atol=1e-5)
    patches, loudness = frontend.patches(frames), frontend.loudness_db(frames)
    np.testing.assert_allclose(patches[0, :, 0] / patches[0, 0, 0], np.sqrt(frames[0, 1:] / frames[0, 1]), rtol=1e-5)
    np.testing.assert_allclose(np.square(patches).mean(axis=1), 1.0, rtol=1e-5)
    np.testing.assert_allclose(loudness, 20 * np.log10(frames[:, 0]), atol=1e-3)
    silence = EarFrames(path, read_card(path.parent), frontend)(np.zeros(1600, np.int16))
    assert not silence.any() and not frontend.patches(silence).any() and frontend.loudness_db(silence) < -60
    # Two windows and more are one patch where it is to last as long; several hear one moment where that is asked for.
    longer = frontend.lasting(0.2)
    assert (longer.patch_frames, longer.patch_s, len(longer.patches(frames))) == (3, 0.2, 2)
    assert frontend.overlapping(4).hop == 400 and longer.overlapping(3).patch_hop == 1


def test_training_patches_are_mixtures_of_activations_with_windows_left_out() -> None:
    frontend = replace(networks.ARCHITECTURES["embedding-attention"].frontend, n_mels=6, ear="")
    rng = np.random.default_rng(0)
    one, other = (np.abs(rng.normal(1, 0.1, (9, 6))).astype(np.float32) for _ in range(2))
    one[:, :3] = other[:, 3:] = 0
    heard = [np.concatenate([np.ones((9, 1), np.float32), of], axis=1) for of in (one, other)]
    targets = np.eye(2, dtype=np.float32)
    mixing = Augmentation(mix_share=1, same_label_share=0, mask_share=0)
    patches, wanted = EmbeddingSampler(frontend, heard, targets, mixing, np.random.default_rng(0)).batch(40)
    assert patches.shape == (40, 6, 5) and patches.dtype == np.float32
    # The kernel's squares are shares of the activations: those of the second clip are of the first label.
    np.testing.assert_allclose(np.square(patches[:, 3:]).sum(axis=1) / 6, np.tile(wanted[:, :1], 5), atol=1e-5)
    changed = Augmentation(mask_share=1, mask_frames=10, mix_share=0)
    patches, wanted = EmbeddingSampler(frontend, heard, targets, changed, np.random.default_rng(0)).batch(60)
    left = np.abs(patches).sum(axis=1) > 0
    assert left.any(axis=1).all() and set(left.sum(axis=1)) == {1, 2, 3, 4, 5}
    np.testing.assert_array_equal(np.abs(patches[:, 3:]).sum(axis=(1, 2)) > 0, wanted[:, 0] == 1)
    single = replace(frontend, patch_frames=1, patch_hop=1)
    patches, _ = EmbeddingSampler(single, heard, targets, changed, np.random.default_rng(0)).batch(60)
    assert (np.abs(patches).sum(axis=1) > 0).all()


@pytest.mark.parametrize("width, windows", [(1024, 1), (1024, 5), (7, 3)])
def test_sizes_follow_from_the_width_of_the_ear(width: int, windows: int) -> None:
    frontend = replace(networks.ARCHITECTURES["embedding-mlp"].frontend, n_mels=width, patch_frames=windows)
    hidden, attending, labels = 256, 64, 10
    head = labels * (hidden + 1)
    mlp = networks.build("embedding-mlp", labels, frontend)
    assert mlp.count_params() == hidden * (width + 1) + head
    assert networks.macc(mlp) == windows * width * hidden + labels * hidden
    attention = networks.build("embedding-attention", labels, frontend)
    assert attention.count_params() == hidden * (width + 1) + attending * (hidden + 1) + attending + head
    assert networks.macc(attention) == windows * hidden * (width + attending) + windows * attending + labels * hidden


@pytest.mark.parametrize("arch", OVER_EMBEDDINGS)
def test_int8_says_what_float_says_and_silence_can_be_passed_over(arch: str) -> None:
    import keras

    keras.utils.set_random_seed(2)
    frontend = replace(networks.ARCHITECTURES[arch].frontend, n_mels=64)
    network = networks.build(arch, 4, frontend)
    rows = np.abs(np.random.default_rng(1).normal(0, 1, (120, 64, frontend.patch_frames))).astype(np.float32)
    patches = frontend.normalise(rows)
    tflite = quantization.to_int8(network, patches)
    reference = quantization.Int8Model(tflite)
    np.testing.assert_allclose(reference.predict(patches), predict(network, patches), atol=0.03)
    assert np.isfinite(reference.predict(np.zeros_like(patches[:1]))).all()


def test_answers_are_replayed_for_an_architecture_that_borrows_its_ear(heard: Project) -> None:
    with heard.open_store() as store:
        answer(store, range(24))
    told = simulate.simulate(heard, report=quiet, asked_by=["random"], budgets=[8], arch="embedding-mlp", batch=8)
    assert told["strategies"][0]["models"][0]["clip_accuracy"] == 1.0
    assert projects.load(heard.directory).settings.ear == "ear" and registry.names(heard) == ["ear"]


def test_clips_are_described_by_what_the_ear_makes_of_them() -> None:
    frontend = replace(networks.ARCHITECTURES["embedding-mlp"].frontend, n_mels=40)
    rng = np.random.default_rng(0)
    kinds = rng.exponential(1, (2, 40))
    clips_of = [[np.abs(kind + rng.normal(0, 0.05, (windows, 40))) for windows in (1, 4, 9)] for kind in kinds]
    frames = [np.insert(one, 0, 0.1, axis=1).astype(np.float32) for kind in clips_of for one in kind]
    described = np.stack([descriptors.describe(one, frontend) for one in frames])
    assert described.shape == (6, 192) and described.dtype == np.float32
    apart = np.linalg.norm(described[:, None] - described[None], axis=2)
    assert apart[:3, :3].max() < apart[:3, 3:].min() > apart[3:, 3:].max()
