"""Every public name of the Python interface is documented with an example, and the examples are true."""

from __future__ import annotations

import doctest
import inspect
import shutil
from pathlib import Path

import pytest

import labeltool
from helpers.tones import tone_writer
from labeltool.api import features, opening, work
from labeltool.cli.demo.sounds import make_world

PAGE = Path(__file__).resolve().parents[2] / "docs" / "python.md"

TRAINING = ("Work.retrain", "Work.evaluate", "Evaluation")
"""The names whose examples train a network or run it, in the order in which they need each other."""

PROJECT_METHODS = [
    (f"{cls.__name__}.{name}", method)
    for cls in opening.Project.__mro__
    for name, method in vars(cls).items()
    if cls is not object and not name.startswith("_")
]
PUBLIC = [
    ("open", opening.open),
    ("init", opening.init),
    ("Project", opening.Project),
    ("log_mel", features.log_mel),
    ("Evaluation", work.Evaluation),
    *PROJECT_METHODS,
]


def test_the_names_of_the_package_are_those_with_an_example() -> None:
    documented = {name for name, _ in PUBLIC} - {name for name, _ in PROJECT_METHODS}
    assert {*documented, "LabeltoolError", "__version__"} == set(labeltool.__all__)
    assert all(getattr(labeltool, name) for name in labeltool.__all__)
    with pytest.raises(AttributeError):
        _ = labeltool.opening


@pytest.mark.parametrize("name, found", PUBLIC, ids=[name for name, _ in PUBLIC])
def test_a_docstring_has_its_sections(name: str, found: object) -> None:
    text = inspect.getdoc(found) or ""
    assert "Examples\n--------" in text
    if inspect.isfunction(found):
        assert "Raises\n------" in text
        parameters = [one for one in inspect.signature(found).parameters if one != "self"]
        described = text.partition("Parameters\n----------\n")[2].partition("\n\n")[0]
        heads = [line.partition(" : ")[0] for line in described.splitlines() if not line.startswith(" ")]
        assert sorted(name for head in heads for name in head.split(", ")) == sorted(parameters)


@pytest.mark.parametrize("name, found", [("labeltool", labeltool), *(one for one in PUBLIC if one[0] not in TRAINING)])
def test_examples_are_true(name: str, found: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    small_project(tmp_path)
    run_example(name, inspect.getdoc(found) or "")


def test_the_examples_of_the_page_are_true(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    small_project(tmp_path)
    run_example("python.md", PAGE.read_text(encoding="utf-8"))


@pytest.mark.slow
def test_examples_of_training_are_true(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    labeltool.init("trained").import_("esc50", make_world(tmp_path / "sounds").esc_style)
    for name in TRAINING:
        run_example(name, inspect.getdoc(dict(PUBLIC)[name]) or "")


def run_example(name: str, text: str) -> None:
    example = doctest.DocTestParser().get_doctest(text, {}, name, None, None)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    shown: list[str] = []
    assert runner.run(example, out=shown.append).failed == 0, "".join(shown)


def small_project(folder: Path) -> None:
    """Make the project `birds` of two recordings, the first of which is a robin."""
    write = tone_writer(folder)
    for number in (1, 2):
        write(f"sounds/{number}.wav", frequency_hz=500.0 * number, seconds=2.0)
    project = labeltool.init("birds")
    project.import_("audio", "sounds")
    project.annotate(1, "robin")
    shutil.rmtree(folder / "birds" / "backups", ignore_errors=True)
