"""How many clips are right: by the float network, the int8 network, and the chip's path from PCM, on the same clips."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from labeltool.audio.feature_cache import clip_pcm
from labeltool.errors import LabeltoolError
from labeltool.exporters.source import Source
from labeltool.exporters.stm32.verification.toolchain import Bench
from labeltool.exporters.stm32.verification.validation_set import Part, held_out, labels_in_turn
from labeltool.inference import scoring
from labeltool.networks.model_folder import KERAS
from labeltool.type_aliases import Bools, Float32, Int16, Int64

_AT_ONCE = 2


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Clips, their samples, and which labels are on each, `(clips, labels)`."""

    part: Part
    pcm: list[Int16]
    truth: Bools


@dataclass(frozen=True, slots=True)
class Accuracy:
    """What each path answered.

    Attributes
    ----------
    answers
        "float" (where the float network is there), "int8" and "c": `(clips,)` indices of the likeliest labels.
    """

    part: Part
    labels: tuple[str, ...]
    truth: Bools
    answers: dict[str, Int64]

    def share(self, path: str) -> float:
        """Return the share of clips of which a path's likeliest label is there, 0 to 1."""
        return float(np.mean(self._right(path)))

    def right_by_label(self) -> dict[str, dict[str, int]]:
        """Count, for each label, its clips ("clips") and how many of them each path answers right."""
        return {
            label: {
                "clips": int(of_label.sum()),
                **{path: int((self._right(path) & of_label).sum()) for path in self.answers},
            }
            for label, of_label in zip(self.labels, self.truth.T, strict=True)
        }

    def _right(self, path: str) -> Bools:
        return np.asarray(self.truth[np.arange(len(self.truth)), self.answers[path]])

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as JSON values."""
        return {
            "part": self.part,
            "clips": len(self.truth),
            **{f"clip_accuracy_{path}": self.share(path) for path in self.answers},
            "clips_on_which_c_and_int8_differ": int((self.answers["c"] != self.answers["int8"]).sum()),
            "right_by_label": self.right_by_label(),
        }


def held_out_clips(source: Source, most: int | None = None) -> HeldOut:
    """Read the clips of `validation.held_out`, labels in turn.

    Parameters
    ----------
    most
        So many at most.

    Raises
    ------
    LabeltoolError
        When none of them can be heard.
    """
    labels = source.model.labels
    part, candidates = held_out(source)
    known = [one for one in candidates if set(one.present) & set(labels)]
    pcm, truth = [], []
    failure = LabeltoolError("the model knows none of the labels of these clips")
    for one in labels_in_turn(known)[:most]:
        try:
            pcm.append(clip_pcm(one.clip, source.model.frontend))
        except LabeltoolError as error:
            failure = error
            continue
        truth.append([name in one.present for name in labels])
    if not pcm:
        raise failure
    return HeldOut(part, pcm, np.array(truth))


def measure(source: Source, bench: Bench, clips: HeldOut) -> Accuracy:
    """Answer clips by every path; the C is built already."""
    model = source.model
    log_mels = [model.frontend.log_mel(pcm) for pcm in clips.pcm]
    predictors = {"int8": scoring.int8_predictor(model)}
    if (model.directory / KERAS).is_file():
        predictors = {"float": scoring.float_predictor(model), **predictors}
    answers = {}
    for path, predict in predictors.items():
        source.report(f"measuring, {path}", 0, len(log_mels))
        answers[path] = _best([score.probabilities for score in scoring.score_clips(model, predict, log_mels)])
    source.report("measuring, C", 0, len(log_mels))
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        answers["c"] = _best(list(pool.map(bench.clip, clips.pcm)))
    return Accuracy(clips.part, model.labels, clips.truth, answers)


def _best(probabilities: Sequence[Float32]) -> Int64:
    return np.asarray(np.stack(probabilities).argmax(axis=1), np.int64)
