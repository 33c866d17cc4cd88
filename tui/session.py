"""The session of one annotator: a thread writes their annotations to the journal, and their speed is measured."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from labeltool.annotation import auto_accept, speed
from labeltool.annotation.auto_accept import Candidates
from labeltool.errors import LabeltoolError
from labeltool.project import Project
from labeltool.records import Value
from labeltool.store import Store, checked, clips, journal, labels, spans
from labeltool.store.clips import Counts
from labeltool.store.database import DatabaseExchanged
from labeltool.store.journal import AnnotationContext, JournalRow
from labeltool.store.journal_rows import new_row_id
from labeltool.store.label_acts import split_queue
from labeltool.store.label_acts.split_queue import Split
from labeltool.store.labels import ProjectLabel
from labeltool.store.recordings import StoredRecording
from labeltool.store.spans import Region
from labeltool.tui.background.store_thread import StoreThread


@dataclass(frozen=True, slots=True)
class Annotation:
    """One verdict on a clip or a region; see `journal.annotate` for the fields.

    `key` is the one that the label gets if it is new; "" for the first that is free.
    """

    label: str | None
    value: Value
    context: AnnotationContext
    key: str = ""


class LabelledElsewhere(LabeltoolError):
    """The clip was labelled in another window, so that whoever labels it now has not seen that.

    Attributes
    ----------
    rows
        The journal rows of the clip by now, oldest first.
    """

    def __init__(self, rows: tuple[JournalRow, ...]) -> None:
        last = next(row for row in reversed(rows) if row.kind == "verdict")
        what = last.label if last.label is not None else "as a whole"
        super().__init__(
            f"labelled in another window meanwhile: {what}, by {last.annotator}; the key again does it anyway"
        )
        self.rows = rows


@dataclass(frozen=True, slots=True)
class Change:
    """What undo or redo changed.

    Attributes
    ----------
    rows
        The rows of the action; none where there was nothing to undo or redo.
    verdicts
        How many labels have a verdict on the clip, after an action on one clip.
    counts, labels
        The project's, after an action on several clips or labels.
    """

    rows: Sequence[JournalRow] = ()
    verdicts: int = 0
    counts: Counts | None = None
    labels: Sequence[ProjectLabel] = ()


class Session:
    """Writes to the journal; each method returns when the rows are on the disk.

    Parameters
    ----------
    on_exchange
        See `StoreThread`.

    Attributes
    ----------
    start_row_id
        A journal row id that sorts before all rows of this session.
    """

    def __init__(self, project: Project, annotator: str, on_exchange: Callable[[DatabaseExchanged], None]) -> None:
        self.annotator = annotator
        self._writer = StoreThread(project, "labeltool-journal", on_exchange)
        self.start_row_id = new_row_id()
        # Of each clip labelled in this session, the time for each of its rows, by the row's id.
        self._response_ms: dict[int, dict[str, int | None]] = {}
        # The speed of this session, as `annotation_statistics` has it; None before the second clip.
        self.clips_per_minute: float | None = None

    @property
    def clips_done(self) -> int:
        """The number of clips that were labelled in this session; what was undone does not count."""
        return len(self._response_ms)

    def _measure_speed(self) -> None:
        # Once an answer, over all clips of the session: the header is painted more often.
        times = [rows[min(rows)] for rows in self._response_ms.values()]
        timed = [each for each in times if each is not None]
        self.clips_per_minute = speed.clips_per_minute(timed) if len(timed) > 1 else None

    def _count(self, rows: Sequence[JournalRow]) -> None:
        for row in rows:
            if row.kind == "verdict" and row.clip_id is not None and not row.auto_accepted:
                self._response_ms.setdefault(row.clip_id, {})[row.id] = row.response_ms
        self._measure_speed()

    def _uncount(self, rows: Sequence[JournalRow]) -> None:
        for row in rows:
            times = self._response_ms.get(row.clip_id or 0, {})
            times.pop(row.id, None)
            if not times:
                self._response_ms.pop(row.clip_id or 0, None)
        self._measure_speed()

    async def annotate(
        self, clip_id: int, annotation: Annotation, *, seen: Sequence[JournalRow] | None = None
    ) -> JournalRow:
        """Write a verdict on a clip and return its row.

        Parameters
        ----------
        seen
            The journal rows of the clip that are on the screen; None where none are shown.

        Raises
        ------
        LabelledElsewhere
            When there are newer labels than those on the screen; nothing is written then.
        """

        def write(store: Store) -> str:
            if seen is not None:
                _require_seen(store, clip_id, seen)
            label, value, context = annotation.label, annotation.value, annotation.context
            _add_label(store, label, annotation.key)
            return journal.annotate(store, clip_id, label, value, annotator=self.annotator, context=context)

        return await self._counted(write)

    async def annotate_batch(
        self,
        label: str | None,
        values: Mapping[int, Value],
        *,
        contexts: Mapping[int, AnnotationContext],
        response_ms: int | None,
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

        rows = await self._writer.do(write)
        self._count(rows)
        return rows

    async def answer_split(self, split: Split, values: Mapping[int, str], *, response_ms: int) -> list[JournalRow]:
        """Label clips of a split again as one action, see `split_queue.label_again`."""

        def write(store: Store) -> list[JournalRow]:
            ids = split_queue.label_again(store, split, values, annotator=self.annotator, response_ms=response_ms)
            return [journal.row(store, row_id) for row_id in ids]

        rows = await self._writer.do(write)
        self._count(rows)
        return rows

    async def auto_accept(self, accepted: Candidates) -> list[JournalRow]:
        """Accept predictions without listening to each as one action, see `auto_accept.accept`."""
        return await self._writer.do(lambda store: auto_accept.accept(store, accepted, annotator=self.annotator))

    async def exclude(self, clip_id: int, kind: str, *, response_ms: int, seen: Sequence[JournalRow]) -> None:
        """Write that a clip gets no label: "skip" or "bad audio"; `seen`, and what is raised, as for `annotate`."""

        def write(store: Store) -> None:
            _require_seen(store, clip_id, seen)
            journal.exclude(store, clip_id, kind, annotator=self.annotator, response_ms=response_ms)

        await self._writer.do(write)

    async def note(self, clip_id: int, text: str) -> JournalRow:
        """Write a note on a clip and return its row."""
        return await self._written(lambda store: journal.note(store, clip_id, text, annotator=self.annotator))

    async def annotate_region(self, recording: StoredRecording, region: Region, annotation: Annotation) -> JournalRow:
        """Write a verdict on a region of a recording and return its row."""

        def write(store: Store) -> str:
            label, value, context = annotation.label, annotation.value, annotation.context
            _add_label(store, label, annotation.key)
            return spans.annotate_region(
                store, recording, region, label, value, annotator=self.annotator, context=context
            )

        return await self._counted(write)

    async def note_region(self, recording: StoredRecording, region: Region, text: str) -> JournalRow:
        """Write a note on a region and return its row."""
        who = self.annotator
        return await self._written(lambda store: spans.note_region(store, recording, region, text, annotator=who))

    async def mark_checked(self, recording: StoredRecording, region: Region | None) -> JournalRow:
        """Write that a recording, or a region of it, is checked, and return the row."""
        who = self.annotator
        return await self._written(lambda store: checked.mark_checked(store, recording, region, annotator=who))

    async def labels(self) -> Sequence[ProjectLabel]:
        return await self._writer.do(labels.project_labels)

    async def change_labels(self, change: Callable[[Store], None]) -> tuple[Sequence[ProjectLabel], Counts]:
        """Change names, keys or colours, and return the labels and the counts."""

        def write(store: Store) -> tuple[Sequence[ProjectLabel], Counts]:
            change(store)
            return labels.project_labels(store), clips.counts(store)

        return await self._writer.do(write)

    async def undo(self) -> Change:
        """Undo the annotator's last action, also one of an earlier session."""
        change = await self._undo_or_redo(journal.undo)
        self._uncount(change.rows)
        return change

    async def redo(self) -> Change:
        change = await self._undo_or_redo(journal.redo)
        self._count(change.rows)
        return change

    def close(self) -> None:
        """Finish writing and close."""
        self._writer.close()

    async def _written(self, write: Callable[[Store], str]) -> JournalRow:
        """Return the row that is written, in the same turn of the thread."""
        return await self._writer.do(lambda store: journal.row(store, write(store)))

    async def _counted(self, write: Callable[[Store], str]) -> JournalRow:
        row = await self._written(write)
        self._count([row])
        return row

    async def _undo_or_redo(self, change: Callable[..., JournalRow | None]) -> Change:
        def write(store: Store) -> Change:
            last = change(store, annotator=self.annotator)
            if last is None:
                return Change()
            rows = journal.batch_rows(store, last)
            if len(rows) > 1 or last.clip_id is None:
                return Change(rows, counts=clips.counts(store), labels=labels.project_labels(store))
            return Change(rows, verdicts=len(clips.verdicts_on(store, [last.clip_id]).get(last.clip_id, ())))

        return await self._writer.do(write)


def _require_seen(store: Store, clip_id: int, seen: Sequence[JournalRow]) -> None:
    newest = max((row.id for row in seen), default="")
    rows = journal.active_rows(store, clip_id)
    if any(row.kind == "verdict" and row.id > newest for row in rows):
        raise LabelledElsewhere(rows)


def _add_label(store: Store, label: str | None, key: str) -> None:
    if label is not None and key:
        labels.add_label(store, label, key=key)
