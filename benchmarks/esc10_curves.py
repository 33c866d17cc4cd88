"""Plots of the results on ESC-10, as PNG: accuracy by number of labels, calibration, query strategies."""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any

import numpy as np
from esc10_results import KINDS, Configuration, Row, folds_in_words

from labeltool.errors import LabeltoolError, in_one_line
from labeltool.evaluation import figure as evaluation_figure
from labeltool.evaluation import metrics, plots

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, safe for colour-blind readers, without those too light for text.
_COLOURS = ("#0072B2", "#D55E00", "#007A5A", "#8A4B78", "#000000")
_STYLES = ("-", "--", ":")
_GREY = "#666666"
_DPI = 120
_BAND = "band: one standard deviation"
_MOST_TICKS = 12
_SIZE = (7.2, 4.4)
_LABEL_HEIGHT = 0.105
"""Of the two lines at the end of a curve, as a share of the axis."""


@dataclass(frozen=True, slots=True)
class Point:
    """A mean of shares and their standard deviation; None where there is one share only."""

    labels: int
    mean: float
    spread: float | None


@dataclass(frozen=True, slots=True)
class Line:
    """A curve, its points by ascending labels, and what its spread is over."""

    name: str
    points: tuple[Point, ...]
    over: str


def draw(rows: Sequence[Row], simulated: Iterable[Path], folder: Path) -> list[Path]:
    """Draw the results and the simulations.

    Returns
    -------
    list of Path
        The files: `labels-<network>.png`, `reliability-<configuration>.png`, `query-strategies.png`.

    Raises
    ------
    LabeltoolError
        Without matplotlib, and where a simulation cannot be read.
    """
    if not evaluation_figure.available():
        raise LabeltoolError("matplotlib is not installed", remedy='pip install "labeltool[plots]"')
    simulations = query_strategies(simulated)
    whole = [row for row in rows if not row.missing]
    for row in rows:
        if row.missing:
            print(f"skipped: {_described(row.configuration)}, lacks {folds_in_words(row.missing)}", file=sys.stderr)
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for arch in dict.fromkeys(row.configuration.arch for row in whole):
        of_arch = [row for row in whole if row.configuration.arch == arch]
        lines, ceilings = by_labels(of_arch)
        if lines:
            path = folder / f"labels-{_file_name(arch)}.png"
            _draw_by_labels(path, arch, of_arch[0].folds, lines, ceilings)
            written.append(path)
    for row in whole:
        if all(f"{kind}_predictions" in run for run in row.runs for kind in KINDS):
            path = folder / f"reliability-{_file_name(_described(row.configuration))}.png"
            plots.reliability(path, {kind: _reliability(row, kind) for kind in KINDS})
            written.append(path)
    if simulations:
        path = folder / "query-strategies.png"
        _draw_query_strategies(path, simulations)
        written.append(path)
    return written


def by_labels(rows: Sequence[Row]) -> tuple[list[Line], list[Line]]:
    """Return a network's int8 curves, a line for each way to train it, and the accuracy of the same with all labels."""
    by_way: dict[Configuration, list[Row]] = {}
    for row in rows:
        if row.configuration.labels is not None:
            by_way.setdefault(replace(row.configuration, labels=None), []).append(row)
    lines = []
    for of_way in by_way.values():
        # One kind of spread per line: over seeds only where every point has several.
        spreads = [row.spread("int8") for row in of_way]
        over_folds = not all(spread and spread.over == "seeds" for spread in spreads)
        lines.append(_line(_way(of_way[0].configuration), of_way, over_folds))
    # Of the runs with all labels: those of the plain network, and those with the settings of a line.
    comparable = {(way.backbone, way.pretrained, way.settings) for way in by_way} | {(None, None, ())}
    ceilings = [
        _line(_way(row.configuration), [row], False)
        for row in rows
        if (way := row.configuration).labels is None and (way.backbone, way.pretrained, way.settings) in comparable
    ]
    return lines, ceilings


def _line(name: str, rows: Sequence[Row], over_folds: bool) -> Line:
    points, over = [], ""
    for row in sorted(rows, key=lambda row: row.configuration.labels or 0):
        mean, spread = row.mean("int8"), row.spread("int8", over_folds=over_folds)
        assert mean is not None, "rows without a fold are skipped"
        points.append(Point(row.configuration.labels or 0, mean, spread.value if spread else None))
        over = str(spread) if spread else ""
    return Line(name, tuple(points), over)


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
            strategies = json.loads(path.read_text(encoding="utf-8"))["strategies"]
            for result in strategies:
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
        shared = sorted(set.intersection(*(set(run) for run in runs)))
        points = []
        for labels in shared:
            at_count = [run[labels] for run in runs]
            points.append(Point(labels, fmean(at_count), stdev(at_count) if len(at_count) > 1 else None))
        if points:
            lines.append(Line(strategy, tuple(points), f"over {len(runs)} replays" if len(runs) > 1 else ""))
    return lines


def _of_seed(model: dict[str, Any], place: int, seeds: int) -> float | None:
    if seeds == 1:
        return None if model["suggestions_right"] is None else float(model["suggestions_right"])
    share = model["suggestions_right_by_seed"][place]
    return None if share is None else float(share)


def _reliability(row: Row, kind: str) -> tuple[list[tuple[float, float, int]], float]:
    """Return bins and ECE as `plots.reliability` takes them, of the predictions of all folds and seeds together."""
    predictions = np.array([one for run in row.runs for one in run[f"{kind}_predictions"]], np.float32)
    confidence, correct = predictions[:, 0], predictions[:, 1] > 0
    bins = [(float(s), float(r), int(n)) for s, r, n in zip(*metrics.reliability(confidence, correct), strict=True)]
    return bins, metrics.expected_calibration_error(confidence, correct)


def _draw_by_labels(
    path: Path, arch: str, folds: Sequence[int], lines: Sequence[Line], ceilings: Sequence[Line]
) -> None:
    figure, axis = _figure()
    counts = sorted({point.labels for line in lines for point in line.points})
    axis.set_xscale("log", base=2)
    axis.set_xlim(counts[0] / 1.25, counts[-1] * 1.25)
    axis.set_xticks(counts, [str(count) for count in counts], minor=False)
    axis.minorticks_off()
    _limit(axis, [*lines, *ceilings])
    axis.set_xlabel(f"labels, drawn at random ({_BAND})")
    axis.set_title(
        f"{arch}, int8: clip accuracy, mean of {folds_in_words(folds)}, each the test fold in turn",
        loc="left",
        fontsize=10,
    )
    labels: list[tuple[Line, float, str]] = []
    for line in ceilings:
        (point,) = line.points
        axis.axhline(point.mean, color=_GREY, linewidth=1.2, linestyle=_STYLES[len(labels) % len(_STYLES)])
        if point.spread is not None:
            axis.axhspan(point.mean - point.spread, point.mean + point.spread, color=_GREY, alpha=0.1, linewidth=0)
        labels.append((line, axis.get_xlim()[1], _GREY))
    for place, line in enumerate(lines):
        # Bars at the same number of labels are drawn side by side.
        shift = 2 ** (0.04 * (place - (len(lines) - 1) / 2)) if len(counts) == 1 else 1
        labels.append((line, axis.get_xlim()[1], _draw_line(axis, line, place, shift)))
    _label(axis, labels)
    _save(figure, path)


def _draw_query_strategies(path: Path, lines: Sequence[Line]) -> None:
    figure, axis = _figure()
    ends = [line.points[-1].labels for line in lines]
    axis.set_xlim(0, max(ends) * 1.03)
    stops = sorted({point.labels for line in lines for point in line.points})
    if len(stops) <= _MOST_TICKS:
        axis.set_xticks(stops)
    _limit(axis, lines)
    axis.axhline(0.9, color=_GREY, linewidth=0.8, linestyle=":")
    axis.set_xlabel(f"labels ({_BAND})")
    axis.set_title("Accuracy of the suggestions for unlabelled clips", loc="left", fontsize=10)
    labels = [
        (line, end, _draw_line(axis, line, place)) for place, (line, end) in enumerate(zip(lines, ends, strict=True))
    ]
    _label(axis, labels)
    _save(figure, path)


def _draw_line(axis: Axes, line: Line, place: int, shift: float = 1.0) -> str:
    """Draw a curve and its band; return its colour."""
    colour, style = _COLOURS[place % len(_COLOURS)], _STYLES[place // len(_COLOURS) % len(_STYLES)]
    counts, means = [shift * point.labels for point in line.points], np.array([point.mean for point in line.points])
    axis.plot(counts, means, "o", linestyle=style, color=colour, markersize=4, linewidth=1.8)
    if all(point.spread is not None for point in line.points):
        spreads = np.array([point.spread for point in line.points], float)
        if len(counts) > 1:
            axis.fill_between(counts, means - spreads, means + spreads, color=colour, alpha=0.15, linewidth=0)
        else:
            axis.errorbar(counts, means, spreads, color=colour, capsize=3, linewidth=1.2)
    return colour


def _label(axis: Axes, labels: Sequence[tuple[Line, float, str]]) -> None:
    """Write names and last figures at the ends of curves, moved apart where they would overlap."""
    low, high = axis.get_ylim()
    gap = _LABEL_HEIGHT * (high - low)
    for end in dict.fromkeys(end for _, end, _ in labels):
        here = sorted((one for one in labels if one[1] == end), key=lambda one: one[0].points[-1].mean)
        heights = _apart([line.points[-1].mean for line, _, _ in here], gap, low + gap / 2, high - gap / 2)
        for (line, _, colour), height in zip(here, heights, strict=True):
            last = line.points[-1]
            spread = f" ± {100 * last.spread:.1f} {line.over}" if last.spread is not None else ""
            for text, offset, shade, weight in (
                (line.name, 5, colour, "bold"),
                (f"{100 * last.mean:.1f} %{spread}", -6, _GREY, "normal"),
            ):
                axis.annotate(
                    in_one_line(text),
                    (end, height),
                    (8, offset),
                    textcoords="offset points",
                    va="center",
                    fontsize=9 if weight == "bold" else 8,
                    color=shade,
                    weight=weight,
                    annotation_clip=False,
                    parse_math=False,
                )


def _apart(heights: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Move ascending heights apart by a gap at least, each heap about its middle, and into the bounds."""
    heaps: list[list[float]] = []
    for height in heights:
        heaps.append([height])
        while len(heaps) > 1 and fmean(heaps[-1]) - fmean(heaps[-2]) < gap * (len(heaps[-1]) + len(heaps[-2])) / 2:
            last = heaps.pop()
            heaps[-1] += last
    moved = [fmean(heap) + gap * (place - (len(heap) - 1) / 2) for heap in heaps for place in range(len(heap))]
    return [
        min(max(height, low + gap * place), high - gap * (len(moved) - 1 - place)) for place, height in enumerate(moved)
    ]


def _limit(axis: Axes, lines: Sequence[Line]) -> None:
    lowest = min(point.mean - (point.spread or 0) for line in lines for point in line.points)
    axis.set_ylim(max(0, math.floor(lowest * 20 - 0.5) / 20), 1)
    axis.yaxis.set_major_formatter(lambda share, _: f"{100 * share:.0f} %")
    axis.grid(axis="y", color="#e6e6e6", linewidth=0.8)
    axis.set_axisbelow(True)


def _figure() -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE, dpi=_DPI, layout="constrained")
    axis = figure.subplots()
    axis.spines[["top", "right"]].set_visible(False)
    return figure, axis


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path, metadata={"Software": None})


def _way(configuration: Configuration) -> str:
    """Return in words how a network was trained, without the number of labels."""
    how = "all labels" if configuration.labels is None else "pool" if configuration.pool else "no pool"
    teacher = [f"teacher {configuration.teacher}"] if configuration.teacher else []
    backbone = [f"backbone {configuration.backbone}"] if configuration.backbone else []
    pretrained = [f"embeddings of {configuration.pretrained}"] if configuration.pretrained else []
    return ", ".join([how, *teacher, *backbone, *pretrained, *configuration.settings])


def _described(configuration: Configuration) -> str:
    few = [f"{configuration.labels} labels"] if configuration.labels is not None else []
    return ", ".join([configuration.arch, *few, _way(configuration)])


def _file_name(text: str) -> str:
    return re.sub(r"[^\w.=-]+", "-", text)
