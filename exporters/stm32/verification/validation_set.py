"""Patches and the answers of the int8 network to them, in the files that `stedgeai validate` reads."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Literal

import numpy as np

from labeltool.audio.feature_cache import FeatureCache
from labeltool.errors import LabeltoolError
from labeltool.exporters.source import Source
from labeltool.records import LabelledClip
from labeltool.type_aliases import Int8

MOST_PATCHES = 64
"""Patches in `val.npz`: `stedgeai validate` on a board takes seconds for each hundred."""


Part = Literal["unseen", "validation", "train"]


@dataclass(frozen=True, slots=True)
class ValidationSet:
    """What goes into the network and what comes out.

    Attributes
    ----------
    inputs : (patches, mels, frames, 1) int8
        Int8, as the network takes them.
    outputs : (patches, labels) int8
        Int8, as the int8 network gave them.
    clips
        The clip each patch is from.
    first_frames
        Where in its clip each patch begins, frames.
    part
        What the clips, or others of their groups, were to the model.
    """

    inputs: Int8
    outputs: Int8
    clips: tuple[LabelledClip, ...]
    first_frames: tuple[int, ...]
    part: Part


def validation_set(source: Source) -> ValidationSet:
    """Choose clips, one patch of each (the loudest: a silent one would tell nothing), and run the int8 network on them.

    The clips are those of `held_out`, labels in turn.

    Raises
    ------
    LabeltoolError
        When no labelled clip can be heard.
    """
    from labeltool.networks.quantization import Int8Model

    model = source.model
    network = Int8Model(model.int8)
    part, candidates = held_out(source)
    chosen = labels_in_turn(candidates)[:MOST_PATCHES]
    cache = FeatureCache(source.project.cache / "features", model.frontend)
    failed = cache.compute(
        [labelled.clip for labelled in chosen],
        progress=lambda done, total: source.report("listening", done, total),
    )
    audible = [labelled for labelled in chosen if labelled.clip.key not in failed]
    if not audible:
        raise next(iter(failed.values()))
    patches, first_frames = [], []
    for labelled in audible:
        log_mel = cache.log_mel(labelled.clip)
        loudest = int(model.frontend.loudness_db(log_mel).argmax())
        patches.append(model.frontend.patches(log_mel)[loudest])
        first_frames.append(int(model.frontend.patch_starts(len(log_mel))[loudest]))
    inputs = network.quantise(np.stack(patches))
    outputs = network.predict_int8(inputs)
    return ValidationSet(inputs[..., None], outputs, tuple(audible), tuple(first_frames), part)


def held_out(source: Source) -> tuple[Part, list[LabelledClip]]:
    """Return clips that the model has not learnt from, and what they were to it.

    Those it has not seen, unless there are fewer than it was checked on; then both. Without any, those it learnt from.

    Raises
    ------
    LabeltoolError
        When no clip has a label.
    """
    if not source.heard:
        raise LabeltoolError("no clip has a label yet: there is nothing to validate the package with")
    seen, checked = source.model.groups_seen(), source.model.groups_checked()
    checked_on = [one for one in source.heard if one.clip.group in checked]
    unseen = [one for one in source.heard if one.clip.group not in seen]
    if unseen and len(unseen) >= len(checked_on):
        return "unseen", unseen
    return ("validation", unseen + checked_on) if checked_on else ("train", source.heard)


def labels_in_turn(clips: Sequence[LabelledClip]) -> list[LabelledClip]:
    """Order clips so that any first few of them hold each label about equally often, always in the same way."""
    queues: dict[str, list[LabelledClip]] = {}
    for labelled in sorted(clips, key=lambda one: (one.present, one.clip.key)):
        queues.setdefault(labelled.present[0], []).append(labelled)
    return [labelled for turn in zip_longest(*queues.values()) for labelled in turn if labelled is not None]


def write_validation(found: ValidationSet, directory: Path) -> None:
    """Write `val.npz` (m_inputs, m_outputs), the same as CSV (a patch a line), and where each patch is from."""
    np.savez(directory / "val.npz", m_inputs=found.inputs, m_outputs=found.outputs)
    for name, codes in (("val_in.csv", found.inputs), ("val_out.csv", found.outputs)):
        np.savetxt(directory / name, codes.reshape(len(codes), -1), fmt="%d", delimiter=",")
    with (directory / "val_clips.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writerow(("recording_sha256", "start_s", "end_s", "first_frame", "labels_heard", "part"))
        for labelled, first_frame in zip(found.clips, found.first_frames, strict=True):
            clip, heard = labelled.clip, json.dumps(labelled.present, ensure_ascii=False)
            writer.writerow((clip.sha256, clip.start_s, clip.end_s, first_frame, heard, found.part))
