"""One person's sitting: what they say goes to the journal through one thread, and how fast they go is kept here."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labeltool.project import Project
from labeltool.records import Value
from labeltool.store import Store, journal, spans
from labeltool.store.journal import JournalRow
from labeltool.store.journal_rows import new_row_id
from labeltool.store.recordings import StoredRecording
from labeltool.store.spans import Mark
from labeltool.tui.background.store_thread import StoreThread

# Whoever thinks for longer than this went for coffee: the pace is of the time at work.
_LONGEST_THOUGHT_S = 60.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What somebody says of a clip or a span; see `journal.say`."""

    label: str | None
    value: Value
    accepted_from: str | None
    suggested: str | None
    took_ms: int
    instead_of: Sequence[str] = ()


class Session:
    """Writes to the journal; each method returns when what it wrote is on the disk.

    Attributes
    ----------
    annotator
        Who answers.
    answers
        Clips dealt with in this sitting.
    began_after
        A row id that sorts before all that is said in this sitting.
    """

    def __init__(self, project: Project, annotator: str) -> None:
        self.annotator = annotator
        self._writer = StoreThread(project, "labeltool-journal")
        self.answers = 0
        self._worked_s = 0.0
        self.began_after = new_row_id()

    @property
    def pace(self) -> float | None:
        """Clips answered a minute in this session; None before the second answer."""
        return self.answers / self._worked_s * 60 if self.answers > 1 and self._worked_s > 0 else None

    def count_answer(self, took_s: float) -> None:
        """Add a clip that was dealt with to the pace."""
        self.answers += 1
        self._worked_s += min(took_s, _LONGEST_THOUGHT_S)

    async def say(self, clip_id: int, answer: Answer) -> JournalRow:
        """Write a verdict, see `journal.say`, and return its row."""
        return await self._say(
            lambda store, how: journal.say(store, clip_id, answer.label, answer.value, **how), answer
        )

    async def say_all(
        self,
        label: str | None,
        values: Mapping[int, Value],
        *,
        accepted_from: Mapping[int, str],
        suggested: Mapping[int, str],
        took_ms: int,
        answered_here: Collection[int] = (),
    ) -> list[JournalRow]:
        """Write one verdict for each of several clips as one act, see `journal.say_all`."""
        return await self._writer.do(
            lambda store: journal.say_all(
                store,
                label,
                values,
                annotator=self.annotator,
                accepted_from=accepted_from,
                suggested=suggested,
                took_ms=took_ms,
                answered_here=answered_here,
            )
        )

    async def set_aside(self, clip_id: int, kind: str, *, took_ms: int) -> None:
        """Write that a clip was passed over: "skip" or "bad audio"."""
        await self._writer.do(
            lambda store: journal.set_aside(store, clip_id, kind, annotator=self.annotator, took_ms=took_ms)
        )

    async def note(self, clip_id: int, text: str) -> JournalRow:
        """Write a note on a clip and return its row."""

        def write(store: Store) -> JournalRow:
            return journal.row(store, journal.note(store, clip_id, text, annotator=self.annotator))

        return await self._writer.do(write)

    async def say_span(self, recording: StoredRecording, mark: Mark, answer: Answer) -> JournalRow:
        """Write a verdict on a span of a recording, see `spans.say_span`, and return its row."""
        return await self._say(
            lambda store, how: spans.say_span(store, recording, mark, answer.label, answer.value, **how), answer
        )

    async def note_span(self, recording: StoredRecording, mark: Mark, text: str) -> JournalRow:
        """Write a note on a marked span and return its row."""
        return await self._writer.do(
            lambda store: journal.row(store, spans.note_span(store, recording, mark, text, annotator=self.annotator))
        )

    async def undo(self) -> list[JournalRow]:
        """Take back the annotator's last act, whenever it was, and return its rows; none when there is none."""

        def write(store: Store) -> list[JournalRow]:
            last = journal.undo(store, annotator=self.annotator)
            return journal.said_together(store, last) if last is not None else []

        return await self._writer.do(write)

    async def redo(self) -> list[JournalRow]:
        """Say again what the last undo took back and return its rows; none when there is nothing."""

        def write(store: Store) -> list[JournalRow]:
            last = journal.redo(store, annotator=self.annotator)
            return journal.said_together(store, last) if last is not None else []

        return await self._writer.do(write)

    def close(self) -> None:
        """Finish what is being written and close."""
        self._writer.close()

    async def _say(self, say: Callable[[Store, dict[str, Any]], str], answer: Answer) -> JournalRow:
        how = {
            "annotator": self.annotator,
            "accepted_from": answer.accepted_from,
            "suggested": answer.suggested,
            "took_ms": answer.took_ms,
            "instead_of": answer.instead_of,
        }
        return await self._writer.do(lambda store: journal.row(store, say(store, how)))
