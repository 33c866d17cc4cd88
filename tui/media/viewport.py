"""The stretch of a recording that is on the screen: zoomed, scrolled, and never without the playhead."""

from __future__ import annotations

from dataclasses import dataclass

from labeltool.tui.media.tiles import View

SHORTEST_S = 0.1
_AT_FIRST_S = 60.0
_ROOM_AROUND = 3.0  # a span that is gone to is shown with so many times its length
_LEAD = 0.05  # of the window before the playhead when it turns the page


@dataclass(slots=True)
class Window:
    """What is seen of a recording of `duration_s`: from `start_s`, `span_s` long. It stays within the recording."""

    duration_s: float
    start_s: float = 0.0
    span_s: float = _AT_FIRST_S

    def __post_init__(self) -> None:
        self.put(self.start_s, self.span_s)

    @property
    def end_s(self) -> float:
        """Where it ends."""
        return self.start_s + self.span_s

    def put(self, start_s: float, span_s: float) -> None:
        """Show a stretch, as near as the recording and the finest zoom allow."""
        self.span_s = min(max(span_s, SHORTEST_S), self.duration_s)
        self.start_s = min(max(0.0, start_s), self.duration_s - self.span_s)

    def view(self, columns: int) -> View:
        """Return it on so many columns."""
        return View(self.start_s, self.span_s, max(1, columns))

    def share(self, moment_s: float) -> float:
        """Return where a moment lies in it, 0 to 1 if inside."""
        return (moment_s - self.start_s) / self.span_s

    def zoom(self, factor: float, about_s: float) -> None:
        """Show `factor` times as much, a moment staying where it is."""
        share = self.share(about_s)
        span_s = min(max(self.span_s * factor, SHORTEST_S), self.duration_s)
        self.put(about_s - share * span_s, span_s)

    def follow(self, moment_s: float) -> bool:
        """Turn the page when a moment is not in sight; tell whether it was turned."""
        if self.start_s <= moment_s <= self.end_s:
            return False
        before = self.start_s
        lead = _LEAD if moment_s > self.end_s else 1 - _LEAD
        self.put(moment_s - lead * self.span_s, self.span_s)
        return self.start_s != before

    def show(self, start_s: float, end_s: float) -> None:
        """Bring a span into sight as a whole; the zoom stays where it can."""
        if self.start_s <= start_s and end_s <= self.end_s:
            return
        span_s = max(self.span_s, (end_s - start_s) * _ROOM_AROUND)
        self.put((start_s + end_s - span_s) / 2, span_s)
