"""What reading a journal did."""

from __future__ import annotations

from dataclasses import dataclass, field

from labeltool.records import Note, Skipped


@dataclass(slots=True)
class JournalImport:
    """Numbers of what a journal added and of what was there already, and the lines that were skipped.

    Attributes
    ----------
    notes
        Where the journal and the project contradict each other about a sound or a clip, and what counts.
    rows, verdicts
        Rows of the journal, and those of them that are verdicts.
    missing
        Recordings of the project whose sound is not where the project looks for it.
    """

    recordings: int = 0
    clips: int = 0
    rows: int = 0
    verdicts: int = 0
    missing: int = 0
    already_there: dict[str, int] = field(default_factory=lambda: {"recordings": 0, "clips": 0, "rows": 0})
    skipped: list[Skipped] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
