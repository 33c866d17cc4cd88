"""Accepting a label's predictions without listening to each, after a sample of them was listened to and was right."""

from __future__ import annotations

import random
from collections.abc import Sequence

from textual import work

from labeltool.annotation import auto_accept
from labeltool.annotation.auto_accept import Candidates
from labeltool.annotation.batch_review import LabelPage
from labeltool.records import Value
from labeltool.store import Store
from labeltool.store.journal import JournalRow
from labeltool.tui.dialogs.palette import Palette
from labeltool.tui.dialogs.prompts import Confirm, ask
from labeltool.tui.screens.list_base import ListResult
from labeltool.tui.screens.pages.page_base import PageScreen, page_result


class AutoAcceptScreen(PageScreen[LabelPage]):
    """Shows a sample as a page of its own; when all of it is right, the rest can be accepted as one action."""

    # What the page on the screen is a sample of, and the clips drawn.
    _sampled: Candidates | None = None
    _drawn = 0
    # The notice that says what is to be listened to first.
    _listen = ""

    # -- the sample

    @work(exclusive=True, group="auto-accept")
    async def action_auto_accept(self) -> None:
        label, annotator = self._page.label, self.services.session.annotator
        if self._turning or not self.clips.ids:
            return
        max_error = self.services.project.settings.labelling.max_error
        found = await self.attempt(
            self.services.reader.do(
                lambda store: auto_accept.all_candidates(store, label, max_error=max_error, annotator=annotator)
            )
        )
        if found is None:
            return
        if not found:
            self.notice.show(f"no clip is predicted as {label} with {auto_accept.THRESHOLDS[-1]:.0%} or more")
            return
        choices = {
            f"{one.threshold:.0%} or more: {len(one.model_uids):,} clips, {one.sample_size} to listen to": one
            for one in found
        }

        title = f"Sample of {label}, to exclude an error above {max_error:.1%}"
        palette = Palette(title, list(choices), allows_new=False, placeholder="a probability, or ↑ ↓ and Enter")
        ask(self.app, palette, lambda chosen: self._draw_sample(choices[chosen]))

    def _draw_sample(self, of: Candidates) -> None:
        annotator = self.services.session.annotator

        def draw(store: Store) -> ListResult:
            self.release_page(store)
            page = auto_accept.sample_page(store, of, annotator=annotator, generator=random.Random())
            self._sampled, self._drawn = of, len(page.clip_ids)
            return page_result(page)

        self.turn_over(draw)

    def release_page(self, store: Store) -> None:
        """Release the claims on the page's clips; called in the reader's thread."""
        raise NotImplementedError

    def sample_facts(self) -> Sequence[str]:
        """Return the parts of the title that say what the page is a sample of; none where it is no sample."""
        of = self._sampled
        if of is None:
            return ()
        return (f"random sample of {len(of.model_uids):,} clips at {of.threshold:.0%} or more", "Esc ends it")

    def end_sample(self) -> bool:
        """End the sample without accepting anything; False where the page is no sample."""
        ended, self._sampled = self._sampled is not None, None
        return ended

    def listen_first(self) -> bool:
        """Select a clip of the sample that was not played, if there is one: the sample is not accepted before."""
        unplayed = self.unplayed() if self._sampled is not None else []
        if unplayed:
            self.clips.move_to(unplayed[0])
            self._listen = f"listen to {len(unplayed)} more of the sample first: g plays them all, x rejects"
            self.notice.show(self._listen)
        return bool(unplayed)

    def clip_played(self) -> None:
        """Replace the notice that asks to listen, when all clips are played."""
        if self._listen and self.notice.text == self._listen and not self.unplayed():
            self.notice.show("the sample is played: Enter accepts the clips that are not rejected")

    # -- the rest

    def finish_sample(self, rows: Sequence[JournalRow]) -> None:
        """Ask whether the rest is accepted, if the whole sample was right."""
        of, drawn = self._sampled, self._drawn
        self._sampled = None
        if of is None:
            return
        wrong = drawn - sum(row.value == Value.PRESENT.value for row in rows)
        low, high = auto_accept.error_interval(wrong, drawn, len(of.model_uids))
        bounds = f"{low:.1%} to {high:.1%} of the {len(of.model_uids):,} are wrong"
        if wrong:
            self.notice.warn(f"{drawn - wrong} of {drawn} clips of the sample were right, {bounds}: the rest stays")
            return
        if of.rest <= 0:
            count = f"{drawn} clip{'s' * (drawn > 1)} accepted as {of.label}"
            self.notice.show(f"{count}: no more are predicted at {of.threshold:.0%} or more")
            return
        silent = self.services.player.silent
        lines = [
            *([f"There was no sound with the sample: {silent}."] if silent else []),
            f"All {drawn} clips of the sample were right: {bounds}",
            f"(exact interval of Clopper and Pearson, each bound with {auto_accept.CONFIDENCE:.0%} confidence).",
            "",
            f"Label the other {of.rest:,} with {of.label}, without listening to them?",
            "It is one action: u undoes all of it. Exports have these labels as auto-accepted.",
        ]
        ask(self.app, Confirm("Accept automatically", lines), lambda _: self._accept_rest(of))

    @work(group="auto-accept")
    async def _accept_rest(self, of: Candidates) -> None:
        self._turning = True
        rows = await self.attempt(self.services.session.auto_accept(of)) or []
        self._count_labels(rows)
        self.services.state.labelled += len(rows)
        self.header.refresh()
        if rows:
            self.notice.show(f"{len(rows):,} clips accepted automatically: {of.label}; u undoes all of it")
        self.turn()
