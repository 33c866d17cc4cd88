"""Mapping in the room: which of a borrowed ear's classes suggest which label, and how they agree with the answers."""

from __future__ import annotations

import json
import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import room_helpers
from room_helpers import opened, text_of, until
from textual.pilot import Pilot

from labeltool.pretrained import class_mapping, registry
from labeltool.pretrained.card import CARD, EarCard
from labeltool.pretrained.class_mapping import Mapped
from labeltool.project import Project
from labeltool.store import journal
from labeltool.tui.app import Agreed, Room
from labeltool.tui.background.class_agreement import Agreement, LabelFigures
from labeltool.tui.screens.class_mapping import MappingScreen
from labeltool.tui.screens.help import Help
from labeltool.tui.screens.palette import Palette

room_project = room_helpers.room_project

CLASSES = ("Low hum", "[red]Bell[/red]", "a[/]b", "Whistle", "Wind")


@pytest.fixture
def file(room_project: Project) -> Path:
    """The mapping of an ear on the shelf, which nobody wrote yet; `low` and `high` are labels of the project."""
    folder = registry.folder(room_project, "ear")
    folder.mkdir(parents=True)
    card = EarCard({"net.tflite": "0" * 64}, 16_000, 400, (1, 400), CLASSES, "y")
    (folder / CARD).write_text(json.dumps(card.to_dict()))
    with room_project.open_store() as store:
        journal.say(store, 2, "high", annotator="before")
    return folder / class_mapping.FILE


@asynccontextmanager
async def mapped(project: Project, *, figures: bool = True) -> AsyncIterator[tuple[Room, MappingScreen, Pilot[None]]]:
    """Open the room and the mapping, with figures of what nobody hears here: four clips of each label."""
    async with opened(project, size=(110, 30)) as (room, _, pilot):
        room.services.mapper.start = lambda ear: True  # type: ignore[method-assign]
        await pilot.press("M")
        await until(pilot, lambda: isinstance(room.screen, MappingScreen), "the mapping")
        screen = room.screen
        assert isinstance(screen, MappingScreen)
        await until(pilot, lambda: "high" in text_of(screen.lines), "the labels")
        if figures:
            low = LabelFigures(4, [4, 0, 1, 0, 1], Mapped("low", (0,), "by name"))
            high = LabelFigures(4, [1, 4, 0, 3, 1], Mapped("high", (1, 3), "by answers"))
            room.post_message(Agreed(Agreement(8, [5, 4, 1, 3, 2], {"low": low, "high": high})))
            await until(pilot, lambda: "held against 8 answered clips" in text_of(screen._title), "the figures")
        yield room, screen, pilot


def written(file: Path) -> dict[str, Any]:
    return tomllib.loads(file.read_text()) if file.exists() else {}


async def test_each_class_stands_under_its_label_with_how_it_agrees_and_names_are_text(
    room_project: Project, file: Path
) -> None:
    async with mapped(room_project, figures=False) as (room, screen, pilot):
        assert "listening" in text_of(screen._title)
        lines = [" ".join(line.strip("▸ ").split()) for line in text_of(screen.lines).splitlines() if line.strip()]
        assert lines == ["low by name", "Low hum", "high nothing suggests it"]
        high = LabelFigures(1, [0, 1, 0, 1, 0], Mapped("high", (1, 2), "by answers"))
        room.post_message(Agreed(Agreement(3, [2, 1, 0, 3, 0], {"high": high})))
        await until(pilot, lambda: "[red]Bell[/red]" in text_of(screen.lines), "what answers propose")
        told = text_of(screen.lines)
        assert "high" in told and "by the answers · 1 clips" in told and "a[/]b" in told
        bell = next(line for line in told.splitlines() if "Bell" in line)
        assert "heard in 1 of its 1, in 0 of 2 others" in bell
        room.export_screenshot()
    assert not file.exists()


async def test_classes_are_added_taken_away_and_accepted_in_the_file_a_person_wrote(
    room_project: Project, file: Path
) -> None:
    file.write_text('# mine\nlow = ["Wind"]  # at night\n')
    async with mapped(room_project) as (room, screen, pilot):
        asked: list[bool] = []
        room.services.suggester.start = lambda: asked.append(True) is None  # type: ignore[assignment]
        assert "+ Low hum" in text_of(screen.lines) and "proposed; heard in 4 of its 4, in 1 of 4 others" in text_of(
            screen.lines
        )
        await pilot.press("a")
        await until(pilot, lambda: isinstance(room.screen, Palette), "the classes")
        await pilot.press(*"a[/]", "enter")
        await until(pilot, lambda: written(file)["low"] == ["Wind", "a[/]b"], "the class added")
        await until(pilot, lambda: "a[/]b" in screen.notice.text, "word of it")
        await pilot.press("down", "x")
        await until(pilot, lambda: written(file)["low"] == ["a[/]b"], "the class taken away")
        await pilot.press("home", "enter")
        await until(pilot, lambda: written(file)["low"] == ["Low hum"], "what is proposed")
        assert file.read_text() == '# mine\n"low" = ["Low hum"]  # at night\n'
        await pilot.press("P")
        await until(pilot, lambda: written(file).get("high") == ["[red]Bell[/red]", "Whistle"], "the rest")
        await until(pilot, lambda: "by the answers" not in text_of(screen.lines), "where it stands now")
        await pilot.press("end", "x")
        await until(pilot, lambda: written(file)["high"] == ["[red]Bell[/red]"], "one of them taken away")
        await until(pilot, lambda: "+ Whistle" in text_of(screen.lines), "the proposal")
        await pilot.press("end", "enter")
        await until(pilot, lambda: written(file)["high"] == ["[red]Bell[/red]", "Whistle"], "it alone accepted")
        assert not asked
        await pilot.press("escape")
        await until(pilot, lambda: asked, "the ear to suggest anew")
    assert class_mapping.read(file.parent, CLASSES) == {"low": (0,), "high": (1, 3)}


async def test_classes_that_tell_a_label_come_first_and_nothing_changed_asks_nobody(
    room_project: Project, file: Path
) -> None:
    async with mapped(room_project) as (room, screen, pilot):
        room.services.suggester.start = lambda: pytest.fail("nothing was changed")  # type: ignore[assignment]
        assert [CLASSES[place] for place in screen._likely("high")][:2] == ["[red]Bell[/red]", "Whistle"]
        await pilot.press("x", "question_mark")
        await until(pilot, lambda: isinstance(room.screen, Help), "the keys")
        await pilot.press("escape", "q")
        await until(pilot, lambda: room.screen is not screen, "the room")
    assert not file.exists()


async def test_a_file_that_cannot_be_read_is_told_and_left_alone(room_project: Project, file: Path) -> None:
    async with mapped(room_project) as (_, screen, pilot):
        file.write_text("low = [")
        await pilot.press("enter")
        await until(pilot, lambda: "mapping.toml" in screen.notice.text, "the reason")
    assert file.read_text() == "low = ["


async def test_without_an_ear_it_is_said_where_one_comes_from(room_project: Project) -> None:
    async with opened(room_project) as (_, screen, pilot):
        await pilot.press("M")
        await until(pilot, lambda: "model fetch yamnet" in screen.notice.text, "the remedy")
