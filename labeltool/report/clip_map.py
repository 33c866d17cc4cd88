"""The map of clips of a report, with the beginning of each clip's sound where there is room."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from labeltool.project import Project
from labeltool.report.contents import MapClip, MapPart
from labeltool.report.errors import clip_name
from labeltool.report.media import snippet
from labeltool.similarity.compare import ClipMap, clip_map
from labeltool.type_aliases import Progress

MAX_SOUND_BYTES = 3 << 20
"""Of the sounds of all clips on the map: 320 of three seconds."""

MAX_CLIPS = 1500
"""On the map; of more, a sample is drawn."""


def collect(project: Project, *, errors: Collection[int], is_shared: bool, report: Progress) -> tuple[MapPart, ClipMap]:
    """Return the map, and what it is made of, whose `skipped` names the files that could not be read.

    Parameters
    ----------
    errors
        Ids of the clips that are shown as errors.
    """
    found = clip_map(project, report=report, max_clips=MAX_CLIPS)
    sounds = {} if is_shared else _sounds(found, report)
    clips = tuple(
        MapClip(
            one.clip.id,
            one.present,
            one.top_label or "",
            "" if is_shared else clip_name(one.clip),
            one.clip.id in errors,
            sounds.get(one.clip.id),
        )
        for one in found.clips
    )
    return MapPart(found.by, found.total, clips, found.points), found


def _sounds(found: ClipMap, report: Progress) -> dict[int, bytes]:
    """Return the sounds of clips by their ids; where there are too many, those of a sample."""
    sounds, used = dict[int, bytes](), 0
    order = np.random.default_rng(0).permutation(len(found.clips))
    for number, row in enumerate(order):
        report("map: sounds", number, len(order))
        one = found.clips[row].clip
        sound = snippet(one)
        if sound is not None:
            used += len(sound)
            if used > MAX_SOUND_BYTES:
                break
            sounds[one.id] = sound
    return sounds
