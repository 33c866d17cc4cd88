"""What every screen that takes answers shares: keys become rows of the journal, undo and redo go through it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from labeltool.errors import LabeltoolError
from labeltool.records import Value
from labeltool.store.journal import JournalRow
from labeltool.tui.background.prefetch import Delivery, Prepared
from labeltool.tui.keys import Way
from labeltool.tui.label_choices import Offer, by_use, offers
from labeltool.tui.screens.base import ListeningScreen
from labeltool.tui.screens.palette import Palette
from labeltool.tui.screens.text_prompt import Wording
from labeltool.tui.services import Services
from labeltool.tui.session import Answer
from labeltool.tui.widgets.header import Header
from labeltool.tui.widgets.key_hints import Hints
from labeltool.tui.widgets.suggestions import Saying, Suggestions, what_an_act_said, what_was_said


class AnsweringScreen(ListeningScreen):
    """Takes answers on the clip it shows; which clip that is and what follows it is the subclass's matter.

    Parameters
    ----------
    services
        The session, the player, the threads and the state behind the screen.
    way
        The way to work whose keys it has.
    repeat_s
        The same answer key sooner than this after the last time is a key held down or bouncing, and not counted.
    """

    def __init__(self, services: Services, way: Way, *, repeat_s: float) -> None:
        super().__init__(services, way)
        self.header = Header(services.project.directory.name, services.state, services.session, id="header")
        self.panel = Suggestions(id="suggestions")
        self.hints = Hints(self.way, id="hints")
        self._repeat_s = repeat_s
        self._now: Prepared | None = None
        self._offers: tuple[Offer, ...] = ()
        self._saying = Saying.ANSWER
        self._said_here = False
        self._appeared = time.monotonic()
        self._last_key = ("", 0.0)

    # -- what a subclass gives

    @property
    def now(self) -> Prepared | None:
        """The clip on the screen."""
        return self._now

    @now.setter
    def now(self, prepared: Prepared | None) -> None:
        self._now = prepared

    @property
    def busy(self) -> bool:
        """Whether a key pressed now would not be meant for the clip on the screen."""
        return False

    def go_on(self, answered: int) -> None:
        """Show what comes after a clip that was just answered."""
        raise NotImplementedError

    def go_back(self, row: JournalRow) -> None:
        """Show the clip of a row that was just taken back."""
        raise NotImplementedError

    def take_back(self, rows: Sequence[JournalRow]) -> None:
        """Show what an act that was just taken back was said of: the clip of its last row."""
        self.go_back(rows[-1])

    def look_again(self) -> None:
        """Read again what the screen shows: the journal, the suggestions or the labels' names have changed."""
        raise NotImplementedError

    def is_up_to_date(self, delivery: Delivery) -> bool:
        """Tell whether a delivery was made after the last answer here."""
        return False

    def take_delivery(self, delivery: Delivery) -> None:
        """Take what the preparer made."""
        raise NotImplementedError

    def heard_on(self, asked: Prepared) -> list[str]:
        """Return the labels that stand as present on what is asked about."""
        return heard(asked.said)

    async def write(self, asked: Prepared, answer: Answer) -> JournalRow:
        """Write a verdict on what is asked about."""
        return await self.services.session.say(asked.clip.id, answer)

    async def write_note(self, asked: Prepared, text: str) -> JournalRow:
        """Write a note on what is asked about."""
        return await self.services.session.note(asked.clip.id, text)

    # -- showing

    @property
    def offers(self) -> tuple[Offer, ...]:
        """What the digits take."""
        return self._offers

    def show_prepared(self, prepared: Prepared) -> None:
        """Put a clip on the screen and begin to ask of it."""
        self._saying, self._said_here = Saying.ANSWER, False
        self._offers = self.offers_on(prepared)
        self.show_clip(prepared)
        self.show_offers()
        self._appeared = time.monotonic()

    def show_nothing(self, *lines: str) -> None:
        """Show a few lines in place of a clip."""
        self._offers, self._said_here = (), False
        self.show_words(*lines)
        self.panel.clear()

    def show_offers(self) -> None:
        """Show the labels to take and what was said of the clip."""
        if self.now is None:
            return
        source = self.source if self._offers else "no labels yet: / makes one"
        self.panel.show(self._offers, self.now.said, asked=self.asked, source=source, saying=self._saying)

    def offers_on(self, prepared: Prepared) -> tuple[Offer, ...]:
        """Return the labels to take for a clip."""
        return offers(prepared.shares, self.services.state.used)

    @property
    def asked(self) -> str:
        """What the next label means."""
        return self._saying.value

    @property
    def source(self) -> str:
        """Where the labels to take come from."""
        suggestion = self.now.suggestion if self.now is not None else None
        return f"model {suggestion.model_id} suggests" if suggestion else "your labels, most used first"

    def labels_came(self) -> None:
        """Offer the labels that were not known when the clip appeared; those shown keep their place."""
        if self.now is not None:
            self._offers = self.offers_on(self.now)
            self.show_offers()

    def entered(self) -> None:
        """Take the player back after another screen had it."""
        self.take_player()
        self.header.refresh()

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
        await self.say(f"take {place}", offer.label, accepted_from=self.now.model_uid if accepted else None)

    async def action_none_of_these(self) -> None:
        """Say that none of the project's labels is heard."""
        await self.say("none", None, Value.ABSENT)

    async def action_cannot_tell(self) -> None:
        """Say that it cannot be told."""
        await self.say("unsure", None, Value.UNSURE)

    async def action_bad_audio(self) -> None:
        """Set the clip aside for good."""
        await self._set_aside("bad audio")

    async def action_skip(self) -> None:
        """Set the clip aside for later; once something was said of it here, just go on."""
        if self._said_here:
            if self.now is not None and not self.busy:
                self._answered(self.now.clip.id)
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
            if label is None:
                return
            # It may have been read again meanwhile, as after a training: the same clip all the same.
            if self.now is not None and self.now.clip == asked.clip:
                await self.say("find", label)
            else:
                self.notice.warn(f"another clip has come: {label!r} was not said of it")

        self.app.push_screen(Palette(self._saying.value, by_use(self.services.state.used)), take)

    def action_note(self) -> None:
        """Write a note on the clip."""
        asked = self.now
        if asked is None:
            return

        async def write(text: str | None) -> None:
            if not text:
                return
            try:
                row = await self.write_note(asked, text)
            except LabeltoolError as error:
                self.notice.warn(str(error))
                return
            self.notice.tell(what_was_said(row))
            self._heard_of(asked, row)
            self.show_offers()

        self.app.push_screen(Wording("A note on this clip"), write)

    async def action_undo(self) -> None:
        """Take the last answer back and return to its clip."""
        try:
            rows = await self.services.session.undo()
        except LabeltoolError as error:
            self.notice.warn(str(error))
            return
        if not rows:
            self.notice.tell("nothing to take back")
            return
        if rows[-1].clip_id is None:
            self.notice.tell("taken back: a renaming")
            self.look_again()
            return
        self.notice.tell(f"taken back: {what_an_act_said(rows)}")
        self._count(rows, -1)
        # The clip that is shown again is counted when it is there.
        self.services.state.labelled -= len({row.clip_id for row in rows}) - 1
        self.take_back(rows)

    async def action_redo(self) -> None:
        """Say again what was taken back last."""
        try:
            rows = await self.services.session.redo()
        except LabeltoolError as error:
            self.notice.warn(str(error))
            return
        if not rows:
            self.notice.tell("nothing to say again")
            return
        self.notice.tell(f"said again: {what_an_act_said(rows)}")
        self._count(rows, 1)
        row, spoken_of = rows[-1], {row.clip_id for row in rows}
        if row.kind == "verdict":
            self.services.state.labelled += len(spoken_of)
        if self.now is not None and spoken_of == {self.now.clip.id} and row.kind != "note":
            self.go_on(self.now.clip.id)
        else:
            self.look_again()

    async def say(
        self,
        key: str,
        label: str | None,
        value: Value = Value.PRESENT,
        *,
        accepted_from: str | None = None,
        relabels: bool = True,
    ) -> None:
        """Write a verdict on the clip on the screen and go on, unless the next label was to be one of several.

        Parameters
        ----------
        key
            Names the key, to tell one held down.
        accepted_from
            The `uid` of the model whose suggestion it is.
        relabels
            Whether the label is the clip's answer, so that what it was taken for before it is not.
        """
        now = self.now
        # Asked first of all: a key that is held while the screen is busy is held still when it no longer is.
        if self._held_down(key) or now is None or self.busy:
            return
        saying = Saying.ANSWER if label is None else self._saying
        if saying is Saying.ABSENT:
            value = Value.ABSENT
        took_s = time.monotonic() - self._appeared
        # Labels it has too come with `m`.
        relabels = relabels and saying is Saying.ANSWER and value is Value.PRESENT and not self._said_here
        instead_of = [name for name in self.heard_on(now) if name != label] if relabels else []
        try:
            row = await self.write(
                now,
                Answer(
                    label,
                    value,
                    accepted_from=accepted_from,
                    suggested=next((offer.label for offer in self._offers[:1] if offer.probability is not None), None),
                    took_ms=round(took_s * 1000),
                    instead_of=instead_of,
                ),
            )
        except LabeltoolError as error:
            # Nothing was stored: the clip stays.
            self.notice.warn(str(error))
            return
        if value is Value.PRESENT:
            self.services.state.use(label, 1)
        for name in instead_of:
            self.services.state.use(name, -1)
        self.services.state.labelled += not now.has_verdict
        self._heard_of(now, row, instead_of)
        self.notice.tell(what_was_said(row))
        if saying is Saying.ANSWER:
            self._answered(now.clip.id, took_s)
        else:
            self._said_here = True
            self._mean(Saying.ANSWER)
            self.header.refresh()
            self.notice.tell(f"{what_was_said(row)}   s goes on to the next clip")

    async def _set_aside(self, kind: str) -> None:
        now = self.now
        if self._held_down(kind) or now is None or self.busy:
            return
        took_s = time.monotonic() - self._appeared
        try:
            await self.services.session.set_aside(now.clip.id, kind, took_ms=round(took_s * 1000))
        except LabeltoolError as error:
            self.notice.warn(str(error))
            return
        self.notice.tell("bad audio" if kind == "bad audio" else "skipped: it comes again at the end")
        self._answered(now.clip.id, took_s)

    def _heard_of(self, asked: Prepared, row: JournalRow, instead_of: Sequence[str] = ()) -> None:
        """Keep a row with the clip it speaks of, in place of the labels it replaces, if that is still on the screen."""
        if self.now is not None and self.now.clip == asked.clip:
            kept = (old for old in self.now.said if old.kind != "verdict" or old.label not in instead_of)
            self.now = replace(self.now, said=(*kept, row))

    def _count(self, rows: Sequence[JournalRow], times: int) -> None:
        for row in rows:
            if row.value == Value.PRESENT.value:
                self.services.state.use(row.label, times)

    def _answered(self, clip_id: int, took_s: float | None = None) -> None:
        self.services.session.count_answer(time.monotonic() - self._appeared if took_s is None else took_s)
        self.header.refresh()
        self.go_on(clip_id)

    def _held_down(self, key: str) -> bool:
        """Tell whether an answer key comes from a finger that has not left it."""
        last, self._last_key = self._last_key, (key, time.monotonic())
        held = last[0] == key and self._last_key[1] - last[1] < self._repeat_s
        if held:
            self.notice.tell("the same key again at once: counted once")
        return held

    def _mean(self, saying: Saying) -> None:
        self._saying = saying
        self.show_offers()


def heard(said: Sequence[JournalRow]) -> list[str]:
    """Return the labels that stand as present after some rows, oldest first."""
    last: dict[str, str | None] = {}
    for row in said:
        if row.kind == "verdict" and row.label is None:
            last.clear()  # a word on the whole clip takes back what was said before it
        elif row.kind == "verdict" and row.label is not None:
            last[row.label] = row.value
    return [label for label, value in last.items() if value == Value.PRESENT.value]
