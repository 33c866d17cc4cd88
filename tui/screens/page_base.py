"""Pages of clips that are labelled at once: some are rejected, the rest accepted with one key."""

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

from labeltool.annotation import batch_review
from labeltool.annotation.batch_review import Page
from labeltool.annotation.listing import ListedClip
from labeltool.errors import LabeltoolError
from labeltool.records import StoredClip, Value
from labeltool.store import Store
from labeltool.store.journal import AnnotationContext, JournalRow
from labeltool.tui.screens.list_base import ListResult, ListScreen
from labeltool.tui.services import Services
from labeltool.tui.shared_keys import View
from labeltool.tui.text import format_time, truncate_left
from labeltool.tui.widgets.clip_list import Part
from labeltool.tui.widgets.thumbnails import COLUMNS, Levels, strip, thumbnail

_MAX_CLIPS, _MIN_CLIPS = 20, 4
_LINES_PER_CLIP = 3  # a page takes a third of the screen, as the list does
_PLAYED_S = 0.5
_MAX_THUMBNAILS = 1000
_MIN_NAME_CELLS = 18  # of the file's name beside a thumbnail

_P = TypeVar("_P", bound=Page)


@dataclass(frozen=True, slots=True)
class _PageResult(ListResult, Generic[_P]):
    page: _P


class ThumbnailReady(Message):
    """A thumbnail was drawn."""

    def __init__(self, clip_id: int, levels: Levels) -> None:
        super().__init__()
        self.clip_id, self.levels = clip_id, levels


class PageScreen(ListScreen, Generic[_P]):
    """Shows one page at a time; a subclass chooses its clips and labels them.

    Parameters
    ----------
    empty_page
        A page without clips.
    """

    def __init__(self, services: Services, view: View, *, repeat_s: float, empty_page: _P) -> None:
        super().__init__(services, view, repeat_s=repeat_s)
        self._page = self._empty_page = empty_page
        self._rejected: set[int] = set()
        self._played: set[int] = set()
        self._thumbnails: dict[int, Levels] = {}
        # The places on the page of the clips that were labelled one by one, and the time for them.
        self._single: dict[int, int] = {}
        self._single_s = 0.0
        # Pages that undo left: they come again before the next page.
        self._left_pages: list[_P] = []
        self._turning = True
        self._playing_all = False
        self._began = self._suspended = time.monotonic()

    # -- for subclasses

    def next_page(self, store: Store) -> _P:
        """Return the page after the one on the screen; called in the reader's thread."""
        raise NotImplementedError

    def undone_page(self, store: Store, rows: Sequence[JournalRow]) -> _P:
        """Return the page of an action that was undone; called in the reader's thread."""
        raise NotImplementedError

    def is_page(self, rows: Sequence[JournalRow]) -> bool:
        """Return whether an action labelled a page."""
        return rows[-1].kind == "verdict" and rows[-1].label is not None

    def page_facts(self) -> Sequence[str]:
        """Return the parts of the title after the clips rejected and played."""
        raise NotImplementedError

    # -- the pages

    @property
    def busy(self) -> bool:
        """Whether another page is being read, or the selected clip."""
        return self._turning or super().busy

    @property
    def max_clips(self) -> int:
        """The number of clips of a page on this screen."""
        return min(_MAX_CLIPS, max(_MIN_CLIPS, self.app.size.height // _LINES_PER_CLIP))

    def find(self, store: Store) -> ListResult:
        """Return a page that undo left, or the next one."""
        if self._left_pages:
            left = self._left_pages.pop()
            unlabelled = batch_review.still_unlabelled(store, left.clip_ids)
            if unlabelled:
                kept = tuple(clip_id for clip_id in left.clip_ids if clip_id in unlabelled)
                return page_result(replace(left, clip_ids=kept))
        return page_result(self.next_page(store))

    @work(exclusive=True, group="load")
    async def load(self) -> None:
        """Turn to the next page."""
        await self.turn_to(self.find)

    def show_result(self, result: ListResult, *, at: int = 0) -> None:
        """Show a page."""
        self._page = result.page if isinstance(result, _PageResult) else self._empty_page
        self._rejected = set(self._page.rejected)
        self._single.clear()
        self._single_s = 0.0
        self._turning = self._playing_all = False
        self._began = time.monotonic()
        super().show_result(result, at=at)
        self.show_title()

    def reload(self) -> None:
        """Remove the clips that were labelled elsewhere from the page; the others stay, whatever is new."""
        if self._turning:
            return
        if self.clips.ids:
            self._remove_labelled()
        else:
            self.turn()

    def enter(self) -> None:
        """Go on with the page; the time in other views does not count."""
        self._began += time.monotonic() - self._suspended
        super().enter()

    def on_screen_suspend(self) -> None:
        """Store the time at which another view was opened."""
        self._suspended = time.monotonic()

    def turn(self) -> None:
        """Go to the next page; keys have no effect until it is there."""
        self._turning = True
        self.load()

    @work(exclusive=True, group="load")
    async def turn_over(self, find: Callable[[Store], ListResult]) -> None:
        """Go to another page than the next."""
        await self.turn_to(find)

    async def turn_to(self, find: Callable[[Store], ListResult]) -> None:
        """Read a page and show it."""
        self._turning = True
        try:
            result = await self.services.reader.do(find)
        except LabeltoolError as error:
            self._turning = False
            self.notice.warn(str(error))
            return
        self._lines.clear()
        if len(self._thumbnails) > _MAX_THUMBNAILS:
            self._thumbnails.clear()
        self.show_result(result)

    @work(exclusive=True, group="remove")
    async def _remove_labelled(self) -> None:
        page = self._page
        try:
            unlabelled = await self.services.reader.do(
                lambda store: batch_review.still_unlabelled(store, page.clip_ids)
            )
        except LabeltoolError as error:
            self.notice.warn(str(error))
            return
        if self._turning or self._page is not page:
            return
        if self._annotated_here and self.clips.clip_id is not None:
            unlabelled.add(self.clips.clip_id)  # a label was added or rejected; the clip is not done
        if unlabelled.issuperset(self.clips.ids):
            super().reload()
        else:
            self.keep([clip_id for clip_id in self.clips.ids if clip_id in unlabelled])

    def keep(self, clip_ids: Sequence[int], *, at: int | None = None) -> None:
        """Keep only these clips on the page; without any, go to the next page."""
        self._rejected.intersection_update(clip_ids)
        if clip_ids:
            self.clips.show(clip_ids, at=self.clips.place if at is None else at)
        else:
            self.turn()

    # -- the screen

    def show_title(self) -> None:
        """Show how many clips are rejected and played."""
        if self._page.clip_ids:
            unplayed = len(self._unplayed())
            self._list_title = " · ".join(
                [
                    *([f"{len(self._rejected)} rejected"] if self._rejected else []),
                    f"{unplayed} not played" if unplayed else "all played",
                    *self.page_facts(),
                ]
            )
        super().show_title()

    def lines_read(self) -> None:
        """Draw the thumbnails that are missing."""
        clips = (self._lines[clip_id].clip for clip_id in self.clips.ids if clip_id in self._lines)
        self._draw_thumbnails([clip for clip in clips if clip.id not in self._thumbnails])

    @work(thread=True, exclusive=True, group="thumbnails")
    def _draw_thumbnails(self, clips: Sequence[StoredClip]) -> None:
        worker = get_current_worker()
        for clip in clips:
            if worker.is_cancelled:
                return
            with suppress(LabeltoolError):  # shown with the clip
                self.post_message(ThumbnailReady(clip.id, thumbnail(clip)))

    def on_thumbnail_ready(self, message: ThumbnailReady) -> None:
        """Show a thumbnail."""
        self._thumbnails[message.clip_id] = message.levels
        self.clips.refresh()

    def name_parts(self, listed: ListedClip, width: int) -> list[Part]:
        """Return the start of a clip's line: accepted or rejected, played or not, and its thumbnail and file.

        Thumbnail and file take `width` cells; where these are few, there is no thumbnail.
        """
        rejected = listed.clip.id in self._rejected
        picture: list[Part] = []
        if width >= _MIN_NAME_CELLS + COLUMNS:
            dark, levels = self.app.current_theme.dark, self._thumbnails.get(listed.clip.id)
            colour_map = self.services.state.look.colour_map
            picture = [*strip(levels, dark=dark, ink=self.app.no_color, colour_map=colour_map), (" ", "")]
            width -= COLUMNS + 1
        start = f" {format_time(listed.clip.start_s)}" if listed.clip.start_s else ""
        name = truncate_left(listed.clip.path.rpartition("/")[2], max(0, width - len(start))) + start
        return [
            ("✗ ", "bold $error") if rejected else ("✓ ", "$success"),
            ("♪ " if listed.clip.id in self._played else "  ", "$accent"),
            *picture,
            (name, "$quiet strike" if rejected else "$foreground"),
            (" " * max(0, width - cell_len(name)), ""),
        ]

    def _unplayed(self) -> list[int]:
        return [clip_id for clip_id in self.clips.ids if clip_id not in self._played]

    def _update_playhead(self) -> None:
        super()._update_playhead()
        if not self.owns_player or self.busy:
            return
        player, sound = self.services.player, self._sound
        ended = sound is None or (not player.playing and player.position_s >= sound.duration_s)
        clip_id = self.clips.clip_id
        played = sound is not None and (ended or (player.playing and player.position_s >= _PLAYED_S))
        if played and clip_id is not None and clip_id not in self._played:
            self._played.add(clip_id)
            self.clips.refresh()
            self.show_title()
        if self._playing_all and ended:
            self._play_next()

    def _play_next(self) -> None:
        if self.clips.following(1):
            self.clips.move(1)
        else:
            self._playing_all = False
            self.notice.show("the page is played: Enter accepts the clips that are not rejected")

    # -- labels

    def action_reject(self) -> None:
        """Reject the selected clip, or accept it again."""
        if self._turning or self.clips.clip_id is None:
            return
        self._rejected ^= {self.clips.clip_id}
        self.clips.refresh()
        self.show_title()

    async def annotate_page(
        self,
        label: str | None,
        values: Mapping[int, Value],
        *,
        contexts: Mapping[int, AnnotationContext],
        summary: Callable[[Sequence[JournalRow]], str],
    ) -> list[JournalRow] | None:
        """Annotate clips of the page as one action and return the rows; None, with a warning, where it failed.

        Parameters
        ----------
        label, values, contexts
            See `journal.annotate_batch`.
        summary
            Returns the text of the notice for the rows.
        """
        unplayed = len([clip_id for clip_id in self._unplayed() if clip_id in values])
        response_s = max(0.0, time.monotonic() - self._began - self._single_s)
        try:
            rows = await self.services.session.annotate_batch(
                label,
                values,
                contexts=contexts,
                response_ms=round(response_s * 1000),
                include_labelled=[self.current.clip.id] if self._annotated_here and self.current is not None else [],
            )
        except LabeltoolError as error:
            self.notice.warn(str(error))
            return None
        self._count_labels(rows, 1)
        self.services.state.labelled += len(rows)
        self.header.refresh()
        parts = [summary(rows), f"{unplayed} not played"]
        if len(rows) < len(values):
            parts.append(f"{len(values) - len(rows)} labelled elsewhere meanwhile")
        self.notice.show(", ".join(parts) + (f": {label}" if label is not None else ""))
        return rows

    def action_play_all(self) -> None:
        """Play one clip of the page after the other, from the selected one; or stop that."""
        self._playing_all = not self._playing_all and bool(self.clips.ids)
        player = self.services.player
        if self._playing_all:
            player.loop = False
            if not player.playing:
                player.replay()
        self.notice.show("playing all clips" if self._playing_all else "playing one clip at a time")

    def show_next(self, clip_id: int) -> None:
        """Remove a clip that was labelled by itself from the page."""
        if clip_id not in self.clips.ids:
            return
        place = self.clips.ids.index(clip_id)
        self._single[clip_id] = place
        self._single_s += time.monotonic() - self._shown_at
        # A clip above the selected one moves it up.
        at = self.clips.place - (place < self.clips.place)
        self.keep([kept for kept in self.clips.ids if kept != clip_id], at=at)

    def show_undone_batch(self, rows: Sequence[JournalRow]) -> None:
        """Show the page of the action again, or put back a clip that was labelled by itself."""
        row = rows[-1]
        if row.clip_id in self._single and not self._turning:
            place = self._single.pop(row.clip_id)
            ids = list(self.clips.ids)
            ids.insert(place, row.clip_id)
            self._current = None
            self.clips.show(ids, at=place)
            self._uncount(row)
        elif row.clip_id in self.clips.ids or not self.is_page(rows):
            self.show_undone(row)
        else:
            self._show_undone_page(rows)

    @work(exclusive=True, group="load")
    async def _show_undone_page(self, rows: Sequence[JournalRow]) -> None:
        if self.clips.ids and not self._turning:
            left = replace(self._page, clip_ids=tuple(self.clips.ids), rejected=frozenset(self._rejected))
            self._left_pages.append(left)
        self._uncount(rows[-1])
        await self.turn_to(lambda store: page_result(self.undone_page(store, rows)))
        if not self.clips.ids:
            self.turn()


def page_result(page: Page) -> ListResult:
    """Return a page as the result of `find`."""
    return _PageResult(page.clip_ids, "", page)
