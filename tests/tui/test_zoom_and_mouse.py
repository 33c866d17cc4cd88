"""Zoom, the mouse over the picture, colour maps and the range of decibels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from textual.events import MouseScrollUp
from textual.pilot import Pilot

from helpers.app import opened, text_of, until
from labeltool import project as projects
from labeltool.audio.mel_picture import BANDS
from labeltool.project import Project
from labeltool.records import StoredClip
from labeltool.settings import ColourMap
from labeltool.tui.media.clip_picture import load_clip, stretch
from labeltool.tui.media.viewport import BandRange
from labeltool.tui.screens.label import LabelScreen
from labeltool.tui.screens.regions import RegionsScreen
from labeltool.tui.theme import DARK, LIGHT, brightness_colors, palette
from labeltool.tui.widgets.spectrogram import Spectrogram
from labeltool.tui.widgets.time_axis import GUTTER, columns_of
from labeltool.tui.widgets.waveform import Waveform


def at(spectrogram: Spectrogram, share: float, row: int = 2) -> tuple[int, int]:
    """The cell of a moment."""
    return GUTTER + int(share * columns_of(spectrogram.size.width)), row


async def drag(pilot: Pilot[None], spectrogram: Spectrogram, start: float, end: float) -> None:
    await pilot.mouse_down(spectrogram, offset=at(spectrogram, start))
    await pilot.hover(spectrogram, offset=at(spectrogram, end))
    await pilot.mouse_up(spectrogram, offset=at(spectrogram, end))


def axis(spectrogram: Spectrogram) -> list[str]:
    return [line[: GUTTER - 1] for line in text_of(spectrogram).splitlines()[:-1]]


def shown_s(screen: LabelScreen) -> tuple[float, float]:
    assert screen.viewport is not None
    return screen.viewport.start_s, screen.viewport.end_s


# -- zoom


def test_a_stretch_separates_what_the_whole_clip_shows_as_one(tmp_path: Path) -> None:
    rate = 16_000
    samples = np.zeros(60 * rate, np.float32)
    for click_s in (30.0, 30.03):
        samples[int(click_s * rate) :][:20] = 0.9
    soundfile.write(tmp_path / "a.wav", samples, rate)
    sound = load_clip(StoredClip(1, 1, str(tmp_path / "a.wav"), "0" * 64, 0.0, 60.0, None, "g"))
    near = stretch(sound, 29.9, 0.4)
    loud = near.mel_db.max(axis=0) > -50
    begins = np.flatnonzero(np.diff(loud.astype(int)) == 1) / len(loud) * near.duration_s + near.start_s
    assert begins == pytest.approx([30.0, 30.03], abs=0.006)
    assert near.band_hz[-1] == pytest.approx(sound.band_hz[-1], rel=0.02)
    assert (near.loudest_db, near.quiet_db) == (sound.loudest_db, sound.quiet_db)
    assert len(stretch(sound, 59.9, 0.1).mel_db) == BANDS


def test_bands_zoom_about_a_place_and_stay_within_the_sound() -> None:
    bands = BandRange()
    bands.zoom(0.5, 0.0)
    assert (bands.low, bands.high) == (0, BANDS // 2)
    bands.move(0.5)
    assert (bands.low, bands.high) == (BANDS // 4, BANDS * 3 // 4)
    bands.move(9)
    assert bands.high == BANDS
    bands.zoom(16, 0.5)
    assert bands.is_whole


async def test_keys_zoom_and_pan_a_clip_and_escape_shows_all_of_it_again(app_project: Project) -> None:
    async with opened(app_project) as (_, screen, pilot):
        await pilot.press("p", "r", "space")
        spectrogram = screen.query_one(Spectrogram)
        assert "▕" in spectrogram.render_line(1).text and spectrogram.render_line(1).text.endswith("▏")
        screen.services.player.seek(0.25)
        await pilot.press("ctrl+up")
        assert shown_s(screen) == pytest.approx((0.125, 0.375))
        await until(pilot, lambda: spectrogram.render_line(1).text.endswith("╎"), "an open frame")
        await pilot.press("ctrl+right")
        assert shown_s(screen) == pytest.approx((0.25, 0.5))
        await until(pilot, lambda: spectrogram.render_line(1).text.endswith("▏"), "the end of the clip")
        frequencies = axis(spectrogram)
        await pilot.press("shift+up", "alt+down")
        await until(pilot, lambda: axis(spectrogram) != frequencies, "fewer frequencies")
        await pilot.press("escape")
        assert shown_s(screen) == (0.0, 0.5)
        await until(pilot, lambda: axis(spectrogram) == frequencies, "all of them")
        await pilot.press("ctrl+up", "s")
        await until(pilot, lambda: shown_s(screen) == (0.0, 0.5), "the next clip, whole")


async def test_the_wheel_zooms_about_the_mouse(app_project: Project) -> None:
    async with opened(app_project) as (_, screen, pilot):
        spectrogram = screen.query_one(Spectrogram)
        x, y = at(spectrogram, 0.5)
        wheel = {"delta_x": 0, "delta_y": -1, "button": 0, "meta": False, "screen_x": x, "screen_y": y, "style": None}
        spectrogram.post_message(MouseScrollUp(spectrogram, x, y, ctrl=True, shift=False, **wheel))  # type: ignore[arg-type]
        await until(pilot, lambda: shown_s(screen)[1] - shown_s(screen)[0] == pytest.approx(0.25), "half of the clip")
        assert sum(shown_s(screen)) / 2 == pytest.approx(0.25, abs=0.01)
        spectrogram.post_message(MouseScrollUp(spectrogram, x, y, ctrl=False, shift=True, **wheel))  # type: ignore[arg-type]
        await until(pilot, lambda: not screen._bands.is_whole, "half of the frequencies")


# -- the mouse


async def test_time_frequency_and_level_under_the_mouse_are_shown(app_project: Project) -> None:
    async with opened(app_project) as (_, screen, pilot):
        spectrogram = screen.query_one(Spectrogram)
        file = screen._transport.file
        tone_hz = 300.0 * (int("".join(filter(str.isdigit, file.partition(".")[0]))) + 1)
        rows = spectrogram.size.height - 1
        sound = screen._sound
        assert sound is not None
        band = int(np.interp(tone_hz, sound.band_hz, np.arange(BANDS)))
        await pilot.hover(spectrogram, offset=at(spectrogram, 0.5, int((1 - (band + 0.5) / BANDS) * rows)))
        await until(pilot, lambda: "Hz" in screen._transport.pointer, "the frequency")
        moment, hertz, level = screen._transport.pointer.split("  ")
        assert moment.startswith("0:00.25")
        value = float(hertz.split()[0]) * (1000 if "kHz" in hertz else 1)
        assert value == pytest.approx(tone_hz, rel=0.15)
        assert level.endswith("dB") and float(level.split()[0].replace("−", "-")) > -30
        await pilot.hover(screen.query_one(Waveform), offset=(GUTTER + 3, 1))
        await until(pilot, lambda: "Hz" not in screen._transport.pointer, "only the time")
        await pilot.hover(screen.panel)
        await until(pilot, lambda: not screen._transport.pointer, "nothing")


async def test_a_click_moves_the_playhead(app_project: Project) -> None:
    async with opened(app_project) as (_, screen, pilot):
        await pilot.press("p", "r", "space")
        spectrogram = screen.query_one(Spectrogram)
        await pilot.click(spectrogram, offset=at(spectrogram, 0.8))
        await until(pilot, lambda: screen.services.player.position_s == pytest.approx(0.4, abs=0.01), "the moment")


async def test_a_drag_loops_a_part_and_regions_opens_with_it(app_project: Project) -> None:
    async with opened(app_project) as (app, screen, pilot):
        spectrogram, player = screen.query_one(Spectrogram), screen.services.player
        await drag(pilot, spectrogram, 0.2, 0.6)
        await until(pilot, lambda: player.loop and player.playing, "the loop")
        assert screen.part is not None
        assert (screen.part.start_s, screen.part.end_s) == pytest.approx((0.1, 0.3), abs=0.01)
        assert "w opens Regions" in screen.notice.text
        await pilot.press("escape")
        assert screen.part is None and not player.loop
        await drag(pilot, spectrogram, 0.6, 0.2)
        await until(pilot, lambda: screen.part is not None, "the part")
        part = screen.part
        await pilot.press("w")
        await until(pilot, lambda: isinstance(app.screen, RegionsScreen), "Regions")
        regions = app.screen
        assert isinstance(regions, RegionsScreen)
        await until(pilot, lambda: regions.selected_region is not None, "the region")
        assert regions.selected_region == part
        spectrogram = regions.query("#spectrogram").first(Spectrogram)
        await until(pilot, lambda: regions.columns > 0, "the layout")
        await drag(pilot, spectrogram, 0.5, 0.9)
        await until(pilot, lambda: regions.selected_region != part, "another region")
        assert regions.selected_region is not None
        assert regions.selected_region.start_s == pytest.approx(0.25, abs=0.01)


async def test_a_part_ends_with_its_clip(app_project: Project) -> None:
    async with opened(app_project) as (_, screen, pilot):
        await drag(pilot, screen.query_one(Spectrogram), 0.2, 0.6)
        await until(pilot, lambda: screen.part is not None, "the part")
        before = screen.current
        await pilot.press("s")
        await until(pilot, lambda: screen.current is not before, "the next clip")
        assert screen.part is None and not screen.services.player.loop


# -- colours


async def test_colours_and_range_change_by_keys_and_are_kept(app_project: Project) -> None:
    async with opened(app_project) as (app, screen, pilot):
        spectrogram = screen.query_one(Spectrogram)
        seen = {tuple(segment.style for segment in spectrogram.render_line(4))}
        for key, settings in (("f5", "colour_map"), ("f6", "db_range")):
            await pilot.press(key)
            await until(pilot, lambda s=settings: getattr(screen.services.state.look, s), settings)  # type: ignore[misc]
            seen.add(tuple(segment.style for segment in spectrogram.render_line(4)))
        assert len(seen) == 3
        # Another view that was not on the screen is drawn alike.
        assert app.services.state.look.colour_map is ColourMap.VIRIDIS
    kept = projects.load(app_project.directory).settings.app
    assert (kept.colour_map, kept.db_range) == (ColourMap.VIRIDIS, 40)


async def test_the_axis_changes_with_the_theme_at_once_in_every_view(app_project: Project) -> None:
    async with opened(app_project) as (app, screen, pilot):
        spectrogram = screen.query_one(Spectrogram)

        def background() -> str:
            style = next(iter(spectrogram.render_line(1))).style
            assert style is not None and style.bgcolor is not None
            return style.bgcolor.get_truecolor().hex

        assert background() == DARK.background
        await pilot.press("T")
        await until(pilot, lambda: background() == LIGHT.background, "a light axis")
        await pilot.press("w")
        await until(pilot, lambda: isinstance(app.screen, RegionsScreen), "Regions")
        await pilot.press("T", "A")
        await until(pilot, lambda: app.screen is screen and background() == DARK.background, "a dark axis")


def test_every_colour_map_gets_brighter_or_darker_step_by_step() -> None:
    for colour_map in ColourMap:
        for dark in (True, False):
            light = palette(colour_map, dark, 64) @ [0.299, 0.587, 0.114]
            assert (np.diff(light) > 0).all() or (np.diff(light) < 0).all()
            # Silence is seen against the background.
            assert brightness_colors(colour_map, dark)[0] != (DARK if dark else LIGHT).background
