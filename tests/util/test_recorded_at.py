"""When and where recordings were made, by the names of field recorders or by their own columns."""

from __future__ import annotations

from datetime import datetime

import pytest

from labeltool.util.recorded_at import RecordedAt, recorded_at

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


@pytest.mark.parametrize(
    ("path", "start"),
    [
        ("/card/5D0160C8.WAV", EVENING),  # AudioMoth of early firmware: seconds since 1970, in UTC
        ("/card/5D0160C8.flac", EVENING),
        ("/card/60000001.WAV", datetime(2021, 1, 14, 8, 25, 37)),
        ("/card/60000001.flac", None),  # perhaps a number
        ("/card/DEADBEEF.WAV", None),  # of 2088
        ("/card/5d0160c8.wav", None),  # perhaps a hash
    ],
)
def test_a_hexadecimal_name_is_a_time(path: str, start: datetime | None) -> None:
    assert recorded_at(path, {}, 60.0) == (None if start is None else RecordedAt("card/", start, 60.0))
