"""Render a report as one HTML page: Jinja for the page, `charts` for the charts, sounds and pictures inlined."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.resources import files
from typing import TYPE_CHECKING

from labeltool.errors import LabeltoolError, in_one_line
from labeltool.evaluation import charts
from labeltool.evaluation.charts import of_clips, of_model
from labeltool.evaluation.thresholds import SHOWN_THRESHOLDS
from labeltool.pages.render import render
from labeltool.report.contents import ClassFigures, MapClip, Missing, ModelPart, Report

if TYPE_CHECKING:
    from markupsafe import Markup

_MAX_CONFUSED = 60
"""Labels of the confusion matrix; of more, those that are confused most often."""

_CHARTS = {
    "curve": "learning curve",
    "by_label": "precision and recall by label",
    "calibration": "calibration",
    "thresholds": "thresholds",
    "map": "map of clips",
    "density": "call density",
}
# Of each clip of the map: with very long ones of 1500 clips a page would be too large.
_MAX_LABELS_TEXT, _MAX_NAME = 100, 160


def render_report(report: Report) -> tuple[str, bool]:
    """Return the page, and whether it has charts: without vl-convert it has their tables alone."""
    drawn, failed = _charts(report) if charts.available() else ({}, [])
    drawn = {**dict.fromkeys(_CHARTS), **drawn}
    report = replace(report, missing=(*report.missing, *failed))
    labels = _labels(report)
    text = render(
        "labeltool.report",
        "page.html",
        script=files("labeltool.report").joinpath("report.js").read_text(encoding="utf-8"),
        report=report,
        data=report.data_set,
        model=report.model,
        charts=drawn,
        labels=labels,
        place={label: number for number, label in enumerate(labels)},
        points=_points(report.map.clips) if report.map else [],
        most=max((one.clips for one in report.data_set.classes), default=0),
        confused=_confused(report.model),
        by_threshold=_by_threshold(report.model),
        worst_first=sorted(report.model.by_label, key=_recall) if report.model else [],
        base64=lambda content: base64.b64encode(content).decode(),
    )
    return text, any(drawn.values())


def _charts(report: Report) -> tuple[dict[str, Markup | None], list[Missing]]:
    """Return the charts that there is something to draw for, by name, and those that cannot be drawn."""
    from markupsafe import Markup

    specs = {}
    if (model := report.model) is not None:
        if any(one.validation is not None or one.tested is not None for one in model.curve):
            specs["curve"] = of_model.learning_curve(one.row for one in model.curve)
        shown = sorted(model.by_label, key=_recall)[: charts.MAX_LABELS]
        names = charts.short_names(one.label for one in shown)
        by_label = [(names[one.label], (one.precision, one.recall)) for one in shown]
        specs["by_label"] = of_model.shares_by_label(by_label, ("precision", "recall"), "with 95 % intervals")
        specs["calibration"] = of_model.calibration({"float": model.calibration, "int8": model.int8_calibration})
        specs["thresholds"] = of_model.thresholds(model.thresholds)
    if report.map is not None:
        clips = report.map.clips
        specs["map"] = of_clips.clip_map(
            report.map.points,
            [one.labels for one in clips],
            ids=[one.clip for one in clips],
            errors={one.clip for one in clips if one.mistake},
        )
    if report.density is not None and report.density.rows:
        specs["density"] = of_clips.density(of_clips.most_detected(report.density, charts.MAX_LABELS))
    drawn, failed = dict[str, Markup | None](), list[Missing]()
    for name, spec in specs.items():
        try:
            drawn[name] = Markup(charts.draw(spec))  # Vega escapes every text of its SVG
        except LabeltoolError as error:
            failed.append(Missing(f"the chart: {_CHARTS[name]}", error.reason))
    return drawn, failed


def _labels(report: Report) -> list[str]:
    """Return the labels that errors are found by: those of the confusion matrix, then any others of errors."""
    names = list(report.model.labels) if report.model else []
    for one in report.mistakes.shown if report.mistakes else ():
        names += one.true + one.predicted
    return list(dict.fromkeys(names))


def _points(clips: Sequence[MapClip]) -> list[dict[str, object]]:
    """Return what the page's script knows of each point of the map, in their order."""
    return [
        {
            "clip": one.clip,
            "labels": _cut(in_one_line(", ".join(one.labels)), _MAX_LABELS_TEXT),
            "predicted": _cut(in_one_line(one.predicted), _MAX_LABELS_TEXT),
            "name": one.name if len(one.name) <= _MAX_NAME else "…" + one.name[1 - _MAX_NAME :],
            "error": one.mistake,
            "sound": base64.b64encode(one.sound).decode() if one.sound else "",
        }
        for one in clips
    ]


def _cut(text: str, characters: int) -> str:
    return text if len(text) <= characters else text[: characters - 1] + "…"


def _confused(model: ModelPart | None) -> list[int]:
    """Return the labels of the confusion matrix, by their place: all, or of many those with the most errors."""
    if model is None or len(model.labels) <= _MAX_CONFUSED:
        return list(range(len(model.labels))) if model else []
    wrong = [
        sum(row) + sum(other[place] for other in model.confusion) - 2 * row[place]
        for place, row in enumerate(model.confusion)
    ]
    return sorted(sorted(range(len(wrong)), key=lambda place: -wrong[place])[:_MAX_CONFUSED])


def _by_threshold(model: ModelPart | None) -> Mapping[str, Mapping[float, object]]:
    found: dict[str, dict[float, object]] = {}
    for row in model.thresholds if model else ():
        if row.threshold in SHOWN_THRESHOLDS:
            found.setdefault(row.label, {})[row.threshold] = row
    return found


def _recall(row: ClassFigures) -> tuple[float, str]:
    return (row.recall.value if row.recall else 2.0), row.label
