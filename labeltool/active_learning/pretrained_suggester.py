"""Suggest labels by a pretrained model, until the project's own network does better.

At first by the pretrained model's own classes, mapped to the project's labels; as soon as that does better, by a
classifier over its embeddings that is trained in a moment on all labels of the project.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from labeltool.active_learning import candidates, queue_order
from labeltool.active_learning.candidates import Candidate, NetworkComparison
from labeltool.active_learning.queue_order import ClipPredictions
from labeltool.active_learning.result import SuggestResult
from labeltool.audio.descriptors import hellinger_embeddings, random_projection
from labeltool.errors import LabeltoolError
from labeltool.inference.clip_features import draw_clips
from labeltool.networks.heads import Head
from labeltool.pretrained import class_mapping, registry
from labeltool.pretrained.card import read_card
from labeltool.pretrained.class_mapping import LabelMapping
from labeltool.pretrained.project_classes import ClassScorer, ScoredClips, label_mapping
from labeltool.project import Project
from labeltool.records import LabelledClip, StoredClip, skipped_files
from labeltool.store import Store, clips, groups, journal, models
from labeltool.store.label_acts.levels import suggested_labels
from labeltool.training.targets import TrainingSet, build_training_set
from labeltool.training.unlabelled import linear_probe
from labeltool.training.unlabelled.linear_probe import Classifier
from labeltool.type_aliases import Bools, Float32, Progress

# Before the first network at most this many unlabelled clips are scored: suggestions cannot wait for an archive.
_MAX_UNLABELLED = 4096
MAX_SELF_TRAINED = 512
"""At most this many of them train the classifier by its own predictions (self-training)."""

_BATCH = 512
# A clip with no class above zero has none of the labels: "none" gets this score, where the best possible is 1.
_SCORE_OF_NONE = 0.05


def select_pretrained(project: Project, name: str | None = None) -> str | None:
    """Return the pretrained model that was named, or that of the settings where the project has it."""
    if name is not None:
        return name
    configured = project.settings.learning.pretrained
    return configured if configured in registry.names(project) else None


def teacher_of_settings(project: Project) -> Path | None:
    """Return the file of the settings' pretrained model where it has embeddings."""
    name = select_pretrained(project)
    if name is None:
        return None
    try:
        path = registry.find(project, name)
        return path if read_card(path.parent).embedding is not None else None
    except LabeltoolError:
        return None  # nobody named this teacher: its damage stops nothing


@dataclass(frozen=True, slots=True)
class NotSuggested:
    """Why a pretrained model does not suggest labels for all clips, and whether that is because it does worse."""

    why: str
    is_worse: bool = False


def suggest_by_pretrained(
    project: Project, store: Store, name: str, *, report: Progress, seed: int, forced: bool = False
) -> SuggestResult | NotSuggested:
    """Suggest labels for all clips by a pretrained model and order the queue, or return why it does not.

    Raises
    ------
    LabeltoolError
        When there is no such pretrained model, or its class mapping cannot be read.
    """
    scorer = ClassScorer(project, name, report=report)
    mark = journal.newest_id(store)
    labelled, unlabelled = clips.labelled(store), clips.unlabelled(store)
    network = candidates.suggesting_model(store)
    if network is not None and not forced and len(unlabelled) > _MAX_UNLABELLED:
        why = f"{name} would have to score {len(unlabelled):,} clips; `labeltool suggest --pretrained {name}` does it"
        return NotSuggested(why)
    to_score = unlabelled if network is not None else draw_clips(unlabelled, _MAX_UNLABELLED, seed=seed)
    labels, locked = suggested_labels(store), groups.locked_groups(store)
    pool = [clip for clip in to_score if clip.group not in locked]
    candidate = candidates.best(_candidates(scorer, labelled, labels, pool, seed))
    if candidate is None:
        if not labels:
            return NotSuggested(
                f"{name} has no labels yet to suggest: label a few clips, or import some that are labelled"
            )
        return NotSuggested(
            f"none of {name}'s classes is mapped to a label: label clips of two sounds, or `labeltool model map {name}`"
        )
    why, metrics = candidate.description, NetworkComparison()
    if network is not None:
        comparison = candidates.compare_with_network(project, candidate, network, pretrained=name)
        if not comparison.is_better and not forced:
            return NotSuggested(comparison.why, is_worse=True)
        why, metrics = f"{candidate.description}; {comparison.why}", comparison.metrics
    if forced:
        why = f"{candidate.description}; requested"
    predictions = _predict_clips(scorer, candidate, [*to_score, *(one.clip for one in labelled)])
    newest = candidates.suggesting_model(store)
    if newest is not None and newest.id != (network.id if network else None):
        return NotSuggested(f"model {newest.id} was trained meanwhile")
    model = _new_model(name, candidate, why, metrics, labels_seen=len(labelled))
    model_id = models.add(store, model, parent_id=None, journal_mark=mark, publish=lambda _: None)
    outputs = models.Outputs(candidate.labels, candidate.background, candidate.head == "sigmoid")
    ids = [clip.id for clip in predictions.clips]
    models.replace_by_scores(store, model_id, outputs, ids, predictions.probabilities)
    count = queue_order.order_by_predictions(project, store, _with_none(predictions), seed=seed)
    return SuggestResult(model_id, name, why, count, skipped_files(scorer.failed.values()))


def _new_model(
    name: str, candidate: Candidate, why: str, metrics: NetworkComparison, *, labels_seen: int
) -> models.NewModel:
    """Return the store's row for a pretrained model that suggests; its card says by what and why."""
    card = {
        "pretrained": name,
        "why": why,
        "labels": candidate.labels,
        "background": candidate.background,
        "clip_rule": {"head": candidate.head},
        **metrics,
    }
    return models.NewModel(models.PRETRAINED, json.dumps(card, ensure_ascii=False), labels_seen, candidate.accuracy)


def _predict_clips(scorer: ClassScorer, candidate: Candidate, wanted: Sequence[StoredClip]) -> ClipPredictions:
    """Predict the labels of clips batch by batch, without those that cannot be read.

    Raises
    ------
    LabeltoolError
        When none can be read.
    """
    readable: list[StoredClip] = []
    probabilities, embeddings = [], []
    projection: Float32 | None = None
    for first in range(0, len(wanted), _BATCH):
        batch = wanted[first : first + _BATCH]
        rows = scorer.compute(batch, embedding=scorer.card.embedding is not None)
        batch = [clip for clip in batch if clip.key in rows]
        if not batch:
            continue
        features = hellinger_embeddings(np.stack([rows[clip.key] for clip in batch]))
        if projection is None:
            projection = random_projection(features.shape[1])
        readable += batch
        probabilities.append(_predict_batch(scorer, candidate, batch))
        embeddings.append((features @ projection).astype(np.float32))
    if not readable:
        raise next(iter(scorer.failed.values()), LabeltoolError("there are no clips", remedy="`labeltool import`"))
    return ClipPredictions(readable, np.concatenate(embeddings), np.concatenate(probabilities), candidate.head)


def _predict_batch(scorer: ClassScorer, candidate: Candidate, batch: Sequence[StoredClip]) -> Float32:
    rows = scorer.compute(batch, embedding=candidate.by_embedding)
    # A clip that could be embedded may fail here: a file that was deleted meanwhile.
    missing = np.zeros_like(next(iter(rows.values()), candidate.rows[:1].sum(axis=0)))
    return candidate.predict(np.stack([rows.get(clip.key, missing) for clip in batch]))


def _with_none(predictions: ClipPredictions) -> ClipPredictions:
    """Under a softmax, count the probability of none of the labels as uncertainty: the clip may be of an unseen label.

    It is divided equally among the labels and one more.
    """
    if predictions.head != "softmax":
        return predictions
    probabilities = predictions.probabilities
    none = np.maximum(0.0, 1.0 - probabilities.sum(axis=1, keepdims=True)) / (probabilities.shape[1] + 1)
    return replace(predictions, probabilities=np.concatenate([probabilities + none, none], axis=1).astype(np.float32))


def _candidates(
    scorer: ClassScorer,
    labelled: Sequence[LabelledClip],
    labels: Sequence[str],
    unlabelled: Sequence[StoredClip],
    seed: int,
) -> list[Candidate]:
    """Return the candidates there are, cross-validated."""
    try:
        training_set = build_training_set(labelled)
    except LabeltoolError:
        training_set = None  # too few labels; its own classes may do without
    found = []
    if training_set is not None and scorer.card.embedding:
        found += _by_embeddings(scorer, training_set, unlabelled, seed)
    if scorer.card.classes and labels:
        found += _by_classes(scorer, ScoredClips.compute(scorer, labelled), labels, training_set)
    return [candidates.cross_validated(candidate) for candidate in found]


def _by_embeddings(
    scorer: ClassScorer, training_set: TrainingSet, unlabelled: Sequence[StoredClip], seed: int
) -> list[Candidate]:
    """Return a classifier over embeddings, or nothing where too few of the labelled clips can be read."""
    labelled, rows, pool = _embedded(scorer, training_set, unlabelled, seed)
    if labelled.head == "softmax" and not linear_probe.may_train_itself(
        rows, labelled.present, labelled.groups, pool.rows, pool.groups
    ):
        pool = _UnlabelledPool(pool.rows[:0], [])

    def fit_without(groups: Collection[str]) -> Classifier | None:
        kept = np.array([group not in groups for group in labelled.groups], bool)
        if not _is_trainable(labelled, kept):
            return None
        # Without their near-duplicates in the pool, too.
        pool_kept = np.array([group not in groups for group in pool.groups], bool)
        return linear_probe.train_probe(
            labelled.head, rows[kept], labelled.present[kept], labelled.absent[kept], pool.rows[pool_kept]
        )

    predict = fit_without(())
    if predict is None:
        return []
    return [
        Candidate(
            description=f"a classifier over {scorer.name}'s embeddings, trained on {len(labelled.clips)} clips",
            labels=labelled.labels,
            background=labelled.background,
            head=labelled.head,
            by_embedding=True,
            predict=predict,
            fit_without=fit_without,
            labelled=labelled,
            rows=rows,
        )
    ]


def _by_classes(
    scorer: ClassScorer, answers: ScoredClips, labels: Sequence[str], training_set: TrainingSet | None
) -> list[Candidate]:
    """Return the pretrained model's own classes, or nothing where none is mapped to a label."""
    head: Head = training_set.head if training_set is not None else "softmax"

    def predictor(mapped: Sequence[LabelMapping]) -> Classifier:
        def predict(scores: Float32) -> Float32:
            by_label = class_mapping.label_scores(scores, mapped)
            if head == "sigmoid":
                return by_label
            total = by_label.sum(axis=1, keepdims=True)
            # Of a single label the share would always be about 1: before there are two with clips the scores count.
            total = np.maximum(1.0, total) if training_set is None else total + np.float32(_SCORE_OF_NONE)
            return np.asarray(by_label / total, np.float32)

        return predict

    mapped = label_mapping(scorer, answers, labels)
    count = sum(bool(one.classes) for one in mapped)
    if not count:
        return []
    labelled, rows = None, np.zeros((0, len(scorer.card.classes)), np.float32)
    if training_set is not None:
        scores = scorer.compute(training_set.clips, embedding=False)
        labelled = training_set.only([clip for clip in training_set.clips if clip.key in scores])
        rows = np.stack([scores[clip.key] for clip in labelled.clips]) if labelled.clips else rows
    return [
        Candidate(
            description=f"{scorer.name}'s own classes for {count} of {len(mapped)} labels",
            labels=tuple(labels),
            background=None,
            head=head,
            by_embedding=False,
            predict=predictor(mapped),
            fit_without=lambda groups: predictor(label_mapping(scorer, answers.without(groups), labels)),
            labelled=labelled,
            rows=rows,
        )
    ]


@dataclass(frozen=True, slots=True)
class _UnlabelledPool:
    """Unlabelled clips for self-training: embeddings, (clips, width) float32, and groups."""

    rows: Float32
    groups: list[str]


def _embedded(
    scorer: ClassScorer, training_set: TrainingSet, unlabelled: Sequence[StoredClip], seed: int
) -> tuple[TrainingSet, Float32, _UnlabelledPool]:
    """Return the labelled clips that can be read, their embeddings, and a pool of unlabelled ones."""
    rows = scorer.compute(training_set.clips, embedding=True)
    labelled = training_set.only([clip for clip in training_set.clips if clip.key in rows])
    if not labelled.clips:
        raise next(iter(scorer.failed.values()))
    drawn = draw_clips(unlabelled, MAX_SELF_TRAINED, seed=seed)
    pool_rows = scorer.compute(drawn, embedding=True)
    pooled = [clip for clip in drawn if clip.key in pool_rows]
    embeddings = np.stack([rows[clip.key] for clip in labelled.clips])
    pool = np.stack([pool_rows[clip.key] for clip in pooled]) if pooled else embeddings[:0]
    return labelled, embeddings, _UnlabelledPool(pool, [clip.group for clip in pooled])


def _is_trainable(labelled: TrainingSet, kept: Bools) -> bool:
    """Return whether some labelled clips have two labels (softmax), or one (sigmoid)."""
    return int((labelled.present[kept] > 0).any(axis=0).sum()) >= (2 if labelled.head == "softmax" else 1)
