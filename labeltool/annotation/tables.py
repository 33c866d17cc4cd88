"""Recordings, clips and suggestions of a project as tables."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from labeltool.annotation import listing
from labeltool.annotation.annotation_table import typed
from labeltool.store import Store
from labeltool.store.clips import current_names
from labeltool.store.labels import by_current_names

if TYPE_CHECKING:
    import pandas as pd

RECORDINGS: Mapping[str, Any] = MappingProxyType(
    {
        "recording_id": "int64",
        "path": "object",
        "recording_sha256": "object",
        "sample_rate_hz": "int64",
        "channels": "int64",
        "frames": "int64",
        "duration_s": "float64",
        "group": "object",
        "licence": "object",
        "added_at": "object",
    }
)
"""Columns of the table of recordings and their types; text is `str`, or None where there is none."""

CLIPS: Mapping[str, Any] = MappingProxyType(
    {
        "clip_id": "int64",
        "recording_id": "int64",
        "path": "object",
        "recording_sha256": "object",
        "start_s": "float64",
        "end_s": "float64",
        "fold": "Int64",
        "group": "object",
        "labelled": "bool",
        "present": "object",
        "absent": "object",
        "unsure": "object",
        "suggestion": "object",
        "probability": "float64",
    }
)
"""Columns of the table of clips and their types.

`present`, `absent` and `unsure` are tuples of labels; `suggestion` is the label that the newest model predicts, with
its `probability`; `labelled` is also true where the clip is excluded as bad audio.
"""

SUGGESTIONS: Mapping[str, Any] = MappingProxyType(
    {
        "clip_id": "int64",
        "recording_id": "int64",
        "path": "object",
        "start_s": "float64",
        "end_s": "float64",
        "model_id": "int64",
        "label": "object",
        "probability": "float64",
    }
)
"""Columns of the table of suggestions and their types: a row for each label of each unlabelled clip."""


def recording_table(store: Store) -> pd.DataFrame:
    """Return a row for each recording that was not removed, with the columns of `RECORDINGS`, by their ids."""
    rows = store.connection.execute(
        "SELECT id, path, sha256, sample_rate_hz, channels, frames, duration_s, group_name, licence, added_at "
        "FROM active_recordings ORDER BY id"
    )
    return _table(((number, store.absolute_path(path), *rest) for number, path, *rest in rows), RECORDINGS)


def clip_table(store: Store, wanted: listing.Filter) -> pd.DataFrame:
    """Return a row for each clip that passes a filter, with the columns of `CLIPS`, by their ids."""
    with store.snapshot():
        rows = listing.page(store, listing.matching(store, wanted))
    return _table(
        (
            (
                *(one.clip.id, one.clip.recording_id, one.clip.path, one.clip.sha256, one.clip.start_s, one.clip.end_s),
                *(one.clip.fold, one.clip.group, one.labelled, one.present, one.absent, one.unsure),
                *(one.top_label, one.top_probability),
            )
            for one in rows
        ),
        CLIPS,
    )


def suggestion_table(store: Store) -> pd.DataFrame:
    """Return what the newest model predicts for each unlabelled clip, with the columns of `SUGGESTIONS`.

    In the order of the clips' ids, the most probable label first. Probabilities of merged labels are added up.
    """
    with store.snapshot() as connection:
        renamed = current_names(store)
        rows = connection.execute(
            "SELECT g.clip_id, c.recording_id, r.path, c.start_s, c.end_s, g.model_id, g.probabilities "
            "FROM suggestions g JOIN clips c ON c.id = g.clip_id JOIN recordings r ON r.id = c.recording_id "
            "WHERE g.is_unlabelled ORDER BY g.clip_id"
        ).fetchall()
    return _table(
        (
            (clip_id, recording_id, store.absolute_path(path), *rest, label, probability)
            for clip_id, recording_id, path, *rest, probabilities in rows
            for label, probability in by_current_names(json.loads(probabilities), renamed).items()
        ),
        SUGGESTIONS,
    )


def _table(rows: Any, dtypes: Mapping[str, Any]) -> pd.DataFrame:
    import pandas as pd

    return typed(pd.DataFrame(list(rows), columns=list(dtypes), dtype=object), dtypes)
