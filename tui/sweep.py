"""Sweeping: a page of clips a model holds for one label; the wrong ones are struck out, the rest taken with one key."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from rich.cells import cell_len
from textual import work

from labeltool import listing, query, sweeping
from labeltool.errors import LabeltoolError
from labeltool.listing import Listed
from labeltool.records import Value
from labeltool.store import Store
from labeltool.store.journal import JournalRow
from labeltool.sweeping import Page
from labeltool.tui.cliplist import Part
from labeltool.tui.keys import SWEEP
from labeltool.tui.lists import Found, ListScreen
from labeltool.tui.palette import Palette
from labeltool.tui.services import Services
from labeltool.tui.text import bar, clip, clip_left, clock, fit

_MOST, _FEWEST = 20, 4
_LINES_A_CLIP = 3  # a page takes a third of the screen's lines: the list has room for it
_LABEL_CELLS = 28
_HEARD_S = 0.5
_NOTHING = Page("", {}, frozenset(), 0)


@dataclass(frozen=True, slots=True)
class _FoundPage(Found):
    page: Page


class SweepScreen(ListScreen):
    """One page of one label at a time, the surest clips first."""

    BINDINGS = SWEEP.bindings()

    def __init__(self, services: Services, *, repeat_s: float) -> None:
        super().__init__(services, SWEEP, repeat_s=repeat_s)
        self._page = _NOTHING
        self._struck: set[int] = set()
        self._heard: set[int] = set()
        # Where on the page the clips stood that were answered by themselves.
        self._alone: dict[int, int] = {}
        self._alone_s = 0.0
        # Pages that undo left: they come again before the next.
        self._left: list[Page] = []
        self._labels: list[str] = []
        self._turning = True
        self._through = False
        self._began = self._went = time.monotonic()

    @property
    def busy(self) -> bool:
        """Whether another page is on its way, or the highlighted clip."""
        return self._turning or super().busy

    # -- the pages

    def find(self, store: Store) -> Found:
        """Take the next page of the label; at its end, and at first, of the one with most clips."""
        if self._left:
            left = self._left.pop()
            waiting = sweeping.still_waiting(store, left.held)
            if waiting:
                return _found(replace(left, held={key: held for key, held in left.held.items() if key in waiting}))
        page = self._page_of(store, self._page.label)
        if not page.held:
            labels = self._find_labels(store)
            page = self._page_of(store, labels[0]) if labels else _NOTHING
        return _found(page)

    def empty(self) -> Sequence[str]:
        """Tell what would stand here."""
        return (
            "Nothing is left to sweep.",
            "",
            "Here stand open clips that the model is sure of, a label at a time.",
            "t trains a model · A asks · u takes the last answer back",
        )

    @work(exclusive=True, group="seek")
    async def seek(self) -> None:
        """Turn to the next page."""
        await self._turn_to(self.find)

    def show_found(self, found: Found, *, at: int = 0) -> None:
        """Begin a page."""
        self._page = found.page if isinstance(found, _FoundPage) else _NOTHING
        self._struck = set(self._page.struck)
        self._alone.clear()
        self._alone_s = 0.0
        self._turning = self._through = False
        self._began = time.monotonic()
        super().show_found(found, at=at)
        self.show_title()

    def look_again(self) -> None:
        """Take clips that were answered elsewhere from the page; the others stay as they are, whatever has arrived."""
        if self._turning:
            return
        if self.clips.ids:
            self._drop_answered()
        else:
            self._turn()

    def entered(self) -> None:
        """Go on with the page; the time elsewhere is not its."""
        self._began += time.monotonic() - self._went
        super().entered()

    def on_screen_suspend(self) -> None:
        """Remember when another screen came."""
        self._went = time.monotonic()

    def _turn(self) -> None:
        # At once: a key that comes before the page does is not meant for it.
        self._turning = True
        self.seek()

    async def _turn_to(self, find: Callable[[Store], Found]) -> None:
        self._turning = True
        try:
            found = await self.services.reader.do(find)
        except LabeltoolError as error:
            self._turning = False
            self.notice.warn(str(error))
            return
        self._known.clear()
        self.show_found(found)

    def _page_of(self, store: Store, label: str) -> Page:
        most = min(_MOST, max(_FEWEST, self.app.size.height // _LINES_A_CLIP))
        return sweeping.next_page(store, label, most, annotator=self.services.session.annotator)

    def _find_labels(self, store: Store) -> list[str]:
        """Return the labels there is something to sweep of; those known keep their order, so that Tab leads on."""
        found = listing.sweep_labels(store, annotator=self.services.session.annotator)
        self._labels = [label for label in dict.fromkeys((*self._labels, *found)) if label in found]
        return list(found)

    @work(exclusive=True, group="drop")
    async def _drop_answered(self) -> None:
        page = self._page
        try:
            waiting = await self.services.reader.do(lambda store: sweeping.still_waiting(store, page.held))
        except LabeltoolError as error:
            self.notice.warn(str(error))
            return
        if self._turning or self._page is not page:
            return
        if self._said_here and self.clips.clip_id is not None:
            waiting.add(self.clips.clip_id)  # not done yet
        if waiting.issuperset(self.clips.ids):
            super().look_again()
        else:
            self._keep([clip_id for clip_id in self.clips.ids if clip_id in waiting])

    def _keep(self, clip_ids: Sequence[int], *, at: int | None = None) -> None:
        """Let the page have these clips; one without any is turned."""
        self._struck.intersection_update(clip_ids)
        if clip_ids:
            self.clips.show(clip_ids, at=self.clips.place if at is None else at)
        else:
            self._turn()

    # -- what is shown

    @property
    def heading(self) -> str:
        """The label that is swept stands in the title."""
        told = super().heading
        return f"{told}: {clip(self._page.label, _LABEL_CELLS)}" if self._page.held else told

    def show_title(self) -> None:
        """Tell the label, and how far the page is."""
        if self._page.held:
            unheard = len(self._unheard())
            self._found = " · ".join(
                [
                    *([f"{len(self._struck)} struck out"] if self._struck else []),
                    f"{unheard} not heard" if unheard else "all heard",
                    f"{self._page.waiting:,} held for it",
                ]
            )
        super().show_title()

    def tell(self, listed: Listed, width: int) -> list[Part]:
        """Return a clip's line: will it be taken, was it heard, its file, and how sure the model is."""
        clip_id = listed.clip.id
        struck = clip_id in self._struck
        held = self._page.held[clip_id]
        long, least = max(4, min(24, width // 5)), max(0, width // 4)
        room = max(0, width - long - least - 10)
        begins = f" {clock(listed.clip.start_s)}" if listed.clip.start_s else ""
        name = clip_left(listed.clip.path.rpartition("/")[2], max(0, room - len(begins))) + begins
        rival, share = held.rival
        said = f"or {clip(rival, least - 8)} {share:.0%}" if rival else ""
        return [
            ("✗ ", "bold $error") if struck else ("✓ ", "$success"),
            ("♪ " if clip_id in self._heard else "  ", "$accent"),
            (name, "$quiet strike" if struck else "$foreground"),
            (" " * max(0, room - cell_len(name)), ""),
            (f" {held.probability:4.0%} ", "$quiet" if struck else "$foreground"),
            (bar(held.probability, long), "$faint" if struck else "$primary"),
            (f" {fit(said, least - 1)}", "$quiet"),
        ]

    def _unheard(self) -> list[int]:
        return [clip_id for clip_id in self.clips.ids if clip_id not in self._heard]

    def _follow_sound(self) -> None:
        super()._follow_sound()
        if not self.in_front or self.busy:
            return
        player, sound = self.services.player, self._sound
        ended = sound is None or (not player.playing and player.position_s >= sound.duration_s)
        clip_id = self.clips.clip_id
        heard = sound is not None and (ended or (player.playing and player.position_s >= _HEARD_S))
        if heard and clip_id is not None and clip_id not in self._heard:
            self._heard.add(clip_id)
            self.clips.refresh()
            self.show_title()
        if self._through and ended:
            self._play_next()

    def _play_next(self) -> None:
        if self.clips.following(1):
            self.clips.move(1)
        else:
            self._through = False
            self.notice.tell("the page is played: Enter accepts what is not struck out")

    # -- answers

    def action_strike(self) -> None:
        """Strike the highlighted clip out, or take that back."""
        if self._turning or self.clips.clip_id is None:
            return
        self._struck ^= {self.clips.clip_id}
        self.clips.refresh()
        self.show_title()

    async def action_accept(self) -> None:
        """Take the page: the label for those not struck out, its absence for the others."""
        clip_ids = list(self.clips.ids)
        if self._held_down("accept") or self._turning or not clip_ids:
            return
        page, unheard = self._page, self._unheard()
        values = {clip_id: Value.ABSENT if clip_id in self._struck else Value.PRESENT for clip_id in clip_ids}
        took_s = max(0.0, time.monotonic() - self._began - self._alone_s)
        try:
            rows = await self.services.session.say_all(
                page.label,
                values,
                suggested_by={clip_id: page.held[clip_id].model_uid for clip_id in clip_ids},
                took_ms=round(took_s * 1000),
                answered_here=[self.now.clip.id] if self._said_here and self.now is not None else [],
            )
        except LabeltoolError as error:
            # Nothing was stored: the page stays.
            self.notice.warn(str(error))
            return
        self._count(rows, 1)
        self.services.state.labelled += len(rows)
        for _ in rows:
            self.services.session.count_answer(took_s / len(rows))
        self.header.refresh()
        struck = sum(row.value == Value.ABSENT.value for row in rows)
        told = f"{len(rows) - struck} accepted, {struck} struck out, {len(unheard)} not heard"
        if len(rows) < len(clip_ids):
            told += f", {len(clip_ids) - len(rows)} answered meanwhile"
        self.notice.tell(f"{told}: {page.label}")
        self._turn()

    def action_listen_through(self) -> None:
        """Play one clip of the page after the other, from the highlighted one; or stop that."""
        self._through = not self._through and bool(self.clips.ids)
        player = self.services.player
        if self._through:
            player.loop = False
            if not player.playing:
                player.replay()
        self.notice.tell("one clip after the other" if self._through else "one clip at a time")

    def action_label(self, steps: int) -> None:
        """Go over to another label, by its place among those there is something to sweep of."""

        def beside(store: Store) -> Found:
            self._find_labels(store)
            labels = self._labels
            if not labels:
                return _found(_NOTHING)
            here = self._page.label
            place = (labels.index(here) + steps) % len(labels) if here in labels else 0
            return self._other(store, labels[place])

        self._turn_over(beside)

    @work(exclusive=True, group="labels")
    async def action_choose_label(self) -> None:
        """Find the label to sweep."""
        try:
            labels = await self.services.reader.do(self._find_labels)
        except LabeltoolError as error:
            self.notice.warn(str(error))
            return

        def take(label: str | None) -> None:
            if label is not None:
                self._turn_over(lambda store: self._other(store, label))

        self.app.push_screen(Palette("Sweep which label?", labels, makes_new=False), take)

    @work(exclusive=True, group="seek")
    async def _turn_over(self, find: Callable[[Store], Found]) -> None:
        await self._turn_to(find)

    def _other(self, store: Store, label: str) -> Found:
        query.release(store, annotator=self.services.session.annotator, clip_ids=list(self.clips.ids))
        self._left.clear()
        return _found(self._page_of(store, label))

    def go_on(self, answered: int) -> None:
        """Let the clip that was answered by itself leave the page."""
        if answered not in self.clips.ids:
            return
        place = self.clips.ids.index(answered)
        self._alone[answered] = place
        self._alone_s += time.monotonic() - self._appeared
        # A clip above the highlighted one that leaves moves it up.
        at = self.clips.place - (place < self.clips.place)
        self._keep([kept for kept in self.clips.ids if kept != answered], at=at)

    def take_back(self, rows: Sequence[JournalRow]) -> None:
        """Show the page again that was swept, or put the clip back that was answered by itself."""
        row = rows[-1]
        swept = row.kind == "verdict" and row.label is not None
        if row.clip_id in self._alone and not self._turning:
            place = self._alone.pop(row.clip_id)
            ids = list(self.clips.ids)
            ids.insert(place, row.clip_id)
            self._now = None
            self.clips.show(ids, at=place)
            self._appeared_again(row)
        elif row.clip_id in self.clips.ids or not swept:
            self.go_back(row)
        else:
            self._show_again(rows)

    @work(exclusive=True, group="seek")
    async def _show_again(self, rows: Sequence[JournalRow]) -> None:
        if self.clips.ids and not self._turning:
            held = {clip_id: self._page.held[clip_id] for clip_id in self.clips.ids}
            self._left.append(replace(self._page, held=held, struck=frozenset(self._struck)))
        self._appeared_again(rows[-1])
        annotator = self.services.session.annotator
        await self._turn_to(lambda store: _found(sweeping.page_again(store, rows, annotator=annotator)))
        if not self.clips.ids:
            self._turn()


def _found(page: Page) -> Found:
    return _FoundPage(list(page.held), "", page)
