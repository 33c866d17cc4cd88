"""Random acts on the labels of a project: annotations, undo and redo, renamings, imports, removals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from helpers.records import records_of
from labeltool.records import Imported, Value
from labeltool.store import Store, groups, journal, labels, recordings, spans
from labeltool.store.importing import import_records
from labeltool.store.importing.undo import undo_last_import
from labeltool.store.label_acts import changes

WHO = st.sampled_from(["ann", "bob"])
CLIP = st.integers(1, 3)
LABEL = st.sampled_from(["dog", "cat", "hound"])
VALUE = st.sampled_from(list(Value))

ACTS = st.one_of(
    st.tuples(st.just("annotate"), WHO, CLIP, LABEL | st.none(), VALUE),
    st.tuples(st.just("batch"), WHO, LABEL, VALUE),
    st.tuples(st.just("region"), WHO, CLIP, st.sampled_from([0.0, 0.25]), LABEL, VALUE),
    st.tuples(st.just("exact"), WHO, CLIP, LABEL, VALUE),
    st.tuples(st.just("exclude"), WHO, CLIP, st.sampled_from(["skip", "bad audio"])),
    st.tuples(st.sampled_from(["undo", "redo"]), WHO),
    st.tuples(st.just("rename"), WHO, LABEL, LABEL),
    st.tuples(st.just("define"), WHO, LABEL, st.sampled_from(["", "barks"])),
    st.tuples(st.just("parent"), WHO, LABEL, LABEL | st.none()),
    st.tuples(st.sampled_from(["retire", "delete"]), WHO, LABEL),
    st.tuples(st.just("split"), WHO, LABEL, st.sampled_from([("cat", "wolf"), ("dog", "fox")])),
    st.tuples(st.just("import"), st.sampled_from("abcd"), LABEL),
    st.tuples(st.just("undo import"), WHO),
    st.tuples(st.sampled_from(["remove", "bring_back"]), WHO, CLIP),
    st.tuples(st.just("group"), WHO, CLIP, st.sampled_from(["marsh", "a"])),
)


def act(store: Store, kind: str, *values: Any, records: Callable[..., list[Imported]] = records_of) -> None:
    """Do an act of `ACTS` on the clips 1 to 3; `records` are those of an import."""
    if kind == "annotate":
        who, clip_id, label, value = values
        journal.annotate(store, clip_id, label, value, annotator=who)
    elif kind == "batch":
        who, label, value = values
        journal.annotate_batch(store, label, dict.fromkeys((1, 2, 3), value), annotator=who, response_ms=3)
    elif kind == "region":
        who, clip_id, start_s, label, value = values
        recording = recordings.recording_of(store, str(clip_id))
        region = spans.Region(start_s, 0.75, low_hz=100.0)
        spans.annotate_region(store, recording, region, label, value, annotator=who)
    elif kind == "exact":
        who, clip_id, label, value = values  # bounds inside a clip, as other people's journals may have them
        with store.transaction() as connection:
            bounds = {"start_s": 0.1, "end_s": 0.2}
            context = journal.NO_CONTEXT
            journal.append_verdict(connection, clip_id, label, value, annotator=who, context=context, bounds=bounds)
    elif kind == "exclude":
        journal.exclude(store, values[1], values[2], annotator=values[0])
    elif kind in ("undo", "redo"):
        getattr(journal, kind)(store, annotator=values[0])
    elif kind == "rename":
        labels.rename(store, values[1], values[2], annotator=values[0])
    elif kind in ("define", "parent", "retire", "delete", "split"):
        who, *named = values
        act_of = changes.set_parent if kind == "parent" else getattr(changes, kind)
        act_of(store, *named, annotator=who)
    elif kind == "import":
        import_records(store, records(*values), kind="test", source="test")
    elif kind == "undo import":
        undo_last_import(store, annotator=values[0])
    elif kind == "group":
        groups.set_groups(store, {values[1]: values[2]}, annotator=values[0])
    else:
        named = recordings.recording_of(store, str(values[1]), is_removed=kind == "bring_back")
        getattr(recordings, kind)(store, [named], annotator=values[0])
