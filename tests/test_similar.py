"""Clips that sound alike: found exactly, kept up to date, grouped, drawn, from the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import tone_writer
from ear_helpers import quiet
from test_command_line import HEAVY, labeltool

from labeltool.annotation import listing
from labeltool.errors import LabeltoolError
from labeltool.importers import audio_files
from labeltool.pretrained import registry
from labeltool.project import Project
from labeltool.records import StoredClip
from labeltool.similarity import compare, search
from labeltool.similarity.index import WIDTH, Neighbours, Space
from labeltool.store import clips, journal
from labeltool.store.importing import take_in

# Three kinds of tone, two of each: what belongs together lies together.
KINDS = {"low": 300.0, "middle": 1200.0, "high": 5000.0}


def stored(number: int) -> StoredClip:
    return StoredClip(number, number, f"/{number}.wav", f"{number:064x}", 0.0, 1.0, None, str(number))


def taken_in(project: Project, folder: Path) -> None:
    with project.open_store() as store:
        take_in(store, audio_files.read([folder], None, None), kind="audio", source=str(folder))


@pytest.fixture
def tones(project: Project, tmp_path: Path) -> Project:
    """A project of six tones of three kinds."""
    write = tone_writer(tmp_path / "sounds")
    for kind, hertz in KINDS.items():
        for number in range(2):
            write(f"{kind}{number}.wav", frequency_hz=hertz * (1 + 0.02 * number), seconds=1.0)
    taken_in(project, tmp_path / "sounds")
    return project


def like(project: Project, name: str, count: int = 10) -> list[str]:
    """The names of the files nearest to one, itself first."""
    with project.open_store() as store:
        found = search.like(project, store, search.source_of(project, store), clips.find_clip(store, name), count)
    assert found is not None
    assert [distance for _, distance in found.clips] == sorted(distance for _, distance in found.clips)
    return [Path(clip.path).stem for clip, _ in found.clips]


# -- the space and the rows


def test_the_nearest_rows_are_those_of_all_distances(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(9000, 40)).astype(np.float32) * rng.uniform(0.1, 9.0, 40).astype(np.float32)
    space = Space.of(features[:500])
    index = Neighbours.make(tmp_path / "index", space)
    # In parts, whose ends are no multiples of a block's.
    for first in range(0, 9000, 2500):
        ids = range(first, min(first + 2500, 9000))
        index.append([stored(number) for number in ids], features[first : first + 2500])
    index = Neighbours.open(tmp_path / "index")
    assert index is not None and len(index) == 9000
    for asked in (0, 4095, 4096, 8999):
        apart = np.linalg.norm((features - features[asked]) @ space.axes, axis=1)
        places, distances = index.nearest(asked, 10)
        assert places[0] == asked
        np.testing.assert_allclose(apart[places], distances, atol=2e-3)
        np.testing.assert_allclose(distances, np.sort(apart)[:10], atol=2e-3)
    assert len(index.nearest(3, 20_000)[0]) == 9000


@pytest.mark.parametrize("clips_at_first", [1, 200])
def test_axes_settled_by_few_clips_tell_later_ones_apart_too(clips_at_first: int) -> None:
    rng = np.random.default_rng(1)
    features = rng.normal(size=(1000, 300)).astype(np.float32)
    space = Space.of(features[:clips_at_first])
    assert space.axes.shape == (300, WIDTH)
    assert np.isfinite(space.axes).all()
    lengths = np.linalg.norm(space.axes, axis=0)
    np.testing.assert_allclose(lengths, lengths[0], rtol=1e-3)
    placed = (features - space.mean) @ space.axes
    assert np.linalg.matrix_rank(placed) == WIDTH


def test_features_of_several_kinds_count_alike_when_standardised() -> None:
    rng = np.random.default_rng(2)
    features = (rng.normal(size=(400, 6)) * [100, 1, 1, 1, 1, 0]).astype(np.float32)
    space = Space.of(features, standardise=True)
    placed = (features - space.mean) @ space.axes
    assert (placed**2).sum(axis=1).mean() == pytest.approx(1.0, rel=1e-3)
    without_the_loud_one = placed - np.outer(features[:, 0] - space.mean[0], space.axes[0])
    assert (without_the_loud_one**2).sum(axis=1).mean() == pytest.approx(0.8, abs=0.05)


def test_what_was_cut_short_counts_as_far_as_it_is_whole_and_is_gone_on_from(tmp_path: Path) -> None:
    features = np.random.default_rng(3).normal(size=(8, 20)).astype(np.float32)
    index = Neighbours.make(tmp_path / "index", Space.of(features))
    index.append([stored(number) for number in range(5)], features[:5])
    for name in ("rows.i16", "entries"):
        path = tmp_path / "index" / name
        path.write_bytes(path.read_bytes()[:-3])
    cut = Neighbours.open(tmp_path / "index")
    assert cut is not None and cut.clips.tolist() == [0, 1, 2, 3]
    cut.append([stored(number) for number in range(4, 8)], features[4:])
    again = Neighbours.open(tmp_path / "index")
    assert again is not None and again.clips.tolist() == list(range(8))
    whole = Neighbours.make(tmp_path / "whole", again.space)
    whole.append([stored(number) for number in range(8)], features)
    np.testing.assert_array_equal(again.rows(np.arange(8)), whole.rows(np.arange(8)))
    (tmp_path / "index" / "space.npz").write_bytes(b"PK\x03\x04nonsense")
    assert Neighbours.open(tmp_path / "index") is None


# -- a project's clips


def test_the_like_of_a_clip_comes_first_and_new_clips_are_added_to_those_compared(
    tones: Project, tmp_path: Path
) -> None:
    assert compare.compare(tones, report=quiet) == {"by": "sound", "added": 6, "left_out": []}
    for kind in KINDS:
        assert like(tones, f"{kind}0.wav", 2) == [f"{kind}0", f"{kind}1"]
    assert len(like(tones, "low0.wav")) == 6
    tone_writer(tmp_path / "more")("low2.wav", frequency_hz=303.0)
    taken_in(tones, tmp_path / "more")
    assert compare.compare(tones, report=quiet)["added"] == 1
    assert like(tones, "low2.wav", 3)[0] == "low2"
    assert set(like(tones, "low2.wav", 3)) == {"low0", "low1", "low2"}
    assert compare.compare(tones, report=quiet)["added"] == 0


def test_a_clip_that_cannot_be_read_is_told_and_the_others_are_compared(tones: Project, tmp_path: Path) -> None:
    (tmp_path / "sounds" / "high1.wav").write_bytes(b"no sound")
    result = compare.compare(tones, report=quiet)
    assert result["added"] == 5
    assert [Path(one["file"]).name for one in result["left_out"]] == ["high1.wav"]
    with tones.open_store() as store:
        source = search.source_of(tones, store)
        assert search.waiting(tones, store, source) == 1
        assert search.like(tones, store, source, clips.find_clip(store, "high1.wav"), 3) is None


def test_a_space_that_few_clips_settled_is_made_anew_when_there_are_many(tones: Project, tmp_path: Path) -> None:
    compare.compare(tones, report=quiet)
    write = tone_writer(tmp_path / "many")
    for number in range(18):
        write(f"tone{number}.wav", frequency_hz=200.0 * (number + 1))
    taken_in(tones, tmp_path / "many")
    assert compare.compare(tones, report=quiet)["added"] == 24


def test_a_space_is_not_made_anew_for_a_clip_that_could_not_be_heard(
    tones: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compare, "_SETTLED_BY", 6)
    (tmp_path / "sounds" / "high1.wav").write_bytes(b"")
    assert compare.compare(tones, report=quiet)["added"] == 5
    write = tone_writer(tmp_path / "many")
    for number in range(18):
        write(f"tone{number}.wav", frequency_hz=200.0 * (number + 1))
    taken_in(tones, tmp_path / "many")
    assert compare.compare(tones, report=quiet)["added"] == 18


def test_groups_are_made_of_as_many_as_can_be_waited_for_and_the_rest_is_compared_later(tones: Project) -> None:
    first = compare.compare(tones, report=quiet, clusters=2, most=4)
    assert first["added"] == sum(len(one["clips"]) for one in first["clusters"]) == 4
    rest = compare.compare(tones, report=quiet, clusters=2, most=4)
    assert (rest["added"], sum(len(one["clips"]) for one in rest["clusters"])) == (2, 6)


def test_an_ear_is_the_better_guide_and_what_was_known_by_sound_alone_is_let_go(tones: Project, ear_file: Path) -> None:
    compare.compare(tones, report=quiet)
    with tones.open_store() as store:
        before = search.source_of(tones, store).folder(tones)
    registry.add(tones, report=quiet, file=str(ear_file), name="small", rate_hz=16_000)
    result = compare.compare(tones, report=quiet)
    assert (result["by"], result["added"]) == ("small", 6)
    assert not before.exists()
    assert like(tones, "low0.wav", 1) == ["low0"]


def test_clips_without_an_answer_are_grouped_with_their_like(tones: Project) -> None:
    with tones.open_store() as store:
        answered = {clips.find_clip(store, "low1.wav").id}
        journal.say(store, *answered, "low", annotator="ann")
    groups = compare.compare(tones, report=quiet, clusters=3)["clusters"]
    with tones.open_store() as store:
        names = [{Path(row.clip.path).stem for row in listing.page(store, one["clips"])} for one in groups]
    assert [len(one) for one in names] == [2, 2, 1]
    assert {frozenset(one) for one in names} == {
        frozenset({"middle0", "middle1"}),
        frozenset({"high0", "high1"}),
        frozenset({"low0"}),
    }
    assert all(one["clip"] == one["clips"][0] for one in groups)
    many = compare.compare(tones, report=quiet, clusters=50)["clusters"]
    assert sorted(clip_id for one in many for clip_id in one["clips"]) == sorted({1, 2, 3, 4, 5, 6} - answered)


def test_a_map_is_drawn_whatever_the_labels_are_called(tones: Project, tmp_path: Path) -> None:
    with tones.open_store() as store:
        for name, label in (("low0.wav", "$x^$"), ("low1.wav", "_hidden"), ("high0.wav", "a\nb")):
            journal.say(store, clips.find_clip(store, name).id, label, annotator="ann")
    result = compare.compare(tones, report=quiet, picture=str(tmp_path / "map.png"))
    assert result["drawn"] == 6
    assert (tmp_path / "map.png").read_bytes().startswith(b"\x89PNG")


def test_nothing_to_group_or_draw_is_told(project: Project, tmp_path: Path) -> None:
    with pytest.raises(LabeltoolError, match="waits for an answer"):
        compare.compare(project, report=quiet, clusters=2)
    with pytest.raises(LabeltoolError, match="no clip can be heard"):
        compare.compare(project, report=quiet, picture=str(tmp_path / "map.png"))


# -- the command


def test_the_command_compares_what_is_new_and_is_light_when_nothing_is(tones: Project) -> None:
    first = labeltool("--project", tones.directory, "similar", "low0.wav", "--count", "1", "--clusters", "2", "--json")
    told = json.loads(first.stdout)
    assert told["by"] == "sound" and len(told["clips"]) == 1
    assert Path(told["clips"][0]["file"]).name == "low1.wav"
    assert sum(one["size"] for one in told["clusters"]) == 6
    program = f"""
import sys
from labeltool.cli import cli
cli.main(["--project", {str(tones.directory)!r}, "similar", "low0.wav", "--count", "2"], standalone_mode=False)
print("LOADED", *sorted({HEAVY!r} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    *lines, loaded = done.stdout.splitlines()
    assert loaded == "LOADED"
    assert len(lines) == 2 and "low1.wav" in lines[0]
    assert "no model or borrowed ear" in done.stderr


def test_the_command_says_what_it_cannot_do(tones: Project) -> None:
    assert "--clusters or --map" in labeltool("--project", tones.directory, "similar", check=2).stderr
    done = labeltool("--project", tones.directory, "similar", "nowhere.wav", check=1)
    assert done.stderr.strip() == "labeltool: no clip goes by 'nowhere.wav' (give a clip's id or its file)"
