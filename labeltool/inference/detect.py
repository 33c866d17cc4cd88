"""Detect sound events in recordings of any length; those in a project's recordings become its suggestions."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from labeltool.audio import files as audio_files
from labeltool.audio.files import AudioFile
from labeltool.errors import LabeltoolError, SkippedFile
from labeltool.inference import window_scorers
from labeltool.inference.device_detector import DeviceDetector
from labeltool.inference.events import EventRules, find_events
from labeltool.inference.scan import Scan
from labeltool.inference.window_scorers import ModelChoice, PretrainedScorer, WindowScorer
from labeltool.networks import model_folder
from labeltool.pretrained import class_mapping, registry
from labeltool.pretrained.class_mapping import LabelMapping
from labeltool.project import Project
from labeltool.records import Event
from labeltool.store import Store, clips, models, recordings
from labeltool.store.detections import replacing, scans
from labeltool.store.detections.operating_points import OperatingPoint, Source, points_in_use
from labeltool.store.detections.replacing import DetectionScan
from labeltool.store.opening import CannotBeWritten
from labeltool.type_aliases import Float32, Progress

_Finder = Callable[[AudioFile, Callable[[int, int], None]], list[Event]]

_FOLDER = "detect"
_NAMED_IN_ERROR = 12


@dataclass(frozen=True, slots=True)
class DetectOptions:
    """How events are detected.

    Attributes
    ----------
    threshold
        Score that an event of any label must reach, 0 to 1; None: the model's operating points, for labels without one
        its own threshold, 0.2 for a pretrained model.
    thresholds
        The same for single labels, by name.
    rules
        How windows become events.
    cache
        Folder where the scores of windows are kept; None: the project's cache.
    processes
        As `Scan.run` takes it.
    as_device
        Detect as the device does, by the model's own rule for streams: `rules`, `cache` and `processes` are ignored.
    """

    threshold: float | None = None
    thresholds: Mapping[str, float] = field(default_factory=dict)
    rules: EventRules = field(default_factory=EventRules)
    cache: str | None = None
    processes: int | None = None
    as_device: bool = False


@dataclass(frozen=True, slots=True)
class DetectedFile:
    """The events of one recording.

    Attributes
    ----------
    seconds
        Duration of the recording.
    scoring_s
        Time that scoring it took, seconds.
    suggestions
        Number of suggestions in the project that come from these events; None where the recording or the model is not
        the project's.
    spans
        The events, by start.
    """

    file: str
    seconds: float
    scoring_s: float
    suggestions: int | None
    spans: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class DetectResult:
    """What `detect` returns.

    Attributes
    ----------
    model
        Its id or name.
    labels
        The threshold of each label.
    mapped
        Number of the project's labels that classes of a pretrained model are mapped to; with 0 all its classes are
        detected under their own names. None for a model of one's own, and in a project without labels.
    failed
        The files that could not be scored, and why.
    operating_points
        For each label whose threshold is a saved operating point, what that comes from.
    """

    model: str
    labels: dict[str, float]
    mapped: int | None
    files: tuple[DetectedFile, ...]
    failed: tuple[SkippedFile, ...] = ()
    operating_points: dict[str, Source] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Targets:
    """The labels to detect: the classes of the scorer mapped to each, its threshold, and where a saved one is from."""

    mapping: Sequence[LabelMapping]
    thresholds: Sequence[float]
    mapped: int | None
    operating_points: dict[str, Source]

    @property
    def labels(self) -> list[str]:
        return [one.label for one in self.mapping]

    def scores(self, class_scores: Iterator[Float32]) -> Iterator[Float32]:
        """Turn blocks of (windows, classes) into blocks of (windows, labels)."""
        return (class_mapping.label_scores(block, self.mapping) for block in class_scores)


def detect(
    project: Project | None,
    *,
    report: Progress,
    files: list[str],
    model: str | None = None,
    options: DetectOptions = DetectOptions(),
) -> DetectResult:
    """Detect sound events in recordings; a task of the worker.

    The events of a recording of the project become the model's suggestions there, in place of its earlier ones and of
    those by older networks.

    Parameters
    ----------
    model
        As `window_scorers.choose_model` takes it.

    Raises
    ------
    LabeltoolError
        When the only file cannot be read, or there is no such model or label.
    """
    sounds, failed = audio_files.describe_each(files)  # a wrong name is reported before the model is loaded
    choice = window_scorers.choose_model(project, model)
    find, targets = (_as_device if options.as_device else _by_windows)(project, choice, options)
    thresholds = dict(zip(targets.labels, targets.thresholds, strict=True))
    detected = []
    for file, sound in sounds.items():
        began = time.monotonic()
        try:
            events = find(sound, partial(_report_seconds, report, Path(file).name))
        except LabeltoolError as error:
            failed.append(SkippedFile(file, str(error)))
            continue
        scoring_s = round(time.monotonic() - began, 3)
        suggestions = _replace_suggestions(project, choice, sound, events, DetectionScan(options.as_device, thresholds))
        detected.append(DetectedFile(file, round(sound.duration_s, 3), scoring_s, suggestions, tuple(events)))
    return DetectResult(
        choice.name, thresholds, targets.mapped, tuple(detected), tuple(failed), targets.operating_points
    )


def _by_windows(project: Project | None, choice: ModelChoice, options: DetectOptions) -> tuple[_Finder, _Targets]:
    """Return what finds the events of a recording by overlapping windows, and the labels."""
    scorer = window_scorers.window_scorer(choice)
    targets = _targets(project, choice, scorer, options)
    folder = Path(options.cache) if options.cache else _default_cache(project)

    def find(sound: AudioFile, report: Callable[[int, int], None]) -> list[Event]:
        scan = Scan.of(choice, scorer, Path(sound.path), sound.sha256, folder)
        scan.run(scorer, report, processes=options.processes)
        return _events(scan, sound, targets, options.rules)

    return find, targets


def _as_device(project: Project | None, choice: ModelChoice, options: DetectOptions) -> tuple[_Finder, _Targets]:
    """Return what finds the events of a recording as the device does, and the labels."""
    if not choice.is_own:
        raise LabeltoolError(
            f"{choice.name} is a pretrained model, which runs on no device",
            remedy="leave --as-device out, or choose a model of the project",
        )
    detector = DeviceDetector(model_folder.read(choice.path))
    targets = _targets(project, choice, detector, options)
    names, thresholds = list(detector.labels), list(detector.thresholds)
    for mapping, threshold in zip(targets.mapping, targets.thresholds, strict=True):
        for output in mapping.classes:
            names[output] = mapping.label
            thresholds[output] = threshold

    def find(sound: AudioFile, report: Callable[[int, int], None]) -> list[Event]:
        return detector.detect(sound.path, names, thresholds, report)

    return find, targets


def _events(scan: Scan, sound: AudioFile, targets: _Targets, rules: EventRules) -> list[Event]:
    return find_events(
        targets.scores(scan.scores()),
        targets.labels,
        targets.thresholds,
        rules,
        hop_s=scan.windows.hop / scan.windows.rate_hz,
        overlap=scan.windows.deep,
        duration_s=sound.duration_s,
    )


def _report_seconds(report: Progress, name: str, done_s: int, total_s: int) -> None:
    report("scoring", done_s, total_s, f"seconds of {name}")


def _default_cache(project: Project | None) -> Path:
    assert project is not None, "without a project the caller names a folder"
    return project.cache / _FOLDER


def _targets(
    project: Project | None, choice: ModelChoice, scorer: WindowScorer | DeviceDetector, options: DetectOptions
) -> _Targets:
    current_names: dict[str, str] = {}
    labels: list[str] = []
    points: dict[str, OperatingPoint] = {}
    if project is not None:
        with project.open_store() as store:
            current_names, labels = clips.current_names(store), clips.label_names(store)
            points = _operating_points(store, choice, as_device=options.as_device)
    mapping: list[LabelMapping] = []
    mapped: int | None = None
    if isinstance(scorer, PretrainedScorer) and labels:
        mapping = [one for one in class_mapping.map_labels(scorer.folder, scorer.labels, labels) if one.classes]
        mapped = len(mapping)
    mapping = mapping or _own_classes(scorer, current_names)
    unknown = options.thresholds.keys() - {one.label for one in mapping}
    if unknown:
        names = ", ".join(one.label for one in mapping[:_NAMED_IN_ERROR])
        more = ", ..." if len(mapping) > _NAMED_IN_ERROR else ""
        first = next(name for name in options.thresholds if name in unknown)
        raise LabeltoolError(f"the model has no label {first!r}", remedy=f"its labels: {names}{more}")
    thresholds, used = [], {}
    for one in mapping:
        threshold = options.thresholds.get(one.label, options.threshold)
        if threshold is None and one.label in points:
            threshold, used[one.label] = points[one.label].threshold, points[one.label].source
        thresholds.append(_default_threshold(scorer, one) if threshold is None else threshold)
    return _Targets(mapping, thresholds, mapped, used)


def _operating_points(store: Store, choice: ModelChoice, *, as_device: bool) -> dict[str, OperatingPoint]:
    """Return the operating points of a model of the project, or of a pretrained one that detected in it, by label."""
    if choice.model_id is not None:
        return points_in_use(store, models.uid(store, choice.model_id), as_device=as_device)
    uids = (one.uid for one in scans.scanned_models(store) if one.pretrained == choice.name)
    uid = next(uids, None)
    return {} if uid is None else points_in_use(store, uid, as_device=as_device)


def _default_threshold(scorer: WindowScorer | DeviceDetector, mapping: LabelMapping) -> float:
    """Return the model's threshold of a label; of outputs that became one label the lowest counts."""
    if isinstance(scorer, DeviceDetector):
        return min(scorer.thresholds[output] for output in mapping.classes)
    return scorer.threshold


def _own_classes(scorer: WindowScorer | DeviceDetector, current_names: Mapping[str, str]) -> list[LabelMapping]:
    """Map the scorer's classes to themselves, by the labels' current names."""
    outputs: dict[str, list[int]] = {}
    for output, name in enumerate(scorer.labels):
        if name != scorer.background:
            outputs.setdefault(current_names.get(name, name), []).append(output)
    return [LabelMapping(name, tuple(those), "by name") for name, those in outputs.items()]


def _replace_suggestions(
    project: Project | None, choice: ModelChoice, sound: AudioFile, events: Sequence[Event], scan: DetectionScan
) -> int | None:
    """Store events as suggestions of regions.

    None where the recording or the model is not the project's, or the project cannot be written.
    """
    if project is None:
        return None
    with suppress(CannotBeWritten), project.open_store() as store:
        recording = recordings.by_content(store, sound.sha256)
        if recording is None and recordings.has_any_of_length(store, sound.sample_rate_hz, sound.frames):
            recording = recordings.by_content(store, sound.sha256, audio_files.samples_hash(sound.path))
        model_id = choice.model_id
        if recording is not None and model_id is None and choice.name in registry.names(project):
            model_id = models.detection_model_id(store, choice.name)
        if recording is None or model_id is None:
            return None
        return replacing.replace_detections(store, recording, model_id, events, scan)
    return None
