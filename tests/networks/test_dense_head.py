"""A dense head in float, as int8 and in a file."""

from __future__ import annotations

import zipfile
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from labeltool.errors import LabeltoolError
from labeltool.networks import dense_head
from labeltool.networks.dense_head import DenseHead, QuantisedHead, quantise
from labeltool.networks.heads import Head
from labeltool.networks.quantization import interpreter

SCALE, ZERO = 0.0235, -128


def random_head(activation: Head, *widths: int, seed: int = 0, size: float = 1.0) -> DenseHead:
    rng = np.random.default_rng(seed)
    kernels = tuple(
        rng.normal(0, size / np.sqrt(one), (one, other)).astype(np.float32) for one, other in pairwise(widths)
    )
    biases = tuple(rng.normal(0, 0.3, width).astype(np.float32) for width in widths[1:])
    return DenseHead(activation, SCALE, ZERO, kernels, biases)


def random_codes(rows: int, width: int, seed: int = 1) -> np.ndarray[Any, np.dtype[np.int8]]:
    return np.random.default_rng(seed).integers(-128, 128, (rows, width)).astype(np.int8)


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
@pytest.mark.parametrize("widths", [(24, 5), (24, 16, 5), (24, 16, 1), (24, 16, 12, 60)])
def test_the_integers_are_the_float_layers_quantised(activation: Head, widths: tuple[int, ...]) -> None:
    head, codes = random_head(activation, *widths), random_codes(500, widths[0])
    quantised = quantise(head, codes)
    rows, scale, zero = codes.astype(np.float64), SCALE, ZERO
    for place, layer in enumerate(quantised.layers):
        sums = (rows - zero) @ layer.weights.T.astype(np.float64) + layer.bias
        real = sums * np.float32(scale) * layer.weight_scale / layer.output_scale + layer.output_zero
        computed = quantised.to_int8_head().layers[place](rows.astype(np.int8))
        assert np.abs(computed - np.clip(real, -128, 127)).max() <= 0.51
        rows, scale, zero = computed.astype(np.float64), layer.output_scale, layer.output_zero
    assert np.abs(quantised.predict(codes) - head.predict(codes)).max() < 0.06
    assert quantised.weight_bytes == sum(a * b + 4 * b for a, b in pairwise(widths))


def test_hidden_units_of_unlike_size_lose_little() -> None:
    head = random_head("softmax", 40, 32, 8, size=3.0)
    factors = np.geomspace(1e-3, 1e3, 32).astype(np.float32)
    unlike = DenseHead(
        "softmax",
        SCALE,
        ZERO,
        (head.kernels[0] * factors, head.kernels[1] / factors[:, None]),
        (head.biases[0] * factors, head.biases[1]),
    )
    codes = random_codes(800, 40)
    assert np.abs(quantise(unlike, codes).predict(codes) - head.predict(codes)).mean() < 0.01


def test_later_weights_make_up_for_the_rounding_of_earlier_ones_where_inputs_vary_together() -> None:
    rng, head = np.random.default_rng(2), random_head("softmax", 64, 6)
    codes = (20 * rng.normal(0, 1, (1000, 4)) @ rng.normal(0, 1, (4, 64)) + rng.normal(0, 2, (1000, 64))).round()
    codes = codes.clip(-128, 127).astype(np.int8)
    layer = quantise(head, codes).layers[0]
    kernel = head.kernels[0] - head.kernels[0].mean(axis=1, keepdims=True)
    nearest = np.clip(np.round(kernel / layer.weight_scale), -127, 127)
    inputs = codes - codes.mean(axis=0)
    errors = [
        np.square(inputs @ (weights * layer.weight_scale - kernel)).mean() for weights in (layer.weights.T, nearest)
    ]
    assert errors[0] < 0.5 * errors[1]


class _Watched(np.ndarray):
    """An array that notes by how many threads it, and what is computed of it, is multiplied."""

    threads: ClassVar[set[int]] = set()

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, out: Any = (), **options: Any) -> Any:
        if ufunc is np.matmul:
            self.threads.update(one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas")
        if out:
            options["out"] = tuple(one.view(np.ndarray) for one in out)
        plain = [one.view(np.ndarray) if isinstance(one, _Watched) else one for one in inputs]
        result = getattr(ufunc, method)(*plain, **options)
        return result.view(_Watched) if isinstance(result, np.ndarray) else result


def test_one_thread_does_all_products(monkeypatch: pytest.MonkeyPatch) -> None:
    head, codes, equalised = random_head("softmax", 24, 16, 5), random_codes(100, 24), dense_head._equalised
    expected = quantise(head, codes)
    monkeypatch.setattr(
        dense_head, "_equalised", lambda head: ([one.view(_Watched) for one in equalised(head)[0]], equalised(head)[1])
    )
    with threadpool_limits(2, user_api="blas"):
        watched = quantise(head, codes)
    np.testing.assert_array_equal(watched.layers[1].weights, expected.layers[1].weights)
    assert _Watched.threads == {1}


def test_one_common_to_all_logits_takes_no_range() -> None:
    head = random_head("softmax", 40, 8)
    shifted = DenseHead("softmax", SCALE, ZERO, head.kernels, (head.biases[0] + 50,))
    codes = random_codes(100, 40)
    assert quantise(shifted, codes).layers[0].output_scale == pytest.approx(
        quantise(head, codes).layers[0].output_scale
    )


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_the_interpreter_computes_the_same_from_a_file(activation: Head) -> None:
    head, codes = random_head(activation, 24, 16, 5), random_codes(300, 24)
    quantised = quantise(head, codes)
    network = interpreter(tflite(quantised, 24))
    network.resize_tensor_input(0, codes.shape)
    network.allocate_tensors()
    network.set_tensor(0, codes)
    network.invoke()
    computed = network.get_tensor(network.get_output_details()[0]["index"]).astype(int)
    # It rounds once where the integers round twice: a logit is a step off, of at most 64 probability codes a unit.
    step = np.ceil(64 * quantised.layers[-1].output_scale)
    assert np.abs(computed - quantised.to_int8_head()(codes)).max() <= step


def tflite(head: QuantisedHead, width: int) -> bytes:
    """Write the layers of a head as a TensorFlow Lite file."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model, graph = schema.ModelT(), schema.SubGraphT()
    model.version, model.subgraphs, model.buffers, graph.tensors, graph.operators = (
        3,
        [graph],
        [schema.BufferT()],
        [],
        [],
    )
    codes = (schema.BuiltinOperator.FULLY_CONNECTED, schema.BuiltinOperator.SOFTMAX, schema.BuiltinOperator.LOGISTIC)
    model.operatorCodes = []
    for code in codes:
        entry = schema.OperatorCodeT()
        entry.builtinCode = entry.deprecatedBuiltinCode = code
        entry.version = 4 if code == codes[0] else 2
        model.operatorCodes.append(entry)

    def tensor(shape: tuple[int, ...], dtype: int, scale: float, zero: int, data: Any = None) -> int:
        one, quantization = schema.TensorT(), schema.QuantizationParametersT()
        quantization.scale, quantization.zeroPoint = [scale], [zero]
        one.shape, one.type, one.quantization, one.buffer = list(shape), dtype, quantization, 0
        if data is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(data.tobytes(), np.uint8)
            model.buffers.append(buffer)
            one.buffer = len(model.buffers) - 1
        graph.tensors.append(one)
        return len(graph.tensors) - 1

    def operator(number: int, inputs: list[int], output: int, kind: int, options: Any) -> None:
        one = schema.OperatorT()
        one.opcodeIndex, one.inputs, one.outputs = number, inputs, [output]
        one.builtinOptionsType, one.builtinOptions = kind, options
        graph.operators.append(one)

    int8, int32, options = schema.TensorType.INT8, schema.TensorType.INT32, schema.BuiltinOptions
    source, scale = tensor((1, width), int8, head.scale, head.zero_point), head.scale
    graph.inputs = [source]
    for place, layer in enumerate(head.layers):
        weights = tensor(layer.weights.shape, int8, layer.weight_scale, 0, layer.weights)
        bias = tensor(layer.bias.shape, int32, scale * layer.weight_scale, 0, layer.bias)
        out = tensor((1, len(layer.bias)), int8, layer.output_scale, layer.output_zero)
        dense = schema.FullyConnectedOptionsT()
        dense.fusedActivationFunction = schema.ActivationFunctionType.RELU if place < len(head.layers) - 1 else 0
        operator(0, [source, weights, bias], out, options.FullyConnectedOptions, dense)
        source, scale = out, layer.output_scale
    final = tensor((1, len(head.layers[-1].bias)), int8, 1 / 256, -128)
    if head.activation == "softmax":
        softmax = schema.SoftmaxOptionsT()
        softmax.beta = 1.0
        operator(1, [source], final, options.SoftmaxOptions, softmax)
    else:
        operator(2, [source], final, options.NONE, None)
    graph.outputs = [final]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def test_a_head_comes_back_from_its_file(tmp_path: Path) -> None:
    head, codes = random_head("sigmoid", 24, 16, 5), random_codes(20, 24)
    head.save(tmp_path / "head.npz")
    again = DenseHead.load(tmp_path / "head.npz")
    np.testing.assert_array_equal(again.predict(codes), head.predict(codes))
    assert (again.activation, again.scale, again.zero_point) == ("sigmoid", SCALE, ZERO)
    np.testing.assert_array_equal(again.hidden(codes) @ again.kernels[-1] + again.biases[-1], head.logits(codes))


def test_damaged_heads_are_refused(tmp_path: Path) -> None:
    head = random_head("softmax", 24, 16, 5)
    path = tmp_path / "head.npz"
    head.save(path)
    whole = path.read_bytes()
    np.save(path.with_suffix(".npy"), np.zeros(3))
    damaged = [b"", b"PK", whole[: len(whole) // 2], whole[:-30], path.with_suffix(".npy").read_bytes()]
    directory = whole.index(b"PK\x01\x02")
    # Bits that say that an array is encrypted, or compressed in an unknown way.
    damaged += [
        whole[: directory + at] + bytes([value]) + whole[directory + at + 1 :] for at, value in ((8, 1), (10, 99))
    ]
    np.savez(path, activation="softmax", scale=1.0, zero_point=0, kernel0=np.float32(1), bias0=np.float32(1))
    damaged += [path.read_bytes(), whole.replace(b"kernel0.npy", b"kernel0.npx")]  # the first layer is missing
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("activation", "scale", "zero_point", "kernel0", "bias0"):
            archive.writestr(f"{name}.npy", b"no array")
    damaged.append(path.read_bytes())
    unfit = DenseHead("softmax", SCALE, ZERO, (head.kernels[0], head.kernels[1][:3]), head.biases)
    infinite = DenseHead("softmax", SCALE, ZERO, (head.kernels[0] * np.inf, head.kernels[1]), head.biases)
    unknown = DenseHead("relu", SCALE, ZERO, head.kernels, head.biases)  # type: ignore[arg-type]
    for one in (unfit, infinite, unknown, DenseHead("softmax", -1.0, ZERO, head.kernels, head.biases)):
        one.save(path)
        damaged.append(path.read_bytes())
    for content in damaged:
        path.write_bytes(content)
        with pytest.raises(LabeltoolError, match="not a whole head"):
            DenseHead.load(path)
