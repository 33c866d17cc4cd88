"""What is measured of every recording, in one pass over it: level, peak, DC, clipping, bandwidth, completeness.

Everything is of the file as it is, at its own rate and with its own channels. It is kept in the cache under the hash of
the recording's samples.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from labeltool.audio.completeness import Damage
from labeltool.checks.sound.array_cache import ArrayCache, Arrays
from labeltool.checks.sound.measure import BLOCK_S, measure
from labeltool.project import Project
from labeltool.records import Skipped
from labeltool.store import Store
from labeltool.type_aliases import Float32, Progress

# Raised whenever something is measured in another way.
_VERSION = 6


@dataclass(frozen=True, slots=True)
class SoundValues:
    """A recording's measured values.

    Attributes
    ----------
    level_dbfs
        RMS of the mono mix in dB relative to full scale; -200 for digital silence.
    peak
        Largest magnitude in any channel; full scale is 1.0.
    dc
        Mean of the samples of the channel where it is furthest from 0; full scale is 1.0.
    clipped_share
        Share of the samples that are in flat tops or beyond full scale.
    bandwidth_hz
        Frequency above which there is nothing; 0 for digital silence, half the rate where the sound goes up to it.
    missing_s
        Seconds that the file's header promises and the file does not have; 0 where it is whole or nothing is promised.
    damage
        Whether the file has parts that are not of its format, or no proper end, or cannot be decoded to its end.
    not_finite
        Number of samples that are NaN or infinite: silence, and full scale, in all the other values.
    levels_dbfs : (n,) float32
        Level of the mono mix in each 0.1 s.
    channel_levels_dbfs : (n,) float32
        The same, of the mean power of the channels.
    spectrum_dbfs : (128,) float32
        Mean density of bands of equal width up to half the rate: the level of a white noise that has it.
    """

    duration_s: float
    sample_rate_hz: int
    channels: int
    level_dbfs: float
    peak: float
    dc: float
    clipped_share: float
    bandwidth_hz: float
    missing_s: float
    damage: Damage
    not_finite: int
    levels_dbfs: Float32
    channel_levels_dbfs: Float32
    spectrum_dbfs: Float32

    def channel_levels_of(self, start_s: float, end_s: float) -> Float32:
        """Return the `channel_levels_dbfs` of a span, of each 0.1 s that it has a part of."""
        first, last = max(0, int(start_s / BLOCK_S + 1e-6)), int(np.ceil(end_s / BLOCK_S - 1e-6))
        return self.channel_levels_dbfs[first:last]

    def share_above(self, hertz: float) -> float:
        """Return the share of the power that is above a frequency, 0 to 1; 0 for digital silence."""
        power = 10.0 ** (self.spectrum_dbfs.astype(np.float64) / 10.0)
        edges = np.arange(len(power) + 1) * self.sample_rate_hz / 2 / len(power)
        inside = np.clip((edges[1:] - hertz) / np.diff(edges), 0.0, 1.0)
        return float(power @ inside / power.sum()) if self.peak else 0.0


def sound_values(
    project: Project, store: Store, report: Progress
) -> tuple[dict[int, SoundValues], tuple[Skipped, ...]]:
    """Return the values of every recording by its id, and the files that cannot be read; measures what is not cached.

    Raises
    ------
    LabeltoolError
        When the cache cannot be written.
    """
    cache = ArrayCache(project.cache / "checks" / f"values-{_VERSION}", measure)
    found, skipped = cache.arrays(store, report, "measuring sounds")
    return {number: _values(arrays) for number, arrays in found.items()}, skipped


def _values(arrays: Arrays) -> SoundValues:
    single = [float(value) for value in arrays["single"]]
    duration_s, rate_hz, channels, level, peak, dc, clipped, bandwidth_hz, missing_s, damage, not_finite = single
    return SoundValues(
        *(duration_s, int(rate_hz), int(channels), level, peak, dc, clipped, bandwidth_hz, missing_s),
        Damage(int(damage)),
        int(not_finite),
        *(np.asarray(arrays[name], np.float32) for name in ("levels", "channel_levels", "spectrum")),
    )
