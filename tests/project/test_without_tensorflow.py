"""An install without the extra `train`: everything works that trains no network."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.absent import environment_without
from helpers.command_line import labeltool, labeltool_here
from helpers.pretrained import written
from labeltool import project as projects
from labeltool.cli.demo import sounds
from labeltool.networks import architectures
from labeltool.project import Project
from labeltool.store import clips
from labeltool.util import extras

MISSING = 'needs TensorFlow, which is not installed (`pip install "labeltool[train]"`'


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of processes that cannot import TensorFlow or Keras, nor librosa, which `log_mel` needs."""
    return environment_without(tmp_path_factory.mktemp("site"), "tensorflow", "keras", "librosa")


@pytest.fixture(scope="module")
def own(
    modelled: Project, pretrained_file: Path, environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Project:
    """A copy of the project with a model, to write in, with a pretrained model."""
    folder = tmp_path_factory.mktemp("own")
    shutil.copytree(modelled.directory, folder / "project")
    names = written(folder / "names.txt", b"Low\nMiddle\nHigh\n")
    add = ("model", "add", pretrained_file, "--name", "small", "--rate", "16000", "--labels", names)
    labeltool("--project", folder / "project", *add, **environment)
    return projects.load(folder / "project")


def state_of(directory: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in directory.rglob("*") if path.is_file() and path.suffix != ".log"}


def test_the_environment_has_no_tensorflow(environment: dict[str, str]) -> None:
    program = "import labeltool.util.extras as e; print(e.has_tensorflow())\nimport tensorflow"
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert done.stdout == "False\n" and "No module named 'tensorflow'" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("status",),
        ("clips",),
        ("mark", "4", "high"),
        ("suggest",),
        ("suggest", "--pretrained", "small"),
        ("similar", "1"),
        ("check",),
        ("classify", "{sound}"),
        ("classify", "{sound}", "--model", "small"),
        ("detect", "{sound}", "-o", "{out}"),
        ("detect", "{sound}", "--model", "small", "-o", "{out}"),
        ("export", "--splits", "--table", "--clips", "--audiofolder", "--audacity", "--raven", "--int8", "--stm32"),
    ],
    ids=" ".join,
)
def test_what_needs_no_training_works(
    arguments: tuple[str, ...],
    own: Project,
    environment: dict[str, str],
    tmp_path: Path,
) -> None:
    with own.open_store() as store:
        sound = clips.clip(store, 1).path
    given = [one.format(sound=sound, out=tmp_path / "out") for one in arguments]
    done = labeltool(own, *given, check=None, **environment)
    assert done.returncode == 0, done.stderr


def test_sounds_are_imported_and_compared_by_the_int8_network(
    modelled: Project, environment: dict[str, str], tmp_path: Path
) -> None:
    at = ("--project", shutil.copytree(modelled.directory, tmp_path / "own"))
    labeltool(*at, "import", "audio", sounds.make_world(tmp_path / "sounds").pool, **environment)
    suggested = json.loads(labeltool(*at, "suggest", "--json", **environment).stdout)
    assert suggested["model"] == 1 and suggested["suggestions"] > 3
    similar = json.loads(labeltool(*at, "similar", "1", "--clusters", "2", "--json", **environment).stdout)
    assert similar["by"] == "model 1" and len(similar["clusters"]) == 2 and len(similar["clips"]) == 10


@pytest.mark.parametrize(
    "arguments", [("retrain",), ("evaluate", "--cross-validate"), ("simulate",), ("retrain", "--arch", "embedding-mlp")]
)
def test_what_trains_names_what_to_install_before_anything_is_written(
    arguments: tuple[str, ...], own: Project, environment: dict[str, str]
) -> None:
    before = state_of(own.directory)
    done = labeltool(own, *arguments, check=2, **environment)
    assert MISSING in done.stderr and done.stderr.count("\n") == 1 and done.stdout == ""
    assert state_of(own.directory) == before


def test_a_network_of_keras_is_not_measured(own: Project, environment: dict[str, str], tmp_path: Path) -> None:
    copy = shutil.copytree(own.directory, tmp_path / "own")
    (copy / "models" / "1" / "model.keras").write_bytes(b"of Keras")
    at = ("--project", copy)
    refused = labeltool(*at, "evaluate", check=2, **environment)
    assert MISSING in refused.stderr and refused.stdout == ""
    reported = labeltool(*at, "report", **environment)
    assert MISSING in reported.stderr


def test_the_sounds_of_the_demo_need_none(environment: dict[str, str], tmp_path: Path) -> None:
    labeltool("demo", "--sounds-only", tmp_path, **environment)
    assert list((tmp_path / "sounds").rglob("*.wav"))


def test_the_demo_names_it_too(environment: dict[str, str], tmp_path: Path) -> None:
    done = labeltool("demo", tmp_path / "demo", check=2, **environment)
    assert MISSING in done.stderr and done.stderr.count("\n") == 1 and not (tmp_path / "demo").exists()


def test_a_head_on_a_pretrained_trunk_is_not_refused(monkeypatch: pytest.MonkeyPatch, project: Project) -> None:
    monkeypatch.setattr(extras, "has_tensorflow", lambda: False)
    done = labeltool_here(project, "retrain", "--arch", "yamnet256", check=1)
    assert "TensorFlow" not in done.stderr and "yamnet" in done.stderr
    with pytest.raises(extras.MissingExtraError, match="needs TensorFlow"):
        architectures.require_training("yamnet256", finetune=True)
