"""The package's C, compiled for this machine with any frontend and a stub of the network."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import pytest

from helpers.exports import model_card
from labeltool.audio.frontend import LogMelFrontend
from labeltool.exporters.stm32.codegen.frontend_tables import aed_tables
from labeltool.exporters.stm32.tflite.summary import Network, Tensor
from labeltool.networks.model_folder import ModelFiles
from labeltool.networks.postprocessing import ClipRule
from labeltool.networks.stream_rule import StreamRule

STRICT = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Wpedantic", "-Wno-overlength-strings", "-Werror")
SANITISED = ("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")

CPUS = {
    "m4": ("-mcpu=cortex-m4", "-mfpu=fpv4-sp-d16"),
    "m33": ("-mcpu=cortex-m33", "-mfpu=fpv5-sp-d16"),
    "m7": ("-mcpu=cortex-m7", "-mfpu=fpv5-d16"),
    "m55": ("-mcpu=cortex-m55",),
}

LABELS = ("bell", "dog", "rain")

HOSTILE = (
    "dog",
    'quo"te',
    "back\\slash\\",
    "what??/",
    "??=??(trigraphs??)",
    "line\nbreak\r\n",
    "tab\t\x01\x7f",
    "\x1f0 digits after an escape",
    "صوت الجرس",
    "犬 🐶",
    "int main(void){}",
    "*/ #endif",
    "%s%n",
    "{},",
    "x" * 10_000,
)
"""Labels that a generated text could be left by."""

# A network whose scores are the first codes of the patch.
_STUB_H = """\
#include <stdint.h>
#include "aed_status.h"
#define AED_NN_INPUT_SIZE {size}
#define AED_NN_OUTPUT_SIZE {labels}
typedef struct {{ int8_t arena[1]; }} aed_nn;
aed_status aed_nn_run(aed_nn *state, const int8_t *input, int8_t *output);
"""
_STUB_C = """\
#include <string.h>
#include "aed_nn.h"
aed_status aed_nn_run(aed_nn *state, const int8_t *input, int8_t *output)
{
    (void)state;
    memcpy(output, input, AED_NN_OUTPUT_SIZE);
    return AED_OK;
}
"""

LOUDEST_THIRD = """\
#include "aed_nn.h"
#include "aed_tables.h"
aed_status aed_nn_run(aed_nn *state, const int8_t *input, int8_t *output)
{
    int32_t sums[AED_LABELS] = {0};
    uint32_t best = 0;
    (void)state;
    for (uint32_t i = 0; i < AED_NN_INPUT_SIZE; i++) {
        sums[i / AED_PATCH_FRAMES * AED_LABELS / AED_N_MELS] += input[i];
    }
    for (uint32_t label = 1; label < AED_LABELS; label++) {
        best = sums[label] > sums[best] ? label : best;
    }
    for (uint32_t label = 0; label < AED_LABELS; label++) {
        output[label] = label == best ? 90 : -110;
    }
    return AED_OK;
}
"""
"""A network that predicts the third of the bands that is loudest."""


def needs(*tools: str) -> None:
    """Skip where a tool is not installed."""
    for tool in tools:
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")


def network_of(
    frontend: LogMelFrontend, labels: int = len(LABELS), scale: float = 0.03125, zero_point: int = -3
) -> Network:
    """Describe a network whose input is the patches of a frontend."""
    input_tensor = Tensor((1, frontend.n_mels, frontend.patch_frames, 1), "INT8", scale, zero_point)
    return Network(input_tensor, Tensor((1, labels), "INT8", 1 / 256, -128), {}, 0, 0)


def write_c_sources(
    folder: Path,
    frontend: LogMelFrontend,
    network: Network,
    *,
    rule: ClipRule | None = None,
    stream: StreamRule | None = None,
    background: str | None = None,
    labels: Sequence[str] = LABELS,
) -> list[Path]:
    """Write the C of a frontend and a clip rule with a stub of the network; return the sources to compile."""
    sources = Path(str(files("labeltool.exporters.stm32").joinpath("csrc")))
    for path in sources.iterdir():
        if path.is_file() and not path.name.startswith("aed_nn"):
            shutil.copy(path, folder)
    for name in ("aed_probe.c", "aed_run.c", "aed_lines.h"):
        shutil.copy(sources / "test" / name, folder)
    rules = {"clip_rule": rule or ClipRule(), "stream_rule": stream or StreamRule()}
    model = ModelFiles(folder, model_card(tuple(labels), background=background, **rules), frontend)
    texts = dict(zip(("aed_tables.c", "aed_tables.h"), aed_tables(model, network, "0" * 64), strict=True))
    size = frontend.n_mels * frontend.patch_frames
    texts["aed_nn.h"] = _STUB_H.format(size=size, labels=len(labels))
    texts["aed_nn.c"] = _STUB_C
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / f"aed_{part}.c" for part in ("preproc", "postproc", "stream", "tables", "nn")]


def build(folder: Path, program: str, sources: Sequence[Path], *flags: str) -> Path:
    """Compile a program of the folder without warnings and return its executable."""
    needs("gcc")
    target = folder / Path(program).stem
    command = ["gcc", *STRICT, *flags, "-I", folder, folder / program, *sources, "-lm", "-o", target]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return target


def run(program: Path, *arguments: str, data: bytes = b"") -> bytes:
    """Run a program that must succeed without output on stderr; return its stdout."""
    result = subprocess.run([program, *arguments], input=data, capture_output=True, check=False)
    assert result.returncode == 0 and not result.stderr, result.stderr.decode(errors="replace")
    return result.stdout
