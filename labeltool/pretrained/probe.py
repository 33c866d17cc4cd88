"""The card of a model file: its tables are read, then it is tried on synthetic sounds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from labeltool.audio.frontend import Frontend, frontend_from_dict
from labeltool.errors import LabeltoolError
from labeltool.pretrained import runtimes
from labeltool.pretrained.card import Activation, PretrainedCard, card_beside
from labeltool.pretrained.model import PretrainedModel
from labeltool.pretrained.runtimes import base, tflite_metadata
from labeltool.pretrained.runtimes.base import NetworkLayout, Tensor
from labeltool.type_aliases import Float32, Int16
from labeltool.util.files.bounded_read import MAX_TOML_BYTES, parse_json, parse_toml, read_text

# Three sounds unlike each other: scores between 0 and 1 for all of them are probabilities.
_AMPLITUDE = 0.1
_TONE_HZ = 1000.0


@dataclass(frozen=True, slots=True)
class GivenProperties:
    """What the user states of a model; what is not given is found in the file or by a trial.

    Attributes
    ----------
    classes
        Names in the order of the scores; else those inside the file.
    rate_hz
        Samples a second; else as the file gives it.
    window
        Samples at once, for a network that takes any number.
    embedding
        The tensor; else the widest output beside the scores, else the last vector inside the network.
    frontend
        Computes the network's input; else it takes samples.
    standardised
        Whether windows are given to it at mean 0 and deviation 1.
    activation
        Else found by a trial: scores outside 0 to 1 are logits, and each class is judged by itself.
    """

    classes: Sequence[str] = ()
    rate_hz: int | None = None
    window: int | None = None
    embedding: str | None = None
    frontend: Frontend | None = None
    standardised: bool = False
    activation: Activation | None = None


def make_card(path: Path, given: GivenProperties | None = None) -> PretrainedCard:
    """Make the card of a model file, after a trial within bounds of memory.

    Raises
    ------
    LabeltoolError
        When the file is not to be trusted, does not fit what is given, or does not run.
    """
    given, runtime = given or GivenProperties(), runtimes.runtime_of(path)
    with runtimes.bounded_memory(path):
        layout = runtime.read_layout(path)
        metadata = _metadata(path)
    shape, window = _input_shape(layout, path, given.frontend, given.window)
    classes = given.classes
    # A list inside the file that fits no output is no reason to refuse it.
    if not classes and any(one.width == len(metadata.classes) for one in layout.outputs):
        classes = metadata.classes
    scores = _scores(layout, classes, path)
    card = PretrainedCard(
        files={one.name: base.sha256_of(one) for one in runtime.network_files(path)},
        rate_hz=_rate_hz(given, metadata, path),
        window=window,
        shape=shape,
        classes=tuple(classes),
        scores=scores.name,
        embedding=_embedding(layout, scores, given.embedding, path),
        frontend=given.frontend,
        standardised=given.standardised,
    )
    return _try(path, card, given.activation)


def open_model(
    path: Path, tensor: str | None = None, *, rate_hz: int | None = None, embedding: bool = False
) -> PretrainedModel:
    """Load a model from its file: by the card beside it where there is one, else by a card made now.

    Parameters
    ----------
    tensor
        Another embedding than the card's.
    rate_hz
        Of a file without a card, where it does not give one.

    Raises
    ------
    LabeltoolError
        As `make_card` and `PretrainedModel` do.
    """
    card = card_beside(path)
    with runtimes.bounded_memory(path):
        if card is None:
            rate_hz = _metadata(path).rate_hz or rate_hz
            card = make_card(path, GivenProperties(embedding=tensor, rate_hz=rate_hz))
        elif tensor is not None:
            layout = runtimes.runtime_of(path).read_layout(path)
            card = replace(card, embedding=_embedding(layout, _scores(layout, card.classes, path), tensor, path))
    return PretrainedModel(path, card, embedding=embedding)


def read_frontend(path: Path) -> Frontend:
    """Read a frontend's description, TOML or JSON, its fields named as in a model's card.

    Raises
    ------
    LabeltoolError
        When it cannot be read or describes none.
    """
    try:
        text = read_text(path, MAX_TOML_BYTES)
        values = parse_json(text) if path.suffix.lower() == ".json" else parse_toml(text)
        if not isinstance(values, dict):
            raise ValueError("not a table")
    except OSError as error:
        raise LabeltoolError("cannot be read", file=path, remedy=error.strerror or "") from error
    except ValueError as error:  # TOML's and JSON's own errors, and text that is no UTF-8, are kinds of it
        raise LabeltoolError(f"is not a frontend's description: {error}", file=path) from error
    try:
        return frontend_from_dict(values)
    except LabeltoolError as error:
        raise LabeltoolError(error.reason, file=path, remedy=error.remedy) from error


def _metadata(path: Path) -> tflite_metadata.Metadata:
    return (
        tflite_metadata.read(base.read_file(path)) if path.suffix.lower() == ".tflite" else tflite_metadata.Metadata()
    )


def _rate_hz(given: GivenProperties, metadata: tflite_metadata.Metadata, path: Path) -> int:
    frontend = given.frontend
    if frontend is not None and given.rate_hz not in (None, frontend.sample_rate_hz):
        raise LabeltoolError(f"its frontend's rate is {frontend.sample_rate_hz} Hz, not {given.rate_hz}", file=path)
    rate_hz = given.rate_hz or (frontend.sample_rate_hz if frontend else metadata.rate_hz)
    if rate_hz is None:
        raise LabeltoolError(
            "does not give its sample rate", file=path, remedy="`labeltool model add FILE --rate HZ` does"
        )
    return rate_hz


def _input_shape(
    layout: NetworkLayout, path: Path, frontend: Frontend | None, window: int | None
) -> tuple[tuple[int, ...], int]:
    """Return the shape of the network's input, every size fixed, and the number of samples under it."""
    shape = layout.input.shape
    if frontend is not None:
        wanted = [size for size in (frontend.n_features, frontend.patch_frames) if size > 1]
        # The first open size is the batch; of the others only time is ever open.
        fixed = tuple(1 if place == 0 and size < 0 else size for place, size in enumerate(shape))
        fixed = tuple(frontend.patch_frames if size < 0 else size for size in fixed)
        if [size for size in fixed if size > 1] not in (wanted, wanted[::-1]):
            raise LabeltoolError(f"takes {[*shape]}; the frontend's patches are {wanted}", file=path)
        return fixed, frontend.patch_samples
    above = [size for size in shape if size > 1]
    if len(above) > 1:
        raise LabeltoolError(
            f"takes {[*shape]}, not samples",
            file=path,
            remedy="`labeltool model add --frontend FILE` describes its frontend",
        )
    if above and window not in (None, above[0]):
        raise LabeltoolError(f"takes {above[0]} samples at once, not {window}", file=path)
    if not above and -1 not in shape:
        raise LabeltoolError(f"takes {[*shape]}, not samples", file=path)
    if not above and window is None:
        raise LabeltoolError(
            "takes any number of samples", file=path, remedy="`labeltool model add --window SAMPLES` gives the number"
        )
    length = above[0] if above else int(window or 0)
    place = shape.index(length) if above else len(shape) - 1 - shape[::-1].index(-1)
    base.require_bounded_shape([length], path)
    return tuple(length if place == one else 1 for one in range(len(shape))), length


def _scores(layout: NetworkLayout, classes: Sequence[str], path: Path) -> Tensor:
    """Return the output with the scores: by the number of classes, else the first."""
    if not layout.outputs:
        raise LabeltoolError("has no output of real numbers", file=path)
    # 0: the file leaves it open; the trial shows it.
    fitting = [one for one in layout.outputs if not classes or one.width in (0, len(classes))]
    if not fitting:
        widths = " and ".join(str(one.width) for one in layout.outputs)
        raise LabeltoolError(f"has {widths} scores, and the list names {len(classes)} classes", file=path)
    return fitting[0]


def _embedding(layout: NetworkLayout, scores: Tensor, wanted: str | None, path: Path) -> str | None:
    others = [one for one in layout.outputs if one.name != scores.name and one.width > 1]
    possible = [*(one.name for one in others), *(one.name for one in layout.inner)]
    if wanted is not None and wanted not in possible:
        raise LabeltoolError(
            f"has no embedding {wanted!r}",
            file=path,
            remedy=f"tensors that may be one: {', '.join(possible[-12:]) or 'none'}",
        )
    if wanted is not None or others:
        return wanted or max(others, key=lambda one: one.width).name
    # A vector as wide as the scores is the scores before their activation.
    inner = [one.name for one in layout.inner if one.width != scores.width]
    return inner[-1] if inner else None


def _try(path: Path, card: PretrainedCard, activation: Activation | None) -> PretrainedCard:
    pretrained = PretrainedModel(path, card, embedding=card.embedding is not None)
    scores = [pretrained.scores(sound) for sound in _sounds(card.window, card.rate_hz)]
    if card.embedding is not None:
        pretrained.embed(_sounds(card.window, card.rate_hz)[0])
    return replace(card, activation=activation or _activation(np.stack(scores)))


def _activation(scores: Float32) -> Activation:
    """Return the activation that makes probabilities of a network's outputs, (sounds, classes) float32."""
    if scores.min() >= 0.0 and scores.max() <= 1.0 + 1e-5:
        return "none"
    # Logarithms of a softmax: their own softmax gives it back.
    sums = np.exp(np.minimum(scores, 1.0).astype(np.float64)).sum(axis=1)
    return "softmax" if np.allclose(sums, 1.0, atol=1e-3) else "sigmoid"


def _sounds(window: int, rate_hz: int) -> list[Int16]:
    time_s = np.arange(window) / rate_hz
    noise = np.random.default_rng(0).normal(0.0, _AMPLITUDE, window)
    tone = _AMPLITUDE * np.sin(2.0 * math.pi * _TONE_HZ * time_s)
    return [np.rint(np.clip(sound, -1, 1) * 32767).astype(np.int16) for sound in (np.zeros(window), noise, tone)]
