"""The clips of ESC-10, and which of them a run labels: drawn evenly over the labels, or chosen by a query strategy."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from labeltool.active_learning import strategies
from labeltool.importers import esc50
from labeltool.records import Recording, StoredClip, Verdict
from labeltool.training import linear_probe
from labeltool.type_aliases import Float32, Int64

CLIP_S = 5.0
# Clips of the first query, before there is a classifier, and of the later ones.
_FIRST, _BATCH = 10, 8


def read_clips(data: Path) -> tuple[list[StoredClip], list[str]]:
    """Return the ESC-10 clips of a folder of ESC-50, and their labels."""
    recordings: dict[str, Recording] = {}
    clips: list[StoredClip] = []
    labels: list[str] = []
    for record in esc50.read(data, "esc10"):
        if isinstance(record, Recording):
            recordings[record.sha256] = record
        elif isinstance(record, Verdict) and record.label is not None:
            recording = recordings[record.clip.recording_sha256]
            group = recording.group.removeprefix("freesound:")
            clip = StoredClip(len(clips), 0, recording.path, recording.sha256, 0.0, CLIP_S, record.clip.fold, group)
            clips.append(clip)
            labels.append(record.label)
    return clips, labels


def draw_evenly(classes: Int64, count: int, seed: int) -> Int64:
    """Draw `count` of some clips by seed, equally many of each class as far as possible; indices, ascending."""
    rng = np.random.default_rng([seed, 7])
    members = [rng.permutation(np.flatnonzero(classes == number)) for number in np.unique(classes)]
    each = count // len(members)
    rest = rng.permutation([one[each] for one in members if len(one) > each])[: count - each * len(members)]
    return np.sort(np.concatenate([*(one[:each] for one in members), rest]).astype(np.int64))


def query_clips(
    strategy: str,
    features: Float32,
    embeddings: Float32,
    targets: Float32,
    groups: Sequence[str],
    count: int,
    seed: int,
) -> Int64:
    """Return the `count` clips that a query strategy chooses, in the order in which they are labelled.

    Ten at first, then batches of eight by the probabilities of a classifier over the embeddings, trained on those
    before; no network is trained.

    Parameters
    ----------
    features : (clips, columns) float32
        The strategy's own view of the clips: similar ones lie close.
    embeddings : (clips, width) float32
        A pretrained model's.
    targets : (clips, labels) float32
        One in the column of each clip's label.
    groups
        Of the clips.
    """
    labelled = np.zeros(0, np.int64)
    while len(labelled) < count:
        rest = np.setdiff1d(np.arange(len(targets)), labelled)
        probabilities = None
        if len(np.unique(targets[labelled].argmax(axis=1))) > 1:
            probabilities = train_classifier(embeddings[labelled], targets[labelled], embeddings[rest])(
                embeddings[rest]
            )
        pool = strategies.Pool(features[rest], [groups[i] for i in rest], features[labelled], probabilities)
        batch = min(_BATCH if len(labelled) else _FIRST, count - len(labelled))
        order = strategies.rank(strategy, pool, seed=seed, count=batch)
        labelled = np.concatenate([labelled, rest[order[:batch]]])
    return labelled


def train_classifier(labelled: Float32, targets: Float32, pool: Float32) -> linear_probe.Classifier:
    """Train the classifier of a project over the embeddings of labelled clips and of a pool."""
    return linear_probe.train_probe("softmax", labelled, targets, np.zeros_like(targets), pool)
