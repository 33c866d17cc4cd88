"""What of a sound is on the screen: a stretch of time that moves along with the playhead, and a range of mel bands."""

from __future__ import annotations

from dataclasses import dataclass, replace

from labeltool.audio.mel_picture import BANDS
from labeltool.tui.media.clip_picture import Picture
from labeltool.tui.media.tiles import VisibleRange

MIN_SPAN_S = 0.1
_FIRST_SPAN_S = 60.0
_MIN_BANDS = 8
_MARGIN_FACTOR = 3.0  # a region to show is given this multiple of its length
_LEAD = 0.05  # the share of the viewport before the playhead after a page turn


@dataclass(slots=True)
class Viewport:
    """A stretch of a clip or recording of `duration_s`: from `start_s`, `span_s` long. It stays within it."""

    duration_s: float
    start_s: float = 0.0
    span_s: float = _FIRST_SPAN_S

    def __post_init__(self) -> None:
        self.put(self.start_s, self.span_s)

    @property
    def end_s(self) -> float:
        return self.start_s + self.span_s

    def put(self, start_s: float, span_s: float) -> None:
        """Move to a stretch, as near as the recording and the nearest zoom allow."""
        self.span_s = min(max(span_s, MIN_SPAN_S), self.duration_s)
        self.start_s = min(max(0.0, start_s), self.duration_s - self.span_s)

    def view(self, columns: int) -> VisibleRange:
        """Return the stretch on `columns` of the screen."""
        return VisibleRange(self.start_s, self.span_s, max(1, columns))

    def share(self, moment_s: float) -> float:
        """Return where a moment lies in the viewport, 0 to 1 if inside."""
        return (moment_s - self.start_s) / self.span_s

    @property
    def is_whole(self) -> bool:
        return self.span_s >= self.duration_s

    def zoom(self, factor: float, about_s: float) -> None:
        """Show `factor` times as much, with a moment in place."""
        share = self.share(about_s)
        span_s = min(max(self.span_s * factor, MIN_SPAN_S), self.duration_s)
        self.put(about_s - share * span_s, span_s)

    def follow(self, moment_s: float) -> bool:
        """Turn the page if a moment is outside, and return whether it was turned."""
        if self.start_s <= moment_s <= self.end_s:
            return False
        before = self.start_s
        lead = _LEAD if moment_s > self.end_s else 1 - _LEAD
        self.put(moment_s - lead * self.span_s, self.span_s)
        return self.start_s != before

    def show(self, start_s: float, end_s: float) -> None:
        """Move to show a whole region; zoom out only where it does not fit."""
        if self.start_s <= start_s and end_s <= self.end_s:
            return
        span_s = max(self.span_s, (end_s - start_s) * _MARGIN_FACTOR)
        self.put((start_s + end_s - span_s) / 2, span_s)


@dataclass(slots=True)
class BandRange:
    """The mel bands on the screen: from `low` up to `high`, which is not one of them."""

    low: int = 0
    high: int = BANDS

    @property
    def is_whole(self) -> bool:
        return (self.low, self.high) == (0, BANDS)

    def zoom(self, factor: float, about: float) -> None:
        """Show `factor` times as many bands, with a place in place: 0 at the bottom of what is shown, 1 at the top."""
        before = self.high - self.low
        size = min(max(round(before * factor), _MIN_BANDS), BANDS)
        self._put(round(self.low + about * (before - size)), size)

    def move(self, pages: float) -> None:
        """Move up by a multiple of what is shown."""
        size = self.high - self.low
        self._put(self.low + round(pages * size), size)

    def cut(self, sound: Picture) -> Picture:
        """Return a spectrogram with only these bands."""
        if self.is_whole:
            return sound
        return replace(sound, mel_db=sound.mel_db[self.low : self.high], band_hz=sound.band_hz[self.low : self.high])

    def _put(self, low: int, size: int) -> None:
        self.low = min(max(0, low), BANDS - size)
        self.high = self.low + size
