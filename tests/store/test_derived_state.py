"""Columns, tables and lists that are derived from the journal agree with it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from helpers.records import records_of
from helpers.store import add_model_row, current, fill
from labeltool.annotation import listing, next_clips
from labeltool.errors import LabeltoolError
from labeltool.records import Suggestion, Value
from labeltool.store import Store, clips, journal, labels, models, queue, recordings
from labeltool.store.importing import import_records
from labeltool.store.importing.undo import undo_last_import

WHO = st.sampled_from(["ann", "bob"])


CLIP = st.integers(1, 3)


LABEL = st.sampled_from(["dog", "cat", "hound"])


EVENTS = st.one_of(
    st.tuples(st.just("annotate"), WHO, CLIP, LABEL | st.none(), st.sampled_from(list(Value))),
    st.tuples(st.just("exclude"), WHO, CLIP, st.sampled_from(["skip", "bad audio"])),
    st.tuples(st.sampled_from(["undo", "redo"]), WHO),
    st.tuples(st.just("rename"), WHO, LABEL, LABEL),
    st.tuples(st.just("import"), st.sampled_from("abc"), st.sampled_from(["dog", "cat"])),
    st.tuples(st.just("undo import"), WHO),
    st.tuples(st.just("suggest"), CLIP, st.integers(1, 2)),
    st.tuples(st.just("order"), st.permutations([1, 2, 3])),
    st.tuples(st.just("region"), WHO),
    st.tuples(st.sampled_from(["remove", "bring_back"]), WHO, CLIP),
)


@given(events=st.lists(EVENTS, max_size=25))
def test_derived_columns_and_tables_agree_with_the_journal(
    events: list[tuple], new_store: Callable[..., Store]
) -> None:
    with new_store() as store:
        fill(store, "a", "b", "c")
        for _ in range(2):
            add_model_row(store)
        for kind, *values in events:
            with suppress(LabeltoolError):  # a renaming that makes no sense
                apply_event(store, kind, *values)
        clip_ids = [row[0] for row in store.connection.execute("SELECT id FROM clips ORDER BY id")]
        assert current(store) == annotations_from_journal(store)
        labelled = {
            row[0]
            for row in store.connection.execute(
                "SELECT DISTINCT clip_id FROM active_events WHERE kind IN ('verdict', 'bad audio')"
            )
        }
        has_verdict = {clip for clip, _ in current(store)}
        removed = {row[0] for row in store.connection.execute("SELECT id FROM recordings WHERE is_removed")}
        assert removed == removed_by_journal(store)
        unlabelled = {clip for clip in (1, 2, 3) if clip not in labelled | removed}
        counts = clips.counts(store)
        assert counts.clips == len(unlabelled | labelled) and counts.unlabelled == len(unlabelled)
        assert counts.labelled == len(has_verdict) and counts.excluded == len(labelled - has_verdict)
        present = [label for (_, label), value in current(store).items() if label and value == "present"]
        assert counts.labels == {label: present.count(label) for label in clips.label_names(store)}
        for label in (*counts.labels, "dog", "cat", "hound"):
            assert list(listing.matching(store, listing.Filter(label=label))) == sorted(
                clip for (clip, name), value in current(store).items() if name == label and value == "present"
            )
        assert set(listing.matching(store, listing.Filter(labelled=True))) == labelled
        assert set(listing.matching(store, listing.Filter(labelled=False))) == unlabelled
        verdicts: dict[int, dict[str | None, Value]] = {}
        for (clip, label), value in current(store).items():
            verdicts.setdefault(clip, {})[label] = Value(value)
        assert clips.verdicts_on(store, clip_ids) == verdicts
        newest = {
            clip: store.connection.execute(
                "SELECT MAX(model_id) FROM suggestions WHERE clip_id = ?", (clip,)
            ).fetchone()[0]
            for clip in clip_ids
        }
        assert {
            tuple(row)
            for row in store.connection.execute("SELECT clip_id, model_id FROM suggestions WHERE is_unlabelled")
        } == {(clip, model) for clip, model in newest.items() if model and clip in unlabelled}
        assert sum(listing.count_by_predicted_label(store).values()) == sum(1 for clip in unlabelled if newest[clip])
        queued = {row[0] for row in store.connection.execute("SELECT clip_id FROM queue")}
        assert {
            row[0] for row in store.connection.execute("SELECT clip_id FROM queue WHERE is_unlabelled")
        } == queued & unlabelled
        assert {clip.id for clip in next_clips.next_clips(store, 9, annotator="ann")} == unlabelled


def apply_event(store: Store, kind: str, *values: Any) -> None:
    if kind == "annotate":
        who, clip_id, label, value = values
        journal.annotate(store, clip_id, label, value, annotator=who)
    elif kind == "exclude":
        journal.exclude(store, values[1], values[2], annotator=values[0])
    elif kind in ("undo", "redo"):
        getattr(journal, kind)(store, annotator=values[0])
    elif kind == "rename":
        labels.rename(store, values[1], values[2], annotator=values[0])
    elif kind == "import":
        import_records(store, records_of(*values), kind="test", source="test")
    elif kind == "undo import":
        undo_last_import(store, annotator=values[0])
    elif kind == "suggest":
        with store.transaction() as connection:
            models.add_suggestion(connection, Suggestion(values[0], values[1], {"dog": 0.7, "cat": 0.3}))
    elif kind in ("remove", "bring_back"):
        named = recordings.recording_of(store, str(values[1]), is_removed=kind == "bring_back")
        getattr(recordings, kind)(store, [named], annotator=values[0])
    elif kind == "order":
        queue.replace(store, values[0])
    else:
        with store.transaction() as connection:
            region = connection.execute(
                "INSERT INTO clips (recording_id, start_s, end_s, is_region) SELECT 1, 0, 2 + COUNT(*), 1 FROM clips"
            ).lastrowid
        journal.annotate(store, region or 0, "dog", annotator=values[0])


def annotations_from_journal(store: Store) -> dict[tuple[int, str | None], str]:
    """What the view `current_annotations` has, computed from the journal's rows alone, read one after the other."""
    verdicts: dict[int, dict[str | None, str]] = {}
    for row in store.connection.execute(
        "SELECT clip_id, label, value FROM active_events WHERE kind = 'verdict' ORDER BY id"
    ):
        on_clip = verdicts.setdefault(row["clip_id"], {})
        for gone in [label for label in on_clip if (label is None) != (row["label"] is None)]:
            del on_clip[gone]
        on_clip[row["label"]] = row["value"]
    return {(clip, label): value for clip, on_clip in verdicts.items() for label, value in on_clip.items()}


def removed_by_journal(store: Store) -> set[int]:
    """The recordings that are removed, computed from the journal's rows alone."""
    removals: dict[str, int] = {}
    for row in store.connection.execute("SELECT id, recording_id, revokes FROM journal ORDER BY id"):
        removals.pop(row["revokes"], None)
        if row["recording_id"] is not None:
            removals[row["id"]] = row["recording_id"]
    return set(removals.values())
