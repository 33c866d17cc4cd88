"""Results of the runs on ESC-10: a file of JSON lines, one per run, and the table made from it."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median, stdev
from typing import Any

import numpy as np

from labeltool.errors import LabeltoolError, in_one_line
from labeltool.evaluation import metrics

KINDS = ("float", "int8")

VERSION = 4
"""In every line; raised where names or figures of a run change, and older lines are then not used."""

Run = dict[str, Any]
"""A line: `run` is its name, of configuration, fold and seed; the figures are of the test fold."""

_NUMBERS = ("seconds", *KINDS, *(f"{kind}_ece" for kind in KINDS))


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

    arch: str
    labels: int | None = None
    query_strategy: str | None = None
    pool: bool = True
    teacher: str | None = None
    backbone: str | None = None
    settings: tuple[str, ...] = ()
    pretrained: str | None = None

    def run(self, fold: int, seed: int) -> str:
        """Return the name of a run, which identifies it in the results."""
        values = {
            "labels": self.labels,
            "query_strategy": self.query_strategy,
            "no_pool": not self.pool,
            "teacher": self.teacher,
            "backbone": self.backbone,
            "pretrained": self.pretrained,
        }
        pairs = [f"{name}={value}" for name, value in values.items() if value]
        return " ".join([self.arch, *pairs, *self.settings, f"fold={fold} seed={seed}"])

    @classmethod
    def of(cls, run: Run) -> Configuration:
        """Return the configuration that a run's name describes."""
        head = run["run"].removesuffix(f" fold={run['fold']} seed={run['seed']}")
        if head == run["run"]:
            raise ValueError("no fold and seed")
        # Values may contain spaces (a file name, a list), names of settings do not.
        arch, *pairs = re.split(r" (?=[\w.]+=)", head)
        named = dict(pair.split("=", 1) for pair in pairs)
        labels = named.pop("labels", None)
        return cls(
            arch,
            int(labels) if labels else None,
            named.pop("query_strategy", None),
            named.pop("no_pool", None) is None,
            named.pop("teacher", None),
            named.pop("backbone", None),
            pretrained=named.pop("pretrained", None),
            settings=tuple(f"{name}={value}" for name, value in named.items()),
        )

    @property
    def order(self) -> tuple[Any, ...]:
        """Sort key of tables: all labels first, then from many to few."""
        few = -self.labels if self.labels else -sys.maxsize
        return (
            self.arch,
            few,
            self.query_strategy or "",
            not self.pool,
            self.teacher or "",
            self.backbone or "",
            self.pretrained or "",
            self.settings,
        )


@dataclass(frozen=True, slots=True)
class Spread:
    """A standard deviation (of a sample: n - 1), and the number of seeds or folds it is over."""

    value: float
    over: str
    count: int

    def __str__(self) -> str:
        return f"over {self.count} {self.over}"


@dataclass(frozen=True, slots=True)
class Row:
    """The runs of a configuration on the folds of a table; figures that need a missing fold are None."""

    configuration: Configuration
    folds: tuple[int, ...]
    runs: tuple[Run, ...]

    @property
    def missing(self) -> list[int]:
        """The folds without a run."""
        return [fold for fold in self.folds if all(run["fold"] != fold for run in self.runs)]

    @property
    def incomplete_seeds(self) -> dict[int, list[int]]:
        """The seeds without a run on a fold that others have, with these folds."""
        done = {(run["seed"], run["fold"]) for run in self.runs}
        present = [fold for fold in self.folds if fold not in self.missing]
        absent = {
            seed: [fold for fold in present if (seed, fold) not in done] for seed in sorted({seed for seed, _ in done})
        }
        return {seed: folds for seed, folds in absent.items() if folds}

    def by_fold(self, key: str) -> dict[int, float]:
        """Return the mean over seeds of a figure, for each fold that has runs."""
        present = [fold for fold in self.folds if fold not in self.missing]
        return {fold: fmean(run[key] for run in self.runs if run["fold"] == fold) for fold in present}

    def mean(self, key: str) -> float | None:
        """Return the mean over the folds of the mean over seeds."""
        return None if self.missing else fmean(self.by_fold(key).values())

    def by_seed(self, key: str) -> list[float]:
        """Return the mean over the folds for each seed that has them all."""
        seeds = {run["seed"] for run in self.runs} - set(self.incomplete_seeds)
        means = [fmean(run[key] for run in self.runs if run["seed"] == seed) for seed in sorted(seeds)]
        return [] if self.missing else means

    def together(self, kind: str) -> float | None:
        """Return the ECE of all folds' clips together, the mean over the seeds that have every fold.

        Of few clips it is large by chance: the 80 clips of a fold, with the confidence of networks with 32 labels, have
        0.09 when they are perfectly calibrated, 320 have 0.04.
        """
        seeds = {run["seed"] for run in self.runs} - set(self.incomplete_seeds)
        if self.missing or not seeds:
            return None
        of_seeds = [
            np.array([one for run in self.runs if run["seed"] == seed for one in run[f"{kind}_predictions"]])
            for seed in seeds
        ]
        return fmean(metrics.expected_calibration_error(one[:, 0], one[:, 1] > 0) for one in of_seeds)

    def spread(self, key: str, *, over_folds: bool = False) -> Spread | None:
        """Return how far a figure scatters: over seeds where several have all folds (and it may), else over folds."""
        seeds, folds = self.by_seed(key), list(self.by_fold(key).values())
        if len(seeds) > 1 and not over_folds:
            return Spread(stdev(seeds), "seeds", len(seeds))
        return Spread(stdev(folds), "folds", len(folds)) if len(folds) > 1 and not self.missing else None


def append(path: Path, run: Run) -> None:
    """Write a run's line, whole and to the disk, while others may append to the file."""
    line = json.dumps(run).encode() + b"\n"
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
    """Read the runs of a file, each once: the first of those of one name.

    Raises
    ------
    LabeltoolError
        Where a line is JSON, but no run; one that was cut short is skipped, with a message on stderr.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise LabeltoolError(f"cannot be read: {error}", file=path) from None
    runs: dict[str, Run] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            run = json.loads(line)
        except ValueError:
            print(f"{path}:{number}: cut short, skipped", file=sys.stderr)
            continue
        try:
            Configuration.of(run)
            valid = all(isinstance(run[key], int | float) for key in _NUMBERS)
        except (KeyError, TypeError, ValueError, AttributeError):
            valid = False
        if not valid:
            raise LabeltoolError(
                "not the line of a run", remedy="give a file that `esc10.py --results` wrote", file=path, line=number
            )
        if run.get("version") == VERSION:
            runs.setdefault(run["run"], run)
        else:
            print(f"{path}:{number}: of another version of this benchmark, skipped", file=sys.stderr)
    return list(runs.values())


def rows(runs: Iterable[Run], folds: Sequence[int]) -> list[Row]:
    """Group runs by configuration; those of other folds are skipped, with a message on stderr."""
    grouped: dict[Configuration, list[Run]] = {}
    others: list[Run] = []
    for run in runs:
        group = grouped.setdefault(Configuration.of(run), []) if run["fold"] in folds else others
        group.append(run)
    if others:
        numbers = ", ".join(str(fold) for fold in sorted({run["fold"] for run in others}))
        print(f"skipped: {len(others)} runs of other folds ({numbers}); see --folds", file=sys.stderr)
    return [
        Row(configuration, tuple(folds), tuple(grouped[configuration]))
        for configuration in sorted(grouped, key=lambda one: one.order)
    ]


def markdown(rows: Sequence[Row], folds: Sequence[int]) -> str:
    """Return the table, a row for each configuration."""
    head = ["network", "labels", "teacher", "backbone", "settings", *(f"fold {fold}" for fold in folds)]
    head += ["mean of folds", "spread", "runs", "float - int8", "ECE, int8", "together", "seconds"]
    table = [head, ["---"] * len(head), *(_cells(row) for row in rows)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in table) + "\n\n" + _LEGEND


_LEGEND = """\
Clip accuracy on the test fold, in %, float / int8; a fold is the mean over its seeds. Spread: standard deviation
(n - 1) over seeds of the mean of folds, where several seeds have every fold; else over folds. float - int8: points, on
the mean of folds. ECE: fifteen bins, mean of folds; and of their clips together. Seconds: of training, the median run.
"""


def _cells(row: Row) -> list[str]:
    configuration, by_fold = row.configuration, [row.by_fold(kind) for kind in KINDS]
    labels = "all" if configuration.labels is None else str(configuration.labels)
    labels += f", chosen by {configuration.query_strategy}" if configuration.query_strategy else ""
    network = (
        f"{configuration.arch} by {_code(configuration.pretrained)}" if configuration.pretrained else configuration.arch
    )
    cells = [network, labels if configuration.pool else f"{labels}, no pool"]
    cells += [
        _code(name) if name else "-"
        for name in (configuration.teacher, configuration.backbone, " ".join(configuration.settings))
    ]
    cells += [_pair([of.get(fold) for of in by_fold]) for fold in row.folds]
    means, spreads = [row.mean(kind) for kind in KINDS], [row.spread(kind) for kind in KINDS]
    cells.append(f"lacks {folds_in_words(row.missing)}" if row.missing else _pair(means))
    values = [one.value if one else None for one in spreads]
    cells.append(f"{_pair(values)} {spreads[0]}" if spreads[0] else "-")
    incomplete = [f"seed {seed} lacks {folds_in_words(folds)}" for seed, folds in row.incomplete_seeds.items()]
    cells.append("; ".join([str(len(row.runs)), *incomplete]))
    as_float, int8, ece = *means, row.mean("int8_ece")
    cells.append("-" if as_float is None or int8 is None else f"{100 * (as_float - int8):.2f}")
    cells += ["-" if one is None else f"{one:.3f}" for one in (ece, row.together("int8"))]
    cells += [f"{median(run['seconds'] for run in row.runs):.0f}"]
    return cells


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
