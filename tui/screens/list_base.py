"""Working through a list: the clips stand in lines above, the one under the highlight is played, shown and answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual import work
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Static

from labeltool.annotation import listing
from labeltool.annotation.listing import Listed
from labeltool.errors import LabeltoolError
from labeltool.store import Store
from labeltool.store.journal import JournalRow
from labeltool.tui.background.prefetch import Delivery
from labeltool.tui.keys import Way
from labeltool.tui.screens.answering import AnsweringScreen
from labeltool.tui.services import Services
from labeltool.tui.text import clip_left, clock, fit
from labeltool.tui.widgets.clip_list import ClipList, Part, place_of

_AHEAD = 1
_MOST_KNOWN = 5000


@dataclass(frozen=True, slots=True)
class Found:
    """A list that was sought: the clips' ids in its order, and the line above it."""

    ids: Sequence[int]
    title: str


class ListScreen(AnsweringScreen):
    """A list of clips; which clips, in what order, and what an answer means is the subclass's matter."""

    def __init__(self, services: Services, way: Way, *, repeat_s: float) -> None:
        super().__init__(services, way, repeat_s=repeat_s)
        self.clips = ClipList(self._draw, id="clips")
        self._title = Static(id="clips-title")
        self._known: dict[int, Listed] = {}
        self._found = ""

    # -- what a subclass gives

    def find(self, store: Store) -> Found:
        """Seek the clips; called in the reader's thread."""
        raise NotImplementedError

    def empty(self) -> Sequence[str]:
        """Return what is told when the list is empty."""
        raise NotImplementedError

    def tell(self, listed: Listed, width: int) -> list[Part]:
        """Return a clip's line in a number of cells: its file, what was said of it, what the model holds."""
        held = f"{listed.top_label} {listed.top_probability or 0:.0%}" if listed.top_label is not None else ""
        return [*told(listed, width - width // 4 - 1), (" ", ""), (fit(held, width // 4), "$primary")]

    # -- the screen

    @property
    def busy(self) -> bool:
        """Whether the highlighted clip is not on the screen yet."""
        return self._now is None or self._now.clip.id != self.clips.clip_id

    def compose(self) -> ComposeResult:
        """Lay the screen out."""
        yield self.header
        yield self._title
        yield self.clips
        yield Horizontal(*self.compose_sight(), self.panel, id="desk")
        yield self.notice
        yield self.hints

    def on_mount(self) -> None:
        """Seek the clips."""
        self.show_nothing("The list is being made …")
        self.seek()

    def entered(self) -> None:
        """Read the lines anew: clips were answered elsewhere meanwhile."""
        super().entered()
        self.look_again()

    @work(exclusive=True, group="seek")
    async def seek(self) -> None:
        """Seek the clips anew; the highlight stays on its clip where that is still among them."""
        kept = self.clips.clip_id
        try:
            found = await self.services.reader.do(self.find)
        except LabeltoolError as error:
            self.notice.warn(str(error))
            return
        self._known.clear()
        self.show_found(found, at=place_of(kept, found.ids) or 0)

    def show_found(self, found: Found, *, at: int = 0) -> None:
        """Put a list on the screen, with the highlight at a place of it."""
        self._found = found.title
        self.clips.show(found.ids, at=at)
        if not found.ids:
            self._now = None
            self.show_nothing(*self.empty())

    def look_again(self) -> None:
        """Read the lines in sight anew; the list keeps its clips."""
        self._known.clear()
        self._fill()
        # Once it has been on the screen: a list that is being sought shows its clip when it is there.
        if self._now is not None:
            self._fetch()

    @property
    def heading(self) -> str:
        """What stands first above the list."""
        return self.way.title

    def show_title(self) -> None:
        """Tell where in which list the highlight is."""
        here = f"{self.clips.place + 1:,} of {len(self.clips.ids):,}   " if self.clips.ids else ""
        title = ((f"{self.heading}   ", "bold $foreground"), (here, "$foreground"), (self._found, "$quiet"))
        self._title.update(Content.assemble(*title))

    def on_clip_list_moved(self) -> None:
        """Fetch the highlighted clip and the lines in sight."""
        self.show_title()
        self._fill()
        if self.busy:
            self._fetch()

    def _fetch(self) -> None:
        if self.clips.clip_id is not None:
            self.services.preparer.want_one(self.clips.clip_id, then=self.clips.following(_AHEAD))

    @work(exclusive=True, group="fill")
    async def _fill(self) -> None:
        wanted = [clip_id for clip_id in self.clips.in_sight if clip_id not in self._known]
        if not wanted:
            return
        if len(self._known) > _MOST_KNOWN:
            self._known.clear()
            wanted = list(self.clips.in_sight)
        try:
            rows = await self.services.reader.do(lambda store: listing.page(store, wanted))
        except LabeltoolError as error:
            self.notice.warn(str(error))
            return
        self._known.update({row.clip.id: row for row in rows})
        self.clips.refresh()
        self.lines_read()

    def lines_read(self) -> None:
        """See to what else the lines that were read need."""

    def _draw(self, clip_id: int, width: int) -> Sequence[Part] | None:
        listed = self._known.get(clip_id)
        return None if listed is None else self.tell(listed, width)

    # -- answers

    def go_on(self, answered: int) -> None:
        """Go to the next clip of the list, unless another one is highlighted by now."""
        self._known.pop(answered, None)
        if self.clips.clip_id != answered:
            self._fill()
        elif self.clips.following(1):
            self.clips.move(1)
        else:
            self.notice.tell(f"{self.notice.text}   the list ends here")
            self.look_again()

    def go_back(self, row: JournalRow) -> None:
        """Highlight the clip of a row that was taken back."""
        if row.clip_id is None:
            return
        self._known.pop(row.clip_id, None)
        self._appeared_again(row)
        if self.clips.move_to(row.clip_id):
            self._now = None
        else:
            self.notice.tell(f"{self.notice.text}   (a clip that is not in this list)")
            self.look_again()

    def _appeared_again(self, row: JournalRow) -> None:
        self.services.state.labelled -= row.kind == "verdict"
        self.header.refresh()

    def take_delivery(self, delivery: Delivery) -> None:
        """Take the clip that was fetched."""
        if delivery.failure:
            self.notice.warn(delivery.failure)
        one = delivery.one
        if one is None or one.clip.id != self.clips.clip_id:
            return
        if self._now is not None and self._now.clip.id == one.clip.id:
            self._now = one
            self.labels_came()
        else:
            self._now = one
            self.show_prepared(one)

    # -- moving

    def action_move(self, lines: int) -> None:
        """Move the highlight."""
        self.clips.move(lines)

    def action_page(self, pages: int) -> None:
        """Move the highlight by what the screen shows."""
        self.clips.move_pages(pages)

    def action_end(self, last: bool) -> None:
        """Highlight the first or the last clip."""
        self.clips.move_to_end(last=last)


def told(listed: Listed, width: int) -> list[Part]:
    """Return the first half of a clip's line: how far it is answered, its file, and what was said of it."""
    mark, style = ("✓", "$success") if listed.present else ("·", "$quiet")
    if listed.answered and not listed.present:
        mark, style = "✗", "$quiet"
    said = ", ".join([*listed.present, *(f"✗ {name}" for name in listed.absent), *(f"? {n}" for n in listed.unsure)])
    begins = f" {clock(listed.clip.start_s)}" if listed.clip.start_s else ""
    room = max(8, width * 3 // 5) - 2
    name = clip_left(listed.clip.path.rpartition("/")[2], room - len(begins))
    return [
        (f"{mark} ", style),
        (fit(name + begins, room), "$foreground"),
        (" ", ""),
        (fit(said, max(0, width - room - 3)), style if listed.present else "$quiet"),
    ]
