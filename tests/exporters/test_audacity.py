"""Label tracks: the present labels and their regions, as Audacity reads them back."""

from __future__ import annotations

import csv
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from helpers.exports import export
from labeltool.exporters.file_names import OWN_FILES, safe_stems
from labeltool.project import Project
from labeltool.records import Clip, Imported, Recording, Value, Verdict
from labeltool.store import Store
from labeltool.store.importing import import_records
from labeltool.store.journal import annotate
from labeltool.store.labels import rename

SOUND = Recording("/sounds/marsh.wav", "ab" * 32, 16_000, 1, 160_000, "marsh")


def add(store: Store, *records: Imported) -> None:
    import_records(store, records, kind="test", source="test")


def track(project: Project, name: str = "marsh.txt") -> str:
    return (Path(export(project, "audacity").written[0]) / name).read_text(encoding="utf-8")


def test_a_region_has_six_decimals_and_frequencies_only_where_they_are_known(project: Project, store: Store) -> None:
    clips = [Clip(SOUND.sha256, start, start + 1.0) for start in (0.0, 1.0, 2.0, 3.0)]
    add(
        store,
        SOUND,
        *clips,
        Verdict(clips[0], "whole clip"),
        Verdict(clips[1], "exact", start_s=1.1234567, end_s=1.5, low_hz=250.0, high_hz=8000.25),
        Verdict(clips[2], "half known", start_s=2.0, end_s=2.0, high_hz=70.282982),
        Verdict(clips[3], "gone", Value.ABSENT),
        Verdict(clips[3], "perhaps", Value.UNSURE),
    )
    assert track(project) == (
        "0.000000\t1.000000\twhole clip\n"
        "1.123457\t1.500000\texact\n"
        "\\\t250.000000\t8000.250000\n"
        "2.000000\t2.000000\thalf known\n"
        "\\\t-1.000000\t70.282982\n"
    )


def test_a_track_follows_the_journal_and_keeps_every_region_of_a_label(project: Project, store: Store) -> None:
    clip, other = Clip(SOUND.sha256, 0.0, 5.0), Clip(SOUND.sha256, 5.0, 10.0)
    add(
        store,
        SOUND,
        clip,
        other,
        Verdict(clip, "call", start_s=1.0, end_s=2.0),
        Verdict(clip, "call", start_s=3.0, end_s=4.0),
        Verdict(clip, "rain"),
        Verdict(other, "call", start_s=6.0, end_s=7.0),
    )
    annotate(store, 1, "call", annotator="ann")  # agrees, but without a region
    annotate(store, 1, "rain", Value.ABSENT, annotator="ann")
    assert track(project) == "1.000000\t2.000000\tcall\n3.000000\t4.000000\tcall\n6.000000\t7.000000\tcall\n"
    annotate(store, 2, None, Value.ABSENT, annotator="ann")
    rename(store, "call", "song", annotator="ann")
    assert track(project) == "1.000000\t2.000000\tsong\n3.000000\t4.000000\tsong\n"
    annotate(store, 1, "song", Value.ABSENT, annotator="ann")
    annotate(store, 1, "song", annotator="ann")
    assert track(project) == "0.000000\t5.000000\tsong\n"


def test_what_the_format_cannot_contain_becomes_a_space_and_the_readme_explains_it(
    project: Project, store: Store
) -> None:
    clip = Clip(SOUND.sha256, 0.0, 1.0)
    add(store, SOUND, clip, Verdict(clip, "two\twords\nand 'more'\r\x85\x00"))
    assert track(project) == "0.000000\t1.000000\ttwo words and 'more'  \n"
    assert "cannot" in track(project, "README.md") and "a space replaces" in track(project, "README.md")


def test_recordings_with_equal_names_get_separate_tracks_and_an_index(project: Project, store: Store) -> None:
    paths = ["/a/rec.wav", "/b/rec.flac", "/b/REC.wav", "/c/CON.wav", "/c/صوت؟.wav"]
    for number, path in enumerate(paths):
        sound = Recording(path, f"{number}" * 64, 16_000, 1, 16_000, path)
        clip = Clip(sound.sha256, 0.0, 1.0)
        add(store, sound, clip, Verdict(clip, f"l{number}"))
    directory = Path(export(project, "audacity").written[0])
    with (directory / "tracks.csv").open(encoding="utf-8", newline="") as file:
        index = {row["path"]: row["track"] for row in csv.DictReader(file)}
    assert sorted(index) == sorted(paths) and len({name.casefold() for name in index.values()}) == len(paths)
    assert index["/a/rec.wav"] == "rec.txt" and index["/c/صوت؟.wav"] == "صوت؟.txt"
    for number, path in enumerate(paths):
        assert (directory / index[path]).read_text(encoding="utf-8").endswith(f"\tl{number}\n")


def test_recordings_called_as_files_of_the_product_get_folders_of_their_own(project: Project, store: Store) -> None:
    names = sorted({*OWN_FILES, *map(str.upper, OWN_FILES)})
    for number, name in enumerate(names):
        sound = Recording(f"/a/{name}.wav", f"{number:x}" * 64, 16_000, 1, 16_000, name)
        clip = Clip(sound.sha256, 0.0, 1.0)
        add(store, sound, clip, Verdict(clip, name))
    directory = Path(export(project, "audacity-by-label").written[0])
    with (directory / "tracks.csv").open(encoding="utf-8", newline="") as file:
        tracks = {row["label"]: row["track"] for row in csv.DictReader(file)}
    assert sorted(tracks) == names
    assert all((directory / track).read_text() == f"0.000000\t1.000000\t{name}\n" for name, track in tracks.items())
    entries = list(directory.iterdir())
    assert len({path.name.casefold() for path in entries}) == len(entries)
    assert {path.name for path in entries if path.is_file()} <= OWN_FILES


@given(st.lists(st.one_of(st.text(max_size=300), st.sampled_from(("../../x", "con", "..", "", "a", "A", "é", "é")))))
def test_file_names_are_safe_and_all_different(stems: list[str]) -> None:
    safe = safe_stems(stems)
    assert len({name.casefold() for name in safe}) == len(stems)
    for name in safe:
        assert name not in ("", ".", "..") and name[0] not in ".-" and not name.endswith((" ", "."))
        assert not any(letter in '<>:"/\\|?*' or ord(letter) < 32 for letter in name)
        assert len(name.encode()) < 200 and name.upper() not in ("CON", "NUL", "COM1")
