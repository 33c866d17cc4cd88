"""Reading clips and their current annotations."""

from __future__ import annotations

import itertools
import json
import random
import sqlite3
import sys
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from labeltool.clip_arrays import LabelledClips, StoredClips
from labeltool.errors import LabeltoolError
from labeltool.records import LabelledClip, StoredClip, Value, label_name
from labeltool.store import groups, recordings
from labeltool.store.database import Store
from labeltool.store.journal_rows import AUTO_ACCEPTED
from labeltool.store.label_acts.levels import hierarchy
from labeltool.store.labels import LABEL_ORDER

CLIP_COLUMNS = "c.id, c.recording_id, r.path, r.sha256, r.samples_sha256, c.start_s, c.end_s, c.fold, r.group_name"
"""The columns that `stored_clip` needs, of clips c and recordings r."""

LARGEST_ID = 2**63 - 1
"""SQLite's largest integer; a larger number is no id."""

UNLABELLED = "(NOT c.is_labelled AND NOT c.is_region)"
"""SQL that is true for a clip c that is still to be labelled; regions of long recordings are not in the queue."""

UNLABELLED_REGION = "(c.is_region AND NOT c.is_labelled)"
"""SQL that is true for a region c without a label: its verdicts were undone, or only a model found it. Lists and counts
pass it over."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Numbers of rows and clips, as `labeltool status` shows them.

    `labels` maps each label to the number of clips where it is present; `excluded` counts clips of bad audio.
    """

    recordings: int
    clips: int
    labelled: int
    unlabelled: int
    excluded: int
    labels: dict[str, int]


def stored_clip(store: Store, row: sqlite3.Row) -> StoredClip:
    """Return a `StoredClip` from a row of `CLIP_COLUMNS`."""
    return StoredClip(
        id=row["id"],
        recording_id=row["recording_id"],
        path=store.absolute_path(row["path"]),
        sha256=row["sha256"],
        start_s=row["start_s"],
        end_s=row["end_s"],
        fold=row["fold"],
        group=row["group_name"],
        samples_sha256=row["samples_sha256"],
    )


def counts(store: Store) -> Counts:
    """Count recordings, clips and labels."""
    with store.snapshot() as connection:
        one = connection.execute(
            f"""
            SELECT (SELECT COUNT(*) FROM active_recordings) AS recordings,
                   (SELECT COUNT(*) FROM clips) - (SELECT COUNT(*) FROM clips WHERE is_removed)
                   - (SELECT COUNT(*) FROM active_clips c WHERE {UNLABELLED_REGION}) AS clips,
                   (SELECT COUNT(*) FROM (SELECT DISTINCT clip_id FROM latest_events)) AS labelled,
                   (SELECT COUNT(*) FROM active_clips c WHERE {UNLABELLED}) AS unlabelled
            """
        ).fetchone()
        present = dict(
            connection.execute("SELECT label, COUNT(*) FROM latest_events WHERE value = 'present' GROUP BY label")
        )
        labels = {name: present.get(name, 0) for name in label_names(store)}
        for name in labels.keys() & set(current_names(store).values()):
            # One clip may have verdicts under several of a label's names.
            statement, names = select_present(store, name)
            (labels[name],) = connection.execute(f"SELECT COUNT(*) FROM ({statement})", names).fetchone()
    return Counts(
        recordings=one["recordings"],
        clips=one["clips"],
        labelled=one["labelled"],
        unlabelled=one["unlabelled"],
        excluded=one["clips"] - one["labelled"] - one["unlabelled"],
        labels=labels,
    )


def has_no_clips(store: Store) -> bool:
    """Return whether the project has no clips, without counting them."""
    (exists,) = store.connection.execute(
        f"SELECT EXISTS (SELECT 1 FROM active_clips c WHERE NOT {UNLABELLED_REGION})"
    ).fetchone()
    return not exists


def label_names(store: Store) -> list[str]:
    """Return the labels in use, in the order they were created."""
    return [
        name
        for (name,) in store.connection.execute(
            f"SELECT name FROM labels WHERE merged_into IS NULL AND retired_at IS NULL ORDER BY {LABEL_ORDER}"
        )
    ]


def retired_names(store: Store) -> set[str]:
    """Return the names of the labels that are retired, former ones too."""
    rows = store.connection.execute(
        "SELECT l.name FROM labels l LEFT JOIN labels t ON t.id = l.merged_into "
        "WHERE CASE WHEN t.id IS NULL THEN l.retired_at ELSE t.retired_at END IS NOT NULL"
    )
    return {name for (name,) in rows}


def current_names(store: Store) -> dict[str, str]:
    """Return the current name of each name that a label was renamed from."""
    return dict(
        store.connection.execute("SELECT l.name, t.name FROM labels l JOIN labels t ON t.id = l.merged_into").fetchall()
    )


def stored_names(store: Store, label: str) -> list[str]:
    """Return the names in the journal that now mean a label: its own and those it was renamed from.

    There is none for a name that was renamed itself.
    """
    is_known = store.connection.execute("SELECT 1 FROM labels WHERE name = ?", (label,)).fetchone()
    # Typed otherwise than it is stored; or a model's, whose suggestions have the name as the model has it.
    wanted = dict.fromkeys([label] if is_known else [label, label_name(label)])
    renamed = current_names(store)
    return [name for name in [*wanted, *renamed] if renamed.get(name, name) in wanted]


def select_present(store: Store, label: str) -> tuple[str, list[str]]:
    """Return an SQL statement that selects the ids of the clips where a label is present, and its parameters."""
    names = stored_names(store, label)
    if len(names) == 1:
        return "SELECT clip_id FROM latest_events WHERE value = 'present' AND label = ?", names
    placeholders = ", ".join("?" * len(names))
    return (
        f"""
        SELECT e.clip_id FROM latest_events e WHERE e.value = 'present' AND e.label IN ({placeholders}) AND NOT EXISTS (
            SELECT 1 FROM latest_events o
            WHERE o.clip_id = e.clip_id AND o.label IN ({placeholders}) AND o.journal_id > e.journal_id
        )
        """,
        [*names, *names],
    )


def clip(store: Store, clip_id: int) -> StoredClip:
    """Return one clip.

    Raises
    ------
    LabeltoolError
        When there is no clip of that id, or its recording was removed.
    """
    row = None
    if clip_id <= LARGEST_ID:
        row = store.connection.execute(
            f"SELECT {CLIP_COLUMNS}, c.is_removed FROM clips c JOIN recordings r ON r.id = c.recording_id "
            "WHERE c.id = ?",
            (clip_id,),
        ).fetchone()
    if row is not None and row["is_removed"]:
        raise recordings.removed_error(row["path"])
    if row is None:
        raise LabeltoolError(f"no clip {clip_id}", remedy="`labeltool clips` lists them")
    return stored_clip(store, row)


def id_of(name: str) -> int | None:
    """Return the id that a person gave, None where it is none; one with too many digits is one that nothing has."""
    if not (name.isascii() and name.isdigit()):
        return None
    return int(name) if len(name) <= len(str(LARGEST_ID)) else LARGEST_ID + 1


def find_clip(store: Store, name: str) -> StoredClip:
    """Return the clip of an id, or of a file that holds one clip beside its regions.

    Parameters
    ----------
    name
        A clip's id, a path, or a file name if no other recording has it.

    Raises
    ------
    LabeltoolError
        When no clip or more than one clip has the name.
    """
    clip_id = id_of(name)
    if clip_id is not None:
        return clip(store, clip_id)
    found = store.connection.execute(
        f"""
        SELECT {CLIP_COLUMNS}, c.is_region FROM active_clips c JOIN recordings r ON r.id = c.recording_id
        WHERE r.id IN (SELECT value FROM json_each(?)) ORDER BY c.is_region, c.id LIMIT 4
        """,
        (json.dumps(recordings.ids_named(store, name)),),
    ).fetchall()
    if not found:
        raise LabeltoolError(
            f"no clip goes by {name!r}", remedy="give a clip's id or its file; `labeltool clips` lists them"
        )
    if len(found) > 1 and found[1]["is_region"] == found[0]["is_region"]:
        ids = ", ".join(str(row["id"]) for row in found[:3])
        raise LabeltoolError(f"more than one clip goes by {name!r}: {ids}...", remedy="give the clip's id")
    return stored_clip(store, found[0])


def clips_by_ids(store: Store, clip_ids: Sequence[int]) -> list[StoredClip]:
    """Return clips by their ids, in the order of these; without those whose recording was removed."""
    found = {one.id: one for one in _clips(store, "c.id IN (SELECT value FROM json_each(?))", json.dumps(clip_ids))}
    return [found[clip_id] for clip_id in clip_ids if clip_id in found]


def unlabelled(store: Store) -> StoredClips:
    """Return the unlabelled clips, in the order of their ids."""
    return StoredClips(_clips(store, UNLABELLED))


def unlabelled_to_train_on(store: Store) -> StoredClips:
    """Return the unlabelled clips without those of the locked test set and of its groups."""
    locked = groups.locked_groups(store)
    return StoredClips(one for one in _clips(store, UNLABELLED) if one.group not in locked)


def has_unlabelled(store: Store) -> bool:
    """Whether any clip is not labelled."""
    (found,) = store.connection.execute(f"SELECT EXISTS (SELECT 1 FROM active_clips c WHERE {UNLABELLED})").fetchone()
    return bool(found)


def unlabelled_after(store: Store, clip_id: int, count: int) -> list[StoredClip]:
    """Return the next unlabelled clips after an id, in the order of their ids."""
    return list(_clips(store, f"c.id > ? AND {UNLABELLED}", clip_id, count, order="c.id LIMIT ?"))


def random_unlabelled(store: Store, count: int) -> list[StoredClip]:
    """Return some unlabelled clips by chance, always the same; of a large project without reading all of it."""
    # In one SELECT, both together would read all of the table.
    first, last = store.connection.execute("SELECT (SELECT MIN(id) FROM clips), (SELECT MAX(id) FROM clips)").fetchone()
    if first is None:
        return []
    # More than are wanted: some are labelled, or are gone.
    chance, wanted = random.Random(0), min(4 * count, last - first + 1)
    ids = chance.sample(range(first, last + 1), wanted)
    found = list(_clips(store, f"c.id IN (SELECT value FROM json_each(?)) AND {UNLABELLED}", json.dumps(ids)))
    chance.shuffle(found)
    return found[:count]


_LATEST = "SELECT e.clip_id FROM latest_events e JOIN journal j ON j.id = e.journal_id"


def last_labelled(store: Store, count: int) -> list[int]:
    """Return the ids of the clips that were labelled last, the first of them first; none accepted automatically."""
    found: dict[int, None] = {}
    # In the order of the index, only as far as it takes.
    for (clip_id,) in store.connection.execute(f"{_LATEST} WHERE NOT {AUTO_ACCEPTED} ORDER BY e.journal_id DESC"):
        found.setdefault(clip_id)
        if len(found) == count:
            break
    return [*found][::-1]


def auto_accepted(store: Store) -> set[int]:
    """Return the ids of the clips with a label that was accepted automatically, after a sample of others."""
    return {clip_id for (clip_id,) in store.connection.execute(f"{_LATEST} WHERE {AUTO_ACCEPTED}")}


def excluded(store: Store) -> set[int]:
    """Return the ids of the clips that are excluded as bad audio."""
    statement = """
        SELECT id FROM active_clips c
        WHERE is_labelled AND NOT EXISTS (SELECT 1 FROM latest_events e WHERE e.clip_id = c.id)
    """
    return {clip_id for (clip_id,) in store.connection.execute(statement)}


def all_clips(store: Store) -> StoredClips:
    """Return every clip, in the order of the ids; without unlabelled regions."""
    return StoredClips(_clips(store, f"NOT {UNLABELLED_REGION}"))


def of_recording(store: Store, recording_id: int) -> list[StoredClip]:
    """Return a recording's clips, in the order of the ids; without unlabelled regions."""
    return list(_clips(store, f"c.recording_id = ? AND NOT {UNLABELLED_REGION}", recording_id))


def labelled(
    store: Store, among: Collection[int] | None = None, *, which: Literal["training", "locked", "all"] = "training"
) -> LabelledClips:
    """Return the clips that have current verdicts, all or some, in the order of the ids; none on a retired label.

    "training" leaves out the locked test set, from which nothing is to be learned; "locked" is that alone.
    """
    # One snapshot: somebody may be labelling while a worker reads.
    with store.snapshot():
        return LabelledClips(_labelled(store, among, which))


def _labelled(
    store: Store, among: Collection[int] | None, which: Literal["training", "locked", "all"]
) -> Iterator[LabelledClip]:
    retired, locked, above_and_below = retired_names(store), groups.locked_groups(store), hierarchy(store)
    if which == "locked" and not locked:
        return
    condition, values = _of_clips(among)
    verdicts = _current_verdicts(store, condition, *values)
    for one in _clips(store, f"c.id IN (SELECT clip_id FROM latest_events WHERE {condition})", *values):
        # Both are in the order of the ids.
        of_clip = next(of_clip for clip_id, of_clip in verdicts if clip_id == one.id)
        if which == "all" or (one.group in locked) is (which == "locked"):
            by_label = {label: value for label, value in of_clip.items() if label is not None and label not in retired}
            yield LabelledClip(one, by_label, of_clip.get(None) is Value.ABSENT, above_and_below)


def _of_clips(among: Collection[int] | None) -> tuple[str, list[str]]:
    """Return SQL that is true for a clip_id of some clips, all where none are given, and its parameters."""
    return ("1", []) if among is None else ("clip_id IN (SELECT value FROM json_each(?))", [json.dumps(list(among))])


def verdicts_on(store: Store, clip_ids: Collection[int]) -> dict[int, dict[str | None, Value]]:
    """Return the current verdict on each label of each of some clips, by the labels' current names, in their order.

    The label None is the clip as a whole. Clips without a verdict are not in the result.
    """
    condition, values = _of_clips(clip_ids)
    return dict(_current_verdicts(store, condition, *values))


def _current_verdicts(store: Store, condition: str, *values: object) -> Iterator[tuple[int, dict[str | None, Value]]]:
    """Yield the rows of the view `current_annotations`, faster: the view groups by current names, without an index.

    By clip, in the order of the ids.
    """
    renamed, value_of = current_names(store), {one.value: one for one in Value}
    cursor = store.connection.cursor()
    cursor.row_factory = None
    # In the order of the journal: of two names that mean one label, the later verdict counts.
    rows = cursor.execute(
        f"SELECT clip_id, label, value FROM latest_events WHERE {condition} ORDER BY clip_id, journal_id", values
    )
    for clip_id, of_clip in itertools.groupby(rows, key=lambda row: int(row[0])):
        verdicts = {
            sys.intern(renamed.get(label, label)) if label else None: value_of[value] for _, label, value in of_clip
        }
        yield clip_id, dict(sorted(verdicts.items(), key=lambda one: one[0] or "")) if len(verdicts) > 1 else verdicts


def _clips(store: Store, condition: str, *values: object, order: str = "c.id") -> Iterator[StoredClip]:
    statement = f"SELECT {CLIP_COLUMNS} FROM active_clips c JOIN recordings r ON r.id = c.recording_id"
    cursor = store.connection.cursor()
    cursor.row_factory = None  # tuples: half of the time of a million clips went into names of columns
    # The clips of a recording share its texts, or a million of them need a gigabyte.
    texts: dict[int, tuple[str, str, str, str | None]] = {}
    for row in cursor.execute(f"{statement} WHERE {condition} ORDER BY {order}", values):
        clip_id, recording_id, path, sha256, samples_sha256, start_s, end_s, fold, group = row
        if recording_id not in texts:
            texts[recording_id] = (store.absolute_path(path), sha256, group, samples_sha256)
        path, sha256, group, samples_sha256 = texts[recording_id]
        yield StoredClip(clip_id, recording_id, path, sha256, start_s, end_s, fold, group, samples_sha256)
