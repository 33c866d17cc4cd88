"""The benchmark of `labeltool check`, small: wrong labels and a label with a band of its own are found."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from check_labels import LABEL_KINDS, count_label_faults, plant_wrong_labels
from check_planting import make_project, read_sounds, telephone


@pytest.mark.slow
def test_wrong_labels_and_a_bandwidth_trap_in_two_folds(real_data: Path, tmp_path: Path) -> None:
    sounds = read_sounds(real_data / "esc10", [1, 2], "esc10")
    sounds = [telephone(tmp_path, sound) if sound.label == "dog" else sound for sound in sounds]
    sounds, wrong = plant_wrong_labels(sounds, 7)
    assert len(wrong) == 8
    counts = count_label_faults(make_project(tmp_path / "project", sounds), wrong, "dog")
    # A random order has a tenth of them among the first 16 of 160.
    assert counts["label-error, by sound", "found"] >= 0.6 * len(wrong)
    assert counts["bandwidth-trap", "found"] == 1
    assert {kind: counts[kind, "false"] for kind in LABEL_KINDS[1:]} == dict.fromkeys(LABEL_KINDS[1:], 0)
