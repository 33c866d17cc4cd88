"""Detect sound events in recordings of any length; those in a project's recordings become its suggestions."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from labeltool.audio import files as audio_files
from labeltool.audio.file_versions import FileVersion
from labeltool.audio.files import AudioFile
from labeltool.errors import LabeltoolError
from labeltool.inference import window_scorers
from labeltool.inference.detection_records import DetectedFile, DetectOptions, DetectResult
from labeltool.inference.detection_targets import Targets, find_targets
from labeltool.inference.device_detector import DeviceDetector
from labeltool.inference.event_files import EventFiles, SearchingModel, current_version, fingerprint_of
from labeltool.inference.events import EventRules, find_events
from labeltool.inference.scan import Scan, run_scans
from labeltool.inference.window_scorers import ModelChoice
from labeltool.networks import model_folder
from labeltool.pretrained import registry
from labeltool.project import Project
from labeltool.records import Event, Skipped
from labeltool.store import groups, models, recordings
from labeltool.store.detections import replacing, scans
from labeltool.store.detections.replacing import DetectionScan
from labeltool.store.opening import CannotBeWritten
from labeltool.type_aliases import Progress

_Found = tuple[int, Sequence[Event] | LabeltoolError]
"""The place of a recording among those given, and its events, or why it has none."""

_Finder = Callable[[Sequence[AudioFile], Callable[[int, int], None]], Iterator[_Found]]

_FOLDER = "detect"
_DEFAULT = DetectOptions()


def detect(
    project: Project | None,
    *,
    report: Progress,
    files: list[str],
    model: str | None = None,
    options: DetectOptions = _DEFAULT,
) -> DetectResult:
    """Detect sound events in recordings; a task of the worker.

    The events of a recording of the project become the model's suggestions there, in place of its earlier ones and of
    those by older networks. A recording is finished, in the project and as Parquet, before the next one is.

    Parameters
    ----------
    model
        As `window_scorers.choose_model` takes it.

    Raises
    ------
    LabeltoolError
        When the only file cannot be read, or there is no such model or label.
    """
    kept = EventFiles(None if options.events is None else Path(options.events))
    # Before any of them is read: the content that is hashed is not of an earlier version.
    versions = {file: current_version(file) for file in files}
    known = {file: sound for file in files if (sound := kept.known_sound(file, versions[file])) is not None}
    # A wrong name is reported before the model is loaded.
    described, failed = audio_files.describe_each(
        [file for file in files if file not in known], are_part=options.is_part or bool(known)
    )
    sounds = {
        file: known.get(file) or described[file] for file in dict.fromkeys(files) if file in known or file in described
    }
    choice = window_scorers.choose_model(project, model)
    search = (_as_device if options.as_device else _by_windows)(project, choice, options)
    targets = search.targets
    events_store = _EventStore(project, choice, kept, search, DetectionScan(options.as_device, targets.by_label))
    detected: dict[str, DetectedFile] = {}
    without_place: list[str] = []
    for file, found in _each_file(events_store, sounds, versions, report):
        if isinstance(found, LabeltoolError):
            failed.append(Skipped.of(found, file))
            if found.file is None:
                without_place.append(file)
        else:
            detected[file] = found
    return DetectResult(
        choice.name,
        targets.by_label,
        targets.mapped,
        tuple(detected[file] for file in sounds if file in detected),
        tuple(failed),
        targets.operating_points,
        tuple(without_place),
        targets.unmapped,
    )


_Reported = tuple[str, DetectedFile | LabeltoolError]
"""A recording as it was given, and what is reported of it, or why it failed."""


def _each_file(
    events_store: _EventStore,
    sounds: Mapping[str, AudioFile],
    versions: Mapping[str, FileVersion | None],
    report: Progress,
) -> Iterator[_Reported]:
    """Keep the events of each recording, those that are finished first; yield what is reported of it, or why not."""

    def kept(file: str, events: Sequence[Event], scoring_s: float, *, is_finished: bool) -> _Reported:
        try:
            sound, version = sounds[file], versions[file]
            return file, events_store.keep(file, sound, version, events, scoring_s, is_finished=is_finished)
        except LabeltoolError as error:
            return file, error

    new = []
    for file, sound in sounds.items():
        events = events_store.finished(sound)
        if events is None:
            new.append(file)
        else:
            yield kept(file, events, 0.0, is_finished=True)
    began = time.monotonic()
    progress = partial(_report_seconds, report, Path(new[0]).name if len(new) == 1 else f"{len(new)} recordings")
    for place, found in events_store.search.find([sounds[file] for file in new], progress):
        if isinstance(found, LabeltoolError):
            yield new[place], found
            continue
        scoring_s, began = time.monotonic() - began, time.monotonic()
        yield kept(new[place], found, scoring_s, is_finished=False)


@dataclass(frozen=True, slots=True)
class _Search:
    """How events are found, in which labels, and what they depend on besides the recording.

    Attributes
    ----------
    identity
        Changes with the scores of the model.
    fingerprint
        Changes with the events, so with labels, thresholds and rules too.
    """

    find: _Finder
    targets: Targets
    identity: str
    fingerprint: str


def _by_windows(project: Project | None, choice: ModelChoice, options: DetectOptions) -> _Search:
    """Return the search by overlapping windows."""
    scorer = window_scorers.window_scorer(choice)
    targets = find_targets(project, choice, scorer, options.threshold, options.thresholds)
    folder = Path(options.cache or "")
    if not options.cache:
        assert project is not None, "without a project the caller names a folder"
        folder = project.cache / _FOLDER

    def find(sounds: Sequence[AudioFile], report: Callable[[int, int], None]) -> Iterator[_Found]:
        scans: dict[int, Scan] = {}
        for place, sound in enumerate(sounds):
            try:
                scans[place] = Scan.of(choice, scorer, Path(sound.path), sound.sha256, folder)
            except LabeltoolError as error:
                yield place, error
        places = list(scans)
        for number, failure in run_scans(list(scans.values()), scorer, report, processes=options.processes):
            place = places[number]
            try:
                yield place, failure or _events(scans[place], sounds[place], targets, options.rules)
            except LabeltoolError as error:
                yield place, error

    fingerprint = fingerprint_of(scorer.identity, targets.mapping, targets.thresholds, options.rules)
    return _Search(find, targets, scorer.identity, fingerprint)


def _as_device(project: Project | None, choice: ModelChoice, options: DetectOptions) -> _Search:
    """Return the search as the device does it."""
    if not choice.is_own:
        raise LabeltoolError(
            f"{choice.name} is a pretrained model, which runs on no device",
            remedy="leave --as-device out, or choose a model of the project",
        )
    detector = DeviceDetector(model_folder.read(choice.path))
    targets = find_targets(project, choice, detector, options.threshold, options.thresholds)
    names, thresholds = list(detector.labels), list(detector.thresholds)
    for mapping, threshold in zip(targets.mapping, targets.thresholds, strict=True):
        for output in mapping.classes:
            names[output] = mapping.label
            thresholds[output] = threshold

    def find(sounds: Sequence[AudioFile], report: Callable[[int, int], None]) -> Iterator[_Found]:
        for place, sound in enumerate(sounds):
            try:
                yield place, detector.detect(sound.path, names, thresholds, report)
            except LabeltoolError as error:
                yield place, error

    return _Search(find, targets, detector.identity, fingerprint_of("as device", detector.identity, names, thresholds))


def _events(scan: Scan, sound: AudioFile, targets: Targets, rules: EventRules) -> list[Event]:
    return find_events(
        targets.scores(scan.scores()),
        targets.labels,
        targets.thresholds,
        rules,
        hop_s=scan.windows.hop / scan.windows.rate_hz,
        overlap=scan.windows.overlap,
        duration_s=sound.duration_s,
    )


def _report_seconds(report: Progress, name: str, done_s: int, total_s: int) -> None:
    report("scoring", done_s, total_s, f"seconds of {name}")


@dataclass(frozen=True, slots=True)
class _EventStore:
    """Puts the events of recordings where they are kept: into the project, then into a Parquet file."""

    project: Project | None
    choice: ModelChoice
    files: EventFiles
    search: _Search
    scan: DetectionScan

    @property
    def _model(self) -> SearchingModel:
        return SearchingModel(self.choice.name, self.search.identity)

    def finished(self, sound: AudioFile) -> tuple[Event, ...] | None:
        """Return the events that an earlier call detected in just this way; None where there was none."""
        return self.files.finished(sound, self._model, self.search.fingerprint)

    def keep(
        self,
        file: str,
        sound: AudioFile,
        version: FileVersion | None,
        events: Sequence[Event],
        scoring_s: float,
        *,
        is_finished: bool,
    ) -> DetectedFile:
        """Keep the events of a recording and return what is reported of it.

        Parameters
        ----------
        version
            The sound file before any of it was read.
        is_finished
            Whether the events are from the Parquet file: they are in the project too, unless the recording was imported
            later or another model has replaced them.

        Raises
        ------
        LabeltoolError
            When the file has changed since, or the events cannot be stored or written.
        """
        if not is_finished and (version is None or current_version(file) != version):
            raise LabeltoolError("changed while it was searched", file=sound.path, remedy="run it again")
        is_imported, suggestions, columns = self._suggestions(sound, events, is_finished=is_finished)
        path = self.files.path(sound, self._model)
        if not is_finished and version is not None:
            path = self.files.write(sound, version, self._model, self.search.fingerprint, events, columns)
        return DetectedFile(
            file,
            round(sound.duration_s, 3),
            round(scoring_s, 3),
            suggestions,
            tuple(events),
            is_finished,
            None if path is None else str(path),
            sound.fault,
            is_imported,
        )

    def _suggestions(
        self, sound: AudioFile, events: Sequence[Event], *, is_finished: bool
    ) -> tuple[bool | None, int | None, Mapping[str, str]]:
        """Store events as suggestions of regions; return their number, after whether the recording is the project's.

        The recording's own columns are the last. The number is None where the recording or the model is not the
        project's, or the project cannot be written.
        """
        columns: Mapping[str, str] = {}
        if self.project is None:
            return None, None, columns
        with suppress(CannotBeWritten), self.project.open_store() as store:
            recording = recordings.by_content(store, sound.sha256)
            if recording is None and recordings.has_any_of_length(store, sound.sample_rate_hz, sound.frames):
                recording = recordings.by_content(store, sound.sha256, audio_files.samples_hash(sound.path))
            if recording is None:
                return False, None, columns
            columns = groups.columns_of(store, recording.id)
            model_id = self.choice.model_id
            if model_id is None and self.choice.name in registry.names(self.project):
                model_id = models.detection_model_id(store, self.choice.name)
            if model_id is None:
                return True, None, columns
            if (
                is_finished
                and (stored := scans.count_stored_detections(store, recording.id, model_id, self.scan)) is not None
            ):
                return True, stored, columns
            count = replacing.replace_detections(store, recording, model_id, events, self.scan)
            return True, count, columns
        return None, None, columns
