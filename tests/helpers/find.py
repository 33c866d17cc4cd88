"""A recording with events of two kinds for the level model: stretches that lie above zero, and below it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

from helpers.progress import quiet
from labeltool.importers import audio_files
from labeltool.pretrained import registry
from labeltool.project import Project
from labeltool.store import recordings, spans
from labeltool.store.importing import import_records
from labeltool.store.spans import Region

RATE = 16_000
UP = [(2.0, 3.0), (8.0, 9.5), (15.0, 16.0), (21.0, 21.6), (30.0, 32.0), (44.0, 45.0)]
DOWN = [(5.0, 6.0), (11.0, 12.5), (26.0, 27.0), (35.0, 37.0), (50.0, 51.0)]
LASTS_S = 60.0


def write_events(
    path: Path, up: Sequence[tuple[float, float]] = UP, down: Sequence[tuple[float, float]] = DOWN
) -> Path:
    """Write a minute of faint noise with the events in it."""
    samples = np.random.default_rng(0).normal(0.0, 1e-3, round(LASTS_S * RATE))
    for level, events in ((0.5, up), (-0.5, down)):
        for start_s, end_s in events:
            samples[round(start_s * RATE) : round(end_s * RATE)] += level
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, RATE, subtype="PCM_16")
    return path


def project_with_examples(project: Project, model: Path, folder: Path, count: int = 2) -> Project:
    """Fill a project with the recording, the model, and examples of "up" and one of "down"."""
    registry.add(project, report=quiet, file=str(model), name="levels", rate_hz=RATE)
    path = write_events(folder / "minute.wav")
    with project.open_store() as store:
        import_records(store, audio_files.read([path], None, None), kind="audio", source="test")
        recording = recordings.find_recording(store, "minute.wav")
        for label, events in (("up", UP[:count]), ("down", DOWN[:1])):
            for event in events:
                spans.annotate_region(store, recording, Region(*event), label, annotator="before")
    return project
