"""Pages of clips that are labelled at once: some are rejected, the rest accepted with one key."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from textual import work

from labeltool.annotation import batch_review
from labeltool.annotation.batch_review import Page
from labeltool.records import Value
from labeltool.store import Store
from labeltool.store.journal import AnnotationContext, JournalRow
from labeltool.tui.screens.list_base import ListResult
from labeltool.tui.screens.pages.played_base import PlayedListScreen
from labeltool.tui.services import Services
from labeltool.tui.shared_keys import View

_MAX_CLIPS, _MIN_CLIPS = 20, 4
# A clip takes two lines, the list half of the screen, and less of one so short that the spectrogram needs the space.
_CLIPS_A_ROW, _CLIPS_A_SHORT_ROW = 1 / 4, 5 / 24
_SHORT_ROWS = 28

_P = TypeVar("_P", bound=Page)


@dataclass(frozen=True, slots=True)
class _PageResult(ListResult, Generic[_P]):
    page: _P


class PageScreen(PlayedListScreen, Generic[_P]):
    """Shows one page at a time; a subclass chooses its clips and labels them."""

    def __init__(self, services: Services, view: View, *, repeat_s: float, empty_page: _P) -> None:
        super().__init__(services, view, repeat_s=repeat_s)
        self._page = self._empty_page = empty_page
        self._rejected: set[int] = set()
        # The places on the page of the clips that were labelled one by one, and the time for them.
        self._single: dict[int, int] = {}
        self._single_s = 0.0
        # Pages that undo left: they come again before the next page.
        self._left_pages: list[_P] = []
        self._turning = True
        self._began = time.monotonic()

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

    def still_open(self, store: Store, clip_ids: Sequence[int]) -> set[int]:
        """Return those of some clips that are still to be labelled; called in the reader's thread."""
        return batch_review.still_unlabelled(store, clip_ids)

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
        rows = self.app.size.height
        clips = int(rows * (_CLIPS_A_SHORT_ROW if rows < _SHORT_ROWS else _CLIPS_A_ROW))
        return min(_MAX_CLIPS, max(_MIN_CLIPS, clips))

    def find(self, store: Store) -> ListResult:
        """Return a page that undo left, or the next one."""
        if self._left_pages:
            left = self._left_pages.pop()
            unlabelled = self.still_open(store, left.clip_ids)
            if unlabelled:
                kept = tuple(clip_id for clip_id in left.clip_ids if clip_id in unlabelled)
                return page_result(replace(left, clip_ids=kept))
        return page_result(self.next_page(store))

    @work(exclusive=True, group="load")
    async def load(self) -> None:
        await self.turn_to(self.find)

    def show_result(self, result: ListResult, *, at: int = 0) -> None:
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

    def exclude_time_since(self, moment: float) -> None:
        """Let the time of the page not include what passed since a moment."""
        super().exclude_time_since(moment)
        self._began += time.monotonic() - max(moment, self._began)

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
        result = await self.attempt(self.services.reader.do(find))
        if result is None:
            self._turning = False
            return
        self._lines.clear()
        self.show_result(result)

    @work(exclusive=True, group="remove")
    async def _remove_labelled(self) -> None:
        page = self._page
        read = self.services.reader.do(lambda store: self.still_open(store, page.clip_ids))
        unlabelled = await self.attempt(read)
        if unlabelled is None or self._turning or self._page is not page:
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
        if self._page.clip_ids:
            unplayed = len(self.unplayed())
            self._list_title = " · ".join(
                [
                    *([f"{len(self._rejected)} rejected"] if self._rejected else []),
                    f"{unplayed} not played" if unplayed else "all played",
                    *self.page_facts(),
                ]
            )
        super().show_title()

    # -- labels

    def is_rejected(self, clip_id: int) -> bool:
        return clip_id in self._rejected

    def action_reject(self) -> None:
        """Reject the marked clips, else the selected one; where all of them are rejected, accept them again."""
        if self._turning or self.clips.clip_id is None:
            return
        clip_ids = set(self.clips.marked_ids or [self.clips.clip_id])
        if clip_ids <= self._rejected:
            self._rejected -= clip_ids
        else:
            self._rejected |= clip_ids
        self.clips.remove_mark()
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
        unplayed = len([clip_id for clip_id in self.unplayed() if clip_id in values])
        labelled = [self.current.clip.id] if self._annotated_here and self.current is not None else []
        response_s = max(0.0, time.monotonic() - self._began - self._single_s)
        rows = await self.attempt(
            self.services.session.annotate_batch(
                label,
                values,
                contexts=contexts,
                response_ms=round(response_s * 1000),
                include_labelled=labelled,
                key=self.key_of_new(label),
            )
        )
        if rows is None:
            return None
        await self.read_new_label(label)
        self._count_labels(rows)
        self.services.state.labelled += len({row.clip_id for row in rows}.difference(labelled))
        self.header.refresh()
        parts = [summary(rows), f"{unplayed} not played"]
        if len(rows) < len(values):
            parts.append(f"{len(values) - len(rows)} labelled elsewhere meanwhile")
        self.notice.show(", ".join(parts) + (f": {label}" if label is not None else ""))
        return rows

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
        elif row.clip_id in self.clips.ids or not self.is_page(rows):
            self.show_undone(row)
        else:
            self._show_undone_page(rows)

    @work(exclusive=True, group="load")
    async def _show_undone_page(self, rows: Sequence[JournalRow]) -> None:
        if self.clips.ids and not self._turning:
            left = replace(self._page, clip_ids=tuple(self.clips.ids), rejected=frozenset(self._rejected))
            self._left_pages.append(left)
        await self.turn_to(lambda store: page_result(self.undone_page(store, rows)))
        if not self.clips.ids:
            self.turn()


def page_result(page: Page) -> ListResult:
    """Return a page as the result of `find`."""
    return _PageResult(page.clip_ids, "", page)
