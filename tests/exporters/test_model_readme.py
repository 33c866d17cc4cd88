"""The model card for hubs: read by their own library, true, and safe whatever the labels are."""

from __future__ import annotations

import hashlib
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard

from helpers.exports import add_model, export, metrics
from helpers.records import records_of
from labeltool.errors import LabeltoolError
from labeltool.evaluation import report
from labeltool.networks.model_card import LabelMetrics, Measured
from labeltool.project import Project
from labeltool.records import Recording
from labeltool.store import Store
from labeltool.store.importing import import_records
from labeltool.tasks.evaluate import EvaluateResult

LABELS = ("a: |b|", "---\nlicense: mit")


def exported(project: Project) -> ModelCard:
    (written,) = export(project, "int8").written
    return ModelCard.load(Path(written) / "README.md")


def measured(right: float, int8: float) -> Measured:
    by_label = (LabelMetrics(LABELS[0], 12, 1.0, 1.0, 0.75, None), LabelMetrics(LABELS[1], 3, 1.0, 1.0, 1.0, 1.0))
    counts = ((12, 0), (0, 3))
    return replace(
        metrics(LABELS),
        clips=15,
        clip_accuracy=right,
        int8_clip_accuracy=int8,
        by_label=by_label,
        confusion=counts,
        int8_confusion=counts,
        reliability=((0.9, right, 15),),
        int8_reliability=((0.9, int8, 15),),
    )


def evaluated(project: Project, measured: Measured, **values: Any) -> None:
    found = {field.name: getattr(measured, field.name) for field in fields(Measured)}
    sha256 = hashlib.sha256(b"int8").hexdigest()
    result = EvaluateResult(**found, **{"int8_sha256": sha256, **values})
    name = report.evaluation_name(values["model"], values.get("fold"))
    report.write(project, name, result, losses=(), curve=())


@pytest.fixture
def labelled(project: Project, store: Store) -> Project:
    for number, label in enumerate(LABELS):
        records = [
            replace(one, licence="CC BY 4.0") if isinstance(one, Recording) and number else one
            for one in records_of(f"r{number}", label)
        ]
        import_records(store, records, kind="test", source="test")
    return project


def test_the_library_of_the_hub_reads_what_was_measured(labelled: Project) -> None:
    add_model(labelled, labels=LABELS, measured=measured(0.95, 0.94), validation_clips=15)
    card = exported(labelled)
    assert card.data.pipeline_tag == "audio-classification" and card.data.license == "unknown"
    accuracy = next(one for one in card.data.eval_results if one.metric_type == "accuracy")
    assert accuracy.metric_value == 0.94 and accuracy.dataset_split == "validation"
    assert "15 clips, those of the validation" in accuracy.dataset_name
    assert "| int8 | 94.0% |" in card.text and "| 75.0% | not defined |" in card.text
    assert "not measured on a test set" in card.text


def test_an_evaluation_on_test_clips_stands_beside_the_validation(labelled: Project) -> None:
    model = add_model(labelled, labels=LABELS, measured=measured(0.95, 0.94), test_fold=5)
    evaluated(labelled, measured(0.9, 0.8), model=model, fold=5)
    evaluated(labelled, measured(0.7, 0.6), model=model, locked=True)
    card = exported(labelled)
    by_split = [
        (one.dataset_split, one.metric_value) for one in card.data.eval_results if one.metric_type == "accuracy"
    ]
    assert by_split == [("test", 0.8), ("test", 0.6), ("validation", 0.94)]
    assert "### On 15 clips: test fold 5" in card.text
    assert "### On 15 clips: locked test set" in card.text and "not measured on a test set" not in card.text


def test_an_evaluation_with_validation_clips_is_no_test(labelled: Project) -> None:
    model = add_model(labelled, labels=LABELS, measured=measured(0.95, 0.94))
    evaluated(labelled, measured(0.7, 0.6), model=model)
    card = exported(labelled)
    assert {one.dataset_split for one in card.data.eval_results} == {"validation"}
    assert "not measured on a test set" in card.text


@pytest.mark.parametrize("other", [{"model": 2}, {"int8_sha256": "that of a model before a restored backup"}])
def test_an_evaluation_of_another_model_is_not_shown(labelled: Project, other: dict[str, Any]) -> None:
    model = add_model(labelled, labels=LABELS, measured=measured(0.95, 0.94))
    evaluated(labelled, measured(0.7, 0.6), **{"model": model, "locked": True, **other})
    assert {one.dataset_split for one in exported(labelled).data.eval_results} == {"validation"}


def test_labels_are_text_wherever_they_stand(labelled: Project) -> None:
    add_model(labelled, labels=LABELS, measured=measured(0.95, 0.94))
    card = exported(labelled)
    assert card.data.license == "unknown" and "\nlicense: mit" not in card.text
    assert r"a: \|b\|" in card.text and "fewer than 10 clips" in card.text


def test_the_name_of_a_project_is_text_in_any_script(labelled: Project, tmp_path: Path) -> None:
    add_model(labelled, labels=LABELS, measured=measured(0.95, 0.94))
    moved = labelled.directory.rename(tmp_path / '🐦 "birds": \x85\x7f')
    name = exported(replace(labelled, directory=moved)).data.model_name
    assert name == '🐦 "birds": \\x85\\x7f, model 1'


def test_a_model_without_a_measurement_has_no_index(labelled: Project) -> None:
    add_model(labelled, labels=LABELS, measured=None)
    card = exported(labelled)
    assert not card.data.eval_results and "too few labelled clips" in card.text


def test_a_damaged_evaluation_is_named(labelled: Project) -> None:
    model = add_model(labelled, labels=LABELS, measured=measured(0.95, 0.94))
    evaluated(labelled, measured(0.7, 0.6), model=model)
    path = labelled.reports / f"model-{model}" / "report.json"
    path.write_text('{"model": 1}', encoding="utf-8")
    with pytest.raises(LabeltoolError, match=rf"{path.name}.*is damaged.*labeltool evaluate"):
        export(labelled, "int8")
