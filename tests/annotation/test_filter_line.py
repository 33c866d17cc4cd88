"""A filter is one line of text, which reads as it was written."""

from __future__ import annotations

import pytest

from labeltool.annotation.filter_line import filter_line, parse_filter, unknown_names
from labeltool.annotation.listing import Filter


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("", Filter()),
        ("tone3", Filter("tone3")),
        ("two words", Filter("two words")),
        ("file:site3 unlabelled", Filter("site3", labelled=False)),
        ('label:"dog bark" labelled transcript:hello', Filter(label="dog bark", labelled=True, transcript="hello")),
        ("site=A file:x", Filter("x", where=(("site", "A"),))),
        ('file:"unlabelled"', Filter("unlabelled")),
        ("label:", Filter("label:")),
    ],
)
def test_a_line_is_read(line: str, wanted: Filter) -> None:
    assert parse_filter(line) == wanted


def test_a_name_that_no_filter_has_is_refused() -> None:
    assert unknown_names('lable:dog file:a:b label:dog "x:y" 12:30 c:d') == ["lable:dog", "c:d"]


@pytest.mark.parametrize(
    "wanted",
    [
        Filter(),
        Filter("a b", "dog bark", False, "hello you", (("site", "A B"),)),
        Filter("unlabelled", "[b]x[/b]", True, "", (("a", "b"), ("c", "d"))),
    ],
)
def test_a_filter_is_written_so_that_it_reads_the_same(wanted: Filter) -> None:
    assert parse_filter(filter_line(wanted)) == wanted
