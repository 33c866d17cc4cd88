"""The checks, by their kind: a title, the function that does each, and what it needs.

To add a check: write `find_x(subject: Subject) -> list[Finding]` in a module of this room, and add a line here. The
module is imported when the check runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Literal

from labeltool.checks.finding import Check
from labeltool.errors import LabeltoolError

Needs = Literal["labels", "sound", "model"]
"""What a check reads: the database alone, the recordings too, or a pretrained model's embeddings of them too."""


@dataclass(frozen=True, slots=True)
class CheckEntry:
    """A check.

    Attributes
    ----------
    kind
        A slug; of all its findings.
    module, function
        Of the function, which takes a `Subject` and returns the findings.
    """

    kind: str
    title: str
    module: str
    function: str
    needs: Needs

    def load(self) -> Check:
        """Import the check's function."""
        found: Check = getattr(import_module(f"labeltool.checks.{self.module}"), self.function)
        return found


CHECKS: tuple[CheckEntry, ...] = (
    CheckEntry(
        "near-duplicate", "Nearly equal sound in several groups", "near_duplicates", "find_near_duplicates", "sound"
    ),
    CheckEntry("silence", "Silent clips", "sound_faults", "find_silence", "sound"),
    CheckEntry("clipping", "Clipped recordings", "sound_faults", "find_clipping", "sound"),
    CheckEntry("not-finite", "Samples that are no numbers", "sound_faults", "find_not_finite", "sound"),
    CheckEntry("dc-offset", "Recordings with a DC offset", "sound_faults", "find_dc_offset", "sound"),
    CheckEntry("truncated", "Files that end too early", "sound_faults", "find_truncated", "sound"),
    CheckEntry("opposite-phase", "Channels that cancel", "sound_faults", "find_opposite_phase", "sound"),
    CheckEntry("above-band", "Labels above what the network gets", "above_band", "find_above_band", "sound"),
    CheckEntry("bandwidth-trap", "Labels distinguished by bandwidth", "shortcuts", "find_bandwidth_traps", "sound"),
    CheckEntry("shortcut", "Labels predicted without their sound", "shortcuts", "find_shortcuts", "sound"),
    CheckEntry("single-group", "Labels of one group", "labels.counts", "find_single_groups", "labels"),
    CheckEntry("imbalance", "Labels with far fewer clips", "labels.counts", "find_imbalance", "labels"),
    CheckEntry("spelling", "Names that may mean one label", "labels.spelling", "find_spelling_twins", "labels"),
    CheckEntry("twin-labels", "Labels that are not distinguished", "labels.twins", "find_twin_labels", "model"),
    CheckEntry(
        "annotator", "Annotators who differ from the rest", "labels.annotators", "find_differing_annotators", "labels"
    ),
    CheckEntry("label-error", "Labels that are probably wrong", "labels.errors", "find_label_errors", "model"),
)
"""In the order in which they are listed."""


def checks_of(kinds: Sequence[str]) -> tuple[CheckEntry, ...]:
    """Return the checks of some kinds, in the order of `CHECKS`; all where none is named.

    Raises
    ------
    LabeltoolError
        When there is no check of a kind.
    """
    known = {check.kind for check in CHECKS}
    for kind in kinds:
        if kind not in known:
            raise LabeltoolError(f"there is no check {kind!r}", remedy=f"there are {', '.join(sorted(known))}")
    return tuple(check for check in CHECKS if not kinds or check.kind in kinds)
