"""ST's own tool on a package, where the person has it: each command that the applications' folders give."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from labeltool.exporters.stm32.st_applications.applications import APPLICATIONS, Application
from labeltool.exporters.stm32.st_applications.folder import FOLDER
from labeltool.exporters.stm32.verification.checks import Check

# Validation runs the network on the host; the tool takes seconds, on a busy machine minutes.
_TIMEOUT_S = 900


def stedgeai_checks(package: Path, tool: Path | None) -> Iterator[Check]:
    """Run the commands of each application's folder as its README gives them, in a copy of the package.

    Parameters
    ----------
    package
        The folder of the package; nothing is written to it.
    tool
        The program `stedgeai`; None: it is not there, and no check is run.

    Yields
    ------
    Check
        For each command, with the last line that speaks of an error where it failed.
    """
    made = [one for one in APPLICATIONS.values() if (package / FOLDER / one.name).is_dir()]
    for application in made:
        with tempfile.TemporaryDirectory(prefix="labeltool-stedgeai-") as copy:
            yield from _application_checks(application, package, Path(copy), tool)


def _application_checks(application: Application, package: Path, copy: Path, tool: Path | None) -> Iterator[Check]:
    not_run = "" if tool else "name ST's tool with --stedgeai PATH"
    if not (package / "model" / application.model).is_file():
        not_run = f"model/{application.model} is not in the package"
    if not not_run:
        for part in ("model", "validation"):
            shutil.copytree(package / part, copy / part)
        (copy / FOLDER / application.name).mkdir(parents=True)
    for step, arguments in application.commands().items():
        name = f"{application.name}: stedgeai {step}"
        if tool is None or not_run:
            yield Check(name, "not run", not_run)
        else:
            yield _run(name, [str(tool), *arguments], copy / FOLDER / application.name)


def _run(name: str, command: list[str], folder: Path) -> Check:
    try:
        result = subprocess.run(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_S,
            check=False,
        )
    except OSError as error:
        return Check(name, "failed", f"{command[0]} cannot be run: {error.strerror}")
    except subprocess.TimeoutExpired:
        return Check(name, "failed", f"it did not end in {_TIMEOUT_S} s")
    if result.returncode != 0:
        return Check(name, "failed", _error_line(result.stdout) or f"it ended with code {result.returncode}")
    return Check(name, "passed", " ".join(command[1:]))


def _error_line(text: str) -> str:
    """Return the last line that speaks of an error, or the last one."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return next((line for line in reversed(lines) if "error" in line.lower()), lines[-1] if lines else "")
