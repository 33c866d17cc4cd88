"""A package as STM32Cube.AI and ST's audio application take it: model, tables, configuration, validation data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from labeltool.errors import LabeltoolError
from labeltool.exporters.source import Source
from labeltool.exporters.stm32.codegen.config_header import ai_model_config, model_config
from labeltool.exporters.stm32.codegen.frontend_tables import check_frontend, front_end_bytes
from labeltool.exporters.stm32.codegen.st_mel_tables import mel_tables
from labeltool.exporters.stm32.package_c import write_sources
from labeltool.exporters.stm32.package_readme import readme
from labeltool.exporters.stm32.tflite.ram import ram_numbers
from labeltool.exporters.stm32.tflite.summary import Network, read_network
from labeltool.exporters.stm32.verification.export_check import Proof, prove
from labeltool.exporters.stm32.verification.validation_set import validation_set, write_validation
from labeltool.networks.model_folder import INT8, LABELS, ModelFiles, one_line


def write(source: Source, directory: Path) -> None:
    """Write the package of a model.

    Raises
    ------
    LabeltoolError
        When the model does not fit the package (its frontend, its input, its number of outputs, its operators), there
        is nothing to validate it with, or its C fails a check on this machine.
    """
    model = source.model
    check_frontend(model.frontend)
    network = read_network(model.int8)
    check_fit(model, network)
    tables, tables_header = mel_tables(model.frontend)
    found = validation_set(source)
    for folder in ("model", "c", "validation"):
        (directory / folder).mkdir()
    (directory / "model" / INT8).write_bytes(model.int8)
    write_validation(found, directory / "validation")
    write_sources(model, network, found, directory)
    _write_texts(
        directory,
        {
            f"model/{LABELS}": "".join(f"{one_line(label)}\n" for label in model.labels),
            "model/model_config.json": _json(model_config(source.model_id, model, network)),
            "c/ai_model_config.h": ai_model_config(source.model_id, model, network),
            "c/user_mel_tables.c": tables,
            "c/user_mel_tables.h": tables_header,
        },
    )
    proof = prove(source, directory)
    memory = ram_numbers(model.int8)
    _write_texts(
        directory,
        {
            "README.md": readme(source, network, found, memory, proof),
            "report.json": _json(report(source.model_id, model, network, memory, proof)),
        },
    )


def check_fit(model: ModelFiles, network: Network) -> None:
    """Refuse a network that is not what its card says.

    Raises
    ------
    LabeltoolError
        Naming what differs.
    """
    shape = (1, model.frontend.n_mels, model.frontend.patch_frames, 1)
    if network.input.shape != shape:
        raise LabeltoolError(f"the int8 model takes {network.input.shape}, its frontend makes patches of {shape}")
    if network.output.shape != (1, len(model.labels)):
        raise LabeltoolError(
            f"the int8 model gives {network.output.shape}, its card lists {len(model.labels)} labels",
            remedy="retrain: the model's folder is damaged",
        )
    for tensor in (network.input, network.output):
        if tensor.dtype != "INT8" or tensor.scale is None:
            raise LabeltoolError(f"the int8 model has {tensor.dtype} at one end, the package needs INT8 at both")


def report(model_id: int, model: ModelFiles, network: Network, memory: dict[str, Any], proof: Proof) -> dict[str, Any]:
    """Return what is known of the model in numbers; what was not measured is not there, but for the reason."""
    measured = ("clip_accuracy", "int8_clip_accuracy", "validation_clips")
    return {
        "model": model_id,
        **{name: model.card[name] for name in ("architecture", "parameters") if model.card.get(name) is not None},
        "counted_from_the_model_file": {
            "file_bytes": len(model.int8),
            "macc": network.macc,
            "weight_bytes": network.weight_bytes,
            "operators": network.operators,
            "input": network.input.to_dict(),
            "output": network.output.to_dict(),
        },
        "ram": memory,
        "measured_on_the_laptop_on_the_validation_split": {
            name: model.card[name] for name in measured if model.card.get(name) is not None
        },
        "front_end_bytes": {
            **front_end_bytes(model.frontend),
            "how": "counted from c/aed_preproc.h and c/aed_tables.h",
        },
        "measured_by_this_export": proof.to_dict(),
        "not_measured": proof.not_measured,
    }


def _write_texts(directory: Path, texts: dict[str, str]) -> None:
    for name, text in texts.items():
        (directory / name).write_text(text, encoding="utf-8", newline="\n")


def _json(told: dict[str, Any]) -> str:
    return json.dumps(told, ensure_ascii=False, indent=2) + "\n"
