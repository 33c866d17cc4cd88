"""Parts of the labelling app without a screen: text, label choices, spectrograms, playback and thumbnails."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from labeltool.audio.mel_picture import mel_spectrogram, resize
from labeltool.project import Project
from labeltool.records import StoredClip
from labeltool.store import Store, clips
from labeltool.store.labels import ProjectLabel
from labeltool.tui.label_choices import first_choice, fitting, label_choices, search
from labeltool.tui.media.clip_picture import PLAYBACK_RATE_HZ, load_clip
from labeltool.tui.media.player import Player
from labeltool.tui.text import fit, format_time, one_line, truncate, truncate_left
from labeltool.tui.widgets.lists.thumbnails import COLUMNS, strips, thumbnail
from labeltool.tui.widgets.time_axis import time_axis
from labeltool.tui.widgets.waveform import braille

# -- text and labels


@given(st.text(), st.integers(0, 40))
def test_any_text_is_cut_to_its_cells(text: str, width: int) -> None:
    assert cell_len(fit(text, width)) == width
    assert cell_len(truncate(text, width)) <= width
    assert cell_len(truncate_left(text, width)) <= width
    assert "\n" not in one_line(text)
    assert "\x1b" not in one_line(text)


@pytest.mark.parametrize(
    ("cut", "text", "width", "expected"),
    [
        (truncate, "日本語テキスト", 4, "日…"),
        (truncate, "night owl", 7, "night…"),
        (truncate, "owl", 0, ""),
        (truncate_left, "日本語テキスト", 4, "…ト"),
        (truncate_left, "x❤️x❤️x❤️x❤️", 11, "…x❤️x❤️x❤️"),
        (truncate_left, "owl 👩‍👩‍👧", 2, "…"),
        (truncate_left, "owl 👩‍👩‍👧", 3, "…👩‍👩‍👧"),
        (truncate_left, "recorders/owl.wav", 8, "…owl.wav"),
        (truncate_left, "owl", 0, ""),
    ],
)
def test_a_cut_takes_no_letter_apart(cut: Callable[[str, int], str], text: str, width: int, expected: str) -> None:
    assert cut(text, width) == expected


def test_labels_are_found_by_a_few_letters_best_first() -> None:
    labels = ["hedgehog", "dog", "dog_bark", "Straßenlärm", "Möwe", "good dog", "d-o-g"]
    assert search("dog", labels) == ["dog", "dog_bark", "good dog", "hedgehog", "d-o-g"]
    assert search("mowe", labels) == ["Möwe"]
    assert search("STRASSE", labels) == ["Straßenlärm"]
    assert search("hdg", labels) == ["hedgehog"]
    assert search("  ", labels) == labels
    assert search("xyz", labels) == []


def test_labels_are_found_by_their_words_in_any_order_and_form() -> None:
    classes = ["Speech", "Baby cry, infant cry", "Cricket", "Washing machine", "Machine gun", "Crying, sobbing"]
    assert search("wash ma", classes) == ["Washing machine"]
    assert search("crying_baby", classes, in_words=True) == ["Baby cry, infant cry"]
    assert search("crickets", classes, in_words=True) == ["Cricket"]
    assert search("machine", classes) == ["Machine gun", "Washing machine"]


LABELS = [ProjectLabel("b", "2", "orange"), ProjectLabel("a", "1", "blue"), ProjectLabel("c", "e"), ProjectLabel("d")]


def test_labels_stand_in_the_order_of_their_keys_whatever_is_predicted() -> None:
    for probabilities in ({"b": 0.7, "a": 0.3}, {"c": 0.9}, {}):
        choices = label_choices(LABELS, probabilities)
        assert [(choice.key, choice.label) for choice in choices] == [("1", "a"), ("2", "b"), ("e", "c")]
        assert [choice.probability for choice in choices] == [probabilities.get(name) for name in "abc"]
        first = first_choice(choices)
        assert (first.label if first else None) == next(iter(probabilities), None)


def test_a_label_without_a_key_is_there_only_among_the_first_suggestions() -> None:
    assert [choice.label for choice in label_choices(LABELS, {"d": 0.5, "a": 0.4})] == ["a", "b", "c", "d"]
    assert "d" not in [choice.label for choice in label_choices(LABELS, {"a": 0.4, "b": 0.3, "c": 0.2, "d": 0.1})]


def test_a_probability_that_is_shown_as_0_or_1_percent_is_no_suggestion() -> None:
    assert first_choice(label_choices(LABELS, {"a": 0.0149, "b": 0.001})) is None
    assert first_choice(label_choices(LABELS, {"a": 0.015})) is not None


def test_classes_of_a_pretrained_model_get_the_next_free_keys_and_are_first_where_more_probable() -> None:
    choices = label_choices(LABELS, {"a": 0.5}, {"owl": 0.6, "fox": 0.4, "b": 0.3})
    assert [(choice.key, choice.label) for choice in choices if choice.is_new] == [("3", "owl"), ("4", "fox")]
    for probability, expected in ((0.5, "owl"), (0.7, "a")):
        first = first_choice(label_choices(LABELS, {"a": probability}, {"owl": 0.6}))
        assert first is not None and first.label == expected
    # A key that is another action's is nobody's.
    assert [choice.key for choice in label_choices(LABELS, {}, {"owl": 0.6}, keys="124ehj")] == ["1", "2", "e", "4"]


def test_where_few_fit_the_most_probable_stay_in_the_order_of_the_keys() -> None:
    choices = label_choices(LABELS, {"c": 0.9, "b": 0.001})
    assert [choice.label for choice in fitting(choices, 2)] == ["a", "c"]
    assert fitting(choices, 9) == choices and fitting(choices, -1) == ()


# -- spectrograms and waveforms


def test_a_tone_is_loudest_in_the_band_of_its_frequency_at_any_rate() -> None:
    for rate in (8_000, 16_000, 44_100, 96_000):
        time_s = np.arange(rate) / rate
        mel_db, band_hz = mel_spectrogram(np.sin(2 * np.pi * 1000 * time_s).astype(np.float32), rate)
        loudest = band_hz[mel_db.mean(axis=1).argmax()]
        assert abs(loudest - 1000) < 60
        assert abs(float(mel_db.max())) < 3.0  # full scale is 0 dB


def test_the_shortest_clips_have_a_spectrogram() -> None:
    for samples in (1, 2, 100):
        mel_db, _ = mel_spectrogram(np.ones(samples, np.float32), 16_000)
        assert np.isfinite(mel_db).all()
        assert resize(mel_db, 40, 80).shape == (40, 80)


def test_a_click_stays_visible_when_a_spectrogram_is_resized() -> None:
    mel_db = np.full((96, 1200), -80.0, np.float32)
    mel_db[:, 777] = 0.0
    columns = resize(mel_db, 40, 80).max(axis=0)
    assert (columns == 0).sum() == 1
    assert columns.argmax() == 777 * 80 // 1200


def test_a_long_clip_is_cut_and_counts_the_seconds_cut(
    app_project: Project, reading: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labeltool.tui.media.clip_picture.MAX_CLIP_S", 0.2)
    clip = load_clip(clips.all_clips(reading)[0])
    assert clip.duration_s == pytest.approx(0.2)
    assert clip.cut_s == pytest.approx(0.3)


def test_the_time_axis_names_moments_under_their_columns() -> None:
    axis = time_axis(5.0, 100)
    assert len(axis) == 100
    assert axis.startswith("╵0 s")
    assert [axis.index(f"╵{second}") for second in (1, 2, 3, 4)] == [20, 40, 60, 80]
    assert time_axis(0.0, 10) == " " * 10
    assert len(time_axis(7200.0, 30)) == 30


def test_the_waveform_fills_from_the_lowest_to_the_highest_sample() -> None:
    loud_then_silent = np.array([[-1.0] * 4 + [0.0] * 4, [1.0] * 4 + [0.0] * 4], np.float32)
    rows = braille(loud_then_silent, columns=4, rows=2)
    assert [row[:2] for row in rows] == ["⣿⣿", "⣿⣿"]
    assert "".join(row[2:] for row in rows).count("⣿") == 0


def test_times_carry_over_at_the_minute() -> None:
    assert format_time(59.96) == "1:00.0"
    assert format_time(3725.25) == "1:02:05.2"


# -- playback


def ramp(frames: int) -> np.ndarray[Any, np.dtype[np.int16]]:
    return (np.arange(frames) * 30).astype(np.int16)


def test_a_loop_has_no_gap() -> None:
    player = Player()
    player.loop = True
    player.put(ramp(1000), play=True)
    samples = np.concatenate([player.render(frames) for frames in (300, 900, 1000)])
    expected = np.tile(ramp(1000), 3)[:2200] / 32768.0
    faded = PLAYBACK_RATE_HZ * 3 // 1000  # only the start fades in
    assert np.allclose(samples[faded:], expected[faded:], atol=1e-6)


class Clock:
    """Stands still until it is set."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_after_the_end_there_is_silence_and_play_starts_again() -> None:
    clock = Clock()
    player = Player(clock)
    player.put(ramp(1000), play=True)
    samples = player.render(1500)
    clock.now_s = 1.0
    assert not samples[1000:].any()
    assert samples[999] == pytest.approx(999 * 30 / 32768)
    assert not player.playing
    assert player.position_s == pytest.approx(1000 / PLAYBACK_RATE_HZ)
    player.toggle()
    assert player.playing
    assert player.position_s == 0.0


def test_the_position_is_what_sounds_not_what_the_device_took() -> None:
    clock, block = Clock(), PLAYBACK_RATE_HZ // 10
    player = Player(clock)
    player.latency_s = 0.06
    player.put(ramp(20 * block), play=True)

    def position_at(now_s: float) -> float:
        clock.now_s = now_s
        return player.position_s

    player.render(block)
    assert position_at(0.05) == 0.0  # it does not sound yet
    assert position_at(0.1) == pytest.approx(0.04)
    player.render(block)
    assert position_at(0.15) == pytest.approx(0.09)
    clock.now_s = 0.23  # a block that is taken 30 ms late follows the last one all the same
    player.render(block)
    assert position_at(0.27) == pytest.approx(0.21 - 0.003)
    player.toggle()
    paused_s = player.position_s
    assert paused_s == pytest.approx(0.21 - 0.003)
    assert position_at(0.5) == paused_s  # what the device has still sounds, but playing goes on from here
    player.render(block)  # silence
    player.toggle()
    player.render(block)
    assert position_at(0.6) == paused_s
    player.seek(1.0)
    assert position_at(0.62) == 1.0  # what still sounds from before the seek does not count
    player.render(block)
    assert position_at(2.0) == pytest.approx(1.1)


def test_the_position_wraps_around_with_the_loop_and_follows_the_speed() -> None:
    clock = Clock()
    player = Player(clock)
    player.loop, player.speed = True, 2.0
    player.put(ramp(PLAYBACK_RATE_HZ), play=True)
    player.render(PLAYBACK_RATE_HZ * 3 // 4)
    clock.now_s = 0.25
    assert player.position_s == pytest.approx(0.5)
    clock.now_s = 0.6
    assert player.position_s == pytest.approx(0.2)


def test_speed_gain_and_seek_change_the_samples() -> None:
    player = Player()
    player.put(ramp(1000), play=True)
    player.seek(500 / PLAYBACK_RATE_HZ)
    player.faster(9)
    player.louder(-2)
    samples = player.render(200)
    assert player.speed == 2.0
    quieter = 10 ** (-6 / 20)
    assert samples[150] == pytest.approx((500 + 300) * 30 / 32768 * quieter, rel=1e-3)
    player.seek(-5)
    assert player.position_s == 0.0
    player.faster(-99)
    assert player.speed == 0.5
    player.seek(100 / PLAYBACK_RATE_HZ)
    player.louder(2)
    assert player.render(200)[175] == pytest.approx((100 + 87.5) * 30 / 32768, rel=1e-3)


def test_a_high_gain_clips_and_does_not_wrap_around() -> None:
    player = Player()
    player.put(np.full(500, 30_000, np.int16), play=True)
    player.louder(10)
    assert player.render(500).max() == 1.0


def test_a_thumbnail_shows_when_it_is_loud_and_whether_high_or_low(tmp_path: Path) -> None:
    rate = 16_000
    time_s = np.arange(rate) / rate
    loud = np.where(time_s < 0.5, np.sin(2 * np.pi * 100 * time_s), np.sin(2 * np.pi * 5000 * time_s))
    soundfile.write(tmp_path / "a.wav", loud * (abs(time_s - 0.5) > 0.1), rate)
    levels = thumbnail(StoredClip(1, 1, str(tmp_path / "a.wav"), "0" * 64, 0.0, 1.0, None, "g"))
    upper, lower = levels[:2].mean(axis=0), levels[2:].mean(axis=0)
    first, last = slice(2, COLUMNS // 3), slice(-(COLUMNS // 3), -2)
    assert lower[first].mean() > upper[first].mean() and upper[last].mean() > lower[last].mean()
    assert levels[:, COLUMNS // 2].max() == 0
    for ink in (False, True):
        for shown_levels in (levels, None):
            for line in strips(shown_levels, dark=True, ink=ink):
                assert sum(cell_len(text) for text, _ in line) == COLUMNS
    assert all("#" not in style for line in strips(levels, dark=True, ink=True) for _, style in line)
