"""The application around the screens: it owns the threads and takes care that leaving is always safe."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

from textual.app import App
from textual.message import Message

from labeltool.project import Project
from labeltool.tui.ask import AskScreen, Delivered, Trained
from labeltool.tui.colours import DARK, LIGHT, theme_by_terminal
from labeltool.tui.learner import Learner
from labeltool.tui.playback import Player
from labeltool.tui.preparation import Preparer
from labeltool.tui.services import Services
from labeltool.tui.session import Session


class Room(App[None]):
    """The labelling room.

    Parameters
    ----------
    annotator
        Who answers.
    repeat_s
        See `AskScreen`.
    """

    CSS_PATH = "style.tcss"
    TITLE = "labeltool"
    # Textual's own palette would show every label's text through markup; `/` opens ours.
    ENABLE_COMMAND_PALETTE = False

    def __init__(self, project: Project, *, annotator: str, repeat_s: float = 0.12) -> None:
        # Under NO_COLOR Textual turns colours grey; with the terminal's own colours it leaves them out altogether.
        super().__init__(ansi_color=True if os.environ.get("NO_COLOR") else None)
        self.register_theme(DARK)
        self.register_theme(LIGHT)
        self.theme = theme_by_terminal()
        self.services = Services(
            project=project,
            session=Session(project, annotator),
            player=Player(),
            preparer=Preparer(project, annotator, lambda delivery: self._pass_on(Delivered(delivery))),
            learner=Learner(project, lambda training: self._pass_on(Trained(training))),
        )
        self._ask = AskScreen(self.services, repeat_s=repeat_s)

    def on_mount(self) -> None:
        """Start the threads and show the queue."""
        self.services.preparer.start()
        # Probing for sound cards can take a second; the first clip begins to play when it is done.
        threading.Thread(target=self.services.player.open, name="labeltool-player", daemon=True).start()
        self.push_screen(self._ask)

    def close(self) -> None:
        """End the threads and a running training, after the screen is gone."""
        self.services.preparer.stop()
        self.services.session.close()
        self.services.player.close()
        self.services.learner.stop()

    def action_theme(self) -> None:
        """Change between dark and light."""
        self.theme = LIGHT.name if self.theme == DARK.name else DARK.name

    def _pass_on(self, message: Message) -> None:
        """Bring a thread's message to the screen."""
        loop = self._loop
        if loop is None or loop.is_closed():
            return
        post: Callable[[Message], bool] = self._ask.post_message
        loop.call_soon_threadsafe(post, message)
