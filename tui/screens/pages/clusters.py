"""Clusters: similar unlabelled clips; those that do not belong are rejected, the rest gets one label at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from textual import work

from labeltool.annotation import batch_review, next_clips
from labeltool.annotation.batch_review import GroupPage
from labeltool.annotation.listing import ListedClip
from labeltool.records import Value
from labeltool.similarity import search
from labeltool.store import Store
from labeltool.store.journal import AnnotationContext, JournalRow
from labeltool.tui.background.comparer import Comparison, Groups
from labeltool.tui.background.prefetch import PreparedClip
from labeltool.tui.keys import CLUSTERS
from labeltool.tui.label_choices import LabelChoice
from labeltool.tui.screens.annotate_base import Answer
from labeltool.tui.screens.list_base import ListResult
from labeltool.tui.screens.pages.page_base import PageScreen, page_result
from labeltool.tui.services import Services
from labeltool.tui.shared_keys import View
from labeltool.tui.text import fit, one_line
from labeltool.tui.widgets.lists.clip_list import Part
from labeltool.tui.widgets.suggestions import LabelMode

NO_PAGE = GroupPage((), frozenset(), 0, 0, {})
_RETRY_S = 0.5


class ClustersScreen(PageScreen[GroupPage]):
    """Shows one page of one cluster at a time, the largest cluster first, in each the central clips first.

    Rejected clips stay unlabelled and are not shown again in these clusters.
    """

    BINDINGS = CLUSTERS.bindings()

    what = "unlabelled clips"

    def __init__(self, services: Services, *, repeat_s: float, view: View = CLUSTERS) -> None:
        super().__init__(services, view, repeat_s=repeat_s, empty_page=NO_PAGE)
        self._groups: Groups | None = None
        self._skipped: set[int] = set()
        # The last label of each cluster, and labelled pages by the first journal row of the action.
        self._last_labels: dict[int, str] = {}
        self._labelled_pages: dict[str, GroupPage] = {}
        self._start_later = False
        self._progress = self._failure = ""

    # -- for subclasses

    @property
    def found_groups(self) -> Groups | None:
        """The newest clusters."""
        return self.services.state.groups

    async def start_clustering(self) -> bool | None:
        """Start to cluster; False where a comparison runs, None where it failed, which is shown."""
        count = await self.attempt(self.services.reader.do(search.default_cluster_count))
        return None if count is None else self.services.comparer.group(count)

    def read_page(self, store: Store, clip_ids: Sequence[int], group: int) -> GroupPage:
        """Return a page of the first clips of a cluster that are to be labelled; called in the reader's thread."""
        annotator = self.services.session.annotator
        return batch_review.group_page(store, clip_ids, self.max_clips, group=group, annotator=annotator)

    # -- the clusters

    def on_mount(self) -> None:
        super().on_mount()
        self.set_interval(_RETRY_S, self._start_if_free)
        self.action_recluster()

    @work(exclusive=True, group="recluster")
    async def action_recluster(self) -> None:
        started = await self.start_clustering()
        if started is None:
            return
        self._failure = ""
        # A comparison that runs ends first.
        self._start_later = not started
        self._progress = "…"
        self.set_class(not self.clips.ids, "-empty")
        if self.clips.ids:
            self.notice.show(f"clustering the {self.what} again; this page stays until then")
        else:
            self.show_no_clip(*self.empty())

    def _start_if_free(self) -> None:
        if self._start_later and not self.services.comparer.busy:
            self._start_later = False
            self.action_recluster()

    def update_progress(self, comparison: Comparison) -> None:
        """Show the progress of clustering, or its result."""
        if not comparison.over:
            counted = f"{comparison.done:,} of {comparison.total:,} compared"
            self._progress = counted if comparison.total else f"{one_line(comparison.stage)} …"
        elif comparison.groups is not None:
            self._progress = ""
        elif comparison.failure:
            self._failure, self._progress = comparison.failure, ""
        if self.found_groups is not self._groups:
            self._show_clusters()
        elif not self.clips.ids:
            self.show_no_clip(*self.empty())

    def enter(self) -> None:
        """Show clusters that are new, or go on with the page."""
        super().enter()
        if self.found_groups is not self._groups:
            self._show_clusters()
        elif self._groups is None and not self.services.comparer.busy:
            self.action_recluster()  # it failed while another view was open

    def _show_clusters(self) -> None:
        self._groups, self._progress = self.found_groups, ""
        self._skipped.clear()
        self._last_labels.clear()
        self._turning = True
        self.turn_over(lambda store: self._change_cluster(store, 0, 1))

    # -- the pages

    def next_page(self, store: Store) -> GroupPage:
        """Return the next page of the cluster, or of the next cluster that has one."""
        return self._page_from(store, self._page.group, 1)

    def undone_page(self, store: Store, rows: Sequence[JournalRow]) -> GroupPage:
        """Return the page of an action that was undone; the rejected clips are known for actions of this session."""
        labelled = self._labelled_pages.pop(rows[0].id, None)
        if labelled is not None:
            self._skipped -= labelled.rejected
        return batch_review.restored_group_page(store, rows, labelled, annotator=self.services.session.annotator)

    def is_page(self, rows: Sequence[JournalRow]) -> bool:
        return super().is_page(rows) or rows[0].id in self._labelled_pages

    def empty(self) -> Sequence[str]:
        if self._failure:
            return (
                "The clips cannot be clustered:",
                self._failure,
                "",
                *self.offers(("recluster", "try again"), ("label", "label clips one by one")),
            )
        if self._progress:
            return (
                f"Clustering the {self.what} by similarity:",
                self._progress,
                "",
                *self.offers(("label", "label meanwhile"), ("clusters", "come back to the clusters")),
            )
        return (
            "No clusters are left.",
            "",
            *self.offers(
                ("recluster", "cluster the clips that are still unlabelled"),
                ("label", "label clips one by one"),
                ("undo", "undo the last label"),
            ),
        )

    def _page_from(self, store: Store, group: int, steps: int) -> GroupPage:
        """Return the first page from a cluster on."""
        groups = self._groups.clips if self._groups is not None else ()
        for offset in range(len(groups)):
            number = (group + offset * steps) % len(groups)
            rest = [clip_id for clip_id in groups[number] if clip_id not in self._skipped]
            page = self.read_page(store, rest, number)
            if page.clip_ids:
                return self.services.live.suggestions_for_page(store, page)
        return NO_PAGE

    def _change_cluster(self, store: Store, group: int, steps: int) -> ListResult:
        next_clips.release(store, annotator=self.services.session.annotator, clip_ids=list(self.clips.ids))
        self._left_pages.clear()
        return page_result(self._page_from(store, group, steps))

    def keep(self, clip_ids: Sequence[int], *, at: int | None = None) -> None:
        """Keep only these clips on the page; if all of them are rejected, the page is done."""
        if self._rejected.issuperset(clip_ids):
            self._skipped.update(clip_ids)
            clip_ids = ()
        super().keep(clip_ids, at=at)

    def action_next_cluster(self, steps: int) -> None:
        """Go to the next or previous cluster; this one stays as it is."""
        group = self._page.group + steps
        self._turning = True
        self.turn_over(lambda store: self._change_cluster(store, group, steps))

    # -- the screen

    def page_facts(self) -> Sequence[str]:
        groups = self._groups
        if groups is None:
            return ()
        return (
            f"cluster {self._page.group + 1} of {len(groups.clips)}",
            f"{self._page.unlabelled:,} unlabelled in it",
            f"by {one_line(groups.by)}",
        )

    def clip_lines(self, listed: ListedClip, width: int) -> list[list[Part]]:
        label_cells = max(0, width // 4)
        predicted = f"{listed.top_label} {listed.top_probability or 0:.0%}" if listed.top_label is not None else ""
        first, below = self.name_lines(listed, max(0, width - label_cells - 5))
        return [[*first, (" ", ""), (fit(predicted, label_cells), "$quiet")], below]

    @property
    def prompt(self) -> str:
        return "Label for all of them" if self._mode is LabelMode.LABEL else super().prompt

    @property
    def source(self) -> str:
        """The clips that get the next label."""
        if self._mode is not LabelMode.LABEL:
            return "for the selected clip only"
        return f"for the {len(self._accepted())} clips not rejected"

    def choices_for(self, prepared: PreparedClip) -> tuple[LabelChoice, ...]:
        choices = self.with_keys(self._page.probabilities, self._page.proposed)
        last = self._last_labels.get(self._page.group)
        if last is not None and all(choice.label != last for choice in choices):
            choices = (*choices, LabelChoice(last, "", self._page.probabilities.get(last)))
        return choices

    @property
    def first_choice(self) -> LabelChoice | None:
        """The label that Enter accepts: the last label of the cluster, else the most probable one."""
        last = self._last_labels.get(self._page.group)
        return next((choice for choice in self.choices if choice.label == last), super().first_choice)

    def _accepted(self) -> list[int]:
        return [clip_id for clip_id in self.clips.ids if clip_id not in self._rejected]

    # -- labels

    def action_reject(self) -> None:
        """Reject the selected clip, or keep it after all."""
        super().action_reject()
        self.show_choices()

    async def annotate(self, answer: Answer) -> None:
        """Label the clips of the page that are not rejected; after `m`, and when unsure, only the selected one."""
        label, value = answer.label, answer.value
        if self._mode is not LabelMode.LABEL or value is Value.UNSURE:
            await super().annotate(answer)
            return
        if self._is_repeat(answer.key) or self._turning or not self.clips.ids:
            return
        clip_ids = self._accepted()
        if not clip_ids:
            self.notice.show("every clip is rejected: x keeps one, Tab goes to the next cluster")
            return
        page = replace(self._page, clip_ids=tuple(self.clips.ids), rejected=frozenset(self._rejected))
        contexts = {
            clip_id: AnnotationContext(suggested=next(iter(page.suggestions[clip_id].probabilities)))
            for clip_id in clip_ids
            if clip_id in page.suggestions and page.suggestions[clip_id].probabilities
        }
        rejected = f", {len(page.rejected)} rejected" if page.rejected else ""
        values = dict.fromkeys(clip_ids, value)
        rows = await self.annotate_page(
            label, values, contexts=contexts, summary=lambda rows: f"{_clip_count(rows)} clips{rejected}"
        )
        if rows is None:
            return
        self._skipped |= page.rejected
        if rows:
            self._labelled_pages[rows[0].id] = page
        if label is not None:
            self._last_labels[page.group] = label
        self.turn()


def _clip_count(rows: Sequence[JournalRow]) -> int:
    return len({row.clip_id for row in rows})
