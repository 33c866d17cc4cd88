"""The samples of a stored clip, as long as a network's patch at least."""

from __future__ import annotations

import numpy as np

from labeltool.audio import files
from labeltool.audio.frontend import Frontend
from labeltool.records import StoredClip
from labeltool.type_aliases import Int16


def padded_span(clip: StoredClip, frontend: Frontend) -> tuple[float, float]:
    """Return start and end of the span of its recording that represents a clip, seconds.

    A clip shorter than one patch is extended by the recording around it, the clip in the middle, moved where the file
    begins or ends.

    Raises
    ------
    LabeltoolError
        When the file cannot be read.
    """
    rate, wanted = frontend.sample_rate_hz, frontend.patch_samples
    if round((clip.end_s - clip.start_s) * rate) >= wanted:
        return clip.start_s, clip.end_s
    duration_s = files.duration_s(clip.path)
    start_s = max(0.0, min((clip.start_s + clip.end_s - wanted / rate) / 2, duration_s - wanted / rate))
    return start_s, start_s + wanted / rate


def clip_pcm(clip: StoredClip, frontend: Frontend) -> Int16:
    """Read the samples of a clip's `padded_span`; silence where the file is too short for it.

    Returns
    -------
    (samples,) int16
        At least `frontend.patch_samples` of them.

    Raises
    ------
    LabeltoolError
        When the file cannot be read, has another content now, or ends before the clip.
    """
    files.require_content(clip.path, clip.sha256, clip.samples_sha256)
    wanted = frontend.patch_samples
    pcm = files.read_pcm(clip.path, *padded_span(clip, frontend), frontend.sample_rate_hz)
    if len(pcm) < wanted:
        missing = wanted - len(pcm)
        pcm = np.pad(pcm, (missing // 2, missing - missing // 2))
    return pcm
