"""`labeltool.toml`: names of former versions, files that are refused, and edits that keep a person's text."""

from __future__ import annotations

from pathlib import Path

import pytest

from labeltool.errors import LabeltoolError
from labeltool.project import Project, choose_pretrained, write_setting
from labeltool.settings import ColourMap, Settings, read_settings
from labeltool.settings_template import TEMPLATE
from labeltool.util.files.project_names import SETTINGS_FILE


def test_the_template_and_no_file_mean_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / SETTINGS_FILE
    assert read_settings(path) == Settings()
    path.write_text(TEMPLATE)
    assert read_settings(path) == Settings()


def test_former_names_are_read_and_the_names_of_now_win(tmp_path: Path) -> None:
    path = tmp_path / SETTINGS_FILE
    path.write_text("[learning]\nasking = 'random'\near = 'yamnet'\n")  # former names
    assert read_settings(path).learning.query_strategy == "random"
    assert read_settings(path).learning.pretrained == "yamnet"
    path.write_text("[learning]\npretrained = 'birds'\near = 'yamnet'\n")  # former name
    assert read_settings(path).learning.pretrained == "birds"


def test_the_target_is_read_and_must_be_a_name(tmp_path: Path) -> None:
    path = tmp_path / SETTINGS_FILE
    path.write_text("[learning]\ntarget = 'u5-freertos'\n")
    assert read_settings(path).learning.target == "u5-freertos"
    path.write_text("[learning]\ntarget = 5\n")
    with pytest.raises(LabeltoolError, match=r"\[learning\] target: expected str"):
        read_settings(path)


@pytest.mark.parametrize(
    "content",
    [
        b"[learning",
        b"\xff\xfe",
        b"x = " + b"[" * 100_000,
        b"learning = 3",
        b"[learning]\nretrain_after = 'often'",
        b"[speech]\nlabels = []",
        b"[learning]\ntrunk_layers = 12",
        b"[learning]\nhead_units = -1",
        b"[learning]\nhead_units = 100000",
        b"[backup]\ndaily = -1",
        b"[app]\ncolour_map = 'rainbow'",
        b"[app]\ndb_range = -20",
        b"[keys]\nundo = 3",
        b"[app]\ntheem = 'dark'",
        b"[labelling]\ngoals = 5",
    ],
    ids=lambda content: repr(content[:20]),
)
def test_a_damaged_file_is_refused_in_one_line_that_names_it(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / SETTINGS_FILE
    path.write_bytes(content)
    with pytest.raises(LabeltoolError) as refused:
        read_settings(path)
    assert SETTINGS_FILE in str(refused.value) and "\n" not in str(refused.value)


def test_an_unknown_setting_is_named_with_those_that_are_there(tmp_path: Path) -> None:
    path = tmp_path / SETTINGS_FILE
    path.write_text("[labelling]\ngoals = 5\n")
    with pytest.raises(LabeltoolError, match=r"\[labelling\] names an unknown setting: 'goals'.*goal, max_error"):
        read_settings(path)
    path.write_text("[other_tool]\ngoals = 5\n")
    assert read_settings(path) == Settings()


def test_choosing_a_pretrained_model_keeps_everything_else_in_the_file(project: Project) -> None:
    path = project.directory / SETTINGS_FILE
    path.write_text("# mine\n[learning]   # of the barn\nretrain_after = 7  # often\n\n[export]\nmax_int8_loss = 0.1\n")
    assert choose_pretrained(project, "yamnet") is True
    text = path.read_text()
    assert text.replace('pretrained = "yamnet"\n', "").replace("\n\n", "\n") == (
        "# mine\n[learning]   # of the barn\nretrain_after = 7  # often\n[export]\nmax_int8_loss = 0.1\n"
    )
    assert read_settings(path).learning.pretrained == "yamnet"
    assert choose_pretrained(project, "birds") is False and path.read_text() == text


def test_a_setting_is_written_in_place_or_in_a_new_table(project: Project) -> None:
    path = project.directory / SETTINGS_FILE
    path.write_text('[app]\ncolour_map = "grey"   # as in print\n')
    write_setting(project, "app", "colour_map", "magma")
    assert path.read_text() == '[app]\ncolour_map = "magma"   # as in print\n'
    assert read_settings(path).app.colour_map is ColourMap.MAGMA
    write_setting(project, "backup", "daily", 3)
    assert read_settings(path).backup.daily == 3
    path.unlink()
    write_setting(project, "app", "db_range", 60)
    assert read_settings(path).app.db_range == 60


@pytest.mark.parametrize("content", [b"colours = [", b"\xff\xfe", b"app = 3\n", b"[app]\ntheme = 'pink'\n"])
def test_a_setting_is_not_written_into_a_file_that_was_spoilt(project: Project, content: bytes) -> None:
    path = project.directory / SETTINGS_FILE
    path.write_bytes(content)
    with pytest.raises(LabeltoolError, match=r"labeltool\.toml"):
        write_setting(project, "app", "autoplay", False)
    assert path.read_bytes() == content
