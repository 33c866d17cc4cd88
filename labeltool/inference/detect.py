"""What is heard where in recordings of hours, and the spans that a project's room then shows as suggestions."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from labeltool.audio import files as audio_files
from labeltool.errors import LabeltoolError
from labeltool.inference import window_scorers
from labeltool.inference.events import Rules, find_events
from labeltool.inference.scan import Scan
from labeltool.inference.window_scorers import Borrowed, Chosen, Listener
from labeltool.pretrained import class_mapping, registry
from labeltool.pretrained.class_mapping import Mapped
from labeltool.project import Project
from labeltool.records import Event
from labeltool.store import clips, models, recordings, spans
from labeltool.type_aliases import Float32, Progress

_FOLDER = "detect"


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Labels, the listener's outputs that speak for each, and what their scores must reach."""

    mapping: Sequence[Mapped]
    thresholds: Sequence[float]
    mapped: int | None

    @property
    def labels(self) -> list[str]:
        return [one.label for one in self.mapping]

    def of(self, scores: Iterator[Float32]) -> Iterator[Float32]:
        return (class_mapping.shares(block, self.mapping) for block in scores)


def detect(
    project: Project | None,
    *,
    report: Progress,
    files: list[str],
    model: str | None = None,
    threshold: float | None = None,
    thresholds: Mapping[str, float] | None = None,
    rules: Mapping[str, float] | None = None,
    cache: str | None = None,
    processes: int | None = None,
) -> dict[str, Any]:
    """Find what is heard in long recordings; a task of the worker.

    What it finds in a recording of the project becomes that model's suggestions there, in place of its earlier ones and
    those of the networks before it.

    Parameters
    ----------
    model
        As `listening.choose` takes it.
    threshold, thresholds
        What a score must reach, for every label and for some by name; default the model's own, for an ear 0.2.
    rules
        Fields of `events.Rules` that differ from the default.
    cache
        Where scores are kept; default the project's cache.
    processes
        See `Scan.run`.

    Returns
    -------
    dict
        `{"model", "labels": {label: threshold}, "mapped", "files": [{"file", "seconds", "listened_s", "suggestions",
        "spans": [{"label", "start_s", "end_s", "probability"}]}]}`; `listened_s` is how long it took, `suggestions` how
        many the project now has of them, None where the recording or the model is not the project's. `mapped` is how
        many of the project's labels an ear's classes stand for: of 0 all its classes are told; None where that is no
        question.

    Raises
    ------
    LabeltoolError
        When a file cannot be read, there is no such model or label, or scores cannot be kept.
    """
    sounds = [audio_files.describe(Path(file)) for file in files]  # a wrong name is said before the model is loaded
    chosen = window_scorers.choose(project, model)
    hears = window_scorers.listener(chosen)
    wanted = _wanted(project, hears, threshold, thresholds or {})
    folder = Path(cache) if cache else _cache(project)
    told = []
    for file, sound in zip(files, sounds, strict=True):
        scan = Scan.of(chosen, hears, Path(sound.path), sound.sha256, folder)
        began = time.monotonic()
        scan.run(hears, partial(_tell, report, Path(file).name), processes=processes)
        found = find_events(
            wanted.of(scan.scores()),
            wanted.labels,
            wanted.thresholds,
            Rules(**(rules or {})),
            hop_s=scan.windows.hop / scan.windows.rate_hz,
            deep=scan.windows.deep,
            duration_s=sound.duration_s,
        )
        told.append(
            {
                "file": file,
                "seconds": round(sound.duration_s, 3),
                "listened_s": round(time.monotonic() - began, 3),
                "suggestions": _suggest(project, chosen, sound.sha256, found),
                "spans": [asdict(event) for event in found],
            }
        )
    return {
        "model": chosen.name,
        "labels": dict(zip(wanted.labels, wanted.thresholds, strict=True)),
        "mapped": wanted.mapped,
        "files": told,
    }


def _tell(report: Progress, name: str, done_s: int, total_s: int) -> None:
    report("listening", done_s, total_s, f"seconds of {name}")


def _cache(project: Project | None) -> Path:
    assert project is not None, "without a project the caller says where"
    return project.cache / _FOLDER


def _wanted(project: Project | None, hears: Listener, threshold: float | None, by_name: Mapping[str, float]) -> _Wanted:
    today: dict[str, str] = {}
    labels: list[str] = []
    if project is not None:
        with project.open_store() as store:
            today, labels = clips.names_today(store), clips.label_names(store)
    told: list[Mapped] = []
    mapped: int | None = None
    if isinstance(hears, Borrowed) and labels:
        told = [one for one in class_mapping.mapped(hears.folder, hears.labels, labels) if one.classes]
        mapped = len(told)
    if not told:
        places: dict[str, list[int]] = {}
        for place, name in enumerate(hears.labels):
            if name != hears.background:
                places.setdefault(today.get(name, name), []).append(place)
        told = [Mapped(name, tuple(those), "by name") for name, those in places.items()]
    unknown = [name for name in by_name if name not in {one.label for one in told}]
    if unknown:
        known = ", ".join(one.label for one in told[:12]) + (", ..." if len(told) > 12 else "")
        raise LabeltoolError(f"the model tells of no label {unknown[0]!r}", remedy=f"of these it does: {known}")
    usual = hears.threshold if threshold is None else threshold
    return _Wanted(told, [by_name.get(one.label, usual) for one in told], mapped)


def _suggest(project: Project | None, chosen: Chosen, sha256: str, found: Sequence[Event]) -> int | None:
    """Write events down as suggestions of spans; None where the recording or the model is not the project's."""
    if project is None:
        return None
    with project.open_store() as store:
        recording = recordings.by_content(store, sha256)
        model_id = chosen.model_id
        if recording is not None and model_id is None and chosen.name in registry.names(project):
            model_id = models.finder(store, chosen.name)
        if recording is None or model_id is None:
            return None
        return spans.replace_held(store, recording, model_id, found)
