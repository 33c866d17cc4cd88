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

from esc10_results import KINDS, Row, folds_in_words, pooled

from labeltool.errors import LabeltoolError, in_one_line
from labeltool.evaluation import charts, metrics
from labeltool.evaluation.charts import Spec, of_model

# Okabe and Ito's colours, safe for colour-blind readers, without those too light for text.
_COLOURS = ("#0072B2", "#D55E00", "#007A5A", "#8A4B78", "#000000")
_DASHES = ([1, 0], [6, 3], [10, 2, 2, 2])
_STROKE = {"symbolType": "stroke", "symbolSize": 400, "symbolOpacity": 1, "symbolStrokeWidth": 2}
_LEGEND = {"title": None, "orient": "bottom", "columns": 1, "labelLimit": 0, **_STROKE}


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
            charts.write_picture(_curves(title, by_labels(of_network)), written[-1])
    if simulations:
        written.append(folder / "query-strategies.png")
        title = "Accuracy of the suggestions for unlabelled clips"
        charts.write_picture(_curves(title, simulations), written[-1])
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


def _curves(title: str, lines: Sequence[Line]) -> Spec:
    """Return lines with a band of one standard deviation, and each level dotted over the whole width."""
    values = [
        {
            "labels": labels,
            "share": mean,
            "low": mean - (spread or 0),
            "high": mean + (spread or 0),
            "line": line.legend,
        }
        for line in lines
        for labels, mean, spread in line.points
    ]
    names = [line.legend for line in lines]
    dashes = [
        [2, 3] if line.points[0][0] == 0 else _DASHES[place // len(_COLOURS) % len(_DASHES)]
        for place, line in enumerate(lines)
    ]
    by_line = {"field": "line", "type": "nominal", "legend": _LEGEND}
    lowest = max(0, math.floor(min(value["low"] for value in values) * 20 - 0.5) / 20)
    share = {"type": "quantitative", "title": "right", "axis": charts.PERCENT, "scale": {"domain": [lowest, 1]}}
    x = {"field": "labels", "type": "quantitative", "title": "labels (band: one standard deviation)"}
    y = {**share, "field": "share"}
    curves = [{"filter": "datum.labels > 0"}]
    return {
        "title": {"text": title, "anchor": "start", "fontSize": 13},
        "data": {"values": values},
        "width": 620,
        "height": 340,
        "layer": [
            {
                "transform": curves,
                "mark": {"type": "area", "opacity": 0.15},
                "encoding": {"x": x, "y": {**share, "field": "low"}, "y2": {"field": "high"}},
            },
            {
                "transform": curves,
                "mark": {"type": "line", "strokeWidth": 2, "point": {"size": 30}},
                "encoding": {"x": x, "y": y},
            },
            {"transform": [{"filter": "datum.labels == 0"}], "mark": "rule", "encoding": {"y": y}},
        ],
        "encoding": {
            "color": {**by_line, "scale": {"domain": names, "range": _COLOURS}},
            "strokeDash": {**by_line, "scale": {"domain": names, "range": dashes}},
        },
    }


def _file_name(text: str) -> str:
    return re.sub(r"[^\w.=]+", "-", text)
