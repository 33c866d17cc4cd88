"""Classify sound files: by a project's int8 model, computed as on the MCU, or by a pretrained model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from labeltool.audio import files as audio_files
from labeltool.audio.feature_cache import FrameFunction
from labeltool.errors import LabeltoolError, SkippedFile
from labeltool.inference import scoring, window_scorers
from labeltool.inference.windows import Windows
from labeltool.networks import heads, model_folder, postprocessing
from labeltool.pretrained.embedding_frames import frame_function
from labeltool.pretrained.model import PretrainedModel
from labeltool.project import Project
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
    """

    file: str
    predicted: tuple[str, ...] | None
    scores: tuple[LabelScore, ...]
    windows: tuple[WindowScores, ...]


@dataclass(frozen=True, slots=True)
class ClassifyResult:
    """What `classify` returns; `model` is the model's id or name, `failed` what could not be classified and why."""

    model: str
    files: tuple[ClassifiedFile, ...]
    failed: tuple[SkippedFile, ...] = ()


def classify(
    project: Project | None,
    *,
    report: Progress,
    files: list[str],
    model: str | None = None,
    top: int = 3,
) -> ClassifyResult:
    """Classify sound files; a task of the worker.

    Parameters
    ----------
    model
        As `window_scorers.choose_model` takes it.
    top
        Number of labels for each file.

    Raises
    ------
    LabeltoolError
        When the only file cannot be read, or there is no such model.
    """
    sounds, failed = audio_files.describe_each(files)  # a wrong name is reported before the model is loaded
    choice = window_scorers.choose_model(project, model)
    classify_file = _file_classifier(choice) if sounds else None
    classified = []
    for done, file in enumerate(sounds):
        assert classify_file is not None
        report("classifying", done, len(sounds), Path(file).name)
        try:
            classified.append(classify_file(file, top))
        except LabeltoolError as error:
            failed.append(SkippedFile(file, str(error)))
    return ClassifyResult(choice.name, tuple(classified), tuple(failed))


def _file_classifier(choice: window_scorers.ModelChoice) -> Callable[[str, int], ClassifiedFile]:
    if choice.is_own:
        model_files = model_folder.read(choice.path)
        frames = frame_function(model_files.frontend, choice.model_folders, model_files.pretrained)
        return partial(_by_own_model, model_files, frames, scoring.int8_predictor(model_files))
    return partial(_by_pretrained, window_scorers.open_with_classes(choice.path))


def _by_own_model(
    model_files: model_folder.ModelFiles, frames: FrameFunction, predict: scoring.Predictor, file: str, top: int
) -> ClassifiedFile:
    frontend, rule = model_files.frontend, model_files.rule
    patch_scores, loudness_db = [], []
    windows = window_scorers.patch_windows(frontend, file)
    for first, count in windows.blocks():
        log_mel = frames(windows.read(first, count))
        patch_scores.append(predict(frontend.patches(log_mel)))
        loudness_db.append(frontend.loudness_db(log_mel))
    patches = np.concatenate(patch_scores)
    probabilities = postprocessing.clip_scores(patches, np.concatenate(loudness_db), rule)
    predicted = heads.decide(probabilities[None], rule.head, rule.threshold)[0] & (probabilities >= rule.threshold)
    labels = model_files.labels
    return ClassifiedFile(
        file,
        tuple(labels[index] for index in np.flatnonzero(predicted) if labels[index] != model_files.background),
        _top_scores(labels, probabilities, top),
        tuple(
            _window_scores(labels, scores, start_s := number * frontend.patch_hop_s, start_s + frontend.patch_s)
            for number, scores in enumerate(patches)
        ),
    )


def _by_pretrained(pretrained: PretrainedModel, file: str, top: int) -> ClassifiedFile:
    card = pretrained.card
    # Thousands of scores a window: only their sum and the highest are kept.
    total, scored = np.zeros(len(card.classes), np.float64), []
    windows = Windows.of(file, card.rate_hz, card.window)
    for first, pcm in windows:
        if pcm.any():
            scores = pretrained.probabilities(pcm)
            total += scores
            end_s = min((first + card.window) / card.rate_hz, windows.duration_s)
            scored.append(_window_scores(card.classes, scores, first / card.rate_hz, end_s))
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
