"""What the header and the trainings know of the models: which one suggests, and how many labels are newer."""

from __future__ import annotations

from dataclasses import dataclass

from labeltool.active_learning.suggester_state import SuggesterState
from labeltool.pretrained.trunk import has_trunk
from labeltool.project import Project
from labeltool.store import Store, journal, models, progress


@dataclass(frozen=True, slots=True)
class ModelState:
    """The newest model and what suggests labels, and how many labels are newer than either.

    Attributes
    ----------
    id
        The project's newest model; None before there is one.
    pending
        The number of clips with labels that the newest model was not trained on.
    suggester
        What suggests labels for the clip on the screen; None where nothing does.
    pending_suggest
        The number of clips that were labelled since suggestions for all clips were made by a pretrained model, or by
        the head behind its layers; 0 where a network of the project makes them.
    labels_suggest
        The labelled clips that those suggestions were made from.
    """

    id: int | None
    pending: int
    suggester: SuggesterState | None = None
    pending_suggest: int = 0
    labels_suggest: int = 0


class _PendingClips:
    """Counts the clips with labels newer than a model; it reads only what is new since the last time."""

    def __init__(self) -> None:
        # The last row that the model was trained on, the last row that was read, and the clips with labels since.
        self._mark: str | None = None
        self._read_row = ""
        self._clips: set[int] = set()

    def count(self, store: Store, mark: str) -> int:
        """Return the number of clips with labels newer than a model's mark."""
        # Only the rows since the last time: the journal of a large project is long.
        with store.snapshot():
            changed = journal.changed_clips(store, self._read_row) if mark == self._mark else None
            if changed is None:
                self._clips = progress.labelled_since(store, mark)
            else:
                self._clips = self._clips - changed | progress.labelled_since(store, mark, changed)
            self._mark, self._read_row = mark, journal.newest_id(store)
        return len(self._clips)


class ModelWatcher:
    """Reads the state of the models; it counts only what is new since the last time."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._has_trunk: bool | None = None
        self._pending, self._pending_suggest = _PendingClips(), _PendingClips()

    def read(self, store: Store, suggester: SuggesterState | None) -> ModelState:
        """Return the state, given what suggests labels."""
        newest = models.latest(store, self._project.settings.learning.architecture)
        row = models.suggester(store)
        by_pretrained = row is not None and row.pretrained is not None
        pending_suggest = 0
        configured = self._project.settings.learning.pretrained is not None
        if self._has_trunk is None:
            self._has_trunk = has_trunk(self._project)
        if self._has_trunk or (configured and (row is None or by_pretrained)):
            pending_suggest = self._pending_suggest.count(store, row.journal_mark if row else "")
        own = newest if row is None or by_pretrained else row
        return ModelState(
            id=own.id if own else None,
            pending=self._pending.count(store, newest.journal_mark if newest else ""),
            suggester=suggester,
            pending_suggest=pending_suggest,
            labels_suggest=row.labels_seen if row else 0,
        )
