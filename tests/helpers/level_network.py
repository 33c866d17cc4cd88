"""Clips above and below zero: their labels, and whether the suggestions for them are right."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from labeltool.records import StoredClip
from labeltool.store import Store, clips, journal, models

HOSTILE = "<b onmouseover='document.title = 1'>above</b>"
LEVELS = {"above": 0.4, "below": -0.4}


def true_label(clip: StoredClip) -> str:
    """Return the label of a clip by the number in its file's name: even ones are above zero."""
    return tuple(LEVELS)[int(Path(clip.path).stem) % 2]


def label_clips(store: Store, numbers: range, label_of: Callable[[StoredClip], str] = true_label) -> None:
    """Label the clips with these numbers."""
    for clip in clips.all_clips(store):
        if int(Path(clip.path).stem) in numbers:
            journal.annotate(store, clip.id, label_of(clip), annotator="ann")


def right(store: Store, label_of: Callable[[StoredClip], str] = true_label) -> list[bool]:
    """Return for each unlabelled clip whether the first suggestion is right."""
    suggestions = [(clip, models.suggestion(store, clip.id)) for clip in clips.unlabelled(store)]
    return [one is not None and next(iter(one.probabilities)) == label_of(clip) for clip, one in suggestions]
