"""The help pages: complete, in lines that fit, with the names of the registries and the defaults in force."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import get_args

import click
import pytest
from click.testing import CliRunner

from helpers.command_line import commands
from helpers.waits import DEADLINE_S
from labeltool.active_learning.strategies import STRATEGIES
from labeltool.cli.main import cli
from labeltool.exporters.registry import EXPORTERS
from labeltool.importers.registry import FORMATS
from labeltool.inference.events import EventRules
from labeltool.networks.architectures import ARCHITECTURES
from labeltool.pretrained.card import Activation
from labeltool.pretrained.download import published_models
from labeltool.project import Project


def page(*arguments: str) -> str:
    """Return a help page in one line, in which no name is broken at its hyphen."""
    done = CliRunner().invoke(cli, [*arguments, "--help"], terminal_width=10_000)
    assert done.exit_code == 0, done.output
    return " ".join(done.output.split())


def test_every_command_and_option_has_its_help() -> None:
    for path, command in commands():
        assert command.help, path
        for parameter in command.get_params(click.Context(command)):
            assert not isinstance(parameter, click.Option) or parameter.help, (path, parameter.name)


def test_every_summary_fits_its_column_at_80_characters() -> None:
    for path, command in commands():
        if isinstance(command, click.Group):
            done = CliRunner().invoke(cli, [*path, "--help"], terminal_width=80)
            listed = done.output.split("Commands:")[1].splitlines()
            assert len(list(filter(None, listed))) == len(command.list_commands(click.Context(command))), path
            assert [line for line in listed if line.endswith("...")] == [], path


def test_help_pages_have_the_names_of_the_registries() -> None:
    assert all(f" --{one.name} {one.help} " in page("export") for one in EXPORTERS.values())
    fetch = page("model", "fetch")
    assert all(f" {name} {one.title} ({one.licence})" in fetch for name, one in published_models().items())
    formats = page("import")
    assert all(f" {name} " in formats for name in FORMATS)
    assert f"One of: {', '.join(ARCHITECTURES)}." in page("retrain")
    assert f"One of: {', '.join(STRATEGIES)}." in page("simulate")
    assert f"[{'|'.join(get_args(Activation))}]" in page("model", "add")


def test_help_pages_show_the_defaults_in_force(
    project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    rules = EventRules()
    detect = page("detect")
    for default in (rules.smooth_s, rules.merge_gap_s, rules.min_duration_s):
        assert f"[default: {default:g}]" in detect
    monkeypatch.chdir(tmp_path)
    assert "[default: miniresnet, by labeltool.toml]" in page("retrain")
    (project.directory / "labeltool.toml").write_text('[learning]\narchitecture = "sbcnn"\nretrain_after = 7\n')
    monkeypatch.chdir(project.directory)
    assert "[default: sbcnn, by labeltool.toml]" in page("retrain")
    assert "[default: 7, by labeltool.toml]" in page("simulate")
    # A settings file that cannot be read does not stand in the way of the help.
    (project.directory / "labeltool.toml").write_text("[learning]\nretrain_after = 'often'\n")
    assert "[default: 20, by labeltool.toml]" in page("simulate")


def test_the_help_of_all_commands_loads_no_numpy_and_no_registry() -> None:
    program = """
import sys
sys.argv = ["labeltool", "--help"]
from labeltool.cli.main import main
try:
    main()
finally:
    heavy = {"numpy", "msgspec", "importlib.metadata"}
    unwanted = heavy | {"labeltool.project", "labeltool.importers", "labeltool.exporters"}
    print("LOADED", *sorted(unwanted & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=DEADLINE_S, check=True
    )
    assert done.stdout.splitlines()[-1] == "LOADED"
