"""Hashes of remote sounds: known once all of one was read, then stored, so that equal sounds are one group."""

from __future__ import annotations

import json
from contextlib import suppress

from labeltool.audio import files
from labeltool.audio.remote import block_cache
from labeltool.audio.remote.reference import SIZE_COLUMN, reference_of
from labeltool.errors import LabeltoolError
from labeltool.project import Project
from labeltool.store.importing.imported_recordings import store_samples_hashes


def store_known_hashes(project: Project) -> None:
    """Store the hash of the samples of each remote sound that is on this disk as a whole.

    What cannot be read or written now is left for the next time.
    """
    with suppress(LabeltoolError), project.open_store() as store:
        rows = store.connection.execute(
            """
            SELECT r.path, r.sha256 FROM recording_columns k JOIN active_recordings r ON r.id = k.recording_id
            WHERE k.name = ? AND r.path LIKE '%://%' AND r.samples_sha256 IS NULL
              AND r.sha256 IN (SELECT value FROM json_each(?))
            """,
            (SIZE_COLUMN, json.dumps(block_cache.kept_ids())),
        ).fetchall()
        hashes: dict[str, str] = {}
        for url, sha256 in rows:
            with suppress(LabeltoolError):
                reference = reference_of(url)
                if reference.id == sha256 and reference.is_read_whole and (found := files.samples_hash(url)):
                    hashes[sha256] = found
        if hashes:
            store_samples_hashes(store, hashes)
