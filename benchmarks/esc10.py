"""Leave-one-fold-out on ESC-10: train on the other folds, test on that fold, float and int8.

    python benchmarks/esc10.py DATA_DIR --folds 1 2 3 4 --seeds 0 --results RESULTS.jsonl [--set batch=32]
    python benchmarks/esc10.py --table RESULTS.jsonl > table.md
    python benchmarks/esc10.py --curves RESULTS.jsonl [SIMULATED.json ...] -o DIR

DATA_DIR holds `audio/` and `meta/esc50.csv` as published; folds without files have no part. One JSON line per run is
appended to RESULTS; runs already in it (same settings, fold, seed) are not repeated, so that the same command continues
after an interruption; several processes may share one RESULTS, each with folds or seeds of its own. `--set` names
fields of `TrainingSettings`, `Augmentation` (`augmentation.mix_share=1`) and the frontend (`frontend.floor=1e-4`). With
`--labels 32` that many clips of the training folds keep their labels, drawn by seed and evenly over the labels; the
others are the pool, as in a project (`--no-pool` excludes them). With `--query-strategy default` that strategy chooses
the labelled clips by the teacher model's embeddings. `--teacher` and `--backbone` are those of `labeltool retrain`;
`--pretrained` is the file of the pretrained model whose embeddings `--arch embedding-mlp` takes.

`--table` and `--curves` train nothing. They average over `--folds`: a configuration that lacks one has no mean.
SIMULATED are outputs of `labeltool simulate --json`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from esc10_clips import draw_evenly, query_clips, read_clips
from esc10_results import VERSION, Configuration, Run, append, markdown, read, rows

from labeltool.audio.descriptors import hellinger_embeddings
from labeltool.audio.feature_cache import FeatureCache
from labeltool.audio.frontend import Frontend
from labeltool.errors import ExitCode, LabeltoolError
from labeltool.evaluation import metrics
from labeltool.networks import build as networks
from labeltool.networks import postprocessing, predict, pretrained_weights, quantization
from labeltool.pretrained import clip_cache
from labeltool.pretrained.embedding_frames import EmbeddingFrames, embedding_frontend
from labeltool.pretrained.probe import open_model
from labeltool.records import StoredClip
from labeltool.training import fit, label_propagation
from labeltool.training.loop import TrainingProgress
from labeltool.training.semi_supervised import Teacher, gather_unlabelled
from labeltool.training.targets import TrainingSet
from labeltool.training.training_data import TrainingData
from labeltool.type_aliases import Float32, Int64

_RATE_HZ = 16_000
"""Sample rate of pretrained models whose file does not give one."""


@dataclass(frozen=True, slots=True)
class Material:
    """What all runs of a call share.

    Attributes
    ----------
    settings
        Without the seed.
    targets : (clips, labels) float32
    frames : (frames, columns) float32, one array a clip
    cache
        Where the frames are kept.
    teacher
        None without one.
    """

    configuration: Configuration
    settings: fit.TrainingSettings
    clips: list[StoredClip]
    names: list[str]
    targets: Float32
    frames: list[Float32]
    cache: FeatureCache
    teacher: Teacher | None
    backbone: pretrained_weights.Weights | None

    @property
    def frontend(self) -> Frontend:
        """The network's frontend."""
        return self.cache.frontend

    def groups(self, which: Int64) -> list[str]:
        """Return the groups of some clips."""
        return [self.clips[i].group for i in which]


def configured(settings: Any, pairs: list[str], prefix: str) -> Any:
    """Apply the `name=value` pairs under a prefix to a frozen dataclass."""
    for pair in pairs:
        name, value = pair.split("=", 1)
        head, _, field = name.rpartition(".")
        if head == prefix:
            settings = replace(settings, **{field: json.loads(value)})
    return settings


def configuration_of(options: argparse.Namespace) -> Configuration:
    """Return the configuration that the command line describes."""
    return Configuration(
        options.arch,
        options.labels,
        options.query_strategy,
        not options.no_pool,
        options.teacher and options.teacher.name,
        options.backbone and options.backbone.name,
        tuple(sorted(options.pairs)),
        options.pretrained and options.pretrained.name,
    )


def cache_of(options: argparse.Namespace) -> FeatureCache:
    """Return the feature cache of the network's frontend."""
    if options.pretrained is None:
        return FeatureCache(options.cache, configured(networks.frontend_of(options.arch), options.pairs, "frontend"))
    card = open_model(options.pretrained, rate_hz=_RATE_HZ, embedding=True).card
    frontend = embedding_frontend(options.arch, None, options.pretrained, card)
    frontend = configured(frontend, options.pairs, "frontend")
    return FeatureCache(options.cache, frontend, EmbeddingFrames(options.pretrained, card, frontend))


def read_material(options: argparse.Namespace) -> Material:
    """Read the clips and everything that the runs need."""
    settings = configured(fit.settings_for(options.arch), options.pairs, "")
    settings = replace(settings, augmentation=configured(settings.augmentation, options.pairs, "augmentation"))
    clips, labels = read_clips(options.data)
    names = sorted(set(labels))
    cache = cache_of(options)
    cache.compute(clips)
    teacher = None
    if options.teacher:
        model = open_model(options.teacher, rate_hz=_RATE_HZ, embedding=True)
        teacher = Teacher(model, options.cache / "teacher")
    return Material(
        configuration_of(options),
        settings,
        clips,
        names,
        np.eye(len(names), dtype=np.float32)[[names.index(label) for label in labels]],
        [cache.log_mel(clip) for clip in clips],
        cache,
        teacher,
        pretrained_weights.read_weights(options.backbone) if options.backbone else None,
    )


def chosen_by_strategy(material: Material, train: Int64, seed: int) -> Int64:
    """Return the clips of the training folds that the query strategy chooses, ascending."""
    configuration, teacher = material.configuration, material.teacher
    if teacher is None:
        raise LabeltoolError("--query-strategy compares clips by a teacher's embeddings", remedy="give --teacher")
    assert configuration.labels is not None and configuration.query_strategy is not None
    clips = [material.clips[i] for i in train]
    by_key, failed = clip_cache.embed_clips(teacher.model, teacher.directory, clips, report=lambda *_: None)
    for error in failed.values():
        raise error
    embeddings = np.stack([by_key[clip.key] for clip in clips])
    order = query_clips(
        configuration.query_strategy,
        hellinger_embeddings(embeddings).astype(np.float32),
        embeddings,
        material.targets[train],
        [clip.group for clip in clips],
        configuration.labels,
        seed,
    )
    return np.sort(train[order])


def split_clips(material: Material, fold: int, seed: int) -> tuple[Int64, Int64, Int64]:
    """Return the clips of a run by their part: labelled, unlabelled, test."""
    folds = np.array([clip.fold for clip in material.clips])
    train, test = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
    configuration = material.configuration
    if not configuration.labels:
        return train, train[:0], test
    if configuration.query_strategy:
        labelled = chosen_by_strategy(material, train, seed)
    else:
        labelled = train[draw_evenly(material.targets[train].argmax(axis=1), configuration.labels, seed)]
    return labelled, np.setdiff1d(train, labelled) if configuration.pool else train[:0], test


def print_progress(progress: TrainingProgress) -> None:
    """Print how far a training is, on stderr."""
    print(json.dumps(asdict(progress)), file=sys.stderr, flush=True)


def run_fold(material: Material, fold: int, seed: int) -> tuple[Run, fit.FitResult, bytes]:
    """Train without a fold and test on it; return the line of results, the trained network, and it as int8."""
    labelled, unlabelled, test = split_clips(material, fold, seed)
    settings = replace(material.settings, seed=seed)
    present = material.targets[labelled]
    held_out = fit.split_validation(present, material.groups(labelled), settings)
    training_set = TrainingSet(
        clips=tuple(material.clips[i] for i in labelled),
        labels=tuple(material.names),
        head="softmax",
        background=None,
        present=present,
        absent=np.zeros_like(present),
        multi_label_clips=0,
        assumed_absent=(),
    )
    beside = gather_unlabelled(
        material.cache,
        training_set,
        held_out,
        [material.clips[i] for i in unlabelled],
        settings,
        teacher=material.teacher,
        report=lambda *_: None,
    )
    data = TrainingData(
        material.frontend,
        [material.frames[i] for i in labelled],
        training_set.present,
        training_set.absent,
        training_set.groups,
        training_set.labels,
        distillation_targets=beside.distillation_targets,
    )
    train_data = data.only(np.setdiff1d(np.arange(len(data)), held_out))
    start, pool = fit.InitialNetwork(material.configuration.arch, backbone=material.backbone), beside.pool
    if len(pool) and material.teacher is None:
        pool = label_propagation.propagate_labels(start, train_data, pool, settings, on_progress=print_progress)
    result = fit.fit(start, data, settings, pool=pool, validation=held_out, on_progress=print_progress)
    patches = np.concatenate([material.frontend.patches(one) for one in (*train_data.frames, *pool.frames)])
    int8 = quantization.to_int8(result.model, patches)
    run: Run = {"run": material.configuration.run(fold, seed), "version": VERSION, "fold": fold, "seed": seed}
    run["seconds"] = round(result.seconds)
    if pool.targets is not None and len(pool):
        true = material.targets[[clip.id for clip in beside.features.clips]]
        run["pool"] = float((pool.targets.argmax(axis=1) == true.argmax(axis=1)).mean())
    run |= {
        "patches": result.patches,
        "validation": result.validation_accuracy,
        "temperature": result.rule.temperature,
    }
    run |= scored("float", lambda patches: predict.predict(result.model, patches), material, test, result.rule)
    run |= scored("int8", quantization.Int8Model(int8).predict, material, test, result.rule)
    return run, result, int8


def scored(
    kind: str, score: Callable[[Float32], Float32], material: Material, test: Int64, rule: postprocessing.ClipRule
) -> Run:
    """Return the figures of one kind of the network on the clips of a fold, keys as in a line of results.

    `<kind>_predictions` has the probability of each clip's most probable label and whether that is correct; calibration
    is computed from them.
    """
    truth, tested = material.targets[test].argmax(axis=1), [material.frames[i] for i in test]
    scores, by_clip = predict.clip_probabilities(score, material.frontend, tested, rule)
    predicted, confidence = scores.argmax(axis=1), scores.max(axis=1)
    correct = predicted == truth
    patch_correct = [(one.argmax(axis=1) == label).mean() for one, label in zip(by_clip, truth, strict=True)]
    run: Run = {
        kind: float(correct.mean()),
        f"{kind}_ece": round(metrics.expected_calibration_error(confidence, correct), 4),
        f"{kind}_patch": round(float(np.mean(patch_correct)), 4),
        f"{kind}_predictions": [
            [round(float(one), 5), int(is_correct)] for one, is_correct in zip(confidence, correct, strict=True)
        ],
    }
    if kind == "float":
        wrong = np.flatnonzero(~correct)
        run["wrong"] = [f"{material.names[truth[i]]}>{material.names[predicted[i]]}" for i in wrong]
    return run


def keep(folder: Path, result: fit.FitResult, int8: bytes, name: str) -> None:
    """Write a trained network, as a Keras model and as int8."""
    folder.mkdir(parents=True, exist_ok=True)
    result.model.save(folder / f"{name}.keras")
    (folder / f"{name}.tflite").write_bytes(int8)


def train_runs(options: argparse.Namespace) -> None:
    """Do the runs that are not in the results yet."""
    material = read_material(options)
    for seed in options.seeds:
        for fold in options.folds:
            # Read again each time: another process may have done it.
            done = {run["run"] for run in read(options.results)} if options.results.exists() else set()
            if material.configuration.run(fold, seed) in done:
                continue
            run, result, int8 = run_fold(material, fold, seed)
            if options.keep:
                keep(options.keep, result, int8, f"fold{fold}-seed{seed}")
            append(options.results, run)
            print(json.dumps(run), flush=True)


def parse_options() -> argparse.Namespace:
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
    parser.add_argument("--labels", type=int, help="labelled clips; the rest of the training folds is the pool")
    parser.add_argument("--query-strategy", metavar="NAME", help="chooses the labelled clips, else drawn at random")
    parser.add_argument("--no-pool", action="store_true")
    parser.add_argument("--teacher", type=Path)
    parser.add_argument("--backbone", type=Path)
    parser.add_argument("--pretrained", type=Path)
    parser.add_argument("--set", dest="pairs", nargs="*", default=[])
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "labeltool-esc10-cache")
    parser.add_argument("--keep", type=Path, help="folder for the trained networks (.keras, .tflite)")
    options = parser.parse_args()
    if options.results and len(options.paths) != 1:
        parser.error("--results takes one DATA_DIR")
    if options.results and bool(options.pretrained) != options.arch.startswith("embedding"):
        parser.error("--pretrained goes with an architecture over embeddings, and none of them without it")
    if options.table and options.paths:
        parser.error("--table takes no further file")
    if bool(options.curves) != bool(options.output):
        parser.error("--curves and -o go together")
    options.data = options.paths[0] if options.results else None
    return options


def main() -> None:
    """Train, or print or draw the results."""
    options = parse_options()
    try:
        if options.results:
            train_runs(options)
        elif options.table:
            print(markdown(rows(read(options.table), options.folds), options.folds), end="")
        else:
            import esc10_curves

            results = rows(read(options.curves), options.folds)
            for path in esc10_curves.draw(results, options.paths, options.output):
                print(path)
    except LabeltoolError as error:
        sys.exit(f"esc10: {error}")
    except KeyboardInterrupt:
        print("esc10: interrupted; every finished run is written, the same command continues", file=sys.stderr)
        sys.exit(ExitCode.INTERRUPTED)


if __name__ == "__main__":
    main()
