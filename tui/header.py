"""The line at the top: which project, how much is done, how fast it goes, and how the model fares."""

from __future__ import annotations

from rich.cells import cell_len
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from labeltool.tui.learner import Training
from labeltool.tui.preparation import ModelState
from labeltool.tui.text import clip

_WIDE = 100

Part = tuple[str, str]
"""Text and its style."""


class Header(Widget):
    """One line; on a narrow screen its words are fewer, not smaller."""

    labelled: reactive[int] = reactive(0)
    clips: reactive[int] = reactive(0)
    pace: reactive[float | None] = reactive(None)
    model: reactive[ModelState | None] = reactive(None)
    training: reactive[Training | None] = reactive(None)

    def __init__(self, project: str, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._project = project

    def render(self) -> Content:
        """Return the line."""
        width = self.size.width
        left = [*self._whose(width), ("   ", ""), *self._progress(width)]
        if self.pace is not None:
            told = f"{self.pace:.0f} a minute" if width >= _WIDE else f"{self.pace:.0f}/min"
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
        done = round(long * self.labelled / self.clips) if self.clips else 0
        of = f"{self.labelled} of {self.clips} labelled" if width >= _WIDE else f"{self.labelled}/{self.clips}"
        return [("━" * done, "$primary"), ("─" * (long - done), "$faint"), (f" {of}", "$foreground")]

    def _model(self, width: int) -> list[Part]:
        training = self.training
        if training is not None and training.failure:
            return [("training failed", "bold $error")]
        if training is not None and not training.over:
            stage = clip(training.stage or "starting", 12)
            if not training.total:
                return [(f"{stage} …", "$accent")]
            long = 8
            done = min(long, round(long * training.done / training.total))
            return [(f"{stage} ", "$accent"), ("━" * done, "$accent"), ("─" * (long - done), "$faint")]
        if self.model is None:
            return []
        if self.model.id is None:
            return [("no model yet", "$quiet")]
        told = f"model {self.model.id}"
        if self.model.clip_accuracy is not None:
            told += f" · {self.model.clip_accuracy:.0%}" + (" right" if width >= _WIDE else "")
        return [(told, "$primary")]
