"""Files of AviaNZ, VIA 3, audino, HTK, RTTM and Sonic Visualiser: what their programs mean by them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from fuzz import label_files
from helpers.records import of_kind, rows_of
from labeltool.errors import LabeltoolError
from labeltool.importers import auto
from labeltool.importers.file_kinds import file_kind
from labeltool.importers.registry import FORMATS
from labeltool.records import Note, Recording, Verdict

Row = tuple[str | None, float | None, float | None, str, str, str | None]
UNIT = (
    "times read in units of 100 ns: the last label ends at 1.25 s "
    "(if they are microseconds, write a header above them: start_us end_us label)"
)
CASES: list[tuple[str, str, str, list[Row], list[str]]] = [
    (
        "a.wav.data",
        "avianz",
        label_files.AVIANZ,
        [
            (None, 1.0, 19.5, "Kiwi (Little spotted)", "present", None),
            (None, 35.0, 45.0, "", "unsure", None),
        ],
        [],
    ),
    (
        "a.data",
        "avianz",
        '[[-1, 60.0, "OP", "REV", -1], [1, 2, 0, 0, [{"species": "Kiwi", "certainty": 100}]]]',
        [(None, 1.0, 2.0, "Kiwi", "present", None)],
        [],
    ),
    (
        "p.csv",
        "via",
        label_files.VIA_TABLES[0].replace('{"aname": "s", "options": {"0": "wren"}}', '"s"'),
        [("a.wav", 0.5, 1.25, "0", "present", "s")],
        ["its labels are numbers of options, whose names are in the project"],
    ),
    (
        "p.json",
        "via",
        label_files.VIA.replace('"0,1"', '"0,1,"'),
        [
            ("a.wav", 0.5, 1.25, "wren", "present", "s"),
            ("a.wav", 0.5, 1.25, "a", "present", "c"),
            ("a.wav", 0.5, 1.25, "b", "present", "c"),
        ],
        [],
    ),
    (
        "x.json",
        "audino",
        f"[{label_files.AUDINO[1:-1]}, {label_files.AUDINO[1:-1].replace('f0.wav', 'a.wav')}]",
        [
            (name, 0.5, 1.25, label, "present", track)
            for name in ("f0.wav", "a.wav")
            for label, track in (("wren", "s"), ("x", "m"))
        ],
        [
            "a.wav was uploaded 2 times: looked for under the names that audino gave",
            "2 transcriptions not taken",
        ],
    ),
    (
        "p.json",
        "via",
        label_files.VIA,
        [
            ("a.wav", 0.5, 1.25, "wren", "present", "s"),
            ("a.wav", 0.5, 1.25, "a", "present", "c"),
            ("a.wav", 0.5, 1.25, "b", "present", "c"),
        ],
        [],
    ),
    *(
        ("p.csv", "via", content, [("a.wav", 0.5, 1.25, "wren", "present", "s")], [])
        for content in label_files.VIA_TABLES
    ),
    (
        "x.json",
        "audino",
        label_files.AUDINO,
        [("a.wav", 0.5, 1.25, "wren", "present", "s"), ("a.wav", 0.5, 1.25, "x", "present", "m")],
        ["1 transcription not taken"],
    ),
    (
        "a.lab",
        "htk",
        label_files.LAB,
        [(None, 0.0, 0.5, "sil", "present", None), (None, 0.5, 1.25, "wren", "present", None)],
        [UNIT, "has labels of several levels: only the first is taken (1 lines)"],
    ),
    (
        "a.lab",
        "htk",
        '0\t5000000\t"owl \\"call"\n5000000\t12500000\t\'wren\'\n',
        [(None, 0.0, 0.5, 'owl "call', "present", None), (None, 0.5, 1.25, "wren", "present", None)],
        [UNIT],
    ),
    (
        "x.mlf",
        "htk",
        label_files.MLF.replace("*/a.lab", "*/a_2020.05.01").replace("b.lab", "b.REC"),
        [
            ("a_2020.05.01", 0.0, 0.5, "sil", "present", None),
            ("a_2020.05.01", 0.5, 1.25, "wren", "present", None),
            ("b", 0.0, 0.5, "owl", "present", None),
        ],
        [UNIT, "has labels of several levels: only the first is taken (1 lines)"],
    ),
    (
        "x.mlf",
        "htk",
        label_files.MLF,
        [
            ("a", 0.0, 0.5, "sil", "present", None),
            ("a", 0.5, 1.25, "wren", "present", None),
            ("b", 0.0, 0.5, "owl", "present", None),
        ],
        [UNIT, "has labels of several levels: only the first is taken (1 lines)"],
    ),
    (
        "x.rttm",
        "rttm",
        "NOSCORE a 1 0.0 0.5 <NA> <NA> <NA> <NA>\nSPEAKER a 1 0.5 0.75 <NA> <NA> s1 <NA> <NA>\n",
        [("a", 0.5, 1.25, "s1", "present", "SPEAKER")],
        ["1 line of other kinds not taken: 'NOSCORE'"],
    ),
    (
        "x.rttm",
        "rttm",
        label_files.RTTM,
        [("a", 0.5, 1.25, "s1", "present", "SPEAKER"), ("a", 2.0, 3.0, "noise", "present", "NON-SPEECH")],
        ["1 line of other kinds not taken: 'SPKR-INFO'"],
    ),
    (
        "a.svl",
        "sonic-visualiser",
        label_files.SVL,
        [(None, 0.5, 1.25, "wren & co", "present", None)],
        ["1 point without a label not taken"],
    ),
]


@pytest.mark.parametrize(("name", "reader", "content", "expected", "notes"), CASES)
def test_labels_are_what_their_program_means(
    tmp_path: Path, name: str, reader: str, content: str, expected: list[Row], notes: list[str]
) -> None:
    path = tmp_path / name
    path.write_text(content)
    kind = file_kind(path)
    assert kind is not None and kind.importer == reader
    got = FORMATS[reader].parser()(path)
    rows = [(row.recording, row.start_s, row.end_s, row.label, row.value, row.track) for row in rows_of(got)]
    assert rows == expected
    assert [one.reason for one in got.skipped] == notes and all(isinstance(one, Note) for one in got.skipped)


@pytest.mark.parametrize(
    ("name", "reader", "content", "expected", "notes"), [one for one in CASES if "a_2020" not in one[2]]
)
def test_their_sounds_are_found(
    tmp_path: Path,
    write_tone: Callable[..., Path],
    name: str,
    reader: str,
    content: str,
    expected: list[Row],
    notes: list[str],
) -> None:
    write_tone("a.wav", seconds=50.0, rate=1000)
    (tmp_path / name).write_text(content)
    records = list(auto.read([tmp_path]))
    assert [Path(one.path).name for one in of_kind(records, Recording)] == ["a.wav"]
    of_a = [row for row in expected if row[0] in (None, "a", "a.wav") and row[3]]
    assert [one.label for one in of_kind(records, Verdict) if one.label] == [row[3] for row in of_a]


@pytest.mark.parametrize("reader", ["table", "auto"])
def test_times_in_microseconds_are_read_with_the_header_of_the_note(
    tmp_path: Path, write_tone: Callable[..., Path], reader: str
) -> None:
    write_tone("a.wav", seconds=2.0)
    (tmp_path / "a.lab").write_text("start_us end_us label\n0 500000 sil\n500000 1250000 wren\n")
    records = list(FORMATS[reader].read([tmp_path / "a.lab"]))
    assert [(one.start_s, one.end_s, one.label) for one in of_kind(records, Verdict)] == [
        (0.0, 0.5, "sil"),
        (0.5, 1.25, "wren"),
    ]


@pytest.mark.parametrize(
    ("name", "reader", "content", "reason"),
    [
        ("a.data", "avianz", "{}", "is not an annotation file of AviaNZ"),
        ("a.csv", "via", "# Exported using VGG Image Annotator\n1,2\n", "no line with CSV_HEADER"),
        ("a.json", "audino", "[{}]", "no sound has segmentations"),
        ("a.lab", "htk", "0 1000 h#\n1000 2500 sh\n", "they may be seconds or samples"),
        ("a.lab", "htk", "0 5000000 sil\n5000000 5000001 x\n", "they may be seconds or samples"),
        ("a.lab", "htk", "0 10000 x\n", "they may be seconds or samples"),
        ("a.lab", "htk", "one two\n", "no line has a start, an end and a label"),
        ("a.rttm", "rttm", "SPKR-INFO a 1 <NA>\n", "no line is a segment"),
        ("a.svl", "sonic-visualiser", label_files.SVL.replace("8000", "0", 1), "a sample rate of 0 is not possible"),
        ("a.svl", "sonic-visualiser", label_files.SVL.replace("sampleRate", "x"), "there is no sampleRate"),
        ("a.svl", "sonic-visualiser", label_files.SVL.replace('"0" dim', '"5" dim'), "there is no sampleRate"),
        ("a.svl", "sonic-visualiser", label_files.SVL.replace("4000", "4_000"), "frame is no number: '4_000'"),
    ],
)
def test_what_is_none_is_one_line(tmp_path: Path, name: str, reader: str, content: str, reason: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(LabeltoolError, match=re.escape(reason)):
        FORMATS[reader].parser()(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "reader", "content", "rows", "reason"),
    [
        (
            "a.data",
            "avianz",
            '[{"Operator": ""}, [1, 2, 0, 0, ["Kiwi?"]], [1, 2], [1, 2, 0.1, 0.9, [{"species": "x", "certainty": 5}]]]',
            1,
            "segment 1 has a label without species and certainty, as older versions wrote it",
        ),
        ("a.data", "avianz", '[{"Operator": ""}, [1, 2, 0, 0, []]]', 0, "segment 1 has no labels"),
        ("a.lab", "htk", label_files.LAB + "0\t5000000\towl call\n", 2, "put quotes around what is one label"),
        ("a.rttm", "rttm", label_files.RTTM + "SPEAKER a 1 1_0 1 <NA> <NA> s1\n", 2, "has no sound, start"),
        ("a.json", "via", label_files.VIA.replace("[0.5, 1.25]", "[]"), 0, "segment 1 has no times"),
        ("a.json", "audino", label_files.AUDINO.replace("0.5", '"0.5"'), 0, "must have a start and an end"),
        ("a.lab", "htk", label_files.LAB + "x y\n10000000 5000000 z\n", 2, "has no start, end and label: 'x y'"),
        ("a.rttm", "rttm", label_files.RTTM + "SPEAKER a 1 <NA> 1\n", 2, "has no sound, start, duration and name"),
    ],
)
def test_a_part_that_cannot_be_read_is_named(
    tmp_path: Path, name: str, reader: str, content: str, rows: int, reason: str
) -> None:
    (tmp_path / name).write_text(content)
    got = FORMATS[reader].parser()(tmp_path / name)
    assert len(got.rows) == rows
    assert any(reason in one.reason for one in got.skipped)


def test_a_certainty_of_avianz_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.data"
    path.write_text(label_files.AVIANZ.replace("100,", "50,"))
    row, _ = rows_of(FORMATS["avianz"].parser()(path))
    assert (row.value, row.confidence, row.low_hz, row.high_hz, row.Operator) == ("unsure", 0.5, 1200.0, 2500.0, "A")


@pytest.mark.parametrize("unit", ["", "Hz"])
def test_a_box_of_sonic_visualiser_has_a_band_where_its_unit_is_hertz(tmp_path: Path, unit: str) -> None:
    path = tmp_path / "a.svl"
    box = label_files.SVL.replace('subtype="region"', f'subtype="box" units="{unit}"')
    path.write_text(box.replace('value="1" duration="6000"', 'value="2000" duration="6000" extent="3000.5"'))
    got = FORMATS["sonic-visualiser"].parser()(path)
    (row,) = rows_of(got)
    assert (row.start_s, row.end_s, row.low_hz, row.high_hz) == (0.5, 1.25, *((2000, 5000.5) if unit else (None, None)))
    assert ["1 band of boxes not taken: their unit is not Hz"] * (unit == "") == [
        one.reason for one in got.skipped if "band" in one.reason
    ]


@pytest.mark.parametrize(
    ("lines", "is_taken"),
    [
        ("0 160000 owl\n1760000 1920000 owl\n", False),  # samples of 60 s
        ("0\t160000\towl\n1760000\t1920000\towl\n", False),
        ("0 160000 owl\n1760000 2720000 owl\n", True),  # later than the end, as samples
        ("0 160000 owl\n1760000 36000000 owl\n", True),
        ("start_sample end_sample label\n0 160000 owl\n1760000 1920000 owl\n", True),
        ("start end label\n0 0.016 owl\n0.176 0.192 owl\n", True),
    ],
)
def test_samples_are_not_taken_for_times_of_htk(
    tmp_path: Path, write_tone: Callable[..., Path], lines: str, is_taken: bool
) -> None:
    write_tone("a.wav", seconds=60.0, rate=32000)
    (tmp_path / "a.lab").write_text(lines)
    if is_taken:
        assert len(of_kind(list(auto.read([tmp_path / "a.lab"])), Verdict)) == 2
        return
    with pytest.raises(
        LabeltoolError, match=r"has times that may be samples: .* all end by 0.192 s.*0.32%.*start_samp"
    ):
        list(auto.read([tmp_path / "a.lab"]))
