"""What the labels mean: their definitions, and clips that are examples of them, which keys play."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.events import Key
from textual.screen import ModalScreen
from textual.widgets import Static

from labeltool.annotation.label_overview import LabelOverview, examples_to_play, label_overview
from labeltool.errors import LabeltoolError
from labeltool.tui.media.clip_picture import load_clip
from labeltool.tui.services import Services

_HELP = "the key of a label plays an example, again the next   Esc closes"


class DefinitionsScreen(ModalScreen[None]):
    """Opened by F9. Plays the examples that a person named for a label, else clips that have it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,f9,q", "dismiss(None)", "close", show=False)]

    def __init__(self, services: Services) -> None:
        super().__init__()
        self._services = services
        self._text = Static()
        self._status = Static(Content(_HELP), id="labels-status")
        self._labels: Sequence[LabelOverview] = ()
        self._played: dict[str, int] = {}

    def compose(self) -> ComposeResult:
        """Lay out the page."""
        with Vertical(id="labels") as page:
            page.border_title = "What the labels mean"
            with VerticalScroll():
                yield self._text
            yield self._status

    @work
    async def on_mount(self) -> None:
        """Read the labels."""
        try:
            found = await self._services.reader.do(label_overview)
        except LabeltoolError as error:
            self._status.update(Content(str(error)))
            return
        self._labels = [label for label in found if label.retired_at is None]
        lines = [
            Content.assemble(
                (f" {label.key or ' '} ", "bold $accent"),
                (label.name, "$foreground"),
                (f"  < {label.parent}" if label.parent is not None else "", "$quiet"),
                (f"\n   {label.definition}" if label.definition else "", "$quiet"),
            )
            for label in self._labels
        ]
        self._text.update(Content("\n").join(lines or [Content.styled("No labels yet", "$quiet")]))

    def on_key(self, event: Key) -> None:
        """Play an example of the label that has the key."""
        label = next((one for one in self._labels if one.key and one.key == event.character), None)
        if label is not None:
            event.stop()
            self._play(label.name)

    @work(exclusive=True, group="example")
    async def _play(self, label: str) -> None:
        number = self._played[label] = self._played.get(label, -1) + 1
        try:
            clips = await self._services.reader.do(lambda store: examples_to_play(store, label))
            if not clips:
                self._status.update(Content(f"no clip has {label}"))
                return
            clip = clips[number % len(clips)]
            sound = await self._services.reader.do(lambda _: load_clip(clip))
        except LabeltoolError as error:
            self._status.update(Content(str(error)))
            return
        self._services.player.put(sound.samples, play=True)
        self._status.update(Content(f"{label}: {clip.path.rpartition('/')[2]}"))
