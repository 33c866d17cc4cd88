"""Our readers of labels agree with the libraries of those who made the formats."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.records import rows_of
from labeltool.importers.annotation_files import jams, soundevent, textgrid


def _textgrids(real_data: Path) -> list[Path]:
    paths = sorted((real_data / "textgrid").glob("*.TextGrid"))
    assert len(paths) > 5
    return paths


def test_praatio_reads_the_same_textgrids(real_data: Path) -> None:
    from praatio.textgrid import openTextgrid

    for path in _textgrids(real_data):
        grid = openTextgrid(str(path), includeEmptyIntervals=False, duplicateNamesMode="rename")
        theirs = [entry for tier in grid.tiers for entry in tier.entries]
        got = textgrid.parse(path)
        ours = [
            (row.start_s, row.end_s, row.label) if len(one) == 3 else (row.start_s, row.label)
            for row, one in zip(rows_of(got), theirs, strict=True)
        ]
        assert [(*times, label.strip()) for *times, label in ours] == [tuple(one) for one in theirs] and not got.skipped


def test_crowsetta_reads_the_same_intervals(real_data: Path) -> None:
    from crowsetta.formats.seq import TextGrid

    for path in _textgrids(real_data):
        sequences = TextGrid.from_file(path).to_seq(round_times=False)
        listed = sequences if isinstance(sequences, list) else [sequences]
        theirs = [(one.onset_s, one.offset_s, one.label) for sequence in listed for one in sequence.segments]
        rows = rows_of(textgrid.parse(path))
        assert [(row.start_s, row.end_s, row.label) for row in rows if row.start_s != row.end_s] == theirs


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_jams_reads_the_same_annotations(real_data: Path) -> None:
    from jams import load

    for path in sorted((real_data / "pairs" / "scaper").glob("*.jams")):
        theirs = [one for annotation in load(str(path)).annotations for one in annotation]
        assert [(row.start_s, row.end_s, row.label, row.confidence) for row in rows_of(jams.parse(path))] == [
            (one.time, pytest.approx(one.time + one.duration), one.value["label"], one.confidence) for one in theirs
        ]


def test_what_soundevent_writes_is_read(tmp_path: Path) -> None:
    from soundevent import data, io

    recording = data.Recording(path=tmp_path / "a.wav", duration=10, channels=1, samplerate=16_000)
    geometries = [
        data.BoundingBox(coordinates=[1, 1000, 2, 4000]),
        data.TimeInterval(coordinates=[2, 3]),
        data.TimeStamp(coordinates=4.0),
        data.LineString(coordinates=[[1, 500], [1.5, 900]]),
    ]
    tags = [data.Tag(key="species", value="wren")]
    events = [
        data.SoundEventAnnotation(sound_event=data.SoundEvent(recording=recording, geometry=one), tags=tags)
        for one in geometries
    ]
    clip = data.Clip(recording=recording, start_time=0, end_time=5)
    annotated = data.ClipAnnotation(clip=clip, tags=tags, sound_events=events)
    for project in (
        data.AnnotationSet(clip_annotations=[annotated]),
        data.AnnotationProject(name="birds", clip_annotations=[annotated], tasks=[data.AnnotationTask(clip=clip)]),
    ):
        io.save(project, tmp_path / "x.json", audio_dir=tmp_path)
        got = soundevent.parse(tmp_path / "x.json")
        assert got.skipped == []
        assert [
            (row.recording, row.start_s, row.end_s, row.low_hz, row.high_hz, row.label, row.track)
            for row in rows_of(got)
        ] == [
            ("a.wav", 1.0, 2.0, 1000.0, 4000.0, "wren", tags[0].key),
            ("a.wav", 2.0, 3.0, None, None, "wren", tags[0].key),
            ("a.wav", 4.0, 4.0, None, None, "wren", tags[0].key),
            ("a.wav", 1.0, 1.5, 500.0, 900.0, "wren", tags[0].key),
            ("a.wav", 0.0, 5.0, None, None, "wren", tags[0].key),
        ]
