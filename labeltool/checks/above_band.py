"""Labels of which the network sees nothing: their sound is above the highest frequency of its frontend."""

from __future__ import annotations

import numpy as np

from labeltool.checks.finding import Finding, Subject
from labeltool.checks.sound_values import SoundValues
from labeltool.networks.architectures import sound_frontend
from labeltool.store import clips
from labeltool.training.labelled_spans import labels_above

# Below it is wind and hum, in any recording; it is not what the label is of.
_LOW_HZ = 300.0
# The share of a recording's sound, the median over the label's recordings, from which most of it is lost.
_MOST = 0.5


def find_above_band(subject: Subject) -> list[Finding]:
    """Find labels whose regions people drew above what the network sees, or most of whose sound is there."""
    top_hz = sound_frontend(subject.project.settings.learning).highest_hz
    by_regions = labels_above(subject.store, top_hz)
    found = [_finding(label, top_hz, f"{share:.0%} of its regions are", share) for label, share in by_regions.items()]
    shares: dict[str, list[float]] = {}
    for one in clips.labelled(subject.store, which="all"):
        if (values := subject.sound_values.get(one.clip.recording_id)) is not None:
            for label in one.present:
                shares.setdefault(label, []).append(_share_above(values, top_hz))
    for label, of_clips in shares.items():
        share = float(np.median(of_clips))
        if share >= _MOST and label not in by_regions:
            found.append(_finding(label, top_hz, f"{share:.0%} of its recordings' sound is", share))
    return found


def _share_above(values: SoundValues, top_hz: float) -> float:
    audible = values.share_above(_LOW_HZ)
    return values.share_above(top_hz) / audible if audible else 0.0


def _finding(label: str, top_hz: float, what: str, score: float) -> Finding:
    return Finding(
        "above-band",
        f"{label!r}: {what} above {top_hz / 1000:g} kHz, of which the network gets nothing",
        "slow its recordings down before the import (`sox IN OUT speed 0.25`), or leave the label out",
        labels=(label,),
        score=score,
    )
