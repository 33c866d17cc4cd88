"""Labels of sounds above what the network gets: named by a training, not trained in silence."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.command_line import labeltool_here
from helpers.tones import P, add_tones
from labeltool.annotation.marking import mark
from labeltool.audio.frontend import LogMelFrontend
from labeltool.audio.sample_frontend import SampleFrontend
from labeltool.project import Project
from labeltool.records import Value
from labeltool.store import clips
from labeltool.training.labelled_spans import labels_above


def test_the_highest_frequency_of_a_frontend() -> None:
    assert LogMelFrontend().highest_hz == 7500
    assert SampleFrontend().highest_hz == SampleFrontend().sample_rate_hz / 2


@pytest.mark.usefixtures("quickly")
def test_a_training_names_labels_above_the_band(project: Project, tmp_path: Path, tiny: str) -> None:
    sounds = [(["low"], {"owl": P}), (["high"], {"bat": P})] * 6
    add_tones(project, tmp_path / "sounds", *sounds)
    with project.open_store() as store:
        found = clips.all_clips(store)
        for number, label, low_hz in ((1, "bat", 7800.0), (3, "bat", 7800.0), (5, "bat", 3000.0), (0, "owl", 200.0)):
            place = {"start_s": 0.2, "end_s": 1.0, "low_hz": low_hz, "high_hz": 8000.0}
            mark(store, found[number], label, Value.PRESENT, annotator="ann", **place)
    with project.open_store() as store:
        assert labels_above(store, 7500.0) == {"bat": pytest.approx(2 / 3)}
        assert labels_above(store, 7900.0) == {}
    done = labeltool_here("retrain", project, "--arch", tiny)
    assert "most regions of 'bat' lie above 7.5 kHz" in done.stderr and "'owl'" not in done.stderr
