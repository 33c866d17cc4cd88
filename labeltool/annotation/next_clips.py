"""The clips to label next, the most informative first, and claims on them.

By their rank in the queue (`labeltool.store.queue`); clips that are not in it by the newest model's margin, smallest
first, where it has scored them, else in a fixed shuffle, both spread over the groups, since near-duplicates add little.
Clips that the annotator skipped come last. Among them are, where labels overlap, clips that one other person labelled.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Collection, Iterable
from contextlib import suppress

from labeltool.annotation.people.overlap import FREE, clips_to_label_again
from labeltool.records import StoredClip
from labeltool.store import Store
from labeltool.store.clips import CLIP_COLUMNS, UNLABELLED, stored_clip
from labeltool.store.opening import CannotBeWritten

# Candidates read for each clip that is wanted, so that a page can be spread over groups.
_CANDIDATES_PER_CLIP = 4

# A claim that is not renewed expires: the terminal was closed, or the person went home.
_CLAIM_S = 900.0

# Of the clips that one person is given, as long as others have labelled some that two are to label.
_ONE_AGAIN_OF = 3

# Beside one who writes for long, clips are shown without a claim.
_WAIT_S = 1.0

_SKIPPED = """EXISTS (
    SELECT 1 FROM active_events k WHERE k.clip_id = c.id AND k.kind = 'skip' AND k.annotator = :annotator
)"""

_NOT_IN_QUEUE = "NOT EXISTS (SELECT 1 FROM queue p WHERE p.clip_id = c.id)"

_BY_RANK = f"""
    SELECT {CLIP_COLUMNS} FROM queue q
    JOIN active_clips c ON c.id = q.clip_id JOIN recordings r ON r.id = c.recording_id
    WHERE q.is_unlabelled AND NOT {_SKIPPED} AND {FREE}
    ORDER BY q.rank LIMIT :limit
"""

_BY_MARGIN = f"""
    SELECT {CLIP_COLUMNS} FROM suggestions g
    JOIN active_clips c ON c.id = g.clip_id JOIN recordings r ON r.id = c.recording_id
    WHERE g.is_unlabelled AND {_NOT_IN_QUEUE} AND NOT {_SKIPPED} AND {FREE}
    ORDER BY g.margin LIMIT :limit
"""

_SHUFFLED = f"""
    SELECT {CLIP_COLUMNS} FROM active_clips c JOIN recordings r ON r.id = c.recording_id
    WHERE {UNLABELLED} AND NOT EXISTS (SELECT 1 FROM suggestions g WHERE g.clip_id = c.id)
      AND {_NOT_IN_QUEUE} AND NOT {_SKIPPED} AND {FREE}
    ORDER BY c.id * 2654435761 % 4294967296 LIMIT :limit
"""

_SKIPPED_LAST = f"""
    SELECT {CLIP_COLUMNS} FROM active_clips c JOIN recordings r ON r.id = c.recording_id
    WHERE {UNLABELLED} AND {_SKIPPED} AND {FREE}
    ORDER BY (
        SELECT MAX(k.id) FROM active_events k WHERE k.clip_id = c.id AND k.kind = 'skip' AND k.annotator = :annotator
    ) LIMIT :limit
"""


def next_clips(
    store: Store, count: int, *, annotator: str, exclude: Collection[int] = (), overlap: float = 0.0
) -> list[StoredClip]:
    """Return up to `count` clips for the annotator, most informative first, none that somebody else has claimed.

    Parameters
    ----------
    exclude
        Clips that are on the screen or prepared already.
    overlap
        The share of the clips that two people label, 0 to 1.
    """
    parameters = {"annotator": annotator, "now_s": time.time()}
    chosen: list[StoredClip] = []
    for statement in (_BY_RANK, _BY_MARGIN, _SHUFFLED, _SKIPPED_LAST):
        wanted = count - len(chosen)
        if wanted <= 0:
            break
        rows = store.connection.execute(
            statement, {**parameters, "limit": wanted * _CANDIDATES_PER_CLIP + len(exclude)}
        )
        candidates = [stored_clip(store, row) for row in rows if row["id"] not in exclude]
        # The ranks are spread over groups already, and skipped clips come in the order of skipping.
        chosen += _spread(candidates, wanted) if statement in (_BY_MARGIN, _SHUFFLED) else candidates[:wanted]
    if not overlap:
        return chosen
    again = clips_to_label_again(store, count + len(exclude), annotator=annotator, share=overlap)
    return _mixed(chosen, [clip for clip in again if clip.id not in exclude], count)


def _mixed(chosen: list[StoredClip], again: list[StoredClip], count: int) -> list[StoredClip]:
    """Return `count` clips of two lists, of the second one of three: nobody knows which, and both come to an end."""
    mixed: list[StoredClip] = []
    while len(mixed) < count and (chosen or again):
        # By chance, but for two clips always the same: what is prefetched stays.
        takes_again = bool(again) and (
            not chosen or (chosen[0].id * 2654435761 + again[0].id * 40503) % 2**32 < 2**32 // _ONE_AGAIN_OF
        )
        mixed.append((again if takes_again else chosen).pop(0))
    return mixed


def claim_clips(
    store: Store, count: int, *, annotator: str, exclude: Collection[int] = (), overlap: float = 0.0
) -> list[StoredClip]:
    """Return clips as `next_clips` does and claim them for a quarter of an hour, or until `release`.

    So two people who label the same project at once never get the same clip. Where the project cannot be written now,
    nothing is claimed.
    """
    try:
        with store.transaction(wait_s=_WAIT_S) as connection:
            chosen = next_clips(store, count, annotator=annotator, exclude=exclude, overlap=overlap)
            _claim(connection, {*exclude, *(clip.id for clip in chosen)}, annotator)
        return chosen
    except CannotBeWritten:
        return next_clips(store, count, annotator=annotator, exclude=exclude, overlap=overlap)


def free_among(store: Store, clip_ids: Iterable[int], *, annotator: str) -> set[int]:
    """Return those of some clips that are unlabelled, not claimed by others, and not skipped by the annotator."""
    rows = store.connection.execute(
        f"""
        SELECT c.id FROM active_clips c
        WHERE c.id IN (SELECT value FROM json_each(:ids)) AND {UNLABELLED} AND NOT {_SKIPPED} AND {FREE}
        """,
        {"ids": json.dumps(list(clip_ids)), "annotator": annotator, "now_s": time.time()},
    )
    return {clip_id for (clip_id,) in rows}


def claim(store: Store, clip_ids: Iterable[int], *, annotator: str) -> list[int]:
    """Claim some clips, as `claim_clips` does, and return those that nobody else has claimed."""
    ids = list(clip_ids)
    try:
        with store.transaction(wait_s=_WAIT_S) as connection:
            return _claim(connection, ids, annotator)
    except CannotBeWritten:
        others = store.connection.execute(
            "SELECT clip_id FROM claims WHERE annotator <> ? AND until_s > ?", (annotator, time.time())
        )
        taken = {clip_id for (clip_id,) in others}
        return [clip_id for clip_id in ids if clip_id not in taken]


def release(store: Store, *, annotator: str, clip_ids: Collection[int] | None = None) -> None:
    """Release an annotator's claims, on some clips or on all; where the project cannot be written they expire."""
    with suppress(CannotBeWritten), store.transaction(wait_s=_WAIT_S) as connection:
        if clip_ids is None:
            connection.execute("DELETE FROM claims WHERE annotator = ?", (annotator,))
        else:
            connection.executemany(
                "DELETE FROM claims WHERE annotator = ? AND clip_id = ?", [(annotator, clip_id) for clip_id in clip_ids]
            )


def _claim(connection: sqlite3.Connection, clip_ids: Iterable[int], annotator: str) -> list[int]:
    now_s = time.time()
    return [
        clip_id
        for clip_id in clip_ids
        if connection.execute(
            """
            INSERT INTO claims (clip_id, annotator, until_s) VALUES (:clip_id, :annotator, :until_s)
            ON CONFLICT (clip_id) DO UPDATE SET annotator = excluded.annotator, until_s = excluded.until_s
            WHERE annotator = excluded.annotator OR until_s <= :now_s
            """,
            {"clip_id": clip_id, "annotator": annotator, "until_s": now_s + _CLAIM_S, "now_s": now_s},
        ).rowcount
    ]


def _spread(candidates: list[StoredClip], count: int) -> list[StoredClip]:
    """Return `count` clips: one of each group before a second of any."""
    rounds: list[tuple[int, int, StoredClip]] = []
    seen: dict[str, int] = {}
    for place, candidate in enumerate(candidates):
        seen[candidate.group] = seen.get(candidate.group, -1) + 1
        rounds.append((seen[candidate.group], place, candidate))
    return [candidate for _, _, candidate in sorted(rounds, key=lambda entry: entry[:2])[:count]]
