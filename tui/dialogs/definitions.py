"""What the labels mean: their definitions, and clips that are examples of them, which keys play."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import work
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.events import Key
from textual.widgets import Static

from labeltool.annotation.label_overview import LabelOverview, examples_to_play, label_overview
from labeltool.store import Store
from labeltool.tui.background.store_thread import attempt
from labeltool.tui.dialogs.prompts import Box
from labeltool.tui.media.clip_picture import ClipPicture, load_clip
from labeltool.tui.services import Services

_HELP = "the key of a label plays an example, again the next   Esc closes"


class DefinitionsScreen(Box[None]):
    """Opened by F9. Plays the examples that a person named for a label, else clips that have it."""

    BOX = "labels"

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,f9,q", "dismiss(None)", "close", show=False)]

    def __init__(self, services: Services) -> None:
        self._text = Static()
        self._status = Static(Content(_HELP), id="labels-status")
        super().__init__("What the labels mean", VerticalScroll(self._text), self._status)
        self._services = services
        self._labels: Sequence[LabelOverview] = ()
        self._played: dict[str, int] = {}

    @work
    async def on_mount(self) -> None:
        found = await attempt(self._services.reader.do(label_overview), self._show)
        if found is None:
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

        def read(store: Store) -> tuple[str, ClipPicture | None]:
            clips = examples_to_play(store, label)
            if not clips:
                return f"no clip has {label}", None
            clip = clips[number % len(clips)]
            return f"{label}: {clip.path.rpartition('/')[2]}", load_clip(clip)

        found = await attempt(self._services.reader.do(read), self._show)
        if found is not None:
            text, sound = found
            if sound is not None:
                self._services.player.put(sound.samples, play=True)
            self._show(text)

    def _show(self, text: str) -> None:
        self._status.update(Content(text))
