"""Transcribe the clips of a project that are speech, clip by clip; an interrupted run goes on where it stopped."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from labeltool.audio import files
from labeltool.errors import LabeltoolError
from labeltool.inference.whisper import (
    HOW_TO_GET_A_MODEL,
    RATE_HZ,
    DecodingOptions,
    SpeechModel,
    SpeechModelError,
    Transcription,
)
from labeltool.parallel import engine
from labeltool.parallel.dask_workers import KilledWorkers
from labeltool.parallel.worker_process import PassedOn
from labeltool.project import Project
from labeltool.records import Segment, Skipped, StoredClip, Transcript, Word, label_name, skipped_files
from labeltool.store import Store, clips, recordings, transcripts
from labeltool.store.labels import by_current_names
from labeltool.store.spans import MIN_SUGGESTED_PROBABILITY
from labeltool.type_aliases import Float32, Progress

# A long clip is transcribed in stretches of at most this length, so that it fits into memory. It is cut at the quietest
# moment of a stretch's last seconds, so that no word is cut in two.
_STRETCH_S = 600.0
_CUT_WITHIN_S = 30.0
_MOMENT_S = 0.2


@dataclass(frozen=True, slots=True)
class TranscribeOptions:
    """Which clips to transcribe, and how.

    Attributes
    ----------
    clips
        Ids of clips, or the files whose clips are meant; empty: the clips that are speech, by label or suggestion.
    labels
        The labels that count as speech, in any case; empty: those of the settings.
    overwrite
        Transcribe clips again whose transcript was made by another model or with other options.
    language
        Spoken language, as a code such as `en`; None: the settings', else the model detects it.
    """

    clips: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    every_clip: bool = False
    overwrite: bool = False
    language: str | None = None
    words: bool = False
    vad: bool = True


@dataclass(frozen=True, slots=True)
class TranscribeResult:
    """What `transcribe` returns.

    Attributes
    ----------
    transcribed, kept
        Of these, how many were transcribed, and how many kept the transcript they had.
    silent
        Of the transcribed clips, how many hold no speech.
    audio_s
        Total duration of the transcribed clips, seconds.
    skipped
        `{"file", "reason"}` of each file that could not be read.
    """

    model: str
    model_sha256: str
    clips: int
    transcribed: int
    kept: int
    silent: int
    audio_s: float
    seconds: float
    skipped: tuple[Skipped, ...]


def transcribe(
    project: Project, *, report: Progress, model: str | None, options: TranscribeOptions = TranscribeOptions()
) -> TranscribeResult:
    """Transcribe clips; a task of the worker.

    A clip that has a transcript keeps it, but for `TranscribeOptions.overwrite`. Each transcript is on the disk before
    the next clip is read.

    Parameters
    ----------
    model
        The speech model's folder; None for that of the settings.

    Raises
    ------
    LabeltoolError
        When there is no model, nothing to transcribe, or the only clip cannot be read.
    """
    began = time.monotonic()
    settings = project.settings.speech
    speech_model = _speech_model(project, model)
    decoding = DecodingOptions(options.language or settings.language, options.words, options.vad)
    durations_s: list[float] = []
    silent = 0
    failed: dict[int, LabeltoolError] = {}
    with project.open_store(to_write=True) as store:
        selected = _select_clips(store, options, options.labels or settings.labels)
        pending = _without_transcript(store, selected, speech_model, decoding, overwrite=options.overwrite)
        for clip, transcription, seconds in _transcribed(speech_model, pending, decoding, report):
            if isinstance(transcription, LabeltoolError):
                failed[clip.id] = transcription
                continue
            transcripts.save(store, _transcript(clip, speech_model, decoding, transcription))
            durations_s.append(seconds)
            silent += not transcription.segments
        report("transcribing", len(pending), len(pending))
    if failed and len(pending) == 1:
        raise next(iter(failed.values()))
    return TranscribeResult(
        model=speech_model.name,
        model_sha256=speech_model.sha256,
        clips=len(selected),
        transcribed=len(durations_s),
        kept=len(selected) - len(pending),
        silent=silent,
        audio_s=round(sum(durations_s), 3),
        seconds=round(time.monotonic() - began, 3),
        skipped=skipped_files(failed.values()),
    )


def _speech_model(project: Project, model: str | None) -> SpeechModel:
    folder = model or project.settings.speech.model
    if folder is None:
        raise LabeltoolError("no speech model is named", remedy=HOW_TO_GET_A_MODEL)
    return SpeechModel(Path(folder) if model else project.directory / folder)


def _select_clips(store: Store, options: TranscribeOptions, labels: Sequence[str]) -> Sequence[StoredClip]:
    if options.clips:
        by_id = {clip.id: clip for name in options.clips for clip in _named_clips(store, name)}
        return [by_id[clip_id] for clip_id in sorted(by_id)]
    if options.every_clip:
        return clips.all_clips(store)
    found = speech_clips(store, labels)
    if not found:
        names = ", ".join(labels[:4]) + (", ..." if len(labels) > 4 else "")
        raise LabeltoolError(
            f"no clip is labelled or suggested as speech, that is as one of: {names}",
            remedy="--label names the project's own, [speech] in labeltool.toml keeps them; --all takes every clip",
        )
    return [clips.clip(store, clip_id) for clip_id in found]


def _named_clips(store: Store, name: str) -> list[StoredClip]:
    clip_id = clips.id_of(name)
    if clip_id is not None:
        return [clips.clip(store, clip_id)]
    return clips.of_recording(store, recordings.find_recording(store, name).id)


def speech_clips(store: Store, labels: Sequence[str]) -> list[int]:
    """Return the ids of the clips that are speech, in their order.

    These are the clips labelled as one of `labels` (current names, in any case); of the unlabelled ones, those for
    which the newest model that scored them predicts one with at least `MIN_SUGGESTED_PROBABILITY`, and the regions
    that were detected as one in whole recordings.
    """
    speech_labels = {label_name(label).casefold() for label in labels}
    current_names = clips.current_names(store)
    found: set[int] = set()
    for name in clips.label_names(store):
        if name.casefold() in speech_labels:
            statement, values = clips.select_present(store, name)
            found.update(clip_id for (clip_id,) in store.connection.execute(statement, values))
    for clip_id, probabilities, is_region in store.connection.execute(
        """
        SELECT g.clip_id, g.probabilities, c.is_region FROM suggestions g JOIN active_clips c ON c.id = g.clip_id
        WHERE NOT c.is_labelled
          AND NOT EXISTS (SELECT 1 FROM suggestions n WHERE n.clip_id = g.clip_id AND n.model_id > g.model_id)
        """
    ):
        predicted = by_current_names(json.loads(probabilities), current_names)
        # What was detected in a whole recording has passed its threshold already.
        threshold = 0.0 if is_region else MIN_SUGGESTED_PROBABILITY
        if any(
            name.casefold() in speech_labels and probability >= threshold for name, probability in predicted.items()
        ):
            found.add(clip_id)
    return sorted(found)


def _without_transcript(
    store: Store, selected: Sequence[StoredClip], model: SpeechModel, decoding: DecodingOptions, *, overwrite: bool
) -> list[StoredClip]:
    """Return the clips without a transcript; with `overwrite`, also those made by another model or other options."""
    made_by = transcripts.transcribed_with(store)
    same = (model.sha256, decoding.to_json())
    return [clip for clip in selected if clip.id not in made_by or (overwrite and made_by[clip.id] != same)]


def _transcript(
    clip: StoredClip, model: SpeechModel, decoding: DecodingOptions, transcription: Transcription
) -> Transcript:
    return Transcript(
        clip_id=clip.id,
        model=model.name,
        model_sha256=model.sha256,
        language=transcription.language,
        language_probability=transcription.language_probability,
        segments=transcription.segments,
        options=decoding.to_json(),
    )


_Outcome = tuple[StoredClip, Transcription | LabeltoolError, float]


def _transcribed(
    model: SpeechModel, pending: Sequence[StoredClip], decoding: DecodingOptions, report: Progress
) -> Iterator[_Outcome]:
    """Yield each clip with its text, or why there is none, and its length, seconds; Dask's workers do several at once.

    Without them clips go one by one, the network on all cores: each process would load a network of its own.
    """
    processes = None if engine.uses_dask() else 1
    transcribe_one = partial(_outcome, model, decoding, len(pending), PassedOn(report))
    yield from engine.map_in_processes(transcribe_one, enumerate(pending), processes, report=report, if_killed=_killed)


def _killed(numbered: tuple[int, StoredClip]) -> _Outcome:
    _, clip = numbered
    return clip, KilledWorkers.of_file(clip.path), 0.0


def _outcome(
    model: SpeechModel, decoding: DecodingOptions, total: int, report: Progress, numbered: tuple[int, StoredClip]
) -> _Outcome:
    number, clip = numbered
    report("transcribing", number, total, Path(clip.path).name)
    try:
        return clip, *_transcribe_clip(model, clip, decoding)
    except SpeechModelError:
        raise
    except LabeltoolError as error:
        return clip, error, 0.0


def _transcribe_clip(model: SpeechModel, clip: StoredClip, decoding: DecodingOptions) -> tuple[Transcription, float]:
    """Transcribe a clip, seconds of its recording, and return its length too, of what there is of it.

    Of several languages, that of the longest text is reported.
    """
    parts, seconds = [], 0.0
    for start_s, samples in _stretches(clip):
        parts.append((start_s, model.transcribe(samples, decoding)))
        seconds = start_s - clip.start_s + len(samples) / RATE_HZ
    longest = max((part for _, part in parts), key=lambda part: sum(len(one.text) for one in part.segments))
    segments = tuple(_shifted(one, start_s, clip) for start_s, part in parts for one in part.segments)
    return replace(longest, segments=segments), seconds


def _stretches(clip: StoredClip) -> Iterator[tuple[float, Float32]]:
    """Yield a clip's sound in stretches, each with its start in the recording, seconds; at least one."""
    files.require_content(clip.path, clip.sha256, clip.samples_sha256)
    start_s = clip.start_s
    while True:
        last = clip.end_s - start_s <= _STRETCH_S
        pcm = files.read_pcm(clip.path, start_s, clip.end_s if last else start_s + _STRETCH_S, RATE_HZ)
        samples = pcm.astype(np.float32) / 32768.0
        last = last or len(samples) < round(_STRETCH_S * RATE_HZ)  # the file ends here
        samples = samples if last else samples[: _quietest_sample(samples)]
        yield start_s, samples
        if last:
            return
        start_s += len(samples) / RATE_HZ


def _quietest_sample(samples: Float32) -> int:
    """Return the middle of the quietest moment in a stretch's last seconds, in samples."""
    moment = round(_MOMENT_S * RATE_HZ)
    count = round(_CUT_WITHIN_S * RATE_HZ) // moment
    first = len(samples) - count * moment
    energy = np.square(samples[first:].reshape(count, moment)).sum(axis=1)
    return first + int(energy.argmin()) * moment + moment // 2


def _shifted(segment: Segment, start_s: float, clip: StoredClip) -> Segment:
    """Return a segment in seconds of the recording, limited to its clip: models may give times past its end."""

    def at(seconds: float) -> float:
        return round(min(max(start_s + seconds, clip.start_s), clip.end_s), 6)

    words = tuple(Word(at(word.start_s), at(word.end_s), word.text, word.probability) for word in segment.words)
    return Segment(at(segment.start_s), at(segment.end_s), segment.text, words)
