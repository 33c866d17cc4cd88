"""Predictions that include the last label given: a pretrained model's classes, corrected by the labelled clips.

Before the first label there are the classes alone; a label whose name fits one is predicted at once. Each labelled clip
then changes `live_classifier`'s predictions. What fits no label yet is proposed as a new one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

import numpy as np

from labeltool.active_learning.accuracy_estimate import MIN_LABELLED, AccuracyEstimate, estimate_accuracy
from labeltool.active_learning.live_classifier import LiveClassifier
from labeltool.audio.descriptors import hellinger
from labeltool.pretrained import class_mapping
from labeltool.pretrained.class_mapping import LabelMapping
from labeltool.pretrained.model import ClipDescription
from labeltool.records import LabelledClip, Value
from labeltool.type_aliases import Bools, Float32, Float64, Int64

# A clip with no class above zero has none of the labels: "none" gets this score, where the best possible is 1.
_SCORE_OF_NONE = 0.05
# Scores of a softmax are multiplied by this; "none of the labels" has the score below, and more by the second while
# labels are still met for the first time. Measured: `benchmarks/NOTES.md`.
_SHARPNESS = 12.0
_NONE_AT_LEAST, _NONE_BY_NEW_LABELS = 0.35, 0.25
# Share of clips with several labels, or known only for absent ones, from which each label is judged for itself.
_MULTI_LABEL_SHARE = 0.05

Mapper = Callable[[Sequence[str]], Sequence[LabelMapping]]
"""Returns which of a pretrained model's classes suggest each of some labels."""


def embedding_of(description: ClipDescription) -> Float32:
    """Return the features that clips are compared by, of length one; a model without an embedding has its classes."""
    row = description.scores if description.embedding is None else description.embedding
    return np.asarray(hellinger(row.astype(np.float64), 1.0), np.float32)


@dataclass(frozen=True, slots=True)
class LivePredictions:
    """Predictions of some clips.

    Attributes
    ----------
    probabilities : (clips, labels)
    none : (clips,)
        The probability of none of the labels.
    independent
        Whether each label is judged for itself.
    """

    labels: tuple[str, ...]
    probabilities: Float64
    none: Float64
    independent: bool


@dataclass(slots=True)
class LiveModel:
    """The labelled clips, by their ids, and what is predicted from them."""

    classifier: LiveClassifier = field(default_factory=LiveClassifier)
    _answers: dict[int, LabelledClip] = field(default_factory=dict)
    _scores: dict[int, Float32] = field(default_factory=dict)
    _labels: tuple[str, ...] = ()
    _mapping: tuple[LabelMapping, ...] = ()
    _independent: bool = False
    _seen: Int64 = field(default_factory=lambda: np.zeros(0, np.int64))
    _targets: Float64 = field(default_factory=lambda: np.zeros((0, 0)))
    _prior: Float64 = field(default_factory=lambda: np.zeros((0, 0)))
    _weights: Float64 = field(default_factory=lambda: np.zeros((0, 0)))
    _by_label: Float64 = field(default_factory=lambda: np.zeros((0, 0)))

    def __len__(self) -> int:
        return len(self.classifier)

    def set_answers(self, answers: Sequence[tuple[LabelledClip, ClipDescription]]) -> None:
        """Add labelled clips, or what is known of them now; `renew` makes it count."""
        new = [(one.clip, embedding_of(given)) for one, given in answers if one.clip.id not in self._answers]
        for one, given in answers:
            self._answers[one.clip.id], self._scores[one.clip.id] = one, given.scores
        if new:
            rows = np.stack([row for _, row in new])
            self.classifier.add_all([clip.id for clip, _ in new], rows, [clip.group for clip, _ in new])
        for dropped in self._answers.keys() - set(self.classifier.keys):
            del self._answers[dropped], self._scores[dropped]

    def remove(self, clip_ids: Collection[int]) -> None:
        """Remove clips that have no label any more; those that are not here are ignored."""
        gone = self._answers.keys() & set(clip_ids)
        for clip_id in gone:
            del self._answers[clip_id], self._scores[clip_id]
        self.classifier.remove_all(gone)

    def renew(self, labels: Sequence[str], mapper: Mapper) -> None:
        """Let predictions include all that was added and removed."""
        answers = [self._answers[clip_id] for clip_id in self.classifier.keys]
        self._labels = tuple(dict.fromkeys([*labels, *(name for one in answers for name in one.present)]))
        found = [_present_among(one, self._labels) for one in answers]
        self._mapping = tuple(mapper(self._labels))
        judged_singly = sum(
            len(names) > 1 or not (names or one.none_of_these) for one, names in zip(answers, found, strict=True)
        )
        self._independent = 0 < judged_singly >= _MULTI_LABEL_SHARE * len(answers)
        column = {name: index for index, name in enumerate(self._labels)}
        present = np.zeros((len(answers), len(self._labels)), bool)
        for row, names in enumerate(found):
            present[row, [column[name] for name in names]] = True
        self._seen = present.sum(axis=0)
        scores = [self._scores[one.clip.id] for one in answers]
        self._prior = self._prior_of(np.stack(scores) if scores else np.zeros((0, 0), np.float32))
        self._targets = self._targets_of(answers, present)
        self._weights = self.classifier.weights(self._targets - self._prior)
        self._by_label = _mean_by_label(present, scores)

    def predict(self, descriptions: Sequence[ClipDescription]) -> LivePredictions:
        """Predict the labels of clips."""
        rows = np.stack([embedding_of(one) for one in descriptions])
        prior = self._prior_of(np.stack([one.scores for one in descriptions]))
        return self._as_probabilities(self.classifier.predict(rows, prior, self._weights))

    def estimate(self, rest: Sequence[ClipDescription]) -> AccuracyEstimate | None:
        """Estimate how often the first suggestion is right on the unlabelled clips, of which `rest` is a sample."""
        if len(self) < MIN_LABELLED or not rest or not self._labels:
            return None
        held_out, predicted = self._held_out().probabilities, self.predict(rest).probabilities
        answers = [self._answers[clip_id] for clip_id in self.classifier.keys]
        is_right = [self._labels[row.argmax()] in one.present for row, one in zip(held_out, answers, strict=True)]
        return estimate_accuracy(held_out.max(axis=1), np.array(is_right, bool), predicted.max(axis=1))

    def _held_out(self) -> LivePredictions:
        """Predict each labelled clip as if neither it nor its near-duplicates were labelled."""
        errors = self.classifier.held_out_errors(self._targets - self._prior)
        return self._as_probabilities(self._targets - errors)

    def mapped_classes(self) -> set[int]:
        """Return the classes that suggest one of the labels."""
        return {index for one in self._mapping for index in one.classes}

    @property
    def scores_by_label(self) -> Float64:
        """The mean class scores of the clips of each label that has any, (labels, classes)."""
        return self._by_label

    def _prior_of(self, scores: Float32) -> Float64:
        """Return what the classes predict, (clips, labels): it counts less the more clips a label has.

        Shares of the labels' sum say nothing before a clip is labelled: that of a single label is always about 1.
        """
        if not len(scores):
            return np.zeros((0, len(self._labels)))
        by_label = class_mapping.label_scores(scores, self._mapping).astype(np.float64)
        if not len(self):
            return np.asarray(by_label / np.maximum(1.0, by_label.sum(axis=1, keepdims=True)))
        if not self._independent:
            by_label /= by_label.sum(axis=1, keepdims=True) + _SCORE_OF_NONE
        return np.asarray(by_label / (1.0 + self._seen))

    def _targets_of(self, answers: Sequence[LabelledClip], present: Bools) -> Float64:
        """Return targets, (clips, labels); what was not judged stays as the prior has it."""
        targets = present / np.maximum(1, 1 if self._independent else present.sum(axis=1, keepdims=True))
        rejected = {name for one in answers for name, value in one.all_verdicts.items() if value is Value.ABSENT}
        for row, one in enumerate(answers):
            labelled = bool(present[row].any())
            if one.none_of_these or (labelled and not self._independent):
                continue
            verdicts = one.all_verdicts
            for column, name in enumerate(self._labels):
                # A label that nobody ever rejects is taken to be absent where another one was given.
                if verdicts.get(name, Value.UNSURE) is Value.UNSURE and not (
                    labelled and name not in rejected and name not in verdicts
                ):
                    targets[row, column] = self._prior[row, column]
        return np.asarray(targets, np.float64)

    def _as_probabilities(self, scores: Float64) -> LivePredictions:
        labels = self._labels
        if self._independent:
            probabilities = np.clip(scores, 0.0, 1.0)
            none = 1.0 - probabilities.max(axis=1, initial=0.0)
            return LivePredictions(labels, probabilities, none, True)
        if not len(self):
            return LivePredictions(labels, scores, 1.0 - scores.sum(axis=1), False)
        # How often a label is met for the first time is the share of clips with a label of their own (Good and Turing).
        new_labels = (self._seen == 1).sum() / max(1, len(self))
        none_score = np.full((len(scores), 1), _NONE_AT_LEAST + _NONE_BY_NEW_LABELS * min(1.0, new_labels))
        logits = _SHARPNESS * np.concatenate([scores, none_score], axis=1)
        weights = np.exp(logits - logits.max(axis=1, keepdims=True))
        weights /= weights.sum(axis=1, keepdims=True)
        return LivePredictions(labels, weights[:, :-1], weights[:, -1], False)


def _present_among(one: LabelledClip, labels: Sequence[str]) -> list[str]:
    """Return those of some labels that are present in a clip, parents of what it was given among them."""
    verdicts = one.all_verdicts
    return [name for name in labels if verdicts.get(name) is Value.PRESENT]


def _mean_by_label(present: Bools, scores: Sequence[Float32]) -> Float64:
    """Return the mean class scores of the clips of each label that has any, (labels, classes)."""
    counts = present.sum(axis=0)
    if not counts.any():
        return np.zeros((0, 0))
    of_labels = present[:, counts > 0].T.astype(np.float32) @ np.stack(scores)
    return np.asarray(of_labels / counts[counts > 0][:, None], np.float64)
