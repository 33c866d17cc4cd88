"""Clips with labels for which a model has no output: they count as wrong, and the figures without them stand beside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from labeltool.evaluation.measure import Predictions, metrics_of
from labeltool.networks.model_card import Measured
from labeltool.type_aliases import Bools, Float32


@dataclass(frozen=True, slots=True)
class UnseenLabel:
    """A label for which a model has no output, the clips that are wrong for it, and the unknown ones among them.

    A clip is unknown where no label reaches the threshold, int8: the best a model can do with such a clip.
    """

    label: str
    clips: int
    unknown: int


@dataclass(frozen=True, slots=True)
class LevelAccuracy:
    """The share of clips that are right at a level of detail, 0 the most general; `labels` are those of the level."""

    level: int
    labels: tuple[str, ...]
    clip_accuracy: float
    int8_clip_accuracy: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredOnAll(Measured):
    """The metrics on all clips, those that a model must get wrong among them, and beside them without those.

    Under a softmax such a clip has labels only that are no output: whatever is predicted is wrong. Under a sigmoid
    each label is a decision of its own, and one without an output is never predicted: where it is present that is one
    wrong label more, and where it is absent none right, for nothing decided it. It has no probability either, so that
    it has no part in `ece`. In `log_loss`, infinite where a label has no output, these clips have no part.

    Attributes
    ----------
    labels
        The model's, then the unseen ones, whose columns in the matrices are empty.
    unseen_labels
        The labels of such clips, sorted by name.
    clips_of_seen_labels
        Number of clips without them, the labels of the model alone.
    clip_accuracy_of_seen_labels, ece_of_seen_labels
        On these, counting no label but the model's, float and int8; None where there are none.
    excluded
        Number of labelled clips that could be neither right nor wrong: of no label is known that it is present, and
        none of the model's is judged.
    by_level
        The accuracy with labels replaced by those above them, for each level; none where no label has a parent.
    """

    unseen_labels: tuple[UnseenLabel, ...] = ()
    clips_of_seen_labels: int = 0
    clip_accuracy_of_seen_labels: float | None = None
    int8_clip_accuracy_of_seen_labels: float | None = None
    ece_of_seen_labels: float | None = None
    int8_ece_of_seen_labels: float | None = None
    excluded: int = 0
    by_level: tuple[LevelAccuracy, ...] = ()


def measure_on_all(
    predictions: Predictions, present: Float32, absent: Float32, *, unseen_labels: Sequence[str] = (), unseen: Bools
) -> MeasuredOnAll:
    """Measure predictions on clips some of which have labels that are no output.

    Parameters
    ----------
    unseen_labels
        Labels without an output that make a clip wrong, sorted.
    unseen : (clips, unseen labels) bool
        On which clips.
    """
    head = predictions.rule.head
    is_seen = np.asarray(((present > 0) | (absent > 0)).any(axis=1) if head == "sigmoid" else ~unseen.any(axis=1))
    seen = None
    if is_seen.any():
        seen = metrics_of(predictions.only(is_seen), present[is_seen], absent[is_seen])
    measured = metrics_of(
        predictions.with_unseen(unseen_labels),
        np.hstack([present, unseen.astype(np.float32)]),
        np.pad(absent, ((0, 0), (0, len(unseen_labels)))),
    )
    if seen is not None:
        measured = replace(measured, log_loss=seen.log_loss)
        if head == "sigmoid":
            measured = replace(
                measured,
                ece=seen.ece,
                int8_ece=seen.int8_ece,
                reliability=seen.reliability,
                int8_reliability=seen.int8_reliability,
            )
    is_unknown = predictions.as_int8.clips.max(axis=1) < predictions.rule.threshold
    return MeasuredOnAll(
        **{field.name: getattr(measured, field.name) for field in fields(Measured)},
        unseen_labels=tuple(
            UnseenLabel(label, int(of_label.sum()), int((of_label & is_unknown).sum()))
            for label, of_label in zip(unseen_labels, unseen.T, strict=True)
        ),
        clips_of_seen_labels=int(is_seen.sum()),
        clip_accuracy_of_seen_labels=seen.clip_accuracy if seen else None,
        int8_clip_accuracy_of_seen_labels=seen.int8_clip_accuracy if seen else None,
        ece_of_seen_labels=seen.ece if seen else None,
        int8_ece_of_seen_labels=seen.int8_ece if seen else None,
    )
