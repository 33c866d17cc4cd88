"""How far the labelling of a project is: hours of sound, and what is labelled since some event."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass

from labeltool.store.clips import UNLABELLED_REGION
from labeltool.store.database import Store
from labeltool.store.journal_rows import is_revoked


@dataclass(frozen=True, slots=True)
class Hours:
    """Hours of sound: of the labelled clips, and of all."""

    labelled: float
    all: float


def hours(store: Store, *, any_excluded: bool) -> Hours:
    """Return the hours of the clips that `clips.counts` counts; where clips overlap, both count.

    Parameters
    ----------
    any_excluded
        Whether a clip is excluded as bad audio. Where none is, one pass over the clips is enough.
    """
    is_labelled = "is_labelled AND id IN (SELECT clip_id FROM latest_events)" if any_excluded else "is_labelled"
    labelled_s, all_s = store.connection.execute(
        f"SELECT TOTAL((end_s - start_s) * ({is_labelled})), TOTAL(end_s - start_s) "
        f"FROM active_clips c WHERE NOT {UNLABELLED_REGION}"
    ).fetchone()
    return Hours(labelled_s / 3600, all_s / 3600)


def labelled_since(store: Store, mark: str, among: Collection[int] | None = None) -> set[int]:
    """Return the clips with labels, or checked, that are newer than a journal row, of all or of some clips.

    Labels that were undone, undone and redone, or renamed since are not newer.
    """
    statement, values = _labelled_since(mark, among)
    return {clip_id for (clip_id,) in store.connection.execute(statement, values)}


def count_labelled_since(store: Store, mark: str) -> int:
    """Return the number of clips of `labelled_since`, those with labels that a model of this mark was not given."""
    statement, values = _labelled_since(mark, None)
    (count,) = store.connection.execute(f"SELECT COUNT(*) FROM ({statement})", values).fetchone()
    return int(count)


def _labelled_since(mark: str, among: Collection[int] | None) -> tuple[str, dict[str, object]]:
    kinds = "kind IN ('verdict', 'checked')"
    if among is not None:
        kinds += " AND clip_id IN (SELECT value FROM json_each(:among))"
    values: dict[str, object] = {"mark": mark, "among": None if among is None else json.dumps(list(among))}
    if not mark:  # by the index of the clips: no row is older
        return f"SELECT DISTINCT clip_id FROM journal j WHERE {kinds} AND NOT {is_revoked('j')}", values
    # The + keeps SQLite from walking all of the journal in the order of its clips, where few rows are newer.
    return (
        f"""
        WITH RECURSIVE redone (id, origin) AS (
            SELECT id, id FROM journal WHERE id > :mark AND {kinds} AND redoes IS NOT NULL
            UNION ALL
            SELECT d.id, u.revokes FROM redone d JOIN journal j ON j.id = d.origin JOIN journal u ON u.id = j.redoes
            WHERE u.id > :mark
        )
        SELECT DISTINCT +clip_id FROM journal j WHERE id > :mark AND {kinds} AND NOT {is_revoked("j")}
          AND id NOT IN (SELECT id FROM redone WHERE origin <= :mark)
        """,
        values,
    )
