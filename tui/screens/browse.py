"""Browsing: every clip of the project, narrowed by file, label, what is said, its answer, or to the like of one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from labeltool.annotation import listing
from labeltool.annotation.listing import Filter
from labeltool.similarity.search import Like
from labeltool.store import Store
from labeltool.tui.keys import BROWSE
from labeltool.tui.label_choices import by_use
from labeltool.tui.screens.list_base import Found, ListScreen
from labeltool.tui.screens.palette import Palette
from labeltool.tui.screens.text_prompt import Wording
from labeltool.tui.services import Services
from labeltool.tui.text import clip_left, shown

_NEXT_ANSWERED: dict[bool | None, bool | None] = {None: False, False: True, True: None}
_NAME_CELLS = 30
_ANSWERED_WORDS = {None: "", False: "not answered", True: "answered"}


class BrowseScreen(ListScreen):
    """Every clip."""

    BINDINGS = BROWSE.bindings()

    def __init__(self, services: Services, *, repeat_s: float) -> None:
        super().__init__(services, BROWSE, repeat_s=repeat_s)
        self._filter = Filter()
        self._like: Like | None = None

    def show_like(self, like: Like) -> None:
        """Narrow the list to the clips nearest to one, the nearest first."""
        self._like = like
        self.clips.show(())  # the highlight starts at the first
        self._narrow(Filter())

    def find(self, store: Store) -> Found:
        """Seek the clips that the filter lets through."""
        wanted, like = self._filter, self._like
        ids: Sequence[int] = listing.matching(store, wanted)
        if like is not None:
            let_through = set(ids)
            ids = [near.id for near, _ in like.clips if near.id in let_through]
        words = [
            _told(like) if like is not None else "",
            f"file holds “{shown(wanted.text)}”" if wanted.text else "",
            f"label {shown(wanted.label)}" if wanted.label is not None else "",
            f"“{shown(wanted.said)}” is said" if wanted.said else "",
            _ANSWERED_WORDS[wanted.answered],
        ]
        narrowed = ", ".join(word for word in words if word)
        return Found(ids, narrowed)

    def empty(self) -> Sequence[str]:
        """Tell how to see more."""
        return ("No clip is like that.", "", "0 shows all of them again")

    def action_filter_text(self) -> None:
        """Ask what the file's path shall hold."""

        def take(text: str | None) -> None:
            if text is not None:
                self._narrow(replace(self._filter, text=text.strip()))

        self.app.push_screen(Wording("Clips whose file's path holds", self._filter.text), take)

    def action_filter_label(self) -> None:
        """Ask for the label that shall have been heard."""

        def take(label: str | None) -> None:
            if label is not None:
                self._narrow(replace(self._filter, label=label))

        labels = by_use(self.services.state.used)
        self.app.push_screen(Palette("Clips with which label?", labels, makes_new=False), take)

    def action_filter_said(self) -> None:
        """Ask what shall be said."""

        def take(text: str | None) -> None:
            if text is not None:
                self._narrow(replace(self._filter, said=text.strip()))

        self.app.push_screen(Wording("Clips in which is said", self._filter.said), take)

    def action_filter_answered(self) -> None:
        """Show the clips that are open, the answered ones, or both."""
        self._narrow(replace(self._filter, answered=_NEXT_ANSWERED[self._filter.answered]))

    def action_filter_nothing(self) -> None:
        """Show every clip."""
        self._like = None
        self._narrow(Filter())

    def _narrow(self, wanted: Filter) -> None:
        self._filter = wanted
        self.seek()


def _told(like: Like) -> str:
    name = clip_left(like.clips[0][0].path.rpartition("/")[2], _NAME_CELLS)
    return f"the like of {name}, by {shown(like.source.told)}"
