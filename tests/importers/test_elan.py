"""Annotations of ELAN: tiers are tracks, annotations that refer to another one have its times."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.records import rows_of
from labeltool.errors import LabeltoolError
from labeltool.importers.annotation_files import elan
from labeltool.importers.file_kinds import file_kind

EAF = """<?xml version="1.0" encoding="UTF-8"?>
<ANNOTATION_DOCUMENT FORMAT="3.0" VERSION="3.0">
<HEADER TIME_UNITS="milliseconds">
<MEDIA_DESCRIPTOR MEDIA_URL="file:///C:/x/a%20b.wav" MIME_TYPE="audio/x-wav" RELATIVE_MEDIA_URL="./a%20b.wav"/>
<MEDIA_DESCRIPTOR MEDIA_URL="file:///C:/x/film.mp4" MIME_TYPE="video/mp4"/></HEADER>
<TIME_ORDER><TIME_SLOT TIME_SLOT_ID="t1" TIME_VALUE="500"/><TIME_SLOT TIME_SLOT_ID="t2"/>
<TIME_SLOT TIME_SLOT_ID="t3" TIME_VALUE="1500"/></TIME_ORDER>
<TIER TIER_ID="birds">
<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a1" TIME_SLOT_REF1="t1" TIME_SLOT_REF2="t3">
<ANNOTATION_VALUE>wrén &amp; co</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>
<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a2" TIME_SLOT_REF1="t1" TIME_SLOT_REF2="t2">
<ANNOTATION_VALUE>lost</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION></TIER>
<TIER TIER_ID="kind" PARENT_REF="birds"><ANNOTATION>
<REF_ANNOTATION ANNOTATION_ID="a3" ANNOTATION_REF="a1"><ANNOTATION_VALUE>song</ANNOTATION_VALUE></REF_ANNOTATION>
</ANNOTATION><ANNOTATION>
<REF_ANNOTATION ANNOTATION_ID="a4" ANNOTATION_REF="a4"><ANNOTATION_VALUE>round</ANNOTATION_VALUE></REF_ANNOTATION>
</ANNOTATION></TIER></ANNOTATION_DOCUMENT>
"""


def test_annotations_of_all_tiers_are_read(tmp_path: Path) -> None:
    path = tmp_path / "x.eaf"
    path.write_text(EAF)
    got = elan.parse(path)
    assert [(row.recording, row.start_s, row.end_s, row.label, row.track) for row in rows_of(got)] == [
        ("./a b.wav", 0.5, 1.5, "wrén & co", "birds"),
        ("./a b.wav", 0.5, 1.5, "song", "kind"),
    ]
    assert [one.reason for one in got.skipped] == [
        "the annotation 'lost' in 'birds' has no times",
        "the annotation 'round' in 'kind' has no times",
    ]
    kind = file_kind(path)
    assert kind is not None and kind.importer == "elan"


def test_a_chain_of_references_is_followed_so_far_only(tmp_path: Path) -> None:
    chain = "".join(
        f'<REF_ANNOTATION ANNOTATION_ID="b{number}" ANNOTATION_REF="{f"b{number - 1}" if number else "a1"}"/>'
        for number in range(100)
    )
    (tmp_path / "x.eaf").write_text(EAF.replace("</ANNOTATION_DOCUMENT>", f"{chain}</ANNOTATION_DOCUMENT>"))
    got = elan.parse(tmp_path / "x.eaf")
    assert len(got.rows) == 2 + 50 and len(got.skipped) == 2 + 50


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("</TIER>", ""),
        ('TIER_ID="birds"', ""),
        ('TIME_VALUE="500"', 'TIME_VALUE="soon"'),
        ('TIME_VALUE="500"', f'TIME_VALUE="{"9" * 5000}"'),
        ('TIME_VALUE="500"', f'TIME_VALUE="{"9" * 400}"'),
        ("<ANNOTATION_DOCUMENT", '<!DOCTYPE x [<!ENTITY a "aaa">]><ANNOTATION_DOCUMENT'),
        (EAF, ""),
    ],
)
def test_a_damaged_file_is_one_line(tmp_path: Path, old: str, new: str) -> None:
    (tmp_path / "x.eaf").write_text(EAF.replace(old, new))
    with pytest.raises(LabeltoolError, match=r"x\.eaf: is a damaged annotation file of ELAN: .*open it in ELAN"):
        elan.parse(tmp_path / "x.eaf")
