"""Annotation statistics count current verdicts by hand."""

from __future__ import annotations

from helpers.records import records_of
from labeltool.annotation import speed
from labeltool.records import Value
from labeltool.store import Store, journal, labels
from labeltool.store.importing import import_records
from labeltool.store.journal import AnnotationContext


def test_statistics_count_clips_and_exclude_imports_and_undone_verdicts(store: Store) -> None:
    import_records(store, [*records_of("a", "dog"), *records_of("b"), *records_of("c")], kind="esc50", source="test")
    assert speed.annotation_statistics(store) == speed.AnnotationStatistics(0, None, None, 0, None)
    journal.annotate(store, 1, "dog", annotator="ann", context=AnnotationContext(suggested="dog", response_ms=1000))
    journal.annotate(store, 2, "cat", annotator="ann", context=AnnotationContext(suggested="dog", response_ms=3000))
    journal.annotate(store, 2, "cow", annotator="ann", context=AnnotationContext(response_ms=9000))
    journal.annotate(store, 3, "dog", Value.ABSENT, annotator="bob", context=AnnotationContext(response_ms=500))
    found = speed.annotation_statistics(store, annotator="ann")
    assert (found.answers, found.clips_per_minute, found.median_ms) == (2, 30.0, 2000)
    assert (found.suggested, found.first_right) == (2, 0.5)
    mark = journal.newest_id(store)
    assert speed.annotation_statistics(store).answers == 3
    assert speed.annotation_statistics(store, since=mark).answers == 0
    journal.undo(store, annotator="bob")
    assert speed.annotation_statistics(store).answers == 2


def test_a_suggestion_under_a_former_name_of_the_label_is_right(store: Store) -> None:
    import_records(store, records_of("a"), kind="esc50", source="test")
    journal.annotate(store, 1, "dog", annotator="ann", context=AnnotationContext(suggested="dog"))
    labels.rename(store, "dog", "hound", annotator="ann")
    assert speed.annotation_statistics(store).first_right == 1.0
