"""How long it takes to find the like of a clip among a million.

    python benchmarks/similar.py [--clips 1000000] [--features 256] [--questions 50] [--folder DIR]

Clips' features are made up, in clusters, and go the way that real ones go: through a `Space` of 128 axes into the rows
of `Neighbours`. Answers are held against those of the same distances in float32, unrounded. It prints one JSON object:
processor seconds to place all clips, bytes on disk, milliseconds a question (processor and wall, median and 95th
percentile), and which share of the ten nearest was found.
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
from labeltool.similarity.index import Neighbours, Space
from labeltool.type_aliases import Float32, Int64

Float32 = Float32

NEAREST = 10
_CLUSTERS = 5000
_BLOCK = 20_000
_SETTLED_BY = 4096


def made_up(clips: int, features: int) -> Callable[[int, int], Float32]:
    """Return a function that makes the features of some clips, always the same ones."""
    middles = np.random.default_rng(0).normal(size=(_CLUSTERS, features)).astype(np.float32)

    def make(first: int, count: int) -> Float32:
        rng = np.random.default_rng([1, first])
        near = rng.standard_normal((count, features), np.float32)
        return 0.6 * middles[rng.integers(0, _CLUSTERS, count)] + 0.4 * near

    return make


def measure(folder: Path, clips: int, features: int, questions: int) -> dict[str, object]:
    """Place the clips, ask, and compare the answers."""
    make = made_up(clips, features)
    began, placing = time.perf_counter(), 0.0
    index = Neighbours.make(folder / "index", Space.of(make(0, min(clips, _BLOCK))[:_SETTLED_BY]))
    asked = np.random.default_rng(2).integers(0, clips, questions)
    wanted = np.empty((questions, index.space.axes.shape[1]), np.float32)
    for first in range(0, clips, _BLOCK):
        block = make(first, min(_BLOCK, clips - first))
        here = (asked >= first) & (asked < first + len(block))
        wanted[here] = (block[asked[here] - first] - index.space.mean) @ index.space.axes
        stored = [StoredClip(at, at, "", f"{at:064x}", 0.0, 1.0, None, "") for at in range(first, first + len(block))]
        since = time.process_time()
        index.append(stored, block)
        placing += time.process_time() - since
    built = time.perf_counter() - began
    wall, processor, answers = [], [], []
    for place in asked:
        since, since_wall = time.process_time(), time.perf_counter()
        answers.append(index.nearest(int(place), NEAREST)[0])
        processor.append(time.process_time() - since)
        wall.append(time.perf_counter() - since_wall)
    truth = nearest_of_all(make, index.space, wanted, clips)
    found = [
        len(set(answer.tolist()) & set(true.tolist())) / NEAREST for answer, true in zip(answers, truth, strict=True)
    ]
    return {
        "clips": clips,
        "axes": wanted.shape[1],
        "placing_processor_s": round(placing, 1),
        "making_and_placing_wall_s": round(built, 1),
        "disk_bytes": sum(path.stat().st_size for path in (folder / "index").iterdir()),
        "question_processor_ms": quantiles(processor),
        "question_wall_ms": quantiles(wall),
        f"recall_at_{NEAREST}": round(float(np.mean(found)), 4),
    }


def nearest_of_all(make: Callable[[int, int], Float32], space: Space, wanted: Float32, clips: int) -> Int64:
    """Return the places nearest to some rows by distances in float32, `(questions, 10)`."""
    apart = np.empty((len(wanted), clips), np.float32)
    for first in range(0, clips, _BLOCK):
        rows = (make(first, min(_BLOCK, clips - first)) - space.mean) @ space.axes
        squares = (rows**2).sum(axis=1)[None] + (wanted**2).sum(axis=1)[:, None]
        apart[:, first : first + len(rows)] = squares - 2.0 * wanted @ rows.T
    return np.argpartition(apart, NEAREST, axis=1)[:, :NEAREST]


def quantiles(seconds: list[float]) -> dict[str, float]:
    """Return the median and the 95th percentile, milliseconds."""
    return {
        "median": round(1e3 * float(np.median(seconds)), 1),
        "p95": round(1e3 * float(np.quantile(seconds, 0.95)), 1),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=1_000_000)
    parser.add_argument("--features", type=int, default=256)
    parser.add_argument("--questions", type=int, default=50)
    parser.add_argument("--folder", type=Path, help="where the rows are written; else a temporary one")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        print(json.dumps(measure(Path(folder), options.clips, options.features, options.questions), indent=2))


if __name__ == "__main__":
    main()
