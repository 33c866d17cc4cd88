"""Clips in one space, on disk: which are nearest to one of them.

A search looks at every row. Measured on a million made-up ones (`benchmarks/similar.py`, and what else was tried in
`benchmarks/NOTES.md`), that takes less time than one notices, needs no index to be built, and finds the very nearest.

A folder holds `space.npz`, the space's axes; `rows.i16`, one row of fixed-point numbers a clip; `entries`, which clip
each row is. Rows are appended, their entries last, so that what an interrupted run has left counts and no more.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from labeltool.records import StoredClip
from labeltool.type_aliases import Float32, Int16, Int64

WIDTH = 128
"""Axes of a space, at most."""

# Numbers of a row are multiples of this, up to 8: a typical row has length 1. Sixteen bits of it are as large as a
# float16, finer where it matters, and become float32 three times as fast.
_STEP = 2.0**-12
_LARGEST = 2**15 - 1
_ITERATIONS = 4
_BLOCK = 4096  # rows looked at together: as float32 they fit a core's cache
_ENTRY = np.dtype([("clip", "<i8"), ("key", "<u8"), ("square", "<f8")])

_SPACE, _ROWS, _ENTRIES = "space.npz", "rows.i16", "entries"


@dataclass(frozen=True, slots=True)
class Space:
    """The directions in which clips differ most.

    Attributes
    ----------
    mean : (features,) float32
    axes : (features, width) float32
        Scaled so that a row's expected square is 1: clips that have nothing in common are about 1.4 apart.
    settled_by
        So many clips settled it.
    """

    mean: Float32
    axes: Float32
    settled_by: int

    @classmethod
    def of(cls, features: Float32, *, standardise: bool = False) -> Space:
        """Find them by principal components of some clips' features, (clips, features) float32.

        Where the clips are fewer than the axes, the axes left lie across them: later clips may differ there.

        Parameters
        ----------
        standardise
            Whether features are numbers of several kinds: each then counts by its deviation.
        """
        mean, spread = features.mean(axis=0), features.std(axis=0)
        scale = np.maximum(spread, 1e-6 + 1e-3 * spread.max()) if standardise else np.ones_like(spread)
        centred = (features - mean) / scale
        # Subspace iteration: the principal axes of a few thousand wide rows in a second (Halko et al. 2011).
        axes = np.random.default_rng(0).normal(size=(features.shape[1], min(WIDTH, features.shape[1])))
        for _ in range(_ITERATIONS):
            axes = np.linalg.qr(centred.T @ (centred @ axes.astype(np.float32)))[0]
        along = centred @ axes
        axes = axes @ np.linalg.eigh(along.T @ along)[1][:, ::-1]
        length = max(np.sqrt((along**2).sum(axis=1).mean()), 1e-9)
        return cls(mean.astype(np.float32), (axes / scale[:, None] / length).astype(np.float32), len(features))


class Neighbours:
    """A folder of clips in one space; make one with `make` or `open`."""

    def __init__(self, directory: Path, space: Space) -> None:
        self.directory = directory
        self.space = space
        self._width = space.axes.shape[1]
        self._read()

    @classmethod
    def make(cls, directory: Path, space: Space) -> Neighbours:
        """Begin anew, in a folder that is not there yet."""
        directory.mkdir(parents=True)
        partial = directory / f"{_SPACE}.partial"
        with partial.open("wb") as file:
            np.savez(file, mean=space.mean, axes=space.axes, settled_by=space.settled_by)
        partial.replace(directory / _SPACE)
        return cls(directory, space)

    @classmethod
    def open(cls, directory: Path) -> Neighbours | None:
        """Open what is there; None where nothing is, or what is there cannot be read."""
        try:
            with (directory / _SPACE).open("rb") as file, np.load(file, allow_pickle=False) as told:
                space = Space(told["mean"], told["axes"], int(told["settled_by"]))
            return cls(directory, space)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def clips(self) -> Int64:
        """The ids of the clips, in the order of the rows."""
        return np.asarray(self._entries["clip"])

    def place(self, clip: StoredClip) -> int | None:
        """Return a clip's row; None where it has none."""
        (found,) = np.nonzero((self._entries["clip"] == clip.id) & (self._entries["key"] == _hashed(clip)))
        return int(found[0]) if len(found) else None

    def is_at(self, place: int, clip: StoredClip) -> bool:
        """Tell whether a row is of this clip, and not of one that had its id in another database."""
        return bool(self._entries["key"][place] == _hashed(clip))

    def append(self, clips: Sequence[StoredClip], features: Float32) -> None:
        """Add clips by their features, (clips, features) float32."""
        numbers = np.rint((features - self.space.mean) @ self.space.axes / _STEP)
        rows = numbers.clip(-_LARGEST, _LARGEST).astype("<i2")
        entries = np.empty(len(clips), _ENTRY)
        entries["clip"] = [clip.id for clip in clips]
        entries["key"] = [_hashed(clip) for clip in clips]
        entries["square"] = (rows.astype(np.float64) ** 2).sum(axis=1) * _STEP**2
        for name, size, added in (
            (_ROWS, len(self) * self._width * 2, rows),
            (_ENTRIES, len(self) * _ENTRY.itemsize, entries),
        ):
            with (self.directory / name).open("ab") as file:
                file.truncate(size)  # what an interrupted run left half written
                file.write(added.tobytes())
        self._read()

    def rows(self, places: Int64) -> Float32:
        """Return some clips' rows, (places, width) float32."""
        return np.asarray(self._rows[places], np.float32) * np.float32(_STEP)

    def blocks(self, places: Int64) -> Iterator[tuple[Int64, Float32]]:
        """Yield some clips' places and rows, a few at a time."""
        for first in range(0, len(places), _BLOCK):
            some = places[first : first + _BLOCK]
            yield some, self.rows(some)

    def nearest(self, place: int, count: int) -> tuple[Int64, Float32]:
        """Find what is nearest to a row.

        Returns
        -------
        places : (at most count,) int64
            The nearest first, which is the row itself or its equal.
        distances : (at most count,) float32
            Euclidean.
        """
        asked = self._rows[place].astype(np.float32)
        products = np.empty(len(self), np.float32)
        block = np.empty((_BLOCK, self._width), np.float32)
        for first in range(0, len(self), _BLOCK):
            some = self._rows[first : first + _BLOCK]
            np.copyto(block[: len(some)], some)
            np.dot(block[: len(some)], asked, out=products[first : first + len(some)])
        squares = self._entries["square"]
        apart = squares + squares[place] - 2.0 * _STEP**2 * products
        count = min(count, len(self))
        best = np.argpartition(apart, count - 1)[:count]
        best = best[np.lexsort((best, best != place, apart[best]))]
        return best, np.sqrt(np.maximum(apart[best], 0.0)).astype(np.float32)

    def _read(self) -> None:
        """Learn how many rows are whole, and look at those."""
        sizes = [
            path.stat().st_size if path.exists() else 0 for path in map(self.directory.joinpath, (_ROWS, _ENTRIES))
        ]
        count = min(sizes[0] // (2 * self._width), sizes[1] // _ENTRY.itemsize)
        self._entries = np.fromfile(self.directory / _ENTRIES, _ENTRY, count) if count else np.empty(0, _ENTRY)
        self._rows: Int16 = (
            np.memmap(self.directory / _ROWS, "<i2", "r", shape=(count, self._width))
            if count
            else np.empty((0, self._width), "<i2")
        )


def _hashed(clip: StoredClip) -> int:
    return int.from_bytes(hashlib.blake2b(clip.key.encode(), digest_size=8).digest(), "little")
