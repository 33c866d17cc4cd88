"""The app offers a pretrained model where a project has none, and works without it."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from helpers.app import fill, until, verdicts
from labeltool import project as projects
from labeltool.pretrained import registry
from labeltool.project import Project
from labeltool.settings import read_settings
from labeltool.tui.app import LabelApp
from labeltool.tui.widgets.notice import Notice

pytestmark = pytest.mark.usefixtures("offline")
_OFFER = "F4: fetch YAMNet (4 MB, Apache-2.0), which suggests labels from now on; Esc: not now"


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "nothing"))


@pytest.fixture
def new(project: Project, tmp_path: Path) -> Project:
    return fill(project, tmp_path / "sounds", 3)


async def test_the_offer_waits_for_the_end_of_the_tour(new: Project, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    new = replace(new, settings=replace(new.settings, app=replace(new.settings.app, tour=True)))
    async with started(new) as (app, pilot, notice):
        await until(pilot, lambda: app.tour is not None, "the tour")
        await pilot.press("space")
        assert not notice.warning
        await pilot.press("escape")
        await until(pilot, lambda: notice.warning == _OFFER, "the offer")


@asynccontextmanager
async def started(project: Project) -> AsyncIterator[tuple[LabelApp, Pilot[None], Notice]]:
    """The app as `labeltool label` starts it."""
    with closing(LabelApp(project, annotator="ann", repeat_s=0.0)) as app:
        app.offers_pretrained = True
        async with app.run_test(size=(100, 30)) as pilot:
            view = app.current_view
            assert view is not None
            await until(pilot, lambda: view.current is not None, "a first clip")
            yield app, pilot, view.notice


async def test_the_model_that_lies_beside_is_taken_by_one_key_and_the_offer_is_made_once(
    new: Project, real_data: Path, tmp_path: Path
) -> None:
    shutil.copy(real_data / "models" / "yamnet" / "yamnet.tflite", tmp_path / "sounds" / "downloaded (1).tflite")
    async with started(new) as (app, pilot, notice):
        await until(pilot, lambda: notice.warning, "the offer")
        assert notice.warning == _OFFER
        await pilot.press("f4")
        assert not notice.warning
        await until(pilot, lambda: app.services.state.settings.learning.pretrained, "the model")
        assert registry.names(new) == ["yamnet"]
        assert read_settings(new.directory / "labeltool.toml").learning.pretrained == "yamnet"
        assert app.services.project.settings.learning.pretrained == "yamnet"
        assert app.services.suggester.busy
        await pilot.press("f4")
        await until(pilot, lambda: "has YAMNet already" in notice.text, "a refusal")


async def test_offline_there_is_one_line_and_labelling_goes_on(new: Project) -> None:
    async with started(new) as (app, pilot, notice):
        await until(pilot, lambda: notice.warning, "the offer")
        await pilot.press("f4")
        await until(pilot, lambda: notice.warning, "the reason")
        assert "YAMNet: cannot be downloaded: " in notice.warning
        assert "beside the recordings and press F4, or give it to `labeltool model add FILE`" in notice.warning
        assert notice.warning.endswith("; everything works without it")
        await pilot.press("n")
        await until(pilot, lambda: app.services.state.labelled == 1, "the label")
    with new.open_store() as store:
        assert len(verdicts(store)) == 1
    async with started(projects.load(new.directory)) as (app, pilot, notice):
        offers = [worker for worker in app.workers if worker.name == "offer_pretrained"]
        await until(pilot, lambda: all(worker.is_finished for worker in offers), "the decision")
        await pilot.pause()
        assert not notice.warning
