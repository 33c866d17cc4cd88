"""`labeltool check`: each fault of a sound is found, named with what mends it, and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from helpers.command_line import labeltool_here, labeltool_json
from helpers.read_only import read_only
from labeltool.checks.sound import array_cache
from labeltool.project import Project
from labeltool.store import clips, journal

RATE = 16_000
SOUND_KINDS = ("silence", "clipping", "not-finite", "dc-offset", "truncated", "opposite-phase")


def noise(seed: int, seconds: float = 1.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.0, 0.1, round(seconds * RATE))


def write(folder: Path, **sounds: np.ndarray) -> None:
    folder.mkdir(exist_ok=True)
    for name, samples in sounds.items():
        soundfile.write(folder / f"{name}.wav", samples, RATE)


def imported(project: Project, folder: Path) -> None:
    labeltool_here("import", project, "audio", folder)


def found(project: Project, *arguments: str) -> dict[str, set[str]]:
    """Return the files that are named in the findings, by kind."""
    result = labeltool_json("check", project, *arguments)
    with project.open_store() as store:
        names = dict(store.connection.execute("SELECT id, path FROM recordings").fetchall())
    by_kind: dict[str, set[str]] = {kind: set() for kind in result["checked"]}
    for one in result["findings"]:
        by_kind[one["kind"]] |= {Path(names[number]).stem for number in one["recordings"]}
        assert one["remedy"] and one["severity"] in ("error", "warning", "note")
    return by_kind


@pytest.fixture
def faulty(project: Project, tmp_path: Path) -> Project:
    """A project of twelve good recordings and one of each fault."""
    good = {f"good{number}": noise(number) for number in range(12)}
    left, right = noise(100), noise(101)
    write(
        tmp_path / "sounds",
        **good,
        stereo=np.stack([left, 0.5 * left + 0.5 * right], axis=1),
        silent=1e-4 * noise(102),
        clipped=np.clip(np.sin(np.arange(RATE) / 9), -0.6, 0.6),
        shifted=noise(103) + 0.05,
        opposite=np.stack([left, -left], axis=1),
        partly=np.stack([right, np.where(np.arange(RATE) < RATE // 3, -right, right)], axis=1),
        short=noise(104, 0.5),
    )
    whole = tmp_path / "sounds" / "cut.wav"
    soundfile.write(whole, noise(105), RATE)
    whole.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    for name, value in (("nan", np.nan), ("infinite", np.inf)):
        samples = noise(106)
        samples[100:102] = value
        soundfile.write(tmp_path / "sounds" / f"{name}.wav", samples, RATE, subtype="FLOAT")
    imported(project, tmp_path / "sounds")
    return project


def test_each_fault_of_a_sound_and_nothing_else(faulty: Project) -> None:
    assert found(faulty, *SOUND_KINDS) == {
        "silence": {"silent"},
        "clipping": {"clipped"},
        "not-finite": {"nan", "infinite"},
        "dc-offset": {"shifted"},
        "truncated": {"short", "cut"},
        "opposite-phase": {"opposite", "partly"},
    }


def test_settings_move_the_thresholds(faulty: Project) -> None:
    settings = "[check]\nsilence_dbfs = -120\nclipped_share = 1\ndc_offset = 0.5\ncancelled_db = 200\n"
    (faulty.directory / "labeltool.toml").write_text(settings)
    kinds = [kind for kind in SOUND_KINDS if kind not in ("truncated", "not-finite")]
    assert found(faulty, *kinds) == {kind: set() for kind in kinds}


def test_the_page_on_the_terminal(faulty: Project) -> None:
    done = labeltool_here("check", faulty, "--limit", 1, *SOUND_KINDS)
    lines = done.stdout.splitlines()
    assert lines[0] == "Silent clips (silence): 1"
    assert "silent.wav from 0 to 1 s" in lines[1] and lines[2].strip().startswith("-> `b` in the app")
    assert "... and 1 more: --limit" in done.stderr
    assert "6 checks: 5 errors, 3 warnings, 1 note\n" in done.stderr


def test_strict_fails_for_warnings_and_not_for_notes(faulty: Project) -> None:
    labeltool_here("check", faulty, "--strict", "silence", check=1)
    labeltool_here("check", faulty, "silence", check=0)
    (faulty.directory / "labeltool.toml").write_text("[check]\nsilence_dbfs = -120\n")
    labeltool_here("check", faulty, "--strict", "silence", check=0)


def test_an_unknown_kind_is_named(project: Project) -> None:
    done = labeltool_here("check", project, "hum", check=1)
    assert "there is no check 'hum'" in done.stderr and "silence" in done.stderr


def test_an_empty_project_is_not_a_sound_one(project: Project) -> None:
    found = labeltool_here("check", "--strict", project, check=1)
    assert "no recordings to check" in found.stderr


def test_what_was_measured_is_not_measured_again(
    faulty: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = labeltool_json("check", faulty, "clipping")
    monkeypatch.setattr(array_cache, "_write_shard", None)
    assert labeltool_json("check", faulty, "clipping") == before
    # A damaged shard is measured again.
    monkeypatch.undo()
    for shard in (faulty.cache / "checks").rglob("*.npz"):
        shard.write_bytes(shard.read_bytes()[:-100])
    assert labeltool_json("check", faulty, "clipping") == before


def test_a_missing_file_stops_nothing(faulty: Project, tmp_path: Path) -> None:
    (tmp_path / "sounds" / "good3.wav").unlink()
    result = labeltool_json("check", faulty, "clipping")
    assert [one["file"] for one in result["skipped"]] == [str(tmp_path / "sounds" / "good3.wav")]
    assert len(result["findings"]) == 1


def test_a_file_that_is_gone_is_named_though_it_was_measured_before(project: Project, tmp_path: Path) -> None:
    write(tmp_path / "sounds", one=noise(1), other=noise(2))
    imported(project, tmp_path / "sounds")
    done = labeltool_here("check", project, "--strict", "dc-offset", "--join", "near-duplicate")
    assert "0 recordings have another group now" in done.stderr and "undo" not in done.stderr
    (tmp_path / "sounds" / "one.wav").unlink()
    assert [one["file"] for one in labeltool_json("check", project, "dc-offset")["skipped"]] == [
        str(tmp_path / "sounds" / "one.wav")
    ]
    labeltool_here("check", project, "--strict", "dc-offset", check=1)


def test_a_project_that_cannot_be_written(faulty: Project) -> None:
    with read_only(faulty.directory):
        assert len(labeltool_json("check", faulty, "clipping")["findings"]) == 1


def test_a_clip_that_was_excluded_is_no_finding(faulty: Project) -> None:
    with faulty.open_store() as store:
        clip = clips.find_clip(store, "silent.wav")
        journal.exclude(store, clip.id, "bad audio", annotator="ann")
    assert found(faulty, "silence") == {"silence": set()}


def test_the_page_escapes_what_is_in_names(project: Project, tmp_path: Path) -> None:
    write(tmp_path / "sounds", **{"<script>alert(1)<script>": np.zeros(RATE), "good": noise(1)})
    imported(project, tmp_path / "sounds")
    page = tmp_path / "check.html"
    labeltool_here("check", project, "-o", page, "silence", "clipping")
    text = page.read_text(encoding="utf-8")
    assert "<script" not in text and "&lt;script&gt;alert(1)" in text
    assert "Silent clips" in text and "prefers-color-scheme: dark" in text
    assert "http" not in text.replace("http-equiv", "")  # it needs nothing from elsewhere
