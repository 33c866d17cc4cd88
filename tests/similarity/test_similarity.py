"""Similar clips: exact search, an index that is kept complete, clusters, the map, the command."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from helpers.command_line import HEAVY, labeltool_here
from helpers.progress import quiet
from helpers.tones import tone_writer
from helpers.waits import DEADLINE_S
from labeltool.annotation import listing
from labeltool.errors import LabeltoolError
from labeltool.importers import audio_files
from labeltool.pretrained import registry
from labeltool.project import Project
from labeltool.records import StoredClip
from labeltool.similarity import compare, search
from labeltool.similarity.compare import SimilarResult
from labeltool.similarity.index import MAX_AXES, NeighbourIndex, PrincipalSpace
from labeltool.store import clips, journal, recordings
from labeltool.store.importing import import_records

# Three kinds of tone, two of each.
KINDS = {"low": 300.0, "middle": 1200.0, "high": 5000.0}


def stored(number: int) -> StoredClip:
    return StoredClip(number, number, f"/{number}.wav", f"{number:064x}", 0.0, 1.0, None, str(number))


def imported(project: Project, folder: Path) -> None:
    with project.open_store() as store:
        import_records(store, audio_files.read([folder], None, None), kind="audio", source=str(folder))


@pytest.fixture
def tones(project: Project, tmp_path: Path) -> Project:
    """A project of six tones of three kinds."""
    write = tone_writer(tmp_path / "sounds")
    for kind, hertz in KINDS.items():
        for number in range(2):
            write(f"{kind}{number}.wav", frequency_hz=hertz * (1 + 0.02 * number), seconds=1.0)
    imported(project, tmp_path / "sounds")
    return project


def nearest_names(project: Project, name: str, count: int = 10) -> list[str]:
    """The names of the files nearest to one, itself first."""
    with project.open_store() as store:
        found = search.similar_clips(
            project, store, search.feature_source(project, store), clips.find_clip(store, name), count
        )
    assert found is not None
    assert [distance for _, distance in found.clips] == sorted(distance for _, distance in found.clips)
    return [Path(clip.path).stem for clip, _ in found.clips]


# -- the space and the rows


def test_the_nearest_rows_are_those_of_all_distances(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(9000, 40)).astype(np.float32) * rng.uniform(0.1, 9.0, 40).astype(np.float32)
    space = PrincipalSpace.fit(features[:500])
    index = NeighbourIndex.make(tmp_path / "index", space)
    # In parts, whose ends are no multiples of a block's.
    for first in range(0, 9000, 2500):
        ids = range(first, min(first + 2500, 9000))
        index.append([stored(number) for number in ids], features[first : first + 2500])
    index = NeighbourIndex.open(tmp_path / "index")
    assert index is not None and len(index) == 9000
    for query in (0, 4095, 4096, 8999):
        apart = np.linalg.norm((features - features[query]) @ space.axes, axis=1)
        places, distances = index.nearest(query, 10)
        assert places[0] == query
        np.testing.assert_allclose(apart[places], distances, atol=2e-3)
        np.testing.assert_allclose(distances, np.sort(apart)[:10], atol=2e-3)
    assert len(index.nearest(3, 20_000)[0]) == 9000


@pytest.mark.parametrize("clips_at_first", [1, 200])
def test_a_space_fitted_on_few_clips_separates_later_ones_too(clips_at_first: int) -> None:
    rng = np.random.default_rng(1)
    features = rng.normal(size=(1000, 300)).astype(np.float32)
    space = PrincipalSpace.fit(features[:clips_at_first])
    assert space.axes.shape == (300, MAX_AXES)
    assert np.isfinite(space.axes).all()
    lengths = np.linalg.norm(space.axes, axis=0)
    np.testing.assert_allclose(lengths, lengths[0], rtol=1e-3)
    placed = (features - space.mean) @ space.axes
    assert np.linalg.matrix_rank(placed) == MAX_AXES


def test_standardised_features_have_equal_weight() -> None:
    rng = np.random.default_rng(2)
    features = (rng.normal(size=(400, 6)) * [100, 1, 1, 1, 1, 0]).astype(np.float32)
    space = PrincipalSpace.fit(features, standardise=True)
    placed = (features - space.mean) @ space.axes
    assert (placed**2).sum(axis=1).mean() == pytest.approx(1.0, rel=1e-3)
    without_the_loud_one = placed - np.outer(features[:, 0] - space.mean[0], space.axes[0])
    assert (without_the_loud_one**2).sum(axis=1).mean() == pytest.approx(0.8, abs=0.05)


def test_an_index_that_was_cut_short_keeps_its_whole_rows_and_is_appended_to(tmp_path: Path) -> None:
    features = np.random.default_rng(3).normal(size=(8, 20)).astype(np.float32)
    index = NeighbourIndex.make(tmp_path / "index", PrincipalSpace.fit(features))
    index.append([stored(number) for number in range(5)], features[:5])
    for name in ("rows.i16", "entries"):
        path = tmp_path / "index" / name
        path.write_bytes(path.read_bytes()[:-3])
    cut = NeighbourIndex.open(tmp_path / "index")
    assert cut is not None and cut.clips.tolist() == [0, 1, 2, 3]
    cut.append([stored(number) for number in range(4, 8)], features[4:])
    again = NeighbourIndex.open(tmp_path / "index")
    assert again is not None and again.clips.tolist() == list(range(8))
    whole = NeighbourIndex.make(tmp_path / "whole", again.space)
    whole.append([stored(number) for number in range(8)], features)
    np.testing.assert_array_equal(again.rows(np.arange(8)), whole.rows(np.arange(8)))
    (tmp_path / "index" / "space.npz").write_bytes(b"PK\x03\x04nonsense")
    assert NeighbourIndex.open(tmp_path / "index") is None


# -- a project's clips


def test_similar_clips_come_first_and_new_clips_are_added_to_the_index(tones: Project, tmp_path: Path) -> None:
    assert compare.compare(tones, report=quiet) == SimilarResult("sound", 6, ())
    for kind in KINDS:
        assert nearest_names(tones, f"{kind}0.wav", 2) == [f"{kind}0", f"{kind}1"]
    assert len(nearest_names(tones, "low0.wav")) == 6
    tone_writer(tmp_path / "more")("low2.wav", frequency_hz=303.0)
    imported(tones, tmp_path / "more")
    assert compare.compare(tones, report=quiet).added == 1
    assert nearest_names(tones, "low2.wav", 3)[0] == "low2"
    assert set(nearest_names(tones, "low2.wav", 3)) == {"low0", "low1", "low2"}
    assert compare.compare(tones, report=quiet).added == 0


def test_an_unreadable_clip_is_reported_and_the_others_are_compared(tones: Project, tmp_path: Path) -> None:
    (tmp_path / "sounds" / "high1.wav").write_bytes(b"no sound")
    result = compare.compare(tones, report=quiet)
    assert result.added == 5
    assert [Path(one.file).name for one in result.skipped] == ["high1.wav"]
    with tones.open_store() as store:
        source = search.feature_source(tones, store)
        assert search.count_unindexed(tones, store, source) == 1
        assert search.similar_clips(tones, store, source, clips.find_clip(store, "high1.wav"), 3) is None


def test_a_space_fitted_on_few_clips_is_fitted_again_when_there_are_many(tones: Project, tmp_path: Path) -> None:
    compare.compare(tones, report=quiet)
    write = tone_writer(tmp_path / "many")
    for number in range(18):
        write(f"tone{number}.wav", frequency_hz=200.0 * (number + 1))
    imported(tones, tmp_path / "many")
    assert compare.compare(tones, report=quiet).added == 24


def test_a_space_is_not_fitted_again_for_an_unreadable_clip(
    tones: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compare, "_MAX_FITTED", 6)
    (tmp_path / "sounds" / "high1.wav").write_bytes(b"")
    assert compare.compare(tones, report=quiet).added == 5
    write = tone_writer(tmp_path / "many")
    for number in range(18):
        write(f"tone{number}.wav", frequency_hz=200.0 * (number + 1))
    imported(tones, tmp_path / "many")
    assert compare.compare(tones, report=quiet).added == 18


def test_clusters_are_made_of_at_most_max_clips_and_the_rest_is_compared_later(tones: Project) -> None:
    first = compare.compare(tones, report=quiet, clusters=2, max_clips=4)
    assert first.added == sum(len(one.clips) for one in first.clusters) == 4
    rest = compare.compare(tones, report=quiet, clusters=2, max_clips=4)
    assert (rest.added, sum(len(one.clips) for one in rest.clusters)) == (2, 6)


def test_a_pretrained_model_replaces_the_index_by_descriptors(tones: Project, pretrained_file: Path) -> None:
    compare.compare(tones, report=quiet)
    with tones.open_store() as store:
        before = search.feature_source(tones, store).folder(tones)
    registry.add(tones, report=quiet, file=str(pretrained_file), name="small", rate_hz=16_000)
    result = compare.compare(tones, report=quiet)
    assert (result.by, result.added) == ("small", 6)
    assert not before.exists()
    assert nearest_names(tones, "low0.wav", 1) == ["low0"]


def test_unlabelled_clips_are_clustered_with_similar_ones(tones: Project) -> None:
    with tones.open_store() as store:
        labelled = {clips.find_clip(store, "low1.wav").id}
        journal.annotate(store, *labelled, "low", annotator="ann")
    clusters = compare.compare(tones, report=quiet, clusters=3).clusters
    with tones.open_store() as store:
        names = [{Path(row.clip.path).stem for row in listing.page(store, one.clips)} for one in clusters]
    assert [len(one) for one in names] == [2, 2, 1]
    assert {frozenset(one) for one in names} == {
        frozenset({"middle0", "middle1"}),
        frozenset({"high0", "high1"}),
        frozenset({"low0"}),
    }
    assert all(one.clip == one.clips[0] for one in clusters)
    many = compare.compare(tones, report=quiet, clusters=50).clusters
    assert sorted(clip_id for one in many for clip_id in one.clips) == sorted({1, 2, 3, 4, 5, 6} - labelled)


def test_a_map_is_drawn_whatever_the_labels_are_called(tones: Project, tmp_path: Path) -> None:
    with tones.open_store() as store:
        for name, label in (("low0.wav", "$x^$"), ("low1.wav", "_hidden"), ("high0.wav", "a\nb")):
            journal.annotate(store, clips.find_clip(store, name).id, label, annotator="ann")
    result = compare.compare(tones, report=quiet, map_path=str(tmp_path / "map.png"))
    assert result.drawn == 6
    assert (tmp_path / "map.png").read_bytes().startswith(b"\x89PNG")


def test_an_error_where_there_is_nothing_to_cluster_or_draw(project: Project, tmp_path: Path) -> None:
    with pytest.raises(LabeltoolError, match="is unlabelled"):
        compare.compare(project, report=quiet, clusters=2)
    with pytest.raises(LabeltoolError, match="no clip can be read"):
        compare.compare(project, report=quiet, map_path=str(tmp_path / "map.png"))


# -- the command


def test_the_command_compares_what_is_new_and_is_light_when_nothing_is(tones: Project) -> None:
    first = labeltool_here(tones, "similar", "low0.wav", "--limit", "1", "--clusters", "2", "--json")
    shown = json.loads(first.stdout)
    assert shown["by"] == "sound" and len(shown["clips"]) == 1
    assert Path(shown["clips"][0]["file"]).name == "low1.wav"
    clip_keys = {"clip", "file", "start_s", "end_s", "distance", "present", "absent", "unsure", "answered"}
    assert set(shown["clips"][0]) == clip_keys and shown["clips"][0]["answered"] is False
    assert set(shown["clusters"][0]) == {"clip", "file", "start_s", "end_s", "clips", "size"}
    assert sum(one["size"] for one in shown["clusters"]) == 6
    program = f"""
import sys
from labeltool.cli.main import cli
cli.main(["--project", {str(tones.directory)!r}, "similar", "low0.wav", "--limit", "2"], standalone_mode=False)
print("LOADED", *sorted({HEAVY!r} & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=DEADLINE_S, check=True
    )
    *lines, loaded = done.stdout.splitlines()
    assert loaded == "LOADED"
    assert len(lines) == 2 and "low1.wav" in lines[0]
    assert "there is no model yet" in done.stderr


def test_the_command_reports_what_it_cannot_do(tones: Project) -> None:
    assert "--clusters or --map" in labeltool_here(tones, "similar", check=2).stderr
    done = labeltool_here(tones, "similar", "nowhere.wav", check=1)
    assert (
        done.stderr.strip()
        == "labeltool: no clip goes by 'nowhere.wav' (give a clip's id or its file; `labeltool clips` lists them)"
    )


def test_clips_that_are_all_equal_are_mapped_and_removed_ones_count_no_more(project: Project, tmp_path: Path) -> None:
    """t-SNE divides by their variance, which is none: it ended the process."""
    (tmp_path / "sounds").mkdir()
    for number in range(12):
        soundfile.write(tmp_path / "sounds" / f"{number}.wav", np.zeros(16_000 + 160 * number), 16_000)
    imported(project, tmp_path / "sounds")
    found = compare.clip_map(project, report=quiet)
    assert (len(found.clips), found.total) == (12, 12)
    assert np.isfinite(found.points).all()
    with project.open_store(to_write=True) as store:
        recordings.remove(store, [recordings.find_recording(store, "3.wav")], annotator="ann")
    found = compare.clip_map(project, report=quiet)
    assert (len(found.clips), found.total) == (11, 11)
