"""Undo and redo: what every view for labelling needs so that each is back where the journal is."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from textual import work

from labeltool.errors import LabeltoolError
from labeltool.records import Value
from labeltool.store import clips
from labeltool.store.journal import JournalRow
from labeltool.tui.background.prefetch import PreparedClip
from labeltool.tui.dialogs.palette import Palette
from labeltool.tui.dialogs.prompts import TextPrompt
from labeltool.tui.screens.base import AudioScreen
from labeltool.tui.services import Services
from labeltool.tui.session import Change, LabelledElsewhere
from labeltool.tui.shared_keys import View
from labeltool.tui.widgets.suggestions import describe_rows


class UndoScreen(AudioScreen):
    """Undoes and redoes the actions of the annotator; a subclass shows the clips of what was undone."""

    def __init__(self, services: Services, view: View) -> None:
        super().__init__(services, view)
        self._current: PreparedClip | None = None
        # The last label key and when it came; none after undo: the same key then is no repetition.
        self._last_key: tuple[str | None, float] = ("", 0.0)
        self._shown_at = time.monotonic()
        # When a screen that has nothing to do with the clip came over it; None while none is open.
        self._paused_at: float | None = None

    # -- the time that a clip takes

    def on_screen_suspend(self) -> None:
        """Pause the time of the clip below another view or page; to choose a label or write a note is work on it."""
        self._paused_at = None if isinstance(self.app.screen, Palette | TextPrompt) else time.monotonic()

    def on_screen_resume(self) -> None:
        if self._paused_at is not None:
            self.exclude_time_since(self._paused_at)
            self._paused_at = None

    def exclude_time_since(self, moment: float) -> None:
        """Let the time of the clip not include what passed since a moment."""
        self._shown_at += time.monotonic() - max(moment, self._shown_at)

    # -- for subclasses

    @property
    def current(self) -> PreparedClip | None:
        return self._current

    @current.setter
    def current(self, prepared: PreparedClip | None) -> None:
        self._current = prepared

    @property
    def busy(self) -> bool:
        """Whether another clip is on its way, so that a key now is not meant for the one on the screen."""
        return False

    def show_next(self, clip_id: int) -> None:
        """Show what follows a clip that is done."""
        raise NotImplementedError

    def show_choices(self) -> None:
        """Show the labels and the annotations of the clip."""
        raise NotImplementedError

    def show_undone(self, row: JournalRow) -> None:
        """Show the clip of a row that was undone."""
        raise NotImplementedError

    def show_undone_batch(self, rows: Sequence[JournalRow]) -> None:
        """Show the clips of an action that was undone: by default the clip of its last row."""
        self.show_undone(rows[-1])

    @work(group="undone-elsewhere")
    async def show_undone_elsewhere(self, row: JournalRow, where: str) -> None:
        """Add to the notice the name of the clip that was undone, which is not on the screen."""
        undone, name = self.notice.text, ""
        if row.clip_id is not None:
            clip_id = row.clip_id
            with suppress(LabeltoolError):  # its recording was removed
                name = Path((await self.services.reader.do(lambda store: clips.clip(store, clip_id))).path).name
        self.notice.show(f"{undone}   ({', '.join(filter(None, (name, where)))})")

    def show_refusal(self, error: LabeltoolError) -> None:
        """Show why nothing was written, and what was labelled in another window meanwhile."""
        if isinstance(error, LabelledElsewhere) and self.current is not None:
            self._last_key = ("", 0.0)
            self.current = replace(self.current, rows=error.rows)
            self.show_choices()
        self.notice.warn(str(error))

    # -- undo and redo

    async def action_undo(self) -> None:
        self._last_key = ("", 0.0)
        change = await self.attempt(self.services.session.undo())
        if change is None:
            return
        if not (rows := change.rows):
            self.notice.show("nothing to undo")
            return
        self._take_counts(change, -1)
        if rows[-1].clip_id is None or rows[-1].kind == "checked":
            # No clip to return to: what is checked may be hours long.
            self.notice.show("undone: a renaming" if rows[-1].kind == "rename" else f"undone: {describe_rows(rows)}")
            self.reload()
            return
        self.notice.show(f"undone: {describe_rows(rows)}")
        self.show_undone_batch(rows)

    async def action_redo(self) -> None:
        change = await self.attempt(self.services.session.redo())
        if change is None:
            return
        if not (rows := change.rows):
            self.notice.show("nothing to redo")
            return
        self.notice.show(f"redone: {describe_rows(rows)}")
        self._take_counts(change, 1)
        await self.read_new_label(rows[-1].label)  # one that was removed comes back
        row, clip_ids = rows[-1], {row.clip_id for row in rows}
        if self.current is not None and clip_ids == {self.current.clip.id} and row.kind not in ("note", "checked"):
            self.show_next(self.current.clip.id)
        else:
            self.reload()

    async def read_new_label(self, label: str | None) -> None:
        """Read the keys again after a new label was given; a class of the pretrained model suggests it from then on."""
        state, live = self.services.state, self.services.live
        if label is None or any(label in (known.name, *known.former) for known in state.labels):
            return
        try:
            state.labels = await self.services.session.labels()
            if label in live.class_names():
                live.map_class(label, label)
        except LabeltoolError as error:
            self.notice.warn(str(error))

    def _take_counts(self, change: Change, step: int) -> None:
        """Count what was redone (`step` 1) or undone (-1)."""
        state, row = self.services.state, change.rows[-1]
        if change.counts is not None:
            state.labels = change.labels
            state.set_counts(change.counts)
            self.update_choices()
        elif row.kind == "verdict":
            self._count_labels(change.rows, step)
            # The only verdict that the clip has now, or had.
            state.labelled += step * (change.verdicts == (step > 0))
        self.header.refresh()

    def _count_labels(self, rows: Sequence[JournalRow], step: int = 1) -> None:
        for row in rows:
            if row.value == Value.PRESENT.value:
                self.services.state.count_label(row.label, step)


def present_labels(rows: Sequence[JournalRow]) -> list[str]:
    """Return the labels that are present after some rows, oldest first."""
    values: dict[str, str | None] = {}
    for row in rows:
        if row.kind == "verdict" and row.label is None:
            values.clear()  # a verdict on the whole clip revokes those before it
        elif row.kind == "verdict" and row.label is not None:
            values[row.label] = row.value
    return [label for label, value in values.items() if value == Value.PRESENT.value]
