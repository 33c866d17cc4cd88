"""Labels that can be predicted without their sound: from level, bandwidth, length, or from how they were recorded.

A network takes such a shortcut wherever it can see it, and fails on the next recorder. The model is a decision tree
with two splits, so of two features at most, trained on some groups and tested on others; only what it does on them
counts, and only where labels that were exchanged between groups at random are not predicted nearly as well.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from labeltool.checks.finding import Finding, Subject
from labeltool.inference.clip_features import draw_clips
from labeltool.networks.architectures import sound_frontend
from labeltool.records import LabelledClip
from labeltool.store import clips
from labeltool.store.groups import own_columns
from labeltool.training.stratified_groups import draw_parts
from labeltool.training.targets import with_labels
from labeltool.type_aliases import Bools, Float64, Int64

if TYPE_CHECKING:
    from sklearn.tree import DecisionTreeClassifier

BANDWIDTH = "bandwidth"

_FOLDS = 5
_LEAVES = 3  # two splits
# With fewer clips or groups nothing differs from chance.
_MIN_CLIPS, _MIN_GROUPS = 8, 4
# The smallest p-value is one in 200; a finding needs the first or the second.
_PERMUTATIONS = 199
_MAX_P = 0.01
# A tree with two splits learns no more from more clips.
_MAX_CLIPS = 2000
# Columns of the recordings that say the label in another way, as ESC-50's `target`.
_LABEL_COLUMN = re.compile("class|label|categor|target|species|tag", re.IGNORECASE)
# Values of a column of the recordings, the most frequent: what has more is more like a name than a place.
_MAX_VALUES = 20


@dataclass(frozen=True, slots=True, eq=False)
class Facts:
    """What is known of clips beside their sound.

    Attributes
    ----------
    names
        Of the features; several may have one: the values of a column.
    rows : (clips, features) float64
    """

    names: tuple[str, ...]
    rows: Float64
    groups: tuple[str, ...]

    def only(self, name: str) -> Facts:
        """Return one feature alone."""
        return Facts((name,), self.rows[:, [self.names.index(name)]], self.groups)


@dataclass(frozen=True, slots=True)
class Shortcut:
    """How well few features predict a label: the balanced accuracy on other groups, the features, the p-value."""

    accuracy: float
    features: tuple[str, ...]
    p_value: float


def find_shortcuts(subject: Subject) -> list[Finding]:
    """Find labels that two features beside the sound predict; where bandwidth alone does, it is a bandwidth trap."""
    found = []
    for label, clip_ids, shortcut in _shortcuts(subject, by_bandwidth=False):
        features = " and ".join(shortcut.features)
        found.append(
            Finding(
                "shortcut",
                f"{label!r} is predicted from {features} alone: {shortcut.accuracy:.0%} right on other groups",
                f"record {label!r} and the other labels alike, with the same recorder and settings",
                clips=clip_ids,
                labels=(label,),
                score=shortcut.accuracy,
            )
        )
    return found


def find_bandwidth_traps(subject: Subject) -> list[Finding]:
    """Find labels that are distinguished by the bandwidth of their recordings, as far up as the network sees it.

    Telephone sound that was brought to a higher rate among others, say: it is empty above 4 kHz, and so the label is
    learned from that.
    """
    return [
        Finding(
            "bandwidth-trap",
            f"{label!r} is predicted from the bandwidth of its recordings alone: {shortcut.accuracy:.0%} right on "
            "other groups",
            f"record {label!r} as the others, or bring all to the lowest rate (`sox IN OUT rate 8k`) before the import",
            clips=clip_ids,
            labels=(label,),
            score=shortcut.accuracy,
        )
        for label, clip_ids, shortcut in _shortcuts(subject, by_bandwidth=True)
    ]


def _shortcuts(subject: Subject, *, by_bandwidth: bool) -> list[tuple[str, tuple[int, ...], Shortcut]]:
    """Return labels with the ids of their clips and their shortcut: those by bandwidth alone, or those by more."""
    labelled = {one.clip.id: one for one in with_labels(clips.labelled(subject.store, which="all"))}
    drawn = draw_clips([one.clip for one in labelled.values()], _MAX_CLIPS, seed=0)
    chosen = [labelled[clip.id] for clip in drawn if clip.recording_id in subject.sound_values]
    if not chosen:
        return []
    facts = clip_facts(subject, chosen)
    bandwidth = facts.only(BANDWIDTH)
    limits = subject.project.settings.check
    names = sorted({label for one in chosen for label in one.present})
    found = []
    for number, label in enumerate(names):
        subject.report("looking for shortcuts", number, len(names))
        is_present = np.array([label in one.present for one in chosen])
        shortcut = shortcut_to(bandwidth, is_present, min_accuracy=limits.bandwidth_accuracy)
        if not by_bandwidth:
            is_trap = shortcut is not None
            shortcut = None if is_trap else shortcut_to(facts, is_present, min_accuracy=limits.shortcut_accuracy)
        if shortcut is not None:
            ids = tuple(one.clip.id for one, has_label in zip(chosen, is_present, strict=True) if has_label)
            found.append((label, ids, shortcut))
    return found


def clip_facts(subject: Subject, chosen: Sequence[LabelledClip]) -> Facts:
    """Return what is known of some clips beside their sound."""
    top_hz = sound_frontend(subject.project.settings.learning).highest_hz
    names = ["level", BANDWIDTH, "length", "DC offset", "sample rate", "channels"]
    rows = []
    for one in chosen:
        of_file = subject.sound_values[one.clip.recording_id]
        powers = 10.0 ** (of_file.channel_levels_of(one.clip.start_s, one.clip.end_s).astype(np.float64) / 10.0)
        level = 10.0 * np.log10(max(1e-20, float(powers.mean()) if len(powers) else 0.0))
        length_s = one.clip.end_s - one.clip.start_s
        # The network sees no more of the bandwidth than its frontend does.
        seen_hz = min(of_file.bandwidth_hz, top_hz)
        rows.append([level, seen_hz, length_s, of_file.dc, of_file.sample_rate_hz, of_file.channels])
    table = np.array(rows, np.float64)
    columns = [("format", [Path(one.clip.path).suffix.lower() for one in chosen])]
    stored = own_columns(subject.store)
    for name in sorted({name for own in stored.values() for name in own if not _LABEL_COLUMN.search(name)}):
        columns.append((name, [stored.get(one.clip.recording_id, {}).get(name, "") for one in chosen]))
    for name, texts in columns:
        kinds, counts = np.unique(np.array(texts), return_counts=True)
        kept = kinds[np.argsort(-counts, kind="stable")[:_MAX_VALUES]] if len(kinds) > 1 else kinds[:0]
        table = np.hstack([table, np.array(texts)[:, None] == kept[None, :]])
        names += [name] * len(kept)
    return Facts(tuple(names), table, tuple(one.clip.group for one in chosen))


def shortcut_to(facts: Facts, is_present: Bools, *, min_accuracy: float) -> Shortcut | None:
    """Return how a label is predicted from facts; None where it is not, or no better than by chance.

    Parameters
    ----------
    is_present : (clips,) bool
    min_accuracy
        The balanced accuracy, 0 to 1, from which it counts.
    """
    groups, members = np.unique(np.array(facts.groups), return_inverse=True)
    with_label = len(set(members[is_present]))
    if is_present.sum() < _MIN_CLIPS or with_label < _MIN_GROUPS or len(groups) - with_label < _MIN_GROUPS:
        return None
    accuracy = _accuracy(facts, is_present)
    if accuracy < min_accuracy:
        return None
    # Groups, not clips, exchange their labels: the clips of a group are alike.
    has_label = np.bincount(members, weights=is_present) > 0
    rng = np.random.default_rng(0)
    as_good = sum(_accuracy(facts, rng.permutation(has_label)[members]) >= accuracy for _ in range(_PERMUTATIONS))
    p_value = (1 + as_good) / (1 + _PERMUTATIONS)
    if p_value > _MAX_P:
        return None
    used = _fitted(facts.rows, is_present).tree_.feature
    features = dict.fromkeys(facts.names[place] for place in used if place >= 0)
    return Shortcut(accuracy, tuple(features), p_value)


def _accuracy(facts: Facts, is_present: Bools) -> float:
    """Return the balanced accuracy of trees on groups that they were not trained on."""
    parts = draw_parts(facts.groups, [[str(one)] for one in is_present], [1 / _FOLDS] * _FOLDS, seed=0)
    fold: Int64 = np.array([parts[group] for group in facts.groups])
    predicted = np.zeros(len(is_present), bool)
    for number in range(_FOLDS):
        train, test = fold != number, fold == number
        if test.any() and is_present[train].any():
            predicted[test] = _fitted(facts.rows[train], is_present[train]).predict(facts.rows[test])
    return float((predicted[is_present].mean() + (~predicted[~is_present]).mean()) / 2)


def _fitted(rows: Float64, is_present: Bools) -> DecisionTreeClassifier:
    from sklearn.tree import DecisionTreeClassifier

    tree = DecisionTreeClassifier(max_leaf_nodes=_LEAVES, class_weight="balanced", random_state=0)
    return tree.fit(rows, is_present)
