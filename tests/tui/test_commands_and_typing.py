"""The palette of commands does what it says, and nothing that is typed fast is lost or goes elsewhere."""

from __future__ import annotations

from dataclasses import replace
from unittest.mock import patch

import pytest
from textual import events
from textual.pilot import Pilot
from textual.widgets import Static

from helpers.app import answer, clip_on, opened, shows, suggest, text_of, until, verdicts
from helpers.tmux import Terminal
from labeltool.project import Project
from labeltool.store import Store, clips, journal, labels
from labeltool.tui.app import LabelApp
from labeltool.tui.dialogs.commands import commands
from labeltool.tui.dialogs.labels import LabelRows, LabelsScreen
from labeltool.tui.dialogs.palette import Choices, Palette, _Names
from labeltool.tui.dialogs.prompts import Confirm, KeyPrompt
from labeltool.tui.keymap import is_label_key
from labeltool.tui.keys import VIEWS
from labeltool.tui.label_choices import search


async def type_at_once(app: LabelApp, pilot: Pilot[None], *keys: str) -> None:
    """Press keys without a pause between them, as a paste in a terminal without bracketed paste does."""
    assert app._driver is not None
    came_at = None
    for key in keys:
        name = {"/": "slash", ":": "colon", " ": "space", "-": "minus"}.get(key, key)
        event = events.Key(name, key if len(key) == 1 else None)
        came_at = event.time = came_at or event.time  # however busy the machine is
        event.set_sender(app)
        app._driver.send_message(event)
    await until(pilot, lambda: app._typed.empty(), "the keys")


def test_a_name_that_is_cut_does_not_touch_its_key() -> None:
    name = "export a package for the MCU and much more"
    choices = Choices(_Names((name,), (), (), False, synonyms={}, keys={name: "ctrl+e"}))
    assert choices.line(0, 30).plain == " export a package fo…  ctrl+e "


# -- the palette of commands


def test_every_key_of_a_view_but_those_of_labels_is_one_command() -> None:
    for view in VIEWS:
        found = commands(view, (), {})
        actions = [key.action for key in view.keys if not is_label_key(key) and key.name != "commands"]
        assert sorted(command.action for command in found) == sorted(actions), view.name
        assert len({command.title for command in found}) == len(found), view.name


@pytest.mark.parametrize(
    ("typed", "action"),
    [
        *(("quit", "app.quit"), ("exit", "app.quit"), ("close", "app.quit"), ("theme", "app.theme")),
        *(("dark", "app.theme"), ("light", "app.theme"), ("rename", "app.labels"), ("export", "app.export")),
        *(("settings", "app.settings"), ("redo", "redo"), ("undo", "undo"), ("help", "help")),
    ],
)
def test_a_command_is_found_by_its_name_and_its_synonyms(typed: str, action: str) -> None:
    for view in VIEWS:
        found = {command.title: command for command in commands(view, (), {})}
        if action in {command.action for command in found.values()}:
            first = search(typed, list(found), {title: command.synonyms for title, command in found.items()})[0]
            assert found[first].action == action, view.name


async def test_the_palette_shows_keys_and_finds_a_label(app_project: Project, reading: Store) -> None:
    async with opened(app_project) as (app, screen, pilot):
        await shows(pilot, Palette, "colon", *"quit")
        first = text_of(app.screen.query_one(Choices)).splitlines()[0]
        assert first.strip().startswith("quit") and first.strip().endswith("q")
        await pilot.press("escape", "colon", *"low")
        await answer(screen, pilot, "enter")
    assert [label for _, label, _, _ in verdicts(reading)] == ["low"]


@pytest.mark.parametrize(
    ("typed", "chosen"),
    [("rain", "rain"), ("trai", "train"), ("dog", "Dog"), ("ell", "ell"), ("b", "b"), ("two", "two")],
)
async def test_a_new_name_is_no_label_or_class_that_only_has_its_letters(
    app_project: Project, typed: str, chosen: str
) -> None:
    async with opened(app_project) as (app, _, pilot):
        app.push_screen(Palette("", ["train"], new=["Bell", "Dog", "Livestock, farm animals, working animals"]))
        await until(pilot, lambda: isinstance(app.screen, Palette), "the palette")
        await pilot.press(*typed)
        choices = app.screen.query_one(Choices)
        await until(pilot, lambda: choices.chosen == chosen, "the name")
        shown = text_of(choices)
        assert all(name in shown for name in ("train", "Bell") if name.lower().endswith(typed))
        await pilot.press("escape")


async def test_predicted_classes_come_before_a_new_label_and_other_classes_after_it(app_project: Project) -> None:
    async with opened(app_project) as (app, _, pilot):
        classes = ["Baby laughter", "Baby cry, infant cry", "Child speech", "Baby"]
        app.push_screen(Palette("", ["my baby", "sea", "Clock", "ambay"], new=classes[:3], predicted=[classes[1]]))
        await until(pilot, lambda: isinstance(app.screen, Palette) and app.screen.query(Choices), "the palette")
        choices = app.screen.query_one(Choices)
        for typed, names in {
            "baby": ["my baby", "Baby cry, infant cry", "baby", "Baby laughter"],
            "sea": ["sea"],
            "clock": ["Clock", "clock"],
            "cry bab": ["Baby cry, infant cry", "cry bab"],
            "crying_baby": ["crying_baby", "Baby cry, infant cry"],
            "clocks": ["clocks", "Clock"],
            "aby": ["aby", "my baby", "Baby cry, infant cry", "Baby laughter", "ambay"],
        }.items():
            await pilot.press("ctrl+u", *typed)
            await until(pilot, lambda names=names: choices._shown[0] == names[0], typed)
            assert sorted(choices._shown) == sorted(names) if typed == "aby" else choices._shown == names
        await pilot.press("escape")


async def test_after_the_undo_of_a_merge_everything_has_the_labels_of_before(
    app_project: Project, reading: Store
) -> None:
    suggest(app_project)
    async with opened(app_project) as (_, screen, pilot):
        await until(pilot, lambda: len(screen.services.state.labels) == 2, "labels")
        before = {(choice.label, choice.key, choice.is_new) for choice in screen.choices}
        counts = dict(screen.services.state.label_counts)
        with app_project.open_store() as store:
            labels.rename(store, "low", "high", annotator="ann")
        await shows(pilot, LabelsScreen, "f3")
        await until(pilot, lambda: [one.name for one in screen.services.state.labels] == ["high"], "one label")
        await pilot.press("escape")
        await until(pilot, lambda: [choice.label for choice in screen.choices] == ["high"], "no label of that name")
        with patch.object(screen.services.prefetcher, "request_queue", return_value=-1):
            await pilot.press("u")
            await until(pilot, lambda: "undone" in screen.notice.text, "undo")
            state = screen.services.state
            await until(pilot, lambda: len(state.labels) == 2, "both labels")
            assert {(choice.label, choice.key, choice.is_new) for choice in screen.choices} == before
            assert state.label_counts == counts
            await pilot.press("U")
            await until(pilot, lambda: len(state.labels) == 1, "redo")


async def test_labels_that_another_annotator_merges_leave_the_page_of_labels(app_project: Project) -> None:
    with app_project.open_store() as store:
        labels.add_label(store, "middle", key="")
    async with opened(app_project) as (app, screen, pilot):
        await until(pilot, lambda: len(screen.services.state.labels) == 3, "labels")
        await shows(pilot, LabelsScreen, "f3", "down", "down")
        screen.services.state.labels = screen.services.state.labels[:1]
        selected = app.screen.query_one(LabelRows).selected
        assert selected.name == screen.services.state.labels[0].name


async def test_a_key_of_a_proposal_that_another_annotator_took_labels_nothing_at_once(
    app_project: Project, reading: Store
) -> None:
    async with opened(app_project, repeat_s=600.0) as (_, screen, pilot):
        assert screen.current is not None
        screen.current = replace(screen.current, proposed={"Sneeze": 0.9})
        screen.update_choices()
        [proposal] = [choice for choice in screen.choices if choice.is_new]
        taken = labels.ProjectLabel("Apple", proposal.key, "blue")
        screen.services.state.labels = [*screen.services.state.labels, taken]
        screen.update_choices()
        keys = {choice.label: choice.key for choice in screen.choices}
        assert keys["Apple"] == proposal.key != keys["Sneeze"]
        await pilot.press(proposal.key)
        assert screen.notice.text == "this is the key of Apple by now: again gives it"
    assert verdicts(reading) == []


# -- typing fast


async def test_a_label_that_is_typed_at_once_loses_no_letter(app_project: Project, reading: Store) -> None:
    async with opened(app_project) as (app, screen, pilot):
        here = []
        for label in ("sundbe", "hedge", "123"):
            assert screen.current is not None
            before = screen.current
            here.append((before.clip.id, label))
            await type_at_once(app, pilot, "/", *label, "enter")
            await until(pilot, lambda before=before: screen.current not in (None, before), "the next clip")
        assert [row[:2] for row in verdicts(reading)] == here


async def test_several_labels_in_one_burst_each_get_their_clip(app_project: Project, reading: Store) -> None:
    async with opened(app_project) as (app, screen, pilot):
        await until(pilot, lambda: screen.choices and len(screen._queue._ready) == 3, "the queue")
        order = [clip_on(screen).id, *(ready.clip.id for ready in screen._queue._ready)]
        await type_at_once(app, pilot, "/", *"dog", "enter", "1", "/", *"bad", "enter")
        await until(pilot, lambda: len(verdicts(reading)) == 3, "the labels")
    assert [row[:2] for row in verdicts(reading)] == list(zip(order, ["dog", "low", "bad"], strict=False))


async def test_what_is_typed_while_the_next_clip_is_read_labels_nothing(app_project: Project, reading: Store) -> None:
    async with opened(app_project) as (app, screen, pilot):
        await until(pilot, lambda: screen.choices and len(screen._queue._ready) == 3, "the queue")
        screen._queue._ready.clear()
        with patch.object(screen, "reload"):
            await pilot.press("n")
            await until(pilot, lambda: screen.current is None, "the clip to be gone")
            await type_at_once(app, pilot, "/", *"dbn1", "enter")
            await until(pilot, lambda: "'dbn1' was not written" in screen.notice.text, "the warning")
    assert [label for _, label, _, _ in verdicts(reading)] == [None]


async def test_pasted_text_is_no_keys_in_the_view_and_text_in_the_palette(app_project: Project, reading: Store) -> None:
    async with opened(app_project) as (app, screen, pilot):
        before = screen.current
        app.post_message(events.Paste("ndb12"))
        await until(pilot, lambda: "pasted text does nothing here" in screen.notice.text, "the notice")
        assert screen.current is before and not verdicts(reading)
        assert app._driver is not None
        app._driver.send_message(events.Key("slash", "/"))
        app._driver.send_message(events.Paste("screech owl"))
        app._driver.send_message(events.Key("enter", None))
        await until(pilot, lambda: verdicts(reading), "the label")
    assert [label for _, label, _, _ in verdicts(reading)] == ["screech owl"]


async def test_keys_that_a_slow_network_delivers_at_once_are_keys(app_project: Project, reading: Store) -> None:
    async with opened(app_project) as (app, screen, pilot):
        await until(pilot, lambda: screen.choices and len(screen._queue._ready) == 3, "the queue")
        await type_at_once(app, pilot, "1", "2", "1")
        await until(pilot, lambda: len(verdicts(reading)) == 3, "three labels")
        gain_db = screen.services.player.gain_db
        await type_at_once(app, pilot, "-", "-", "-", "-")
        await until(pilot, lambda: screen.services.player.gain_db == gain_db - 12, "four steps")


def test_a_burst_and_a_paste_in_a_real_terminal(terminal: Terminal) -> None:
    terminal.open()
    files = [terminal.file()]
    for label in ("hedgehog", "nbd"):
        before = files[-1]
        terminal.tmux("send-keys", "-t", "app", "-l", f"/{label}\r")
        terminal.until(lambda before=before: terminal.file() not in ("", before), "the next clip")
        files.append(terminal.file())
    terminal.tmux("set-buffer", "ndb12")
    terminal.tmux("paste-buffer", "-p", "-t", "app")
    terminal.until(lambda: "pasted text does nothing" in terminal.screen(), "the notice")
    assert terminal.file() == files[-1]
    assert terminal.annotations() == [(files[0], "hedgehog", "present"), (files[1], "nbd", "present")]


# -- keys of labels


async def test_the_key_of_every_label_stays_whatever_is_labelled_and_predicted(app_project: Project) -> None:
    with app_project.open_store() as store:
        for name in ("owl", "fox", "rain"):
            journal.annotate(store, clips.all_clips(store)[0].id, name, annotator="before")
        before = {label.name: label.key for label in labels.project_labels(store)}
    suggest(app_project, labels=("rain", "fox"))
    async with opened(app_project) as (app, screen, pilot):
        await until(pilot, lambda: len(screen.choices) == 5, "labels")
        assert screen.first_choice is not None and screen.first_choice.label == "rain"
        for keys in ((before["fox"],), ("enter",), ("/", *"zebra", "enter"), (before["owl"],)):
            seen = {choice.label: choice.key for choice in screen.choices}
            assert seen.items() >= before.items()
            current = screen.current
            await type_at_once(app, pilot, *keys)
            await until(
                pilot, lambda current=current: screen.current is not current and not screen.awaits_clip, "the next clip"
            )
        assert {label.name: label.key for label in screen.services.state.labels} == {**before, "zebra": "6"}


async def test_labels_get_other_keys_and_colours_and_are_renamed_in_the_app(
    app_project: Project, reading: Store
) -> None:
    async with opened(app_project) as (app, screen, pilot):
        await shows(pilot, LabelsScreen, "f3")
        rows = app.screen.query_one(LabelRows)
        assert text_of(rows).splitlines()[0].split()[:2] == ["1", "▌low"]
        await pilot.press("k", "Z")
        await until(pilot, lambda: labels.project_labels(reading)[0].key == "Z", "the key")
        await until(pilot, lambda: rows.count and rows.selected.key == "Z", "the label selected")
        await pilot.press("c")
        await until(pilot, lambda: labels.project_labels(reading)[0].colour == "orange", "the colour")
        await pilot.press("k", "x")
        await until(pilot, lambda: "x is for reject label" in text_of(app.screen.query_one("#labels-status")), "why")
        await pilot.press("r", *"lower", "enter")
        await until(pilot, lambda: "lower" in {label.name for label in labels.project_labels(reading)}, "the name")
        await pilot.press("escape")
        await until(pilot, lambda: ("lower", "Z") in {(each.label, each.key) for each in screen.choices}, "the key")
        await pilot.press("u")
        await until(pilot, lambda: "low" in clips.label_names(reading), "the old name")


async def test_a_merge_is_confirmed_and_the_prompt_for_a_key_names_the_label(
    app_project: Project, reading: Store
) -> None:
    with app_project.open_store() as store:
        for clip in list(clips.unlabelled(store))[:2]:
            journal.annotate(store, clip.id, "lwo", annotator="ann")
    async with opened(app_project) as (app, _, pilot):
        await shows(pilot, LabelsScreen, "f3")
        rows = app.screen.query_one(LabelRows)
        await until(pilot, lambda: len(rows._labels) == 3, "the labels")
        await pilot.press("end")
        assert rows.count and rows.selected.name == "lwo"
        await pilot.press("home", "k")
        await until(pilot, lambda: isinstance(app.screen, KeyPrompt) and app.screen.query(Static), "the prompt")
        await until(pilot, lambda: "Press the new key of low; it has 1." in text_of(app.screen.query_one(Static)), "it")
        await shows(pilot, Palette, "escape", "end", "m")
        await pilot.press(*"low", "enter")
        await until(pilot, lambda: isinstance(app.screen, Confirm) and app.screen.query(Static), "the question")
        question = "Merge 2 clips of lwo into low, which has 1 clip?"
        await until(pilot, lambda: question in text_of(app.screen.query_one(Static)), "its clips")
        await shows(pilot, LabelsScreen, "n")
        await pilot.press("m")
        await until(pilot, lambda: isinstance(app.screen, Palette) and app.screen.query(Choices), "the other labels")
        await shows(pilot, Confirm, *"low", "enter")
        assert "lwo" in clips.label_names(reading)
        await pilot.press("a")
        await until(pilot, lambda: "lwo" not in clips.label_names(reading), "the merge")
        await until(pilot, lambda: rows.count and rows.selected.name == "low", "the label it is now")


async def test_a_mistyped_label_is_retired_and_comes_back(app_project: Project, reading: Store) -> None:
    with app_project.open_store() as store:
        clip = next(iter(clips.unlabelled(store)))
        journal.annotate(store, clip.id, "lwo", annotator="ann")
        keys = {label.name: label.key for label in labels.project_labels(store)}
    async with opened(app_project) as (app, screen, pilot):
        await shows(pilot, LabelsScreen, "f3")
        rows = app.screen.query_one(LabelRows)
        await until(pilot, lambda: len(rows._labels) == 3, "the labels")
        await pilot.press("end", "x")
        await until(pilot, lambda: isinstance(app.screen, Confirm) and app.screen.query(Static), "the question")
        await until(pilot, lambda: "Retire lwo?" in text_of(app.screen.query_one(Static)), "its clips")
        await shows(pilot, LabelsScreen, "n")
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is screen, "the view")
        await shows(pilot, LabelsScreen, "u", "f3")
        rows = app.screen.query_one(LabelRows)
        for _ in range(2):
            await pilot.press("end", "x")
            await until(pilot, lambda: "lwo" not in clips.label_names(reading), "no such label")
            await until(pilot, lambda: len(rows._labels) == 2, "two lines")
            await pilot.press("u")
            await until(pilot, lambda: len(rows._labels) == 3, "the label again")
            assert {label.name: label.key for label in labels.project_labels(reading)} == keys
        await pilot.press("end", "x")
        await until(pilot, lambda: len(rows._labels) == 2, "two lines")
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is screen, "the view")
        await pilot.press("u")
        await until(pilot, lambda: "lwo" in {label.name for label in screen.services.state.labels}, "undone")
