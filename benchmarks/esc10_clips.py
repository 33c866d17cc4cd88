"""The clips of a data set, and which of them a run labels: drawn evenly over the labels, or chosen by a strategy."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))  # records as the tests read them

from helpers.records import one_by_one, read_esc50, read_urbansound8k
from labeltool.active_learning import strategies
from labeltool.active_learning.pretrained_suggester import MAX_SELF_TRAINED
from labeltool.audio.files import describe
from labeltool.errors import LabeltoolError
from labeltool.importers.base import recording_of, whole_clip
from labeltool.records import Imported, Recording, StoredClip, Verdict
from labeltool.training.unlabelled import linear_probe
from labeltool.type_aliases import Float32, Int64

CLIP_S = 5.0
# Clips of the first query, before there is a classifier, and of the later ones.
_FIRST, _BATCH = 10, 8


def read_dataset(data: Path, subset: str | None = None) -> tuple[str, Iterator[Imported]]:
    """Return the name and the records of a data set; what lies in its folder says which kind it is.

    Parameters
    ----------
    data
        Laid out as ESC-50, UrbanSound8K or the Free Spoken Digit Dataset; it gives the name.
    subset
        "esc10" for that part of ESC-50; it is then the name.

    Raises
    ------
    LabeltoolError
        When it is none of them; while the records are read, as the importers.
    """
    name = subset or data.resolve().name.lower()
    if (data / "meta" / "esc50.csv").exists():
        return name, read_esc50(data, subset)
    if subset is not None:
        raise LabeltoolError("has no subsets", file=data, remedy="give none: only ESC-50 has one")
    if (data / "metadata" / "UrbanSound8K.csv").exists():
        return name, read_urbansound8k(data)
    digits = sorted((data / "recordings").glob("[0-9]_*_*.wav"))
    if not digits:
        raise LabeltoolError(
            "is no data set of a known kind",
            file=data,
            remedy="it has meta/esc50.csv, metadata/UrbanSound8K.csv or recordings/DIGIT_SPEAKER_TAKE.wav",
        )
    return name, _read_digits(digits)


def _read_digits(files: Sequence[Path]) -> Iterator[Imported]:
    """Read spoken digits: the speaker is the group, and in the order of their names each is a fold, from 1 on."""
    speakers = sorted({file.stem.split("_")[1] for file in files})
    for file in files:
        digit, speaker, _ = file.stem.split("_", 2)
        recording = recording_of(describe(file), f"speaker:{speaker}", "CC BY-SA 4.0")
        clip = whole_clip(recording, speakers.index(speaker) + 1)
        yield from (recording, clip, Verdict(clip, digit, file=str(file)))


def read_clips(data: Path) -> tuple[list[StoredClip], list[str]]:
    """Return the ESC-10 clips of a folder of ESC-50, and their labels."""
    recordings: dict[str, Recording] = {}
    clips: list[StoredClip] = []
    labels: list[str] = []
    for record in one_by_one(read_esc50(data, "esc10")):
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
    """Draw `count` of some clips by seed, equally many of each class; indices, ascending."""
    rng = np.random.default_rng([seed, 7])
    members = [rng.permutation(np.flatnonzero(classes == number)) for number in np.unique(classes)]
    each = count // len(members)
    rest = rng.permutation([one[each] for one in members if len(one) > each])[: count - each * len(members)]
    drawn = np.sort(np.concatenate([*(one[:each] for one in members), rest]).astype(np.int64))
    if len(drawn) != count:
        raise LabeltoolError(f"{count} clips cannot be drawn evenly over the labels", remedy="draw fewer, or take all")
    return drawn


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

    Ten at first, then batches of eight by the probabilities of the classifier over the embeddings that suggests labels
    in a project before there is a network, trained on those before; no network is trained.

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
            some = np.sort(np.random.default_rng([seed, len(rest)]).permutation(rest)[:MAX_SELF_TRAINED])
            if not linear_probe.may_train_itself(
                embeddings[labelled],
                targets[labelled],
                [groups[i] for i in labelled],
                embeddings[some],
                [groups[i] for i in some],
            ):
                some = some[:0]
            probabilities = train_classifier(embeddings[labelled], targets[labelled], embeddings[some])(
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
