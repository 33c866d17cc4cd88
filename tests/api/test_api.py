"""The Python interface: light, true to the commands, errors in words, interrupted like them."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path

import librosa
import numpy as np
import psutil
import pytest
import soundfile

import labeltool
from helpers.command_line import labeltool_here, labeltool_json
from helpers.store import add_model_row, fill, replace_suggestions
from helpers.tones import tone_writer
from helpers.waits import until
from labeltool.annotation import annotation_table, tables
from labeltool.audio import files
from labeltool.project import Project
from labeltool.records import Suggestion

HEAVY = "{'pandas', 'tensorflow', 'keras', 'librosa', 'sklearn', 'soundfile', 'sqlite_utils'} & set(sys.modules)"


def test_importing_loads_nothing_and_opening_nothing_heavy(project: Project) -> None:
    program = f"""
import sys
import labeltool
assert not {{"numpy", "msgspec", "labeltool.api", "importlib.metadata"}} & set(sys.modules)
p = labeltool.open({str(project.directory)!r})
print(*sorted({HEAVY}))
p.recordings()
print(*sorted({HEAVY} - {{'pandas'}}))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def opened(project: Project) -> labeltool.Project:
    return labeltool.open(project.directory)


def test_tables_have_their_documented_columns_and_types_also_when_empty(project: Project) -> None:
    p = opened(project)
    documented = (
        (p.recordings, tables.RECORDINGS),
        (p.clips, tables.CLIPS),
        (p.suggestions, tables.SUGGESTIONS),
        (p.annotations, annotation_table.DTYPES),
    )
    for is_filled in (False, True):
        if is_filled:
            with project.open_store() as store:
                fill(store, "a", "b")
                model = add_model_row(store)
                replace_suggestions(store, [Suggestion(2, model, {"dog": 0.7, "cat": 0.25})])
            p.annotate(1, "dog")
        for method, dtypes in documented:
            table = method()
            assert dict(table.dtypes.astype(str)) == dict(dtypes) and table.empty != is_filled
            assert all(column in (method.__doc__ or "") for column in dtypes)
    assert p.suggestions()[["clip_id", "label", "probability"]].to_numpy().tolist() == [
        [2, "dog", 0.7],
        [2, "cat", 0.25],
    ]
    assert p.clips(labelled=False)[["present", "suggestion"]].to_numpy().tolist() == [[(), "dog"]]


def test_a_label_on_a_part_is_inside_its_recording(project: Project) -> None:
    p = opened(project)
    with project.open_store() as store:
        fill(store, "a")
    length_s, rate_hz = p.recordings()[["duration_s", "sample_rate_hz"]].iloc[0]
    with pytest.raises(labeltool.LabeltoolError, match=f"end of .* is outside .* from 0 to {length_s:.6f} s"):
        p.annotate(1, "dog", end_s=length_s + 2 / rate_hz)
    p.annotate(1, "dog", start_s=0.25, end_s=length_s + 1 / rate_hz)
    p.annotate(1, "cat", start_s=0.25)
    p.annotate(1, "owl", low_hz=300.0)
    rows = p.annotations().set_index("label")
    clip_end_s = rows["end_s"].min()
    assert rows.loc["dog", ["region_start_s", "region_end_s"]].to_list() == [0.25, length_s]
    assert rows.loc["cat", ["region_start_s", "region_end_s"]].to_list() == [0.25, clip_end_s]
    assert rows.loc["owl", ["region_start_s", "low_hz"]].to_list() == [0.0, 300.0]


def test_what_is_wrong_is_a_labeltool_error(project: Project, tmp_path: Path) -> None:
    p = opened(project)
    with project.open_store() as store:
        fill(store, "a")
    for call in (
        lambda: p.annotate(7, "dog"),
        lambda: p.annotate(1, "dog", "maybe"),
        lambda: p.annotate(1),
        lambda: p.annotate(1, "dog", low_hz=900.0, high_hz=100.0),
        *(
            partial(p.annotate, 1, "dog", **{bound: value})
            for bound in ("start_s", "end_s", "low_hz", "high_hz")
            for value in (float("nan"), float("inf"), -0.5)
        ),
        lambda: p.annotations(as_of="then"),
        lambda: p.annotations(as_of=4711),  # type: ignore[arg-type]
        lambda: p.import_("esc51", tmp_path),
        lambda: p.import_("audio", tmp_path, clip_s=1.0),
        lambda: p.import_("esc50", tmp_path, tmp_path),
        lambda: p.import_("audio", tmp_path / "none"),
        lambda: p.export(),
        lambda: p.export("splits", in_process=True),
        lambda: p.rename("cat", "dog"),
        lambda: labeltool.open(tmp_path),
        lambda: labeltool.init(project.directory),
        lambda: labeltool.log_mel([[[0.0]]], 16_000),
        lambda: labeltool.log_mel([float("nan")] * 2000, 16_000),
        lambda: labeltool.log_mel("wave", 16_000),
        lambda: labeltool.log_mel([0.0] * 2000, 0),
    ):
        with pytest.raises(labeltool.LabeltoolError):
            call()
    assert p.undo() is None and p.redo() is None and p.undo_import() is None
    project.database.write_bytes(b"no database")
    with pytest.raises(labeltool.LabeltoolError, match="not a labeltool database"):
        p.recordings()


def test_options_are_refused_in_words_and_one_by_one(project: Project) -> None:
    p = opened(project)
    for wrong, match in (
        (lambda: p.import_("audio", "x.wav", nope=1), "audio has no option 'nope' .there are clip_seconds, "),
        (lambda: p.import_("audio", "x.wav", hop_seconds=1.0), "hop_seconds means nothing without clip_seconds"),
        (lambda: p.retrain(in_process=True, nope=1), "retrain has no option 'nope' .there are arch, "),
    ):
        with pytest.raises(labeltool.LabeltoolError, match=match):
            wrong()
    done = labeltool_here("--project", p.directory, "import", "audio", "x.wav", "--hop-seconds", "1", check=2)
    assert "hop_seconds means nothing without clip_seconds" in done.stderr


def test_a_failed_task_is_an_error_in_either_process(project: Project) -> None:
    for in_process in (True, False):
        with pytest.raises(labeltool.LabeltoolError, match="no clip has a label yet"):
            opened(project).export("splits", in_process=in_process)


@pytest.mark.filterwarnings("ignore:subprocess .* is still running")  # on a busy machine it is killed a little later
def test_an_interrupted_task_ends_with_its_process(project: Project) -> None:
    with project.open_store() as store:
        fill(store, "a")
    p = opened(project)
    p.annotate(1, "dog")

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        p.export("splits", progress=interrupt)

    def is_worker(process: psutil.Process) -> bool:
        with suppress(psutil.Error):  # it has ended
            return "labeltool.tasks.worker" in process.cmdline()
        return False

    until(lambda: not any(map(is_worker, psutil.Process().children())), "the end of the process")
    # One that is killed before it has cleaned up leaves a hidden folder, which the next export removes.
    assert not list(p.directory.glob("exports/[!.]*"))
    p.export("splits")
    assert {path.name for path in p.directory.glob("exports/*")} == {"splits"}


def test_python_and_the_commands_do_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tone_writer(tmp_path)("night.wav", seconds=3.0)
    reports: list[tuple[object, ...]] = []
    p = labeltool.init(tmp_path / "project")
    imported = p.import_("audio", tmp_path / "night.wav", clip_seconds=1.0, progress=lambda *all_: reports.append(all_))
    assert (imported.recordings, imported.clips) == (1, 3) and reports == [
        ("reading", 1, 0, "night.wav"),
        ("storing", 3, 3),
    ]
    assert p.import_("audio", tmp_path / "night.wav", clip_seconds=1.0).changes == 0
    p.annotate(1, "dog")
    p.annotate("2", "cat", "unsure")
    monkeypatch.chdir(p.directory)
    listed = labeltool_json("clips")["clips"]
    ours = p.clips()
    assert [one["clip"] for one in listed] == ours["clip_id"].to_list()
    assert [tuple(one["present"]) for one in listed] == ours["present"].to_list()
    logged = labeltool_json("log")["rows"]
    assert {row["id"] for row in logged} == set(p.annotations()["journal_id"])


@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_log_mel_is_librosas_and_that_of_the_file(rate: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    wave = 0.2 * np.sin(2 * np.pi * 700 * np.arange(2 * rate) / rate) + rng.normal(0, 0.02, 2 * rate)
    stereo = np.stack([wave, np.roll(wave, 5)]).astype(np.float32)
    ours = labeltool.log_mel(stereo, rate)
    mono = librosa.resample(stereo.mean(axis=0), orig_sr=rate, target_sr=16_000, res_type="soxr_hq")
    bands = {"n_mels": 64, "fmin": 20, "fmax": 7500}
    power = librosa.feature.melspectrogram(y=mono, sr=16_000, n_fft=1024, hop_length=320, center=False, **bands)
    np.testing.assert_allclose(ours, ((10 * np.log10(power + 1e-5) + 50) / 15).T, atol=0.01)
    soundfile.write(tmp_path / "stereo.wav", stereo.T, rate, subtype="FLOAT")
    pcm = files.read_pcm(tmp_path / "stereo.wav", 0.0, None, 16_000)
    np.testing.assert_allclose(ours, labeltool.log_mel(pcm, 16_000), atol=0.01)
