"""What is painted between a key and the next clip: only what changed, and the picture ahead."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from typing import Any

import pytest
from textual.css.stylesheet import Stylesheet
from textual.pilot import Pilot
from textual.widget import Widget

from helpers.app import answer, opened, until
from labeltool.project import Project
from labeltool.tui.screens.label import LabelScreen
from labeltool.tui.widgets.header import Header
from labeltool.tui.widgets.key_hints import KeyHints
from labeltool.tui.widgets.spectrogram import Spectrogram
from labeltool.tui.widgets.suggestions import Suggestions
from labeltool.tui.widgets.tab_line import TabLine
from labeltool.tui.widgets.transport import Transport
from labeltool.tui.widgets.waveform import Waveform


async def painted_ahead(screen: LabelScreen, pilot: Pilot[None]) -> None:
    """Wait until the next clip is painted, and let nothing else come."""
    spectrogram = screen.query_one(Spectrogram)

    def is_painted() -> bool:
        following, ahead = screen._queue.following, spectrogram._ahead
        return following is not None and ahead is not None and ahead[0] is following.sound

    await until(pilot, is_painted, "the next clip's painting")
    screen.reload = lambda: None  # type: ignore[method-assign]
    screen.services.state.autoplay = False
    screen.services.player.put(screen.services.silence, play=False)
    await pilot.pause(0.2)


async def test_a_label_paints_what_changed_and_lays_out_and_styles_nothing(
    app_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: Counter[str] = Counter()

    def count(owner: type[Any], method: str, name: str) -> None:
        original = getattr(owner, method)

        def counted(*arguments: Any, **options: Any) -> Any:
            calls[name] += 1
            return original(*arguments, **options)

        monkeypatch.setattr(owner, method, counted)

    async with opened(app_project) as (_, screen, pilot):
        await painted_ahead(screen, pilot)
        texts: tuple[type[Widget], ...] = (Header, Suggestions, Transport)
        for widget in texts:
            count(widget, "lines", widget.__name__)
        for track in (Spectrogram, Waveform):
            count(track, "paint", "paint")
        for line in (TabLine, KeyHints):
            count(line, "render", "render")
        count(Stylesheet, "apply", "style")
        screen.screen_layout_refresh_signal.subscribe(screen, lambda _: calls.update(layout=1))
        await answer(screen, pilot, "n")
        await until(pilot, lambda: calls[Suggestions.__name__], "the next clip")
        await pilot.pause(0.2)
        assert calls == {widget.__name__: 1 for widget in texts}


@pytest.mark.parametrize("theme", ["dark", "light"])
async def test_a_picture_that_was_painted_ahead_is_the_one_painted_at_once(app_project: Project, theme: str) -> None:
    async with opened(app_project) as (app, screen, pilot):
        if theme == "light":
            app.action_theme()
            await answer(screen, pilot, "n")  # what was painted ahead is dark
        await painted_ahead(screen, pilot)
        await answer(screen, pilot, "n")
        for track in (screen.query_one(Spectrogram), screen.query_one(Waveform)):
            shown = [track.render_line(y) for y in range(track.size.height)]
            assert track._ahead is not None and track._ahead[2] is track._painting
            track._ahead = None
            track.repaint()
            assert [track.render_line(y) for y in range(track.size.height)] == shown


def test_textual_is_not_imported_before_its_frame_rate_is_set() -> None:
    code = "import sys, labeltool.cli.main, labeltool.tui.launch; print('textual' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"
