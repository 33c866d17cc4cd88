"""Embeddings of clips in one principal space, on disk, and the search for a clip's nearest neighbours.

A search compares with every row. Measured on a million synthetic rows (`benchmarks/similar.py`, and alternatives in
`benchmarks/NOTES.md`), that is too fast to notice, needs no index structure, and is exact.

A folder holds `space.npz`, the axes of the space; `rows.i16`, one row of fixed-point numbers a clip; `entries`, the
clip of each row. Rows are appended before their entries, so that a row counts only once both are written.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from labeltool.records import StoredClip
from labeltool.type_aliases import Float32, Float64, Int16, Int64
from labeltool.util.files.atomic_write import open_atomic
from labeltool.util.files.no_links import open_to_append
from labeltool.util.files.npz import UNREADABLE, open_npz

MAX_AXES = 128
"""Axes of a space, at most."""

# Numbers of a row are multiples of this, up to 8: a typical row has length 1. Sixteen bits of it are as large as a
# float16, finer near 1, and become float32 three times as fast.
_STEP = 2.0**-12
_LARGEST = 2**15 - 1
_BLOCK = 4096  # rows compared together: as float32 they fit a core's cache
_ENTRY = np.dtype([("clip", "<i8"), ("key", "<u8"), ("square", "<f8")])

_SPACE, _ROWS, _ENTRIES = "space.npz", "rows.i16", "entries"


@dataclass(frozen=True, slots=True)
class PrincipalSpace:
    """The directions in which clips differ most.

    Attributes
    ----------
    mean : (features,) float32
    axes : (features, axes) float32
        Scaled such that a row's expected square is 1: clips that have nothing in common are about 1.4 apart.
    """

    mean: Float32
    axes: Float32
    fitted_on: int

    @classmethod
    def fit(cls, features: Float32, *, standardise: bool = False) -> PrincipalSpace:
        """Fit the space to the features of some clips, (clips, features) float32, by principal component analysis.

        Where the clips are fewer than the axes, the other axes are random and orthogonal: later clips may differ there.

        Parameters
        ----------
        standardise
            Whether features are numbers of several kinds: each is then divided by its standard deviation.
        """
        from sklearn.decomposition import PCA  # a second to import, and a search needs none of it

        mean, spread = features.mean(axis=0), features.std(axis=0)
        scale = np.maximum(spread, 1e-6 + 1e-3 * spread.max()) if standardise else np.ones_like(spread)
        centred = (features - mean) / scale
        count = min(MAX_AXES, features.shape[1])
        principal = min(count, len(features) - 1)
        axes = np.random.default_rng(0).normal(size=(features.shape[1], count))
        if principal:
            with np.errstate(invalid="ignore"):  # equal clips have no variance to explain
                axes[:, :principal] = PCA(principal, random_state=0).fit(centred).components_.T
        axes = np.linalg.qr(axes)[0]
        length = max(np.sqrt(((centred @ axes) ** 2).sum(axis=1).mean()), 1e-9)
        return cls(mean.astype(np.float32), (axes / scale[:, None] / length).astype(np.float32), len(features))


class NeighbourIndex:
    """A folder with the rows of clips in one space; made by `make` or `open`."""

    def __init__(self, directory: Path, space: PrincipalSpace) -> None:
        self.directory = directory
        self.space = space
        self._axis_count = space.axes.shape[1]
        self._read()

    @classmethod
    def make(cls, directory: Path, space: PrincipalSpace) -> NeighbourIndex:
        """Make an empty index in a folder that does not exist yet."""
        with open_atomic(directory / _SPACE) as file:
            np.savez(file, mean=space.mean, axes=space.axes, settled_by=np.array(space.fitted_on))
        return cls(directory, space)

    @classmethod
    def open(cls, directory: Path) -> NeighbourIndex | None:
        """Open an index; None where there is none, or it cannot be read."""
        try:
            with open_npz(directory / _SPACE) as arrays:
                space = PrincipalSpace(arrays["mean"], arrays["axes"], int(arrays["settled_by"]))
            return cls(directory, space)
        except UNREADABLE:
            return None

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def clips(self) -> Int64:
        """The ids of the clips, in the order of the rows."""
        return np.asarray(self._entries["clip"])

    def row_of(self, clip: StoredClip) -> int | None:
        """Return the number of a clip's row; None where it has none."""
        (found,) = np.nonzero((self._entries["clip"] == clip.id) & (self._entries["key"] == _hash(clip)))
        return int(found[0]) if len(found) else None

    def is_row_of(self, row: int, clip: StoredClip) -> bool:
        """Return whether a row is this clip's, and not that of a clip with the same id in another database."""
        return bool(self._entries["key"][row] == _hash(clip))

    def append(self, clips: Sequence[StoredClip], features: Float32) -> None:
        """Add clips by their features, (clips, features) float32."""
        numbers = np.rint((features - self.space.mean) @ self.space.axes / _STEP)
        rows = numbers.clip(-_LARGEST, _LARGEST).astype("<i2")
        entries = np.empty(len(clips), _ENTRY)
        entries["clip"] = [clip.id for clip in clips]
        entries["key"] = [_hash(clip) for clip in clips]
        entries["square"] = (rows.astype(np.float64) ** 2).sum(axis=1) * _STEP**2
        for name, size, added in (
            (_ROWS, len(self) * self._axis_count * 2, rows),
            (_ENTRIES, len(self) * _ENTRY.itemsize, entries),
        ):
            with open_to_append(self.directory / name) as file:
                file.truncate(size)  # a partial row that an interrupted run left
                file.write(added.tobytes())
        self._read()

    def rows(self, numbers: Int64) -> Float32:
        """Return some rows by their numbers, (rows, axes) float32."""
        return np.asarray(self._rows[numbers], np.float32) * np.float32(_STEP)

    def blocks(self, numbers: Int64) -> Iterator[Float32]:
        """Yield some rows by their numbers, a block at a time."""
        for first in range(0, len(numbers), _BLOCK):
            yield self.rows(numbers[first : first + _BLOCK])

    def nearest(self, row: int, count: int) -> tuple[Int64, Float32]:
        """Find the rows nearest to a row.

        Returns
        -------
        numbers : (at most count,) int64
            The nearest first, which is the row itself or its equal.
        distances : (at most count,) float32
            Euclidean.
        """
        distances = self._squares_to(self._rows[row].astype(np.float32), self._entries["square"][row])
        count = min(count, len(self))
        best = np.argpartition(distances, count - 1)[:count]
        best = best[np.lexsort((best, best != row, distances[best]))]
        return best, np.sqrt(np.maximum(distances[best], 0.0)).astype(np.float32)

    def distances(self, features: Float32) -> Float32:
        """Return the distances, (rows,) float32, of all rows from the features, (features,), of a sound without one."""
        query = np.rint((features - self.space.mean) @ self.space.axes / _STEP).clip(-_LARGEST, _LARGEST)
        square = float((query.astype(np.float64) ** 2).sum()) * _STEP**2
        return np.sqrt(np.maximum(self._squares_to(query.astype(np.float32), square), 0.0)).astype(np.float32)

    def _squares_to(self, query: Float32, square: float) -> Float64:
        """Return the squared distances of all rows from one, whose numbers and squared length are given."""
        products = np.empty(len(self), np.float32)
        block = np.empty((_BLOCK, self._axis_count), np.float32)
        for first in range(0, len(self), _BLOCK):
            some = self._rows[first : first + _BLOCK]
            np.copyto(block[: len(some)], some)
            np.dot(block[: len(some)], query, out=products[first : first + len(some)])
        squares: Float64 = self._entries["square"] + square - 2.0 * _STEP**2 * products
        return squares

    def _read(self) -> None:
        """Map the rows that are whole."""
        sizes = [
            path.stat().st_size if path.exists() else 0 for path in map(self.directory.joinpath, (_ROWS, _ENTRIES))
        ]
        count = min(sizes[0] // (2 * self._axis_count), sizes[1] // _ENTRY.itemsize)
        self._entries = np.fromfile(self.directory / _ENTRIES, _ENTRY, count) if count else np.empty(0, _ENTRY)
        self._rows: Int16 = (
            np.memmap(self.directory / _ROWS, "<i2", "r", shape=(count, self._axis_count))
            if count
            else np.empty((0, self._axis_count), "<i2")
        )


def _hash(clip: StoredClip) -> int:
    return int.from_bytes(hashlib.blake2b(clip.key.encode(), digest_size=8).digest(), "little")
