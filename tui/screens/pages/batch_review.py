"""Batch review: a page of clips predicted as one label; the wrong ones are rejected, the rest accepted at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

from textual import work
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.events import Resize

from labeltool.annotation import batch_review, listing, next_clips
from labeltool.annotation.batch_review import LabelPage
from labeltool.annotation.listing import ListedClip
from labeltool.errors import LabeltoolError
from labeltool.records import Value
from labeltool.store import Store
from labeltool.store.journal import AnnotationContext, JournalRow
from labeltool.tui.dialogs.palette import Palette
from labeltool.tui.dialogs.prompts import ask
from labeltool.tui.keys import BATCH_REVIEW
from labeltool.tui.screens.list_base import ListResult
from labeltool.tui.screens.pages.auto_accept import AutoAcceptScreen
from labeltool.tui.screens.pages.page_base import page_result
from labeltool.tui.services import Services
from labeltool.tui.text import fit, truncate
from labeltool.tui.widgets.lists.clip_list import Part, thin_bar
from labeltool.tui.widgets.lists.label_counts import LabelCounts

_LABEL_CELLS = 28
_MIN_CELLS_FOR_LABELS = 100
_NO_PAGE = LabelPage((), frozenset(), 0, "", {})


class BatchReviewScreen(AutoAcceptScreen):
    """Shows one page of one label at a time, the most confident clips first."""

    BINDINGS = BATCH_REVIEW.bindings()

    def __init__(self, services: Services, *, repeat_s: float) -> None:
        super().__init__(services, BATCH_REVIEW, repeat_s=repeat_s, empty_page=_NO_PAGE)
        self._labels: list[str] = []
        self._counts: Mapping[str, int] = {}
        self._label_counts = LabelCounts(id="label-counts")

    # -- the pages

    def next_page(self, store: Store) -> LabelPage:
        """Return the next page of the label; at its end, and at first, a page of the label with most clips."""
        self.end_sample()
        page = self._read_page(store, self._page.label)
        if not page.clip_ids:
            labels = self._read_labels(store)
            page = self._read_page(store, labels[0]) if labels else _NO_PAGE
        return page

    def undone_page(self, store: Store, rows: Sequence[JournalRow]) -> LabelPage:
        self.end_sample()
        return batch_review.restored_page(store, rows, annotator=self.services.session.annotator)

    def is_page(self, rows: Sequence[JournalRow]) -> bool:
        """Return whether an action labelled a page; not what was accepted automatically."""
        return super().is_page(rows) and not rows[-1].auto_accepted

    def empty(self) -> Sequence[str]:
        model = self.services.state.model
        predicted = model is not None and (model.id is not None or model.suggester is not None)
        fetch = ("fetch_pretrained", "fetch YAMNet, which predicts from the first label on")
        return (
            "No clips are left for batch review." if predicted else "No model has predicted labels yet.",
            "",
            "This view shows unlabelled clips that a model predicts with confidence, one label at a time.",
            "",
            *self.offers(
                ("train", "train a model"),
                *(() if model is not None and model.suggester is not None else (fetch,)),
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
        self._counts = counts
        return list(counts)

    # -- the screen

    @property
    def heading(self) -> str:
        title = super().heading
        return f"{title}: {truncate(self._page.label, _LABEL_CELLS)}" if self._page.clip_ids else title

    def page_facts(self) -> Sequence[str]:
        return self.sample_facts() or (f"{self._page.unlabelled:,} predicted as it",)

    def compose_list(self) -> ComposeResult:
        yield Horizontal(self._label_counts, self.clips, id="clips-row")

    def on_resize(self, event: Resize) -> None:
        super().on_resize(event)
        self._label_counts.display = event.size.width >= _MIN_CELLS_FOR_LABELS

    def show_result(self, result: ListResult, *, at: int = 0) -> None:
        """Show a page, and count the clips of the labels again."""
        super().show_result(result, at=at)
        self._show_counts()

    @work(exclusive=True, group="counts")
    async def _show_counts(self) -> None:
        with suppress(LabeltoolError):  # shown with the next page
            await self.services.reader.do(self._read_labels)
        self._label_counts.show({label: self._counts[label] for label in self._labels}, self._page.label)

    def reload(self) -> None:
        """Remove the clips that were labelled elsewhere, and count the clips of the labels again."""
        super().reload()
        self._show_counts()

    def on_select_list_clicked(self) -> None:
        label = self._label_counts.selected
        self.turn_over(lambda store: self._change_label(store, label))

    def clip_lines(self, listed: ListedClip, width: int) -> list[list[Part]]:
        prediction = self._page.predictions[listed.clip.id]
        rejected = listed.clip.id in self._rejected
        bar_cells = max(12, min(32, width // 4))
        rival, probability = prediction.rival
        second = f"or {truncate(rival, bar_cells - 8)} {probability:.0%}" if rival else ""
        first, below = self.name_lines(listed, max(0, width - bar_cells - 10))
        bar = thin_bar(prediction.probability, bar_cells, "$faint" if rejected else "$primary")
        return [
            [*first, (f" {prediction.probability:4.0%} ", "$quiet" if rejected else "$foreground"), *bar],
            [*below, (" " * 6 + fit(second, bar_cells), "$quiet")],
        ]

    # -- labels

    def command_titles(self) -> Mapping[str, str | None]:
        accept = f"accept the page as {self._page.label}; rejected clips: absent" if self._page.clip_ids else None
        return {**super().command_titles(), "accept": accept}

    async def action_accept(self) -> None:
        """Accept the page, or its marked clips: the label is present in those accepted, absent in those rejected."""
        sampled = self._sampled is not None
        clip_ids = list(self.clips.ids if sampled else self.clips.marked_ids or self.clips.ids)
        if self._is_repeat("accept") or self._turning or not clip_ids or self.listen_first():
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
            self.finish_sample(rows)
            self.keep([clip_id for clip_id in self.clips.ids if clip_id not in clip_ids])

    def action_cancel(self) -> None:
        """Mark none any more, dismiss a warning or end the sample; else as in every list."""
        if not self.clips.marked_ids and not self.notice.warning and self.end_sample():
            self.notice.show("the sample was ended: nothing was accepted")
            self.turn()
        else:
            super().action_cancel()

    def action_next_label(self, steps: int) -> None:
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
        labels = await self.attempt(self.services.reader.do(self._read_labels))
        if labels is not None:
            palette = Palette("Review which label?", labels, allows_new=False)
            ask(self.app, palette, lambda label: self.turn_over(lambda store: self._change_label(store, label)))

    def _change_label(self, store: Store, label: str) -> ListResult:
        self.release_page(store)
        return page_result(self._read_page(store, label))

    def release_page(self, store: Store) -> None:
        """Release the claims on the page's clips, and end its sample."""
        next_clips.release(store, annotator=self.services.session.annotator, clip_ids=list(self.clips.ids))
        self._left_pages.clear()
        self.end_sample()
