"""`model_st.tflite`: the int8 network behind the input and output that ST's applications feed and read.

Their front end quantises decibels with the scale and zero point of the network's input, and they read float32. So the
flat buffer of the int8 model gets an int8 input in decibels, operators that take off each patch's mean (or the
frontend's offset), and DEQUANTIZE at its end. Codes of weights and biases stay as they are; only their unit changes.

Added are MEAN, MUL, ADD and DEQUANTIZE, for this reason: ST's own published int8 models have all four in int8 (MEAN:
yamnet_256; MUL, and ADD with an operand that is repeated: miniresnetv2; DEQUANTIZE: all). Of ST's list of operators
(TensorFlow Lite toolbox support, ST Edge AI Core 3.0.0) only the beginning could be read here, not the rows: MUL by -1
and ADD stand where SUB would, of which no published model has one.

A network that takes natural logarithms as they are, as YAMNet's layers do, needs DEQUANTIZE alone. Its frontend's floor
is missing then: bands near it are up to 14 codes lower, those below saturate at code -128, which is the floor.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from labeltool.audio.frontend import LogMelFrontend
from labeltool.errors import LabeltoolError
from labeltool.exporters.stm32.st_model.frontend import logarithm_of
from labeltool.exporters.stm32.tflite.graph import Graph, read_graph
from labeltool.networks.tflite_writer import aligned_builder
from labeltool.type_aliases import Int8, Int32

ST_MODEL = "model_st.tflite"
"""Name of the file in a package."""

_LOW, _HIGH = -128, 127

# Operators that pass codes on: their output has the unit of their input.
_PASSING = ("PAD", "TRANSPOSE", "RESHAPE")
_WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")

# Options and first version with int8 of the operators that are added.
_ADDED = {
    "MEAN": ("ReducerOptions", 2),
    "MUL": ("MulOptions", 2),
    "ADD": ("AddOptions", 2),
    "DEQUANTIZE": ("DequantizeOptions", 2),
}


@dataclass(frozen=True, slots=True)
class Range:
    """Decibels that int8 codes stand for, from code -128 (`low`) to code 127 (at least `high`); 0 dB is among them."""

    low: float
    high: float

    @property
    def zero_point(self) -> int:
        """Code of 0 dB."""
        return _LOW + math.floor((_HIGH - _LOW) * -self.low / (self.high - self.low))

    @property
    def scale(self) -> float:
        """Decibels of one step: code -128 is exactly `low`."""
        return -self.low / (self.zero_point - _LOW)


def input_range(frontend: LogMelFrontend) -> Range:
    """Return the range of the input: from the floor to the loudest mel that samples can give.

    With samples from -1 to 1, the powers of all bins sum to at most `n_fft * sum(window**2)`, half of it on either side
    of the spectrum, and no bin has more than `sum(window)**2`. A mel is at most the smaller of both bounds.
    """
    filters, window = frontend.mel_filters().astype(np.float64), frontend.window().astype(np.float64)
    by_bin = filters.sum(axis=1) * window.sum() ** 2
    return _range(frontend, np.minimum(by_bin, filters.max(axis=1) * _energy(frontend)).max())


def mean_range(frontend: LogMelFrontend) -> Range:
    """Return the range of a patch's mean: a mean of logarithms is at most the logarithm of the mean."""
    largest_share = frontend.mel_filters().sum(axis=0, dtype=np.float64).max() / frontend.n_mels
    return _range(frontend, largest_share * _energy(frontend))


def st_model(int8: bytes, frontend: LogMelFrontend) -> bytes:
    """Edit an int8 model so that ST's applications can use it as it is.

    Parameters
    ----------
    int8
        A TFLite file: one int8 input (the frontend's log-mels, normalised), one int8 output.
    frontend
        What the network was trained on.

    Returns
    -------
    bytes
        A TFLite file: int8 input of the same shape in the unit of `logarithm_of` (decibels: code -128 is the
        frontend's floor; natural logarithms: the codes of the int8 model), float32 output.

    Raises
    ------
    LabeltoolError
        When an operator reads the input whose unit cannot be changed.
    """
    graph = read_graph(int8)
    edit = _Edit(int8)
    operators, given = edit.from_decibels(graph, frontend) if logarithm_of(frontend) == "db" else ([], graph.input)
    output = edit.tensor("st_output", graph.tensors[graph.output].shape, None)
    edit.graph.operators = [*operators, *edit.graph.operators, edit.operator("DEQUANTIZE", [graph.output], output)]
    edit.graph.inputs, edit.graph.outputs = [given], [output]
    return edit.packed()


class _Edit:
    """A model as objects of TensorFlow's schema, to which tensors and operators are added."""

    def __init__(self, model: bytes) -> None:
        from ai_edge_litert import schema_py_generated as schema

        self._schema: Any = schema
        self._model: Any = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0))
        self.graph: Any = self._model.subgraphs[0]

    def from_decibels(self, graph: Graph, frontend: LogMelFrontend) -> tuple[list[Any], int]:
        """Return operators from a new input in decibels to the network's, and the new input."""
        self.change_unit(graph, graph.input, frontend.scale_db)
        decibels = self.tensor("st_input", graph.tensors[graph.input].shape, input_range(frontend))
        if frontend.centred:
            operators, subtracted = self.negative_mean(decibels, mean_range(frontend))
        else:
            operators, subtracted = [], self.constant("st_minus_offset", -frontend.offset_db)
        return [*operators, self.operator("ADD", [decibels, subtracted], graph.input)], decibels

    def change_unit(self, graph: Graph, tensor: int, factor: float) -> None:
        """Multiply the scale of a tensor by a factor and divide that of the weights which read it; no code changes."""
        quantization = self.graph.tensors[tensor].quantization
        old, new = float(quantization.scale[0]), np.float32(quantization.scale[0] * np.float32(factor))
        quantization.scale = np.array([new], np.float32)
        for operator in graph.operators:
            if tensor not in operator.inputs:
                continue
            if operator.name in _PASSING:
                self.change_unit(graph, operator.outputs[0], factor)
                continue
            weights = operator.inputs[1] if operator.name in _WEIGHTED else -1
            if weights < 0 or sum(weights in one.inputs for one in graph.operators) != 1:
                raise LabeltoolError(
                    f"the scale of the model's input cannot be changed: {operator.name} reads it",
                    remedy="choose another architecture",
                )
            # The product of both scales stays that of the bias.
            of_weights = self.graph.tensors[weights].quantization
            of_weights.scale = (of_weights.scale.astype(np.float64) * old / float(new)).astype(np.float32)

    def negative_mean(self, tensor: int, values: Range) -> tuple[list[Any], int]:
        """Return operators that compute the mean of a patch times -1, and the tensor of their result."""
        one = (1, 1, 1, 1)
        axes = self._constant("st_axes", "INT32", np.array([1, 2], np.int32), None)
        mean = self.tensor("st_mean", one, values)
        # Codes in reverse order: -q - 1 for q.
        negative = self._tensor("st_minus_mean", "INT8", one, 0, (values.scale, -1 - values.zero_point))
        return [
            self.operator("MEAN", [tensor, axes], mean),
            self.operator("MUL", [mean, self.constant("st_minus_one", -1.0)], negative),
        ], negative

    def tensor(self, name: str, shape: Sequence[int], values: Range | None) -> int:
        """Add a tensor that is computed, int8 codes of a range or float32, and return its index."""
        if values is None:
            return self._tensor(name, "FLOAT32", shape, 0, None)
        return self._tensor(name, "INT8", shape, 0, (values.scale, values.zero_point))

    def constant(self, name: str, value: float) -> int:
        """Add an int8 constant of one number and return its index."""
        code = np.full((1, 1, 1, 1), int(math.copysign(_HIGH, value)), np.int8)
        return self._constant(name, "INT8", code, (abs(value) / _HIGH if value else 1.0, 0 if value else _HIGH))

    def operator(self, name: str, inputs: Sequence[int], output: int) -> Any:
        """Return an operator, which is not yet in the graph."""
        schema = self._schema
        kind, version = _ADDED[name]
        operator = schema.OperatorT()
        operator.opcodeIndex = self._code(getattr(schema.BuiltinOperator, name), version)
        operator.inputs, operator.outputs = list(inputs), [output]
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
        operator.builtinOptions = getattr(schema, f"{kind}T")()
        if name == "MEAN":
            operator.builtinOptions.keepDims = True
        return operator

    def packed(self) -> bytes:
        """Return the model as a TFLite file."""
        builder = aligned_builder()
        builder.Finish(self._model.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    def _code(self, builtin: int, version: int) -> int:
        """Return the index of an operator's code, which is added where the model has none."""
        for index, code in enumerate(self._model.operatorCodes):
            if code.builtinCode == builtin:
                code.version = max(code.version, version)
                return index
        code = self._schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = builtin
        code.version = version
        self._model.operatorCodes.append(code)
        return len(self._model.operatorCodes) - 1

    def _constant(self, name: str, dtype: str, values: Int8 | Int32, quantization: tuple[float, int] | None) -> int:
        buffer = self._schema.BufferT()
        buffer.data = np.frombuffer(values.tobytes(), np.uint8)
        self._model.buffers.append(buffer)
        return self._tensor(name, dtype, values.shape, len(self._model.buffers) - 1, quantization)

    def _tensor(
        self, name: str, dtype: str, shape: Sequence[int], buffer: int, quantization: tuple[float, int] | None
    ) -> int:
        schema = self._schema
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.buffer, tensor.hasRank = name, list(shape), buffer, True
        tensor.type = getattr(schema.TensorType, dtype)
        if quantization is not None:
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale = np.array([quantization[0]], np.float32)
            tensor.quantization.zeroPoint = np.array([quantization[1]], np.int64)
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1


def _energy(frontend: LogMelFrontend) -> float:
    """Return a bound of the sum of all powers of a frame on one side of the spectrum, samples from -1 to 1."""
    return float(frontend.n_fft * np.square(frontend.window().astype(np.float64)).sum() / 2)


def _range(frontend: LogMelFrontend, loudest_power: float) -> Range:
    floor_db = 10.0 * math.log10(frontend.floor)
    # A step of at least 1/1000 dB, and 0 dB within, whatever the frontend.
    return Range(min(floor_db, -1.0), max(10.0 * math.log10(loudest_power), 1.0))
