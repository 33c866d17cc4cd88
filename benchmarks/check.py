"""Faults that `labeltool check` finds of those that were planted, and false alarms.

    python benchmarks/check.py DATA [--subset esc10] [--folds 1 2 3 4] [--seeds 0 1 2 3 4]

DATA is in ESC-50's layout. For each seed a project is made of the folds, in which recordings are replaced by silent,
clipped, opposite-phase, shifted (DC) and truncated ones, one label is recorded through an 8 kHz band, and 20 re-encoded
and 20 cut, shifted or mixed copies are added under other names and groups. It prints a table: planted, found and false
alarms by kind, over all seeds. Pairs that the recordings themselves have, which the project without anything planted
shows too, are counted apart.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import Counter
from pathlib import Path

from check_planting import FAULTS, Planted, make_project, plant_sound_faults, read_sounds

from labeltool.checks import run
from labeltool.checks.finding import Finding
from labeltool.checks.sound.connected import Connected
from labeltool.project import Project

_PAIRS = "near-duplicate"


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


def pairs_of(project: Project) -> set[frozenset[str]]:
    """Return the names of each pair of near-duplicates."""
    found, names = findings(project, _PAIRS)
    return {frozenset(names[number] for number in one.recordings) for one in found}


def count_sound_faults(project: Project, planted: Planted, own: set[frozenset[str]]) -> Counter[tuple[str, str]]:
    """Return the counts of (kind, "planted" | "found" | "false" | "own")."""
    counts: Counter[tuple[str, str]] = Counter()
    found, names = findings(project, *FAULTS)
    for kind in FAULTS:
        named = {
            names[number] for one in found if one.kind == kind and one.severity != "note" for number in one.recordings
        }
        wanted = planted.faults[kind]
        counts[kind, "planted"] += len(wanted)
        counts[kind, "found"] += len(wanted & named)
        # What was truncated ends in the middle of its sound and so on: only other recordings are false alarms.
        wrong = named - set.union(*planted.faults.values())
        counts[kind, "false"] += len(wrong)
        for name in sorted(wrong):
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
            is_own = any(frozenset((one, other)) in own for one in first for other in second)
            counts[_PAIRS, "own" if is_own else "false"] += 1
            if not is_own:
                print("false:", *sorted(pair))
    return counts


def main() -> None:
    """Plant, check and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--subset")
    parser.add_argument("--folds", type=int, nargs="+", default=[1, 2, 3, 4])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    given = parser.parse_args()
    sounds = read_sounds(given.data, given.folds, given.subset)
    counts: Counter[tuple[str, str]] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        own = pairs_of(make_project(Path(folder) / "own", sounds))
        print("pairs of the recordings themselves:", *(" = ".join(sorted(pair)) for pair in own), sep="\n  ")
        for seed in given.seeds:
            changed, planted = plant_sound_faults(sounds, Path(folder) / f"sounds{seed}", seed)
            counts += count_sound_faults(make_project(Path(folder) / f"project{seed}", changed), planted, own)
    for kind in sorted({kind for kind, _ in counts}):
        print(json.dumps({"kind": kind, **{name: counts[kind, name] for name in ("planted", "found", "false", "own")}}))


if __name__ == "__main__":
    main()
