"""Labels that are kinds of others: what a verdict on one means for training, suggestions and measuring."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from helpers.command_line import labeltool_here, labeltool_json
from helpers.progress import quiet
from helpers.tones import A, P, U, add_tones
from labeltool.active_learning.live_model import LiveModel
from labeltool.hierarchy import Hierarchy
from labeltool.pretrained.class_mapping import LabelMapping
from labeltool.pretrained.model import ClipDescription
from labeltool.project import Project
from labeltool.records import LabelledClip, StoredClip, Value
from labeltool.store import clips
from labeltool.store.label_acts.changes import set_parent
from labeltool.store.label_acts.levels import suggested_labels
from labeltool.tasks import evaluate
from labeltool.tasks.retrain import retrain
from labeltool.training.targets import build_training_set

ANIMALS = Hierarchy({"bark": "dog", "dog": "animal", "cat": "animal"})


def labelled(number: int, verdicts: Mapping[str, Value], none_of_these: bool = False) -> LabelledClip:
    clip = StoredClip(number, number, f"/{number}.wav", f"{number:064x}", 0.0, 1.0, None, f"g{number}")
    return LabelledClip(clip, verdicts, none_of_these, ANIMALS)


def test_what_a_verdict_means_above_and_below() -> None:
    assert labelled(0, {"dog": P}).all_verdicts == {"dog": P, "animal": P, "bark": U}
    assert labelled(0, {"animal": A}).all_verdicts == {"animal": A, "dog": A, "bark": A, "cat": A}
    assert labelled(0, {"bark": A}).all_verdicts == {"bark": A}
    assert labelled(0, {"animal": U}).all_verdicts == {"animal": U}
    # A verdict of its own counts, whatever others mean.
    assert labelled(0, {"dog": P, "cat": A, "animal": A}).all_verdicts["animal"] is A
    assert labelled(0, {"dog": P, "bark": A}).all_verdicts == {"dog": P, "bark": A, "animal": P}


def test_parent_and_child_train_together_without_contradiction() -> None:
    found = build_training_set(
        [labelled(i, one) for i, one in enumerate([{"dog": P}, {"animal": P}, {"cat": P}, {"animal": A}, {"rain": P}])]
    )
    assert (found.head, found.labels) == ("sigmoid", ("animal", "cat", "dog", "rain"))
    # A dog is an animal; an animal is a dog or not; where none is, there is neither; rain may have an animal in it.
    np.testing.assert_array_equal(found.present, [[1, 0, 1, 0], [1, 0, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 1]])
    absent = dict(zip(found.labels, found.absent.T, strict=True))
    assert absent["dog"][1] == absent["cat"][1] == 0, "an animal that nobody named is no evidence against a dog"
    assert absent["animal"].tolist()[:3] == [0, 0, 0] and absent["animal"][3] == 1
    assert absent["dog"][3] == absent["cat"][3] == 1
    assert not (found.present * found.absent).any()


def test_a_parent_that_no_clip_has_leaves_one_label_a_clip() -> None:
    found = build_training_set([labelled(i, {name: P}) for i, name in enumerate(["dog", "cat", "dog", "cat"])])
    assert (found.head, found.labels) == ("softmax", ("cat", "dog"))


def test_the_live_predictions_keep_a_parent_open() -> None:
    def described(*scores: float) -> ClipDescription:
        return ClipDescription(None, np.array(scores, np.float32), np.array(scores, np.float32))

    model = LiveModel()
    model.set_answers(
        [
            (labelled(0, {"dog": P}), described(0.9, 0.1)),
            (labelled(1, {"animal": P}), described(0.5, 0.5)),
            (labelled(2, {"rain": P}), described(0.0, 0.1)),
        ]
    )
    model.renew(["animal", "dog", "rain"], lambda names: [LabelMapping(name, (), "by name") for name in names])
    predicted = model.predict([described(0.9, 0.1)])
    by_label = dict(zip(predicted.labels, predicted.probabilities[0], strict=True))
    assert predicted.independent
    assert by_label["animal"] >= by_label["dog"] > by_label["rain"]


@pytest.mark.usefixtures("quickly")
def test_labels_are_measured_at_each_level(project: Project, tmp_path: Path, tiny: str) -> None:
    sounds = [(["low"], {"bark": P}), (["middle"], {"miaow": P}), (["high"], {"bell": P})]
    add_tones(project, tmp_path / "wav", *sounds * 8)
    with project.open_store() as store:
        for child in ("bark", "miaow"):
            set_parent(store, child, "animal", annotator="ann")
        assert suggested_labels(store) == ["bark", "miaow", "bell"], "no clip is labelled 'animal' itself"
        assert {one.hierarchy.levels for one in clips.labelled(store)} == {2}
    assert retrain(project, report=quiet, arch=tiny).head == "softmax"
    measured = evaluate.evaluate(project, report=quiet)
    assert [(one.level, one.labels) for one in measured.by_level] == [(0, ("animal", "bell"))]
    # What is confused within a parent is right above it, and nothing else.
    names = [{"bark": "animal", "miaow": "animal"}.get(name, name) for name in measured.labels]
    counts = np.array(measured.confusion)
    right = sum(counts[i, j] for i, one in enumerate(names) for j, other in enumerate(names) if one == other)
    assert measured.by_level[0].clip_accuracy >= measured.clip_accuracy
    assert measured.by_level[0].clip_accuracy == pytest.approx(right / measured.clips, abs=1.5 / measured.clips)


def test_a_list_of_labels_goes_out_and_comes_back(project: Project, tmp_path: Path) -> None:
    add_tones(project, tmp_path / "wav", (["low"], {"bark": P}), (["high"], {"bell": P}))
    listed = tmp_path / "list.csv"
    listed.write_text("label,parent,definition\nbark,dog,\ndog,animal,A domestic dog\nanimal,bark,\nbell,,\nfox,fox,\n")
    found = labeltool_json("labels", "read", listed, project)
    assert found["labels"] == 2
    cycle, _ = found["skipped"]
    assert cycle["line"] == 4 and "above" in cycle["reason"]
    with project.open_store() as store:
        assert "fox" not in clips.label_names(store), "a row that is skipped makes no label"
    labeltool_here("export", "--table", "-o", tmp_path / "out", project)
    written = (tmp_path / "out" / "table" / "labels.csv").read_text()
    assert '"bark","dog",""' in written and '"dog","animal","A domestic dog"' in written
    then = ("--as-of", "2099-01-01")
    labeltool_here("export", "--table", "-o", tmp_path / "then", *then, project)
    assert (tmp_path / "then" / "table" / "labels.csv").read_text() == written
    labeltool_here("undo", project)
    with project.open_store() as store:
        assert clips.labelled(store)[0].hierarchy.levels == 1, "one undo for the list"
    labeltool_here("labels", "read", tmp_path / "out" / "table" / "labels.csv", project)
    with project.open_store() as store:
        assert clips.labelled(store)[0].hierarchy.levels == 3
