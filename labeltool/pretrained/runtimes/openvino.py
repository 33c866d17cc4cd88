"""OpenVINO's intermediate representation: an .xml graph and a .bin of weights beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from labeltool.errors import LabeltoolError
from labeltool.pretrained.runtimes import base
from labeltool.pretrained.runtimes.base import NetworkLayout, Tensor
from labeltool.type_aliases import Float32

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element


def network_files(path: Path) -> tuple[Path, ...]:
    """Return the graph and its weights."""
    return path, _weights_of(path)


def read_layout(path: Path) -> NetworkLayout:
    """Read the graph.

    Raises
    ------
    LabeltoolError
        When it is no whole graph, its weights are missing or too short, or it asks for absurd tensors.
    """
    content = base.read_file(path)
    weights = _weights_of(path)
    if not weights.is_file():
        raise LabeltoolError("its weights are missing", file=weights, remedy=f"they belong beside {path.name}")
    root = _graph(content, path)
    weights_bytes = weights.stat().st_size
    try:
        for layer in root.iter("layer"):  # those within bodies of loops too
            if layer.get("type") == "Const":
                _require_weights(layer, weights_bytes, path)
            for shape in _shapes(layer):
                base.require_bounded_shape(shape, path)
        layers = {one.attrib["id"]: one for one in root.iterfind("layers/layer")}
        # For each layer the one that its first input comes from.
        edges = {one.attrib["to-layer"]: one.attrib["from-layer"] for one in root.iterfind("edges/edge")}
        inputs = [Tensor(one.get("name", ""), _shape(one)) for one in _of_type(layers, "Parameter")]
        sources = [edges[one.get("id", "")] for one in _of_type(layers, "Result")]
        outputs = tuple(Tensor(layers[source].get("name", ""), _shape(layers[source])) for source in sources)
        inner = tuple(
            Tensor(layer.get("name", ""), shape)
            for key, layer in layers.items()
            if layer.get("type") not in ("Const", "Parameter", "Result", "FakeQuantize") and key not in sources
            for shape in [_shape(layer)]
            if base.is_vector(shape)
        )
    except (KeyError, IndexError, ValueError) as error:
        raise LabeltoolError("is not a whole OpenVINO graph", file=path) from error
    return NetworkLayout(base.single_input(inputs, path), outputs, inner)


def _weights_of(path: Path) -> Path:
    return path.with_suffix(".bin")


def _graph(content: bytes, path: Path) -> Element:
    from xml.etree import ElementTree

    class Builder(ElementTree.TreeBuilder):
        def doctype(self, *_: object) -> None:
            # An entity may stand for gigabytes of text or for another file; no graph has any. Only the parser knows
            # the file's encoding.
            raise LabeltoolError("is not an OpenVINO graph: it declares entities", file=path)

    try:
        root = ElementTree.fromstring(content, ElementTree.XMLParser(target=Builder()))
        if root.tag != "net":
            raise ValueError(root.tag)
    except (ElementTree.ParseError, ValueError, LookupError) as error:  # those of what calls itself an encoding
        raise LabeltoolError("is not a whole OpenVINO graph", file=path) from error
    return root


def _require_weights(layer: Element, weights_bytes: int, path: Path) -> None:
    """Refuse weights that are not in the file; raises a `ValueError` where their place is no number."""
    data = layer.find("data")
    start, size = (int(data.get(name, "0")) if data is not None else 0 for name in ("offset", "size"))
    if start < 0 or size < 0:
        raise ValueError("weights before the file")
    if (end := start + size) > weights_bytes:
        raise LabeltoolError(
            f"is cut short: {path.name} needs weights up to byte {end}",
            file=_weights_of(path),
            remedy="copy both again",
        )


def _of_type(layers: Mapping[str, Element], kind: str) -> Iterator[Element]:
    return (layer for layer in layers.values() if layer.get("type") == kind)


def _shapes(layer: Element) -> list[tuple[int, ...]]:
    return [tuple(int(dim.text or "") for dim in port.iterfind("dim")) for port in layer.iterfind("output/port")]


def _shape(layer: Element) -> tuple[int, ...]:
    return _shapes(layer)[0]


def open_network(path: Path, shape: tuple[int, ...], inner: str | None) -> OpenVINONetwork:
    """Load a file whose layout was read."""
    return OpenVINONetwork(path, shape, inner)


class OpenVINONetwork:
    """A graph compiled for the processor, on one thread.

    Raises
    ------
    LabeltoolError
        When OpenVINO is not installed or refuses the file.
    """

    def __init__(self, path: Path, shape: tuple[int, ...], inner: str | None) -> None:
        openvino = base.import_runtime("openvino", "openvino", path)
        weights = np.frombuffer(base.read_file(_weights_of(path)), np.uint8)
        # Full precision: where the processor has bfloat16 the default would compute in that, and elsewhere not.
        settings = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"}
        try:
            model = openvino.Core().read_model(model=base.read_file(path), weights=openvino.Tensor(weights))
            names = [one.get_node().input_value(0).get_node().get_friendly_name() for one in model.outputs]
            if inner is not None:
                model.add_outputs([one.output(0) for one in model.get_ops() if one.get_friendly_name() == inner])
                names.append(inner)
            model.reshape(list(shape))
            self._request = openvino.Core().compile_model(model, "CPU", settings).create_infer_request()
        except Exception as error:  # its exceptions have no base of their own
            raise LabeltoolError(f"OpenVINO refuses it: {_last_line(error)}", file=path) from error
        self._names = names

    def run(self, values: Float32) -> Mapping[str, Float32]:
        """Compute every output, and the requested inner tensor, by name."""
        try:
            self._request.infer([values])
        except Exception as error:
            raise LabeltoolError(f"the network stopped: {_last_line(error)}") from error
        return {
            # Copied: the next run writes over what the request holds.
            name: np.array(self._request.get_output_tensor(place).data, np.float32)
            for place, name in enumerate(self._names)
        }


def _last_line(error: Exception) -> str:
    # The first lines name places in its own source.
    return (str(error).strip().splitlines() or [type(error).__name__])[-1]
