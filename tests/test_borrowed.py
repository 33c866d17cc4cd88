"""A borrowed ear suggests: by its classes, then by what people answered, until a network of one's own does better."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from ear_helpers import converted, quiet, written
from test_command_line import labeltool

from labeltool import project as projects
from labeltool.active_learning import pretrained_suggester
from labeltool.active_learning.suggest import in_turn, suggest
from labeltool.audio import files
from labeltool.audio.frontend import Frontend
from labeltool.errors import LabeltoolError
from labeltool.networks import model_folder
from labeltool.networks.postprocessing import ClipRule
from labeltool.pretrained import registry
from labeltool.pretrained.project_classes import agreement
from labeltool.project import Project
from labeltool.records import Clip, Recording, StoredClip
from labeltool.store import Store, clips, journal, models, queue
from labeltool.store.importing import take_in

LEVELS = {"above": 0.4, "below": -0.4}


@pytest.fixture(scope="session")
def level_ear(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ear that hears whether samples lie above or below zero: an embedding of eight, scores of three classes."""
    import tensorflow as tf

    slopes = np.array([[1, -1, 2, -2, 1, -1, 3, -3]], np.float32)
    bends = np.array([[0, 0, 0.1, 0.1, 0.3, 0.3, 0, 0]], np.float32)
    weights = np.zeros((8, 3), np.float32)
    weights[0, 0] = weights[1, 1] = 30.0

    def hear(samples: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        embedding = tf.nn.relu(tf.reduce_mean(samples, axis=1, keepdims=True) * slopes + bends)
        return embedding, tf.sigmoid(tf.matmul(embedding, weights) - 6.0)

    return written(tmp_path_factory.mktemp("ears") / "level.tflite", converted(hear, (1, 1600)))


@pytest.fixture
def heard(project: Project, level_ear: Path, tmp_path: Path) -> Project:
    """A project with that ear and 24 clips, every second above zero and every second below."""
    names = written(tmp_path / "names.txt", b"Above, high\nBelow\nElsewhere\n")
    registry.add(project, report=quiet, file=str(level_ear), name="ear", labels=str(names), rate_hz=16_000)
    assert projects.choose_ear(project, "ear")
    rng = np.random.default_rng(0)
    records: list[Recording | Clip] = []
    for number in range(24):
        level = tuple(LEVELS.values())[number % 2] * rng.uniform(0.8, 1.2)
        path = tmp_path / f"{number:02}.wav"
        soundfile.write(path, (level + rng.normal(0, 0.01, 3200)).astype(np.float32), 16_000, subtype="FLOAT")
        found = files.describe(path)
        sound = Recording(found.path, found.sha256, found.sample_rate_hz, 1, found.frames, f"g{number}")
        records += [sound, Clip(found.sha256, 0.0, 0.2)]
    with project.open_store() as store:
        take_in(store, records, kind="test", source="test")
    return projects.load(project.directory)


@pytest.fixture
def plainly_heard(heard: Project, tmp_path: Path) -> Project:
    """The project with an ear in that one's place that has the same classes and no embedding."""
    import tensorflow as tf

    def hear(samples: tf.Tensor) -> tf.Tensor:
        level = tf.reduce_mean(samples, axis=1, keepdims=True)
        return tf.sigmoid(tf.concat([30.0 * level, -30.0 * level, 0.0 * level], axis=1) - 6.0)

    file = written(tmp_path / "plain.tflite", converted(hear, (1, 1600)))
    registry.remove(heard, "ear")
    names = str(tmp_path / "names.txt")
    registry.add(heard, report=quiet, file=str(file), name="ear", labels=names, rate_hz=16_000, activation="none")
    return heard


def truth(clip: StoredClip) -> str:
    return tuple(LEVELS)[int(Path(clip.path).stem) % 2]


def answer(store: Store, numbers: range, called: Callable[[StoredClip], str] = truth) -> None:
    for clip in clips.all_clips(store):
        if int(Path(clip.path).stem) in numbers:
            journal.say(store, clip.id, called(clip), annotator="ann")


def right(store: Store, called: Callable[[StoredClip], str] = truth) -> list[bool]:
    """Say of each waiting clip whether the first suggestion is right."""
    held = [(clip, models.suggestion(store, clip.id)) for clip in clips.unanswered(store)]
    return [one is not None and next(iter(one.probabilities)) == called(clip) for clip, one in held]


def test_classes_suggest_as_soon_as_there_are_labels_and_before_that_it_is_said_what_to_do(heard: Project) -> None:
    told = suggest(heard, report=quiet)
    assert told["model"] is None and "no labels yet" in told["why"]
    with heard.open_store() as store:
        assert not queue.is_empty(store)
        answer(store, range(2))
        told = suggest(heard, report=quiet)
        assert (told["ear"], told["suggestions"]) == ("ear", 22) and "own classes for 2 of 2 labels" in told["why"]
        assert all(right(store)) and len(right(store)) == 22
        # What suggests is no network of the project's: none is there to go on from, to export, or to evaluate.
        suggester = models.suggester(store)
        assert suggester is not None and suggester.ear == "ear" and models.latest(store) is None
        with pytest.raises(LabeltoolError, match=f"no model {suggester.id}"):
            models.model(store, suggester.id)
        assert not models.accuracies(store)
    status = json.loads(labeltool("--project", heard.directory, "status", "--json").stdout)
    assert (status["model"], status["suggests"]["ear"], status["suggests"]["why"]) == (None, "ear", told["why"])
    assert "suggests    ear" in labeltool("--project", heard.directory, "status").stdout


def test_answers_teach_an_ear_labels_that_no_class_is_called_by(heard: Project) -> None:
    def named(clip: StoredClip) -> str:
        return {"above": "oben", "below": "unten"}[truth(clip)]

    with heard.open_store() as store:
        answer(store, range(3), named)
        told = suggest(heard, report=quiet)
        assert "taught by 3 clips" in told["why"] and told["suggestions"] == 21
        assert all(right(store, named))
        first = told["model"]
        answer(store, range(3, 12), named)
        told = suggest(heard, report=quiet)
        suggester = models.suggester(store)
        assert suggester is not None and told["model"] == suggester.id > first
        # Checked on answers it was not told: enough of them by now.
        assert suggester.clip_accuracy == 1.0 and all(right(store, named))
        assert models.pending(store, suggester.journal_mark) == 0
        # The room and review know by which name to call it, and the queue is in an order.
        assert models.uid(store, suggester.id) == suggester.uid and not queue.is_empty(store)


def add_network(project: Project, store: Store, *, log_loss: float, checked: range) -> int:
    """Write down a network that was checked on some clips; nobody runs it."""
    frontend = Frontend()
    card = {
        "architecture": "miniresnet",
        "labels": list(LEVELS),
        "frontend": frontend.to_dict(),
        "fingerprint": frontend.fingerprint,
        "clip_rule": ClipRule().to_dict(),
        "labels_seen": 12,
        "clip_accuracy": 0.9,
        "int8_clip_accuracy": 0.9,
        "log_loss": log_loss,
    }
    seen = [(clip, "validation") for clip in clips.all_clips(store) if int(Path(clip.path).stem) in checked]

    def publish(model_id: int) -> None:
        (project.models / str(model_id)).mkdir()
        model_folder.write(project.models / str(model_id), card=card, int8=b"", seen=seen)

    return models.add(store, parent_id=None, card=card, journal_mark=journal.mark(store), publish=publish)


def test_the_ear_gives_way_to_a_network_that_measures_better_on_the_same_clips(heard: Project) -> None:
    with heard.open_store() as store:
        answer(store, range(20))
        network = add_network(heard, store, log_loss=5.0, checked=range(10))
        worse = pretrained_suggester.suggest(heard, store, "ear", report=quiet, seed=0)
        assert isinstance(worse, pretrained_suggester.Heard) and "10 validation clips, the model's 5.000" in worse.why
        suggester = models.suggester(store)
        assert suggester is not None and suggester.card["network"] == network
        assert suggester.card["log_loss"] < suggester.card["network_log_loss"] == 5.0
        # The network is the newest of the project's all the same.
        newest = models.latest(store)
        assert newest is not None and newest.id == network

        add_network(heard, store, log_loss=1e-9, checked=range(10))
        told = pretrained_suggester.suggest(heard, store, "ear", report=quiet, seed=0)
        assert isinstance(told, str) and "the model's 0.000" in told
        # Who asks for the ear by name gets it.
        assert isinstance(
            pretrained_suggester.suggest(heard, store, "ear", report=quiet, seed=0, asked_for=True),
            pretrained_suggester.Heard,
        )

        add_network(heard, store, log_loss=1e-9, checked=range(3))
        unjudged = pretrained_suggester.suggest(heard, store, "ear", report=quiet, seed=0)
        assert isinstance(unjudged, pretrained_suggester.Heard) and "too few validation clips" in unjudged.why


def test_classes_found_by_answers_are_judged_on_answers_that_they_were_not_found_by(plainly_heard: Project) -> None:
    def named(clip: StoredClip) -> str:
        return {"above": "oben", "below": "unten"}[truth(clip)]

    with plainly_heard.open_store() as store:
        # Three clips of a label are what answers must be to be believed: without any of them its class is not found.
        answer(store, range(1, 20, 2), named)
        answer(store, range(0, 5, 2), named)
        told = suggest(plainly_heard, report=quiet)
        assert "own classes for 2 of 2 labels" in told["why"] and all(right(store, named))
        suggester = models.suggester(store)
        assert suggester is not None and suggester.clip_accuracy == pytest.approx(10 / 13)
        answer(store, range(6, 20, 2), named)
        suggest(plainly_heard, report=quiet)
        suggester = models.suggester(store)
        assert suggester is not None and suggester.clip_accuracy == 1.0


def test_classes_are_held_against_the_network_by_figures_of_their_own(plainly_heard: Project) -> None:
    with plainly_heard.open_store() as store:
        answer(store, range(20))
        add_network(plainly_heard, store, log_loss=5.0, checked=range(10))
        told = pretrained_suggester.suggest(plainly_heard, store, "ear", report=quiet, seed=0)
        assert (
            isinstance(told, pretrained_suggester.Heard)
            and "own classes" in told.why
            and "the model's 5.000" in told.why
        )
        suggester = models.suggester(store)
        assert suggester is not None and f"log loss {suggester.card['log_loss']:.3f}" in told.why
        add_network(plainly_heard, store, log_loss=1e-9, checked=range(10))
        assert isinstance(pretrained_suggester.suggest(plainly_heard, store, "ear", report=quiet, seed=0), str)


def test_a_file_that_is_gone_is_left_out_and_said(heard: Project) -> None:
    with heard.open_store() as store:
        answer(store, range(2))
        gone = Path(clips.unanswered(store)[0].path)
        gone.unlink()
        told = suggest(heard, report=quiet)
        assert [Path(one["file"]).name for one in told["left_out"]] == [gone.name] and told["suggestions"] == 21
        Path(clips.labelled(store)[0].clip.path).unlink()
    shutil.rmtree(heard.cache / "teacher")
    assert "left out: " in labeltool("--project", heard.directory, "model", "map", "ear").stderr


def test_two_suggesters_take_turns_and_the_one_that_waits_says_so(heard: Project) -> None:
    waits, done = threading.Event(), threading.Event()

    def report(stage: str, *_: object) -> None:
        if stage == "waiting for another suggester":
            waits.set()

    def second() -> None:
        suggest(heard, report=report)
        done.set()

    with in_turn(heard, quiet):
        thread = threading.Thread(target=second)
        thread.start()
        assert waits.wait(60) and not done.is_set()
        with heard.open_store() as store:
            assert queue.is_empty(store)
    assert done.wait(60)
    thread.join()
    with heard.open_store() as store:
        assert not queue.is_empty(store)


def test_how_classes_agree_with_the_answers_is_counted(heard: Project) -> None:
    with heard.open_store() as store:
        answer(store, range(6))
        (registry.folder(heard, "ear") / "mapping.toml").write_text('above = ["Elsewhere"]\n')
    told = agreement(heard, report=quiet, name="ear")
    assert (told["clips"], told["heard"]) == (6, [3, 3, 0])
    # What is proposed is told whatever the file has.
    assert told["labels"]["above"] == {"clips": 3, "heard": [3, 0, 0], "proposed": [0], "from": "by name"}
    assert told["labels"]["below"]["heard"] == [0, 3, 0]


def test_the_mapping_is_shown_written_and_kept(heard: Project) -> None:
    at = ("--project", heard.directory, "model", "map", "ear")
    assert "no labels yet" in labeltool(*at, check=1).stderr
    with heard.open_store() as store:
        answer(store, range(2))
    told = json.loads(labeltool(*at, "--json").stdout)
    assert told["labels"] == [
        {"label": "above", "classes": ["Above, high"], "from": "by name"},
        {"label": "below", "classes": ["Below"], "from": "by name"},
    ]
    file = Path(told["file"])
    file.write_text('above = ["below"]\n')
    with heard.open_store() as store:
        suggest(heard, report=quiet)
        assert right(store).count(True) == 11  # as the person wants it, rightly or not
    assert "'above'  Below  (by hand)" in labeltool(*at).stdout
    assert file.read_text() == 'above = ["below"]\n"below" = ["Below"]\n'


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("[learning]\nretrain_after = 5 # mine\n", '[learning]\near = "ear"\nretrain_after = 5 # mine\n'),
        ("annotator = 'me'\n", "annotator = 'me'\n\n[learning]\near = \"ear\"\n"),
        ("", '[learning]\near = "ear"\n'),
    ],
)
def test_the_first_ear_is_written_into_the_settings_and_no_other_line_is_touched(
    project: Project, before: str, after: str
) -> None:
    file = project.directory / "labeltool.toml"
    file.write_text(before)
    assert projects.choose_ear(project, "ear") and file.read_text() == after
    assert not projects.choose_ear(project, "other") and file.read_text() == after
    assert projects.load(project.directory).settings.ear == "ear"
