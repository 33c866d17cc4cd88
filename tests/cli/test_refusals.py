"""What the command line refuses: bad files, wrong calls and nonsense are one line each, and store nothing."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from helpers.command_line import commands, contents, labeltool, labeltool_here, labeltool_json
from helpers.read_only import small_disk
from helpers.waits import DEADLINE_S
from labeltool.cli.common import Whole, narrate
from labeltool.cli.main import cli
from labeltool.project import Project
from labeltool.store import schema


@pytest.fixture
def bad_inputs(tmp_path: Path) -> Path:
    folder = tmp_path / "bad"
    (folder / "directory.wav").mkdir(parents=True)
    (folder / "text.wav").write_text("This is no sound.\n" * 100)
    # A header that promises no samples.
    (folder / "empty.wav").write_bytes(
        b"RIFF$\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x80>\0\0\0}\0\0\x02\0\x10\0data\0\0\0\0"
    )
    (folder / "nothing.wav").write_bytes(b"")
    (folder / "noise.txt").write_bytes(bytes(range(256)) * 20)
    for name, csv_folder, csv_name in (("esc", "meta", "esc50.csv"), ("us8k", "metadata", "UrbanSound8K.csv")):
        (folder / name / csv_folder).mkdir(parents=True)
        (folder / name / csv_folder / csv_name).write_text("file,class\na.wav,dog\n")
    return folder


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (["import", "audio"], "missing.wav"),
        (["import", "audacity"], "missing.txt"),
        (["import", "audacity"], "directory.wav"),
        (["import", "audacity", "--dry-run"], "directory.wav"),
        (["import", "audio"], "directory.wav"),
        (["import", "audio"], "text.wav"),
        (["import", "audio"], "empty.wav"),
        (["import", "audio"], "nothing.wav"),
        (["import", "audacity"], "noise.txt"),
        (["import", "audacity", "--dry-run"], "noise.txt"),
        (["import", "esc50"], "esc"),
        (["import", "esc50"], "missing"),
        (["import", "urbansound8k"], "us8k"),
        (["import", "urbansound8k"], "text.wav"),
    ],
)
def test_bad_input_is_one_line_that_names_the_file_and_nothing_is_stored(
    project: Project, bad_inputs: Path, command: list[str], name: str
) -> None:
    before = contents(project)
    done = labeltool_here(project, *command, bad_inputs / name, "--json", check=1)
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert done.stderr.startswith("labeltool: ") and name in done.stderr
    assert contents(project) == before


def test_one_bad_file_is_named_and_keeps_no_good_one_out(
    project: Project, bad_inputs: Path, write_tone: Callable[..., Path]
) -> None:
    files = (write_tone("a.wav"), bad_inputs / "text.wav")
    imported = labeltool_json(project, "import", "audio", *files, check=1)
    assert imported["recordings"] == 1 and [one["file"] for one in imported["failed"]] == [str(files[1])]


def fails_in_one_line(project: Project, *arguments: str, code: int = 1, **environment: str) -> str:
    before = contents(project)
    done = labeltool_here(project, *arguments, check=code, **environment)
    (line,) = done.stderr.splitlines()
    assert done.stdout == ""
    assert "a bug?" not in line and len(line) < 300, line
    assert contents(project) == before
    return line


@pytest.mark.parametrize(
    ("arguments", "annotator"),
    [
        (("note", "1", "n\udcff"), "ann"),
        (("mark", "--annotator", "a\udcff", "1", "y"), "ann"),
        (("mark", "1", "y"), "\udcff"),
        (("mark", "1", "y\udcff"), "ann"),
        (("rename", "y\udcff", "x"), "ann"),
        (("undo",), "\udcff"),
        (("label",), "\udcff"),
    ],
)
def test_bytes_that_are_no_text_are_refused_in_one_line(
    project: Project, write_tone: Callable[..., Path], arguments: tuple[str, ...], annotator: str
) -> None:
    labeltool_here(project, "import", "audio", write_tone("a.wav"))
    line = fails_in_one_line(project, *arguments, LABELTOOL_ANNOTATOR=annotator)
    assert "is not text" in line or "no label" in line or "terminal" in line


@pytest.mark.parametrize("number", ["9" * 20, "9" * 5000, "0" * 5000])
@pytest.mark.parametrize(
    "arguments",
    [("note", "{}", "x"), ("mark", "{}", "x"), ("mark", "{}", "--checked"), ("classify", "a.wav", "--model", "{}")],
)
def test_an_id_with_too_many_digits_is_one_that_nothing_has(
    project: Project, arguments: tuple[str, ...], number: str
) -> None:
    fails_in_one_line(project, *(one.format(number) for one in arguments))


def number_options() -> list[tuple[tuple[str, ...], str, bool]]:
    """Return every option of a number, with the path of its command, and whether it is an id or a fold."""
    return [
        (path, option.opts[0], isinstance(option.type, Whole) and option.type.min is None)
        for path, command in commands()
        for option in command.params
        if isinstance(option.type, (click.types.IntParamType, click.types.FloatParamType))
    ]


@pytest.mark.parametrize(("path", "option", "is_id"), number_options())
def test_a_number_that_is_none_or_has_no_end_is_a_wrong_call(path: tuple[str, ...], option: str, is_id: bool) -> None:
    too_large = [] if is_id else ["9" * 20, "-" + "9" * 20]
    for number in ("nan", "inf", "-inf", "1e305", "9" * 5000, *too_large):
        done = CliRunner().invoke(cli, [*path, option, number])
        assert done.exit_code == 2 and f"'{option}'" in done.stderr, (number, done.output)
        assert "Traceback" not in done.stderr


def test_a_project_of_a_newer_version_is_refused(project: Project) -> None:
    with sqlite3.connect(project.database) as connection:
        connection.execute(f"PRAGMA user_version = {schema.SCHEMA_VERSION + 1}")
    connection.close()
    done = labeltool_here(project, "status", "--json", check=1)
    assert (done.stdout, len(done.stderr.splitlines())) == ("", 1)
    assert "newer labeltool" in done.stderr


def test_a_full_disk_while_importing_stores_nothing(tmp_path: Path) -> None:
    disk, pool = tmp_path / "disk", tmp_path / "pool"
    disk.mkdir()
    pool.mkdir()
    for number in range(3):
        soundfile.write(pool / f"{number}.wav", np.random.default_rng(number).normal(0, 0.1, 160_000), 16_000)
    with small_disk(disk, "400k"):
        labeltool("init", disk / "p")
        # A quarter of a million bytes of rows are more than the disk has left.
        arguments = ("--project", disk / "p", "import", "audio", pool, "--clip-seconds", "0.01", "--json")
        done = labeltool(*arguments, check=1)
        assert done.stdout == ""
        assert "disk is full" in done.stderr and len(done.stderr.splitlines()) == 1, done.stderr
        status = json.loads(labeltool("--project", disk / "p", "status", "--json").stdout)
        assert (status["recordings"], status["clips"]) == (0, 0)


@pytest.mark.parametrize(
    "arguments",
    [
        ["relocate", "nowhere"],
        ["mark", "9" * 30, "dog"],
        ["mark", "b\udcff.wav", "dog"],
        ["mark", "1", "\udcff"],
        ["import", "audio", "b\udcff.wav"],
        ["import", "audacity", "b\udcff.txt"],
        ["suggest", "--model", "9" * 30],
        ["suggest", "--model", "-" + "9" * 30],
        ["evaluate", "--fold", "-" + "9" * 30],
        ["classify", "nowhere.wav"],
        ["classify", "nowhere.wav", "--model", "²"],
        ["export", "--int8"],
        ["rename", "no", "such"],
    ],
)
def test_nonsense_is_answered_in_one_line(project: Project, arguments: list[str]) -> None:
    done = labeltool_here(project, *arguments, check=1)
    assert (done.stdout, len(done.stderr.splitlines())) == ("", 1) and done.stderr.startswith("labeltool: ")


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        (["init", "."], "is a labeltool project already (`labeltool status` shows what is in it)"),
        (["import", "auto", "empty"], "empty: has no sounds and no labels (give a folder with some)"),
        (
            ["import", "elan", "empty"],
            "empty: is a directory, not a file (give the file itself: annotation file of ELAN)",
        ),
        (["mark", "99", "wren"], "no clip 99 (`labeltool clips` lists them)"),
        (["rename", "wrn", "wren"], "no label 'wrn' (`labeltool labels` lists them)"),
        (["verify", "."], "is no STM32 package: it has no MANIFEST.sha256"),
        (["merge", "nobody"], "nobody: no such project or journal (check the name)"),
    ],
)
def test_what_was_called_wrongly_is_answered_with_what_helps(
    project: Project, monkeypatch: pytest.MonkeyPatch, arguments: list[str], remedy: str
) -> None:
    monkeypatch.chdir(project.directory)
    Path("empty").mkdir()
    assert remedy in fails_in_one_line(project, *arguments)


def test_one_bad_file_among_several_is_named_and_the_others_are_imported(
    project: Project, tmp_path: Path, write_tone: Callable[..., Path]
) -> None:
    sound = write_tone("dawn.wav", seconds=3.0)
    (tmp_path / "dawn.txt").write_bytes("1\t2\tGrünfink\n".encode("cp1252"))
    (tmp_path / "notes.txt").write_text("call the ranger\n")
    broken = tmp_path / os.fsdecode(b"broken\xff\n.txt")
    broken.write_text("no label\n")
    files = ["dawn.txt", "notes.txt", broken.name, "none.txt"]
    command = (project, "import", "audacity", *(tmp_path / name for name in files))
    shown = labeltool_here(*command, "--dry-run", check=1)
    assert shown.stdout == "1.000000\t2.000000\tGrünfink\n"
    done = labeltool_here(*command, "--audio", sound, check=1)
    failed = [line for line in done.stderr.splitlines() if line.startswith("failed: ")]
    assert len(failed) == 3 and "notes.txt:1: is not a label track" in failed[0] and "broken\\udcff\\n.txt" in failed[1]
    assert f"note: {tmp_path / 'dawn.txt'}: is not in UTF-8: read as Windows-1252" in done.stderr
    assert "1 label imported; 3 files failed" in done.stderr and "skipped" not in done.stderr
    assert "1 labels read, 3 lines or files skipped" in shown.stderr
    noted = labeltool_json(*command, "--audio", sound, check=1)
    assert [len(noted[key]) for key in ("notes", "failed", "skipped")] == [1, 3, 3]
    again = labeltool_json(*command, "--audio", sound, "--encoding", "latin-1", check=1)
    assert (again["verdicts"], len(again["failed"]), len(again["skipped"])) == (0, 3, 3)
    labeltool_here(*command, "--encoding", "rot13", check=2)
    labeltool_here(*command[:4], "--audio", sound)


def test_a_reader_that_leaves_early_and_a_full_output_are_no_tracebacks(
    project: Project, write_tone: Callable[..., Path]
) -> None:
    at = [sys.executable, "-m", "labeltool", "--project", str(project.directory)]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([*at, "status"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=DEADLINE_S)
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1
    labeltool(*at[3:], "import", "audio", write_tone("a.wav", seconds=40), "--clip-seconds", "0.01")
    for number in range(3):
        labeltool(*at[3:], "note", str(number + 1), "x" * 60_000)
    piped = subprocess.run(
        ["bash", "-o", "pipefail", "-c", '"$@" log | head -c 10 >/dev/null', "-", *at],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )
    assert (piped.returncode, piped.stderr) == (0, "")


def test_a_project_is_made_whole_or_not_at_all_on_a_small_disk(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    for size in ("60k", "120k", "200k"):
        with small_disk(disk, size):
            done = labeltool("init", disk / "p", check=None)
            if done.returncode:
                assert "disk is full" in done.stderr and len(done.stderr.splitlines()) == 1
                assert list(disk.rglob("*")) == []
            else:
                labeltool("--project", disk / "p", "status")


@pytest.mark.parametrize(
    ("arguments", "page"),
    [
        (["export"], "export"),
        (["no-such-command"], ""),
        (["mark", "1"], "mark"),
        (["clips", "--limit", "x"], "clips"),
        (["clips", "--limit"], "clips"),
        (["import", "audio", "--clip-seconds", "x", "."], "import audio"),
    ],
)
def test_a_wrong_call_exits_with_2_and_one_line_that_names_the_page(
    project: Project, arguments: list[str], page: str
) -> None:
    done = labeltool_here(project, *arguments, check=2)
    assert (done.stdout, len(done.stderr.splitlines())) == ("", 1) and "is not a valid" not in done.stderr
    assert f"(see `{' '.join(['labeltool', *page.split()])} --help`)" in done.stderr


def test_outside_a_project_the_error_names_the_command_that_makes_one(tmp_path: Path) -> None:
    # A project may lie in a folder above that of the tests; above the root there is none.
    done = subprocess.run(
        [sys.executable, "-m", "labeltool", "status"],
        capture_output=True,
        text=True,
        cwd=tmp_path.anchor,
        timeout=DEADLINE_S,
    )
    assert done.returncode == 1
    assert "labeltool init" in done.stderr


def test_messages_have_only_the_line_breaks_that_the_program_puts_there(capsys: pytest.CaptureFixture[str]) -> None:
    narrate("wrote a\nb\x1b[31m.wav", "", "done")
    assert capsys.readouterr().err == "wrote a\\nb\\x1b[31m.wav\n\ndone\n"


def test_a_settings_file_that_makes_no_sense_is_named(project: Project) -> None:
    (project.directory / "labeltool.toml").write_text("[learning]\nretrain_after = 'often'\n")
    done = labeltool_here(project, "status", check=1)
    assert "labeltool.toml" in done.stderr and "retrain_after" in done.stderr


def test_a_format_without_a_command_is_read_by_import_auto(project: Project) -> None:
    assert "`labeltool import auto` finds out" in fails_in_one_line(project, "import", "raven", "x.txt", code=2)
