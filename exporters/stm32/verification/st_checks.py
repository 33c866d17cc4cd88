"""The part of a package for ST's applications: models and tables made again and compared, and ST's own tool on them."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from labeltool.errors import LabeltoolError
from labeltool.exporters.stm32.codegen.st_mel_tables import mel_tables
from labeltool.exporters.stm32.st_applications.applications import APPLICATIONS, Application
from labeltool.exporters.stm32.st_applications.config_header import spectrogram_macros
from labeltool.exporters.stm32.st_applications.folder import CONFIG_HEADER, FOLDER
from labeltool.exporters.stm32.st_model.frontend import logarithm_of
from labeltool.exporters.stm32.st_model.graph_edit import ST_MODEL, st_model
from labeltool.exporters.stm32.st_model.onnx_qdq import ONNX_MODEL, onnx_model
from labeltool.exporters.stm32.verification.checks import Check, Package
from labeltool.exporters.stm32.verification.tools import run_tool
from labeltool.networks.model_folder import INT8


def st_checks(package: Package) -> Iterator[Check]:
    """Compare the models for ST's applications, and each application's folder, with what the package's model gives."""
    folder = package.directory / "model"
    tflite = st_model((folder / INT8).read_bytes(), package.frontend)
    name = f"{ST_MODEL} is the int8 network behind ST's input and output"
    if (folder / ST_MODEL).read_bytes() == tflite:
        yield Check(name, "passed", f"{len(tflite):,} bytes")
    else:
        yield Check(name, "failed", "it is another model, or damaged")
    if (folder / ONNX_MODEL).is_file():
        yield _check_onnx(package, tflite)
    for application in APPLICATIONS.values():
        if (package.directory / FOLDER / application.name).is_dir():
            yield _check_application(package, application)


def _check_onnx(package: Package, tflite: bytes) -> Check:
    name = f"{ONNX_MODEL} is the same network"
    try:
        expected = onnx_model(tflite, logarithm_of(package.frontend))
    except LabeltoolError as error:
        return Check(name, "not run", str(error))
    if (package.directory / "model" / ONNX_MODEL).read_bytes() != expected:
        return Check(name, "failed", "it is another model, or damaged")
    return Check(name, "passed", f"{len(expected):,} bytes")


def _check_application(package: Package, application: Application) -> Check:
    name = f"{FOLDER}/{application.name}: tables and configuration are the model's"
    folder = package.directory / FOLDER / application.name
    tables, header = mel_tables(package.frontend, application.tables)
    try:
        if not (folder / "user_mel_tables.c").read_text(encoding="utf-8").endswith(tables):
            return Check(name, "failed", "user_mel_tables.c has other values")
        if (folder / "user_mel_tables.h").read_text(encoding="utf-8") != header:
            return Check(name, "failed", "user_mel_tables.h has other declarations")
        text = (folder / CONFIG_HEADER).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        return Check(name, "failed", f"a file cannot be read: {error}")
    macros = spectrogram_macros(package.frontend, package.clip_rule.threshold)
    for macro, value in macros.items():
        if re.findall(rf"^#define {macro} +(.*)$", text, re.MULTILINE) != [value]:
            return Check(name, "failed", f"{macro} is not {value} in {CONFIG_HEADER}")
    return Check(name, "passed", f"{len(macros)} macros")


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
            yield from _commands_of(application, package, Path(copy), tool)


def _commands_of(application: Application, package: Path, copy: Path, tool: Path | None) -> Iterator[Check]:
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
