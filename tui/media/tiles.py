"""The spectrogram of a long recording at any zoom, in tiles that are read when they are shown.

A tile is `TILE_FRAMES` frames; a frame's length is a power of two, so that tiles of one zoom align with those of the
next. At a near zoom a frame covers all samples in it. Frames of a second and more show the maximum of a few moments,
which are read by seeking: a recording of hours opens by reading seconds of it. The first pass reads the fewest moments.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from math import ceil

import numpy as np
import numpy.typing as npt

from labeltool.audio.mel_picture import BANDS, MelAnalyzer, brightness_range
from labeltool.audio.remote.waiting import give_up
from labeltool.audio.sound_reader import SoundReader
from labeltool.errors import LabeltoolError
from labeltool.tui.media.clip_picture import Picture
from labeltool.type_aliases import Float32

TILE_FRAMES = 64
_MIN_FRAME_S = 1 / 1024
_ZOOMS = 18  # the last has frames of two minutes

_MIN_SAMPLED_FRAME_S = 1.0
_MOMENTS = (1, 4, 16)
"""The number of moments of a sampled frame that each pass reads."""

_NEAR_WINDOW_FRAMES = 4.0  # at a near zoom a shorter window resolves time better, and frequency worse
_MIN_WINDOW_S = 0.006
_MAX_BYTES = 32 << 20
_EMPTY_DB = -120.0


@dataclass(frozen=True, slots=True)
class VisibleRange:
    """A stretch of a recording, `span_s` long, on `columns` of the screen."""

    start_s: float
    span_s: float
    columns: int

    @property
    def end_s(self) -> float:
        return self.start_s + self.span_s

    @property
    def zoom(self) -> int:
        """The zoom with the longest frames that are no longer than a column."""
        frames = self.span_s / max(1, self.columns) / _MIN_FRAME_S
        return min(max(0, int(np.log2(frames)) if frames >= 1 else 0), _ZOOMS - 1)


@dataclass(frozen=True, slots=True)
class Tile:
    """A piece of the spectrogram at one zoom.

    Attributes
    ----------
    mel_db : (BANDS, TILE_FRAMES) float32
        Mel power in decibels.
    envelope : (2, 2 * TILE_FRAMES) float32
        The lowest and highest samples of half frames.
    moments
        The number of moments of each frame that were read.
    """

    mel_db: Float32
    envelope: Float32
    moments: int

    @property
    def size_bytes(self) -> int:
        return self.mel_db.nbytes + self.envelope.nbytes


TileKey = tuple[int, int]
"""A tile's zoom, and its number from the start of the recording."""


class Tiles:
    """A cache of the tiles of one recording; one thread adds tiles, another one shows them.

    Parameters
    ----------
    duration_s, rate_hz
        The length and the sample rate of the recording.
    max_bytes
        The memory that the tiles may take; those used longest ago are dropped.
    """

    def __init__(self, duration_s: float, rate_hz: int, *, max_bytes: int = _MAX_BYTES) -> None:
        self._duration_s = duration_s
        self._rate_hz = rate_hz
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._tiles: OrderedDict[TileKey, Tile] = OrderedDict()
        self._bytes = 0

    @property
    def size_bytes(self) -> int:
        return self._bytes

    def match(self, reader: SoundReader) -> bool:
        """Return whether a file has the rate and the length of the recording; only decoding tells some lengths."""
        if reader.rate_hz != self._rate_hz or reader.claimed_frames is None:
            return reader.rate_hz == self._rate_hz
        return abs(reader.frames / reader.rate_hz - self._duration_s) < 1e-6

    def picture(self, shown: VisibleRange, whole: Picture | None = None) -> Picture:
        """Return what there is of a range, without waiting: missing tiles are dark, or taken from a farther zoom.

        Parameters
        ----------
        whole
            The whole recording, so that the brightness is the same everywhere in it.
        """
        zoom = shown.zoom
        frame_s = _frame_s(zoom)
        begin = int(shown.start_s / frame_s)
        end = max(begin + 1, ceil(shown.end_s / frame_s))
        numbers = range(begin // TILE_FRAMES, (end - 1) // TILE_FRAMES + 1)
        tiles = [self._best(zoom, number) for number in numbers]
        first = numbers[0] * TILE_FRAMES
        frames = np.concatenate([tile.mel_db for tile in tiles], axis=1)[:, : end - first]
        low, high = np.concatenate([tile.envelope for tile in tiles], axis=1)[:, : 2 * (end - first)]
        columns = _first_frames(shown, shown.columns, frame_s) - first
        halves = _first_frames(shown, 2 * shown.columns, frame_s / 2) - 2 * first
        mel_db = np.maximum.reduceat(frames, columns, axis=1)
        loudest, quiet = brightness_range(mel_db, None if whole is None else whole.mel_db)
        return Picture(
            mel_db=mel_db,
            band_hz=MelAnalyzer.for_rate(self._rate_hz).band_hz,
            envelope=np.stack([np.minimum.reduceat(low, halves), np.maximum.reduceat(high, halves)]),
            loudest_db=loudest,
            quiet_db=quiet,
            start_s=shown.start_s,
            duration_s=shown.span_s,
            whole_s=self._duration_s,
        )

    def missing(self, shown: VisibleRange, moments: int) -> Iterator[TileKey]:
        """Yield the tiles of a range that are missing or have fewer moments, from the middle outwards."""
        tile_s = _frame_s(shown.zoom) * TILE_FRAMES
        last = int(max(0.0, min(shown.end_s, self._duration_s)) / tile_s)
        middle = (shown.start_s + shown.span_s / 2) / tile_s - 0.5
        for number in sorted(range(max(0, int(shown.start_s / tile_s)), last + 1), key=lambda n: abs(n - middle)):
            key = shown.zoom, number
            with self._lock:
                tile = self._tiles.get(key)
            if tile is None or tile.moments < moments:
                yield key

    def add(self, key: TileKey, tile: Tile) -> None:
        """Add a tile, and drop those that were used longest ago where there are too many."""
        with self._lock:
            before = self._tiles.pop(key, None)
            self._bytes += tile.size_bytes - (before.size_bytes if before is not None else 0)
            self._tiles[key] = tile
            while self._bytes > self._max_bytes and len(self._tiles) > 1:
                _, dropped = self._tiles.popitem(last=False)
                self._bytes -= dropped.size_bytes

    def _best(self, zoom: int, number: int) -> Tile:
        """Return a tile, or its part of a tile of a farther zoom."""
        for farther in range(_ZOOMS - zoom):
            key = zoom + farther, number >> farther
            with self._lock:
                tile = self._tiles.get(key)
                if tile is None:
                    continue
                self._tiles.move_to_end(key)
            if not farther:
                return tile
            frames = (number * TILE_FRAMES + np.arange(TILE_FRAMES) >> farther) - (key[1] * TILE_FRAMES)
            halves = (number * TILE_FRAMES * 2 + np.arange(2 * TILE_FRAMES) >> farther) - (key[1] * TILE_FRAMES * 2)
            return Tile(tile.mel_db[:, frames], tile.envelope[:, halves], tile.moments)
        return _EMPTY


def read_tile(reader: SoundReader, key: TileKey, moments: int) -> Tile:
    """Read a tile.

    Parameters
    ----------
    moments
        The number of moments of each frame to read, where frames are sampled.

    Raises
    ------
    LabeltoolError
        If the recording cannot be read there.
    """
    zoom, number = key
    frame_s = _frame_s(zoom)
    analyzer = MelAnalyzer.for_rate(reader.rate_hz, max(_MIN_WINDOW_S, _NEAR_WINDOW_FRAMES * frame_s))
    if frame_s < _MIN_SAMPLED_FRAME_S:
        moments = max(1, int(np.ceil(2 * frame_s * reader.rate_hz / analyzer.window)))
        framed, envelope = _read_whole(reader, analyzer.window, number, frame_s, moments)
    else:
        framed, envelope = _read_moments(reader, analyzer.window, number, frame_s, moments)
    mel_db = analyzer.mel_db(framed).reshape(TILE_FRAMES, moments, BANDS).max(axis=1).T
    return Tile(np.ascontiguousarray(mel_db), envelope, _MOMENTS[-1] if frame_s < _MIN_SAMPLED_FRAME_S else moments)


def _read_whole(reader: SoundReader, window: int, number: int, frame_s: float, moments: int) -> tuple[Float32, Float32]:
    """Return overlapping windows over the whole tile, `(TILE_FRAMES * moments, window)`, and its envelope."""
    hop = frame_s * reader.rate_hz / moments
    begin = number * TILE_FRAMES * frame_s * reader.rate_hz
    margin = window // 2
    first, last = round(begin) - margin, round(begin + TILE_FRAMES * moments * hop) + window
    samples = reader.mono(first, last - first)
    centres = np.rint(begin + (np.arange(TILE_FRAMES * moments) + 0.5) * hop).astype(np.intp) - first
    framed = np.lib.stride_tricks.sliding_window_view(samples, window)[centres - margin]
    halves = np.rint(begin + np.arange(2 * TILE_FRAMES + 1) * (hop * moments / 2)).astype(np.intp) - first
    within = samples[: halves[-1]]
    return framed, np.stack([np.minimum.reduceat(within, halves[:-1]), np.maximum.reduceat(within, halves[:-1])])


def _read_moments(
    reader: SoundReader, window: int, number: int, frame_s: float, moments: int
) -> tuple[Float32, Float32]:
    """Return windows at `moments` moments of each frame, and the envelope of their samples."""
    hop = frame_s * reader.rate_hz / moments
    begin = number * TILE_FRAMES * frame_s * reader.rate_hz
    centres = begin + (np.arange(TILE_FRAMES * moments) + 0.5) * hop
    framed = np.stack([reader.mono(round(centre) - window // 2, window) for centre in centres])
    low, high = framed.min(axis=1), framed.max(axis=1)
    if moments == 1:
        return framed, np.repeat(np.stack([low, high]), 2, axis=1)
    halves = (2 * TILE_FRAMES, moments // 2)
    return framed, np.stack([low.reshape(halves).min(axis=1), high.reshape(halves).max(axis=1)])


def _frame_s(zoom: int) -> float:
    return float(_MIN_FRAME_S * 2**zoom)


def _first_frames(shown: VisibleRange, columns: int, frame_s: float) -> npt.NDArray[np.intp]:
    """Return the frame in which each column begins."""
    begins = (shown.start_s + np.arange(columns) * (shown.span_s / columns)) / frame_s
    return np.array(np.floor(begins), dtype=np.intp)


_EMPTY = Tile(
    np.full((BANDS, TILE_FRAMES), _EMPTY_DB, np.float32), np.zeros((2, 2 * TILE_FRAMES), np.float32), moments=0
)


class TileReader:
    """The thread that reads the tiles of requested ranges.

    Parameters
    ----------
    deliver
        Called in the thread after each tile, with an empty text or why the file cannot be read.
    """

    def __init__(self, path: str, tiles: Tiles, deliver: Callable[[str], None]) -> None:
        self._path = path
        self._tiles = tiles
        self._deliver = deliver
        self._wake = threading.Condition()
        self._ranges: Sequence[VisibleRange] | None = None
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="labeltool-tiles", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def request(self, *ranges: VisibleRange) -> None:
        """Request ranges, the most urgent first, in place of those requested before."""
        with self._wake:
            self._ranges = ranges
            self._wake.notify()

    def stop(self) -> None:
        with self._wake:
            self._stopping = True
            self._wake.notify()
        give_up(self._thread)
        self._thread.join()

    def _run(self) -> None:
        reader: SoundReader | None = None
        while (ranges := self._next_ranges()) is not None:
            try:
                reader = reader or self._open()
                self._read(reader, ranges)
            except LabeltoolError as error:
                if reader is not None:  # a decoder may stay where a server failed, which passes
                    with suppress(OSError):
                        reader.close()
                    reader = None
                self._deliver(str(error))
        if reader is not None:
            with suppress(OSError):
                reader.close()

    def _open(self) -> SoundReader:
        reader = SoundReader(self._path)
        # Hashing hours of sound takes a while; rate and length reveal most replaced files.
        if not self._tiles.match(reader):
            reader.close()
            raise LabeltoolError(
                "is not the sound that was imported: it was replaced",
                file=self._path,
                remedy="`labeltool relocate FOLDER` finds the old one, `labeltool import audio` imports the new one",
            )
        return reader

    def _next_ranges(self) -> Sequence[VisibleRange] | None:
        """Wait for a request; return None when the thread is to end."""
        with self._wake:
            while not self._stopping and self._ranges is None:
                self._wake.wait()
            ranges, self._ranges = self._ranges, None
            return None if self._stopping else ranges

    def _read(self, reader: SoundReader, ranges: Sequence[VisibleRange]) -> None:
        for moments in _MOMENTS:
            for shown in ranges:
                for key in self._tiles.missing(shown, moments):
                    with self._wake:
                        if self._stopping or self._ranges is not None:
                            return
                    self._tiles.add(key, read_tile(reader, key, moments))
                    self._deliver("")


def adjacent_ranges(shown: VisibleRange, duration_s: float) -> tuple[VisibleRange, ...]:
    """Return the ranges after and before one, which are likely to be scrolled to next, within the recording."""
    after = replace(shown, start_s=shown.end_s)
    before = replace(shown, start_s=max(0.0, shown.start_s - shown.span_s))
    return tuple(near for near in (after, before) if near.start_s < duration_s and near.start_s != shown.start_s)
