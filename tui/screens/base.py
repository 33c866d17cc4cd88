"""What every screen over a sound shares: the pictures, the playhead, and the keys to listen and to look."""

from __future__ import annotations

from collections.abc import Iterator

from textual.containers import Vertical
from textual.events import Resize
from textual.screen import Screen
from textual.widget import Widget

from labeltool.tui.background.prefetch import Prepared
from labeltool.tui.keymap import remapped
from labeltool.tui.keys import WAYS, Way
from labeltool.tui.media.clip_picture import Sound
from labeltool.tui.screens.help import Help
from labeltool.tui.screens.palette import Palette
from labeltool.tui.services import Services
from labeltool.tui.text import clock
from labeltool.tui.widgets.notice import Notice
from labeltool.tui.widgets.spectrogram import Spectrogram
from labeltool.tui.widgets.transcript import Spoken
from labeltool.tui.widgets.transport import Transport
from labeltool.tui.widgets.waveform import Waveform

_FRAMES_A_SECOND = 20
_SHORT_ROWS = 28
_THIN_COLUMNS = 66
_SEEKS_A_CLIP = 20


class ListeningScreen(Screen[None]):
    """Shows and plays one sound; what is asked of it is the subclass's matter.

    Parameters
    ----------
    services
        The session, the player, the threads and the state behind the screen.
    way
        The way to work whose keys it has.
    """

    def __init__(self, services: Services, way: Way) -> None:
        super().__init__()
        self.services = services
        self.way = remapped(way, services.keymap)
        self.notice = Notice(id="notice")
        self._spectrogram = Spectrogram(id="spectrogram")
        self._waveform = Waveform(id="waveform")
        self._transport = Transport(id="transport")
        self.spoken = Spoken(id="spoken")
        self._begins_s = 0.0
        self._sound: Sound | None = None

    def compose_sight(self) -> Iterator[Widget]:
        """Lay out the pictures."""
        yield Vertical(self._spectrogram, self._waveform, self._transport, self.spoken, id="sight")

    def on_mount(self) -> None:
        """Let the playhead move."""
        self.set_interval(1 / _FRAMES_A_SECOND, self._follow_sound)

    def on_resize(self, event: Resize) -> None:
        """Give the picture the room on a small screen."""
        self.set_class(event.size.height < _SHORT_ROWS, "-short")
        self.set_class(event.size.width < _THIN_COLUMNS, "-thin")

    def show_clip(self, prepared: Prepared) -> None:
        """Show and play a clip, or say why it cannot be."""
        clip, sound = prepared.clip, prepared.sound
        beginning = f"  at {clock(clip.start_s)}" if clip.start_s else ""
        self._transport.file = clip.path.rpartition("/")[2] + beginning
        self._begins_s = clip.start_s
        self.spoken.show(prepared.transcript.segments if prepared.transcript is not None else ())
        if sound is None:
            self._put(None)
            self._spectrogram.say("This clip cannot be played.", prepared.problem, "", "b sets it aside, s skips it")
            return
        self._put(sound)
        self._spectrogram.show(sound)
        if sound.cut_s:
            self.notice.tell(f"a long clip: its last {clock(sound.cut_s)} are left out; w opens the whole")

    def show_words(self, *lines: str) -> None:
        """Show a few lines in place of a clip."""
        self._transport.file = ""
        self.spoken.show(())
        self._put(None)
        self._spectrogram.say(*lines)

    @property
    def in_front(self) -> bool:
        """Whether the sound that plays is this screen's; palettes and pages may lie over it."""
        listening = (screen for screen in reversed(self.app.screen_stack) if isinstance(screen, ListeningScreen))
        return next(listening, None) is self

    def take_player(self, *, play: bool = False) -> None:
        """Put this screen's sound into the player."""
        if self._sound is not None:
            self.services.player.put(self._sound.samples, play=play)
        else:
            self.services.player.put(self.services.silence, play=False)

    def _put(self, sound: Sound | None) -> None:
        self._sound = sound
        self._waveform.show(sound)
        self._transport.duration_s = sound.duration_s if sound else 0.0
        if self.in_front:
            self.take_player(play=self.services.state.autoplay)
        self._follow_sound()

    def _follow_sound(self) -> None:
        if not self.in_front:
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
        self._transport.moment = clock(position_s)
        self.spoken.follow(self._begins_s + position_s)
        share = position_s / self._sound.duration_s
        self._spectrogram.playhead = self._waveform.playhead = share if player.playing or 0 < share < 1 else None

    def action_toggle_play(self) -> None:
        """Play or pause."""
        self.services.player.toggle()

    def action_replay(self) -> None:
        """Play from the beginning."""
        self.services.player.replay()

    def action_loop(self) -> None:
        """Loop or not."""
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
        """Play clips as they appear, or not."""
        state = self.services.state
        state.autoplay = not state.autoplay
        self.notice.tell("clips play as they appear" if state.autoplay else "clips wait for Space")

    def action_contrast(self) -> None:
        """Change the picture's contrast."""
        self.notice.tell(f"contrast: {self._spectrogram.next_contrast()}")

    def action_brighten(self, steps: int) -> None:
        """Change the picture's brightness."""
        self.notice.tell(f"brightness: {self._spectrogram.brighten(steps):+.0f} dB")

    def action_help(self) -> None:
        """Show the keys."""
        self.app.push_screen(Help(self.way, [remapped(way, self.services.keymap) for way in WAYS]))

    def action_commands(self) -> None:
        """Find what a key does by its name, and do it."""
        told = {key.tells: key for key in self.way.keys if key.tells and key.name != "commands"}

        async def run(chosen: str | None) -> None:
            if chosen is not None:
                await self.run_action(told[chosen].action)

        self.app.push_screen(Palette("Do what?", list(told), makes_new=False), run)
