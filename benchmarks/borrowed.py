"""What a borrowed ear is worth on ESC-10, no network trained: each fold left out in turn.

    python benchmarks/borrowed.py DATA_DIR EAR --results RESULTS.jsonl [--folds 1 2 3 4] [--seeds 0 1 2]
    python benchmarks/borrowed.py --table RESULTS.jsonl

DATA_DIR is as for `esc10.py`, EAR a network's file with its class list (`yamnet.tflite`). One JSON line a run is
appended; runs that are there are not repeated. Measured are: its classes put to the ten labels by name (the first, and
among five, by label too); the nearest centroid of its embeddings; the classifier that suggests in a project
(`labeltool.teacher`) by number of labels, drawn at random (every label as often as can be) or asked for by the default
questions: ten medoids, then batches of eight. The rest of the training folds is the pool, of which "waiting" tells.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labeltool.type_aliases import Float32, Int64

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from esc10 import clips_of, drawn
from esc10_results import append

from labeltool.active_learning import strategies
from labeltool.audio.descriptors import hellinger
from labeltool.errors import ExitCode, LabeltoolError
from labeltool.networks.heads import log_loss
from labeltool.pretrained import class_mapping, clip_cache
from labeltool.pretrained.probe import open_ear
from labeltool.training import linear_probe

Float32 = Float32
Indices = Int64

BUDGETS = (10, 32, 64, 96, 0)
"""Labels; 0 is all of the training folds."""

_FIRST, _BATCH = 10, 8


@dataclass(frozen=True, slots=True)
class Material:
    """The clips: what they are, `(clips,)`, their folds and groups, and what the ear makes of them."""

    names: list[str]
    truth: Indices
    folds: Indices
    groups: list[str]
    embeddings: Float32
    scores: Float32
    mapped: list[class_mapping.Mapped]
    classes: tuple[str, ...]

    @property
    def targets(self) -> Float32:
        """One column a label."""
        return np.eye(len(self.names), dtype=np.float32)[self.truth]


def gathered(data: Path, ear: Path, cache: Path) -> Material:
    """Listen to all clips, or take what is kept of them."""
    clips, labels = clips_of(data)
    names = sorted(set(labels))
    told: list[Float32] = []
    for embedding in (True, False):
        opened = open_ear(ear, rate_hz=16_000, embedding=embedding)
        hear = clip_cache.embed_clips if embedding else clip_cache.score_clips
        found, failed = hear(opened, cache / "teacher", clips, report=lambda *_: None)
        for error in failed.values():
            raise error
        told.append(np.stack([found[clip.key] for clip in clips]))
    classes = opened.card.classes
    return Material(
        names,
        np.array([names.index(label) for label in labels]),
        np.array([clip.fold for clip in clips]),
        [clip.group for clip in clips],
        *told,
        class_mapping.mapped(Path(os.devnull).parent / "no-ear", classes, names),
        classes,
    )


def by_classes(material: Material, fold: int) -> dict[str, Any]:
    """Measure the ear's own classes: nobody has labelled anything."""
    test = np.flatnonzero(material.folds == fold)
    scores, truth = material.scores[test], material.truth[test]
    shares = class_mapping.shares(scores, material.mapped)
    right = (shares.argmax(axis=1) == truth) & (shares.max(axis=1) > 0)
    best = np.argsort(-scores, axis=1, kind="stable")[:, :5]
    among = np.array([np.isin(row, material.mapped[kind].classes).any() for row, kind in zip(best, truth, strict=True)])
    return {
        "right": float(right.mean()),
        "top5": float(among.mean()),
        "top5_by_label": {name: float(among[truth == kind].mean()) for kind, name in enumerate(material.names)},
    }


def nearest_centroid(material: Material, fold: int) -> dict[str, Any]:
    """Measure the nearest centroid of the training folds, by angle."""
    learn, test = np.flatnonzero(material.folds != fold), np.flatnonzero(material.folds == fold)
    rows = hellinger(material.embeddings)
    rows -= rows[learn].mean(axis=0)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    centroids = np.stack(
        [rows[learn][material.truth[learn] == kind].mean(axis=0) for kind in range(len(material.names))]
    )
    centroids /= np.linalg.norm(centroids, axis=1, keepdims=True)
    return {"right": float(((rows[test] @ centroids.T).argmax(axis=1) == material.truth[test]).mean())}


def chosen(material: Material, learn: Indices, budget: int, seed: int, asked: str) -> Indices:
    """Return which clips are labelled."""
    if budget in (0, len(learn)):
        return learn
    if asked == "random":
        return learn[drawn(material.truth[learn], budget, seed)]
    rows = hellinger(material.embeddings[learn])
    projection = np.random.default_rng(0).normal(0.0, 1.0 / np.sqrt(128), (rows.shape[1], 128))
    embeddings = (rows @ projection).astype(np.float32)
    labelled = np.zeros(0, np.int64)
    while len(labelled) < budget:
        rest = np.setdiff1d(np.arange(len(learn)), labelled)
        probabilities = None
        if len(np.unique(material.truth[learn[labelled]])) > 1:
            probabilities = taught(material, learn[labelled], learn[rest])(material.embeddings[learn[rest]])
        pool = strategies.Pool(
            embeddings[rest], [material.groups[learn[place]] for place in rest], embeddings[labelled], probabilities
        )
        count = min(_BATCH if len(labelled) else _FIRST, budget - len(labelled))
        order = strategies.rank(strategies.DEFAULT, pool, seed=seed, count=count)
        labelled = np.concatenate([labelled, rest[order[:count]]])
    return learn[labelled]


def taught(material: Material, labelled: Indices, pool: Indices) -> linear_probe.Classifier:
    """Teach the classifier."""
    known = material.targets[labelled]
    rows = material.embeddings
    return linear_probe.taught("softmax", rows[labelled], known, np.zeros_like(known), rows[pool])


def by_answers(material: Material, fold: int, seed: int, budget: int, asked: str) -> dict[str, Any]:
    """Measure the classifier."""
    learn, test = np.flatnonzero(material.folds != fold), np.flatnonzero(material.folds == fold)
    labelled = chosen(material, learn, budget, seed, asked)
    pool = np.setdiff1d(learn, labelled)
    told = taught(material, labelled, pool)
    held = told(material.embeddings[test])
    known = material.targets[test]
    run = {
        "right": float((held.argmax(axis=1) == material.truth[test]).mean()),
        "log_loss": float(log_loss("softmax", held, known, np.zeros_like(known)).mean()),
        "labels_met": len(np.unique(material.truth[labelled])),
    }
    if len(pool):
        said = told(material.embeddings[pool]).argmax(axis=1)
        run["waiting"] = float((said == material.truth[pool]).mean())
    return run


def runs(material: Material, folds: list[int], seeds: list[int], done: set[str]) -> Iterator[dict[str, Any]]:
    """Yield what is not done yet."""

    def wanted(*parts: object) -> str | None:
        name = " ".join(map(str, parts))
        return None if name in done else name

    for fold in folds:
        if name := wanted("classes", fold):
            yield {"run": name, "what": "classes", "fold": fold, "seed": 0, **by_classes(material, fold)}
        if name := wanted("centroid", fold):
            yield {"run": name, "what": "centroid", "fold": fold, "seed": 0, **nearest_centroid(material, fold)}
        for budget in BUDGETS:
            for asked in ("random", "default") if budget else ("all",):
                for seed in seeds if budget else seeds[:1]:
                    what = f"{asked} {budget}" if budget else "all"
                    if name := wanted(what, fold, seed):
                        told = by_answers(material, fold, seed, budget, asked)
                        yield {"run": name, "what": what, "fold": fold, "seed": seed, **told}


def read(results: Path) -> list[dict[str, Any]]:
    """Read what `--results` wrote; nothing where it wrote nothing yet."""
    lines = results.read_text(encoding="utf-8").splitlines() if results.exists() else []
    return [json.loads(line) for line in lines]


def table(found: list[dict[str, Any]]) -> str:
    """Return the runs as Markdown: the mean over folds and seeds, the spread over seeds of the mean over folds."""
    lines = [
        "| what | right, % | by fold | spread over seeds | waiting clips right, % |",
        "| --- | --- | --- | --- | --- |",
    ]
    for what in dict.fromkeys(run["what"] for run in found):
        rows = [run for run in found if run["what"] == what]
        folds, seeds = sorted({run["fold"] for run in rows}), sorted({run["seed"] for run in rows})
        by_fold = [100 * np.mean([run["right"] for run in rows if run["fold"] == fold]) for fold in folds]
        by_seed = [100 * np.mean([run["right"] for run in rows if run["seed"] == seed]) for seed in seeds]
        spread = f"{np.std(by_seed, ddof=1):.1f}" if len(seeds) > 1 else ""
        waiting = [100 * run["waiting"] for run in rows if "waiting" in run]
        told = " ".join(f"{share:.1f}" for share in by_fold)
        lines.append(
            f"| {what} | {np.mean(by_fold):.1f} | {told} | {spread} | {f'{np.mean(waiting):.1f}' if waiting else ''} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, or tell what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", type=Path, nargs="*", metavar="DATA_DIR EAR")
    parser.add_argument("--results", type=Path, metavar="RESULTS")
    parser.add_argument("--table", type=Path, metavar="RESULTS")
    parser.add_argument("--folds", type=int, nargs="+", default=[1, 2, 3, 4])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "labeltool-esc10-cache")
    options = parser.parse_args()
    if bool(options.results) == bool(options.table) or len(options.paths) != (2 if options.results else 0):
        parser.error("either DATA_DIR EAR --results RESULTS, or --table RESULTS")
    try:
        if options.table:
            print(table(read(options.table)), end="")
            return
        done = {run["run"] for run in read(options.results)}
        material = gathered(*options.paths, options.cache)
        for run in runs(material, options.folds, options.seeds, done):
            append(options.results, run)
            print(json.dumps(run), flush=True)
    except LabeltoolError as error:
        print(error, file=sys.stderr)
        sys.exit(ExitCode.FAILED)


if __name__ == "__main__":
    main()
