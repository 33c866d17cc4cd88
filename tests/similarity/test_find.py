"""The events of a label found from a few examples: segments, the classifier, the estimate, the store, the command."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers.command_line import labeltool_here, labeltool_json
from helpers.find import UP, project_with_examples
from helpers.progress import quiet
from labeltool.errors import LabeltoolError
from labeltool.inference import segments
from labeltool.inference.window_scorers import EmbeddingScorer
from labeltool.project import Project
from labeltool.records import Value
from labeltool.similarity.event_classifier import Annotations, EventClassifier, estimate, question_order
from labeltool.similarity.find import LISTED_FROM, FindResult, find
from labeltool.store import clips, groups, journal, recordings, spans
from labeltool.store.spans import Kind, Region


@pytest.fixture
def marked(project: Project, level_model_file: Path, tmp_path: Path) -> Project:
    """A minute with six events of "up", of which two are labelled, and five of "down", of which one is."""
    return project_with_examples(project, level_model_file, tmp_path / "sounds")


def searched(project: Project, **options: Any) -> FindResult:
    return find(project, report=quiet, label="up", processes=1, **options)


def suggested(project: Project) -> list[tuple[float, float]]:
    """The bounds of the suggestions of "up" that count as found."""
    with project.open_store() as store:
        recording = recordings.find_recording(store, "minute.wav")
        return [
            (span.start_s, span.end_s)
            for span in spans.annotated_spans(store, recording.id)
            if span.kind is Kind.SUGGESTION and (span.probability or 0) >= LISTED_FROM
        ]


# -- segments


def test_a_run_is_louder_than_the_background_wherever_that_lies() -> None:
    rng = np.random.default_rng(0)
    levels = np.concatenate([rng.normal(-60, 0.2, 30_000), rng.normal(-30, 0.2, 30_000)]).astype(np.float32)
    for first, last, louder_db in ((500, 600, 20), (610, 700, 20), (2000, 2005, 20), (50_000, 50_100, 6)):
        levels[first:last] += louder_db
    runs = segments.active_runs(levels, 0.01).tolist()
    assert [500, 700] in runs and [50_000, 50_100] in runs  # a pause of 0.1 s is part of the first
    assert not any(first <= 2000 < last for first, last in runs)  # 0.05 s


def test_the_sound_changes_where_the_embeddings_before_and_after_differ() -> None:
    one, other = np.eye(2, 16, dtype=np.float32)
    sketches = np.concatenate([np.tile(one, (20, 1)), np.tile(other, (15, 1)), np.tile(one, (9, 1))])
    assert segments.change_points(sketches, 4).tolist() == [19.5, 34.5]
    assert not len(segments.change_points(sketches[:20], 4)) and not len(segments.change_points(sketches[:3], 4))


def test_a_run_up_to_the_end_of_a_recording_leaves_no_segment_of_a_rounding_error() -> None:
    none = np.zeros(0)
    for first, last in ((1e-14, 39.0), (0.0, 39.0 - 7e-15)):
        bounds = segments._bounds(np.array([[first, last]]), none, 39.0)
        assert bounds.tolist() == [0.0, 19.5, 39.0]
    assert segments._bounds(np.array([[2.0, 3.0]]), none, 5.0).tolist() == [0.0, 2.0, 3.0, 5.0]
    assert segments._bounds(none, none, 1e-4).tolist() == [0.0, 1e-4]


# -- the classifier and the estimate


def clusters(positives: int, others: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of two overlapping kinds, and which are of the first."""
    rng = np.random.default_rng(seed)
    present = np.arange(positives + others) < positives
    rows = rng.normal(0, 0.3, (len(present), 16)) + np.where(present[:, None], 0.35, -0.1)
    return rows.astype(np.float32), present


def judged(rows: np.ndarray, present: np.ndarray, answers: int) -> tuple[float, int, Any, np.ndarray]:
    """Answer questions from five examples on: the share right of the first 40, those known, the estimate, scores."""
    answered = list(range(5))
    while True:
        free = np.setdiff1d(np.arange(len(rows)), answered)
        known = Annotations(rows[answered], present[answered], np.ones(len(answered), bool))
        classifier = EventClassifier(known, rows[free])
        scores = classifier.probabilities(rows[free])
        if len(answered) == 5 + answers:
            break
        mismatched = classifier.mismatched(rows[free], scores)
        answered.append(int(free[question_order(scores, mismatched, 1, seed=len(answered))[0]]))
    accepted = int(present[answered].sum())
    expected = estimate(classifier, known, scores, scores >= LISTED_FROM, accepted)
    first = free[np.argsort(-scores)[: 40 - accepted]]
    return float(present[first].mean()), accepted, expected, scores


def test_five_examples_rank_the_rest_and_the_interval_has_the_number_of_events() -> None:
    inside = {0: 0, 10: 0}
    for seed in range(10):
        for answers in inside:
            right, accepted, expected, scores = judged(*clusters(60, 400, seed), answers)
            assert right > 0.9
            assert accepted <= expected.low <= expected.events <= expected.high and 0 <= expected.recall <= 1
            inside[answers] += expected.low <= 60 <= expected.high
            assert expected.high <= len(scores) + accepted
    assert inside[0] >= 6 and inside[10] >= 8


def test_a_question_comes_only_once_and_the_first_are_uncertain_certain_and_random() -> None:
    scores = np.linspace(0.01, 0.99, 99)
    mismatched = np.zeros(99, bool)
    mismatched[7] = True
    order = question_order(scores, mismatched, 12, seed=4)
    assert len(set(order.tolist())) == 12
    assert order[0] == 7 and order[1] == 98 and abs(scores[order[2]] - 0.5) < 0.02
    assert sorted(question_order(scores[:3], mismatched[:3], 12, seed=3).tolist()) == [0, 1, 2]


# -- in a project


def test_all_events_of_the_label_are_found_with_their_bounds_and_no_other(marked: Project) -> None:
    result = searched(marked)
    assert (result.by, result.accepted, result.rejected, result.found) == ("levels", 2, 0, len(UP))
    np.testing.assert_allclose(suggested(marked), UP[2:], atol=0.06)
    assert result.interval[0] <= len(UP) <= result.interval[1] and result.done
    assert not searched(marked, recall=1.0).done or result.recall == 1.0
    listed = {one.clip for one in result.candidates if one.score >= LISTED_FROM}
    with marked.open_store() as store:
        for one in result.candidates:
            place = clips.clip(store, one.clip)
            assert (place.start_s, place.end_s) == (one.start_s, pytest.approx(one.end_s, abs=1e-4))
        assert clips.counts(store).labels == {"up": 2, "down": 1}
    assert listed


def test_answers_are_ordinary_verdicts_and_undo_brings_a_candidate_back(marked: Project) -> None:
    candidates = {round(one.start_s): one.clip for one in searched(marked).candidates}
    with marked.open_store() as store:
        journal.annotate(store, candidates[15], "up", annotator="ann")
        journal.annotate(store, candidates[21], "up", Value.ABSENT, annotator="ann")
        recording = recordings.find_recording(store, "minute.wav")
        spans.annotate_region(store, recording, Region(29.0, 32.5), "up", annotator="ann")  # its edges moved
    result = searched(marked)
    assert (result.accepted, result.rejected) == (4, 1)
    starts = [start_s for start_s, _ in suggested(marked)]
    assert not {15, 21, 30} & {round(start_s) for start_s in starts}
    with marked.open_store() as store:
        while journal.undo(store, annotator="ann"):
            pass
    assert (searched(marked).accepted, searched(marked).rejected) == (2, 0)
    np.testing.assert_allclose(suggested(marked), UP[2:], atol=0.06)


def test_recordings_are_embedded_once(marked: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    first = searched(marked)
    monkeypatch.setattr(EmbeddingScorer, "scores", lambda *_: pytest.fail("embedded again"))
    assert searched(marked) == first


def test_an_unreadable_recording_is_named_and_the_others_are_searched(marked: Project, tmp_path: Path) -> None:
    path = tmp_path / "sounds" / "other.wav"
    path.write_bytes((tmp_path / "sounds" / "minute.wav").read_bytes()[:-2000])
    labeltool_here(marked, "import", "audio", path)
    path.unlink()
    result = searched(marked)
    assert [Path(one.file).name for one in result.skipped] == ["other.wav"] and result.found == len(UP)


def test_without_an_example_or_a_model_the_error_has_a_remedy(marked: Project, project: Project) -> None:
    with pytest.raises(LabeltoolError, match="no example of 'owl' is labelled"):
        find(marked, report=quiet, label="owl")
    with pytest.raises(LabeltoolError, match="no pretrained model 'elsewhere'"):
        searched(marked, pretrained="elsewhere")


def test_nothing_is_learned_from_a_recording_of_the_locked_test_set(marked: Project) -> None:
    with marked.open_store() as store:
        groups.lock_recordings(store, [recordings.find_recording(store, "minute.wav").id], annotator="ann")
    with pytest.raises(LabeltoolError, match="no example of 'up' can be read outside the locked test set"):
        searched(marked)


# -- the command


def test_the_command_lists_events_and_mark_answers(marked: Project) -> None:
    shown = labeltool_json(marked, "find", "up", "--limit", "3")
    keys = {"label", "by", "accepted", "rejected", "found", "estimate", "interval", "recall", "done", "candidates"}
    assert set(shown) == keys | {"skipped"} and len(shown["candidates"]) == 3
    one = next(one for one in shown["candidates"] if one["score"] >= LISTED_FROM)
    assert set(one) == {"clip", "recording", "start_s", "end_s", "score"}
    start, end = str(one["start_s"] + 0.1), str(one["end_s"] + 0.2)
    labeltool_here(marked, "mark", str(one["clip"]), "up", "--start", start, "--end", end)
    done = labeltool_here(marked, "find", "up")
    assert "(3 checked)" in done.stderr and "likely" in done.stderr
    labeltool_here(marked, "mark", "1", "up", "--start", "9", "--end", "8", check=1)
    labeltool_here(marked, "find", "owl", check=1)
