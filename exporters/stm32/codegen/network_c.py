"""The network as C: `aed_model.{c,h}`, generated from the int8 model, and `aed_nn.{c,h}`, which run it.

Made for checks, not for speed: the scores equal those of TensorFlow Lite Micro's reference kernels, bit for bit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from labeltool.exporters.stm32.codegen.c_text import c_array
from labeltool.exporters.stm32.tflite.graph import read_graph
from labeltool.exporters.stm32.tflite.lowering import Layer, Program, lower
from labeltool.exporters.stm32.tflite.memory_plan import Plan, plan_arena

SOURCES = ("aed_nn.c", "aed_nn.h", "aed_status.h")
"""Files in `csrc` that are the same for all networks."""

_MODEL_H = """\
/* Sizes of the network, SHA-256 of its TFLite file {digest}; generated, do not edit. */
#ifndef AED_MODEL_H
#define AED_MODEL_H

#ifdef __cplusplus
extern "C" {{
#endif

#define AED_NN_INPUT_SIZE {input_size}
#define AED_NN_OUTPUT_SIZE {output_size}

/* Size of aed_nn in bytes; input and output are the caller's. */
#define AED_NN_ARENA_SIZE {arena_size}

#define AED_NN_LAYERS {layers}

#ifdef __cplusplus
}}
#endif

#endif
"""

_MODEL_C = """\
/* The layers of the network, SHA-256 of its TFLite file {digest}; generated, do not edit. */
#include "aed_nn.h"

#include <stddef.h>

{arrays}
/* Their members in the order of struct aed_nn_layer. */
const struct aed_nn_layer aed_nn_layers[AED_NN_LAYERS] = {{
{layers}
}};
"""

# The members of `struct aed_nn_layer` between its offsets and its arrays, in the lines in which they are written.
_FIELDS = (
    ("in_rows", "in_columns", "in_channels"),
    ("out_rows", "out_columns", "out_channels"),
    ("kernel_rows", "kernel_columns", "stride_rows", "stride_columns", "stride_channels"),
    ("pad_rows", "pad_columns", "pad_channels", "pad_value", "second_size"),
    ("in_zero", "second_zero", "out_zero", "low", "high"),
)
_ARRAYS = {"weights": "int8_t", "bias": "int32_t", "multipliers": "int32_t", "shifts": "int8_t"}


def write_c(tflite: bytes, directory: Path) -> None:
    """Write the C files of a network into an existing directory.

    Raises
    ------
    LabeltoolError
        When the model uses an operator that `aed_nn.c` does not support, or is not an int8 network with one input and
        one output.
    """
    program = lower(read_graph(tflite))
    header, source = model_c(program, plan_arena(program), hashlib.sha256(tflite).hexdigest())
    texts = {"aed_model.h": header, "aed_model.c": source}
    texts |= {
        name: files("labeltool.exporters.stm32").joinpath("csrc", name).read_text(encoding="utf-8") for name in SOURCES
    }
    for name, text in texts.items():
        (directory / name).write_text(text, encoding="utf-8", newline="\n")


def model_c(program: Program, plan: Plan, digest: str) -> tuple[str, str]:
    """Return the texts of `aed_model.h` and `aed_model.c`."""
    header = _MODEL_H.format(
        digest=digest,
        input_size=program.sizes[program.input],
        output_size=program.sizes[program.output],
        arena_size=max(1, plan.size),
        layers=len(program.layers),
    )
    arrays = [
        c_array(f"static const {c_type} {name}_{number}", values)
        for number, layer in enumerate(program.layers)
        for name, c_type in _ARRAYS.items()
        if (values := getattr(layer, name)) is not None
    ]
    offsets: dict[int, int | str] = {
        **plan.offsets,
        program.input: "AED_NN_AT_INPUT",
        program.output: "AED_NN_AT_OUTPUT",
    }
    layers = [_initialiser(number, layer, offsets) for number, layer in enumerate(program.layers)]
    return header, _MODEL_C.format(digest=digest, arrays="\n".join(arrays), layers=",\n".join(layers))


def _initialiser(number: int, layer: Layer, offsets: dict[int, int | str]) -> str:
    """Return a layer's members by position: C++ has no designated initialisers before C++20."""
    # Additions, multiplications and concatenations have a second operand: a buffer or a constant.
    first, second = [*(offsets[buffer] for buffer in layer.inputs), "AED_NN_AT_WEIGHTS"][:2]
    places = [f"AED_NN_{layer.kind}", first, second, offsets[layer.output]]
    arrays = [f"{name}_{number}" if getattr(layer, name) is not None else "NULL" for name in _ARRAYS]
    fields = [[layer.fields.get(name, 0) for name in names] for names in _FIELDS]
    rows: list[Sequence[int | str]] = [places, *fields, arrays]
    lines = [", ".join(map(str, row)) for row in rows]
    return "    {" + ",\n     ".join(lines) + "}"
