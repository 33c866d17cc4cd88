"""Classify sound files: by a project's int8 model, computed as on the MCU, or by a pretrained model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from labeltool.audio import files as audio_files
from labeltool.errors import LabeltoolError
from labeltool.inference import scoring, window_scorers
from labeltool.inference.windows import Windows
from labeltool.networks import heads, model_folder, postprocessing
from labeltool.pretrained.embedding_frames import frame_function
from labeltool.pretrained.model import PretrainedModel
from labeltool.project import Project
from labeltool.records import Skipped
from labeltool.store import clips
from labeltool.type_aliases import Progress


@dataclass(frozen=True, slots=True)
class LabelScore:
    """A label, its index among the network's outputs, and its score, 0 to 1."""

    label: str
    index: int
    score: float


@dataclass(frozen=True, slots=True)
class WindowScores:
    """A window the network scores at once, seconds of the file, with its most probable label."""

    start_s: float
    end_s: float
    label: str
    index: int
    score: float


@dataclass(frozen=True, slots=True)
class ClassifiedFile:
    """The scores of one file.

    Attributes
    ----------
    predicted
        The labels that reach the model's threshold, without the background; None for a pretrained model, which has no
        calibrated threshold.
    scores
        The most probable labels, the first first: by the model's clip rule; for a pretrained model the mean over the
        windows that hold any sound, so that digital silence has no scores.
    fault
        Why parts of the file cannot be read, None where all can: the scores are of the others.
    """

    file: str
    predicted: tuple[str, ...] | None
    scores: tuple[LabelScore, ...]
    windows: tuple[WindowScores, ...]
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class ClassifyResult:
    """What `classify` returns; `model` is the model's id or name, `failed` what could not be classified and why."""

    model: str
    files: tuple[ClassifiedFile, ...]
    failed: tuple[Skipped, ...] = ()


OnWindow = Callable[[float, float, npt.NDArray[Any]], None]
"""Called with each window's start and end, seconds, and its scores, (labels,)."""


class FileClassifier(Protocol):
    """A loaded model that classifies files, by labels with their current names, the background among them."""

    labels: Sequence[str]

    def __call__(self, file: str, top: int, on_window: OnWindow = lambda *_: None) -> ClassifiedFile:
        """Classify a file.

        Raises
        ------
        LabeltoolError
            When it cannot be read.
        """


def classify(
    project: Project | None, *, report: Progress, files: list[str], model: str | None = None, top: int = 3
) -> ClassifyResult:
    """Classify sound files; a task of the worker.

    Parameters
    ----------
    model
        As `window_scorers.choose_model` takes it.

    Raises
    ------
    LabeltoolError
        When the only file cannot be read, or there is no such model.
    """
    sounds, failed = audio_files.describe_each(files)  # a wrong name is reported before the model is loaded
    choice = window_scorers.choose_model(project, model)
    classify_file = file_classifier(project, choice) if sounds else None
    classified = []
    for done, file in enumerate(sounds):
        assert classify_file is not None
        report("classifying", done, len(sounds), Path(file).name)
        try:
            classified.append(replace(classify_file(file, top), fault=sounds[file].fault))
        except LabeltoolError as error:
            failed.append(Skipped.of(error, file))
    return ClassifyResult(choice.name, tuple(classified), tuple(failed))


def file_classifier(project: Project | None, choice: window_scorers.ModelChoice) -> FileClassifier:
    """Load a model.

    Parameters
    ----------
    project
        Its labels are named as they are now.

    Raises
    ------
    LabeltoolError
        When it cannot be read, or is a pretrained model without a class list.
    """
    return _OwnModel(project, choice) if choice.is_own else _Pretrained(choice)


class _OwnModel:
    """A `FileClassifier` by a model that labeltool trained, int8."""

    def __init__(self, project: Project | None, choice: window_scorers.ModelChoice) -> None:
        files = model_folder.read(choice.path)
        self._files = files
        renamed: dict[str, str] = {}
        if project is not None:
            with project.open_store() as store:
                renamed = clips.current_names(store)
        self.labels: Sequence[str] = files.current_labels(renamed)
        self._frames = frame_function(files.frontend, choice.model_folders, files.pretrained)
        self._predict = scoring.int8_predictor(files)

    def __call__(self, file: str, top: int, on_window: OnWindow = lambda *_: None) -> ClassifiedFile:
        """Classify a file; see `FileClassifier`."""
        frontend, rule = self._files.frontend, self._files.rule
        patch_scores, loudness_db = [], []
        windows = window_scorers.patch_windows(frontend, file)
        for first, count in windows.blocks():
            log_mel = self._frames(windows.read(first, count))
            patch_scores.append(self._predict(frontend.patches(log_mel)))
            loudness_db.append(frontend.loudness_db(log_mel))
        patches = np.concatenate(patch_scores)
        probabilities = postprocessing.clip_scores(patches, np.concatenate(loudness_db), rule)
        predicted = heads.decide(probabilities[None], rule.head, rule.threshold)[0] & (probabilities >= rule.threshold)
        scored = []
        for number, scores in enumerate(patches):
            start_s = number * frontend.patch_hop_s
            on_window(start_s, start_s + frontend.patch_s, scores)
            scored.append(_window_scores(self.labels, scores, start_s, start_s + frontend.patch_s))
        names = (self.labels[index] for index in np.flatnonzero(predicted).tolist())
        return ClassifiedFile(
            file,
            # Labels that were merged since are one.
            tuple(dict.fromkeys(name for name in names if name != self._files.background)),
            _top_scores(self.labels, probabilities, top),
            tuple(scored),
        )


class _Pretrained:
    """A `FileClassifier` by a pretrained model."""

    def __init__(self, choice: window_scorers.ModelChoice) -> None:
        self._model: PretrainedModel = window_scorers.open_with_classes(choice.path)
        self.labels: Sequence[str] = self._model.card.classes

    def __call__(self, file: str, top: int, on_window: OnWindow = lambda *_: None) -> ClassifiedFile:
        """Classify a file; see `FileClassifier`."""
        card = self._model.card
        # Thousands of scores a window: only their sum and the highest are kept.
        total, scored = np.zeros(len(card.classes), np.float64), []
        windows = Windows.of(file, card.rate_hz, card.window)
        for first, pcm in windows:
            if pcm.any():
                scores = self._model.probabilities(pcm)
                total += scores
                start_s = first / card.rate_hz
                end_s = min((first + card.window) / card.rate_hz, windows.duration_s)
                on_window(start_s, end_s, scores)
                scored.append(_window_scores(card.classes, scores, start_s, end_s))
        best = _top_scores(card.classes, total / len(scored), top) if scored else ()
        return ClassifiedFile(file, None, best, tuple(scored))


def _top_scores(labels: Sequence[str], probabilities: npt.NDArray[Any], top: int) -> tuple[LabelScore, ...]:
    return tuple(
        LabelScore(labels[index], index, _rounded(probabilities[index]))
        for index in probabilities.argsort()[::-1][:top].tolist()
    )


def _window_scores(labels: Sequence[str], scores: npt.NDArray[Any], start_s: float, end_s: float) -> WindowScores:
    best = int(scores.argmax())
    return WindowScores(round(start_s, 4), round(end_s, 4), labels[best], best, _rounded(scores[best]))


def _rounded(score: Any) -> float:
    return round(float(score), 4)
