"""A limit on a clock."""

from __future__ import annotations

import pickle

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


_since_start_s = [10.0]


def clock() -> float:
    return _since_start_s[0]


def test_another_machine_which_counts_from_its_own_start_has_as_much_time_left() -> None:
    sent = pickle.dumps((TimeLimit(110.0, clock), NO_LIMIT))
    _since_start_s[0] = 90_000.0
    limit, none = pickle.loads(sent)
    assert 0.0 < limit.left_s <= 100.1 and none == NO_LIMIT
