"""Training from labelled spans of long recordings: labels that overlap, and background where a person checked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile

from helpers.progress import quiet
from helpers.records import read_audacity, records_of
from helpers.tones import PITCH_HZ, A, P, U, add_tones
from helpers.training import ClockOfDraws
from labeltool.inference.detect import detect
from labeltool.networks import model_folder
from labeltool.project import Project
from labeltool.records import LabelledClip, StoredClip, Value
from labeltool.store import Store, checked, clips, recordings, spans
from labeltool.store.checked import CheckedPart
from labeltool.store.importing import import_records
from labeltool.store.spans import Kind, Region, Span
from labeltool.tasks import retrain as tasks_retrain
from labeltool.training.labelled_spans import (
    _ByStart,
    background_windows,
    read_training_clips,
    with_overlapping_labels,
)
from labeltool.training.targets import build_training_set


def stored(start_s: float, end_s: float, clip_id: int = 1) -> StoredClip:
    return StoredClip(clip_id, 7, "/night.flac", "ab", start_s, end_s, None, "night")


def part(start_s: float, end_s: float, *labels: str, newer: str = "") -> CheckedPart:
    return CheckedPart(stored(start_s, end_s), frozenset(labels), frozenset(newer.split()))


def span(start_s: float, end_s: float, label: str, value: Value = P, *, exact: bool = True) -> Span:
    return Span(Kind.VERDICT, 2, start_s, end_s, label, value=value, exact=exact)


def bounds(windows: Sequence[LabelledClip]) -> list[tuple[float, float]]:
    return [(one.clip.start_s, one.clip.end_s) for one in windows]


# -- labels that overlap


def test_a_clip_has_the_labels_of_spans_that_overlap_it_by_half() -> None:
    clip = LabelledClip(stored(10.0, 12.0), {"dog": P})
    verdicts = [
        span(10.0, 12.0, "dog"),
        span(11.0, 30.0, "rain"),  # half of the clip
        span(11.9, 12.3, "owl"),  # a quarter of the owl
        span(11.5, 11.5, "click"),  # a point
        span(10.5, 11.0, "cat", U),
        span(10.0, 12.0, "cow", A),
        span(12.0, 13.0, "hen"),  # after it
        span(8.0, 13.0, "wind", exact=False),  # somewhere in a clip
    ]
    found = with_overlapping_labels(clip, verdicts, ())
    assert found.verdicts == {"dog": P, "rain": P, "owl": U, "click": P, "cat": U}


def test_a_verdict_on_the_clip_itself_counts_more() -> None:
    clip = LabelledClip(stored(10.0, 12.0), {"dog": P, "rain": A})
    assert with_overlapping_labels(clip, [span(9.0, 13.0, "rain")], ()) == clip
    nothing = LabelledClip(stored(10.0, 12.0), {}, none_of_these=True)
    assert with_overlapping_labels(nothing, [span(9.0, 13.0, "rain")], ()) == nothing


def test_in_a_checked_part_labels_that_are_not_near_are_absent_and_elsewhere_unknown() -> None:
    clip = LabelledClip(stored(10.0, 12.0), {"dog": P})
    verdicts = [span(10.0, 12.0, "dog"), span(11.9, 12.3, "owl"), span(8.0, 13.0, "wind", exact=False)]
    known = ("dog", "owl", "wind", "rain")
    found = with_overlapping_labels(clip, verdicts, [part(0.0, 20.0, *known)])
    assert found.verdicts == {"dog": P, "owl": U, "rain": A}
    assert "rain" not in with_overlapping_labels(clip, verdicts, [part(11.0, 20.0, *known)]).verdicts


# -- background


def test_windows_of_background_keep_a_margin_and_are_of_about_equal_length() -> None:
    occupied = [(4.0, 6.0), (5.0, 9.0), (10.9, 11.0), (18.0, 18.5)]
    windows = background_windows(part(1.0, 30.0, "dog"), occupied, 1.0)
    # Between 9.5 and 10.4 there is too little.
    assert bounds(windows) == [
        (1.0, 3.5),
        (11.5, 14.5),
        (14.5, 17.5),
        (19.0, 22.666667),
        (22.666667, 26.333333),
        (26.333333, 30.0),
    ]
    assert all(one.verdicts == {"dog": A} and one.none_of_these and one.clip.group == "night" for one in windows)
    assert bounds(background_windows(part(0.0, 2.0, "dog"), [(0.0, 2.0)], 1.0)) == []
    assert bounds(background_windows(part(0.0, 20.0, "dog"), [], 8.0)) == [
        (0.0, 6.666667), (6.666667, 13.333333), (13.333333, 20.0)
    ]  # fmt: skip
    (window,) = background_windows(part(0.0, 4.0, "dog", newer="cat"), [], 1.0)
    assert window.verdicts == {"dog": A, "cat": U} and window.none_of_these


def one_label(number: int, label: str) -> LabelledClip:
    return LabelledClip(
        StoredClip(number, number, f"/{number}", f"{number:064x}", 0.0, 1.0, 1, f"g{number}"), {label: P}
    )


def test_background_keeps_classes_balanced_is_always_the_same_and_does_not_decide_the_head() -> None:
    labelled = [one_label(number, "dog" if number < 20 else "cat") for number in range(1, 30)]
    background = [
        LabelledClip(stored(5.0 * number, 5.0 * number + 5, -number), {"dog": A, "cat": A}, none_of_these=True)
        for number in range(1, 100)
    ]
    found = build_training_set(labelled, background)
    assert (found.head, found.labels, found.background) == ("softmax", ("cat", "dog", "none"), "none")
    assert found.background_windows == 19 and found.present.sum(axis=0).tolist() == [10, 19, 19]
    assert found.clips == build_training_set(labelled, background).clips
    assert build_training_set(labelled[:3], background).background_windows == 8
    # One label and its background are enough.
    assert build_training_set(labelled[:3], background).labels == ("dog", "none")
    # The recording of a test fold is not trained on.
    assert not build_training_set(
        [*labelled, LabelledClip(StoredClip(50, 7, "/night.flac", "ab", 0.0, 1.0, 4, "night"), {"dog": P})],
        background,
        test_fold=4,
    ).background_windows


def test_under_a_sigmoid_background_has_every_label_absent() -> None:
    both = [LabelledClip(one.clip, {"dog": P, "cat": P}) for one in (one_label(n, "dog") for n in range(1, 9))]
    window = LabelledClip(stored(0.0, 5.0, -1), {"dog": A, "cat": A}, none_of_these=True)
    found = build_training_set([*both, one_label(20, "cat")], [window])
    assert (found.head, found.background) == ("sigmoid", None)
    assert found.absent[-1].tolist() == [1, 1] and not found.present[-1].any()
    # A check from before the label "cat" tells nothing of it.
    old = LabelledClip(window.clip, {"dog": A, "cat": U}, none_of_these=True)
    found = build_training_set([*both, one_label(20, "cat")], [old])
    assert found.labels == ("cat", "dog") and found.absent[-1].tolist() == [0, 1]


def test_the_store_gives_background_of_checked_parts_only(store: Store) -> None:
    import_records(store, [*records_of("a"), *records_of("b")], kind="test", source="test")
    first = recordings.find_recording(store, "a.wav")
    spans.annotate_region(store, first, Region(0.0, 0.1), "dog", annotator="ann")
    spans.annotate_region(store, first, Region(0.05, 0.15), "cat", annotator="ann")
    found = read_training_clips(store, min_window_s=0.1)
    assert not found.background
    assert [one.verdicts for one in found.labelled] == [{"cat": P, "dog": P}] * 2
    checked.mark_checked(store, first, annotator="ann")
    checked.mark_checked(store, first, annotator="bob")
    found = read_training_clips(store, min_window_s=0.1)
    assert bounds(found.background) == [(0.65, 1.0)] and found.background[0].clip.id == -1
    assert len(clips.all_clips(store)) == 4


@pytest.mark.slow
def test_a_network_predicts_the_background_of_a_checked_recording(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sounds = [([pitch], {pitch: P}) for pitch in ("low", "high") for _ in range(8)]
    add_tones(project, tmp_path / "sounds", *sounds)
    rng = np.random.default_rng(0)
    samples = rng.normal(0, 0.15, 40 * 16_000)
    samples[5 * 16_000 : 7 * 16_000] += 0.2 * np.sin(2 * np.pi * PITCH_HZ["low"] * np.arange(32_000) / 16_000)
    soundfile.write(tmp_path / "night.wav", samples, 16_000)
    (tmp_path / "night.txt").write_text("5.0\t7.0\tlow\n")
    with project.open_store() as store:
        import_records(store, read_audacity([tmp_path / "night.txt"], checked=True), kind="audacity", source="test")
    clock = ClockOfDraws(monkeypatch, 0.1)
    result = tasks_retrain.retrain(project, report=quiet, arch="miniresnet", budget_s=20.0, clock=clock)
    files = model_folder.read(project.models / str(result.model))
    assert files.labels == ("high", "low", "none") and files.background == "none"
    assert (files.card.labels_seen, files.card.background_windows) == (17, 8)
    soundfile.write(tmp_path / "wind.wav", rng.normal(0, 0.15, 10 * 16_000), 16_000)
    (found,) = detect(project, report=quiet, files=[str(tmp_path / "wind.wav")], model=str(result.model)).files
    assert found.spans == ()


def test_spans_around_a_clip_are_all_that_overlap_it_and_few_others() -> None:
    rng = np.random.default_rng(0)
    starts = rng.uniform(0, 1000, 400).round(3)
    every = [span(at, at + length, "dog") for at, length in zip(starts, rng.uniform(0, 5, 400).round(3), strict=True)]
    looked_at = 0
    by_start = _ByStart(every)
    for one in every:
        around = by_start.around(stored(one.start_s, one.end_s))
        overlapping = {id(other) for other in every if other.start_s <= one.end_s and other.end_s >= one.start_s}
        assert overlapping <= set(map(id, around))
        looked_at += len(around)
    assert looked_at < 10 * len(every)  # not all of all
    assert not _ByStart([]).around(stored(0.0, 1.0))
