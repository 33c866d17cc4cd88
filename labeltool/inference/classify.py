"""What is heard in a file: by a model of one's own, int8, as the chip would hear it, or by a borrowed ear."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from labeltool.audio import files as audio_files
from labeltool.audio.feature_cache import Framer
from labeltool.audio.windows import Windows
from labeltool.inference import scoring, window_scorers
from labeltool.networks import heads, model_folder, postprocessing
from labeltool.pretrained.embedding_frontend import framer
from labeltool.pretrained.model import Ear
from labeltool.project import Project
from labeltool.type_aliases import Progress


def classify(
    project: Project | None,
    *,
    report: Progress,
    files: list[str],
    model: str | None = None,
    top: int = 3,
) -> dict[str, Any]:
    """Say what is heard in sound files; a task of the worker.

    Parameters
    ----------
    model
        A model's id, a model's or an int8 export's folder, an ear's name or file; default the project's newest model.
    top
        So many labels for each file.

    Returns
    -------
    dict
        `{"model", "files": [{"file", "scores": [{"label", "index", "score"}], "windows": [{"start_s", "end_s", "label",
        "index", "score"}]}]}`; `index` is the network's output, a window is what it hears at once. A file's scores are
        by the model's own rule; an ear's are the means of its windows, of which those without any sound are left out,
        so that in digital silence nothing is told. For a model there is `heard` too, labels: empty where nothing
        reaches its threshold or its background is the likeliest.

    Raises
    ------
    LabeltoolError
        When a file cannot be read, or there is no such model.
    """
    for file in files:
        audio_files.describe(Path(file))  # a wrong name is said before the model is loaded
    chosen = window_scorers.choose(project, model)
    listen = _listener(chosen)
    told = []
    for done, file in enumerate(files):
        report("listening", done, len(files), Path(file).name)
        told.append({"file": file, **listen(file, top)})
    return {"model": chosen.name, "files": told}


def _listener(chosen: window_scorers.Chosen) -> Callable[[str, int], dict[str, Any]]:
    if chosen.own:
        ours = model_folder.read(chosen.path)
        frames = framer(ours.frontend, chosen.shelves, ours.ear)
        return partial(_own, ours, frames, scoring.int8_predictor(ours))
    return partial(_borrowed, window_scorers.open_with_classes(chosen.path))


def _own(
    files: model_folder.ModelFiles, frames: Framer, predict: scoring.Predictor, file: str, top: int
) -> dict[str, Any]:
    frontend = files.frontend
    scored, loudness_db = [], []
    heard = window_scorers.patches_of(frontend, file)
    for first, count in heard.blocks():
        log_mel = frames(heard.read(first, count))
        scored.append(predict(frontend.patches(log_mel)))
        loudness_db.append(frontend.loudness_db(log_mel))
    patches = np.concatenate(scored)
    probabilities = postprocessing.clip_scores(patches, np.concatenate(loudness_db), files.rule)
    said = heads.said(probabilities[None], files.rule.head, files.rule.threshold)[0]
    said &= probabilities >= files.rule.threshold
    return {
        "heard": [label for label, one in zip(files.labels, said, strict=True) if one and label != files.background],
        "scores": _best(files.labels, probabilities, top),
        "windows": [
            _window(files.labels, scores, start_s := number * frontend.patch_hop_s, start_s + frontend.patch_s)
            for number, scores in enumerate(patches)
        ],
    }


def _borrowed(ear: Ear, file: str, top: int) -> dict[str, Any]:
    card = ear.card
    # Thousands of scores a window: only their sum and the best are kept.
    total, told = np.zeros(len(card.classes), np.float64), []
    heard = Windows.of(file, card.rate_hz, card.window)
    for first, pcm in heard:
        if pcm.any():
            scores = ear.probabilities(pcm)
            total += scores
            end_s = min((first + card.window) / card.rate_hz, heard.duration_s)
            told.append(_window(card.classes, scores, first / card.rate_hz, end_s))
    return {"scores": _best(card.classes, total / len(told), top) if told else [], "windows": told}


def _best(labels: Sequence[str], probabilities: npt.NDArray[Any], top: int) -> list[dict[str, Any]]:
    return [_score(labels, probabilities, int(index)) for index in probabilities.argsort()[::-1][:top]]


def _window(labels: Sequence[str], scores: npt.NDArray[Any], start_s: float, end_s: float) -> dict[str, Any]:
    best = _score(labels, scores, int(scores.argmax()))
    return {"start_s": round(start_s, 4), "end_s": round(end_s, 4), **best}


def _score(labels: Sequence[str], probabilities: npt.NDArray[Any], index: int) -> dict[str, Any]:
    return {"label": labels[index], "index": index, "score": round(float(probabilities[index]), 4)}
