"""What a TFLite file holds, read from its flat buffer: shapes, scales, operators, work and weights. Nothing is run."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from math import prod
from typing import Any

from labeltool.errors import LabeltoolError

_IDENTIFIER = b"TFL3"

# Operators whose constants are weights; those of others (paddings, shapes) are parameters of the code.
_WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "MUL", "ADD", "SUB")


@dataclass(frozen=True, slots=True)
class Tensor:
    """What goes in or comes out; `dtype` as TFLite calls it ("INT8", "FLOAT32").

    Of codes, `real = scale * (code - zero_point)`; both are None where real numbers pass.
    """

    shape: tuple[int, ...]
    dtype: str
    scale: float | None
    zero_point: int | None

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Network:
    """A network with one input and one output.

    Attributes
    ----------
    operators
        Operator name to how often it occurs.
    macc
        Multiply-accumulates of one run: convolutions and dense layers.
    weight_bytes
        Weights and biases as they lie in the flash.
    """

    input: Tensor
    output: Tensor
    operators: dict[str, int]
    macc: int
    weight_bytes: int


def read_network(model: bytes) -> Network:
    """Read a TFLite file.

    Raises
    ------
    LabeltoolError
        When it is no TFLite file, or does not have one input and one output.
    """
    if model[4:8] != _IDENTIFIER:
        raise LabeltoolError("the int8 model is not a TFLite file", remedy="retrain: the model's folder is damaged")
    from tensorflow.lite.python import schema_py_generated as schema

    try:
        return _read(schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(model, 0)), schema)
    except LabeltoolError:
        raise
    except Exception as error:  # a damaged flat buffer fails in many ways, struct.error and TypeError among them
        raise LabeltoolError(f"the int8 model cannot be read as TFLite: {error!r}") from error


def _read(model: Any, schema: Any) -> Network:
    (graph,) = model.subgraphs
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise LabeltoolError("the int8 model must have one input and one output")
    names = {code: name for name, code in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
    dtypes = {code: name for name, code in vars(schema.TensorType).items() if not name.startswith("_")}
    operators: Counter[str] = Counter()
    macc = 0
    weights: dict[int, int] = {}
    for operator in graph.operators:
        code = model.operatorCodes[operator.opcodeIndex]
        # Files of before 2021 keep the code in the narrow field only.
        name = names[max(code.builtinCode, code.deprecatedBuiltinCode)]
        operators[name] += 1
        macc += _macc(name, graph.tensors, operator)
        if name in _WEIGHTED:
            for index in operator.inputs:
                data = model.buffers[graph.tensors[index].buffer].data if index >= 0 else None
                if data is not None:
                    weights[int(index)] = len(data)
    return Network(
        input=_tensor(graph.tensors[graph.inputs[0]], dtypes),
        output=_tensor(graph.tensors[graph.outputs[0]], dtypes),
        operators=dict(sorted(operators.items())),
        macc=macc,
        weight_bytes=sum(weights.values()),
    )


def _tensor(tensor: Any, dtypes: dict[int, str]) -> Tensor:
    shape, dtype = tuple(map(int, tensor.shape)), dtypes[tensor.type]
    scales, zero_points = tensor.quantization.scale, tensor.quantization.zeroPoint
    if scales is None or len(scales) != 1:
        return Tensor(shape, dtype, None, None)
    return Tensor(shape, dtype, float(scales[0]), int(zero_points[0]))


def _macc(name: str, tensors: Any, operator: Any) -> int:
    if name == "FULLY_CONNECTED":
        return prod(map(int, tensors[operator.inputs[1]].shape))
    if name not in ("CONV_2D", "DEPTHWISE_CONV_2D"):
        return 0
    # Weights are (filters, rows, columns, channels), of a depthwise convolution (1, rows, columns, channels).
    _, rows, columns, channels = map(int, tensors[operator.inputs[1]].shape)
    outputs = prod(map(int, tensors[operator.outputs[0]].shape))
    return outputs * rows * columns * (channels if name == "CONV_2D" else 1)
