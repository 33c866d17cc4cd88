"""Figures, names and words of a report, without a project that is trained."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import numpy as np
import pytest

from helpers.command_line import labeltool_here
from helpers.exports import add_model, metrics
from helpers.tones import tone_writer
from labeltool.errors import LabeltoolError
from labeltool.evaluation import charts, report
from labeltool.evaluation.charts import of_model
from labeltool.evaluation.measure import Predictions, Probabilities
from labeltool.evaluation.thresholds import ScoredClips, threshold_table
from labeltool.evaluation.unseen_labels import measure_on_all
from labeltool.networks.model_card import Measured
from labeltool.networks.postprocessing import ClipRule
from labeltool.project import Project
from labeltool.records import LabelledClip, StoredClip, Value
from labeltool.report import errors, labelling, model
from labeltool.report.collect import measured_on
from labeltool.report.contents import CrossValidation
from labeltool.store import clips, journal
from labeltool.tasks.evaluate import EvaluateResult
from labeltool.tasks.measure_clips import HeldOut


def clip(number: int, fold: int | None = None) -> LabelledClip:
    stored = StoredClip(number, number, f"{number}.wav", f"{number}", 0.0, 1.0, fold, f"group {number}")
    return LabelledClip(stored, {"owl": Value.PRESENT})


def held(**given: Any) -> HeldOut:
    """Clips 1 to 3 are validation clips, 4 and 5 were in the pool."""
    files = SimpleNamespace(
        card=SimpleNamespace(test_fold=given.get("test_fold")),
        groups_validated_on=lambda: {"group 1", "group 2", "group 3"},
        groups_in_pools=lambda: {"group 4", "group 5"},
        labels=["cat", "noise"],
        background=given.get("background"),
        rule=ClipRule(head="softmax", threshold=0.5),
    )
    return HeldOut(
        cast(Any, None),
        cast(Any, files),
        ["cat", "nothing"],
        [],
        given.get("is_locked", False),
        given.get("accepted", ()),
    )


def test_precision_is_that_of_evaluate_where_labels_have_no_output() -> None:
    """Ten cats that are right, ten owls that are predicted as cats: half of what is predicted is right."""
    scores = np.tile(np.float32([0.9, 0.1]), (20, 1))
    probabilities = Probabilities(scores, scores, np.arange(20))
    predictions = Predictions(("cat", "dog"), ClipRule(head="softmax", threshold=0.5), probabilities, probabilities)
    present, unseen = np.zeros((20, 2), np.float32), np.arange(20) >= 10
    present[:10, 0] = 1
    absent = np.zeros_like(present)
    measured = measure_on_all(predictions, present, absent, unseen_labels=["owl"], unseen=unseen[:, np.newaxis])
    names = tuple(map(str, range(20)))
    scored = ScoredClips(("cat", "dog"), "softmax", scores, present, absent, names, unseen)
    cat, dog = model._figures(scored, probabilities, probabilities, np.arange(20), 0.5)
    assert cat.precision is not None and cat.int8_precision is not None
    assert cat.precision.value == cat.int8_precision.value == measured.by_label[0].precision == 0.5
    assert dog.precision is None and measured.by_label[1].precision is None
    at_half = next(row for row in threshold_table([scored]) if (row.label, row.threshold) == ("cat", 0.5))
    assert (at_half.predicted, at_half.right, at_half.clips) == (20, 10, 10)


def test_clips_are_counted_by_what_they_are_to_the_model() -> None:
    seven = [clip(number) for number in range(1, 8)]
    words = measured_on(held(accepted={6, 99}), seven)
    for part in ("3 validation clips", "2 clips that it was trained on before", "2 clips on which it was not trained"):
        assert part in words
    assert "among them 1 with labels that were accepted automatically" in words
    # Clips that could not be read, or judged, are in no count.
    assert measured_on(held(), seven[:1]).startswith("1 validation clip")
    assert measured_on(held(test_fold=0), [clip(1, 0)]) == "test clips: fold 0, on which it was not trained"
    assert "locked test set" in measured_on(held(is_locked=True), seven)


def test_a_part_of_an_error_is_its_fold_even_if_that_is_zero() -> None:
    part = errors._part_of(held(test_fold=0))
    found = [part(clip(9, 0).clip), part(clip(1, 1).clip), part(clip(4, 1).clip), part(clip(9, 1).clip)]
    assert found == ["test", "validation", "trained on without its label", "not trained on"]
    assert errors._part_of(held())(clip(9).clip) == "not trained on"


@pytest.mark.parametrize(("background", "row"), [("noise", "nothing"), (None, "none")])
def test_clips_of_none_of_these_go_by_the_name_of_their_row(background: str | None, row: str) -> None:
    none = LabelledClip(clip(1).clip, {}, none_of_these=True)
    tested = SimpleNamespace(scored=SimpleNamespace(labels=("cat", "dog")))
    assert errors._true(held(background=background), cast(Any, tested), none) == (row,)


def test_labels_that_begin_alike_stay_apart_on_a_chart() -> None:
    long = "the very long common name of a kind of "
    names = charts.short_names([long + "owl", long + "kite", "no label"], reserved=("no label",))
    assert len(set(names.values())) == 3 and all(name.startswith("the very long") for name in list(names.values())[:2])
    assert names["no label"] != "no label"
    ones = np.ones((2, 2), np.float32)
    labels, unseen = (long + "owl", long + "kite"), np.zeros(2, bool)
    rows = threshold_table([ScoredClips(labels, "sigmoid", ones, ones, 0 * ones, ("a", "b"), unseen)])
    values = of_model.thresholds(rows)["data"]["values"]
    assert {value["label"] for value in values} == {names[label] for label in labels}


def test_evaluations_on_different_clips_are_joined_by_no_line() -> None:
    lines, marks = of_model.learning_curve([(number, 10 * number, (0.5, 0.5, 0.6)) for number in (1, 2)])["layer"]
    assert "evaluated, float" not in lines["transform"][0]["filter"]["oneOf"] and "transform" not in marks


def test_a_chart_that_cannot_be_drawn_is_an_error_in_words() -> None:
    with pytest.raises(LabeltoolError, match="cannot be drawn"):
        charts.draw({"data": {"values": [{"x": float("nan")}]}, "mark": "point"})


def test_the_curve_has_the_evaluation_of_a_model_on_its_test_fold_and_of_no_other_model(project: Project) -> None:
    def store_evaluation(fold: int | None, right: float, sha256: str) -> None:
        values = {field.name: getattr(metrics(("dog", "rain")), field.name) for field in fields(Measured)}
        result = EvaluateResult(**{**values, "clip_accuracy": right}, model=1, fold=fold, int8_sha256=sha256)
        path = project.reports / report.evaluation_name(1, fold) / "report.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(msgspec.json.encode(result))

    own = hashlib.sha256(b"int8").hexdigest()
    add_model(project, test_fold=2, int8_sha256=own)
    with project.open_store() as store:
        store_evaluation(None, 0.75, "of a model before a restored backup")
        assert [one.tested for one in report.learning_curve(project, store)] == [None]
        store_evaluation(None, 0.75, own)
        assert [one.tested for one in report.learning_curve(project, store)] == [0.75]
        store_evaluation(2, 0.5, own)
        assert [one.tested for one in report.learning_curve(project, store)] == [0.5]


def test_a_cross_validation_has_its_date_and_number_of_labels(project: Project) -> None:
    path = project.reports / "cross-validation" / "report.json"
    path.parent.mkdir(parents=True)
    stored = {
        "clip_accuracy": 0.5,
        "int8_clip_accuracy": 0.25,
        "clips": 9,
        "labels": ["cat", "dog"],
        "folds": [1, 2, 3],
    }
    path.write_text(json.dumps(stored))
    at_noon = datetime(2026, 3, 5, 12).timestamp()
    os.utime(path, (at_noon, at_noon))
    assert model._cross_validation(project) == CrossValidation(9, 3, 0.5, 0.25, "2026-03-05", 2)


def test_labelling_together_that_took_longer_saved_less_than_nothing(project: Project, tmp_path: Path) -> None:
    write = tone_writer(tmp_path / "sounds")
    for number in range(3):
        write(f"{number}.wav", frequency_hz=300 + number)
    labeltool_here("import", project, "audio", tmp_path / "sounds")
    with project.open_store(to_write=True) as store:
        first, *others = [one.id for one in clips.all_clips(store)]
        journal.annotate(store, first, "owl", annotator="ann", context=journal.AnnotationContext(response_ms=3_000))
        values = dict.fromkeys(others, Value.PRESENT)
        journal.annotate_batch(store, "owl", values, annotator="ann", response_ms=12_000)
        assert labelling.collect(project, store).saved_minutes == pytest.approx(-0.1)
