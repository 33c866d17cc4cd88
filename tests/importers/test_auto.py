"""Files and folders are known by their content, and what nobody reads is named."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from helpers.audacity_project import project_file
from helpers.command_line import labeltool_here
from helpers.records import of_kind
from labeltool import project as projects
from labeltool.audio.remote import fetching
from labeltool.errors import LabeltoolError
from labeltool.importers import audio_files, auto, folders
from labeltool.importers.registry import FORMATS
from labeltool.project import Project
from labeltool.records import Clip, Failed, Note, Recording, Skipped, Verdict

WriteTone = Callable[..., Path]


def field_season(folder: Path, write_tone: WriteTone) -> None:
    for name in ("dawn", "noon", "dusk", "rain", "night"):
        write_tone(f"sounds/{name}.wav", seconds=3.0)
    (folder / "labels").mkdir()
    (folder / "labels/dawn.txt").write_text("0.0\t1.0\twren\n")
    (folder / "labels/noon.Table.1.selections.txt").write_text(
        "Selection\tView\tBegin Time (s)\tEnd Time (s)\tSpecies\n1\tSpectrogram 1\t1\t2\trobin\n"
    )
    (folder / "labels/all.csv").write_text("file;start;end;label\ndusk.WAV;0,5;1,5;owl\n")
    project_file(folder / "labels/rain.aup3", [{"t": 1.0, "t1": 2.0, "title": "frog"}])
    (folder / "notes.txt").write_text("call the ranger\n")
    (folder / "map.pdf").write_bytes(b"%PDF-1.4")


def test_what_each_file_was_taken_for_is_named_and_its_sound_found(tmp_path: Path, write_tone: WriteTone) -> None:
    field_season(tmp_path, write_tone)
    records = list(auto.read([tmp_path]))
    labels = {one.label for one in of_kind(records, Verdict)}
    assert labels == {"wren", "robin", "owl", "frog"}
    assert {Path(one.path).stem for one in of_kind(records, Recording)} == {"dawn", "noon", "dusk", "rain", "night"}
    notes = {Path(one.file).name: one.reason for one in of_kind(records, Note)}
    assert notes == {
        "dawn.txt": "taken for: a label track",
        "noon.Table.1.selections.txt": "taken for: a selection table of Raven",
        "all.csv": "taken for: a table of labels",
        "rain.aup3": "taken for: a project of Audacity 3 or 4",
        tmp_path.name: "taken for: 1 recording without labels",
    }
    assert {Path(one.file).name for one in of_kind(records, Skipped) if "not taken" in one.reason} == {
        *("notes.txt", "map.pdf")
    }


@pytest.mark.parametrize("name", ["README.txt", "urls.csv", "urls.tsv"])
def test_a_list_of_urls_below_a_folder_is_reported_and_changes_nothing(
    tmp_path: Path, write_tone: WriteTone, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def requested(*_: object) -> None:
        raise AssertionError("a server got a request")

    monkeypatch.setattr(fetching, "files", requested)
    monkeypatch.setattr(fetching, "find", requested)
    for label in ("cat", "dog"):
        write_tone(f"{label}/a.wav", frequency_hz=300 + ord(label[0]))
    (tmp_path / name).write_text("https://example.org/sounds/a.wav\n")
    records = list(auto.read([tmp_path]))
    assert {one.label for one in of_kind(records, Verdict)} == {"cat", "dog"}
    assert [one.reason for one in of_kind(records, Skipped) if one.file == str(tmp_path / name)] == [
        "not taken: is a list of URLs; `labeltool import audio FILE` imports what it lists"
    ]


def test_a_table_below_a_folder_makes_nobody_ask_a_server(
    tmp_path: Path, write_tone: WriteTone, monkeypatch: pytest.MonkeyPatch
) -> None:
    requested: list[str] = []
    monkeypatch.setattr(fetching, "find", lambda url, **_: requested.append(url))
    write_tone("a.wav", seconds=1.0)
    rows = "file,start,end,label\nhttps://example.org/b.wav,0,1,owl\na.wav,0,1,wren\n"
    (tmp_path / "labels.csv").write_text(rows)
    records = list(auto.read([tmp_path]))
    assert {one.label for one in of_kind(records, Verdict)} == {"wren"} and not requested
    assert any("is a URL" in one.reason for one in of_kind(records, Skipped))


@pytest.mark.parametrize(
    ("name", "text", "is_taken"),
    [
        ("urls.txt", "# two\nhttps://example.org/a.wav\n\n https://example.org/b.wav\n", True),
        ("urls.txt", "https://example.org/a.wav\n" * 4000, True),
        ("urls.txt", "# none\n", False),
        ("urls.csv", "url;licence\nhttps://example.org/a.wav;CC0\n", True),
        ("urls.csv", "url\nhttps://example.org/a.wav\nb.wav\n", False),
        ("README.txt", "Recordings of\nhttps://example.org/a.wav\n", False),
        ("urls.md", "https://example.org/a.wav\n", False),
    ],
)
def test_a_list_that_is_named_has_nothing_but_urls(tmp_path: Path, name: str, text: str, is_taken: bool) -> None:
    (tmp_path / name).write_text(text)
    (found,) = auto.sources([tmp_path / name])
    assert isinstance(found, auto.KnownSource) is is_taken


def test_folders_called_after_what_sounds_in_them_are_labels(tmp_path: Path, write_tone: WriteTone) -> None:
    for name in ("dog/a.wav", "cat/b.wav", "cat/deep/c.wav"):
        write_tone(name, frequency_hz=300 + 10 * len(name) + ord(name[-5]))
    records = list(auto.read([tmp_path]))
    assert sorted(one.label for one in of_kind(records, Verdict)) == ["cat", "cat", "dog"]
    assert [one.reason for one in of_kind(records, Note)] == ["taken for: a folder of sounds for each label"]
    (tmp_path / "dog").rename(tmp_path / "site-01")
    assert of_kind(auto.read([tmp_path]), Verdict) == [] and len(of_kind(auto.read([tmp_path]), Clip)) == 3


def test_parts_of_a_split_are_no_labels(tmp_path: Path, write_tone: WriteTone) -> None:
    for name in ("train/dog/a.wav", "test/cat/b.wav", "c.wav"):
        write_tone(name)
    parsed = folders.parse(tmp_path)
    assert parsed.rows[["label", "split"]].to_numpy().tolist() == [["cat", "test"], ["dog", "train"]]
    assert ["no folder of a label" in one.reason for one in parsed.skipped] == [True]
    for wrong in (tmp_path / "c.wav", tmp_path / "none", tmp_path / "train/dog"):
        with pytest.raises(LabeltoolError) as caught:
            folders.parse(wrong)
        assert caught.value.file == str(wrong)


def test_one_bad_file_does_not_stop_the_others_and_nothing_taken_is_an_error(
    tmp_path: Path, write_tone: WriteTone
) -> None:
    sound = write_tone("good.wav", seconds=3.0)
    (tmp_path / "good.txt").write_text("1\t2\twren\n")
    (tmp_path / "alone.txt").write_text("1\t2\twren\n")
    records = list(auto.read([tmp_path / "good.txt", tmp_path / "alone.txt", tmp_path / "none.txt", sound]))
    assert len(of_kind(records, Verdict)) == 1
    failed = {Path(one.file).name: one.reason for one in of_kind(records, Failed)}
    assert failed.keys() == {"alone.txt", "none.txt"} and failed["none.txt"] == "not taken: no such file"
    (tmp_path / "notes.txt").write_text("call the ranger\n")
    for paths in ([tmp_path / "notes.txt"], [tmp_path / "none.txt"]):
        with pytest.raises(LabeltoolError, match="nothing was taken"):
            list(auto.read(paths))


def test_a_file_that_cannot_be_read_failed_and_the_reason_is_named(tmp_path: Path) -> None:
    (tmp_path / "around.csv").symlink_to("around.csv")
    (tmp_path / "empty.csv").touch()
    os.mkfifo(tmp_path / "pipe.csv")
    found = {Path(one.file).name: one for one in auto.sources([tmp_path]) if isinstance(one, Skipped)}
    assert found["around.csv"].reason.startswith("not taken: cannot be read: Too many levels")
    assert isinstance(found["around.csv"], Failed) and not isinstance(found["empty.csv"], Failed)
    assert found["empty.csv"].reason == "not taken: is empty"
    assert found["pipe.csv"].reason == "not taken: is not a regular file"


def test_a_project_among_the_sounds_is_searched_without_its_own_folders(tmp_path: Path, write_tone: WriteTone) -> None:
    for number, name in enumerate(("dog/a.wav", "cat/b.wav")):
        write_tone(name, frequency_hz=300 + 50 * number)
    sounds = {tmp_path / "dog/a.wav", tmp_path / "cat/b.wav"}
    made = projects.create(tmp_path)
    for number, folder in enumerate((made.exports / "clips/dog", made.own_cache)):
        write_tone(str(folder.relative_to(tmp_path) / "made.wav"), frequency_hz=500 + 50 * number)
    records = list(auto.read([tmp_path]))
    assert {Path(one.path) for one in of_kind(records, Recording)} == sounds
    assert {one.label for one in of_kind(records, Verdict)} == {"dog", "cat"}
    note = "is a project, whose own folders are not searched (exports); name one to import from it"
    assert [one.reason for one in of_kind(records, Skipped)] == ["taken for: a folder of sounds for each label", note]
    for read in (audio_files.read, FORMATS["folders"].read):
        records = list(read([tmp_path]))
        assert {Path(one.path) for one in of_kind(records, Recording)} == sounds
        assert [one.reason for one in of_kind(records, Note)] == [note]


def test_the_command_line_shows_and_imports(project: Project, tmp_path: Path, write_tone: WriteTone) -> None:
    field_season(tmp_path, write_tone)

    def run(*arguments: str | Path, code: int = 0) -> str:
        done = labeltool_here(project, "import", *arguments, check=code)
        return done.stdout + done.stderr

    shown = run("auto", tmp_path / "labels", tmp_path / "map.pdf", "--dry-run")
    assert "0.500000\t1.500000\towl" in shown and "not taken" in shown and "4 labels read" in shown
    done = run("auto", tmp_path)
    assert "4 labels" in done and "taken for: a selection table of Raven" in done
    run("auto", tmp_path / "map.pdf", code=1)
    (tmp_path / "empty.txt").write_text("")
    run("audacity", tmp_path / "empty.txt", code=1)
    table = tmp_path / "labels/all.csv"
    assert "nothing new" in run("table", table, "--audio", tmp_path / "sounds", "--column", "label=label", code=0)


def test_suggestions_and_what_an_export_lacks_are_no_labels(tmp_path: Path, write_tone: WriteTone) -> None:
    write_tone("a.wav")
    (tmp_path / "suggestions.csv").write_text(
        "path,recording_sha256,start_s,end_s,label,probability,model\na.wav,0f,0,1,dog,0.9,7\n"
    )
    (tmp_path / "not_exported.csv").write_text(
        "path,recording_sha256,start_s,end_s,label,value,exported,reason\na.wav,0f,0,1,dog,present,no,a point\n"
    )
    records = list(auto.read([tmp_path]))
    assert not of_kind(records, Verdict)
    skipped = {Path(one.file).name: one.reason for one in of_kind(records, Skipped) if "not taken" in one.reason}
    assert "what a model suggests" in skipped["suggestions.csv"]
    assert "what an export lacks" in skipped["not_exported.csv"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_in_a_folder_is_not_waited_for(tmp_path: Path, write_tone: WriteTone) -> None:
    write_tone("a.wav")
    for name in ("notes.txt", "b.wav"):
        os.mkfifo(tmp_path / name)
    skipped = {Path(one.file).name: one.reason for one in of_kind(list(auto.read([tmp_path])), Skipped)}
    assert skipped == {"notes.txt": "not taken: is not a regular file", "b.wav": "is not a regular file"} | {
        tmp_path.name: "taken for: 2 recordings without labels"
    }


def test_label_tracks_of_an_export_are_of_the_recordings_in_its_list(tmp_path: Path, write_tone: WriteTone) -> None:
    write_tone("dawn.wav")
    write_tone("a/dawn.wav", frequency_hz=500)
    for folder, names in {"ex": ("dawn.txt", "dawn-2.txt"), "by": ("dawn/owl.txt", "dawn-2/wren.txt")}.items():
        rows = "".join(
            f'"{name}","/x/{of}","0f","1"\n' for name, of in zip(names, ("a/dawn.wav", "dawn.wav"), strict=True)
        )
        for name, label in zip(names, ("owl", "wren"), strict=True):
            (tmp_path / folder / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / folder / name).write_text(f"0.1\t0.2\t{label}\n")
        (tmp_path / folder / "tracks.csv").write_text(f'"track","path","recording_sha256","regions"\n{rows}')
    records = list(auto.read([tmp_path]))
    paths = {one.sha256: Path(one.path).relative_to(tmp_path).as_posix() for one in of_kind(records, Recording)}
    found = [(one.label, paths[one.clip.recording_sha256]) for one in of_kind(records, Verdict)]
    assert sorted(found) == [("owl", "a/dawn.wav")] * 2 + [("wren", "dawn.wav")] * 2
    assert not of_kind(records, Failed)


def test_a_model_is_named_with_the_command_that_adds_it(tmp_path: Path) -> None:
    model = tmp_path / "yamnet.tflite"
    model.write_bytes(b"\x1c\0\0\0TFL3")
    with pytest.raises(LabeltoolError, match="labeltool model add"):
        list(auto.batches([model]))
