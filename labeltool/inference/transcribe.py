"""What is said in the clips that are speech, written down clip by clip: what was interrupted goes on."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from labeltool.audio import files
from labeltool.errors import LabeltoolError, files_of
from labeltool.inference.whisper import HOW_TO_GET, RATE_HZ, Asked, Said, SpeechModel, SpeechModelError
from labeltool.project import Project
from labeltool.records import Segment, StoredClip, Transcript, Word
from labeltool.store import Store, clips, recordings, transcripts
from labeltool.store.models import under_todays_names
from labeltool.store.spans import SUGGESTED_FROM
from labeltool.type_aliases import Float32, Progress

# A clip of hours is heard in stretches of this length at most, so that it fits into memory.
_STRETCH_S = 600.0
_CUT_WITHIN_S = 30.0  # and is cut at the quietest moment of a stretch's last seconds, so that no word is
_MOMENT_S = 0.2


def transcribe(
    project: Project,
    *,
    report: Progress,
    model: str | None,
    named: Sequence[str] = (),
    labels: Sequence[str] = (),
    everything: bool = False,
    again: bool = False,
    language: str | None = None,
    words: bool = False,
    voices_only: bool = True,
) -> dict[str, Any]:
    """Write down what is said; a task of the worker.

    A clip that has a transcript keeps it. With `again`, one that another model made, or that was asked for otherwise,
    is made anew and put in its place; what this model made, asked the same, would be the same. Each transcript is on
    the disk before the next clip is heard.

    Parameters
    ----------
    model
        The model's folder; None is the settings'.
    named
        Clips by id, or the files whose clips they are; none: those that are speech, by label or suggestion.
    labels
        What counts as speech, whatever the case; none: what the settings say.
    everything
        Every clip of the project.
    language
        None is the settings'; where they tell none, the model finds out.
    words, voices_only
        See `speech.Asked`.

    Returns
    -------
    dict
        `{"model", "model_sha256", "clips", "transcribed", "kept", "silent", "heard_s", "seconds", "left_out"}`: how
        many clips were asked for, got a transcript and had one; in how many that got one nothing is said; how long
        those are, and how long it took.

    Raises
    ------
    LabeltoolError
        When there is no model, nothing to transcribe, or nothing that can be read.
    """
    settings = project.settings.speech
    where = model or settings.model
    if where is None:
        raise LabeltoolError("no speech model is named", remedy=HOW_TO_GET)
    speaks = SpeechModel(Path(where) if model else project.directory / where)
    asked = Asked(language or settings.language, words, voices_only)
    began = time.monotonic()
    with project.open_store() as store:
        wanted = _wanted(store, named, labels or settings.labels, everything=everything)
        had = transcripts.makers(store)
        mine = (speaks.sha256, asked.to_json())
        waiting = [clip for clip in wanted if clip.id not in had or (again and had[clip.id] != mine)]
        failed: dict[int, LabeltoolError] = {}
        heard_s, silent = 0.0, 0
        for place, clip in enumerate(waiting):
            report("transcribing", place, len(waiting), Path(clip.path).name)
            try:
                said = _hear(speaks, clip, asked)
            except SpeechModelError:
                raise
            except LabeltoolError as error:
                failed[clip.id] = error
                continue
            transcripts.keep(
                store,
                Transcript(
                    clip_id=clip.id,
                    model=speaks.name,
                    model_sha256=speaks.sha256,
                    language=said.language,
                    language_probability=said.language_probability,
                    segments=said.segments,
                    asked=asked.to_json(),
                ),
            )
            heard_s += clip.end_s - clip.start_s
            silent += not said.segments
        report("transcribing", len(waiting), len(waiting))
    if failed and len(failed) == len(waiting):
        raise next(iter(failed.values()))
    return {
        "model": speaks.name,
        "model_sha256": speaks.sha256,
        "clips": len(wanted),
        "transcribed": len(waiting) - len(failed),
        "kept": len(wanted) - len(waiting),
        "silent": silent,
        "heard_s": round(heard_s, 3),
        "seconds": round(time.monotonic() - began, 3),
        "left_out": files_of(failed.values()),
    }


def _wanted(store: Store, named: Sequence[str], labels: Sequence[str], *, everything: bool) -> list[StoredClip]:
    if named:
        ids = {clip.id: clip for name in named for clip in _named(store, name)}
        return [ids[clip_id] for clip_id in sorted(ids)]
    if everything:
        return clips.all_clips(store)
    found = speech_clips(store, labels)
    if not found:
        counted = ", ".join(labels[:4]) + (", ..." if len(labels) > 4 else "")
        raise LabeltoolError(
            f"no clip is labelled or suggested as speech, that is as one of: {counted}",
            remedy="--label names the project's own, [speech] in labeltool.toml keeps them; --all takes every clip",
        )
    return [clips.clip(store, clip_id) for clip_id in found]


def _named(store: Store, name: str) -> list[StoredClip]:
    if name.isascii() and name.isdigit():
        return [clips.clip(store, int(name))]
    return clips.of_recording(store, recordings.find_recording(store, name).id)


def speech_clips(store: Store, labels: Sequence[str]) -> list[int]:
    """Return the ids of the clips that are speech, in their order.

    Those on which one of some labels (by the names of today, whatever the case) was heard; of those without an answer,
    those that the newest model to score them holds for one with at least `SUGGESTED_FROM`, and what was found in whole
    recordings.
    """
    counts = {label.casefold() for label in labels}
    goes_by = clips.names_today(store)
    found: set[int] = set()
    for name in clips.label_names(store):
        if name.casefold() in counts:
            statement, values = clips.where_heard(store, name)
            found.update(clip_id for (clip_id,) in store.connection.execute(statement, values))
    for clip_id, probabilities, marked in store.connection.execute(
        """
        SELECT g.clip_id, g.probabilities, c.marked FROM suggestions g JOIN clips c ON c.id = g.clip_id
        WHERE NOT c.answered
          AND NOT EXISTS (SELECT 1 FROM suggestions n WHERE n.clip_id = g.clip_id AND n.model_id > g.model_id)
        """
    ):
        held = under_todays_names(json.loads(probabilities), goes_by)
        # What was found in a whole recording has passed its threshold already.
        least = 0.0 if marked else SUGGESTED_FROM
        if any(name.casefold() in counts and probability >= least for name, probability in held.items()):
            found.add(clip_id)
    return sorted(found)


def _hear(model: SpeechModel, clip: StoredClip, asked: Asked) -> Said:
    """Return what is said in a clip, seconds of its recording; of several languages the one of the most words."""
    parts = [(start_s, model.transcribe(samples, asked)) for start_s, samples in _stretches(clip)]
    longest = max((said for _, said in parts), key=lambda said: sum(len(one.text) for one in said.segments))
    segments = tuple(_placed(one, start_s, clip) for start_s, said in parts for one in said.segments)
    return replace(longest, segments=segments)


def _stretches(clip: StoredClip) -> Iterator[tuple[float, Float32]]:
    """Yield a clip's sound in stretches, each with its beginning in the recording, seconds; one at least."""
    files.require_content(clip.path, clip.sha256)
    start_s = clip.start_s
    while True:
        last = clip.end_s - start_s <= _STRETCH_S
        pcm = files.read_pcm(clip.path, start_s, clip.end_s if last else start_s + _STRETCH_S, RATE_HZ)
        samples = pcm.astype(np.float32) / 32768.0
        last = last or len(samples) < round(_STRETCH_S * RATE_HZ)  # the file ends here
        samples = samples if last else samples[: _quietest(samples)]
        yield start_s, samples
        if last:
            return
        start_s += len(samples) / RATE_HZ


def _quietest(samples: Float32) -> int:
    """Return the middle of the quietest moment in a stretch's last seconds, in samples."""
    moment = round(_MOMENT_S * RATE_HZ)
    count = round(_CUT_WITHIN_S * RATE_HZ) // moment
    first = len(samples) - count * moment
    energy = np.square(samples[first:].reshape(count, moment)).sum(axis=1)
    return first + int(energy.argmin()) * moment + moment // 2


def _placed(segment: Segment, start_s: float, clip: StoredClip) -> Segment:
    """Return a segment by the recording's time, inside its clip: a model may tell times past the end of the sound."""

    def at(seconds: float) -> float:
        return round(min(max(start_s + seconds, clip.start_s), clip.end_s), 6)

    words = tuple(Word(at(word.start_s), at(word.end_s), word.text, word.probability) for word in segment.words)
    return Segment(at(segment.start_s), at(segment.end_s), segment.text, words)
