"""From verdicts to a model that suggests: through the command line, in real child processes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from test_command_line import labeltool, write_esc_set

from labeltool import project as projects
from labeltool.errors import LabeltoolError
from labeltool.networks import model_folder
from labeltool.pretrained.probe import open_ear
from labeltool.project import Project
from labeltool.tasks.process import Child


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, dict[str, Any]]:
    """A project with a model that has not seen fold 3, and a pool nobody has answered on; never changed by a test."""
    from conftest import tone_writer

    folder = tmp_path_factory.mktemp("trained")
    write = tone_writer(folder)
    project = projects.create(folder / "project")
    at = ("--project", project.directory)
    labeltool(*at, "import", "esc50", write_esc_set(folder / "set", write))
    for number, pitch in enumerate((310, 1150, 4300)):
        write(folder / "pool" / f"{number}.wav", frequency_hz=pitch, seconds=2.0)
    labeltool(*at, "import", "audio", folder / "pool")
    arguments = ("retrain", "--from-scratch", "--test-fold", "3", "--json")
    return project, json.loads(labeltool(*at, *arguments).stdout)


@pytest.fixture
def copy(trained: tuple[Project, dict[str, Any]], tmp_path: Path) -> Project:
    """A copy of the trained project, to be changed."""
    shutil.copytree(trained[0].directory, tmp_path / "copy")
    return projects.load(tmp_path / "copy")


def test_retraining_tells_what_it_promises(trained: tuple[Project, dict[str, Any]]) -> None:
    _, told = trained
    assert {"model", "arch", "parameters", "labels_seen", "clip_accuracy", "int8_clip_accuracy", "seconds"} <= set(told)
    assert told["labels_seen"] == 12
    assert told["suggestions"] == told["pool_clips"] == 3


def test_the_model_has_not_seen_the_test_fold_and_is_right_on_it(trained: tuple[Project, dict[str, Any]]) -> None:
    project, told = trained
    files = model_folder.read(project.models / str(told["model"]))
    assert not any(group.startswith("freesound:3") for group in files.groups_seen())
    found = json.loads(labeltool("--project", project.directory, "evaluate", "--fold", "3", "--json").stdout)
    assert found["clips"] == 6
    # Three pure tones an octave or more apart: less than all right is a broken path, not a weak network.
    assert found["clip_accuracy"] == found["int8_clip_accuracy"] == 1.0
    assert found["labels"] == ["high", "low", "middle"]
    assert found["confusion"] == [[2, 0, 0], [0, 2, 0], [0, 0, 2]]


def test_another_architecture_hears_through_its_own_frontend_and_starts_anew(copy: Project) -> None:
    at = ("--project", copy.directory)
    told = json.loads(labeltool(*at, "retrain", "--arch", "yamnet256", "--budget", "2", "--json").stdout)
    files = model_folder.read(copy.models / str(told["model"]))
    assert told["parameters"] == 137_674 - 7 * 257 and not told["warm"]
    assert (files.frontend.n_fft, files.frontend.patch_frames) == (512, 96)
    assert told["suggestions"] == 3


def test_a_fold_the_model_has_seen_is_refused(trained: tuple[Project, dict[str, Any]]) -> None:
    done = labeltool("--project", trained[0].directory, "evaluate", "--fold", "1", "--json", check=1)
    assert done.stdout == "" and "has seen fold 1" in done.stderr


def test_suggestions_stand_for_all_that_is_not_labelled_and_order_the_queue(
    trained: tuple[Project, dict[str, Any]],
) -> None:
    project, told = trained
    with sqlite3.connect(project.database) as connection:
        rows = connection.execute(
            "SELECT model_id, top_label, margin, entropy, probabilities FROM suggestions "
            "WHERE clip_id IN (SELECT clip_id FROM unlabelled_clips)"
        ).fetchall()
    connection.close()
    assert len(rows) == 3
    for model_id, top, margin, entropy, probabilities in rows:
        found = json.loads(probabilities)
        assert model_id == told["model"]
        assert sum(found.values()) == pytest.approx(1.0, abs=1e-3)
        assert top == max(found, key=found.__getitem__)
        assert 0 <= margin <= 1 and entropy >= 0
    assert {row[1] for row in rows} == {"low", "middle", "high"}


def test_classify_names_what_is_heard(trained: tuple[Project, dict[str, Any]]) -> None:
    project, told = trained
    file = project.directory.parent / "pool" / "2.wav"
    found = json.loads(labeltool("--project", project.directory, "classify", file, "--json", "--top", "2").stdout)
    assert found["file"] == str(file)
    assert found["scores"][0]["label"] == "high" and found["scores"][0]["index"] == 0
    assert len(found["scores"]) == 2
    assert found["windows"][0]["start_s"] == 0 and found["windows"][-1]["end_s"] <= 2.0
    # A model's folder does as well as its id, and needs no project.
    folder = project.models / str(told["model"])
    assert json.loads(labeltool("classify", file, "--model", folder, "--json").stdout)["windows"] == found["windows"]


def test_a_new_label_widens_the_head_of_a_warm_start(copy: Project, write_tone: Callable[..., Path]) -> None:
    at = ("--project", copy.directory)
    for number in range(2):
        file = write_tone(f"noise-{number}.wav", frequency_hz=7000, seconds=2.0)
        labeltool(*at, "import", "audio", file)
        labeltool(*at, "mark", file, "a new sound")
    told = json.loads(labeltool(*at, "retrain", "--json").stdout)
    assert told["warm"] and told["labels_seen"] == 20
    files = model_folder.read(copy.models / str(told["model"]))
    assert files.labels == ("a new sound", "high", "low", "middle")
    assert files.card["parent"] == 1
    status = json.loads(labeltool(*at, "status", "--json").stdout)
    assert (status["model"], status["pending_retrain"]) == (told["model"], 0)


def test_a_fold_to_be_kept_unseen_is_not_carried_over_by_a_warm_start(copy: Project) -> None:
    at = ("--project", copy.directory)
    told = json.loads(labeltool(*at, "retrain", "--test-fold", "2", "--json").stdout)
    assert told["warm"] is False
    assert json.loads(labeltool(*at, "evaluate", "--fold", "2", "--json").stdout)["clips"] == 6
    # The other way about: fold 3 was kept from the first model, and this one has learnt from it.
    assert "has seen fold 3" in labeltool(*at, "evaluate", "--fold", "3", check=1).stderr


def test_a_teacher_labels_what_nobody_has_and_a_backbone_is_started_from(copy: Project, ear_file: Path) -> None:
    at = ("--project", copy.directory)
    backbone = copy.models / "1" / model_folder.KERAS
    labeltool(*at, "model", "add", ear_file, "--rate", "16000", "--name", "borrowed")
    arguments = ("--from-scratch", "--teacher", "borrowed", "--backbone", backbone, "--budget", "5", "--json")
    told = json.loads(labeltool(*at, "retrain", *arguments).stdout)
    assert (told["pool_clips"], told["warm"]) == (3, False)
    card = model_folder.read(copy.models / str(told["model"])).card
    assert card["teacher"]["file"] == ear_file.name and len(card["backbone"]["sha256"]) == 64
    borrowed = copy.models / "ears" / "borrowed" / ear_file.name
    assert card["teacher"]["fingerprint"] == open_ear(borrowed).name
    assert len(list((copy.cache / "teacher").rglob("*.npy"))) >= 3
    assert "--teacher" in labeltool(*at, "retrain", "--teacher-tensor", "3", check=2).stderr
    done = labeltool(*at, "retrain", "--teacher", backbone, check=1)
    assert f"{backbone}: is of no kind that can be borrowed" in done.stderr


def test_what_cannot_be_heard_is_left_out_and_said(copy: Project, trained: tuple[Project, dict[str, Any]]) -> None:
    at = ("--project", copy.directory)
    shutil.rmtree(copy.cache)
    with sqlite3.connect(copy.database) as connection:
        connection.execute("UPDATE recordings SET path = '/nowhere/gone.wav' WHERE path LIKE '%/pool/1.wav'")
    connection.close()
    done = labeltool(*at, "suggest", "--json")
    told = json.loads(done.stdout)
    assert told["suggestions"] == 2
    assert [one["file"] for one in told["left_out"]] == ["/nowhere/gone.wav"]
    assert "left out: /nowhere/gone.wav" in done.stderr


def test_a_renamed_label_is_measured_under_its_new_name(copy: Project) -> None:
    at = ("--project", copy.directory)
    labeltool(*at, "rename", "low", "deep")
    found = json.loads(labeltool(*at, "evaluate", "--fold", "3", "--json").stdout)
    assert (found["clips"], found["clip_accuracy"]) == (6, 1.0)
    assert found["labels"] == ["high", "deep", "middle"]
    # Merged, the two outputs answer as one.
    labeltool(*at, "rename", "deep", "middle")
    found = json.loads(labeltool(*at, "evaluate", "--fold", "3", "--json").stdout)
    assert (found["clips"], found["clip_accuracy"], found["labels"]) == (6, 1.0, ["high", "middle"])


def test_a_killed_retraining_leaves_no_trace_and_names_its_log(copy: Project) -> None:
    child = Child.start(copy, "retrain", arch="miniresnet", from_scratch=True)
    with pytest.raises(LabeltoolError, match=r"killed by signal 9.*retrain\.log"):
        for message in child.messages():
            if message.get("stage") == "training":
                os.killpg(child.process_id, signal.SIGKILL)
    assert json.loads(labeltool("--project", copy.directory, "status", "--json").stdout)["model"] == 1
    # And nothing it left stands in the way of the next one.
    told = json.loads(labeltool("--project", copy.directory, "retrain", "--json").stdout)
    assert told["model"] == 2
    assert sorted(path.name for path in copy.models.iterdir()) == ["1", "2"]


def test_too_little_to_learn_from_is_said_in_one_line(project: Project, write_tone: Callable[..., Path]) -> None:
    at = ("--project", project.directory)
    assert "at least two" in labeltool(*at, "retrain", check=1).stderr
    labeltool(*at, "import", "audio", write_tone("a.wav"))
    labeltool(*at, "mark", "1", "dog")
    done = labeltool(*at, "retrain", "--json", check=1)
    assert done.stdout == "" and "at least two" in done.stderr.splitlines()[-1]
    assert "no model yet" in labeltool(*at, "classify", write_tone("b.wav"), check=1).stderr


def test_a_damaged_card_is_named(copy: Project) -> None:
    card = copy.models / "1" / model_folder.CARD
    told = json.loads(card.read_text())
    told["frontend"]["hop"] = 160
    card.write_text(json.dumps(told))
    assert "frontend" in labeltool("--project", copy.directory, "suggest", check=1).stderr
    (copy.models / "1" / model_folder.INT8).write_bytes(b"garbage")
    card.write_text(json.dumps({**told, "frontend": {**told["frontend"], "hop": 320}}))
    done = labeltool("--project", copy.directory, "export", "--int8", check=1)
    assert model_folder.INT8 in done.stderr and not (copy.exports / "int8").exists()
    card.write_text("{")
    assert "card.json" in labeltool("--project", copy.directory, "suggest", check=1).stderr
