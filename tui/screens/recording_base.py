"""A recording of any length on the screen: the whole as a strip, a stretch of it to zoom, scroll and play."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.events import Resize
from textual.message import Message

from labeltool.store.recordings import StoredRecording
from labeltool.store.spans import Mark
from labeltool.tui.keys import Way
from labeltool.tui.media.open_recording import OpenRecording
from labeltool.tui.screens.answering import AnsweringScreen
from labeltool.tui.services import Services
from labeltool.tui.widgets.label_bar import LabelBar
from labeltool.tui.widgets.overview import Overview
from labeltool.tui.widgets.span_lanes import Lanes
from labeltool.tui.widgets.time_axis import GUTTER, moment_name
from labeltool.tui.widgets.time_track import Box

_SEEKS_A_WINDOW = 20


class Surveyed(Message):
    """There is more to see of the recording, or it cannot be read."""

    def __init__(self, problem: str) -> None:
        super().__init__()
        self.problem = problem


class RecordingScreen(AnsweringScreen):
    """Opens a recording at once and reads of it what is looked at; what is asked of it is the subclass's matter."""

    def __init__(self, services: Services, way: Way, *, repeat_s: float) -> None:
        super().__init__(services, way, repeat_s=repeat_s)
        self.overview = Overview(id="overview")
        self.lanes = Lanes(id="lanes")
        self.bar = LabelBar(id="labelbar")
        self._opened: OpenRecording | None = None
        self._position_s = 0.0
        self._stale = False

    # -- what a subclass gives

    @property
    def mark(self) -> Mark | None:
        """The span that is played alone; None plays what is seen."""
        raise NotImplementedError

    def box(self) -> Box | None:
        """Return what is marked in the picture."""
        raise NotImplementedError

    def show_standing(self) -> None:
        """Show what stands on the stretch in sight."""
        raise NotImplementedError

    def came_to_another(self) -> None:
        """Forget what belongs to the recording that was open before."""
        raise NotImplementedError

    def compose(self) -> ComposeResult:
        """Lay the screen out."""
        yield self.header
        yield self.overview
        yield Vertical(self._spectrogram, self._waveform, self.lanes, self._transport, self.spoken, id="stretch")
        yield self.bar
        yield self.notice
        yield self.hints

    def on_unmount(self) -> None:
        """End the recording's threads."""
        if self._opened is not None:
            self._opened.close()

    def on_resize(self, event: Resize) -> None:
        """Draw the same stretch on the new size."""
        super().on_resize(event)
        self.call_after_refresh(self.look)

    # -- the recording

    @property
    def opened(self) -> OpenRecording | None:
        """The recording on the screen."""
        return self._opened

    def open(self, recording: StoredRecording, at: Mark | None = None) -> None:
        """Show a recording, a span of it in sight."""
        if self._opened is None or self._opened.recording != recording:
            if self._opened is not None:
                self._opened.close()
            self._opened = OpenRecording(recording, self._tell_surveyed)
            self._position_s = 0.0
            self.came_to_another()
            self._transport.file = recording.path.rpartition("/")[2]
            self._transport.duration_s = recording.duration_s
        if at is not None:
            self._opened.window.show(at.start_s, at.end_s)
            self._position_s = at.start_s
        self.services.player.loop = False
        self.take_player()
        self.look_again()
        self.look()

    def take_player(self, *, play: bool = False) -> None:
        """Put the recording's sound into the player, where it was left."""
        if self._opened is not None:
            self.services.player.put(self._opened.stream, play=play)
            self.services.player.seek(self._position_s)

    def _tell_surveyed(self, problem: str) -> None:
        # Called in the surveyor's thread, which may outlive the screen by a moment.
        loop = self.app._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self.post_message, Surveyed(problem))

    def on_surveyed(self, message: Surveyed) -> None:
        """Draw it with the next frame."""
        self._stale = True
        if message.problem:
            self.notice.warn(message.problem)

    @property
    def columns(self) -> int:
        """How many columns the pictures have."""
        return self._spectrogram.size.width - GUTTER

    def look(self) -> None:
        """Draw the window anew and have made what it lacks."""
        if self._opened is not None and self.columns > 0:
            self._opened.survey(self.columns)
            self.draw()

    def draw(self) -> None:
        """Draw what there is of the window."""
        self._stale = False
        if self._opened is None or self.columns <= 0:
            return
        window, duration_s = self._opened.window, self._opened.recording.duration_s
        whole, sight = self._opened.sights(self.columns)
        box = self.box()
        self.overview.show_window(whole, window.start_s / duration_s, window.end_s / duration_s)
        self._spectrogram.show(sight, box)
        self._waveform.show(sight, box)
        self.show_standing()
        self._follow_sound()

    def _follow_sound(self) -> None:
        opened, player = self._opened, self.services.player
        if opened is None or not self.in_front:
            return
        if opened.stream.failure and player.playing:
            player.toggle()
            self.notice.warn(opened.stream.failure)
        position_s = self._position_s = player.position_s
        if player.playing and opened.window.follow(position_s):
            self.look()
        elif self._stale:
            self.draw()
        transport = self._transport
        transport.speed, transport.gain_db, transport.loop = player.speed, player.gain_db, player.loop
        transport.playing, transport.silent = player.playing, player.silent
        transport.moment = moment_name(position_s, opened.window.span_s / max(1, self.columns))
        share = opened.window.share(position_s)
        self._spectrogram.playhead = self._waveform.playhead = share if 0 <= share <= 1 else None
        self.overview.playhead = position_s / opened.recording.duration_s
        self.spoken.follow(position_s)

    # -- moving

    def go(self, moment_s: float) -> None:
        """Put the playhead somewhere, in sight."""
        if self._opened is None:
            return
        player = self.services.player
        player.loop = False
        player.roam()
        player.seek(moment_s)
        self._position_s = player.position_s
        if self._opened.window.follow(self._position_s):
            self.look()
        else:
            self._follow_sound()

    def action_seek(self, steps: int) -> None:
        """Go back or forward by a twentieth of the window."""
        if self._opened is not None:
            self.go(self.services.player.position_s + steps * self._opened.window.span_s / _SEEKS_A_WINDOW)

    def action_page(self, steps: int) -> None:
        """Go back or forward by a window."""
        if self._opened is not None:
            window = self._opened.window
            moment_s = self.services.player.position_s + steps * window.span_s
            window.put(window.start_s + steps * window.span_s, window.span_s)
            self.go(moment_s)
            self.look()

    def action_end(self, last: bool) -> None:
        """Go to the recording's beginning or end."""
        if self._opened is not None:
            self.go(self._opened.recording.duration_s if last else 0.0)

    def zoom(self, steps: int) -> None:
        """Show half as much (below zero: twice as much), the playhead staying where it is."""
        if self._opened is not None:
            window, position_s = self._opened.window, self.services.player.position_s
            seen = window.start_s <= position_s <= window.end_s
            window.zoom(0.5**steps, position_s if seen else (window.start_s + window.end_s) / 2)
            self.look()

    # -- listening

    def action_toggle_play(self) -> None:
        """Play or pause; beyond the span that was played alone it goes on."""
        if not self.services.player.loop:
            self.services.player.roam()
        super().action_toggle_play()

    def action_replay(self) -> None:
        """Play the marked span alone, or what is seen."""
        self.keep_within_mark()
        super().action_replay()

    def action_loop(self) -> None:
        """Loop the marked span or what is seen, or no longer."""
        if not self.services.player.loop:
            self.keep_within_mark()
        else:
            self.services.player.roam()
        super().action_loop()

    def keep_within_mark(self) -> None:
        """Let the player play no more than the marked span, or what is seen."""
        if self._opened is not None:
            heard = self.mark or self._opened.window
            self.services.player.keep_within(heard.start_s, heard.end_s)
