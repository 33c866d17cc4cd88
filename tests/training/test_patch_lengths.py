"""The length of a patch and the pooling of patches to a clip, from the settings to the model."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from helpers.progress import quiet
from helpers.tones import P, add_tones
from labeltool.audio.frontend import Frontend
from labeltool.errors import LabeltoolError
from labeltool.networks import build as networks
from labeltool.networks import calibration, model_folder, postprocessing
from labeltool.networks.architectures import sound_frontend
from labeltool.project import Project, load
from labeltool.settings import LearningSettings
from labeltool.tasks import retrain


def test_patches_of_another_length_overlap_by_half_and_have_a_fingerprint_of_their_own() -> None:
    own = networks.architecture("miniresnet").frontend
    assert networks.frontend_of("miniresnet") == networks.frontend_of("miniresnet", 1.0) == own
    longer = networks.frontend_of("miniresnet", 2.0)
    assert (longer.patch_frames, longer.patch_hop, longer.patch_hops_s) == (100, 50, 2.0)
    assert replace(longer, patch_frames=50, patch_hop=25) == own and longer.fingerprint != own.fingerprint
    assert networks.frontend_of("aclnet", 0.5).patch_frames == 8000
    for never in (0.0, -1.0, 61.0, float("nan"), float("inf")):
        with pytest.raises(LabeltoolError, match="is not possible"):
            networks.frontend_of("miniresnet", never)


def test_a_target_shortens_patches_that_do_not_fit_and_nothing_else() -> None:
    def frontend_of(arch: str, target: str | None, patch_s: float | None = None) -> Frontend:
        return networks.frontend_of(arch, patch_s, target)

    own = networks.architecture("miniresnet").frontend
    for target in ("u5-freertos", "u5-threadx", "u3"):
        assert frontend_of("miniresnet", target) == own.with_patches(48, 24)
        assert frontend_of("yamnet256", target) == networks.architecture("yamnet256").frontend
    assert frontend_of("miniresnet", "n6") == frontend_of("miniresnet", None) == own
    assert networks.build("miniresnet", 3, frontend_of("miniresnet", "u3")).output_shape == (None, 3)
    assert frontend_of("miniresnet", "u3", 0.5) == own.with_patches(25, 12)
    learning = LearningSettings(target="u3")
    assert sound_frontend(learning) == own.with_patches(48, 24)
    assert sound_frontend(replace(learning, architecture="embedding-mlp")) == own.with_patches(48, 24)


@pytest.mark.parametrize(
    ("arch", "patch_s", "target", "reason"),
    [
        ("miniresnet", 1.0, "u5-freertos", r"50 columns need .* 66,816 bytes.*patch_s = 0.96 at most"),
        ("sbcnn", None, "u5-threadx", "128 bands"),
        ("aclnet", None, "n6", "no application computes the input"),
        ("miniresnet", None, "u9", r"no target is called 'u9' \(there are: u5-freertos, u5-threadx, u3, n6\)"),
    ],
)
def test_a_target_that_cannot_take_the_patches_is_refused_before_training(
    arch: str, patch_s: float | None, target: str, reason: str
) -> None:
    with pytest.raises(LabeltoolError, match=reason):
        networks.frontend_of(arch, patch_s, target)


def test_a_network_takes_longer_patches_and_refuses_too_short_ones() -> None:
    assert networks.build("miniresnet", 3, networks.frontend_of("miniresnet", 2.0)).output_shape == (None, 3)
    with pytest.raises(LabeltoolError, match=r"sbcnn cannot take patches of 22 frames \(its own have 128"):
        networks.build("sbcnn", 3, networks.frontend_of("sbcnn", 0.5))


@pytest.mark.slow
@pytest.mark.usefixtures("quickly")
def test_a_project_sets_the_patch_length_and_a_model_of_another_is_no_warm_start(
    project: Project, tmp_path: Path, tiny: str
) -> None:
    settings = project.directory / "labeltool.toml"
    settings.write_text('[learning]\npatch_s = 0.5\npooling = "majority"\n')
    project = load(project.directory)
    add_tones(project, tmp_path / "wav", *[(["low"], {"low": P}), (["high"], {"high": P})] * 9, (["high"], {}))
    result = retrain.retrain(project, report=quiet, arch=tiny)
    assert (result.patch_s, result.other_patch_s, result.warm) == (0.5, None, False)
    files = model_folder.read(project.models / str(result.model))
    assert files.frontend.patch_frames == 25 and files.rule.pooling == "majority"
    # An option overrides the settings.
    result = retrain.retrain(project, report=quiet, arch=tiny, patch_s=0.6)
    assert (result.patch_s, result.other_patch_s, result.warm) == (0.6, 0.5, False)
    settings.write_text('[learning]\ntarget = "u5-freertos"\n')
    result = retrain.retrain(load(project.directory), report=quiet, arch=tiny)
    assert (result.patch_s, result.other_patch_s, result.warm) == (0.96, 0.6, False)
    assert {"training", "converting to int8", "suggesting"} <= set(result.stages)
    assert 0.8 < sum(result.stages.values()) / result.seconds < 1.1


def test_impossible_settings_are_refused_before_any_features_are_computed(project: Project, tmp_path: Path) -> None:
    add_tones(project, tmp_path / "wav", *[(["low"], {"low": P}), (["high"], {"high": P})] * 3)
    with pytest.raises(LabeltoolError, match="sbcnn cannot take"):
        retrain.retrain(project, report=quiet, arch="sbcnn", patch_s=0.5)
    (project.directory / "labeltool.toml").write_text('[learning]\npooling = "loudest"\n')
    with pytest.raises(LabeltoolError, match=r"no pooling is called 'loudest' \(there are: log-mean, mean, majority\)"):
        retrain.retrain(load(project.directory), report=quiet, arch="miniresnet")
    assert not list(project.cache.glob("features/*/*.npy"))


def test_a_pooling_of_the_settings_is_calibrated_and_no_other_tried() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 60)
    present = np.eye(2, dtype=np.float32)[truth]
    by_clip = [np.float32([[0.6, 0.4]] * 4 + [[0.002, 0.998]])[:, :: 1 if kind == 0 else -1] for kind in truth]
    levels = [np.zeros(5, np.float32)] * 60
    for pooling in postprocessing.POOLINGS:
        chosen, _ = calibration.choose_rule(
            by_clip, levels, present, np.zeros_like(present), postprocessing.ClipRule(0.0), pooling=pooling
        )
        assert chosen.pooling == pooling and chosen.temperature != 1.0


def test_a_worker_keeps_optional_imports_from_keras_and_from_nothing_else() -> None:
    program = """
import sys
from labeltool.tasks.worker import _OptionalImportsOfKeras
sys.meta_path.insert(0, _OptionalImportsOfKeras())
import tensorflow
print(sorted(_OptionalImportsOfKeras.OPTIONAL & set(sys.modules)))
import pandas, sklearn
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "[]\n" and done.returncode == 0, done.stderr
