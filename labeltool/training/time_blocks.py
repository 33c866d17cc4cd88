"""Recordings as time series: what a recorder made at one site within a night is no independent sample of it.

Neighbours in time share weather, the same animals, the recorder's own noise; a split that parts them measures how well
it is remembered (Roberts et al. 2017, "Cross-validation strategies for data with temporal, spatial, hierarchical, or
phylogenetic structure").
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import datetime

from labeltool.util.recorded_at import RecordedAt

BLOCK_HOURS = 24
"""A block is a night with the day halves around it, from noon to noon, where nobody asked for another length."""


def smallest_gap_s(times: Sequence[RecordedAt], parts: Sequence[object]) -> float | None:
    """Return the shortest time between recordings of one site that are in different parts, seconds.

    None where no site has two parts; 0 where recordings touch or overlap.
    """
    by_site: dict[str, list[tuple[datetime, float, int]]] = {}
    for place, one in enumerate(times):
        by_site.setdefault(one.site, []).append((one.start, one.duration_s, place))
    gaps = [
        max(0.0, (later[0] - earlier[0]).total_seconds() - earlier[1])
        for of_site in by_site.values()
        for earlier, later in itertools.pairwise(sorted(of_site))
        if parts[earlier[2]] != parts[later[2]]
    ]
    return min(gaps, default=None)
