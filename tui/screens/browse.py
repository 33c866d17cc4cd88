"""Browse: every clip, with filters by file, label, transcript and labelled or not; also the list of similar clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from labeltool.annotation import listing
from labeltool.annotation.listing import Filter
from labeltool.similarity.search import SimilarClips
from labeltool.store import Store
from labeltool.tui.dialogs.palette import Palette
from labeltool.tui.dialogs.text_prompt import TextPrompt
from labeltool.tui.keys import BROWSE
from labeltool.tui.label_choices import by_usage
from labeltool.tui.screens.list_base import ListResult, ListScreen
from labeltool.tui.services import Services
from labeltool.tui.text import one_line, truncate_left

_NEXT_LABELLED: dict[bool | None, bool | None] = {None: False, False: True, True: None}
_NAME_CELLS = 30
_LABELLED_TEXT = {None: "", False: "unlabelled", True: "labelled"}


class BrowseScreen(ListScreen):
    """Every clip of the project, or those similar to one."""

    BINDINGS = BROWSE.bindings()

    def __init__(self, services: Services, *, repeat_s: float) -> None:
        super().__init__(services, BROWSE, repeat_s=repeat_s)
        self._filter = Filter()
        self._similar: SimilarClips | None = None

    def show_similar(self, similar: SimilarClips) -> None:
        """Show only the clips similar to one, the nearest first."""
        self._similar = similar
        self.clips.show(())  # the first clip gets selected
        self._set_filter(Filter())

    def find(self, store: Store) -> ListResult:
        """Read the clips that match the filter."""
        filter_, similar = self._filter, self._similar
        ids: Sequence[int] = listing.matching(store, filter_)
        if similar is not None:
            matching = set(ids)
            ids = [clip.id for clip, _ in similar.clips if clip.id in matching]
        conditions = [
            _similar_to(similar) if similar is not None else "",
            f"file contains “{one_line(filter_.text)}”" if filter_.text else "",
            f"label {one_line(filter_.label)}" if filter_.label is not None else "",
            f"transcript contains “{one_line(filter_.transcript)}”" if filter_.transcript else "",
            _LABELLED_TEXT[filter_.labelled],
        ]
        return ListResult(ids, ", ".join(condition for condition in conditions if condition))

    @property
    def heading(self) -> str:
        """The title of the view."""
        return "Similar" if self._similar is not None else super().heading

    def empty(self) -> Sequence[str]:
        """Return how to see more."""
        return ("No clip matches the filter.", "", *self.offers(("show_all", "show all clips")))

    def action_filter_file(self) -> None:
        """Filter by a part of the file's path."""

        def apply(text: str | None) -> None:
            if text is not None:
                self._set_filter(replace(self._filter, text=text.strip()))

        self.app.push_screen(TextPrompt("File path contains", self._filter.text), apply)

    def action_filter_label(self) -> None:
        """Filter by a label."""

        def apply(label: str | None) -> None:
            if label is not None:
                self._set_filter(replace(self._filter, label=label))

        labels = by_usage(self.services.state.label_counts)
        self.app.push_screen(Palette("Clips with which label?", labels, allows_new=False), apply)

    def action_filter_transcript(self) -> None:
        """Filter by a part of the transcript."""

        def apply(text: str | None) -> None:
            if text is not None:
                self._set_filter(replace(self._filter, transcript=text.strip()))

        self.app.push_screen(TextPrompt("Transcript contains", self._filter.transcript), apply)

    def action_filter_labelled(self) -> None:
        """Show unlabelled clips, labelled clips, or both."""
        self._set_filter(replace(self._filter, labelled=_NEXT_LABELLED[self._filter.labelled]))

    def action_show_all(self) -> None:
        """Show all clips."""
        self._similar = None
        self._set_filter(Filter())

    def _set_filter(self, new: Filter) -> None:
        self._filter = new
        self.tabs.mark("browse" if self._similar is None else "similar")
        self.load()


def _similar_to(similar: SimilarClips) -> str:
    name = truncate_left(similar.clips[0][0].path.rpartition("/")[2], _NAME_CELLS)
    return f"similar to {name}, by {one_line(similar.source.display_name)}"
