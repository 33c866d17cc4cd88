"""Score the windows of a recording, by a model of the project or by a pretrained model, through one interface."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from labeltool.audio.frontend import Frontend
from labeltool.audio.frontend_base import unit_samples
from labeltool.errors import LabeltoolError
from labeltool.inference import scoring
from labeltool.inference.windows import Windows
from labeltool.networks import model_folder, postprocessing
from labeltool.pretrained import registry
from labeltool.pretrained.card import PretrainedCard, card_beside
from labeltool.pretrained.embedding_frames import frame_function
from labeltool.pretrained.model import PretrainedModel
from labeltool.pretrained.probe import open_model
from labeltool.project import Project
from labeltool.store import clips, models
from labeltool.type_aliases import Float32

# Windows that cover one moment: this overlap places the edges of events to a fraction of a window.
_OVERLAP = 4
_SMALLEST_POWER = 1e-10  # -100 dB

MOMENTS = 4 * _OVERLAP
"""Parts of a window whose levels `EmbeddingScorer` measures: four between the starts of two windows."""


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """A model to score with, found by what a person calls it.

    Attributes
    ----------
    path
        A trained model's folder, or a pretrained model's file.
    is_own
        Whether it was trained by labeltool; else it is a pretrained model.
    model_folders
        Folders beside which the pretrained model is looked for that a model over embeddings needs.
    embeds
        Whether a pretrained model's embeddings are wanted in place of its classes' scores.
    """

    name: str
    path: Path
    is_own: bool
    model_id: int | None = None
    model_folders: tuple[Path, ...] = ()
    embeds: bool = False


def choose_model(project: Project | None, model: str | None) -> ModelChoice:
    """Find the model to score with.

    Parameters
    ----------
    model
        A model's id, the folder of a model or of an int8 export, or a pretrained model's name or file; None for the
        project's newest model.

    Raises
    ------
    LabeltoolError
        When there is no such model.
    """
    own_id = None if model is None else clips.id_of(model)
    if model is None or own_id is not None:
        if project is None:
            raise LabeltoolError("outside a project there is no newest model", remedy="`--model` names one")
        with project.open_store() as store:
            model_id = models.model(store, own_id).id
        return ModelChoice(str(model_id), project.models / str(model_id), True, model_id, (project.models,))
    if (Path(model) / model_folder.CARD).is_file():
        folder = Path(model).resolve()
        return ModelChoice(folder.name, folder, True, None, (*([project.models] if project else []), folder.parent))
    return ModelChoice(model, registry.find(project, model), is_own=False)


def open_with_classes(path: Path) -> PretrainedModel:
    """Open a pretrained model that has a class list.

    Raises
    ------
    LabeltoolError
        When it has no class list, and as `open_model`.
    """
    pretrained = open_model(path)
    _require_classes(pretrained.card, path)
    return pretrained


def patch_windows(frontend: Frontend, path: str | Path) -> Windows:
    """Divide a file into a frontend's patches."""
    hop = frontend.patch_hop * frontend.hop
    return Windows.of(path, frontend.sample_rate_hz, frontend.patch_samples, hop, stream=True)


class WindowScorer(Protocol):
    """Scores every window of a recording.

    Attributes
    ----------
    labels
        The labels it scores, in the order of its outputs, the background among them.
    background
        The label that stands for "none of these"; None without one.
    threshold
        Default score from which a label counts as predicted.
    identity
        Changes with anything that changes a score, and with nothing else.
    """

    labels: Sequence[str]
    background: str | None
    threshold: float
    identity: str

    def windows(self, path: str | Path) -> Windows:
        """Divide a file into windows that overlap by three quarters."""

    def scores(self, windows: Windows, first: int, count: int) -> Float32:
        """Score some windows.

        Returns
        -------
        (count, labels) float32
            Probabilities; zeros for a window of digital silence.

        Raises
        ------
        LabeltoolError
            When the file cannot be read.
        """


def window_scorer(choice: ModelChoice) -> WindowScorer:
    """Return the scorer of a model; its network is loaded when it first scores.

    Raises
    ------
    LabeltoolError
        When the model's files cannot be read, or a pretrained model has no class list.
    """
    if choice.is_own:
        return TrainedModelScorer(model_folder.read(choice.path), choice.model_folders)
    return EmbeddingScorer(choice.path) if choice.embeds else PretrainedScorer(choice.path)


class TrainedModelScorer:
    """A model trained by labeltool, int8, by fast kernels that differ slightly from the MCU's.

    Its events are only suggestions, and the bit-exact kernels take 5.8 ms a patch, too slow for this overlap.
    """

    def __init__(self, files: model_folder.ModelFiles, model_folders: Sequence[Path]) -> None:
        self._files = files
        self.labels: Sequence[str] = files.labels
        self.background = files.background
        # Under a softmax only the most probable label is predicted; from 0.5 on no other label can be.
        self.threshold = max(files.rule.threshold, 0.5) if files.rule.head == "softmax" else files.rule.threshold
        self._frontend = files.frontend.overlapping(_OVERLAP)
        self._frames = frame_function(self._frontend, model_folders, files.pretrained)
        rule = asdict(files.rule)
        self.identity = _hash({"int8": files.card.int8_sha256, "frontend": self._frontend.to_dict(), "rule": rule})

    def windows(self, path: str | Path) -> Windows:
        """Divide a file into patches; see `WindowScorer`."""
        return patch_windows(self._frontend, path)

    def scores(self, windows: Windows, first: int, count: int) -> Float32:
        """Score some patches, each by the model's clip rule as if it were a clip; see `WindowScorer`."""
        pcm, rule = windows.read(first, count), self._files.rule
        patches = self._frontend.patches(self._frames(pcm))
        logits = postprocessing.to_logits(self._predict(patches), rule.head, postprocessing.SMALLEST_PROBABILITY)
        scores = postprocessing.to_probabilities(logits, rule.head, rule.temperature)
        scores[np.array([not one.any() for one in windows.cut(pcm, first, count)])] = 0.0
        return scores

    @cached_property
    def _predict(self) -> scoring.Predictor:
        return scoring.int8_predictor(self._files, fast=True)


class PretrainedScorer:
    """A pretrained model with a class list, from its file."""

    background: str | None = None
    # It is not calibrated: of 0.2 to 0.5, this did best with YAMNet on recordings joined of ESC-10's folds 1 to 3.
    threshold: float = 0.2

    def __init__(self, path: Path) -> None:
        self._path = path
        self.card: PretrainedCard = card_beside(path) or self._model.card
        _require_classes(self.card, path)
        self.labels: Sequence[str] = self.card.classes
        fingerprint = self.card.fingerprint
        self.identity = _hash(
            {
                "ear": fingerprint,  # former name
                "activation": self.card.activation,
                "classes": self.card.classes,
            }
        )

    @property
    def folder(self) -> Path:
        """The folder of its card and of its class mapping."""
        return self._path.parent

    def windows(self, path: str | Path) -> Windows:
        """Divide a file into windows; see `WindowScorer`."""
        return Windows.of(path, self.card.rate_hz, self.card.window, max(1, self.card.window // _OVERLAP))

    def scores(self, windows: Windows, first: int, count: int) -> Float32:
        """Score some windows; see `WindowScorer`."""
        scores = np.zeros((count, len(self.labels)), np.float32)
        for row, pcm in enumerate(windows.cut(windows.read(first, count), first, count)):
            if pcm.any():
                scores[row] = self._model.probabilities(pcm)
        return scores

    @cached_property
    def _model(self) -> PretrainedModel:
        return open_model(self._path)


class EmbeddingScorer:
    """A pretrained model's embeddings of the windows, in place of scores, and the level of their moments.

    The first `MOMENTS` columns are the levels of equal parts of a window, decibels of full scale; the others are its
    embedding, zeros for digital silence.
    """

    labels: Sequence[str] = ()
    background: str | None = None
    threshold: float = 1.0

    def __init__(self, path: Path) -> None:
        self._path = path
        self.card: PretrainedCard = card_beside(path) or self._model.card
        self.identity = _hash({"embedding": self.card.fingerprint, "moments": MOMENTS})

    def windows(self, path: str | Path) -> Windows:
        """Divide a file into windows; see `WindowScorer`."""
        return Windows.of(path, self.card.rate_hz, self.card.window, max(1, self.card.window // _OVERLAP))

    def scores(self, windows: Windows, first: int, count: int) -> Float32:
        """Return levels and embeddings of some windows, (count, MOMENTS + width) float32; see `WindowScorer`."""
        rows = np.zeros((count, MOMENTS + self._width), np.float32)
        for row, pcm in zip(rows, windows.cut(windows.read(first, count), first, count), strict=True):
            parts = np.array_split(unit_samples(pcm), MOMENTS)
            row[:MOMENTS] = [10.0 * np.log10(np.square(part).mean() + _SMALLEST_POWER) for part in parts]
            if pcm.any():
                row[MOMENTS:] = self._model.embed_window(pcm)
        return rows

    @cached_property
    def _width(self) -> int:
        return len(self._model.embed_window(np.zeros(self.card.window, np.int16)))

    @cached_property
    def _model(self) -> PretrainedModel:
        return open_model(self._path, embedding=True)


def _require_classes(card: PretrainedCard, path: Path) -> None:
    if not card.classes:
        raise LabeltoolError("has no class list", file=path, remedy="`labeltool model add --labels FILE` gives it one")


def _hash(fields: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()
