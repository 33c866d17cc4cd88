"""Near-duplicates: copies that were encoded, cut, shifted or mixed are found, similar sounds are not; groups joined."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from helpers.command_line import labeltool_here, labeltool_json
from helpers.progress import quiet
from helpers.read_only import read_only
from labeltool.checks import fingerprints
from labeltool.checks.fingerprints import find_pairs
from labeltool.checks.sound.candidates import candidates
from labeltool.checks.sound.landmarks import landmarks
from labeltool.checks.sound.waveforms import agreement
from labeltool.errors import LabeltoolError
from labeltool.project import Project
from labeltool.store.groups import recording_groups

RATE = 22_050


def song(seed: int, seconds: float = 3.0) -> np.ndarray:
    """Chirps over a noise, each at another place and pitch: all alike, none equal."""
    rng = np.random.default_rng(seed)
    samples = rng.normal(0.0, 0.01, round(seconds * RATE))
    for _ in range(int(6 * seconds)):
        length = int(rng.uniform(0.05, 0.2) * RATE)
        first = int(rng.integers(len(samples) - length))
        time_s = np.arange(length) / RATE
        pitch = rng.uniform(500, 4000) + rng.uniform(-4000, 4000) * time_s
        samples[first : first + length] += 0.2 * np.hanning(length) * np.sin(2 * np.pi * np.cumsum(pitch) / RATE)
    return samples


def hum(hertz: float) -> np.ndarray:
    """A stationary tone with its harmonics: similar to itself at every distance."""
    time_s = np.arange(3 * RATE) / RATE
    return np.asarray(sum(0.1 / n * np.sin(2 * np.pi * n * hertz * time_s + n) for n in range(1, 8)))


def imported(project: Project, folder: Path) -> None:
    labeltool_here("import", project, "audio", "--group-by", "none", folder)


def pairs(project: Project) -> dict[frozenset[str], fingerprints.NearDuplicate]:
    with project.open_store() as store:
        found, skipped = find_pairs(project, store, quiet)
        names = dict(store.connection.execute("SELECT id, path FROM recordings").fetchall())
    assert not skipped
    return {frozenset(Path(names[number]).stem for number in (one.first, one.second)): one for one in found}


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    folder = tmp_path / "sounds"
    folder.mkdir()
    for seed in range(6):
        soundfile.write(folder / f"song{seed}.wav", song(seed), RATE)
    for number, hertz in enumerate((100.0, 100.5, 100.0)):
        rng = np.random.default_rng(100 + number)
        soundfile.write(folder / f"hum{number}.wav", hum(hertz) + rng.normal(0, 0.003, 3 * RATE), RATE)
    return folder


@pytest.fixture
def copied(project: Project, sounds: Path) -> Project:
    """A project of nine recordings and copies of six of them."""
    soundfile.write(sounds / "encoded.mp3", song(0), RATE)
    soundfile.write(sounds / "cut.wav", song(1)[RATE // 2 : 2 * RATE], RATE)
    soundfile.write(sounds / "shifted.ogg", np.concatenate([song(9)[:RATE], song(2)])[: 3 * RATE], RATE)
    soundfile.write(sounds / "louder.flac", 2.5 * song(3), RATE)
    soundfile.write(sounds / "mixed.flac", song(4) + 0.7 * song(10), RATE)
    import soxr

    soundfile.write(sounds / "resampled.flac", soxr.resample(song(5), RATE, 16_000), 16_000)
    imported(project, sounds)
    return project


COPIES = {"encoded": 0, "cut": 1, "shifted": 2, "louder": 3, "mixed": 4, "resampled": 5}


def test_copies_are_found_and_nothing_else(copied: Project) -> None:
    found = pairs(copied)
    assert set(found) == {frozenset((copy, f"song{number}")) for copy, number in COPIES.items()}
    offsets = {"encoded": 0.0, "cut": -0.5, "shifted": 1.0, "louder": 0.0, "mixed": 0.0, "resampled": 0.0}
    for copy, number in COPIES.items():
        one = found[frozenset((copy, f"song{number}"))]
        # The smaller id is the first; an encoder's delay may be in it.
        assert abs(one.offset_s) == pytest.approx(abs(offsets[copy]), abs=0.06), copy
        assert one.score > 2 * fingerprints.MIN_AGREEMENT
    assert found[frozenset(("louder", "song3"))].score > 0.7


def test_only_what_connects_is_named(project: Project, tmp_path: Path) -> None:
    folder = tmp_path / "sounds"
    folder.mkdir()
    for number in range(5):
        soundfile.write(folder / f"take{number}.wav", (0.3 + 0.1 * number) * song(0), RATE)
    imported(project, folder)
    assert len(pairs(project)) == 4


def test_what_was_compared_is_kept(copied: Project, sounds: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = pairs(copied)
    monkeypatch.setattr(fingerprints, "candidates", None)
    assert pairs(copied) == before
    # Only new candidates are looked at.
    monkeypatch.undo()
    monkeypatch.setattr(fingerprints, "agreement", lambda *_: (0.0, 0.0))
    soundfile.write(sounds / "new.wav", 0.5 * song(0), RATE)
    imported(copied, sounds)
    assert pairs(copied) == before
    for damaged in (copied.cache / "checks").glob("pairs-*"):
        damaged.write_bytes(b"\x91" * 1000)
    assert pairs(copied) == {}


def test_where_nothing_is_new_no_fingerprint_is_read(
    copied: Project, sounds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = pairs(copied)
    compared: list[int] = []

    def compare(arrays: list[object], groups: list[int], is_new: list[bool]) -> list[object]:
        compared.append(sum(is_new))
        return []

    monkeypatch.setattr(fingerprints, "candidates", compare)
    with monkeypatch.context() as unread:
        unread.setattr(fingerprints.ArrayCache, "arrays", None)
        assert pairs(copied) == before
    soundfile.write(sounds / "new.wav", 0.5 * song(0), RATE)
    imported(copied, sounds)
    assert pairs(copied) == before and compared == [1]


def test_what_a_removed_recording_connected_is_compared_again(project: Project, sounds: Path) -> None:
    for name, gain in (("softer", 0.5), ("louder", 2.0)):
        soundfile.write(sounds / f"{name}.flac", gain * song(0), RATE)
    imported(project, sounds)
    middle = set.intersection(*map(set, pairs(project)))
    (gone,) = middle
    labeltool_here("remove", project, next(sounds.glob(f"{gone}.*")))
    assert set(pairs(project)) == {frozenset({"softer", "louder", "song0"} - middle)}


def test_a_missing_file_that_is_new_compares_no_others(
    copied: Project, sounds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    soundfile.write(sounds / "away.wav", 0.5 * song(0), RATE)
    imported(copied, sounds)
    (sounds / "away.wav").unlink()

    def all_pairs() -> list[fingerprints.NearDuplicate]:
        with copied.open_store() as store:
            found, skipped = find_pairs(copied, store, quiet)
        assert [Path(one.file).name for one in skipped] == ["away.wav"]
        return found

    before = all_pairs()
    monkeypatch.setattr(fingerprints, "_compared", None)
    assert all_pairs() == before


def test_what_could_not_be_read_is_compared_the_next_time(copied: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> tuple[float, float]:
        raise LabeltoolError("no such file")

    monkeypatch.setattr(fingerprints, "agreement", away)
    assert pairs(copied) == {}
    monkeypatch.undo()
    assert len(pairs(copied)) == len(COPIES)


def test_an_interrupted_comparison_is_gone_on_with(copied: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []

    def interrupted(path: str, other: str, start_s: float, offset_s: float) -> tuple[float, float]:
        looked.append(f"{path} {other}")
        if len(looked) == 4:
            raise KeyboardInterrupt
        return agreement(path, other, start_s, offset_s)

    monkeypatch.setattr(fingerprints, "_AT_ONCE", 2)
    monkeypatch.setattr(fingerprints, "agreement", interrupted)
    with pytest.raises(KeyboardInterrupt):
        pairs(copied)
    assert len(pairs(copied)) == len(COPIES)
    assert not {*looked[:2]} & {*looked[4:]}, "the first two were kept"


def test_a_project_that_cannot_be_written(copied: Project) -> None:
    with read_only(copied.directory):
        assert len(pairs(copied)) == len(COPIES)


def test_the_command_joins_groups_in_one_act(copied: Project) -> None:
    check = ("check", copied, "near-duplicate")
    with copied.open_store() as store:
        before = recording_groups(store)
    assert len(labeltool_json(*check)["findings"]) == len(COPIES)
    labeltool_here(*check, "--strict", check=1)
    assert labeltool_json(*check, "--join")["joined"] == len(COPIES)
    assert labeltool_json(*check, "--strict")["findings"] == []
    with copied.open_store() as store:
        assert len(set(recording_groups(store).values())) == len(set(before.values())) - len(COPIES)
    labeltool_here("undo", copied)
    with copied.open_store() as store:
        assert recording_groups(store) == before
    labeltool_here("check", copied, "--join", "silence", check=1)


def test_landmarks_of_a_part_are_those_of_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "song.wav"
    soundfile.write(path, song(0, 6.0), RATE)
    whole = landmarks(path)
    assert len(whole["hashes"]) > 300
    monkeypatch.setattr("labeltool.checks.sound.landmarks._PART_FRAMES", 150)
    parts = landmarks(path)
    of_whole, of_parts = (
        set(zip(one["hashes"].tolist(), one["frames"].tolist(), strict=True)) for one in (whole, parts)
    )
    common = of_whole & of_parts
    # What is prominent is so among the frames of a part: other peaks are the most prominent of another part.
    assert len(common) > 0.3 * len(whole["hashes"])


def test_silence_and_short_sounds_have_no_landmarks(tmp_path: Path) -> None:
    for name, samples in (("silent", np.zeros(RATE)), ("short", song(0)[:200])):
        soundfile.write(tmp_path / f"{name}.wav", samples, RATE)
        found = landmarks(tmp_path / f"{name}.wav")
        assert len(found["hashes"]) == len(found["frames"]) == 0
    assert candidates([found, found], [0, 1]) == []


def test_candidates_in_blocks_are_those_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    arrays = [
        {
            "hashes": rng.integers(0, 300, 80).astype(np.uint32),
            "frames": np.sort(rng.integers(0, 200, 80)).astype(np.int32),
            "peaks": np.sort((rng.integers(0, 200, 80) << 10) + rng.permutation(513)[:80]),
        }
        for _ in range(12)
    ]
    later = {"hashes": 0, "frames": 50, "peaks": 50 << 10}
    arrays[7] = {name: arrays[2][name] + later[name] for name in later}
    groups = [number // 2 for number in range(12)]
    whole = candidates(arrays, groups)
    assert (whole[0].first, whole[0].second, whole[0].offset) == (2, 7, 50) and whole[0].chance < 1e-50
    assert all(groups[one.first] != groups[one.second] for one in whole)
    for size in (1, 500):
        monkeypatch.setattr("labeltool.checks.sound.candidates._AT_ONCE", size)
        assert candidates(arrays, groups) == whole


def test_one_landmark_in_common_is_enough_where_peaks_coincide() -> None:
    rng = np.random.default_rng(0)

    def peaks(count: int) -> np.ndarray:
        return np.unique((rng.integers(0, 300, count) << 10) + rng.integers(4, 513, count))

    own = peaks(250)
    mixed = np.unique(np.concatenate([rng.choice(own, 20, replace=False) + (40 << 10), peaks(230)]))
    arrays = [
        {"hashes": np.array([one, 7], np.uint32), "frames": np.array([frame, 299], np.int32), "peaks": found}
        for one, frame, found in ((1, 10, own), (1, 50, mixed), (1, 90, peaks(250)))
    ]
    ((first, second, offset),) = [(one.first, one.second, one.offset) for one in candidates(arrays, range(3))]
    assert (first, second, offset) == (0, 1, 40)


def test_agreement_is_of_waveforms_not_of_spectra(tmp_path: Path) -> None:
    for name, samples in (
        ("one", song(0)),
        ("inverted", -0.1 * song(0)),
        ("reversed", song(0)[::-1]),
        ("short", hum(100)[:8000] + 0.1),
        ("other_short", hum(137)[:8000] + 0.1),
        ("hum", hum(100)),
    ):
        soundfile.write(tmp_path / f"{name}.wav", samples, RATE, subtype="FLOAT")
    soundfile.write(tmp_path / "other_hum.wav", np.roll(hum(100), 500), RATE, subtype="FLOAT")

    def score(one: str, other: str) -> float:
        return agreement(str(tmp_path / f"{one}.wav"), str(tmp_path / f"{other}.wav"), 1.0, 0.0)[0]

    assert score("one", "inverted") > 0.9
    assert score("one", "reversed") < 0.05
    assert score("one", "hum") < 0.05
    assert score("short", "other_short") < 0.05
