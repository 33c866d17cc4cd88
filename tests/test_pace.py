"""The stopwatch counts answers by hand that stand."""

from __future__ import annotations

from conftest import records_of

from labeltool.annotation import pace
from labeltool.records import Value
from labeltool.store import Store, journal
from labeltool.store.importing import take_in


def test_pace_counts_clips_not_rows_and_leaves_imports_and_what_was_taken_back_out(store: Store) -> None:
    take_in(store, [*records_of("a", "dog"), *records_of("b"), *records_of("c")], kind="esc50", source="test")
    assert pace.measure(store) == pace.Pace(0, None, None, 0, None)
    journal.say(store, 1, "dog", annotator="ann", suggested="dog", took_ms=1000)
    journal.say(store, 2, "cat", annotator="ann", suggested="dog", took_ms=3000)
    journal.say(store, 2, "cow", annotator="ann", took_ms=9000)
    journal.say(store, 3, "dog", Value.ABSENT, annotator="bob", took_ms=500)
    found = pace.measure(store, annotator="ann")
    assert (found.answers, found.clips_per_minute, found.median_ms) == (2, 30.0, 2000)
    assert (found.suggested, found.first_right) == (2, 0.5)
    mark = journal.mark(store)
    assert pace.measure(store).answers == 3
    assert pace.measure(store, since=mark).answers == 0
    journal.undo(store, annotator="bob")
    assert pace.measure(store).answers == 2
