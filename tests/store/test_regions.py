"""Regions of long recordings: labelled, exported, imported."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from helpers.exports import export
from helpers.long_recording import HOURS_S
from helpers.records import read_audacity, rows_of
from helpers.store import add_model_row, replace_suggestions
from labeltool.annotation import next_clips
from labeltool.errors import LabeltoolError
from labeltool.importers import audacity, audio_files
from labeltool.project import Project
from labeltool.records import Event, Recording, Suggestion, Value
from labeltool.store import Store, clips, journal, models, recordings, spans
from labeltool.store.detections.replacing import replace_detections
from labeltool.store.importing import import_records
from labeltool.store.recordings import StoredRecording
from labeltool.store.spans import Kind, Region


@pytest.fixture
def recording(store: Store, two_hours: Path) -> StoredRecording:
    """The long recording, imported in pieces of ten minutes."""
    import_records(store, audio_files.read([two_hours], 600.0, None), kind="audio", source="test")
    return recordings.find_recording(store, two_hours.name)


# -- labelling


def test_a_region_is_one_clip_with_its_verdict_and_undo_removes_both(store: Store, recording: StoredRecording) -> None:
    before = clips.counts(store).clips
    queued = [clip.id for clip in next_clips.next_clips(store, 99, annotator="ann")]
    region = Region(12.3456789, 13.5, 400.0, 2_000.5)
    row_id = spans.annotate_region(store, recording, region, "owl", annotator="ann")
    spans.annotate_region(store, recording, region, "wind", annotator="ann")
    (owl, wind) = spans.verdicts(store)[recording.id]
    assert (owl.start_s, owl.end_s, owl.low_hz, owl.high_hz) == (12.345679, 13.5, 400.0, 2_000.5)
    assert (owl.text, wind.text, owl.clip_id) == ("owl", "wind", wind.clip_id)
    assert clips.counts(store).clips == before + 1
    assert [clip.id for clip in next_clips.next_clips(store, 99, annotator="ann")] == queued
    assert spans.region_of(store, journal.row(store, row_id)) == (recording.id, Region(12.345679, 13.5, 400.0, 2_000.5))
    journal.undo(store, annotator="ann")
    journal.undo(store, annotator="ann")
    assert spans.verdicts(store) == {}
    assert clips.counts(store).clips == before
    assert [clip.id for clip in next_clips.next_clips(store, 99, annotator="ann")] == queued
    journal.redo(store, annotator="ann")
    assert spans.verdicts(store)[recording.id] == [owl]


def test_an_impossible_region_is_refused_and_stores_nothing(store: Store, recording: StoredRecording) -> None:
    before = store.connection.execute("SELECT COUNT(*) FROM clips").fetchone()[0]
    for region in (Region(5.0, 5.0), Region(6.0, 5.0), Region(8000.0, 8001.0), Region(1.0, 2.0, 900.0, 800.0)):
        with pytest.raises(LabeltoolError):
            spans.annotate_region(store, recording, region, "owl", annotator="ann")
    with pytest.raises(LabeltoolError, match="name"):
        spans.annotate_region(store, recording, Region(1.0, 2.0), " ", annotator="ann")
    with pytest.raises(LabeltoolError, match="words"):
        spans.note_region(store, recording, Region(1.0, 2.0), " ", annotator="ann")
    assert store.connection.execute("SELECT COUNT(*) FROM clips").fetchone()[0] == before
    assert next(journal.rows(store), None) is None
    spans.annotate_region(store, recording, Region(-1.0, 9000.0), "all", annotator="ann")
    (whole,) = spans.verdicts(store)[recording.id]
    assert (whole.start_s, whole.end_s) == (0.0, HOURS_S)


def test_spans_of_a_recording_are_in_time_order_and_neighbouring_suggestions_are_joined(
    store: Store, recording: StoredRecording
) -> None:
    pieces = clips.all_clips(store)
    model_id = add_model_row(store)
    owl_probabilities = [0.9, 0.8, 0.3, 0.7, 0.6, 0.6]
    replace_suggestions(
        store,
        [
            Suggestion(piece.id, model_id, {"owl": p, "rain": 1 - p})
            for piece, p in zip(pieces[:6], owl_probabilities, strict=True)
        ],
    )
    spans.annotate_region(store, recording, Region(650.0, 660.0), "rain", annotator="ann")
    spans.note_region(store, recording, Region(100.0, 101.0), "a [b]car[/b]?", annotator="ann")
    found = [(span.kind, span.start_s, span.end_s, span.text) for span in spans.annotated_spans(store, recording.id)]
    assert found == [
        (Kind.SUGGESTION, 0.0, 1200.0, "owl"),
        (Kind.NOTE, 100.0, 101.0, "a [b]car[/b]?"),
        (Kind.VERDICT, 650.0, 660.0, "rain"),
        (Kind.SUGGESTION, 1200.0, 1800.0, "rain"),
        (Kind.SUGGESTION, 1800.0, 3600.0, "owl"),
    ]
    # A verdict on the region or on the clip replaces a suggestion.
    spans.annotate_region(store, recording, Region(1210.0, 1220.0), "rain", Value.ABSENT, annotator="ann")
    journal.annotate(store, pieces[0].id, None, Value.ABSENT, annotator="ann")
    left = [span for span in spans.annotated_spans(store, recording.id) if span.kind is Kind.SUGGESTION]
    assert [(span.start_s, span.end_s, span.probability) for span in left] == [
        (600.0, 1200.0, 0.8),
        (1800.0, 3600.0, 0.7),
    ]


# -- writing out and reading back


def test_an_exported_and_imported_region_is_the_same_clip_with_the_same_bounds(
    project: Project, store: Store, recording: StoredRecording
) -> None:
    rng = np.random.default_rng(5)
    regions = [
        Region(float(start), float(start + long)) for start, long in rng.uniform((0, 0.001), (7000, 90), (40, 2))
    ]
    regions += [
        Region(7199.5, 7300.0),
        Region(0.0000004, 0.1),
        Region(1 / 3, 2 / 3, 1000 / 3, 2000 / 3),
        Region(5.0, 6.0, None, 9.0),
    ]
    for number, region in enumerate(regions):
        spans.annotate_region(store, recording, region, f"label {number}", annotator="ann")
    bounds = {(s.start_s, s.end_s, s.low_hz, s.high_hz, s.text) for s in spans.verdicts(store)[recording.id]}
    assert len(bounds) == len(regions)
    track = Path(export(project, "audacity").written[0]) / "two hours.txt"
    assert {(r.start_s, r.end_s, r.low_hz, r.high_hz, r.label) for r in rows_of(audacity.parse(track))} == bounds
    before = clips.counts(store)
    intake = import_records(store, read_audacity([track], Path(recording.path)), kind="audacity", source="test")
    assert (intake.clips, intake.verdicts, intake.skipped) == (0, len(regions), [])
    assert clips.counts(store) == before
    assert {(s.start_s, s.end_s, s.low_hz, s.high_hz, s.text) for s in spans.verdicts(store)[recording.id]} == bounds


def test_an_undone_region_that_an_import_has_too_goes_into_the_queue(
    store: Store, recording: StoredRecording, tmp_path: Path
) -> None:
    spans.annotate_region(store, recording, Region(3.25, 4.5), "owl", annotator="ann")
    journal.undo(store, annotator="ann")
    unlabelled = clips.counts(store).unlabelled
    track = tmp_path / "track.txt"
    track.write_text("3.250000\t4.500000\t\n")  # a clip without a title: no verdict
    import_records(store, read_audacity([track], Path(recording.path)), kind="audacity", source="test")
    assert clips.counts(store).unlabelled == unlabelled + 1


def test_replacing_detections_takes_no_longer_where_a_model_detected_much_elsewhere(store: Store) -> None:
    model_id = models.detection_model_id(store, "yamnet")
    records = [Recording(f"/{name}.wav", name * 64, 16_000, 1, 57_600_000, name) for name in "ab"]
    import_records(store, records, kind="audio", source="test")
    here, elsewhere = (recording for recording, _ in recordings.all_recordings(store))
    ten = [Event("owl", float(place), place + 0.5, 0.9) for place in range(10)]
    replace_detections(store, here, model_id, ten)

    def instructions() -> int:
        steps = 0

        def count() -> None:
            nonlocal steps
            steps += 1

        store.connection.set_progress_handler(count, 10)
        replace_detections(store, here, model_id, ten)
        store.connection.set_progress_handler(None, 0)
        return steps

    before = instructions()
    replace_detections(store, elsewhere, model_id, [Event("owl", float(i), i + 0.5, 0.9) for i in range(3000)])
    assert instructions() < 1.2 * before
