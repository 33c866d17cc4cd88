"""What `make release-check` looks at, and that it finds what is wrong."""

from __future__ import annotations

import importlib.util
import sys
import tarfile
import zipfile
from pathlib import Path
from types import ModuleType

import pytest
import yaml

import labeltool

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def check() -> ModuleType:
    spec = importlib.util.spec_from_file_location("release_check", ROOT / ".ci" / "release_check.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def distributions(folder: Path, *names: str) -> tuple[Path, Path]:
    """Write a wheel and a source distribution with some files, all empty."""
    wheel, sdist = folder / f"labeltool-{labeltool.__version__}-py3-none-any.whl", folder / "labeltool.tar.gz"
    with zipfile.ZipFile(wheel, "w") as archive, tarfile.open(sdist, "w:gz") as source:
        for name in names:
            archive.writestr(name, "")
            source.addfile(tarfile.TarInfo(f"labeltool-0/{name}"))
    return wheel, sdist


def test_this_version_is_in_the_citation_and_the_change_log(check: ModuleType, tmp_path: Path) -> None:
    assert list(check.wrong_versions(ROOT, distributions(tmp_path)[0])) == []


def test_a_version_that_was_not_written_down_is_named(check: ModuleType, tmp_path: Path) -> None:
    wheel = tmp_path / "labeltool-9.9.9-py3-none-any.whl"
    assert [line.split()[0] for line in check.wrong_versions(ROOT, wheel)] == ["CITATION.cff", "CHANGELOG.md"]


def test_sounds_and_tests_do_not_belong_in_a_distribution(check: ModuleType, tmp_path: Path) -> None:
    good = ("labeltool/__init__.py", "labeltool/tui/serve/page.html")
    assert list(check.wrong_contents(*distributions(tmp_path, *good))) == []
    found = list(check.wrong_contents(*distributions(tmp_path, *good, "labeltool/a.wav", "tests/test_a.py")))
    assert found == 2 * ["labeltool/a.wav does not belong there", "tests/test_a.py does not belong there"]


def test_distributions_that_differ_are_named(check: ModuleType, tmp_path: Path) -> None:
    pairs = [distributions(folder, *names) for folder, names in _folders(tmp_path)]
    assert [*check.differing(pairs[0], pairs[0])] == []
    assert pairs[0][0].name in [*check.differing(pairs[0], pairs[1])]


def _folders(tmp_path: Path) -> list[tuple[Path, tuple[str, ...]]]:
    folders = [(tmp_path / "first", ("a",)), (tmp_path / "second", ("b",))]
    for folder, _ in folders:
        folder.mkdir()
    return folders


def test_what_is_needed_and_what_that_needs_is_found(check: ModuleType) -> None:
    assert {"click", "tensorflow", "keras", "textual", "rich", "soundfile", "cffi"} <= check.closure("labeltool")


@pytest.mark.parametrize(
    ("licence", "is_fine"),
    [
        ("MIT License", True),
        ("Apache-2.0 AND BSD-3-Clause", True),
        ("GNU Lesser General Public License v2 or later (LGPLv2+)", True),
        ("GNU Affero General Public License v3", False),
        ("GNU General Public License v3 (GPLv3)", False),
        ("GNU General Public License v3 (GPLv3); MIT License", False),
        ("Apache-2.0 AND GPL-3.0-only", False),
        ("BSD-3-Clause AND GPL-3.0-or-later WITH GCC-exception-3.1", True),
        ("UNKNOWN", False),
        ("limited", False),
    ],
)
def test_licences(check: ModuleType, licence: str, is_fine: bool) -> None:
    assert bool(check.ALLOWED.search(licence) and not check.FORBIDDEN.search(licence)) == is_fine


def test_the_files_for_hosts_are_valid_yaml() -> None:
    forms = list((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
    assert len(forms) >= 4
    for form in forms:
        read = yaml.safe_load(form.read_text(encoding="utf-8"))
        if form.name == "config.yml":
            continue
        assert read["name"] and read["description"]
        identifiers = [part["id"] for part in read["body"]]
        assert len(set(identifiers)) == len(identifiers)
        assert all(part["type"] in {"input", "textarea"} and part["attributes"]["label"] for part in read["body"])
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert {"cff-version", "message", "title", "authors", "license"} <= citation.keys()
