"""Labels of which the network sees nothing: their sound is above the highest frequency of its frontend."""

from __future__ import annotations

import numpy as np

from labeltool.checks.finding import Finding, Subject
from labeltool.checks.sound_values import sound_values
from labeltool.networks.architectures import sound_frontend
from labeltool.settings import LearningSettings
from labeltool.store import clips, spans
from labeltool.training.targets import with_labels

# Below it is wind and hum, in any recording; it is not what the label is of.
_LOW_HZ = 300.0


def highest_hz(learning: LearningSettings) -> float:
    """Return the highest frequency that the frontend of a project's networks sees, Hz."""
    frontend = sound_frontend(learning)
    return float(getattr(frontend, "high_hz", frontend.sample_rate_hz / 2))


def find_above_band(subject: Subject) -> list[Finding]:
    """Find labels whose regions people drew above what the network sees, or most of whose sound is there."""
    top_hz = highest_hz(subject.project.settings.learning)
    drawn = subject.store.connection.execute(
        """
        SELECT label, COUNT(*), SUM(low_hz >= ?) FROM active_events
        WHERE kind = 'verdict' AND value = 'present' AND label IS NOT NULL AND low_hz IS NOT NULL GROUP BY label
        """,
        (top_hz,),
    )
    return [
        Finding(
            "above-band",
            f"{label!r}: {above} of {count} regions are above {top_hz / 1000:g} kHz, of which the network gets nothing",
            "slow the recordings down before the import (`sox IN OUT speed 0.25`), or leave the label out",
            labels=(label,),
            score=above / count,
        )
        for label, count, above in drawn
        if 2 * above >= count
    ]
