"""A recording of any length on the screen: an overview strip, and a window of it to zoom, scroll and play."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.events import Resize

from labeltool.store.recordings import StoredRecording
from labeltool.store.spans import Region
from labeltool.tui.background.turns import in_turn
from labeltool.tui.media.graphics import Graphics
from labeltool.tui.media.open_recording import OpenRecording
from labeltool.tui.media.viewport import Viewport
from labeltool.tui.screens.annotate_base import AnnotateScreen
from labeltool.tui.services import Services
from labeltool.tui.shared_keys import View
from labeltool.tui.widgets.label_bar import LabelBar
from labeltool.tui.widgets.overview import Overview
from labeltool.tui.widgets.span_lanes import SpanLanes
from labeltool.tui.widgets.time_axis import moment_name

_SEEKS_PER_WINDOW = 20
_PIXEL_COLUMNS = 4


class RecordingScreen(AnnotateScreen):
    """Opens a recording and reads only what is visible; a subclass labels it."""

    def __init__(self, services: Services, view: View, *, repeat_s: float) -> None:
        super().__init__(services, view, repeat_s=repeat_s)
        self.overview = Overview(services.state, id="overview")
        self.lanes = SpanLanes(id="lanes")
        self.bar = LabelBar(self.label_keys, id="labelbar")
        self.opened: OpenRecording | None = None
        self._position_s = 0.0
        self._stale = False

    # -- for subclasses

    @property
    def selected_region(self) -> Region | None:
        """The region to play; None plays the window."""
        raise NotImplementedError

    def show_spans(self) -> None:
        """Show the labels and suggestions in the window."""
        raise NotImplementedError

    def clear(self) -> None:
        """Forget the region and labels of the recording that was open before."""
        raise NotImplementedError

    def compose_body(self) -> ComposeResult:
        yield self.overview
        yield Vertical(self._spectrogram, self._waveform, self.lanes, self._transport, self.transcript, id="recording")
        yield self.bar

    def on_unmount(self) -> None:
        if self.opened is not None:
            self.opened.close()

    def on_resize(self, event: Resize) -> None:
        super().on_resize(event)
        self.call_after_refresh(self.update_window)

    # -- the recording

    @property
    def viewport(self) -> Viewport | None:
        return self.opened.viewport if self.opened is not None else None

    @property
    def part(self) -> Region | None:
        """None: regions are selected here, and none is taken to another view."""
        return None

    def show_all(self) -> None:
        """Keep the zoom: a long recording is looked at in windows."""

    def open(self, recording: StoredRecording, region: Region | None = None) -> None:
        """Show a recording, with a region of it in view."""
        if self.opened is None or self.opened.recording != recording:
            if self.opened is not None:
                self.opened.close()
            self.opened = OpenRecording(recording, in_turn(self, self._take_read))
            self._position_s = 0.0
            self.clear()
            self._transport.file = recording.path.rpartition("/")[2]
            self._transport.duration_s = recording.duration_s
        if region is not None:
            self.opened.viewport.show(region.start_s, region.end_s)
            self._position_s = region.start_s
        self.services.player.loop = False
        self.take_player()
        self.reload()
        self.update_window()

    def take_player(self, *, play: bool = False) -> None:
        """Load the recording into the player, at its last position."""
        if self.opened is not None:
            self.services.player.put(self.opened.stream, play=play)
            self.services.player.seek(self._position_s)

    def _take_read(self, problem: str) -> None:
        """Draw with the next frame what was read, or show why it cannot be read."""
        self._stale = True
        if problem:
            self.notice.warn(problem)

    @property
    def _analysed_columns(self) -> int:
        """The number of columns that are analysed: several of a cell where it has pixels."""
        return self.columns * (1 if self.services.state.look.graphics is Graphics.NONE else _PIXEL_COLUMNS)

    def update_window(self) -> None:
        if self.opened is not None and self.columns > 0:
            self.opened.request_tiles(self._analysed_columns)
            self.draw()

    def draw(self) -> None:
        """Draw the part of the window that was read."""
        self._stale = False
        if self.opened is None or self.columns <= 0:
            return
        viewport, duration_s = self.opened.viewport, self.opened.recording.duration_s
        whole, picture = self.opened.pictures(self._analysed_columns)
        box = self.box()
        self.overview.show_window(whole, viewport.start_s / duration_s, viewport.end_s / duration_s)
        self._spectrogram.show(self._bands.cut(picture), box)
        self._waveform.show(picture, box)
        self.show_spans()
        self._update_playhead()

    def _update_playhead(self) -> None:
        opened, player = self.opened, self.services.player
        if opened is None or not self.owns_player:
            return
        if opened.stream.failure and player.playing:
            player.toggle()
            self.notice.warn(opened.stream.take_failure())
        position_s = self._position_s = player.position_s
        if player.playing and opened.viewport.follow(position_s):
            self.update_window()
        elif self._stale:
            self.draw()
        transport = self._transport
        transport.speed, transport.gain_db, transport.loop = player.speed, player.gain_db, player.loop
        transport.playing, transport.silent = player.playing, player.silent
        transport.moment = moment_name(position_s, opened.viewport.span_s / max(1, self.columns))
        share = opened.viewport.share(position_s)
        self._spectrogram.playhead = self._waveform.playhead = share if 0 <= share <= 1 else None
        self.overview.playhead = position_s / opened.recording.duration_s
        self.transcript.follow(position_s)

    # -- moving

    def go(self, moment_s: float) -> None:
        """Move the playhead, and keep it in view."""
        if self.opened is None:
            return
        player = self.services.player
        player.loop = False
        player.clear_limits()
        player.seek(moment_s)
        self._position_s = player.position_s
        if self.opened.viewport.follow(self._position_s):
            self.update_window()
        else:
            self._update_playhead()

    def action_seek(self, steps: int) -> None:
        if self.opened is not None:
            self.go(self.services.player.position_s + steps * self.opened.viewport.span_s / _SEEKS_PER_WINDOW)

    def action_page(self, steps: int) -> None:
        if self.opened is not None:
            viewport = self.opened.viewport
            moment_s = self.services.player.position_s + steps * viewport.span_s
            viewport.put(viewport.start_s + steps * viewport.span_s, viewport.span_s)
            self.go(moment_s)
            self.update_window()

    def action_end(self, last: bool) -> None:
        if self.opened is not None:
            self.go(self.opened.recording.duration_s if last else 0.0)

    # -- playback

    def action_toggle_play(self) -> None:
        """Play or pause; playback goes on after the end of the region."""
        if not self.services.player.loop:
            self.services.player.clear_limits()
        super().action_toggle_play()

    def action_replay(self) -> None:
        """Play the region, or the window."""
        self.limit_playback()
        super().action_replay()

    def action_loop(self) -> None:
        if not self.services.player.loop:
            self.limit_playback()
        else:
            self.services.player.clear_limits()
        super().action_loop()

    def limit_playback(self) -> None:
        """Limit the player to the region, or to the window."""
        if self.opened is not None:
            limits = self.selected_region or self.opened.viewport
            self.services.player.limit_to(limits.start_s, limits.end_s)
