"""Each label's threshold in a stream: by its own clips where it has many, by all labels' where it has few."""

from __future__ import annotations

import numpy as np

from labeltool.audio.frontend import LogMelFrontend, SampleFrontend
from labeltool.networks.postprocessing import ClipRule
from labeltool.networks.stream_calibration import choose_stream_rule, choose_thresholds, largest_probabilities
from labeltool.type_aliases import Float32

QUIET, LOUD = -4.0, 2.0  # log-mels


def clips(positive: float, negative: float, count: int, label: int) -> tuple[Float32, Float32]:
    """Return scores of clips of a label and of others, by a sigmoid of two labels, and who has it."""
    random = np.random.default_rng(label)
    rows, present = [], np.zeros((2 * count, 2), np.float32)
    for number in range(2 * count):
        row = np.zeros((6, 2), np.float32)
        level = positive if number < count else negative
        row[random.integers(6), label] = level + random.uniform(-0.04, 0.04)
        rows.append(largest_probabilities(row, "sigmoid"))
        present[number, label] = number < count
    return np.stack(rows), present


def test_a_label_with_many_clips_has_the_threshold_between_its_clips_and_the_others() -> None:
    high, has_high = clips(0.9, 0.75, 100, 0)
    low, has_low = clips(0.3, 0.15, 100, 1)
    present = np.concatenate([has_high, has_low])
    first, second = choose_thresholds(np.concatenate([high, low]), present, 1 - present, "sigmoid")
    assert 0.75 < first < 0.9 and 0.15 < second < 0.3


def test_a_label_with_few_clips_follows_the_others() -> None:
    high, has_high = clips(0.9, 0.75, 100, 0)
    low, has_low = clips(0.3, 0.15, 2, 1)
    present = np.concatenate([has_high, has_low])
    _, second = choose_thresholds(np.concatenate([high, low]), present, 1 - present, "sigmoid")
    assert 0.75 < second < 0.9


def test_of_thresholds_that_serve_equally_the_one_nearest_to_a_half_is_chosen() -> None:
    rows, present = clips(0.85, 0.1, 20, 0)
    assert choose_thresholds(rows, present, 1 - present, "sigmoid")[0] == 0.5


def test_under_a_softmax_only_the_most_probable_label_counts_and_the_others_are_absent() -> None:
    # Beside a first label of 0.55 no event of the second begins at 0.45, so 0.4 is enough for it.
    pairs = [(0.55, 0.45)] * 20 + [(0.3, 0.4)] * 8 + [(0.3, 0.5)] * 12
    by_softmax, rows = (
        np.stack([largest_probabilities(np.array([pair], np.float32), head) for pair in pairs])
        for head in ("softmax", "sigmoid")
    )
    present = np.repeat(np.eye(2, dtype=np.float32), 20, axis=0)
    assert choose_thresholds(by_softmax, present, np.zeros_like(present), "softmax")[1] == 0.4
    independent = choose_thresholds(rows, present, 1 - present, "sigmoid")[1]
    assert independent > 0.45


def test_few_clips_choose_nothing() -> None:
    rows, present = clips(0.9, 0.1, 7, 0)
    assert choose_thresholds(rows, present, 1 - present, "sigmoid") == ()
    assert choose_thresholds(rows, present, np.zeros_like(present), "sigmoid") == ()


def test_patches_below_the_gate_do_not_count() -> None:
    frontend = LogMelFrontend(patch_frames=4, patch_hop=4)
    frames = [np.repeat(np.array([LOUD, QUIET], np.float32), 20)[:, None].repeat(64, axis=1)] * 30
    # In the silence of clips of the first label the network predicts the second.
    first = np.repeat(np.array([[0.98, 0.02], [0.3, 0.7]], np.float32), 5, axis=0)
    second = np.tile(np.array([0.02, 0.98], np.float32), (10, 1))
    outputs = [first] * 15 + [second] * 15
    present = np.repeat(np.eye(2, dtype=np.float32), 15, axis=0)
    rule = choose_stream_rule(frontend, frames, outputs, present, 1 - present, ClipRule())
    assert rule.thresholds == (0.5, 0.5)
    loud = [np.full((40, 64), LOUD, np.float32)] * 30
    assert choose_stream_rule(frontend, loud, outputs, present, 1 - present, ClipRule()).thresholds[1] > 0.7
    other = choose_stream_rule(SampleFrontend(), frames, outputs, present, 1 - present, ClipRule())
    assert other.thresholds == ()
