"""Hashes of remote sounds: known once all of one was read, then stored, so that equal sounds are one group."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress

from labeltool.audio import files
from labeltool.audio.remote import block_cache
from labeltool.audio.remote.reference import SIZE_COLUMN, RemoteError, known_reference, reference_of
from labeltool.errors import LabeltoolError
from labeltool.project import Project
from labeltool.store.importing.imported_recordings import store_samples_hashes
from labeltool.type_aliases import Progress

# Sounds that one call decodes, each to its end: a task is followed by seconds of work, not by hours.
_DECODED_AT_MOST = 32


def store_known_hashes(project: Project, report: Progress) -> None:
    """Store the hash of the samples of remote sounds that are on this disk as a whole.

    A few are decoded; what is left is for the next time, as is what cannot be read now. A damaged one has no hash.
    """
    kept = block_cache.kept_ids()
    if not kept:
        return
    with project.open_store() as store:
        rows = store.connection.execute(
            """
            SELECT r.path, r.sha256 FROM recording_columns k JOIN active_recordings r ON r.id = k.recording_id
            WHERE k.name = ? AND r.path LIKE '%://%' AND r.samples_sha256 IS NULL
              AND r.sha256 IN (SELECT value FROM json_each(?))
            """,
            (SIZE_COLUMN, json.dumps(kept)),
        ).fetchall()
        hashes = {sha256: found for sha256, found in _hashes(rows, report).items() if found}
        if hashes:
            store_samples_hashes(store, hashes)


def _hashes(rows: Sequence[tuple[str, str]], report: Progress) -> dict[str, str]:
    """Return hashes of samples of sounds that are given by URL and id; "" for one that is damaged."""
    hashes: dict[str, str] = {}
    unknown: list[tuple[str, str]] = []
    for url, sha256 in rows:
        reference = known_reference(url)
        if reference is None or reference.id != sha256:
            continue
        if (known := reference.samples_sha256) is not None:
            hashes[sha256] = known
        elif reference.is_read_whole:
            unknown.append((url, sha256))
    now = unknown[:_DECODED_AT_MOST]
    for done, (url, sha256) in enumerate(now):
        report("hashing remote sounds", done, len(now))
        with suppress(RemoteError):
            reference = reference_of(url)
            if reference.id == sha256:
                try:
                    hashes[sha256] = files.samples_hash(url) or ""
                except RemoteError:
                    raise
                except LabeltoolError:
                    reference.keep_samples_sha256("")
    return hashes
