"""Events found from five examples a class and a few answers, in hours that are joined of ESC-10 clips.

    labeltool model fetch yamnet
    pip install --group benchmarks
    python benchmarks/find.py ESC_DIR --pretrained yamnet.tflite --folder F --answers 60

The recording is that of `benchmarks/detect.py`. Of each class, examples are drawn by seed and labelled as regions; then
`labeltool find`'s own functions propose events of each class in turn, and an oracle answers: present, with the true
bounds, where the candidate is mostly an event of the class; absent otherwise. `--answers` is the number in all, shared
evenly by the classes. What counts as found at the end is what was accepted or labelled and what is proposed with a
probability of 0.5 or more; examples and answers count as found, as they are in a person's project. One line of JSON a
seed: the scores of `benchmarks/detect.py`, and how often the interval of the estimate has the number of events.

F keeps the project, embeddings too, so that an interrupted run goes on and other seeds take seconds.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
from detect import Events, read_sounds, scores, write_recording

from labeltool import project as projects
from labeltool.importers import audio_files
from labeltool.pretrained import registry
from labeltool.project import Project
from labeltool.records import Value
from labeltool.similarity.find import LISTED_FROM, FindResult, propose
from labeltool.similarity.segment_index import SegmentIndex, segment_index
from labeltool.store import Store, recordings, spans
from labeltool.store.importing import import_records
from labeltool.store.spans import Region

EXAMPLES = 5
NAME = "pretrained"


def report(stage: str, done: int, total: int, text: str = "", /) -> None:
    """Print how far it is, now and then."""
    if not total or done * 100 // total % 5 == 0:
        print(f"{stage}: {done} of {total} {text}", flush=True)


def new_project(folder: Path, recording: Path, pretrained: Path, cache: Path) -> Project:
    """Make a project of a recording, with the embeddings that are kept in a folder beside it."""
    project = projects.create(folder)
    registry.add(project, report=report, file=str(pretrained), name=NAME)
    if cache.exists():
        shutil.copytree(cache, project.cache / "find")
    with project.open_store() as store:
        import_records(store, audio_files.read([recording], None, None), kind="audio", source="benchmark")
    return project


def answer(store: Store, label: str, result: FindResult, truth: Events) -> None:
    """Answer the first question as a person would who makes no mistake."""
    candidate = result.candidates[0]
    recording = recordings.find_recording(store, candidate.recording)

    def overlap_s(event: dict[str, Any]) -> float:
        return float(min(event["offset"], candidate.end_s) - max(event["onset"], candidate.start_s))

    right = max((one for one in truth if one["event_label"] == label), key=overlap_s)
    if overlap_s(right) > 0.5 * min(right["offset"] - right["onset"], candidate.end_s - candidate.start_s):
        spans.annotate_region(store, recording, Region(right["onset"], right["offset"]), label, annotator="oracle")
    else:
        region = Region(candidate.start_s, candidate.end_s)
        spans.annotate_region(store, recording, region, label, Value.ABSENT, annotator="oracle")


def run(store: Store, index: SegmentIndex, truth: Events, answers: int, seed: int) -> dict[str, Any]:
    """Label examples, answer questions, and score what is found."""
    (recording_id,) = index.scans
    recording = recordings.recording(store, recording_id)
    labels = sorted({one["event_label"] for one in truth})
    rng = np.random.default_rng(seed)
    for label in labels:
        events = [one for one in truth if one["event_label"] == label]
        for number in rng.permutation(len(events))[:EXAMPLES]:
            region = Region(events[number]["onset"], events[number]["offset"])
            spans.annotate_region(store, recording, region, label, annotator="oracle")
    began = time.monotonic()
    for number in range(answers):
        label = labels[number % len(labels)]
        answer(store, label, propose(store, index, label, limit=1), truth)
    propose_s = (time.monotonic() - began) / max(1, answers)
    found, inside, widths = [], 0, []
    for label in labels:
        result = propose(store, index, label, limit=1)
        shown = [one for one in spans.annotated_spans(store, recording_id) if one.text == label]
        regions = {
            (one.start_s, one.end_s)
            for one in shown
            if one.value is Value.PRESENT or (one.probability or 0.0) >= LISTED_FROM
        }
        found += [{"label": label, "start_s": start_s, "end_s": end_s} for start_s, end_s in regions]
        low, high = result.interval
        inside += low <= sum(one["event_label"] == label for one in truth) <= high
        widths.append(high - low)
    return {
        "answers": answers,
        "seed": seed,
        "classes": len(labels),
        "intervals_with_the_number": inside,
        "mean_width": round(float(np.mean(widths)), 1),
        "seconds_an_answer": round(propose_s, 2),
        **scores(truth, found),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, metavar="ESC_DIR")
    parser.add_argument("--pretrained", type=Path, required=True, metavar="FILE")
    parser.add_argument("--folder", type=Path, required=True, metavar="F")
    parser.add_argument("--fold", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=10_800.0)
    parser.add_argument("--answers", type=int, nargs="+", default=[0, 60])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    recording = options.folder / f"{options.fold}-{options.seconds:g}s.flac"
    truth = write_recording(recording, read_sounds(options.data, options.fold), options.seconds)
    for seed in options.seeds:
        for answers in options.answers:
            place = options.folder / f"project-{options.fold}-{options.seconds:g}-{seed}-{answers}-{time.time_ns()}"
            embeddings = options.folder / "embeddings"
            project = new_project(place, recording, options.pretrained, embeddings)
            with project.open_store() as store:
                index = segment_index(project, store, NAME, report)
                shutil.copytree(project.cache / "find", embeddings, dirs_exist_ok=True)
                print(json.dumps({"fold": options.fold, **run(store, index, truth, answers, seed)}), flush=True)


if __name__ == "__main__":
    main()
