"""The line at the top: which project, how much is done, how fast it goes, and how the model fares."""

from __future__ import annotations

from rich.cells import cell_len
from textual.content import Content
from textual.widget import Widget

from labeltool.tui.session import Session
from labeltool.tui.state import State
from labeltool.tui.text import clip

_WIDE = 100

Part = tuple[str, str]
"""Text and its style."""


class Header(Widget):
    """One line; on a narrow screen its words are fewer, not smaller. `refresh` it when what it shows has changed."""

    def __init__(self, project: str, state: State, session: Session, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._project = project
        self._state = state
        self._session = session

    def render(self) -> Content:
        """Return the line."""
        width = self.size.width
        left = [*self._whose(width), ("   ", ""), *self._progress(width)]
        pace = self._session.pace
        if pace is not None:
            told = f"{pace:.0f} a minute" if width >= _WIDE else f"{pace:.0f}/min"
            left += [("   ", ""), (told, "$foreground")]
        right = self._model(width)
        room = width - sum(cell_len(text) for text, _ in left) - sum(cell_len(text) for text, _ in right)
        return Content.assemble(*left, (" " * max(1, room), ""), *right)

    def _whose(self, width: int) -> list[Part]:
        name = clip(self._project, 24 if width >= _WIDE else 12)
        return (
            [("labeltool ", "$quiet"), (name, "bold $foreground")] if width >= _WIDE else [(name, "bold $foreground")]
        )

    def _progress(self, width: int) -> list[Part]:
        long = max(6, width // 8)
        labelled, clips = self._state.labelled, self._state.clips
        done = round(long * labelled / clips) if clips else 0
        of = f"{labelled} of {clips} labelled" if width >= _WIDE else f"{labelled}/{clips}"
        return [("━" * done, "$primary"), ("─" * (long - done), "$faint"), (f" {of}", "$foreground")]

    def _model(self, width: int) -> list[Part]:
        training, model = self._state.training, self._state.model
        if training is not None and training.failure:
            return [("training failed", "bold $error")]
        if training is not None and not training.over:
            stage = clip(training.stage or "starting", 12)
            if not training.total:
                return [(f"{stage} …", "$accent")]
            long = 8
            done = min(long, round(long * training.done / training.total))
            return [(f"{stage} ", "$accent"), ("━" * done, "$accent"), ("─" * (long - done), "$faint")]
        if model is None:
            return []
        if model.ear is None and model.id is None:
            return [("no model yet", "$quiet")]
        told = f"model {model.id}"
        if model.ear is not None:
            told = clip(model.ear, 24 if width >= _WIDE else 10) + (" suggests" if width >= _WIDE else "")
        if model.clip_accuracy is not None:
            told += f" · {model.clip_accuracy:.0%}" + (" right" if width >= _WIDE else "")
        return [(told, "$primary")]
