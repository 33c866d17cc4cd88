"""Time of a warm retraining by stage: 20 new labels, new suggestions for 400 clips.

    python benchmarks/warm.py ESC_DIR [MORE ...] [--clips 400] [--labelled 240] [--new-labels 20] [--first-budget 60]

ESC_DIR is ESC-50 as published, of which ESC-10 is imported; where it has fewer than `--clips` clips, others of five
seconds are cut from the sound files MORE. `--labelled` of them, drawn by seed, keep their labels, the others are
unlabelled. A first model is trained from scratch within `--first-budget` seconds; then the first clips of the queue get
their true label by `labeltool mark`, and `labeltool retrain` is timed from the command line, as a person waits for it.
It prints one JSON object: seconds in all and by stage, processor time of all processes, and the accuracies.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))  # records as the tests read them

from commands import labeltool

from helpers.records import one_by_one, read_esc50
from labeltool import project as projects
from labeltool.annotation.next_clips import next_clips
from labeltool.importers import audio_files
from labeltool.project import Project
from labeltool.records import Clip, Imported, Verdict
from labeltool.store.importing import import_records

CLIP_S, HOP_S = 5.0, 0.4
ANNOTATOR = "benchmark"

TrueLabels = dict[tuple[str, float], str]
"""The label of a clip by its recording's SHA-256 and its start in seconds."""


def make_project(
    folder: Path, data: Path, more: Sequence[Path], clips: int, labelled: int
) -> tuple[Project, TrueLabels]:
    """Make a project of a number of clips; return it and the true labels of its unlabelled clips, where known."""
    records = list(one_by_one(read_esc50(data, "esc10")))
    verdicts = [record for record in records if isinstance(record, Verdict)]
    kept = {verdicts[i].clip for i in np.random.default_rng(0).permutation(len(verdicts))[:labelled]}
    project = projects.create(folder)
    with project.open_store() as store:
        imported = [one for one in records if not isinstance(one, Verdict) or one.clip in kept]
        import_records(store, iter(imported), kind="esc50", source="benchmark")
        if more:
            missing = clips - sum(isinstance(record, Clip) for record in records)
            extra = first_clips(audio_files.read(more, CLIP_S, HOP_S), missing)
            import_records(store, extra, kind="audio", source="benchmark")
    return project, {
        (one.clip.recording_sha256, one.clip.start_s): one.label
        for one in verdicts
        if one.clip not in kept and one.label
    }


def first_clips(records: Iterator[Imported], max_clips: int) -> Iterator[Imported]:
    """Yield records up to a number of clips."""
    for record in records:
        if isinstance(record, Clip):
            if max_clips <= 0:
                return
            max_clips -= 1
        yield record


def label_clips(project: Project, true_labels: TrueLabels, count: int) -> None:
    """Label the first clips of the queue whose true label is known."""
    with project.open_store() as store:
        queued = next_clips(store, 10 * count, annotator=ANNOTATOR)
    for clip in [clip for clip in queued if (clip.sha256, clip.start_s) in true_labels][:count]:
        label = true_labels[clip.sha256, clip.start_s]
        labeltool("mark", clip.id, label, "--annotator", ANNOTATOR, project=project.directory)


def timed_retrain(project: Project, *options: str) -> dict[str, Any]:
    """Retrain as a process of its own; return seconds, processor seconds, stages and the accuracies."""
    taken = labeltool("retrain", "--json", *options, project=project.directory)
    result = taken.json()
    stages = dict(result["stages"])
    # No stage includes the start and the end of two interpreters.
    stages["processes"] = round(taken.wall_s - sum(stages.values()), 2)
    names = ("arch", "labels_seen", "pool_clips", "suggestions", "warm", "clip_accuracy", "int8_clip_accuracy")
    return {
        "seconds": round(taken.wall_s, 1),
        "processor_seconds": round(taken.processor_s, 1),
        "stages": stages,
        **{name: result[name] for name in names},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, metavar="ESC_DIR")
    parser.add_argument("more", type=Path, metavar="MORE", nargs="*")
    parser.add_argument("--clips", type=int, default=400)
    parser.add_argument("--labelled", type=int, default=240)
    parser.add_argument("--new-labels", type=int, default=20)
    parser.add_argument("--first-budget", type=float, default=60.0, help="seconds for the first training")
    parser.add_argument(
        "--trunk", type=Path, metavar="YAMNET.tflite", help="time yamnet256 on the layers of this model"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        project, true_labels = make_project(
            Path(folder) / "project", options.data, options.more, options.clips, options.labelled
        )
        if options.trunk is None:
            labeltool("retrain", "--budget", options.first_budget, project=project.directory)
            arch = ()
        else:
            labeltool("model", "add", options.trunk, project=project.directory)
            arch = ("--arch", "yamnet256")
            labeltool("retrain", *arch, project=project.directory)
        label_clips(project, true_labels, options.new_labels)
        print(json.dumps(timed_retrain(project, *arch)), flush=True)


if __name__ == "__main__":
    main()
