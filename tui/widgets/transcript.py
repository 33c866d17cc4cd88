"""The transcript under the waveform, from a speech model; it follows the playhead."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from rich.cells import cell_len
from textual.content import Content
from textual.widget import Widget

from labeltool.records import Segment
from labeltool.tui.text import one_line, truncate

_FILLED = 0.9  # the share of the cells that text fills, since lines end between words


class TranscriptText(Widget):
    """Shows as many segments as fit, the one at the playhead highlighted.

    It is hidden until there is a transcript to show, and then stays, so that spectrogram and waveform keep their size
    from clip to clip.
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._segments: Sequence[Segment] = ()
        self._begins: list[float] = []
        self._at = 0
        self.display = False

    def show(self, segments: Sequence[Segment]) -> None:
        """Show the segments of a sound, in the order of time; none if it was not transcribed."""
        self._segments, self._begins, self._at = segments, [segment.start_s for segment in segments], 0
        if segments:
            self.display = True
        self.refresh()

    def follow(self, moment_s: float) -> None:
        """Highlight the segment at a moment of the recording, in seconds."""
        at = max(0, bisect_right(self._begins, moment_s) - 1)
        if at != self._at:
            self._at = at
            self.refresh()

    def render(self) -> Content:
        """Return the text, from its start if all of it fits."""
        free = round(self.size.width * self.size.height * _FILLED)
        first = 0 if sum(cell_len(segment.text) + 1 for segment in self._segments[:free]) <= free else self._at
        parts: list[tuple[str, str]] = []
        for place in range(first, len(self._segments)):
            text = truncate(self._segments[place].text, free)
            parts += [(text, "$foreground" if place == self._at else "$quiet"), (" ", "")]
            free -= cell_len(one_line(text)) + 1
            if free <= 0:
                break
        return Content.assemble(*parts)
