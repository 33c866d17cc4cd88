"""Accuracy of a pretrained model on ESC-10 without training a network, tested on each fold in turn.

    python benchmarks/pretrained.py DATA_DIR MODEL --results RESULTS.jsonl [--folds 1 2 3 4] [--seeds 0 1 2]
    python benchmarks/pretrained.py --table RESULTS.jsonl

DATA_DIR is as for `esc10.py`, MODEL a network's file with its class list (`yamnet.tflite`). One JSON line per run is
appended; runs that are there are not repeated. Measured are: its classes mapped to the ten labels by name (the first,
and among five, by label too); the nearest centroid of its embeddings; the classifier over its embeddings that suggests
labels in a project, by number of labels, drawn at random (evenly over the labels) or chosen by the default query
strategy: ten medoids, then batches of eight. The rest of the training folds is the pool; "unlabelled" is the accuracy
on it.
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

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from esc10_clips import draw_evenly, query_clips, read_clips, train_classifier
from esc10_results import append

from labeltool.active_learning import strategies
from labeltool.audio.descriptors import hellinger_embeddings
from labeltool.errors import ExitCode, LabeltoolError
from labeltool.networks.heads import log_loss
from labeltool.pretrained import class_mapping, clip_cache
from labeltool.pretrained.probe import open_model
from labeltool.type_aliases import Float32, Int64

BUDGETS = (10, 32, 64, 96, 0)
"""Labels; 0 is all of the training folds."""


@dataclass(frozen=True, slots=True)
class Material:
    """The clips: their labels, `(clips,)`, folds and groups, and the pretrained model's outputs.

    Attributes
    ----------
    truth : (clips,) int64
        Index of each clip's label in `names`.
    embeddings, scores : (clips, width) float32
    mapping
        The model's classes of each label.
    """

    names: list[str]
    truth: Int64
    folds: Int64
    groups: list[str]
    embeddings: Float32
    scores: Float32
    mapping: list[class_mapping.LabelMapping]

    @property
    def targets(self) -> Float32:
        """One column a label."""
        return np.eye(len(self.names), dtype=np.float32)[self.truth]

    def split(self, fold: int) -> tuple[Int64, Int64]:
        """Return the clips of the other folds and those of a fold."""
        return np.flatnonzero(self.folds != fold), np.flatnonzero(self.folds == fold)


def read_material(data: Path, model: Path, cache: Path) -> Material:
    """Compute the model's outputs of all clips, or read them from the cache."""
    clips, labels = read_clips(data)
    names = sorted(set(labels))
    outputs: list[Float32] = []
    for embedding in (True, False):
        opened = open_model(model, rate_hz=16_000, embedding=embedding)
        compute = clip_cache.embed_clips if embedding else clip_cache.score_clips
        by_key, failed = compute(opened, cache / "teacher", clips, report=lambda *_: None)
        for error in failed.values():
            raise error
        outputs.append(np.stack([by_key[clip.key] for clip in clips]))
    return Material(
        names,
        np.array([names.index(label) for label in labels]),
        np.array([clip.fold for clip in clips]),
        [clip.group for clip in clips],
        outputs[0],
        outputs[1],
        class_mapping.propose_mapping(opened.card.classes, names),
    )


def by_classes(material: Material, fold: int) -> dict[str, Any]:
    """Measure the model's own classes: no clip is labelled."""
    _, test = material.split(fold)
    scores, truth = material.scores[test], material.truth[test]
    shares = class_mapping.label_scores(scores, material.mapping)
    correct = (shares.argmax(axis=1) == truth) & (shares.max(axis=1) > 0)
    best = np.argsort(-scores, axis=1, kind="stable")[:, :5]
    among = np.array(
        [np.isin(row, material.mapping[label].classes).any() for row, label in zip(best, truth, strict=True)]
    )
    return {
        "right": float(correct.mean()),
        "top5": float(among.mean()),
        "top5_by_label": {name: float(among[truth == label].mean()) for label, name in enumerate(material.names)},
    }


def nearest_centroid(material: Material, fold: int) -> dict[str, Any]:
    """Measure the nearest centroid of the training folds, by angle."""
    train, test = material.split(fold)
    rows = hellinger_embeddings(material.embeddings)
    rows -= rows[train].mean(axis=0)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    centroids = np.stack(
        [rows[train][material.truth[train] == label].mean(axis=0) for label in range(len(material.names))]
    )
    centroids /= np.linalg.norm(centroids, axis=1, keepdims=True)
    return {"right": float(((rows[test] @ centroids.T).argmax(axis=1) == material.truth[test]).mean())}


def choose_labelled(material: Material, train: Int64, budget: int, seed: int, how: str) -> Int64:
    """Return the clips that are labelled."""
    if budget in (0, len(train)):
        return train
    if how == "random":
        return train[draw_evenly(material.truth[train], budget, seed)]
    embeddings = material.embeddings[train]
    rows = hellinger_embeddings(embeddings)
    projection = np.random.default_rng(0).normal(0.0, 1.0 / np.sqrt(128), (rows.shape[1], 128))
    features = (rows @ projection).astype(np.float32)
    groups = [material.groups[i] for i in train]
    return train[query_clips(strategies.DEFAULT, features, embeddings, material.targets[train], groups, budget, seed)]


def by_classifier(material: Material, fold: int, seed: int, budget: int, how: str) -> dict[str, Any]:
    train, test = material.split(fold)
    labelled = choose_labelled(material, train, budget, seed, how)
    pool = np.setdiff1d(train, labelled)
    embeddings = material.embeddings
    classify = train_classifier(embeddings[labelled], material.targets[labelled], embeddings[pool])
    probabilities, present = classify(embeddings[test]), material.targets[test]
    run = {
        "right": float((probabilities.argmax(axis=1) == material.truth[test]).mean()),
        "log_loss": float(log_loss("softmax", probabilities, present, np.zeros_like(present)).mean()),
        "labels_met": len(np.unique(material.truth[labelled])),
    }
    if len(pool):
        run["unlabelled"] = float((classify(embeddings[pool]).argmax(axis=1) == material.truth[pool]).mean())
    return run


def runs(material: Material, folds: list[int], seeds: list[int], done: set[str]) -> Iterator[dict[str, Any]]:
    """Yield the runs that are not done yet."""

    def wanted(*parts: object) -> str | None:
        name = " ".join(map(str, parts))
        return None if name in done else name

    for fold in folds:
        if name := wanted("classes", fold):
            yield {"run": name, "what": "classes", "fold": fold, "seed": 0, **by_classes(material, fold)}
        if name := wanted("centroid", fold):
            yield {"run": name, "what": "centroid", "fold": fold, "seed": 0, **nearest_centroid(material, fold)}
        for budget in BUDGETS:
            for how in ("random", "default") if budget else ("all",):
                for seed in seeds if budget else seeds[:1]:
                    what = f"{how} {budget}" if budget else "all"
                    if name := wanted(what, fold, seed):
                        result = by_classifier(material, fold, seed, budget, how)
                        yield {"run": name, "what": what, "fold": fold, "seed": seed, **result}


def read(results: Path) -> list[dict[str, Any]]:
    """Read what `--results` wrote; nothing where there is no file yet."""
    lines = results.read_text(encoding="utf-8").splitlines() if results.exists() else []
    return [json.loads(line) for line in lines]


def table(results: list[dict[str, Any]]) -> str:
    """Return the runs as Markdown: the mean over folds and seeds, the spread over seeds of the mean over folds."""
    lines = [
        "| what | right, % | by fold | spread over seeds | unlabelled clips right, % |",
        "| --- | --- | --- | --- | --- |",
    ]
    for what in dict.fromkeys(run["what"] for run in results):
        rows = [run for run in results if run["what"] == what]
        folds, seeds = sorted({run["fold"] for run in rows}), sorted({run["seed"] for run in rows})
        by_fold = [float(100 * np.mean([run["right"] for run in rows if run["fold"] == fold])) for fold in folds]
        by_seed = [float(100 * np.mean([run["right"] for run in rows if run["seed"] == seed])) for seed in seeds]
        cells = [
            what,
            f"{np.mean(by_fold):.1f}",
            " ".join(f"{share:.1f}" for share in by_fold),
            f"{np.std(by_seed, ddof=1):.1f}" if len(seeds) > 1 else "",
        ]
        unlabelled = [100 * run["unlabelled"] for run in rows if "unlabelled" in run]
        lines.append("| " + " | ".join([*cells, f"{np.mean(unlabelled):.1f}" if unlabelled else ""]) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", type=Path, nargs="*", metavar="DATA_DIR MODEL")
    parser.add_argument("--results", type=Path, metavar="RESULTS")
    parser.add_argument("--table", type=Path, metavar="RESULTS")
    parser.add_argument("--folds", type=int, nargs="+", default=[1, 2, 3, 4])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "labeltool-esc10-cache")
    options = parser.parse_args()
    if bool(options.results) == bool(options.table) or len(options.paths) != (2 if options.results else 0):
        parser.error("either DATA_DIR MODEL --results RESULTS, or --table RESULTS")
    try:
        if options.table:
            print(table(read(options.table)), end="")
            return
        done = {run["run"] for run in read(options.results)}
        material = read_material(options.paths[0], options.paths[1], options.cache)
        for run in runs(material, options.folds, options.seeds, done):
            append(options.results, run)
            print(json.dumps(run), flush=True)
    except LabeltoolError as error:
        print(error, file=sys.stderr)
        sys.exit(ExitCode.FAILED)


if __name__ == "__main__":
    main()
