"""Plots of the results of `esc10.py`, as PNG: accuracy by number of labels, calibration, query strategies."""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np
from esc10_results import KINDS, Row, folds_in_words, pooled

from labeltool.errors import LabeltoolError, in_one_line
from labeltool.evaluation import charts, metrics
from labeltool.evaluation.charts import of_model

# Okabe and Ito's colours, safe for colour-blind readers, without those too light for text.
_COLOURS = ("#0072B2", "#D55E00", "#007A5A", "#8A4B78", "#000000")
_STYLES = ("-", "--", ":")
_SIZE = (7.2, 4.4)


@dataclass(frozen=True, slots=True)
class Line:
    """A curve by ascending numbers of labels; of all labels a level, whose number is 0.

    Attributes
    ----------
    points
        Labels, mean of shares, and their standard deviation; None where there is one share only.
    over
        What that is over.
    """

    name: str
    points: tuple[tuple[int, float, float | None], ...]
    over: str

    @property
    def legend(self) -> str:
        """Its name and its last figure."""
        _, mean, spread = self.points[-1]
        return in_one_line(
            f"{self.name}: {100 * mean:.1f} %" + (f" ± {100 * spread:.1f} {self.over}" if spread else "")
        )


def draw(rows: Sequence[Row], simulated: Iterable[Path], folder: Path) -> list[Path]:
    """Draw the results and the simulations.

    Returns
    -------
    list of Path
        The files: `labels-<data>-<network>.png`, `reliability-<configuration>.png`, `query-strategies.png`.

    Raises
    ------
    LabeltoolError
        Without vl-convert, and where a simulation cannot be read.
    """
    simulations = query_strategies(simulated)
    by_network: dict[str, list[Row]] = {}
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for row in rows:
        one = row.configuration
        if row.missing:
            print(f"skipped: {one.data} {one.options}, lacks {folds_in_words(row.missing)}", file=sys.stderr)
            continue
        by_network.setdefault(f"{one.data} {one.arch}", []).append(row)
        written.append(folder / f"reliability-{_file_name(f'{one.data} {one.options}')}.png")
        charts.write_picture(of_model.calibration(dict(_reliability(row, kind) for kind in KINDS)), written[-1])
    for network, of_network in by_network.items():
        if any(row.configuration.labels for row in of_network):
            written.append(folder / f"labels-{_file_name(network)}.png")
            title = f"{network}, int8: clips right, mean of {folds_in_words(of_network[0].folds)}"
            _draw(written[-1], title, by_labels(of_network))
    if simulations:
        written.append(folder / "query-strategies.png")
        _draw(written[-1], "Accuracy of the suggestions for unlabelled clips", simulations)
    return written


def by_labels(rows: Sequence[Row]) -> list[Line]:
    """Return a network's int8 curves, a line for each way to train it, and a level for each with all labels."""
    by_way: dict[str, list[Row]] = {}
    for row in rows:
        one = row.configuration
        by_way.setdefault(f"{'' if one.labels else 'all labels '}{one.way}".strip() or "no options", []).append(row)
    lines = []
    for name, of_way in by_way.items():
        # One kind of spread per line: over seeds only where every point has several.
        over_folds = any((row.spread("int8") or (0, "folds"))[1].endswith("folds") for row in of_way)
        points, over = [], ""
        for row in sorted(of_way, key=lambda row: row.configuration.labels or 0):
            spread, over = row.spread("int8", over_folds=over_folds) or (None, "")
            points.append((row.configuration.labels or 0, row.mean("int8") or 0.0, spread))
        lines.append(Line(name, tuple(points), over))
    return lines


def query_strategies(simulated: Iterable[Path]) -> list[Line]:
    """Read outputs of `labeltool simulate --json`: a line for each strategy, of the labels that all replays have.

    Raises
    ------
    LabeltoolError
        Where a file is no such output, or has only the mean of several seeds.
    """
    replays: dict[str, list[dict[int, float]]] = {}
    for path in simulated:
        try:
            for result in json.loads(path.read_text(encoding="utf-8"))["strategies"]:
                for place in range(len(result["seeds"])):
                    shares = {one["labels"]: _of_seed(one, place, len(result["seeds"])) for one in result["models"]}
                    measured = {labels: share for labels, share in shares.items() if share is not None}
                    replays.setdefault(str(result["strategy"]), []).append(measured)
        except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
            raise LabeltoolError(
                f"cannot be read: {error!r}",
                remedy="give what `labeltool simulate --json` printed, of several seeds in a file for each",
                file=path,
            ) from None
    lines = []
    for strategy, runs in replays.items():
        points = []
        for labels in sorted(set.intersection(*(set(run) for run in runs))):
            shares_there = [run[labels] for run in runs]
            points.append((labels, fmean(shares_there), stdev(shares_there) if len(runs) > 1 else None))
        if points:
            lines.append(Line(strategy, tuple(points), f"over {len(runs)} replays"))
    return lines


def _of_seed(model: dict[str, Any], place: int, seeds: int) -> float | None:
    share = model["suggestions_right"] if seeds == 1 else model["suggestions_right_by_seed"][place]
    return None if share is None else float(share)


def _reliability(row: Row, kind: str) -> tuple[str, list[tuple[float, float, int]]]:
    """Return a name with the ECE, and the bins, of the predictions of all folds and seeds together."""
    confidence, right = pooled(row.runs, kind)
    bins = [(float(s), float(r), int(n)) for s, r, n in zip(*metrics.reliability(confidence, right), strict=True)]
    return f"{kind}, ECE {metrics.expected_calibration_error(confidence, right):.3f}", bins


def _draw(path: Path, title: str, lines: Sequence[Line]) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE, dpi=120, layout="constrained")
    axis = figure.subplots()
    axis.spines[["top", "right"]].set_visible(False)
    for place, line in enumerate(lines):
        colour, style = _COLOURS[place % len(_COLOURS)], _STYLES[place // len(_COLOURS) % len(_STYLES)]
        counts, means, spreads = np.array([(n, mean, spread or 0.0) for n, mean, spread in line.points]).T
        if counts[0] == 0:
            axis.axhline(means[0], color=colour, linestyle=":", label=line.legend)
            continue
        axis.plot(counts, means, "o", linestyle=style, color=colour, markersize=4, label=line.legend)
        axis.fill_between(counts, means - spreads, means + spreads, color=colour, alpha=0.15, linewidth=0)
    points = [point for line in lines for point in line.points]
    lowest = min(mean - (spread or 0) for _, mean, spread in points)
    axis.set_ylim(max(0, math.floor(lowest * 20 - 0.5) / 20), 1)
    axis.yaxis.set_major_formatter(lambda share, _: f"{100 * share:.0f} %")
    axis.grid(axis="y", color="#e6e6e6", linewidth=0.8)
    counts = sorted({labels for labels, _, _ in points} - {0})
    axis.set_xticks(counts[:: math.ceil(len(counts) / 12)])
    axis.set_xlabel("labels (band: one standard deviation)")
    axis.set_title(title, loc="left", fontsize=10)
    for text in axis.legend(loc="lower right", fontsize=8).get_texts():
        text.set_parse_math(False)
    figure.savefig(path, metadata={"Software": None})


def _file_name(text: str) -> str:
    return re.sub(r"[^\w.=]+", "-", text)
