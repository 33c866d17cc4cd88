"""From labels to a model that suggests: through the command line; each command once in real child processes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from helpers.command_line import labeltool, labeltool_here, labeltool_json
from helpers.progress import quiet
from helpers.tones import tone_writer, write_esc_set
from helpers.training import ClockOfDraws, train_quickly
from labeltool import project as projects
from labeltool.errors import LabeltoolError
from labeltool.networks import model_folder
from labeltool.pretrained.probe import open_model
from labeltool.project import Project
from labeltool.store import clips, journal, models
from labeltool.store.detections.operating_points import operating_points
from labeltool.tasks.other_run import result_of_other
from labeltool.tasks.process import LocalProcesses
from labeltool.tasks.registry import RETRAIN
from labeltool.tasks.retrain import retrain
from labeltool.training.prepare import make_request

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, dict[str, Any]]:
    """A project with a model that has not seen fold 3, and three unlabelled clips; never changed by a test."""
    folder = tmp_path_factory.mktemp("trained")
    write = tone_writer(folder)
    project = projects.create(folder / "project")
    labeltool_here(project, "import", "esc50", write_esc_set(folder / "set", write))
    for number, pitch in enumerate((310, 1150, 4300)):
        write(folder / "pool" / f"{number}.wav", frequency_hz=pitch, seconds=2.0)
    labeltool_here(project, "import", "audio", folder / "pool")
    arguments = ("retrain", "--from-scratch", "--test-fold", "3", "--json")
    with pytest.MonkeyPatch.context() as patched:
        train_quickly(patched)
        return project, json.loads(labeltool_here(project, *arguments).stdout)


@pytest.fixture
def copy(trained: tuple[Project, dict[str, Any]], tmp_path: Path) -> Project:
    """A copy of the trained project, to be changed."""
    shutil.copytree(trained[0].directory, tmp_path / "copy")
    return projects.load(tmp_path / "copy")


def test_retraining_prints_the_promised_json(trained: tuple[Project, dict[str, Any]]) -> None:
    _, result = trained
    promised = {"model", "arch", "parameters", "labels_seen", "clip_accuracy", "int8_clip_accuracy", "seconds"}
    assert promised <= result.keys()
    assert result["labels_seen"] == 12
    assert result["suggestions"] == result["pool_clips"] == 3


def test_a_model_that_another_process_has_trained_meanwhile_is_taken_where_it_is_what_was_wanted(copy: Project) -> None:
    request = make_request(copy, "miniresnet", test_fold=3)
    with copy.open_store() as store:
        model = models.latest(store)
        assert model is not None
        taken = result_of_other(copy, store, request, model.id - 1)
        assert taken is not None
        assert (taken.model, taken.labels_seen, taken.suggestions) == (model.id, 12, 3)
        assert result_of_other(copy, store, request, model.id) is None
        for other in (replace(request, test_fold=None), replace(request, seed=1), replace(request, budget_s=5.0)):
            assert result_of_other(copy, store, other, model.id - 1) is None
        journal.annotate(store, clips.unlabelled(store)[0].id, "low", annotator="ann")
        assert result_of_other(copy, store, request, model.id - 1) is None


def test_the_model_has_not_seen_the_test_fold_and_is_right_on_it(trained: tuple[Project, dict[str, Any]]) -> None:
    project, result = trained
    files = model_folder.read(project.models / str(result["model"]))
    assert not any(group.startswith("freesound:3") for group in files.groups_seen())
    found = labeltool_json(project, "evaluate", "--fold", "3")
    assert found["clips"] == 6
    # Three pure tones an octave or more apart: less than all right is a broken path, not a weak network.
    assert found["clip_accuracy"] == found["int8_clip_accuracy"] == 1.0
    assert found["labels"] == ["high", "low", "middle"]
    assert found["confusion"] == [[2, 0, 0], [0, 2, 0], [0, 0, 2]]


def test_a_clip_of_a_label_that_was_not_trained_counts_as_wrong(copy: Project, write_tone: Callable[..., Path]) -> None:
    before = labeltool_json(copy, "evaluate")
    assert before["unseen_labels"] == [] and before["clip_accuracy"] == before["clip_accuracy_of_seen_labels"]
    file = write_tone("noise.wav", frequency_hz=7000, seconds=2.0)
    labeltool_here(copy, "import", "audio", file)
    labeltool_here(copy, "mark", file, "a new sound")
    done = labeltool_here(copy, "evaluate", "--json")
    found = json.loads(done.stdout)
    (unseen,) = found["unseen_labels"]
    assert (unseen["label"], unseen["clips"]) == ("a new sound", 1)
    assert (found["clips"], found["clips_of_seen_labels"]) == (before["clips"] + 1, before["clips"])
    for precision in ("", "int8_"):
        assert found[f"{precision}clip_accuracy_of_seen_labels"] == before[f"{precision}clip_accuracy"]
        right = before[f"{precision}clip_accuracy"] * before["clips"]
        assert found[f"{precision}clip_accuracy"] == pytest.approx(right / found["clips"])
    assert found["labels"][-1] == "a new sound" and sum(found["confusion"][-1]) == 1
    shown = labeltool_here(copy, "evaluate")
    assert "'a new sound' 1" in shown.stderr and "'a new sound'" in shown.stdout


@pytest.mark.usefixtures("quickly")
def test_another_architecture_has_its_own_frontend_and_starts_from_scratch(copy: Project) -> None:
    result = labeltool_json(copy, "retrain", "--arch", "sbcnn")
    files = model_folder.read(copy.models / str(result["model"]))
    assert result["parameters"] == 241_434 - 7 * 65 and not result["warm"]
    assert (files.frontend.hop, files.frontend.patch_frames) == (368, 128)
    assert result["suggestions"] == 3


def test_a_trunk_needs_a_pretrained_model(copy: Project) -> None:
    done = labeltool_here(copy, "retrain", "--arch", "yamnet256", check=1)
    assert "the project has no pretrained YAMNet (`labeltool model fetch yamnet`" in done.stderr
    done = labeltool_here(copy, "retrain", "--finetune", check=1)
    assert "miniresnet has no pretrained layers to fine-tune" in done.stderr
    done = labeltool_here(copy, "retrain", "--arch", "yamnet256", "--backbone", __file__, check=1)
    assert "yamnet256 begins with a pretrained YAMNet, not with a backbone" in done.stderr
    done = labeltool_here(copy, "retrain", "--seed", "-5", check=2)
    assert "--seed" in done.stderr


def test_a_fold_the_model_has_seen_is_refused(trained: tuple[Project, dict[str, Any]]) -> None:
    done = labeltool_here("--project", trained[0].directory, "evaluate", "--fold", "1", "--json", check=1)
    assert done.stdout == "" and "has seen fold 1" in done.stderr


def test_every_unlabelled_clip_has_a_suggestion(
    trained: tuple[Project, dict[str, Any]],
) -> None:
    project, result = trained
    with sqlite3.connect(project.database) as connection:
        rows = connection.execute(
            "SELECT model_id, top_label, margin, entropy, probabilities FROM suggestions "
            "WHERE clip_id IN (SELECT clip_id FROM unlabelled_clips)"
        ).fetchall()
    connection.close()
    assert len(rows) == 3
    for model_id, top, margin, entropy, probabilities in rows:
        found = json.loads(probabilities)
        assert model_id == result["model"]
        assert sum(found.values()) == pytest.approx(1.0, abs=1e-3)
        assert top == max(found, key=found.__getitem__)
        assert 0 <= margin <= 1 and entropy >= 0
    assert {row[1] for row in rows} == {"low", "middle", "high"}


def test_classify_prints_the_most_probable_labels_of_a_file(trained: tuple[Project, dict[str, Any]]) -> None:
    project, result = trained
    file = project.directory.parent / "pool" / "2.wav"
    found = json.loads(labeltool_here(project, "classify", file, "--json", "--top", "2").stdout)
    assert found["file"] == str(file)
    assert found["scores"][0]["label"] == "high" and found["scores"][0]["index"] == 0
    assert len(found["scores"]) == 2
    assert found["windows"][0]["start_s"] == 0 and found["windows"][-1]["end_s"] <= 2.0
    # A model's folder does as well as its id, and needs no project.
    folder = project.models / str(result["model"])
    assert json.loads(labeltool("classify", file, "--model", folder, "--json").stdout)["windows"] == found["windows"]


@pytest.mark.usefixtures("quickly")
def test_a_new_label_widens_the_head_of_a_warm_start(copy: Project, write_tone: Callable[..., Path]) -> None:
    for number in range(2):
        file = write_tone(f"noise-{number}.wav", frequency_hz=7000, seconds=2.0)
        labeltool_here(copy, "import", "audio", file)
        labeltool_here(copy, "mark", file, "a new sound")
    result = labeltool_json(copy, "retrain")
    assert result["warm"] and result["labels_seen"] == 20
    files = model_folder.read(copy.models / str(result["model"]))
    assert files.labels == ("a new sound", "high", "low", "middle")
    assert files.card.parent == 1
    status = labeltool_json(copy, "status")
    assert (status["model"], status["pending_retrain"]) == (result["model"], 0)


@pytest.mark.usefixtures("quickly")
def test_a_fold_to_be_kept_unseen_is_not_carried_over_by_a_warm_start(copy: Project) -> None:
    result = labeltool_json(copy, "retrain", "--test-fold", "2")
    assert result["warm"] is False
    assert labeltool_json(copy, "evaluate", "--fold", "2")["clips"] == 6
    # The other way about: fold 3 was kept from the first model, and this one was trained on it.
    assert "has seen fold 3" in labeltool_here(copy, "evaluate", "--fold", "3", check=1).stderr


def test_a_teacher_labels_the_unlabelled_clips_and_training_starts_from_a_backbone(
    copy: Project, pretrained_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backbone = copy.models / "1" / model_folder.KERAS
    labeltool_here(copy, "model", "add", pretrained_file, "--rate", "16000", "--name", "teacher")
    teacher = copy.models / "pretrained" / "teacher" / pretrained_file.name
    options = {"teacher": str(teacher), "backbone": str(backbone), "from_scratch": True, "budget_s": 5.0}
    clock = ClockOfDraws(monkeypatch, 0.25)  # a budget in draws: on a slow machine it would leave the teacher out
    result = retrain(copy, report=quiet, arch="miniresnet", clock=clock, **options)
    assert (result.pool_clips, result.warm) == (3, False)
    card = model_folder.read(copy.models / str(result.model)).card
    assert card.teacher is not None and card.backbone is not None
    assert card.teacher.file == pretrained_file.name and len(card.backbone.sha256) == 64
    assert card.teacher.fingerprint == open_model(teacher).fingerprint
    assert len(list((copy.cache / "teacher").rglob("*.npy"))) >= 3
    assert "--teacher" in labeltool_here(copy, "retrain", "--teacher-tensor", "3", check=2).stderr
    done = labeltool_here(copy, "retrain", "--teacher", backbone, check=1)
    assert f"{backbone}: is not a model file that can be read" in done.stderr


def test_a_file_that_cannot_be_read_is_skipped_and_named(
    copy: Project, trained: tuple[Project, dict[str, Any]]
) -> None:
    shutil.rmtree(copy.cache)
    with sqlite3.connect(copy.database) as connection:
        connection.execute("UPDATE recordings SET path = '/nowhere/gone.wav' WHERE path LIKE '%/pool/1.wav'")
    connection.close()
    done = labeltool_here(copy, "suggest", "--json")
    result = json.loads(done.stdout)
    assert result["suggestions"] == 2
    assert [one["file"] for one in result["skipped"]] == ["/nowhere/gone.wav"]
    assert "skipped: /nowhere/gone.wav" in done.stderr


def test_a_renamed_label_is_measured_under_its_new_name(copy: Project) -> None:
    labeltool_here(copy, "rename", "low", "deep")
    found = labeltool_json(copy, "evaluate", "--fold", "3")
    assert (found["clips"], found["clip_accuracy"]) == (6, 1.0)
    assert found["labels"] == ["high", "deep", "middle"]
    # Merged, the two outputs count as one.
    labeltool_here(copy, "rename", "deep", "middle")
    found = labeltool_json(copy, "evaluate", "--fold", "3")
    assert (found["clips"], found["clip_accuracy"], found["labels"]) == (6, 1.0, ["high", "middle"])


def test_a_killed_training_leaves_no_trace_and_names_its_log(copy: Project) -> None:
    job = LocalProcesses().start(copy, RETRAIN, arch="miniresnet", from_scratch=True)

    def kill(stage: str, done: int, total: int, text: str = "", /) -> None:
        if stage == "training":
            os.killpg(job.process_id, signal.SIGKILL)

    with pytest.raises(LabeltoolError, match=r"killed by signal 9.*retrain\.log"):
        job.wait(kill)
    assert labeltool_json(copy, "status")["model"] == 1
    # And nothing it left stands in the way of the next one.
    result = json.loads(labeltool(copy, "retrain", "--budget", "2", "--json").stdout)
    assert result["model"] == 2
    assert sorted(path.name for path in copy.models.iterdir()) == ["1", "2"]


def test_too_few_labels_are_reported_in_one_line(project: Project, write_tone: Callable[..., Path]) -> None:
    assert "at least two" in labeltool_here(project, "retrain", check=1).stderr
    labeltool_here(project, "import", "audio", write_tone("a.wav"))
    labeltool_here(project, "mark", "1", "dog")
    done = labeltool_here(project, "retrain", "--json", check=1)
    assert done.stdout == "" and "at least two" in done.stderr.splitlines()[-1]
    assert "no model yet" in labeltool_here(project, "classify", write_tone("b.wav"), check=1).stderr


def test_a_damaged_card_is_named(copy: Project) -> None:
    card = copy.models / "1" / model_folder.CARD
    values = json.loads(card.read_text())
    values["frontend"]["hop"] = 160
    card.write_text(json.dumps(values))
    assert "frontend" in labeltool_here(copy, "suggest", check=1).stderr
    (copy.models / "1" / model_folder.INT8).write_bytes(b"garbage")
    card.write_text(json.dumps({**values, "frontend": {**values["frontend"], "hop": 320}}))
    done = labeltool_here(copy, "export", "--int8", check=1)
    assert model_folder.INT8 in done.stderr and not (copy.exports / "int8").exists()
    card.write_text("{")
    assert "card.json" in labeltool_here(copy, "suggest", check=1).stderr


def test_thresholds_are_chosen_saved_and_used(copy: Project) -> None:
    result = labeltool_json(copy, "evaluate", "--fold", "3", "--thresholds")
    rows = result["thresholds"]
    assert {row["label"] for row in rows} == set(result["labels"]) and result["operating_points"] == []
    for row in rows:
        for name, of in (("precision", row["predicted"]), ("recall", row["clips"])):
            share = row[name]
            assert (share is None) == (of == 0) and (
                share is None or share["value"] == pytest.approx(row["right"] / of)
            )
            assert share is None or share["low"] <= share["value"] <= share["high"]
    written = Path(result["report"])
    head, *lines = (written / "thresholds.csv").read_text().splitlines()
    assert '"precision","precision_low","precision_high","recall"' in head and len(lines) == len(rows)
    assert "thresholds" not in labeltool_json(copy, "evaluate", "--fold", "3")
    for wrong in (
        ("--fold", "3", "--precision", "0.9"),
        ("--save",),
        ("--width", "0.1"),
        ("--detections", "--fold", "3"),
    ):
        labeltool_here(copy, "evaluate", *wrong, check=2)


def test_test_data_choose_no_threshold(copy: Project) -> None:
    # What the model was not trained on is its test fold alone.
    refused = labeltool_here(copy, "evaluate", "--precision", "0.9", "--save", check=1)
    assert refused.stderr.count("\n") == 1
    with copy.open_store() as store:
        assert operating_points(store, models.uid(store, models.model(store).id)) == []
