"""What every view with a sound shares: spectrogram, waveform, playhead, and the keys for playback and display."""

from __future__ import annotations

from collections.abc import Iterator

from textual.containers import Vertical
from textual.widget import Widget

from labeltool.tui.background.prefetch import PreparedClip
from labeltool.tui.media.clip_picture import ClipPicture
from labeltool.tui.screens.frame import ViewScreen
from labeltool.tui.services import Services
from labeltool.tui.shared_keys import View
from labeltool.tui.text import format_time
from labeltool.tui.widgets.spectrogram import Spectrogram
from labeltool.tui.widgets.transcript import TranscriptText
from labeltool.tui.widgets.transport import Transport
from labeltool.tui.widgets.waveform import Waveform

_FRAMES_A_SECOND = 20
_SEEKS_A_CLIP = 20


class AudioScreen(ViewScreen):
    """Shows and plays one sound.

    Parameters
    ----------
    services
        The session, the player, the background work and the state.
    view
        The view's keys, before `[keys]` of the settings changes them.
    """

    def __init__(self, services: Services, view: View) -> None:
        super().__init__(services, view)
        self._spectrogram = Spectrogram(id="spectrogram")
        self._waveform = Waveform(id="waveform")
        self._transport = Transport(id="transport")
        self.transcript = TranscriptText(id="transcript")
        self._clip_start_s = 0.0
        self._sound: ClipPicture | None = None

    def compose_clip(self) -> Iterator[Widget]:
        """Lay out spectrogram, waveform, transport and transcript."""
        yield Vertical(self._spectrogram, self._waveform, self._transport, self.transcript, id="clip")

    def on_mount(self) -> None:
        """Start to move the playhead."""
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
        self._spectrogram.show(sound)
        if sound.cut_s:
            self.notice.show(f"long clip: the last {format_time(sound.cut_s)} are not shown; w opens the recording")

    def show_text(self, *lines: str) -> None:
        """Show lines of text in place of a clip."""
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
        """Load this screen's sound into the player."""
        if self._sound is not None:
            self.services.player.put(self._sound.samples, play=play)
        else:
            self.services.player.put(self.services.silence, play=False)

    def _set_sound(self, sound: ClipPicture | None) -> None:
        self._sound = sound
        self._waveform.show(sound)
        self._transport.duration_s = sound.duration_s if sound else 0.0
        if self.owns_player:
            self.take_player(play=self.services.state.autoplay)
        self._update_playhead()

    def _update_playhead(self) -> None:
        if not self.owns_player:
            return  # the player may have another screen's sound
        player = self.services.player
        self._transport.speed, self._transport.gain_db = player.speed, player.gain_db
        self._transport.loop = player.loop
        self._transport.playing = player.playing
        self._transport.silent = player.silent
        if self._sound is None:
            self._spectrogram.playhead = self._waveform.playhead = None
            return
        position_s = player.position_s
        self._transport.moment = format_time(position_s)
        self.transcript.follow(self._clip_start_s + position_s)
        share = position_s / self._sound.duration_s
        self._spectrogram.playhead = self._waveform.playhead = share if player.playing or 0 < share < 1 else None

    def action_toggle_play(self) -> None:
        """Play or pause."""
        self.services.player.toggle()

    def action_replay(self) -> None:
        """Play from the start."""
        self.services.player.replay()

    def action_loop(self) -> None:
        """Turn the loop on or off."""
        player = self.services.player
        player.loop = not player.loop
        if player.loop and not player.playing:
            player.replay()

    def action_seek(self, steps: int) -> None:
        """Go back or forward by a twentieth of the clip."""
        if self._sound is not None:
            player = self.services.player
            player.seek(player.position_s + steps * self._sound.duration_s / _SEEKS_A_CLIP)

    def action_faster(self, steps: int) -> None:
        """Change the speed."""
        self.services.player.faster(steps)

    def action_louder(self, steps: int) -> None:
        """Change the gain."""
        self.services.player.louder(steps)

    def action_autoplay(self) -> None:
        """Turn on or off that clips play when they appear."""
        state = self.services.state
        state.autoplay = not state.autoplay
        self.notice.show("autoplay on" if state.autoplay else "autoplay off: Space plays")

    def action_contrast(self) -> None:
        """Change the contrast of the spectrogram."""
        self.notice.show(f"contrast: {self._spectrogram.next_contrast()}")

    def action_brighten(self, steps: int) -> None:
        """Change the brightness of the spectrogram."""
        self.notice.show(f"brightness: {self._spectrogram.brighten(steps):+.0f} dB")
