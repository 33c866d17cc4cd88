"""TensorFlow Lite, by the interpreter in TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from labeltool.errors import LabeltoolError
from labeltool.networks import quantization
from labeltool.pretrained.runtimes.base import (
    NetworkLayout,
    Tensor,
    is_vector,
    read_file,
    require_bounded_shape,
    single_input,
)
from labeltool.pretrained.runtimes.tflite_file import TFLiteFile
from labeltool.type_aliases import Float32

# Kernels that TensorFlow Lite itself brings under a custom name; "Flex" ones would run any TensorFlow operation, those
# that write files too.
_KNOWN_CUSTOM = frozenset({"AudioSpectrogram", "Mfcc"})


def network_files(path: Path) -> tuple[Path, ...]:
    """Return the file alone: weights are inside."""
    return (path,)


def read_layout(path: Path) -> NetworkLayout:
    """Read a file's tables.

    Raises
    ------
    LabeltoolError
        When it is no whole TensorFlow Lite file, needs code of its own, or asks for absurd tensors.
    """
    try:
        return _layout(TFLiteFile(read_file(path)), path)
    except LabeltoolError as error:
        raise LabeltoolError(error.reason, file=error.file or path, remedy=error.remedy) from error


def _layout(file: TFLiteFile, path: Path) -> NetworkLayout:
    for name in file.custom_operations:
        if name not in _KNOWN_CUSTOM:
            raise LabeltoolError(f"needs an operation of its own, {name!r}: such are not run", file=path)
    if not file.graphs:
        raise LabeltoolError("holds no network", file=path)
    for graph in file.graphs:
        for tensor in graph.tensors:
            require_bounded_shape(tensor.signature, path)
    graph = file.graphs[0]
    try:
        inputs, outputs = (
            [Tensor(str(i), graph.tensors[i].signature) for i in indices] for indices in (graph.inputs, graph.outputs)
        )
        ends = {*graph.inputs, *graph.outputs}
        inner = tuple(
            Tensor(str(i), tensor.signature)
            for i, tensor in enumerate(graph.tensors)
            if i not in ends and not file.buffer_sizes[tensor.buffer] and is_vector(tensor.signature)
        )
    except IndexError as error:
        raise LabeltoolError("not a whole TensorFlow Lite network: it is cut short or damaged", file=path) from error
    return NetworkLayout(single_input(inputs, path), tuple(outputs), inner)


def open_network(path: Path, shape: tuple[int, ...], inner: str | None) -> TFLiteNetwork:
    """Load a file whose layout was read."""
    try:
        return TFLiteNetwork(read_file(path), shape, inner)
    except LabeltoolError as error:
        raise LabeltoolError(error.reason, file=path) from error


class TFLiteNetwork:
    """TensorFlow Lite's interpreter, float32 in and out even where the network computes in int8.

    Raises
    ------
    LabeltoolError
        When the interpreter refuses the file or the shape.
    """

    def __init__(self, content: bytes, shape: tuple[int, ...], inner: str | None) -> None:
        # Inner tensors are there to be read only where nothing overwrites or fuses them, which is slower.
        self._interpreter = quantization.interpreter(
            content, input_shape=shape, experimental_preserve_all_tensors=bool(inner)
        )
        (self._input,) = self._interpreter.get_input_details()
        _require_numbers(self._input)
        self._outputs = {int(one["index"]): one for one in self._interpreter.get_output_details()}
        if inner is not None:
            (details,) = (one for one in self._interpreter.get_tensor_details() if one["index"] == int(inner))
            self._outputs[int(inner)] = details
        for details in self._outputs.values():
            _require_numbers(details)

    def run(self, values: Float32) -> Mapping[str, Float32]:
        """Compute every output, and the requested inner tensor, by name."""
        self._interpreter.set_tensor(self._input["index"], _quantised(values, self._input))
        try:
            self._interpreter.invoke()
        except (RuntimeError, ValueError) as error:
            raise LabeltoolError(f"the network stopped: {str(error).splitlines()[0]}") from error
        return {
            str(index): _dequantised(self._interpreter.get_tensor(index), details)
            for index, details in self._outputs.items()
        }


def _require_numbers(details: dict[str, Any]) -> None:
    quantised = details["dtype"] in (np.int8, np.uint8, np.int16) and details["quantization"][0]
    if details["dtype"] not in (np.float32, np.float16) and not quantised:
        raise LabeltoolError(f"its tensor {details['index']} holds {np.dtype(details['dtype'])}, not float32 or int8")


def _quantised(values: Float32, details: dict[str, Any]) -> Any:
    scale, zero_point = details["quantization"]
    if not scale:
        return values.astype(details["dtype"])
    limits = np.iinfo(details["dtype"])
    return np.clip(np.rint(values / np.float32(scale)) + zero_point, limits.min, limits.max).astype(details["dtype"])


def _dequantised(raw: Any, details: dict[str, Any]) -> Float32:
    scale, zero_point = details["quantization"]
    values = raw.astype(np.float32)
    return np.asarray((values - zero_point) * scale if scale else values, np.float32)
