"""Faults that `labeltool check` finds of those that were planted, and false alarms.

    python benchmarks/check.py DATA [--subset esc10] [--pretrained yamnet.tflite] [--folds 1 2 3 4] [--seeds 0 1 2 3 4]

DATA is in ESC-50's layout. For each seed a project is made of the folds, in which recordings are replaced by silent,
clipped, opposite-phase, shifted (DC) and truncated ones, one label is recorded through an 8 kHz band, 20 re-encoded
and 20 cut, shifted or mixed copies are added under other names and groups, and 5 % of all labels are replaced by
another. It prints a table: planted, found and false alarms by kind, over all seeds. Pairs and faults that the
recordings themselves have, which the project without anything planted shows too, are counted apart ("own"). Labels are
compared by the log-mels, and by the pretrained model too where one is given; of the wrong ones those are found that are
among the first of the list, twice as many as were planted; "warnings" are those that the check calls probable.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import Counter
from pathlib import Path

from check_labels import count_label_faults, plant_wrong_labels
from check_planting import FAULTS, Planted, make_project, plant_sound_faults, read_sounds

from labeltool.checks import run
from labeltool.checks.finding import Finding
from labeltool.pretrained import registry
from labeltool.project import Project
from labeltool.util.connected import Connected

_PAIRS = "near-duplicate"
_COUNTS = ("planted", "found", "false", "own", "warnings")


def quiet(*_: object) -> None:
    """Take a progress report and do nothing."""


def findings(project: Project, *kinds: str) -> tuple[list[Finding], dict[int, str]]:
    """Return what `labeltool check` finds of some kinds, and the names of the recordings."""
    found = run.check(project, report=quiet, kinds=kinds).findings
    with project.open_store() as store:
        names = {
            number: Path(path).name for number, path in store.connection.execute("SELECT id, path FROM recordings")
        }
    return list(found), names


def faults_of(project: Project) -> dict[str, set[str]]:
    """Return the names of the recordings with each fault, without those that are notes."""
    found, names = findings(project, *FAULTS)
    by_kind: dict[str, set[str]] = {kind: set() for kind in FAULTS}
    for one in found:
        by_kind[one.kind] |= {names[number] for number in one.recordings if one.severity != "note"}
    return by_kind


def pairs_of(project: Project) -> set[frozenset[str]]:
    """Return the names of each pair of near-duplicates."""
    found, names = findings(project, _PAIRS)
    return {frozenset(names[number] for number in one.recordings) for one in found}


def count_sound_faults(
    project: Project, planted: Planted, own: set[frozenset[str]], own_faults: dict[str, set[str]]
) -> Counter[tuple[str, str]]:
    """Return the counts of (kind, "planted" | "found" | "false" | "own")."""
    counts: Counter[tuple[str, str]] = Counter()
    for kind, named in faults_of(project).items():
        wanted = planted.faults[kind]
        counts[kind, "planted"] += len(wanted)
        counts[kind, "found"] += len(wanted & named)
        # One that was cut short may have a mean that is not 0, and so on: only other recordings are false alarms.
        for name in sorted(named - set.union(*planted.faults.values())):
            is_own = bool(planted.sources.get(name, {name}) & own_faults[kind])
            counts[kind, "own" if is_own else "false"] += 1
            if not is_own:
                print("false:", kind, name)
    pairs = pairs_of(project)
    connected: Connected[str] = Connected()
    for one, other in pairs:
        connected.join(one, other)
    for copy, (how, original) in planted.copies.items():
        kind = f"copy: {how}"
        counts[kind, "planted"] += 1
        # Where both have sound of a third, they may be connected through that.
        is_found = connected.joins(copy, original)
        counts[kind, "found"] += is_found
        if not is_found:
            print("missed:", how, copy)
    for pair in pairs:
        first, second = (planted.sources.get(name, {name}) for name in sorted(pair))
        if not first & second:
            # Takes of one source may have sound in common: they were in one group before one was copied.
            same_source = {one.split("-")[1] for one in first} & {one.split("-")[1] for one in second}
            is_own = bool(same_source) or any(frozenset((one, other)) in own for one in first for other in second)
            counts[_PAIRS, "own" if is_own else "false"] += 1
            if not is_own:
                print("false:", *sorted(pair))
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--subset")
    parser.add_argument("--folds", type=int, nargs="+", default=[1, 2, 3, 4])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument(
        "--pretrained", type=Path, metavar="FILE", help="a pretrained model's file, with its class list"
    )
    given = parser.parse_args()
    sounds = read_sounds(given.data, given.folds, given.subset)
    counts: Counter[tuple[str, str]] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        project = make_project(Path(folder) / "own", sounds)
        own, own_faults = pairs_of(project), faults_of(project)
        print("pairs of the recordings themselves:", *(" = ".join(sorted(pair)) for pair in own), sep="\n  ")
        print("their faults:", json.dumps({kind: sorted(names) for kind, names in own_faults.items() if names}))
        for seed in given.seeds:
            changed, planted = plant_sound_faults(sounds, Path(folder) / f"sounds{seed}", seed)
            # Of what is silent, or silent in the mono mix, no label is wrong; what was truncated is read in part.
            odd = planted.faults["silence"] | planted.faults["opposite-phase"] | planted.faults["truncated"]
            changed, wrong = plant_wrong_labels(changed, seed, except_for=odd)
            project = make_project(Path(folder) / f"project{seed}", changed)
            counts.update(count_sound_faults(project, planted, own, own_faults))
            counts.update(count_label_faults(project, wrong, planted.telephone_label, odd))
            if given.pretrained is not None:
                registry.add(project, report=quiet, file=str(given.pretrained), name="pretrained")
                counts.update(count_label_faults(project, wrong, planted.telephone_label, odd, only_errors=True))
    for kind in sorted({kind for kind, _ in counts}):
        print(
            json.dumps(
                {
                    "kind": kind,
                    **{name: counts[kind, name] for name in _COUNTS if counts[kind, name] or name in _COUNTS[:3]},
                }
            )
        )


if __name__ == "__main__":
    main()
