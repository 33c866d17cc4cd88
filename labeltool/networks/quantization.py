"""The network as the MCU runs it: int8 conversion, and an interpreter that rounds as the MCU's kernels do.

The conversion avoids the traps of ST's tool and of TensorFlow 2.21: a fixed batch of one (else SHAPE, STRIDED_SLICE and
PACK appear), no per-channel scales in the dense layer, int8 in and out. Scores come from TensorFlow Lite's reference
kernels, which TensorFlow Lite Micro and the MCU's runtimes follow, and from `int8_head`; the optimised ones (XNNPACK)
round differently.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from labeltool.audio.frontend import Frontend
from labeltool.errors import LabeltoolError
from labeltool.networks.int8_head import Int8Head, int8_head
from labeltool.type_aliases import Float32, Int8, Int64
from labeltool.util.extras import INSTALL_TRAIN
from labeltool.util.lazy_frames import frame_counts
from labeltool.util.time_limit import NO_LIMIT, TimeLimit

if TYPE_CHECKING:
    import keras


REPRESENTATIVE_PATCHES = 512
"""Patches that set the ranges of the activations, at most: more only takes longer."""

_LEAST_REPRESENTATIVE_PATCHES = 64


def representative_patches(frontend: Frontend, clips: Sequence[Float32]) -> Float32:
    """Return the patches of clips, (frames, columns) each, that set the ranges of activations in `to_int8`."""
    ends = np.cumsum(frontend.patch_counts(frame_counts(clips)))
    chosen = _spread(int(ends[-1]) if len(ends) else 0)
    clip_of = np.searchsorted(ends, chosen, side="right")
    cut = [np.empty((0, frontend.n_features, frontend.patch_frames), np.float32)]
    for clip in np.unique(clip_of):
        patches = frontend.patches(clips[clip])
        cut.append(patches[chosen[clip_of == clip] - (ends[clip] - len(patches))])
    return np.concatenate(cut)


def _spread(patches: int) -> Int64:
    """Return the indices of at most `REPRESENTATIVE_PATCHES` of some patches, spread evenly."""
    return np.unique(np.linspace(0, max(0, patches - 1), min(patches, REPRESENTATIVE_PATCHES)).round().astype(np.int64))


def to_int8(model: keras.Model, representative_patches: Float32, limit: TimeLimit = NO_LIMIT) -> bytes:
    """Convert a network to int8.

    Parameters
    ----------
    model
        Patches `(batch, mels, frames, 1)` in, `(batch, labels)` probabilities out.
    representative_patches : (n, mels, frames) float32
        Normalised patches of training clips (never of test clips): they set the ranges of the activations. At most
        512 are used, spread evenly.
    limit
        After it, no more patches than 64 are used.

    Returns
    -------
    bytes
        A TensorFlow Lite file with batch 1, int8 in and int8 out.

    Raises
    ------
    LabeltoolError
        When there are no patches, or TensorFlow cannot convert the network.
    """
    if len(representative_patches) == 0:
        raise LabeltoolError("int8 conversion needs representative patches", remedy="label a clip and retrain")
    import tensorflow as tf

    # Ranges do not depend on the order; where the time is up, those that were used are spread evenly.
    chosen = np.random.default_rng(0).permutation(_spread(len(representative_patches)))

    def representative() -> Iterator[list[Float32]]:
        for used, index in enumerate(chosen):
            if used >= _LEAST_REPRESENTATIVE_PATCHES and limit.has_passed:
                return
            yield [representative_patches[index][None, :, :, None]]

    # A concrete function, not `from_keras_model`: that prints to stdout and writes counters into the file that differ
    # from run to run.
    fixed = tf.TensorSpec((1, *model.input_shape[1:]), tf.float32, name="patch")
    function = tf.function(lambda patch: model(patch, training=False)).get_concrete_function(fixed)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = representative
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.int8
    converter.inference_output_type = tf.int8
    converter._experimental_disable_per_channel_quantization_for_dense_layers = True
    try:
        return bytes(converter.convert())
    except Exception as error:  # the converter raises whatever MLIR raises
        first_line = (str(error).splitlines() or [type(error).__name__])[0]
        raise LabeltoolError(f"the network cannot be converted to int8: {first_line}") from error


@dataclass(frozen=True, slots=True)
class CodeScale:
    """What int8 codes stand for: `scale * (code - zero_point)`."""

    scale: float
    zero_point: int


class Int8Model:
    """A converted network, scored by the reference kernels on every core.

    Equal to TensorFlow Lite Micro's reference kernels bit for bit (a test holds it against them): see `int8_head`.

    Parameters
    ----------
    fast
        Use the optimised kernels, on one thread: a sixteenth of the time, but one patch in ten is a few int8 steps off.
        For hours of sound, where a person reviews the result.

    Raises
    ------
    LabeltoolError
        When the bytes are not an int8 network of one input and one output.
    """

    def __init__(self, tflite: bytes, *, fast: bool = False) -> None:
        self._kernels = _Kernels(tflite, np.int8, fast=fast)
        self.n_labels = self._kernels.n_labels
        self.input, self.output = _scale(self._kernels.input), _scale(self._kernels.output)

    def quantise(self, patches: Float32) -> Int8:
        """Round patches, any shape, to the network's int8 input: half to even, then saturated."""
        steps = np.rint(patches / np.float32(self.input.scale)) + np.float32(self.input.zero_point)
        return np.asarray(np.clip(steps, -128, 127), np.int8)

    def predict_int8(self, patches: Int8) -> Int8:
        """Run the network: `(n, mels, frames) int8` patches to `(n, labels) int8` scores."""
        return np.asarray(self._kernels.run(patches), np.int8)

    def predict(self, patches: Float32) -> Float32:
        """Score patches, `(n, mels, frames) float32`, as `(n, labels) float32` probabilities."""
        return self.dequantise(self.predict_int8(self.quantise(patches)))

    def predict_with_features(self, patches: Float32) -> Float32:
        """Return what the head reads of each patch and then the probabilities, `(n, features + labels) float32`."""
        features, scores = self._kernels.run_with_features(self.quantise(patches))
        return np.concatenate([features, self.dequantise(scores)], axis=1)

    @property
    def n_features(self) -> int:
        """Number of features that the head reads of a patch."""
        return self._kernels.n_features

    def dequantise(self, scores: Int8) -> Float32:
        """Return the probabilities that int8 scores stand for, any shape."""
        return (scores.astype(np.float32) - np.float32(self.output.zero_point)) * np.float32(self.output.scale)


class FloatOutputModel:
    """A network with int8 input and float32 output, scored by the reference kernels on every core.

    Raises
    ------
    LabeltoolError
        When the bytes are not such a network of one input and one output.
    """

    def __init__(self, tflite: bytes) -> None:
        self._kernels = _Kernels(tflite, np.float32)
        self.input = _scale(self._kernels.input)

    def predict(self, patches: Int8) -> Float32:
        """Run the network: `(n, mels, frames) int8` patches to `(n, labels) float32` probabilities."""
        return np.asarray(self._kernels.run(patches), np.float32)


class _Kernels:
    """TensorFlow Lite's kernels on a network of one int8 input and one output, one thread a copy of it."""

    def __init__(self, tflite: bytes, output: type[np.generic], *, fast: bool = False) -> None:
        make = optimised_interpreter if fast else _reference_interpreter
        self._interpreters = [make(tflite) for _ in range(1 if fast else min(4, os.cpu_count() or 1))]
        inputs, outputs = self._interpreters[0].get_input_details(), self._interpreters[0].get_output_details()
        if len(inputs) != 1 or len(outputs) != 1 or inputs[0]["dtype"] != np.int8 or outputs[0]["dtype"] != output:
            raise LabeltoolError("not an int8 network of one input and one output", remedy="export it again")
        self.input, self.output = inputs[0], outputs[0]
        self._head = None if fast else int8_head(self._interpreters[0])
        self.n_labels = int(self.output["shape"][-1])

    def run(self, patches: Int8) -> npt.NDArray[Any]:
        """Run the network: `(n, ...) int8` patches to `(n, labels)` outputs."""
        if self._head is None:
            return self._tensor_of(patches, self.output["index"])
        codes = self._head(self._tensor_of(patches, self._head.tensor))
        return codes if self.output["dtype"] == np.int8 else (codes.astype(np.float32) + 128) / np.float32(256)

    @property
    def n_features(self) -> int:
        """Number of features that the head reads of a patch."""
        head = self._known_head()
        return int(self._interpreters[0].get_tensor(head.tensor).size)

    def run_with_features(self, patches: Int8) -> tuple[Float32, Int8]:
        """Run a network of int8 output: what its head reads, `(n, features) float32`, and `(n, labels) int8` scores."""
        head = self._known_head()
        codes = self._tensor_of(patches, head.tensor)
        scale = _scale(self._interpreters[0]._get_tensor_details(head.tensor, 0))
        features = (codes.astype(np.float32) - np.float32(scale.zero_point)) * np.float32(scale.scale)
        return features, head(codes)

    def _known_head(self) -> Int8Head:
        if self._head is None:
            raise LabeltoolError("the int8 network has no head that is known", remedy=INSTALL_TRAIN)
        return self._head

    def _tensor_of(self, patches: Int8, read: int) -> npt.NDArray[Any]:
        """Run the network and return one of its tensors, a row a patch."""
        first = self._interpreters[0].get_tensor(read)
        rows = np.empty((len(patches), first.size), first.dtype)

        def run(worker: int) -> None:
            interpreter = self._interpreters[worker]
            for index in range(worker, len(patches), len(self._interpreters)):
                interpreter.set_tensor(self.input["index"], patches[index].reshape(self.input["shape"]))
                interpreter.invoke()
                rows[index] = interpreter.get_tensor(read).reshape(-1)

        # Threads are enough: the kernels run without Python's lock.
        with ThreadPoolExecutor(len(self._interpreters)) as pool:
            list(pool.map(run, range(len(self._interpreters))))
        return rows


def interpreter(tflite: bytes, *, input_shape: Sequence[int] | None = None, **options: Any) -> Any:
    """Return TensorFlow Lite's interpreter of a file, ready to run on one thread.

    Parameters
    ----------
    input_shape
        Shape of its only input, where the file leaves sizes open.

    Raises
    ------
    LabeltoolError
        When the bytes are not a TensorFlow Lite network.
    """
    import warnings

    from ai_edge_litert.interpreter import Interpreter

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that tensors which are kept need memory
            loaded = Interpreter(model_content=tflite, num_threads=1, **options)
            if input_shape is not None and (given := loaded.get_input_details()[0])["shape"].tolist() != [*input_shape]:
                loaded.resize_tensor_input(given["index"], input_shape)
            loaded.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise LabeltoolError("not a TensorFlow Lite network") from error
    return loaded


def _reference_interpreter(tflite: bytes) -> Any:
    from ai_edge_litert.interpreter import OpResolverType

    kernels = OpResolverType.BUILTIN_REF
    # With all tensors kept, the input of the network's head can be read after a run.
    return interpreter(tflite, experimental_op_resolver_type=kernels, experimental_preserve_all_tensors=True)


def optimised_interpreter(tflite: bytes, *, keep_tensors: bool = False) -> Any:
    """Return an interpreter with the optimised kernels, which round sums of a dense layer or a mean otherwise.

    `keep_tensors` makes tensors inside the network readable after a run.
    """
    from ai_edge_litert.interpreter import OpResolverType

    # Without delegates: XNNPACK is twice as fast again, but rounds differently in every other patch.
    kernels = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    return interpreter(tflite, experimental_op_resolver_type=kernels, experimental_preserve_all_tensors=keep_tensors)


def _scale(details: dict[str, Any]) -> CodeScale:
    scale, zero_point = details["quantization"]
    return CodeScale(float(scale), int(zero_point))
