"""The annotations of a project as one table, now or as they were at any event of the journal.

It is computed from the rows of the journal alone. What the journal has no rows of is of now: the place and the licence
of a recording, the group that an import gave it, the fold of a clip. Rows that came later from another person's journal
have the times at which that person wrote them.
"""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from labeltool.errors import LabeltoolError
from labeltool.store import Store
from labeltool.store.journal_rows import ALL_ROWS, AUTO_ACCEPTED, Until, is_revoked
from labeltool.store.label_acts.derived import renamings

if TYPE_CHECKING:
    import pandas as pd

DTYPES: Mapping[str, Any] = MappingProxyType(
    {
        "path": "object",
        "recording_sha256": "object",
        "start_s": "float64",
        "end_s": "float64",
        "label": "object",
        "value": "object",
        "region_start_s": "float64",
        "region_end_s": "float64",
        "low_hz": "float64",
        "high_hz": "float64",
        "confidence": "float64",
        "track": "object",
        "annotator": "object",
        "origin": "object",
        "created_at": "object",
        "fold": "Int64",
        "group": "object",
        "licence": "object",
        "clip_id": "int64",
        "recording_id": "int64",
        "sample_rate_hz": "int64",
        "frames": "int64",
        "journal_id": "object",
    }
)
"""Columns of the table of annotations and their types; text is `str`, or None where there is none.

`path`, `recording_sha256`
    Absolute, where the recording was last; SHA-256 of its file.
`start_s`, `end_s`
    The clip, seconds from the start of the recording.
`label`
    Name of now, or of the time of the table; None: the clip as a whole.
`value`
    "present", "absent" or "unsure".
`region_start_s`, `region_end_s`, `low_hz`, `high_hz`
    Bounds of the annotation itself, seconds and hertz; NaN without.
`confidence`
    The source's own, usually 0 to 1; NaN without.
`track`
    Of an Audacity project.
`annotator`, `origin`
    Who; "human", "suggestion" (of a model, accepted), "auto-accepted" (without listening to the clip) or "import".
`created_at`
    ISO 8601, UTC, milliseconds.
`fold`, `group`, `licence`
    Of the source; `<NA>` or None without.
`clip_id`, `recording_id`, `sample_rate_hz`, `frames`
    In this project; rate and length of the recording.
`journal_id`
    The event: what `as_of` takes, and `labeltool log` shows.
"""

OF_PROJECT = ("clip_id", "recording_id", "sample_rate_hz", "frames", "journal_id")
"""The columns without a meaning outside the project, or that the sound file has itself."""

_VERDICTS = f"""
    SELECT j.clip_id, j.label, j.value, j.start_s AS region_start_s, j.end_s AS region_end_s, j.low_hz, j.high_hz,
           j.confidence, j.track, j.annotator,
           CASE WHEN {AUTO_ACCEPTED} THEN 'auto-accepted' ELSE j.origin END AS origin,
           j.created_at, j.id AS journal_id
    FROM journal j
    WHERE j.kind = 'verdict' AND {{counts}} AND NOT {{revoked}}
    ORDER BY j.id
"""
_CLIPS = "SELECT id AS clip_id, recording_id, start_s, end_s, fold FROM clips"
_RECORDINGS = """
    SELECT id AS recording_id, path, sha256 AS recording_sha256, licence, sample_rate_hz, frames, COALESCE(
        (
            SELECT COALESCE(a.group_name, j.group_name)
            FROM journal j LEFT JOIN group_aliases a ON a.alias = j.group_name
            WHERE j.kind = 'group' AND j.recording_id = recordings.id AND {counts} AND NOT {revoked}
            ORDER BY j.id DESC LIMIT 1
        ),
        imported_group,
        group_name
    ) AS "group"
    FROM recordings WHERE id NOT IN (
        SELECT j.recording_id FROM journal j WHERE j.kind = 'remove' AND {counts} AND NOT {revoked}
    )
"""


_REMEDY = "an id of `labeltool log --json`, or a time such as 2026-05-31T12:00"
_ROWS_AT_ONCE = 10_000
_REPEATED = frozenset({"label", "value", "track", "annotator", "origin", "created_at", "licence", "group"})


def annotation_table(store: Store, as_of: str | date | None = None) -> pd.DataFrame:
    """Return a row for each annotation that counts: the last of each label on each clip.

    Present labels with bounds of their own do not replace each other. An annotation on a whole clip replaces all before
    it, and one on a label replaces that.

    Parameters
    ----------
    as_of
        The id of an event, or a time, as `until_of` takes it; None: now.

    Returns
    -------
    pandas.DataFrame
        The columns of `DTYPES`, in the order of path, start and label.

    Raises
    ------
    LabeltoolError
        When the journal has no such event, or the time is none.
    """
    import pandas as pd

    table = latest(all_verdicts(store, as_of))
    has_bounds = table["region_start_s"].notna() | table["region_end_s"].notna()
    for side in ("start_s", "end_s"):
        table[f"region_{side}"] = table[f"region_{side}"].fillna(table[side].where(has_bounds))
    order = ["path", "recording_sha256", "start_s", "end_s", "label", "region_start_s", "region_end_s", "journal_id"]
    return pd.DataFrame(table).sort_values(order, ignore_index=True)


def all_verdicts(store: Store, as_of: str | date | None = None) -> pd.DataFrame:
    """Return a row for each verdict that was not undone, with the columns of `DTYPES`, also those that were replaced.

    Raises
    ------
    LabeltoolError
        As `annotation_table`.
    """
    until = until_of(store, as_of)
    with store.snapshot() as connection:
        events, recordings = (
            _read(connection, statement.format(counts=until.counts("j"), revoked=is_revoked("j", until)), until)
            for statement in (_VERDICTS, _RECORDINGS)
        )
        renamed = renamings(connection, until)
        recordings["path"] = recordings["path"].map(store.absolute_path).astype(object)
        table = events.merge(_read(connection, _CLIPS, until), on="clip_id").merge(recordings, on="recording_id")
    table["label"] = table["label"].map(lambda label: renamed.get(label, label))
    return typed(table, DTYPES)


def until_of(store: Store, as_of: str | date | None) -> Until:
    """Return which rows of the journal count as of an event or a time.

    Parameters
    ----------
    as_of
        The id of an event, or a time, ISO 8601 as text: UTC without an offset, a date alone is its beginning. None: all
        rows count.

    Raises
    ------
    LabeltoolError
        When the journal has no such event, or the time is none.
    """
    if as_of is None:
        return ALL_ROWS
    if isinstance(as_of, str):
        if _is_event(as_of):
            if not store.connection.execute("SELECT 1 FROM journal WHERE id = ?", (as_of,)).fetchone():
                raise LabeltoolError(f"no event {as_of}", remedy="`labeltool log --json` shows their ids")
            return Until(as_of)
        text = as_of
        try:
            as_of = datetime.fromisoformat(text)
        except ValueError:
            raise LabeltoolError(f"{text[:40]!r} is neither an event nor a time", remedy=_REMEDY) from None
    elif not isinstance(as_of, date):
        raise LabeltoolError(f"{as_of!r} is neither an event nor a time", remedy=_REMEDY)
    elif not isinstance(as_of, datetime):
        as_of = datetime.combine(as_of, time.min)
    try:
        moment = as_of.replace(tzinfo=UTC) if as_of.tzinfo is None else as_of.astimezone(UTC)
    except OverflowError:
        raise LabeltoolError(f"{as_of} is not in the years 1 to 9999 of UTC") from None
    return Until(moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"), "created_at")


def _is_event(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False


def _read(connection: sqlite3.Connection, statement: str, until: Until) -> pd.DataFrame:
    import pandas as pd

    cursor = connection.execute(statement, {"at": until.at} if until.at and ":at" in statement else {})
    names = [column[0] for column in cursor.description]
    columns: list[list[Any]] = [[] for _ in names]
    texts: dict[str, str] = {}
    while rows := cursor.fetchmany(_ROWS_AT_ONCE):
        for name, column, values in zip(names, columns, zip(*rows, strict=True), strict=True):
            # A million rows have few names, each of which is one object here.
            column += (texts.setdefault(one, one) for one in values) if name in _REPEATED else values
    # Text as it is: pandas would make a type of its own of it.
    return pd.DataFrame(
        {name: pd.Series(column, dtype=DTYPES[name]) for name, column in zip(names, columns, strict=True)}
    )


def typed(table: pd.DataFrame, dtypes: Mapping[str, Any]) -> pd.DataFrame:
    """Return some columns of a table with their types; text that is missing is None."""
    table = table[list(dtypes)].astype(dict(dtypes))
    text = [name for name, dtype in dtypes.items() if dtype == "object"]
    table[text] = table[text].where(table[text].notna(), None)
    return table


def latest(table: pd.DataFrame) -> pd.DataFrame:
    """Return the annotations of a table that no other of it replaces.

    It is the rule of `spans.verdicts`, for many rows at once.
    """
    import pandas as pd

    table = table.sort_values("journal_id", ignore_index=True)
    number = pd.Series(range(len(table)), dtype="float64")
    of_whole = table["label"].isna()
    by_clip = table["clip_id"]
    last_of_whole, last_of_label = (
        number.where(which).groupby(by_clip).transform("max") for which in (of_whole, ~of_whole)
    )
    replaced = number < last_of_whole.where(~of_whole, last_of_label)
    table, number, of_whole = table[~replaced], number[~replaced], of_whole[~replaced]
    by_label = table.groupby(["clip_id", "label"], dropna=False, sort=False).ngroup()
    is_present = (table["value"] == "present") & ~of_whole
    last = number.groupby(by_label).transform("max")
    last_other = number.where(~is_present).groupby(by_label).transform("max")
    stays = (number == last) | (is_present & ~(number < last_other))
    exact = stays & (table["region_start_s"].notna() | table["region_end_s"].notna())
    any_exact = exact.groupby(by_label).transform("any")
    return table[stays & (exact | ~any_exact)]
