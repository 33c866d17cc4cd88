"""What of a sound is on the screen: zoom, the mouse over spectrogram and waveform, colours and pixels."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from textual.screen import ModalScreen

from labeltool.errors import LabeltoolError
from labeltool.project import write_setting
from labeltool.settings import ColourMap, Pixels
from labeltool.store.spans import Region
from labeltool.tui.media.clip_picture import Picture
from labeltool.tui.media.graphics import Graphics
from labeltool.tui.media.look import DB_RANGES
from labeltool.tui.media.viewport import BandRange, Viewport
from labeltool.tui.messages import ClickedAt, Dragged, PointedAt, Wheeled
from labeltool.tui.screens.frame import ViewScreen
from labeltool.tui.services import Services
from labeltool.tui.shared_keys import View
from labeltool.tui.text import format_hertz
from labeltool.tui.widgets.spectrogram import Spectrogram
from labeltool.tui.widgets.time_axis import columns_of, moment_name
from labeltool.tui.widgets.time_track import Box
from labeltool.tui.widgets.transport import Transport
from labeltool.tui.widgets.waveform import Waveform

_PAN_SHARE = 0.5
_WHEEL_SHARE = 0.1


class PictureScreen(ViewScreen):
    """Shows a stretch of a sound, to zoom, pan and point at."""

    def __init__(self, services: Services, view: View) -> None:
        super().__init__(services, view)
        self._spectrogram = Spectrogram(services.state, id="spectrogram")
        self._waveform = Waveform(id="waveform")
        self._transport = Transport(id="transport")
        self._bands = BandRange()

    # -- for subclasses

    @property
    def viewport(self) -> Viewport | None:
        """The stretch on the screen; None without a sound."""
        raise NotImplementedError

    @property
    def part(self) -> Region | None:
        """The part that is selected to be played, as a region of its recording; None where there is none."""
        return None

    def box(self) -> Box | None:
        """Return the selected part as a box in the spectrogram."""
        raise NotImplementedError

    def update_window(self) -> None:
        """Show what the viewport and the bands are now."""
        raise NotImplementedError

    def go(self, moment_s: float) -> None:
        """Move the playhead."""
        raise NotImplementedError

    def select_part(self, start_s: float, end_s: float) -> None:
        """Select a part of the sound."""
        raise NotImplementedError

    def expect(self, sound: Picture) -> None:
        if self._spectrogram.is_attached:  # a clip may be read while the app ends
            self._spectrogram.expect(sound)
            self._waveform.expect(sound)

    def on_screen_suspend(self) -> None:
        """Remove the picture of pixels, which would shine through another view; a dialog is drawn without it."""
        if not isinstance(self.app.screen, ModalScreen):
            self._spectrogram.remove_picture()

    # -- zoom

    @property
    def columns(self) -> int:
        """The width of spectrogram and waveform in cells."""
        return columns_of(self._spectrogram.size.width)

    def action_zoom_time(self, steps: int) -> None:
        """Show half as much time per step (below zero: twice as much), with the playhead in place."""
        viewport = self.viewport
        if viewport is not None:
            position_s = self.services.player.position_s
            visible = viewport.start_s < position_s < viewport.end_s
            self._zoom_about(steps, position_s if visible else viewport.start_s + viewport.span_s / 2)

    def action_zoom_frequency(self, steps: int) -> None:
        """Show half as many frequencies per step (below zero: twice as many)."""
        self._bands.zoom(0.5**steps, 0.5)
        self._bands_changed()

    def action_pan(self, steps: int) -> None:
        """Show what comes after (below zero: before) what is shown."""
        self._pan(steps * _PAN_SHARE)

    def action_pan_frequency(self, steps: int) -> None:
        """Show the frequencies above (below zero: below) those shown."""
        self._bands.move(steps * _PAN_SHARE)
        self._bands_changed()

    def action_show_whole(self) -> None:
        """Show the whole sound again, with all frequencies."""
        self._bands = BandRange()
        viewport = self.viewport
        if viewport is not None:
            viewport.put(0.0, viewport.duration_s)
            self.update_window()

    def _zoom_about(self, steps: int, moment_s: float) -> None:
        viewport = self.viewport
        if viewport is not None:
            viewport.zoom(0.5**steps, moment_s)
            self.update_window()

    def _pan(self, share: float) -> None:
        viewport = self.viewport
        if viewport is not None and not viewport.is_whole:
            viewport.put(viewport.start_s + share * viewport.span_s, viewport.span_s)
            self.update_window()

    def _bands_changed(self) -> None:
        self.update_window()
        if self._bands.is_whole:
            self.notice.show("all frequencies")

    # -- the mouse

    def on_pointed_at(self, message: PointedAt) -> None:
        """Show time, frequency and level under the mouse."""
        viewport = self.viewport
        if message.share is None or viewport is None:
            self._transport.pointer = ""
            return
        precision_s = viewport.span_s / max(1, self.columns)
        parts = [moment_name(viewport.start_s + message.share * viewport.span_s, precision_s)]
        if message.hertz is not None and message.decibels is not None:
            parts += [format_hertz(message.hertz), f"{message.decibels:.0f} dB".replace("-", "−")]
        self._transport.pointer = "  ".join(parts)

    def on_clicked_at(self, message: ClickedAt) -> None:
        viewport = self.viewport
        if viewport is not None:
            whole = message.in_whole
            self.go(
                message.share * viewport.duration_s if whole else viewport.start_s + message.share * viewport.span_s
            )

    def on_dragged(self, message: Dragged) -> None:
        """Highlight the part that the mouse goes over, and select it in the end."""
        viewport = self.viewport
        if viewport is None:
            return
        if message.over:
            start_s, end_s = (viewport.start_s + share * viewport.span_s for share in (message.start, message.end))
            self.select_part(start_s, min(end_s, viewport.duration_s))
        else:
            self._waveform.show_box(Box(message.start, message.end))

    def on_wheeled(self, message: Wheeled) -> None:
        """Zoom in time (with ctrl) or frequency (with shift), about the place of the mouse; without either, pan."""
        viewport = self.viewport
        if viewport is None:
            return
        if message.ctrl:
            self._zoom_about(message.steps, viewport.start_s + message.share * viewport.span_s)
        elif message.shift:
            self._bands.zoom(0.5**message.steps, message.height)
            self._bands_changed()
        else:
            self._pan(-message.steps * _WHEEL_SHARE)

    # -- colours and pixels

    async def action_colour_map(self) -> None:
        maps = list(ColourMap)
        chosen = maps[(maps.index(self.services.state.look.colour_map) + 1) % len(maps)]
        await self._change_setting("colour_map", chosen, f"colours: {chosen}")

    async def action_db_range(self) -> None:
        """Change to the next larger range of decibels; after the largest, down to the noise."""
        before = self.services.state.look.db_range
        chosen = next((size for size in DB_RANGES if size > before), 0)
        text = f"{chosen} dB below the peaks" if chosen else "down to the noise of the sound"
        await self._change_setting("db_range", chosen, f"dB range: {text}")

    async def action_pixels(self) -> None:
        state = self.services.state
        if state.graphics is Graphics.NONE:
            self.notice.show("this terminal is not known to show pixels: kitty, Ghostty, iTerm2, WezTerm or Sixel do")
        elif state.look.graphics is Graphics.NONE:
            await self._change_setting("pixels", Pixels.ON, f"pixels ({state.graphics})")
        else:
            await self._change_setting("pixels", Pixels.OFF, "half blocks")

    def action_brighten(self, steps: int) -> None:
        look = self.services.state.look = self.services.state.look.brighter(steps)
        self._repaint()
        self.notice.show(f"brightness: {look.brightness_db:+.0f} dB")

    async def _change_setting(self, name: str, value: ColourMap | Pixels | int, text: str) -> None:
        """Draw as another setting wants it, and keep the setting."""
        state = self.services.state
        app = replace(state.settings.app, **{name: value})  # type: ignore[arg-type]
        state.settings = replace(state.settings, app=app)
        state.look = state.look.with_settings(app, state.graphics)
        self._repaint()
        self.notice.show(text)
        try:
            await asyncio.to_thread(write_setting, self.services.project, "app", name, value)
        except LabeltoolError as error:
            self.notice.show(f"{text}   (not kept: {error.reason})")

    def _repaint(self) -> None:
        self.update_window()
        for spectrogram in self.query(Spectrogram):
            spectrogram.repaint()
