"""Recordings as time series: sites and times by name or column, blocks from noon to noon, the gap between parts."""

from __future__ import annotations

from datetime import datetime

import pytest

from labeltool.training.time_blocks import RecordedAt, recorded_at, smallest_gap_s

EVENING = datetime(2019, 6, 12, 20, 30)


@pytest.mark.parametrize(
    ("path", "site"),
    [
        ("/card/20190612_203000.WAV", "card/"),  # AudioMoth
        ("/card/20190612_203000T.WAV", "card/"),  # and where it was triggered
        ("/card/S4A01234_20190612_203000.wav", "card/S4A01234"),  # Song Meter
        ("/card/POND_20190612$203000.wav", "card/POND"),
        ("/card/POND_20190612_203000_part2.wav", "card/POND"),
    ],
)
def test_names_of_recorders_say_when_and_where(path: str, site: str) -> None:
    assert recorded_at(path, {}, 60.0) == RecordedAt(site, EVENING, 60.0)


@pytest.mark.parametrize(
    "path", ["/a/dog-1.wav", "/a/1-100032-A-0.wav", "/a/20191312_203000.wav", "/a/120190612_203000.wav", "/a/x.wav"]
)
def test_other_names_have_no_time(path: str) -> None:
    assert recorded_at(path, {}, 60.0) is None


def test_own_columns_count_before_the_name() -> None:
    columns = {"recorded_at": "2019-06-12T20:30+02:00", "site": "pond"}
    assert recorded_at("/a/x.wav", columns, 5.0) == RecordedAt("pond", EVENING, 5.0)
    assert recorded_at("/a/20190612_203000.wav", {"recorded_at": "in June"}, 5.0) == RecordedAt("a/", EVENING, 5.0)


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
