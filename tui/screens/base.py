"""What every view with a sound shares: spectrogram, waveform, playhead, and the keys for playback and display."""

from __future__ import annotations

from collections.abc import Iterator

from textual.containers import Vertical
from textual.widget import Widget

from labeltool.store.spans import Region
from labeltool.tui.background.prefetch import PreparedClip
from labeltool.tui.media.clip_picture import ClipPicture, stretch
from labeltool.tui.media.viewport import BandRange, Viewport
from labeltool.tui.screens.picture_base import PictureScreen
from labeltool.tui.services import Services
from labeltool.tui.shared_keys import View
from labeltool.tui.text import format_time
from labeltool.tui.widgets.time_track import Box
from labeltool.tui.widgets.transcript import TranscriptText

_FRAMES_A_SECOND = 20
_SEEKS_A_CLIP = 20


class AudioScreen(PictureScreen):
    """Shows and plays one sound."""

    def __init__(self, services: Services, view: View) -> None:
        super().__init__(services, view)
        self.transcript = TranscriptText(id="transcript")
        self._clip_start_s = 0.0
        self._sound: ClipPicture | None = None
        self._viewport: Viewport | None = None
        # The part that was selected with the mouse, and whether the player looped before.
        self._part: tuple[float, float] | None = None
        self._looped = False

    def compose_clip(self) -> Iterator[Widget]:
        """Lay out spectrogram, waveform, transport and transcript."""
        yield Vertical(self._spectrogram, self._waveform, self._transport, self.transcript, id="clip")

    def on_mount(self) -> None:
        self.set_interval(1 / _FRAMES_A_SECOND, self._update_playhead)

    def show_clip(self, prepared: PreparedClip) -> None:
        """Show and play a clip, or show why it cannot be played."""
        clip, sound = prepared.clip, prepared.sound
        start = f"  at {format_time(clip.start_s)}" if clip.start_s else ""
        self._transport.file = clip.path.rpartition("/")[2] + start
        self._clip_start_s = clip.start_s
        self.transcript.show(prepared.transcript.segments if prepared.transcript is not None else ())
        if sound is None:
            self._set_sound(None)
            self._spectrogram.show_text(
                "This clip cannot be played.", prepared.problem, "", "b excludes it, s skips it"
            )
            return
        self._set_sound(sound)
        if sound.cut_s:
            self.notice.show(f"long clip: the last {format_time(sound.cut_s)} are not shown; w opens the recording")

    def show_text(self, *lines: str) -> None:
        self._transport.file = ""
        self.transcript.show(())
        self._set_sound(None)
        self._spectrogram.show_text(*lines)

    @property
    def owns_player(self) -> bool:
        """Whether the player has this screen's sound; palettes and pages may be open over it."""
        screens = (screen for screen in reversed(self.app.screen_stack) if isinstance(screen, AudioScreen))
        return next(screens, None) is self

    def take_player(self, *, play: bool = False) -> None:
        if self._sound is not None:
            self.services.player.put(self._sound.samples, play=play)
        else:
            self.services.player.put(self.services.silence, play=False)

    def _set_sound(self, sound: ClipPicture | None) -> None:
        self._sound = sound
        self._viewport = None if sound is None else Viewport(sound.duration_s, 0.0, sound.duration_s)
        self._bands = BandRange()
        self._forget_part()
        self._transport.duration_s = sound.duration_s if sound else 0.0
        # First of all: what was played of the clip before does not count for this one.
        if self.owns_player:
            self.take_player(play=self.services.state.autoplay)
        if sound is None:
            self._waveform.show(None)
            self._update_playhead()
        else:
            self.update_window()

    # -- what is shown of it

    @property
    def viewport(self) -> Viewport | None:
        return self._viewport

    @property
    def part(self) -> Region | None:
        """The part that was selected with the mouse, as a region of the recording; None where there is none."""
        if self._part is None:
            return None
        return Region(*(self._clip_start_s + moment_s for moment_s in self._part))

    def box(self) -> Box | None:
        if self._part is None or self._viewport is None:
            return None
        return Box(*(self._viewport.share(moment_s) for moment_s in self._part))

    def update_window(self) -> None:
        sound, viewport = self._sound, self._viewport
        if sound is None or viewport is None:
            return
        shown = sound if viewport.is_whole else stretch(sound, viewport.start_s, viewport.span_s)
        box = self.box()
        self._spectrogram.show(self._bands.cut(shown), box)
        self._waveform.show(shown, box)
        self._update_playhead()

    def select_part(self, start_s: float, end_s: float) -> None:
        """Loop a part of the clip."""
        player = self.services.player
        if self._part is None:
            self._looped = player.loop
        self._part = (start_s, end_s)
        player.limit_to(start_s, end_s)
        player.loop = True
        player.replay()
        self.update_window()
        self.notice.show(f"{start_s:.2f} to {end_s:.2f} s loops: w opens Regions with it, Esc ends it")

    def go(self, moment_s: float) -> None:
        """Move the playhead; outside of the selected part, that is forgotten."""
        if self._part is not None and not self._part[0] <= moment_s <= self._part[1]:
            self._forget_part()
            self.update_window()
        self.services.player.seek(moment_s)
        self._update_playhead()

    def show_all(self) -> None:
        """Forget the part that was selected with the mouse, or else the zoom."""
        if self._part is not None:
            self._forget_part()
            self.update_window()
        elif self._viewport is not None and not (self._viewport.is_whole and self._bands.is_whole):
            self.action_show_whole()

    def _forget_part(self) -> None:
        if self._part is not None:
            self._part = None
            if self.owns_player:
                self.services.player.clear_limits()
                self.services.player.loop = self._looped

    def _update_playhead(self) -> None:
        if not self.owns_player:
            return  # the player may have another screen's sound
        player = self.services.player
        self._transport.speed, self._transport.gain_db = player.speed, player.gain_db
        self._transport.loop = player.loop
        self._transport.playing = player.playing
        self._transport.silent = player.silent
        if self._sound is None or self._viewport is None:
            self._spectrogram.playhead = self._waveform.playhead = None
            return
        position_s = player.position_s
        self._transport.moment = format_time(position_s)
        self.transcript.follow(self._clip_start_s + position_s)
        # Not before it is audible: the first picture of a clip, for which a person waits, is the painted one.
        moves = 0 < position_s < self._sound.duration_s
        share = self._viewport.share(position_s)
        self._spectrogram.playhead = self._waveform.playhead = share if moves and 0 <= share <= 1 else None

    def action_toggle_play(self) -> None:
        self.services.player.toggle()

    def action_replay(self) -> None:
        self.services.player.replay()

    def action_loop(self) -> None:
        player = self.services.player
        player.loop = not player.loop
        if player.loop and not player.playing:
            player.replay()

    def action_seek(self, steps: int) -> None:
        """Go back or forward by a twentieth of what is shown."""
        if self._viewport is not None:
            player = self.services.player
            player.seek(player.position_s + steps * self._viewport.span_s / _SEEKS_A_CLIP)

    def action_faster(self, steps: int) -> None:
        self.services.player.faster(steps)

    def action_louder(self, steps: int) -> None:
        self.services.player.louder(steps)

    def action_autoplay(self) -> None:
        state = self.services.state
        state.autoplay = not state.autoplay
        self.notice.show("autoplay on" if state.autoplay else "autoplay off: Space plays")
