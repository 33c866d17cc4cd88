"""The session of one annotator: a thread writes their annotations to the journal, and their speed is measured."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from labeltool.project import Project
from labeltool.records import Value
from labeltool.store import Store, checked, clips, journal, labels, spans
from labeltool.store.clips import Counts
from labeltool.store.database import DatabaseExchanged
from labeltool.store.journal import AnnotationContext, JournalRow
from labeltool.store.journal_rows import new_row_id
from labeltool.store.labels import ProjectLabel
from labeltool.store.recordings import StoredRecording
from labeltool.store.spans import Region
from labeltool.tui.background.store_thread import StoreThread

# A longer time on one clip is a break: the speed is of the time at work.
_MAX_RESPONSE_S = 60.0


@dataclass(frozen=True, slots=True)
class Annotation:
    """One verdict on a clip or a region; see `journal.annotate` for the fields.

    `key` is the one that the label gets if it is new; "" for the first that is free.
    """

    label: str | None
    value: Value
    context: AnnotationContext
    key: str = ""


class Session:
    """Writes to the journal; each method returns when the rows are on the disk.

    Parameters
    ----------
    on_exchange
        See `StoreThread`.

    Attributes
    ----------
    annotator
        Who labels.
    clips_done
        The number of clips that were labelled, skipped or excluded in this session.
    start_row_id
        A journal row id that sorts before all rows of this session.
    """

    def __init__(self, project: Project, annotator: str, on_exchange: Callable[[DatabaseExchanged], None]) -> None:
        self.annotator = annotator
        self._writer = StoreThread(project, "labeltool-journal", on_exchange)
        self.clips_done = 0
        self._worked_s = 0.0
        self.start_row_id = new_row_id()

    @property
    def clips_per_minute(self) -> float | None:
        """The annotation speed of this session; None before the second clip."""
        return self.clips_done / self._worked_s * 60 if self.clips_done > 1 and self._worked_s > 0 else None

    def count_clip(self, response_s: float) -> None:
        """Count a clip that is done."""
        self.clips_done += 1
        self._worked_s += min(response_s, _MAX_RESPONSE_S)

    async def annotate(self, clip_id: int, annotation: Annotation) -> JournalRow:
        """Write a verdict on a clip and return its row."""

        def write(store: Store) -> JournalRow:
            label, value, context = annotation.label, annotation.value, annotation.context
            _add_label(store, label, annotation.key)
            row_id = journal.annotate(store, clip_id, label, value, annotator=self.annotator, context=context)
            return journal.row(store, row_id)

        return await self._writer.do(write)

    async def annotate_batch(
        self,
        label: str | None,
        values: Mapping[int, Value],
        *,
        contexts: Mapping[int, AnnotationContext],
        response_ms: int,
        include_labelled: Collection[int] = (),
        key: str = "",
    ) -> list[JournalRow]:
        """Write one verdict for each of several clips as one action, see `journal.annotate_batch` and `Annotation`."""

        def write(store: Store) -> list[JournalRow]:
            _add_label(store, label, key)
            return journal.annotate_batch(
                store,
                label,
                values,
                annotator=self.annotator,
                contexts=contexts,
                response_ms=response_ms,
                include_labelled=include_labelled,
            )

        return await self._writer.do(write)

    async def exclude(self, clip_id: int, kind: str, *, response_ms: int) -> None:
        """Write that a clip gets no label: "skip" or "bad audio"."""
        await self._writer.do(
            lambda store: journal.exclude(store, clip_id, kind, annotator=self.annotator, response_ms=response_ms)
        )

    async def note(self, clip_id: int, text: str) -> JournalRow:
        """Write a note on a clip and return its row."""
        return await self._writer.do(
            lambda store: journal.row(store, journal.note(store, clip_id, text, annotator=self.annotator))
        )

    async def annotate_region(self, recording: StoredRecording, region: Region, annotation: Annotation) -> JournalRow:
        """Write a verdict on a region of a recording and return its row."""

        def write(store: Store) -> JournalRow:
            label, value, context = annotation.label, annotation.value, annotation.context
            _add_label(store, label, annotation.key)
            row_id = spans.annotate_region(
                store, recording, region, label, value, annotator=self.annotator, context=context
            )
            return journal.row(store, row_id)

        return await self._writer.do(write)

    async def note_region(self, recording: StoredRecording, region: Region, text: str) -> JournalRow:
        """Write a note on a region and return its row."""
        return await self._writer.do(
            lambda store: journal.row(
                store, spans.note_region(store, recording, region, text, annotator=self.annotator)
            )
        )

    async def mark_checked(self, recording: StoredRecording, region: Region | None) -> JournalRow:
        """Write that a recording, or a region of it, is checked, and return the row."""
        return await self._writer.do(
            lambda store: journal.row(store, checked.mark_checked(store, recording, region, annotator=self.annotator))
        )

    async def labels(self) -> Sequence[ProjectLabel]:
        """Return the project's labels with their keys and colours."""
        return await self._writer.do(labels.project_labels)

    async def change_labels(self, change: Callable[[Store], None]) -> tuple[Sequence[ProjectLabel], Counts]:
        """Change names, keys or colours, and return the labels and the counts."""

        def write(store: Store) -> tuple[Sequence[ProjectLabel], Counts]:
            change(store)
            return labels.project_labels(store), clips.counts(store)

        return await self._writer.do(write)

    async def undo(self) -> list[JournalRow]:
        """Undo the annotator's last action, also one of an earlier session, and return its rows; none without one."""
        return await self._undo_or_redo(journal.undo)

    async def redo(self) -> list[JournalRow]:
        """Redo what was undone last and return its rows; none where there is nothing to redo."""
        return await self._undo_or_redo(journal.redo)

    def close(self) -> None:
        """Finish writing and close."""
        self._writer.close()

    async def _undo_or_redo(self, change: Callable[..., JournalRow | None]) -> list[JournalRow]:
        def write(store: Store) -> list[JournalRow]:
            last = change(store, annotator=self.annotator)
            return journal.batch_rows(store, last) if last is not None else []

        return await self._writer.do(write)


def _add_label(store: Store, label: str | None, key: str) -> None:
    if label is not None and key:
        labels.add_label(store, label, key=key)
