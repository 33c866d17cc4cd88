"""The package's C, compiled for this machine with any frontend and a stub of the network."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from helpers.exports import model_card
from labeltool.audio.frontend import LogMelFrontend
from labeltool.exporters.stm32.codegen.fixed_point_tables import fixed_point_problem
from labeltool.exporters.stm32.codegen.frontend_tables import aed_tables
from labeltool.exporters.stm32.codegen.network_c import model_c
from labeltool.exporters.stm32.tflite.lowering import Layer, Program
from labeltool.exporters.stm32.tflite.memory_plan import plan_arena
from labeltool.exporters.stm32.tflite.summary import Network, TensorFormat
from labeltool.exporters.stm32.verification.golden import (
    FrontEnd,
    Golden,
    fixed_point_inputs,
    float_inputs,
    golden_pcm_h,
    golden_samples,
    golden_scores_h,
)
from labeltool.networks.model_folder import ModelFiles
from labeltool.networks.postprocessing import ClipRule, clip_scores
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


def without(monkeypatch: pytest.MonkeyPatch, *tools: str) -> None:
    """Make some tools appear not installed."""
    which = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name: None if name in tools else which(name))


def network_of(
    frontend: LogMelFrontend, labels: int = len(LABELS), scale: float = 0.03125, zero_point: int = -3
) -> Network:
    """Describe a network whose input is the patches of a frontend."""
    input_tensor = TensorFormat((1, frontend.n_mels, frontend.patch_frames, 1), "INT8", scale, zero_point)
    return Network(input_tensor, TensorFormat((1, labels), "INT8", 1 / 256, -128), {}, 0, 0)


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
    for name in ("aed_probe.c", "aed_run.c"):
        shutil.copy(sources / "test" / name, folder)
    rules = {"clip_rule": rule or ClipRule(), "stream_rule": stream or StreamRule()}
    model = ModelFiles(folder, model_card(tuple(labels), background=background, **rules), frontend)
    texts = dict(zip(("aed_tables.c", "aed_tables.h"), aed_tables(model, network, "0" * 64), strict=True))
    size = frontend.n_mels * frontend.patch_frames
    texts["aed_nn.h"] = _STUB_H.format(size=size, labels=len(labels))
    texts["aed_nn.c"] = _STUB_C
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / f"aed_{part}.c" for part in ("preproc", "preproc_fixed", "postproc", "stream", "tables", "nn")]


def build(folder: Path, program: str, sources: Sequence[Path], *flags: str | Path) -> Path:
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


SMALL = LogMelFrontend(n_fft=256, hop=64, n_mels=16, low_hz=0, high_hz=8000, patch_frames=8, patch_hop=4)
SMALL_MAGNITUDES = replace(SMALL, win_length=200, spectrum="magnitude", mel_scale="tensorflow", centred=False)


def small_program() -> Program:
    """Return a network of every kind of layer over the patches of `SMALL`, with random weights."""
    rng = np.random.default_rng(9)
    layers: list[Layer] = []
    sizes = {0: SMALL.n_mels * SMALL.patch_frames}

    def add(kind: str, shape: tuple[int, int, int], inputs: Sequence[int] | None = None, **fields: int) -> None:
        """Add a layer with an output of a shape; its input has the shape of the layer before it."""
        before = layers[-1].fields if layers else {"out_rows": SMALL.n_mels, "out_columns": SMALL.patch_frames}
        names = ("rows", "columns", "channels")
        geometry = {f"in_{name}": before.get(f"out_{name}", 1) for name in names}
        geometry |= {f"out_{name}": size for name, size in zip(names, shape, strict=True)}
        filters = shape[2]
        fields = {"low": -128, "high": 127, "in_zero": -3, **geometry, **fields}
        kernel = fields.get("kernel_rows", 1) * fields.get("kernel_columns", 1)
        convolves = kind.startswith("CONVOLVE")
        per_filter = kernel * (geometry["in_channels"] if kind == "CONVOLVE" else 1)
        layers.append(
            Layer(
                kind,
                tuple(inputs or (len(layers),)),
                len(layers) + 1,
                fields,
                (None,) * len(inputs or (0,)),
                weights=rng.integers(-127, 128, filters * per_filter).astype(np.int8) if convolves else None,
                bias=rng.integers(-2000, 2000, filters).astype(np.int32) if convolves else None,
                multipliers=rng.integers(2**30, 2**31 - 1, max(3, filters)).astype(np.int32),
                shifts=np.full(max(3, filters), fields.get("shift", -6), np.int8),
            )
        )
        fields.pop("shift", None)
        sizes[len(layers)] = int(np.prod(shape))

    once = {"stride_rows": 1, "stride_columns": 1}
    three = {"kernel_rows": 3, "kernel_columns": 3, "pad_rows": 1, "pad_columns": 1}
    add("PAD", (17, 9, 1), pad_rows=1, pad_columns=1, pad_value=-3)
    add("CONVOLVE", (9, 5, 4), **three, stride_rows=2, stride_columns=2)
    add("CONVOLVE_DEPTH", (9, 5, 4), **three, **once)
    add("ADD", (9, 5, 4), (2, 3), second_size=180, shift=-1)
    add("MAX_POOL", (5, 3, 4), **three, stride_rows=2, stride_columns=2, pad_value=-128)
    add("AVERAGE_POOL", (5, 3, 4), **three, **once)
    add("MULTIPLY", (5, 3, 4), (5, 6), second_size=60)
    add("TRANSPOSE", (3, 5, 4), stride_rows=4, stride_columns=12, stride_channels=1)
    add("MEAN", (3, 1, 4), shift=-2)
    add("CONCATENATE", (3, 1, 8), (9, 9), second_size=4)
    add("SIGMOID", (3, 1, 8), high=127, shift=19)
    add("CONVOLVE", (3, 1, 1), kernel_rows=1, kernel_columns=1, **once, shift=-6)
    layers[-1].fields.update({"in_rows": 3, "in_columns": 1, "in_channels": 8})  # type: ignore[attr-defined]
    add("SOFTMAX", (1, 1, 3), low=-7936, shift=20)
    layers[-1].fields.update({"in_rows": 1, "in_columns": 1, "in_channels": 3})  # type: ignore[attr-defined]
    return Program(tuple(layers), sizes, 0, len(layers))


def small_package(folder: Path, frontend: LogMelFrontend = SMALL) -> Path:
    """Write the C of a package with `small_program`; the expected scores come from its own C by gcc -O0.

    Parameters
    ----------
    frontend
        With patches like those of `SMALL`.
    """
    sources = Path(str(files("labeltool.exporters.stm32").joinpath("csrc")))
    shutil.copytree(sources / "test", folder / "test")
    (folder / "c").mkdir()
    for path in sources.glob("*.[ch]"):
        shutil.copy(path, folder / "c")
    model, network = ModelFiles(folder, model_card(LABELS, clip_rule=ClipRule()), frontend), network_of(frontend)
    program = small_program()
    pcm = np.clip(np.random.default_rng(1).normal(0, 3000, (2, golden_samples(frontend))), -32768, 32767).astype(
        np.int16
    )
    texts = dict(zip(("aed_tables.c", "aed_tables.h"), aed_tables(model, network, "0" * 64), strict=True))
    texts |= dict(zip(("aed_model.h", "aed_model.c"), model_c(program, plan_arena(program), "0" * 64), strict=True))
    for name, text in texts.items():
        (folder / "c" / name).write_text(text, encoding="utf-8")
    names = ("preproc", "preproc_fixed", "postproc", "stream", "tables", "nn", "model")
    probe = build(
        folder / "test", "aed_probe.c", [folder / "c" / f"aed_{name}.c" for name in names], "-O0", "-I", folder / "c"
    )
    vectors = _golden(frontend, pcm, float_inputs, network, probe)
    fixed = None if fixed_point_problem(frontend) else _golden(frontend, pcm, fixed_point_inputs, network, probe)
    probe.unlink()
    (folder / "test" / "golden_pcm.h").write_text(golden_pcm_h(vectors))
    (folder / "test" / "golden_scores.h").write_text(golden_scores_h(vectors, fixed, LABELS))
    return folder


def _golden(
    frontend: LogMelFrontend, pcm: npt.NDArray[np.int16], front_end: FrontEnd, network: Network, probe: Path
) -> Golden:
    patches = [front_end(frontend, clip, network.input) for clip in pcm]
    codes = np.stack([clip.codes for clip in patches])
    scores = np.frombuffer(run(probe, "scores", data=codes.tobytes()), np.int8).reshape(*codes.shape[:2], len(LABELS))
    real = (scores.astype(np.float32) + 128) / 256
    probabilities = [clip_scores(one, of.loudness_db, ClipRule()) for one, of in zip(real, patches, strict=True)]
    return Golden(pcm, codes, scores, np.stack(probabilities).astype(np.float32))
