"""Leave-one-fold-out on ESC-10: train on the other folds, score the fold left out, float and int8.

    python benchmarks/esc10.py DATA_DIR --folds 1 2 3 4 --seeds 0 --results RESULTS.jsonl [--set batch=32]
    python benchmarks/esc10.py --table RESULTS.jsonl > table.md
    python benchmarks/esc10.py --curves RESULTS.jsonl [SIMULATED.json ...] -o DIR

DATA_DIR holds `audio/` and `meta/esc50.csv` as published. The folds that are there take part. One JSON line a run is
appended to RESULTS; runs already in it (same settings, fold, seed) are not repeated, so that the same command goes on
after an interruption; several processes may share one RESULTS, each with folds or seeds of its own. `--set` names
fields of `TrainingSettings`, `Augmentation` (`augmentation.mix_share=1`) and `Frontend` (`frontend.floor=1e-4`). With
`--labels 32` only so many clips of the training folds, drawn by seed and as many of each label as can be, keep theirs;
the others are the pool (`--no-pool` leaves them out). With `--questions default` the labels are of the clips that this
strategy asks for, by what the teacher hears. `--teacher` and `--backbone` are those of `labeltool retrain`;
`--ear` is the file of the ear by which `--arch embedding-mlp` hears.

`--table` and `--curves` train nothing. They average over `--folds`: a configuration that lacks one has no mean.
SIMULATED are outputs of `labeltool simulate --json`.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from labeltool.type_aliases import Float32, Int64

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from esc10_results import VERSION, Configuration, Run, append, markdown, read, rows

from labeltool.active_learning import strategies
from labeltool.audio import files
from labeltool.audio.descriptors import hellinger
from labeltool.audio.feature_cache import FeatureCache
from labeltool.audio.frontend import Frontend
from labeltool.errors import ExitCode, LabeltoolError
from labeltool.evaluation import metrics
from labeltool.networks import build as networks
from labeltool.networks import postprocessing, predict, pretrained_weights, quantization
from labeltool.pretrained import clip_cache
from labeltool.pretrained.embedding_frontend import EarFrames, frontend_by
from labeltool.pretrained.model import Ear
from labeltool.pretrained.probe import open_ear
from labeltool.records import StoredClip
from labeltool.training import distillation, fit, label_propagation, linear_probe
from labeltool.training.semi_supervised import may_teach
from labeltool.training.unlabelled_pool import Pool

Float32 = Float32
Indices = Int64


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
            sha256 = files.content_hash(found[0])
            clips.append(StoredClip(0, 0, str(found[0]), sha256, 0.0, 5.0, int(row["fold"]), row["src_file"]))
            labels.append(row["category"])
    return clips, labels


def drawn(kinds: Indices, count: int, seed: int) -> Indices:
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


@dataclass(frozen=True, slots=True)
class Material:
    """What all runs of a call share.

    Attributes
    ----------
    settings
        But for the seed.
    targets : (clips, labels) float32
    log_mels : (frames, mels) float32, dB, one a clip
    teacher
        None without one.
    heard_in
        Folder of what it hears.
    """

    configuration: Configuration
    frontend: Frontend
    settings: fit.TrainingSettings
    clips: list[StoredClip]
    names: list[str]
    targets: Float32
    log_mels: list[Float32]
    teacher: Ear | None
    heard_in: Path
    backbone: pretrained_weights.Weights | None


def gathered(options: argparse.Namespace) -> Material:
    """Read the clips and what goes with them."""
    ear = open_ear(options.ear, rate_hz=16_000, embedding=True) if options.ear else None
    frontend = frontend_by(options.arch, None, options.ear, ear.card) if ear else networks.frontend_of(options.arch)
    frontend = configured(frontend, options.pairs, "frontend")
    settings = configured(fit.settings_for(options.arch), options.pairs, "")
    settings = replace(settings, augmentation=configured(settings.augmentation, options.pairs, "augmentation"))
    clips, labels = clips_of(options.data)
    names = sorted(set(labels))
    cache = FeatureCache(options.cache, frontend, EarFrames(options.ear, ear.card, frontend) if ear else None)
    cache.compute(clips)
    return Material(
        Configuration(
            options.arch,
            options.labels,
            options.questions,
            not options.no_pool,
            options.teacher and options.teacher.name,
            options.backbone and options.backbone.name,
            tuple(sorted(options.pairs)),
            options.ear and options.ear.name,
        ),
        frontend,
        settings,
        clips,
        names,
        np.eye(len(names), dtype=np.float32)[[names.index(label) for label in labels]],
        [cache.log_mel(clip) for clip in clips],
        open_ear(options.teacher, rate_hz=16_000, embedding=True) if options.teacher else None,
        options.cache / "teacher",
        pretrained_weights.read_weights(options.backbone) if options.backbone else None,
    )


def heard(material: Material, ear: Ear, which: Sequence[int]) -> Float32:
    """Return a teacher's embeddings of some clips, (clips, width)."""
    clips = [material.clips[i] for i in which]
    embeddings, failed = clip_cache.embed_clips(ear, material.heard_in, clips, report=lambda *_: None)
    for error in failed.values():
        raise error
    return np.stack([embeddings[clip.key] for clip in clips])


def asked_for(material: Material, ear: Ear, learn: Indices, seed: int) -> Indices:
    """Choose clips to label by the questions a strategy asks, answered as the data set has it; indices, ascending.

    Ten at first, then eight by what the teacher's classifier makes of the rest: no network is trained for it.
    """
    asked = material.configuration
    assert asked.labels is not None and asked.questions is not None
    embeddings, targets = heard(material, ear, learn), material.targets[learn]
    rows = hellinger(embeddings).astype(np.float32)
    chosen = np.array([], np.int64)
    while len(chosen) < asked.labels:
        rest = np.setdiff1d(np.arange(len(learn)), chosen)
        met = len(np.unique(targets[chosen].argmax(axis=1))) if len(chosen) else 0
        said = None
        if met > 1:
            present = targets[chosen]
            tell = linear_probe.taught("softmax", embeddings[chosen], present, np.zeros_like(present), embeddings[rest])
            said = tell(embeddings[rest])
        pool = strategies.Pool(rows[rest], [material.clips[learn[i]].group for i in rest], rows[chosen], said)
        count = min(8 if len(chosen) else 10, asked.labels - len(chosen))
        chosen = np.concatenate([chosen, rest[strategies.rank(asked.questions, pool, seed=seed, count=count)[:count]]])
    return np.sort(learn[chosen])


def told_by_teacher(
    material: Material, learn: Indices, rest: Indices, known: Indices
) -> tuple[Float32 | None, list[Float32] | None]:
    """Return what the teacher says of the pool, and its hints for the labelled clips and the pool's.

    What checks the network (what of `learn` is not in `known`) teaches the teacher nothing.
    """
    ear = material.teacher
    if ear is None:
        return None, None
    groups = [material.clips[i].group for i in known]
    said = label_propagation.told_by_ear(heard(material, ear, [*known, *rest]), material.targets[known], groups)
    if material.frontend.kind == "embedding":
        return said, None  # as in a project: what it hears already is no hint
    clips = [material.clips[i] for i in (*known, *rest)]
    hints, failed = distillation.hints_for(ear, material.heard_in, clips, material.frontend, report=lambda *_: None)
    for error in failed.values():
        raise error
    nothing = np.empty((0, 0), np.float32)
    return said, [hints.get(material.clips[i].key, nothing) for i in (*learn, *rest)]


def parted(material: Material, fold: int, seed: int) -> tuple[Indices, Indices, Indices]:
    """Part the clips of a run: to learn from, without a label, to be tested on."""
    folds = np.array([clip.fold for clip in material.clips])
    learn, test = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
    asked = material.configuration
    if not asked.labels:
        return learn, learn[:0], test
    if asked.questions:
        if material.teacher is None:
            raise LabeltoolError("--questions are asked by what a teacher hears", remedy="give --teacher")
        chosen = asked_for(material, material.teacher, learn, seed)
    else:
        chosen = learn[drawn(material.targets[learn].argmax(axis=1), asked.labels, seed)]
    return chosen, np.setdiff1d(learn, chosen) if asked.pool else learn[:0], test


def progress(told: Mapping[str, Any]) -> None:
    """Print how far a training is."""
    print(json.dumps(told), file=sys.stderr, flush=True)


def run_fold(material: Material, fold: int, seed: int) -> tuple[Run, fit.Fitted, bytes]:
    """Train with a fold left out and score it: the line of results, what was trained, and it as int8."""
    learn, rest, test = parted(material, fold, seed)
    targets, log_mels, clips = material.targets, material.log_mels, material.clips
    settings = replace(material.settings, seed=seed)
    held = fit.split_validation(targets[learn], [clips[i].group for i in learn], settings)
    # As in a project: no clip of a group that checks, and a share of the groups never goes into the pool.
    checked = {clips[learn[place]].group for place in held}
    may = may_teach([clips[i] for i in rest], checked, settings.validation_share)
    rest = np.array([i for i in rest if clips[i] in may], np.int64)
    known = np.delete(learn, held)
    said, hints = told_by_teacher(material, learn, rest, known)
    pool = Pool(
        [log_mels[i] for i in rest],
        [clips[i].group for i in rest],
        said,
        hints=None if hints is None else hints[len(learn) :],
    )
    if len(pool) and said is None:
        pool = label_propagation.told_by_kin(
            material.configuration.arch,
            material.frontend,
            [log_mels[i] for i in known],
            targets[known],
            [clips[i].group for i in known],
            pool,
            settings=settings,
            backbone=material.backbone,
            on_progress=progress,
        )
    fitted = fit.fit(
        material.configuration.arch,
        material.frontend,
        [log_mels[i] for i in learn],
        targets[learn],
        [clips[i].group for i in learn],
        label_names=material.names,
        settings=settings,
        backbone=material.backbone,
        hints=None if hints is None else hints[: len(learn)],
        pool=pool,
        validation=held,
        on_progress=progress,
    )
    representative = np.concatenate([material.frontend.patches(log_mels[i]) for i in (*known, *rest)])
    tflite = quantization.to_int8(fitted.model, representative)
    run: Run = {"run": material.configuration.run(fold, seed), "version": VERSION, "fold": fold, "seed": seed}
    run["seconds"] = round(fitted.seconds)
    if pool.targets is not None and len(pool):
        run["pool"] = float((pool.targets.argmax(axis=1) == targets[rest].argmax(axis=1)).mean())
    run |= {
        "patches": fitted.patches,
        "validation": fitted.validation_accuracy,
        "temperature": fitted.rule.temperature,
    }
    run |= scored("float", lambda patches: predict.predict(fitted.model, patches), material, test, fitted.rule)
    run |= scored("int8", quantization.Int8Model(tflite).predict, material, test, fitted.rule)
    return run, fitted, tflite


def scored(
    kind: str, score: Callable[[Float32], Float32], material: Material, test: Indices, rule: postprocessing.ClipRule
) -> Run:
    """Return the figures of one kind of the network on the clips of a fold, keys as in a line of results.

    `<kind>_answers` is how sure each clip's first label is, and whether it is right: what calibration is drawn from.
    """
    truth, tested = material.targets[test].argmax(axis=1), [material.log_mels[i] for i in test]
    scores, by_clip = predict.clip_probabilities(score, material.frontend, tested, rule)
    right = scores.argmax(axis=1) == truth
    patch_right = [(one.argmax(axis=1) == label).mean() for one, label in zip(by_clip, truth, strict=True)]
    run: Run = {
        kind: float(right.mean()),
        f"{kind}_ece": round(metrics.expected_calibration_error(scores.max(axis=1), right), 4),
        f"{kind}_patch": round(float(np.mean(patch_right)), 4),
        f"{kind}_answers": [[round(float(sure), 5), int(one)] for sure, one in zip(scores.max(1), right, strict=True)],
    }
    if kind == "float":
        names = material.names
        run["wrong"] = [
            f"{names[label]}>{names[said.argmax()]}" for label, said in zip(truth[~right], scores[~right], strict=True)
        ]
    return run


def keep(folder: Path, fitted: fit.Fitted, tflite: bytes, name: str) -> None:
    """Keep a trained network, as Keras has it and as int8."""
    folder.mkdir(parents=True, exist_ok=True)
    fitted.model.save(folder / f"{name}.keras")
    (folder / f"{name}.tflite").write_bytes(tflite)


def train(options: argparse.Namespace) -> None:
    """Run what is asked and not yet in the results."""
    material = gathered(options)
    for seed in options.seeds:
        for fold in options.folds:
            # Read anew each time: another process may have done it.
            done = {run["run"] for run in read(options.results)} if options.results.exists() else set()
            if material.configuration.run(fold, seed) in done:
                continue
            run, fitted, tflite = run_fold(material, fold, seed)
            if options.keep:
                keep(options.keep, fitted, tflite, f"fold{fold}-seed{seed}")
            append(options.results, run)
            print(json.dumps(run), flush=True)


def asked() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", type=Path, nargs="*", metavar="DATA_DIR or SIMULATED.json")
    task = parser.add_mutually_exclusive_group(required=True)
    task.add_argument("--results", type=Path, metavar="RESULTS", help="train what is not there yet")
    task.add_argument("--table", type=Path, metavar="RESULTS", help="Markdown on stdout")
    task.add_argument("--curves", type=Path, metavar="RESULTS", help="PNG into the folder of -o")
    parser.add_argument("-o", "--output", type=Path, metavar="DIR")
    parser.add_argument("--folds", type=int, nargs="+", default=[1, 2, 3, 4])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--arch", default=networks.DEFAULT_ARCHITECTURE)
    parser.add_argument("--labels", type=int, help="so many labelled clips; the rest of the training folds is the pool")
    parser.add_argument("--questions", metavar="STRATEGY", help="these labels are asked for, not drawn: default, ...")
    parser.add_argument("--no-pool", action="store_true")
    parser.add_argument("--teacher", type=Path)
    parser.add_argument("--backbone", type=Path)
    parser.add_argument("--ear", type=Path)
    parser.add_argument("--set", dest="pairs", nargs="*", default=[])
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "labeltool-esc10-cache")
    parser.add_argument("--keep", type=Path, help="folder for the trained networks (.keras, .tflite)")
    options = parser.parse_args()
    if options.results and len(options.paths) != 1:
        parser.error("--results takes one DATA_DIR")
    if options.results and bool(options.ear) != options.arch.startswith("embedding"):
        parser.error("--ear goes with an architecture over embeddings, and none of them without it")
    if options.table and options.paths:
        parser.error("--table takes no further file")
    if bool(options.curves) != bool(options.output):
        parser.error("--curves and -o go together")
    options.data = options.paths[0] if options.results else None
    return options


def main() -> None:
    """Train, or tell what was trained."""
    options = asked()
    try:
        if options.results:
            train(options)
        elif options.table:
            print(markdown(rows(read(options.table), options.folds), options.folds), end="")
        else:
            import esc10_curves

            found = rows(read(options.curves), options.folds)
            for path in esc10_curves.draw(found, options.paths, options.output):
                print(path)
    except LabeltoolError as error:
        sys.exit(f"esc10: {error}")
    except KeyboardInterrupt:
        print("esc10: interrupted; every finished run is written, the same command goes on", file=sys.stderr)
        sys.exit(ExitCode.INTERRUPTED)


if __name__ == "__main__":
    main()
