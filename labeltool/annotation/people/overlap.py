"""Double labelling: the clips that two people label without seeing each other's labels."""

from __future__ import annotations

import hashlib
import time
from weakref import WeakKeyDictionary

from labeltool.records import StoredClip, clip_key
from labeltool.store import Store
from labeltool.store.clips import CLIP_COLUMNS, stored_clip
from labeltool.store.journal_rows import AUTO_ACCEPTED, is_revoked

# Of each store, by the share and the clip's id: whether the clip is chosen.
_KNOWN: WeakKeyDictionary[Store, dict[float, dict[int, bool]]] = WeakKeyDictionary()

_GIVEN = f"""
    FROM journal j WHERE j.clip_id = c.id AND NOT {is_revoked("j")} AND j.origin IN ('human', 'suggestion')
      AND NOT {AUTO_ACCEPTED} AND j.kind
"""

# Nobody gets a clip again that they labelled, skipped or excluded, and a third person gets none that two labelled.
_AWAITS_SECOND = f"""
    c.is_labelled AND NOT c.is_region
    AND NOT EXISTS (SELECT 1 {_GIVEN} IN ('verdict', 'skip', 'bad audio') AND j.annotator = :annotator)
    AND (SELECT COUNT(DISTINCT j.annotator) {_GIVEN} = 'verdict') = 1
"""


def is_in_overlap(clip_key: str, share: float) -> bool:
    """Return whether a clip is among those that two people label: the same in every project that has its sound.

    Parameters
    ----------
    clip_key
        `StoredClip.key`: its content and its times.
    share
        Of all clips, 0 to 1. The clips of a smaller share are among those of a larger one.
    """
    return int.from_bytes(hashlib.sha256(f"overlap {clip_key}".encode()).digest()[:8]) < share * 2**64


FREE = "NOT EXISTS (SELECT 1 FROM claims m WHERE m.clip_id = c.id AND m.annotator <> :annotator AND m.until_s > :now_s)"
"""SQL that is true for a clip c that nobody else labels just now."""


def clips_to_label_again(store: Store, count: int, *, annotator: str, share: float) -> list[StoredClip]:
    """Return up to `count` clips that one other person labelled and this one is to label too."""
    # What was hashed once stays known: while nothing is left to label again, every call passes all labelled clips.
    known = _KNOWN.setdefault(store, {}).setdefault(share, {})

    def is_chosen(clip_id: int, sha256: str, start_s: float, end_s: float) -> bool:
        if clip_id not in known:
            known[clip_id] = is_in_overlap(clip_key(sha256, start_s, end_s), share)
        return known[clip_id]

    store.connection.create_function("is_in_overlap", 4, is_chosen)
    rows = store.connection.execute(
        f"SELECT {CLIP_COLUMNS} FROM active_clips c JOIN recordings r ON r.id = c.recording_id "
        f"WHERE c.is_labelled AND is_in_overlap(c.id, r.sha256, c.start_s, c.end_s) AND {_AWAITS_SECOND} AND {FREE} "
        "ORDER BY c.id LIMIT :limit",
        {"annotator": annotator, "limit": count, "now_s": time.time()},
    )
    return [stored_clip(store, row) for row in rows]


def is_second(store: Store, clip: StoredClip, *, annotator: str, share: float) -> bool:
    """Return whether a clip is given to a second person, who sees neither the first's labels nor a suggestion."""
    if not share or not is_in_overlap(clip.key, share):
        return False
    found = store.connection.execute(
        f"SELECT 1 FROM clips c WHERE c.id = :clip AND {_AWAITS_SECOND}", {"clip": clip.id, "annotator": annotator}
    )
    return found.fetchone() is not None
