"""The parts of the Regions view: viewport, selection and lanes."""

from __future__ import annotations

import numpy as np
import pytest

from labeltool.records import Value
from labeltool.store import spans
from labeltool.store.spans import Region
from labeltool.tui.media.selection import Edge, Selection
from labeltool.tui.media.viewport import Viewport
from labeltool.tui.widgets.span_lanes import arrange, span_text


def test_a_viewport_stays_in_the_recording_and_zooms_about_a_moment() -> None:
    viewport = Viewport(7200.0)
    viewport.zoom(0.5, 15.0)
    assert (viewport.start_s, viewport.end_s) == (7.5, 37.5)
    for _ in range(40):
        viewport.zoom(0.5, 20.0)
    assert viewport.span_s == 0.1 and viewport.share(20.0) == pytest.approx(0.4167, abs=0.01)
    for _ in range(40):
        viewport.zoom(2.0, 20.0)
    assert (viewport.start_s, viewport.end_s) == (0.0, 7200.0)
    viewport.put(9000.0, 10.0)
    assert (viewport.start_s, viewport.end_s) == (7190.0, 7200.0)
    assert not viewport.follow(7195.0) and viewport.follow(7000.0) and viewport.start_s < 7000.0 < viewport.end_s
    viewport.show(100.0, 160.0)
    assert viewport.start_s < 100.0 and viewport.end_s > 160.0
    assert Viewport(0.01).span_s == 0.01


def test_start_and_end_never_cross_and_the_edges_of_the_frequency_range_never_meet() -> None:
    selection = Selection()
    selection.set_start(5.0)
    selection.set_end(4.0)
    assert (selection.start_s, selection.end_s, selection.region) == (None, 4.0, None)
    selection.set_start(3.0)
    assert selection.region == Region(3.0, 4.0)
    assert selection.move_boundary(3.0, 3.5) and selection.region == Region(3.5, 4.0)
    assert not selection.move_boundary(3.5, 4.5) and not selection.move_boundary(1.0, 2.0)
    assert selection.move_boundary(4.0, 6.0) and selection.region == Region(3.5, 6.0)
    band_hz = np.linspace(100.0, 4000.0, 40)
    selection.next_edge(band_hz)
    assert selection.edge is Edge.TOP
    for _ in range(60):
        selection.move_edge(-3, band_hz)
    assert selection.low_hz is not None and selection.high_hz is not None and selection.low_hz < selection.high_hz
    selection.next_edge(band_hz)
    for _ in range(60):
        selection.move_edge(-3, band_hz)
    assert selection.low_hz == 100.0
    selection.next_edge(band_hz)
    assert selection.edge is None
    selection.clear_frequency_range()
    assert selection.region == Region(3.5, 6.0)


def test_lanes_keep_blocks_apart_and_count_the_spans_that_do_not_fit() -> None:
    labels = [
        spans.Span(spans.Kind.VERDICT, 1, start, start + 10.0, "owl", value=Value.PRESENT) for start in (0, 2, 4, 20)
    ]
    suggestion = spans.Span(spans.Kind.SUGGESTION, 2, 0.0, 60.0, "rain", probability=0.7)
    lanes, skipped = arrange([suggestion, *labels], Viewport(60.0, 0.0, 60.0), 60, 2)
    assert [[(block.first, block.last) for block in lane] for lane in lanes] == [[(0, 10), (20, 30)], [(2, 12)]]
    assert skipped == 2
    assert lanes[0][0].until == 10 and span_text(suggestion) == "rain 70% ?"
    point = spans.Span(spans.Kind.VERDICT, 3, 30.0, 30.0, "click", value=Value.PRESENT)
    ((block,),), _ = arrange([point], Viewport(60.0, 0.0, 60.0), 60, 1)
    assert (block.first, block.last, block.until) == (30, 31, 36)
