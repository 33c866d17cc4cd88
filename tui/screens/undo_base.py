"""Undo and redo: what every view for labelling needs so that each is back where the journal is."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from textual import work

from labeltool.errors import LabeltoolError
from labeltool.records import Value
from labeltool.store import clips
from labeltool.store.journal import JournalRow
from labeltool.tui.background.prefetch import PreparedClip
from labeltool.tui.screens.base import AudioScreen
from labeltool.tui.services import Services
from labeltool.tui.shared_keys import View
from labeltool.tui.widgets.suggestions import describe_rows


class UndoScreen(AudioScreen):
    """Undoes and redoes the actions of the annotator; a subclass shows the clips of what was undone.

    Parameters
    ----------
    services
        The session, the player, the background work and the state.
    view
        The view's keys, before `[keys]` of the settings changes them.
    """

    def __init__(self, services: Services, view: View) -> None:
        super().__init__(services, view)
        self._current: PreparedClip | None = None
        # The last label key and when it came; none after undo: the same key then is no repetition.
        self._last_key = ("", 0.0)

    # -- for subclasses

    @property
    def current(self) -> PreparedClip | None:
        """The clip on the screen."""
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

    # -- undo and redo

    async def action_undo(self) -> None:
        """Undo the last action and return to its clip."""
        self._last_key = ("", 0.0)
        try:
            rows = await self.services.session.undo()
        except LabeltoolError as error:
            self.notice.warn(str(error))
            return
        if not rows:
            self.notice.show("nothing to undo")
            return
        if rows[-1].clip_id is None or rows[-1].kind == "checked":
            # No clip to return to: what is checked may be hours long.
            self.notice.show("undone: a renaming" if rows[-1].kind == "rename" else f"undone: {describe_rows(rows)}")
            self.reload()
            return
        self.notice.show(f"undone: {describe_rows(rows)}")
        self._count_labels(rows, -1)
        # The clip that is shown again is counted when it is read.
        self.services.state.labelled -= len({row.clip_id for row in rows}) - 1
        self.show_undone_batch(rows)

    async def action_redo(self) -> None:
        """Redo what was undone last."""
        try:
            rows = await self.services.session.redo()
        except LabeltoolError as error:
            self.notice.warn(str(error))
            return
        if not rows:
            self.notice.show("nothing to redo")
            return
        self.notice.show(f"redone: {describe_rows(rows)}")
        self._count_labels(rows, 1)
        row, clip_ids = rows[-1], {row.clip_id for row in rows}
        if row.kind == "verdict":
            self.services.state.labelled += len(clip_ids)
        if self.current is not None and clip_ids == {self.current.clip.id} and row.kind not in ("note", "checked"):
            self.show_next(self.current.clip.id)
        else:
            self.reload()

    def _count_labels(self, rows: Sequence[JournalRow], change: int) -> None:
        for row in rows:
            if row.value == Value.PRESENT.value:
                self.services.state.count_label(row.label, change)


def present_labels(rows: Sequence[JournalRow]) -> list[str]:
    """Return the labels that are present after some rows, oldest first."""
    values: dict[str, str | None] = {}
    for row in rows:
        if row.kind == "verdict" and row.label is None:
            values.clear()  # a verdict on the whole clip revokes those before it
        elif row.kind == "verdict" and row.label is not None:
            values[row.label] = row.value
    return [label for label, value in values.items() if value == Value.PRESENT.value]
