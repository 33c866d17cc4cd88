"""Spectrogram and playhead of the Label view: sizes, colours, contrast, and a playhead that moves."""

from __future__ import annotations

import time
from typing import Any

import pytest
from textual.geometry import Region, Size

from helpers.app import opened, picture, text_of, until
from labeltool.project import Project
from labeltool.tui.media.clip_picture import PLAYBACK_RATE_HZ
from labeltool.tui.media.graphics import Graphics
from labeltool.tui.media.player import Player
from labeltool.tui.widgets.spectrogram import Spectrogram


async def test_a_resize_to_80_by_24_and_back_keeps_the_clip_and_its_spectrogram(app_project: Project) -> None:
    async with opened(app_project, size=(140, 40)) as (_, screen, pilot):
        before = screen.current
        for size in ((80, 24), (40, 10), (140, 40)):
            await pilot.resize_terminal(*size)
            await until(pilot, lambda: "▀" in picture(screen), f"a spectrogram at {size}")
            widths = {screen.query_one(Spectrogram).render_line(y).cell_length for y in range(3)}
            assert widths == {screen.query_one(Spectrogram).size.width}
        assert screen.current is before


async def test_a_playhead_that_moves_before_a_resize_is_handled_is_drawn(app_project: Project) -> None:
    async with opened(app_project, size=(80, 24)) as (_, screen, pilot):
        spectrogram = screen.query_one(Spectrogram)
        await until(pilot, lambda: "▀" in picture(screen), "a spectrogram")
        screen._refresh_layout(Size(120, 24))  # before the resize is handled
        spectrogram.playhead = 0.99
        strips = spectrogram.render_lines(Region(0, 0, *spectrogram.size))
        assert {strip.cell_length for strip in strips} == {spectrogram.size.width}


async def test_a_clip_that_is_read_while_the_app_ends_is_not_painted(app_project: Project) -> None:
    async with opened(app_project) as (_, screen, _pilot):
        assert screen.current is not None and screen.current.sound is not None
        spectrogram = screen.query_one(Spectrogram)
        await screen.query_one("#clip").remove()
        screen.expect(screen.current.sound)
        assert spectrogram.graphics is Graphics.NONE


async def test_without_colours_the_spectrogram_is_drawn_in_shade_characters(
    app_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with opened(app_project) as (app, screen, pilot):
        await until(pilot, lambda: "1k" in picture(screen), "the axis")
        assert "█" in picture(screen)
        assert "▀" not in picture(screen)
        painted = [segment.style for line in app.screen._compositor.render_strips() for segment in line]
        colours = {style.color.name for style in painted if style and style.color}
        assert colours <= {"default"}


async def test_the_theme_changes_the_colours_of_the_spectrogram(app_project: Project) -> None:
    async with opened(app_project) as (_, screen, pilot):
        spectrogram = screen.query_one(Spectrogram)
        dark = [segment.style for segment in spectrogram.render_line(5)]
        await pilot.press("T")
        await until(pilot, lambda: [s.style for s in spectrogram.render_line(5)] != dark, "the light colours")


async def test_contrast_and_brightness_change_the_spectrogram(app_project: Project) -> None:
    async with opened(app_project) as (_, screen, pilot):
        seen = {picture(screen)}
        for key in ("c", "full_stop", "full_stop", "comma"):
            await pilot.press(key)
            seen.add(picture(screen))
        assert len(seen) >= 4


async def test_without_a_sound_card_the_playhead_moves_and_a_badge_is_shown(
    app_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened_at: list[float] = []
    rendered: list[int] = []
    open_device, render = Player.open, Player.render

    def noted_open(player: Player) -> None:
        opened_at.append(time.monotonic())
        open_device(player)

    def counted_render(player: Player, frames: int) -> Any:
        rendered.append(frames)
        return render(player, frames)

    monkeypatch.setattr(Player, "open", noted_open)
    monkeypatch.setattr(Player, "render", counted_render)
    async with opened(app_project) as (app, screen, pilot):
        player = app.services.player
        player.loop = True
        await until(pilot, lambda: player.silent == "sound off", "the null device")
        await until(pilot, lambda: sum(rendered) > PLAYBACK_RATE_HZ, "a second of sound")
        # The null device takes sound as time passes, its buffer ahead at most. A busy machine makes it late and lets it
        # catch up, but never brings it before the clock.
        assert sum(rendered) / PLAYBACK_RATE_HZ < time.monotonic() - opened_at[0] + 0.3
        await until(pilot, lambda: "sound off" in text_of(screen.query_one("#transport")), "the badge")
        playhead = screen.query_one(Spectrogram).playhead
        await until(pilot, lambda: screen.query_one(Spectrogram).playhead != playhead, "the playhead moving")


async def test_only_the_columns_of_the_playhead_are_refreshed(app_project: Project) -> None:
    async with opened(app_project) as (_, screen, pilot):
        await pilot.press("space")
        spectrogram = screen.query_one(Spectrogram)
        refreshed = []
        spectrogram.refresh = lambda *regions, **_: refreshed.append(regions)  # type: ignore[method-assign,assignment]
        await pilot.press("right", "right")
        await until(pilot, lambda: refreshed, "the playhead")
        assert all(region[0].width == 1 for region in refreshed)
