"""The package's C: files that are the same for all models, files generated from one, and golden vectors."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

import numpy as np

from labeltool.exporters.stm32.codegen import network_c
from labeltool.exporters.stm32.codegen.fixed_point_tables import fixed_point_problem
from labeltool.exporters.stm32.codegen.frontend_tables import aed_tables, require_log_mel
from labeltool.exporters.stm32.codegen.microphone_filters import microphone_taps_h
from labeltool.exporters.stm32.codegen.tflm_operators import tflm_operators_h
from labeltool.exporters.stm32.tflite.summary import Network
from labeltool.exporters.stm32.verification.golden import (
    MAX_CLIPS,
    fixed_point_inputs,
    float_inputs,
    golden,
    golden_pcm_h,
    golden_scores_h,
    loudest_part,
)
from labeltool.exporters.stm32.verification.validation_set import ValidationSet
from labeltool.networks.model_folder import ModelFiles

_STATIC = (
    "aed_lines.h",
    "aed_math.h",
    "aed_postproc.c",
    "aed_postproc.h",
    "aed_preproc.c",
    "aed_preproc.h",
    "aed_preproc_fixed.c",
    "aed_preproc_fixed.h",
    "aed_stream.c",
    "aed_stream.h",
)


def write_sources(model: ModelFiles, network: Network, validation: ValidationSet, directory: Path) -> None:
    """Write the package's `c/`, `test/` and `firmware/`.

    Parameters
    ----------
    validation
        Its first clips are used in the self-test.
    directory
        The folder of the package, with an existing `c/`.
    """
    from labeltool.networks.quantization import Int8Model

    sources = files("labeltool.exporters.stm32").joinpath("csrc")
    for name in _STATIC:
        (directory / "c" / name).write_bytes(sources.joinpath(name).read_bytes())
    network_c.write_c(model.int8, directory / "c")
    tables, tables_header = aed_tables(model, network, hashlib.sha256(model.int8).hexdigest())
    frontend = require_log_mel(model.frontend)
    pcm = np.stack([loudest_part(labelled.clip, frontend) for labelled in validation.clips[:MAX_CLIPS]])
    kernels = Int8Model(model.int8)
    vectors = golden(model, network, kernels, pcm, float_inputs)
    fixed_point = None if fixed_point_problem(frontend) else golden(model, network, kernels, pcm, fixed_point_inputs)
    for folder in ("test", "firmware"):
        _copy(sources.joinpath(folder), directory / folder)
    texts = {
        "c/aed_tables.c": tables,
        "c/aed_tables.h": tables_header,
        "test/golden_pcm.h": golden_pcm_h(vectors),
        "test/golden_scores.h": golden_scores_h(vectors, fixed_point, model.labels),
        "firmware/microphone_taps.h": microphone_taps_h(),
        "firmware/tflm_operators.h": tflm_operators_h(network.operators),
    }
    for name, text in texts.items():
        (directory / name).write_text(text, encoding="utf-8", newline="\n")


def _copy(source: Traversable, target: Path) -> None:
    target.mkdir()
    for entry in source.iterdir():
        if entry.is_dir():
            _copy(entry, target / entry.name)
        else:
            (target / entry.name).write_bytes(entry.read_bytes())
