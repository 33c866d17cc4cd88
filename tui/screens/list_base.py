"""A list of clips above, one line each; the selected one is shown, played and labelled below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual import work
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Static

from labeltool.annotation import listing
from labeltool.annotation.listing import ListedClip
from labeltool.store import Store
from labeltool.store.journal import JournalRow
from labeltool.tui.background.prefetch import Delivery
from labeltool.tui.screens.annotate_base import AnnotateScreen
from labeltool.tui.services import Services
from labeltool.tui.shared_keys import View
from labeltool.tui.text import fit, format_time, truncate_left
from labeltool.tui.widgets.lists.clip_list import ClipList, Part, index_of

_AHEAD = 1
_MAX_LINES_KEPT = 5000


@dataclass(frozen=True, slots=True)
class ListResult:
    """The ids of the clips of a list, in its order, and the text above it."""

    ids: Sequence[int]
    title: str


class ListScreen(AnnotateScreen):
    """Shows a list of clips; a subclass chooses the clips and their order."""

    LINES_PER_CLIP = 1

    def __init__(self, services: Services, view: View, *, repeat_s: float) -> None:
        super().__init__(services, view, repeat_s=repeat_s)
        self.clips = ClipList(self._draw, lines=self.LINES_PER_CLIP, id="clips")
        self._title = Static(id="clips-title")
        self._lines: dict[int, ListedClip] = {}
        self._list_title = ""
        self._was_read = False

    # -- for subclasses

    def find(self, store: Store) -> ListResult:
        """Read the clips; called in the reader's thread."""
        raise NotImplementedError

    def empty(self) -> Sequence[str]:
        """Return the text for an empty list."""
        raise NotImplementedError

    def line_parts(self, listed: ListedClip, width: int) -> list[Part]:
        """Return a clip's line of `width` cells: its file, its labels, the prediction."""
        predicted = f"{listed.top_label} {listed.top_probability or 0:.0%}" if listed.top_label is not None else ""
        return [*clip_parts(listed, width - width // 4 - 1), (" ", ""), (fit(predicted, width // 4), "$primary")]

    def clip_lines(self, listed: ListedClip, width: int) -> list[list[Part]]:
        """Return the lines of a clip, `LINES_PER_CLIP` of them."""
        return [self.line_parts(listed, width)]

    def compose_list(self) -> ComposeResult:
        yield self.clips

    # -- the screen

    @property
    def busy(self) -> bool:
        """Whether the selected clip is not on the screen yet."""
        return self._current is None or self._current.clip.id != self.clips.clip_id

    @property
    def awaits_row(self) -> bool:
        """Whether the list or its selected clip is being read."""
        return self.busy and (bool(self.clips.ids) or not self._was_read)

    def compose_body(self) -> ComposeResult:
        yield self._title
        yield from self.compose_list()
        yield Horizontal(*self.compose_clip(), self.panel, id="main")

    def on_mount(self) -> None:
        self.show_no_clip("Reading the list …")
        self.load()

    def enter(self) -> None:
        """Read the lines again: clips were labelled in another view meanwhile."""
        super().enter()
        self.reload()

    @work(exclusive=True, group="load")
    async def load(self) -> None:
        """Read the clips again; the selected clip stays selected if it is still among them."""
        selected, self._was_read = self.clips.clip_id, False
        result = await self.attempt(self.services.reader.do(self.find))
        if result is None:
            self._was_read = True
            return
        self._lines.clear()
        self.show_result(result, at=index_of(selected, result.ids) or 0)

    def show_result(self, result: ListResult, *, at: int = 0) -> None:
        """Show a list, with the clip at a place of it selected."""
        self._list_title, self._was_read = result.title, True
        self.set_class(not result.ids, "-empty")
        self.clips.show(result.ids, at=at)
        if not result.ids:
            self._current = None
            self.show_no_clip(*self.empty())

    def reload(self) -> None:
        """Read the visible lines again; the list keeps its clips."""
        self._lines.clear()
        self._read_lines()
        # Only where a clip is on the screen: a list that is being read shows its clip when it is there.
        if self._current is not None:
            self._read_clip()

    @property
    def heading(self) -> str:
        """The title of the view, above the list."""
        return self.view.title

    def show_title(self) -> None:
        place = f"{self.clips.place + 1:,} of {len(self.clips.ids):,}   " if self.clips.ids else ""
        marked = f"{len(self.clips.marked_ids):,} marked   " if self.clips.marked_ids else ""
        parts = (
            (f"{self.heading}   ", "bold $foreground"),
            (place, "$foreground"),
            (marked, "bold $accent"),
            (self._list_title, "$quiet"),
        )
        self._title.update(Content.assemble(*parts))

    def on_clip_list_moved(self) -> None:
        self.show_title()
        self._read_lines()
        if self.busy:
            self._read_clip()

    def _read_clip(self) -> None:
        if self.clips.clip_id is not None:
            self.services.prefetcher.request_clip(self.clips.clip_id, next_ids=self.clips.following(_AHEAD))

    @work(exclusive=True, group="lines")
    async def _read_lines(self) -> None:
        missing = [clip_id for clip_id in self.clips.visible_ids if clip_id not in self._lines]
        if not missing:
            return
        if len(self._lines) > _MAX_LINES_KEPT:
            self._lines.clear()
            missing = list(self.clips.visible_ids)
        rows = await self.attempt(self.services.reader.do(lambda store: listing.page(store, missing)))
        if rows is None:
            return
        self._lines.update({row.clip.id: row for row in rows})
        self.clips.refresh()
        self.lines_read()

    def lines_read(self) -> None:
        """Do what a subclass needs after lines were read."""

    def _draw(self, clip_id: int, width: int) -> Sequence[Sequence[Part]] | None:
        listed = self._lines.get(clip_id)
        return None if listed is None else self.clip_lines(listed, width)

    # -- labels

    def show_next(self, clip_id: int) -> None:
        """Select the next clip of the list, unless another one is selected by now."""
        self._lines.pop(clip_id, None)
        if self.clips.clip_id != clip_id:
            self._read_lines()
        elif self.clips.following(1):
            self.clips.move(1)
        else:
            self.notice.show(f"{self.notice.text}   end of the list")
            self.reload()

    def show_undone(self, row: JournalRow) -> None:
        if row.clip_id is None:
            return
        self._lines.pop(row.clip_id, None)
        if self.clips.move_to(row.clip_id):
            self._current = None
        else:
            self.show_undone_elsewhere(row, "not in this list")
            self.reload()

    def receive(self, delivery: Delivery) -> None:
        if delivery.failure:
            self.notice.warn(delivery.failure)
        requested = delivery.requested
        if requested is None or requested.clip.id != self.clips.clip_id:
            return
        if self._current is not None and self._current.clip.id == requested.clip.id:
            self._current = requested
            self.update_choices()
        else:
            self._current = requested
            self.show_prepared(requested)

    # -- marking

    def action_mark(self) -> None:
        """Mark the clips from the selected one on, up to the one that is selected then; or mark none any more."""
        self.clips.mark()
        self._show_marked()

    def action_mark_all(self) -> None:
        self.clips.mark_all()
        self._show_marked()

    def _show_marked(self) -> None:
        self.show_title()
        if self.clips.marked_ids:
            self.notice.show("the next key is for all that is marked; Esc ends it")

    def action_cancel(self) -> None:
        """Mark none any more, else as in every view."""
        if self.clips.remove_mark():
            self.show_title()
        else:
            super().action_cancel()

    # -- moving

    def action_move(self, lines: int) -> None:
        self.clips.move(lines)

    def action_page(self, pages: int) -> None:
        self.clips.move_pages(pages)

    def action_end(self, last: bool) -> None:
        self.clips.move_to_end(last=last)


def clip_columns(width: int) -> tuple[int, int]:
    """Return the cells of the file and of the labels in `clip_parts`."""
    name_cells = max(8, width * 3 // 5) - 2
    return name_cells, max(0, width - name_cells - 3)


def clip_parts(listed: ListedClip, width: int) -> list[Part]:
    """Return the first part of a clip's line: whether it is labelled, its file, and its labels."""
    mark, style = ("✓", "$success") if listed.present else ("·", "$quiet")
    if listed.labelled and not listed.present:
        mark, style = "✗", "$quiet"
    labels = ", ".join([*listed.present, *(f"✗ {name}" for name in listed.absent), *(f"? {n}" for n in listed.unsure)])
    start = f" {format_time(listed.clip.start_s)}" if listed.clip.start_s else ""
    name_cells, label_cells = clip_columns(width)
    name = truncate_left(listed.clip.path.rpartition("/")[2], name_cells - len(start))
    return [
        (f"{mark} ", style),
        (fit(name + start, name_cells), "$foreground"),
        (" ", ""),
        (fit(labels, label_cells), style if listed.present else "$quiet"),
    ]
