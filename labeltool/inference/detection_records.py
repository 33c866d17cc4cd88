"""How events are detected, and what `detect` returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from labeltool.inference.events import EventRules
from labeltool.records import Event, Skipped
from labeltool.store.detections.operating_points import Source


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
    cache
        Folder where the scores of windows are kept; None: the project's cache.
    processes
        As `Scan.run` takes it.
    as_device
        Detect as the device does, by the model's own rule for streams: `rules`, `cache` and `processes` are ignored.
    events
        Folder for a Parquet file of each recording and model; None: none is written.
    is_part
        The files are a part of all that were given: one that cannot be read is no reason to fail, even where it is
        alone.
    """

    threshold: float | None = None
    thresholds: Mapping[str, float] = field(default_factory=dict)
    rules: EventRules = field(default_factory=EventRules)
    cache: str | None = None
    processes: int | None = None
    as_device: bool = False
    events: str | None = None
    is_part: bool = False


@dataclass(frozen=True, slots=True)
class DetectedFile:
    """The events of one recording.

    Attributes
    ----------
    scoring_s
        Time that scoring it took, seconds; of several that are scored at once, since the one before was done.
    suggestions
        Number of suggestions in the project that come from these events; None where the recording or the model is not
        the project's.
    spans
        The events, by start.
    was_finished
        Whether they were detected by an earlier call, in just this way.
    fault
        Why parts of the recording cannot be read, None where all can: the events are of the others.
    is_imported
        Whether the recording is one of the project's; None without a project that can be written.
    """

    file: str
    seconds: float
    scoring_s: float
    suggestions: int | None
    spans: tuple[Event, ...]
    was_finished: bool = False
    parquet: str | None = None
    fault: str | None = None
    is_imported: bool | None = None


@dataclass(frozen=True, slots=True)
class DetectResult:
    """What `detect` returns.

    Attributes
    ----------
    mapped
        Number of the project's labels that classes of a pretrained model are mapped to; with 0 all its classes are
        detected under their own names. None for a model of one's own, and in a project without labels.
    unmapped
        The project's labels that no class of a pretrained model is mapped to: they were not searched for.
    operating_points
        For each label whose threshold is a saved operating point, what that comes from.
    without_place
        Of the files that failed, those for a reason that names no place: it may not be theirs.
    """

    model: str
    labels: dict[str, float]
    mapped: int | None
    files: tuple[DetectedFile, ...]
    failed: tuple[Skipped, ...] = ()
    operating_points: dict[str, Source] = field(default_factory=dict)
    without_place: tuple[str, ...] = ()
    unmapped: tuple[str, ...] = ()
