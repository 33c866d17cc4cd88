"""Charts of what was measured of a model."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from labeltool.evaluation.charts import MAX_LABELS, PERCENT, ROW, Spec, colour, short_names
from labeltool.evaluation.intervals import Share
from labeltool.evaluation.operating_points import Row
from labeltool.networks.model_card import ReliabilityBin

CURVES = ("validation, float", "validation, int8", "evaluated, float")
"""What a learning curve has of each model."""

_SHARES: Spec = {"type": "quantitative", "axis": PERCENT, "scale": {"domain": [0, 1]}}
_CELL = 24  # pixels


def learning_curve(models: Iterable[tuple[int, int, Sequence[float | None]]]) -> Spec:
    """Return accuracy by labelled clips, of models by id, number of clips, and the accuracies that `CURVES` names."""
    values = [
        {"clips": labels_seen, "share": share, "kind": name, "text": f"model {model}: {name} {share:.1%}"}
        for model, labels_seen, shares in models
        for name, share in zip(CURVES, shares, strict=True)
        if share is not None
    ]
    dashes = {"domain": CURVES, "range": [[1, 0], [6, 3], [1, 0]]}
    return {
        "data": {"values": values},
        "width": 620,
        "height": 240,
        # Evaluations may be of different clips: no line joins them.
        "layer": [
            {
                "transform": [{"filter": {"field": "kind", "oneOf": CURVES[:2]}}],
                "mark": {"type": "line", "strokeWidth": 2},
            },
            {"mark": {"type": "point", "size": 50, "filled": True, "opacity": 1}},
        ],
        "encoding": {
            "x": {"field": "clips", "type": "quantitative", "title": "labelled clips", "scale": {"zero": True}},
            "y": {**_SHARES, "field": "share", "title": "right"},
            "color": colour(CURVES),
            "strokeDash": {"field": "kind", "legend": None, "scale": dashes},
            "description": {"field": "text"},
        },
    }


def loss_curve(losses: Iterable[Sequence[float]]) -> Spec:
    """Return a model's training loss by step, of which it takes pairs."""
    return {
        "data": {"values": [{"step": step, "loss": loss} for step, loss in losses]},
        "width": 620,
        "height": 160,
        "mark": {"type": "line", "strokeWidth": 2, "color": "var(--accent)"},
        "encoding": {
            "x": {"field": "step", "type": "quantitative"},
            "y": {"field": "loss", "type": "quantitative", "title": "training loss"},
        },
    }


def shares_by_label(rows: Iterable[tuple[str, Sequence[Share | None]]], kinds: Sequence[str], title: str) -> Spec:
    """Return two shares of each label, such as precision and recall, with their intervals, named by `kinds`."""
    values = [
        {**_share(share), "label": label, "kind": kind}
        for label, of_label in rows
        for kind, share in zip(kinds, of_label, strict=True)
        if share is not None
    ]
    x = {**_SHARES, "title": title}
    return {
        "data": {"values": values},
        "width": 520,
        "height": {"step": ROW},
        "encoding": {
            "y": {"field": "label", "type": "nominal", "title": None, "sort": None},
            "yOffset": {"field": "kind", "scale": {"domain": kinds}},
            "color": colour(kinds),
            "description": {"field": "text"},
        },
        "layer": [
            {
                "mark": {"type": "rule", "strokeWidth": 2},
                "encoding": {"x": {**x, "field": "low"}, "x2": {"field": "high"}},
            },
            {
                "mark": {"type": "point", "filled": True, "size": 60, "opacity": 1},
                "encoding": {"x": {**x, "field": "value"}},
            },
        ],
    }


def confusion(matrices: Mapping[str, Sequence[Sequence[int]]], labels: Sequence[str], unseen: Collection[str]) -> Spec:
    """Return confusion matrices, (labels, labels), for "float" and "int8" side by side; rows are the true labels."""
    names = [name + ", not trained" * (label in unseen) for label, name in short_names(labels).items()]
    values = [
        {"form": form, "true": names[row], "predicted": names[column], "count": count, "share": count / sum(counts)}
        for form, matrix in matrices.items()
        for row, counts in enumerate(matrix)
        for column, count in enumerate(counts)
        if count
    ]
    step = max(6, min(_CELL, 1200 // len(names)))
    axis = {"type": "nominal", "scale": {"domain": names}, "axis": {"labelOverlap": True}}
    shares = {"field": "share", "type": "quantitative", "legend": None, "scale": {"scheme": "blues", "domain": [0, 1]}}
    on_dark = {"condition": {"test": "datum.share > 0.55", "value": "white"}, "value": "black"}
    layers: list[Spec] = [
        {"mark": "rect", "encoding": {"color": shares}},
        {"mark": {"type": "text", "fontSize": 10}, "encoding": {"text": {"field": "count"}, "color": on_dark}},
    ]
    return {
        "data": {"values": values},
        "facet": {"column": {"field": "form", "type": "nominal", "title": None}},
        "spec": {
            "width": {"step": step},
            "height": {"step": step},
            "encoding": {
                "x": {**axis, "field": "predicted", "title": "predicted label"},
                "y": {**axis, "field": "true", "title": "true label"},
            },
            "layer": layers if step == _CELL else layers[:1],  # numbers in smaller cells could not be read
        },
    }


def calibration(curves: Mapping[str, Sequence[ReliabilityBin]]) -> Spec:
    """Return the calibration diagram: accuracy by confidence, the size of a point by the number of predictions.

    Parameters
    ----------
    curves
        The bins of two forms of a model, by the names of those.
    """
    values = [
        {
            **{"confidence": confidence, "accuracy": accuracy, "count": count, "kind": kind},
            "text": f"{kind}: {count} predictions at {confidence:.0%}, {accuracy:.0%} right",
        }
        for kind, bins in curves.items()
        for confidence, accuracy, count in bins
    ]
    x, y = {**_SHARES, "title": "confidence"}, {**_SHARES, "title": "right"}
    return {
        "width": 300,
        "height": 300,
        "layer": [
            {
                "data": {"values": [{"at": 0.0}, {"at": 1.0}]},
                "mark": {"type": "line", "strokeDash": [4, 4], "color": "var(--dim)", "aria": False},
                "encoding": {"x": {**x, "field": "at"}, "y": {**y, "field": "at"}},
            },
            {
                "data": {"values": values},
                "mark": {"type": "point", "filled": True, "opacity": 0.8},
                "encoding": {
                    "x": {**x, "field": "confidence"},
                    "y": {**y, "field": "accuracy"},
                    "color": colour(curves),
                    "shape": {
                        "field": "kind",
                        "legend": {"orient": "top", "title": None},
                        "scale": {"domain": [*curves], "range": ["circle", "square"]},
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


def thresholds(rows: Sequence[Row]) -> Spec:
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
    y = {**_SHARES, "axis": {**PERCENT, "tickCount": 3}, "title": None}
    return {
        "data": {"values": values},
        "columns": 4,
        "facet": {"field": "label", "type": "nominal", "title": None, "sort": None},
        "spec": {
            "width": 130,
            "height": 90,
            "encoding": {"x": x, "color": colour(("precision", "recall"))},
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


def _share(share: Share) -> Spec:
    text = f"{share.value:.0%}, between {share.low:.0%} and {share.high:.0%}"
    return {"value": share.value, "low": share.low, "high": share.high, "text": text}
