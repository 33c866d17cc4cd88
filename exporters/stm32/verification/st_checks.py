"""The part of a package for ST's applications, without ST's tools: its models and tables made again and compared."""

from __future__ import annotations

import re
from collections.abc import Iterator

from labeltool.errors import LabeltoolError
from labeltool.exporters.stm32.codegen.st_mel_tables import mel_tables
from labeltool.exporters.stm32.st_applications.applications import APPLICATIONS, Application
from labeltool.exporters.stm32.st_applications.config_header import spectrogram_macros
from labeltool.exporters.stm32.st_applications.folder import CONFIG_HEADER, FOLDER
from labeltool.exporters.stm32.st_model.frontend import logarithm_of
from labeltool.exporters.stm32.st_model.graph_edit import ST_MODEL, st_model
from labeltool.exporters.stm32.st_model.onnx_qdq import ONNX_MODEL, onnx_model
from labeltool.exporters.stm32.verification.checks import Check, Package
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
