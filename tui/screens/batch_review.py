"""Batch review: a page of clips predicted as one label; the wrong ones are rejected, the rest accepted at once."""

from __future__ import annotations

from collections.abc import Sequence

from textual import work

from labeltool.annotation import batch_review, listing, next_clips
from labeltool.annotation.batch_review import LabelPage
from labeltool.annotation.listing import ListedClip
from labeltool.errors import LabeltoolError
from labeltool.records import Value
from labeltool.store import Store
from labeltool.store.journal import AnnotationContext, JournalRow
from labeltool.tui.dialogs.palette import Palette
from labeltool.tui.keys import BATCH_REVIEW
from labeltool.tui.screens.list_base import ListResult
from labeltool.tui.screens.page_base import PageScreen, page_result
from labeltool.tui.services import Services
from labeltool.tui.text import bar, fit, truncate
from labeltool.tui.widgets.clip_list import Part

_LABEL_CELLS = 28
_NO_PAGE = LabelPage((), frozenset(), 0, "", {})


class BatchReviewScreen(PageScreen[LabelPage]):
    """Shows one page of one label at a time, the most confident clips first."""

    BINDINGS = BATCH_REVIEW.bindings()

    def __init__(self, services: Services, *, repeat_s: float) -> None:
        super().__init__(services, BATCH_REVIEW, repeat_s=repeat_s, empty_page=_NO_PAGE)
        self._labels: list[str] = []

    # -- the pages

    def next_page(self, store: Store) -> LabelPage:
        """Return the next page of the label; at its end, and at first, a page of the label with most clips."""
        page = self._read_page(store, self._page.label)
        if not page.clip_ids:
            labels = self._read_labels(store)
            page = self._read_page(store, labels[0]) if labels else _NO_PAGE
        return page

    def undone_page(self, store: Store, rows: Sequence[JournalRow]) -> LabelPage:
        """Return the page of an action that was undone."""
        return batch_review.restored_page(store, rows, annotator=self.services.session.annotator)

    def empty(self) -> Sequence[str]:
        """Return what this view shows."""
        model = self.services.state.model
        predicted = model is not None and (model.id is not None or model.pretrained is not None)
        return (
            "No clips are left for batch review." if predicted else "No model has predicted labels yet.",
            "",
            "This view shows unlabelled clips that a model predicts with confidence, one label at a time.",
            "",
            *self.offers(
                ("train", "train a model"),
                ("clusters", "clusters, which need no model"),
                ("label", "label clips one by one"),
                ("undo", "undo the last page"),
            ),
        )

    def _read_page(self, store: Store, label: str) -> LabelPage:
        return batch_review.next_page(store, label, self.max_clips, annotator=self.services.session.annotator)

    def _read_labels(self, store: Store) -> list[str]:
        """Return the labels with clips to review; the order for Tab stays, and new labels come last."""
        counts = listing.count_by_predicted_label(store, annotator=self.services.session.annotator)
        self._labels = [label for label in dict.fromkeys((*self._labels, *counts)) if label in counts]
        return list(counts)

    # -- the screen

    @property
    def heading(self) -> str:
        """The title of the view, with the label."""
        title = super().heading
        return f"{title}: {truncate(self._page.label, _LABEL_CELLS)}" if self._page.clip_ids else title

    def page_facts(self) -> Sequence[str]:
        """Return the number of clips predicted as the label."""
        return (f"{self._page.unlabelled:,} predicted as it",)

    def line_parts(self, listed: ListedClip, width: int) -> list[Part]:
        """Return a clip's line: accepted or rejected, played or not, its file, the probability, the second label."""
        prediction = self._page.predictions[listed.clip.id]
        rejected = listed.clip.id in self._rejected
        bar_cells, rival_cells = max(4, min(24, width // 5)), max(0, width // 4)
        name_cells = max(0, width - bar_cells - rival_cells - 10)
        rival, probability = prediction.rival
        second = f"or {truncate(rival, rival_cells - 8)} {probability:.0%}" if rival else ""
        return [
            *self.name_parts(listed, name_cells),
            (f" {prediction.probability:4.0%} ", "$quiet" if rejected else "$foreground"),
            (bar(prediction.probability, bar_cells), "$faint" if rejected else "$primary"),
            (f" {fit(second, rival_cells - 1)}", "$quiet"),
        ]

    # -- labels

    async def action_accept(self) -> None:
        """Accept the page: the label is present in the clips accepted, absent in those rejected."""
        clip_ids = list(self.clips.ids)
        if self._is_repeat("accept") or self._turning or not clip_ids:
            return
        page = self._page

        def summary(rows: Sequence[JournalRow]) -> str:
            rejected = sum(row.value == Value.ABSENT.value for row in rows)
            return f"{len(rows) - rejected} accepted, {rejected} rejected"

        rows = await self.annotate_page(
            page.label,
            {clip_id: Value.ABSENT if clip_id in self._rejected else Value.PRESENT for clip_id in clip_ids},
            contexts={
                clip_id: AnnotationContext(page.predictions[clip_id].model_uid, suggested=page.label)
                for clip_id in clip_ids
            },
            summary=summary,
        )
        if rows is not None:
            self.turn()

    def action_next_label(self, steps: int) -> None:
        """Go to the next or previous label with clips to review."""

        def read(store: Store) -> ListResult:
            self._read_labels(store)
            labels = self._labels
            if not labels:
                return page_result(_NO_PAGE)
            label = self._page.label
            place = (labels.index(label) + steps) % len(labels) if label in labels else 0
            return self._change_label(store, labels[place])

        self.turn_over(read)

    @work(exclusive=True, group="labels")
    async def action_choose_label(self) -> None:
        """Find the label to review."""
        try:
            labels = await self.services.reader.do(self._read_labels)
        except LabeltoolError as error:
            self.notice.warn(str(error))
            return

        def choose(label: str | None) -> None:
            if label is not None:
                self.turn_over(lambda store: self._change_label(store, label))

        self.app.push_screen(Palette("Review which label?", labels, allows_new=False), choose)

    def _change_label(self, store: Store, label: str) -> ListResult:
        next_clips.release(store, annotator=self.services.session.annotator, clip_ids=list(self.clips.ids))
        self._left_pages.clear()
        return page_result(self._read_page(store, label))
