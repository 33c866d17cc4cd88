"""A sound that was sent from the page becomes a recording of the project and its next clip; a task of the worker."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import soundfile

from labeltool.annotation import listing
from labeltool.annotation.listing import ListedClip
from labeltool.audio import files as audio_files
from labeltool.audio.files import AUDIO_SUFFIXES, AudioFile
from labeltool.errors import LabeltoolError
from labeltool.project import Project
from labeltool.records import Clip, Recording
from labeltool.store import Store, clips, queue, recordings
from labeltool.store.importing import import_records
from labeltool.type_aliases import Progress
from labeltool.util.files.atomic_write import open_atomic
from labeltool.util.time_grid import MICROSECONDS, length_us
from labeltool.util.urls import is_there

FOLDER = "received"
"""Folder of the project with the sounds that were sent."""

State = Literal["new", "known", "skipped", "labelled", "excluded"]

_SENT_AS = "sent_as"
_SUFFIXES = {"WAVEX": ".wav", "RF64": ".wav", "MPEG": ".mp3"}


@dataclass(frozen=True, slots=True)
class Received:
    """What `receive` returns.

    Attributes
    ----------
    clip
        The clip that is next in the queue.
    state
        `new`: it was not in the project; `known`: it was, unlabelled; `skipped`: it was, and is the next clip of those
        who have not skipped it; `labelled`, `excluded` as bad audio: it was, and is not labelled again.
    labels
        Where it is labelled, its labels.
    """

    clip: int
    file: str
    state: State
    labels: tuple[str, ...] = ()


def receive(project: Project, *, report: Progress, file: str, name: str, max_s: float) -> Received:
    """Take a sound into the project, once, and put its clip first in the queue.

    Parameters
    ----------
    file
        The sound; it is copied.
    name
        What its sender calls it: kept as the recording's column `sent_as`.
    max_s
        The longest sound, seconds.

    Raises
    ------
    LabeltoolError
        When it cannot be read, is too long, was removed from the project, or the project cannot be written.
    """
    # Not decoded whole before its length is known, which may be hours.
    length_s = audio_files.describe(file, samples=False).duration_s
    if length_s > max_s:
        raise LabeltoolError(f"lasts {length_s:.0f} s, longer than the {max_s:.0f} s that are taken", file=file)
    report("storing", 0, 0)
    sound = audio_files.describe(file)
    with project.open_store(to_write=True) as store:
        known = recordings.by_content(store, sound.sha256, sound.samples_sha256)
        if known is None and recordings.was_removed(store, sound.sha256, sound.samples_sha256):
            raise recordings.removed_error(name or "this sound")
        path = known.path if known is not None and is_there(known.path) else str(_copy(project, sound))
        if known is not None and path != known.path:
            recordings.relocate(store, [(recordings.sha256_of(store, known.id), path)])
        if known is None or not clips.of_recording(store, known.id):
            import_records(store, _records(sound, path, name), kind="page", source=name)
            known_now = recordings.by_content(store, sound.sha256, sound.samples_sha256)
            assert known_now is not None, "it was imported"
        else:
            known_now = known
        listed = listing.page(store, [clip.id for clip in clips.of_recording(store, known_now.id)])
        one = next((one for one in listed if not one.labelled), listed[0])
        if not one.labelled:
            queue.put_first(store, one.clip.id)
        state = "new" if known is None else _state(store, one)
    return Received(one.clip.id, one.clip.path, state, one.present)


def _state(store: Store, one: ListedClip) -> State:
    """Return the state of a clip that was in the project before."""
    if one.labelled:
        return "labelled" if clips.verdicts_on(store, [one.clip.id]) else "excluded"
    return "skipped" if queue.is_skipped(store, one.clip.id) else "known"


def _copy(project: Project, sound: AudioFile) -> Path:
    """Copy a sound into the project under its hash; a file that is there already is never replaced."""
    kind = soundfile.info(sound.path).format
    suffix = _SUFFIXES.get(kind, f".{kind.lower()}")
    path = project.directory / FOLDER / f"{sound.sha256[:32]}{suffix if suffix in AUDIO_SUFFIXES else '.wav'}"
    if os.path.lexists(path):
        if audio_files.content_hash(path) != sound.sha256:
            raise LabeltoolError("is another file than its name says", file=path, remedy="move it away")
        return path
    with Path(sound.path).open("rb") as source, open_atomic(path, durable=True) as target:
        shutil.copyfileobj(source, target)
    return path


def _records(sound: AudioFile, path: str, name: str) -> list[Recording | Clip]:
    recording = Recording(
        path=path,
        sha256=sound.sha256,
        sample_rate_hz=sound.sample_rate_hz,
        channels=sound.channels,
        frames=sound.frames,
        group=sound.sha256,
        samples_sha256=sound.samples_sha256,
        columns=((_SENT_AS, name),) if name else (),
    )
    end_s = length_us(recording.frames, recording.sample_rate_hz) / MICROSECONDS
    return [recording, Clip(recording.sha256, 0.0, end_s)]
