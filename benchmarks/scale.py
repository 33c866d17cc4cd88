"""Time and cost of seasons of recorders on 1, 16 and 256 cores, by a simulation of the scheduler and the one writer.

    python benchmarks/scale.py [--months 1 100 10000] [--cores 1 16 256] [--scan 190] [--price 0.05] ...

It prints the tables of `docs/scale.md`, which has the assumptions; `python benchmarks/scale_rates.py` measures the
rates that are the defaults here. A task is one recording. Its time is log-normal with the measured spread; some are
stragglers, longer by a factor of a Pareto distribution. Cores are lost at random moments and come back; the task is
begun again by whoever is free next. Some lost cores were only out of reach: their result arrives too, and the writer
has to recognise what it has. The writer takes results one after the other, in the order of their arrival. All by one
seed.
"""

from __future__ import annotations

import argparse
import heapq
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

DAYS = 30
HOUR_S = 3600.0
_DRAWS = 4096


@dataclass(frozen=True, slots=True)
class Work:
    """What one task takes, and what goes wrong.

    Attributes
    ----------
    task_s
        Mean seconds of a task on one core that is no straggler.
    spread
        Standard deviation of the logarithm of its time.
    straggler_share, straggler_exponent
        Share of tasks that take longer by a factor of a Pareto distribution from 1 on, and its exponent.
    losses_per_hour, return_s
        Of a core; seconds until another is in its place.
    late_share
        Share of losses whose result arrives all the same.
    write_s
        Seconds that the writer needs for a result; for one that it has already, nothing.
    """

    task_s: float
    spread: float = 0.0
    straggler_share: float = 0.0
    straggler_exponent: float = 2.0
    losses_per_hour: float = 0.0
    return_s: float = 120.0
    late_share: float = 0.0
    write_s: float = 0.0


@dataclass(slots=True)
class Outcome:
    """What a simulation counted.

    Attributes
    ----------
    seconds
        Until the last result was written.
    begun, lost, dropped
        Tasks begun; cores lost in the middle of one; results that the writer had already.
    written : (tasks,) uint8
        How often each task's result was written.
    writing_s, longest_wait_s
        Seconds that the writer was busy; the longest time that a result waited for it.
    """

    written: np.ndarray
    seconds: float = 0.0
    begun: int = 0
    lost: int = 0
    dropped: int = 0
    writing_s: float = 0.0
    longest_wait_s: float = 0.0


@dataclass(slots=True)
class Simulation:
    """A pool of cores, what they do and what waits; `run` simulates all of it."""

    work: Work
    cores: int
    waiting: deque[int]
    outcome: Outcome
    attempts: Iterator[tuple[float, float, float]]
    events: list[tuple[float, int, str, int]] = field(default_factory=list)
    free: int = 0
    numbered: int = 0
    writer_free_s: float = 0.0

    @classmethod
    def of(cls, tasks: int, cores: int, work: Work, seed: int) -> Simulation:
        """Make one whose cores are all free."""
        outcome = Outcome(np.zeros(tasks, np.uint8))
        return cls(work, cores, deque(range(tasks)), outcome, draw_attempts(work, seed), free=cores)

    def run(self) -> Outcome:
        self._start(0.0)
        while self.events:
            now_s, _, kind, task = heapq.heappop(self.events)
            if kind == "lost":
                self.outcome.lost += 1
                self.waiting.append(task)
                self._at(now_s + self.work.return_s, "back", task)
            else:
                if kind != "late":
                    self.free += 1
                if kind != "back":
                    self._write(now_s, task)
            self._start(now_s)
        self.outcome.seconds = self.writer_free_s
        return self.outcome

    def _start(self, now_s: float) -> None:
        while self.free and self.waiting:
            task = self.waiting.popleft()
            if self.outcome.written[task]:
                continue  # its result came after its core was given up
            self.free -= 1
            self.outcome.begun += 1
            lasts_s, lost_after_s, late = next(self.attempts)
            if lasts_s <= lost_after_s:
                self._at(now_s + lasts_s, "done", task)
                continue
            self._at(now_s + lost_after_s, "lost", task)
            if late < self.work.late_share:
                self._at(now_s + lasts_s, "late", task)

    def _at(self, time_s: float, kind: str, task: int) -> None:
        self.numbered += 1  # of two events at one moment the earlier one is first
        heapq.heappush(self.events, (time_s, self.numbered, kind, task))

    def _write(self, now_s: float, task: int) -> None:
        if self.outcome.written[task]:
            self.outcome.dropped += 1
            return
        self.outcome.written[task] += 1
        begins_s = max(now_s, self.writer_free_s)
        self.outcome.longest_wait_s = max(self.outcome.longest_wait_s, begins_s - now_s)
        self.outcome.writing_s += self.work.write_s
        self.writer_free_s = begins_s + self.work.write_s


def draw_attempts(work: Work, seed: int) -> Iterator[tuple[float, float, float]]:
    """Yield seconds of an attempt, seconds until its core is lost, and a number that decides whether it is late."""
    generator = np.random.default_rng(seed)
    while True:
        lasts_s = work.task_s * generator.lognormal(-(work.spread**2) / 2, work.spread, _DRAWS)
        factor = 1.0 + generator.pareto(work.straggler_exponent, _DRAWS)
        lasts_s *= np.where(generator.random(_DRAWS) < work.straggler_share, factor, 1.0)
        lost_after_s = generator.exponential(1.0, _DRAWS) * HOUR_S / max(work.losses_per_hour, 1e-300)
        yield from zip(lasts_s.tolist(), lost_after_s.tolist(), generator.random(_DRAWS).tolist(), strict=True)


def simulate(tasks: int, cores: int, work: Work, seed: int = 0) -> Outcome:
    """Return what becomes of some tasks on some cores."""
    return Simulation.of(tasks, cores, work, seed).run()


def duration_text(seconds: float) -> str:
    """Return a time in the unit that a person would use."""
    if seconds < 2 * HOUR_S:
        return f"{seconds / 60:.1f} min"
    return f"{seconds / HOUR_S:.1f} h" if seconds < 72 * HOUR_S else f"{seconds / HOUR_S / 24:,.1f} days"


def print_times(work: Work, given: argparse.Namespace) -> None:
    print(
        "| recorder-months | recordings | cores | without losses | simulated | core hours | cost | lost, begun again |"
    )
    print("| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for months in given.months:
        tasks = round(months * DAYS * 24 * given.duty / given.file_hours)
        for cores in given.cores:
            outcome = simulate(tasks, cores, work, given.seed)
            assert (outcome.written == 1).all()
            hours = outcome.seconds / HOUR_S * cores
            ideal = duration_text(-(-tasks // cores) * work.task_s)
            print(
                f"| {months:,} | {tasks:,} | {cores} | {ideal} | {duration_text(outcome.seconds)} | {hours:,.1f} | "
                f"{hours * given.price:,.2f} | {outcome.lost:,} of {outcome.begun:,} |"
            )


def print_writer(work: Work, given: argparse.Namespace) -> None:
    """Print how busy the writer is by cores, and where it is all of the time."""
    print("| cores | writer busy | longest wait of a result | results a second |")
    print("| ---: | ---: | ---: | ---: |")
    for cores in (*given.cores, 1024, 4096, 16384):
        outcome = simulate(max(2000, 20 * cores), cores, work, given.seed)
        rate = len(outcome.written) / outcome.seconds
        busy = outcome.writing_s / outcome.seconds
        print(f"| {cores:,} | {busy:.1%} | {outcome.longest_wait_s:.2f} s | {rate:.2f} |")
    print(
        f"\nbusy all the time from {work.task_s / work.write_s:,.0f} cores on: {1 / work.write_s:,.0f} recordings, "
        f"{given.detections * given.file_hours / work.write_s:,.0f} rows a second"
    )


def parse() -> argparse.Namespace:
    """Read the command line; the defaults are measured or assumed as `docs/scale.md` says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--months", type=int, nargs="+", default=[1, 100, 10_000])
    parser.add_argument("--cores", type=int, nargs="+", default=[1, 16, 256])
    parser.add_argument("--duty", type=float, default=1 / 3, help="share of the time that a recorder records")
    parser.add_argument("--file-hours", type=float, default=1.0, help="length of a recording")
    parser.add_argument("--detections", type=float, default=100, help="of an hour of sound")
    parser.add_argument("--price", type=float, default=0.05, help="of a core for an hour")
    parser.add_argument("--scan", type=float, default=190, help="x real time of one core")
    parser.add_argument("--begin-s", type=float, default=2.3, help="seconds to read a recording and hash it")
    parser.add_argument("--spread", type=float, default=0.1)
    parser.add_argument("--stragglers", type=float, nargs=2, default=[0.01, 2.0], metavar=("SHARE", "EXPONENT"))
    parser.add_argument("--losses-per-hour", type=float, default=0.02, help="of one core")
    parser.add_argument("--late", type=float, default=0.2, help="share of lost cores whose result arrives")
    parser.add_argument("--write-ms", type=float, nargs=2, default=[0.6, 0.045], metavar=("RECORDING", "ROW"))
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def main() -> None:
    given = parse()
    recording_ms, row_ms = given.write_ms
    work = Work(
        given.begin_s + given.file_hours * HOUR_S / given.scan,
        given.spread,
        given.stragglers[0],
        given.stragglers[1],
        losses_per_hour=given.losses_per_hour,
        late_share=given.late,
        write_s=(recording_ms + row_ms * given.detections * given.file_hours) / 1000,
    )
    print(f"{work}\n")
    print_times(work, given)
    print()
    print_writer(work, given)


if __name__ == "__main__":
    main()
