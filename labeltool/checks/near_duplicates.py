"""Nearly equal sound in several groups: a network that was trained on one is tested on the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from labeltool.checks.finding import Finding, Subject
from labeltool.checks.fingerprints import find_pairs
from labeltool.store import Store
from labeltool.store.groups import recording_groups, set_groups
from labeltool.util.connected import Connected

KIND = "near-duplicate"


def find_near_duplicates(subject: Subject) -> list[Finding]:
    """Find pairs of recordings of different groups with a sound in common: copies, cuts, mixtures."""
    pairs, skipped = find_pairs(subject.project, subject.store, subject.report)
    subject.skipped.extend(skipped)
    found = []
    for one in pairs:
        first, second = subject.name(one.first), subject.name(one.second)
        where = f"at {one.start_s:.1f} s is in {second} at {one.start_s + one.offset_s:.1f} s"
        message = f"{first} {where} too, in another group (the waveforms agree by {one.score:.2f} of 1)"
        remedy = f"`labeltool check {KIND} --join` makes one group of them"
        numbers = (one.first, one.second)
        found.append(Finding(KIND, message, remedy, recordings=numbers, score=one.score, severity="error"))
    return found


def join_found(store: Store, findings: Sequence[Finding], *, annotator: str) -> int:
    """Make one group of the groups of each finding's recordings; return how many recordings changed theirs.

    It is one batch of rows of the journal: one undo. The group of most recordings gives the name.
    """
    groups = recording_groups(store)
    connected: Connected[str] = Connected()
    sizes = Counter(groups.values())
    for finding in findings:
        names = sorted({groups[number] for number in finding.recordings if number in groups})
        for name in names[1:]:
            one, other = sorted((connected.root(names[0]), connected.root(name)), key=lambda root: (-sizes[root], root))
            connected.join(one, other)
    changed = {number: connected.root(name) for number, name in groups.items() if connected.root(name) != name}
    return set_groups(store, changed, annotator=annotator) if changed else 0
