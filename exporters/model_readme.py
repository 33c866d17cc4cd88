"""The model card as model hubs take it: a README with front matter, what the model was trained on, what was measured.

`card.json` beside it is for programs. The keys of the front matter are those of
https://github.com/huggingface/hub-docs/blob/main/modelcard.md, the sections those of "Model Cards for Model Reporting"
(Mitchell et al. 2019) that a program can fill.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from labeltool.errors import in_one_line
from labeltool.evaluation.report import stored_evaluation
from labeltool.exporters.markdown import cell, table
from labeltool.exporters.source import Source
from labeltool.networks.model_card import Measured, ModelCard
from labeltool.networks.model_folder import CARD, LABELS

README = "README.md"

_FEW_CLIPS = 10

_TEXT = """\
{front_matter}
# {title}

Predicts which of {count} labels a sound has: {labels}. {architecture}, {parameters:,} parameters, int8.

## Input and output

Sound of {rate_hz} Hz, mono, as patches of {patch_s:.2f} s. `{definition}` defines the features, the scales of input and
output, and the rule that makes a clip's label of its patches; `{labels_file}` has the labels in the order of the
outputs. `labeltool classify` and `labeltool detect` run the model in its project, the package of `labeltool export
--stm32` on a microcontroller.

## Trained on

{labels_seen} labelled clips{unlabelled}, seed {seed}. {trunk}Licences of their recordings: {licences}. What may be done
with the model can depend on them: its owner chooses the model's licence, and writes it above.

## Measured

{measured}
## Limits

{limits}
"""

_VALIDATION = "those of the validation"


@dataclass(frozen=True, slots=True)
class _Result:
    """What was measured on some clips, and what these chose of the model."""

    clips: str
    split: str
    measured: Measured


def readme(source: Source, *, definition: str = CARD, labels_file: str = LABELS) -> str:
    """Return the card of the model that is exported.

    Parameters
    ----------
    definition, labels_file
        Where the definition of input and output and the list of labels lie, from the card.

    Raises
    ------
    LabeltoolError
        When a stored evaluation of the model cannot be read.
    """
    model, card = source.model, source.model.card
    labels = [label for label in card.labels if label != card.background]
    name = in_one_line(f"{source.project.directory.resolve().name}, model {source.model_id}")
    results = _results(source)
    return _TEXT.format(
        front_matter=_front_matter(name, results),
        title=cell(name),
        count=len(labels),
        labels=", ".join(map(cell, labels)),
        architecture=cell(card.architecture),
        parameters=card.parameters,
        rate_hz=model.frontend.sample_rate_hz,
        patch_s=model.frontend.patch_s,
        definition=definition,
        labels_file=labels_file,
        labels_seen=card.labels_seen,
        unlabelled=f" and {card.pool_clips} without labels" if card.pool_clips else "",
        seed=card.seed,
        trunk=_trunk(card),
        licences=", ".join(map(cell, licences_of_training(source))),
        measured="".join(map(_section, results)) or "Nothing: there were too few labelled clips.\n",
        limits="\n".join(f"- {limit}" for limit in _limits(card, results)),
    )


def licences_of_training(source: Source) -> list[str]:
    """Return the licences of the recordings that the model was made from, with "not known" for unknown ones."""
    seen = source.model.groups_seen()
    rows = source.store.connection.execute("SELECT DISTINCT group_name, licence FROM recordings")
    licences = {row["licence"] or "not known" for row in rows if row["group_name"] in seen}
    return sorted(licences) or ["not known"]


def _results(source: Source) -> list[_Result]:
    """Return what was measured: on the test fold and the locked set where that was stored, on the validation clips."""
    card = source.model.card
    stored = [
        stored_evaluation(source.project, source.model_id, card.int8_sha256, fold) for fold in (card.test_fold, None)
    ]
    results = []
    for one in stored:
        # Without a fold or a locked set, the validation clips are among those it was measured on.
        if one is not None and (one.locked or one.fold is not None):
            results.append(_Result("locked test set" if one.locked else f"test fold {one.fold}", "test", one))
    if card.measured is not None:
        results.append(_Result(_VALIDATION, "validation", card.measured))
    return results


def _front_matter(name: str, results: Sequence[_Result]) -> str:
    """Return it as YAML, of which JSON is a part: no name can break it."""
    values: dict[str, Any] = {
        "license": "unknown",
        "library_name": "tflite",
        "pipeline_tag": "audio-classification",
        "tags": ["audio", "audio-classification", "sound-event-detection", "tflite", "int8", "microcontroller"],
    }
    if results:
        values["model-index"] = [{"name": name, "results": [_index_entry(name, one) for one in results]}]
    lines = [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in values.items()]
    return "\n".join(("---", *lines, "---", ""))


def _index_entry(name: str, result: _Result) -> dict[str, Any]:
    measured = result.measured
    metrics = {
        "accuracy": ("clip accuracy, int8", measured.int8_clip_accuracy),
        "ece": ("expected calibration error, int8", measured.int8_ece),
    }
    return {
        "task": {"type": "audio-classification", "name": "Audio classification"},
        "dataset": {
            "type": "private",
            "name": f"{name}: {measured.clips} clips, {result.clips}",
            "split": result.split,
        },
        "metrics": [
            {"type": kind, "name": title, "value": round(value, 4)} for kind, (title, value) in metrics.items()
        ],
    }


def _section(result: _Result) -> str:
    measured = result.measured
    whole = pd.DataFrame(
        {
            "": ["float", "int8"],
            "clip accuracy": [f"{measured.clip_accuracy:.1%}", f"{measured.int8_clip_accuracy:.1%}"],
            "expected calibration error": [f"{measured.ece:.3f}", f"{measured.int8_ece:.3f}"],
        }
    )
    by_label = pd.DataFrame(
        [[one.label, one.clips, _share(one.int8_recall), _share(one.int8_precision)] for one in measured.by_label],
        columns=["label", "clips", "recall, int8", "precision, int8"],
    )
    return f"### On {measured.clips} clips: {result.clips}\n\n{table(whole)}\n{table(by_label)}\n"


def _share(value: float | None) -> str:
    return "not defined" if value is None else f"{value:.1%}"


def _trunk(card: ModelCard) -> str:
    if card.trunk is None:
        return ""
    return (
        f"Its first {card.trunk.layers} layers are those of the pretrained model {cell(card.trunk.name)}, unchanged. "
    )


def _limits(card: ModelCard, results: Sequence[_Result]) -> list[str]:
    limits = []
    if any(one.clips == _VALIDATION for one in results):
        limits.append("The validation clips chose the temperature and the thresholds: new recordings may do worse.")
    if not any(one.split == "test" for one in results):
        limits.append(
            "It was not measured on a test set: train with `--test-fold`, or lock one, and `labeltool evaluate`."
        )
    few = sorted(
        {of_label.label for one in results for of_label in one.measured.by_label if of_label.clips < _FEW_CLIPS}
    )
    if few:
        limits.append(f"Measured on fewer than {_FEW_CLIPS} clips: {', '.join(map(cell, few))}.")
    if card.background is None and card.clip_rule.head == "softmax":
        limits.append("One of its labels is predicted for every sound, also where none of them is there.")
    return limits or ["None is known but those of the data it was trained on."]
