"""What to ask next: the clips whose answer teaches most, first.

By their place in the order that was reckoned last (`labeltool.store.queue`); clips that came later by the newest
model's margin (the least sure first) where it has scored them, else in a fixed shuffle, those of one group spread out,
since near-duplicates teach little. What the annotator skipped comes last.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Collection, Iterable

from labeltool.records import StoredClip
from labeltool.store import Store
from labeltool.store.clips import CLIP_COLUMNS, WAITING, stored_clip

# Candidates looked at for each clip asked for, so that a page can be spread over groups.
_CANDIDATES_A_CLIP = 4

# A claim that is not renewed runs out: the terminal was closed, or the person went home.
_CLAIM_S = 900.0

_FREE = (
    "NOT EXISTS (SELECT 1 FROM claims m WHERE m.clip_id = c.id AND m.annotator <> :annotator AND m.until_s > :now_s)"
)


_SKIPPED = """EXISTS (
    SELECT 1 FROM standing k WHERE k.clip_id = c.id AND k.kind = 'skip' AND k.annotator = :annotator
)"""

_NO_PLACE = "NOT EXISTS (SELECT 1 FROM queue p WHERE p.clip_id = c.id)"

_BY_PLACE = f"""
    SELECT {CLIP_COLUMNS} FROM queue q
    JOIN clips c ON c.id = q.clip_id JOIN recordings r ON r.id = c.recording_id
    WHERE q.waiting AND NOT {_SKIPPED} AND {_FREE}
    ORDER BY q.place LIMIT :limit
"""

_BY_MARGIN = f"""
    SELECT {CLIP_COLUMNS} FROM suggestions g
    JOIN clips c ON c.id = g.clip_id JOIN recordings r ON r.id = c.recording_id
    WHERE g.waiting AND {_NO_PLACE} AND NOT {_SKIPPED} AND {_FREE}
    ORDER BY g.margin LIMIT :limit
"""

_SHUFFLED = f"""
    SELECT {CLIP_COLUMNS} FROM clips c JOIN recordings r ON r.id = c.recording_id
    WHERE {WAITING} AND NOT EXISTS (SELECT 1 FROM suggestions g WHERE g.clip_id = c.id)
      AND {_NO_PLACE} AND NOT {_SKIPPED} AND {_FREE}
    ORDER BY c.id * 2654435761 % 4294967296 LIMIT :limit
"""

_SKIPPED_LAST = f"""
    SELECT {CLIP_COLUMNS} FROM clips c JOIN recordings r ON r.id = c.recording_id
    WHERE {WAITING} AND {_SKIPPED} AND {_FREE}
    ORDER BY (
        SELECT MAX(k.id) FROM standing k WHERE k.clip_id = c.id AND k.kind = 'skip' AND k.annotator = :annotator
    ) LIMIT :limit
"""


def next_clips(store: Store, count: int, *, annotator: str, exclude: Collection[int] = ()) -> list[StoredClip]:
    """Return up to `count` clips to ask the annotator about, the most telling first, none that another has claimed.

    Parameters
    ----------
    exclude
        Clips that are on the screen or prepared already.
    """
    parameters = {"annotator": annotator, "now_s": time.time()}
    asked: list[StoredClip] = []
    for statement in (_BY_PLACE, _BY_MARGIN, _SHUFFLED, _SKIPPED_LAST):
        wanted = count - len(asked)
        if wanted <= 0:
            break
        rows = store.connection.execute(statement, {**parameters, "limit": wanted * _CANDIDATES_A_CLIP + len(exclude)})
        candidates = [stored_clip(store, row) for row in rows if row["id"] not in exclude]
        # The places are spread over groups already, and what was skipped comes in the order of skipping.
        asked += _spread(candidates, wanted) if statement in (_BY_MARGIN, _SHUFFLED) else candidates[:wanted]
    return asked


def claim_clips(store: Store, count: int, *, annotator: str, exclude: Collection[int] = ()) -> list[StoredClip]:
    """Return clips as `next_clips` does and keep them from others for a quarter of an hour, or until `release`.

    Two people who label the same project at once are so never asked about the same clip.
    """
    with store.transaction() as connection:
        asked = next_clips(store, count, annotator=annotator, exclude=exclude)
        _claim(connection, {*exclude, *(found.id for found in asked)}, annotator)
    return asked


def free_among(store: Store, clip_ids: Iterable[int], *, annotator: str) -> set[int]:
    """Return those of some clips that wait for an answer, that nobody else has, and that the annotator did not skip."""
    rows = store.connection.execute(
        f"""
        SELECT c.id FROM clips c
        WHERE c.id IN (SELECT value FROM json_each(:ids)) AND {WAITING} AND NOT {_SKIPPED} AND {_FREE}
        """,
        {"ids": json.dumps(list(clip_ids)), "annotator": annotator, "now_s": time.time()},
    )
    return {clip_id for (clip_id,) in rows}


def claim(store: Store, clip_ids: Iterable[int], *, annotator: str) -> list[int]:
    """Keep some clips from others, as `claim_clips` does, and return those that nobody else had."""
    with store.transaction() as connection:
        return _claim(connection, clip_ids, annotator)


def release(store: Store, *, annotator: str, clip_ids: Collection[int] | None = None) -> None:
    """Let somebody's claims go, on some clips or on all."""
    with store.transaction() as connection:
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
    """Take one clip of each group before a second of any."""
    rounds: list[tuple[int, int, StoredClip]] = []
    seen: dict[str, int] = {}
    for place, candidate in enumerate(candidates):
        seen[candidate.group] = seen.get(candidate.group, -1) + 1
        rounds.append((seen[candidate.group], place, candidate))
    return [candidate for _, _, candidate in sorted(rounds, key=lambda entry: entry[:2])[:count]]
