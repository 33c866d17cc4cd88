"""What a check finds, and what it works on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

from labeltool.checks.sound_values import SoundValues, sound_values
from labeltool.project import Project
from labeltool.records import Skipped
from labeltool.store import Store, recordings
from labeltool.store.recordings import StoredRecording
from labeltool.type_aliases import Progress
from labeltool.util.urls import is_url

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
"""The worst first. With `--strict`, an error or a warning fails the command, a note does not."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a check found.

    Attributes
    ----------
    kind
        Of the check: a slug, as in `registry.CHECKS`.
    message
        What is wrong, in one line, with the names of files and labels.
    remedy
        The command or the key that mends it.
    score
        How bad it is, in the check's own unit; within a kind, the highest is listed first.
    """

    kind: str
    message: str
    remedy: str
    clips: tuple[int, ...] = ()
    recordings: tuple[int, ...] = ()
    labels: tuple[str, ...] = ()
    score: float = 0.0
    severity: Severity = "warning"


@dataclass(frozen=True)
class Subject:
    """What a check works on; what several checks need is read or measured once.

    Attributes
    ----------
    store
        Open for reading; a check writes nothing into it.
    skipped
        A check appends the files that it could not read; the others are checked all the same.
    """

    project: Project
    store: Store
    report: Progress
    skipped: list[Skipped] = field(default_factory=list)

    @cached_property
    def recordings(self) -> dict[int, StoredRecording]:
        """The recordings by their ids, without those that were removed."""
        return {one.id: one for one, _ in recordings.all_recordings(self.store)}

    @cached_property
    def sound_values(self) -> dict[int, SoundValues]:
        """The measured values of the recordings that can be read, by their ids."""
        found, skipped = sound_values(self.project, self.store, self.report)
        self.skipped.extend(skipped)
        return found

    def name(self, recording_id: int) -> str:
        """Return a recording's path, relative to the project where it is inside."""
        if recording_id not in self.recordings:
            return f"recording {recording_id}"  # it was imported meanwhile
        stored = self.recordings[recording_id].path
        if is_url(stored):
            return stored
        path = Path(stored)
        directory = self.project.directory
        return str(path.relative_to(directory) if path.is_relative_to(directory) else path)


Check = Callable[[Subject], list[Finding]]
