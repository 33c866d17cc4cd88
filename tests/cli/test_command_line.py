"""The command line as a user meets it: light, data on stdout, the commands for labels and recordings."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from helpers.command_line import HEAVY, contents, labeltool, labeltool_here, labeltool_json
from helpers.waits import DEADLINE_S
from labeltool.project import Project


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["status"], ["import", "--help"], ["export", "--help"], ["log"], ["retrain", "--help"]],
)
def test_light_commands_load_nothing_heavy(project: Project, arguments: list[str]) -> None:
    program = f"""
import atexit, sys
sys.argv = ["labeltool", "--project", {str(project.directory)!r}, *{arguments!r}]
atexit.register(lambda: print("LOADED", *sorted({HEAVY!r} & set(sys.modules))))
from labeltool.cli.main import main
main()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=DEADLINE_S)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "LOADED"


def test_importing_loads_nothing_heavy_either(project: Project, write_tone: Callable[..., Path]) -> None:
    tone = write_tone("a.wav")
    program = f"""
import sys
from labeltool.cli.main import cli
cli.main(["--project", {str(project.directory)!r}, "import", "audio", {str(tone)!r}], standalone_mode=False)
print("LOADED", *sorted({HEAVY!r} & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=DEADLINE_S, check=True
    )
    assert done.stdout.splitlines()[-1] == "LOADED"


def test_what_a_library_prints_is_not_on_stderr_and_the_lines_of_the_tool_are(project: Project) -> None:
    sound = project.directory / "tagged.mp3"
    soundfile.write(sound, np.random.default_rng(1).normal(0, 0.1, 16_000), 16_000)
    comment = b"COMM\0\0\0\3\0\0\1xy"  # libmpg123: "Invalid frame size of 3 (too small for anything)."
    sound.write_bytes(b"ID3\3\0\0\0\0\0" + bytes([len(comment)]) + comment + sound.read_bytes())
    arguments = ("import", "audio", sound, project.directory / "missing.wav")
    done = labeltool(project, *arguments, check=1)
    assert "missing.wav" in done.stderr and "libmpg123" not in done.stderr
    sound.touch()  # what was read of a file that has not changed is kept
    shown = labeltool(project, *arguments, check=1, LABELTOOL_DEBUG="1")
    assert "libmpg123" in shown.stderr


def test_what_is_imported_again_is_counted_by_kind(project: Project, write_tone: Callable[..., Path]) -> None:
    command = (project, "import", "audio", write_tone("dawn.wav"))
    labeltool_here(*command)
    assert "nothing new imported; 1 recording, 1 clip already there" in labeltool_here(*command).stderr


def test_a_new_label_is_named_as_new_with_the_one_that_may_have_been_meant(
    project: Project, write_tone: Callable[..., Path]
) -> None:
    labeltool_here(project, "import", "audio", write_tone("a.wav"), write_tone("b.wav"))
    lines = [labeltool_here(project, "mark", "1", name).stderr for name in ("bird", "bird", "brid", "siren")]
    assert lines == [
        "clip 1: 'bird' present, a new label\n",
        "clip 1: 'bird' present\n",
        "clip 1: 'brid' present, a new label (did you mean 'bird'? `labeltool undo`)\n",
        "clip 1: 'siren' present, a new label\n",
    ]


def test_mark_undo_log_and_rename_walk_together(project: Project, write_tone: Callable[..., Path]) -> None:
    labeltool_here(project, "import", "audio", write_tone("a.wav"), write_tone("b.wav"))
    marked = labeltool_json(project, "mark", "a.wav", "a[/]b")
    assert marked["value"] == "present"
    labeltool_here(project, "mark", "2", "dog", "--absent")
    labeltool_here(project, "mark", "2", "--unsure", "--annotator", "bob")
    status = labeltool_json(project, "status")
    assert status["labels"] == {"a[/]b": 1, "dog": 0}
    assert (status["labelled"], status["unlabelled"], status["model"], status["pending_retrain"]) == (2, 0, None, 2)
    labeltool_here(project, "rename", "a[/]b", "cat")
    assert labeltool_json(project, "undo")["undone"]["kind"] == "rename"
    assert labeltool_json(project, "undo")["undone"]["label"] == "dog"
    kinds = [row["kind"] for row in labeltool_json(project, "log")["rows"]]
    assert kinds == ["revoke", "revoke", "rename", "verdict", "verdict", "verdict"]


def test_a_recording_is_marked_as_checked_by_its_file_or_a_clip(
    project: Project, write_tone: Callable[..., Path]
) -> None:
    labeltool_here(project, "import", "audio", write_tone("a.wav"))
    marked = labeltool_json(project, "mark", "a.wav", "--checked")
    assert Path(marked["recording"]).name == "a.wav" and marked["checked"]
    assert "clip 1: checked" in labeltool_here(project, "log").stdout
    assert labeltool_json(project, "mark", "1", "--unchecked")["checked"] is False
    assert "not marked as checked" in labeltool_here(project, "mark", "1", "--unchecked", check=1).stderr
    for other in (["dog"], ["--start", "0.1"], ["--end", "0.2"]):
        assert "--checked and --unchecked" in labeltool_here(project, "mark", "1", *other, "--checked", check=2).stderr


def test_a_complete_label_track_is_imported_as_checked(project: Project, write_tone: Callable[..., Path]) -> None:
    sound = write_tone("a.wav", seconds=3.0)
    track = sound.with_suffix(".txt")
    track.write_text("1.0\t2.0\tdog\n")
    labeltool_here(project, "import", "audacity", track)
    assert labeltool_json(project, "import", "audacity", track, "--checked")["checked"] == 1
    assert "nothing new" in labeltool_here(project, "import", "audacity", track, "--checked").stderr
    assert [clip["start_s"] for clip in labeltool_json(project, "clips")["clips"]] == [1.0]


def test_project_may_stand_before_or_after_the_command(project: Project) -> None:
    assert labeltool_here("status", project, "--json").stdout == (labeltool_here(project, "status", "--json").stdout)


def test_moved_recordings_are_found_by_their_content(
    project: Project, write_tone: Callable[..., Path], tmp_path: Path
) -> None:
    tone = write_tone("old/a.wav")
    labeltool_here(project, "import", "audio", tone)
    (tmp_path / "new").mkdir()
    tone.rename(tmp_path / "new" / "another name.wav")
    found = labeltool_json(project, "relocate", tmp_path / "new")
    assert found == {"relocated": 1, "missing": 0}
    assert labeltool_json(project, "mark", "another name.wav", "dog")["clip"] == 1


def test_a_recording_whose_file_was_replaced_is_found_elsewhere(
    project: Project, write_tone: Callable[..., Path], tmp_path: Path
) -> None:
    tone = write_tone("old/a.wav")
    labeltool_here(project, "import", "audio", tone)
    (tmp_path / "new").mkdir()
    tone.rename(tmp_path / "new" / "b.wav")
    write_tone("old/a.wav", frequency_hz=2000)
    assert labeltool_json(project, "relocate", tmp_path) == {"relocated": 1, "missing": 0}
    assert labeltool_json(project, "mark", "b.wav", "dog")["clip"] == 1


def test_init_leaves_an_existing_project_alone(project: Project) -> None:
    before = contents(project)
    assert "already" in labeltool_here("init", project.directory, check=1).stderr
    assert contents(project) == before
