"""Labels that cannot be tested, because all their clips are of one group, and labels with few clips beside others."""

from __future__ import annotations

import shlex
from collections import Counter

from labeltool.checks.finding import Finding, Subject
from labeltool.store import clips
from labeltool.util.counted import counted


def find_single_groups(subject: Subject) -> list[Finding]:
    """Find the labels of which all clips are of one group: no split can train on them and test them too."""
    groups: dict[str, Counter[str]] = {}
    clips_of: dict[str, list[int]] = {}
    for one in clips.labelled(subject.store, which="all"):
        for label in one.present:
            groups.setdefault(label, Counter())[one.clip.group] += 1
            clips_of.setdefault(label, []).append(one.clip.id)
    return [
        Finding(
            "single-group",
            f"{label!r}: {_clips_are(count)} of one group, {group!r}; what is trained on them cannot be tested",
            "record or import it from another source; `labeltool group` where the groups are wrong",
            clips=tuple(clips_of[label]),
            labels=(label,),
            score=float(count),
        )
        for label, counts in groups.items()
        if len(counts) == 1
        for group, count in counts.items()
    ]


def find_imbalance(subject: Subject) -> list[Finding]:
    """Find the labels with far fewer clips than the most frequent one."""
    counts = {label: count for label, count in clips.counts(subject.store).labels.items() if count}
    if not counts:
        return []
    most = max(counts, key=lambda label: counts[label])
    limit = subject.project.settings.check.max_imbalance
    return [
        Finding(
            "imbalance",
            f"{label!r} has {counted(count, 'clip')}, {most!r} {counts[most]}: "
            f"{counts[most] / count:.0f} times as many",
            f"`labeltool find {shlex.quote(label)}` searches the recordings for more",
            labels=(label,),
            score=counts[most] / count,
            severity="note",
        )
        for label, count in counts.items()
        if counts[most] > limit * count
    ]


def _clips_are(count: int) -> str:
    return "its only clip is" if count == 1 else f"its {count} clips are"
