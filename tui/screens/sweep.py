"""Sweeping: a page of clips a model holds for one label; the wrong ones are struck out, the rest taken with one key."""

from __future__ import annotations

from collections.abc import Sequence

from textual import work

from labeltool.annotation import listing, next_clips, pages
from labeltool.annotation.listing import Listed
from labeltool.annotation.pages import LabelPage
from labeltool.errors import LabeltoolError
from labeltool.records import Value
from labeltool.store import Store
from labeltool.store.journal import JournalRow
from labeltool.tui.keys import SWEEP
from labeltool.tui.screens.list_base import Found
from labeltool.tui.screens.page_base import PageScreen, sought
from labeltool.tui.screens.palette import Palette
from labeltool.tui.services import Services
from labeltool.tui.text import bar, clip, fit
from labeltool.tui.widgets.clip_list import Part

_LABEL_CELLS = 28
_NOTHING = LabelPage((), frozenset(), 0, "", {})


class SweepScreen(PageScreen[LabelPage]):
    """One page of one label at a time, the surest clips first."""

    BINDINGS = SWEEP.bindings()

    def __init__(self, services: Services, *, repeat_s: float) -> None:
        super().__init__(services, SWEEP, repeat_s=repeat_s, nothing=_NOTHING)
        self._labels: list[str] = []

    # -- the pages

    def next_page(self, store: Store) -> LabelPage:
        """Take the next page of the label; at its end, and at first, of the one with most clips."""
        page = self._page_of(store, self._page.label)
        if not page.clip_ids:
            labels = self._find_labels(store)
            page = self._page_of(store, labels[0]) if labels else _NOTHING
        return page

    def page_again(self, store: Store, rows: Sequence[JournalRow]) -> LabelPage:
        """Return a page that was swept."""
        return pages.page_again(store, rows, annotator=self.services.session.annotator)

    def empty(self) -> Sequence[str]:
        """Tell what would stand here."""
        return (
            "Nothing is left to sweep.",
            "",
            "Here stand open clips that the model is sure of, a label at a time.",
            "C shows what sounds alike, without a model too · t trains one · A asks · u takes the last answer back",
        )

    def _page_of(self, store: Store, label: str) -> LabelPage:
        return pages.next_page(store, label, self.most, annotator=self.services.session.annotator)

    def _find_labels(self, store: Store) -> list[str]:
        """Return the labels there is something to sweep of; those known keep their order, so that Tab leads on."""
        found = listing.sweep_labels(store, annotator=self.services.session.annotator)
        self._labels = [label for label in dict.fromkeys((*self._labels, *found)) if label in found]
        return list(found)

    # -- what is shown

    @property
    def heading(self) -> str:
        """The label that is swept stands in the title."""
        told = super().heading
        return f"{told}: {clip(self._page.label, _LABEL_CELLS)}" if self._page.clip_ids else told

    def figures(self) -> Sequence[str]:
        """Tell how many clips there are for the label."""
        return (f"{self._page.waiting:,} held for it",)

    def tell(self, listed: Listed, width: int) -> list[Part]:
        """Return a clip's line: will it be taken, was it heard, its file, and how sure the model is."""
        held = self._page.held[listed.clip.id]
        struck = listed.clip.id in self._struck
        long, least = max(4, min(24, width // 5)), max(0, width // 4)
        room = max(0, width - long - least - 10)
        rival, share = held.rival
        said = f"or {clip(rival, least - 8)} {share:.0%}" if rival else ""
        return [
            *self.tell_name(listed, room),
            (f" {held.probability:4.0%} ", "$quiet" if struck else "$foreground"),
            (bar(held.probability, long), "$faint" if struck else "$primary"),
            (f" {fit(said, least - 1)}", "$quiet"),
        ]

    # -- answers

    async def action_accept(self) -> None:
        """Take the page: the label for those not struck out, its absence for the others."""
        clip_ids = list(self.clips.ids)
        if self._held_down("accept") or self._turning or not clip_ids:
            return
        page = self._page

        def told(rows: Sequence[JournalRow]) -> str:
            struck = sum(row.value == Value.ABSENT.value for row in rows)
            return f"{len(rows) - struck} accepted, {struck} struck out"

        rows = await self.answer_page(
            page.label,
            {clip_id: Value.ABSENT if clip_id in self._struck else Value.PRESENT for clip_id in clip_ids},
            suggested=dict.fromkeys(clip_ids, page.label),
            accepted_from={clip_id: page.held[clip_id].model_uid for clip_id in clip_ids},
            told=told,
        )
        if rows is not None:
            self.turn()

    def action_label(self, steps: int) -> None:
        """Go over to another label, by its place among those there is something to sweep of."""

        def beside(store: Store) -> Found:
            self._find_labels(store)
            labels = self._labels
            if not labels:
                return sought(_NOTHING)
            here = self._page.label
            place = (labels.index(here) + steps) % len(labels) if here in labels else 0
            return self._other(store, labels[place])

        self.turn_over(beside)

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
                self.turn_over(lambda store: self._other(store, label))

        self.app.push_screen(Palette("Sweep which label?", labels, makes_new=False), take)

    def _other(self, store: Store, label: str) -> Found:
        next_clips.release(store, annotator=self.services.session.annotator, clip_ids=list(self.clips.ids))
        self._left.clear()
        return sought(self._page_of(store, label))
