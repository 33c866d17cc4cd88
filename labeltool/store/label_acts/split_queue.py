"""The queue of a label that is split: clips where it is present since before, to be labelled again with new names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from labeltool.records import Value
from labeltool.store import labels
from labeltool.store.clips import current_names, stored_names
from labeltool.store.database import Store
from labeltool.store.journal_rows import append_batch, is_revoked
from labeltool.store.label_acts.derived import LABEL_ACTS, split_names


@dataclass(frozen=True, slots=True)
class Split:
    """A label that is split into others.

    Attributes
    ----------
    row_id
        The row of the journal; what was labelled later is done.
    names
        The new labels, by their current names; the label itself may be among them.
    left
        Ids of the clips that are still to be labelled again, in their order.
    """

    row_id: str
    label: str
    names: tuple[str, ...]
    left: tuple[int, ...]


def splits(store: Store) -> list[Split]:
    """Return the last split of each label in use, by the journal's order; those of which no clip is left too."""
    renamed = current_names(store)
    in_use = {label.name for label in labels.project_labels(store)}
    last: dict[str, tuple[str, list[str]]] = {}
    for row_id, label, note in store.connection.execute(
        f"SELECT j.id, j.label, j.note FROM journal j WHERE {LABEL_ACTS} AND j.kind = 'split' "
        f"AND NOT {is_revoked('j')} ORDER BY j.id"
    ):
        last[renamed.get(label, label)] = (row_id, split_names(note))
    return [
        Split(
            row_id, label, tuple(dict.fromkeys(renamed.get(name, name) for name in names)), _left(store, label, row_id)
        )
        for label, (row_id, names) in last.items()
        if label in in_use
    ]


def find_split(store: Store, label: str) -> Split | None:
    """Return the last split of a label; None where there is none, or it was undone."""
    return next((split for split in splits(store) if split.label == label), None)


def _left(store: Store, label: str, row_id: str) -> tuple[int, ...]:
    names = stored_names(store, label)
    # SQLite: a bare column beside MAX is from the row of the maximum, here the last verdict under any of the names.
    rows = store.connection.execute(
        f"SELECT clip_id, value, MAX(journal_id) AS last FROM latest_events "
        f"WHERE label IN ({', '.join('?' * len(names))}) GROUP BY clip_id HAVING value = 'present' AND last < ? "
        "ORDER BY clip_id",
        (*names, row_id),
    )
    return tuple(clip_id for clip_id, _, _ in rows)


def label_again(
    store: Store, split: Split, values: Mapping[int, str], *, annotator: str, response_ms: int | None
) -> list[str]:
    """Label clips of a split again, as one batch, and return the ids of the rows.

    The new label takes the place of the old one, with its bounds where it has some. Clips that are no longer left, as
    where another person was faster, are skipped.

    Parameters
    ----------
    response_ms
        Time for all of them, which the clips share evenly.
    """
    with store.transaction() as connection:
        left = set(_left(store, split.label, split.row_id))
        wanted = {clip_id: name for clip_id, name in values.items() if clip_id in left}
        for name in dict.fromkeys(wanted.values()):
            labels.ensure_label(connection, name)
        rows: list[dict[str, object]] = []
        share = None if response_ms is None else response_ms // max(1, len(wanted))
        for clip_id, name in wanted.items():
            common = {"kind": "verdict", "clip_id": clip_id, "annotator": annotator, "origin": "human"}
            common["response_ms"] = share
            if name != split.label:
                rows.append({**common, "label": split.label, "value": Value.ABSENT.value})
            rows += [
                {**common, **bounds, "label": name, "value": Value.PRESENT.value}
                for bounds in _bounds(store, clip_id, split.label)
            ]
        return append_batch(connection, rows)


_BOUNDS = ("start_s", "end_s", "low_hz", "high_hz")


def _bounds(store: Store, clip_id: int, label: str) -> list[dict[str, float | None]]:
    """Return the bounds of a label's verdicts on a clip that count: one at least, without any where it has none."""
    found: dict[tuple[float | None, ...], None] = {}
    for value, *bounds in store.connection.execute(
        f"SELECT value, {', '.join(_BOUNDS)} FROM active_events "
        "WHERE kind = 'verdict' AND clip_id = ? AND (label = ? OR label IS NULL) ORDER BY id",
        (clip_id, label),
    ):
        if value != Value.PRESENT:
            found.clear()
        else:
            found[tuple(bounds)] = None
    exact = [bounds for bounds in found if any(bound is not None for bound in bounds)]
    return [dict(zip(_BOUNDS, bounds, strict=True)) for bounds in exact or [(None,) * 4]]
