"""What is heard in a file: by a model of one's own, int8, as the chip would hear it, or by a borrowed ear."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from labeltool import aggregate, audio, metrics, modelfiles, scoring
from labeltool.ears import shelf
from labeltool.ears.ear import Ear
from labeltool.ears.introducing import open_ear
from labeltool.ears.windows import windows
from labeltool.errors import LabeltoolError
from labeltool.frontend import Float32, Frontend
from labeltool.project import Project
from labeltool.store import models

# Decoded at once: hours pass through in little memory.
_BLOCK_S = 60.0

Listener = Callable[[str, int], dict[str, Any]]
"""A file and how many labels are wanted, to what is told of it."""


def classify(
    project: Project | None,
    *,
    report: Callable[..., None],
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
        audio.describe(Path(file))  # a wrong name is said before the model is loaded
    name, listen = _listener(project, model)
    told = []
    for done, file in enumerate(files):
        report("listening", done, len(files), Path(file).name)
        told.append({"file": file, **listen(file, top)})
    return {"model": name, "files": told}


def _listener(project: Project | None, model: str | None) -> tuple[str, Listener]:
    """Find who is to listen, by what a person calls it."""
    if model is None or (model.isascii() and model.isdigit()):
        if project is None:
            raise LabeltoolError("without a project there is no model of its own", remedy="`--model` names another")
        with project.open_store() as store:
            folder = project.models / str(models.model(store, int(model) if model else None).id)
    elif not (Path(model) / modelfiles.CARD).is_file():
        path = shelf.find(project, model)
        ear = open_ear(path)
        if not ear.card.classes:
            raise LabeltoolError(
                "has no class list", file=path, remedy="`labeltool model add --labels FILE` gives it one"
            )
        return model, lambda file, top: _borrowed(ear, file, top)
    else:
        folder = Path(model).resolve()
    ours = modelfiles.read(folder)
    predict = scoring.int8_predictor(ours)
    return folder.name, lambda file, top: _own(ours, predict, file, top)


def _own(files: modelfiles.ModelFiles, predict: scoring.Predictor, file: str, top: int) -> dict[str, Any]:
    frontend = files.frontend
    scored, loudness_db = [], []
    held = np.empty((0, frontend.n_mels), np.float32)
    for frames in _log_mel(file, frontend):
        held = np.concatenate([held, frames])
        if len(starts := frontend.patch_starts(len(held))):
            scored.append(predict(frontend.patches(held)))
            loudness_db.append(frontend.loudness_db(held))
            held = held[starts[-1] + frontend.patch_hop :]
    patches = np.concatenate(scored)
    probabilities = aggregate.clip_scores(patches, np.concatenate(loudness_db), files.rule)
    said = metrics.said(probabilities[None], files.rule.head, files.rule.threshold)[0]
    said &= probabilities >= files.rule.threshold
    return {
        "heard": [label for label, one in zip(files.labels, said, strict=True) if one and label != files.background],
        "scores": _best(files.labels, probabilities, top),
        "windows": [
            _window(files.labels, scores, start_s := number * frontend.patch_hop_s, start_s + frontend.patch_s)
            for number, scores in enumerate(patches)
        ],
    }


def _log_mel(path: str, frontend: Frontend) -> Iterator[Float32]:
    """Yield a recording's log-mel frames, (frames, mels) float32, block by block.

    A recording shorter than a patch is filled up with silence on both sides.
    """
    rate = frontend.sample_rate_hz
    block_s = max(1, round(_BLOCK_S * rate / frontend.hop)) * frontend.hop / rate
    # Frames overlap: a block hears on until its last frame is whole.
    overlap_s = (frontend.n_fft - frontend.hop) / rate
    duration_s = audio.duration_s(path)
    start_s = 0.0
    while start_s < duration_s:
        pcm = audio.read_pcm(path, start_s, min(start_s + block_s + overlap_s, duration_s), rate)
        if duration_s <= block_s and len(pcm) < frontend.patch_samples:
            missing = frontend.patch_samples - len(pcm)
            pcm = np.pad(pcm, (missing // 2, missing - missing // 2))
        yield frontend.log_mel(pcm)
        start_s += block_s


def _borrowed(ear: Ear, file: str, top: int) -> dict[str, Any]:
    card = ear.card
    duration_s = audio.duration_s(file)
    # Thousands of scores a window: only their sum and the best are kept.
    total, told = np.zeros(len(card.classes), np.float64), []
    for first, pcm in windows(file, card.rate_hz, card.window):
        if pcm.any():
            scores = ear.probabilities(pcm)
            total += scores
            end_s = min((first + card.window) / card.rate_hz, duration_s)
            told.append(_window(card.classes, scores, first / card.rate_hz, end_s))
    return {"scores": _best(card.classes, total / len(told), top) if told else [], "windows": told}


def _best(labels: Sequence[str], probabilities: npt.NDArray[Any], top: int) -> list[dict[str, Any]]:
    return [_score(labels, probabilities, int(index)) for index in probabilities.argsort()[::-1][:top]]


def _window(labels: Sequence[str], scores: npt.NDArray[Any], start_s: float, end_s: float) -> dict[str, Any]:
    best = _score(labels, scores, int(scores.argmax()))
    return {"start_s": round(start_s, 4), "end_s": round(end_s, 4), **best}


def _score(labels: Sequence[str], probabilities: npt.NDArray[Any], index: int) -> dict[str, Any]:
    return {"label": labels[index], "index": index, "score": round(float(probabilities[index]), 4)}
