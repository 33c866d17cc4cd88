"""JAMS, Label Studio's JSON and soundevent's AOEF: what is a label is taken, everything else is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from helpers.records import of_kind, rows_of
from labeltool.errors import LabeltoolError
from labeltool.importers import json_file
from labeltool.importers.annotation_files import jams, label_studio, soundevent
from labeltool.importers.file_kinds import file_kind
from labeltool.importers.registry import FORMATS
from labeltool.records import Note, Verdict

Row = tuple[str | None, float | None, float | None, str, str | None]


def parsed(reader: ModuleType, path: Path, document: object) -> tuple[list[Row], list[str]]:
    """Return recording, start, end, label and track of each row, and the reasons of what was not taken."""
    path.write_text(json.dumps(document))
    got = reader.parse(path)
    rows = [(row.recording, row.start_s, row.end_s, row.label, row.track) for row in rows_of(got)]
    return rows, [("note: " if isinstance(one, Note) else "") + one.reason for one in got.skipped]


def observation(time: object, duration: object, value: object) -> dict[str, object]:
    return {"time": time, "duration": duration, "value": value, "confidence": 0.5}


def jams_file(*annotations: tuple[str, object]) -> dict[str, object]:
    listed = [{"namespace": namespace, "data": data} for namespace, data in annotations]
    return {"annotations": listed, "file_metadata": {"title": "marsh", "duration": 9.0, "artist": ""}}


def test_jams_has_labels_in_many_namespaces(tmp_path: Path) -> None:
    rows, skipped = parsed(
        jams,
        tmp_path / "x.jams",
        jams_file(
            ("scaper", [observation(1.5, 0.25, {"label": "siren", "role": "foreground"})]),
            ("segment_open", [observation(0.1, 0.2, "verse"), observation(1, -1, "bad"), observation("x", 1, "bad")]),
            ("tag_open", [observation(0, 0, "jazz"), observation(0.0, 9.0, "rock")]),
            ("beat", [observation(1, 0, 3), observation(2, 0, None)]),
            ("chord", {"time": [1.0], "duration": [2.0], "value": ["C:maj"], "confidence": [None]}),
        ),
    )
    assert rows == [
        (None, 1.5, 1.75, "siren", "scaper"),
        (None, 0.1, 0.3, "verse", "segment_open"),
        (None, None, None, "jazz", "tag_open"),
        (None, 0.0, 9.0, "rock", "tag_open"),
        (None, 1.0, 3.0, "C:maj", "chord"),
    ]
    assert skipped == [
        "annotation 2 ('segment_open'), observation 2 must have a time and a duration: 'bad'",
        "annotation 2 ('segment_open'), observation 3 must have a time and a duration: 'bad'",
        "annotation 4 ('beat') has no labels: 2 values are not taken",
    ]
    parsed_file = jams.parse(tmp_path / "x.jams")
    assert set(parsed_file.rows["title"]) == {"marsh"} and "artist" not in parsed_file.rows
    assert parsed_file.rows["confidence"].tolist()[:4] == [0.5] * 4


def test_the_soundscapes_of_scaper_are_read(real_data: Path) -> None:
    for path in sorted((real_data / "pairs" / "scaper").glob("*.jams")):
        got = jams.parse(path)
        assert got.skipped == []
        events = [(row.start_s, row.end_s, row.label) for row in rows_of(got)]
        lines = path.with_suffix(".txt").read_text().splitlines()
        listed = [(float(start), float(end), label) for start, end, label in (line.split("\t") for line in lines)]
        assert events[0] == (0.0, 10.0, "park")  # the background, which scaper's text leaves out
        assert [(start, round(end, 5), label) for start, end, label in events[1:]] == [
            (start, round(end, 5), label) for start, end, label in listed
        ]


def region(kind: str, labels: object, *, start: object = 1.0, end: object = 2.0, **value: object) -> dict[str, object]:
    times = {} if start is None else {"start": start, "end": end}
    return {"from_name": "sounds", "to_name": "audio", "type": kind, "value": {**times, kind: labels, **value}}


def task(sound: str, *results: dict[str, object], **more: object) -> dict[str, object]:
    annotations = [{"id": 5, "completed_by": 1, "result": list(results), "lead_time": 1.5}] if results else []
    return {"id": 1, "annotations": annotations, "data": {"audio": sound, "site": "marsh", "n": 3, "fold": 2}, **more}


def test_an_export_of_label_studio_is_read(tmp_path: Path) -> None:
    first = task(
        "/data/upload/3/0d93a737-dawn-1.wav",
        region("labels", ["wren", "robin"], channel=0, start=2.5, end=1.25),
        region("choices", ["rain"], start=None),
        region("choices", ["near"]),
        region("taxonomy", [["animal", "bird"]], start=None),
        region("audio", None),
        region("textarea", ["a wren"]),
        region("labels", ["a"], end=None),
        region("labels", ["name"], text="a word"),
        predictions=[{"result": [{}, {}], "score": 0.5}],
    )
    empty, skipped_task = task("b.wav"), task("c.wav", region("labels", ["x"]))
    skipped_task["annotations"][0]["was_cancelled"] = True  # type: ignore[index]
    old = {"data": {"audio": "d.wav"}, "completions": [{"result": [region("labels", ["owl"])]}]}
    rows, skipped = parsed(
        label_studio, tmp_path / "x.json", [first, empty, skipped_task, {"data": {"text": "x"}}, old]
    )
    assert rows == [
        ("dawn-1.wav", 1.25, 2.5, "wren", "sounds"),
        ("dawn-1.wav", 1.25, 2.5, "robin", "sounds"),
        ("dawn-1.wav", None, None, "rain", "sounds"),
        ("dawn-1.wav", 1.0, 2.0, "near", "sounds"),
        ("dawn-1.wav", None, None, "bird", "sounds"),
        ("dawn-1.wav", 1.0, 2.0, "", "sounds"),
        ("b.wav", None, None, "", None),
        ("c.wav", None, None, "", None),
        ("d.wav", 1.0, 2.0, "owl", "sounds"),
    ]
    assert skipped == [
        "task 1: a region of the type 'labels' has no times in the sound",
        "task 1: a region of the type 'labels' has no times in the sound",
        "task 3 was skipped by an annotator",
        "task 4 names no sound file",
        "regions of the type 'textarea' have no labels: 1 not taken",
        "note: 2 predictions of a model are not taken",
    ]
    own = label_studio.parse(tmp_path / "x.json").rows
    assert own["site"].tolist()[:1] == ["marsh"] and own["n"].tolist()[:1] == ["3"] and own["fold"].isna().all()


def test_the_short_export_of_label_studio_is_read(tmp_path: Path) -> None:
    record = {
        "audio": "a.wav",
        "site": "marsh",
        "id": 7,
        "sounds": [{"start": 1.5, "end": 2.5, "channel": 0, "labels": ["wren", "robin"]}],
        "weather": "rain",
        "who": [{"choices": ["Ann", "Bob"]}],
        "words": [{"start": 1, "end": 2, "text": ["hello"]}],
        "annotator": 1,
        "annotation_id": 3,
        "created_at": "2026-01-01",
    }
    rows, skipped = parsed(label_studio, tmp_path / "x.json", [record])
    assert rows == [
        ("a.wav", 1.5, 2.5, "wren", "sounds"),
        ("a.wav", 1.5, 2.5, "robin", "sounds"),
        ("a.wav", None, None, "rain", "weather"),
        ("a.wav", None, None, "Ann", "who"),
        ("a.wav", None, None, "Bob", "who"),
    ]
    assert skipped == [
        "regions of the type 'text' have no labels: 1 not taken",
        "note: 'weather' is taken as labels: where it is a text, export as JSON, not JSON-MIN",
    ]
    assert label_studio.parse(tmp_path / "x.json").rows["site"].tolist() == ["marsh"] * 5


@pytest.mark.parametrize("document", [{"data": {"audio": "a.wav"}}, [{"id": 4, "data": {"audio": "a.wav"}}]])
def test_tasks_are_recordings_to_label(tmp_path: Path, document: object) -> None:
    rows, skipped = parsed(label_studio, tmp_path / "x.json", document)
    assert rows == [("a.wav", None, None, "", None)] and skipped == []
    assert parsed(label_studio, tmp_path / "y.json", [{"audio": "a.wav"}])[0] == rows
    for name in ("x.json", "y.json"):
        kind = file_kind(tmp_path / name)
        assert kind is not None and kind.importer == "label-studio"


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("/data/local-files/?d=a%20c/b%2B.wav", "a c/b+.wav"),
        ("/data/upload/1/abcd1234-name.wav", "name.wav"),
        ("http://localhost:8080/data/upload/12/abcd1234-1-2.WAV?x=1", "1-2.WAV"),
        ("/storage-data/uploaded/?filepath=upload/1/abcd1234-name.wav", "name.wav"),
        ("s3://bucket/north/1%202.wav", "north/1 2.wav"),
        ("https://host.org/p/q.mp3?token=a", "p/q.mp3"),
        ("abcd1234-name.wav", "abcd1234-name.wav"),
        ("C:\\sounds\\what? #1.wav", "C:\\sounds\\what? #1.wav"),
    ],
)
def test_the_name_of_a_sound_is_found_in_its_url(tmp_path: Path, url: str, name: str) -> None:
    rows, _ = parsed(label_studio, tmp_path / "x.json", [{"data": {"audio": url, "original": "x/other.wav"}}])
    assert rows[0][0] == name  # it stands in the usual field, or is the only URL
    assert parsed(label_studio, tmp_path / "x.json", [{"data": {"audio": url}}])[0][0][0] == name


@pytest.mark.parametrize(
    "url", ["http://[", "data:audio/wav;base64,AAAA", "x" * 5000 + ".wav", "/data/?" + "a=1&" * 99]
)
def test_a_task_without_a_name_of_a_sound_is_named(tmp_path: Path, url: str) -> None:
    with pytest.raises(LabeltoolError, match="or of another medium: task 1 names no sound file"):
        parsed(label_studio, tmp_path / "x.json", [{"data": {"audio": url}}])
    rows, skipped = parsed(label_studio, tmp_path / "x.json", [{"data": {"audio": url}}, {"data": {"audio": "a.wav"}}])
    assert len(rows) == 1 and skipped == ["task 1 names no sound file"]
    rows, skipped = parsed(
        label_studio, tmp_path / "x.json", [{"data": {"a": "1.wav", "b": "2.wav"}}, {"audio": "a.wav"}]
    )
    assert len(rows) == 1 and skipped == ["task 1 names several sound files: '1.wav', '2.wav'"]


def test_a_file_with_a_thousand_names_for_metadata_is_no_table_of_a_million(tmp_path: Path) -> None:
    tasks = [{"data": {"audio": "a.wav", f"field {number}": "x"}} for number in range(1000)]
    (tmp_path / "x.json").write_text(json.dumps(tasks))
    assert len(label_studio.parse(tmp_path / "x.json").rows.columns) < 100


RECORDING = {"uuid": "r", "path": "audio/a.wav", "duration": 9.0, "rights": "CC BY", "latitude": 1.5}


def aoef(*geometries: tuple[str, Any], **more: object) -> dict[str, object]:
    numbers = range(len(geometries))
    return {
        "version": "1.1.0",
        "data": {
            "collection_type": "annotation_set",
            "tags": [{"id": 0, "key": "species", "value": "wren"}, {"id": 1, "key": "call", "value": "song"}],
            "recordings": [RECORDING],
            "clips": [{"uuid": "c", "recording": "r", "start_time": 0.0, "end_time": 5.0}],
            "sound_events": [
                {"uuid": f"e{number}", "recording": "r", "geometry": {"type": kind, "coordinates": coordinates}}
                for number, (kind, coordinates) in zip(numbers, geometries, strict=True)
            ],
            "sound_event_annotations": [{"sound_event": f"e{number}", "tags": [0]} for number in numbers],
            **more,
        },
    }


def test_sound_events_and_clips_of_soundevent_are_read(tmp_path: Path) -> None:
    box, polygon = ("BoundingBox", [1, 1000, 2, 4000]), ("Polygon", [[[3, 500], [4, 900], [3, 500]]])
    clips = [{"clip": "c", "tags": [0, 1, 7]}, {"clip": "c", "tags": []}]
    document = aoef(
        box,
        polygon,
        ("TimeStamp", 4.0),
        ("TimeInterval", [5, 6]),
        ("Odd", None),
        clip_annotations=clips,
        predictions=[{}],
    )
    rows, skipped = parsed(soundevent, tmp_path / "x.json", document)
    assert rows == [
        ("audio/a.wav", 1.0, 2.0, "wren", "species"),
        ("audio/a.wav", 3.0, 4.0, "wren", "species"),
        ("audio/a.wav", 4.0, 4.0, "wren", "species"),
        ("audio/a.wav", 5.0, 6.0, "wren", "species"),
        ("audio/a.wav", 0.0, 5.0, "wren", "species"),
        ("audio/a.wav", 0.0, 5.0, "song", "call"),
        ("audio/a.wav", 0.0, 5.0, "", None),
    ]
    assert skipped == ["annotation 5 has no recording, or no times"]
    table = soundevent.parse(tmp_path / "x.json").rows
    assert table["low_hz"].tolist()[:2] == [1000.0, 500.0] and table["high_hz"].tolist()[:2] == [4000.0, 900.0]
    assert set(table["licence"]) == {"CC BY"} and set(table["latitude"]) == {"1.5"}


def test_a_data_set_of_soundevent_is_recordings_to_label(tmp_path: Path) -> None:
    document = {"data": {"collection_type": "dataset", "recordings": [RECORDING], "sound_event_predictions": [{}, {}]}}
    rows, skipped = parsed(soundevent, tmp_path / "x.json", document)
    assert rows == [("audio/a.wav", None, None, "", None)]
    assert skipped == ["note: 2 predictions of a model are not taken"]
    parsed(soundevent, tmp_path / "x.json", aoef(recordings=[{**RECORDING, "date": "\ud800", "latitude": 5}]))
    (row,) = rows_of(soundevent.parse(tmp_path / "x.json"))
    assert (row.date, row.latitude) == ("?", "5")


@pytest.mark.parametrize("reader", [jams, label_studio, soundevent])
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'{"annotations": [', r"x:1: is damaged JSON"),
        (b'{\n"a": 1,\n]', r"x:3: is damaged JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a": ' + b"9" * 5000 + b"}", "is not a"),
        (b"1.0\t2.0\twren\n", "is not a"),
        (b"%PDF-1.4", "is a PDF, not a"),
        (b"null", "is not a"),
        (b"[]", "is not a"),
        (b"[null, 3, [{}]]", "is not a"),
        (b'{"data": {"recordings": [null, {"path": 3}]}, "annotations": {}}', "is not a"),
        (b"\xff\x00\x01", "binary data"),
    ],
)
def test_what_is_something_else_is_one_line(tmp_path: Path, reader: ModuleType, content: bytes, reason: str) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(LabeltoolError, match=reason) as caught:
        reader.parse(tmp_path / "x")
    assert "\n" not in str(caught.value)


def test_labels_that_no_other_program_takes_are_mended(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text(
        '{"annotations": [{"namespace": "tag_open", "data": [{"time": 0, "duration": 1, "value": "a\\ud800\\u0000"}]}]}'
    )
    assert [row.label for row in rows_of(jams.parse(path))] == ["a??"]


def test_a_short_text_that_names_many_labels_takes_no_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_file, "_MAX_FIELDS", 1000)
    monkeypatch.setattr(json_file, "_MAX_SKIPPED", 100)
    many: list[tuple[ModuleType, object]] = [
        (jams, jams_file(("tag_open", [observation(0, 1, "a")] * 1000))),
        (jams, jams_file(("tag_open", [observation(0, 1, "a"), *[{}] * 1000]))),
        (label_studio, [task("a.wav", region("labels", ["a"] * 1000))]),
        (label_studio, [task("a.wav"), *[{}] * 1000]),
        (soundevent, aoef(clip_annotations=[{"clip": "c", "tags": [0] * 1000}])),
        (soundevent, aoef(clip_annotations=[{"clip": "x", "tags": [0]}] * 1000)),
    ]
    for reader, document in many:
        with pytest.raises(LabeltoolError, match="has more than"):
            parsed(reader, tmp_path / "x", document)


def test_a_sound_that_was_uploaded_is_found_beside_its_export(tmp_path: Path, write_tone: Callable[..., Path]) -> None:
    write_tone("sounds/dawn 1.wav", seconds=3.0)
    export = tmp_path / "export.json"
    export.write_text(json.dumps([task("/data/upload/3/0d93a737-dawn%201.wav", region("labels", ["wren"]))]))
    (verdict,) = of_kind(FORMATS["label-studio"].read([export]), Verdict)
    assert (verdict.label, verdict.start_s, verdict.end_s, verdict.track) == ("wren", 1.0, 2.0, "sounds")
