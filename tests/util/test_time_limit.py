"""A limit on a clock."""

from __future__ import annotations

import pytest

from labeltool.util.time_limit import NO_LIMIT, TimeIsUp, TimeLimit


def test_a_limit_passes_on_its_clock_and_a_share_of_what_is_left_before_it() -> None:
    now = [10.0]
    limit = TimeLimit(14.0, lambda: now[0])
    half = limit.after(0.5)
    assert (limit.left_s, half.at_s, half.has_passed) == (4.0, 12.0, False)
    now[0] = 12.0
    assert half.has_passed and not limit.has_passed
    now[0] = 15.0
    assert limit.left_s == -1.0 and limit.after(0.5) == limit
    with pytest.raises(TimeIsUp):
        limit.stopping(lambda *_: None)("embedding clips", 0, 1)


def test_without_a_limit_there_is_time() -> None:
    assert not NO_LIMIT.has_passed and NO_LIMIT.after(0.5) == NO_LIMIT
    reports: list[object] = []
    NO_LIMIT.stopping(lambda *report: reports.append(report))("embedding clips", 0, 1, "")
    assert reports == [("embedding clips", 0, 1, "")]
