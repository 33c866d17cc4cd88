"""The line at the top: the project, the labelled clips, the annotation speed, and the model with its accuracy."""

from __future__ import annotations

from rich.cells import cell_len
from textual.content import Content
from textual.widget import Widget

from labeltool.tui.session import Session
from labeltool.tui.state import State
from labeltool.tui.text import format_left, truncate
from labeltool.tui.widgets.clip_list import Part

_WIDE_CELLS = 100


class Header(Widget):
    """Shows one line, shorter on a narrow screen; `refresh` it when the state has changed."""

    def __init__(self, project: str, state: State, session: Session, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._project = project
        self._state = state
        self._session = session

    def render(self) -> Content:
        """Return the line."""
        width = self.size.width
        wide = width >= _WIDE_CELLS
        left = [*self._project_name(wide), ("   ", ""), *self._progress(width)]
        speed = self._session.clips_per_minute
        if speed is not None:
            left += [("   ", ""), (f"{speed:.0f} a minute" if wide else f"{speed:.0f}/min", "$foreground")]
        if self._state.read_only:
            left += [("   ", ""), ("read-only", "bold $warning")]
        right = self._model(wide)
        free = width - sum(cell_len(text) for text, _ in (*left, *right))
        return Content.assemble(*left, (" " * max(1, free), ""), *right)

    def _project_name(self, wide: bool) -> list[Part]:
        name = (truncate(self._project, 24 if wide else 12), "bold $foreground")
        return [("labeltool ", "$quiet"), name] if wide else [name]

    def _progress(self, width: int) -> list[Part]:
        labelled, clips = self._state.labelled, self._state.clips
        counts = f"{labelled} of {clips} labelled" if width >= _WIDE_CELLS else f"{labelled}/{clips}"
        return [*_progress_bar(labelled, clips, max(6, width // 8), "$primary"), (f" {counts}", "$foreground")]

    def _model(self, wide: bool) -> list[Part]:
        training, model = self._state.training, self._state.model
        if training is not None and training.failure:
            return [("training failed", "bold $error")]
        if training is not None and not training.over:
            stage = "training elsewhere" if training.elsewhere else truncate(training.stage or "starting", 12)
            if not training.total:
                return [(f"{stage} …", "$accent")]
            bar = [(f"{stage} ", "$accent"), *_progress_bar(training.done, training.total, 8, "$accent")]
            return [*bar, (f" {format_left(training.left_s)}", "$quiet")] if wide and training.left_s else bar
        if model is None:
            return []
        if model.pretrained is None and model.id is None:
            return [("no model yet", "$quiet")]
        text = f"model {model.id}"
        if model.pretrained is not None:
            text = truncate(model.pretrained, 24 if wide else 10) + (" suggests" if wide else "")
        if model.clip_accuracy is not None:
            text += f" · {model.clip_accuracy:.0%}" + (" accuracy" if wide else "")
        return [(text, "$primary")]


def _progress_bar(done: int, total: int, cells: int, style: str) -> list[Part]:
    full = min(cells, round(cells * done / total)) if total else 0
    return [("━" * full, style), ("─" * (cells - full), "$faint")]
