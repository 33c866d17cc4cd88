"""Recordings as time series: blocks from noon to noon, the gap between parts."""

from __future__ import annotations

from datetime import datetime

from labeltool.tasks.split_project import smallest_gap_s
from labeltool.util.recorded_at import RecordedAt


def test_a_night_is_one_block_from_noon_to_noon() -> None:
    def block(*when: int, hours: float = 24) -> str:
        return RecordedAt("pond", datetime(*when), 60.0).block(hours)

    assert block(2019, 6, 12, 20) == block(2019, 6, 13, 3) == "pond, from 2019-06-12 12:00"
    assert block(2019, 6, 12, 11, 59) != block(2019, 6, 12, 12)
    assert block(2019, 6, 12, 12, hours=1) != block(2019, 6, 12, 13, hours=1)


def test_the_gap_is_that_between_parts_of_one_site() -> None:
    times = [RecordedAt("a", datetime(2019, 6, 12, hour), 600.0) for hour in (1, 2, 5, 9)]
    times.append(RecordedAt("b", datetime(2019, 6, 12, 1), 600.0))
    assert smallest_gap_s(times, [1, 1, 2, 2, 2]) == 3 * 3600 - 600
    assert smallest_gap_s(times, [1, 1, 1, 1, 2]) is None
    assert smallest_gap_s([*times, times[0]], [1, 1, 1, 1, 1, 2]) == 0
