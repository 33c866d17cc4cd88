"""Suggestions by a pretrained model: by its classes, by a classifier over its embeddings, until a network is better."""

from __future__ import annotations

import json
import shutil
import threading
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers.command_line import labeltool_here, labeltool_json
from helpers.exports import metrics, model_card
from helpers.level_network import LEVELS, label_clips, right, true_label
from helpers.pretrained import converted, written
from helpers.progress import quiet
from helpers.waits import DEADLINE_S
from labeltool import project as projects
from labeltool.active_learning import candidates, pretrained_suggester
from labeltool.active_learning.pretrained_suggester import NotSuggested
from labeltool.active_learning.result import SuggestResult
from labeltool.active_learning.suggest import suggest, suggestion_lock
from labeltool.errors import LabeltoolError
from labeltool.networks import model_folder
from labeltool.networks.model_card import TrunkSource
from labeltool.pretrained import registry
from labeltool.pretrained.project_classes import LabelAgreement, agreement
from labeltool.project import Project
from labeltool.records import StoredClip
from labeltool.store import Store, clips, journal, models, progress, queue
from labeltool.training.targets import build_training_set


@pytest.fixture
def without_embedding(level_project: Project, tmp_path: Path) -> Project:
    """The project with another pretrained model that has the same classes and no embedding."""
    import tensorflow as tf

    def classes(samples: tf.Tensor) -> tf.Tensor:
        level = tf.reduce_mean(samples, axis=1, keepdims=True)
        return tf.sigmoid(tf.concat([30.0 * level, -30.0 * level, 0.0 * level], axis=1) - 6.0)

    file = written(tmp_path / "plain.tflite", converted(classes, (1, 1600)))
    registry.remove(level_project, "pretrained")
    names = str(tmp_path / "names.txt")
    registry.add(
        level_project, report=quiet, file=str(file), name="pretrained", labels=names, rate_hz=16_000, activation="none"
    )
    return level_project


def test_classes_suggest_once_there_are_labels_and_before_that_the_reason_names_the_remedy(
    level_project: Project,
) -> None:
    result = suggest(level_project, report=quiet)
    assert result.model is None and "no labels yet" in result.why
    with level_project.open_store() as store:
        assert not queue.is_empty(store)
        label_clips(store, range(1))  # one label: its class's own score, no share of itself
        assert suggest(level_project, report=quiet).pretrained == "pretrained"
        found = [models.suggestion(store, clip.id) for clip in clips.unlabelled(store)]
        assert min(sum(one.probabilities.values()) for one in found if one is not None) < 0.01
        journal.undo(store, annotator="ann")
        assert "no labels yet" in suggest(level_project, report=quiet).why  # as before it was given
        label_clips(store, range(2))
        result = suggest(level_project, report=quiet)
        assert (result.pretrained, result.suggestions) == (
            "pretrained",
            22,
        ) and "own classes for 2 of 2 labels" in result.why
        assert all(right(store)) and len(right(store)) == 22
        # It is no model of the project: it cannot be trained further, exported or evaluated.
        suggester = models.suggester(store)
        assert suggester is not None and suggester.pretrained == "pretrained" and models.latest(store) is None
        with pytest.raises(LabeltoolError, match=f"no model {suggester.id}"):
            models.model(store, suggester.id)
    status = labeltool_json(level_project, "status")
    assert (status["model"], status["suggests"]["ear"], status["suggests"]["why"]) == (  # promised name
        None,
        "pretrained",
        result.why,
    )
    assert "suggests    pretrained" in labeltool_here(level_project, "status").stdout


def test_a_classifier_over_embeddings_suggests_labels_that_no_class_is_named_like(level_project: Project) -> None:
    def named(clip: StoredClip) -> str:
        return {"above": "oben", "below": "unten"}[true_label(clip)]

    with level_project.open_store() as store:
        label_clips(store, range(3), named)
        result = suggest(level_project, report=quiet)
        assert "trained on 3 clips" in result.why and result.suggestions == 21
        assert all(right(store, named))
        first = result.model
        label_clips(store, range(3, 12), named)
        result = suggest(level_project, report=quiet)
        suggester = models.suggester(store)
        assert suggester is not None and result.model == suggester.id > first
        # Validated on labels it was not trained on: enough of them by now.
        assert suggester.clip_accuracy == 1.0 and all(right(store, named))
        assert progress.count_labelled_since(store, suggester.journal_mark) == 0
        # The app and the review can name it, and the queue is written.
        assert models.uid(store, suggester.id) == suggester.uid and not queue.is_empty(store)


def add_network(
    project: Project, store: Store, *, log_loss: float, checked: range, trunk: TrunkSource | None = None
) -> int:
    """Store a network that was validated on some clips; it is never run."""
    labels = tuple(LEVELS)
    card = model_card(labels, labels_seen=12, measured=replace(metrics(labels), log_loss=log_loss), trunk=trunk)
    seen = [(clip, "validation") for clip in clips.all_clips(store) if int(Path(clip.path).stem) in checked]

    def publish(model_id: int) -> None:
        (project.models / str(model_id)).mkdir()
        model_folder.write(project.models / str(model_id), card=card, int8=b"", seen=seen)

    model = models.NewModel(
        card.architecture, card.to_json(), card.labels_seen, card.clip_accuracy, card.int8_clip_accuracy
    )
    return models.add(store, model, parent_id=None, journal_mark=journal.newest_id(store), publish=publish)


def suggester_card(store: Store) -> dict[str, Any]:
    suggester = models.suggester(store)
    assert suggester is not None
    return dict(json.loads(suggester.card))


def test_a_network_suggests_once_it_does_better_on_the_same_clips(level_project: Project) -> None:
    with level_project.open_store() as store:
        label_clips(store, range(20))
        network = add_network(level_project, store, log_loss=5.0, checked=range(10))
        worse = pretrained_suggester.suggest_by_pretrained(level_project, store, "pretrained", report=quiet, seed=0)
        assert isinstance(worse, SuggestResult) and "10 validation clips, the model's 5.000" in worse.why
        card = suggester_card(store)
        assert card["network"] == network and card["log_loss"] < card["network_log_loss"] == 5.0
        # The network is still the newest of the project.
        newest = models.latest(store)
        assert newest is not None and newest.id == network

        add_network(level_project, store, log_loss=1e-9, checked=range(10))
        result = pretrained_suggester.suggest_by_pretrained(level_project, store, "pretrained", report=quiet, seed=0)
        assert isinstance(result, NotSuggested) and result.is_worse and "the model's 0.000" in result.why
        # A pretrained model that is requested by name suggests.
        assert isinstance(
            pretrained_suggester.suggest_by_pretrained(
                level_project, store, "pretrained", report=quiet, seed=0, forced=True
            ),
            SuggestResult,
        )

        add_network(level_project, store, log_loss=1e-9, checked=range(3))
        not_comparable = pretrained_suggester.suggest_by_pretrained(
            level_project, store, "pretrained", report=quiet, seed=0
        )
        assert isinstance(not_comparable, SuggestResult) and "too few validation clips" in not_comparable.why


def test_a_head_that_beats_the_similar_clips_of_its_own_pretrained_model_suggests(level_project: Project) -> None:
    trunk = TrunkSource("pretrained", "", 11, "", 256, 0.1, 0, 56, "whole", without_unlabelled=True)
    with level_project.open_store() as store:
        label_clips(store, range(20))
        add_network(level_project, store, log_loss=1e-9, checked=range(3), trunk=trunk)
        network, training_set = models.latest(store), build_training_set(clips.labelled(store))
        assert network is not None
        by_embedding = candidates.Candidate(
            "a classifier over its embeddings",
            training_set.labels,
            None,
            "softmax",
            True,
            lambda rows: rows,
            lambda _: None,
            training_set,
            np.zeros((20, 2), np.float32),
        )
        compare = partial(candidates.compare_with_network, level_project, network=network)
        same = compare(by_embedding, pretrained="pretrained")
        assert not same.is_better and "better than pretrained's similar clips" in same.why
        # Nothing was compared of another model, of classes mapped to labels, or with a label that is new since.
        assert compare(by_embedding, pretrained="other").is_better
        assert compare(replace(by_embedding, by_embedding=False), pretrained="pretrained").is_better
        label_clips(store, range(20, 22), lambda _: "new")
        newer = replace(by_embedding, labelled=build_training_set(clips.labelled(store)))
        assert compare(newer, pretrained="pretrained").is_better


def test_classes_mapped_by_labels_are_validated_on_other_labels(without_embedding: Project) -> None:
    def named(clip: StoredClip) -> str:
        return {"above": "oben", "below": "unten"}[true_label(clip)]

    with without_embedding.open_store() as store:
        # A class is mapped by three labelled clips: without any one of them it is not.
        label_clips(store, range(1, 20, 2), named)
        label_clips(store, range(0, 5, 2), named)
        result = suggest(without_embedding, report=quiet)
        assert "own classes for 2 of 2 labels" in result.why and all(right(store, named))
        suggester = models.suggester(store)
        assert suggester is not None and suggester.clip_accuracy == pytest.approx(10 / 13)
        label_clips(store, range(6, 20, 2), named)
        suggest(without_embedding, report=quiet)
        suggester = models.suggester(store)
        assert suggester is not None and suggester.clip_accuracy == 1.0


def test_the_classes_own_loss_is_compared_with_the_networks(without_embedding: Project) -> None:
    with without_embedding.open_store() as store:
        label_clips(store, range(20))
        add_network(without_embedding, store, log_loss=5.0, checked=range(10))
        result = pretrained_suggester.suggest_by_pretrained(
            without_embedding, store, "pretrained", report=quiet, seed=0
        )
        assert isinstance(result, SuggestResult) and "own classes" in result.why and "the model's 5.000" in result.why
        assert f"log loss {suggester_card(store)['log_loss']:.3f}" in result.why
        add_network(without_embedding, store, log_loss=1e-9, checked=range(10))
        assert isinstance(
            pretrained_suggester.suggest_by_pretrained(without_embedding, store, "pretrained", report=quiet, seed=0),
            NotSuggested,
        )


def test_a_missing_file_is_skipped_and_reported(level_project: Project) -> None:
    with level_project.open_store() as store:
        label_clips(store, range(2))
        gone = Path(clips.unlabelled(store)[0].path)
        gone.unlink()
        result = suggest(level_project, report=quiet)
        assert [Path(one.file).name for one in result.skipped] == [gone.name] and result.suggestions == 21
        Path(clips.labelled(store)[0].clip.path).unlink()
    shutil.rmtree(level_project.cache / "teacher")
    assert "skipped: " in labeltool_here(level_project, "model", "map", "pretrained").stderr


def test_suggesters_take_turns_and_a_waiting_one_reports_it(level_project: Project) -> None:
    waits, done = threading.Event(), threading.Event()

    def report(stage: str, *_: object) -> None:
        if stage.startswith("waiting for another suggester"):
            waits.set()

    def second() -> None:
        suggest(level_project, report=report)
        done.set()

    with suggestion_lock(level_project, quiet):
        thread = threading.Thread(target=second)
        thread.start()
        assert waits.wait(DEADLINE_S) and not done.is_set()
        with level_project.open_store() as store:
            assert queue.is_empty(store)
    assert done.wait(DEADLINE_S)
    thread.join()
    with level_project.open_store() as store:
        assert not queue.is_empty(store)


def test_agreement_of_classes_with_labels_is_counted(level_project: Project) -> None:
    with level_project.open_store() as store:
        label_clips(store, range(6))
        (registry.folder(level_project, "pretrained") / "mapping.toml").write_text('above = ["Elsewhere"]\n')
    counted = agreement(level_project, report=quiet, name="pretrained")
    assert (counted.clips, counted.detections) == (6, (3, 3, 0))
    # The proposal is reported whatever the file has.
    assert counted.labels["above"] == LabelAgreement(clips=3, detections=(3, 0, 0), proposed=(0,), source="by name")
    assert counted.labels["below"].detections == (0, 3, 0)


def test_the_mapping_is_shown_written_and_kept(level_project: Project) -> None:
    at = (level_project, "model", "map", "pretrained")
    assert "no labels yet" in labeltool_here(*at, check=1).stderr
    with level_project.open_store() as store:
        label_clips(store, range(2))
    shown = labeltool_json(*at)
    assert shown["labels"] == [
        {"label": "above", "classes": ["Above, high"], "from": "by name"},
        {"label": "below", "classes": ["Below"], "from": "by name"},
    ]
    assert list(shown) == ["ear", "file", "written", "labels", "left_out"]  # promised names
    assert shown["ear"] == "pretrained"  # promised name
    file = Path(shown["file"])
    file.write_text('above = ["below"]\n')
    with level_project.open_store() as store:
        suggest(level_project, report=quiet)
        assert right(store).count(True) == 11  # as mapped by hand, correct or not
    assert "'above'  Below  (by hand)" in labeltool_here(*at).stdout
    assert file.read_text() == 'above = ["below"]\nbelow = ["Below"]\n'


@pytest.mark.parametrize("before", ["[learning]\nretrain_after = 5 # mine\n", "annotator = 'me'\n", ""])
def test_the_first_pretrained_model_is_written_into_the_settings_and_no_other_line_is_changed(
    project: Project, before: str
) -> None:
    file = project.directory / "labeltool.toml"
    file.write_text(before)
    assert projects.choose_pretrained(project, "pretrained")
    after = file.read_text()
    added = [line for line in after.splitlines() if line and line not in before.splitlines()]
    assert added in (['pretrained = "pretrained"'], ["[learning]", 'pretrained = "pretrained"'])
    assert [line for line in after.splitlines() if line in before.splitlines() and line] == before.splitlines()
    assert not projects.choose_pretrained(project, "other") and file.read_text() == after
    assert projects.load(project.directory).settings.learning.pretrained == "pretrained"
