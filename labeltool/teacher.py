"""A borrowed ear as teacher: what a large network's embeddings make of a clip, put into the project's labels.

The network (YAMNet, say) runs on the laptop only. A linear classifier over its embeddings, taught by the labelled
clips, labels the others, and the small network learns from those: distillation (Hinton et al. 2015) by way of labels.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from labeltool import audio, quantise
from labeltool.errors import LabeltoolError
from labeltool.records import StoredClip

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression

Float32 = npt.NDArray[np.float32]

SAMPLE_RATE_HZ = 16_000
"""What every ear is taken to hear at: TensorFlow Lite files do not say."""

_REVIEWS = 4
# A row's length: with it the classifier's regularisation means the same for embeddings of any width.
_NORM = 45.0
_REGULARISATION = 0.01
# What a person said counts as much as so many clips of the pool.
_LABELLED_WEIGHT = 3.0


class Ear:
    """A TensorFlow Lite network from waveform to embedding.

    Parameters
    ----------
    path
        Takes samples of 16 kHz mono, full scale 1, `(window,)` or `(1, window)` float32.
    tensor
        Index of the embedding; default the last vector inside the network that is no output.

    Raises
    ------
    LabeltoolError
        When the file is no such network, or has no such tensor.
    """

    def __init__(self, path: Path, tensor: int | None = None) -> None:
        try:
            content = path.read_bytes()
        except OSError as error:
            raise LabeltoolError("cannot be read", file=path, remedy="`--teacher` takes a .tflite file") from error
        try:
            self._interpreter = quantise.interpreter(content, experimental_preserve_all_tensors=True)
        except LabeltoolError as error:
            raise LabeltoolError(error.reason, file=path, remedy="`--teacher` takes a .tflite file") from error
        inputs = self._interpreter.get_input_details()
        shape = [int(size) for size in inputs[0]["shape_signature"]]
        if len(inputs) != 1 or inputs[0]["dtype"] != np.float32 or shape[-1] < 1 or any(n != 1 for n in shape[:-1]):
            raise LabeltoolError(f"takes {shape}, not the samples of one fixed window", file=path)
        self._input, self._shape, self.window = inputs[0]["index"], shape, shape[-1]
        vectors = self._vectors()
        if not vectors or (tensor is not None and tensor not in vectors):
            known = ", ".join(map(str, vectors)) or "none"
            raise LabeltoolError(
                "has no embedding there", file=path, remedy=f"`--teacher-tensor` may be one of: {known}"
            )
        self._tensor = vectors[-1] if tensor is None else tensor
        self.name = f"{hashlib.sha256(content).hexdigest()[:16]}-{self._tensor}"

    def embed(self, pcm: npt.NDArray[np.int16]) -> Float32:
        """Embed a clip.

        Parameters
        ----------
        pcm : (samples,) int16
            Mono, 16 kHz; filled up with silence to a window.

        Returns
        -------
        (2 * width,) float32
            Mean and maximum over windows that overlap by half.
        """
        samples = np.pad(pcm, (0, max(0, self.window - len(pcm)))).astype(np.float32) / np.float32(32768.0)
        rows = []
        for first in range(0, len(samples) - self.window + 1, self.window // 2):
            self._interpreter.set_tensor(self._input, samples[first : first + self.window].reshape(self._shape))
            self._interpreter.invoke()
            rows.append(self._embedding())
        return np.concatenate([np.mean(rows, axis=0), np.max(rows, axis=0)]).astype(np.float32)

    def _embedding(self) -> Float32:
        raw = self._interpreter.get_tensor(self._tensor).astype(np.float32).reshape(-1)
        scale, zero_point = self._scales[self._tensor]
        return np.asarray((raw - zero_point) * scale if scale else raw, np.float32)

    def _vectors(self) -> list[int]:
        """Return the tensors that are one vector a window, in the order they are computed: no weights, no outputs."""
        outputs = self._interpreter.get_output_details()
        not_wanted = {int(output["index"]) for output in outputs} | {int(self._input)}
        widths = {int(np.prod(output["shape"])) for output in outputs}
        self._scales: dict[int, tuple[float, int]] = {}
        found = []
        for details in self._interpreter.get_tensor_details():
            index, shape = int(details["index"]), [int(size) for size in details["shape"]]
            vector = len(shape) > 1 and all(size == 1 for size in shape[:-1]) and shape[-1] > 1
            if vector and index not in not_wanted and shape[-1] not in widths:
                self._scales[index] = details["quantization"]
                found.append(index)
        return found


def embed_clips(
    ear: Ear, directory: Path, clips: Sequence[StoredClip], *, report: Callable[..., None]
) -> tuple[dict[str, Float32], dict[str, LabeltoolError]]:
    """Embed clips, each only once: `directory/<ear>/` keeps what was computed and may be deleted at will.

    Returns
    -------
    embeddings
        Clip key to (2 * width,) float32.
    failed
        Clip key to error, of the clips that could not be read.
    """
    folder = directory / ear.name
    folder.mkdir(parents=True, exist_ok=True)
    embeddings: dict[str, Float32] = {}
    failed: dict[str, LabeltoolError] = {}
    for place, clip in enumerate(clips):
        path = folder / f"{hashlib.sha256(clip.key.encode()).hexdigest()}.npy"
        row = _cached(path)
        if row is None:
            report("listening with the teacher", place, len(clips))
            try:
                audio.require_content(clip.path, clip.sha256)
                row = ear.embed(audio.read_pcm(clip.path, clip.start_s, clip.end_s, SAMPLE_RATE_HZ))
            except LabeltoolError as error:
                failed[clip.key] = error
                continue
            partial = path.with_suffix(".partial")
            with partial.open("wb") as file:
                np.save(file, row)
            partial.replace(path)
        embeddings[clip.key] = row
    return embeddings, failed


def teach_rest(embeddings: Float32, targets: Float32) -> Float32:
    """Label the clips without a verdict by those with one.

    A logistic regression over the square roots of the embeddings, brought to one length (the Hellinger kernel, with
    which activations compare better), that goes on by its own word on the surest clips, in the end on all.

    Parameters
    ----------
    embeddings : (labelled + pool, width) float32
        The labelled clips first.
    targets : (labelled, labels) float32
        Rows sum to one; two or more labels have clips.

    Returns
    -------
    (pool, labels) float32
        Probabilities.
    """
    rows = np.sign(embeddings) * np.sqrt(np.abs(embeddings.astype(np.float64)))
    rows *= _NORM / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    known, pool = rows[: len(targets)], rows[len(targets) :]
    # A clip of several labels counts once for each, by its share.
    clip, label = np.nonzero(targets)
    weights = _LABELLED_WEIGHT * targets[clip, label].astype(np.float64)
    model = _classifier(known[clip], label, weights / _LABELLED_WEIGHT)
    for review in range(1, _REVIEWS + 1 if len(pool) else 1):
        scores = model.predict_proba(pool)
        sure = np.argsort(-scores.max(axis=1), kind="stable")[: int(np.ceil(review / _REVIEWS * len(pool)))]
        said = model.classes_[scores[sure].argmax(axis=1)]
        model = _classifier(
            np.concatenate([known[clip], pool[sure]]),
            np.concatenate([label, said]),
            np.concatenate([weights, np.ones(len(sure))]),
        )
    told = np.zeros((len(pool), targets.shape[1]), np.float32)
    if len(pool):
        told[:, model.classes_] = model.predict_proba(pool)
    return told


def _classifier(rows: Any, labels: Any, weights: Any) -> LogisticRegression:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=_REGULARISATION, max_iter=500).fit(rows, labels, sample_weight=weights)


def _cached(path: Path) -> Float32 | None:
    """Return a clip's embedding from the cache, or None where there is none that can be read."""
    try:
        return np.asarray(np.load(path, allow_pickle=False), np.float32)
    except (OSError, ValueError, EOFError):
        return None
