"""Every place that reads labels or clips, and why the locked test set is not learned from there.

A new reader is added here with its reason. What trains reads `clips.labelled`, which leaves the locked test set out, or
`clips.unlabelled_to_train_on`.
"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]

_READS = re.compile(
    r"\b(clips\.(?:labelled|unlabelled|unlabelled_to_train_on|random_unlabelled)|spans\.verdicts|checked\.checked_parts|all_verdicts)"
    r"\(((?:[^()]|\([^()]*\))*)\)"
)

LEFT_OUT = "without the locked test set, by default"
POOL = "without the locked test set"
READERS = {
    # What learns, or chooses what is learned.
    ("labeltool/training/labelled_spans.py", "clips.labelled"): LEFT_OUT,
    ("labeltool/training/labelled_spans.py", "checked.checked_parts"): "background; filtered by locked groups there",
    ("labeltool/training/labelled_spans.py", "spans.verdicts"): "of recordings of the clips and parts above",
    ("labeltool/tasks/retrain.py", "clips.unlabelled_to_train_on"): POOL,
    ("labeltool/tasks/evaluate.py", "clips.unlabelled_to_train_on"): POOL,
    ("labeltool/tasks/evaluate.py", "clips.labelled"): LEFT_OUT,
    ("labeltool/tasks/measure_clips.py", "clips.labelled"): LEFT_OUT,
    ("labeltool/tasks/simulate.py", "clips.labelled"): LEFT_OUT,
    ("labeltool/active_learning/pretrained_suggester.py", "clips.labelled"): LEFT_OUT,
    ("labeltool/active_learning/pretrained_suggester.py", "clips.unlabelled"): "predicted; its pool is filtered there",
    ("labeltool/pretrained/project_classes.py", "clips.labelled"): LEFT_OUT,
    ("labeltool/similarity/find.py", "spans.verdicts"): "what is found already; examples are filtered there",
    ("tui/background/live.py", "clips.labelled"): LEFT_OUT,
    ("labeltool/checks/labels/errors.py", "clips.labelled"): LEFT_OUT,
    # What only measures, counts, predicts or writes.
    ("labeltool/tasks/measure_clips.py", "clips.labelled locked"): "measures on it",
    ("labeltool/report/data_set.py", "clips.labelled all"): "counts",
    ("labeltool/tasks/locking.py", "clips.labelled locked"): "counts it",
    ("labeltool/tasks/retrain.py", "clips.labelled locked"): "counts it",
    ("labeltool/tasks/simulate.py", "clips.unlabelled"): "counts, in a scratch project",
    ("labeltool/tasks/other_run.py", "clips.unlabelled"): "counts",
    ("labeltool/active_learning/queue_order.py", "clips.unlabelled"): "the order of the queue",
    ("labeltool/pretrained/describe.py", "clips.labelled"): "features only",
    ("labeltool/pretrained/describe.py", "clips.random_unlabelled"): "features only",
    (
        "tui/background/live.py",
        "clips.random_unlabelled",
    ): "compared with, to propose classes and to estimate; no labels",
    ("labeltool/annotation/people/work_packages.py", "clips.unlabelled"): "given to people to label",
    ("tui/screens/regions.py", "checked.checked_parts"): "on the screen",
    ("labeltool/annotation/annotation_table.py", "all_verdicts"): "the table of all annotations",
    ("exporters/data_sets/card.py", "all_verdicts"): "the card of a data set",
    ("labeltool/checks/above_band.py", "clips.labelled all"): "measures, with no model",
    ("labeltool/checks/shortcuts.py", "clips.labelled all"): "measures what predicts labels without their sound",
    ("labeltool/checks/labels/counts.py", "clips.labelled all"): "counts",
    ("labeltool/checks/labels/twins.py", "clips.labelled all"): "counts labels that are together",
    ("exporters/source.py", "clips.labelled"): "validation data of a package: those not locked",
}


def readers() -> set[tuple[str, str]]:
    found = set()
    for folder in ("labeltool", "tui", "exporters", "importers"):
        for path in (ROOT / folder).rglob("*.py"):
            place = path.relative_to(ROOT).as_posix()
            if place.startswith("labeltool/store/") or any(part.is_symlink() for part in path.parents):
                continue
            for name, arguments in _READS.findall(path.read_text(encoding="utf-8").replace("def all_verdicts(", "")):
                which = re.search(r'which="(\w+)"', arguments)
                found.add((place, name if which is None else f"{name} {which[1]}"))
    return found


def test_every_reader_of_labels_is_known_with_what_it_does_of_the_locked_test_set() -> None:
    assert readers() == READERS.keys()
