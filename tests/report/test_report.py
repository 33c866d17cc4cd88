"""The report of a project: what is collected, what the page says of it, and what a shared one leaves out."""

from __future__ import annotations

import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from helpers.command_line import labeltool, labeltool_here, labeltool_json
from helpers.progress import quiet
from helpers.reported import FOLDER, HOSTILE, NOTE, PERSON, PROJECT
from helpers.tones import tone_writer
from labeltool import project as projects
from labeltool.errors import LabeltoolError
from labeltool.evaluation import charts
from labeltool.project import Project
from labeltool.report import ERRORS, clip_map, errors
from labeltool.report.collect import Wanted, collect
from labeltool.report.contents import Media, Report
from labeltool.report.page import render_report
from labeltool.report.run import report as write_report
from labeltool.store import clips, journal
from labeltool.store.journal import AnnotationContext

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def found(reported: Project) -> Report:
    return collect(reported, Wanted(None, 40, is_shared=False), quiet)


@pytest.fixture(scope="module")
def shared(reported: Project) -> Report:
    return collect(reported, Wanted(None, 40, is_shared=True), quiet)


def test_the_data_set_is_counted(found: Report) -> None:
    data = found.data_set
    assert (data.recordings, data.clips, data.labelled, data.unlabelled) == (27, 27, 27, 0)
    assert data.folds == ((1, 9), (2, 9), (3, 9))
    assert (data.classes[0].label, data.classes[0].clips) == ("high", 13)
    assert sum(one.clips for one in data.classes) == 27
    assert sum(one.absent for one in data.classes) == 4
    assert data.largest_to_smallest == max(one.clips for one in data.classes) / min(one.clips for one in data.classes)
    assert data.even_classes is not None and 2 < data.even_classes < 3
    assert data.annotators == 1


def test_the_model_is_judged_by_the_fold_that_it_has_never_seen(found: Report, reported: Project) -> None:
    model, mistakes = found.model, found.mistakes
    assert model is not None and mistakes is not None
    assert model.clips == 9 and model.measured_on == "test clips: fold 3, on which it was not trained"
    with reported.open_store() as store:
        of_fold = {one.id for one in clips.all_clips(store) if one.fold == 3}
    assert {one.clip for one in mistakes.shown} <= of_fold
    assert {one.part for one in mistakes.shown} == {"test"}
    by_form = {one.name: one for one in model.precisions}
    assert by_form["float"].accuracy == pytest.approx(1 - mistakes.total / 9)
    assert by_form["float"].interval is not None
    assert by_form["float"].interval.low <= 1 - mistakes.total / 9 <= by_form["float"].interval.high
    assert by_form["C of the package"].accuracy is None and "not measured" in by_form["C of the package"].why
    assert sum(map(sum, model.confusion)) == 9
    off_diagonal = sum(count for i, row in enumerate(model.confusion) for j, count in enumerate(row) if i != j)
    assert off_diagonal == mistakes.total
    for one in model.by_label:
        for share in (one.precision, one.recall):
            assert share is None or share.low <= share.value <= share.high
    # What `labeltool evaluate` stored is on the learning curve.
    assert [(one.labels_seen, one.tested_on) for one in model.curve] == [(18, "9 clips, fold 3")]


def test_errors_come_most_confident_first_and_one_that_cannot_be_read_stops_no_other(found: Report) -> None:
    mistakes = found.mistakes
    assert mistakes is not None
    assert mistakes.total >= 4
    confidences = [one.confidence for one in mistakes.shown]
    assert confidences == sorted(confidences, reverse=True)
    assert all(set(one.true) != set(one.predicted) for one in mistakes.shown)
    silent = [one for one in mistakes.shown if one.media.sound is None]
    assert len(silent) == 1 and silent[0].media.problem and silent[0].media.picture is None
    assert mistakes.audible == len(mistakes.shown) - 1
    for one in mistakes.shown:
        if one.media.sound is not None:
            samples, rate = soundfile.read(io.BytesIO(one.media.sound))
            assert len(samples) / rate == pytest.approx(2.0, abs=0.1)
            assert one.media.picture is not None and one.media.picture.startswith(b"\x89PNG")
    assert [one.notes for one in mistakes.shown if one.notes] == [(NOTE,)]


def test_no_more_errors_are_shown_than_wanted(reported: Project) -> None:
    found = collect(reported, Wanted(None, 2, is_shared=True), quiet)
    assert found.mistakes is not None
    assert len(found.mistakes.shown) == 2 < found.mistakes.total


def test_sounds_that_would_make_the_page_too_large_are_left_out(
    reported: Project, found: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert found.mistakes is not None and found.map is not None
    first = next(one.media for one in found.mistakes.shown if one.media.sound)
    assert first.sound is not None and first.picture is not None
    monkeypatch.setattr(errors, "MAX_SOUND_BYTES", len(first.sound))
    monkeypatch.setattr(errors, "MAX_PICTURE_BYTES", len(first.picture))
    monkeypatch.setattr(clip_map, "MAX_SOUND_BYTES", 2 * max(len(one.sound or b"") for one in found.map.clips))
    cut = collect(reported, Wanted(None, 40, is_shared=False), quiet)
    assert cut.mistakes is not None and cut.map is not None
    readable = [one.media for one in cut.mistakes.shown if "too large" in one.media.problem or one.media.sound]
    assert [bool(one.sound) for one in readable] == [bool(one.picture) for one in readable]
    assert [bool(one.sound) for one in readable] == [True] + [False] * (len(readable) - 1)
    assert all("no sound and no picture" in one.problem for one in readable[1:]) and len(readable) > 1
    assert 2 <= sum(one.sound is not None for one in cut.map.clips) < len(cut.map.clips) - 1


def test_every_text_is_escaped(found: Report) -> None:
    text, _ = render_report(found)
    assert "<img src=x" not in text and "<b>who" not in text and FOLDER not in text
    assert "&lt;img src=x" in text and "&lt;b&gt;who&lt;/b&gt;" in text and "se&lt;i&gt;cret &amp; place" in text
    # The label in the table, braces and all; as a template of its own it would be 49.
    assert "&gt;{{ 7 * 7 }}" in text and "&gt;49" not in text
    assert text.count("</script>") == text.count("<script")


def test_a_shared_report_has_no_sound_no_names_and_no_paths(shared: Report, reported: Project, found: Report) -> None:
    text, _ = render_report(shared)
    assert "made to be shared" in text
    sounds = ('src="data:audio', "<audio", '"sound": "/', '"sound": "S')  # frames of MP3, or a tag, in base64
    assert not any(sound in text for sound in sounds)
    with reported.open_store() as store:
        paths = [Path(one.path) for one in clips.all_clips(store)]
    whole, _ = render_report(found)
    for path in paths:
        assert path.name not in text and path.stem not in text
        assert path.name in whole  # or the check above says nothing
    assert all(sound in whole for sound in sounds[:3])
    for secret in (PERSON, PROJECT, "se&lt;i&gt;cret", "&lt;b&gt;who", str(reported.directory)):
        assert secret not in text
    assert shared.mistakes is not None and shared.mistakes.audible == 0
    assert "img src=x" in text  # labels stay


def test_each_clip_counts_once_by_the_way_it_was_labelled(project: Project, tmp_path: Path) -> None:
    """One by one, together, or relabelled in a list, whose rows have no time: that saves nothing and loses none."""
    write = tone_writer(tmp_path / "sounds")
    for number in range(8):
        write(f"{number}.wav", frequency_hz=300 + number)
    labeltool_here("import", project, "audio", tmp_path / "sounds")
    with project.open_store(to_write=True) as store:
        ids = [one.id for one in clips.all_clips(store)]
        for clip_id in ids[:3]:
            context = AnnotationContext(response_ms=4_000)
            journal.annotate(store, clip_id, "owl", annotator="ann", context=context)
        values = dict.fromkeys(ids[3:7], journal.Value.PRESENT)
        journal.annotate_batch(store, "owl", values, annotator="ann", response_ms=4_000)
        relabelled = {one: AnnotationContext(instead_of=("owl",)) for one in (*ids[:3], ids[7])}
        journal.annotate_batch(
            store,
            "kite",
            dict.fromkeys(relabelled, journal.Value.PRESENT),
            annotator="ann",
            contexts=relabelled,
            response_ms=None,
            include_labelled=relabelled,
        )
    found = collect(project, Wanted(None, 40, is_shared=False), quiet)
    assert {one.way.split(" (")[0]: (one.clips, one.minutes) for one in found.labelling.ways} == {
        "one by one": (3, pytest.approx(0.2)),
        "together with others": (4, pytest.approx(1 / 15)),
        "together in a list, no time measured": (1, None),
    }
    # Four clips at four seconds each, less the four seconds that they took.
    assert found.labelling.saved_minutes == pytest.approx(12 / 60)


def test_without_a_model_the_page_has_what_there_is_and_names_what_is_missing(project: Project, tmp_path: Path) -> None:
    write = tone_writer(tmp_path / "sounds")
    for number in range(5):
        write(f"{number}.wav", frequency_hz=300 + 100 * number)
    labeltool_here(project, "import", "audio", tmp_path / "sounds")
    result = labeltool_json(project, "report")
    assert result["model"] is None and result["errors"] == 0 and result["on_map"] == 5
    assert {one["part"] for one in result["missing"]} == {"labels", "the model", "call density"}
    text = Path(result["file"]).read_text(encoding="utf-8")
    assert "no clip is labelled yet" in text and "<code>labeltool retrain</code>" in text
    assert Path(result["file"]) == project.directory.resolve() / "reports" / "report.html"


def test_what_cannot_be_reported_on_is_one_line(project: Project, reported: Project) -> None:
    done = labeltool_here("report", project, check=1)
    assert "no recordings" in done.stderr and "labeltool import" in done.stderr
    done = labeltool_here("report", reported, "--model", "99", check=1)
    assert "no model 99" in done.stderr
    assert not list(project.directory.glob("reports/*"))


def test_a_link_in_the_place_of_the_page_is_replaced(reported: Project, tmp_path: Path) -> None:
    other, page = tmp_path / "other.txt", tmp_path / "page.html"
    other.write_text("stays")
    page.symlink_to(other)
    result = write_report(reported, report=quiet, output=str(page), share=True, errors=1)
    assert other.read_text() == "stays" and not page.is_symlink()
    assert page.stat().st_size == result.bytes
    with pytest.raises(LabeltoolError, match="cannot be written"):
        write_report(reported, report=quiet, output=str(tmp_path / "other.txt" / "page.html"), errors=0)


def test_without_vl_convert_the_page_has_its_tables(found: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    with_charts, has_charts = render_report(found)
    assert has_charts and "<svg" in with_charts
    monkeypatch.setattr(charts, "available", lambda: False)
    text, has_charts = render_report(found)
    assert not has_charts and "<svg" not in text
    for table in ("Table: calibration", "Table: models by labelled clips", "Table: the clips of the map"):
        assert table in text


def test_the_command_names_the_page_and_what_is_on_it(reported: Project, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    done = labeltool("report", reported, "-o", page, "--errors", "3")
    assert done.stdout.strip() == str(page)
    assert "3 shown, " in done.stderr and "fold 3" in done.stderr
    text = page.read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>") and HOSTILE not in text


def test_of_very_many_labels_the_most_confused_are_in_the_matrix(found: Report) -> None:
    assert found.model is not None
    labels = tuple(f"label {number}" for number in range(70))
    confusion = [[2 * (i == j) for j in range(70)] for i in range(70)]
    confusion[66][3] = 5
    model = replace(found.model, labels=labels, confusion=tuple(map(tuple, confusion)))
    text, _ = render_report(replace(found, model=model, mistakes=None))
    assert "The 60 labels with the most errors of 70." in text
    assert text.count('class="cell"') == 1 and 'data-true="66" data-predicted="3"' in text


@pytest.mark.parametrize(
    ("part", "accuracy", "why"),
    [("unseen", 0.75, "was not trained"), ("validation", 0.75, "validation"), ("train", None, "trained on")],
)
def test_the_c_is_that_of_the_newest_package_unless_it_knew_the_clips(
    reported: Project, tmp_path: Path, part: str, accuracy: float | None, why: str
) -> None:
    project = projects.load(Path(shutil.copytree(reported.directory, tmp_path / "copy")))
    measured = {"held_out_clips": {"clips": 8, "clip_accuracy_c": 0.75, "part": part}}
    for name, text in {
        "package": json.dumps({"model": 1, "measured_by_this_export": measured}),
        "other": json.dumps({"model": 2, "measured_by_this_export": measured}),
        "damaged": "{",
    }.items():
        (project.exports / name).mkdir(parents=True)
        (project.exports / name / "report.json").write_text(text)
    found = collect(project, Wanted(None, 0, is_shared=True), quiet)
    assert found.model is not None
    of_c = found.model.precisions[2]
    assert (of_c.accuracy, why in of_c.why) == (accuracy, True)


def test_a_chart_that_cannot_be_drawn_stops_no_other(found: Report) -> None:
    assert found.map is not None
    lost = replace(found, map=replace(found.map, points=np.full_like(found.map.points, np.nan)))
    text, has_charts = render_report(lost)
    assert has_charts and text.count("<svg") == render_report(found)[0].count("<svg") - 1
    assert "the chart: map of clips" in text


def test_a_page_with_everything_that_has_room_is_below_15_mb(found: Report) -> None:
    """As many clips and bytes of sound as there may be, with long names and labels."""
    assert found.map is not None and found.mistakes is not None
    label, folder = "a label of very many words, " * 20, "/a folder" * 400
    number = clip_map.MAX_CLIPS
    sound = bytes(clip_map.MAX_SOUND_BYTES // number)
    one = replace(found.map.clips[0], labels=(label, label[1:]), predicted=label, name=folder, sound=sound)
    points = np.random.default_rng(0).normal(size=(number, 2)).astype(np.float32)
    on_map = replace(found.map, clips=(one,) * number, points=points)
    media = Media(bytes(errors.MAX_PICTURE_BYTES // ERRORS), bytes(errors.MAX_SOUND_BYTES // ERRORS))
    mistake = replace(found.mistakes.shown[0], true=(label,), predicted=(label[1:],), name=folder, media=media)
    mistakes = replace(found.mistakes, total=ERRORS, shown=(mistake,) * ERRORS)
    text, has_charts = render_report(replace(found, map=on_map, mistakes=mistakes))
    assert has_charts and 12_500_000 < len(text.encode()) < 15_000_000


def test_time_that_was_lost_is_not_called_saved(found: Report) -> None:
    lost = replace(found, labelling=replace(found.labelling, saved_minutes=-2.0))
    assert "nothing: it took about 2.0 minutes more" in render_report(lost)[0]
