"""The network in C: the scores of TensorFlow Lite Micro's reference kernels, within the planned memory."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.networks import FOR_MCUS, perturbed, pooled_network, scores_of_tflm
from labeltool.errors import LabeltoolError
from labeltool.exporters.stm32.codegen.network_c import write_c
from labeltool.exporters.stm32.tflite.geometry import window_lead
from labeltool.exporters.stm32.tflite.graph import Graph, read_graph
from labeltool.exporters.stm32.tflite.lowering import lower
from labeltool.exporters.stm32.tflite.memory_plan import Buffer, place, plan_arena
from labeltool.exporters.stm32.tflite.ram import RamFigures, ram_figures, tflm_arena
from labeltool.exporters.stm32.tflite.summary import read_network
from labeltool.networks import build as networks
from labeltool.networks.quantization import Int8Model

STRICT = ("-std=c99", "-O2", "-Wall", "-Wextra", "-Wconversion", "-Wpedantic", "-Wshadow", "-Werror")
CPUS = ("cortex-m4", "cortex-m33", "cortex-m7", "cortex-m55")
# Published M MACC and KiB of weights, and the file in ST's model zoo.
ST_MODELS = {
    "miniresnet_1stacks_64x50_int8": (14.5, 127.8),
    "miniresnet_2stacks_64x50_int8": (26.0, 451.8),
    "miniresnetv2_1stacks_64x50_int8": (15.0, 124.0),
    "miniresnetv2_2stacks_64x50_int8": (27.0, 431.9),
    "yamnet_256_64x96_int8": (24.0, 135.9),
}
# The later ones are not ST's; the head of yamnet256 is another.
ST_NAMES = dict(zip(list(networks.ARCHITECTURES)[:4], ST_MODELS, strict=False))

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


def scores_in_c(tflite: bytes, codes: np.ndarray, folder: Path, *flags: str) -> np.ndarray:
    """Generate and compile without warnings, run on codes of shape (patches, ...); return (patches, labels) int8."""
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    folder.mkdir(exist_ok=True)
    write_c(tflite, folder)
    (folder / "program.c").write_text(PROGRAM)
    sources = ("program.c", "aed_nn.c", "aed_model.c")
    result = subprocess.run(
        ["gcc", *STRICT, *flags, *sources, "-o", "program"], cwd=folder, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    output = subprocess.run([folder / "program"], input=codes.tobytes(), capture_output=True, check=False)
    assert output.returncode == 0, output.stderr
    return np.frombuffer(output.stdout, np.int8).reshape(len(codes), -1)


def codes_for(graph: Graph, n: int, seed: int = 0) -> np.ndarray:
    """Return inputs of many kinds: slopes, edges and noise of different loudness, silence and full scale."""
    rng, shape = np.random.default_rng(seed), graph.tensors[graph.input].shape[1:]
    walks = rng.normal(0, 1, (n, *shape)).cumsum(axis=1) * rng.uniform(0, 30, (n, *[1] * len(shape)))
    codes = np.clip(walks + rng.normal(0, 60, (n, *[1] * len(shape))), -128, 127).astype(np.int8)
    codes[0], codes[1] = -128, 127
    return codes


@pytest.mark.parametrize("arch", FOR_MCUS)
def test_c_scores_equal_those_of_the_reference_kernels(
    arch: str, converted: Callable[[str], bytes], tmp_path: Path
) -> None:
    tflite = converted(arch)
    codes = codes_for(read_graph(tflite), 40)
    reference = scores_of_tflm(tflite, codes)
    np.testing.assert_array_equal(scores_in_c(tflite, codes, tmp_path), reference)
    assert len(np.unique(reference, axis=0)) > 10  # the scores differ, so that equality is meaningful


@pytest.mark.parametrize("head", ["softmax", "sigmoid"])
def test_pools_of_the_whole_map_and_a_concatenation_are_those_of_the_reference_kernels(
    head: str, tmp_path: Path
) -> None:
    tflite = pooled_network(head)
    graph = read_graph(tflite)
    names = {operator.name for operator in graph.operators}
    assert names >= {"AVERAGE_POOL_2D", "MAX_POOL_2D", "CONCATENATION", "FULLY_CONNECTED"}
    codes = codes_for(graph, 60)
    reference = scores_of_tflm(tflite, codes)
    np.testing.assert_array_equal(
        scores_in_c(tflite, codes, tmp_path, "-fsanitize=address,undefined", "-fno-sanitize-recover=all"), reference
    )
    np.testing.assert_array_equal(Int8Model(tflite).predict_int8(codes[..., 0]), reference)
    assert len(np.unique(reference, axis=0)) > 10


def test_other_concatenations_are_refused() -> None:
    graph = read_graph(pooled_network("softmax"))
    place, operator = next((i, one) for i, one in enumerate(graph.operators) if one.name == "CONCATENATION")
    of_three = replace(operator, inputs=(*operator.inputs, operator.inputs[0]))
    other_scale = list(graph.tensors)
    other_scale[operator.inputs[1]] = replace(other_scale[operator.inputs[1]], scales=(0.5,))
    changed = (*graph.operators[:place], of_three, *graph.operators[place + 1 :])
    for one in (replace(graph, operators=changed), replace(graph, tensors=tuple(other_scale))):
        with pytest.raises(LabeltoolError, match="CONCATENATION of other than two tensors of the scale of its output"):
            lower(one)


@pytest.mark.parametrize("name", ST_MODELS)
def test_c_scores_of_models_by_st(name: str, real_data: Path, tmp_path: Path) -> None:
    path = real_data / "models" / "st_model_zoo" / f"{name}.tflite"
    if not path.is_file():
        pytest.skip("ST's models are not beside this checkout")
    tflite = without_last_operator(path.read_bytes())
    codes = codes_for(read_graph(tflite), 20)
    np.testing.assert_array_equal(scores_in_c(tflite, codes, tmp_path), scores_of_tflm(tflite, codes))
    network, (mega_macc, weights_kib) = read_network(tflite), ST_MODELS[name]
    assert network.macc / 1e6 == pytest.approx(mega_macc, abs=0.5)
    assert network.weight_bytes / 1024 == pytest.approx(weights_kib, abs=0.1)


def without_last_operator(tflite: bytes) -> bytes:
    """Remove the DEQUANTIZE at the end of ST's files; its input is the scores."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(tflite, 0))
    graph = model.subgraphs[0]
    graph.outputs = [int(graph.operators.pop().inputs[0])]
    model.signatureDefs = []
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


@pytest.mark.parametrize("arch", ST_NAMES)
def test_multiply_accumulates_and_weights_are_the_published_ones(arch: str, converted: Callable[[str], bytes]) -> None:
    network, (mega_macc, weights_kib) = read_network(converted(arch)), ST_MODELS[ST_NAMES[arch]]
    assert network.macc / 1e6 == pytest.approx(mega_macc, abs=0.5)
    assert network.weight_bytes / 1024 == pytest.approx(weights_kib, abs=0.1)


def odd_network(keras: Any) -> Any:
    """Build layers of no network in the registry: pools without padding, a padding that cannot be folded, a sigmoid."""
    layers = keras.layers
    inputs = keras.Input((11, 9, 2))
    x = layers.ZeroPadding2D(((2, 1), (0, 3)))(inputs)
    x = layers.AveragePooling2D(3, strides=2, padding="same")(x)
    x = layers.Conv2D(6, (3, 2), strides=(1, 2), padding="same", activation="relu6")(x)
    x = layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2)(x)
    y = layers.MaxPooling2D(3, strides=1, padding="same")(x)
    x = layers.Add()([x, y])
    gate = layers.Conv2D(12, 1, activation="sigmoid")(layers.GlobalAveragePooling2D(keepdims=True)(x))
    x = layers.Multiply()([x, gate])
    x = layers.Permute((2, 1, 3))(x)
    x = layers.AveragePooling2D(2, strides=1)(x)
    x = layers.Flatten()(x)
    return keras.Model(inputs, layers.Dense(5, activation="sigmoid")(layers.Dense(7, activation="relu")(x)))


@pytest.fixture(scope="module")
def odd() -> bytes:
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(2)
    model = perturbed(odd_network(keras))
    function = tf.function(lambda x: model(x, training=False)).get_concrete_function(tf.TensorSpec((1, 11, 9, 2)))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    rng = np.random.default_rng(1)
    converter.representative_dataset = lambda: ([rng.normal(0, 1, (1, 11, 9, 2)).astype(np.float32)] for _ in range(50))
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    converter._experimental_disable_per_channel_quantization_for_dense_layers = True
    return bytes(converter.convert())


def test_every_kind_of_layer_under_the_sanitizers(odd: bytes, tmp_path: Path) -> None:
    codes = codes_for(read_graph(odd), 300)
    kinds = {layer.kind for layer in lower(read_graph(odd)).layers}
    assert kinds >= {
        "PAD",
        "AVERAGE_POOL",
        "MAX_POOL",
        "CONVOLVE_DEPTH",
        "MULTIPLY",
        "MEAN",
        "SIGMOID",
        "TRANSPOSE",
    }
    sanitized = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
    np.testing.assert_array_equal(scores_in_c(odd, codes, tmp_path, *sanitized), scores_of_tflm(odd, codes))


def test_the_planned_arena_of_a_miniresnet_is_small(converted: Callable[[str], bytes]) -> None:
    program = lower(read_graph(converted("miniresnet")))
    assert plan_arena(program, overlapping=False).size == 64_512  # 63.0 KiB
    assert plan_arena(program).size < 59.6 * 1024  # what ST publishes for its own planner


def test_ram_is_measured_only_where_tflite_micro_is_installed(
    converted: Callable[[str], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    tflite = converted("miniresnet")
    if find_spec("tflite_micro") is not None:
        assert ram_figures(tflite).measured == tflm_arena(tflite)
        assert tflm_arena(tflite) == (109_952, 7_424)  # 107.4 KiB of tensors
    assert tflm_arena(tflite[:400]) is None
    monkeypatch.setattr("labeltool.exporters.stm32.tflite.ram.find_spec", lambda name: None)
    assert ram_figures(tflite) == RamFigures(None, plan_arena(lower(read_graph(tflite))).size)


@given(st.lists(st.tuples(st.integers(1, 50), st.integers(0, 9), st.integers(0, 4)), min_size=1, max_size=12))
def test_buffers_that_overlap_in_time_never_share_a_byte(drawn: list[tuple[int, int, int]]) -> None:
    buffers = {i: Buffer(size, first, first + more) for i, (size, first, more) in enumerate(drawn)}
    plan = place(buffers, sorted(buffers), alignment=4)
    for step in range(14):
        live = sorted((plan.offsets[i], b.size) for i, b in buffers.items() if b.first <= step <= b.last)
        assert all(one + size <= other for (one, size), (other, _) in pairwise(live))
    assert all(plan.offsets[i] >= 0 and plan.offsets[i] + b.size <= plan.size for i, b in buffers.items())


@given(st.data())
def test_an_output_that_overlaps_its_input_overwrites_no_byte_before_it_is_read(data: st.DataObject) -> None:
    small = st.integers(1, 4)
    window = {name: data.draw(small, name) for name in ("in_channels", "out_channels", "stride_rows", "stride_columns")}
    for side in ("rows", "columns"):
        kernel, before = data.draw(small, "kernel"), data.draw(st.integers(0, 2), "before")
        size = data.draw(st.integers(kernel, 7), "size")
        window |= {f"in_{side}": size, f"pad_{side}": min(before, kernel - 1), f"kernel_{side}": kernel}
        window[f"out_{side}"] = (size + 2 * window[f"pad_{side}"] - kernel) // window[f"stride_{side}"] + 1
    w, lead = window, window_lead(window)

    def overwrites(lead: int) -> bool:
        """Run as the kernel does, the input `lead` bytes after the output; return whether it reads its own output."""
        written = 0
        for row in range(w["out_rows"]):
            for column in range(w["out_columns"]):
                written += w["out_channels"]
                y = [row * w["stride_rows"] - w["pad_rows"] + k for k in range(w["kernel_rows"])]
                x = [column * w["stride_columns"] - w["pad_columns"] + k for k in range(w["kernel_columns"])]
                cells = [
                    i * w["in_columns"] + j for i in y for j in x if 0 <= i < w["in_rows"] and 0 <= j < w["in_columns"]
                ]
                if cells and lead + min(cells) * w["in_channels"] < written:
                    return True
        return False

    assert not overwrites(lead)


def test_wrong_calls_are_refused(odd: bytes, tmp_path: Path) -> None:
    write_c(odd, tmp_path)
    (tmp_path / "program.c").write_text(
        '#include <stdio.h>\n#include "aed_nn.h"\n'
        "int main(void) { static aed_nn state; static int8_t in[AED_NN_INPUT_SIZE], out[AED_NN_OUTPUT_SIZE];\n"
        '    printf("%d %d %d %d", (int)aed_nn_run(0, in, out), (int)aed_nn_run(&state, 0, out),\n'
        "        (int)aed_nn_run(&state, in, 0), (int)aed_nn_run(&state, in, out)); return 0; }\n"
    )
    command = ["gcc", *STRICT, "program.c", "aed_nn.c", "aed_model.c", "-o", "program"]
    subprocess.run(command, cwd=tmp_path, check=True)
    ran = subprocess.run([tmp_path / "program"], capture_output=True, text=True, check=True)
    assert ran.stdout == "1 1 1 0"


@pytest.mark.parametrize("cpu", CPUS)
def test_it_compiles_for_a_device_and_fits(cpu: str, converted: Callable[[str], bytes], tmp_path: Path) -> None:
    if shutil.which("arm-none-eabi-gcc") is None:
        pytest.skip("arm-none-eabi-gcc is not installed")
    write_c(converted("miniresnet"), tmp_path)
    options = (*STRICT, f"-mcpu={cpu}", "-mthumb", "-c")
    for name in ("aed_nn.c", "aed_model.c"):
        built = subprocess.run(["arm-none-eabi-gcc", *options, name], cwd=tmp_path, capture_output=True, text=True)
        assert built.returncode == 0, built.stderr
    sizes = subprocess.run(
        ["arm-none-eabi-size", "-t", "aed_nn.o", "aed_model.o"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()[-1]
    text, data, bss = map(int, sizes.split()[:3])
    arena = int(re.findall(r"AED_NN_ARENA_SIZE (\d+)", (tmp_path / "aed_model.h").read_text())[0])
    # The device also needs 16 KB of front-end tables, 8 KB of front-end RAM, and memory for an application.
    assert data + bss == 0  # without static memory, networks can run at once
    assert text < 160 * 1024 and arena < 64 * 1024


def test_the_same_model_gives_the_same_text(converted: Callable[[str], bytes], tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        write_c(converted("miniresnet"), tmp_path / name)
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert files == ["aed_model.c", "aed_model.h", "aed_nn.c", "aed_nn.h", "aed_status.h"]
    for name in files:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "other" / name).read_bytes()


def test_an_unsupported_operator_is_named_in_one_line(tmp_path: Path) -> None:
    import tensorflow as tf

    function = tf.function(lambda x: tf.reverse(x, [1])).get_concrete_function(tf.TensorSpec((1, 4, 4, 1)))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function])
    with pytest.raises(LabeltoolError, match=r"does not support REVERSE_V2.*--int8") as caught:
        write_c(converter.convert(), tmp_path)
    assert "\n" not in str(caught.value) and not list(tmp_path.iterdir())
