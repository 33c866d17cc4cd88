"""The package for STM32Cube.AI and ST's audio application: model, tables, configuration, C code, validation data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from labeltool.errors import LabeltoolError
from labeltool.exporters.model_readme import readme
from labeltool.exporters.source import Source
from labeltool.exporters.stm32.codegen.frontend_tables import check_frontend, front_end_size, require_log_mel
from labeltool.exporters.stm32.codegen.model_config import model_config
from labeltool.exporters.stm32.package_c import write_sources
from labeltool.exporters.stm32.package_texts import texts
from labeltool.exporters.stm32.st_applications.applications import Chosen, choose
from labeltool.exporters.stm32.st_applications.folder import FOLDER, application_files
from labeltool.exporters.stm32.st_model.frontend import Logarithm, logarithm_of
from labeltool.exporters.stm32.st_model.graph_edit import ST_MODEL, st_model
from labeltool.exporters.stm32.st_model.onnx_qdq import ONNX_MODEL, onnx_model
from labeltool.exporters.stm32.tflite.ram import RamFigures, ram_figures
from labeltool.exporters.stm32.tflite.summary import Network, read_network
from labeltool.exporters.stm32.verification.export_check import ExportCheck, check_export
from labeltool.exporters.stm32.verification.results_json import export_check_json, keeps_up_json
from labeltool.exporters.stm32.verification.validation_set import st_validation_set, validation_set, write_validation
from labeltool.networks.model_folder import INT8, LABELS, ModelFiles, one_line
from labeltool.store.detections.operating_points import OperatingPoint
from labeltool.type_aliases import Progress

MODEL_CARD = "docs/model_card.md"


def write(source: Source, directory: Path) -> None:
    """Write the package of a model; its C is compiled and checked on this machine first.

    Raises
    ------
    LabeltoolError
        When the package does not support the model (its frontend, input, outputs or operators), no labelled clip is
        there for validation, an application that was chosen cannot run the model, or the C fails a check on this
        machine.
    """
    model = source.model
    check_frontend(model.frontend)
    frontend = require_log_mel(model.frontend)
    network = read_network(model.int8)
    check_fit(model, network)
    for folder in ("model", "c", "docs", "validation"):
        (directory / folder).mkdir()
    (directory / "model" / INT8).write_bytes(model.int8)
    for_st = st_model(model.int8, frontend)
    missing = write_st_models(for_st, directory / "model", source.report, logarithm_of(frontend))
    chosen = choose(source.st_applications, frontend, len(model.labels), missing)
    validation = validation_set(source)
    write_validation(validation, st_validation_set(source, validation, for_st), directory / "validation")
    write_sources(model, network, validation, directory)
    _write_texts(
        directory,
        {
            f"model/{LABELS}": "".join(f"{one_line(label)}\n" for label in model.labels),
            "model/model_config.json": _json(model_config(source.model_id, model, network)),
        },
    )
    for application in chosen.applications:
        (directory / FOLDER / application.name).mkdir(parents=True)
        _write_texts(directory, application_files(application, source.model_id, model))
    export_check = check_export(source, directory)
    ram = ram_figures(model.int8)
    _write_texts(
        directory,
        {
            **texts(source, network, validation, ram, export_check, chosen, has_onnx=ONNX_MODEL not in missing),
            MODEL_CARD: readme(source, definition="../model/model_config.json", labels_file=f"../model/{LABELS}"),
            "report.json": _json(
                {
                    **report_json(source.model_id, model, network, ram, export_check, chosen),
                    "event_thresholds": event_thresholds(model, source.operating_points),
                }
            ),
        },
    )


def write_st_models(tflite: bytes, folder: Path, report: Progress, logarithm: Logarithm = "db") -> dict[str, str]:
    """Write the model for ST's applications and the same as ONNX; return why one is missing, by its name."""
    (folder / ST_MODEL).write_bytes(tflite)
    try:
        (folder / ONNX_MODEL).write_bytes(onnx_model(tflite, logarithm))
    except LabeltoolError as error:
        report("export", 0, 0, f"without model/{ONNX_MODEL}: {error}")
        return {ONNX_MODEL: str(error)}
    return {}


def check_fit(model: ModelFiles, network: Network) -> None:
    """Refuse a network that does not match its card."""
    damaged = "retrain: the model's folder is damaged"
    shape = (1, model.frontend.n_features, model.frontend.patch_frames, 1)
    if network.input.shape != shape:
        raise LabeltoolError(
            f"the input of the int8 model is {network.input.shape}, its frontend computes patches of {shape}",
            remedy=damaged,
        )
    if network.output.shape != (1, len(model.labels)):
        raise LabeltoolError(
            f"the output of the int8 model is {network.output.shape}, its card lists {len(model.labels)} labels",
            remedy=damaged,
        )
    for tensor in (network.input, network.output):
        if tensor.dtype != "INT8" or tensor.scale is None:
            raise LabeltoolError(
                f"the input or output of the int8 model is {tensor.dtype}; the package needs INT8 for both",
                remedy=damaged,
            )


def report_json(
    model_id: int, model: ModelFiles, network: Network, ram: RamFigures, export_check: ExportCheck, chosen: Chosen
) -> dict[str, Any]:
    """Return the values of `report.json`; a value that was not measured is absent, and the reason is given."""
    accuracies = ("clip_accuracy", "int8_clip_accuracy", "validation_clips")
    return {
        "model": model_id,
        "architecture": model.card.architecture,
        "parameters": model.card.parameters,
        "counted_from_the_model_file": {
            "file_bytes": len(model.int8),
            "macc": network.macc,
            "weight_bytes": network.weight_bytes,
            "operators": network.operators,
            "input": asdict(network.input),
            "output": asdict(network.output),
        },
        "ram": _ram_json(ram),
        "measured_on_the_laptop_on_the_validation_split": {
            name: value for name in accuracies if (value := getattr(model.card, name)) is not None
        },
        "front_end_bytes": {
            **asdict(front_end_size(require_log_mel(model.frontend))),
            "how": "counted from c/aed_preproc.h and c/aed_tables.h",
        },
        "measured_by_this_export": export_check_json(export_check),
        "keeps_up": keeps_up_json(export_check.targets),
        "not_measured": dict(export_check.not_measured),
        "st_applications": {
            "made": [application.name for application in chosen.applications],
            "not_made": dict(chosen.not_made),
        },
    }


def event_thresholds(model: ModelFiles, saved: Mapping[str, OperatingPoint]) -> list[dict[str, Any]]:
    """Return the threshold of each label in a stream, and from what data it was chosen."""
    names = {"validation": "labelled clips", "device review": "a review of what `detect --as-device` detected"}
    rows = []
    for label, threshold in zip(model.labels, model.card.stream_thresholds, strict=True):
        point = saved.get(label)
        row: dict[str, Any] = {
            "label": label,
            "threshold": threshold,
            "from": "the model's validation clips, at training",
        }
        if point is not None:
            interval = {"low": point.precision_low, "high": point.precision_high}
            row |= {"from": names[point.source], "clips": point.clips, "precision": point.precision, **interval}
            row |= {} if point.recall is None else {"recall": point.recall}
        rows.append(row)
    return rows


def _ram_json(ram: RamFigures) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if ram.measured is not None:
        values["measured_tflm_arena"] = {
            "bytes": sum(ram.measured),
            "of_which_tensors": ram.measured.tensors,
            "how": "TensorFlow Lite Micro's own figures, on a 64-bit machine",
        }
    values["our_plan"] = {
        "bytes": ram.planned,
        "how": "the arena of aed_nn.c, without the patch and the scores, which belong to the caller",
    }
    return {**values, "st": "run stedgeai analyze"}


def _write_texts(directory: Path, texts: dict[str, str]) -> None:
    for name, text in texts.items():
        (directory / name).write_text(text, encoding="utf-8", newline="\n")


def _json(values: dict[str, Any]) -> str:
    return json.dumps(values, ensure_ascii=False, indent=2) + "\n"
