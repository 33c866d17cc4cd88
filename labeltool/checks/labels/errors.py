"""Probable label errors: verdicts that clips of other groups contradict.

How many there are is estimated by confident learning: a clip is counted where another label is at least as probable as
on the clips that have it, on the average. Which they are, by self-confidence: the verdicts with the smallest
cross-validated probability. Confident learning's own choice of clips ends too early (benchmarks/NOTES.md), so that all
verdicts with a more probable rival are listed; the first ones, as many as estimated, are the probable errors.

References
----------
Northcutt, Jiang and Chuang 2021, "Confident Learning: Estimating Uncertainty in Dataset Labels".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from labeltool.annotation.label_errors import LabelError, LabelErrorList, write_list
from labeltool.annotation.review import confirmed_verdicts
from labeltool.checks.finding import Finding, Subject
from labeltool.checks.labels.cross_validation import CrossValidated, cross_validated
from labeltool.records import LabelledClip, Value
from labeltool.store import clips, journal
from labeltool.type_aliases import Float32, Float64

_REMEDY = "`labeltool review` lists these, R in the app shows them: the most suspicious first"


def find_label_errors(subject: Subject) -> list[Finding]:
    """Find verdicts that are probably wrong, and leave their list for the review.

    A verdict that was given twice is confirmed. The first ones, as many as there are by estimate, are warnings.
    """
    mark = journal.newest_id(subject.store)
    checked = cross_validated(subject)
    if checked is None:
        return []
    # Read again: what somebody undid meanwhile is no error any more.
    own = {one.clip.id: one for one in clips.labelled(subject.store, [clip.id for clip in checked.labelled.clips])}
    confirmed = confirmed_verdicts(subject.store)
    errors = [
        error for error in doubtful_verdicts(checked, own) if (error.clip_id, error.label, error.value) not in confirmed
    ]
    write_list(subject.project.cache, LabelErrorList(mark, checked.by, tuple(errors)))
    findings = [
        Finding(
            "label-error",
            f"clip {error.clip_id} ({subject.name(own[error.clip_id].clip.recording_id)}) is {_in_words(error)}, "
            f"{error.reason}",
            _REMEDY,
            clips=(error.clip_id,),
            labels=(error.label,),
            score=error.score,
            severity="warning" if error.is_probable else "note",
        )
        for error in errors
    ]
    if checked.left_out:
        count = len(checked.labelled.clips)
        message = f"{checked.left_out} labelled clips were not checked, only {count} drawn at random or readable"
        findings.append(Finding("label-error", message, "check again when these are reviewed", severity="note"))
    return findings


def _in_words(error: LabelError) -> str:
    return f"{error.label!r}" if error.value is Value.PRESENT else f"no {error.label!r}"


def doubtful_verdicts(checked: CrossValidated, own: dict[int, LabelledClip]) -> list[LabelError]:
    """Return the verdicts that cross-validation contradicts, the most suspicious first.

    Under a softmax those where another label is more probable. Under a sigmoid a rare label is improbable everywhere:
    those whose probability is nearer to the mean of the opposite verdict, ordered by the distance from their own.

    Parameters
    ----------
    own
        The clips with the verdicts that people gave; labels that spans nearby add to the targets are none.
    """
    find = _of_one_label if checked.labelled.head == "softmax" else _of_many_labels
    found = list(find(checked, own))
    estimated = sum(is_confident for _, is_confident in found)
    ordered = sorted((error for error, _ in found), key=lambda error: -error.score)
    return [replace(error, is_probable=place < estimated) for place, error in enumerate(ordered)]


def _means(probabilities: Float64, targets: Float32) -> Float64:
    """Return the mean probability of each label over its clips, confident learning's thresholds; NaN without any."""
    counted = np.where(np.isnan(probabilities), 0.0, targets >= 0.5)
    with np.errstate(invalid="ignore"):
        return np.asarray((np.nan_to_num(probabilities) * counted).sum(axis=0) / counted.sum(axis=0), np.float64)


def _of_one_label(checked: CrossValidated, own: dict[int, LabelledClip]) -> Iterator[tuple[LabelError, bool]]:
    labelled = checked.labelled
    names = labelled.labels
    means = _means(checked.probabilities, labelled.present)
    for clip, row, present in zip(labelled.clips, checked.probabilities, labelled.present, strict=True):
        if clip.id not in own:
            continue
        verdicts = own[clip.id].verdicts
        given = [
            place
            for place in np.flatnonzero(present)
            if names[place] == labelled.background or verdicts.get(names[place]) is Value.PRESENT
        ]
        # A label that was not predicted at all is neither more nor less probable than another.
        others = np.where(np.isnan(row) | (present > 0), -1.0, row)
        best = int(others.argmax())
        is_confident = others[best] >= means[best]
        if given:
            probability = float(row[given].sum())
            if not others[best] > probability:
                continue
            place = min(given, key=lambda one: row[one])
            is_confident &= bool(probability < means[given].min())
            is_none = names[place] == labelled.background
            label, value = (names[best], Value.ABSENT) if is_none else (names[place], Value.PRESENT)
        elif verdicts.get(names[best]) is Value.ABSENT and others[best] > 0.5:
            probability, label, value = float(1.0 - others[best]), names[best], Value.ABSENT
        else:
            continue
        predicted = "" if names[best] == labelled.background else names[best]
        error = LabelError(clip.id, label, value, probability, predicted, float(others[best]), score=1.0 - probability)
        yield error, bool(is_confident)


def _of_many_labels(checked: CrossValidated, own: dict[int, LabelledClip]) -> Iterator[tuple[LabelError, bool]]:
    labelled = checked.labelled
    if_present = _means(checked.probabilities, labelled.present)
    if_absent = _means(1.0 - checked.probabilities, labelled.absent)
    for clip, row in zip(labelled.clips, checked.probabilities, strict=True):
        if clip.id not in own:
            continue
        one = own[clip.id]
        for place, name in enumerate(labelled.labels):
            value = one.verdicts.get(name, Value.ABSENT if one.none_of_these and not one.present else None)
            if value is Value.PRESENT:
                probability, mean, mean_of_other = float(row[place]), if_present[place], if_absent[place]
            elif value is Value.ABSENT:
                probability, mean, mean_of_other = float(1.0 - row[place]), if_absent[place], if_present[place]
            else:
                continue
            # Comparisons with NaN, of a label that was not predicted, are false.
            if probability < (mean + 1.0 - mean_of_other) / 2.0:
                predicted = name if value is Value.ABSENT else ""
                score = float(mean) - probability
                is_confident = bool(1.0 - probability >= mean_of_other)
                yield LabelError(clip.id, name, value, probability, predicted, float(row[place]), score), is_confident
