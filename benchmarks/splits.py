"""How near a drawn split comes to the wanted shares, label by label.

    python benchmarks/splits.py [--data ESC50] [--seeds 20]

Two data sets are split by whole groups, 70, 15 and 15 per cent: the clips of ESC-10 in folds 1 to 4, as if they were in
no folds (320 clips, one label each; only where `--data`, a folder of ESC-50, is given), and a generated one of 1,200
clips in 300 groups with eight labels, of which a clip has 1.7 on average and the rarest is on 2 % of the clips. Printed
as one JSON object: of each data set, the absolute deviation of each label's share in each part from the wanted one, in
percentage points, as mean and largest over labels, parts and seeds; and the same of the clips as a whole.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from labeltool.records import LabelledClip, StoredClip, Value
from labeltool.training.data_split import train_validation_test

sys.path.insert(0, str(Path(__file__).parent))

from esc10_clips import read_clips

_SHARES = {"train": 0.7, "validation": 0.15, "test": 0.15}
_GROUPS, _CLIPS, _LABELS = 300, 1200, 8


def esc10(data: Path) -> list[LabelledClip]:
    """Return the clips of ESC-10's folds 1 to 4, in no folds."""
    clips, labels = read_clips(data)
    return [
        LabelledClip(replace(clip, fold=None), {label: Value.PRESENT})
        for clip, label in zip(clips, labels, strict=True)
        if clip.fold != 5
    ]


def generated() -> list[LabelledClip]:
    """Return clips with several labels, the same each time; clips of a group are alike, as those of one recording."""
    rng = np.random.default_rng(0)
    rates = np.geomspace(0.02, 0.5, _LABELS)
    of_group = rng.random((_GROUPS, _LABELS)) < rates
    clips = []
    for number, group in enumerate(rng.integers(0, _GROUPS, _CLIPS)):
        present = np.where(rng.random(_LABELS) < 0.5, of_group[group], rng.random(_LABELS) < rates)
        if not present.any():
            present[-1] = True
        verdicts = {f"label {label}": Value.PRESENT for label in np.flatnonzero(present)}
        clips.append(LabelledClip(StoredClip(number, number, "", "", 0.0, 1.0, None, f"group {group}"), verdicts))
    return clips


def deviations(clips: Sequence[LabelledClip], seeds: int) -> dict[str, float]:
    """Return by how much the shares of the labels, and of the clips, miss those wanted, in percentage points."""
    labels = sorted({label for one in clips for label in one.present})
    of_labels, of_clips = [], []
    for seed in range(seeds):
        part_of = train_validation_test(clips, seed=seed)
        for part, wanted in _SHARES.items():
            inside = [part_of[one.clip.id] == part for one in clips]
            of_clips.append(abs(np.mean(inside) - wanted))
            for label in labels:
                of_label = [is_in for one, is_in in zip(clips, inside, strict=True) if label in one.present]
                of_labels.append(abs(np.mean(of_label) - wanted))
    return {
        "clips": len(clips),
        "labels_mean": round(100 * float(np.mean(of_labels)), 2),
        "labels_largest": round(100 * float(np.max(of_labels)), 1),
        "clips_mean": round(100 * float(np.mean(of_clips)), 2),
        "clips_largest": round(100 * float(np.max(of_clips)), 1),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--seeds", type=int, default=20)
    options = parser.parse_args()
    found = {"generated": deviations(generated(), options.seeds)}
    if options.data is not None:
        found["esc10"] = deviations(esc10(options.data), options.seeds)
    print(json.dumps(found, indent=2))
