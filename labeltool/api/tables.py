"""The tables of a project, as pandas DataFrames."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from labeltool.api.base import OfProject

if TYPE_CHECKING:
    import pandas as pd


class Tables(OfProject):
    """The methods of a project that return tables."""

    def recordings(self) -> pd.DataFrame:
        """Return a row for each recording.

        Returns
        -------
        DataFrame
            `recording_id` (int64), `path`, `recording_sha256` (object, str), `sample_rate_hz`, `channels`, `frames`
            (int64), `duration_s` (float64, seconds), `group`, `licence` (object, str or None), `added_at` (object, ISO
            8601, UTC).

        Raises
        ------
        LabeltoolError
            When the database cannot be read.

        Examples
        --------
        >>> import labeltool
        >>> p = labeltool.open("birds")
        >>> p.recordings()[["sample_rate_hz", "duration_s"]]
           sample_rate_hz  duration_s
        0           16000         2.0
        1           16000         2.0
        """
        from labeltool.annotation.tables import recording_table

        with self._open_store() as store:
            return recording_table(store)

    def clips(
        self, *, text: str = "", label: str | None = None, labelled: bool | None = None, transcript: str = ""
    ) -> pd.DataFrame:
        """Return a row for each clip, with its labels and the newest model's prediction.

        Parameters
        ----------
        text, label, labelled, transcript
            Only clips of files whose path contains the text, with the label present, labelled or unlabelled, whose
            transcript has the words.

        Returns
        -------
        DataFrame
            `clip_id`, `recording_id` (int64), `path`, `recording_sha256` (object, str), `start_s`, `end_s` (float64,
            seconds), `fold` (Int64), `group` (object, str), `labelled` (bool), `present`, `absent`, `unsure` (object,
            tuples of str), `suggestion` (object, str or None), `probability` (float64, 0 to 1, NaN without).

        Raises
        ------
        LabeltoolError
            When the database cannot be read.

        Examples
        --------
        >>> import labeltool
        >>> p = labeltool.open("birds")
        >>> p.clips(labelled=True)[["clip_id", "start_s", "end_s", "present"]]
           clip_id  start_s  end_s   present
        0        1      0.0    2.0  (robin,)
        """
        from labeltool.annotation.listing import Filter
        from labeltool.annotation.tables import clip_table

        with self._open_store() as store:
            return clip_table(store, Filter(text, label, labelled, transcript))

    def annotations(self, *, as_of: str | date | None = None) -> pd.DataFrame:
        """Return a row for each annotation that counts, now or at an earlier time.

        Parameters
        ----------
        as_of
            The id of an event of the journal (`journal_id`), or a time: ISO 8601 as text, UTC without an offset; a date
            alone is its beginning; None: now. Renamings, merges, undo, redo and removals are as they were then.

        Returns
        -------
        DataFrame
            `path`, `recording_sha256` (object, str), `start_s`, `end_s` (float64, seconds: the clip), `label` (object,
            str; None: the clip as a whole), `value` (object: "present", "absent", "unsure"), `region_start_s`,
            `region_end_s` (float64, seconds), `low_hz`, `high_hz` (float64, hertz), `confidence` (float64), NaN where
            there is none; `track` (object, str or None), `annotator`, `origin`, `created_at` (object, str), `fold`
            (Int64), `group`, `licence` (object, str or None), `clip_id`, `recording_id`, `sample_rate_hz`, `frames`
            (int64), `journal_id` (object, str).

        Raises
        ------
        LabeltoolError
            When the journal has no such event, or the time is none.

        Examples
        --------
        >>> import labeltool
        >>> p = labeltool.open("birds")
        >>> event = p.annotate(2, "wren")
        >>> p.rename("wren", "Eurasian wren")
        >>> p.annotations()["label"].to_list()
        ['robin', 'Eurasian wren']
        >>> p.annotations(as_of=event)["label"].to_list()
        ['robin', 'wren']
        """
        from labeltool.annotation.annotation_table import annotation_table

        with self._open_store() as store:
            return annotation_table(store, as_of)

    def suggestions(self) -> pd.DataFrame:
        """Return what the newest model predicts for the unlabelled clips.

        Returns
        -------
        DataFrame
            A row for each label of each clip, the most probable first: `clip_id`, `recording_id` (int64), `path`
            (object, str), `start_s`, `end_s` (float64, seconds), `model_id` (int64), `label` (object, str),
            `probability` (float64, 0 to 1).

        Raises
        ------
        LabeltoolError
            When the database cannot be read.

        Examples
        --------
        >>> import labeltool
        >>> labeltool.open("birds").suggestions().empty  # no model yet
        True
        """
        from labeltool.annotation.tables import suggestion_table

        with self._open_store() as store:
            return suggestion_table(store)
