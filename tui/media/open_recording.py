"""An open recording: its tiles and the thread that reads them, its sound, and the viewport."""

from __future__ import annotations

from collections.abc import Callable

from labeltool.store.recordings import StoredRecording
from labeltool.tui.media.clip_picture import Picture
from labeltool.tui.media.stream import Stream
from labeltool.tui.media.tiles import TileReader, Tiles, VisibleRange, adjacent_ranges
from labeltool.tui.media.viewport import Viewport


class OpenRecording:
    """A recording on the screen. Close it when another one is opened.

    Parameters
    ----------
    deliver
        Called in a thread when more was read, with an empty text or why the file cannot be read.
    """

    def __init__(self, recording: StoredRecording, deliver: Callable[[str], None]) -> None:
        self.recording = recording
        self.viewport = Viewport(recording.duration_s)
        self.stream = Stream(recording.path, recording.duration_s)
        self._tiles = Tiles(recording.duration_s, recording.sample_rate_hz)
        self._tile_reader = TileReader(recording.path, self._tiles, deliver)
        self._tile_reader.start()

    def request_tiles(self, columns: int) -> None:
        """Request the tiles of the viewport on `columns` of the screen, then those likely to be shown next."""
        shown = self.viewport.view(columns)
        self._tile_reader.request(shown, self._whole(columns), *adjacent_ranges(shown, self.recording.duration_s))

    def pictures(self, columns: int) -> tuple[Picture, Picture]:
        """Return the whole recording and the viewport, as far as they were read."""
        whole = self._tiles.picture(self._whole(columns))
        return whole, self._tiles.picture(self.viewport.view(columns), whole)

    def close(self) -> None:
        self.stream.close()
        self._tile_reader.stop()

    def _whole(self, columns: int) -> VisibleRange:
        return VisibleRange(0.0, self.recording.duration_s, columns)
