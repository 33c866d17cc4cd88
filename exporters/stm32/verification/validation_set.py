"""Patches and the outputs of the int8 network for them, in the files that `stedgeai validate` reads."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Literal

import numpy as np

from labeltool.audio.clip_samples import clip_pcm
from labeltool.audio.feature_cache import FeatureCache
from labeltool.errors import LabeltoolError
from labeltool.exporters.source import Source
from labeltool.exporters.stm32.codegen.frontend_tables import require_log_mel
from labeltool.exporters.stm32.st_applications.applications import ST_VALIDATION
from labeltool.exporters.stm32.st_model import patches as st_patches
from labeltool.exporters.stm32.st_model.frontend import buffer_samples
from labeltool.records import LabelledClip
from labeltool.type_aliases import Float32, Int8

MAX_PATCHES = 64
"""Maximum number of patches in `val.npz`: `stedgeai validate` on a device takes seconds per hundred patches."""


Part = Literal["unseen", "validation", "train"]
"""How a model used clips, or other clips of their groups: not at all, for validation, or for training."""


@dataclass(frozen=True, slots=True)
class ValidationSet:
    """Inputs and outputs of the int8 network.

    Attributes
    ----------
    inputs : (patches, mels, frames, 1) int8
    outputs : (patches, labels) int8
    """

    inputs: Int8
    outputs: Int8
    clips: tuple[LabelledClip, ...]
    first_frames: tuple[int, ...]
    part: Part


def validation_set(source: Source) -> ValidationSet:
    """Choose clips, take the loudest patch of each, and run the int8 network on them.

    The clips are those of `held_out`, interleaved by label.

    Raises
    ------
    LabeltoolError
        When no labelled clip can be read.
    """
    from labeltool.networks.quantization import Int8Model

    model = source.model
    network = Int8Model(model.int8)
    part, candidates = held_out(source)
    chosen = interleave_labels(candidates)[:MAX_PATCHES]
    cache = FeatureCache(source.project.features, model.frontend)
    failed = cache.compute(
        [labelled.clip for labelled in chosen], progress=lambda done, total: source.report("features", done, total)
    )
    readable = [labelled for labelled in chosen if labelled.clip.key not in failed]
    if not readable:
        raise next(iter(failed.values()))
    patches, first_frames = [], []
    for labelled in readable:
        log_mel = cache.log_mel(labelled.clip)
        loudest = int(model.frontend.loudness_db(log_mel).argmax())
        patches.append(model.frontend.patches(log_mel)[loudest])
        first_frames.append(int(model.frontend.patch_starts(len(log_mel))[loudest]))
    inputs = network.quantise(np.stack(patches))
    outputs = network.predict_int8(inputs)
    return ValidationSet(inputs[..., None], outputs, tuple(readable), tuple(first_frames), part)


def st_validation_set(source: Source, validation: ValidationSet, st_model: bytes) -> tuple[Int8, Float32]:
    """Compute the patches of a validation set with ST's frontend, and run `model_st` on them.

    Returns
    -------
    inputs : (patches, mels, frames, 1) int8
        Log-mels as ST's frontend computes and quantises them.
    outputs : (patches, labels) float32
        Probabilities.
    """
    from labeltool.networks.quantization import FloatOutputModel

    frontend = require_log_mel(source.model.frontend)
    network = FloatOutputModel(st_model)
    inputs = []
    for labelled, first_frame in zip(validation.clips, validation.first_frames, strict=True):
        first = first_frame * frontend.hop
        pcm = clip_pcm(labelled.clip, frontend)[first : first + buffer_samples(frontend)]
        inputs.append(st_patches.codes(pcm, frontend, network)[0])
    codes = np.stack(inputs)
    return codes[..., None], network.predict(codes)


def held_out(source: Source) -> tuple[Part, list[LabelledClip]]:
    """Return clips that the model was not trained on, and how it used them.

    They are the unseen clips, or unseen and validation clips together where there are fewer unseen ones. Without
    either, they are the training clips.
    """
    labelled_clips = source.labelled_clips
    if not labelled_clips:
        raise LabeltoolError(
            "no clip has a label yet, and validation needs labelled clips", remedy="label some with `labeltool label`"
        )
    seen, checked = source.model.groups_seen(), source.model.groups_validated_on()
    validation = [one for one in labelled_clips if one.clip.group in checked]
    unseen = [one for one in labelled_clips if one.clip.group not in seen]
    if unseen and len(unseen) >= len(validation):
        return "unseen", unseen
    return ("validation", unseen + validation) if validation else ("train", labelled_clips)


def interleave_labels(clips: Sequence[LabelledClip]) -> list[LabelledClip]:
    """Order clips, always in the same way, so that the first N contain each label about equally often."""
    queues: dict[str, list[LabelledClip]] = {}
    for labelled in sorted(clips, key=lambda one: (one.present, one.clip.key)):
        queues.setdefault(labelled.present[0], []).append(labelled)
    return [labelled for turn in zip_longest(*queues.values()) for labelled in turn if labelled is not None]


def write_validation(validation: ValidationSet, for_st: tuple[Int8, Float32], directory: Path) -> None:
    """Write `val.npz` (m_inputs, m_outputs), `val_st.npz`, the former as CSV (a patch a line), and the clips."""
    np.savez(directory / "val.npz", m_inputs=validation.inputs, m_outputs=validation.outputs)
    np.savez(directory / ST_VALIDATION, m_inputs=for_st[0], m_outputs=for_st[1])
    for name, codes in (("val_in.csv", validation.inputs), ("val_out.csv", validation.outputs)):
        np.savetxt(directory / name, codes.reshape(len(codes), -1), fmt="%d", delimiter=",")
    with (directory / "val_clips.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writerow(("recording_sha256", "start_s", "end_s", "first_frame", "labels_present", "part"))
        for labelled, first_frame in zip(validation.clips, validation.first_frames, strict=True):
            clip, present = labelled.clip, json.dumps(labelled.present, ensure_ascii=False)
            writer.writerow((clip.sha256, clip.start_s, clip.end_s, first_frame, present, validation.part))
