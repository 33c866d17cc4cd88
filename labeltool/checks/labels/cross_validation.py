"""Probabilities of the labels of each labelled clip, by classifiers that were not trained on its group.

A logistic regression (`linear_probe`) over the embeddings of a pretrained model of the project, or where it has none
over descriptors of the log-mels. Not over features of the project's own network: that was trained on these very labels,
the wrong ones too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from labeltool.audio.descriptors import standardise
from labeltool.checks.finding import Subject
from labeltool.errors import LabeltoolError
from labeltool.inference.clip_features import compute_features, draw_clips, feature_cache_of
from labeltool.networks.architectures import sound_frontend
from labeltool.pretrained import registry
from labeltool.pretrained.clip_cache import embed_clips
from labeltool.pretrained.probe import open_model
from labeltool.records import StoredClip, skipped_files
from labeltool.training.labelled_spans import read_training_clips
from labeltool.training.stratified_groups import draw_parts, label_sets
from labeltool.training.targets import TrainingSet, build_training_set
from labeltool.training.unlabelled.linear_probe import train_probe
from labeltool.type_aliases import Float32, Float64
from labeltool.util.files.atomic_write import open_atomic
from labeltool.util.files.npz import UNREADABLE, open_npz
from labeltool.util.files.writable import kept

# Raised whenever the probabilities of the same clips change.
_VERSION = 1
_FOLDS = 5
# The mean over three divisions into folds finds more of the wrong labels than one (benchmarks/NOTES.md).
_REPEATS = 3
# 160 MB of YAMNet's embeddings.
_MAX_CLIPS = 20_000
# A regression on more takes minutes, and is no better.
_MAX_TRAINED = 4096
_BATCH = 2048


@dataclass(frozen=True, slots=True, eq=False)
class CrossValidated:
    """Labelled clips with the probabilities of their labels.

    Attributes
    ----------
    probabilities : (clips, labels) float64
        NaN where a label is of no clip outside the clip's fold: a label of one group cannot be predicted.
    by
        What the clips are compared by: the pretrained model's name, or "sound".
    left_out
        Number of labelled clips that are not among them, because there are too many.
    """

    labelled: TrainingSet
    probabilities: Float64
    by: str
    left_out: int


@dataclass(frozen=True, slots=True)
class _Features:
    """Features of clips that can be read, (clips, width) float32, by what, and the key of all that changes them."""

    clips: Sequence[StoredClip]
    rows: Float32
    by: str
    key: str


def cross_validated(subject: Subject) -> CrossValidated | None:
    """Predict every labelled clip without its group; None where there are no two labels to tell apart.

    What was computed for the same clips and labels is read from the cache.

    Raises
    ------
    LabeltoolError
        When the pretrained model cannot be loaded, or the cache cannot be written.
    """
    try:
        whole = build_training_set(read_training_clips(subject.store, min_window_s=1.0).labelled)
    except LabeltoolError:
        return None
    features = _features(subject, draw_clips(whole.clips, _MAX_CLIPS, seed=0))
    if len({clip.group for clip in features.clips}) < 2:
        return None
    labelled = whole.only(features.clips)
    path = subject.project.cache / "checks" / "cross-validated.npz"
    key = _key(labelled, features.key)
    probabilities = _read(path, key, labelled.present.shape)
    if probabilities is None:
        probabilities = _predict(labelled, features.rows, subject)
        with open_atomic(path) as file:
            np.savez(file, key=np.array(key), probabilities=probabilities)
    return CrossValidated(labelled, probabilities, features.by, len(whole.clips) - len(features.clips))


def _features(subject: Subject, clips: list[StoredClip]) -> _Features:
    project, report = subject.project, subject.report
    able = registry.with_embeddings(project)
    if able:
        name = project.settings.learning.pretrained
        name = name if name in able else able[0]
        pretrained = open_model(registry.find(project, name), embedding=True)
        by_key, failed = embed_clips(pretrained, project.cache / "teacher", clips, report=report)
        subject.skipped.extend(skipped_files(failed.values()))
        readable = [clip for clip in clips if clip.key in by_key]
        rows = [by_key[clip.key] for clip in readable]
        return _Features(readable, np.array(rows, np.float32), name, pretrained.card.fingerprint)
    frontend = sound_frontend(project.settings.learning)
    found = compute_features(feature_cache_of(project, frontend), clips, report=report, require_any=False)
    subject.skipped.extend(found.skipped)
    described = np.array([frontend.describe(frames) for frames in found.frames], np.float32)
    rows_ = standardise(described) if len(described) else described
    return _Features(found.clips, rows_, "sound", frontend.fingerprint)


def _key(labelled: TrainingSet, features: str) -> str:
    digest = hashlib.sha256(f"{_VERSION} {features} {labelled.head} {labelled.labels}".encode())
    for clip in labelled.clips:
        digest.update(f"{clip.key}\0{clip.group}\0".encode())
    digest.update(labelled.present.tobytes())
    digest.update(labelled.absent.tobytes())
    return digest.hexdigest()


def _read(path: Path, key: str, shape: tuple[int, ...]) -> Float64 | None:
    try:
        with open_npz(kept(path)) as content:
            found = np.asarray(content["probabilities"], np.float64)
            return found if str(content["key"]) == key and found.shape == shape else None
    except UNREADABLE:
        return None


def _predict(labelled: TrainingSet, rows: Float32, subject: Subject) -> Float64:
    """Return the mean over several divisions into folds of the probabilities that each clip gets."""
    total = np.zeros(labelled.present.shape, np.float64)
    groups = np.array(labelled.groups)
    for repeat in range(_REPEATS):
        parts = draw_parts(labelled.groups, label_sets(labelled.present), [1 / _FOLDS] * _FOLDS, seed=repeat)
        fold = np.array([parts[group] for group in groups])
        for number in range(_FOLDS):
            subject.report("comparing labels", repeat * _FOLDS + number, _REPEATS * _FOLDS)
            train, test = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
            if len(train) and len(test):
                chosen = np.random.default_rng([repeat, number]).permutation(train)[:_MAX_TRAINED]
                total[test] += _predicted(labelled, rows, np.sort(chosen), test)
    return total / _REPEATS


def _predicted(labelled: TrainingSet, rows: Float32, train: np.ndarray, test: np.ndarray) -> Float64:
    """Predict some clips with a classifier that was trained on others; NaN for a label that those do not have."""
    present, absent = labelled.present[train], labelled.absent[train]
    known = (present > 0).any(axis=0)
    if labelled.head == "sigmoid":
        known &= (absent > 0).any(axis=0)
    found = np.full((len(test), len(known)), np.nan)
    if known.sum() < (2 if labelled.head == "softmax" else 1):
        return found
    predict = train_probe(labelled.head, rows[train], present, absent, rows[:0])
    for first in range(0, len(test), _BATCH):
        found[first : first + _BATCH] = predict(rows[test[first : first + _BATCH]])
    found[:, ~known] = np.nan
    return found
