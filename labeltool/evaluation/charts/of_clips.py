"""Charts of clips and of detections: the map, call density."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace

from labeltool.evaluation.call_density import CallDensity
from labeltool.evaluation.charts import ROW, Spec, short, short_names
from labeltool.type_aliases import Float32

_NOT_KNOWN = "not known"


def clip_map(
    points: Float32, labels: Sequence[Sequence[str]], *, ids: Sequence[int], errors: Collection[int] = ()
) -> Spec:
    """Return a map: a point for each clip, in their order, coloured by its first label.

    Parameters
    ----------
    points : (clips, 2) float32
    """
    counts = Counter(of_clip[0] for of_clip in labels if of_clip)
    shown = [label for label, _ in counts.most_common(19)]
    names = short_names(shown, reserved=("other labels", "no label"))
    values = [
        {
            "x": float(x),
            "y": float(y),
            "label": names.get(of_clip[0], "other labels") if of_clip else "no label",
            "error": clip_id in errors,
            "text": f"clip {clip_id}: {', '.join(map(short, of_clip[:3])) or 'no label'}",
        }
        for clip_id, of_clip, (x, y) in zip(ids, labels, points, strict=True)
    ]
    order = list(dict.fromkeys([*names.values(), "other labels", "no label"]))
    there = {value["label"] for value in values}
    hidden = {"type": "quantitative", "axis": None, "scale": {"zero": False, "nice": False, "padding": 16}}
    mistake = {"field": "error", "type": "nominal", "legend": None}
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
            "shape": {**mistake, "scale": {"domain": [False, True], "range": ["circle", "diamond"]}},
            "size": {**mistake, "scale": {"domain": [False, True], "range": [55, 170]}},
            "stroke": {"condition": {"test": "datum.error", "value": "var(--text)"}, "value": None},
            "strokeWidth": {"value": 1.5},
            "description": {"field": "text"},
        },
    }


def most_detected(found: CallDensity, max_labels: int, max_sites: int | None = None) -> CallDensity:
    """Return it with the labels, and the sites, that were detected most often, the most frequent label first."""
    events, at_sites = Counter[str](), Counter[str | None]()
    for row in found.rows:
        events[row.label] += row.events
        at_sites[row.site] += row.events
    labels = [label for label, _ in events.most_common(max_labels)]
    sites = {site for site, _ in at_sites.most_common(max_sites)}
    rows = [row for row in found.rows if row.label in labels and row.site in sites]
    return replace(found, rows=tuple(sorted(rows, key=lambda row: labels.index(row.label))))


def density(found: CallDensity) -> Spec:
    """Return detections per hour searched: by date and hour of the day, by hour, by site, or by label alone."""
    labels = short_names(row.label for row in found.rows)
    sites = short_names((row.site for row in found.rows if row.site is not None), reserved=(_NOT_KNOWN,))
    values = [
        {
            "hour": _NOT_KNOWN if row.hour is None else f"{row.hour:02}",
            "day": row.day,
            "site": sites.get(row.site or "", _NOT_KNOWN),
            "label": labels[row.label],
            "rate": row.per_hour,
            "text": f"{labels[row.label]}: {row.events} in {row.hours:.2f} hours",
        }
        for row in found.rows
    ]
    y = {"field": "label", "type": "nominal", "title": None, "sort": list(labels.values())}
    rate = {"field": "rate", "type": "quantitative", "title": "detections per hour"}
    colour = {**rate, "scale": {"scheme": "viridis", "domainMin": 0}}
    if "day" in found.by:
        hours = {"domain": [f"{hour:02}" for hour in range(24)], "reverse": True}
        return {
            "data": {"values": [value for value in values if value["day"] is not None]},
            "width": 760,
            "height": 144,
            "view": {"fill": "#e4e4e4", "stroke": None},  # not searched
            "mark": "rect",
            "encoding": {
                "row": y,
                "x": {"field": "day", "type": "temporal", "timeUnit": "utcyearmonthdate", "title": None},
                "y": {
                    **{"field": "hour", "type": "ordinal", "title": "hour of the day", "scale": hours},
                    "axis": {"values": ["00", "06", "12", "18"]},
                },
                "color": colour,
            },
            "resolve": {"scale": {"color": "independent"}},  # a rare label beside a frequent one
        }
    if not found.by:
        return {
            "data": {"values": values},
            "width": 520,
            "height": {"step": ROW},
            "mark": {"type": "bar", "color": "var(--accent)"},
            "encoding": {"y": y, "x": rate, "description": {"field": "text"}},
        }
    place, title, angle = ("hour", "hour of the day", 0) if "hour" in found.by else ("site", "site", -45)
    return {
        "data": {"values": values},
        "width": {"step": 26},
        "height": {"step": ROW},
        "mark": {"type": "rect"},
        "encoding": {
            "x": {"field": place, "type": "ordinal", "title": title, "axis": {"labelAngle": angle}},
            "y": y,
            "color": colour,
            "description": {"field": "text"},
        },
    }
