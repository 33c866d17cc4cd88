"""The verdicts of each annotator on each clip, by which agreement is measured and conflicts are found."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from labeltool.records import Value
from labeltool.store import Store
from labeltool.store.journal_rows import AUTO_ACCEPTED


class Given(NamedTuple):
    """A verdict: its row in the journal, its label, None for the whole clip, and its value."""

    row_id: str
    label: str | None
    value: str


Verdicts = dict[str | None, Given]
"""An annotator's latest verdict on each label of a clip."""


@dataclass(slots=True)
class ClipVerdicts:
    """The verdicts on a clip.

    Attributes
    ----------
    by_annotator
        The latest of each annotator. As in the current annotations, a verdict on the whole clip replaces earlier ones
        on labels, and a later one on a label replaces it.
    times
        How often a label got a value, by anybody.
    imports
        Those of the annotators that are files which were imported.
    settled
        The newest row by which a conflict was settled by rule; "" where none was. It is no annotator's.
    """

    by_annotator: dict[str, Verdicts] = field(default_factory=dict)
    times: Counter[tuple[str | None, str]] = field(default_factory=Counter)
    imports: set[str] = field(default_factory=set)
    settled: str = ""

    def without_corrected_imports(self) -> dict[str, Verdicts]:
        """Return the verdicts of each annotator, without what was imported before a person labelled the clip."""
        people = [
            one.row_id for name in self.by_annotator.keys() - self.imports for one in self.by_annotator[name].values()
        ]
        newest = max(people, default="")
        return {
            name: given
            for name, given in self.by_annotator.items()
            if name not in self.imports or any(one.row_id > newest for one in given.values())
        }

    @property
    def newest(self) -> str:
        """The newest verdict of an annotator."""
        return max((one.row_id for given in self.by_annotator.values() for one in given.values()), default="")


def verdicts_by_annotator(store: Store, *, only_people: bool = False) -> dict[int, ClipVerdicts]:
    """Return the verdicts on each clip that two or more annotators gave some, by the clip's id.

    Parameters
    ----------
    only_people
        Leave out what was imported, and suggestions that nobody listened to.
    """
    which = f"AND j.origin <> 'import' AND NOT {AUTO_ACCEPTED}" if only_people else ""
    found: dict[int, ClipVerdicts] = {}
    for clip_id, annotator, origin, label, value, count, newest in store.connection.execute(
        f"""
        SELECT j.clip_id, j.annotator, j.origin, j.label, j.value, COUNT(*), MAX(j.id) AS newest
        FROM active_events j
        WHERE j.kind = 'verdict' {which} AND j.clip_id IN (
            SELECT clip_id FROM journal WHERE kind = 'verdict'
            GROUP BY clip_id HAVING MIN(annotator) < MAX(annotator)
        )
        GROUP BY j.clip_id, j.annotator, j.origin, j.label, j.value ORDER BY newest
        """
    ):
        of_clip = found.setdefault(clip_id, ClipVerdicts())
        if origin == "rule":
            of_clip.settled = newest
            continue
        (of_clip.imports.add if origin == "import" else of_clip.imports.discard)(annotator)
        verdicts = of_clip.by_annotator.setdefault(annotator, {})
        for replaced in [other for other in verdicts if (other is None) is not (label is None)]:
            del verdicts[replaced]
        verdicts[label] = Given(newest, label, value)
        of_clip.times[label, value] += count
    return {clip_id: one for clip_id, one in found.items() if len(one.by_annotator) > 1}


def present_labels(verdicts: Verdicts) -> list[str]:
    """Return the labels that are present by an annotator's verdicts."""
    return [label for label, one in verdicts.items() if label is not None and one.value == Value.PRESENT]


def verdict_on(label: str, verdicts: Verdicts) -> Given | None:
    """Return an annotator's verdict on a label: "none of these" is absent for each."""
    whole = verdicts.get(None)
    return verdicts.get(label) or (whole if whole is not None and whole.value == Value.ABSENT else None)
