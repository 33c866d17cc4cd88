"""The benchmark of data sets with folds: its readers, its table and curves of made-up runs, and a small real run."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from statistics import stdev
from typing import Any

import pytest

from helpers.real_data import REAL_DATA
from helpers.records import one_by_one
from helpers.tones import write_esc_set
from labeltool.errors import LabeltoolError
from labeltool.records import Recording, Verdict
from labeltool.util.files.locks import try_lock

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import esc10
import esc10_clips
import esc10_curves
from esc10_results import Configuration, Predictions, Run, append, markdown, read, rows

FOLDS = (1, 2, 3, 4)
MINIRESNET = Configuration("tones", "miniresnet")
YAMNET = REAL_DATA / "models" / "yamnet" / "yamnet.tflite"


def made_up(configuration: Configuration, fold: int, seed: int, right: int, int8_right: int | None = None) -> Run:
    """A run with some of ten clips right, all predicted with 0.9."""

    def of(count: int) -> Predictions:
        return Predictions((0.9,) * 10, tuple(number < count for number in range(10)))

    int8 = of(right if int8_right is None else int8_right)
    return Run(
        configuration, fold, seed, of(right), int8, (), 127.6, 6.0, 50.0, 14.5, 100.0 * fold, 120.0 * fold, 900.0
    )


def cells(table: str, row: int) -> dict[str, str]:
    head, _, *body = [
        [cell.strip() for cell in text.strip("|").split(" | ")] for text in table.splitlines() if text[:1] == "|"
    ]
    return dict(zip(head, body[row], strict=True))


def test_means_are_over_seeds_then_folds_and_the_spread_names_what_it_is_over() -> None:
    chosen = replace(MINIRESNET, labels=32, query_strategy="default", pretrained="my yamnet.tflite")
    runs = [made_up(MINIRESNET, fold, seed, 8 - seed, 7 - seed) for seed in (0, 1) for fold in FOLDS]
    # A seed with some folds only counts in those, and is no seed of the spread.
    runs.append(made_up(MINIRESNET, 1, 2, 1))
    runs += [made_up(chosen, fold, 0, right) for fold, right in zip(FOLDS, (5, 6, 7, 9), strict=True)]
    table = markdown(rows(runs))
    first, second = cells(table, 0), cells(table, 1)
    assert first["labels"] == "all" and first["fold 1"] == "53.3 / 46.7" and first["fold 4"] == "75.0 / 65.0"
    assert first["mean of folds"] == "69.6 / 60.4" and first["float - int8"] == "9.17"
    assert first["spread"] == f"{100 * stdev((0.8, 0.7)):.1f} / 7.1 over 2 seeds"
    assert first["runs"] == "9; seed 2 lacks folds 2, 3, 4" and first["seconds"] == "200"
    # Of all folds' clips together: 0.9 predicted, 0.7 and 0.6 right.
    assert first["ECE"] == "0.250"
    assert (first["KiB"], first["RAM"], first["M MACC"]) == ("127.6 + 6.0", "50.0", "14.5")
    assert second["labels"] == "32 chosen by default" and second["mean of folds"] == "67.5 / 67.5"
    assert second["spread"] == f"{100 * stdev((0.5, 0.6, 0.7, 0.9)):.1f} / 17.1 over 4 folds"
    assert second["command"] == (
        "`esc10.py DATA --arch miniresnet --labels 32 --query-strategy default --pretrained 'my yamnet.tflite' "
        "--seeds 0`"
    )


def test_a_row_that_lacks_folds_has_no_mean_and_names_them(capsys: pytest.CaptureFixture[str]) -> None:
    runs = [made_up(replace(MINIRESNET, settings=("a=`|`",)), fold, 0, 9) for fold in (1, 3, 5)]
    row = cells(markdown(rows(runs, FOLDS)), 0)
    assert "1 runs of other folds (5)" in capsys.readouterr().err
    assert row["mean of folds"] == "lacks folds 2, 4" and row["runs"] == "2"
    assert [row[name] for name in ("fold 2", "spread", "float - int8", "ECE")] == ["-"] * 4
    # The value of a setting ends no cell and no code span.
    assert row["command"].startswith("`` esc10.py") and r"--set 'a=`\|`' --seeds 0 ``" in row["command"]
    # The folds that there are have a mean.
    assert cells(markdown(rows(runs)), 0)["mean of folds"] == "90.0 / 90.0"


def test_each_data_set_has_a_table_with_its_own_folds() -> None:
    runs = [made_up(replace(MINIRESNET, data=data), fold, 0, 9) for data in ("b", "a") for fold in (1, 2)]
    runs.append(made_up(replace(MINIRESNET, data="b"), 3, 0, 6))
    first, second = markdown(rows(runs)).split("## ")[1:]
    assert first.startswith("a\n") and "fold 3" not in first and cells(first, 0)["mean of folds"] == "90.0 / 90.0"
    assert second.startswith("b\n") and cells(second, 0)["mean of folds"] == "80.0 / 80.0"


def test_several_may_append_and_a_line_cut_short_spoils_no_run(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_bytes(b'{"run": "mini')
    wrong = ("dog>rain",) * 1000
    runs = [replace(made_up(MINIRESNET, fold, seed, 5), wrong=wrong) for fold in FOLDS for seed in range(25)]
    with ThreadPoolExecutor(8) as several:
        list(several.map(lambda run: append(path, run), runs))
    assert sorted(read(path), key=lambda run: (run.fold, run.seed)) == runs
    # A run that was done twice counts once; one of another version of the benchmark does not count.
    append(path, made_up(MINIRESNET, 1, 0, 9))
    append(path, replace(made_up(MINIRESNET, 5, 0, 9), version=4))
    assert len(read(path)) == len(runs) and read(path)[0].int8.accuracy == 0.5
    path.write_text('\n{"run": "distilled", "float": 0.5}\n')
    with pytest.raises(LabeltoolError, match=r"results.jsonl:2: not the line of a run"):
        read(path)


def test_what_is_left_is_estimated_from_runs_of_the_same_kind() -> None:
    few = replace(MINIRESNET, labels=32)
    jobs = [(few, fold, 0) for fold in FOLDS] + [(replace(MINIRESNET, arch="sbcnn"), 1, 0)]
    unknown = esc10.outlook(jobs, [])
    assert unknown == "5 runs left, 5 of them of a kind that was not run yet: known after the first"
    # The same configuration's figures come before those of the same network with other labels.
    done = [replace(made_up(MINIRESNET, 1, 0, 9), seconds=9000.0)]
    assert "about 10.00 h and 0.9 GiB by those of their kind, 1 of them" in esc10.outlook(jobs, done)
    done.append(replace(made_up(few, 1, 0, 9), seconds=1800.0, memory_mib=2048.0))
    assert "4 runs left, about 1.50 h and 2.0 GiB by those of their kind, 1 of them" in esc10.outlook(jobs[1:], done)


def described(data: Path, subset: str | None = None) -> tuple[str, list[tuple[str, int | None, str]]]:
    name, records = esc10_clips.read_dataset(data, subset)
    found, groups = [], {}
    for record in one_by_one(records):
        if isinstance(record, Recording):
            groups[record.sha256] = record.group
        elif isinstance(record, Verdict):
            found.append((str(record.label), record.clip.fold, groups[record.clip.recording_sha256]))
    return name, sorted(found)


def test_data_sets_are_read_by_their_layout(tmp_path: Path, write_tone: Callable[..., Path]) -> None:
    write_esc_set(tmp_path / "Tones-50", write_tone, folds=1, takes=1)
    esc = [("high", 1, "freesound:102"), ("low", 1, "freesound:100"), ("middle", 1, "freesound:101")]
    assert described(tmp_path / "Tones-50") == ("tones-50", esc)
    assert described(tmp_path / "Tones-50", "esc10") == ("esc10", esc)
    city = tmp_path / "city"
    write_tone(city / "audio" / "fold10" / "7-3-0-0.wav")
    (city / "metadata").mkdir()
    (city / "metadata" / "UrbanSound8K.csv").write_text("slice_file_name,fsID,fold,class\n7-3-0-0.wav,7,10,siren\n")
    assert described(city) == ("city", [("siren", 10, "freesound:7")])
    for name in ("3_theo_0.wav", "3_ann_0.wav", "5_ann_1.wav"):
        write_tone(tmp_path / "digits" / "recordings" / name, rate=8000)
    digits = [("3", 1, "speaker:ann"), ("3", 2, "speaker:theo"), ("5", 1, "speaker:ann")]
    assert described(tmp_path / "digits") == ("digits", digits)
    with pytest.raises(LabeltoolError, match="no data set of a known kind"):
        esc10_clips.read_dataset(tmp_path)
    with pytest.raises(LabeltoolError, match="has no subsets"):
        esc10_clips.read_dataset(city, "esc10")


def bench(monkeypatch: pytest.MonkeyPatch, folder: Path, *options: str) -> None:
    results = ("--results", str(folder / "results.jsonl"), "--cache", str(folder / "cache"))
    monkeypatch.setattr(sys, "argv", ["esc10.py", str(folder / "tones"), *results, *options])
    esc10.main()


@pytest.mark.slow
def test_a_run_measures_what_the_product_trained_on_every_clip_of_the_fold(
    tmp_path: Path,
    write_tone: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_esc_set(tmp_path / "tones", write_tone, takes=1)
    settings = ("least_patches=64", "most_patches=64", "batch=32", "frontend.n_mels=32")
    options = ("--labels", "2", "--no-pool", "--set", *settings)
    bench(monkeypatch, tmp_path, "--folds", "2", "--keep", str(tmp_path / "kept"), *options)
    (run,) = read(tmp_path / "results.jsonl")
    expected = replace(MINIRESNET, labels=2, pool=False, settings=tuple(sorted(settings)))
    assert run.job == (expected, 2, 0)
    (kept,) = (tmp_path / "kept").iterdir()
    card = json.loads((kept / "card.json").read_text())
    assert card["patches"] == 64 and card["frontend"]["n_mels"] == 32 and card["test_fold"] == 2
    # Two labels are known; the clip with the third is wrong, and counted.
    (unknown,) = {"low", "middle", "high"} - set(card["labels"])
    assert len(run.int8.right) == len(run.as_float.right) == 3 and not all(run.as_float.right)
    assert unknown in {pair.split(">")[0] for pair in run.wrong}
    assert run.kib > 50 and run.mega_macc > 1 and run.ram_kib and run.ram_kib > 10
    assert "1 of them of a kind that was not run yet" in capsys.readouterr().err
    # What is done is not done again, nor what another process is doing.
    with try_lock(esc10.lock_of((expected, 1, 0), tmp_path / "cache"), "run"):
        bench(monkeypatch, tmp_path, "--folds", "1", "2", *options)
    assert read(tmp_path / "results.jsonl") == [run]


@pytest.mark.slow
@pytest.mark.skipif(not YAMNET.is_file(), reason="the published YAMNet is not part of the project")
def test_the_whole_model_chooses_labels_and_its_layers_are_the_trunk(
    tmp_path: Path, write_tone: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_esc_set(tmp_path / "tones", write_tone, takes=1)
    options = ("--arch", "yamnet256", "--pretrained", str(YAMNET), "--labels", "all", "4", "--query-strategy", "medoid")
    bench(monkeypatch, tmp_path, "--folds", "1", *options)
    every, chosen = rows(read(tmp_path / "results.jsonl"))
    assert every.configuration == replace(MINIRESNET, arch="yamnet256", pretrained="yamnet.tflite")
    assert chosen.configuration == replace(every.configuration, labels=4, query_strategy="medoid")
    assert every.mean("int8") == 1.0
    # Eleven layers have 127.6 KiB of weights and 1,472 biases, of four bytes; then 512 x 56 x 3, or 768 x 3.
    run = every.runs[0]
    hidden = (130_688 + 512 * 56 + 56 * 3) / 1024, 4 * (1472 + 56 + 3) / 1024
    assert (run.kib, run.bias_kib) in (hidden, ((130_688 + 768 * 3) / 1024, 4 * (1472 + 3) / 1024))


def test_what_does_not_fit_together_is_refused(
    tmp_path: Path,
    write_tone: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_esc_set(tmp_path / "tones", write_tone, folds=2, takes=1)
    with pytest.raises(SystemExit, match="yamnet256 needs a pretrained model here"):
        bench(monkeypatch, tmp_path, "--arch", "yamnet256")
    with pytest.raises(SystemExit, match="7 labels are more than the 3 clips"):
        bench(monkeypatch, tmp_path, "--labels", "7")
    with pytest.raises(SystemExit):
        bench(monkeypatch, tmp_path, "--set", "bach=32")
    assert "there is no setting bach" in capsys.readouterr().err


def simulation(path: Path, models: list[dict[str, Any]]) -> Path:
    path.write_text(json.dumps({"strategies": [{"strategy": "$de", "seeds": [0, 1], "models": models}]}))
    return path


def test_curves_are_drawn_of_the_complete_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("vl_convert", reason="the extra `report` is not installed")
    runs = [made_up(replace(MINIRESNET, labels=n), fold, 0, 8) for n in (None, 32, 64) for fold in FOLDS]
    runs.append(made_up(replace(MINIRESNET, arch="sbcnn"), 1, 0, 9))
    models = [
        {"labels": 20, "suggestions_right": 0.6, "suggestions_right_by_seed": [0.5, 0.7]},
        {"labels": 40, "suggestions_right": None, "suggestions_right_by_seed": [None, 0.9]},
    ]
    simulated = simulation(tmp_path / "simulated.json", models)
    written = esc10_curves.draw(rows(runs), [simulated], tmp_path / "curves")
    assert {path.name for path in written} == {
        "labels-tones-miniresnet.png",
        "reliability-tones-arch-miniresnet.png",
        "reliability-tones-arch-miniresnet-labels-32.png",
        "reliability-tones-arch-miniresnet-labels-64.png",
        "query-strategies.png",
    }
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in written)
    assert "skipped: tones --arch sbcnn, lacks folds 2, 3, 4" in capsys.readouterr().err
    level, curve = esc10_curves.by_labels([row for row in rows(runs) if not row.missing])
    assert level.points == ((0, 0.8, 0.0),) and curve.points == ((64, 0.8, 0.0), (32, 0.8, 0.0))[::-1]
    # Labels at which a replay had nothing left to suggest are not averaged over the others.
    (curve,) = esc10_curves.query_strategies([simulated])
    assert curve.points == ((20, pytest.approx(0.6), pytest.approx(stdev((0.5, 0.7)))),)
    del models[0]["suggestions_right_by_seed"]
    with pytest.raises(LabeltoolError, match="of several seeds in a file for each"):
        esc10_curves.query_strategies([simulation(simulated, models)])
