"""The cache of frames: what it computes, survives and reports."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np
import pytest
import soundfile

from helpers.progress import quiet
from labeltool.audio import feature_cache, files
from labeltool.audio.clip_samples import clip_pcm
from labeltool.audio.feature_cache import FeatureCache
from labeltool.audio.frontend import LogMelFrontend
from labeltool.errors import LabeltoolError
from labeltool.inference.clip_features import compute_features
from labeltool.parallel import engine
from labeltool.records import StoredClip
from labeltool.util.lazy_frames import LazySequence, join, pick
from labeltool.util.time_limit import TimeLimit

FRONTEND = LogMelFrontend()


def clip(path: Path, start_s: float = 0.0, end_s: float = 2.0) -> StoredClip:
    sha256 = files.content_hash(path) if path.exists() else "0" * 64
    return StoredClip(1, 1, str(path), sha256, start_s, end_s, None, "group")


def test_the_cache_gives_the_frontends_numbers(tmp_path: Path, write_tone: Callable[..., Path]) -> None:
    stored = clip(write_tone("tone.wav", seconds=3.0, rate=44_100), 0.5, 2.5)
    cache = FeatureCache(tmp_path / "cache", FRONTEND)
    assert not cache.has([stored]).any()
    assert cache.compute([stored, stored]) == {}
    assert cache.has([stored]).all()
    pcm = files.read_pcm(stored.path, 0.5, 2.5, FRONTEND.sample_rate_hz)
    np.testing.assert_array_equal(cache.log_mel(stored), FRONTEND.log_mel(pcm))
    assert not cache.log_mel(stored).flags.writeable


def test_a_replaced_file_is_not_taken_for_the_old_one(tmp_path: Path, write_tone: Callable[..., Path]) -> None:
    old = clip(write_tone("tone.wav", seconds=3.0))
    write_tone("tone.wav", seconds=3.0, frequency_hz=2000)
    failed = FeatureCache(tmp_path / "cache", FRONTEND).compute([old])
    assert "was replaced" in str(failed[old.key])


def test_cached_frames_are_not_computed_again_and_survive_the_sound(
    tmp_path: Path, write_tone: Callable[..., Path]
) -> None:
    path = write_tone("tone.wav", seconds=2.0)
    stored = clip(path)
    FeatureCache(tmp_path / "cache", FRONTEND).compute([stored])
    path.unlink()
    again = FeatureCache(tmp_path / "cache", FRONTEND)
    assert again.compute([stored], progress=lambda *_: pytest.fail("computed again")) == {}
    assert len(again.log_mel(stored)) == FRONTEND.n_frames(32_000)


def test_another_frontend_has_its_own_cache(tmp_path: Path, write_tone: Callable[..., Path]) -> None:
    stored = clip(write_tone("tone.wav", seconds=2.0))
    FeatureCache(tmp_path, FRONTEND).compute([stored])
    assert not FeatureCache(tmp_path, replace(FRONTEND, floor=1e-3)).has([stored]).any()


def test_frames_computed_in_another_way_are_not_mixed(
    tmp_path: Path, write_tone: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = clip(write_tone("tone.wav", seconds=2.0))
    FeatureCache(tmp_path, FRONTEND).compute([stored])
    monkeypatch.setattr(feature_cache, "COMPUTATION", feature_cache.COMPUTATION + 1)
    assert not FeatureCache(tmp_path, FRONTEND).has([stored]).any()


def test_one_bad_file_does_not_lose_the_others(tmp_path: Path, write_tone: Callable[..., Path]) -> None:
    good = clip(write_tone("good.wav", seconds=2.0))
    (tmp_path / "bad.wav").write_text("not a sound")
    bad, gone = clip(tmp_path / "bad.wav"), clip(tmp_path / "gone.wav")
    past = replace(good, start_s=5.0, end_s=8.0)
    cache = FeatureCache(tmp_path / "cache", FRONTEND)
    failed = cache.compute([bad, good, gone, past])
    assert set(failed) == {bad.key, gone.key, past.key}
    assert "bad.wav" in str(failed[bad.key]) and "ends before" in str(failed[past.key])
    assert cache.has([good, bad]).tolist() == [True, False]


def test_after_a_limit_no_clip_is_begun_and_those_given_first_are_there(
    tmp_path: Path, write_tone: Callable[..., Path]
) -> None:
    clips = [clip(write_tone(f"{name}.wav", seconds=2.0)) for name in "cab"]
    cache, ticks = FeatureCache(tmp_path / "cache", FRONTEND), count()
    assert cache.compute(clips, limit=TimeLimit(3.0, lambda: next(ticks))) == {}  # one tick before, one for each clip
    assert cache.has(clips).tolist() == [True, True, False]
    found = compute_features(cache, clips, report=quiet, limit=TimeLimit(0.0, lambda: 1.0))
    assert ([*found.clips], found.left_out, found.skipped) == (clips[:2], 1, ())


def test_what_is_computed_in_any_case_counts_as_failed_where_it_cannot_be_read(
    tmp_path: Path, write_tone: Callable[..., Path]
) -> None:
    cache, over = FeatureCache(tmp_path / "cache", FRONTEND), TimeLimit(0.0, lambda: 1.0)
    gone, good, left = clip(tmp_path / "gone.wav"), *(clip(write_tone(f"{name}.wav", seconds=2.0)) for name in "ab")
    with pytest.raises(LabeltoolError, match=r"gone\.wav"):
        compute_features(cache, [gone, good], report=quiet, limit=over, first=[gone])
    found = compute_features(cache, [gone, good, left], report=quiet, limit=over, first=[gone, good])
    assert ([*found.clips], found.left_out, [one.file for one in found.skipped]) == ([good], 1, [gone.path])


@pytest.mark.parametrize("damage", ["cut", "flipped", "index", "empty"])
def test_a_damaged_shard_is_computed_again(tmp_path: Path, write_tone: Callable[..., Path], damage: str) -> None:
    stored = clip(write_tone("tone.wav", seconds=2.0))
    cache = FeatureCache(tmp_path / "cache", FRONTEND)
    cache.compute([stored])
    expected = np.array(cache.log_mel(stored))
    (shard,), (index,) = cache.directory.glob("*.npy"), cache.directory.glob("*.json")
    data = bytearray(shard.read_bytes())
    if damage == "cut":
        shard.write_bytes(data[:-100])
    elif damage == "flipped":
        data[len(data) // 2] ^= 0x40
        shard.write_bytes(data)
    elif damage == "index":
        index.write_text("{")
    else:
        shard.write_bytes(b"")
    after = FeatureCache(tmp_path / "cache", FRONTEND)
    assert not after.has([stored]).any()
    assert after.compute([stored]) == {}
    np.testing.assert_array_equal(after.log_mel(stored), expected)


def test_an_interrupted_run_keeps_what_is_done(
    tmp_path: Path, write_tone: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_cores", lambda: 1)
    clips = [clip(write_tone(f"{i}.wav", seconds=1.2), 0.0, 1.2) for i in range(130)]
    cache = FeatureCache(tmp_path / "cache", FRONTEND)

    def interrupt(done: int, wanted: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.compute(clips, progress=interrupt)
    after = FeatureCache(tmp_path / "cache", FRONTEND)
    kept = after.has(clips).sum()
    assert 0 < kept < 130
    reports: list[tuple[int, int]] = []
    after.compute(clips, progress=lambda done, wanted: reports.append((done, wanted)))
    assert reports[-1] == (130 - kept, 130 - kept)
    assert after.has(clips).all()


def test_several_processes_give_the_same_numbers(
    tmp_path: Path, write_tone: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    clips = [clip(write_tone(f"{i}.wav", frequency_hz=200 + 40 * i, seconds=1.2), 0.0, 1.2) for i in range(60)]
    (tmp_path / "bad.wav").write_text("no")
    alone, together = FeatureCache(tmp_path / "one", FRONTEND), FeatureCache(tmp_path / "two", FRONTEND)
    monkeypatch.setattr(engine, "_cores", lambda: 1)
    alone.compute(clips)
    monkeypatch.setattr(engine, "_cores", lambda: 2)
    failed = together.compute([*clips, clip(tmp_path / "bad.wav")])
    assert [error.file for error in failed.values()] == [str(tmp_path / "bad.wav")]
    for stored in clips:
        np.testing.assert_array_equal(alone.log_mel(stored), together.log_mel(stored))


def test_a_short_clip_is_extended_by_the_recording_around_it(tmp_path: Path) -> None:
    rate, patch_s = 16_000, FRONTEND.patch_samples / 16_000
    samples = (np.random.default_rng(1).normal(0, 0.1, 4 * rate)).astype(np.float32)
    path = tmp_path / "long.wav"
    soundfile.write(path, samples, rate, subtype="PCM_16")

    def expected(start_s: float) -> np.ndarray:
        return FRONTEND.log_mel(files.read_pcm(path, start_s, start_s + patch_s, rate))

    def log_mel(start_s: float, end_s: float) -> np.ndarray:
        return FRONTEND.log_mel(clip_pcm(clip(path, start_s, end_s), FRONTEND))

    middle = log_mel(2.0, 2.1)
    np.testing.assert_allclose(middle, expected(2.05 - patch_s / 2), atol=1e-3)
    assert middle.shape == (FRONTEND.patch_frames, 64)
    np.testing.assert_allclose(log_mel(0.0, 0.1), expected(0.0), atol=1e-3)
    np.testing.assert_allclose(log_mel(3.9, 4.0), expected(4.0 - patch_s), atol=1e-3)


def test_a_file_shorter_than_a_patch_is_filled_with_silence(tmp_path: Path) -> None:
    path = tmp_path / "short.wav"
    soundfile.write(path, np.random.default_rng(2).normal(0, 0.1, 4000), 16_000, subtype="PCM_16")
    log_mel = FRONTEND.log_mel(clip_pcm(clip(path, 0.0, 0.25), FRONTEND))
    assert log_mel.shape == (FRONTEND.patch_frames, 64)
    silent = FRONTEND.log_of_power(np.zeros(64, np.float32))
    np.testing.assert_allclose(log_mel[0], silent, atol=1e-4)
    assert log_mel[25].max() > silent.max() + 1


def test_the_index_is_plain(tmp_path: Path, write_tone: Callable[..., Path]) -> None:
    stored = clip(write_tone("tone.wav", seconds=2.0))
    cache = FeatureCache(tmp_path / "cache", FRONTEND)
    cache.compute([stored])
    (index,) = cache.directory.glob("*.json")
    assert json.loads(index.read_text())["clips"] == [[stored.key, 0, FRONTEND.n_frames(32_000)]]
    assert not list(cache.directory.glob("*.partial"))


def test_real_recordings_give_librosas_log_mels(tmp_path: Path, real_data: Path) -> None:
    import librosa

    for path in sorted((real_data / "esc10" / "audio").glob("*.ogg"))[::80]:
        stored = clip(path, 0.0, 5.0)
        cache = FeatureCache(tmp_path, FRONTEND)
        assert cache.compute([stored]) == {}
        pcm = files.read_pcm(path, 0.0, 5.0, 16_000).astype(np.float64) / 32768
        power = librosa.feature.melspectrogram(
            y=pcm, sr=16_000, n_fft=1024, hop_length=320, center=False, n_mels=64, fmin=20, fmax=7500
        )
        expected = (10 * np.log10(power + FRONTEND.floor) - FRONTEND.offset_db) / FRONTEND.scale_db
        np.testing.assert_allclose(cache.log_mel(stored), expected.T, atol=5e-4)


def test_shards_that_were_not_used_for_longest_are_deleted(tmp_path: Path, write_tone: Callable[..., Path]) -> None:
    clips = [clip(write_tone(f"{name}.wav", seconds=2.0)) for name in "abcd"]
    root = tmp_path / "cache"
    for stored in clips[:3]:
        FeatureCache(root, FRONTEND).compute([stored])
    sizes = {index: index.stat().st_size for index in root.glob("*/*")}
    of_another = root / "other" / "old.npy"
    of_another.parent.mkdir()
    for number, path in enumerate((of_another.with_suffix(".json"), *sorted(root.glob("*/*.json")))):
        path.touch()
        os.utime(path, ns=(number, number))
    of_another.write_bytes(bytes(100))
    bound = sum(sizes.values()) + 50  # an index may be a few digits longer
    cache = FeatureCache(root, FRONTEND, max_bytes=bound)
    oldest, *_ = sorted((one for one in clips[:3]), key=lambda one: index_of(cache, one).stat().st_mtime_ns)
    assert cache.compute([oldest]) == {}  # used again: no longer the oldest
    assert cache.compute([clips[3]]) == {}
    assert not list(of_another.parent.iterdir())  # of a frontend that is not used any more
    assert cache.has([oldest, clips[3]]).all()
    # Down to nine tenths of the bound, so that not each batch looks through all.
    assert cache.has(clips).sum() == FeatureCache(root, FRONTEND).has(clips).sum() == 2
    assert sum(path.stat().st_size for path in root.glob("*/*")) <= bound


def test_what_one_call_needs_stays_whatever_the_bound(tmp_path: Path, write_tone: Callable[..., Path]) -> None:
    clips = [clip(write_tone(f"{name}.wav", seconds=2.0)) for name in "abc"]
    cache = FeatureCache(tmp_path / "cache", FRONTEND, max_bytes=1)
    for stored in clips:
        cache.compute([stored])
    assert cache.has(clips).tolist() == [False, False, True]
    cache.compute(clips)
    assert cache.has(clips).all()


def test_eviction_follows_no_link(tmp_path: Path, write_tone: Callable[..., Path]) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    for name in ("kept.npy", "kept.json"):
        (outside / name).write_bytes(bytes(1000))
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "link").symlink_to(outside)
    FeatureCache(tmp_path / "cache", FRONTEND, max_bytes=1).compute([clip(write_tone("a.wav", seconds=2.0))])
    assert len(list(outside.iterdir())) == 2


def test_only_what_is_needed_is_read_of_the_cache(tmp_path: Path, write_tone: Callable[..., Path]) -> None:
    clips = [clip(write_tone(f"{name}.wav", seconds=2.0)) for name in "ab"]
    for stored in clips:
        FeatureCache(tmp_path / "cache", FRONTEND).compute([stored])
    again = FeatureCache(tmp_path / "cache", FRONTEND)
    index_of(again, clips[1]).with_suffix(".npy").unlink()
    assert again.compute([clips[0]], progress=lambda *_: pytest.fail("computed again")) == {}
    assert not again.has(clips[1:2]).any()  # found out when it is needed


def index_of(cache: FeatureCache, stored: StoredClip) -> Path:
    """Return the index of the shard with a clip."""
    return next(path for path in cache.directory.glob("*.json") if stored.key in path.read_text())


def test_a_cache_that_is_not_full_is_looked_through_once(
    tmp_path: Path, write_tone: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    looks, look = [], feature_cache._shards
    monkeypatch.setattr(feature_cache, "_shards", lambda root: looks.append(root) or look(root))
    cache = FeatureCache(tmp_path / "cache", FRONTEND, max_bytes=10**9)
    for name in "abc":
        cache.compute([clip(write_tone(f"{name}.wav", seconds=2.0))])
    assert len(looks) == 1
    assert cache._bytes == sum(path.stat().st_size for path in cache.directory.iterdir())


@pytest.mark.parametrize(("max_read", "stay_open"), [(1 << 20, 0), (1, 10)], ids=["read", "mapped"])
def test_a_file_is_open_for_long_clips_alone_and_as_long_as_they_are_used(
    tmp_path: Path,
    write_tone: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    max_read: int,
    stay_open: int,
) -> None:
    monkeypatch.setattr(feature_cache, "_CLIPS_PER_SHARD", 2)
    monkeypatch.setattr(feature_cache, "_MAX_READ", max_read)
    clips = [clip(write_tone(f"{number}.wav", frequency_hz=300.0 + number, seconds=2.0)) for number in range(10)]
    FeatureCache(tmp_path / "cache", FRONTEND).compute(clips)
    cache, descriptors = FeatureCache(tmp_path / "cache", FRONTEND), Path("/proc/self/fd")
    before = len(list(descriptors.iterdir()))
    shuffled = clips[::2] + clips[1::2]  # each shard again after all others
    found = [cache.log_mel(one) for one in shuffled]
    assert len(list(descriptors.iterdir())) == before + stay_open
    for one, frames in zip(shuffled, found, strict=True):
        assert not frames.flags.writeable
        np.testing.assert_array_equal(frames, FRONTEND.log_mel(clip_pcm(one, FRONTEND)))
    del found, frames
    assert len(list(descriptors.iterdir())) == before


def test_frames_that_another_process_has_deleted_are_computed_again(
    tmp_path: Path, write_tone: Callable[..., Path]
) -> None:
    stored = clip(write_tone("tone.wav", seconds=2.0))
    cache = FeatureCache(tmp_path / "cache", FRONTEND)
    (frames,) = (found := compute_features(cache, [stored], report=quiet)).frames
    index_of(cache, stored).with_suffix(".npy").unlink()
    np.testing.assert_array_equal(found.frames[0], frames)
    Path(stored.path).unlink()
    with pytest.raises(LabeltoolError, match=r"tone\.wav"):
        found.frames[0]


def test_frames_are_read_when_they_are_needed() -> None:
    read: list[int] = []

    def frames_of(number: int) -> np.ndarray:
        read.append(number)
        return np.full((1, 1), number, np.float32)

    some = join(pick(LazySequence(frames_of, range(10)), [7, 3, 5]), [np.zeros((1, 1), np.float32)])
    assert (len(some), len(some[1:3]), read) == (4, 2, [])
    assert [float(one[0, 0]) for one in some[1:3]] == [3.0, 5.0]
    assert (float(some[-1][0, 0]), read) == (0.0, [3, 5])


def test_clips_are_found_among_those_of_many_shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feature_cache, "_INDEXES_AT_ONCE", 3)
    clips = [clip(tmp_path / "gone.wav", number, number + 1.0) for number in range(40)]
    frames = {one.key: np.full((1 + number % 3, 64), number, np.float32) for number, one in enumerate(clips)}
    directory = FeatureCache(tmp_path / "cache", FRONTEND).directory
    directory.mkdir(parents=True)
    for first in range(0, 40, 4):
        some = clips[first : first + 4]
        feature_cache.write_frames(directory, {one.key: frames[one.key] for one in some})
    cache = FeatureCache(tmp_path / "cache", FRONTEND)
    for one in clips:
        np.testing.assert_array_equal(cache.log_mel(one), frames[one.key])
    unknown = replace(clips[0], start_s=0.5)
    assert cache.has([clips[3], unknown, clips[3]]).tolist() == [True, False, True]
    assert cache.has([]).tolist() == []
    with pytest.raises(LabeltoolError, match="not in the cache"):
        cache.log_mel(unknown)


def test_of_a_clip_in_several_shards_the_last_that_was_read_counts(tmp_path: Path) -> None:
    cache, one = FeatureCache(tmp_path / "cache", FRONTEND), clip(tmp_path / "gone.wav")
    cache.directory.mkdir(parents=True)
    feature_cache.write_frames(cache.directory, {one.key: np.zeros((2, 64), np.float32)})
    assert not cache.has([one]).any()  # nobody looked since
    assert cache.compute([one]) == {} and cache.log_mel(one).shape == (2, 64)
    feature_cache.write_frames(cache.directory, {one.key: np.ones((3, 64), np.float32)})
    cache.compute([replace(one, start_s=0.1)])  # it looks for what is missing
    assert cache.log_mel(one).shape == (3, 64)
