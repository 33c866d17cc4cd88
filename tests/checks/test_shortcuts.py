"""Shortcuts: a label that facts beside the sound predict is found, chance is not."""

from __future__ import annotations

import numpy as np
import pytest

from labeltool.checks.shortcuts import Facts, shortcut_to

CLIPS, GROUPS = 120, 40


def facts(seed: int) -> Facts:
    rng = np.random.default_rng(seed)
    groups = tuple(f"g{number % GROUPS}" for number in range(CLIPS))
    return Facts(("level", "bandwidth", "length"), rng.normal(size=(CLIPS, 3)), groups)


def test_a_label_with_a_bandwidth_of_its_own() -> None:
    given = facts(0)
    is_present = np.arange(CLIPS) % GROUPS < 8
    given.rows[is_present, 1] -= 10.0
    found = shortcut_to(given, is_present, min_accuracy=0.9)
    assert found is not None and found.features == ("bandwidth",) and found.accuracy > 0.95


def test_a_label_that_two_features_give_away_together() -> None:
    given = facts(1)
    is_present = np.arange(CLIPS) % GROUPS < 12
    given.rows[:, 0] = np.where(is_present | (np.arange(CLIPS) % 2 == 0), 5.0, 0.0) + 0.1 * given.rows[:, 0]
    given.rows[:, 1] = np.where(is_present | (np.arange(CLIPS) % 2 == 1), 5.0, 0.0) + 0.1 * given.rows[:, 1]
    found = shortcut_to(given, is_present, min_accuracy=0.9)
    assert found is not None and set(found.features) == {"level", "bandwidth"}


@pytest.mark.parametrize("seed", range(10))
def test_chance_is_no_shortcut(seed: int) -> None:
    is_present = np.isin(np.arange(CLIPS) % GROUPS, np.random.default_rng([seed, 1]).permutation(GROUPS)[:6])
    # Far lower than the setting: what is found then is found against the permutations alone.
    assert shortcut_to(facts(seed), is_present, min_accuracy=0.6) is None


def test_what_only_a_group_has_is_no_shortcut() -> None:
    given = facts(2)
    number = np.arange(CLIPS) % GROUPS
    # Each group has a level of its own: within a group it predicts the label, on another group it does not.
    given.rows[:, 0] = np.random.default_rng(3).permutation(GROUPS)[number]
    assert shortcut_to(given, number % 4 == 0, min_accuracy=0.75) is None


def test_few_clips_prove_nothing() -> None:
    given = facts(4)
    is_present = np.arange(CLIPS) % GROUPS < 2
    given.rows[is_present, 1] -= 10.0
    assert shortcut_to(given, is_present, min_accuracy=0.9) is None
