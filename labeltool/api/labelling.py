"""Labels by Python: annotate, undo, redo, rename; an import is undone as a whole."""

from __future__ import annotations

from pathlib import Path

from labeltool.annotation.marking import mark
from labeltool.api.base import OfProject
from labeltool.errors import LabeltoolError
from labeltool.records import Value
from labeltool.store import clips, journal, labels
from labeltool.store.importing.undo import UndoneImport, undo_last_import


class Labelling(OfProject):
    """The methods of a project that write to its journal."""

    def annotate(
        self,
        clip: int | str | Path,
        label: str | None = None,
        value: str = "present",
        *,
        start_s: float | None = None,
        end_s: float | None = None,
        low_hz: float | None = None,
        high_hz: float | None = None,
        annotator: str | None = None,
    ) -> str:
        """Label a clip; it is on the disk when this returns.

        Parameters
        ----------
        clip
            Its id, or its file where that has one clip.
        label
            A new name becomes a label of the project. None is the clip as a whole: "absent" means none of the labels,
            "unsure" that the sound cannot be recognised.
        value
            "present", "absent" or "unsure".
        start_s, end_s
            Label from here to there in the recording, seconds, not the whole clip; one that is None is the clip's.
        low_hz, high_hz
            The frequency range, hertz, of such a region, or without times of the clip; one that is None is not known.
        annotator
            Who labels; None: as in labeltool.toml, or the login name.

        Returns
        -------
        str
            The id of the event.

        Raises
        ------
        LabeltoolError
            When there is no such clip or value, a bound is outside the recording, or it cannot be stored.

        Examples
        --------
        >>> import labeltool
        >>> p = labeltool.open("birds")
        >>> event = p.annotate(2, "wren", start_s=0.5, end_s=1.25)
        >>> p.clips(label="wren")[["start_s", "end_s"]].to_numpy()
        array([[0.5 , 1.25]])
        """
        try:
            wanted = Value(value)
        except ValueError:
            raise LabeltoolError(f"no value {value!r}", remedy="present, absent or unsure") from None
        if label is None and wanted is Value.PRESENT:
            raise LabeltoolError("name a label, or give the value absent (none of them) or unsure")
        who = self._project.annotator(annotator)
        with self._open_store() as store:
            bounds = {"start_s": start_s, "end_s": end_s, "low_hz": low_hz, "high_hz": high_hz}
            return mark(store, clips.find_clip(store, str(clip)), label, wanted, **bounds, annotator=who)

    def undo(self, *, annotator: str | None = None) -> str | None:
        """Undo the annotator's last label, renaming or removal.

        Parameters
        ----------
        annotator
            As in `annotate`.

        Returns
        -------
        str or None
            The id of the event that was undone, of several the last; None where there is nothing to undo.

        Raises
        ------
        LabeltoolError
            When it cannot be stored.

        Examples
        --------
        >>> import labeltool
        >>> p = labeltool.open("birds")
        >>> event = p.annotate(2, "wren")
        >>> p.undo() == event
        True
        """
        with self._open_store() as store:
            row = journal.undo(store, annotator=self._project.annotator(annotator))
        return row.id if row else None

    def undo_import(self, *, annotator: str | None = None) -> UndoneImport | None:
        r"""Undo the last import of which labels count; its recordings and clips stay, and what people labelled.

        Importing the same thing again brings its labels back.

        Parameters
        ----------
        annotator
            As in `annotate`.

        Returns
        -------
        UndoneImport or None
            Its `kind`, `source` and `imported_at`; `rows`, the number of its labels; `rows_left`, that of the labels of
            other imports of the same source; `unused_labels`, names that no clip has now. None where there is none.

        Raises
        ------
        LabeltoolError
            When it cannot be stored.

        Examples
        --------
        >>> import labeltool, pathlib
        >>> p = labeltool.open("birds")
        >>> _ = pathlib.Path("sounds/wrong.csv").write_text("file,label\n2.wav,wrne\n")
        >>> p.import_("table", "sounds/wrong.csv").verdicts
        1
        >>> undone = p.undo_import()
        >>> undone.rows, undone.unused_labels
        (1, ('wrne',))
        >>> p.annotations()["label"].to_list()
        ['robin']
        """
        with self._open_store() as store:
            return undo_last_import(store, annotator=self._project.annotator(annotator))

    def redo(self, *, annotator: str | None = None) -> str | None:
        """Do again what the last undo reverted.

        Parameters
        ----------
        annotator
            As in `annotate`.

        Returns
        -------
        str or None
            The id of the new event, of several the last; None where there is nothing to redo.

        Raises
        ------
        LabeltoolError
            When it cannot be stored.

        Examples
        --------
        >>> import labeltool
        >>> p = labeltool.open("birds")
        >>> event, undone = p.annotate(2, "wren"), p.undo()
        >>> p.redo() == event  # an event of its own
        False
        >>> len(p.clips(label="wren"))
        1
        """
        with self._open_store() as store:
            row = journal.redo(store, annotator=self._project.annotator(annotator))
        return row.id if row else None

    def rename(self, old: str, new: str, *, annotator: str | None = None) -> None:
        """Rename a label, or merge it into another; `undo` reverts it.

        Parameters
        ----------
        old, new
            Names of labels; where there is a label `new`, the two are merged.
        annotator
            As in `annotate`.

        Raises
        ------
        LabeltoolError
            When there is no label `old`, or the two are the same.

        Examples
        --------
        >>> import labeltool
        >>> p = labeltool.open("birds")
        >>> p.rename("robin", "European robin")
        >>> p.annotations()["label"].to_list()
        ['European robin']
        """
        with self._open_store() as store:
            labels.rename(store, old, new, annotator=self._project.annotator(annotator))
