"""Time of a search for similar clips among a million.

    python benchmarks/similar.py [--clips 1000000] [--features 256] [--queries 50] [--folder DIR]

The features of the clips are random, in clusters, and take the path of real ones: through a `PrincipalSpace` of 128
axes into the rows of `NeighbourIndex`. Its results are compared with the same distances in float32, without rounding.
It prints one JSON object: processor seconds to index all clips, bytes on disk, milliseconds per query (processor and
wall, median and 95th percentile), and the share of the ten nearest clips that was found.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from labeltool.records import StoredClip
from labeltool.similarity.index import NeighbourIndex, PrincipalSpace
from labeltool.type_aliases import Float32, Int64

NEAREST = 10
_CLUSTERS = 5000
_BLOCK = 20_000
_FITTED_ON = 4096


def random_features(clips: int, features: int) -> Callable[[int, int], Float32]:
    """Return a function that makes the features of some clips, always the same ones."""
    centres = np.random.default_rng(0).normal(size=(_CLUSTERS, features)).astype(np.float32)

    def make(first: int, count: int) -> Float32:
        rng = np.random.default_rng([1, first])
        offsets = rng.standard_normal((count, features), np.float32)
        return 0.6 * centres[rng.integers(0, _CLUSTERS, count)] + 0.4 * offsets

    return make


def measure(folder: Path, clips: int, features: int, queries: int) -> dict[str, object]:
    """Index the clips, search, and compare the results."""
    make = random_features(clips, features)
    began, indexing = time.perf_counter(), 0.0
    index = NeighbourIndex.make(folder / "index", PrincipalSpace.fit(make(0, min(clips, _BLOCK))[:_FITTED_ON]))
    queried = np.random.default_rng(2).integers(0, clips, queries)
    wanted = np.empty((queries, index.space.axes.shape[1]), np.float32)
    for first in range(0, clips, _BLOCK):
        block = make(first, min(_BLOCK, clips - first))
        in_block = (queried >= first) & (queried < first + len(block))
        wanted[in_block] = (block[queried[in_block] - first] - index.space.mean) @ index.space.axes
        stored = [StoredClip(at, at, "", f"{at:064x}", 0.0, 1.0, None, "") for at in range(first, first + len(block))]
        since = time.process_time()
        index.append(stored, block)
        indexing += time.process_time() - since
    built = time.perf_counter() - began
    wall: list[float] = []
    processor: list[float] = []
    results: list[Int64] = []
    for row in queried:
        since, since_wall = time.process_time(), time.perf_counter()
        results.append(index.nearest(int(row), NEAREST)[0])
        processor.append(time.process_time() - since)
        wall.append(time.perf_counter() - since_wall)
    truth = nearest_of_all(make, index.space, wanted, clips)
    found = [
        len(set(result.tolist()) & set(true.tolist())) / NEAREST for result, true in zip(results, truth, strict=True)
    ]
    return {
        "clips": clips,
        "axes": wanted.shape[1],
        "indexing_processor_s": round(indexing, 1),
        "making_and_indexing_wall_s": round(built, 1),
        "disk_bytes": sum(path.stat().st_size for path in (folder / "index").iterdir()),
        "query_processor_ms": quantiles(processor),
        "query_wall_ms": quantiles(wall),
        f"recall_at_{NEAREST}": round(float(np.mean(found)), 4),
    }


def nearest_of_all(make: Callable[[int, int], Float32], space: PrincipalSpace, wanted: Float32, clips: int) -> Int64:
    """Return the numbers of the rows nearest to some rows by distances in float32, `(queries, 10)`."""
    distances = np.empty((len(wanted), clips), np.float32)
    for first in range(0, clips, _BLOCK):
        rows = (make(first, min(_BLOCK, clips - first)) - space.mean) @ space.axes
        squares = (rows**2).sum(axis=1)[None] + (wanted**2).sum(axis=1)[:, None]
        distances[:, first : first + len(rows)] = squares - 2.0 * wanted @ rows.T
    return np.argpartition(distances, NEAREST, axis=1)[:, :NEAREST]


def quantiles(seconds: list[float]) -> dict[str, float]:
    """Return the median and the 95th percentile, milliseconds."""
    return {
        "median": round(1e3 * float(np.median(seconds)), 1),
        "p95": round(1e3 * float(np.quantile(seconds, 0.95)), 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=1_000_000)
    parser.add_argument("--features", type=int, default=256)
    parser.add_argument("--queries", type=int, default=50)
    parser.add_argument("--folder", type=Path, help="where the rows are written; else a temporary one")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        print(json.dumps(measure(Path(folder), options.clips, options.features, options.queries), indent=2))


if __name__ == "__main__":
    main()
