"""A recording that is open: its tiles and the thread that makes them, its sound, and the stretch that is seen."""

from __future__ import annotations

from collections.abc import Callable

from labeltool.store.recordings import StoredRecording
from labeltool.tui.media.clip_picture import Sight
from labeltool.tui.media.stream import Stream
from labeltool.tui.media.tiles import Surveyor, Tiles, View, neighbours
from labeltool.tui.media.viewport import Window


class OpenRecording:
    """One recording, from when it is gone to until another one is.

    Parameters
    ----------
    deliver
        Called in a thread when there is more to see; with what went wrong, if anything.

    Attributes
    ----------
    window
        What is seen of it.
    stream
        What is heard of it.
    """

    def __init__(self, recording: StoredRecording, deliver: Callable[[str], None]) -> None:
        self.recording = recording
        self.window = Window(recording.duration_s)
        self.stream = Stream(recording.path, recording.duration_s)
        self._tiles = Tiles(recording.duration_s, recording.sample_rate_hz)
        self._surveyor = Surveyor(recording.path, self._tiles, deliver)
        self._surveyor.start()

    def survey(self, columns: int) -> None:
        """Have made what is seen on so many columns, and then what is scrolled to next."""
        view = self.window.view(columns)
        self._surveyor.want(view, self._whole(columns), *neighbours(view, self.recording.duration_s))

    def sights(self, columns: int) -> tuple[Sight, Sight]:
        """Return the whole and the window, as far as they are made."""
        whole = self._tiles.sight(self._whole(columns))
        return whole, self._tiles.sight(self.window.view(columns), whole)

    def close(self) -> None:
        """End the threads."""
        self.stream.close()
        self._surveyor.stop()

    def _whole(self, columns: int) -> View:
        return View(0.0, self.recording.duration_s, columns)
