"""The JSON of the commands that people script: its keys are promised and stay, whatever the code calls them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from helpers.command_line import labeltool_json
from helpers.pretrained import onnx, onnx_weights, rising
from helpers.store import add_model_row, fill, replace_suggestions
from helpers.whisper import write_whisper
from labeltool.project import Project
from labeltool.records import Segment, Suggestion, Transcript, Value, Word
from labeltool.store import Store, journal, transcripts
from labeltool.store.text_journal.lines import export_lines

ROW = {
    *("id", "kind", "clip_id", "label", "value", "new_label", "note", "revokes", "annotator", "origin", "took_ms"),
    *("said_at", "act", "together", "revoked"),
}
CLIP = {"clip", "file", "start_s", "end_s", "present", "absent", "unsure", "answered"}
IMPORTED = {"recordings", "clips", "verdicts", "checked", "suggestions", "already_there", "skipped", "failed", "notes"}


@pytest.fixture
def run(project: Project) -> Callable[..., Any]:
    """Run a command on the project and return its JSON."""
    return lambda *arguments: labeltool_json(project, *arguments)


@pytest.fixture
def labelled(store: Store) -> Store:
    """Two clips: the first labelled a dog that the model takes for a cat, the second unlabelled with a transcript."""
    fill(store, "a", "b")
    model_id = add_model_row(store)
    replace_suggestions(store, [Suggestion(clip_id, model_id, {"cat": 0.9, "dog": 0.1}) for clip_id in (1, 2)])
    journal.annotate(store, 1, "dog", annotator="ann")
    journal.annotate(store, 1, "owl", Value.ABSENT, annotator="ann")
    words = (Word(0.0, 0.5, "fire", 0.9),)
    transcripts.save(store, Transcript(2, "tiny", "ab", "en", 0.9, (Segment(0.0, 1.0, "fire", words),), "{}"))
    return store


def test_status(labelled: Store, run: Callable[..., Any]) -> None:
    found = run("status")
    assert found.pop("hours") == {"labelled": pytest.approx(1 / 3600), "all": pytest.approx(2 / 3600)}
    assert found == {
        **{"recordings": 2, "clips": 2, "labelled": 1, "unlabelled": 1, "set_aside": 0, "labels": {"dog": 1, "owl": 0}},
        **{"model": 1, "pending_retrain": 1},
        "suggests": {"model": 1, "ear": None, "clip_accuracy": None, "why": None},  # promised name
        "suggester": {"kind": "network", "name": "model 1", "labels": 1, "pending": 1, "rest": None},
        "remote": None,
        "read_only": None,
    }


def test_mark_log_undo_and_redo(labelled: Store, run: Callable[..., Any]) -> None:
    marked = run("mark", "2", "cat")
    assert marked == {"row": marked["row"], "clip": 2, "label": "cat", "value": "present"}
    assert [set(row) for row in run("log", "--limit", "1")["rows"]] == [ROW]
    undone, redone = run("undo"), run("redo")
    assert (undone.keys(), redone.keys()) == ({"undone"}, {"redone"})
    assert set(undone["undone"]) == set(redone["redone"]) == ROW
    assert run("redo") == {"redone": None}


def test_clips_and_review(labelled: Store, run: Callable[..., Any]) -> None:
    listed = run("clips", "--limit", "1")
    assert (listed.keys(), listed["matching"]) == ({"matching", "clips"}, 2)
    assert set(listed["clips"][0]) == CLIP | {"fold", "suggestion", "probability"}
    assert listed["clips"][0]["answered"] is True
    reviewed = run("review")
    assert (reviewed.keys(), reviewed["doubtful"]) == ({"doubtful", "clips"}, 1)
    assert [set(one) for one in reviewed["clips"]] == [{"clip", "label", "value", "reason"}]


def test_stats_and_relocate(labelled: Store, run: Callable[..., Any], tmp_path: Path) -> None:
    answers = {"answers", "clips_per_minute", "median_ms", "suggested", "first_right"}
    assert run("stats").keys() == answers | {"labels_saved", "agreement"}
    assert run("relocate", tmp_path) == {"relocated": 0, "missing": 2}


def test_transcripts(labelled: Store, run: Callable[..., Any]) -> None:
    found = run("transcripts", "fire")
    assert (found.keys(), found["matching"]) == ({"matching", "transcripts"}, 1)
    assert set(found["transcripts"][0]) == {
        *("clip", "file", "start_s", "end_s", "at_s", "text", "language", "language_probability"),
        *("model", "model_sha256", "made_at", "segments"),
    }
    (segment,) = found["transcripts"][0]["segments"]
    assert segment == {
        **{"start_s": 0.0, "end_s": 1.0, "text": "fire"},
        "words": [{"start_s": 0.0, "end_s": 0.5, "text": "fire", "probability": 0.9}],
    }


def test_transcribe(run: Callable[..., Any], write_tone: Callable[..., Path], tmp_path: Path) -> None:
    run("import", "audio", write_tone("a.wav"))
    found = run("transcribe", "--all", "--model", write_whisper(tmp_path / "whisper"))
    assert found.keys() == {
        *("model", "model_sha256", "clips", "transcribed", "kept", "silent", "heard_s", "seconds", "left_out"),
    }


def test_imports(run: Callable[..., Any], write_tone: Callable[..., Path], tmp_path: Path) -> None:
    write_tone("a.wav", seconds=2.0)
    track = tmp_path / "a.txt"
    track.write_text("0.0\t1.0\tdog\nno label\n")
    read = run("import", "audacity", track, "--dry-run")
    assert read.keys() == {"recordings", "clips", "verdicts", "skipped", "failed", "notes", "rows"}
    assert list(read["rows"][0])[:9] == [
        *("file", "line", "track", "start_s", "end_s", "label", "low_hz", "high_hz", "confidence"),
    ]
    imported = run("import", "audacity", track)
    assert (imported.keys(), imported["verdicts"]) == (IMPORTED, 1)
    assert [set(one) for one in imported["skipped"]] == [{"file", "line", "reason"}]
    assert run("import", "audio", tmp_path / "a.wav").keys() == IMPORTED


def test_remove_and_journal_import(labelled: Store, run: Callable[..., Any], tmp_path: Path) -> None:
    removed, brought_back = run("remove", "a.wav"), run("remove", "--undo", "a.wav")
    assert removed == {"removed": ["/sounds/a.wav"], "failed": []}
    assert brought_back == {"brought_back": ["/sounds/a.wav"], "failed": []}
    (tmp_path / "labels.jsonl").write_bytes(next(export_lines(labelled)))
    assert run("journal", "import", tmp_path / "labels.jsonl").keys() == {
        *("recordings", "clips", "rows", "verdicts", "missing", "already_there", "skipped", "notes"),
    }


def test_similar(run: Callable[..., Any], write_tone: Callable[..., Path], tmp_path: Path) -> None:
    run("import", "audio", *(write_tone(f"{hz}.wav", frequency_hz=hz) for hz in (400, 500, 3000)))
    found = run("similar", "400.wav", "--limit", "1")
    assert (found.keys(), found["clip"]) == ({"by", "clip", "clips"}, 1)
    assert [set(one) for one in found["clips"]] == [CLIP | {"distance"}]
    grouped = run("similar", "--clusters", "2", "--map", tmp_path / "map.png")
    assert grouped.keys() == {"by", "clusters", "map", "drawn"}
    assert set(grouped["clusters"][0]) == {"clip", "file", "start_s", "end_s", "clips", "size"}


def test_pretrained_models(run: Callable[..., Any], write_tone: Callable[..., Path], tmp_path: Path) -> None:
    file = tmp_path / "net.onnx"
    file.write_bytes(onnx(onnx_weights(rising(8000, 3)), shape=[1, 8000], classes=3))
    (tmp_path / "classes.txt").write_text("dog\ncat\nowl\n")
    added = run("model", "add", file, "--rate", "16000", "--labels", tmp_path / "classes.txt")
    assert added.keys() == {
        *("name", "added", "classes", "rate_hz", "window", "activation", "embedding", "folder", "suggests"),
    }
    listed = run("model", "list")
    assert listed.keys() == {"ears"}  # promised name
    assert set(listed["ears"][0]) == {  # promised name
        *("name", "ear_version", "files", "rate_hz", "window", "shape", "scores", "activation", "embedding"),
        *("frontend", "standardised", "classes"),
    }
    run("import", "audio", write_tone("a.wav"))
    run("mark", "1", "dog")
    mapped = run("model", "map", "net")
    assert (mapped.keys(), mapped["ear"]) == ({"ear", "file", "written", "labels", "left_out"}, "net")  # promised name
    assert mapped["labels"] == [{"label": "dog", "classes": ["dog"], "from": mapped["labels"][0]["from"]}]
    classified = run("classify", write_tone("b.wav"), "--model", "net")
    assert {"file", "scores", "windows"} <= classified.keys()
    assert set(classified["scores"][0]) == {"label", "index", "score"}


def test_export(project: Project, run: Callable[..., Any], write_tone: Callable[..., Path]) -> None:
    run("import", "audio", write_tone("a.wav"))
    run("mark", "1", "dog")
    found = run("export", "--audacity")
    assert found == {
        "written": [str(project.exports / "audacity")],
        "model": None,
        "int8_clip_accuracy": None,
        "better_model": "",
        "lost": {"audacity": 0},
        "skipped": [],
        "notes": [],
    }
