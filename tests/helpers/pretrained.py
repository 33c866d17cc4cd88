"""Small networks for tests: as a converter writes them, and malicious ones."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np


def converted(function: Callable[..., Any], shape: Sequence[int | None]) -> bytes:
    """Convert a function of one tensor to TensorFlow Lite."""
    import tensorflow as tf

    concrete = tf.function(function).get_concrete_function(tf.TensorSpec(shape, tf.float32))
    return bytes(tf.lite.TFLiteConverter.from_concrete_functions([concrete]).convert())


def altered(tflite: bytes, change: Callable[[Any], None]) -> bytes:
    """Return a TensorFlow Lite file after a change to its tables."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(tflite, 0))
    change(model)
    builder = flatbuffers.Builder(len(tflite))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def with_list(tflite: bytes, names: Sequence[str]) -> bytes:
    """Append a class list as TensorFlow's metadata writer does: in a zip archive behind the flatbuffer."""
    file = io.BytesIO(tflite)
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("labels.txt", "\n".join(names))
    return file.getvalue()


def message(**fields: int | bytes | str | list[int] | list[bytes]) -> bytes:
    """Write a protocol buffer: `f1=...` is field 1; a list repeats it."""
    out = b""
    for name, value in fields.items():
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, int):
                out += _varint(int(name[1:]) << 3) + _varint(one)
            else:
                raw = one.encode() if isinstance(one, str) else one
                out += _varint(int(name[1:]) << 3 | 2) + _varint(len(raw)) + raw
    return out


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def onnx_weights(weights: np.ndarray, name: str = "w") -> bytes:
    """Return a `TensorProto` of float32."""
    return message(f1=list(weights.shape), f2=1, f8=name, f9=weights.astype("<f4").tobytes())


def onnx_value(name: str, shape: Sequence[int | str]) -> bytes:
    """Return a `ValueInfoProto` of float32; a size that is a name is unknown."""
    dims = message(f1=[message(f1=size) if isinstance(size, int) else message(f2=size) for size in shape])
    return message(f1=name, f2=message(f1=message(f1=1, f2=dims)))


def onnx(
    weights: bytes, *, shape: Sequence[int | str], classes: int, operation: str = "MatMul", domain: str = ""
) -> bytes:
    """Return a network whose logits are the samples, the last size of `shape`, times the weights `w`."""
    node = message(f1=["x", "w"], f2="y", f4=operation, f7=domain)
    outputs = onnx_value("y", [*shape[:-1], classes])
    graph = message(f1=node, f2="graph", f5=weights, f11=onnx_value("x", shape), f12=outputs)
    return message(f1=8, f7=graph, f8=message(f1="", f2=17))


def rising(window: int, classes: int) -> np.ndarray:
    """Return weights that give a window of ones the scores 0, 1, 2, ..."""
    return np.tile(np.arange(classes, dtype=np.float32) / window, (window, 1))


def written(path: Path, content: bytes) -> Path:
    """Write a file and return its path."""
    path.write_bytes(content)
    return path
