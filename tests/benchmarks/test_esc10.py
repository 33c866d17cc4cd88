"""The table and the curves of ESC-10, from made-up lines: means, missing folds, and several writers."""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from statistics import stdev
from typing import Any

import pytest

from labeltool.errors import LabeltoolError

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import esc10_curves
import esc10_results
from esc10_results import VERSION, Configuration, append, markdown, read, rows

FOLDS = (1, 2, 3, 4)


def line(configuration: Configuration, fold: int, seed: int, right: float, **more: Any) -> dict[str, Any]:
    figures = {"seconds": 100 * fold, "float": right, "int8": right - 0.01, "float_ece": 0.03, "int8_ece": 0.02 * fold}
    # Confidence 0.9 each, half of them correct in one fold, all in the others: together the errors nearly cancel.
    figures["int8_predictions"] = [[0.9, int(fold > 1 or number % 2)] for number in range(10)]
    return {"run": configuration.run(fold, seed), "version": VERSION, "fold": fold, "seed": seed, **figures, **more}


def cells(table: str, row: int) -> dict[str, str]:
    head, _, *body = [
        [cell.strip() for cell in text.strip("|").split(" | ")] for text in table.splitlines() if text[:1] == "|"
    ]
    return dict(zip(head, body[row], strict=True))


def test_the_name_of_a_run_has_its_configuration_and_is_read_back() -> None:
    configuration = Configuration(
        "miniresnet", 32, "default", False, "my yamnet.tflite", "b.h5", ("batch=64", "frontend.floor=1e-4")
    )
    name = configuration.run(3, 1)
    assert name == (
        "miniresnet labels=32 query_strategy=default no_pool=True teacher=my yamnet.tflite backbone=b.h5 batch=64 "
        "frontend.floor=1e-4 fold=3 seed=1"
    )
    assert Configuration.of({"run": name, "fold": 3, "seed": 1}) == configuration
    assert Configuration.of({"run": "miniresnet fold=1 seed=0", "fold": 1, "seed": 0}) == Configuration("miniresnet")


def test_means_are_over_seeds_then_folds_and_the_spread_names_what_it_is_over() -> None:
    several, one = Configuration("miniresnet"), Configuration("miniresnet", 32)
    runs = [line(several, fold, seed, 0.8 + 0.02 * fold + 0.03 * seed) for seed in (0, 1) for fold in FOLDS]
    # A seed with some folds only counts in those, and is no seed of the spread.
    runs.append(line(several, 1, 2, 0.7))
    runs += [line(one, fold, 0, share) for fold, share in zip(FOLDS, (0.5, 0.6, 0.7, 0.9), strict=True)]
    table = markdown(rows(runs, FOLDS), FOLDS)
    first, second = cells(table, 0), cells(table, 1)
    assert first["fold 1"] == "79.0 / 78.0" and first["fold 4"] == "89.5 / 88.5"
    assert first["mean of folds"] == "85.4 / 84.4" and first["float - int8"] == "1.00"
    assert first["spread"] == f"{100 * stdev((0.85, 0.88)):.1f} / 2.1 over 2 seeds"
    assert first["runs"] == "9; seed 2 lacks folds 2, 3, 4"
    assert first["ECE, int8"] == "0.050" and first["together"] == "0.025" and first["seconds"] == "200"
    assert second["labels"] == "32" and second["mean of folds"] == "67.5 / 66.5"
    assert second["spread"] == f"{100 * stdev((0.5, 0.6, 0.7, 0.9)):.1f} / 17.1 over 4 folds"


def test_a_row_that_lacks_folds_has_no_mean_and_names_them(capsys: pytest.CaptureFixture[str]) -> None:
    configuration = Configuration("miniresnet", settings=("a=`|`",))
    runs = [line(configuration, fold, 0, 0.9) for fold in (1, 3, 5)]
    table = markdown(rows(runs, FOLDS), FOLDS)
    assert "1 runs of other folds (5)" in capsys.readouterr().err
    row = cells(table, 0)
    assert row["mean of folds"] == "lacks folds 2, 4" and row["runs"] == "2"
    assert [row[name] for name in ("fold 2", "spread", "float - int8", "ECE, int8", "together")] == ["-"] * 5
    # The value of a setting ends no cell and no code span.
    assert row["settings"] == r"`` a=`\|` ``"
    # The two folds alone have a mean.
    assert cells(markdown(rows(runs, (1, 3)), (1, 3)), 0)["mean of folds"] == "90.0 / 89.0"


def test_several_may_append_and_a_line_cut_short_spoils_no_run(tmp_path: Path) -> None:
    path, configuration = tmp_path / "results.jsonl", Configuration("miniresnet")
    path.write_bytes(b'{"run": "mini')
    runs = [line(configuration, fold, seed, 0.5, more=[0.5] * 3000) for fold in FOLDS for seed in range(25)]
    with ThreadPoolExecutor(8) as several:
        list(several.map(lambda run: append(path, run), runs))
    assert sorted(read(path), key=lambda run: (run["fold"], run["seed"])) == runs
    # A run that was done twice counts once.
    append(path, line(configuration, 1, 0, 0.9))
    assert len(read(path)) == len(runs) and read(path)[0]["float"] == 0.5
    path.write_text('\n{"run": "distilled", "float": 0.5}\n')
    with pytest.raises(LabeltoolError, match=r"results.jsonl:2: not the line of a run"):
        read(path)


def test_curves_are_drawn_of_the_complete_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    predictions = {f"{kind}_predictions": [[0.91, 1], [0.6, 0]] for kind in esc10_results.KINDS}
    pool, whole, part = Configuration("miniresnet", 32), Configuration("miniresnet"), Configuration("sbcnn", 32)
    runs = [
        line(configuration, fold, 0, 0.8, **more)
        for configuration, more in ((pool, predictions), (whole, {}))
        for fold in FOLDS
    ]
    runs += [line(Configuration("miniresnet", 64), fold, 0, 0.9) for fold in FOLDS] + [line(part, 1, 0, 0.9)]
    simulated = tmp_path / "simulated.json"
    models = [
        {"labels": 20, "suggestions_right": 0.6, "suggestions_right_by_seed": [0.5, 0.7]},
        {"labels": 40, "suggestions_right": None, "suggestions_right_by_seed": [None, 0.9]},
    ]
    simulated.write_text(json.dumps({"strategies": [{"strategy": "$de", "seeds": [0, 1], "models": models}]}))
    written = esc10_curves.draw(rows(runs, FOLDS), [simulated], tmp_path / "curves")
    assert {path.name for path in written} == {
        "labels-miniresnet.png",
        "reliability-miniresnet-32-labels-pool.png",
        "query-strategies.png",
    }
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in written)
    assert "sbcnn, 32 labels, pool, lacks folds 2, 3, 4" in capsys.readouterr().err
    # Labels at which a replay had nothing left to suggest are not averaged over the others.
    (curve,) = esc10_curves.query_strategies([simulated])
    assert [(point.labels, point.mean) for point in curve.points] == [(20, 0.6)]
    del models[0]["suggestions_right_by_seed"]
    simulated.write_text(json.dumps({"strategies": [{"strategy": "d", "seeds": [0, 1], "models": models}]}))
    with pytest.raises(LabeltoolError, match="of several seeds in a file for each"):
        esc10_curves.query_strategies([simulated])


def test_names_at_the_ends_of_curves_are_apart_and_inside_the_plot() -> None:
    moved = esc10_curves._apart([0.5, 0.85, 0.86, 0.99], 0.1, 0.45, 0.95)
    assert moved[0] == 0.5 and all(high - low >= 0.1 - 1e-9 for low, high in pairwise(moved))
    assert moved[-1] <= 0.95
