"""Time and memory of the search for near-duplicates among many recordings.

    python benchmarks/near_duplicates.py DATA [--recordings 100000] [--copies 200]

The landmarks and peaks are those of the recordings in DATA (ESC-50's layout), again and again, each time moved to other
frequencies by another number of bins and moved in time: as frequent as real ones, and no two recordings alike. Copies
have 40 % of those of theirs, at another time. It prints one JSON object: seconds of processor time for the landmarks of
a real recording and for the search, its peak memory, the candidates, and the copies among them.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from check_planting import read_sounds

from labeltool.checks.sound.candidates import candidates
from labeltool.checks.sound.landmarks import BIN_BITS, landmarks

# Of the hash, see `landmarks`: what one bin of the first peak adds.
_PER_BIN = (2 * 96 + 1) * (48 + 1)
_BINS = 513


def synthetic(real: Mapping[str, np.ndarray], rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return landmarks that are distributed as some real ones, and are others."""
    bins, rest = np.divmod(real["hashes"].astype(np.int64), _PER_BIN)
    shift = rng.integers(-60, 60)
    moved = (bins + shift) % _BINS
    frames = np.sort(rng.permutation(real["frames"]))
    order = rng.permutation(len(moved))
    peak_frames, peak_bins = np.divmod(real["peaks"], 1 << BIN_BITS)
    turned = (peak_frames + rng.integers(300)) % (peak_frames.max(initial=0) + 1)
    peaks = np.sort((turned << BIN_BITS) + (peak_bins + shift) % _BINS)
    return {"hashes": (moved * _PER_BIN + rest).astype(np.uint32)[order], "frames": frames, "peaks": peaks}


def copy_of(original: Mapping[str, np.ndarray], rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return the landmarks of a copy: a part of them, at another time."""
    kept, peaks = (rng.random(len(original[name])) < 0.4 for name in ("hashes", "peaks"))
    later = int(rng.integers(0, 100))
    return {
        "hashes": original["hashes"][kept],
        "frames": original["frames"][kept] + np.int32(later),
        "peaks": original["peaks"][peaks] + (later << BIN_BITS),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--recordings", type=int, default=100_000)
    parser.add_argument("--copies", type=int, default=200)
    given = parser.parse_args()
    rng = np.random.default_rng(0)
    sounds = read_sounds(given.data, [1, 2, 3])[:200]
    since = time.process_time()
    real = [landmarks(sound.path) for sound in sounds]
    per_recording_s = (time.process_time() - since) / len(real)
    many = [synthetic(real[number % len(real)], rng) for number in range(given.recordings - given.copies)]
    copied = rng.choice(
        [n for n, one in enumerate(many) if len(one["hashes"]) > 50], given.copies, replace=False
    ).tolist()
    many += [copy_of(many[place], rng) for place in copied]
    before_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    since = time.process_time()
    found = candidates(many, range(len(many)))
    searched_s = time.process_time() - since
    wanted = {(place, given.recordings - given.copies + number) for number, place in enumerate(copied)}
    result = {
        "recordings": len(many),
        "landmarks": sum(len(one["hashes"]) for one in many),
        "landmarks_of_a_recording_s": round(per_recording_s, 3),
        "search_s": round(searched_s, 1),
        "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10,
        "memory_before_mib": before_mib,
        "candidates": len(found),
        "copies_found": len(wanted & {(one.first, one.second) for one in found}) / given.copies,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
