"""The simulation of many cores: every task is written once, and without losses it is what a formula gives."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from scale import Outcome, Work, simulate

ROUGH = Work(
    30.0,
    spread=0.5,
    straggler_share=0.05,
    straggler_exponent=1.5,
    losses_per_hour=40.0,
    return_s=20.0,
    late_share=0.5,
    write_s=0.01,
)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("tasks", "cores"), [(1, 3), (300, 1), (500, 16), (200, 400)])
def test_with_losses_stragglers_and_late_results_every_task_is_written_once(tasks: int, cores: int, seed: int) -> None:
    outcome = simulate(tasks, cores, ROUGH, seed)
    assert outcome.written.tolist() == [1] * tasks
    # Each begun task ended: it was written, its core was lost, or another's late result was there before.
    assert tasks <= outcome.begun <= tasks + outcome.lost
    assert outcome.begun + outcome.dropped >= tasks
    assert outcome.writing_s == pytest.approx(tasks * ROUGH.write_s)


def test_late_results_are_recognised() -> None:
    outcome = simulate(500, 1000, ROUGH)  # a lost task is begun again at once, before its result can be late
    assert outcome.lost > 50 and outcome.dropped > 50
    never_late = Work(30.0, losses_per_hour=40.0, return_s=20.0, write_s=0.01)
    assert simulate(500, 1000, never_late).dropped == 0


@pytest.mark.parametrize(("tasks", "cores"), [(1, 1), (7, 3), (48, 16), (100, 1000)])
def test_equal_tasks_without_losses_take_as_long_as_by_the_formula(tasks: int, cores: int) -> None:
    outcome = simulate(tasks, cores, Work(10.0))
    assert outcome.seconds == pytest.approx(-(-tasks // cores) * 10.0)
    assert (outcome.begun, outcome.lost, outcome.dropped, outcome.longest_wait_s) == (tasks, 0, 0, 0.0)


def test_a_writer_slower_than_the_cores_decides() -> None:
    outcome = simulate(100, 100, Work(10.0, write_s=2.0))
    assert outcome.seconds == pytest.approx(10.0 + 100 * 2.0)
    assert outcome.longest_wait_s == pytest.approx(99 * 2.0)


def test_lost_cores_cost_time_as_expected() -> None:
    # One core, losses at a rate r, c seconds until it is back: a task of d seconds takes (1 / r + c)(exp(r d) - 1).
    work = Work(60.0, losses_per_hour=30.0, return_s=15.0)
    rate = work.losses_per_hour / 3600.0
    expected = 4000 * (1 / rate + work.return_s) * (math.exp(rate * work.task_s) - 1)
    assert simulate(4000, 1, work).seconds == pytest.approx(expected, rel=0.05)


def test_one_seed_is_one_result() -> None:
    first, again, other = simulate(200, 8, ROUGH, 3), simulate(200, 8, ROUGH, 3), simulate(200, 8, ROUGH, 4)
    assert counts(first) == counts(again) != counts(other)


def counts(outcome: Outcome) -> tuple[float, int, int]:
    return outcome.seconds, outcome.begun, outcome.lost
