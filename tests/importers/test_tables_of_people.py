"""Tables and JSON as programs and people write them, whose labels or times a plain reading would get wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

import pytest

from helpers.records import rows_of
from labeltool.errors import LabeltoolError
from labeltool.importers import auto
from labeltool.importers.annotation_files import label_studio
from labeltool.importers.registry import FORMATS
from labeltool.importers.tables import table
from labeltool.records import Failed, Imported, Skipped, VerdictTable

WriteTone = Callable[..., Path]
_R = TypeVar("_R", bound=Imported)
Row = tuple[str | None, float | None, float | None, str, str]


def exactly(kind: type[_R], records: Iterable[Imported]) -> list[_R]:
    return [one for one in records if type(one) is kind]


def parsed(path: Path, content: str, *column: str) -> list[Row]:
    path.write_text(content)
    return [
        (row.recording, row.start_s, row.end_s, row.label, row.value)
        for row in rows_of(table.parse(path, column=column))
    ]


def spans(*rows: tuple[float, float, str]) -> list[Row]:
    return [("a.wav", start_s, end_s, label, "present") for start_s, end_s, label in rows]


def whole(*rows: tuple[str, str]) -> list[Row]:
    return [(name, None, None, label, "present") for name, label in rows]


TIMES = spans((0.5, 1.25, "wren"), (60.0, 90.0, "owl"))
DOG_AND_CAT = whole(("a.wav", "dog"), ("a.wav", "cat"), ("b.wav", "dog"), ("c.wav", "cat"))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("file,start_ms,end_ms,label\na.wav,500,1250,wren\na.wav,60000,90000,owl\n", TIMES),
        ("File;Start (ms);Duration;Class\na.wav;500;750;wren\na.wav;60000;30000;owl\n", TIMES),
        ("file,start (min),end (min),label\na.wav,1,1.5,owl\n", TIMES[1:]),
        ("file,Start Time (mm:ss),End Time (mm:ss),label\na.wav,0:00.5,0:01.25,wren\na.wav,1:00,1:30,owl\n", TIMES),
        ("file\tBegin Time - ss.msec\tEnd Time - ss.msec\tAnnotation\na.wav\t60.0\t90.0\towl\n", TIMES[1:]),
        ("Datei;Beginn;Ende;Art\na.wav;0,5;1,25;wren\na.wav;60;90;owl\n", TIMES),
        ("file,start,start_min,start_max,end,label\na.wav,0.5,0.4,0.6,1.25,wren\n", TIMES[:1]),
        ("file,start_ms,end_ms,label\na.wav,500.0,1250,wren\n", TIMES[:1]),
        ("file,from,to,tom\na.wav,60,90,1\n", spans((60.0, 90.0, "tom"))),
        ("label,onset_s,offset_s,onset_sample,notated_path\nwren,0.5,1.25,4000,a.wav\n", TIMES[:1]),
        ("filename onset offset event_label\na.wav 0.5 1.25 wren\na.wav 60 90 owl\n", TIMES),
        ("file,start,end,label\na.wav,0.5,1.25,wren\nfile,start,end,label\na.wav,60,90,owl\n", TIMES),
    ],
)
def test_times_are_read_in_the_unit_of_their_column(tmp_path: Path, content: str, expected: list[Row]) -> None:
    assert parsed(tmp_path / "x.csv", content) == expected


@pytest.mark.parametrize(
    ("content", "column", "expected", "report"),
    [
        ("file,label,truth\na.wav,dog,0\n", "value=truth", [("a.wav", None, None, "dog", "absent")], "no times"),
        ("file,offset_ms,duration_ms,label\na.wav,500,750,wren\n", "", TIMES[:1], ""),
        ("file,offset (ms),duration,label\na.wav,500,750,wren\n", "", TIMES[:1], "'duration' has no unit .* in ms"),
        ("file,start,duration_ms,label\na.wav,0.5,750,wren\n", "", TIMES[:1], "'start' has no unit .* in seconds"),
        (
            "file,start,duration_samples,label\na.wav,1,16000,owl\n",
            "",
            spans((1, 1, "owl")),
            "'duration_samples' is in",
        ),
        ("file,start_s,end_sample,label\na.wav,1,16000,owl\n", "", spans((1, 1, "owl")), "'end_sample' is in samples"),
        ("file,start (min),end (min),label\na.wav,0:30,1,owl\n", "", spans((30.0, 60.0, "owl")), ""),
        ("file,start (ms),end (ms),label\na.wav,0:01,2000,owl\n", "", spans((1.0, 2.0, "owl")), ""),
        (
            "file,start (mm:ss),label\na.wav,0:30,owl\na.wav,130,owl\n",
            "",
            spans((30.0, 30.0, "owl")),
            r"'130' is not a number",
        ),
        ("file,t0_ms,label\na.wav,500,owl\n", "start=t0_ms", spans((0.5, 0.5, "owl")), "no ends"),
        ("file,t0,label\na.wav,500,owl\n", "start=t0", spans((500.0, 500.0, "owl")), "'t0' has no unit .* in seconds"),
        (
            "Name\tStart\tDuration\tTime Format\na\t24000\t4800\t48000 Hz\nb\t0:01.000\t0:01.000\tdecimal\n",
            "",
            [(None, 1.0, 2.0, "b", "present")],
            "in the format '48000 Hz'",
        ),
        ("#,Name,Start,End,Length\nM1,wren,0:01.000,,\n", "", [(None, 1.0, 1.0, "wren", "present")], ""),
        ("Name,Start,End,Length,Species\nx,1,2,1,owl\n", "", [(None, 1.0, 2.0, "owl", "present")], ""),
    ],
)
def test_what_is_ambiguous_is_named(
    tmp_path: Path, content: str, column: str, expected: list[Row], report: str
) -> None:
    assert parsed(tmp_path / "x.csv", content, *filter(None, [column])) == expected
    reports = [one.reason for one in table.parse(tmp_path / "x.csv", column=[*filter(None, [column])]).skipped]
    assert any(re.search(report, one) for one in reports) if report else not reports


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("file,start_sample,duration_s,label\na.wav,8000,1,owl\n", "may be times: 'start_sample'"),
        ("file,start (mm.ss),label\na.wav,1.30,owl\n", r"may be times: 'start \(mm.ss"),
        ("file,start (hhmmss),label\na.wav,143000,owl\n", "may be times: 'start"),
        (
            "file,start_time_min,start_time_max,label\na.wav,1,2,owl\n",
            "may be times: 'start_time_min', 'start_time_max'",
        ),
        ("file,start_frame,label\na.wav,500,owl\n", "may be times: 'start_frame'"),
        ("file,offset,label\na.wav,0.5,owl\n", "may be times: 'offset'"),
        ("file,t0,t1,label\na.wav,0.5,1.25,owl\n", "may be times: 't0', 't1'"),
        ("file,minute,second,label\na.wav,1,5,owl\n", "may be times: 'minute', 'second'"),
        ("file,start min,start sec,label\na.wav,1,5,owl\n", "in two columns, 'start min' and 'start sec'"),
        ("file,start_frame,label\na.wav,12000000,owl\n", "may be times: 'start_frame'"),
        ("file,tick_start,label\na.wav,12000000,owl\n", "may be times: 'tick_start'"),
        ("file,t0,label\na.wav,12000000,owl\n", "may be times: 't0'"),
        ("file,t0,label\na.wav,00:01:05,owl\n", "may be times: 't0'"),
        ("file,start_hms,label\na.wav,00:01:05,owl\n", "may be times: 'start_hms'"),
        ("file,Time (ms),label\na.wav,500,owl\n", r"may be times: 'Time \(ms\)'"),
        ("file,Time (min),label\na.wav,5,owl\n", r"may be times: 'Time \(min\)'"),
        ("file,sec,label\na.wav,5,owl\n", "may be times: 'sec'"),
        ("file,Zeit,label\na.wav,5,owl\n", "may be times: 'Zeit'"),
        ("file,t0,t1,label\n,ms,ms,\na.wav,5,6,owl\n", r"may be times: 't0 \(ms\)', 't1 \(ms\)'"),
        ("file,start_minute,start_second,label\na.wav,1,5,owl\n", "in two columns, 'start_second' and"),
        ("file,start_h,start_m,start_s,label\na.wav,0,1,30,owl\n", "in two columns, 'start_h' and 'start_s'"),
        ("file,onset,onset_minutes,label\na.wav,30,1,owl\n", "in two columns, 'onset_minutes' and 'onset'"),
        ("file,startmin,startsec,label\na.wav,1,30,owl\n", "in two columns, 'startmin' and 'startsec'"),
        ("file,start,end_mins,end_secs,label\na.wav,1,1,30,owl\n", "in two columns, 'end_secs' and 'end_mins'"),
        ('file,start_ms,label\na.wav,"1,250",owl\n', "start_ms '1,250' may have decimals or thousands"),
        ('file,start_sample,label\na.wav,"48,000",owl\n', "start_sample '48,000' may have decimals or thousands"),
        ("file,start_sample,label\na.wav,48.000,owl\n", r"start_sample '48\.000' may have decimals or thousands"),
        ("file,start,end,label\na.wav,1_0,2_0,owl\n", "start '1_0' is not a number of seconds"),
    ],
)
def test_times_that_are_not_understood_are_refused(tmp_path: Path, content: str, reason: str) -> None:
    (tmp_path / "x.csv").write_text(content)
    with pytest.raises(LabeltoolError, match=reason):
        table.parse(tmp_path / "x.csv")
    if "may be times" in reason:
        assert parsed(tmp_path / "x.csv", content, "start=") == whole(("a.wav", "owl"))


@pytest.mark.parametrize(
    "content",
    [
        "file,hour,minute,label\na.wav,5,30,owl\n",
        "file,date,start_local,label\na.wav,2024-05-01,05:30:00,owl\n",
        "file,time (hh:mm:ss),label\na.wav,05:30:00,owl\n",
        "file,start_date,label\na.wav,20240501,owl\n",
        "file,timestamp,label\na.wav,1714540000,owl\n",
    ],
)
def test_the_time_of_day_of_a_recording_is_none_in_it(tmp_path: Path, content: str) -> None:
    assert parsed(tmp_path / "x.csv", content) == whole(("a.wav", "owl"))


@pytest.mark.parametrize(
    ("content", "expected", "report"),
    [
        # Others of the column have a decimal point.
        ('a.wav,0.5,9.25,x\na.wav,"1,002","1,005",y\n', spans((0.5, 9.25, "x")), "start '1,002' may have decimals or"),
        ("a.wav,0.5s,1 min,owl\n", spans((0.5, 60.0, "owl")), ""),
        ('a.wav,"0,5",1.5,owl\n', spans((0.5, 1.5, "owl")), ""),
        ("a.wav,1m05s,70,x\na.wav,1,2,owl\n", spans((1.0, 2.0, "owl")), "'1m05s' is not a number"),
    ],
)
def test_numbers_are_read_as_people_write_them(tmp_path: Path, content: str, expected: list[Row], report: str) -> None:
    assert parsed(tmp_path / "x.csv", f"file,start,end,label\n{content}") == expected
    assert report in "; ".join(one.reason for one in table.parse(tmp_path / "x.csv").skipped)


@pytest.mark.parametrize(
    ("starts", "read"),
    [
        (("500", "950", "1.250"), [0.5, 0.95]),
        (("500", "1250", "2.250"), [0.5, 1.25]),
        (("1250", "10,250"), [1.25]),
        (("0.500", "12.125"), [0.0005, 0.012125]),
        (("1,250", "950"), [0.95]),
        (("12,5", "950", "1,250"), [0.0125, 0.95, 0.00125]),
    ],
)
def test_a_separator_of_thousands_is_no_decimal_one(tmp_path: Path, starts: tuple[str, ...], read: list[float]) -> None:
    rows = "".join(f"a.wav;{start};owl\n" for start in starts)
    assert [row[1] for row in parsed(tmp_path / "x.csv", f"file;start_ms;label\n{rows}")] == read


@pytest.mark.parametrize(
    ("content", "column", "expected"),
    [
        ("file,start,end,label\n,ms,ms,name\na.wav,500,1250,wren\n", (), TIMES[:1]),
        ("file,start,end,label\nunits,ms,ms,\na.wav,500,1250,wren\n", (), TIMES[:1]),
        ("file,start,end,snr,label\n,s,s,dB,\na.wav,0.5,1.25,7,wren\n", (), TIMES[:1]),
        ("file,start,end,label\n,ms,ms,\na.wav,500,1250,wren\n", ("start=start", "end=end"), TIMES[:1]),
        ("file,x,y,label\n,ms,ms,\na.wav,500,1250,wren\n", ("start=x", "end=y"), TIMES[:1]),
        ("file,start_ms,end_ms,label\n,ms,ms,\na.wav,500,1250,wren\n", (), TIMES[:1]),
        ("file,label\na.wav,s\nb.wav,h\n", (), whole(("a.wav", "s"), ("b.wav", "h"))),
        ("file,end_type,label\na.wav,s,owl\n", (), whole(("a.wav", "owl"))),
        (",file,start,end,time,label\n0,,ms,ms,hh:mm:ss,\n1,a.wav,500,1250,5:30:00,wren\n", (), TIMES[:1]),
        ("label,file\ns,\nh,a.wav\n", (), whole(("a.wav", "h"))),
    ],
)
def test_a_row_of_units_is_one_of_the_columns_that_have_them(
    tmp_path: Path, content: str, column: tuple[str, ...], expected: list[Row]
) -> None:
    assert parsed(tmp_path / "x.csv", content, *column) == expected


def test_units_below_the_header_and_titles_above_it(tmp_path: Path) -> None:
    content = "Survey of 2024;;;\nby Ann\n\nfile;start;end;label\n;ms;(ms);\na.wav;500;1250;wren\n"
    assert parsed(tmp_path / "x.csv", content) == TIMES[:1]
    got = table.parse(tmp_path / "x.csv")
    assert [(one.line, one.reason.split(":")[0]) for one in got.skipped] == [
        (4, "what is above its header is not read"),
        (5, "is read as the units of the columns"),
    ]
    assert got.rows["line"].tolist() == [6]


@pytest.mark.parametrize("name", ["detected", "correct", "Accepted", "is_present"])
def test_what_a_person_rejected_is_absent(tmp_path: Path, name: str) -> None:
    content = f"file,species,{name}\na.wav,owl,1\nb.wav,owl,0\n"
    assert [row[4] for row in parsed(tmp_path / "x.csv", content)] == ["present", "absent"]


@pytest.mark.parametrize("name", ["verified", "occurrence"])
def test_a_column_of_yes_and_no_that_is_not_read_is_named(tmp_path: Path, name: str) -> None:
    content = f"file,species,{name}\na.wav,owl,1\nb.wav,owl,0\n"
    assert [row[4] for row in parsed(tmp_path / "x.csv", content)] == ["present", "present"]
    notes = [one.reason for one in table.parse(tmp_path / "x.csv").skipped]
    assert f"its labels are present, whatever is in '{name}' (--column value=NAME reads that)" in notes
    assert [row[4] for row in parsed(tmp_path / "x.csv", content, f"value={name}")] == ["present", "absent"]


def test_counts_and_numbers_of_others_are_no_classes(tmp_path: Path) -> None:
    content = "file,client_id,Country,quality,wren,robin\na.wav,1,X,1,1,2\nb.wav,0,X,0,0,0\n"
    assert [row[3:] for row in parsed(tmp_path / "x.csv", content)] == [("wren", "present"), ("wren", "absent")]
    notes = [one.reason for one in table.parse(tmp_path / "x.csv").skipped]
    assert "its labels are the columns of present and absent: 'wren', not 'robin', which have" in notes[0]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("file,start,end,low_f,high_f,annotation\na.wav,0.5,1.25,100,400,wren\n", (100.0, 400.0)),
        ("file,start,end,low freq,high freq,label\na.wav,0.5,1.25,2 kHz,8.5 kHz,wren\n", (2000.0, 8500.0)),
        ("file,start,end,low_khz,high_khz,label\na.wav,0.5,1.25,1.500,8,wren\n", (1500.0, 8000.0)),
        ("file,start,end,low (kHz),high (kHz),label\na.wav,0.5,1.25,1.5,8,wren\n", (1500.0, 8000.0)),
        ("file,start,end,low,high,label\n,,,Hz,kHz,\na.wav,0.5,1.25,500,8,wren\n", (500.0, 8000.0)),
        ("file,start,end,low_freq,high_freq,label\na.wav,0.5,1.25,100.125,8000.25,wren\n", (100.125, 8000.25)),
    ],
)
def test_bands_of_tables(tmp_path: Path, content: str, expected: tuple[float, float]) -> None:
    (tmp_path / "x.csv").write_text(content)
    assert table.parse(tmp_path / "x.csv").rows[["low_hz", "high_hz"]].to_numpy().tolist() == [[*expected]]


@pytest.mark.parametrize(
    ("names", "fields", "low_hz", "report"),
    [
        ("low_freq,high_freq", '800,"12,000"', 800.0, "high_freq '12,000' may have decimals or thousands"),
        ("low_freq_hz,high_freq_hz", "1.500,8.000", None, "low_freq_hz '1.500' may have decimals or thousands"),
        ("low_freq,high_freq", '800,"3,400 Hz"', 800.0, "high_freq '3,400 Hz' may have decimals or thousands"),
        ("low_freq,high_freq", '"1.200,5","3.400,7"', None, "low_freq '1.200,5' is not a number of hertz: nothing of"),
        ("low_freq,high_freq", "1_000,6000", None, "low_freq '1_000' is not a number of hertz"),
        ("low_freq,high_freq", "1.5,8", 1.5, "its bands all end below 100 Hz: if in kHz"),
        ("low_freq,high_freq", "low,high", None, ""),
        ("low,high", "7,8", None, ""),
    ],
)
def test_bands_that_are_not_sure_are_named(
    tmp_path: Path, names: str, fields: str, low_hz: float | None, report: str
) -> None:
    (tmp_path / "x.csv").write_text(f"file,start,end,label,{names}\na.wav,0,1,owl,{fields}\n")
    got = table.parse(tmp_path / "x.csv")
    assert [row.low_hz for row in rows_of(got)] == [low_hz]
    reports = [one.reason for one in got.skipped]
    assert any(one.startswith(report) for one in reports) if report else not reports


def test_matches_of_arbimon(tmp_path: Path) -> None:
    header = "id,recording,site,species,songtype,x1,x2,y1,y2,frequency,validated,url,score\n"
    rows = [
        f"{number},a.WAV,s,Amazona albifrons,Simple Call,{number}.696,11.03,1031.25,23062.5,24000,{one},https://x/{number},0.25\n"
        for number, one in enumerate(("present", "not present", "(not validated)"))
    ]
    (tmp_path / "x.csv").write_text(header + "".join(rows))
    got = table.parse(tmp_path / "x.csv")
    assert got.skipped == []
    assert [(row.recording, row.label, row.value) for row in rows_of(got)] == [
        ("a.WAV", "Amazona albifrons", value) for value in ("present", "absent", "unsure")
    ]
    columns = got.rows[["start_s", "end_s", "low_hz", "high_hz", "confidence"]]
    assert columns.iloc[0].tolist() == [0.696, 11.03, 1031.25, 23062.5, 0.25]
    # Without what Arbimon alone writes they may be pixels.
    (tmp_path / "x.csv").write_text("recording,species,x1,x2,y1,y2\na.wav,owl,10,20,30,40\n")
    with pytest.raises(LabeltoolError, match="may be times: 'x1', 'x2'"):
        table.parse(tmp_path / "x.csv")


def test_tables_of_kaleidoscope(tmp_path: Path, write_tone: WriteTone) -> None:
    write_tone("a.wav", seconds=2.0)
    (tmp_path / "meta.csv").write_text("INDIR,FOLDER,IN FILE,DURATION,AUTO ID,MANUAL ID\nC:\\x,,a.wav,2,NoID,Myotis\n")
    (verdicts,) = exactly(VerdictTable, auto.read([tmp_path]))
    assert verdicts.rows["label"].tolist() == ["Myotis"] and verdicts.rows["start_s"].isna().all()
    rows = '\n,,a.wav,0,1,,"MYOLUC,EPTFUS"\n,,a.wav,1,1,,MYOLUC\n,,a.wav,0.5,1,,EPTFUS\n'
    got = parsed(tmp_path / "id.csv", f"INDIR,FOLDER,IN FILE,OFFSET,DURATION,AUTO ID,MANUAL ID{rows}")
    assert got == spans((0, 1, "MYOLUC"), (0, 1, "EPTFUS"), (1, 2, "MYOLUC"), (0.5, 1.5, "EPTFUS"))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("file,label\na.wav,dog;cat\nb.wav,dog\nc.wav,cat\n", DOG_AND_CAT),
        ("file,species\na.wav,dog|cat\nb.wav,dog\nc.wav,cat\n", DOG_AND_CAT),
        ('file,label\na.wav,"dog, cat"\nb.wav,dog\nc.wav,cat\n', DOG_AND_CAT),
        ("file,label\na.wav,\"['dog', 'cat']\"\nb.wav,['dog']\nc.wav,['cat']\n", DOG_AND_CAT),
        ('file,label\na.wav,"Dog, domestic"\nb.wav,Cat\n', whole(("a.wav", "Dog, domestic"), ("b.wav", "Cat"))),
        ("file,class,class_name\na.wav,0,dog\nb.wav,1,cat\n", whole(("a.wav", "dog"), ("b.wav", "cat"))),
        ("file,dog,cat\na.wav,x,\nb.wav,,X\n", whole(("a.wav", "dog"), ("b.wav", "cat"))),
        ("file,label\na.wav,dog\nb.wav,NA\n", whole(("a.wav", "dog"), ("b.wav", ""))),
        ("filename\tscene_label\tsource_label\na.wav\tbus\td1\n", whole(("a.wav", "bus"))),
        ("Date,Sci_Name,Com_Name,Overlap,File_Name\n2023,Bubo,owl,0.0,a.wav\n", whole(("a.wav", "owl"))),
        ("id,label\n3f2a,dog\n9b1c,cat\n", whole(("3f2a", "dog"), ("9b1c", "cat"))),
        ("file,species,label\na.wav,owl,1\nb.wav,owl,0\n", whole(("a.wav", "1"), ("b.wav", "0"))),
        ("file,species,call\na.wav,owl,0\nb.wav,owl,1\n", whole(("a.wav", "owl"), ("b.wav", "owl"))),
        ("file,class,code\na.wav,1,\nb.wav,2,\n", whole(("a.wav", "1"), ("b.wav", "2"))),
        ("file,name,start,end,length,label\na.wav,x,0.5,1.25,0.75,wren\n", TIMES[:1]),
        (
            "Audiofilename,Starttime,Endtime,CLASS_A,Q\na.wav,1,2,POS,UNK\n",
            [("a.wav", 1.0, 2.0, "CLASS_A", "present"), ("a.wav", 1.0, 2.0, "Q", "unsure")],
        ),
    ],
)
def test_a_label_is_what_a_person_would_take_for_it(tmp_path: Path, content: str, expected: list[Row]) -> None:
    assert parsed(tmp_path / "x.csv", content) == expected


def labels_and_notes(path: Path, content: str, *column: str) -> tuple[list[str], str]:
    path.write_text("file,label\n" + content)
    got = table.parse(path, column=column)
    return [row.label for row in rows_of(got)], "; ".join(one.reason for one in got.skipped)


@pytest.mark.parametrize(
    ("content", "labels", "note"),
    [
        (
            "1,A (song)\n2,A;B\n3,A\n4,B\n5,'tis\n",
            ["A (song)", "A", "B", "A", "B", "'tis"],
            "split into several (--column label=NAME keeps them whole): 1,",
        ),
        ("1,[unknown]\n2,[noise]\n", ["[unknown]", "[noise]"], ""),
        ("1,\"['it''s', 'd']\"\n", ["['it''s', 'd']"], "kept whole (--column labels=NAME splits them)"),
        ('1,"[""a;b"", ""c\\u00e9""]"\n2,"[x]"\n', ["a;b", "c\u00e9", "[x]"], 'the first \'["a;b"'),
        ("1,Tom &amp; Jerry\n2,cat\n", ["Tom &amp; Jerry", "cat"], "kept whole (--column labels=NAME splits them): 1,"),
        ("1,Parus major|song\n2,Parus major\n", ["Parus major|song", "Parus major"], "the first 'Parus major|song'"),
        ('1,"Hello, w"\n2,Hello\n3,w\n4,"x, y"\n', ["Hello", "w", "Hello", "w", "x, y"], "the first 'x, y'"),
        (
            "1,a|b\n2,b|c\n3,c|a\n",
            ["a", "b", "b", "c", "c", "a"],
            "split into several (--column label=NAME keeps them whole): 3,",
        ),
        ("1,dog\n2,NA\n3,null\n", ["dog", "", ""], "stand for none (--column label=NAME keeps them): 2,"),
    ],
)
def test_no_label_is_changed_without_evidence_and_a_note(
    tmp_path: Path, content: str, labels: list[str], note: str
) -> None:
    got, notes = labels_and_notes(tmp_path / "x.csv", content)
    assert got == labels
    assert note in notes
    fields = [line.partition(",")[2] for line in content.splitlines() if '"' not in line]
    kept, notes = labels_and_notes(tmp_path / "x.csv", content, "label=label")
    assert [one for one in kept if one in fields] == fields
    assert "the first" not in notes


def test_columns_of_classes_may_have_only_absents(tmp_path: Path) -> None:
    content = "file,dog\na.wav,0\nb.wav,0\n"
    assert [row[3:] for row in parsed(tmp_path / "x.csv", content)] == [("dog", "absent")] * 2


def test_one_label_a_field_is_what_a_person_may_ask_for(tmp_path: Path) -> None:
    content = "file,label\na.wav,dog;cat\nb.wav,dog\n"
    assert parsed(tmp_path / "x.csv", content, "label=label") == whole(("a.wav", "dog;cat"), ("b.wav", "dog"))


@pytest.mark.parametrize(
    ("content", "note"),
    [
        (
            "file,label\na.wav,dog;cat\nb.wav,dog\nc.wav,cat\n",
            "split into several (--column label=NAME keeps them whole)",
        ),
        ("file,start,till,label\na.wav,1,2.5,owl\n", "has starts and no ends"),
        ("file,label\na.wav,0\nb.wav,1\n", "its labels are numbers"),
        ("file,start_sample,end_sample,label\na.wav,1,2,owl\n", "its times are counted in samples"),
    ],
)
def test_what_was_assumed_of_a_table_is_named(tmp_path: Path, content: str, note: str) -> None:
    (tmp_path / "x.csv").write_text(content)
    assert any(note in one.reason for one in table.parse(tmp_path / "x.csv").skipped)


@pytest.mark.parametrize(
    "content",
    ["file,sound,verified\na.wav,dog,1\nb.wav,cat,0\n", "file,sound,overlap\na.wav,dog,0\nb.wav,cat,0\n"],
)
def test_columns_that_are_no_classes_are_no_labels(tmp_path: Path, content: str) -> None:
    (tmp_path / "x.csv").write_text(content)
    with pytest.raises(LabeltoolError, match=r"no column of labels: its columns are 'file', 'sound'"):
        table.parse(tmp_path / "x.csv")


def test_a_confidence_may_be_in_percent(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("file,label,confidence\na.wav,dog,87%\nb.wav,cat,50 %\n")
    assert table.parse(tmp_path / "x.csv").rows["confidence"].tolist() == [0.87, 0.5]


def test_columns_without_a_header_are_named_by_number(tmp_path: Path) -> None:
    path = tmp_path / "vggsound.csv"
    content = '---g-f_I2yQ,1,"people marching",test\n--0PQM4-hqg,30,"waterfall",train\n'
    expected = whole(("---g-f_I2yQ", "people marching"), ("--0PQM4-hqg", "waterfall"))
    assert parsed(path, content, "file=1", "label=3") == expected
    assert table.parse(path, column=("file=1", "label=3")).rows["line"].tolist() == [1, 2]


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("Name\tStart\tDuration\tTime Format\tType\tDescription", "wren\t0:00.500\t0:00.750\tdecimal\tCue\t"),
        ("#,Name,Start,End,Length", "R1,wren,0:00.500,0:01.250,0:00.750"),
        ("TIME,VALUE,DURATION,LABEL", '0.500000000,1,0.750000000,"wren"'),
        ("tmin\ttier\ttext\ttmax", "0.5\tcall\twren\t1.25"),
    ],
)
def test_lists_of_markers_of_programs(tmp_path: Path, write_tone: WriteTone, header: str, row: str) -> None:
    write_tone("yard.wav", seconds=2.0)
    (tmp_path / "yard.csv").write_text(f"{header}\n{row}\n")
    (verdicts,) = exactly(VerdictTable, auto.read([tmp_path]))
    assert verdicts.rows[["start_s", "end_s", "label"]].to_numpy().tolist() == [[0.5, 1.25, "wren"]]


def test_samples_become_seconds_of_their_recording(tmp_path: Path, write_tone: WriteTone) -> None:
    write_tone("a.wav", seconds=2.0, rate=8000)
    write_tone("b.wav", seconds=2.0, rate=16000)
    (tmp_path / "x.csv").write_text("file,start_sample,end_sample,label\na.wav,4000,8000,owl\nb.wav,4000,8000,owl\n")
    (verdicts,) = exactly(VerdictTable, FORMATS["table"].read([tmp_path / "x.csv"]))
    assert verdicts.rows[["start_s", "end_s"]].to_numpy().tolist() == [[0.5, 1.0], [0.25, 0.5]]
    (tmp_path / "b.wav").unlink()
    shown = list(FORMATS["table"].parse_each([tmp_path / "x.csv"]))
    ((_, rows),) = (one for one in shown if not isinstance(one, Skipped))
    assert rows[["start_s", "end_s"]].to_numpy().tolist() == [[0.5, 1.0]]
    assert [one.reason for one in shown if type(one) is Skipped] == ["is listed in the table, but missing"]


SPAN = {"start": 0.5, "end": 1.25, "label": "wren"}
FILE = {"file": "a.wav"}


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ([{**FILE, **SPAN}], TIMES[:1]),
        ([{"filename": "a.wav", "annotations": [SPAN, {"start": 60, "end": 90, "label": "owl"}], "n": [{}]}], TIMES),
        ({"a.wav": [SPAN]}, TIMES[:1]),
        (
            {"file": {"0": "a.wav", "1": "b.wav"}, "label": {"0": "dog", "1": "cat"}},
            whole(("a.wav", "dog"), ("b.wav", "cat")),
        ),
        ({"a.wav": "dog", "b.wav": ["cat", "dog"]}, whole(("a.wav", "dog"), ("b.wav", "cat"), ("b.wav", "dog"))),
        ({"path": "a.wav", "annotation": [{"class": "wren", "start_time": 0.5, "end_time": 1.25}]}, TIMES[:1]),
    ],
)
def test_json_of_objects_is_a_table(
    tmp_path: Path, write_tone: WriteTone, document: object, expected: list[Row]
) -> None:
    write_tone("a.wav", seconds=2.0)
    write_tone("b.wav", seconds=2.0)
    assert parsed(tmp_path / "x.json", json.dumps(document, indent=1)) == expected
    assert exactly(VerdictTable, auto.read([tmp_path]))


def test_a_record_with_several_lists_of_labels_is_named(tmp_path: Path) -> None:
    lines = [{**FILE, "a": [SPAN], "b": [SPAN]}, {**FILE, "a": [SPAN]}]
    assert parsed(tmp_path / "x.jsonl", "".join(json.dumps(one) + "\n" for one in lines)) == TIMES[:1]
    (one,) = table.parse(tmp_path / "x.jsonl").skipped
    assert (one.line, one.reason) == (1, "not taken: labels are in several of its lists ('a', 'b')")


def test_spans_of_prodigy_are_rows(tmp_path: Path) -> None:
    tasks = [
        {"audio": "/u/a.wav", "path": "/u/a.wav", "audio_spans": [SPAN], "answer": "accept"},
        {"audio": "/u/b.wav", "path": "/u/b.wav", "audio_spans": [SPAN], "answer": "reject"},
    ]
    assert parsed(tmp_path / "x.jsonl", "".join(json.dumps(one) + "\n" for one in tasks)) == [
        ("/u/a.wav", 0.5, 1.25, "wren", "present"),
        ("/u/b.wav", 0.5, 1.25, "wren", "absent"),
    ]


def test_a_table_of_label_studio_is_read_as_its_json(tmp_path: Path) -> None:
    regions = json.dumps([{"start": 0.5, "end": 1.25, "labels": ["wren"]}]).replace('"', '""')
    header = "audio,id,label,choice,annotator,annotation_id,created_at,updated_at,lead_time"
    path = tmp_path / "p.csv"
    path.write_text(f'{header}\n/data/upload/1/1a2b3c4d-a.wav,1,"{regions}",noisy,1,1,2024,2024,3.1\n')
    rows = [(row.recording, row.start_s, row.end_s, row.label) for row in rows_of(label_studio.parse(path))]
    assert rows == [("a.wav", 0.5, 1.25, "wren"), ("a.wav", None, None, "noisy")]
    with pytest.raises(LabeltoolError, match="import label-studio` reads it"):
        table.parse(path)


def test_names_of_classes_are_those_of_hugging_face(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet  # type: ignore[import-not-found, import-untyped, unused-ignore]

    (tmp_path / "README.md").write_text(
        "---\ndataset_info:\n  features:\n  - name: other\n    dtype:\n      class_label:\n        names:\n"
        "          '0': x\n  - name: label\n    dtype:\n      class_label:\n        names:\n"
        "          '0': cat\n          '1': 'd''og'\n---\n"
    )
    expected = whole(("a.wav", "dog"), ("b.wav", "cat"))
    named = whole(("a.wav", "d'og"), ("b.wav", "cat"))
    assert parsed(tmp_path / "metadata.csv", "file_name,label\na.wav,1\nb.wav,0\n") == named
    assert "named as in README.md" in " ".join(one.reason for one in table.parse(tmp_path / "metadata.csv").skipped)
    numbers = whole(("a.wav", "1"), ("b.wav", "0"))
    assert parsed(tmp_path / "metadata.csv", "file_name,class\na.wav,1\nb.wav,0\n", "label=class") == numbers
    (tmp_path / "README.md").unlink()
    sounds = [{"bytes": b"RIFF", "path": name} for name in ("a.wav", "b.wav")]
    info = {"info": {"features": {"audio": {"_type": "Audio"}, "label": {"names": ["cat", "dog"]}}}}
    columns = pa.table({"audio": sounds, "label": [1, 0]})
    path = tmp_path / "train.parquet"
    parquet.write_table(columns.replace_schema_metadata({"huggingface": json.dumps(info)}), path)
    got = table.parse(path)
    assert [(row.recording, row.start_s, row.end_s, row.label, row.value) for row in rows_of(got)] == expected
    assert "has sounds in it, which are not read" in got.skipped[0].reason


def test_folders_of_labels_may_lie_in_others(tmp_path: Path, write_tone: WriteTone) -> None:
    write_tone("Data/genres/blues/1.wav")
    write_tone("Data/genres/jazz/2.wav")
    (verdicts,) = exactly(VerdictTable, auto.read([tmp_path]))
    assert sorted(verdicts.rows["label"]) == ["blues", "jazz"]


@pytest.mark.parametrize(
    ("name", "content", "kind", "reason"),
    [
        ("x.csv", "Tape,What\n7,owl\n", Skipped, r"its columns \('Tape', 'What'\): `labeltool import table --column"),
        ("x.csv", "0.5,1,0.75,owl\n", Skipped, r"\('0.5', '1', '0.75', 'owl'\).* without a header by numbers"),
        ("x.txt", "0.5 1.5 dog\n", Failed, "separated by tabs, not by spaces"),
        ("gps.txt", "0.5 1.5 2.5\n", Skipped, "not taken"),
        ("x.xlsx", "PK\3\4", Skipped, "save a spreadsheet as CSV"),
    ],
)
def test_a_table_that_is_not_known_is_named_with_a_remedy(
    tmp_path: Path, write_tone: WriteTone, name: str, content: str, kind: type[Skipped], reason: str
) -> None:
    write_tone("y.wav")
    (tmp_path / name).write_text(content)
    (one,) = exactly(kind, auto.read([tmp_path]))
    assert re.search(reason, one.reason)
