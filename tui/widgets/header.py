"""The line at the top: the project, the labelled clips, the annotation speed, and the model with its accuracy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.cells import cell_len

from labeltool.tui.session import Session
from labeltool.tui.state import State
from labeltool.tui.text import format_left, one_line, truncate
from labeltool.tui.widgets.lists.clip_list import Part, thin_bar
from labeltool.tui.widgets.painted import Line, TextLines

_NAME_CELLS, _MIN_NAME_CELLS = 24, 12
_BAR_CELLS = (24, 14, 8)
_GAP = ("   ", "")


class Header(TextLines):
    """Shows one line, shorter on a narrow screen; `refresh` it when the state has changed.

    Where it does not fit, these give way, in this order: the length of the bar, the words around the numbers, the
    length of the project's name, the bar, the annotation speed, the name.
    """

    def __init__(self, project: str, state: State, session: Session, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._project = project
        self._state = state
        self._session = session

    def lines(self, width: int, height: int) -> Sequence[Line]:
        for left, right in self._forms():
            free = width - sum(cell_len(text) for text, _ in (*left, *right))
            if free > 0 or not right:
                break
        return [([*left, (" " * max(1, free), ""), *right], "")]

    def _forms(self) -> Iterator[tuple[list[Part], list[Part]]]:
        """Yield the parts at the left and at the right, the longest form first."""
        read_only: list[Part] = [_GAP, ("read-only", "bold $warning")] if self._state.read_only else []
        bars = _BAR_CELLS if self._state.clips else (0,)
        name: list[Part] = [("labeltool ", "$quiet"), self._project_name(_NAME_CELLS), _GAP]
        for bar_cells in bars:
            yield [*name, *self._progress(bar_cells, True), *self._speed(True), *read_only], self._model(True)
        model = self._model(False)
        yield [*name, *self._progress(bars[-1], True), *self._speed(True), *read_only], model
        for cells, bar_cells in ((_NAME_CELLS, bars[-1]), (_MIN_NAME_CELLS, bars[-1]), (_MIN_NAME_CELLS, 0)):
            name = [self._project_name(cells), _GAP]
            yield [*name, *self._progress(bar_cells, False), *self._speed(False), *read_only], model
        yield [self._project_name(_MIN_NAME_CELLS), _GAP, *self._progress(0, False), *read_only], model
        yield [*self._progress(0, False), *read_only], model

    def _project_name(self, cells: int) -> Part:
        return truncate(self._project, cells), "bold $foreground"

    def _speed(self, wide: bool) -> list[Part]:
        speed = self._session.clips_per_minute
        if speed is None:
            return []
        return [_GAP, (f"{speed:.0f} a minute" if wide else f"{speed:.0f}/min", "$foreground")]

    def _progress(self, bar_cells: int, wide: bool) -> list[Part]:
        labelled, clips = self._state.labelled, self._state.clips
        counts = f"{labelled:,} of {clips:,} labelled" if wide else f"{labelled}/{clips}"
        bar = [*thin_bar(labelled / clips if clips else 0.0, bar_cells, "$primary"), (" ", "")] if bar_cells else []
        return [*bar, (counts, "$foreground")]

    def _model(self, wide: bool) -> list[Part]:
        training, model = self._state.training, self._state.model
        if training is not None and training.failure:
            return [("training failed", "bold $error")]
        if training is not None and not training.over:
            if training.for_suggestions:
                return [("waits for suggestions" if wide else "waits", "$accent")]
            stage = "training elsewhere" if training.elsewhere else training.stage or "training"
            stage = truncate(stage if wide or training.elsewhere else stage.split()[0], 24)
            if not training.total:
                return [(f"{stage} …", "$accent")]
            bar = [(f"{stage} ", "$accent"), *thin_bar(training.done / training.total, 8, "$accent")]
            left_s = training.left_now_s
            return [*bar, (f" {format_left(left_s)}", "$quiet")] if wide and left_s is not None else bar
        if model is None:
            return []
        suggester = model.suggester
        if suggester is None:
            return [("no model yet", "$quiet") if model.id is None else (f"model {model.id}", "$primary")]
        text = one_line(suggester.source) if wide else truncate(suggester.name, 10)
        if suggester.accuracy is not None and not suggester.accuracy.is_wide:
            text += f" · about {suggester.accuracy.share:.0%} right" if wide else f" · ~{suggester.accuracy.share:.0%}"
        return [(text, "$primary")]
