"""The network in C against TensorFlow Lite Micro, on real sound: mismatches, memory, weights, work.

    python benchmarks/chip.py DATA_DIR [--archs miniresnet yamnet256] [--budget SECONDS] [--patches 1000]
        [--st-models DIR] > chip.md

DATA_DIR holds ESC-50's `audio/` and `meta/esc50.csv` as published. Each network of the registry learns the ESC-10 clips
of folds 1 to 3 for `--budget` seconds: enough for weights and scales as training leaves them, not for a good network.
It is converted to int8, generated as C, compiled by gcc and run on patches of fold 4, cut closer than usual; the scores
are held against those of the PyPI package tflite-micro. `--st-models` adds ST's own int8 files from that folder, each
less its last DEQUANTIZE. The table goes to stdout as Markdown; it ends with an exit code of 1 where scores differ.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from esc10 import clips_of
from tflite_micro import runtime

from labeltool.audio.feature_cache import FeatureCache
from labeltool.audio.frontend import Frontend
from labeltool.exporters.stm32.codegen.network_c import write_c
from labeltool.exporters.stm32.tflite.graph import read_graph
from labeltool.exporters.stm32.tflite.lowering import lower
from labeltool.exporters.stm32.tflite.memory_plan import our_plan, tflm_plan
from labeltool.exporters.stm32.tflite.ram import tflm_arena
from labeltool.exporters.stm32.tflite.summary import describe
from labeltool.networks import build as networks_build
from labeltool.networks import predict, quantization
from labeltool.training import fit

LEARN_FOLDS, LISTEN_FOLD = (1, 2, 3), 4

FLAGS = ("-std=c99", "-O2", "-Wall", "-Wextra", "-Wconversion", "-Wpedantic", "-Werror")

PROGRAM = """\
#include <stdio.h>
#include "aed_nn.h"

int main(void)
{
    static int8_t input[AED_NN_INPUT_SIZE], output[AED_NN_OUTPUT_SIZE];
    while (fread(input, 1, sizeof input, stdin) == sizeof input) {
        if (aed_nn_run(input, output)) {
            return 1;
        }
        fwrite(output, 1, sizeof output, stdout);
    }
    return 0;
}
"""

COLUMNS = (
    "network",
    "learnt",
    "M MACC",
    "weights KiB",
    "TFLM arena, measured",
    "of it tensors",
    "planned alike",
    "paddings folded",
    "our plan",
    "patches",
    "different scores",
    "mismatches",
)


@dataclass(frozen=True)
class Sounds:
    """ESC-10 as a frontend hears it."""

    log_mels: list[np.ndarray]
    targets: np.ndarray
    groups: list[str]
    folds: np.ndarray
    names: list[str]


def sounds(data: Path, cache: Path, frontend: Frontend) -> Sounds:
    """Compute or look up the log-mels of the clips that are there."""
    clips, labels = clips_of(data)
    names = sorted(set(labels))
    features = FeatureCache(cache, frontend)
    features.compute(clips)
    return Sounds(
        [features.log_mel(clip) for clip in clips],
        np.eye(len(names), dtype=np.float32)[[names.index(label) for label in labels]],
        [clip.group for clip in clips],
        np.array([clip.fold for clip in clips]),
        names,
    )


def patches_of(heard: Sounds, frontend: Frontend, n: int) -> np.ndarray:
    """Cut at least `n` patches from the fold that is only listened to, where there are so many."""
    left_out = [heard.log_mels[i] for i in np.flatnonzero(heard.folds == LISTEN_FOLD)]
    hop = frontend.patch_hop
    while hop > 1 and sum(len(replace(frontend, patch_hop=hop).patch_starts(len(one))) for one in left_out) < n:
        hop //= 2
    return np.concatenate([replace(frontend, patch_hop=hop).patches(one) for one in left_out])


def trained(arch: str, heard: Sounds, budget_s: float) -> tuple[bytes, str]:
    """Train for a while and convert; return the TFLite file and what to say of it."""
    frontend = networks_build.ARCHITECTURES[arch].frontend
    learn = np.flatnonzero(np.isin(heard.folds, LEARN_FOLDS))
    log_mels = [heard.log_mels[i] for i in learn]
    fitted = fit.fit(
        arch,
        frontend,
        log_mels,
        heard.targets[learn],
        [heard.groups[i] for i in learn],
        label_names=heard.names,
        settings=fit.TrainingSettings(budget_s=budget_s),
        validation=np.array([], np.int64),
    )
    tflite = quantization.to_int8(fitted.model, np.concatenate([frontend.patches(one) for one in log_mels]))
    rest = np.flatnonzero(heard.folds == LISTEN_FOLD)
    scores, _ = predict.clip_probabilities(
        quantization.Int8Model(tflite).predict, frontend, [heard.log_mels[i] for i in rest], fitted.rule
    )
    right = (scores.argmax(axis=1) == heard.targets[rest].argmax(axis=1)).mean()
    return tflite, f"{fitted.patches:,} patches in {fitted.seconds:.0f} s, {right:.1%} of clips in int8"


def without_last_operator(tflite: bytes) -> bytes:
    """Return a TFLite file whose output is what its last operator reads."""
    import flatbuffers
    from tensorflow.lite.python import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(tflite, 0))
    graph = model.subgraphs[0]
    graph.outputs = [int(graph.operators.pop().inputs[0])]
    model.signatureDefs = []
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def scores_in_c(tflite: bytes, codes: np.ndarray) -> np.ndarray:
    """Generate, compile and run; `(patches, labels) int8`."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_c(tflite, folder)
        (folder / "program.c").write_text(PROGRAM)
        command = ["gcc", *FLAGS, "program.c", "aed_nn.c", "aed_model.c", "-o", "program"]
        subprocess.run(command, cwd=folder, check=True)
        ran = subprocess.run([folder / "program"], input=codes.tobytes(), stdout=subprocess.PIPE, check=True)
    return np.frombuffer(ran.stdout, np.int8).reshape(len(codes), -1)


def scores_of_tflm(tflite: bytes, codes: np.ndarray) -> np.ndarray:
    """Run tflite-micro; `(patches, labels) int8`."""
    interpreter, scores = runtime.Interpreter.from_bytes(tflite), []
    for patch in codes:
        interpreter.set_input(patch[None, :, :, None], 0)
        interpreter.invoke()
        scores.append(np.array(interpreter.get_output(0)).ravel())
    return np.array(scores)


def row(name: str, learnt: str, tflite: bytes, patches: np.ndarray) -> tuple[list[str], int]:
    """Compare and measure one network; return its cells and the number of mismatches."""
    codes = quantization.Int8Model(tflite).quantise(patches)
    reference = scores_of_tflm(tflite, codes)
    mismatches = int((scores_in_c(tflite, codes) != reference).any(axis=1).sum())
    graph = read_graph(tflite)
    network, program, arena = describe(graph), lower(graph), tflm_arena(tflite)
    cells = [
        name,
        learnt,
        f"{network.macc / 1e6:.2f}",
        f"{network.weight_bytes / 1024:.1f}",
        *((kib(sum(arena)), kib(arena[0])) if arena else ("not measured",) * 2),
        kib(tflm_plan(graph).size),
        kib(our_plan(program, overlapping=False).size),
        kib(our_plan(program).size),
        f"{len(codes):,}",
        f"{len(np.unique(reference, axis=0)):,}",
        str(mismatches),
    ]
    return cells, mismatches


def kib(size: int) -> str:
    """Write bytes as KiB."""
    return f"{size / 1024:.1f} KiB"


def networks(options: argparse.Namespace) -> Iterator[tuple[str, str, bytes, np.ndarray]]:
    """Yield name, what it learnt, TFLite file and patches of each network asked for."""
    for arch in options.archs:
        frontend = networks_build.ARCHITECTURES[arch].frontend
        heard = sounds(options.data, options.cache, frontend)
        tflite, learnt = trained(arch, heard, options.budget)
        yield arch, learnt, tflite, patches_of(heard, frontend, options.patches)
    for path in sorted(options.st_models.glob("*int8.tflite")) if options.st_models else ():
        tflite = without_last_operator(path.read_bytes())
        shape = read_graph(tflite).tensors[0].shape
        arch = "yamnet256" if shape[2] == 96 else "miniresnet"
        # ST's input scales suit ST's logarithm, ours is scaled otherwise: stretch it over the codes.
        frontend = networks_build.ARCHITECTURES[arch].frontend
        patches = patches_of(sounds(options.data, options.cache, frontend), frontend, options.patches)
        scale, zero_point = quantization.Int8Model(tflite).input_scale, quantization.Int8Model(tflite).input_zero_point
        low, high = np.percentile(patches, (0.5, 99.5))
        stretched = (patches - low) / (high - low) * 255 - 128
        yield path.stem, "as published by ST", tflite, ((stretched - zero_point) * scale).astype(np.float32)


def main() -> int:
    """Print the table, a row as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    # What hears by a borrowed network is for no chip.
    known = [name for name, spec in networks_build.ARCHITECTURES.items() if spec.frontend.kind != "embedding"]
    parser.add_argument("--archs", nargs="*", default=known, choices=known)
    parser.add_argument("--budget", type=float, default=240.0, help="seconds of training each")
    parser.add_argument("--patches", type=int, default=1000, help="at least so many each, where there are so many")
    parser.add_argument("--st-models", type=Path, help="folder of ST's int8 files")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "labeltool-chip-cache")
    options = parser.parse_args()
    print("| " + " | ".join(COLUMNS) + " |\n| " + " | ".join("---" for _ in COLUMNS) + " |", flush=True)
    wrong = 0
    for name, learnt, tflite, patches in networks(options):
        began = time.monotonic()
        cells, mismatches = row(name, learnt, tflite, patches)
        wrong += mismatches
        print("| " + " | ".join(cells) + " |", flush=True)
        print(f"{name}: compared in {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
