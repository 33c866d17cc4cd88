"""`model_st.tflite`: the int8 network behind the input and output that ST's applications feed and read.

Their frontend quantises decibels with the scale and zero point of the network's input, and they read float32. So the
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

import numpy as np

from labeltool.audio.frontend import LogMelFrontend
from labeltool.errors import LabeltoolError
from labeltool.exporters.stm32.st_model.frontend import logarithm_of
from labeltool.exporters.stm32.tflite.graph import Graph, read_graph
from labeltool.networks.quantization import CodeScale
from labeltool.networks.tflite_writer import TFLiteWriter

ST_MODEL = "model_st.tflite"
"""Name of the file in a package."""

_LOW, _HIGH = -128, 127

# Operators that pass codes on: their output has the unit of their input.
_PASSING = ("PAD", "TRANSPOSE", "RESHAPE")
_WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")


def input_code_scale(frontend: LogMelFrontend) -> CodeScale:
    """Return what the codes of the input stand for: decibels from the floor to the loudest mel that samples can give.

    With samples from -1 to 1, the powers of all bins sum to at most `n_fft * sum(window**2)`, half of it on either side
    of the spectrum, and no bin has more than `sum(window)**2`. A mel is at most the smaller of both bounds.
    """
    filters, window = frontend.mel_filters().astype(np.float64), frontend.window().astype(np.float64)
    by_bin = filters.sum(axis=1) * window.sum() ** 2
    return _codes(frontend, np.minimum(by_bin, filters.max(axis=1) * _energy(frontend)).max())


def mean_code_scale(frontend: LogMelFrontend) -> CodeScale:
    """Return what codes of a patch's mean stand for: a mean of logarithms is at most the logarithm of the mean."""
    largest_share = frontend.mel_filters().sum(axis=0, dtype=np.float64).max() / frontend.n_mels
    return _codes(frontend, largest_share * _energy(frontend))


def st_model(int8: bytes, frontend: LogMelFrontend) -> bytes:
    """Edit an int8 model so that ST's applications can use it as it is.

    Parameters
    ----------
    int8
        A TFLite file: one int8 input (the frontend's log-mels, normalised), one int8 output.

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
    graph, writer = read_graph(int8), TFLiteWriter(int8)
    given = _from_decibels(writer, graph, frontend) if logarithm_of(frontend) == "db" else graph.input
    output = writer.computed("st_output", graph.tensors[graph.output].shape, None)
    writer.operator("DEQUANTIZE", [graph.output], output)
    return writer.packed(given, output)


def _from_decibels(writer: TFLiteWriter, graph: Graph, frontend: LogMelFrontend) -> int:
    """Put operators before the others that take a new input in decibels to the network's; return the new input."""
    _change_unit(writer, graph, graph.input, frontend.scale_db)
    own, writer.graph.operators = writer.graph.operators, []
    decibels = writer.computed("st_input", graph.tensors[graph.input].shape, input_code_scale(frontend))
    if frontend.centred:
        subtracted = _negative_mean(writer, decibels, mean_code_scale(frontend))
    else:
        subtracted = _constant(writer, "st_minus_offset", -frontend.offset_db)
    writer.operator("ADD", [decibels, subtracted], graph.input)
    writer.graph.operators += own
    return decibels


def _change_unit(writer: TFLiteWriter, graph: Graph, tensor: int, factor: float) -> None:
    """Multiply the scale of a tensor by a factor and divide that of the weights which read it; no code changes."""
    quantization = writer.graph.tensors[tensor].quantization
    old, new = float(quantization.scale[0]), np.float32(quantization.scale[0] * np.float32(factor))
    quantization.scale = np.array([new], np.float32)
    for operator in graph.operators:
        if tensor not in operator.inputs:
            continue
        if operator.name in _PASSING:
            _change_unit(writer, graph, operator.outputs[0], factor)
            continue
        weights = operator.inputs[1] if operator.name in _WEIGHTED else -1
        if weights < 0 or sum(weights in one.inputs for one in graph.operators) != 1:
            raise LabeltoolError(
                f"the scale of the model's input cannot be changed: {operator.name} reads it",
                remedy="choose another architecture",
            )
        # The product of both scales stays that of the bias.
        of_weights = writer.graph.tensors[weights].quantization
        of_weights.scale = (of_weights.scale.astype(np.float64) * old / float(new)).astype(np.float32)


def _negative_mean(writer: TFLiteWriter, tensor: int, codes: CodeScale) -> int:
    """Add operators that compute the mean of a patch times -1, and return the tensor of their result."""
    one = (1, 1, 1, 1)
    axes = writer.constant("st_axes", np.array([1, 2], np.int32))
    mean = writer.computed("st_mean", one, codes)
    # Codes in reverse order: -q - 1 for q.
    negative = writer.computed("st_minus_mean", one, CodeScale(codes.scale, -1 - codes.zero_point))
    writer.operator("MEAN", [tensor, axes], mean, keepDims=True)
    writer.operator("MUL", [mean, _constant(writer, "st_minus_one", -1.0)], negative)
    return negative


def _constant(writer: TFLiteWriter, name: str, value: float) -> int:
    """Add an int8 constant of one number and return its tensor."""
    code = np.full((1, 1, 1, 1), _LOW + 1 if value < 0 else _HIGH, np.int8)
    return writer.constant(name, code, [abs(value) / _HIGH or 1.0], zero_point=0 if value else _HIGH)


def _energy(frontend: LogMelFrontend) -> float:
    """Return a bound of the sum of all powers of a frame on one side of the spectrum, samples from -1 to 1."""
    return float(frontend.n_fft * np.square(frontend.window().astype(np.float64)).sum() / 2)


def _codes(frontend: LogMelFrontend, loudest_power: float) -> CodeScale:
    """Return decibels from the floor, which is exactly code -128, to at least those of a power; 0 is among them."""
    # A step of at least 1/1000 dB, and 0 dB within, whatever the frontend.
    low, high = min(10.0 * math.log10(frontend.floor), -1.0), max(10.0 * math.log10(loudest_power), 1.0)
    zero_point = _LOW + math.floor((_HIGH - _LOW) * -low / (high - low))
    return CodeScale(-low / (zero_point - _LOW), zero_point)
