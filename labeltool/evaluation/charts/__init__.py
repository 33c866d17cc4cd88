"""Charts: Vega-Lite specifications, drawn by vl-convert (the extra `report`); `labeltool.report` says why by that.

A specification is JSON, so its values are of any type. Colours are CSS variables of a page, which SVG takes as they
are: so one chart serves light, dark and print. A picture (PNG) has those of the light page.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from labeltool.errors import LabeltoolError, in_one_line
from labeltool.util.files.atomic_write import write_bytes

MAX_LABELS = 24
"""Labels of a chart: more would be a blot; the table has all."""

_MAX_NAME = 28
_FORMS = ("var(--accent)", "var(--second)", "var(--third)")
_TEXT = {
    "labelColor": "var(--dim)",
    "titleColor": "var(--text)",
    "labelFontSize": 12,
    "titleFontSize": 12,
    "titleFontWeight": "normal",
    "labelLimit": 220,
}
_CONFIG = {
    # Texts are measured in another font than they may be shown in.
    "padding": {"left": 14, "right": 36, "top": 6, "bottom": 6},
    "font": "system-ui, sans-serif",
    "view": {"stroke": None},
    "axis": {**_TEXT, "gridColor": "var(--line)", "domainColor": "var(--dim)", "tickColor": "var(--dim)"},
    "legend": {**_TEXT, "labelColor": "var(--text)"},
    "header": {"labelColor": "var(--text)", "titleColor": "var(--text)", "labelFontSize": 12},
    "range": {"category": {"scheme": "tableau20"}},
}
# Of a picture: those of the page where it is light.
_COLOURS = {
    "accent": "#0b6e6e",
    "second": "#b4490f",
    "third": "#5b4bb5",
    "dim": "#526161",
    "text": "#1c2626",
    "line": "#d5dede",
}
_SCALE = 1.5  # pixels of a picture per pixel of a page
_VERSION = "5.21"  # of Vega-Lite

ROW = 20
"""Height of a row of marks, pixels."""

PERCENT = {"format": ".0%"}
"""An axis of shares."""

Spec = dict[str, Any]
"""A specification of Vega-Lite."""


def available() -> bool:
    """Return whether charts can be drawn: whether vl-convert is installed."""
    return find_spec("vl_convert") is not None


def require_available() -> None:
    """Raise a `LabeltoolError` where charts cannot be drawn."""
    if not available():
        raise LabeltoolError("pictures need vl-convert", remedy='`pip install "labeltool[report]"`')


def draw(spec: Spec) -> str:
    """Return a specification as SVG, scaled to the width that there is.

    Raises
    ------
    LabeltoolError
        When it cannot be drawn.
    """
    import vl_convert

    try:
        svg = vl_convert.vegalite_to_svg(_text(spec, None), vl_version=_VERSION)
    except ValueError as error:
        raise _not_drawn(error) from error
    return str(svg).replace("<svg ", '<svg focusable="false" ', 1)


def write_picture(spec: Spec, path: Path) -> None:
    """Write a specification as a picture (PNG); equal ones are equal files.

    Raises
    ------
    LabeltoolError
        When vl-convert is missing, or it cannot be drawn.
    """
    require_available()
    import vl_convert

    try:
        text = _text(spec, "white")
        for name, colour in _COLOURS.items():
            text = text.replace(f"var(--{name})", colour)
        picture = vl_convert.vegalite_to_png(text, vl_version=_VERSION, scale=_SCALE)
    except ValueError as error:
        raise _not_drawn(error) from error
    write_bytes(path, picture)


def _text(spec: Spec, background: str | None) -> str:
    schema = "https://vega.github.io/schema/vega-lite/v5.json"  # names the version; nothing is fetched
    config = {**_CONFIG, "background": background}
    return json.dumps({"$schema": schema, "config": config, **spec}, allow_nan=False)


def _not_drawn(error: ValueError) -> LabeltoolError:
    return LabeltoolError(f"it cannot be drawn: {in_one_line(str(error))[:200]}")


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


def colour(names: Iterable[str]) -> Spec:
    """Return the colour of a mark by its kind, one of these names, with a legend."""
    domain = list(names)
    return {
        "field": "kind",
        "type": "nominal",
        "title": None,
        "scale": {"domain": domain, "range": _FORMS[: len(domain)]},
        "legend": {"orient": "top", "symbolOpacity": 1, "columnPadding": 64},
    }
