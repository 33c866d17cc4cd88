"""Replaying the labels there are: promised figures, nothing of the project touched, interrupted replays go on."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from conftest import records_of
from test_command_line import contents, labeltool, write_esc_set

from labeltool.annotation import next_clips, pace
from labeltool.cli.main import cli
from labeltool.project import Project
from labeltool.store import Store, journal, queue
from labeltool.store.importing import take_in
from labeltool.tasks import simulate


def files_of(project: Project) -> list[str]:
    return sorted(path.name for path in (project.cache / "simulations").iterdir())


@pytest.fixture
def tones(project: Project, write_tone: Callable[..., Path], tmp_path: Path) -> Project:
    """A project of three sounds in three folds, two clips a group, all labelled."""
    labeltool("--project", project.directory, "import", "esc50", write_esc_set(tmp_path / "set", write_tone))
    return project


def test_default_questions_are_held_against_random_ones_in_one_command(tones: Project) -> None:
    before = contents(tones)
    told_twice = ("--strategy", "default", "--strategy", "random")
    arguments = ("simulate", *told_twice, "--budgets", "8", "--test-fold", "3", "--budget", "1", "--json")
    told = json.loads(labeltool("--project", tones.directory, *arguments).stdout)
    assert (told["strategy"], told["pool"], told["test_clips"]) == ("default", 12, 6)
    assert [point["labels"] for point in told["curve"]] == [8]
    assert all(0 <= point[key] <= 1 for point in told["curve"] for key in ("clip_accuracy", "int8_clip_accuracy"))
    assert {"labels_to_95_percent_of_full", "labels_until_suggestions_90"} <= set(told)
    default, at_random = told["strategies"]
    assert (default["strategy"], at_random["strategy"]) == ("default", "random")
    assert 0 <= default["curve"][0]["suggestions_right"] <= 1
    # Nothing of the project's own is touched, no scratch project is left, and what was found is not played again.
    assert contents(tones) == before and not list(tones.models.iterdir())
    kept = files_of(tones)
    assert [name for name in kept if not name.endswith(".jsonl")] == ["labels_saved.json", "lock"] and len(kept) == 5
    again = labeltool("--project", tones.directory, *arguments)
    assert json.loads(again.stdout) == told and "training" not in again.stderr
    saved = pace.labels_saved(tones.cache)
    assert saved is not None and told["labels_saved"]["labels"] == saved.labels
    assert saved.strategy == "default" and saved.labels == saved.labels_at_random == 8


def test_an_interrupted_replay_goes_on_with_what_it_had_learnt(tones: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    stages: list[str] = []
    stop_at = "default, seed 0, 8 labels: measuring, float"

    def report(stage: str, *_: object) -> None:
        stages.append(stage)
        if stage == stop_at:
            raise KeyboardInterrupt

    options: dict[str, Any] = {"asked_by": ["default"], "budgets": [4, 8], "test_fold": 3, "budget_s": 1.0}
    with pytest.raises(KeyboardInterrupt):
        simulate.simulate(tones, report=report, **options)
    (points,) = (tones.cache / "simulations").glob("*.jsonl")
    (scratch,) = (path for path in (tones.cache / "simulations").iterdir() if path.is_dir())
    first = points.read_text()
    assert json.loads(first)["labels"] == 4 and any("8 labels: training" in stage for stage in stages)
    with Store.open(scratch / "labels.db") as store:
        asked = [row["clip_id"] for row in store.connection.execute("SELECT clip_id FROM journal ORDER BY id")]
        assert len(asked) == len(set(asked)) == 8
        folds = {fold for (fold,) in store.connection.execute("SELECT DISTINCT fold FROM clips")}
    assert folds == {1, 2}  # what measures is not even there
    stages.clear()
    stop_at = "never"
    told = simulate.simulate(tones, report=report, **options)
    assert [point["labels"] for point in told["curve"]] == [4, 8]
    assert [point["first_right"] is None for point in told["curve"]] == [True, False]
    assert points.read_text().startswith(first) and not scratch.exists()
    # Both models were there already; only the one that learns from everything at once is trained now.
    assert {stage.split(":")[0] for stage in stages if "training" in stage} == {"random, seed 0, 12 labels"}
    # Another label on a clip, and the old replay tells nothing any more.
    with tones.open_store() as store:
        journal.say(store, 1, "other", annotator="ann")
    monkeypatch.setattr(simulate, "retrain", None)
    with pytest.raises(TypeError):
        simulate.simulate(tones, report=report, **options)


@pytest.mark.parametrize(
    ("budgets", "batch", "stops"),
    [
        ([10, 20, 32], 20, (10, 20, 32)),
        ([10, 20, 32, 64, 96], 20, (10, 20, 32, 52, 64, 84, 96)),
        ([5], 2, (2, 4, 5)),
        ([1], 9, (1,)),
    ],
)
def test_a_model_is_trained_at_every_budget_and_after_every_batch(
    budgets: list[int], batch: int, stops: tuple[int, ...]
) -> None:
    assert simulate._stops(budgets, batch) == stops


def test_what_cannot_be_replayed_is_said(store: Store, project: Project) -> None:
    at = ("--project", project.directory, "simulate")
    assert "too little is labelled" in labeltool(*at, check=1).stderr
    records = [one for n in range(6) for one in records_of(f"{n}", "ab"[n % 2], fold=n % 3 + 1)]
    take_in(store, records, kind="esc50", source="test")
    assert "no labelled clip is in fold 9" in labeltool(*at, "--test-fold", "9", check=1).stderr
    assert "no strategy 'hunch'" in labeltool(*at, "--strategy", "hunch", check=1).stderr
    for budgets in ("0,3", "", "ten"):
        assert "numbers above 0" in labeltool(*at, "--budgets", budgets, check=2).stderr


def test_before_the_first_model_the_first_questions_are_unlike_each_other(
    project: Project, write_tone: Callable[..., Path], tmp_path: Path
) -> None:
    # Mostly one sound: a shuffle would ask about it again and again.
    pitches = {"hum": (200, 24), "beep": (1500, 3), "whistle": (5000, 3)}
    for name, (pitch, clips) in pitches.items():
        for number in range(clips):
            write_tone(f"pool/{name}-{number}.wav", frequency_hz=pitch * (1 + number / 200))
    at = ("--project", project.directory)
    labeltool(*at, "import", "audio", tmp_path / "pool")
    told = json.loads(labeltool(*at, "suggest", "--json").stdout)
    assert (told["model"], told["suggestions"], told["left_out"]) == (None, 0, [])
    with project.open_store() as store:
        assert not queue.is_empty(store)
        first = [Path(clip.path).name.split("-")[0] for clip in next_clips.next_clips(store, 3, annotator="ann")]
        assert sorted(first) == ["beep", "hum", "whistle"]


def test_the_room_opens_at_once_and_the_first_order_is_made_behind_it(
    project: Project, write_tone: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        write_tone(f"pool/{number}.wav", frequency_hz=300 * (number + 1))
    labeltool("--project", project.directory, "import", "audio", tmp_path / "pool")
    seen: list[bool] = []

    def room(opened: Project, **_: object) -> None:
        deadline = time.monotonic() + 60
        with opened.open_store() as store:
            seen.append(queue.is_empty(store))
            while queue.is_empty(store) and time.monotonic() < deadline:
                time.sleep(0.05)
            seen.append(queue.is_empty(store))

    monkeypatch.setattr("labeltool.tui.run", room)
    assert CliRunner().invoke(cli, ["--project", str(project.directory), "label"]).exit_code == 0
    assert seen == [True, False]


def test_clips_that_came_after_the_order_wait_behind_it(store: Store) -> None:
    take_in(store, [one for name in "abc" for one in records_of(name)], kind="audio", source="test")
    assert queue.is_empty(store)
    queue.replace(store, [3, 1, 2])
    take_in(store, records_of("d"), kind="audio", source="test")
    assert [clip.id for clip in next_clips.next_clips(store, 4, annotator="ann")] == [3, 1, 2, 4]
    journal.say(store, 3, "dog", annotator="ann")
    assert [clip.id for clip in next_clips.next_clips(store, 2, annotator="ann")] == [1, 2]


def test_what_was_saved_is_not_known_before_a_simulation_nor_from_a_damaged_file(project: Project) -> None:
    def told() -> dict[str, Any]:
        return json.loads(labeltool("--project", project.directory, "stats", "--json").stdout)

    assert told()["labels_saved"] is None
    saved = pace.LabelsSaved("default", 0.8, 40, 100, 60, None)
    pace.write_labels_saved(project.cache, saved)
    assert pace.labels_saved(project.cache) == saved
    assert told()["labels_saved"]["labels_at_random"] == 100
    (project.cache / "simulations" / "labels_saved.json").write_text('{"labels": 3')
    assert pace.labels_saved(project.cache) is None
