"""The temperature expected before any validation clip: high where recordings are few and labels hard to tell apart."""

from __future__ import annotations

import numpy as np

from labeltool.audio.frontend import LogMelFrontend
from labeltool.networks.postprocessing import DEFAULT_TEMPERATURE
from labeltool.training.expected_temperature import expected_temperature
from labeltool.training.training_data import TrainingData
from labeltool.training.unlabelled.pool import Pool
from labeltool.type_aliases import Float32

LABELS = ("cat", "dog", "owl")


def frames_of(label: int, rng: np.random.Generator, *, distinct: bool) -> Float32:
    """Return noise, in a third of the bands of its own for each label where they are distinct."""
    level = np.zeros(64)
    if distinct:
        level[label * 20 : label * 20 + 20] = 3.0
    return (rng.normal(0, 0.3, (60, 64)) + level).astype(np.float32)


def data_of(recordings: int, *, clips: int = 1, distinct: bool = True) -> TrainingData:
    """Return some recordings of each label, and some clips of each recording."""
    rng = np.random.default_rng(0)
    truth = np.repeat(np.arange(len(LABELS)), recordings * clips)
    return TrainingData(
        LogMelFrontend(),
        [frames_of(label, rng, distinct=distinct) for label in truth],
        np.eye(len(LABELS), dtype=np.float32)[truth],
        np.zeros((len(truth), len(LABELS)), np.float32),
        [f"g{place // clips}" for place in range(len(truth))],
        LABELS,
    )


def test_it_falls_with_the_recordings_of_a_label_and_rises_with_the_error_of_neighbours() -> None:
    few, many = (expected_temperature(data_of(count), Pool()) for count in (3, 30))
    hard = expected_temperature(data_of(3, distinct=False), Pool())
    assert many < few < hard
    # With labels that are easy to tell apart and many recordings it is below what suits ESC-10.
    assert many < DEFAULT_TEMPERATURE < 1.0 < hard


def test_clips_of_one_recording_count_once() -> None:
    assert expected_temperature(data_of(6), Pool()) < expected_temperature(data_of(3, clips=2), Pool())


def test_without_two_recordings_of_a_label_nothing_is_expected() -> None:
    assert expected_temperature(data_of(1, clips=4), Pool()) == DEFAULT_TEMPERATURE


def test_unlabelled_clips_count_as_far_as_their_labels_are_certain() -> None:
    data = data_of(3)
    frames = list(data_of(9).frames)
    certain = np.repeat(np.eye(3, dtype=np.float32), 9, axis=0)
    groups = [f"pool {place}" for place in range(27)]
    alone, known, uncertain, nothing = (
        expected_temperature(data, pool)
        for pool in (
            Pool(),
            Pool(frames, groups, certain),
            Pool(frames, groups, np.full((27, 3), 1 / 3, np.float32)),
            Pool(frames, groups),
        )
    )
    assert known < uncertain < alone == nothing
