"""Reading clips and what is known of them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from labeltool.errors import LabeltoolError
from labeltool.records import LabelledClip, StoredClip, Value
from labeltool.store.database import Store

CLIP_COLUMNS = "c.id, c.recording_id, r.path, r.sha256, c.start_s, c.end_s, c.fold, r.group_name"
"""What `stored_clip` needs, from clips c and recordings r."""

LARGEST_ID = 2**63 - 1
"""SQLite's; a larger number is no id."""

WAITING = "(NOT c.answered AND NOT c.marked)"
"""True for a clip c that is to be asked about: nobody has answered, and it is no span marked by hand."""

RESTING = "(c.marked AND NOT c.answered)"
"""True for a span c marked by hand whose verdict was taken back: it is as if it were not there."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What `labeltool status` shows: `labels` maps names to the number of clips that have them."""

    recordings: int
    clips: int
    labelled: int
    unlabelled: int
    set_aside: int
    labels: dict[str, int]


def stored_clip(store: Store, row: sqlite3.Row) -> StoredClip:
    """Make a `StoredClip` of a row of `CLIP_COLUMNS`."""
    return StoredClip(
        id=row["id"],
        recording_id=row["recording_id"],
        path=store.absolute_path(row["path"]),
        sha256=row["sha256"],
        start_s=row["start_s"],
        end_s=row["end_s"],
        fold=row["fold"],
        group=row["group_name"],
    )


def counts(store: Store) -> Counts:
    """Count what is there and what has been said."""
    with store.snapshot() as connection:
        one = connection.execute(
            f"""
            SELECT (SELECT COUNT(*) FROM recordings) AS recordings,
                   (SELECT COUNT(*) FROM clips) - (SELECT COUNT(*) FROM clips c WHERE {RESTING}) AS clips,
                   (SELECT COUNT(*) FROM (SELECT DISTINCT clip_id FROM last_words)) AS labelled,
                   (SELECT COUNT(*) FROM clips c WHERE {WAITING}) AS unlabelled
            """
        ).fetchone()
        said = dict(connection.execute("SELECT label, COUNT(*) FROM last_words WHERE value = 'present' GROUP BY label"))
        labels = {name: said.get(name, 0) for name in label_names(store)}
        for name in set(names_today(store).values()):
            # Two names may have been heard on one clip.
            statement, names = where_heard(store, name)
            (labels[name],) = connection.execute(f"SELECT COUNT(*) FROM ({statement})", names).fetchone()
    return Counts(
        recordings=one["recordings"],
        clips=one["clips"],
        labelled=one["labelled"],
        unlabelled=one["unlabelled"],
        set_aside=one["clips"] - one["labelled"] - one["unlabelled"],
        labels=labels,
    )


def are_none(store: Store) -> bool:
    """Tell whether the project has no clips, without counting them."""
    (some,) = store.connection.execute(f"SELECT EXISTS (SELECT 1 FROM clips c WHERE NOT {RESTING})").fetchone()
    return not some


def label_names(store: Store) -> list[str]:
    """Return the labels in use, in the order they came."""
    return [
        name
        for (name,) in store.connection.execute(
            "SELECT name FROM labels WHERE merged_into IS NULL AND retired_at IS NULL ORDER BY id"
        )
    ]


def names_today(store: Store) -> dict[str, str]:
    """Return the names that labels were renamed from, with the names they go by today."""
    return dict(
        store.connection.execute("SELECT l.name, t.name FROM labels l JOIN labels t ON t.id = l.merged_into").fetchall()
    )


def said_names(store: Store, label: str) -> list[str]:
    """Return the names that mean a label today: its own and those it was renamed from; none once it was renamed."""
    goes_by = names_today(store)
    return [name for name in [label, *goes_by] if goes_by.get(name, name) == label]


def where_heard(store: Store, label: str) -> tuple[str, list[str]]:
    """Return a statement that selects the ids of the clips where a label was heard, and its parameters."""
    names = said_names(store, label)
    if len(names) == 1:
        return "SELECT clip_id FROM last_words WHERE value = 'present' AND label = ?", names
    marks = ", ".join("?" * len(names))
    return (
        f"""
        SELECT w.clip_id FROM last_words w WHERE w.value = 'present' AND w.label IN ({marks}) AND NOT EXISTS (
            SELECT 1 FROM last_words o
            WHERE o.clip_id = w.clip_id AND o.label IN ({marks}) AND o.journal_id > w.journal_id
        )
        """,
        [*names, *names],
    )


def clip(store: Store, clip_id: int) -> StoredClip:
    """Return one clip.

    Raises
    ------
    LabeltoolError
        When there is no clip of that id.
    """
    row = None
    if clip_id <= LARGEST_ID:
        row = store.connection.execute(
            f"SELECT {CLIP_COLUMNS} FROM clips c JOIN recordings r ON r.id = c.recording_id WHERE c.id = ?", (clip_id,)
        ).fetchone()
    if row is None:
        raise LabeltoolError(f"no clip {clip_id}", remedy="`labeltool status` says how many there are")
    return stored_clip(store, row)


def find_clip(store: Store, name: str) -> StoredClip:
    """Return the clip of an id, or of a file that holds one clip.

    Parameters
    ----------
    name
        A clip's id, a path, or a file name if no other recording has it.

    Raises
    ------
    LabeltoolError
        When nothing or more than one clip goes by the name.
    """
    if name.isascii() and name.isdigit():
        return clip(store, int(name))
    stored = store.stored_path(str(Path(name).resolve()))
    try:
        found = store.connection.execute(
            f"""
            SELECT {CLIP_COLUMNS} FROM clips c JOIN recordings r ON r.id = c.recording_id
            WHERE r.path IN (:stored, :name) OR substr(r.path, -length(:ending)) = :ending
            ORDER BY r.path <> :stored, c.id LIMIT 4
            """,
            {"stored": stored, "name": name, "ending": f"/{name}"},
        ).fetchall()
    except UnicodeEncodeError:
        found = []  # bytes that are not UTF-8: the store holds no such path
    exact = [row for row in found if row["path"] == stored] or found
    if not exact:
        raise LabeltoolError(f"no clip goes by {name!r}", remedy="give a clip's id or its file")
    if len(exact) > 1:
        ids = ", ".join(str(row["id"]) for row in exact[:3])
        raise LabeltoolError(f"more than one clip goes by {name!r}: {ids}...", remedy="give the clip's id")
    return stored_clip(store, exact[0])


def unanswered(store: Store) -> list[StoredClip]:
    """Return the clips that wait for an answer, in the order they came."""
    return list(_clips(store, WAITING))


def all_clips(store: Store) -> list[StoredClip]:
    """Return every clip, in the order they came; not marks that were taken back."""
    return list(_clips(store, f"NOT {RESTING}"))


def of_recording(store: Store, recording_id: int) -> list[StoredClip]:
    """Return a recording's clips, in the order they came; not marks that were taken back."""
    return list(_clips(store, f"c.recording_id = ? AND NOT {RESTING}", recording_id))


def labelled(store: Store) -> list[LabelledClip]:
    """Return the clips with verdicts that stand, in the order of the clips."""
    # One snapshot: somebody may be labelling while a worker reads.
    with store.snapshot():
        said = _last_words(store, "1")
        found = list(_clips(store, "c.id IN (SELECT clip_id FROM last_words)"))
    return [
        LabelledClip(
            clip=one,
            verdicts={label: value for label, value in said[one.id].items() if label is not None},
            none_of_these=said[one.id].get(None) is Value.ABSENT,
        )
        for one in found
    ]


def verdicts_on(store: Store, clip_ids: Collection[int]) -> dict[int, dict[str | None, Value]]:
    """Return what was last said of each label on each of some clips, by the labels' names of today, in their order.

    The label None is a word on the clip as a whole. Clips without a verdict are left out.
    """
    return _last_words(store, "clip_id IN (SELECT value FROM json_each(?))", json.dumps(list(clip_ids)))


def _last_words(store: Store, condition: str, *values: object) -> dict[int, dict[str | None, Value]]:
    """Return the view `truth`, which groups by names of today and so by no index, where it is wanted fast."""
    goes_by = names_today(store)
    said: dict[int, dict[str | None, Value]] = {}
    # In the order they were said: of two names that mean one label, the last word counts.
    for clip_id, label, value in store.connection.execute(
        f"SELECT clip_id, label, value FROM last_words WHERE {condition} ORDER BY journal_id", values
    ):
        said.setdefault(clip_id, {})[goes_by.get(label, label)] = Value(value)
    return {clip_id: dict(sorted(words.items(), key=lambda word: word[0] or "")) for clip_id, words in said.items()}


def relocate(store: Store, found: Sequence[tuple[str, str]]) -> int:
    """Write down where recordings are now, as (SHA-256, absolute path); return how many moved."""
    with store.transaction() as connection:
        return sum(
            connection.execute(
                "UPDATE recordings SET path = ? WHERE sha256 = ? AND path <> ?",
                (store.stored_path(path), sha256, store.stored_path(path)),
            ).rowcount
            for sha256, path in found
        )


def recording_paths(store: Store) -> dict[str, str]:
    """Return where every recording was last seen, as SHA-256 to absolute path."""
    return {
        sha256: store.absolute_path(path)
        for sha256, path in store.connection.execute("SELECT sha256, path FROM recordings")
    }


def _clips(store: Store, condition: str, *values: object) -> Iterator[StoredClip]:
    statement = f"SELECT {CLIP_COLUMNS} FROM clips c JOIN recordings r ON r.id = c.recording_id WHERE {condition}"
    for row in store.connection.execute(f"{statement} ORDER BY c.id", values):
        yield stored_clip(store, row)
