"""The charts of a report: Vega-Lite specifications, drawn as SVG by vl-convert; see the package for why.

A specification is JSON, so its values are of any type. Colours are CSS variables of the page, which SVG takes as they
are: so one chart serves light, dark and print.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from typing import Any

from labeltool.errors import LabeltoolError, in_one_line
from labeltool.evaluation.call_density import CallDensity
from labeltool.evaluation.intervals import Share
from labeltool.evaluation.thresholds import ThresholdRow
from labeltool.report.contents import Bin, ClassFigures, CurvePoint, MapPart

MAX_LABELS = 24
"""Labels of a chart: more would be a blot; the table has all."""

_MAX_NAME = 28
_FORMS = ("var(--accent)", "var(--second)", "var(--third)")
_ROW = 20
_FONT = "system-ui, sans-serif"
_CONFIG: dict[str, Any] = {
    "background": None,
    # Texts are measured in another font than they may be shown in.
    "padding": {"left": 14, "right": 36, "top": 6, "bottom": 6},
    "font": _FONT,
    "view": {"stroke": None},
    "axis": {
        "labelColor": "var(--dim)",
        "titleColor": "var(--text)",
        "gridColor": "var(--line)",
        "domainColor": "var(--dim)",
        "tickColor": "var(--dim)",
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "labelLimit": 220,
    },
    "legend": {
        "labelColor": "var(--text)",
        "titleColor": "var(--text)",
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "labelLimit": 220,
    },
    "header": {"labelColor": "var(--text)", "titleColor": "var(--text)", "labelFontSize": 12},
    "range": {"category": {"scheme": "tableau20"}},
}
_PERCENT = {"format": ".0%"}
_Spec = dict[str, Any]


def available() -> bool:
    """Return whether charts can be drawn: whether vl-convert is installed."""
    return find_spec("vl_convert") is not None


def draw(spec: _Spec) -> str:
    """Return a specification as SVG, scaled to the width that there is.

    Raises
    ------
    LabeltoolError
        When it cannot be drawn.
    """
    import vl_convert

    schema = "https://vega.github.io/schema/vega-lite/v5.json"  # names the version; nothing is fetched
    try:
        text = json.dumps({"$schema": schema, "config": _CONFIG, **spec}, allow_nan=False)
        svg = vl_convert.vegalite_to_svg(text, vl_version="5.21")
    except ValueError as error:
        raise LabeltoolError(f"it cannot be drawn: {in_one_line(str(error))[:200]}") from error
    return str(svg).replace("<svg ", '<svg focusable="false" ', 1)


def short(label: str) -> str:
    """Return a label in one line, shortened for an axis."""
    line = in_one_line(label)
    return line if len(line) <= _MAX_NAME else line[: _MAX_NAME - 1] + "…"


def short_names(labels: Iterable[str], reserved: Iterable[str] = ()) -> dict[str, str]:
    """Return each label shortened for an axis, with a number where others, or reserved names, would be the same."""
    names, taken = dict[str, str](), set(reserved)
    for label in dict.fromkeys(labels):
        name, number = short(label), 1
        while name in taken:
            number += 1
            name = f"{short(label)} ({number})"
        taken.add(name)
        names[label] = name
    return names


def learning_curve(points: Sequence[CurvePoint]) -> _Spec:
    """Return accuracy by labelled clips: of validation, float and int8, and of stored evaluations."""
    names = ("validation, float", "validation, int8", "evaluated, float")
    values = [
        {"clips": one.labels_seen, "share": share, "kind": name, "text": f"model {one.model}: {name} {share:.1%}"}
        for one in points
        for name, share in zip(names, (one.validation, one.validation_int8, one.tested), strict=True)
        if share is not None
    ]
    return {
        "data": {"values": values},
        "width": 620,
        "height": 240,
        # Evaluations may be of different clips: no line joins them.
        "layer": [
            {
                "transform": [{"filter": {"field": "kind", "oneOf": names[:2]}}],
                "mark": {"type": "line", "strokeWidth": 2},
            },
            {"mark": {"type": "point", "size": 50, "filled": True, "opacity": 1}},
        ],
        "encoding": {
            "x": {"field": "clips", "type": "quantitative", "title": "labelled clips", "scale": {"zero": True}},
            "y": {
                "field": "share",
                "type": "quantitative",
                "title": "right",
                "axis": _PERCENT,
                "scale": {"domain": [0, 1]},
            },
            "color": _colour("kind", names),
            "strokeDash": {
                "field": "kind",
                "legend": None,
                "scale": {"domain": names, "range": [[1, 0], [6, 3], [1, 0]]},
            },
            "description": {"field": "text"},
        },
    }


def class_figures(rows: Sequence[ClassFigures]) -> _Spec:
    """Return precision and recall of each label with their intervals, float."""
    labels = short_names(row.label for row in rows[:MAX_LABELS])
    values = [
        {**_share(share), "label": labels[row.label], "kind": kind}
        for row in rows[:MAX_LABELS]
        for kind, share in (("precision", row.precision), ("recall", row.recall))
        if share is not None
    ]
    y = {"field": "label", "type": "nominal", "title": None, "sort": None}
    offset = {"field": "kind", "scale": {"domain": ["precision", "recall"]}}
    colour = _colour("kind", ("precision", "recall"))
    x = {"type": "quantitative", "axis": _PERCENT, "scale": {"domain": [0, 1]}, "title": "with 95 % intervals"}
    return {
        "data": {"values": values},
        "width": 520,
        "height": {"step": _ROW},
        "encoding": {"y": y, "yOffset": offset, "color": colour},
        "layer": [
            {
                "mark": {"type": "rule", "strokeWidth": 2},
                "encoding": {"x": {**x, "field": "low"}, "x2": {"field": "high"}, "description": {"field": "text"}},
            },
            {
                "mark": {"type": "point", "filled": True, "size": 60, "opacity": 1},
                "encoding": {"x": {**x, "field": "value"}, "description": {"field": "text"}},
            },
        ],
    }


def calibration(as_float: Sequence[Bin], as_int8: Sequence[Bin]) -> _Spec:
    """Return the calibration diagram: accuracy by confidence, the size of a point by the number of predictions."""
    values = [
        {
            "confidence": one.confidence,
            "accuracy": one.accuracy,
            "count": one.count,
            "kind": kind,
            "text": f"{kind}: {one.count} predictions at {one.confidence:.0%}, {one.accuracy:.0%} right",
        }
        for kind, bins in (("float", as_float), ("int8", as_int8))
        for one in bins
    ]
    axis = {"type": "quantitative", "axis": _PERCENT, "scale": {"domain": [0, 1]}}
    return {
        "width": 300,
        "height": 300,
        "layer": [
            {
                "data": {"values": [{"at": 0.0}, {"at": 1.0}]},
                "mark": {"type": "line", "strokeDash": [4, 4], "color": "var(--dim)", "aria": False},
                "encoding": {
                    "x": {**axis, "field": "at", "title": "confidence"},
                    "y": {**axis, "field": "at", "title": "right"},
                },
            },
            {
                "data": {"values": values},
                "mark": {"type": "point", "filled": True, "opacity": 0.8},
                "encoding": {
                    "x": {**axis, "field": "confidence", "title": "confidence"},
                    "y": {**axis, "field": "accuracy", "title": "right"},
                    "color": _colour("kind", ("float", "int8")),
                    "shape": {
                        "field": "kind",
                        "legend": {"orient": "top", "title": None},
                        "scale": {"domain": ["float", "int8"], "range": ["circle", "square"]},
                    },
                    "size": {
                        "field": "count",
                        "type": "quantitative",
                        "title": "predictions",
                        "scale": {"range": [30, 400]},
                        "legend": {"symbolFillColor": "var(--dim)", "tickCount": 3, "format": "d"},
                    },
                    "description": {"field": "text"},
                },
            },
        ],
    }


def thresholds(rows: Sequence[ThresholdRow]) -> _Spec:
    """Return precision and recall by threshold, a small chart for each label."""
    labels = short_names(list(dict.fromkeys(row.label for row in rows))[:MAX_LABELS])
    values = [
        {**_share(share), "threshold": row.threshold, "label": labels[row.label], "kind": kind}
        for row in rows
        if row.label in labels
        for kind, share in (("precision", row.precision), ("recall", row.recall))
        if share is not None
    ]
    x = {"field": "threshold", "type": "quantitative", "axis": {"tickCount": 3}, "scale": {"domain": [0, 1]}}
    y = {"type": "quantitative", "axis": {**_PERCENT, "tickCount": 3}, "scale": {"domain": [0, 1]}, "title": None}
    colour = _colour("kind", ("precision", "recall"))
    return {
        "data": {"values": values},
        "columns": 4,
        "facet": {"field": "label", "type": "nominal", "title": None, "sort": None},
        "spec": {
            "width": 130,
            "height": 90,
            "encoding": {"x": x, "color": colour},
            "layer": [
                {
                    "mark": {"type": "area", "opacity": 0.2, "aria": False},
                    "encoding": {"y": {**y, "field": "low"}, "y2": {"field": "high"}},
                },
                {
                    "mark": {"type": "line", "strokeWidth": 2},
                    "encoding": {"y": {**y, "field": "value"}, "description": {"field": "kind"}},
                },
            ],
        },
    }


def clip_map(part: MapPart) -> _Spec:
    """Return the map: a point for each clip, in their order, coloured by its first label."""
    from collections import Counter

    counts = Counter(one.labels[0] for one in part.clips if one.labels)
    shown = [label for label, _ in counts.most_common(19)]
    names = short_names(shown, reserved=("other labels", "no label"))
    values = [
        {
            "x": float(x),
            "y": float(y),
            "label": names.get(one.labels[0], "other labels") if one.labels else "no label",
            "error": one.mistake,
            "text": f"clip {one.clip}: {', '.join(map(short, one.labels[:3])) or 'no label'}",
        }
        for one, (x, y) in zip(part.clips, part.points, strict=True)
    ]
    order = list(dict.fromkeys([*names.values(), "other labels", "no label"]))
    there = {value["label"] for value in values}
    hidden = {"type": "quantitative", "axis": None, "scale": {"zero": False, "nice": False, "padding": 16}}
    return {
        "data": {"values": values},
        "width": 860,
        "height": 520,
        "mark": {"type": "point", "filled": True, "opacity": 0.9},
        "encoding": {
            "x": {"field": "x", **hidden},
            "y": {"field": "y", **hidden},
            "color": {
                "field": "label",
                "type": "nominal",
                "title": None,
                "scale": {"domain": [name for name in order if name in there], "scheme": "tableau20"},
            },
            "shape": {
                "field": "error",
                "type": "nominal",
                "legend": None,
                "scale": {"domain": [False, True], "range": ["circle", "diamond"]},
            },
            "size": {
                "field": "error",
                "type": "nominal",
                "legend": None,
                "scale": {"domain": [False, True], "range": [55, 170]},
            },
            "stroke": {"condition": {"test": "datum.error", "value": "var(--text)"}, "value": None},
            "strokeWidth": {"value": 1.5},
            "description": {"field": "text"},
        },
    }


def density(found: CallDensity) -> _Spec:
    """Return detections per hour searched, by hour of the day, by site, or by label alone."""
    by = found.by[0] if found.by else None
    totals: dict[str, float] = {}
    for row in found.rows:
        totals[row.label] = totals.get(row.label, 0.0) + row.events
    labels = short_names(sorted(totals, key=lambda label: -totals[label])[:MAX_LABELS])
    sites = short_names((row.site for row in found.rows if row.site is not None), reserved=("not known",))
    values = [
        {
            "place": ("not known" if row.hour is None else f"{row.hour:02}")
            if by == "hour"
            else sites.get(row.site or "", "not known"),
            "label": labels[row.label],
            "rate": row.per_hour,
            "text": f"{labels[row.label]}: {row.events} in {row.hours:.2f} hours",
        }
        for row in found.rows
        if row.label in labels
    ]
    y = {"field": "label", "type": "nominal", "title": None, "sort": list(labels.values())}
    rate = {"field": "rate", "type": "quantitative", "title": "detections per hour"}
    if by is None:
        return {
            "data": {"values": values},
            "width": 520,
            "height": {"step": _ROW},
            "mark": {"type": "bar", "color": "var(--accent)"},
            "encoding": {"y": y, "x": rate, "description": {"field": "text"}},
        }
    title, angle = ("hour of the day", 0) if by == "hour" else ("site", -45)
    return {
        "data": {"values": values},
        "width": {"step": 26},
        "height": {"step": _ROW},
        "mark": {"type": "rect"},
        "encoding": {
            "x": {
                "field": "place",
                "type": "ordinal",
                "title": title,
                "axis": {"labelAngle": angle},
            },
            "y": y,
            "color": {**rate, "scale": {"scheme": "viridis", "domainMin": 0}},
            "description": {"field": "text"},
        },
    }


def _colour(field: str, names: Iterable[str]) -> _Spec:
    domain = list(names)
    return {
        "field": field,
        "type": "nominal",
        "title": None,
        "scale": {"domain": domain, "range": _FORMS[: len(domain)]},
        "legend": {"orient": "top", "symbolOpacity": 1, "columnPadding": 64},
    }


def _share(share: Share) -> _Spec:
    text = f"{share.value:.0%}, between {share.low:.0%} and {share.high:.0%}"
    return {"value": share.value, "low": share.low, "high": share.high, "text": text}
