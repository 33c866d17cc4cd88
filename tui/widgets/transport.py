"""The line under the waveform: position, playback settings and file name."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from textual.reactive import reactive

from labeltool.tui.text import format_time, truncate_left
from labeltool.tui.widgets.lists.clip_list import Part
from labeltool.tui.widgets.painted import Line, TextLines
from labeltool.tui.widgets.time_axis import GUTTER

_MIN_LENGTH_CELLS = 56


class Transport(TextLines):
    """Shows one line."""

    playing: reactive[bool] = reactive(False)
    moment: reactive[str] = reactive("")
    duration_s: reactive[float] = reactive(0.0)
    file: reactive[str] = reactive("")
    speed: reactive[float] = reactive(1.0)
    gain_db: reactive[float] = reactive(0.0)
    loop: reactive[bool] = reactive(False)
    silent: reactive[str] = reactive("")
    pointer: reactive[str] = reactive("")
    """What is under the mouse."""

    def lines(self, width: int, height: int) -> Sequence[Line]:
        sign = "▶" if self.playing else "⏸"
        parts: list[Part] = [(" " * GUTTER, "")]
        if self.duration_s:
            parts += [(f"{sign} ", "$accent" if self.playing else "$quiet"), (self.moment, "$foreground")]
            # On a narrow screen the file name matters more; the time axis shows the length.
            if width >= _MIN_LENGTH_CELLS:
                parts.append((f" / {format_time(self.duration_s)}", "$quiet"))
        for setting in (
            f"× {self.speed:g}" if self.speed != 1 else "",
            "loop" if self.loop else "",
            f"{self.gain_db:+.0f} dB" if self.gain_db else "",
        ):
            parts += [("  ", ""), (setting, "$accent")] if setting else []
        if self.pointer:
            parts += [("  ", ""), (self.pointer, "$secondary")]
        if self.silent:
            parts += [("  ", ""), (f" {self.silent} ", "reverse $warning")]
        free = width - sum(cell_len(text) for text, _ in parts) - 2
        name = truncate_left(self.file, max(0, free))
        return [([*parts, (" " * max(0, free - cell_len(name)) + "  ", ""), (name, "$quiet")], "")]
