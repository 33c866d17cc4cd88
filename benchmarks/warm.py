"""Where the time of a warm retrain goes: 20 answers more, fresh suggestions for 400 clips.

    python benchmarks/warm.py ESC_DIR [MORE ...] [--clips 400] [--labelled 240] [--answers 20] [--first 60]

ESC_DIR is ESC-50 as published, its part ESC-10 is taken; where that has fewer clips than wanted, others of five
seconds are cut from the sound files MORE. `--labelled` of them, drawn by seed, keep their label, the others wait. A
first model is trained from scratch within `--first` seconds; then the clips asked about first get their true label by
`labeltool mark`, and `labeltool retrain` is timed from the command line, as a person waits for it. It prints one JSON
object: seconds in all, what each stage took, processor time of all processes, and the accuracies.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from labeltool import project as projects
from labeltool.annotation.next_clips import next_clips
from labeltool.importers import audio_files, esc50
from labeltool.project import Project
from labeltool.records import Clip, Imported, Verdict
from labeltool.store.importing import take_in

CLIP_S, HOP_S = 5.0, 0.4
ANNOTATOR = "benchmark"


def make_project(
    folder: Path, data: Path, more: Sequence[Path], clips: int, labelled: int
) -> tuple[Project, dict[tuple[str, float], str]]:
    """Make a project of so many clips; return it and the labels of those that wait and have one."""
    records = list(esc50.read(data, "esc10"))
    said = [record for record in records if isinstance(record, Verdict)]
    kept = {said[place].clip for place in np.random.default_rng(0).permutation(len(said))[:labelled]}
    project = projects.create(folder)
    with project.open_store() as store:
        held_back = [one for one in records if not isinstance(one, Verdict) or one.clip in kept]
        take_in(store, iter(held_back), kind="esc50", source="benchmark")
        if more:
            wanted = clips - sum(isinstance(record, Clip) for record in records)
            take_in(store, first_clips(audio_files.read(more, CLIP_S, HOP_S), wanted), kind="audio", source="benchmark")
    return project, {
        (one.clip.recording_sha256, one.clip.start_s): one.label for one in said if one.clip not in kept and one.label
    }


def first_clips(records: Iterator[Imported], wanted: int) -> Iterator[Imported]:
    """Yield records until there were so many clips."""
    for record in records:
        if isinstance(record, Clip):
            if wanted <= 0:
                return
            wanted -= 1
        yield record


def labeltool(project: Project, *arguments: object) -> str:
    """Run a command as a person would and return what it printed."""
    command = [sys.executable, "-m", "labeltool", "--project", str(project.directory), *map(str, arguments)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def answer(project: Project, truth: dict[tuple[str, float], str], answers: int) -> None:
    """Give the clips that are asked about first, and whose label is known, their label."""
    with project.open_store() as store:
        asked = next_clips(store, 10 * answers, annotator=ANNOTATOR)
    known = [clip for clip in asked if (clip.sha256, clip.start_s) in truth][:answers]
    for clip in known:
        labeltool(project, "mark", clip.id, truth[clip.sha256, clip.start_s], "--annotator", ANNOTATOR)


def timed_retrain(project: Project) -> dict[str, Any]:
    """Retrain as a process of its own; return seconds, processor seconds, stages and what was learnt."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    told = json.loads(labeltool(project, "retrain", "--json"))
    seconds, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    stages = dict(told["stages"])
    # What no stage counts: two interpreters that start and end.
    stages["processes"] = round(seconds - sum(stages.values()), 2)
    learnt = ("labels_seen", "pool_clips", "suggestions", "warm", "clip_accuracy", "int8_clip_accuracy")
    return {
        "seconds": round(seconds, 1),
        "processor_seconds": round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 1),
        "stages": stages,
        **{name: told[name] for name in learnt},
    }


def main() -> None:
    """Build the scenario, measure, print."""
    asked = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    asked.add_argument("data", type=Path, metavar="ESC_DIR")
    asked.add_argument("more", type=Path, metavar="MORE", nargs="*")
    asked.add_argument("--clips", type=int, default=400)
    asked.add_argument("--labelled", type=int, default=240)
    asked.add_argument("--answers", type=int, default=20)
    asked.add_argument("--first", type=float, default=60.0, help="seconds for the first training")
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        project, truth = make_project(Path(folder) / "project", given.data, given.more, given.clips, given.labelled)
        labeltool(project, "retrain", "--budget", given.first)
        answer(project, truth, given.answers)
        print(json.dumps(timed_retrain(project)), flush=True)


if __name__ == "__main__":
    main()
