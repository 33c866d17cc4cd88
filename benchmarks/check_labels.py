"""Faults of labels that `check.py` plants: wrong labels; and what `labeltool check` finds of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from check_planting import Sound

from labeltool.annotation.label_errors import read_list
from labeltool.checks import run
from labeltool.project import Project

WRONG_SHARE = 0.05
LABEL_KINDS = ("label-error", "bandwidth-trap", "shortcut", "above-band", "single-group", "spelling", "twin-labels")


def plant_wrong_labels(
    sounds: Sequence[Sound], seed: int, *, except_for: Collection[str] = ()
) -> tuple[list[Sound], set[str]]:
    """Give a share of the sounds the label of another, any of them; return the names of their files too.

    Parameters
    ----------
    except_for
        Names of files that keep theirs: of a silent one no label is wrong.
    """
    rng = np.random.default_rng([seed, 11])
    labels = sorted({sound.label for sound in sounds})
    places = [place for place, sound in enumerate(sounds) if sound.path.name not in except_for]
    result = list(sounds)
    for place in rng.permutation(places)[: round(WRONG_SHARE * len(sounds))].tolist():
        others = [label for label in labels if label != sounds[place].label]
        result[place] = replace(sounds[place], label=str(rng.choice(others)))
    return result, {old.path.name for old, new in zip(sounds, result, strict=True) if old.label != new.label}


def count_label_faults(
    project: Project,
    wrong: Collection[str],
    telephone_label: str,
    odd: Collection[str] = (),
    *,
    only_errors: bool = False,
) -> Counter[tuple[str, str]]:
    """Return the counts of (kind, "planted" | "found" | "false").

    Of the wrong labels those are found that are among the first ones of the list, twice as many as were planted; false
    alarms are the warnings about other labels.

    Parameters
    ----------
    odd
        Names of sounds of which a warning is no false alarm: silent ones.
    only_errors
        Count wrong labels alone; the other kinds do not hang on a pretrained model, but for twins.
    """
    counts: Counter[tuple[str, str]] = Counter()
    result = run.check(project, report=lambda *_: None, kinds=LABEL_KINDS[:1] if only_errors else LABEL_KINDS)
    for failed in result.not_checked:
        print("not checked:", failed.kind, failed.reason)
    with project.open_store() as store:
        name_of = {
            clip_id: Path(path).name
            for clip_id, path in store.connection.execute(
                "SELECT c.id, r.path FROM clips c JOIN recordings r ON r.id = c.recording_id"
            )
        }
    listed = read_list(project.cache)
    assert listed is not None
    names = [name_of[error.clip_id] for error in listed.errors]
    kind = f"label-error, by {listed.by}"
    counts[kind, "planted"] = len(wrong)
    counts[kind, "found"] = len(set(names[: 2 * len(wrong)]) & set(wrong))
    print(f"{counts[kind, 'found']} of {len(wrong)} wrong labels by {listed.by}, {len(names)} listed")
    warned = {name_of[error.clip_id] for error in listed.errors if error.is_probable}
    counts[kind, "warnings"] = len(warned)
    counts[kind, "false"] = len(warned - set(wrong) - set(odd))
    for kind in () if only_errors else LABEL_KINDS[1:]:
        labels = {one.labels for one in result.findings if one.kind == kind and one.severity != "note"}
        planted = {(telephone_label,)} if kind == "bandwidth-trap" else set()
        counts[kind, "planted"] = len(planted)
        counts[kind, "found"] = len(labels & planted)
        counts[kind, "false"] = len(labels - planted)
        for one in sorted(labels - planted):
            print("false:", kind, *one)
    return counts
