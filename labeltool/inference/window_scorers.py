"""Who listens to a recording, and what each window says: a model of one's own or a borrowed ear, asked the same way."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from labeltool.audio.frontend import Frontend
from labeltool.audio.windows import Windows
from labeltool.errors import LabeltoolError
from labeltool.inference import scoring
from labeltool.networks import model_folder, postprocessing
from labeltool.pretrained import registry
from labeltool.pretrained.card import EarCard, card_beside
from labeltool.pretrained.embedding_frontend import framer
from labeltool.pretrained.model import Ear
from labeltool.pretrained.probe import open_ear
from labeltool.project import Project
from labeltool.store import models
from labeltool.type_aliases import Float32

# Windows that overlap so deeply place the edges of what is heard to a fraction of their length.
_DEEP = 4


@dataclass(frozen=True, slots=True)
class Chosen:
    """Who is to listen, by what a person calls it.

    Attributes
    ----------
    path
        A model's folder, or an ear's file.
    own
        Whether it is a model, not an ear.
    model_id
        Of a model of the project.
    shelves
        Folders of models beside which the ear stands that a model may hear by.
    """

    name: str
    path: Path
    own: bool
    model_id: int | None = None
    shelves: tuple[Path, ...] = ()


def choose(project: Project | None, model: str | None) -> Chosen:
    """Find who is to listen.

    Parameters
    ----------
    model
        A model's id, a model's or an int8 export's folder, an ear's name or file; None the project's newest model.

    Raises
    ------
    LabeltoolError
        When there is no such model.
    """
    if model is None or (model.isascii() and model.isdigit()):
        if project is None:
            raise LabeltoolError("without a project there is no model of its own", remedy="`--model` names another")
        with project.open_store() as store:
            model_id = models.model(store, int(model) if model else None).id
        return Chosen(str(model_id), project.models / str(model_id), True, model_id, (project.models,))
    if (Path(model) / model_folder.CARD).is_file():
        folder = Path(model).resolve()
        return Chosen(folder.name, folder, True, None, (*([project.models] if project else []), folder.parent))
    return Chosen(model, registry.find(project, model), own=False)


def open_with_classes(path: Path) -> Ear:
    """Open an ear that names what it hears.

    Raises
    ------
    LabeltoolError
        When it has no class list, and as `open_ear`.
    """
    ear = open_ear(path)
    _require_classes(ear.card, path)
    return ear


def patches_of(frontend: Frontend, path: str | Path) -> Windows:
    """Lay a frontend's patches over a file."""
    hop = frontend.patch_hop * frontend.hop
    return Windows.of(path, frontend.sample_rate_hz, frontend.patch_samples, hop, stream=True)


class Listener(Protocol):
    """Somebody who tells of every window of a recording what is heard in it.

    Attributes
    ----------
    labels
        What it can hear, in the order of its scores; what stands for "none of these" is among them.
    background
        Which of them that is; None without one.
    threshold
        What a score must reach to be said.
    identity
        Changes with anything that changes a score, and with nothing else.
    """

    labels: Sequence[str]
    background: str | None
    threshold: float
    identity: str

    def windows(self, path: str | Path) -> Windows:
        """Lay windows over a file, overlapping by three quarters."""

    def scores(self, windows: Windows, first: int, count: int) -> Float32:
        """Hear some windows.

        Returns
        -------
        (count, labels) float32
            Probabilities; zeros for a window without any sound.

        Raises
        ------
        LabeltoolError
            When the file cannot be read.
        """


def listener(chosen: Chosen) -> Listener:
    """Return who was chosen; its network is loaded when it first hears.

    Raises
    ------
    LabeltoolError
        When its files cannot be read, or nobody said what its scores mean.
    """
    return Own(model_folder.read(chosen.path), chosen.shelves) if chosen.own else Borrowed(chosen.path)


class Own:
    """A model that was trained here, int8, by kernels that are nearly the chip's: the answer is only a suggestion.

    The reference kernels would hear a patch in 5.8 ms, which leaves time for half an overlap at best.
    """

    def __init__(self, files: model_folder.ModelFiles, shelves: Sequence[Path]) -> None:
        self._files = files
        self.labels: Sequence[str] = files.labels
        self.background = files.background
        # Of one label a clip the likeliest is said; from an even chance on that is settled.
        self.threshold = max(files.rule.threshold, 0.5) if files.rule.head == "softmax" else files.rule.threshold
        self._frontend = files.frontend.overlapping(_DEEP)
        self._frames = framer(self._frontend, shelves, files.ear)
        rule = files.rule.to_dict()
        self.identity = _hash({"int8": files.card["int8_sha256"], "frontend": self._frontend.to_dict(), "rule": rule})

    def windows(self, path: str | Path) -> Windows:
        """Lay patches over a file; see `Listener`."""
        return patches_of(self._frontend, path)

    def scores(self, windows: Windows, first: int, count: int) -> Float32:
        """Hear some patches, each by the model's rule as if it were a clip; see `Listener`."""
        pcm, rule = windows.read(first, count), self._files.rule
        patches = self._frontend.patches(self._frames(pcm))
        logits = postprocessing.logits(self._predict(patches), rule.head, postprocessing.SMALLEST_PROBABILITY)
        scores = postprocessing.normalised(logits, rule.head, rule.temperature)
        scores[np.array([not one.any() for one in windows.cut(pcm, first, count)])] = 0.0
        return scores

    @cached_property
    def _predict(self) -> scoring.Predictor:
        return scoring.int8_predictor(self._files, fast=True)


class Borrowed:
    """An ear from its file, with the classes it names."""

    background: str | None = None
    # Nobody calibrated it: best by YAMNet on recordings joined of ESC-10's folds 1 to 3, of 0.2 to 0.5.
    threshold: float = 0.2

    def __init__(self, path: Path) -> None:
        self._path = path
        self.card: EarCard = card_beside(path) or self._ear.card
        _require_classes(self.card, path)
        self.labels: Sequence[str] = self.card.classes
        self.identity = _hash(
            {"ear": self.card.fingerprint, "activation": self.card.activation, "classes": self.card.classes}
        )

    @property
    def folder(self) -> Path:
        """Where its card stands, and what a person said of it."""
        return self._path.parent

    def windows(self, path: str | Path) -> Windows:
        """Lay windows over a file; see `Listener`."""
        return Windows.of(path, self.card.rate_hz, self.card.window, max(1, self.card.window // _DEEP))

    def scores(self, windows: Windows, first: int, count: int) -> Float32:
        """Hear some windows; see `Listener`."""
        scores = np.zeros((count, len(self.labels)), np.float32)
        for row, pcm in enumerate(windows.cut(windows.read(first, count), first, count)):
            if pcm.any():
                scores[row] = self._ear.probabilities(pcm)
        return scores

    @cached_property
    def _ear(self) -> Ear:
        return open_ear(self._path)


def _require_classes(card: EarCard, path: Path) -> None:
    if not card.classes:
        raise LabeltoolError("has no class list", file=path, remedy="`labeltool model add --labels FILE` gives it one")


def _hash(told: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
