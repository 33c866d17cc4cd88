"""Split: the clips of a label are labelled again with new names, similar ones on one page."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from textual import work

from labeltool.annotation.batch_review import GroupPage
from labeltool.records import Value
from labeltool.store import Store
from labeltool.store.journal import AnnotationContext, JournalRow
from labeltool.store.label_acts import changes, split_queue
from labeltool.store.label_acts.split_queue import Split
from labeltool.tui.background.comparer import Comparison, Groups
from labeltool.tui.background.prefetch import PreparedClip
from labeltool.tui.dialogs.prompts import Confirm, ask
from labeltool.tui.keys import SPLIT
from labeltool.tui.label_choices import LabelChoice
from labeltool.tui.screens.list_base import ListResult
from labeltool.tui.screens.pages.clusters import ClustersScreen
from labeltool.tui.services import Services
from labeltool.tui.text import truncate

_LABEL_CELLS = 28
# Sounds of one new label may be of two kinds; larger clusters are mixed more often, and each is a page at least.
_CLUSTERS_A_NAME, _CLIPS_A_CLUSTER = 2, 12


class SplitScreen(ClustersScreen):
    """Shows pages of a label that is split; the keys are those of its new names.

    Rejected clips come again when the others are labelled, sorted anew.
    """

    BINDINGS = SPLIT.bindings()
    what = "clips of the split"

    def __init__(self, services: Services, *, repeat_s: float) -> None:
        super().__init__(services, repeat_s=repeat_s, view=SPLIT)
        self._split: Split | None = None
        self._left = 0
        self._is_offered = False

    def open(self, split: Split) -> None:
        is_same = self._split is not None and self._split.row_id == split.row_id
        self._split, self._left, self._is_offered = split, len(split.left), False
        if not is_same or not self.clips.ids:
            self._groups = self.services.state.split_groups = None
            self._turning = False
            self.show_result(ListResult([], ""))
            self.action_recluster()

    # -- the clusters

    @property
    def found_groups(self) -> Groups | None:
        groups = self.services.state.split_groups
        return groups if groups is not None and self._split is not None and groups.split == self._split.label else None

    async def start_clustering(self) -> bool | None:
        split = self._split
        if split is None or not self._left:
            return None
        names = _CLUSTERS_A_NAME * len(split.names)
        count = min(self._left, max(names, round(self._left / _CLIPS_A_CLUSTER)))
        return self.services.comparer.group(count, split.label)

    def update_progress(self, comparison: Comparison) -> None:
        """Show the progress of clustering, or its result; where it failed, the clips in their order."""
        if comparison.failure and self._split is not None and not self._start_later:
            label, left = self._split.label, self._split.left
            self.notice.warn(f"not sorted by similarity: {comparison.failure}")
            self.services.state.split_groups = Groups("no features", [left], label)
        super().update_progress(comparison)

    # -- the pages

    def still_open(self, store: Store, clip_ids: Sequence[int]) -> set[int]:
        return set(self._read_left(store)) & set(clip_ids)

    def read_page(self, store: Store, clip_ids: Sequence[int], group: int) -> GroupPage:
        left = set(self._read_left(store))
        self._left = len(left)
        found = [clip_id for clip_id in clip_ids if clip_id in left]
        return GroupPage(tuple(found[: self.max_clips]), frozenset(), len(found), group, {})

    def undone_page(self, store: Store, rows: Sequence[JournalRow]) -> GroupPage:
        labelled = self._labelled_pages.pop(rows[0].id, None)
        clip_ids = [row.clip_id for row in rows if row.clip_id is not None] if labelled is None else labelled.clip_ids
        self._skipped.difference_update(clip_ids)
        page = self.read_page(store, list(dict.fromkeys(clip_ids)), self._page.group)
        return self.services.live.suggestions_for_page(store, page)

    def _read_left(self, store: Store) -> Sequence[int]:
        if self._split is None:
            return ()
        # It is none any more where it was undone, or the label retired.
        now = split_queue.find_split(store, self._split.label)
        self._split = now if now is not None else Split("", self._split.label, self._split.names, ())
        return self._split.left

    def show_result(self, result: ListResult, *, at: int = 0) -> None:
        """Show a page; where only rejected clips are left, sort them anew; where none is, offer to retire the label."""
        super().show_result(result, at=at)
        if self.clips.ids or self._groups is None or self._split is None:
            return
        if self._left:
            self.action_recluster()
        elif self._split.row_id and self._split.label not in self._split.names and not self._is_offered:
            self._is_offered = True
            self._offer_to_retire(self._split.label)

    def _offer_to_retire(self, label: str) -> None:
        name = truncate(label, _LABEL_CELLS)
        lines = (f"No clip is left of {name}: retire it? It is no longer offered, nor trained on.", "u undoes it.")
        ask(self.app, Confirm("The split is done", lines), lambda _: self._retire(label))

    @work(group="retire")
    async def _retire(self, label: str) -> None:
        annotator = self.services.session.annotator
        changed = await self.attempt(
            self.services.session.change_labels(lambda store: changes.retire(store, label, annotator=annotator))
        )
        if changed is not None:
            self.services.state.labels = changed[0]
            self.services.state.set_counts(changed[1])
            self.notice.show(f"{truncate(label, _LABEL_CELLS)} is retired")
            self.header.refresh()

    def empty(self) -> Sequence[str]:
        if self._split is None:
            return ("No label is being split.", "", *self.offers(("labels", "the labels: s on one splits it")))
        if self._progress:
            return super().empty()
        return (
            f"No clip of {truncate(self._split.label, _LABEL_CELLS)} is left to be labelled again.",
            "",
            *self.offers(("label", "label unlabelled clips"), ("undo", "undo the last label")),
        )

    # -- the screen

    @property
    def heading(self) -> str:
        return f"{super().heading}: {truncate(self._split.label, _LABEL_CELLS)}" if self._split else super().heading

    def page_facts(self) -> Sequence[str]:
        groups = self._groups
        if groups is None:
            return ()
        return (f"{self._left:,} left", f"cluster {self._page.group + 1} of {len(groups.clips)}")

    def choices_for(self, prepared: PreparedClip) -> tuple[LabelChoice, ...]:
        names = self._split.names if self._split is not None else ()
        return tuple(choice for choice in super().choices_for(prepared) if choice.label in names)

    # -- labels

    async def annotate_page(
        self,
        label: str | None,
        values: Mapping[int, Value],
        *,
        contexts: Mapping[int, AnnotationContext],
        summary: Callable[[Sequence[JournalRow]], str],
    ) -> list[JournalRow] | None:
        """Put a new name in the place of the label on the clips of the page."""
        split, session = self._split, self.services.session
        if split is None:
            return None
        if label is None or set(values.values()) != {Value.PRESENT}:
            write = session.annotate_batch(label, values, contexts={}, response_ms=None, include_labelled=list(values))
        else:
            response_s = max(0.0, time.monotonic() - self._began - self._single_s)
            names = dict.fromkeys(values, label)
            write = session.answer_split(split, names, response_ms=round(response_s * 1000))
        rows = await self.attempt(write)
        if rows is None:
            return None
        await self.read_new_label(label)
        state = self.services.state
        for clip_id in {row.clip_id for row in rows}:
            state.count_label(split.label, -1)
            if label is not None:
                state.count_label(label, 1)
            self._left -= clip_id is not None
        self.header.refresh()
        self.notice.show(summary(rows) + (f": {label}" if label is not None else ""))
        return rows
