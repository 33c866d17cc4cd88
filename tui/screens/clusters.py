"""Clusters: open clips that sound alike; what does not belong is struck out, the rest gets one label with one key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from textual import work

from labeltool.annotation import next_clips, pages
from labeltool.annotation.listing import Listed
from labeltool.annotation.pages import GroupPage
from labeltool.errors import LabeltoolError
from labeltool.records import Value
from labeltool.similarity import search
from labeltool.store import Store
from labeltool.store.journal import JournalRow
from labeltool.tui.background.comparer import Comparison, Groups
from labeltool.tui.background.prefetch import Prepared
from labeltool.tui.keys import CLUSTERS
from labeltool.tui.label_choices import MOST_OFFERS, Offer, offers
from labeltool.tui.screens.list_base import Found
from labeltool.tui.screens.page_base import PageScreen, sought
from labeltool.tui.services import Services
from labeltool.tui.text import fit, shown
from labeltool.tui.widgets.clip_list import Part
from labeltool.tui.widgets.suggestions import Saying

_NOTHING = GroupPage((), frozenset(), 0, 0, {})
_ASK_AGAIN_S = 0.5


class ClustersScreen(PageScreen[GroupPage]):
    """One page of one group at a time, the largest group first, in each the clips in its middle first.

    Nothing is said of what was struck out: it stays open, and is not shown again in these groups.
    """

    BINDINGS = CLUSTERS.bindings()

    def __init__(self, services: Services, *, repeat_s: float) -> None:
        super().__init__(services, CLUSTERS, repeat_s=repeat_s, nothing=_NOTHING)
        self._groups: Groups | None = None
        self._passed: set[int] = set()
        # What each group was called last, and pages as they were answered, by the first row of the act.
        self._called: dict[int, str] = {}
        self._answered_pages: dict[str, GroupPage] = {}
        self._page_offers: tuple[Offer, ...] = ()
        self._wanted = False
        self._progress = self._failure = ""

    # -- the groups

    def on_mount(self) -> None:
        """Have the clips grouped."""
        super().on_mount()
        self.set_interval(_ASK_AGAIN_S, self._ask_again)
        self.action_regroup()

    @work(exclusive=True, group="regroup")
    async def action_regroup(self) -> None:
        """Have the clips that are open now put into groups."""
        try:
            count = await self.services.reader.do(search.group_count)
        except LabeltoolError as error:
            self.notice.warn(str(error))
            return
        self._failure = ""
        # What else is being compared comes first.
        self._wanted = not self.services.comparer.group(count)
        self._progress = "…"
        if self.clips.ids:
            self.notice.tell("the open clips are being grouped anew; this page stays until then")
        else:
            self.show_nothing(*self.empty())

    def _ask_again(self) -> None:
        if self._wanted and not self.services.comparer.busy:
            self._wanted = False
            self.action_regroup()

    def compared(self, comparison: Comparison) -> None:
        """Take the groups when they are there, or tell how far it is."""
        if not comparison.over:
            self._progress = f"{comparison.done:,} of {comparison.total:,} compared" if comparison.total else "…"
        elif comparison.groups is not None:
            self._progress = ""
        elif comparison.failure:
            self._failure, self._progress = comparison.failure, ""
        if self.services.state.groups is not self._groups:
            self._begin()
        elif not self.clips.ids:
            self.show_nothing(*self.empty())

    def entered(self) -> None:
        """Begin with the groups that came meanwhile, or go on with the page."""
        super().entered()
        if self.services.state.groups is not self._groups:
            self._begin()
        elif self._groups is None and not self.services.comparer.busy:
            self.action_regroup()  # it failed behind another screen's back

    def _begin(self) -> None:
        self._groups, self._progress = self.services.state.groups, ""
        self._passed.clear()
        self._called.clear()
        self._turning = True
        self.turn_over(lambda store: self._other(store, 0, 1))

    # -- the pages

    def next_page(self, store: Store) -> GroupPage:
        """Take the next page of the group, or of the next group that has one."""
        return self._page_from(store, self._page.group, 1)

    def page_again(self, store: Store, rows: Sequence[JournalRow]) -> GroupPage:
        """Return a page that was answered, with what was struck out on it where that was in this sitting."""
        before = self._answered_pages.pop(rows[0].id, None)
        if before is not None:
            self._passed -= before.struck
        return pages.group_page_again(store, rows, before, annotator=self.services.session.annotator)

    def is_page(self, rows: Sequence[JournalRow]) -> bool:
        """Tell whether an act was said of a page."""
        return super().is_page(rows) or rows[0].id in self._answered_pages

    def show_found(self, found: Found, *, at: int = 0) -> None:
        """Begin a page; its labels keep their digits until it is answered."""
        self._page_offers = ()
        super().show_found(found, at=at)

    def empty(self) -> Sequence[str]:
        """Tell what would stand here."""
        if self._failure:
            return ("The clips cannot be grouped:", self._failure, "", "f tries again · A asks")
        if self._progress:
            return (
                "The open clips are being put into groups by how they sound:",
                self._progress,
                "",
                "A asks meanwhile; C shows the groups when they are there",
            )
        return (
            "Every group is through.",
            "",
            "f makes new ones of the clips that are still open",
            "A asks · u takes the last answer back",
        )

    def _page_from(self, store: Store, group: int, steps: int) -> GroupPage:
        """Return the first page there is from a group on."""
        groups = self._groups.clips if self._groups is not None else ()
        for further in range(len(groups)):
            number = (group + further * steps) % len(groups)
            left = [clip_id for clip_id in groups[number] if clip_id not in self._passed]
            page = pages.group_page(store, left, self.most, group=number, annotator=self.services.session.annotator)
            if page.clip_ids:
                return page
        return _NOTHING

    def _other(self, store: Store, group: int, steps: int) -> Found:
        next_clips.release(store, annotator=self.services.session.annotator, clip_ids=list(self.clips.ids))
        self._left.clear()
        return sought(self._page_from(store, group, steps))

    def keep(self, clip_ids: Sequence[int], *, at: int | None = None) -> None:
        """Let the page have these clips; one of which all are struck out is done with."""
        if self._struck.issuperset(clip_ids):
            self._passed.update(clip_ids)
            clip_ids = ()
        super().keep(clip_ids, at=at)

    def action_group(self, steps: int) -> None:
        """Go over to another group, and leave this one as it is."""
        group = self._page.group + steps
        self._turning = True
        self.turn_over(lambda store: self._other(store, group, steps))

    # -- what is shown

    def figures(self) -> Sequence[str]:
        """Tell which group it is, how many clips it has, and how they were compared."""
        groups = self._groups
        if groups is None:
            return ()
        return (
            f"group {self._page.group + 1} of {len(groups.clips)}",
            f"{self._page.waiting:,} open in it",
            f"by {shown(groups.by)}",
        )

    def tell(self, listed: Listed, width: int) -> list[Part]:
        """Return a clip's line: will it get the label, was it heard, its file, and what the model holds of it."""
        least = max(0, width // 4)
        held = f"{listed.top_label} {listed.top_probability or 0:.0%}" if listed.top_label is not None else ""
        return [*self.tell_name(listed, max(0, width - least - 5)), (" ", ""), (fit(held, least), "$quiet")]

    @property
    def asked(self) -> str:
        """What the next label means."""
        return "What are they?" if self._saying is Saying.ANSWER else super().asked

    @property
    def source(self) -> str:
        """Of how many clips the next label is said."""
        if self._saying is not Saying.ANSWER:
            return "for the highlighted clip alone"
        return f"for all {len(self._meant())} not struck out"

    def offers_on(self, prepared: Prepared) -> tuple[Offer, ...]:
        """Return the labels to take: what the group was called before, what the model holds of the page, the others."""
        if not self._page_offers:
            shares, called = self._page.shares, self._called.get(self._page.group)
            found = offers(shares, self.services.state.used)
            if called is not None:
                others = (offer for offer in found if offer.label != called)
                found = (Offer(called, shares.get(called)), *others)[:MOST_OFFERS]
            self._page_offers = found
        return self._page_offers

    def _meant(self) -> list[int]:
        return [clip_id for clip_id in self.clips.ids if clip_id not in self._struck]

    # -- answers

    def action_strike(self) -> None:
        """Strike the highlighted clip out, or take that back."""
        super().action_strike()
        self.show_offers()

    async def say(
        self,
        key: str,
        label: str | None,
        value: Value = Value.PRESENT,
        *,
        accepted_from: str | None = None,
        relabels: bool = True,
    ) -> None:
        """Say it of every clip of the page that is not struck out; after `m`, `a`, and when unsure, of one."""
        if self._saying is not Saying.ANSWER or value is Value.UNSURE:
            await super().say(key, label, value, accepted_from=accepted_from, relabels=relabels)
            return
        if self._held_down(key) or self._turning or not self.clips.ids:
            return
        meant = self._meant()
        if not meant:
            self.notice.tell("every clip is struck out: x takes one back, Tab goes to the next group")
            return
        page = replace(self._page, clip_ids=tuple(self.clips.ids), struck=frozenset(self._struck))
        held = {clip_id: page.suggestions[clip_id].probabilities for clip_id in meant if clip_id in page.suggestions}
        struck = f", {len(page.struck)} struck out" if page.struck else ""
        rows = await self.answer_page(
            label,
            dict.fromkeys(meant, value),
            suggested={clip_id: next(iter(shares)) for clip_id, shares in held.items() if shares},
            accepted_from={},
            told=lambda rows: f"{len(rows)} at once{struck}",
        )
        if rows is None:
            return
        self._passed |= page.struck
        if rows:
            self._answered_pages[rows[0].id] = page
        if label is not None:
            self._called[page.group] = label
        self.turn()
