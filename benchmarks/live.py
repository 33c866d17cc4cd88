"""Processor time of one answer for the classifier that suggests labels in the app.

    python benchmarks/live.py [--clips 100000] [--labelled 1000] [--answers 30]

It makes a project of `--clips` spans of a few synthetic recordings, of which `--labelled` are labelled, with a
pretrained model whose embeddings (2,048 numbers) and class scores (521) are drawn at random around those of 20 labels.
Then `--answers` more clips are labelled; after each the classifier is renewed from the journal and predicts the five
clips that are prepared. It prints one JSON object: milliseconds of processor time of one thread, median and largest,
the same for a fit of everything from nothing, and the ratio of the two.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).parent))  # the projects of `app.py`

from app import make_project

from labeltool.active_learning.live_model import LiveModel
from labeltool.pretrained import registry
from labeltool.pretrained.card import PretrainedCard, write_card
from labeltool.pretrained.class_mapping import LabelMapping
from labeltool.pretrained.class_names import classes_by_name
from labeltool.pretrained.clip_cache import described
from labeltool.pretrained.model import ClipDescription
from labeltool.project import Project
from labeltool.records import LabelledClip, StoredClip, Value
from labeltool.store import clips, journal
from labeltool.tui.background.live import LiveSuggestions

LABELS, WIDTH, CLASSES, AHEAD = 20, 2048, 521, 5


class Model:
    """A pretrained model that computes what a clip's id says."""

    def __init__(self, card: PretrainedCard) -> None:
        self.card = card
        self.kinds = np.abs(np.random.default_rng(0).normal(0, 1, (LABELS, WIDTH))).astype(np.float32)
        self.clip_id = 0

    def describe(self, _: object) -> ClipDescription:
        """Return an embedding and scores of the clip whose id was set."""
        rng = np.random.default_rng(self.clip_id)
        embedding = self.kinds[self.clip_id % LABELS] + np.abs(rng.normal(0, 1, WIDTH)).astype(np.float32)
        scores = rng.uniform(0, 0.1, CLASSES).astype(np.float32)
        scores[self.clip_id % LABELS] = 0.6
        return ClipDescription(embedding, scores, scores)


def add_model(project: Project) -> Model:
    folder = registry.folder(project, "random")
    folder.mkdir(parents=True)
    (folder / "random.tflite").write_bytes(b"random")
    card = PretrainedCard(
        files={"random.tflite": hashlib.sha256(b"random").hexdigest()},
        rate_hz=16_000,
        window=15_600,
        shape=(15_600,),
        classes=tuple(f"class {index}" for index in range(CLASSES)),
        scores="scores",
        embedding="embedding",
    )
    write_card(folder, card)
    return Model(card)


def describe(project: Project, model: Model, wanted: list[StoredClip]) -> list[ClipDescription]:
    """Write what the model computes of clips to the cache, and return it."""
    done = []
    for clip in wanted:
        model.clip_id = clip.id
        done.append(described(model, project.cache / "teacher", clip))  # type: ignore[arg-type]
    return done


def fit_from_nothing(answers: list[tuple[LabelledClip, ClipDescription]], ahead: list[ClipDescription]) -> float:
    """Return the processor time of a fit on all labelled clips and of predicting the next ones, ms."""
    model, names = LiveModel(), [f"label {index}" for index in range(LABELS)]
    card_classes = [f"class {index}" for index in range(CLASSES)]
    before_s = time.thread_time()
    model.set_answers(answers)
    model.renew(
        names, lambda labels: [LabelMapping(one, classes_by_name(card_classes, one), "by name") for one in labels]
    )
    for one in ahead:
        model.predict([one])
    return 1000 * (time.thread_time() - before_s)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=100_000)
    parser.add_argument("--labelled", type=int, default=1000)
    parser.add_argument("--answers", type=int, default=30)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(limits=1, user_api="blas"):
        project = make_project(Path(folder) / "project", options.clips, suggestions=False, labelled=0.0)
        learning = replace(project.settings.learning, pretrained="random")
        project = replace(project, settings=replace(project.settings, learning=learning))
        model = add_model(project)
        with project.open_store() as store:
            some = clips.random_unlabelled(store, options.labelled + options.answers + AHEAD)
            given, queued, ahead = np.split(
                np.array(some, object), [options.labelled, options.labelled + options.answers]
            )
            descriptions = describe(project, model, some)
            for clip in given:
                journal.annotate(store, clip.id, f"label {clip.id % LABELS}", annotator="benchmark")
            live = LiveSuggestions(project, "benchmark", lambda: None)
            live.update(store)
            while live.due_in_s == 0.0:
                live.work(store)
            spent_ms = []
            for clip in queued:
                journal.annotate(store, clip.id, f"label {clip.id % LABELS}", annotator="benchmark")
                before_s = time.thread_time()
                live.update(store)
                for one in ahead:
                    live.suggestion(store, one)
                spent_ms.append(1000 * (time.thread_time() - before_s))
            state = live.state(store)
            live.stop()
            answers = [
                (LabelledClip(clip, {f"label {clip.id % LABELS}": Value.PRESENT}), description)
                for clip, description in zip([*given, *queued], descriptions, strict=False)
            ]
            fit_ms = fit_from_nothing(answers, descriptions[-AHEAD:])
    median_ms = statistics.median(spent_ms)
    print(
        json.dumps(
            {
                "clips": options.clips,
                "labelled": state.labels if state else 0,
                "answer_ms": round(median_ms, 1),
                "answer_max_ms": round(max(spent_ms), 1),
                "from_nothing_ms": round(fit_ms, 1),
                "ratio": round(fit_ms / median_ms, 1),
            }
        )
    )


if __name__ == "__main__":
    main()
