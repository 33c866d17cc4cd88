"""The network in C against TensorFlow Lite Micro, on real sound: mismatches, memory, weights, work.

    python benchmarks/mcu.py DATA_DIR [--archs miniresnet yamnet256] [--budget SECONDS] [--patches 1000]
        [--st-models DIR] > mcu.md

DATA_DIR holds ESC-50's `audio/` and `meta/esc50.csv` as published. Each architecture is trained on the ESC-10 clips of
folds 1 to 3 for `--budget` seconds: enough for realistic weights and scales, not for a good network. It is converted to
int8, generated as C, compiled by gcc and run on patches of fold 4, cut closer than usual; the scores are compared with
those of the PyPI package tflite-micro. `--st-models` adds ST's own int8 files from that folder, each without its last
DEQUANTIZE. The table goes to stdout as Markdown; the exit code is 1 where scores differ.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from esc10_clips import read_clips

from labeltool.audio.feature_cache import FeatureCache
from labeltool.audio.frontend import EmbeddingFrontend, Frontend
from labeltool.exporters.stm32.codegen.network_c import write_c
from labeltool.exporters.stm32.tflite.graph import read_graph
from labeltool.exporters.stm32.tflite.lowering import lower
from labeltool.exporters.stm32.tflite.memory_plan import plan_arena
from labeltool.exporters.stm32.tflite.ram import tflm_arena
from labeltool.exporters.stm32.tflite.summary import read_network
from labeltool.networks import predict, quantization
from labeltool.networks.architectures import ARCHITECTURES
from labeltool.training import fit
from labeltool.training.training_data import TrainingData
from labeltool.type_aliases import Float32, Int8

TRAIN_FOLDS, TEST_FOLD = (1, 2, 3), 4

FLAGS = ("-std=c99", "-O2", "-Wall", "-Wextra", "-Wconversion", "-Wpedantic", "-Werror")

PROGRAM = """\
#include <stdio.h>
#include "aed_nn.h"

int main(void)
{
    static int8_t input[AED_NN_INPUT_SIZE], output[AED_NN_OUTPUT_SIZE];
    static aed_nn network;
    while (fread(input, 1, sizeof input, stdin) == sizeof input) {
        if (aed_nn_run(&network, input, output) != AED_OK) {
            return 1;
        }
        fwrite(output, 1, sizeof output, stdout);
    }
    return 0;
}
"""

COLUMNS = (
    "network",
    "trained on",
    "M MACC",
    "weights KiB",
    "TFLM arena, measured",
    "of which tensors",
    "planned, no overlap",
    "planned",
    "patches",
    "different scores",
    "mismatches",
)


@dataclass(frozen=True, slots=True)
class Sounds:
    """ESC-10 by a frontend: all its clips, and the fold of each."""

    data: TrainingData
    folds: np.ndarray

    def part(self, *folds: int) -> TrainingData:
        """Return the clips of some folds."""
        return self.data.only(np.flatnonzero(np.isin(self.folds, folds)))


def read_sounds(data: Path, cache: Path, frontend: Frontend) -> Sounds:
    """Compute the frames of the clips that are there, or read them from the cache."""
    clips, labels = read_clips(data)
    names = sorted(set(labels))
    features = FeatureCache(cache, frontend)
    features.compute(clips)
    frames = [features.log_mel(clip) for clip in clips]
    present = np.eye(len(names), dtype=np.float32)[[names.index(label) for label in labels]]
    groups = [clip.group for clip in clips]
    return Sounds(
        TrainingData(frontend, frames, present, np.zeros_like(present), groups, names),
        np.array([clip.fold for clip in clips]),
    )


def cut_patches(sounds: Sounds, n: int) -> Float32:
    """Cut at least `n` patches from the test fold, or all that it has."""
    test, frontend = sounds.part(TEST_FOLD), sounds.data.frontend
    while frontend.patch_hop > 1 and sum(len(frontend.patch_starts(len(one))) for one in test.frames) < n:
        frontend = frontend.with_patches(frontend.patch_frames, frontend.patch_hop // 2)
    return np.concatenate([frontend.patches(one) for one in test.frames])


def train(arch: str, sounds: Sounds, budget_s: float) -> tuple[bytes, str]:
    """Train for a while and convert; return the TFLite file and a note on the training."""
    data, test = sounds.part(*TRAIN_FOLDS), sounds.part(TEST_FOLD)
    settings = fit.TrainingSettings(budget_s=budget_s)
    result = fit.fit(fit.InitialNetwork(arch), data, settings, validation=np.array([], np.int64))
    tflite = quantization.to_int8(result.model, np.concatenate([data.frontend.patches(one) for one in data.frames]))
    score = quantization.Int8Model(tflite).predict
    scores, _ = predict.clip_probabilities(score, data.frontend, test.frames, result.rule)
    accuracy = (scores.argmax(axis=1) == test.present.argmax(axis=1)).mean()
    return tflite, f"{result.patches:,} patches in {result.seconds:.0f} s, int8 clip accuracy {accuracy:.1%}"


def without_last_operator(tflite: bytes) -> bytes:
    """Return a TFLite file whose output is the input of its last operator."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(tflite, 0))
    graph = model.subgraphs[0]
    graph.outputs = [int(graph.operators.pop().inputs[0])]
    model.signatureDefs = []
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def scores_in_c(tflite: bytes, codes: Int8) -> Int8:
    """Generate, compile and run; `(patches, labels) int8`."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_c(tflite, folder)
        (folder / "program.c").write_text(PROGRAM)
        command = ["gcc", *FLAGS, "program.c", "aed_nn.c", "aed_model.c", "-o", "program"]
        subprocess.run(command, cwd=folder, check=True)
        ran = subprocess.run([folder / "program"], input=codes.tobytes(), stdout=subprocess.PIPE, check=True)
    return np.frombuffer(ran.stdout, np.int8).reshape(len(codes), -1)


def scores_of_tflm(tflite: bytes, codes: Int8) -> Int8:
    """Run tflite-micro; `(patches, labels) int8`."""
    from tflite_micro import runtime  # type: ignore[import-untyped]

    interpreter, scores = runtime.Interpreter.from_bytes(tflite), []
    for patch in codes:
        interpreter.set_input(patch[None, :, :, None], 0)
        interpreter.invoke()
        scores.append(np.array(interpreter.get_output(0)).ravel())
    return np.array(scores)


def row(name: str, note: str, tflite: bytes, patches: Float32) -> tuple[list[str], int]:
    """Compare and measure one network; return its cells and the number of mismatches."""
    codes = quantization.Int8Model(tflite).quantise(patches)
    reference = scores_of_tflm(tflite, codes)
    mismatches = int((scores_in_c(tflite, codes) != reference).any(axis=1).sum())
    graph = read_graph(tflite)
    network, program, arena = read_network(tflite), lower(graph), tflm_arena(tflite)
    cells = [
        name,
        note,
        f"{network.macc / 1e6:.2f}",
        f"{network.weight_bytes / 1024:.1f}",
        *((kib(sum(arena)), kib(arena.tensors)) if arena else ("not measured",) * 2),
        kib(plan_arena(program, overlapping=False).size),
        kib(plan_arena(program).size),
        f"{len(codes):,}",
        f"{len(np.unique(reference, axis=0)):,}",
        str(mismatches),
    ]
    return cells, mismatches


def kib(size: int) -> str:
    return f"{size / 1024:.1f} KiB"


def networks(options: argparse.Namespace) -> Iterator[tuple[str, str, bytes, Float32]]:
    """Yield name, note, TFLite file and patches of each network that is measured."""
    for arch in options.archs:
        sounds = read_sounds(options.data, options.cache, ARCHITECTURES[arch].frontend)
        tflite, note = train(arch, sounds, options.budget)
        yield arch, note, tflite, cut_patches(sounds, options.patches)
    for path in sorted(options.st_models.glob("*int8.tflite")) if options.st_models else ():
        tflite = without_last_operator(path.read_bytes())
        shape = read_graph(tflite).tensors[0].shape
        arch = "yamnet256" if shape[2] == 96 else "miniresnet"
        # ST's input scales suit ST's logarithm, ours is scaled otherwise: stretch it over the codes.
        sounds = read_sounds(options.data, options.cache, ARCHITECTURES[arch].frontend)
        patches = cut_patches(sounds, options.patches)
        network = quantization.Int8Model(tflite)
        low, high = np.percentile(patches, (0.5, 99.5))
        stretched = (patches - low) / (high - low) * 255 - 128
        codes = (stretched - network.input.zero_point) * network.input.scale
        yield path.stem, "as published by ST", tflite, codes.astype(np.float32)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    # Networks over embeddings do not run on an MCU.
    archs = [name for name, spec in ARCHITECTURES.items() if not isinstance(spec.frontend, EmbeddingFrontend)]
    parser.add_argument("--archs", nargs="*", default=archs, choices=archs)
    parser.add_argument("--budget", type=float, default=240.0, help="seconds of training each")
    parser.add_argument("--patches", type=int, default=1000, help="at least this many each, or all that there are")
    parser.add_argument("--st-models", type=Path, help="folder of ST's int8 files")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "labeltool-mcu-cache")
    options = parser.parse_args()
    print("| " + " | ".join(COLUMNS) + " |\n| " + " | ".join("---" for _ in COLUMNS) + " |", flush=True)
    wrong = 0
    for name, note, tflite, patches in networks(options):
        began = time.monotonic()
        cells, mismatches = row(name, note, tflite, patches)
        wrong += mismatches
        print("| " + " | ".join(cells) + " |", flush=True)
        print(f"{name}: compared in {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
