"""Check a release: the same tree twice gives the same bytes, contents, metadata, version, licences of dependencies.

`make release-check` runs it on the last commit, in the environment that `make install` makes.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "labeltool"
MAX_BYTES = 3 << 20

TEST_DATA = (".wav", ".flac", ".mp3", ".ogg", ".db", ".tflite", ".keras", ".onnx", ".npz", ".npy", ".parquet", ".ipynb")
"""Endings that no file of a distribution has: sounds, labels and models are the users'."""

# Licences that a program under Apache-2.0 can depend on: permissive ones, and those that concern a library's own files.
ALLOWED = re.compile(
    r"\b(apache|mit|bsd|isc|psf|python software foundation|mpl|mozilla|zlib|hpnd|unlicense|cc0|public domain|0bsd|"
    r"lesser general public|lgpl)\b",
    re.IGNORECASE,
)
# A runtime library of GCC under its exception is linked by most wheels of compiled code, and its licence names it.
FORBIDDEN = re.compile(
    r"\b(agpl|affero|proprietary|noncommercial)\b|(?<!lesser )general public|\bgpl(?![\w.+-]* with gcc-exception)",
    re.IGNORECASE,
)


def main() -> int:
    """Run all checks, print a line each, and return the exit code."""
    failed = 0
    with TemporaryDirectory() as folder:
        first, second = build(Path(folder) / "first"), build(Path(folder) / "second")
        wheel, sdist = first
        checks: dict[str, Callable[[], Iterable[str]]] = {
            "the same tree gives the same bytes": lambda: differing(first, second),
            "the metadata is what a package index takes (twine)": lambda: complaints(
                "twine", "check", "--strict", *first
            ),
            "the wheel is sound (check-wheel-contents)": lambda: complaints("check_wheel_contents", wheel),
            "the contents are the program and nothing else": lambda: wrong_contents(wheel, sdist),
            "the version is the same everywhere": lambda: wrong_versions(wheel.parents[1], wheel),
            "the licences of what it depends on allow it": lambda: wrong_licences(closure(PACKAGE)),
        }
        for name, check in checks.items():
            found = list(check())
            failed += bool(found)
            print(f"{'FAILED' if found else 'ok'}: {name}", *found, sep="\n  ")
    return int(failed > 0)


def build(folder: Path) -> tuple[Path, Path]:
    """Build the wheel and the source distribution of the last commit in a folder, and return them."""
    folder.mkdir()
    archive = subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, check=True, capture_output=True).stdout
    subprocess.run(["tar", "-x"], cwd=folder, check=True, input=archive)
    subprocess.run([sys.executable, "-m", "build"], cwd=folder, check=True, capture_output=True)
    (wheel,), (sdist,) = (folder / "dist").glob("*.whl"), (folder / "dist").glob("*.tar.gz")
    return wheel, sdist


def differing(first: Iterable[Path], second: Iterable[Path]) -> Iterator[str]:
    """Yield the names of files that differ."""
    for one, other in zip(first, second, strict=True):
        if hashlib.sha256(one.read_bytes()).digest() != hashlib.sha256(other.read_bytes()).digest():
            yield one.name


def complaints(module: str, *arguments: str | Path) -> Iterator[str]:
    """Run a checker and yield what it prints where it fails."""
    done = subprocess.run([sys.executable, "-m", module, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        yield from (done.stdout + done.stderr).splitlines()


def wrong_contents(wheel: Path, sdist: Path) -> Iterator[str]:
    """Yield files that are no part of the program, and distributions that are too large."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    with tarfile.open(sdist) as source:
        names += [name.partition("/")[2] for name in source.getnames()]
    for name in names:
        if name.endswith(TEST_DATA) or "tests" in Path(name).parts:
            yield f"{name} does not belong there"
    for path in (wheel, sdist):
        if path.stat().st_size > MAX_BYTES:
            yield f"{path.name} has {path.stat().st_size} bytes, more than {MAX_BYTES}"


def wrong_versions(root: Path, wheel: Path) -> Iterator[str]:
    """Yield the files whose newest version is not the wheel's."""
    version = wheel.name.split("-")[1]
    wanted = {
        "CITATION.cff": rf"^version: {re.escape(version)}$",
        "CHANGELOG.md": rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d$",
    }
    for name, line in wanted.items():
        if not re.search(line, (root / name).read_text(encoding="utf-8"), re.MULTILINE):
            yield f"{name} has no line {line}"


def closure(package: str) -> set[str]:
    """Return the installed distributions that a distribution needs, with its extras, and theirs; not itself."""
    extras = metadata.metadata(package).get_all("Provides-Extra") or []
    found: set[str] = set()
    todo = [(package, extra) for extra in ("", *extras)]
    seen = set(todo)
    while todo:
        name, extra = todo.pop()
        try:
            requirements = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue  # an extra that is not installed here
        found.add(re.sub(r"[-_.]+", "-", name).lower())
        for requirement in map(Requirement, requirements):
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                new = {(requirement.name, one) for one in ("", *requirement.extras)} - seen
                seen |= new
                todo += new
    return found - {package}


def wrong_licences(packages: Iterable[str]) -> Iterator[str]:
    """Yield distributions whose licence is not known or does not go with Apache-2.0."""
    options = ("--from=mixed", "--with-license-file", "--no-license-path", "--format=json")
    command = [sys.executable, "-m", "piplicenses", *options, "--packages", *sorted(packages)]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    for one in json.loads(listed):
        # A few have no licence in their metadata, but its text.
        licence = one["License"] if one["License"] != "UNKNOWN" else one["LicenseText"][:500]
        if FORBIDDEN.search(licence) or not ALLOWED.search(licence):
            yield f"{one['Name']} {one['Version']}: {one['License']}"


if __name__ == "__main__":
    sys.exit(main())
