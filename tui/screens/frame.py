"""The frame of every view: header and tab line above what the view shows, notices and the key line below it."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import TypeVar

from textual.app import ComposeResult
from textual.events import Paste, Resize
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Static

from labeltool.tui.background.prefetch import Delivery, PreparedClip
from labeltool.tui.background.store_thread import attempt
from labeltool.tui.dialogs.commands import Command, commands
from labeltool.tui.dialogs.help import Help
from labeltool.tui.dialogs.palette import Palette
from labeltool.tui.keymap import remapped
from labeltool.tui.keys import VIEWS
from labeltool.tui.services import Services
from labeltool.tui.shared_keys import View
from labeltool.tui.widgets.header import Header
from labeltool.tui.widgets.key_hints import KeyHints
from labeltool.tui.widgets.notice import Notice
from labeltool.tui.widgets.tab_line import TabLine

_T = TypeVar("_T")

_SHORT_ROWS = 28
_THIN_COLUMNS = 66


class ViewScreen(Screen[None]):
    """A view of the app; a subclass lays out what stands between the tab line and the notices.

    Parameters
    ----------
    view
        The view's keys, before `[keys]` of the settings changes them.
    """

    class Returned(Message):
        """A dialog over the view was closed, or the view was opened."""

    def __init__(self, services: Services, view: View) -> None:
        super().__init__()
        self.services = services
        self.view = remapped(view, services.keymap)
        self.header = Header(services.project.directory.name, services.state, services.session, id="header")
        self.tabs = TabLine(services.keymap, view.name, id="tabs")
        self.notice = Notice(id="notice")
        self.tour = Static(id="tour", markup=False)
        self.hints = KeyHints(self.view, id="hints")

    def compose(self) -> ComposeResult:
        yield self.header
        yield self.tabs
        yield from self.compose_body()
        yield self.notice
        yield self.tour
        yield self.hints

    # -- for subclasses

    def compose_body(self) -> ComposeResult:
        """Lay out what the view shows."""
        raise NotImplementedError

    @property
    def current(self) -> PreparedClip | None:
        """The clip on the screen; None also in a view without one."""
        return None

    def enter(self) -> None:
        """Go on with the view after another one was on the screen."""
        self.header.refresh()

    def choose_again(self) -> None:
        """Do what the key or the tab of the view is for while the view is on the screen."""

    def leave(self) -> None:
        """Do what is due before another view is shown."""

    def reload(self) -> None:
        """Read again what the screen shows, after the journal, the suggestions or label names changed."""
        raise NotImplementedError

    def update_choices(self) -> None:
        """Add the labels that were not known when the clip appeared."""

    def is_up_to_date(self, delivery: Delivery) -> bool:
        """Return whether a delivery includes the last label given here."""
        return False

    def receive(self, delivery: Delivery) -> None:
        """Show what was prefetched."""
        if delivery.failure:
            self.notice.warn(delivery.failure)

    def offers(self, *actions: tuple[str, str]) -> list[str]:
        """Return lines that say which keys to press next, for a view with nothing to show.

        Parameters
        ----------
        actions
            Names of keys, as in `[keys]`, and what each is good for here; those that the view lacks are skipped.
        """
        keys = {key.name: key.shown for key in self.view.keys}
        return [f"{keys[name]}: {text}" for name, text in actions if keys.get(name)]

    # -- the screen

    async def attempt(self, work: Awaitable[_T]) -> _T | None:
        """Return the result of what is done with the store; None, with a warning, where it fails."""
        return await attempt(work, self.notice.warn)

    def on_screen_resume(self) -> None:
        """Tell the app that the view is at the top again."""
        self.post_message(self.Returned())

    def show_tour(self, text: str) -> None:
        """Show a step of the tour above the key line; "" hides it."""
        self.tour.display = bool(text)
        self.tour.update(text)

    def on_resize(self, event: Resize) -> None:
        """Give the space of a small screen to what matters most."""
        self.set_class(event.size.height < _SHORT_ROWS, "-short")
        self.set_class(event.size.width < _THIN_COLUMNS, "-thin")

    def action_help(self) -> None:
        self.app.push_screen(Help(self.view, [remapped(view, self.services.keymap) for view in VIEWS]))

    def on_paste(self, event: Paste) -> None:
        """Say where pasted text goes; it is no keys."""
        event.stop()
        self.notice.show("pasted text does nothing here: / or : first, then paste")

    def command_titles(self) -> Mapping[str, str | None]:
        """Return what some actions do just now, see `commands`: what records a label names it."""
        return {}

    async def run_command(self, command: Command) -> None:
        await self.run_action(command.action)

    def action_commands(self) -> None:
        """Find a command by its name, and run it."""
        found = {each.title: each for each in commands(self.view, self.services.state.labels, self.command_titles())}
        here = self.current.clip if self.current is not None else None

        async def run(chosen: str | None) -> None:
            if chosen is None:
                return
            if (self.current.clip if self.current is not None else None) == here:
                await self.run_command(found[chosen])
            else:
                self.notice.warn("another clip is on the screen by now: nothing was done")

        synonyms = {title: command.synonyms for title, command in found.items()}
        keys = {title: command.key for title, command in found.items()}
        self.app.push_screen(
            Palette("Find a command", list(found), allows_new=False, synonyms=synonyms, keys=keys), run
        )
