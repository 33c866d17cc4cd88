"""Asking: the clip that teaches most is played and shown, one key answers it, the next one is there."""

from __future__ import annotations

import time
from dataclasses import replace

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message

from labeltool.errors import LabeltoolError
from labeltool.records import Value
from labeltool.store.journal import JournalRow
from labeltool.tui.header import Header
from labeltool.tui.hints import Hints
from labeltool.tui.keys import bindings
from labeltool.tui.learner import Training
from labeltool.tui.line import Line
from labeltool.tui.listening import ListeningScreen
from labeltool.tui.offers import Offer, by_use, offers
from labeltool.tui.palette import Palette
from labeltool.tui.preparation import Delivery, Prepared
from labeltool.tui.services import Services
from labeltool.tui.suggestions import Saying, Suggestions, what_was_said

_ASK_AGAIN_S = 5.0
_NONE_ASKED = 0  # the preparer numbers requests from 1


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


class AskScreen(ListeningScreen):
    """The queue, one clip at a time.

    Parameters
    ----------
    services
        The session, the player and the threads behind the screen.
    repeat_s
        The same answer key sooner than this after the last time is a key held down or bouncing, and not counted.
    """

    BINDINGS = bindings()

    def __init__(self, services: Services, *, repeat_s: float) -> None:
        super().__init__(services)
        self._header = Header(services.project.directory.name, id="header")
        self._suggestions = Suggestions(id="suggestions")
        self._repeat_s = repeat_s
        self._line = Line()
        self._offers: tuple[Offer, ...] = ()
        self._request = _NONE_ASKED
        # What undo took back, until its clip is here: a key pressed meanwhile is not meant for the one on the screen.
        self._fetching: JournalRow | None = None
        self._saying = Saying.ANSWER
        self._answered_here = False
        self._appeared = time.monotonic()
        self._last_key = ("", 0.0)
        self._used: dict[str, int] = {}
        self._pending_at_failure = 0

    @property
    def now(self) -> Prepared | None:
        """The clip on the screen."""
        return self._line.now

    @property
    def offers(self) -> tuple[Offer, ...]:
        """What the digits take."""
        return self._offers

    def compose(self) -> ComposeResult:
        """Lay the room out."""
        yield self._header
        yield Horizontal(*self.compose_sight(), self._suggestions, id="desk")
        yield self.notice
        yield Hints(id="hints")

    def on_mount(self) -> None:
        """Ask for the first clips."""
        self._wait("The first clip is being read …")
        self._ask()
        self.set_interval(_ASK_AGAIN_S, self._ask_again)

    # -- answers

    async def action_take(self, place: int) -> None:
        """Take the label shown with a digit."""
        if self.now is None:
            return
        if place > len(self._offers):
            self.notice.tell(f"no label {place} is shown; / finds or makes one")
            return
        offer = self._offers[place - 1]
        accepted = offer.probability is not None and self._saying is not Saying.ABSENT
        await self._say(f"take {place}", offer.label, accepted_from=self.now.model_uid if accepted else None)

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
        if self._answered_here:
            self.services.session.count_answer(time.monotonic() - self._appeared)
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
        self.notice.clear()

    def action_find(self) -> None:
        """Open the palette."""
        asked = self.now
        if asked is None:
            return

        async def take(label: str | None) -> None:
            if label is not None and self.now is asked:
                await self._say("find", label)

        self.app.push_screen(Palette(self._saying.value, by_use(self._used)), take)

    async def action_undo(self) -> None:
        """Take the last answer back and return to its clip."""
        try:
            row = await self.services.session.undo()
        except LabeltoolError as error:
            self.notice.warn(str(error))
            return
        if row is None:
            self.notice.tell("nothing to take back")
            return
        if row.clip_id is None:
            self.notice.tell("taken back: a renaming")
            self._ask()
            return
        self.notice.tell(f"taken back: {what_was_said(row)}")
        if row.label is not None and row.value == Value.PRESENT.value:
            self._used[row.label] = max(0, self._used.get(row.label, 0) - 1)
        self._fetching = row
        self.services.preparer.want_one(row.clip_id)

    async def action_redo(self) -> None:
        """Say again what was taken back last."""
        try:
            row = await self.services.session.redo()
        except LabeltoolError as error:
            self.notice.warn(str(error))
            return
        if row is None:
            self.notice.tell("nothing to say again")
            return
        self.notice.tell(f"said again: {what_was_said(row)}")
        if self.now is not None and row.clip_id == self.now.clip.id:
            self._advance()
        else:
            self._ask()

    async def _say(
        self, key: str, label: str | None, value: Value = Value.PRESENT, *, accepted_from: str | None = None
    ) -> None:
        now = self.now
        if now is None or self._fetching is not None or self._held_down(key):
            return
        saying = Saying.ANSWER if label is None else self._saying
        if saying is Saying.ABSENT:
            value = Value.ABSENT
        took_s = time.monotonic() - self._appeared
        try:
            row = await self.services.session.say(
                now.clip.id,
                label,
                value,
                accepted_from=accepted_from,
                suggested=next((offer.label for offer in self._offers[:1] if offer.probability is not None), None),
                took_ms=round(took_s * 1000),
            )
        except LabeltoolError as error:
            # Nothing was stored: the clip stays.
            self.notice.warn(str(error))
            return
        if label is not None:
            self._used[label] = self._used.get(label, 0) + (value is Value.PRESENT)
        self._header.labelled += not now.has_verdict
        self.notice.tell(what_was_said(row))
        if saying is Saying.ANSWER:
            self.services.session.count_answer(took_s)
            self._advance()
        else:
            self._answered_here = True
            self._line.now = replace(now, said=(*now.said, row))
            self._mean(Saying.ANSWER)
            self.notice.tell(f"{what_was_said(row)}   s goes on to the next clip")

    async def _set_aside(self, kind: str) -> None:
        if self.now is None or self._fetching is not None or self._held_down(kind):
            return
        took_s = time.monotonic() - self._appeared
        try:
            await self.services.session.set_aside(self.now.clip.id, kind, took_ms=round(took_s * 1000))
        except LabeltoolError as error:
            self.notice.warn(str(error))
            return
        self.services.session.count_answer(took_s)
        self.notice.tell("bad audio" if kind == "bad audio" else "skipped: it comes again at the end")
        self._advance()

    def _held_down(self, key: str) -> bool:
        """Tell whether an answer key comes from a finger that has not left it."""
        last, self._last_key = self._last_key, (key, time.monotonic())
        held = last[0] == key and self._last_key[1] - last[1] < self._repeat_s
        if held:
            self.notice.tell("the same key again at once: counted once")
        return held

    def _mean(self, saying: Saying) -> None:
        self._saying = saying
        self._show_offers()

    # -- the queue

    def _ask(self) -> None:
        self._request = self.services.preparer.want(self._line.here)

    def _ask_again(self) -> None:
        """Look for new clips (of an import elsewhere, say) while there is nothing to show."""
        if self.now is None and self._fetching is None:
            self._ask()

    def _advance(self) -> None:
        self._header.pace = self.services.session.pace
        following = self._line.advance()
        if following is not None:
            self._show(following)
        else:
            self._wait("The next clip is being read …")
        # What is on its way was made before this answer: it may hold the clip just left, or count it as open.
        self._request = _NONE_ASKED
        # Painting comes first: the thread that prepares would take turns with it.
        self.call_after_refresh(self._ask)

    def _wait(self, *lines: str) -> None:
        self._offers, self._answered_here = (), False
        self.show_words(*lines)
        self._suggestions.clear()

    def _show(self, prepared: Prepared) -> None:
        self._saying, self._answered_here = Saying.ANSWER, False
        self._offers = offers(prepared.suggestion, self._used)
        self.show_clip(prepared)
        self._show_offers()
        self._appeared = time.monotonic()

    def _show_offers(self) -> None:
        if self.now is None:
            return
        suggestion = self.now.suggestion
        source = f"model {suggestion.model_id} suggests" if suggestion else "your labels, most used first"
        if not self._offers:
            source = "no labels yet: / makes one"
        self._suggestions.show(self._offers, self.now.said, source=source, saying=self._saying)

    def on_delivered(self, message: Delivered) -> None:
        """Take what the preparer made."""
        delivery = message.delivery
        if delivery.failure:
            self._fetching = None
            self.notice.warn(delivery.failure)
        if delivery.counts is not None and (delivery.request == self._request or not self._header.clips):
            self._header.labelled, self._header.clips = delivery.counts.labelled, delivery.counts.clips
            first, self._used = not self._used, dict(delivery.counts.labels)
            if first and self.now is not None:
                # What the model suggests keeps its place; labels it does not know are added below.
                self._offers = offers(self.now.suggestion, self._used)
                self._show_offers()
        if delivery.model is not None:
            self._header.model = delivery.model
            self._train_if_due(delivery.model.pending)
        undone = self._fetching
        if undone is not None and delivery.one is not None and delivery.one.clip.id == undone.clip_id:
            self._fetching = None
            self._header.labelled -= undone.kind == "verdict" and not delivery.one.has_verdict
            self._return_to(delivery.one)
            self._ask()
        if delivery.queue is not None and delivery.request == self._request:
            self._take_queue(delivery.queue, complete=delivery.complete)

    def _take_queue(self, queue: tuple[Prepared, ...], *, complete: bool) -> None:
        self._line.take(queue, complete=complete)
        if self.now is not None or self._fetching is not None:
            return
        following = self._line.advance()
        if following is not None:
            self._show(following)
        elif complete:
            self._wait(
                "Nothing is left to ask.",
                "",
                "Every clip has its answer.",
                "u takes the last one back · t trains · q leaves",
            )

    def _return_to(self, prepared: Prepared) -> None:
        here = self.now is not None and self.now.clip.id == prepared.clip.id
        self._line.go_back(prepared)
        if here:
            # Something said on this clip was taken back: the sound goes on.
            self._answered_here = False
            self._show_offers()
        else:
            self._show(prepared)

    # -- the model

    def action_train(self) -> None:
        """Train now."""
        self.notice.tell("training has begun; go on labelling" if self._train() else "a training is under way already")

    def _train_if_due(self, pending: int) -> None:
        after = self.services.project.settings.retrain_after
        # Only someone who answers here sets it off: opening the room on old answers does not.
        if self.services.session.answers and 0 < after <= pending - self._pending_at_failure:
            self._train()

    def _train(self) -> bool:
        if not self.services.learner.start():
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
            self.notice.warn(training.failure)
        elif training.model is not None:
            self._pending_at_failure = 0
            self.notice.tell(f"model {training.model} has learnt; its suggestions begin with the next clip")
            self._ask()
