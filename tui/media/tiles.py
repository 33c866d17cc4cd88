"""A long recording seen at any zoom: its picture in tiles, each read when it is looked at, the least used let go.

A tile is `FRAMES` frames; a frame's length is a power of two, so that tiles of one zoom lie on tiles of the next. Up
close a frame is all that sounds in it; from a second a frame on it is the loudest of a few moments, read by seeking: so
a recording of hours opens by reading seconds of it. What is wanted is made coarse first.
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

from labeltool.audio.files import SoundReader
from labeltool.errors import LabeltoolError
from labeltool.tui.media.clip_picture import BANDS, Eye, Sight, range_of
from labeltool.type_aliases import Float32

FRAMES = 64
_SHORTEST_FRAME_S = 1 / 1024
_ZOOMS = 18  # the last has frames of two minutes

_SAMPLED_FROM_S = 1.0
_LOOKS = (1, 4, 16)
"""Moments of a sampled frame that each pass looks at."""

_NEAR_WINDOW_FRAMES = 4.0  # up close a shorter window shows when, and less finely at which frequency
_SHORTEST_WINDOW_S = 0.006
_MOST_BYTES = 32 << 20
_NOTHING_DB = -120.0


@dataclass(frozen=True, slots=True)
class View:
    """A stretch of a recording on so many columns of the screen."""

    start_s: float
    span_s: float
    columns: int

    @property
    def end_s(self) -> float:
        """Where it ends."""
        return self.start_s + self.span_s

    @property
    def zoom(self) -> int:
        """The zoom whose frames are no longer than a column."""
        frames = self.span_s / max(1, self.columns) / _SHORTEST_FRAME_S
        return min(max(0, int(np.log2(frames)) if frames >= 1 else 0), _ZOOMS - 1)


@dataclass(frozen=True, slots=True)
class Tile:
    """`FRAMES` frames of a picture: `(BANDS, FRAMES) float32 dB`, and lowest and highest samples of half frames.

    `looks` is how many moments of each frame were looked at.
    """

    picture: Float32
    envelope: Float32
    looks: int

    @property
    def size_bytes(self) -> int:
        """Memory it takes."""
        return self.picture.nbytes + self.envelope.nbytes


Place = tuple[int, int]
"""A tile's zoom, and its number from the recording's beginning."""


class Tiles:
    """The tiles of one recording, within a bound of memory; made in one thread, looked at in another.

    Parameters
    ----------
    duration_s, rate_hz
        The recording's.
    most_bytes
        Memory that tiles may take.
    """

    def __init__(self, duration_s: float, rate_hz: int, *, most_bytes: int = _MOST_BYTES) -> None:
        self._duration_s = duration_s
        self._rate_hz = rate_hz
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._kept: OrderedDict[Place, Tile] = OrderedDict()
        self._bytes = 0

    @property
    def size_bytes(self) -> int:
        """Memory the tiles take."""
        return self._bytes

    def are_of(self, reader: SoundReader) -> bool:
        """Tell whether a file has the rate and the length of the recording."""
        return reader.rate_hz == self._rate_hz and abs(reader.frames / reader.rate_hz - self._duration_s) < 1e-6

    def sight(self, view: View, whole: Sight | None = None) -> Sight:
        """Put together what there is of a view, in no time: what was not looked at yet is dark, or as seen from afar.

        Parameters
        ----------
        whole
            The overview, so that loud and quiet look the same wherever one is.
        """
        zoom = view.zoom
        frame_s = _frame_s(zoom)
        begin = int(view.start_s / frame_s)
        end = max(begin + 1, ceil(view.end_s / frame_s))
        numbers = range(begin // FRAMES, (end - 1) // FRAMES + 1)
        tiles = [self._best(zoom, number) for number in numbers]
        first = numbers[0] * FRAMES
        frames = np.concatenate([tile.picture for tile in tiles], axis=1)[:, : end - first]
        low, high = np.concatenate([tile.envelope for tile in tiles], axis=1)[:, : 2 * (end - first)]
        columns = _begins(view, view.columns, frame_s) - first
        halves = _begins(view, 2 * view.columns, frame_s / 2) - 2 * first
        picture = np.maximum.reduceat(frames, columns, axis=1)
        loudest, quiet = range_of(picture, None if whole is None else whole.picture)
        return Sight(
            picture=picture,
            band_hz=Eye.of(self._rate_hz).band_hz,
            envelope=np.stack([np.minimum.reduceat(low, halves), np.maximum.reduceat(high, halves)]),
            loudest_db=loudest,
            quiet_db=quiet,
            start_s=view.start_s,
            duration_s=view.span_s,
        )

    def missing(self, view: View, looks: int) -> Iterator[Place]:
        """Yield the tiles that a view lacks, or that were looked at less closely; from the middle outwards."""
        tile_s = _frame_s(view.zoom) * FRAMES
        last = int(max(0.0, min(view.end_s, self._duration_s)) / tile_s)
        middle = (view.start_s + view.span_s / 2) / tile_s - 0.5
        for number in sorted(range(max(0, int(view.start_s / tile_s)), last + 1), key=lambda n: abs(n - middle)):
            place = view.zoom, number
            with self._lock:
                tile = self._kept.get(place)
            if tile is None or tile.looks < looks:
                yield place

    def keep(self, place: Place, tile: Tile) -> None:
        """Take a tile in, and let those go that were looked at longest ago."""
        with self._lock:
            before = self._kept.pop(place, None)
            self._bytes += tile.size_bytes - (before.size_bytes if before is not None else 0)
            self._kept[place] = tile
            while self._bytes > self._most_bytes and len(self._kept) > 1:
                _, gone = self._kept.popitem(last=False)
                self._bytes -= gone.size_bytes

    def _best(self, zoom: int, number: int) -> Tile:
        """Return a tile, or what a tile seen from farther away shows of its place."""
        for further in range(_ZOOMS - zoom):
            place = zoom + further, number >> further
            with self._lock:
                tile = self._kept.get(place)
                if tile is None:
                    continue
                self._kept.move_to_end(place)
            frames = (number * FRAMES + np.arange(FRAMES) >> further) - (place[1] * FRAMES)
            halves = (number * FRAMES * 2 + np.arange(2 * FRAMES) >> further) - (place[1] * FRAMES * 2)
            return Tile(tile.picture[:, frames], tile.envelope[:, halves], tile.looks) if further else tile
        return _NOTHING


def make(reader: SoundReader, place: Place, looks: int) -> Tile:
    """Read a tile.

    Parameters
    ----------
    looks
        Moments of each frame to look at, where frames are sampled.

    Raises
    ------
    LabeltoolError
        When the recording cannot be read there.
    """
    zoom, number = place
    frame_s = _frame_s(zoom)
    eye = Eye.of(reader.rate_hz, max(_SHORTEST_WINDOW_S, _NEAR_WINDOW_FRAMES * frame_s))
    if frame_s < _SAMPLED_FROM_S:
        looks = max(1, int(np.ceil(2 * frame_s * reader.rate_hz / eye.window)))
        framed, envelope = _read_whole(reader, eye, number, frame_s, looks)
    else:
        framed, envelope = _read_moments(reader, eye, number, frame_s, looks)
    decibels = eye.look(framed)
    picture = decibels.reshape(FRAMES, looks, BANDS).max(axis=1).T
    return Tile(np.ascontiguousarray(picture), envelope, _LOOKS[-1] if frame_s < _SAMPLED_FROM_S else looks)


def _read_whole(reader: SoundReader, eye: Eye, number: int, frame_s: float, looks: int) -> tuple[Float32, Float32]:
    """Return overlapping windows over the whole tile, `(FRAMES * looks, window)`, and its envelope."""
    hop = frame_s * reader.rate_hz / looks
    begin = number * FRAMES * frame_s * reader.rate_hz
    margin = eye.window // 2
    first, last = round(begin) - margin, round(begin + FRAMES * looks * hop) + eye.window
    samples = reader.mono(first, last - first)
    centres = np.rint(begin + (np.arange(FRAMES * looks) + 0.5) * hop).astype(np.intp) - first
    framed = np.lib.stride_tricks.sliding_window_view(samples, eye.window)[centres - margin]
    halves = np.rint(begin + np.arange(2 * FRAMES + 1) * (hop * looks / 2)).astype(np.intp) - first
    within = samples[: halves[-1]]
    return framed, np.stack([np.minimum.reduceat(within, halves[:-1]), np.maximum.reduceat(within, halves[:-1])])


def _read_moments(reader: SoundReader, eye: Eye, number: int, frame_s: float, looks: int) -> tuple[Float32, Float32]:
    """Return windows at `looks` moments of each frame, and the envelope of what they hold."""
    hop = frame_s * reader.rate_hz / looks
    begin = number * FRAMES * frame_s * reader.rate_hz
    centres = begin + (np.arange(FRAMES * looks) + 0.5) * hop
    framed = np.stack([reader.mono(round(centre) - eye.window // 2, eye.window) for centre in centres])
    low, high = framed.min(axis=1), framed.max(axis=1)
    if looks == 1:
        return framed, np.repeat(np.stack([low, high]), 2, axis=1)
    parted = (2 * FRAMES, looks // 2)
    return framed, np.stack([low.reshape(parted).min(axis=1), high.reshape(parted).max(axis=1)])


def _frame_s(zoom: int) -> float:
    return float(_SHORTEST_FRAME_S * 2**zoom)


def _begins(view: View, columns: int, frame_s: float) -> npt.NDArray[np.intp]:
    """Return the frame in which each column begins."""
    begins = (view.start_s + np.arange(columns) * (view.span_s / columns)) / frame_s
    return np.array(np.floor(begins), dtype=np.intp)


_NOTHING = Tile(np.full((BANDS, FRAMES), _NOTHING_DB, np.float32), np.zeros((2, 2 * FRAMES), np.float32), looks=0)


class Surveyor:
    """The thread that makes tiles: ask with `want`; it calls `deliver` after each, with what went wrong, if anything.

    Parameters
    ----------
    path
        The recording's file.
    tiles
        Where the tiles go.
    """

    def __init__(self, path: str, tiles: Tiles, deliver: Callable[[str], None]) -> None:
        self._path = path
        self._tiles = tiles
        self._deliver = deliver
        self._wake = threading.Condition()
        self._views: Sequence[View] | None = None
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="labeltool-surveyor", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def want(self, *views: View) -> None:
        """Ask for views, the first most; the newest request replaces earlier ones."""
        with self._wake:
            self._views = views
            self._wake.notify()

    def stop(self) -> None:
        """End the thread and wait for it."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        self._thread.join()

    def _run(self) -> None:
        reader: SoundReader | None = None
        while (views := self._next()) is not None:
            try:
                reader = reader or self._open()
                self._make(reader, views)
            except LabeltoolError as error:
                self._deliver(str(error))
        if reader is not None:
            with suppress(OSError):
                reader.close()

    def _open(self) -> SoundReader:
        reader = SoundReader(self._path)
        # Hashing hours of sound takes a while; its rate and length tell most replaced files.
        if not self._tiles.are_of(reader):
            reader.close()
            raise LabeltoolError(
                "is not the sound that was imported: it was replaced",
                file=self._path,
                remedy="`labeltool relocate FOLDER` finds the old one, `labeltool import audio` takes the new one in",
            )
        return reader

    def _next(self) -> Sequence[View] | None:
        with self._wake:
            while not self._stopping and self._views is None:
                self._wake.wait()
            views, self._views = self._views, None
            return None if self._stopping else views

    def _make(self, reader: SoundReader, views: Sequence[View]) -> None:
        for looks in _LOOKS:
            for view in views:
                for place in self._tiles.missing(view, looks):
                    with self._wake:
                        if self._stopping or self._views is not None:
                            return
                    self._tiles.keep(place, make(reader, place, looks))
                    self._deliver("")


def neighbours(view: View, duration_s: float) -> tuple[View, ...]:
    """Return the views after and before one, where the recording goes on: what is scrolled to next."""
    after = replace(view, start_s=view.end_s)
    before = replace(view, start_s=max(0.0, view.start_s - view.span_s))
    return tuple(near for near in (after, before) if near.start_s < duration_s and near.start_s != view.start_s)
