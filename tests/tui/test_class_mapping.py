"""Class mapping: which classes of a pretrained model suggest which label, and how they agree with the answers."""

from __future__ import annotations

import json
import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from helpers.app import opened, shows, text_of, until
from labeltool.pretrained import class_mapping, registry
from labeltool.pretrained.card import CARD, PretrainedCard
from labeltool.pretrained.project_classes import AgreementResult, LabelAgreement
from labeltool.project import Project
from labeltool.store import journal
from labeltool.tui.app import LabelApp
from labeltool.tui.dialogs.help import Help
from labeltool.tui.dialogs.palette import Palette
from labeltool.tui.screens.class_mapping import ClassMappingScreen
from labeltool.tui.screens.label import LabelScreen
from labeltool.tui.screens.regions import RegionsScreen

CLASSES = ("Low hum", "[red]Bell[/red]", "a[/]b", "Whistle", "Wind")


@pytest.fixture
def file(app_project: Project) -> Path:
    """The class mapping of a pretrained model, not written yet; `low` and `high` are labels of the project."""
    folder = registry.folder(app_project, "pretrained")
    folder.mkdir(parents=True)
    card = PretrainedCard({"net.tflite": "0" * 64}, 16_000, 400, (1, 400), CLASSES, "y")
    (folder / CARD).write_text(json.dumps(card.to_dict()))
    with app_project.open_store() as store:
        journal.annotate(store, 2, "high", annotator="before")
    return folder / class_mapping.MAPPING_FILE


@asynccontextmanager
async def mapped(
    project: Project, *, figures: bool = True
) -> AsyncIterator[tuple[LabelApp, ClassMappingScreen, Pilot[None]]]:
    """Open the app and the class mapping, with made-up agreement: four clips of each label."""
    async with opened(project, size=(110, 30)) as (app, _, pilot):
        app.services.class_agreement.start = lambda **_: True  # type: ignore[method-assign]
        screen = await shows(pilot, ClassMappingScreen, "M")
        await until(pilot, lambda: "high" in text_of(screen.lines), "the labels")
        if figures:
            low = LabelAgreement(4, (4, 0, 1, 0, 1), (0,), "by name")
            high = LabelAgreement(4, (1, 4, 0, 3, 1), (1, 3), "by answers")
            app.call_later(app.show_agreement, AgreementResult(8, (5, 4, 1, 3, 2), {"low": low, "high": high}, ()))
            await until(pilot, lambda: "compared with 8 labelled clips" in text_of(screen._title), "the figures")
        yield app, screen, pilot


def written(file: Path) -> dict[str, Any]:
    return tomllib.loads(file.read_text()) if file.exists() else {}


async def test_each_class_is_listed_under_its_label_with_its_agreement_and_names_are_text(
    app_project: Project, file: Path
) -> None:
    async with mapped(app_project, figures=False) as (app, screen, pilot):
        await until(pilot, lambda: "predicting" in text_of(screen._title), "the agreement being measured")
        lines = [" ".join(line.strip("▸ ").split()) for line in text_of(screen.lines).splitlines() if line.strip()]
        assert lines == ["low by name", "Low hum", "high no class suggests it"]
        high = LabelAgreement(1, (0, 1, 0, 1, 0), (1, 2), "by answers")
        app.call_later(app.show_agreement, AgreementResult(3, (2, 1, 0, 3, 0), {"high": high}, ()))
        await until(pilot, lambda: "[red]Bell[/red]" in text_of(screen.lines), "what answers propose")
        content = text_of(screen.lines)
        assert "high" in content and "by agreement · 1 clips" in content and "a[/]b" in content
        bell = next(line for line in content.splitlines() if "Bell" in line)
        assert "predicted in 1 of its 1, in 0 of 2 others" in bell
        app.export_screenshot()
    assert not file.exists()


async def test_classes_are_added_removed_and_accepted_in_a_file_written_by_hand(
    app_project: Project, file: Path
) -> None:
    file.write_text('# mine\nlow = ["Wind"]  # at night\n')
    async with mapped(app_project) as (app, screen, pilot):
        started: list[bool] = []
        app.services.suggester.start = lambda: started.append(True) is None  # type: ignore[assignment]
        assert "+ Low hum" in text_of(
            screen.lines
        ) and "proposed; predicted in 4 of its 4, in 1 of 4 others" in text_of(screen.lines)
        await shows(pilot, Palette, "a")
        await pilot.press(*"a[/]", "enter")
        await until(pilot, lambda: written(file)["low"] == ["Wind", "a[/]b"], "the class added")
        await until(pilot, lambda: "a[/]b" in screen.notice.text, "word of it")
        await pilot.press("down", "x")
        await until(pilot, lambda: written(file)["low"] == ["a[/]b"], "the class taken away")
        await pilot.press("home", "enter")
        await until(pilot, lambda: written(file)["low"] == ["Low hum"], "what is proposed")
        assert file.read_text() == '# mine\nlow = ["Low hum"]  # at night\n'
        await pilot.press("ctrl+a")
        await until(pilot, lambda: written(file).get("high") == ["[red]Bell[/red]", "Whistle"], "the rest")
        await until(pilot, lambda: "by agreement" not in text_of(screen.lines), "where it stands now")
        await pilot.press("end", "x")
        await until(pilot, lambda: written(file)["high"] == ["[red]Bell[/red]"], "one of them taken away")
        await until(pilot, lambda: "+ Whistle" in text_of(screen.lines), "the proposal")
        await pilot.press("end", "enter")
        await until(pilot, lambda: written(file)["high"] == ["[red]Bell[/red]", "Whistle"], "it alone accepted")
        assert not started
        await pilot.press("escape")
        await until(pilot, lambda: started, "new suggestions")
    assert class_mapping.read_mapping(file.parent, CLASSES) == {"low": (0,), "high": (1, 3)}


async def test_classes_that_agree_come_first_and_no_change_starts_no_suggestions(
    app_project: Project, file: Path
) -> None:
    async with mapped(app_project) as (app, screen, pilot):
        app.services.suggester.start = lambda: pytest.fail("nothing was changed")  # type: ignore[assignment]
        assert [CLASSES[place] for place in screen._ranked_classes("high")][:2] == ["[red]Bell[/red]", "Whistle"]
        await shows(pilot, Help, "x", "question_mark")
        await pilot.press("escape", "M")
        await until(pilot, lambda: app.screen is not screen, "the app")
    assert not file.exists()


async def test_a_file_that_cannot_be_read_is_reported_and_kept(app_project: Project, file: Path) -> None:
    async with mapped(app_project) as (_, screen, pilot):
        file.write_text("low = [")
        await pilot.press("enter")
        await until(pilot, lambda: "mapping.toml" in screen.notice.text, "the reason")
    assert file.read_text() == "low = ["


async def test_without_a_pretrained_model_the_view_names_the_command(app_project: Project) -> None:
    async with opened(app_project) as (app, _, pilot):
        await shows(pilot, ClassMappingScreen, "M")
        await until(pilot, lambda: "model fetch yamnet" in text_of(app.screen.query_one("#mapping-empty")), "a remedy")


async def test_the_view_has_the_frame_of_the_others_and_their_keys(app_project: Project, file: Path) -> None:
    async with mapped(app_project) as (app, screen, pilot):
        assert "2 of 5 labelled" in text_of(screen.header) and "M Classes" in text_of(screen.tabs)
        await shows(pilot, RegionsScreen, "w")
        await pilot.press("M")
        await until(pilot, lambda: app.screen is screen, "the mapping")
        await shows(pilot, LabelScreen, "A")
