"""A project from somebody else: no link in it leads to a change elsewhere, and nothing in it runs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from helpers.command_line import labeltool
from helpers.exports import add_model, export
from helpers.pretrained import onnx, onnx_weights, rising, written
from helpers.progress import quiet, silent
from helpers.waits import DEADLINE_S
from labeltool import project as projects
from labeltool.errors import LabeltoolError
from labeltool.networks import model_folder
from labeltool.pretrained import registry
from labeltool.project import Project
from labeltool.store import Store, models
from labeltool.tasks.publish_model import publish_model
from labeltool.tui.launch import _messages_in_log
from labeltool.type_aliases import Progress
from labeltool.util.files.atomic_write import NewFolder, new_folder

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import links  # noqa: E402


@pytest.fixture
def linear(tmp_path: Path) -> Path:
    """A pretrained model."""
    return written(tmp_path / "net.onnx", onnx(onnx_weights(rising(400, 4)), shape=(1, 400), classes=4))


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder that is not the project's, with a file that must stay."""
    (tmp_path / "outside" / "1").mkdir(parents=True)
    (tmp_path / "outside" / "1" / "card.json").write_text("somebody's\n")
    (tmp_path / "outside" / ".bashrc").write_text("somebody's\n")
    return tmp_path / "outside"


def test_no_command_follows_a_link_in_the_place_of_what_it_writes(tmp_path: Path, linear: Path) -> None:
    world = links.World(tmp_path / "world")
    names = written(tmp_path / "names.txt", b"low\nhigh\nother\nnone\n")
    steps = links.light_steps(world, linear, ("--rate", "16000", "--labels", str(names)))
    found = list(links.outcomes(world, steps))
    assert [one for one in found if one.changed_elsewhere] == []
    assert [one for one in found if one.became == "failed"] == []
    tried = {one.path for one in found}
    assert tried >= {
        *(
            "project/labeltool.toml",
            "project/metadata.json",
            "project/cache/CACHEDIR.TAG",
            "project/cache/logs/app.log",
        ),
        *("project/models", "project/models/pretrained", "project/models/pretrained/net"),
        *("project/cache", "project/cache/detect", "project/cache/features", "project/cache/similar"),
        *("project/exports", "project/exports/detect", "project/exports/splits", "project/exports/splits/train.csv"),
        *("project/cache/similar.lock", "out/products/splits"),
    }
    # Commands write below the project, below what they are given, and nowhere else.
    assert {path.split("/")[0] for path in tried} == {"project", "out"}


@pytest.mark.parametrize("name", ["models", "cache", "reports", "exports"])
def test_a_folder_of_the_project_that_is_a_link_is_refused_before_any_work(
    project: Project, outside: Path, name: str
) -> None:
    folder = project.directory / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.symlink_to(outside)
    before = links.state(outside)
    done = labeltool(project, "suggest", check=1)
    assert done.stderr.startswith(f"labeltool: {folder}: is a link; labeltool does not write through links")
    assert done.stderr.count("\n") == 1 and links.state(outside) == before


def test_a_link_on_the_way_to_the_project_is_the_persons_own(project: Project, tmp_path: Path, linear: Path) -> None:
    (tmp_path / "link").symlink_to(project.directory)
    labeltool("--project", tmp_path / "link", "model", "add", linear, "--rate", "16000")
    assert registry.names(project) == ["net"]


def test_opening_the_app_truncates_nothing(project: Project, outside: Path) -> None:
    for name, plant in {"link": Path.symlink_to, "hard link": Path.hardlink_to}.items():
        log = project.log_file("app")
        log.parent.mkdir(exist_ok=True)
        log.unlink(missing_ok=True)
        plant(log, outside / ".bashrc")
        with _messages_in_log(project):
            os.write(2, name.encode())
        assert log.read_text() == name and (outside / ".bashrc").read_text() == "somebody's\n"


def test_a_pipe_in_the_place_of_the_apps_log_does_not_stop_it(project: Project) -> None:
    log = project.log_file("app")
    log.parent.mkdir()
    os.mkfifo(log)
    with _messages_in_log(project):
        pass
    assert log.is_file()


def test_a_partial_settings_file_that_is_a_link_is_not_written(project: Project, outside: Path, linear: Path) -> None:
    for name in ("labeltool.partial", "labeltool.toml.partial", ".labeltool.toml.partial"):
        (project.directory / name).symlink_to(outside / ".bashrc")
    registry.add(project, report=quiet, file=str(linear), name="net", rate_hz=16_000)
    assert projects.choose_pretrained(project, "net")
    assert (outside / ".bashrc").read_text() == "somebody's\n"


def new_model(project: Project, store: Store, new: NewFolder, report: Progress = silent) -> int:
    """Publish a copy of the first model's folder as a new model."""
    shutil.copytree(project.models / "1", new.path, dirs_exist_ok=True)
    return publish_model(store, new, model_folder.read(new.path).card, "", report)


@pytest.mark.parametrize("plant", [Path.mkdir, lambda path: path.symlink_to(path.parents[2] / "outside")])
def test_a_folder_with_a_new_models_name_is_moved_aside(
    project: Project, store: Store, outside: Path, plant: Callable[[Path], None]
) -> None:
    add_model(project)
    plant(project.models / "2")
    is_link = (project.models / "2").is_symlink()
    if not is_link:
        (project.models / "2" / "years of work").touch()
    before = links.state(outside)
    reported: list[str] = []
    with new_folder(project.models) as new:
        assert new_model(project, store, new, lambda _stage, _done, _total, text="", /: reported.append(text)) == 2
    assert reported[-1] == "kept: model 2, trained on 2 labelled clips; `labeltool suggest` suggests by it"
    assert model_folder.read(project.models / "2").labels == ("dog", "rain")
    (aside,) = project.models.glob("2.not-in-the-database-*")
    assert aside.is_symlink() == is_link and links.state(outside) == before
    assert is_link or (aside / "years of work").exists()


def test_a_model_that_cannot_be_stored_leaves_no_folder(
    project: Project, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_model(project)
    add = models.add

    def fail_after_publishing(store: Store, model: models.NewModel, **options: object) -> int:
        publish = options.pop("publish")
        assert callable(publish)

        def publish_and_fail(model_id: int) -> None:
            publish(model_id)
            assert (project.models / "2").is_dir()
            raise LabeltoolError("the disk is full")

        return add(store, model, publish=publish_and_fail, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(models, "add", fail_after_publishing)
    with pytest.raises(LabeltoolError, match="the disk is full"), new_folder(project.models) as new:
        new_model(project, store, new)
    assert [path.name for path in project.models.iterdir()] == ["1"]
    latest = models.latest(store)
    assert latest is not None and latest.id == 1


def test_a_report_and_an_export_in_the_place_of_links_stay_inside(project: Project, outside: Path) -> None:
    (project.directory / "reports").mkdir()
    (project.reports / "model-1").symlink_to(outside / "1")
    with new_folder(project.reports) as new:
        new.publish("model-1")
    assert not (project.reports / "model-1").is_symlink()
    project.exports.mkdir()
    (project.exports / "splits").symlink_to(outside)
    with pytest.raises(LabeltoolError, match="is not a folder"):
        export(project, "splits")
    assert (outside / "1" / "card.json").exists()


def test_no_module_of_the_directory_it_starts_in_is_imported(project: Project) -> None:
    for name in ("json", "numpy", "msgspec", "tensorflow", "pickle", "multiprocessing"):
        (project.directory / f"{name}.py").write_text("open('ran', 'w').close()\nraise SystemExit(7)\n")
    # As the installed command starts it: its own directory, not the current one, is on the path.
    command = [sys.executable, "-P", "-m", "labeltool", "suggest"]
    done = subprocess.run(command, cwd=project.directory, capture_output=True, text=True, timeout=DEADLINE_S)
    assert not (project.directory / "ran").exists() and "ended with code 7" not in done.stderr
