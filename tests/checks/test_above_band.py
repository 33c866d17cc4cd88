"""Labels of which the network gets nothing: by their regions, and by their sound."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from labeltool.audio.files import describe
from labeltool.checks.above_band import find_above_band
from labeltool.checks.finding import Subject
from labeltool.importers.base import recording_of, whole_clip
from labeltool.project import Project
from labeltool.records import Verdict
from labeltool.store.importing import import_records

RATE = 48_000


def test_labels_above_the_band_by_sound_and_by_regions(project: Project, tmp_path: Path) -> None:
    time_s = np.arange(RATE) / RATE
    records: list[object] = []
    for label, pitch_hz, low_hz in (("bat", 20_000.0, None), ("dog", 900.0, None), ("shrew", 900.0, 12_000.0)):
        for number in range(3):
            path = tmp_path / f"{label}{number}.wav"
            # Wind, louder than the sound, is of no label.
            wind = 0.4 * np.sin(2 * np.pi * (60 + number) * time_s)
            soundfile.write(path, wind + 0.2 * np.sin(2 * np.pi * pitch_hz * time_s), RATE)
            recording = recording_of(describe(path), path.stem, "")
            clip = whole_clip(recording, None)
            region = (None, None) if low_hz is None else (low_hz, 14_000.0)
            records += [recording, clip, Verdict(clip, label, low_hz=region[0], high_hz=region[1])]
    with project.open_store() as store:
        import_records(store, records, kind="test", source="test")  # type: ignore[arg-type]
        found = find_above_band(Subject(project, store, lambda *_: None))
    assert {one.labels for one in found} == {("bat",), ("shrew",)}
