"""Tables of labels: whatever their columns are called, and as programs and data sets of the field write them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.records import of_kind, rows_of
from labeltool.errors import LabeltoolError
from labeltool.importers.file_kinds import file_kind
from labeltool.importers.label_records import read_labels
from labeltool.importers.registry import FORMATS
from labeltool.importers.tables import table, text
from labeltool.records import Clip, Failed, Note, Recording, Skipped, Value, Verdict

WriteTone = Callable[..., Path]
Row = tuple[str | None, float | None, float | None, str, str]


def written(folder: Path, content: str | bytes, name: str = "labels.csv") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def parsed(path: Path, *column: str) -> list[Row]:
    rows = rows_of(table.parse(path, column=column))
    return [(row.recording, row.start_s, row.end_s, row.label, row.value) for row in rows]


ONE: list[Row] = [("a.wav", 0.5, 1.25, "wren", "present")]
TWO: list[Row] = [("a.wav", None, None, label, "present") for label in ("cat", "dog")]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("file,start,end,label\na.wav,0.5,1.25,wren\n", ONE),
        ("sep=;\nfile;start;end;label\na.wav;0,5;1,25;wren\n", ONE),
        ("file,offset,duration,label\na.wav,0.5,0.75,wren\n", ONE),
        ("file,start,end,label,confidence\na.wav,0.5,1.25,wren,high\n", ONE),
        ("File Name;Start (s);End (s);Species\r\na.wav;0,5;1,25;wren\r\n", ONE),
        ("path\tonset\toffset\tevent_label\na.wav\t0.5\t1.25\twren\n", ONE),
        ("begin|duration|class|audio_file\n0.5|0.75|wren|a.wav\n", ONE),
        ("file,start,end,label\na.wav,0.5,1.25,wren\n".encode("utf-16"), ONE),
        ('"file","start","end","label"\n"a.wav","0.5","1.25","wren"\n\n,,,\n', ONE),
        ("# by Ann\rfile,start,end,label\na.wav,0.5,1.25,wren\n", ONE),
        ("# by Ann\nfile,start,end,label,,\na.wav,0:00.5,0:01.25,wren,,\n", ONE),
        ("start,end,label\n0.5,1.25,wren\n", [(None, 0.5, 1.25, "wren", "present")]),
        ("file,label\na.wav,wren\n", [("a.wav", None, None, "wren", "present")]),
        ("file,time,label\na.wav,05:30:00,wren\n", [("a.wav", None, None, "wren", "present")]),
        ("file,start,label\na.wav,3,wren\n", [("a.wav", 3.0, 3.0, "wren", "present")]),
        ("file,start,end,label\na.wav,,,wren\n", [("a.wav", None, None, "wren", "present")]),
        (
            "file,start,end,wren,robin,site\na.wav,0,5,1,0,marsh\na.wav,5,10,,1.0,marsh\n",
            [
                ("a.wav", 0.0, 5.0, "wren", "present"),
                ("a.wav", 0.0, 5.0, "robin", "absent"),
                ("a.wav", 5.0, 10.0, "robin", "present"),
            ],
        ),
        ("filename\tevent_labels\na.wav\tcat,dog\n", [("a.wav", None, None, one, "present") for one in ("cat", "dog")]),
        (
            "filename,tags\na.wav,\"['cat', 'dog']\"\n",
            [("a.wav", None, None, one, "present") for one in ("cat", "dog")],
        ),
        (
            "INDIR,FOLDER,IN FILE,OFFSET,DURATION,AUTO ID,MANUAL ID\nC:\\x,night,a.wav,2.5,1.5,Myotis,\n"
            "C:\\x,,b.wav,0,1,Myotis,Plecotus\n",
            [("night/a.wav", 2.5, 4.0, "Myotis", "present"), ("b.wav", 0.0, 1.0, "Plecotus", "present")],
        ),
    ],
)
def test_tables_are_read_whatever_their_columns_are_called(
    tmp_path: Path, content: str | bytes, expected: list[Row]
) -> None:
    assert parsed(written(tmp_path, content)) == expected


FINCH: list[Row] = [("/data/night/a.wav", 3.0, 6.0, "House Finch", "present")]
# As BirdNET-Analyzer, hoplite, AudioSet and FSD50K document or publish them.
PUBLISHED: dict[str, tuple[str, list[Row]]] = {
    "BirdNET for Raven": (
        "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)\tCommon Name\t"
        "Species Code\tConfidence\tBegin Path\tFile Offset (s)\n"
        "1\tSpectrogram 1\t1\t63.0\t66.0\t0\t15000\tHouse Finch\thoufin\t0.5066\t/data/night/a.wav\t3.0\n"
        "2\tSpectrogram 1\t1\t0\t3\t0\t15000\tnocall\tnocall\t1.0\t/data/night/b.wav\t0\n",
        [*FINCH, ("/data/night/b.wav", 0.0, 3.0, "", "present")],
    ),
    "BirdNET for R": (
        "filepath,start,end,scientific_name,common_name,confidence,lat,lon,week,overlap,sensitivity,min_conf,"
        "species_list,model\n/data/night/a.wav,3.0,6.0,Haemorhous mexicanus,House Finch,0.5066,42.5000,-76.4500,4,0.0,"
        "1.0,0.1,,BirdNET_GLOBAL_6K_V2.4_Model_FP32.tflite\n",
        FINCH,
    ),
    "BirdNET for Kaleidoscope": (
        "INDIR,FOLDER,IN FILE,OFFSET,DURATION,scientific_name,common_name,confidence,lat,lon,week,overlap,sensitivity\n"
        "/data,night,a.wav,3.0,3.0,Haemorhous mexicanus,House Finch,0.5066,42.5000,-76.4500,4,0.0,1.0\n",
        [("night/a.wav", *FINCH[0][1:])],
    ),
    "BirdNET as CSV": (
        "Start (s),End (s),Scientific name,Common name,Confidence,File\n"
        "3.0,6.0,Haemorhous mexicanus,House Finch,0.5066,/data/night/a.wav\n",
        FINCH,
    ),
    "hoplite": (
        "recording,start_offset_s,end_offset_s,label,label_type\nDEP01/rec001.wav,10.0,15.0,MyBird,positive\n"
        "DEP01/rec001.wav,20.0,25.0,OtherBird,negative\nDEP02/rec001.wav,5.0,10.0,MyBird,uncertain\n",
        [
            ("DEP01/rec001.wav", 10.0, 15.0, "MyBird", "present"),
            ("DEP01/rec001.wav", 20.0, 25.0, "OtherBird", "absent"),
            ("DEP02/rec001.wav", 5.0, 10.0, "MyBird", "unsure"),
        ],
    ),
    "AudioSet": (
        "# Segments csv created Sun Mar  5 10:54:31 2017\n"
        "# num_ytids=20371, num_segs=20371, num_unique_labels=527, num_positive_labels=51804\n"
        "# YTID, start_seconds, end_seconds, positive_labels\n"
        '--4gqARaEJE, 0.000, 10.000, "/m/068hy,/m/07q6cd_"\n',
        [("--4gqARaEJE", None, None, label, "present") for label in ("/m/068hy", "/m/07q6cd_")],
    ),
    "AudioSet, strong": (
        "segment_id\tstart_time_seconds\tend_time_seconds\tlabel\nb0RFKhbpFJA_30000\t0.000\t10.000\t/m/03m9d0z\n",
        [("b0RFKhbpFJA_30000", 0.0, 10.0, "/m/03m9d0z", "present")],
    ),
    "AudioSet, strong, in frames": (
        "segment_id\tstart_time_seconds\tend_time_seconds\tlabel\tpresent\n"
        "s9d-2nhuJCQ_30000\t0.000\t0.960\t/m/07qfr4h\tPRESENT\n"
        "s9d-2nhuJCQ_30000\t0.960\t1.920\t/m/07qfr4h\tNOT_PRESENT\n",
        [
            ("s9d-2nhuJCQ_30000", 0.0, 0.96, "/m/07qfr4h", "present"),
            ("s9d-2nhuJCQ_30000", 0.96, 1.92, "/m/07qfr4h", "absent"),
        ],
    ),
    "FSD50K, dev": (
        'fname,labels,mids,split\n64760,"Electric_guitar,Guitar","/m/02sgy,/m/0342h",train\n',
        [("64760", None, None, label, "present") for label in ("Electric_guitar", "Guitar")],
    ),
    "FSD50K, eval": (
        "fname,labels,mids\n37199,Electric_guitar,/m/02sgy\n",
        [("37199", None, None, "Electric_guitar", "present")],
    ),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_tables_are_read_as_they_are_published(tmp_path: Path, name: str) -> None:
    content, expected = PUBLISHED[name]
    assert parsed(written(tmp_path, content)) == expected


def test_columns_are_chosen_by_name_and_the_others_are_the_files_own(tmp_path: Path) -> None:
    path = written(tmp_path, "wavs,t0,t1,sp,site,line\na.wav,1,2,wren,marsh,x\n")
    columns = ("file=wavs", "start=t0", "end=T1", "label=sp")
    assert parsed(path, *columns) == [("a.wav", 1.0, 2.0, "wren", "present")]
    rows = table.parse(path, column=columns).rows
    assert (rows["site"][0], rows["line (own)"][0], rows["line"][0]) == ("marsh", "x", 2)
    path = written(tmp_path, 'file,labels\na.wav,"Bark, dog"\n')
    assert parsed(path, "label=labels") == [("a.wav", None, None, "Bark, dog", "present")]
    for wrong, reason in (("label=x", "no column 'x': its columns are 'file', 'labels'"), ("so", "names no column")):
        with pytest.raises(LabeltoolError, match=reason):
            table.parse(path, column=(wrong,))


RAVEN = "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)"


def test_a_selection_of_raven_is_one_label_in_its_own_file(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        f"{RAVEN}\tBegin Path\tBegin File\tFile Offset (s)\tBehaviour\n"
        "1\tWaveform 1\t1\t100.0\t101.5\t0\t0\tC:\\night\\a.wav\ta.wav\t2.0\tsong\n"
        "1\tSpectrogram 1\t1\t100.0\t101.5\t2000\t1000\tC:\\night\\a.wav\ta.wav\t2.0\tsong\n"
        "2\tWaveform 1\t1\t200.0\t201.0\t\t\tC:\\night\\b.wav\tb.wav\t0.5\tcall\n",
        "x.txt",
    )
    assert parsed(path) == [
        ("C:\\night\\a.wav", 2.0, 3.5, "song", "present"),
        ("C:\\night\\b.wav", 0.5, 1.5, "call", "present"),
    ]
    got = FORMATS["table"].parser()(path)
    assert got.rows[["low_hz", "high_hz"]].iloc[0].tolist() == [1000.0, 2000.0]
    (note,) = got.skipped
    assert (note.file, note.line) == (str(path), 3)
    assert note.reason == (
        "the low frequency of the label 'song' is above its high one, 2000 and 1000 Hz: exchanged (1 such rows)"
    )
    path.write_text(path.read_text().replace("File Offset (s)", "Offset"))
    with pytest.raises(LabeltoolError, match=r"no column 'File Offset \(s\)'"):
        table.parse(path, column=("label=Behaviour",))
    path.write_text(f"{RAVEN}\tA\tB\n1\tSpectrogram 1\t1\t1\t2\t3\t4\tx\ty\n")
    with pytest.raises(LabeltoolError, match="several columns that may be the label"):
        table.parse(path)
    assert [row[3] for row in parsed(path, "label=B")] == ["y"]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("a.wav,soon,2,x", "start 'soon' is not a number of seconds"),
        ("a.wav,inf,2,x", "is not a number"),
        ("a.wav,1,,x", "has only one of start and end"),
        ("a.wav,3,2,x", "ends at 2 s, before it starts at 3 s"),
        (",1,2,x", "names no sound"),
        ("a.wav,1", "has 2 fields, but the header has 4"),
        ('a.wav,1,2,"x",y', "has 5 fields, but the header has 4"),
    ],
)
def test_a_row_that_cannot_be_right_is_named_by_its_line(tmp_path: Path, row: str, reason: str) -> None:
    path = written(tmp_path, f'file,start,end,label\na.wav,0,1,"two\nlines"\n{row}\nb.wav,0,1,last\n')
    got = table.parse(path)
    assert [(one.line, one.label) for one in rows_of(got)] == [(3, "two\nlines"), (5, "last")]
    (skipped,) = got.skipped
    assert skipped.line == 4 and reason in skipped.reason


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "is empty"),
        ("a.wav\t0.0\t1.0\tspeech\n", ":1: has no header: its first line is 'a.wav, 0.0, 1.0, speech'"),
        ("file,size\na.wav,12\n", "no column of labels: its columns are 'file', 'size'"),
        ("file,start,end,label\na.wav,x,y,wren\n", ":2: none of its rows can be used; the first one start 'x'"),
        ("file,label,value\na.wav,x,present\na.wav,y,perhaps\n", ""),
        ('file,label\na.wav,"x\nb.wav,y\n', "cannot be read as a CSV table"),
        (b"PAR1 and nothing else", "Parquet"),
        (bytes(range(256)), "is not a CSV table"),
    ],
)
def test_what_is_no_table_of_labels_is_one_line(tmp_path: Path, content: str | bytes, reason: str) -> None:
    path = written(tmp_path, content)
    if not reason:
        assert "none of present, absent, unsure" in table.parse(path).skipped[0].reason
        return
    with pytest.raises(LabeltoolError) as caught:
        table.parse(path)
    assert reason in str(caught.value) and "\n" not in str(caught.value)


def test_names_of_audiosets_classes_are_those_of_its_class_map(tmp_path: Path) -> None:
    written(tmp_path, "index,mid,display_name\n0,/m/09x0r,Speech\n", "class_labels_indices.csv")
    path = written(tmp_path, 'YTID,start_seconds,end_seconds,positive_labels\nx,1,2,"/m/09x0r,/m/1"\n')
    assert [row[3] for row in parsed(path)] == ["Speech", "/m/1"]


TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)
TIMES = st.integers(0, 10**9).map(lambda microseconds: microseconds / 1e6)


@settings(deadline=None, max_examples=60)
@given(rows=st.lists(st.tuples(TIMES, TIMES, TEXTS), min_size=1, max_size=8), mark=st.sampled_from(",;\t|"))
def test_what_pandas_writes_is_read_back(
    rows: list[tuple[float, float, str]], mark: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "pandas.csv"
    wanted = [("a.wav", min(row[:2]), max(row[:2]), row[2].strip()) for row in rows]
    pd.DataFrame(wanted, columns=["file", "start", "end", "label"]).to_csv(path, sep=mark, index=False)
    # A label with a semicolon may be several.
    assert [row[:4] for row in parsed(path, "label=label")] == wanted


@settings(deadline=None, max_examples=100)
@given(content=st.binary(max_size=200))
def test_any_bytes_are_rows_or_one_clear_error(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "bytes.csv"
    for start in (b"", b"file,start,end,label\n", b"PAR1"):
        path.write_bytes(start + content)
        try:
            table.parse(path)
        except LabeltoolError as error:
            assert "\n" not in str(error)


def read(path: Path, audio: Path | None = None) -> list[Any]:
    return list(read_labels([path], table.parse, audio))


@pytest.mark.parametrize(
    ("name", "sound"),
    [
        ("a.wav", "a.WAV"),
        ("A.wav", "deep/down/a.wav"),
        ("C:\\data\\night\\a.wav", "night/a.wav"),
        ("/mnt/x/night/a.wav", "night/a.wav"),
        ("a", "a.flac"),
        ("a.mp3", "a.ogg"),
        ("cafe\u0301.wav", "caf\u00e9.wav"),
        ("caf\u00e9.wav", "cafe\u0301.wav"),
        ("rec.2024.01", "rec.2024.01.wav"),
    ],
)
def test_sounds_are_found_however_they_are_named(tmp_path: Path, write_tone: WriteTone, name: str, sound: str) -> None:
    (tmp_path / sound).parent.mkdir(parents=True, exist_ok=True)
    write_tone("tone.wav").rename(tmp_path / sound)
    path = written(tmp_path, f"file,label\n{name},wren\n")
    assert [one.path for one in of_kind(read(path), Recording)] == [str(tmp_path / sound)]


def test_folders_in_a_name_decide_and_two_that_fit_are_named(tmp_path: Path, write_tone: WriteTone) -> None:
    for number, name in enumerate(("north/a.wav", "south/a.wav", "far/away/b.wav")):
        write_tone(name, frequency_hz=500 + number)
    path = written(tmp_path, "file,label\nx/south/a.wav,wren\na.wav,robin\nb.wav,owl\n../secret.wav,x\n")
    records = read(path)
    assert {Path(one.path).parent.name for one in of_kind(records, Recording)} == {"south", "away"}
    reasons = {one.line: one.reason for one in of_kind(records, Skipped)}
    assert "may be any of 2 files: north/a.wav, south/a.wav" in reasons[3] and "missing" in reasons[5]
    records = read(path, audio=tmp_path / "north")
    assert {one.line for one in of_kind(records, Skipped) if not isinstance(one, Note)} == {5}


@pytest.mark.parametrize(
    ("name", "sounds", "expected"),
    [
        ("a.wav", ("a.wav", "t/a.wav"), "t/a.wav"),  # beside the table, which is in t
        ("a.wav", ("s/a.wav", "t/a.wav"), "t/a.wav"),
        ("a.wav", ("a.wav", "s/a.wav"), "a.wav"),
        ("a", ("a.wav", "s/a.wav"), "a.wav"),
        ("a", ("a.wav", "t/a.wav"), "t/a.wav"),
        ("a", ("t/a.wav", "t/a.flac"), None),
        ("z/a.wav", ("a.wav", "s/a.wav"), None),
        ("z/a", ("a.wav", "s/a.wav"), None),
        ("u/a.wav", ("s/a.wav", "x/y/a.wav"), None),
        ("/mnt/u/a.wav", ("a.wav", "s/a.wav"), None),
        ("/mnt/s/a.wav", ("a.wav", "s/a.wav"), "s/a.wav"),
    ],
)
def test_a_name_of_several_sounds_is_ambiguous(
    tmp_path: Path, write_tone: WriteTone, name: str, sounds: tuple[str, ...], expected: str | None
) -> None:
    for number, sound in enumerate(sounds):
        write_tone(sound, frequency_hz=500 + number)
    (tmp_path / "t").mkdir(exist_ok=True)
    path = written(tmp_path / "t", f"file,label\n{name},wren\n")
    try:
        records = read(path, audio=tmp_path)
    except LabeltoolError as error:
        assert expected is None and "may be any of 2 files" in str(error)
    else:
        assert [one.path for one in of_kind(records, Recording)] == [str(tmp_path / (expected or ""))]


def test_sounds_that_are_not_at_the_paths_of_a_table_are_counted_in_one_note(
    tmp_path: Path, write_tone: WriteTone
) -> None:
    for number, name in enumerate(("a.wav", "b.wav", "s/c.wav", "s/d.wav")):
        write_tone(name, frequency_hz=500 + number)
    here = tmp_path / "s" / "c.wav"
    names = ["/mnt/u/a.wav", "/mnt/u/a.wav", "C:\\x\\b.wav", str(here), f"file:{here}", "d.wav", "s/d.wav"]
    path = written(tmp_path, "file,start,end,label\n" + "".join(f"{name},0,0.5,owl\n" for name in names))
    records = read(path)
    assert len(of_kind(records, Recording)) == 4 and len(of_kind(records, Verdict)) == len(names)
    (note,) = of_kind(records, Skipped)
    assert isinstance(note, Note) and note.file == str(path)
    assert note.reason == (
        "names 2 paths that are not here: sounds of the same file names were taken, "
        f"'/mnt/u/a.wav' as {tmp_path / 'a.wav'}"
    )


def test_copies_of_a_sound_are_not_ambiguous(tmp_path: Path, write_tone: WriteTone) -> None:
    for name in ("north/a.wav", "south/a.wav"):
        write_tone(name)
    assert len(of_kind(read(written(tmp_path, "file,label\na.wav,robin\n")), Recording)) == 1


def test_a_sound_is_not_taken_for_one_of_another_folder_that_is_missing(tmp_path: Path, write_tone: WriteTone) -> None:
    write_tone("north/a.wav")
    path = written(tmp_path, "file,label\nsouth/a.wav,robin\nnorth/a.wav,wren\na.wav,owl\n")
    records = read(path)
    assert [one.label for one in of_kind(records, Verdict)] == ["wren", "owl"]
    (skipped,) = (one for one in records if type(one) is Skipped)
    assert skipped.line == 2 and "are two names" in skipped.reason
    write_tone("a.wav", frequency_hz=600)
    (tmp_path / "north" / "a.wav").unlink()
    (skipped,) = (
        one for one in read(written(tmp_path, "file,label\na.wav,owl\nz/a.wav,wren\n")) if type(one) is Skipped
    )
    assert skipped.line == 3 and "are two names" in skipped.reason


def test_rows_become_clips_with_their_values_and_missing_sounds_are_named_once(
    tmp_path: Path, write_tone: WriteTone
) -> None:
    write_tone("a.wav", seconds=3.0)
    (tmp_path / "bad.wav").write_text("no sound")
    path = written(
        tmp_path,
        "file,start,end,label,value,group,low_freq,fold,site,note\na.wav,0.25,1,wren,1,g,100,1,marsh,loud\n"
        "a.wav,,,robin,0,g,,,marsh,\na.wav,9,10,x,1,g,,,marsh,\nb.wav,0,1,x,1,,,,,\nb.wav,1,2,x,1,,,,,\n"
        "bad.wav,0,1,x,1,,,,,\na.wav,2,2,owl,?,g,,,marsh,far\n",
    )
    records = read(path)
    (recording,) = of_kind(records, Recording)
    assert (recording.group, recording.columns) == ("g", (("site", "marsh"),))
    assert [(one.label, one.value, one.start_s, one.low_hz, one.line) for one in of_kind(records, Verdict)] == [
        ("wren", Value.PRESENT, 0.25, 100.0, 2),
        ("robin", Value.ABSENT, None, None, 3),
        ("owl", Value.UNSURE, 2.0, None, 8),
    ]
    clips = [(one.start_s, one.end_s, one.fold) for one in of_kind(records, Clip)]
    assert clips == [(0.25, 1.0, 1), (0.0, 3.0, None), (1.5, 2.5, None)]
    skipped = {(type(one), one.line) for one in of_kind(records, Skipped)}
    assert skipped == {(Skipped, 4), (Skipped, 5), (Failed, 7)}
    assert any("missing (2 rows)" in one.reason for one in of_kind(records, Skipped))


def test_a_dry_run_reads_tables_without_their_sounds(tmp_path: Path) -> None:
    path = written(tmp_path, "file,start,end,label\na.wav,0,1,wren\n")
    ((file, rows),) = FORMATS["table"].parse_each([path], audio=None, checked=False, column=(), encoding=None)
    assert (file, list(rows["label"])) == (path, ["wren"])


def test_known_tables_are_known_by_their_header(real_data: Path) -> None:
    files = sorted((real_data / "raven").glob("*.txt"))
    assert {kind.name for path in files if (kind := file_kind(path))} == {"raven"}
    assert sum(len(table.parse(path).rows) for path in files) > 1000


def test_parquet_is_read_with_its_types(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="the extra `parquet` is not installed")
    path = tmp_path / "labels.parquet"
    columns = {"file": ["a.wav", "b.wav"], "start": [0.5, None], "end": [1.25, None], "label": ["wren", "robin"]}
    pd.DataFrame({**columns, "value": [True, False]}).to_parquet(path)
    assert parsed(path) == [*ONE, ("b.wav", None, None, "robin", "absent")]


@pytest.mark.parametrize("labels", ["dog;", ";dog; ;", "dog,"])
def test_a_separator_too_many_is_no_row_about_the_whole_clip(tmp_path: Path, labels: str) -> None:
    rows = table.parse(written(tmp_path, f'file,labels,value\na.wav,"{labels}",absent\nb.wav,,absent\n')).rows
    assert [*zip(rows["recording"], rows["label"], strict=True)] == [("a.wav", "dog"), ("b.wav", "")]


def test_a_list_of_labels_makes_a_bounded_number_of_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "_MAX_ROWS", 10)
    path = written(tmp_path, f"file,labels\na.wav,{'wren;' * 11}\n")
    with pytest.raises(LabeltoolError, match="has more than 10 rows"):
        table.parse(path)


def test_what_was_assumed_of_a_table_is_noted(tmp_path: Path) -> None:
    def notes(content: str) -> str:
        return "; ".join(one.reason for one in table.parse(written(tmp_path, content)).skipped if isinstance(one, Note))

    assert "the columns of present and absent: 'dog', 'snr'" in notes("file,dog,snr,n\na.wav,1,0,7\n")
    assert "column 'category', not of 'species'" in notes("file,species,category\na.wav,Parus,bird\n")
    assert "column 'label', not of 'label (2)'" in notes("file,label,label\na.wav,dog,cat\n")
    assert "no times in seconds, though there is 'start date'" in notes("file,start date,label\na.wav,2024-05-01,dog\n")
    assert "its folds begin with 0" in notes("file,label,fold\na.wav,dog,0\nb.wav,dog,3\n")
    rows = rows_of(table.parse(written(tmp_path, "file,label,fold\na.wav,dog,0\nb.wav,dog,3\nc.wav,dog,\n")))
    assert [row.fold for row in rows] == [1, 4, None]


def test_a_label_stays_where_its_frequency_or_confidence_cannot_be_read(tmp_path: Path) -> None:
    header = "file,start,end,label,low_hz,high_hz,score,value\n"
    rows = "a.wav,0,1,x,100,900,high,1\na.wav,1,2,y,low,900,0.5,\na.wav,2,3,z,100,900,0.25,0\n"
    got = table.parse(written(tmp_path, header + rows))
    assert [(row.label, row.low_hz, row.confidence, row.value) for row in rows_of(got)] == [
        ("x", 100.0, None, "present"),
        ("y", None, 0.5, "present"),
        ("z", 100.0, 0.25, "absent"),
    ]
    assert [(type(one), one.line) for one in got.skipped] == [(Note, 2), (Note, 3)]
    assert [one.reason for one in got.skipped] == [
        "score 'high' is not a number: ignored",
        "low_hz 'low' is not a number of hertz: ignored",
    ]


def test_a_table_of_cut_sound_is_of_its_files_not_of_their_recordings(tmp_path: Path) -> None:
    header = "file_name,label,labels,absent,recording,recording_sha256,start_s,end_s\n"
    rows = (
        'a_3.wav,,"[""a;b"", ""c, d""]","[""g, h""]",a.wav,0f,3.0,4.0\nb_1.wav,"e,f","[""e,f""]",[],b.wav,1f,1.0,2.0\n'
    )
    assert parsed(written(tmp_path, header + rows)) == [
        ("a_3.wav", None, None, "a;b", "present"),
        ("a_3.wav", None, None, "c, d", "present"),
        ("a_3.wav", None, None, "g, h", "absent"),
        ("b_1.wav", None, None, "e,f", "present"),
    ]
    clips = 'file_name,label,path,recording_sha256,start_s,end_s\ndog/a_3.wav,"x,y",/s/a.wav,0f,3.0,4.0\n'
    assert parsed(written(tmp_path, clips)) == [("dog/a_3.wav", None, None, "x,y", "present")]


def test_a_label_that_ends_long_after_its_recording_is_reported(tmp_path: Path, write_tone: WriteTone) -> None:
    write_tone("a.wav", seconds=1.0)
    records = read(written(tmp_path, "file,start,end,label\na.wav,0,900,dog\na.wav,0,1.2,cat\n"))
    (note,) = [one for one in of_kind(records, Note) if "long after" in one.reason]
    assert note.line == 2
    assert "(1 such rows)" in note.reason
    assert len(of_kind(records, Verdict)) == 2
