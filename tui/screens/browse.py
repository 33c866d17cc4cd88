"""Browse: every clip, sorted and filtered; also the list of similar clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from textual.app import ComposeResult
from textual.events import Resize

from labeltool.annotation import filter_line, listing
from labeltool.annotation.listing import Filter, ListedClip, Order
from labeltool.similarity.search import SimilarClips
from labeltool.store import Store
from labeltool.store.clips import current_names, label_names
from labeltool.tui.dialogs.palette import Palette
from labeltool.tui.dialogs.prompts import TextPrompt, ask
from labeltool.tui.keys import BROWSE
from labeltool.tui.label_choices import by_usage
from labeltool.tui.screens.bulk_relabel import BulkRelabelScreen
from labeltool.tui.screens.list_base import ListResult, clip_columns, clip_parts
from labeltool.tui.services import Services
from labeltool.tui.text import fit, one_line, truncate_left
from labeltool.tui.widgets.lists.clip_list import Part
from labeltool.tui.widgets.lists.list_heading import ListHeading

_NEXT_LABELLED: dict[bool | None, bool | None] = {None: False, False: True, True: None}
_NAME_CELLS = 30
_MARK_CELLS = 4  # before the file: the selection, and whether the clip is labelled
_PERCENT_CELLS, _DISTANCE_CELLS = 6, 11
_FILTER_HINT = "Filter: path, label:X, unlabelled, transcript:X, COLUMN=X"


class BrowseScreen(BulkRelabelScreen):
    """Every clip of the project, or those similar to one."""

    BINDINGS = BROWSE.bindings()

    def __init__(self, services: Services, *, repeat_s: float) -> None:
        super().__init__(services, BROWSE, repeat_s=repeat_s)
        self._filter = Filter()
        self._order = Order.ADDED
        self._similar: SimilarClips | None = None
        self._distances: dict[int, float] = {}
        self._unknown_label = ""
        self._columns = ListHeading(id="clips-heading")

    def show_similar(self, similar: SimilarClips) -> None:
        """Show only the clips similar to one, the nearest first."""
        self._similar, self._order = similar, Order.ADDED
        self._distances = {clip.id: distance for clip, distance in similar.clips}
        self.clips.show(())  # the first clip gets selected
        self._set_filter(Filter())

    def find(self, store: Store) -> ListResult:
        similar, order, shown = self._similar, self._order, self._filter
        self._unknown_label = ""
        if (label := shown.label) is not None:
            # It may have been renamed, or merged, since the filter was set.
            known = _known_name(store, label)
            shown = replace(shown, label=label if known is None else known)
            self._unknown_label = label if known is None else ""
        ids: Sequence[int] = listing.matching(store, shown, order)
        if similar is not None:
            nearest = [clip.id for clip, _ in similar.clips]
            # Added: as they were found, the nearest first.
            wanted, among = (nearest, set(ids)) if order is Order.ADDED else (ids, set(nearest))
            ids = [clip_id for clip_id in wanted if clip_id in among]
        facts = [
            _similar_to(similar) if similar is not None else "",
            one_line(filter_line.filter_line(shown)),
            f"by {order.value}" if order is not Order.ADDED else "",
        ]
        return ListResult(ids, " · ".join(fact for fact in facts if fact))

    @property
    def heading(self) -> str:
        return "Similar" if self._similar is not None else super().heading

    def empty(self) -> Sequence[str]:
        return (
            f"No label is called {self._unknown_label}." if self._unknown_label else "No clip matches the filter.",
            "",
            *self.offers(("show_all", "show all clips"), ("filter_file", "change the filter")),
        )

    # -- the screen

    def compose_list(self) -> ComposeResult:
        yield self._columns
        yield self.clips

    def show_title(self) -> None:
        super().show_title()
        self.tabs.mark("similar" if self._similar is not None else self.view.name)
        name, labels, predicted = _cells(self.clips.size.width - 2, self._last_cells)
        # Similar clips are the nearest first as they were found.
        last = (Order.PROBABILITY.value, "%", _PERCENT_CELLS)
        if self._similar is not None:
            last = (Order.ADDED.value, "distance", _DISTANCE_CELLS)
        self._columns.show(
            [
                (Order.ADDED.value, "", _MARK_CELLS),
                (Order.FILE.value, "file", name + 1),
                (Order.LABEL.value, "labels", labels + 1),
                (Order.PREDICTED.value, "predicted", predicted),
                last,
            ],
            self._order.value,
            descends=self._order.descends,
        )

    @property
    def _last_cells(self) -> int:
        return _DISTANCE_CELLS if self._similar is not None else _PERCENT_CELLS

    def on_resize(self, event: Resize) -> None:
        super().on_resize(event)
        self.call_after_refresh(self.show_title)

    def line_parts(self, listed: ListedClip, width: int) -> list[Part]:
        last_cells = self._last_cells
        _, _, predicted = _cells(width, last_cells)
        last = f"{listed.top_probability or 0:.0%}" if listed.top_label is not None else ""
        if self._similar is not None:
            distance = self._distances.get(listed.clip.id)
            last = f"{distance:.3f}" if distance is not None else ""
        return [
            *clip_parts(listed, width - predicted - last_cells - 1),
            (f" {fit(listed.top_label or '', predicted)}", "$primary"),
            (last.rjust(last_cells - 1), "$quiet"),
        ]

    # -- sorting and filtering

    def action_next_order(self) -> None:
        orders = list(Order)
        self.action_sort_by(orders[(orders.index(self._order) + 1) % len(orders)].value)

    def action_sort_by(self, order: str) -> None:
        self._order = Order(order)
        self.load()

    def action_filter_file(self) -> None:
        self._edit_filter(filter_line.filter_line(self._filter))

    def action_filter_transcript(self) -> None:
        """Change the filter line, with a word of the transcript to type."""
        self._edit_filter(f"{filter_line.filter_line(replace(self._filter, transcript=''))} transcript:".lstrip())

    def _edit_filter(self, text: str) -> None:
        def apply(line: str) -> None:
            self._set_filter(filter_line.parse_filter(line))
            if unknown := filter_line.unknown_names(line):
                self.notice.show(f"{', '.join(unknown)}: looked for in the path; names are file: label: transcript:")

        ask(self.app, TextPrompt(_FILTER_HINT, text, selected=False), apply)

    def action_filter_label(self) -> None:
        palette = Palette("Clips with which label?", by_usage(self.services.state.label_counts), allows_new=False)
        ask(self.app, palette, lambda label: self._set_filter(replace(self._filter, label=label)))

    def action_filter_labelled(self) -> None:
        """Show unlabelled clips, labelled clips, or both."""
        self._set_filter(replace(self._filter, labelled=_NEXT_LABELLED[self._filter.labelled]))

    def choose_again(self) -> None:
        """Go from Similar to every clip."""
        if self._similar is not None:
            self.action_show_all()

    def action_show_all(self) -> None:
        """Show all clips, as they were added."""
        self._similar, self._order = None, Order.ADDED
        self._set_filter(Filter())

    def _set_filter(self, new: Filter) -> None:
        self._filter = new
        self.load()


def _cells(width: int, last_cells: int) -> tuple[int, int, int]:
    """Return the cells of file, labels and predicted label on a line of some cells, before the last column."""
    predicted = max(0, width // 4 - _PERCENT_CELLS)
    name, labels = clip_columns(width - predicted - last_cells - 1)
    return name, labels, predicted


def _known_name(store: Store, label: str) -> str | None:
    """Return the current name of the label that is meant, ignoring case where no label is written so."""
    renamed = current_names(store)
    names = [*label_names(store), *renamed]
    meant = [label] if label in names else [name for name in names if name.casefold() == label.casefold()]
    return renamed.get(meant[0], meant[0]) if meant else None


def _similar_to(similar: SimilarClips) -> str:
    name = truncate_left(similar.clips[0][0].path.rpartition("/")[2], _NAME_CELLS)
    return f"similar to {name}, by {one_line(similar.source.display_name)}"
