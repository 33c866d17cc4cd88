"""Accuracy of the float network, the int8 network, ST's path and the C code from 16-bit samples on, on the same clips.

"st" is ST's frontend and `model_st.tflite`, with the package's own patches and clip rule: what features and file cost.
"st_application" is the same as an application runs it: patches that do not overlap, of which it prints each. It knows
no clips, so a clip's label is computed here, from the mean of the patches' log-probabilities; all weigh the same but
for empty ones, which are skipped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from labeltool.audio.clip_samples import clip_pcm
from labeltool.errors import LabeltoolError
from labeltool.exporters.source import Source
from labeltool.exporters.stm32.codegen.frontend_tables import require_log_mel
from labeltool.exporters.stm32.st_model.graph_edit import st_model
from labeltool.exporters.stm32.st_model.patches import StPatches, st_patches
from labeltool.exporters.stm32.verification.toolchain import Toolchain
from labeltool.exporters.stm32.verification.validation_set import Part, held_out, interleave_labels
from labeltool.inference import scoring
from labeltool.networks.model_folder import KERAS
from labeltool.networks.postprocessing import ClipRule, clip_scores
from labeltool.networks.quantization import FloatOutputModel
from labeltool.type_aliases import Bools, Float32, Int16, Int64
from labeltool.util.extras import has_tensorflow

_C_THREADS = 2


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Clips for a measurement.

    Attributes
    ----------
    pcm
        Samples of each clip, 16-bit mono at the frontend's rate.
    truth : (clips, labels) bool
        Which labels are present.
    """

    part: Part
    pcm: list[Int16]
    truth: Bools


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Predictions of several paths for the same clips.

    Attributes
    ----------
    labels
        The model's labels, in the order of its outputs.
    truth : (clips, labels) bool
        Which labels are present.
    predicted
        Index of the most probable label of each clip, `(clips,)`, by path: "float" (where the float network exists),
        "int8", "st", "st_application" and "c".
    patch_accuracy
        Share of patches whose most probable label is present in their clip, by path: all but "c".
    """

    part: Part
    labels: tuple[str, ...]
    truth: Bools
    predicted: Mapping[str, Int64]
    patch_accuracy: Mapping[str, float]

    @property
    def clips(self) -> int:
        """Number of clips."""
        return len(self.truth)

    @property
    def clips_that_differ(self) -> int:
        """Number of clips for which the C code and the int8 network predict different labels."""
        return int((self.predicted["c"] != self.predicted["int8"]).sum())

    def share(self, path: str) -> float:
        """Return the share of clips for which the most probable label of a path is present, 0 to 1."""
        return float(np.mean(self._correct(path)))

    def by_label(self) -> dict[str, dict[str, int]]:
        """Return the number of clips of each label, under "clips", and of the correct ones among them by path."""
        return {
            label: {
                "clips": int(of_label.sum()),
                **{path: int((self._correct(path) & of_label).sum()) for path in self.predicted},
            }
            for label, of_label in zip(self.labels, self.truth.T, strict=True)
        }

    def _correct(self, path: str) -> Bools:
        return np.asarray(self.truth[np.arange(len(self.truth)), self.predicted[path]])


def held_out_clips(source: Source, max_clips: int | None = None) -> HeldOut:
    """Read the clips of `validation_set.held_out`, interleaved by label.

    Raises
    ------
    LabeltoolError
        When none of them can be read.
    """
    labels = source.model.labels
    part, candidates = held_out(source)
    with_labels = [one for one in candidates if set(one.present) & set(labels)]
    pcm, truth = [], []
    failure = LabeltoolError("none of these clips has a label of the model")
    for one in interleave_labels(with_labels)[:max_clips]:
        try:
            pcm.append(clip_pcm(one.clip, source.model.frontend))
        except LabeltoolError as error:
            failure = error
            continue
        truth.append([name in one.present for name in labels])
    if not pcm:
        raise failure
    return HeldOut(part, pcm, np.array(truth))


def measure(source: Source, toolchain: Toolchain, clips: HeldOut) -> Accuracy:
    """Predict clips by every path; the C code must have been built for the host."""
    model = source.model
    log_mels = [model.frontend.compute_frames(pcm) for pcm in clips.pcm]
    predictors = {"int8": scoring.int8_predictor(model)}
    if (model.directory / KERAS).is_file() and has_tensorflow():
        predictors = {"float": scoring.float_predictor(model), **predictors}
    predicted: dict[str, Int64] = {}
    patch_accuracy: dict[str, float] = {}

    def add(path: str, probabilities: Sequence[Float32], of_patches: Sequence[Float32]) -> None:
        predicted[path] = _most_probable(probabilities)
        patch_accuracy[path] = _patch_accuracy(of_patches, clips.truth)

    for path, predict in predictors.items():
        source.report(f"measuring, {path}", 0, len(log_mels))
        scores = list(scoring.score_clips(model.frontend, model.rule, predict, log_mels))
        add(path, [score.probabilities for score in scores], [score.patches for score in scores])
    source.report("measuring, ST's path", 0, len(log_mels))
    frontend = require_log_mel(model.frontend)
    network = FloatOutputModel(st_model(model.int8, frontend))
    for path, step in (("st", frontend.patch_hop * frontend.hop), ("st_application", None)):
        of_clips = [st_patches(pcm, frontend, network, step) for pcm in clips.pcm]
        score_clip = _unweighted if step is None else _by_clip_rule
        add(path, [score_clip(one, model.rule) for one in of_clips], [one.probabilities for one in of_clips])
    source.report("measuring, C", 0, len(log_mels))
    with ThreadPoolExecutor(_C_THREADS) as pool:
        predicted["c"] = _most_probable(list(pool.map(toolchain.clip, clips.pcm)))
    return Accuracy(clips.part, model.labels, clips.truth, predicted, patch_accuracy)


def _by_clip_rule(patches: StPatches, rule: ClipRule) -> Float32:
    return clip_scores(patches.probabilities, patches.loudness_db, rule)


def _unweighted(patches: StPatches, rule: ClipRule) -> Float32:
    counted = patches.probabilities[~patches.empty | patches.empty.all()]
    plain = replace(rule, loudness_exponent=0.0, pooling="log-mean")
    return clip_scores(counted, np.zeros(len(counted), np.float32), plain)


def _patch_accuracy(of_patches: Sequence[Float32], truth: Bools) -> float:
    correct = [labels[one.argmax(axis=1)] for one, labels in zip(of_patches, truth, strict=True)]
    return float(np.concatenate(correct).mean())


def _most_probable(probabilities: Sequence[Float32]) -> Int64:
    return np.asarray(np.stack(probabilities).argmax(axis=1), np.int64)
