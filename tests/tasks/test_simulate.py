"""Replaying the labels of a project: promised figures, nothing of the project touched, interruptions continued."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from helpers.command_line import contents, labeltool_here, labeltool_json
from helpers.records import records_of
from helpers.tones import write_esc_set
from helpers.waits import until
from labeltool import project as projects
from labeltool.annotation import next_clips, speed
from labeltool.project import Project
from labeltool.store import Store, journal, queue
from labeltool.store.importing import import_records
from labeltool.tasks import simulate
from labeltool.tui import launch


def files_of(project: Project) -> list[str]:
    return sorted(path.name for path in (project.cache / "simulations").iterdir())


@pytest.fixture
def tones(project: Project, write_tone: Callable[..., Path], tmp_path: Path, tiny: str) -> Project:
    """A project of three sounds in three folds, two clips a group, all labelled; its network trains fast."""
    (project.directory / "labeltool.toml").write_text(f'[learning]\narchitecture = "{tiny}"\n')
    labeltool_here(project, "import", "esc50", write_esc_set(tmp_path / "set", write_tone))
    return projects.load(project.directory)


@pytest.mark.usefixtures("quickly")
def test_the_default_order_is_compared_with_random_order_in_one_command(tones: Project) -> None:
    before = contents(tones)
    both_strategies = ("--strategy", "default", "--strategy", "random")
    arguments = ("simulate", *both_strategies, "--budgets", "8", "--test-fold", "3", "--budget", "1", "--json")
    result = json.loads(labeltool_here(tones, *arguments).stdout)
    assert (result["strategy"], result["pool"], result["test_clips"]) == ("default", 12, 6)
    assert [point["labels"] for point in result["curve"]] == [8]
    assert all(0 <= point[key] <= 1 for point in result["curve"] for key in ("clip_accuracy", "int8_clip_accuracy"))
    assert {"labels_to_95_percent_of_full", "labels_until_suggestions_90"} <= set(result)
    default, at_random = result["strategies"]
    assert (default["strategy"], at_random["strategy"]) == ("default", "random")
    assert 0 <= default["curve"][0]["suggestions_right"] <= 1
    # Nothing of the project's own is touched, no scratch project is left, and finished replays are not played again.
    assert contents(tones) == before and not list(tones.models.iterdir())
    kept = files_of(tones)
    assert [name for name in kept if not name.endswith(".jsonl")] == ["labels_saved.json", "lock"] and len(kept) == 5
    again = labeltool_here(tones, *arguments)
    assert json.loads(again.stdout) == result and "training" not in again.stderr
    saved = speed.labels_saved(tones.cache)
    assert saved is not None and result["labels_saved"]["labels"] == saved.labels
    assert saved.strategy == "default" and saved.labels == saved.labels_at_random == 8


@pytest.mark.usefixtures("quickly")
def test_an_interrupted_replay_continues_with_the_models_it_has(
    tones: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages: list[str] = []
    stop_at = "default, seed 0, 8 labels: measuring, float"

    def report(stage: str, *_: object) -> None:
        stages.append(stage)
        if stage == stop_at:
            raise KeyboardInterrupt

    options: dict[str, Any] = {"strategy_names": ["default"], "budgets": [4, 8], "test_fold": 3, "budget_s": 1.0}
    with pytest.raises(KeyboardInterrupt):
        simulate.simulate(tones, report=report, **options)
    (points,) = (tones.cache / "simulations").glob("*.jsonl")
    (scratch,) = (path for path in (tones.cache / "simulations").iterdir() if path.is_dir())
    first = points.read_text()
    assert json.loads(first)["labels"] == 4 and any("8 labels: training" in stage for stage in stages)
    with Store.open(scratch / "labels.db") as store:
        labelled = [row["clip_id"] for row in store.connection.execute("SELECT clip_id FROM journal ORDER BY id")]
        assert len(labelled) == len(set(labelled)) == 8
        folds = {fold for (fold,) in store.connection.execute("SELECT DISTINCT fold FROM clips")}
    assert folds == {1, 2}  # the clips that measure are not even there
    stages.clear()
    stop_at = "never"
    result = simulate.simulate(tones, report=report, **options)
    assert [point.labels for point in result.curve] == [4, 8]
    assert [point.first_right is None for point in result.curve] == [True, False]
    assert points.read_text().startswith(first) and not scratch.exists()
    # Both models were there already; only the one trained on all labels at once is trained now.
    assert {stage.split(":")[0] for stage in stages if "training" in stage} == {"random, seed 0, 12 labels"}
    # After another label on a clip the old replay is not used.
    with tones.open_store() as store:
        journal.annotate(store, 1, "other", annotator="ann")
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


def test_labels_that_cannot_be_replayed_are_refused_with_the_reason(store: Store, project: Project) -> None:
    at = (project, "simulate")
    assert "too little is labelled" in labeltool_here(*at, check=1).stderr
    records = [one for n in range(6) for one in records_of(f"{n}", "ab"[n % 2], fold=n % 3 + 1)]
    import_records(store, records, kind="esc50", source="test")
    assert "no labelled clip is in fold 9" in labeltool_here(*at, "--test-fold", "9", check=1).stderr
    assert "no strategy 'hunch'" in labeltool_here(*at, "--strategy", "hunch", check=2).stderr
    for budgets in ("0,3", "", "ten"):
        assert "numbers above 0" in labeltool_here(*at, "--budgets", budgets, check=2).stderr


def test_before_the_first_model_the_first_clips_are_unlike_each_other(
    project: Project, write_tone: Callable[..., Path], tmp_path: Path
) -> None:
    # Mostly one sound: a shuffle would show it again and again.
    pitches = {"hum": (200, 24), "beep": (1500, 3), "whistle": (5000, 3)}
    for name, (pitch, clips) in pitches.items():
        for number in range(clips):
            write_tone(f"pool/{name}-{number}.wav", frequency_hz=pitch * (1 + number / 200))
    labeltool_here(project, "import", "audio", tmp_path / "pool")
    result = labeltool_json(project, "suggest")
    assert (result["model"], result["suggestions"], result["skipped"]) == (None, 0, [])
    with project.open_store() as store:
        assert not queue.is_empty(store)
        first = [Path(clip.path).name.split("-")[0] for clip in next_clips.next_clips(store, 3, annotator="ann")]
        assert sorted(first) == ["beep", "hum", "whistle"]


def test_the_first_order_is_computed_in_the_background_when_the_app_opens(
    project: Project, write_tone: Callable[..., Path], tmp_path: Path
) -> None:
    for number in range(4):
        write_tone(f"pool/{number}.wav", frequency_hz=300 * (number + 1))
    labeltool_here(project, "import", "audio", tmp_path / "pool")
    with project.open_store() as store:
        assert queue.is_empty(store)
        ordering = launch._order_queue_in_background(project)
        try:
            until(lambda: not queue.is_empty(store), "the order")
        finally:
            ordering.stop()


def test_clips_that_came_after_the_order_are_last_in_it(store: Store) -> None:
    import_records(store, [one for name in "abc" for one in records_of(name)], kind="audio", source="test")
    assert queue.is_empty(store)
    queue.replace(store, [3, 1, 2])
    import_records(store, records_of("d"), kind="audio", source="test")
    assert [clip.id for clip in next_clips.next_clips(store, 4, annotator="ann")] == [3, 1, 2, 4]
    journal.annotate(store, 3, "dog", annotator="ann")
    assert [clip.id for clip in next_clips.next_clips(store, 2, annotator="ann")] == [1, 2]


def test_labels_saved_are_unknown_before_a_simulation_and_with_a_damaged_file(project: Project) -> None:
    def statistics() -> dict[str, Any]:
        return labeltool_json(project, "stats")

    assert statistics()["labels_saved"] is None
    saved = speed.LabelsSaved("default", 0.8, 40, 100, 60, None)
    speed.write_labels_saved(project.cache, saved)
    assert speed.labels_saved(project.cache) == saved
    assert statistics()["labels_saved"]["labels_at_random"] == 100
    (project.cache / "simulations" / "labels_saved.json").write_text('{"labels": 3')
    assert speed.labels_saved(project.cache) is None
