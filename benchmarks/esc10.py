"""Leave-one-fold-out on ESC-10: train on the other folds, score the fold left out, float and int8.

    python benchmarks/esc10.py DATA_DIR --folds 1 2 3 4 --seeds 0 --results RESULTS.jsonl [--set batch=32]

DATA_DIR holds `audio/` and `meta/esc50.csv` as published. The folds that are there take part. One JSON line a run is
appended to RESULTS; runs already in it (same settings, fold, seed) are not repeated. `--set` names fields of
`TrainingSettings`, `Augmentation` (`augmentation.mix_share=1`) and `Frontend` (`frontend.floor=1e-4`). With
`--labels 32` only so many clips of the training folds, drawn by seed and as many of each label as can be, keep theirs;
the others are the pool (`--no-pool` leaves them out). `--teacher` and `--backbone` are those of `labeltool retrain`.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from labeltool import aggregate, audio, backbones, models, quantise, teacher, training
from labeltool.ears.introducing import open_ear
from labeltool.features import FeatureCache
from labeltool.pool import Pool
from labeltool.records import StoredClip


def clips_of(data: Path) -> tuple[list[StoredClip], list[str]]:
    """Return the ESC-10 clips that are there and their labels."""
    clips, labels = [], []
    with (data / "meta" / "esc50.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            found = [
                p
                for s in (".wav", ".ogg", ".flac")
                if (p := data / "audio" / Path(row["filename"]).with_suffix(s)).exists()
            ]
            if row["esc10"] != "True" or not found:
                continue
            sha256 = audio.content_hash(found[0])
            clips.append(StoredClip(0, 0, str(found[0]), sha256, 0.0, 5.0, int(row["fold"]), row["src_file"]))
            labels.append(row["category"])
    return clips, labels


def drawn(kinds: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Choose `count` of some clips by seed, as many of each kind as can be; indices, ascending."""
    rng = np.random.default_rng([seed, 7])
    members = [rng.permutation(np.flatnonzero(kinds == kind)) for kind in np.unique(kinds)]
    each = count // len(members)
    over = rng.permutation([one[each] for one in members if len(one) > each])[: count - each * len(members)]
    return np.sort(np.concatenate([*(one[:each] for one in members), over]).astype(np.int64))


def configured(settings: Any, pairs: list[str], prefix: str) -> Any:
    """Apply the `name=value` pairs under a prefix to a frozen dataclass."""
    for pair in pairs:
        name, value = pair.split("=", 1)
        head, _, field = name.rpartition(".")
        if head == prefix:
            settings = replace(settings, **{field: json.loads(value)})
    return settings


def expected_calibration_error(scores: np.ndarray, truth: np.ndarray) -> float:
    """Return the ECE of top probabilities in ten equal bins."""
    top, right = scores.max(axis=1), scores.argmax(axis=1) == truth
    bins = np.minimum((top * 10).astype(int), 9)
    return float(sum(abs(top[bins == b].mean() - right[bins == b].mean()) * (bins == b).mean() for b in set(bins)))


def main() -> None:
    """Run what is asked and not yet in the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--folds", type=int, nargs="+", default=[1, 2, 3, 4])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--arch", default=models.DEFAULT_ARCHITECTURE)
    parser.add_argument("--labels", type=int, help="so many labelled clips; the rest of the training folds is the pool")
    parser.add_argument("--no-pool", action="store_true")
    parser.add_argument("--teacher", type=Path)
    parser.add_argument("--backbone", type=Path)
    parser.add_argument("--set", dest="pairs", nargs="*", default=[])
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "labeltool-esc10-cache")
    parser.add_argument("--keep", type=Path, help="folder for the trained networks (.keras, .tflite)")
    options = parser.parse_args()

    frontend = configured(models.architecture(options.arch).frontend, options.pairs, "frontend")
    base = configured(training.TrainingSettings(), options.pairs, "")
    base = replace(base, augmentation=configured(base.augmentation, options.pairs, "augmentation"))
    clips, labels = clips_of(options.data)
    names = sorted(set(labels))
    targets = np.eye(len(names), dtype=np.float32)[[names.index(label) for label in labels]]
    cache = FeatureCache(options.cache, frontend)
    cache.compute(clips)
    log_mels = [cache.log_mel(clip) for clip in clips]
    folds = np.array([clip.fold for clip in clips])
    embeddings = None
    if options.teacher:
        ear = open_ear(options.teacher, rate_hz=16_000, embedding=True)
        embeddings = teacher.embed_clips(ear, options.cache / "teacher", clips, report=lambda *_: None)
    weights = backbones.read_weights(options.backbone) if options.backbone else None
    asked = [f"{name}={getattr(options, name)}" for name in ("labels", "no_pool") if getattr(options, name)]
    asked += [f"{name}={getattr(options, name).name}" for name in ("teacher", "backbone") if getattr(options, name)]
    done = set()
    if options.results.exists():
        done = {json.loads(line)["run"] for line in options.results.read_text().splitlines()}
    for seed in options.seeds:
        for fold in options.folds:
            run = " ".join([options.arch, *asked, *sorted(options.pairs), f"fold={fold} seed={seed}"])
            if run in done:
                continue
            learn, test = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
            rest = learn[:0]
            if options.labels:
                chosen = learn[drawn(targets[learn].argmax(axis=1), options.labels, seed)]
                learn, rest = chosen, learn[:0] if options.no_pool else np.setdiff1d(learn, chosen)
            said = teacher.teach_rest(embeddings[[*learn, *rest]], targets[learn]) if embeddings is not None else None
            fitted = training.fit(
                options.arch,
                frontend,
                [log_mels[i] for i in learn],
                targets[learn],
                [clips[i].group for i in learn],
                label_names=names,
                settings=replace(base, seed=seed),
                backbone=weights,
                pool=Pool([log_mels[i] for i in rest], [clips[i].group for i in rest], said),
                on_progress=lambda e: print(json.dumps(e), file=sys.stderr, flush=True),
            )
            learned = np.delete(learn, fitted.validation)
            representative = np.concatenate([frontend.patches(log_mels[i]) for i in learned])
            tflite = quantise.to_int8(fitted.model, representative)
            truth = targets[test].argmax(axis=1)
            tested = [log_mels[i] for i in test]
            entry: dict[str, Any] = {"run": run, "fold": fold, "seed": seed, "seconds": round(fitted.seconds)}
            if len(rest) and said is not None:
                entry["teacher"] = float((said.argmax(axis=1) == targets[rest].argmax(axis=1)).mean())
            entry |= {
                "patches": fitted.patches,
                "validation": fitted.validation_accuracy,
                "temperature": fitted.rule.temperature,
            }
            for kind, score in (
                ("float", lambda patches, model=fitted.model: training.predict(model, patches)),
                ("int8", quantise.Int8Model(tflite).predict),
            ):
                scores, by_clip = training.clip_probabilities(score, frontend, tested, fitted.rule)
                entry[kind] = float((scores.argmax(axis=1) == truth).mean())
                entry[f"{kind}_ece"] = round(expected_calibration_error(scores, truth), 4)
                entry[f"{kind}_patch"] = round(
                    float(np.mean([(b.argmax(1) == t).mean() for b, t in zip(by_clip, truth, strict=True)])), 4
                )
                if kind == "float":
                    for exponent in (0.0, 0.25, 0.5, 1.0):
                        rule = aggregate.ClipRule(exponent)
                        rows = [
                            aggregate.clip_scores(b, frontend.loudness_db(m), rule)
                            for b, m in zip(by_clip, tested, strict=True)
                        ]
                        entry[f"float_exponent_{exponent}"] = float((np.stack(rows).argmax(1) == truth).mean())
                    wrong = scores.argmax(axis=1) != truth
                    entry["wrong"] = [
                        f"{names[t]}>{names[s.argmax()]}" for t, s in zip(truth[wrong], scores[wrong], strict=True)
                    ]
            if options.keep:
                options.keep.mkdir(parents=True, exist_ok=True)
                fitted.model.save(options.keep / f"fold{fold}-seed{seed}.keras")
                (options.keep / f"fold{fold}-seed{seed}.tflite").write_bytes(tflite)
            with options.results.open("a") as file:
                file.write(json.dumps(entry) + "\n")
            print(json.dumps(entry), flush=True)


if __name__ == "__main__":
    main()
