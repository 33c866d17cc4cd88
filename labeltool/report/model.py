"""What a report says of a model: how well it does on clips that it was not trained on, label by label."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import numpy as np

from labeltool.errors import LabeltoolError
from labeltool.evaluation import metrics
from labeltool.evaluation.intervals import Share, clustered_share
from labeltool.evaluation.measure import Probabilities
from labeltool.evaluation.report import learning_curve
from labeltool.evaluation.thresholds import ScoredClips, threshold_table
from labeltool.networks.heads import DEFAULT_THRESHOLD, decide
from labeltool.networks.postprocessing import ClipRule
from labeltool.project import Project
from labeltool.report.contents import ClassFigures, CrossValidation, ModelPart, Precision, SavedThreshold
from labeltool.store import Store
from labeltool.store.detections.operating_points import OperatingPoint, operating_points
from labeltool.tasks.measure_clips import HeldOut, OnClips
from labeltool.type_aliases import Bools, Int64
from labeltool.util.files.bounded_read import parse_json, read_bytes

_T = TypeVar("_T")
_MAX_FILES = 100  # of packages that are looked at
_C_NOT_MEASURED = "not measured: `labeltool export --stm32` measures it on a machine with a C compiler"
_C_ON_TRAINED = "not measured: the package had only clips that the model was trained on"
# What a package calls the clips that its C was measured on.
_HELD_OUT = {
    "unseen": "clips on which it was not trained",
    "validation": "clips on which it was not trained, validation clips among them",
}


@dataclass(frozen=True, slots=True)
class _CrossValidated:
    """The fields of `reports/cross-validation/report.json` that are needed here."""

    clip_accuracy: float
    int8_clip_accuracy: float
    clips: int
    folds: tuple[object, ...] = ()
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _OnClips:
    clips: int
    clip_accuracy_c: float
    part: str


@dataclass(frozen=True, slots=True)
class _Export:
    held_out_clips: _OnClips | None = None


@dataclass(frozen=True, slots=True)
class _Package:
    """The fields of a package's `report.json` that are needed here."""

    model: int
    measured_by_this_export: _Export


def collect(project: Project, store: Store, held: HeldOut, tested: OnClips, measured_on: str) -> ModelPart:
    """Return what was measured of a model.

    Parameters
    ----------
    measured_on
        Which clips `tested` are, in words.
    """
    assert tested.predictions is not None, "measured here, not in another process"
    card, measured, scored = held.files.card, tested.measured, tested.scored
    as_float, as_int8 = tested.predictions.as_float, tested.predictions.as_int8
    groups = np.unique(scored.groups, return_inverse=True)[1].astype(np.int64)
    right = [clustered_share(~wrong_clips(held, tested, one), groups) for one in (as_float, as_int8)]
    threshold = decision_threshold(held.files.rule)
    return ModelPart(
        id=held.model.id,
        architecture=card.architecture,
        parameters=card.parameters,
        labels_seen=card.labels_seen,
        created_at=held.model.created_at,
        measured_on=measured_on,
        clips=len(tested.clips),
        labels=measured.labels,
        unseen_labels=tuple(one.label for one in measured.unseen_labels),
        independent=measured.head == "sigmoid",
        precisions=(
            Precision("float", measured.clips, measured.clip_accuracy, right[0], measured.ece),
            Precision("int8", measured.clips, measured.int8_clip_accuracy, right[1], measured.int8_ece),
            _of_c(project, held.model.id),
        ),
        by_label=tuple(_figures(scored, as_float, as_int8, groups, threshold)),
        confusion=measured.confusion,
        calibration=measured.reliability,
        int8_calibration=measured.int8_reliability,
        thresholds=threshold_table([scored]),
        saved_thresholds=_saved(held, operating_points(store, held.model.uid)),
        curve=learning_curve(project, store),
        cross_validation=_cross_validation(project),
    )


def decision_threshold(rule: ClipRule) -> float:
    """Return the probability from which a label is predicted, as `evaluate` counts it."""
    return rule.threshold if rule.head == "sigmoid" else DEFAULT_THRESHOLD


def wrong_clips(held: HeldOut, tested: OnClips, probabilities: Probabilities) -> Bools:
    """Return which clips are predicted wrongly, (clips,), by one form of the network."""
    scored = tested.scored
    threshold = decision_threshold(held.files.rule)
    shares = metrics.correct_share(probabilities.clips, scored.present, scored.absent, scored.head, threshold)
    return np.asarray((shares < 1.0) | scored.unseen, bool)


def _figures(
    scored: ScoredClips, as_float: Probabilities, as_int8: Probabilities, groups: Int64, threshold: float
) -> Iterator[ClassFigures]:
    predicted = [decide(one.clips, scored.head, threshold) for one in (as_float, as_int8)]
    is_present = scored.present > scored.absent
    known = (is_present.any(axis=1) | scored.unseen)[:, np.newaxis]
    is_absent = (scored.absent > scored.present) if scored.head == "sigmoid" else ~is_present & known
    for column, label in enumerate(scored.labels):
        there, checked = is_present[:, column], is_present[:, column] | is_absent[:, column]
        shares: list[Share | None] = []
        for of_form in predicted:
            chosen = of_form[:, column] & checked
            shares += [clustered_share(there[chosen], groups[chosen])]
            shares += [clustered_share(of_form[there, column], groups[there])]
        yield ClassFigures(label, int(there.sum()), shares[0], shares[1], shares[2], shares[3])


def _saved(held: HeldOut, points: list[OperatingPoint]) -> tuple[SavedThreshold, ...]:
    """Return the threshold of each label in a stream: the one that was chosen by a measurement, else the card's."""
    by_label = {one.label: one for one in points}
    found = []
    for name, own, default in zip(held.names, held.files.labels, held.files.card.stream_thresholds, strict=True):
        if own == held.files.background:
            continue
        point = by_label.get(name)
        if point is None:
            found.append(SavedThreshold(name, default, None, None, "of the model"))
        else:
            precision = Share(point.precision, point.precision_low, point.precision_high)
            found.append(SavedThreshold(name, point.threshold, precision, point.recall, point.source))
    return tuple(found)


def _cross_validation(project: Project) -> CrossValidation | None:
    path = project.reports / "cross-validation" / "report.json"
    for one in _read(path, _CrossValidated):
        date = datetime.fromtimestamp(path.stat().st_mtime).astimezone().strftime("%Y-%m-%d")
        return CrossValidation(
            one.clips, len(one.folds), one.clip_accuracy, one.int8_clip_accuracy, date, len(one.labels)
        )
    return None


def _of_c(project: Project, model_id: int) -> Precision:
    """Return the accuracy of the C code on the project's clips, as the newest package of the model has it."""
    try:
        paths = sorted(project.exports.glob("*/report.json"), key=lambda path: path.stat().st_mtime, reverse=True)
    except OSError:
        paths = []
    for path in paths[:_MAX_FILES]:
        for package in _read(path, _Package):
            of_clips = package.measured_by_this_export.held_out_clips
            if package.model == model_id and of_clips is not None:
                if of_clips.part not in _HELD_OUT:
                    return Precision("C of the package", None, None, None, None, _C_ON_TRAINED)
                part = f"when it was exported, on {_HELD_OUT[of_clips.part]}"
                return Precision("C of the package", of_clips.clips, of_clips.clip_accuracy_c, None, None, part)
    return Precision("C of the package", None, None, None, None, _C_NOT_MEASURED)


def _read(path: Path, kind: type[_T]) -> Iterator[_T]:
    """Yield what a JSON file has, if it can be read: a report of an earlier version is no reason to fail."""
    import msgspec

    with suppress(OSError, ValueError, LabeltoolError):
        yield msgspec.convert(parse_json(read_bytes(path)), kind)
