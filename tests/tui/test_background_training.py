"""Training in the background of the labelling app."""

from __future__ import annotations

import os
import signal
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from helpers.app import DEADLINE_S, answer, opened, suggest, text_of, until, verdicts
from labeltool.errors import LabeltoolError
from labeltool.project import Project
from labeltool.store import Store
from labeltool.tasks.executor import JobStopped
from labeltool.tasks.process import LocalProcesses, ProcessJob
from labeltool.tasks.registry import Task
from labeltool.tui import app_training
from labeltool.tui.background import task as background_task
from labeltool.type_aliases import Progress
from labeltool.util import extras


@dataclass(frozen=True)
class Finished:
    """A result with the id of a model."""

    model: int


class FakeJob:
    """A training that ends when and how the test wants."""

    first_report: tuple[str, int, int] = ("training", 1, 4)

    def __init__(self, log: Path) -> None:
        self.log = log
        self.result: Finished | None = None
        self.may_end = threading.Event()
        self.failure: LabeltoolError | None = None
        self.stopped = False

    def wait(self, report: Progress) -> Finished:
        report(*self.first_report)
        assert self.may_end.wait(DEADLINE_S)
        if self.failure is not None:
            raise self.failure
        if self.result is None:
            raise JobStopped
        return self.result

    def stop(self) -> None:
        self.stopped = True
        self.may_end.set()


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch, app_project: Project) -> list[FakeJob]:
    """The trainings that the app has started."""
    started: list[FakeJob] = []

    class FakeExecutor:
        def start(self, _: Project, task: Task[Any], **__: Any) -> FakeJob:
            started.append(FakeJob(app_project.cache / "logs" / f"{task.name}.log"))
            return started[-1]

    monkeypatch.setattr(background_task, "default_executor", FakeExecutor)
    return started


def with_learning(project: Project, **learning: Any) -> Project:
    """Return the project with other settings of the table `[learning]`."""
    settings = replace(project.settings, learning=replace(project.settings.learning, **learning))
    return replace(project, settings=settings)


async def test_training_starts_by_itself_after_enough_labels_and_once(
    app_project: Project, jobs: list[FakeJob]
) -> None:
    eager = with_learning(app_project, retrain_after=3)
    async with opened(eager) as (_, screen, pilot):
        state = screen.services.state
        await until(pilot, lambda: state.model is not None, "the model's state")
        await answer(screen, pilot, "n")  # the clip of the fixture and this one: two
        await until(pilot, lambda: state.model is not None and state.model.pending == 2, "the count")
        assert not jobs
        await answer(screen, pilot, "n")
        await until(pilot, lambda: len(jobs) == 1, "the training")
        await answer(screen, pilot, "n")
        await pilot.press("t")
        assert "running already" in screen.notice.text
        await until(pilot, lambda: "training" in text_of(screen.header), "its progress")
        assert len(jobs) == 1


async def test_without_tensorflow_the_app_names_what_to_install_where_it_would_train(
    app_project: Project, jobs: list[FakeJob], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extras, "has_tensorflow", lambda: False)
    eager = with_learning(app_project, retrain_after=3)
    async with opened(eager) as (_, screen, pilot):
        await pilot.press("t")
        assert 'needs TensorFlow, which is not installed (`pip install "labeltool[train]"`' in screen.notice.text
        await answer(screen, pilot, "n")
        assert "TensorFlow" not in screen.notice.text
        state = screen.services.state
        await until(pilot, lambda: state.model is not None and state.model.pending == 2, "the count")
        await answer(screen, pilot, "n")
        await until(pilot, lambda: "needs TensorFlow" in screen.notice.text, "the reason")
        assert not jobs


async def test_one_label_alone_starts_no_training(app_project: Project, jobs: list[FakeJob]) -> None:
    eager = with_learning(app_project, retrain_after=2)
    async with opened(eager) as (label_app, screen, pilot):
        await until(pilot, lambda: label_app.services.state.label_counts.get("low") == 1, "the count")
        for _ in range(2):
            await answer(screen, pilot, "1")
        state = label_app.services.state
        await until(pilot, lambda: state.model is not None and state.model.pending >= 3, "the count of new labels")
        assert not jobs and state.label_counts["low"] == 3
        await answer(screen, pilot, "n")
        await until(pilot, lambda: jobs, "a training")


async def test_new_suggestions_appear_with_the_next_clip_not_with_the_one_on_the_screen(
    app_project: Project, jobs: list[FakeJob]
) -> None:
    suggest(app_project, labels=("high", "low"))
    async with opened(app_project) as (_, screen, pilot):
        before = screen.current
        assert screen.first_choice is not None and screen.first_choice.label == "high"
        await pilot.press("t")
        await until(pilot, lambda: jobs, "the training")
        suggest(app_project, labels=("low", "high"), accuracy=None)
        jobs[0].result = Finished(2)
        jobs[0].may_end.set()
        state = screen.services.state
        await until(pilot, lambda: state.model is not None and state.model.id == 2, "the new model")
        assert screen.current is before
        assert screen.first_choice is not None and screen.first_choice.label == "high"
        assert "model 2" in text_of(screen.header)
        await answer(screen, pilot, "1")
        assert screen.first_choice is not None and screen.first_choice.label == "low"


async def test_a_failed_training_is_shown_in_one_line_with_its_log_and_not_tried_again_at_once(
    app_project: Project, jobs: list[FakeJob]
) -> None:
    eager = with_learning(app_project, retrain_after=1)
    async with opened(eager) as (_, screen, pilot):
        await pilot.press("t")
        await until(pilot, lambda: jobs, "the training")
        jobs[0].failure = LabeltoolError("too few labels")
        jobs[0].may_end.set()
        await until(pilot, lambda: "too few labels; log: cache/logs/retrain.log" in screen.notice.text, "the line")
        assert len(jobs) == 1
        await answer(screen, pilot, "n")
        await until(pilot, lambda: len(jobs) == 2, "another training after another label")


async def test_a_training_is_stopped_by_a_key_and_started_again_by_another(
    app_project: Project, jobs: list[FakeJob]
) -> None:
    async with opened(app_project) as (app, screen, pilot):
        await pilot.press("ctrl+t")
        await until(pilot, lambda: "no training is running" in screen.notice.text, "the notice")
        await pilot.press("t")
        await until(pilot, lambda: jobs, "the training")
        await pilot.press("ctrl+t")
        await until(pilot, lambda: "training stopped" in screen.notice.text, "its end")
        assert jobs[0].stopped and "training" not in text_of(screen.header)
        await until(pilot, lambda: not app.services.trainer.busy, "the thread's end")
        await pilot.press("t")
        await until(pilot, lambda: len(jobs) == 2, "another training")


async def test_a_killed_training_names_its_log_and_labelling_goes_on(
    app_project: Project, reading: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed:
        def start(self, *arguments: Any, **options: Any) -> ProcessJob[Any]:
            job = LocalProcesses().start(*arguments, **options)
            os.killpg(job.process_id, signal.SIGKILL)
            return job

    monkeypatch.setattr(background_task, "default_executor", Killed)
    async with opened(app_project) as (_, screen, pilot):
        await pilot.press("t")
        await until(pilot, lambda: "killed by signal 9" in screen.notice.text, "the line")
        assert "cache/logs/retrain.log" in screen.notice.text
        assert "\n" not in screen.notice.text
        await answer(screen, pilot, "n")
    assert len(verdicts(reading)) == 1


async def test_a_training_under_way_elsewhere_is_shown_and_is_no_error(
    app_project: Project, jobs: list[FakeJob], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeJob, "first_report", ("waiting for another retraining (process 7)", 0, 0))
    async with opened(app_project) as (_, screen, pilot):
        await pilot.press("t")
        await until(pilot, lambda: "training elsewhere" in text_of(screen.header), "the header")
        assert "waiting for another retraining (process 7)" in screen.notice.text
        jobs[0].result = Finished(3)
        jobs[0].may_end.set()
        await until(pilot, lambda: "model 3 is trained" in screen.notice.text, "the other's model")


async def test_a_training_behind_the_suggestions_of_this_app_is_not_elsewhere_and_can_be_stopped_at_once(
    app_project: Project, jobs: list[FakeJob], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeJob, "first_report", ("waiting for another suggester (process 7)", 0, 0))
    async with opened(app_project, size=(130, 30)) as (app, screen, pilot):
        await pilot.press("t")
        await until(pilot, lambda: "waits for suggestions" in text_of(screen.header), "the header")
        assert "elsewhere" not in text_of(screen.header) and "waits for the suggestions" in screen.notice.text
        monkeypatch.setattr(app.services.trainer, "cancel", lambda: True)
        await pilot.press("ctrl+t")
        await until(pilot, lambda: "stopping the training" in screen.notice.text, "the notice")
        jobs[0].may_end.set()


async def test_quitting_stops_a_running_training(app_project: Project, jobs: list[FakeJob]) -> None:
    async with opened(app_project) as (_, _screen, pilot):
        await pilot.press("t")
        await until(pilot, lambda: jobs, "the training")
        await pilot.press("q")
    assert jobs[0].stopped


async def test_a_pretrained_model_makes_new_suggestions_after_a_few_labels_and_the_header_names_it(
    app_project: Project, jobs: list[FakeJob], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app_training, "SUGGEST_AFTER", 2)
    suggest(app_project, labels=("high", "low"), pretrained="[b]model")
    with_model = with_learning(app_project, pretrained="[b]model", retrain_after=0)
    async with opened(with_model, size=(120, 30)) as (_, screen, pilot):
        state = screen.services.state
        await until(pilot, lambda: "[b]model, 2 labelled" in text_of(screen.header), "the model's name")
        # How often it was right on the labelled clips, which are the hard ones, is no accuracy.
        assert "90%" not in text_of(screen.header)
        await answer(screen, pilot, "n")
        await until(pilot, lambda: state.model is not None and state.model.pending_suggest == 1, "the count")
        assert not jobs
        await answer(screen, pilot, "n")
        await until(pilot, lambda: len(jobs) == 1, "the task")
        assert jobs[0].log.name == "renew.log"
        suggest(app_project, labels=("low", "high"), pretrained="[b]model", accuracy=0.5)
        jobs[0].result = Finished(2)
        jobs[0].may_end.set()
        await until(pilot, lambda: "new suggestions" in screen.notice.text, "the new suggestions")
        assert len(jobs) == 1


async def test_a_project_without_a_pretrained_model_in_its_settings_starts_no_task(
    app_project: Project, jobs: list[FakeJob], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app_training, "SUGGEST_AFTER", 1)
    lazy = with_learning(app_project, retrain_after=0)
    async with opened(lazy) as (_, screen, pilot):
        state = screen.services.state
        await answer(screen, pilot, "n")
        await until(pilot, lambda: state.model is not None and state.model.pending == 2, "the count")
    assert not jobs
