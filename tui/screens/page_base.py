"""Pages of clips that are answered at once: some are struck out, the rest taken with one key."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from rich.cells import cell_len
from textual import work
from textual.message import Message
from textual.worker import get_current_worker

from labeltool.annotation import pages
from labeltool.annotation.listing import Listed
from labeltool.annotation.pages import Page
from labeltool.errors import LabeltoolError
from labeltool.records import StoredClip, Value
from labeltool.store import Store
from labeltool.store.journal import JournalRow
from labeltool.tui.keys import Way
from labeltool.tui.screens.list_base import Found, ListScreen
from labeltool.tui.services import Services
from labeltool.tui.text import clip_left, clock
from labeltool.tui.widgets.clip_list import Part
from labeltool.tui.widgets.thumbnails import COLUMNS, Levels, strip, thumbnail

_MOST, _FEWEST = 20, 4
_LINES_A_CLIP = 3  # a page takes a third of the screen's lines: the list has room for it
_HEARD_S = 0.5
_MOST_THUMBNAILS = 1000
_LEAST_NAME = 18  # cells that a file's name is left beside its picture

_P = TypeVar("_P", bound=Page)


@dataclass(frozen=True, slots=True)
class _FoundPage(Found, Generic[_P]):
    page: _P


class Sketched(Message):
    """A thumbnail was drawn."""

    def __init__(self, clip_id: int, levels: Levels) -> None:
        super().__init__()
        self.clip_id, self.levels = clip_id, levels


class PageScreen(ListScreen, Generic[_P]):
    """One page at a time; which clips make one, and what is said of them, is the subclass's matter.

    Parameters
    ----------
    nothing
        A page without clips.
    """

    def __init__(self, services: Services, way: Way, *, repeat_s: float, nothing: _P) -> None:
        super().__init__(services, way, repeat_s=repeat_s)
        self._page = self._nothing = nothing
        self._struck: set[int] = set()
        self._heard: set[int] = set()
        self._thumbnails: dict[int, Levels] = {}
        # Where on the page the clips stood that were answered by themselves.
        self._alone: dict[int, int] = {}
        self._alone_s = 0.0
        # Pages that undo left: they come again before the next.
        self._left: list[_P] = []
        self._turning = True
        self._through = False
        self._began = self._went = time.monotonic()

    # -- what a subclass gives

    def next_page(self, store: Store) -> _P:
        """Return what comes after the page on the screen; called in the reader's thread, as the next one is."""
        raise NotImplementedError

    def page_again(self, store: Store, rows: Sequence[JournalRow]) -> _P:
        """Return the page that an act which is taken back was said of."""
        raise NotImplementedError

    def is_page(self, rows: Sequence[JournalRow]) -> bool:
        """Tell whether an act was said of a page."""
        return rows[-1].kind == "verdict" and rows[-1].label is not None

    def figures(self) -> Sequence[str]:
        """Return what the title tells of the page, beside what was struck out and heard."""
        raise NotImplementedError

    # -- the pages

    @property
    def busy(self) -> bool:
        """Whether another page is on its way, or the highlighted clip."""
        return self._turning or super().busy

    @property
    def most(self) -> int:
        """Clips a page has on this screen, at most."""
        return min(_MOST, max(_FEWEST, self.app.size.height // _LINES_A_CLIP))

    def find(self, store: Store) -> Found:
        """Take a page that undo left, or the next."""
        if self._left:
            left = self._left.pop()
            waiting = pages.still_waiting(store, left.clip_ids)
            if waiting:
                kept = tuple(clip_id for clip_id in left.clip_ids if clip_id in waiting)
                return sought(replace(left, clip_ids=kept))
        return sought(self.next_page(store))

    @work(exclusive=True, group="seek")
    async def seek(self) -> None:
        """Turn to the next page."""
        await self.turn_to(self.find)

    def show_found(self, found: Found, *, at: int = 0) -> None:
        """Begin a page."""
        self._page = found.page if isinstance(found, _FoundPage) else self._nothing
        self._struck = set(self._page.struck)
        self._alone.clear()
        self._alone_s = 0.0
        self._turning = self._through = False
        self._began = time.monotonic()
        super().show_found(found, at=at)
        self.show_title()

    def look_again(self) -> None:
        """Take clips that were answered elsewhere from the page; the others stay as they are, whatever has arrived."""
        if self._turning:
            return
        if self.clips.ids:
            self._drop_answered()
        else:
            self.turn()

    def entered(self) -> None:
        """Go on with the page; the time elsewhere is not its."""
        self._began += time.monotonic() - self._went
        super().entered()

    def on_screen_suspend(self) -> None:
        """Remember when another screen came."""
        self._went = time.monotonic()

    def turn(self) -> None:
        """Turn to the next page at once: a key that comes before it does is not meant for it."""
        self._turning = True
        self.seek()

    @work(exclusive=True, group="seek")
    async def turn_over(self, find: Callable[[Store], Found]) -> None:
        """Turn to another page than the next."""
        await self.turn_to(find)

    async def turn_to(self, find: Callable[[Store], Found]) -> None:
        """Find a page and show it."""
        self._turning = True
        try:
            found = await self.services.reader.do(find)
        except LabeltoolError as error:
            self._turning = False
            self.notice.warn(str(error))
            return
        self._known.clear()
        if len(self._thumbnails) > _MOST_THUMBNAILS:
            self._thumbnails.clear()
        self.show_found(found)

    @work(exclusive=True, group="drop")
    async def _drop_answered(self) -> None:
        page = self._page
        try:
            waiting = await self.services.reader.do(lambda store: pages.still_waiting(store, page.clip_ids))
        except LabeltoolError as error:
            self.notice.warn(str(error))
            return
        if self._turning or self._page is not page:
            return
        if self._said_here and self.clips.clip_id is not None:
            waiting.add(self.clips.clip_id)  # not done yet
        if waiting.issuperset(self.clips.ids):
            super().look_again()
        else:
            self.keep([clip_id for clip_id in self.clips.ids if clip_id in waiting])

    def keep(self, clip_ids: Sequence[int], *, at: int | None = None) -> None:
        """Let the page have these clips; one without any is turned."""
        self._struck.intersection_update(clip_ids)
        if clip_ids:
            self.clips.show(clip_ids, at=self.clips.place if at is None else at)
        else:
            self.turn()

    # -- what is shown

    def show_title(self) -> None:
        """Tell how far the page is."""
        if self._page.clip_ids:
            unheard = len(self._unheard())
            self._found = " · ".join(
                [
                    *([f"{len(self._struck)} struck out"] if self._struck else []),
                    f"{unheard} not heard" if unheard else "all heard",
                    *self.figures(),
                ]
            )
        super().show_title()

    def lines_read(self) -> None:
        """Draw the thumbnails that are missing."""
        known = (self._known[clip_id].clip for clip_id in self.clips.ids if clip_id in self._known)
        self._sketch([clip for clip in known if clip.id not in self._thumbnails])

    @work(thread=True, exclusive=True, group="thumbnails")
    def _sketch(self, clips: Sequence[StoredClip]) -> None:
        worker = get_current_worker()
        for clip in clips:
            if worker.is_cancelled:
                return
            with suppress(LabeltoolError):  # told when the clip is shown
                self.post_message(Sketched(clip.id, thumbnail(clip)))

    def on_sketched(self, message: Sketched) -> None:
        """Show a thumbnail."""
        self._thumbnails[message.clip_id] = message.levels
        self.clips.refresh()

    def tell_name(self, listed: Listed, room: int) -> list[Part]:
        """Return how a clip's line begins: will it be taken, was it heard, then in so many cells its picture and file.

        On a narrow screen its file alone.
        """
        struck = listed.clip.id in self._struck
        picture: list[Part] = []
        if room >= _LEAST_NAME + COLUMNS:
            dark, levels = self.app.current_theme.dark, self._thumbnails.get(listed.clip.id)
            picture = [*strip(levels, dark=dark, ink=self.app.no_color), (" ", "")]
            room -= COLUMNS + 1
        begins = f" {clock(listed.clip.start_s)}" if listed.clip.start_s else ""
        name = clip_left(listed.clip.path.rpartition("/")[2], max(0, room - len(begins))) + begins
        return [
            ("✗ ", "bold $error") if struck else ("✓ ", "$success"),
            ("♪ " if listed.clip.id in self._heard else "  ", "$accent"),
            *picture,
            (name, "$quiet strike" if struck else "$foreground"),
            (" " * max(0, room - cell_len(name)), ""),
        ]

    def _unheard(self) -> list[int]:
        return [clip_id for clip_id in self.clips.ids if clip_id not in self._heard]

    def _follow_sound(self) -> None:
        super()._follow_sound()
        if not self.in_front or self.busy:
            return
        player, sound = self.services.player, self._sound
        ended = sound is None or (not player.playing and player.position_s >= sound.duration_s)
        clip_id = self.clips.clip_id
        heard = sound is not None and (ended or (player.playing and player.position_s >= _HEARD_S))
        if heard and clip_id is not None and clip_id not in self._heard:
            self._heard.add(clip_id)
            self.clips.refresh()
            self.show_title()
        if self._through and ended:
            self._play_next()

    def _play_next(self) -> None:
        if self.clips.following(1):
            self.clips.move(1)
        else:
            self._through = False
            self.notice.tell("the page is played: Enter takes what is not struck out")

    # -- answers

    def action_strike(self) -> None:
        """Strike the highlighted clip out, or take that back."""
        if self._turning or self.clips.clip_id is None:
            return
        self._struck ^= {self.clips.clip_id}
        self.clips.refresh()
        self.show_title()

    async def answer_page(
        self,
        label: str | None,
        values: Mapping[int, Value],
        *,
        suggested: Mapping[int, str],
        accepted_from: Mapping[int, str],
        told: Callable[[Sequence[JournalRow]], str],
    ) -> list[JournalRow] | None:
        """Say one thing of clips of the page and return what was stored; None, and told why, where nothing could be.

        Parameters
        ----------
        label, values, suggested, accepted_from
            As `journal.say_all` takes them.
        told
            Says in words what was stored.
        """
        unheard = len([clip_id for clip_id in self._unheard() if clip_id in values])
        took_s = max(0.0, time.monotonic() - self._began - self._alone_s)
        try:
            rows = await self.services.session.say_all(
                label,
                values,
                suggested=suggested,
                accepted_from=accepted_from,
                took_ms=round(took_s * 1000),
                answered_here=[self.now.clip.id] if self._said_here and self.now is not None else [],
            )
        except LabeltoolError as error:
            self.notice.warn(str(error))
            return None
        self._count(rows, 1)
        self.services.state.labelled += len(rows)
        for _ in rows:
            self.services.session.count_answer(took_s / len(rows))
        self.header.refresh()
        parts = [told(rows), f"{unheard} not heard"]
        if len(rows) < len(values):
            parts.append(f"{len(values) - len(rows)} answered meanwhile")
        self.notice.tell(", ".join(parts) + (f": {label}" if label is not None else ""))
        return rows

    def action_listen_through(self) -> None:
        """Play one clip of the page after the other, from the highlighted one; or stop that."""
        self._through = not self._through and bool(self.clips.ids)
        player = self.services.player
        if self._through:
            player.loop = False
            if not player.playing:
                player.replay()
        self.notice.tell("one clip after the other" if self._through else "one clip at a time")

    def go_on(self, answered: int) -> None:
        """Let the clip that was answered by itself leave the page."""
        if answered not in self.clips.ids:
            return
        place = self.clips.ids.index(answered)
        self._alone[answered] = place
        self._alone_s += time.monotonic() - self._appeared
        # A clip above the highlighted one that leaves moves it up.
        at = self.clips.place - (place < self.clips.place)
        self.keep([kept for kept in self.clips.ids if kept != answered], at=at)

    def take_back(self, rows: Sequence[JournalRow]) -> None:
        """Show the page again that was answered, or put the clip back that was answered by itself."""
        row = rows[-1]
        if row.clip_id in self._alone and not self._turning:
            place = self._alone.pop(row.clip_id)
            ids = list(self.clips.ids)
            ids.insert(place, row.clip_id)
            self._now = None
            self.clips.show(ids, at=place)
            self._appeared_again(row)
        elif row.clip_id in self.clips.ids or not self.is_page(rows):
            self.go_back(row)
        else:
            self._show_again(rows)

    @work(exclusive=True, group="seek")
    async def _show_again(self, rows: Sequence[JournalRow]) -> None:
        if self.clips.ids and not self._turning:
            left = replace(self._page, clip_ids=tuple(self.clips.ids), struck=frozenset(self._struck))
            self._left.append(left)
        self._appeared_again(rows[-1])
        await self.turn_to(lambda store: sought(self.page_again(store, rows)))
        if not self.clips.ids:
            self.turn()


def sought(page: Page) -> Found:
    """Return a page as what was sought."""
    return _FoundPage(page.clip_ids, "", page)
