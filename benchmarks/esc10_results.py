"""Results of `esc10.py`: a file of JSON lines, one per run, and the table made from it."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median, stdev
from typing import Any

import msgspec
import numpy as np

from labeltool.errors import LabeltoolError, in_one_line
from labeltool.evaluation import metrics

KINDS = ("float", "int8")

VERSION = 5
"""In every line; raised where names or figures of a run change, and older lines are then not used."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """The settings of a run, without its fold and seed.

    Attributes
    ----------
    labels
        Clips that keep their label; None for all.
    query_strategy
        The strategy that chose them; None where they were drawn at random.
    pool
        Whether the unlabelled clips are trained on too.
    teacher, backbone, pretrained
        Names of the files.
    settings
        Pairs `name=value`, sorted.
    """

    data: str
    arch: str
    labels: int | None = None
    query_strategy: str | None = None
    pool: bool = True
    teacher: str | None = None
    backbone: str | None = None
    pretrained: str | None = None
    settings: tuple[str, ...] = ()

    @property
    def way(self) -> str:
        """The options of `esc10.py` that describe it, without architecture and number of labels."""
        values = {
            "query-strategy": self.query_strategy,
            "teacher": self.teacher,
            "backbone": self.backbone,
            "pretrained": self.pretrained,
        }
        options = [f"--{name} {shlex.quote(value)}" for name, value in values.items() if value]
        options += [] if self.pool else ["--no-pool"]
        return " ".join([*options, *(["--set", *map(shlex.quote, self.settings)] if self.settings else [])])

    @property
    def options(self) -> str:
        """The options of `esc10.py` that describe it."""
        labels = f"--labels {self.labels}" if self.labels else ""
        return " ".join(filter(None, [f"--arch {self.arch}", labels, self.way]))

    @property
    def order(self) -> tuple[Any, ...]:
        """Sort key of tables: all labels first, then from many to few."""
        return self.data, self.arch, -self.labels if self.labels else -sys.maxsize, self.way


Job = tuple[Configuration, int, int]
"""A configuration, the fold that tests it, and a seed."""


@dataclass(frozen=True, slots=True)
class Predictions:
    """Of the clips of a test fold: the probability of each one's most probable label, and whether that is right."""

    confidence: tuple[float, ...]
    right: tuple[bool, ...]

    @property
    def accuracy(self) -> float:
        """Share of the clips right, 0 to 1."""
        return fmean(self.right)


@dataclass(frozen=True, slots=True)
class Run:
    """A line of the results.

    Attributes
    ----------
    wrong
        Of the clips that int8 predicts wrong: `true label>predicted label`.
    kib, bias_kib, ram_kib, mega_macc
        Of the exported int8 network: weights, biases, planned RAM (None where the package has no kernels for it), and
        multiply-accumulates of a patch, millions.
    train_s, seconds
        From the clips to the model's folder; of the whole run.
    memory_mib
        Largest memory of the process until then.
    """

    configuration: Configuration
    fold: int
    seed: int
    as_float: Predictions
    int8: Predictions
    wrong: tuple[str, ...]
    kib: float
    bias_kib: float
    ram_kib: float | None
    mega_macc: float
    train_s: float
    seconds: float
    memory_mib: float
    version: int = VERSION

    @property
    def job(self) -> Job:
        """What was done."""
        return self.configuration, self.fold, self.seed

    def of(self, kind: str) -> Predictions:
        """Return the predictions of one of `KINDS`."""
        return self.int8 if kind == "int8" else self.as_float


@dataclass(frozen=True, slots=True)
class Row:
    """The runs of a configuration on the folds of a table; figures that need a missing fold are None."""

    configuration: Configuration
    folds: tuple[int, ...]
    runs: tuple[Run, ...]

    @property
    def missing(self) -> list[int]:
        """The folds without a run."""
        return [fold for fold in self.folds if all(run.fold != fold for run in self.runs)]

    @property
    def incomplete_seeds(self) -> dict[int, list[int]]:
        """The seeds without a run on a fold that others have, with these folds."""
        done = {(run.seed, run.fold) for run in self.runs}
        present = [fold for fold in self.folds if fold not in self.missing]
        absent = {seed: [fold for fold in present if (seed, fold) not in done] for seed in self._seeds}
        return {seed: folds for seed, folds in absent.items() if folds}

    @property
    def _seeds(self) -> list[int]:
        return sorted({run.seed for run in self.runs})

    def by_fold(self, kind: str) -> dict[int, float]:
        """Return the mean accuracy over seeds, for each fold that has runs."""
        present = [fold for fold in self.folds if fold not in self.missing]
        return {fold: fmean(run.of(kind).accuracy for run in self.runs if run.fold == fold) for fold in present}

    def mean(self, kind: str) -> float | None:
        """Return the mean over the folds of the mean over seeds."""
        return None if self.missing else fmean(self.by_fold(kind).values())

    def _of_whole_seeds(self) -> list[list[Run]]:
        """Return the runs of each seed that has every fold."""
        whole = [] if self.missing else [seed for seed in self._seeds if seed not in self.incomplete_seeds]
        return [[run for run in self.runs if run.seed == seed] for seed in whole]

    def ece(self, kind: str) -> float | None:
        """Return the ECE of all folds' clips together, the mean over the seeds that have every fold.

        Of few clips it is large by chance: the 80 clips of a fold, with the confidence of networks with 32 labels, have
        0.09 when they are perfectly calibrated, 320 have 0.04.
        """
        errors = [metrics.expected_calibration_error(*pooled(runs, kind)) for runs in self._of_whole_seeds()]
        return fmean(errors) if errors else None

    def spread(self, kind: str, *, over_folds: bool = False) -> tuple[float, str] | None:
        """Return the standard deviation of the accuracy (n - 1), and what it is over.

        Over seeds where several have all folds (and it may), else over folds.
        """
        shares, what = [fmean(run.of(kind).accuracy for run in runs) for runs in self._of_whole_seeds()], "seeds"
        if len(shares) < 2 or over_folds:
            shares, what = [] if self.missing else list(self.by_fold(kind).values()), "folds"
        return (stdev(shares), f"over {len(shares)} {what}") if len(shares) > 1 else None


def pooled(runs: Iterable[Run], kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the confidences of all clips of some runs, and whether each prediction is right."""
    parts = [run.of(kind) for run in runs]
    confidence = np.array([one for part in parts for one in part.confidence], np.float32)
    return confidence, np.array([one for part in parts for one in part.right], bool)


def append(path: Path, run: object) -> None:
    """Write a run's line, whole and to the disk, while others may append to the file."""
    line = msgspec.json.encode(run) + b"\n"
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            # The rest of another line, cut short by a full disk or a power cut, must not join this one.
            line = b"\n" + line
        # One write: the kernel puts it at the end, in one piece.
        if os.write(descriptor, line) != len(line):
            raise LabeltoolError("the run was not written whole", remedy="is the disk full?", file=path)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read(path: Path) -> list[Run]:
    """Read the runs of a file, each once: the first that did a job.

    Raises
    ------
    LabeltoolError
        Where a line is JSON, but no run; one that was cut short is skipped, with a message on stderr.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise LabeltoolError(f"cannot be read: {error.strerror}", file=path) from None
    runs: dict[Job, Run] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            content = msgspec.json.decode(line)
        except ValueError:
            print(f"{path}:{number}: cut short, skipped", file=sys.stderr)
            continue
        if isinstance(content, dict) and content.get("version", VERSION) != VERSION:
            print(f"{path}:{number}: of another version of this benchmark, skipped", file=sys.stderr)
            continue
        try:
            run = msgspec.convert(content, Run)
        except msgspec.ValidationError as error:
            raise LabeltoolError(
                f"not the line of a run: {error}",
                remedy="give a file that `esc10.py --results` wrote",
                file=path,
                line=number,
            ) from None
        runs.setdefault(run.job, run)
    return list(runs.values())


def rows(runs: Sequence[Run], folds: Sequence[int] | None = None) -> list[Row]:
    """Group runs by configuration.

    Parameters
    ----------
    folds
        To average over, runs of others are skipped, with a message on stderr; None: those of any run of the data set.
    """
    grouped: dict[Configuration, list[Run]] = {}
    of_data: dict[str, set[int]] = {}
    others: list[int] = []
    for run in runs:
        if folds is not None and run.fold not in folds:
            others.append(run.fold)
            continue
        grouped.setdefault(run.configuration, []).append(run)
        of_data.setdefault(run.configuration.data, set()).add(run.fold)
    if others:
        numbers = ", ".join(map(str, sorted(set(others))))
        print(f"skipped: {len(others)} runs of other folds ({numbers}); see --folds", file=sys.stderr)
    return [
        Row(one, tuple(folds or sorted(of_data[one.data])), tuple(grouped[one]))
        for one in sorted(grouped, key=lambda one: one.order)
    ]


def markdown(rows: Sequence[Row]) -> str:
    """Return a table for each data set, a row for each configuration."""
    parts = []
    for data in dict.fromkeys(row.configuration.data for row in rows):
        of_data = [row for row in rows if row.configuration.data == data]
        head = ["network", "labels", *(f"fold {fold}" for fold in of_data[0].folds)]
        head += ["mean of folds", "spread", "runs", "float - int8", "ECE", "KiB", "RAM", "M MACC", "seconds", "command"]
        table = [head, ["---"] * len(head), *(_cells(row) for row in of_data)]
        parts.append(f"## {data}\n\n" + "\n".join("| " + " | ".join(cells) + " |" for cells in table) + "\n")
    return "\n".join([*parts, _LEGEND])


_LEGEND = """\
Clips right on the test fold, in %, float / int8, all its clips counted, those of a label that no labelled clip had as
wrong; a fold is the mean over its seeds. Spread: standard deviation (n - 1) over seeds of the mean of folds, where
several seeds have every fold; else over folds. float - int8: points, on the mean of folds. ECE: of int8, all folds'
clips together, fifteen bins. KiB of weights + of biases, KiB of planned RAM and M MACC a patch: of the int8 network
alone. Seconds: from the clips to the model's folder, the median run.
"""


def _cells(row: Row) -> list[str]:
    configuration, by_fold = row.configuration, [row.by_fold(kind) for kind in KINDS]
    how = f"chosen by {configuration.query_strategy}" if configuration.query_strategy else "drawn"
    labels = f"{configuration.labels} {how}" if configuration.labels else "all"
    cells = [configuration.arch, labels if configuration.pool else f"{labels}, no pool"]
    cells += [_pair([of.get(fold) for of in by_fold]) for fold in row.folds]
    means, spreads = [row.mean(kind) for kind in KINDS], [row.spread(kind) for kind in KINDS]
    cells.append(f"lacks {folds_in_words(row.missing)}" if row.missing else _pair(means))
    cells.append(f"{_pair([one and one[0] for one in spreads])} {spreads[0][1]}" if spreads[0] else "-")
    incomplete = [f"seed {seed} lacks {folds_in_words(folds)}" for seed, folds in row.incomplete_seeds.items()]
    cells.append("; ".join([str(len(row.runs)), *incomplete]))
    as_float, int8, ece = *means, row.ece("int8")
    cells.append("-" if as_float is None or int8 is None else f"{100 * (as_float - int8):.2f}")
    cells.append("-" if ece is None else f"{ece:.3f}")
    last = row.runs[-1]
    beside = f" and {_code(configuration.pretrained or '')}" if configuration.arch.startswith("embedding") else ""
    cells += [f"{last.kib:.1f} + {last.bias_kib:.1f}{beside}", "-" if last.ram_kib is None else f"{last.ram_kib:.1f}"]
    cells += [f"{last.mega_macc:.1f}", f"{median(run.train_s for run in row.runs):.3g}"]
    seeds = " ".join(map(str, sorted({run.seed for run in row.runs})))
    return [*cells, _code(f"esc10.py DATA {configuration.options} --seeds {seeds}")]


def _pair(shares: Sequence[float | None]) -> str:
    return " / ".join(f"{100 * share:.1f}" for share in shares if share is not None) or "-"


def folds_in_words(folds: Sequence[int]) -> str:
    """Return folds as text: "fold 3", "folds 3, 4"."""
    return f"fold{'s' * (len(folds) > 1)} {', '.join(map(str, folds))}"


def _code(text: str) -> str:
    """Return text as a code span of a Markdown table, whatever it contains."""
    fence = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
    pad = " " if len(fence) > 1 else ""
    return f"{fence}{pad}{in_one_line(text)}{pad}{fence}".replace("|", r"\|")
