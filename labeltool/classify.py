"""What is heard in a file, by the int8 model, as the chip would hear it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from labeltool import audio, metrics, modelfiles, scoring
from labeltool.frontend import Float32, Frontend
from labeltool.project import Project
from labeltool.store import models

# Decoded at once: hours pass through in little memory.
_BLOCK_S = 60.0


def classify(
    project: Project | None,
    *,
    report: Callable[..., None],
    files: list[str],
    model_id: int | None = None,
    folder: str | None = None,
    top: int = 3,
) -> dict[str, Any]:
    """Say what is heard in sound files; a task of the worker.

    Parameters
    ----------
    folder
        A model's or an int8 export's folder, in place of a model of the project.
    top
        So many labels for each file.

    Returns
    -------
    dict
        `{"model", "files": [{"file", "heard": [label], "scores": [{"label", "index", "score"}], "windows": [{"start_s",
        "end_s", "label", "index", "score"}]}]}`; `heard` is empty where nothing reaches the model's threshold or its
        background is the likeliest, `index` is the network's output, a window is one patch.

    Raises
    ------
    LabeltoolError
        When a file cannot be read, or there is no such model.
    """
    for file in files:
        audio.describe(Path(file))  # a wrong name is said before the model is loaded
    if folder is not None or project is None:
        chosen = modelfiles.read(Path(folder or "."))
    else:
        with project.open_store() as store:
            chosen = modelfiles.read(project.models / str(models.model(store, model_id).id))
    predict = scoring.int8_predictor(chosen)
    told = []
    for done, file in enumerate(files):
        report("listening", done, len(files), Path(file).name)
        told.append({"file": file, **_heard(chosen, predict, recording_log_mel(file, chosen.frontend), top)})
    return {"model": chosen.directory.name, "files": told}


def recording_log_mel(path: str, frontend: Frontend) -> Float32:
    """Compute a whole recording's log-mel frames in bounded memory, (frames, mels) float32.

    A recording shorter than a patch is filled up with silence on both sides.
    """
    rate = frontend.sample_rate_hz
    block_s = max(1, round(_BLOCK_S * rate / frontend.hop)) * frontend.hop / rate
    # Frames overlap: a block hears on until its last frame is whole.
    overlap_s = (frontend.n_fft - frontend.hop) / rate
    duration_s = audio.duration_s(path)
    blocks: list[Float32] = []
    start_s = 0.0
    while start_s < duration_s:
        pcm = audio.read_pcm(path, start_s, min(start_s + block_s + overlap_s, duration_s), rate)
        if duration_s <= block_s and len(pcm) < frontend.patch_samples:
            missing = frontend.patch_samples - len(pcm)
            pcm = np.pad(pcm, (missing // 2, missing - missing // 2))
        blocks.append(frontend.log_mel(pcm))
        start_s += block_s
    return np.concatenate(blocks)


def _heard(
    files: modelfiles.ModelFiles, predict: scoring.Predictor, log_mel: Float32, top: int
) -> dict[str, list[Any]]:
    (score,) = scoring.score_clips(files, predict, [log_mel])
    frontend = files.frontend
    said = metrics.said(score.probabilities[None], files.rule.head, files.rule.threshold)[0]
    said &= score.probabilities >= files.rule.threshold
    return {
        "heard": [label for label, one in zip(files.labels, said, strict=True) if one and label != files.background],
        "scores": [
            {"label": files.labels[index], "index": int(index), "score": round(float(score.probabilities[index]), 4)}
            for index in score.probabilities.argsort()[::-1][:top]
        ],
        "windows": [
            {
                "start_s": round(number * frontend.patch_hop_s, 4),
                "end_s": round(number * frontend.patch_hop_s + frontend.patch_s, 4),
                "label": files.labels[best := int(probabilities.argmax())],
                "index": best,
                "score": round(float(probabilities[best]), 4),
            }
            for number, probabilities in enumerate(score.patches)
        ],
    }
