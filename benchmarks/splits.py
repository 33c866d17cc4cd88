"""How near a drawn split comes to the wanted shares, label by label, and whether it parts copies that were planted.

    python benchmarks/splits.py [--data ESC50] [--seeds 20] [--planted 0 1 2]

Two data sets are split by whole groups, 70, 15 and 15 per cent: the clips of ESC-10 in folds 1 to 4, as if they were in
no folds (320 clips, one label each; only where `--data`, a folder of ESC-50, is given), and a generated one of 1,200
clips in 300 groups with eight labels, of which a clip has 1.7 on average and the rarest is on 2 % of the clips. Printed
as one JSON object: of each data set, the absolute deviation of each label's share in each part from the wanted one, in
percentage points, as mean and largest over labels, parts and seeds; and the same of the clips as a whole.

With `--planted` (and `--data`) a project of each of those seeds is made of these clips as `check.py` does, with 20
re-encoded and 20 cut, shifted or mixed copies under other names and groups, and exported by `labeltool export --splits`
with `--seeds` seeds each and as five folds: how many of the pairs of a copy and its original are on two sides, beside
those that groups alone part.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from labeltool.exporters.registry import export
from labeltool.project import Project
from labeltool.records import LabelledClip, StoredClip, Value
from labeltool.store import clips
from labeltool.training.data_split import train_validation_test

sys.path.insert(0, str(Path(__file__).parent))

from check_planting import make_project, plant_sound_faults, read_sounds
from esc10_clips import read_clips

_SHARES = {"train": 0.7, "validation": 0.15, "test": 0.15}
_GROUPS, _CLIPS, _LABELS = 300, 1200, 8


def esc10(data: Path) -> list[LabelledClip]:
    """Return the clips of ESC-10's folds 1 to 4, in no folds."""
    read, labels = read_clips(data)
    return [
        LabelledClip(replace(clip, fold=None), {label: Value.PRESENT})
        for clip, label in zip(read, labels, strict=True)
        if clip.fold != 5
    ]


def generated() -> list[LabelledClip]:
    """Return clips with several labels, the same each time; clips of a group are alike, as those of one recording."""
    rng = np.random.default_rng(0)
    rates = np.geomspace(0.02, 0.5, _LABELS)
    of_group = rng.random((_GROUPS, _LABELS)) < rates
    made = []
    for number, group in enumerate(rng.integers(0, _GROUPS, _CLIPS)):
        present = np.where(rng.random(_LABELS) < 0.5, of_group[group], rng.random(_LABELS) < rates)
        if not present.any():
            present[-1] = True
        verdicts = {f"label {label}": Value.PRESENT for label in np.flatnonzero(present)}
        made.append(LabelledClip(StoredClip(number, number, "", "", 0.0, 1.0, None, f"group {group}"), verdicts))
    return made


def deviations(labelled: Sequence[LabelledClip], seeds: int) -> dict[str, float]:
    """Return by how much the shares of the labels, and of the clips, miss those wanted, in percentage points."""
    labels = sorted({label for one in labelled for label in one.present})
    of_labels, of_clips = [], []
    for seed in range(seeds):
        part_of = train_validation_test(labelled, seed=seed)
        for part, wanted in _SHARES.items():
            inside = [part_of[one.clip.id] == part for one in labelled]
            of_clips.append(abs(np.mean(inside) - wanted))
            for label in labels:
                of_label = [is_in for one, is_in in zip(labelled, inside, strict=True) if label in one.present]
                of_labels.append(abs(np.mean(of_label) - wanted))
    return {
        "clips": len(labelled),
        "labels_mean": round(100 * float(np.mean(of_labels)), 2),
        "labels_largest": round(100 * float(np.max(of_labels)), 1),
        "clips_mean": round(100 * float(np.mean(of_clips)), 2),
        "clips_largest": round(100 * float(np.max(of_clips)), 1),
    }


def parted(data: Path, planted_seeds: Sequence[int], seeds: int) -> dict[str, int]:
    """Return how many pairs of a copy and its original are on two sides of splits and folds, in all."""
    counts: Counter[str] = Counter()
    sounds = [replace(one, fold=None) for one in read_sounds(data, [1, 2, 3, 4], "esc10")]
    for number in planted_seeds:
        with tempfile.TemporaryDirectory() as folder:
            changed, planted = plant_sound_faults(sounds, Path(folder) / "sounds", number)
            project = make_project(Path(folder) / "project", changed)
            pairs = [(copy, original) for copy, (_, original) in planted.copies.items()]
            with project.open_store() as store:
                labelled = clips.labelled(store)
            for seed in range(seeds):
                drawn = train_validation_test(labelled, seed=seed)
                by_groups = {Path(one.clip.path).name: drawn[one.clip.id] for one in labelled}
                sides = exported_sides(project, Path(folder) / "out", seed=seed)
                counts["pairs, splits"] += len(pairs)
                counts["parted by groups alone, splits"] += sum(
                    by_groups[one] != by_groups[other] for one, other in pairs
                )
                counts["parted, splits"] += sum(sides[one] != sides[other] for one, other in pairs)
            sides = exported_sides(project, Path(folder) / "out", folds=5)
            counts["pairs, folds"] += len(pairs)
            counts["parted, folds"] += sum(sides[one] != sides[other] for one, other in pairs)
    return dict(counts)


def exported_sides(project: Project, output: Path, **split: int) -> dict[str, str]:
    """Export a project's manifests; return the part or the fold of each recording, by its name."""
    (folder,) = export(
        *(project,),
        report=lambda *_: None,
        products=["splits"],
        model_id=None,
        output=str(output),
        force=False,
        **split,
    ).written
    sides = {}
    for path in sorted(Path(folder).glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                if path.stem != "not_exported":
                    sides[Path(row["path"]).name] = row["fold"] or path.stem
    return sides


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--planted", type=int, nargs="+", default=[])
    options = parser.parse_args()
    found: dict[str, object] = {"generated": deviations(generated(), options.seeds)}
    if options.data is not None:
        found["esc10"] = deviations(esc10(options.data), options.seeds)
        if options.planted:
            found["planted"] = parted(options.data, options.planted, options.seeds)
    print(json.dumps(found, indent=2))
