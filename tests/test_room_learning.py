"""The labelling room, while a model is trained behind it."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import room_helpers
from room_helpers import (
    DEADLINE_S,
    answer,
    opened,
    suggest,
    text_of,
    until,
    verdicts,
)

from labeltool.errors import LabeltoolError
from labeltool.project import Project
from labeltool.store import Store
from labeltool.tasks.process import Child
from labeltool.tui import app
from labeltool.tui.background import task as background_task

room_project = room_helpers.room_project
reading = room_helpers.reading


class FakeChild:
    """Stands in for a training, which says what the test lets it say."""

    started: list[FakeChild]

    def __init__(self, log: Path) -> None:
        self.log = log
        self.says: list[dict[str, Any]] = []
        self.go_on = threading.Event()
        self.fails: LabeltoolError | None = None
        self.stopped = False

    def messages(self) -> Iterator[dict[str, Any]]:
        yield {"event": "progress", "stage": "training", "done": 1, "total": 4, "text": ""}
        assert self.go_on.wait(DEADLINE_S)
        if self.fails is not None:
            raise self.fails
        yield from self.says

    def stop(self) -> None:
        self.stopped = True
        self.go_on.set()


@pytest.fixture
def children(monkeypatch: pytest.MonkeyPatch, room_project: Project) -> list[FakeChild]:
    """The trainings the room has started."""
    started: list[FakeChild] = []

    class Starter:
        @staticmethod
        def start(_: Project, task: str, **__: Any) -> FakeChild:
            started.append(FakeChild(room_project.cache / "logs" / f"{task}.log"))
            return started[-1]

    monkeypatch.setattr(background_task, "Child", Starter)
    return started


async def test_training_starts_by_itself_after_enough_answers_and_once(
    room_project: Project, children: list[FakeChild]
) -> None:
    eager = replace(room_project, settings=replace(room_project.settings, retrain_after=4))
    async with opened(eager) as (_, screen, pilot):
        state = screen.services.state
        await until(pilot, lambda: state.model is not None, "the model's state")
        await answer(screen, pilot, "n")  # two verdicts of the fixture and this one: three
        await until(pilot, lambda: state.model is not None and state.model.pending == 3, "the count")
        assert not children
        await answer(screen, pilot, "n")
        await until(pilot, lambda: len(children) == 1, "the training")
        await answer(screen, pilot, "n")
        await pilot.press("t")
        assert "under way" in screen.notice.text
        await until(pilot, lambda: "training" in text_of(screen.header), "its progress")
        assert len(children) == 1


async def test_one_sound_alone_sets_no_training_off(room_project: Project, children: list[FakeChild]) -> None:
    eager = replace(room_project, settings=replace(room_project.settings, retrain_after=2))
    async with opened(eager) as (room, screen, pilot):
        await until(pilot, lambda: room.services.state.used.get("low") == 1, "the count")
        for _ in range(2):
            await answer(screen, pilot, "1")
        state = room.services.state
        await until(pilot, lambda: state.model is not None and state.model.pending >= 4, "the count of what is new")
        assert not children and state.used["low"] == 3
        await answer(screen, pilot, "n")
        await until(pilot, lambda: children, "a training")


async def test_new_suggestions_come_with_the_next_clip_not_under_ones_fingers(
    room_project: Project, children: list[FakeChild]
) -> None:
    suggest(room_project, labels=("high", "low"))
    async with opened(room_project) as (_, screen, pilot):
        before = screen.now
        assert next(offer.label for offer in screen.offers) == "high"
        await pilot.press("t")
        await until(pilot, lambda: children, "the training")
        suggest(room_project, labels=("low", "high"), accuracy=None)
        children[0].says = [{"event": "done", "result": {"model": 2}}]
        children[0].go_on.set()
        state = screen.services.state
        await until(pilot, lambda: state.model is not None and state.model.id == 2, "the new model")
        assert screen.now is before
        assert next(offer.label for offer in screen.offers) == "high"
        assert "model 2" in text_of(screen.header)
        await answer(screen, pilot, "1")
        assert next(offer.label for offer in screen.offers) == "low"


async def test_a_failed_training_is_one_line_with_its_log_and_is_not_tried_again_at_once(
    room_project: Project, children: list[FakeChild]
) -> None:
    eager = replace(room_project, settings=replace(room_project.settings, retrain_after=1))
    async with opened(eager) as (_, screen, pilot):
        await pilot.press("t")
        await until(pilot, lambda: children, "the training")
        children[0].fails = LabeltoolError("too few labels")
        children[0].go_on.set()
        await until(pilot, lambda: "too few labels; log: cache/logs/retrain.log" in screen.notice.text, "the line")
        assert len(children) == 1
        await answer(screen, pilot, "n")
        await until(pilot, lambda: len(children) == 2, "another training after another answer")


async def test_a_killed_training_names_its_log_and_labelling_goes_on(
    room_project: Project, reading: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Doomed:
        @staticmethod
        def start(*given: Any, **named: Any) -> Child:
            child = Child.start(*given, **named)
            os.killpg(child._process.pid, signal.SIGKILL)
            return child

    monkeypatch.setattr(background_task, "Child", Doomed)
    async with opened(room_project) as (_, screen, pilot):
        await pilot.press("t")
        await until(pilot, lambda: "killed by signal 9" in screen.notice.text, "the line")
        assert "cache/logs/retrain.log" in screen.notice.text
        assert "\n" not in screen.notice.text
        await answer(screen, pilot, "n")
    assert len(verdicts(reading)) == 1


async def test_leaving_stops_a_running_training(room_project: Project, children: list[FakeChild]) -> None:
    async with opened(room_project) as (_, _screen, pilot):
        await pilot.press("t")
        await until(pilot, lambda: children, "the training")
        await pilot.press("q")
    assert children[0].stopped


async def test_a_borrowed_ear_suggests_anew_after_a_handful_of_answers_and_the_header_names_it(
    room_project: Project, children: list[FakeChild], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "HANDFUL", 2)
    suggest(room_project, labels=("high", "low"), ear="[b]ear")
    eared = replace(room_project, settings=replace(room_project.settings, ear="[b]ear", retrain_after=0))
    async with opened(eared, size=(120, 30)) as (_, screen, pilot):
        state = screen.services.state
        await until(pilot, lambda: "[b]ear suggests · 90% right" in text_of(screen.header), "who suggests")
        await answer(screen, pilot, "n")
        await until(pilot, lambda: state.model is not None and state.model.unheard == 1, "the count")
        assert not children
        await answer(screen, pilot, "n")
        await until(pilot, lambda: len(children) == 1, "the suggesting")
        assert children[0].log.name == "suggest.log"
        suggest(room_project, labels=("low", "high"), ear="[b]ear", accuracy=0.5)
        children[0].says = [{"event": "done", "result": {"model": 2}}]
        children[0].go_on.set()
        await until(pilot, lambda: "50% right" in text_of(screen.header), "the new suggestions")
        assert len(children) == 1


async def test_a_project_without_an_ear_of_its_settings_asks_none(
    room_project: Project, children: list[FakeChild], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "HANDFUL", 1)
    lazy = replace(room_project, settings=replace(room_project.settings, retrain_after=0))
    async with opened(lazy) as (_, screen, pilot):
        state = screen.services.state
        await answer(screen, pilot, "n")
        await until(pilot, lambda: state.model is not None and state.model.pending == 3, "the count")
    assert not children
