"""How a stranger's file becomes a known ear: its tables are read, then it is tried on sounds made up here."""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from labeltool.audio.frontend import Frontend
from labeltool.errors import LabeltoolError
from labeltool.pretrained import runtimes
from labeltool.pretrained.card import Activation, EarCard, card_beside
from labeltool.pretrained.model import Ear
from labeltool.pretrained.runtimes import base, tflite_metadata
from labeltool.pretrained.runtimes.base import Anatomy, Tensor
from labeltool.type_aliases import Float32, Int16

# Three sounds unlike each other: a network whose scores stay between 0 and 1 on all of them tells probabilities.
_LOUDNESS = 0.1
_PITCH_HZ = 1000.0


def introduce(
    path: Path,
    *,
    classes: Sequence[str] = (),
    rate_hz: int | None = None,
    window: int | None = None,
    embedding: str | None = None,
    frontend: Frontend | None = None,
    standardised: bool = False,
    activation: Activation | None = None,
) -> EarCard:
    """Find out what an ear is, and that it runs, within bounds of memory.

    Parameters
    ----------
    classes, rate_hz
        Where they are not given, those that the file itself tells.
    window
        Samples at once, for a network that takes any number.
    embedding
        The tensor; else the widest output beside the scores, else the last vector inside the network.
    activation
        Else found by trying: scores outside 0 to 1 are logits, and each class is judged for itself.

    Raises
    ------
    LabeltoolError
        When the file is not to be trusted, does not fit what was said of it, or does not run.
    """
    with runtimes.bounded_memory(path):
        anatomy = runtimes.examine(path)
        told = _told(path)
    shape, window = _heard_through(anatomy, path, frontend, window)
    # A list inside the file that fits no output is no reason to refuse it.
    if not classes and any(one.width == len(told.classes) for one in anatomy.outputs):
        classes = told.classes
    scores = _scores(anatomy, classes, path)
    if frontend is not None and rate_hz not in (None, frontend.sample_rate_hz):
        raise LabeltoolError(f"its frontend hears at {frontend.sample_rate_hz} Hz, not at {rate_hz}", file=path)
    rate_hz = rate_hz or (frontend.sample_rate_hz if frontend else told.rate_hz)
    if rate_hz is None:
        raise LabeltoolError(
            "does not say at which rate it hears", file=path, remedy="`labeltool model add FILE --rate HZ` does"
        )
    card = EarCard(
        files={one.name: base.hashed(one) for one in runtimes.files_of(path)},
        rate_hz=rate_hz,
        window=window,
        shape=shape,
        classes=tuple(classes),
        scores=scores.name,
        embedding=_embedding(anatomy, scores, embedding, path),
        frontend=frontend,
        standardised=standardised,
    )
    return _tried(path, card, activation)


def open_ear(path: Path, tensor: str | None = None, *, rate_hz: int | None = None, embedding: bool = False) -> Ear:
    """Load an ear from its file: as the card beside it says where there is one of it, else as it is found.

    Parameters
    ----------
    tensor
        Another embedding than the card's, or the one that is found.
    rate_hz
        Taken for a bare file that does not say.

    Raises
    ------
    LabeltoolError
        As `introduce` and `Ear` do.
    """
    card = card_beside(path)
    with runtimes.bounded_memory(path):
        if card is None:
            card = introduce(path, embedding=tensor, rate_hz=_told(path).rate_hz or rate_hz)
        elif tensor is not None:
            anatomy = runtimes.examine(path)
            card = replace(card, embedding=_embedding(anatomy, _scores(anatomy, card.classes, path), tensor, path))
    return Ear(path, card, embedding=embedding)


def read_frontend(path: Path) -> Frontend:
    """Read a frontend's description, TOML or JSON, its fields named as in `labeltool.frontend.Frontend`.

    Raises
    ------
    LabeltoolError
        When it cannot be read or describes none.
    """
    try:
        text = path.read_text(encoding="utf-8")
        told = json.loads(text) if path.suffix.lower() == ".json" else tomllib.loads(text)
        if not isinstance(told, dict):
            raise ValueError("not a table")
    except OSError as error:
        raise LabeltoolError("cannot be read", file=path, remedy=error.strerror or "") from error
    except ValueError as error:  # TOML's and JSON's own errors, and text that is no UTF-8, are kinds of it
        raise LabeltoolError(f"is not a frontend's description: {error}", file=path) from error
    try:
        return Frontend.from_dict(told)
    except LabeltoolError as error:
        raise LabeltoolError(error.reason, file=path, remedy=error.remedy) from error


def _told(path: Path) -> tflite_metadata.Metadata:
    return tflite_metadata.read(base.read(path)) if path.suffix.lower() == ".tflite" else tflite_metadata.Metadata()


def _heard_through(
    anatomy: Anatomy, path: Path, frontend: Frontend | None, window: int | None
) -> tuple[tuple[int, ...], int]:
    """Return what the network is given, every size fixed, and how many samples that takes."""
    shape = anatomy.input.shape
    if frontend is not None:
        wanted = [size for size in (frontend.n_mels, frontend.patch_frames) if size > 1]
        # The first open size is the batch; of the others only time is ever open.
        fixed = tuple(1 if place == 0 and size < 0 else size for place, size in enumerate(shape))
        fixed = tuple(frontend.patch_frames if size < 0 else size for size in fixed)
        if [size for size in fixed if size > 1] not in (wanted, wanted[::-1]):
            raise LabeltoolError(f"takes {[*shape]}; the frontend makes {wanted} of a sound", file=path)
        return fixed, frontend.patch_samples
    above = [size for size in shape if size > 1]
    if len(above) > 1:
        raise LabeltoolError(
            f"takes {[*shape]}, not samples",
            file=path,
            remedy="`labeltool model add --frontend FILE` says what it hears through",
        )
    if above and window not in (None, above[0]):
        raise LabeltoolError(f"takes {above[0]} samples at once, not {window}", file=path)
    if not above and -1 not in shape:
        raise LabeltoolError(f"takes {[*shape]}, not samples", file=path)
    if not above and window is None:
        raise LabeltoolError(
            "takes any number of samples",
            file=path,
            remedy="`labeltool model add --window SAMPLES` says how many at once",
        )
    length = above[0] if above else int(window or 0)
    place = shape.index(length) if above else len(shape) - 1 - shape[::-1].index(-1)
    base.require_sane([length], path)
    return tuple(length if place == one else 1 for one in range(len(shape))), length


def _scores(anatomy: Anatomy, classes: Sequence[str], path: Path) -> Tensor:
    """Return the output with the scores: by their number, else the first."""
    if not anatomy.outputs:
        raise LabeltoolError("has no output of real numbers", file=path)
    # 0: the file leaves it open, and the trial will tell.
    fitting = [one for one in anatomy.outputs if not classes or one.width in (0, len(classes))]
    if not fitting:
        widths = " and ".join(str(one.width) for one in anatomy.outputs)
        raise LabeltoolError(f"tells {widths} scores, and the list names {len(classes)} classes", file=path)
    return fitting[0]


def _embedding(anatomy: Anatomy, scores: Tensor, wanted: str | None, path: Path) -> str | None:
    others = [one for one in anatomy.outputs if one.name != scores.name and one.width > 1]
    known = [*(one.name for one in others), *(one.name for one in anatomy.inner)]
    if wanted is not None and wanted not in known:
        raise LabeltoolError(
            f"has no embedding {wanted!r}",
            file=path,
            remedy=f"what may hold one: {', '.join(known[-12:]) or 'nothing'}",
        )
    if wanted is not None or others:
        return wanted or max(others, key=lambda one: one.width).name
    # A vector as wide as the scores is the scores before their activation.
    inner = [one.name for one in anatomy.inner if one.width != scores.width]
    return inner[-1] if inner else None


def _tried(path: Path, card: EarCard, activation: Activation | None) -> EarCard:
    ear = Ear(path, card, embedding=card.embedding is not None)
    heard = [ear.scores(sound) for sound in _sounds(card.window, card.rate_hz)]
    if card.embedding is not None:
        ear.embed(_sounds(card.window, card.rate_hz)[0])
    return replace(card, activation=activation or _activation(np.stack(heard)))


def _activation(scores: Float32) -> Activation:
    """Tell logits from probabilities.

    Parameters
    ----------
    scores : (sounds, classes) float32
    """
    if scores.min() >= 0.0 and scores.max() <= 1.0 + 1e-5:
        return "none"
    # Logarithms of a softmax: their own softmax gives it back.
    sums = np.exp(np.minimum(scores, 1.0).astype(np.float64)).sum(axis=1)
    return "softmax" if np.allclose(sums, 1.0, atol=1e-3) else "sigmoid"


def _sounds(window: int, rate_hz: int) -> list[Int16]:
    time_s = np.arange(window) / rate_hz
    noise = np.random.default_rng(0).normal(0.0, _LOUDNESS, window)
    tone = _LOUDNESS * np.sin(2.0 * math.pi * _PITCH_HZ * time_s)
    return [np.rint(np.clip(sound, -1, 1) * 32767).astype(np.int16) for sound in (np.zeros(window), noise, tone)]
