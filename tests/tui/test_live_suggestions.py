"""Suggestions from the first clip on: classes before a label, each answer in the next suggestion, one true account."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from helpers.app import answer, clip_on, fill, opened, suggest, text_of, until
from helpers.described import add_pretrained, describe
from helpers.exports import model_card
from helpers.waits import DEADLINE_S
from labeltool.active_learning.suggester_state import live_pretrained, suggester_state
from labeltool.annotation.batch_review import GroupPage
from labeltool.networks import model_folder
from labeltool.networks.model_card import PretrainedComparison
from labeltool.pretrained.describe import DescribeResult
from labeltool.project import Project
from labeltool.store import Store, clips, groups, journal
from labeltool.tasks.registry import Task
from labeltool.tui.background import task as background_task
from labeltool.tui.background.live import LiveSuggestions
from labeltool.tui.dialogs.palette import Choices, Palette
from labeltool.tui.screens.label import LabelScreen
from labeltool.type_aliases import Progress


class Job:
    """A task that describes clips, all at once when it may, and never does anything else."""

    def __init__(self, project: Project, task: Task[Any]) -> None:
        self._project, self._describes = project, task.name == "describe"
        self.log = project.cache / "logs" / f"{task.name}.log"
        self.may_go_on = threading.Event()

    def wait(self, report: Progress) -> DescribeResult:
        assert self.may_go_on.wait(DEADLINE_S)
        with self._project.open_store() as store:
            unlabelled = clips.unlabelled(store)
        describe(self._project, unlabelled)
        for number, clip in enumerate(unlabelled):
            report("describing clips", number, 0, str(clip.id))
        return DescribeResult(len(unlabelled), 0)

    def stop(self) -> None:
        self.may_go_on.set()


@dataclass
class Jobs:
    """The tasks that the app has started, by name."""

    started: dict[str, Job]

    def start(self, project: Project, task: Task[Any], **_: Any) -> Job:
        self.started[task.name] = Job(project, task)
        return self.started[task.name]


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> dict[str, Job]:
    executor = Jobs({})
    monkeypatch.setattr(background_task, "default_executor", lambda: executor)
    return executor.started


@pytest.fixture
def unlabelled(project: Project, tmp_path: Path, jobs: dict[str, Job]) -> Project:
    """Eight tones, four of them high, no label, and a pretrained model that knows bells from dogs."""
    fill(project, tmp_path / "sounds", 8)
    add_pretrained(project)
    learning = replace(project.settings.learning, pretrained="net", retrain_after=0)
    return replace(project, settings=replace(project.settings, learning=learning))


def is_high(screen: LabelScreen) -> bool:
    return int(clip_on(screen).path.split("tone")[-1].removesuffix(".wav")) >= 3  # 300 Hz steps: above 1000 Hz


def first_class(screen: LabelScreen) -> str:
    return next(iter(screen.current.proposed), "") if screen.current else ""


async def test_classes_are_proposed_before_a_label_and_each_answer_counts_at_once(unlabelled: Project) -> None:
    with unlabelled.open_store() as store:
        describe(unlabelled, clips.unlabelled(store))
    async with opened(unlabelled, size=(130, 34)) as (app, screen, pilot):
        live = app.services.live
        assert list(live.class_names()) == ["Animal", "Bell", "Dog"]
        await until(pilot, lambda: first_class(screen) == ("Bell" if is_high(screen) else "Dog"), "the specific class")
        assert screen.source == "net, no labelled clip yet"
        name = "ping" if is_high(screen) else "woof"
        kind = is_high(screen)
        with patch.object(app.services.prefetcher, "request_queue"):
            await answer(screen, pilot, "/", *name, "enter")
            await pilot.pause()
            assert screen.source == "net, no labelled clip yet …"  # the answer is not included yet
        screen.reload()
        await until(pilot, lambda: screen.source == "net, 1 labelled clip", "the answer in the suggestion")
        assert screen.current is not None and screen.current.suggestion is not None
        assert screen.current.model_uid
        share = screen.current.probabilities[name]
        assert share > 0.5 if is_high(screen) == kind else share < 0.5
        await until(pilot, lambda: "net, 1 labelled clip" in text_of(screen.header), "the header")
        with unlabelled.open_store() as store:
            state = suggester_state(unlabelled, store)
        assert state is not None and state.source == "net, 1 labelled clip"  # what `status` prints
        await pilot.press("u")
        await until(pilot, lambda: screen.source == "net, no labelled clip yet", "the answer undone")
        assert name not in screen.current.probabilities


async def test_a_new_label_that_is_undone_leaves_the_suggestions_as_they_were(unlabelled: Project) -> None:
    with unlabelled.open_store() as store:
        describe(unlabelled, clips.unlabelled(store))
    async with opened(unlabelled, size=(130, 34)) as (_, screen, pilot):
        await until(pilot, lambda: first_class(screen) in ("Bell", "Dog") and len(screen.choices) > 1, "the classes")

        def suggested() -> dict[str, float | None]:
            return {one.label: one.probability for one in screen.choices if one.is_suggested}

        assert screen.current is not None
        clip, before, first = screen.current.clip, suggested(), screen.first_choice
        assert first is not None and first.is_new
        await answer(screen, pilot, first.key)
        await until(pilot, lambda: screen.source == "net, 1 labelled clip", "the label in the suggestion")
        await pilot.press("u")
        await until(pilot, lambda: screen.source == "net, no labelled clip yet", "the label undone")
        assert screen.current.clip == clip
        assert suggested() == before and [one.label for one in screen.choices if not one.is_new] == [first.label]


async def test_a_clip_that_is_described_while_it_is_on_the_screen_gets_its_suggestion(
    unlabelled: Project, jobs: dict[str, Job]
) -> None:
    async with opened(unlabelled) as (_, screen, pilot):
        await until(pilot, lambda: "describe" in jobs, "the task")
        here = screen.current
        assert here is not None and not here.proposed
        jobs["describe"].may_go_on.set()
        await until(pilot, lambda: first_class(screen), "the classes of the clip on the screen")
        assert clip_on(screen) == here.clip


async def test_the_palette_finds_a_class_that_the_pretrained_model_predicts_first(unlabelled: Project) -> None:
    with unlabelled.open_store() as store:
        describe(unlabelled, clips.unlabelled(store))
    async with opened(unlabelled, size=(130, 34)) as (app, screen, pilot):
        await until(pilot, lambda: first_class(screen), "the classes")
        screen.current = replace(screen.current, proposed={})  # as where the labels of the project explain the clip
        screen.update_choices()
        await pilot.press("/", "a", "n")
        await until(pilot, lambda: isinstance(app.screen, Palette) and app.screen.query(Choices), "the palette")
        await until(pilot, lambda: app.screen.query_one(Choices).chosen == "Animal", "the class before what was typed")
        await pilot.press("i")
        await until(pilot, lambda: app.screen.query_one(Choices).chosen == "Animal", "the class again")
        await pilot.press("escape")


async def test_a_page_of_similar_clips_is_named_by_their_common_class(unlabelled: Project) -> None:
    with unlabelled.open_store() as store:
        everything = clips.unlabelled(store)
        describe(unlabelled, everything)
    async with opened(unlabelled) as (app, screen, pilot):
        await until(pilot, lambda: first_class(screen) in ("Bell", "Dog"), "what is usual here")
        high = tuple(clip.id for clip in everything if "tone3" in clip.path or "tone4" in clip.path)
        page = GroupPage(high, frozenset(), len(high), 0, {})
        page = await app.services.reader.do(lambda store: app.services.live.suggestions_for_page(store, page))
        assert next(iter(page.proposed)) == "Bell"
        # Once there is a label, it is predicted for the page, whatever the store has.
        await answer(screen, pilot, "/", *"ping", "enter")
        await until(pilot, lambda: screen.source == "net, 1 labelled clip", "the answer")
        page = await app.services.reader.do(lambda store: app.services.live.suggestions_for_page(store, page))
        assert list(page.probabilities) == ["ping"]


async def test_a_class_maps_to_a_label_with_another_name(unlabelled: Project) -> None:
    async with opened(unlabelled) as (app, _, _pilot):
        app.services.live.map_class("woof", "Dog")
        app.services.live.map_class("bell", "Bell")  # by its name already
        (mapping,) = unlabelled.models.glob("pretrained/net/mapping.toml")
        assert 'woof = ["Dog"]' in mapping.read_text() and "bell" not in mapping.read_text().split("\n", 3)[-1]


def test_a_network_suggests_only_where_it_was_measured_to_be_better_and_is_not_far_behind(unlabelled: Project) -> None:
    def compared(model_id: int, *, is_worse: bool) -> None:
        result = PretrainedComparison("net", 1, ("woof",), "why", is_worse=is_worse)
        card = replace(model_card(("woof", "ping")), worse_pretrained=result)
        (unlabelled.models / str(model_id)).mkdir(exist_ok=True)
        model_folder.write(unlabelled.models / str(model_id), card=card, int8=b"", seen=[])

    suggest(unlabelled, labels=("woof", "ping"))
    with unlabelled.open_store() as store:
        assert live_pretrained(unlabelled, store) == "net"  # never compared
        compared(1, is_worse=False)  # there were too many clips to compare them
        assert live_pretrained(unlabelled, store) == "net"
        compared(1, is_worse=True)
        assert live_pretrained(unlabelled, store) is None
        state = suggester_state(unlabelled, store)
        assert state is not None and (state.kind, state.source) == ("network", "model 1, 2 labelled clips")
        # What was measured on hard clips is not called accuracy.
        assert state.accuracy_text == "90% of its validation clips right"
        for clip in clips.unlabelled(store):
            journal.annotate(store, clip.id, "woof", annotator="ann")
        assert live_pretrained(unlabelled, store) == "net"  # eight labels newer than its suggestions


async def test_too_few_labels_are_no_accuracy(unlabelled: Project) -> None:
    with unlabelled.open_store() as store:
        describe(unlabelled, clips.unlabelled(store))
        for clip in clips.unlabelled(store)[:3]:
            journal.annotate(store, clip.id, "woof", annotator="before")
        describe(unlabelled, [one.clip for one in clips.labelled(store)])
    async with opened(unlabelled, size=(130, 34)) as (_, screen, pilot):
        await until(pilot, lambda: screen.source == "net, 3 labelled clips", "the labels of before")
        assert "%" not in text_of(screen.header)
        with unlabelled.open_store() as store:
            assert str(suggester_state(unlabelled, store)).endswith("too few labels to say how often it is right")


def test_the_live_classifier_has_no_clip_of_the_locked_test_set(unlabelled: Project) -> None:
    live = LiveSuggestions(unlabelled, "ann", lambda: None)

    def classified(store: Store) -> list[int]:
        live.update(store)
        while live.due_in_s == 0.0 and live.work(store):
            pass
        assert live._opened is not None
        return sorted(live._opened.model.classifier.keys)

    with unlabelled.open_store() as store:
        describe(unlabelled, clips.unlabelled(store))
        for clip_id in (1, 2, 3):
            journal.annotate(store, clip_id, "dog", annotator="ann")
        assert classified(store) == [1, 2, 3]
        recording_of = {clip.id: clip.recording_id for clip in clips.all_clips(store)}
        groups.lock_recordings(store, [recording_of[2], recording_of[4]], annotator="ann")
        assert classified(store) == [1, 3]
        for clip_id in (4, 5):
            journal.annotate(store, clip_id, "bell", annotator="ann")
        assert classified(store) == [1, 3, 5]
        groups.unlock(store, annotator="ann")
        assert classified(store) == [1, 2, 3, 4, 5]
    live.stop()
