"""Of very many labelled clips a training reads only those that it can draw patches of."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from itertools import zip_longest

import numpy as np
import pytest

from helpers.progress import quiet
from labeltool import project as projects
from labeltool.audio.trunk_frontend import TrunkFrontend
from labeltool.pretrained.trunk_frames import TrunkFrames
from labeltool.project import Project
from labeltool.records import StoredClip
from labeltool.training import prepare
from labeltool.training.fit import settings_for
from labeltool.training.prepare import TrainingRequest
from labeltool.training.targets import TrainingSet

COUNTS = {"dog": 90, "owl": 6, "rain": 4}


def training_set(extra: int = 0) -> TrainingSet:
    """Return clips of three labels, and some more of the first."""
    labels = [number for number, count in enumerate(COUNTS.values()) for _ in range(count)] + [0] * extra
    stored = tuple(
        StoredClip(n, n, f"{n}.wav", f"{n:064x}", 0.0, 5.0, None, f"group {n}") for n in range(1, len(labels) + 1)
    )
    present = np.eye(3, dtype=np.float32)[labels]
    return TrainingSet(stored, tuple(COUNTS), "softmax", None, present, np.zeros_like(present), 0, ())


def drawn(clips: TrainingSet, *, warm: bool = False) -> TrainingSet:
    """Draw from clips for a training of 20 patches from scratch, or 10 of a warm start."""
    settings = replace(settings_for("miniresnet"), most_patches=20, warm_share=0.5)
    return prepare._drawn(clips, TrainingRequest("miniresnet"), settings, quiet, warm=warm)


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let few clips be many."""
    monkeypatch.setattr(prepare, "_LEAST_DRAWN", 5)


def test_labels_take_turns_so_that_rare_ones_lose_nothing() -> None:
    for warm, most in ((False, [10, 6, 4]), (True, [4, 3, 3])):
        found = drawn(training_set(), warm=warm)
        assert found.present.sum(axis=0).tolist() == most
        assert len(found.clips) == sum(most)
        assert sorted(clip.id for clip in found.clips) == [clip.id for clip in found.clips]  # in their order


def test_few_clips_are_all_read() -> None:
    whole = training_set().only(training_set().clips[:20])
    assert drawn(whole) is whole


def test_what_one_training_drew_the_next_draws_again() -> None:
    before = {clip.id for clip in drawn(training_set()).clips}
    after = {clip.id for clip in drawn(training_set(extra=5)).clips}
    assert len(before & after) >= 19 - 5
    assert before == {clip.id for clip in drawn(training_set()).clips}


def test_the_features_of_a_trunk_count_towards_the_bound_of_the_cache(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project.directory / "labeltool.toml").write_text("[learning]\ncache_gb = 0.5\n")
    frames = TrunkFrames(project.directory / "trunk.tflite", TrunkFrontend("abc", 4, 1.0, 0))
    monkeypatch.setattr(prepare, "trunk_frames", lambda *_: frames)
    request = TrainingRequest("yamnet256", trunk=object())  # type: ignore[arg-type]
    cache = prepare.feature_cache_for(projects.find(project.directory), request)
    assert cache.frontend == frames.frontend
    assert cache._max_bytes == 500_000_000


def in_turns(training_set: TrainingSet, seed: int) -> tuple[list[int], int]:
    """Return the ids as they are drawn, and how many labels there are: written out, clip by clip."""
    turns: dict[int, list[int]] = {}
    for clip, row in sorted(
        zip(training_set.clips, training_set.present, strict=True),
        key=lambda one: hashlib.sha256(f"{seed} {one[0].key}".encode()).digest(),
    ):
        turns.setdefault(int(row.argmax()) if row.any() else -1, []).append(clip.id)
    return [id_ for turn in zip_longest(*turns.values()) for id_ in turn if id_ is not None], len(turns)


@pytest.mark.parametrize("seed", [0, 1, 17])
def test_clips_are_drawn_by_the_hash_of_their_keys_and_the_labels_take_turns(seed: int) -> None:
    rng = np.random.default_rng(seed)
    clips = training_set(extra=50)
    present = clips.present[rng.permutation(len(clips.clips))]
    present[rng.permutation(len(present))[:20]] = 0.0  # known only for absent labels
    clips = replace(clips, present=present)
    rows, labels = prepare._in_turns(clips, seed)
    assert ([clips.clips[row].id for row in rows], labels) == in_turns(clips, seed)


def test_of_very_many_clips_a_bounded_number_validates() -> None:
    settings = settings_for("miniresnet")
    for clips, held_out in ((0, 0), (300, 30), (100_000, 10_000), (320_000, 10_000)):
        assert round(prepare._share_to_validate(clips, settings) * clips) == held_out
