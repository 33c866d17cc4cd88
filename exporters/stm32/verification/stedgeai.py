"""ST's own tool on a package, where the person has it: each command that the applications' folders give."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from labeltool.exporters.stm32.st_applications.applications import APPLICATIONS, Application
from labeltool.exporters.stm32.st_applications.folder import FOLDER
from labeltool.exporters.stm32.verification.checks import Check
from labeltool.exporters.stm32.verification.tools import run_tool


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
    result = run_tool(command, folder=folder)
    return Check(name, "passed", " ".join(command[1:])) if result.passed else Check(name, "failed", result.reason)
