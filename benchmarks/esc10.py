"""Leave one fold out: what the product makes of the other folds is tested on that fold, float and int8.

    python benchmarks/esc10.py DATA --results RESULTS.jsonl [--arch yamnet256 --labels all 10 32 --pretrained MODEL ...]
    python benchmarks/esc10.py --table RESULTS.jsonl > table.md
    python benchmarks/esc10.py --curves RESULTS.jsonl [SIMULATED.json ...] -o DIR

DATA is a folder as published: of ESC-50 (`--subset esc10` for that part of it), UrbanSound8K, or the Free Spoken Digit
Dataset (`recordings/`; each speaker is a fold). A run imports it into a scratch project, trains as `labeltool retrain`
does, and measures the model's folder. Files that are missing are skipped, a fold without files has no part.

One JSON line per run is appended to RESULTS; runs that are there are not repeated, so that the same command continues
after an interruption, and several processes, each with the same command, share the work. Before each run stderr
shows how many are left, and the time and memory of those of the same kind that are done.

With `--labels 32` that many clips of the training folds keep their labels, drawn by seed and evenly over the labels, or
chosen by `--query-strategy`, which compares the embeddings of the teacher or pretrained model; the others are the pool,
as in a project (`--no-pool` excludes them). `--teacher` and `--backbone` are those of `labeltool retrain`;
`--pretrained` is the file of the model whose layers or embeddings an architecture takes. `--set` gives fields of
`TrainingSettings` (`batch=64`), `Augmentation` (`augmentation.mix_share=1`), the frontend (`frontend.hop=640`), the
table `[learning]` of the settings (`learning.trunk_layers=9`) and `TrainingRequest` (`request.finetune=true`).

`--table` and `--curves` train nothing. They average over `--folds`, by default all that a data set has runs of: a
configuration that lacks one has no mean. SIMULATED are outputs of `labeltool simulate --json`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from esc10_clips import draw_evenly, query_clips, read_dataset
from esc10_results import Configuration, Job, Predictions, Run, append, markdown, read, rows

from labeltool import project as projects
from labeltool.audio.descriptors import hellinger_embeddings
from labeltool.audio.frontend import EmbeddingFrontend, Frontend, LogMelFrontend
from labeltool.errors import ExitCode, LabeltoolError
from labeltool.exporters.stm32.tflite.graph import read_graph
from labeltool.exporters.stm32.tflite.lowering import lower
from labeltool.exporters.stm32.tflite.memory_plan import plan_arena
from labeltool.exporters.stm32.tflite.summary import read_network
from labeltool.inference import scoring
from labeltool.inference.clip_features import compute_features, feature_cache_of_model
from labeltool.networks import model_folder
from labeltool.networks.architectures import DEFAULT_ARCHITECTURE, architecture
from labeltool.pretrained import clip_cache, registry
from labeltool.pretrained.probe import open_model
from labeltool.project import Project
from labeltool.records import LabelledClip, StoredClip
from labeltool.settings import LearningSettings
from labeltool.store import clips
from labeltool.store.importing import import_records
from labeltool.tasks.process import tensorflow_environment
from labeltool.training import fit
from labeltool.training.augmentation.samplers import Augmentation
from labeltool.training.prepare import TrainingRequest, make_request
from labeltool.training.stratified_groups import groups_of_fold
from labeltool.training.targets import build_training_set, no_such_fold_error
from labeltool.training.train_model import train_model
from labeltool.util.files.locks import try_lock
from labeltool.util.files.writable import write_instead

_RATE_HZ = 16_000
"""Sample rate of pretrained models whose file does not give one."""

_REPORT_EVERY_S = 15

_WITH_BIASES = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")

_SETTABLE = {
    "": fit.TrainingSettings,
    "augmentation": Augmentation,
    "frontend": LogMelFrontend,
    "learning": LearningSettings,
    "request": TrainingRequest,
}
"""What `--set` changes, by the prefix of the names."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What all runs of a call share: the command line, the scratch project, and its clips."""

    options: argparse.Namespace
    name: str
    project: Project
    labelled: list[LabelledClip]


@dataclass(frozen=True)
class OtherFrontend(TrainingRequest):
    """A request for a network with a frontend that no architecture has."""

    changed: dict[str, Any] = field(default_factory=dict)

    @property
    def frontend(self) -> Frontend:
        """The architecture's, changed."""
        return replace(super().frontend, **self.changed)


def report(stage: str, done: int, total: int, text: str = "", /) -> None:
    """Print how far a run is, now and then, on stderr."""
    if time.monotonic() - getattr(report, "last_s", -_REPORT_EVERY_S) >= _REPORT_EVERY_S:
        report.last_s = time.monotonic()
        print(f"  {stage} {done}/{total} {text}" if total else f"  {stage} {text}", file=sys.stderr, flush=True)


def given(pairs: Sequence[str], prefix: str) -> dict[str, Any]:
    """Return the values of the `name=value` pairs under a prefix."""
    values = {}
    for pair in pairs:
        name, _, value = pair.partition("=")
        head, _, last = name.rpartition(".")
        if head == prefix:
            values[last] = json.loads(value)
    return values


def open_bench(options: argparse.Namespace, folder: Path) -> Bench:
    """Make the scratch project in an empty folder; its cache is the one that is kept."""
    project = projects.create(folder)
    options.cache.mkdir(parents=True, exist_ok=True)
    write_instead(project.own_cache, options.cache.resolve())
    learning = replace(project.settings.learning, **given(options.pairs, "learning"))
    project = replace(project, settings=replace(project.settings, learning=learning))
    if options.pretrained:
        registry.add(project, report=report, file=str(options.pretrained))
    name, records = read_dataset(options.data, options.subset)
    with project.open_store() as store:
        skipped = import_records(store, records, kind="benchmark", source=str(options.data)).skipped
        labelled = clips.labelled(store)
    print(f"{name}: {len(labelled)} clips, {len(skipped)} rows skipped", file=sys.stderr)
    return Bench(options, name, project, labelled)


def configurations(options: argparse.Namespace, data: str) -> list[Configuration]:
    """Return what the command line asks for, each architecture with each number of labels."""
    made = []
    for arch in options.arch:
        spec = architecture(arch)
        takes_pretrained = spec.has_trunk or isinstance(spec.frontend, EmbeddingFrontend)
        finetune = given(options.pairs, "request").get("finetune", False)
        refused = ("frontend",) if finetune else ("", "augmentation", "frontend")
        if spec.has_trunk and any(given(options.pairs, prefix) for prefix in refused):
            raise LabeltoolError(f"{arch} has no such settings", remedy="--set learning.NAME= or request.NAME=")
        for labels in options.labels:
            strategy = options.query_strategy if labels else None
            uses_pretrained = takes_pretrained or (strategy and not options.teacher)
            if uses_pretrained and not options.pretrained:
                raise LabeltoolError(f"{arch} needs a pretrained model here", remedy="give --pretrained FILE")
            files = (options.teacher, options.backbone, options.pretrained if uses_pretrained else None)
            names, pool = [path and path.name for path in files], not (labels and options.no_pool)
            made.append(Configuration(data, arch, labels, strategy, pool, *names, tuple(sorted(options.pairs))))
    return made


def chosen_by_strategy(bench: Bench, train: Sequence[LabelledClip], configuration: Configuration, seed: int) -> Any:
    """Return the indices of the clips that the query strategy chooses, by the embeddings of the whole model."""
    model = open_model(bench.options.teacher or bench.options.pretrained, rate_hz=_RATE_HZ, embedding=True)
    wanted = [one.clip for one in train]
    by_key, failed = clip_cache.embed_clips(model, bench.project.cache / "teacher", wanted, report=report)
    for error in failed.values():
        raise error
    embeddings = np.stack([by_key[clip.key] for clip in wanted])
    return query_clips(
        str(configuration.query_strategy),
        hellinger_embeddings(embeddings).astype(np.float32),
        embeddings,
        build_training_set(train).present,
        [clip.group for clip in wanted],
        configuration.labels or len(train),
        seed,
    )


def split(bench: Bench, job: Job) -> tuple[list[LabelledClip], list[StoredClip], list[LabelledClip]]:
    """Return the clips of a run by their part: labelled, unlabelled, test."""
    configuration, fold, seed = job
    test = [one for one in bench.labelled if one.clip.fold == fold]
    if not test:
        raise no_such_fold_error(fold, bench.labelled)
    groups = groups_of_fold(bench.labelled, fold)
    train = [one for one in bench.labelled if one.clip.group not in groups]
    if configuration.labels is None:
        return train, [], test
    if configuration.labels > len(train):
        raise LabeltoolError(f"{configuration.labels} labels are more than the {len(train)} clips to train on")
    if configuration.query_strategy:
        kept = chosen_by_strategy(bench, train, configuration, seed)
    else:
        kept = draw_evenly(build_training_set(train).present.argmax(axis=1), configuration.labels, seed)
    labelled = [train[i] for i in sorted(kept)]
    rest = np.setdiff1d(np.arange(len(train)), kept) if configuration.pool else []
    return labelled, [train[i].clip for i in rest], test


def train_settings(pairs: Sequence[str], arch: str, seed: int) -> fit.TrainingSettings | None:
    """Return the training settings that the command line changes; None where it changes none."""
    own, augmentation = given(pairs, ""), given(pairs, "augmentation")
    if not own and not augmentation:
        return None
    settings = fit.settings_for(arch, seed=seed, **own)
    return replace(settings, augmentation=replace(settings.augmentation, **augmentation))


def run(bench: Bench, job: Job, folder: Path) -> Run:
    """Train without a fold into a model's folder, and test it on the fold."""
    (configuration, fold, seed), options, began_s = job, bench.options, time.monotonic()
    labelled, unlabelled, test = split(bench, job)
    more = {"teacher": options.teacher, "backbone": options.backbone, **given(options.pairs, "request")}
    request = make_request(bench.project, configuration.arch, seed=seed, test_fold=fold, **more)
    if changed := given(options.pairs, "frontend"):
        request = OtherFrontend(**{one.name: getattr(request, one.name) for one in fields(request)}, changed=changed)
    settings = train_settings(options.pairs, configuration.arch, seed)
    shutil.rmtree(folder, ignore_errors=True)  # of a run that was interrupted
    folder.mkdir(parents=True)
    train_began_s, training_set = time.monotonic(), build_training_set(labelled)
    train_model(
        bench.project, training_set, request, None, folder, report=report, unlabelled=unlabelled, settings=settings
    )
    trained_s, files = time.monotonic(), model_folder.read(folder)
    as_float, _ = predictions(bench, files, test, scoring.float_predictor(files))
    int8, wrong = predictions(bench, files, test, scoring.int8_feature_predictor(files))
    graph = read_graph(files.int8)
    network, biases = read_network(files.int8), {one.inputs[2] for one in graph.operators if one.name in _WITH_BIASES}
    bias_bytes = sum(graph.tensors[index].constant_bytes for index in biases if index >= 0)
    try:
        ram_kib = plan_arena(lower(graph)).size / 1024
    except LabeltoolError:
        ram_kib = None
    return Run(
        configuration,
        fold,
        seed,
        as_float,
        int8,
        wrong,
        (network.weight_bytes - bias_bytes) / 1024,
        bias_bytes / 1024,
        ram_kib,
        network.macc / 1e6,
        trained_s - train_began_s,
        time.monotonic() - began_s,
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )


def predictions(
    bench: Bench, files: model_folder.ModelFiles, test: Sequence[LabelledClip], predictor: scoring.Predictor
) -> tuple[Predictions, tuple[str, ...]]:
    """Return a model's predictions of the test clips, every one of them counted, and those that are wrong."""
    cache = feature_cache_of_model(bench.project, files)
    features = compute_features(cache, [one.clip for one in test], report=report)
    if features.skipped:
        raise LabeltoolError(features.skipped[0].reason, file=features.skipped[0].file, remedy="every clip counts")
    scores = np.stack(
        [one.probabilities for one in scoring.score_clips(cache.frontend, files.rule, predictor, features.frames)]
    )
    names = [files.labels[best] for best in scores.argmax(axis=1)]
    # A label that no labelled clip had is none of the outputs: its clips are wrong.
    right = [name in one.present for name, one in zip(names, test, strict=True)]
    wrong = [f"{one.present[0]}>{name}" for name, one, ok in zip(names, test, right, strict=True) if not ok]
    return Predictions(tuple(scores.max(axis=1).round(5).tolist()), tuple(right)), tuple(wrong)


def outlook(left: Sequence[Job], done: Sequence[Run]) -> str:
    """Return in words how many runs are left, and how long and how large those of the same kind were that are done."""
    expected, unknown, memory_mib = 0.0, 0, 0.0
    for configuration, _, _ in left:
        like = [one for one in done if one.configuration == configuration]
        kind = (configuration.data, configuration.arch)
        like = like or [one for one in done if (one.configuration.data, one.configuration.arch) == kind]
        expected += median(one.seconds for one in like) if like else 0.0
        unknown += not like
        memory_mib = max([memory_mib, *(one.memory_mib for one in like)])
    parts = [f"{len(left)} runs left"]
    if unknown < len(left):
        parts.append(f"about {expected / 3600:.2f} h and {memory_mib / 1024:.1f} GiB by those of their kind")
    if unknown:
        parts.append(f"{unknown} of them of a kind that was not run yet: known after the first")
    return ", ".join(parts)


def lock_of(job: Job, cache: Path) -> Path:
    """Return the file that is locked while a process does a job."""
    return cache / "runs" / hashlib.sha256(repr(job).encode()).hexdigest()[:16]


def train_runs(options: argparse.Namespace, folder: Path) -> None:
    """Do the runs that are not in the results yet, and that no other process is doing."""
    bench = open_bench(options, folder / "project")
    folds = options.folds or sorted({one.clip.fold for one in bench.labelled if one.clip.fold is not None})
    wanted = configurations(options, bench.name)
    jobs = [(configuration, fold, seed) for seed in options.seeds for configuration in wanted for fold in folds]
    for job in jobs:
        lock = lock_of(job, options.cache)
        with ExitStack() as held:
            try:
                held.enter_context(try_lock(lock, "run"))
            except LabeltoolError:
                continue
            # Read again each time: another process may have done it.
            done = read(options.results) if options.results.exists() else []
            if job in (known := {one.job for one in done}):
                continue
            configuration, fold, seed = job
            print(outlook([one for one in jobs if one not in known], done), file=sys.stderr)
            print(f"{bench.name} {configuration.options}, fold {fold}, seed {seed}", file=sys.stderr, flush=True)
            result = run(bench, job, (options.keep or folder) / f"{configuration.arch}-{lock.name}")
            append(options.results, result)
            right = " / ".join(f"{100 * result.of(kind).accuracy:.1f}" for kind in ("float", "int8"))
            print(f"{configuration.options}, fold {fold}, seed {seed}: {right} % right", flush=True)


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", type=Path, nargs="*", metavar="DATA or SIMULATED.json")
    task = parser.add_mutually_exclusive_group(required=True)
    task.add_argument("--results", type=Path, metavar="RESULTS", help="train what is not there yet")
    task.add_argument("--table", type=Path, metavar="RESULTS", help="Markdown on stdout")
    task.add_argument("--curves", type=Path, metavar="RESULTS", help="PNG into the folder of -o")
    parser.add_argument("-o", "--output", type=Path, metavar="DIR")
    parser.add_argument("--subset", help="esc10: that part of ESC-50")
    parser.add_argument("--folds", type=int, nargs="+", help="default all that there are")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--arch", nargs="+", default=[DEFAULT_ARCHITECTURE])
    parser.add_argument(
        "--labels",
        nargs="+",
        type=lambda text: None if text == "all" else int(text),
        default=[None],
        help="numbers of labelled clips, or all; the rest of the training folds is the pool",
    )
    parser.add_argument("--query-strategy", metavar="NAME", help="chooses the labelled clips, else drawn at random")
    parser.add_argument("--no-pool", action="store_true")
    for name in ("--teacher", "--backbone", "--pretrained"):
        parser.add_argument(name, type=Path, metavar="FILE")
    parser.add_argument("--set", dest="pairs", nargs="*", default=[], metavar="NAME=JSON")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "labeltool-esc10-cache")
    parser.add_argument("--keep", type=Path, help="folder for the models' folders")
    options = parser.parse_args()
    if options.results and len(options.paths) != 1:
        parser.error("--results takes one DATA")
    if options.table and options.paths:
        parser.error("--table takes no further file")
    if bool(options.curves) != bool(options.output):
        parser.error("--curves and -o go together")
    for name in (pair.partition("=")[0] for pair in options.pairs):
        head, _, last = name.rpartition(".")
        if head not in _SETTABLE or last not in {one.name for one in fields(_SETTABLE[head])}:
            parser.error(f"--set: there is no setting {name}")
    options.data = options.paths[0] if options.results else None
    return options


def main() -> None:
    options = parse_options()
    os.environ.update(tensorflow_environment())
    try:
        if options.results:
            with tempfile.TemporaryDirectory(prefix="labeltool-esc10-") as folder:
                train_runs(options, Path(folder))
        elif options.table:
            print(markdown(rows(read(options.table), options.folds)), end="")
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
