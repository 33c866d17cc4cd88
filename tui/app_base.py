"""What the parts of the app share: the services, the view on the screen and its notices."""

from __future__ import annotations

from textual.events import Event
from textual.events import Key as KeyPressed

from labeltool.tui.background.typed_keys import TypedKeysApp
from labeltool.tui.dialogs.tour import Tour
from labeltool.tui.keymap import keys_of, remapped
from labeltool.tui.keys import CLASS_MAPPING, LABEL, REGIONS
from labeltool.tui.screens.frame import ViewScreen
from labeltool.tui.services import Services

_INTERRUPT = "ctrl+c"
_GO_BACK = (REGIONS.name, CLASS_MAPPING.name)


class AppBase(TypedKeysApp):
    """Goes from view to view."""

    services: Services
    tour: Tour | None = None
    previous_view = LABEL.name
    """The view to go back to from Regions and Class mapping."""

    @property
    def current_view(self) -> ViewScreen | None:
        """The view on the screen, below palettes and pages that are open over it."""
        screens = (screen for screen in reversed(self.screen_stack) if isinstance(screen, ViewScreen))
        return next(screens, None)

    async def action_view(self, name: str) -> None:
        """Go to another view; each keeps its position."""
        if name == self.current_mode:
            if self.current_view is not None:
                self.current_view.choose_again()
            return
        if self.current_view is not None:
            self.current_view.leave()
        if self.current_mode not in _GO_BACK:
            self.previous_view = self.current_mode
        await self.switch_mode(name)
        if self.current_view is not None:
            self.current_view.enter()
            self.current_view.show_tour(self.tour.text if self.tour is not None else "")

    async def action_previous_view(self) -> None:
        """Go back to the view from which Regions or Class mapping was opened."""
        await self.action_view(self.previous_view)

    # -- the tour

    def action_tour(self) -> None:
        """Start the tour, in Label."""
        self.tour = Tour(remapped(LABEL, self.services.keymap))
        self.run_worker(self.action_view(LABEL.name))
        self._show_tour()

    async def on_event(self, event: Event) -> None:
        """Let the tour see the keys that the view gets; Esc ends it."""
        if isinstance(event, KeyPressed) and event.key == _INTERRUPT and self._quits_dialog:
            await self.run_action("quit")
            return
        seen = ""
        if self.tour is not None and isinstance(event, KeyPressed) and self.screen is self.current_view:
            seen = event.key
        await super().on_event(event)
        if self.tour is None or not seen:
            return
        if seen == "escape":
            self.tour = None
        elif not self.tour.press(seen):
            return
        self._show_tour()

    def on_view_screen_returned(self) -> None:
        if self.tour is not None and self.tour.close_dialog():
            self._show_tour()

    def tour_ended(self) -> None:
        """Do what waited for the end of the tour."""

    def _show_tour(self) -> None:
        if self.tour is not None and self.tour.over:
            self.tour = None
            self.notify_view("that was the tour: `:` tour shows it again")
        if self.tour is None:
            self.tour_ended()
        if self.current_view is not None:
            self.current_view.show_tour(self.tour.text if self.tour is not None else "")

    @property
    def _quits_dialog(self) -> bool:
        """Whether Ctrl+c quits in a dialog, as it does in the view below; a text field would copy with it."""
        view = self.current_view
        return view is not None and self.screen is not view and _INTERRUPT in keys_of(view.view, ("quit",))

    def notify_view(self, message: str) -> None:
        if self.current_view is not None:
            self.current_view.notice.show(message)

    def warn_view(self, warning: str) -> None:
        if self.current_view is not None:
            self.current_view.notice.warn(warning)

    def reload_view(self) -> None:
        if self.current_view is not None:
            self.current_view.reload()
