"""ESC-50 and UrbanSound8K: as published, in modified copies, and damaged."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from helpers.records import of_kind, one_by_one, read_esc50, read_urbansound8k
from labeltool.errors import LabeltoolError
from labeltool.importers.tables import urbansound8k
from labeltool.records import MAX_LABEL_CHARACTERS, Clip, Failed, Imported, Recording, Skipped, Verdict

WriteTone = Callable[..., Path]
ESC_HEADER = "filename,fold,target,category,esc10,src_file,take"
URBAN_HEADER = "slice_file_name,fsID,start,end,salience,fold,classID,class"


def table(directory: Path, name: str, *lines: str, encoding: str = "utf-8", end: str = "\n") -> Path:
    path = directory / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("".join(line + end for line in lines).encode(encoding))
    return path


def esc_table(directory: Path, *rows: str, **options: str) -> Path:
    return table(directory, "meta/esc50.csv", ESC_HEADER, *rows, **options)


def urban_table(directory: Path, *rows: str, **options: str) -> Path:
    return table(directory, "metadata/UrbanSound8K.csv", URBAN_HEADER, *rows, **options)


def test_esc10_gives_its_320_clips_and_reports_the_80_missing_ones(real_data: Path) -> None:
    records = list(read_esc50(real_data / "esc10", "esc10"))
    assert [len(of_kind(records, kind)) for kind in (Recording, Clip, Verdict)] == [320, 320, 320]
    absent = of_kind(records, Skipped)
    assert len(absent) == 80
    assert {(Path(note.file).name[0], note.reason) for note in absent} == {("5", "is listed in the table, but missing")}
    assert {clip.fold for clip in of_kind(records, Clip)} == {1, 2, 3, 4}
    assert len({verdict.label for verdict in of_kind(records, Verdict)}) == 10


def test_urbansound8k_gives_the_20_existing_clips(real_data: Path) -> None:
    records = list(read_urbansound8k(real_data / "urbansound8k"))
    assert [len(of_kind(records, kind)) for kind in (Recording, Clip, Verdict, Skipped)] == [20, 20, 20, 8712]
    recordings = of_kind(records, Recording)
    assert {recording.channels for recording in recordings} == {1, 2}
    assert len({recording.sample_rate_hz for recording in recordings}) > 1
    folds = {
        Path(recording.path).name: clip.fold for recording, clip in zip(recordings, of_kind(records, Clip), strict=True)
    }
    assert folds["100648-1-1-0.wav"] == 10


@pytest.mark.parametrize(
    ("name", "reader", "imported", "message"),
    [
        ("arwan_us8k_8715rows.csv", read_urbansound8k, 20, "missing"),
        ("audiomate_us8k_subset.csv", read_urbansound8k, 2, "missing"),
        ("mikesmales_UrbanSound8K.csv", read_urbansound8k, 20, "missing"),
        ("nodirbek_us8k_8743rows_fold11.csv", read_urbansound8k, 20, "fold 11 is not one of the 10 official folds"),
        ("psirigopi_us8k_subset.csv", read_urbansound8k, 11, "missing"),
        ("caitlinnguyen0_esc50_subset.csv", read_esc50, 81, "missing"),
        ("audiomate_esc50_10rows.csv", read_esc50, 0, "fold 2 contradicts the file name"),
        ("maheshxr_ECS-50_esc50.csv", read_esc50, 0, "fold 5 contradicts the file name"),
        ("prathambansal_glass_esc50.csv", read_esc50, 0, "missing"),
        ("wistra4_esc_re_esc50_BOM.csv", read_esc50, 0, "missing"),
        ("daisiosk_esc50_meta_custom.csv", read_esc50, 0, "has no column filename, fold, category, esc10, src_file"),
    ],
)
def test_modified_copies_of_the_tables_are_read_or_refused_in_one_line(
    real_data: Path, tmp_path: Path, name: str, reader: Any, imported: int, message: str
) -> None:
    is_esc = reader is read_esc50
    metadata = tmp_path / ("meta/esc50.csv" if is_esc else "metadata/UrbanSound8K.csv")
    metadata.parent.mkdir()
    shutil.copy(real_data / "urbansound8k" / "variants" / name, metadata)
    (tmp_path / "audio").symlink_to(real_data / ("esc10" if is_esc else "urbansound8k") / "audio")
    records: list[Imported] = []
    error = ""
    try:
        records.extend(reader(tmp_path))
    except LabeltoolError as raised:
        error = str(raised)
    else:
        assert imported
    assert len(of_kind(records, Verdict)) == imported
    assert any(message in text for text in [error, *(note.reason for note in of_kind(records, Skipped))])
    assert "\n" not in error


def test_a_file_becomes_a_recording_a_whole_clip_and_a_verdict(tmp_path: Path, write_tone: WriteTone) -> None:
    sound = write_tone("audio/2-77-A-0.wav", seconds=0.5)
    listing = esc_table(tmp_path, "2-77-A-0.wav,2,0,dog,True,77,A")
    recording, clip, verdict = one_by_one(read_esc50(tmp_path))
    assert isinstance(recording, Recording)
    assert (recording.path, recording.group, recording.licence) == (str(sound), "freesound:77", "CC BY 3.0")
    assert clip == Clip(recording.sha256, 0.0, 0.5, 2)
    assert verdict == Verdict(clip, "dog", file=str(listing), line=2)


def test_urbansound_clips_of_one_source_are_one_group_in_their_official_fold(
    tmp_path: Path, write_tone: WriteTone
) -> None:
    write_tone("audio/fold10/9-3-0-0.wav", channels=2, rate=48_000)
    write_tone("audio/fold10/9-3-0-1.wav", rate=22_050)
    urban_table(tmp_path, "9-3-0-0.wav,9,0,1,1,10,3,dog_bark", "9-3-0-1.wav,9,0,1,2,10,3,dog_bark")
    records = list(read_urbansound8k(tmp_path))
    assert [(r.group, r.channels, r.licence) for r in of_kind(records, Recording)] == [
        ("freesound:9", 2, "CC BY-NC 3.0"),
        ("freesound:9", 1, "CC BY-NC 3.0"),
    ]
    assert [clip.fold for clip in of_kind(records, Clip)] == [10, 10]


def test_salience_and_the_place_in_the_source_are_kept(tmp_path: Path) -> None:
    urban_table(tmp_path, "9-3-0-0.wav,9,0.5,1,2,10,3,dog_bark")
    rows = urbansound8k.parse(tmp_path).rows
    assert rows[["salience", "start", "end"]].to_numpy().tolist() == [["2", "0.5", "1"]]
    assert rows["start_s"].isna().all()


@pytest.mark.parametrize("suffix", [".flac", ".ogg"])
def test_other_formats_stand_in_for_wav(tmp_path: Path, write_tone: WriteTone, suffix: str) -> None:
    sound = write_tone("audio/1-1-A-0.wav").rename(tmp_path / f"audio/1-1-A-0{suffix}")
    esc_table(tmp_path, "1-1-A-0.wav,1,0,dog,True,1,A")
    recording = next(read_esc50(tmp_path))
    assert isinstance(recording, Recording)
    assert recording.path == str(sound)


ESC_ROWS = ("1-1-A-0.wav,1,0,dog,True,1,A", "2-2-A-3.wav,2,3,cow,False,2,A")


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace(",", ";"),
        lambda text: text.replace(",", "\t"),
        lambda text: text.replace(",1,0", ",1.0,0").replace(",2,3", ",fold2,3").replace(",1,A", ",1.0,A"),
        lambda text: text.replace("\n1-", "\naudio/1-").replace("\n2-", "\nC:\\data\\2-"),
        lambda text: text.replace(".wav", ".WAV").replace("True", "yes"),
        lambda text: text.replace("filename", " FileName ").replace("src_file", "SRC FILE"),
        lambda text: text.replace("\n", ",,\n").replace("take,,", "take"),
        lambda text: '"' + text.replace(",", '","').replace("\n", '"\n"').removesuffix('"'),
    ],
)
def test_tables_are_read_as_people_have_them(
    tmp_path: Path, write_tone: WriteTone, change: Callable[[str], str]
) -> None:
    for row in ESC_ROWS:
        write_tone(f"audio/{row.partition(',')[0]}")
    path = esc_table(tmp_path, *ESC_ROWS)
    path.write_text(change(path.read_text()))
    records = list(read_esc50(tmp_path))
    assert [one for one in of_kind(records, Skipped) if "that are not here" not in one.reason] == []
    assert [(one.label, one.clip.fold) for one in of_kind(records, Verdict)] == [("dog", 1), ("cow", 2)]
    assert [one.group for one in of_kind(records, Recording)] == ["freesound:1", "freesound:2"]


@pytest.mark.parametrize(
    ("table_name", "folder"),
    [
        ("esc50.csv", "audio/audio"),
        ("ESC50.csv", "audio/audio/44100"),
        ("ESC-50-master/meta/esc50.csv", "ESC-50-master/audio"),
        ("meta/esc50.csv", "Audio/fold1"),
        ("esc50.csv", "."),
    ],
)
def test_esc50_is_found_in_the_layouts_of_its_copies(
    tmp_path: Path, write_tone: WriteTone, table_name: str, folder: str
) -> None:
    write_tone(f"{folder}/1-1-A-0.wav")
    table(tmp_path, table_name, ESC_HEADER, ESC_ROWS[0])
    assert [one.label for one in of_kind(list(read_esc50(tmp_path)), Verdict)] == ["dog"]


def test_a_folder_above_the_data_set_is_no_fold(tmp_path: Path, write_tone: WriteTone) -> None:
    write_tone("fold3/1-1-A-0.wav")
    table(tmp_path / "fold3", "esc50.csv", ESC_HEADER, ESC_ROWS[0])
    assert [one.label for one in of_kind(list(read_esc50(tmp_path / "fold3")), Verdict)] == ["dog"]


def test_of_several_copies_of_a_file_the_published_or_the_original_is_read(
    tmp_path: Path, write_tone: WriteTone
) -> None:
    write_tone("audio/16000/1-1-A-0.wav", rate=16_000)
    original = write_tone("audio/44100/1-1-A-0.wav", rate=44_100)
    esc_table(tmp_path, ESC_ROWS[0])
    assert [one.path for one in of_kind(list(read_esc50(tmp_path)), Recording)] == [str(original)]
    published = write_tone("audio/1-1-A-0.wav", rate=8_000)
    assert [one.path for one in of_kind(list(read_esc50(tmp_path)), Recording)] == [str(published)]


@pytest.mark.parametrize("folder", ["fold3", "audio/fold3", "UrbanSound8K/audio/Fold3", "all"])
def test_urbansound8k_is_found_in_kaggles_layout_and_never_in_another_fold(
    tmp_path: Path, write_tone: WriteTone, folder: str
) -> None:
    write_tone(f"{folder}/9-3-0-0.wav")
    write_tone("fold4/8-3-0-0.wav")
    rows = ("9-3-0-0.wav,9,0,1,1,3,3,dog_bark", "8-3-0-0.wav,8,0,1,1,3,3,dog_bark")
    table(tmp_path, "UrbanSound8K.csv", URBAN_HEADER, *rows)
    records = list(read_urbansound8k(tmp_path))
    assert [one.clip.fold for one in of_kind(records, Verdict)] == [3]
    assert [(note.line, note.reason) for note in of_kind(records, Skipped)] == [
        (3, "is listed in the table, but missing")
    ]


def test_a_table_without_a_header_and_one_in_another_encoding_are_reported(
    tmp_path: Path, write_tone: WriteTone
) -> None:
    write_tone("audio/1-1-A-0.wav")
    path = table(tmp_path, "meta/esc50.csv", *ESC_ROWS)
    with pytest.raises(LabeltoolError, match=r"esc50\.csv:1: has no header: its first line is '1-1-A-0\.wav, "):
        list(read_esc50(tmp_path))
    esc_table(tmp_path, ESC_ROWS[0].replace("dog", "grünfink"), encoding="cp1252")
    records = list(read_esc50(tmp_path))
    assert [one.label for one in of_kind(records, Verdict)] == ["grünfink"]
    assert [note.file for note in of_kind(records, Skipped)] == [str(path)]


def test_a_broken_sound_file_has_failed_and_a_missing_one_was_skipped(tmp_path: Path, write_tone: WriteTone) -> None:
    write_tone("audio/1-1-A-0.wav")
    (tmp_path / "audio" / "2-2-A-3.wav").write_bytes(b"no sound")
    esc_table(tmp_path, *ESC_ROWS, "3-3-A-3.wav,3,3,cow,False,3,A")
    kinds = {note.line: type(note) for note in of_kind(list(read_esc50(tmp_path)), Skipped)}
    assert kinds == {3: Failed, 4: Skipped}


def test_the_subset_excludes_the_others_and_the_licence_follows_the_flag(tmp_path: Path, write_tone: WriteTone) -> None:
    for name in ("1-1-A-0.wav", "1-2-A-3.wav"):
        write_tone(f"audio/{name}")
    esc_table(tmp_path, "1-1-A-0.wav,1,0,dog,TRUE,1,A", "1-2-A-3.wav,1,3,cow,FALSE,2,A")
    every = of_kind(list(read_esc50(tmp_path)), Recording)
    assert [recording.licence for recording in every] == ["CC BY 3.0", "CC BY-NC 3.0"]
    assert [verdict.label for verdict in of_kind(list(read_esc50(tmp_path, "esc10")), Verdict)] == ["dog"]
    with pytest.raises(LabeltoolError, match="no subset 'esc11'"):
        list(read_esc50(tmp_path, "esc11"))


GOOD = "1-1-A-0.wav,1,0,dog,True,1,A"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("2-5-A-0.wav,3,0,dog,True,5,A", "fold 3 contradicts the file name"),
        ("x.wav,6,0,dog,True,5,A", "fold 6 is not one of the 5"),
        ("x.wav,one,0,dog,True,5,A", "fold 'one' is not a number"),
        ("x.wav,1,0,dog,perhaps,5,A", "'perhaps', not True or False"),
        ("x.wav,1,0,dog", "4 fields, but the header has 7"),
        ("x.wav,1,0,a,dog,True,5,A", "8 fields, but the header has 7"),
        ("../outside.wav,1,0,dog,True,5,A", "'../outside.wav' is not the name of a file"),
        ("/etc/passwd,1,0,dog,True,5,A", "is listed in the table, but missing"),
        (r"..\outside.wav,1,0,dog,True,5,A", "is not the name of a file"),
        ("..,1,0,dog,True,5,A", "is not the name of a file"),
        ("x" * 10_000 + ".wav,1,0,dog,True,5,A", "is listed in the table, but missing"),
        ("x.wav,1,0,,True,5,A", "has no label"),
        ("x.wav,1,0,dog,True,,A", "has no src_file"),
        ("broken.wav,1,0,dog,True,5,A", "is not a sound file"),
        ("empty.wav,1,0,dog,True,5,A", "no samples"),
        (GOOD, "is a duplicate of line 2"),
    ],
)
def test_a_row_that_cannot_be_right_is_reported_and_the_others_are_imported(
    tmp_path: Path, write_tone: WriteTone, row: str, reason: str
) -> None:
    write_tone("audio/1-1-A-0.wav")
    write_tone("audio/1-2-A-3.wav")
    write_tone("outside.wav")
    write_tone("audio/empty.wav", seconds=0.0)
    (tmp_path / "audio" / "broken.wav").write_text("no sound")
    esc_table(tmp_path, GOOD, row, "1-2-A-3.wav,1,3,cow,False,2,A")
    records = list(read_esc50(tmp_path))
    assert [verdict.label for verdict in of_kind(records, Verdict)] == ["dog", "cow"]
    (note,) = of_kind(records, Skipped)
    assert note.line == 3
    assert reason in note.reason


@pytest.mark.parametrize("label", ["a[/]b", "=SUM(A1)", "../../x", "NA", "007", "كلب", "y" * MAX_LABEL_CHARACTERS])
def test_a_label_stays_unchanged(tmp_path: Path, write_tone: WriteTone, label: str) -> None:
    write_tone("audio/fold1/1-3-0-0.wav")
    urban_table(tmp_path, f"1-3-0-0.wav,1,0,1,1,1,3,{label}", encoding="utf-8-sig", end="\r\n")
    assert [verdict.label for verdict in of_kind(list(read_urbansound8k(tmp_path)), Verdict)] == [label]


def test_a_label_longer_than_any_name_is_skipped_with_its_line(tmp_path: Path, write_tone: WriteTone) -> None:
    write_tone("audio/1-1-A-0.wav")
    rows = [f"1-1-A-0.wav,1,0,{label},True,1,A" for label in ("x" * (MAX_LABEL_CHARACTERS + 1), "dog")]
    esc_table(tmp_path, *rows)
    records = list(read_esc50(tmp_path))
    assert [verdict.label for verdict in of_kind(records, Verdict)] == ["dog"]
    (skipped,) = of_kind(records, Skipped)
    assert skipped.line == 2 and "more than 1000 characters" in skipped.reason


def test_an_assumed_encoding_is_not_the_first_problem_of_a_table(tmp_path: Path) -> None:
    esc_table(tmp_path, "grün.wav,1,0,dog,True,1,A", encoding="cp1252")
    with pytest.raises(LabeltoolError, match="is listed in the table, but missing"):
        list(read_esc50(tmp_path))


def test_a_quote_that_is_never_closed_does_not_swallow_the_rest(tmp_path: Path, write_tone: WriteTone) -> None:
    write_tone("audio/1-1-A-0.wav")
    esc_table(tmp_path, GOOD, '1-2-A-3.wav,1,3,"cow,False,2,A', "1-3-A-3.wav,1,3,cow,False,3,A")
    with pytest.raises(LabeltoolError, match=r"esc50\.csv:\d+: cannot be read as a CSV table"):
        list(read_esc50(tmp_path))


@pytest.mark.parametrize("reader", [read_esc50, read_urbansound8k])
def test_a_path_that_is_not_a_data_set_is_an_error(tmp_path: Path, write_tone: WriteTone, reader: Any) -> None:
    for directory in (tmp_path / "none", tmp_path, write_tone("tone.wav")):
        with pytest.raises(LabeltoolError) as caught:
            list(reader(directory))
        assert caught.value.file == str(directory)


def test_a_table_without_rows_without_columns_or_without_text_is_an_error(tmp_path: Path) -> None:
    path = esc_table(tmp_path)
    for content, reason in (
        (path.read_bytes(), "lists none of the requested files"),
        (b"", "is empty"),
        (b"filename,fold\n", "has no column category, esc10, src_file"),
        (bytes(range(256)), "is not a CSV table"),
    ):
        path.write_bytes(content)
        with pytest.raises(LabeltoolError, match=reason) as caught:
            list(read_esc50(tmp_path))
        assert caught.value.file == str(path)


def test_a_data_set_without_any_of_its_sound_files_is_an_error(tmp_path: Path) -> None:
    esc_table(tmp_path, GOOD)
    with pytest.raises(
        LabeltoolError, match=r"esc50\.csv:2: nothing .*1-1-A-0\.wav: is listed in the table, but missing"
    ):
        list(read_esc50(tmp_path))


def test_the_readers_load_nothing_heavy() -> None:
    program = (
        "import sys; from labeltool.importers import audacity, audio_files, auto, device_log, registry;"
        "from labeltool.importers.tables import esc50, table, urbansound8k;"
        "print(*{'pandas', 'tensorflow', 'librosa', 'textual', 'sqlite_utils', 'labeltool.store'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
