"""What the page shows of a sound: its classes over time, events, transcript and neighbours; a task of the worker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from labeltool.audio import files as audio_files
from labeltool.audio.files import AudioFile
from labeltool.errors import LabeltoolError
from labeltool.inference import window_scorers
from labeltool.inference.classify import LabelScore, file_classifier
from labeltool.inference.detection_targets import find_targets
from labeltool.inference.events import EventRules, find_events
from labeltool.inference.whisper import RATE_HZ, DecodingOptions, SpeechModel
from labeltool.inference.window_scorers import ModelChoice
from labeltool.project import Project
from labeltool.records import Event, Segment
from labeltool.similarity.nearest_labelled import nearest_labelled
from labeltool.type_aliases import Progress

_TOP = 5
_ROWS = 8
_NEIGHBOURS = 6


@dataclass(frozen=True, slots=True)
class TryOptions:
    """How a sound is tried.

    Attributes
    ----------
    model
        As `window_scorers.choose_model` takes it.
    speech_model
        The speech model's folder; None: no transcript.
    language
        Spoken language; None: it is detected.
    vad
        As in `DecodingOptions`.
    max_s
        The longest sound, seconds.
    folder
        Where what is computed on the way goes; it is deleted with the sound. The page gives it for each sound.
    """

    model: str | None
    speech_model: str | None
    language: str | None
    vad: bool
    max_s: float
    folder: str = ""


@dataclass(frozen=True, slots=True)
class LabelCurve:
    """A label and its score in each window."""

    label: str
    scores: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A labelled clip of the project, with the name of its file, its labels, and its distance from the sound."""

    clip: int
    file: str
    start_s: float
    end_s: float
    labels: tuple[str, ...]
    distance: float


@dataclass(frozen=True, slots=True)
class TriedSound:
    """What `try_sound` returns.

    Attributes
    ----------
    model
        Its id or name.
    predicted, scores
        As `ClassifiedFile` has them.
    windows
        Start and end of each window, seconds.
    curves
        Of the labels with the highest scores, of the whole sound or of a window; by the latter, the highest first.
    events
        None where the model has no thresholds for them.
    segments
        The transcript; None without a speech model.
    language
        Of the transcript.
    neighbours, compared_by
        The nearest labelled clips; None outside a project.
    failed
        What else could not be done, and why.
    """

    model: str
    duration_s: float
    predicted: tuple[str, ...] | None
    scores: tuple[LabelScore, ...]
    windows: tuple[tuple[float, float], ...]
    curves: tuple[LabelCurve, ...]
    events: tuple[Event, ...] | None = None
    segments: tuple[Segment, ...] | None = None
    language: str | None = None
    neighbours: tuple[Neighbour, ...] | None = None
    compared_by: str | None = None
    failed: tuple[str, ...] = ()


def try_sound(project: Project | None, *, report: Progress, file: str, options: TryOptions) -> TriedSound:
    """Classify a sound, and do whatever else the project and the models allow.

    Raises
    ------
    LabeltoolError
        When the sound cannot be read or is too long, or there is no such model.
    """
    sound = audio_files.describe(file, samples=False)
    if sound.duration_s > options.max_s:
        raise LabeltoolError(
            f"lasts {sound.duration_s:.0f} s, longer than the {options.max_s:.0f} s that this page takes", file=file
        )
    choice = window_scorers.choose_model(project, options.model)
    report("classifying", 0, 0)
    failed = [] if sound.fault is None else [f"the sound {sound.fault}"]
    fields: dict[str, Any] = {}
    for name, part in (("events", _events), ("transcript", _transcript), ("similar clips", _neighbours)):
        try:
            fields |= part(project, sound, choice, options, report)
        except LabeltoolError as error:
            failed.append(f"{name}: {error}")
    return TriedSound(**_classes(project, sound, choice), **fields, failed=tuple(failed))


def _classes(project: Project | None, sound: AudioFile, choice: ModelChoice) -> dict[str, Any]:
    spans: list[tuple[float, float]] = []
    rows: list[npt.NDArray[Any]] = []

    def keep(start_s: float, end_s: float, scores: npt.NDArray[Any]) -> None:
        spans.append((round(start_s, 4), round(end_s, 4)))
        rows.append(scores)

    classifier = file_classifier(project, choice)
    classified = classifier(sound.path, _TOP, keep)
    return {
        "model": choice.name,
        "duration_s": round(sound.duration_s, 4),
        "predicted": classified.predicted,
        "scores": classified.scores,
        "windows": tuple(spans),
        "curves": _curves(classifier.labels, [one.index for one in classified.scores], rows),
    }


def _curves(labels: Sequence[str], best: Sequence[int], rows: list[npt.NDArray[Any]]) -> tuple[LabelCurve, ...]:
    if not rows:
        return ()
    scores = np.stack(rows)
    peaks = scores.max(axis=0)
    chosen = list(dict.fromkeys([*best, *peaks.argsort()[::-1].tolist()]))[:_ROWS]
    chosen.sort(key=lambda one: -peaks[one])
    return tuple(LabelCurve(labels[one], tuple(round(float(score), 4) for score in scores[:, one])) for one in chosen)


def _events(
    project: Project | None, sound: AudioFile, choice: ModelChoice, _: TryOptions, report: Progress
) -> dict[str, Any]:
    """Find events as `detect` does, but put nothing into the project."""
    scorer = window_scorers.window_scorer(choice)
    targets = find_targets(project, choice, scorer, None, {})
    if not choice.is_own and not targets.operating_points:
        return {}  # a pretrained model is not calibrated
    report("detecting", 0, 0)
    windows = scorer.windows(sound.path)
    scores = (scorer.scores(windows, first, count) for first, count in windows.blocks())
    hop_s = windows.hop / windows.rate_hz
    found = find_events(
        targets.scores(scores),
        targets.labels,
        targets.thresholds,
        EventRules(),
        hop_s=hop_s,
        overlap=windows.overlap,
        duration_s=sound.duration_s,
    )
    return {"events": tuple(found)}


def _transcript(
    _: Project | None, sound: AudioFile, __: ModelChoice, options: TryOptions, report: Progress
) -> dict[str, Any]:
    if options.speech_model is None:
        return {}
    report("transcribing", 0, 0)
    samples = audio_files.read_pcm(sound.path, 0.0, None, RATE_HZ).astype(np.float32) / np.float32(32768)
    model = SpeechModel(Path(options.speech_model))
    found = model.transcribe(samples, DecodingOptions(options.language, vad=options.vad))
    return {"segments": found.segments, "language": found.language}


def _neighbours(
    project: Project | None, sound: AudioFile, _: ModelChoice, options: TryOptions, report: Progress
) -> dict[str, Any]:
    if project is None:
        return {}
    report("comparing", 0, 0)
    found = nearest_labelled(project, sound, _NEIGHBOURS, Path(options.folder))
    neighbours = tuple(
        Neighbour(
            one.clip.id, Path(one.clip.path).name, one.clip.start_s, one.clip.end_s, one.present, round(distance, 3)
        )
        for one, distance in found.clips
    )
    return {"neighbours": neighbours, "compared_by": found.by}
