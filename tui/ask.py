"""Asking: the clip that teaches most is played and shown, one key answers it, the next one is there."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import replace

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.events import Resize
from textual.message import Message
from textual.screen import Screen

from labeltool.errors import LabeltoolError
from labeltool.records import Value
from labeltool.tui.header import Header
from labeltool.tui.help import Help
from labeltool.tui.hints import Hints
from labeltool.tui.keys import bindings
from labeltool.tui.learner import Training
from labeltool.tui.notice import Notice
from labeltool.tui.offers import Offer, by_use, offers
from labeltool.tui.palette import Palette
from labeltool.tui.preparation import Delivery, Prepared
from labeltool.tui.services import Services
from labeltool.tui.spectrogram import Spectrogram
from labeltool.tui.suggestions import Saying, Suggestions, told
from labeltool.tui.text import clip as clipped
from labeltool.tui.text import clock
from labeltool.tui.transport import Transport
from labeltool.tui.waveform import Waveform

_FRAMES_A_SECOND = 30
_SHORT_ROWS = 28
_SEEKS_A_CLIP = 20
_ASK_AGAIN_S = 5.0


class Delivered(Message):
    """The preparer has something new."""

    def __init__(self, delivery: Delivery) -> None:
        super().__init__()
        self.delivery = delivery


class Trained(Message):
    """The learner has something new."""

    def __init__(self, training: Training) -> None:
        super().__init__()
        self.training = training


class AskScreen(Screen[None]):
    """The queue, one clip at a time.

    Parameters
    ----------
    services
        The session, the player and the threads behind the screen.
    repeat_s
        The same answer key sooner than this after the last time is a key held down or bouncing, and not counted.
    """

    BINDINGS = bindings()

    def __init__(self, services: Services, *, repeat_s: float = 0.12) -> None:
        super().__init__()
        self._services = services
        self._repeat_s = repeat_s
        self._now: Prepared | None = None
        self._offers: tuple[Offer, ...] = ()
        self._ready: deque[Prepared] = deque()
        # Clips that undo went back from: they come again before the queue goes on.
        self._left: list[Prepared] = []
        self._request = 0
        self._fetching: int | None = None
        self._saying = Saying.ANSWER
        self._answered_here = False
        self._appeared = time.monotonic()
        self._last_key = ("", 0.0)
        self._used: dict[str, int] = {}
        self._autoplay = True
        self._pending_at_failure = 0

    def compose(self) -> ComposeResult:
        """Lay the room out."""
        yield Header(self._services.project.directory.name, id="header")
        with Horizontal(id="desk"):
            with Vertical(id="sight"):
                yield Spectrogram(id="spectrogram")
                yield Waveform(id="waveform")
                yield Transport(id="transport")
            yield Suggestions(id="suggestions")
        yield Notice(id="notice")
        yield Hints(id="hints")

    def on_mount(self) -> None:
        """Ask for the first clips."""
        self._spectrogram = self.query_one(Spectrogram)
        self._waveform = self.query_one(Waveform)
        self._transport = self.query_one(Transport)
        self._header = self.query_one(Header)
        self._suggestions = self.query_one(Suggestions)
        self._notice = self.query_one(Notice)
        self._wait()
        self._ask()
        self.set_interval(1 / _FRAMES_A_SECOND, self._follow_sound)
        self.set_interval(_ASK_AGAIN_S, self._ask_again)

    def on_resize(self, event: Resize) -> None:
        """Give the picture the rows on a short screen."""
        self.set_class(event.size.height < _SHORT_ROWS, "-short")

    # -- answers

    async def action_take(self, place: int) -> None:
        """Take the label shown with a digit."""
        if place > len(self._offers):
            self._notice.tell(f"no label {place} is shown; / finds or makes one" if self._now else "no clip is shown")
            return
        offer = self._offers[place - 1]
        suggested = offer.probability is not None and self._now is not None and self._saying is not Saying.ABSENT
        await self._say(
            f"take {place}", offer.label, accepted_from=self._now.model_uid if suggested and self._now else None
        )

    async def action_none_of_these(self) -> None:
        """Say that none of the project's labels is heard."""
        await self._say("none", None, Value.ABSENT)

    async def action_cannot_tell(self) -> None:
        """Say that it cannot be told."""
        await self._say("unsure", None, Value.UNSURE)

    async def action_bad_audio(self) -> None:
        """Set the clip aside for good."""
        await self._set_aside("bad audio")

    async def action_skip(self) -> None:
        """Set the clip aside for later; once something was said of it here, just go on."""
        if self._answered_here and self._now is not None:
            self._services.session.count_answer(time.monotonic() - self._appeared)
            self._advance()
        else:
            await self._set_aside("skip")

    def action_also(self) -> None:
        """Let the next label be one of several."""
        self._mean(Saying.ANSWER if self._saying is Saying.ALSO else Saying.ALSO)

    def action_absent(self) -> None:
        """Let the next label be what it is not."""
        self._mean(Saying.ANSWER if self._saying is Saying.ABSENT else Saying.ABSENT)

    def action_drop(self) -> None:
        """Forget what was begun, and put a warning away."""
        self._mean(Saying.ANSWER)
        self._notice.clear()

    def action_find(self) -> None:
        """Open the palette."""
        if self._now is None:
            return
        asked = self._now

        async def take(label: str | None) -> None:
            if label is not None and self._now is asked:
                await self._say("find", label)

        self.app.push_screen(Palette(self._saying.value, by_use(self._used)), take)

    async def action_undo(self) -> None:
        """Take the last answer back and return to its clip."""
        try:
            row = await self._services.session.undo()
        except LabeltoolError as error:
            self._notice.warn(str(error))
            return
        if row is None:
            self._notice.tell("nothing to take back")
            return
        if row.value == Value.PRESENT.value and row.label is not None:
            self._used[row.label] = max(0, self._used.get(row.label, 0) - 1)
        if row.clip_id is None:
            self._notice.tell("taken back: a renaming")
            self._ask()
            return
        self._notice.tell(f"taken back: {told(row)}")
        if row.kind == "verdict":
            self._header.labelled = max(0, self._header.labelled - 1)
        self._fetching = row.clip_id
        self._services.preparer.want_one(row.clip_id)

    async def _say(
        self, key: str, label: str | None, value: Value = Value.PRESENT, *, accepted_from: str | None = None
    ) -> None:
        now = self._now
        if now is None or self._held_down(key) or self._is_fetching():
            return
        saying = Saying.ANSWER if label is None else self._saying
        if saying is Saying.ABSENT:
            value = Value.ABSENT
        took_s = time.monotonic() - self._appeared
        try:
            row = await self._services.session.say(
                now.clip.id, label, value, accepted_from=accepted_from, took_ms=round(took_s * 1000)
            )
        except LabeltoolError as error:
            # Nothing was stored: the clip stays.
            self._notice.warn(str(error))
            return
        if label is not None:
            self._used[label] = self._used.get(label, 0) + (value is Value.PRESENT)
        if not any(earlier.kind == "verdict" for earlier in now.said):
            self._header.labelled += 1
        if saying is Saying.ANSWER:
            self._services.session.count_answer(took_s)
            self._notice.tell(told(row).rpartition("  (")[0])
            self._advance()
        else:
            self._answered_here = True
            self._now = replace(now, said=(*now.said, row))
            self._mean(Saying.ANSWER)
            self._notice.tell(f"{told(row).rpartition('  (')[0]}  s goes on to the next clip")

    async def _set_aside(self, kind: str) -> None:
        if self._now is None or self._held_down(kind) or self._is_fetching():
            return
        took_s = time.monotonic() - self._appeared
        try:
            await self._services.session.set_aside(self._now.clip.id, kind, took_ms=round(took_s * 1000))
        except LabeltoolError as error:
            self._notice.warn(str(error))
            return
        self._services.session.count_answer(took_s)
        self._notice.tell(kind if kind == "bad audio" else "skipped: it comes again at the end")
        self._advance()

    def _held_down(self, key: str) -> bool:
        """Tell whether an answer key comes from a finger that has not left it."""
        last, self._last_key = self._last_key, (key, time.monotonic())
        held = last[0] == key and self._last_key[1] - last[1] < self._repeat_s
        if held:
            self._notice.tell("the same key again at once: counted once")
        return held

    def _is_fetching(self) -> bool:
        """Tell whether undo is on its way to another clip: a key pressed now is not meant for this one."""
        return self._fetching is not None

    def _mean(self, saying: Saying) -> None:
        self._saying = saying
        self._show_offers()

    # -- the queue

    def _ask(self) -> None:
        shown = [prepared.clip.id for prepared in (self._now, *self._left) if prepared is not None]
        self._request = self._services.preparer.want(shown)

    def _ask_again(self) -> None:
        """Look for new clips (of an import elsewhere, say) while there is nothing to show."""
        if self._now is None and self._fetching is None:
            self._ask()

    def _advance(self) -> None:
        self._header.pace = self._services.session.pace
        following = self._left.pop() if self._left else self._ready.popleft() if self._ready else None
        if following is not None:
            self._show(following)
        else:
            self._wait()
        self._ask()

    def _wait(self, *lines: str) -> None:
        self._now, self._offers = None, ()
        self._services.player.put(self._services.silence, play=False)
        self._spectrogram.say(*(lines or ("The next clip is being read …",)))
        self._waveform.show(None)
        self._transport.duration_s, self._transport.file = 0.0, ""
        self._suggestions.show((), (), source="")

    def _show(self, prepared: Prepared) -> None:
        self._now = prepared
        self._saying, self._answered_here = Saying.ANSWER, False
        self._offers = offers(prepared.suggestion, self._used)
        sound = prepared.sound
        if sound is not None:
            self._spectrogram.show(sound)
            self._services.player.put(sound.samples, play=self._autoplay)
            self._transport.duration_s = sound.duration_s
            if sound.cut_s:
                self._notice.tell(f"a long clip: its last {clock(sound.cut_s)} are neither shown nor played")
        else:
            self._spectrogram.say("This clip cannot be played.", prepared.problem, "", "b sets it aside, s skips it")
            self._services.player.put(self._services.silence, play=False)
            self._transport.duration_s = 0.0
        self._waveform.show(sound)
        clip = prepared.clip
        self._transport.file = f"{clip.path.rpartition('/')[2]}  at {clock(clip.start_s)}"
        self._show_offers()
        self._follow_sound()
        self._appeared = time.monotonic()

    def _show_offers(self) -> None:
        if self._now is None:
            return
        suggestion = self._now.suggestion
        source = f"model {suggestion.model_id} suggests" if suggestion else "your labels, most used first"
        if not self._offers:
            source = "no labels yet: / makes one"
        self._suggestions.show(self._offers, self._now.said, source=source, saying=self._saying)

    def on_delivered(self, message: Delivered) -> None:
        """Take what the preparer made."""
        delivery = message.delivery
        if delivery.failure:
            self._notice.warn(delivery.failure)
        if delivery.counts is not None:
            self._header.labelled, self._header.clips = delivery.counts.labelled, delivery.counts.clips
            first = not self._used
            self._used = dict(delivery.counts.labels)
            if first and self._now is not None:
                # What the model suggests keeps its place; labels it does not know are added below.
                self._offers = offers(self._now.suggestion, self._used)
                self._show_offers()
        if delivery.model is not None:
            self._header.model = delivery.model
            self._train_if_due(delivery.model.pending)
        if delivery.one is not None and delivery.one.clip.id == self._fetching:
            self._return_to(delivery.one)
        if delivery.queue is not None and delivery.request == self._request:
            self._take_queue(delivery.queue, complete=delivery.complete)

    def _take_queue(self, queue: tuple[Prepared, ...], *, complete: bool) -> None:
        here = {prepared.clip.id for prepared in (self._now, *self._left) if prepared is not None}
        fresh = [prepared for prepared in queue if prepared.clip.id not in here]
        if complete or len(fresh) > len(self._ready):
            self._ready = deque(fresh)
        if self._now is None and self._fetching is None:
            if self._ready:
                self._show(self._ready.popleft())
            elif complete:
                self._wait(
                    "Nothing is left to ask.",
                    "",
                    "Every clip has its answer.",
                    "u takes the last one back   t trains   q leaves",
                )

    def _return_to(self, prepared: Prepared) -> None:
        self._fetching = None
        now = self._now
        if now is not None and now.clip.id == prepared.clip.id:
            # Something said here was taken back: the sound goes on.
            self._now = prepared
            self._answered_here = False
            self._show_offers()
            return
        if now is not None:
            self._left.append(now)
        self._left = [left for left in self._left if left.clip.id != prepared.clip.id]
        self._ready = deque(ready for ready in self._ready if ready.clip.id != prepared.clip.id)
        self._show(prepared)

    # -- the model

    def action_train(self) -> None:
        """Train now."""
        self._notice.tell("training has begun; go on labelling" if self._train() else "a training is under way already")

    def _train_if_due(self, pending: int) -> None:
        after = self._services.project.settings.retrain_after
        # Only someone who answers here sets it off: opening the room on old answers does not.
        if self._services.session.answers and 0 < after <= pending - self._pending_at_failure:
            self._train()

    def _train(self) -> bool:
        if not self._services.learner.start():
            return False
        self._header.training = Training()
        return True

    def on_trained(self, message: Trained) -> None:
        """Show how the training goes; at its end put the queue in order anew, behind the clip on the screen."""
        training = message.training
        self._header.training = training
        if training.failure:
            # Not again at once: after as many further answers.
            self._pending_at_failure = self._header.model.pending if self._header.model else 0
            self._notice.warn(training.failure)
        elif training.model is not None:
            self._pending_at_failure = 0
            self._notice.tell(f"model {training.model} has learnt; its suggestions begin with the next clip")
            self._ask()

    # -- sound and sight

    def _follow_sound(self) -> None:
        player = self._services.player
        self._transport.playing = player.playing
        self._transport.silent = player.silent
        if self._now is None or self._now.sound is None:
            self._spectrogram.playhead = self._waveform.playhead = None
            return
        position_s = player.position_s
        self._transport.moment = clock(position_s)
        share = position_s / self._now.sound.duration_s
        self._spectrogram.playhead = self._waveform.playhead = share if player.playing or 0 < share < 1 else None

    def action_toggle_play(self) -> None:
        """Play or pause."""
        self._services.player.toggle()

    def action_replay(self) -> None:
        """Play from the beginning."""
        self._services.player.replay()

    def action_loop(self) -> None:
        """Loop or not."""
        player = self._services.player
        player.loop = self._transport.loop = not player.loop
        if player.loop and not player.playing:
            player.replay()

    def action_seek(self, steps: int) -> None:
        """Go back or forward by a twentieth of the clip."""
        if self._now is not None and self._now.sound is not None:
            player = self._services.player
            player.seek(player.position_s + steps * self._now.sound.duration_s / _SEEKS_A_CLIP)

    def action_faster(self, steps: int) -> None:
        """Change the speed."""
        self._services.player.faster(steps)
        self._transport.speed = self._services.player.speed

    def action_louder(self, steps: int) -> None:
        """Change the gain."""
        self._services.player.louder(steps)
        self._transport.gain_db = self._services.player.gain_db

    def action_autoplay(self) -> None:
        """Play clips as they appear, or not."""
        self._autoplay = not self._autoplay
        self._notice.tell("clips play as they appear" if self._autoplay else "clips wait for Space")

    def action_contrast(self) -> None:
        """Change the picture's contrast."""
        self._notice.tell(f"contrast: {self._spectrogram.next_contrast()}")

    def action_brighten(self, steps: int) -> None:
        """Change the picture's brightness."""
        self._notice.tell(f"brightness: {clipped(f'{self._spectrogram.brighten(steps):+.0f}', 4)} dB")

    # -- the room

    def action_help(self) -> None:
        """Show the keys."""
        self.app.push_screen(Help())

    def action_leave(self) -> None:
        """Close the room."""
        self.app.exit()
