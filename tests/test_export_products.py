"""Exports that are whole or absent, and the products that need no trained network to be told right from wrong."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import records_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labeltool.audio.frontend import Frontend
from labeltool.errors import LabeltoolError
from labeltool.exporters import registry
from labeltool.exporters.atomic_folder import folder_for_exports, published
from labeltool.exporters.registry import Product
from labeltool.exporters.source import Source
from labeltool.networks import model_folder
from labeltool.networks.postprocessing import ClipRule
from labeltool.project import Project
from labeltool.records import Value
from labeltool.store import Store, models
from labeltool.store.importing import take_in
from labeltool.store.journal import mark, say

HOSTILE = ("=SUM(A1)", "a;b,c", 'quo"te', "tab\there", "line\nbreak", "NA", "صوت", "../../x", "x" * 10_000)


def silent(stage: str, done: int, total: int, text: str = "") -> None:
    """Take progress and say nothing."""


def export(project: Project, *products: str, force: bool = False, model_id: int | None = None) -> dict[str, Any]:
    return registry.export(
        project,
        report=silent,
        products=list(products),
        model_id=model_id,
        output=str(project.exports),
        force=force,
    )


def heard(store: Store, *told: tuple[str, str, str | None, int | None]) -> None:
    """Take in one-second recordings: name, label, group, fold."""
    for name, label, group, fold in told:
        take_in(store, records_of(name, label, group=group, fold=fold), kind="test", source="test")


def rows(directory: Path, part: str) -> list[dict[str, str]]:
    with (directory / f"{part}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def bytes_of(directory: Path) -> dict[str, bytes]:
    found = {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}
    assert found, f"{directory} is empty"
    return found


def add_model(
    project: Project, *, labels: tuple[str, ...] = ("dog", "rain"), int8: bytes = b"int8", **card: Any
) -> int:
    """Put a model into a project whose network nobody will run."""
    frontend = Frontend()
    told = {
        "architecture": "miniresnet",
        "labels": list(labels),
        "labels_seen": 2,
        "frontend": frontend.to_dict(),
        "fingerprint": frontend.fingerprint,
        "clip_rule": ClipRule().to_dict(),
        "clip_accuracy": 0.9,
        "int8_clip_accuracy": 0.9,
        **card,
    }

    def publish(model_id: int) -> None:
        directory = project.models / str(model_id)
        directory.mkdir()
        model_folder.write(directory, card=told, int8=int8, seen=[])

    with project.open_store() as store:
        return models.add(store, parent_id=None, card=told, journal_mark=mark(store), publish=publish)


@pytest.fixture
def ten_groups(store: Store) -> Store:
    heard(store, *((f"{group}{take}", "dog" if group % 2 else "rain", f"g{group}", None)
                   for group in range(10) for take in range(2)))  # fmt: skip
    return store


def test_an_export_names_its_folders_and_sha256sum_finds_them_whole(project: Project, ten_groups: Store) -> None:
    result = export(project, "splits", "audacity")
    assert result["written"] == [str(project.exports / "splits"), str(project.exports / "audacity")]
    assert result["model"] is None and result["int8_clip_accuracy"] is None
    for directory in result["written"]:
        check = subprocess.run(
            ["sha256sum", "-c", "--strict", "--quiet", "MANIFEST.sha256"], cwd=directory, check=False
        )
        assert check.returncode == 0
        listed = {line[66:] for line in (Path(directory) / "MANIFEST.sha256").read_text().splitlines()}
        assert listed == set(bytes_of(Path(directory))) - {"MANIFEST.sha256"}


def test_the_same_project_exports_the_same_bytes(project: Project, ten_groups: Store, tmp_path: Path) -> None:
    add_model(project)
    products = ["splits", "audacity", "int8"]
    first = export(project, *products)
    before = [bytes_of(Path(directory)) for directory in first["written"]]
    assert [bytes_of(Path(directory)) for directory in export(project, *products)["written"]] == before
    elsewhere = registry.export(
        project, report=silent, products=products, model_id=None, output=str(tmp_path / "a" / "b"), force=False
    )
    assert [bytes_of(Path(directory)) for directory in elsewhere["written"]] == before


def test_a_folder_of_somebody_else_is_never_replaced(project: Project, ten_groups: Store) -> None:
    theirs = project.exports / "splits" / "thesis.txt"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("years of work")
    with pytest.raises(LabeltoolError, match=r"splits: .*no export of ours.*nothing was exported"):
        export(project, "audacity", "splits")
    assert theirs.read_text() == "years of work"
    assert [path.name for path in project.exports.iterdir()] == ["splits"]


def test_a_link_in_the_way_is_left_alone(project: Project, ten_groups: Store, tmp_path: Path) -> None:
    project.exports.mkdir()
    (project.exports / "splits").symlink_to(tmp_path)
    with pytest.raises(LabeltoolError, match="in the way"):
        export(project, "splits")
    assert (project.exports / "splits").is_symlink()


def test_a_file_where_the_folder_should_be_is_one_clear_line(project: Project, ten_groups: Store) -> None:
    project.exports.write_text("not a folder")
    with pytest.raises(LabeltoolError, match=r"exports: (File exists|Not a directory)"):
        export(project, "splits")
    assert project.exports.read_text() == "not a folder"


def test_when_one_product_fails_none_is_there_and_the_error_names_it(project: Project, ten_groups: Store) -> None:
    with pytest.raises(LabeltoolError, match=r"^int8: .*no model yet.*nothing was exported"):
        export(project, "splits", "int8")
    assert not project.exports.exists()


def test_a_failure_leaves_the_earlier_export_as_it_was(
    project: Project, ten_groups: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = Path(export(project, "splits")["written"][0])
    before = bytes_of(directory)

    def fails(source: Source, directory: Path) -> None:
        (directory / "half.bin").write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(registry, "PRODUCTS", {**registry.PRODUCTS, "splits": Product(fails, "splits", False)})
    with pytest.raises(LabeltoolError, match="splits: No space left on device; nothing was exported"):
        export(project, "splits")
    assert bytes_of(directory) == before
    assert list(project.exports.iterdir()) == [directory]


_PUBLISH_SLOWLY = """
import sys, time
from pathlib import Path
from labeltool.exporters.publishing import folder_for_exports, published
target = Path(sys.argv[1])
with folder_for_exports(target.parent), published(target) as directory:
    (directory / "half.bin").write_bytes(b"half")
    print("started", flush=True)
    time.sleep(60)
"""


def test_a_killed_export_leaves_no_target_and_the_next_one_clears_up(tmp_path: Path) -> None:
    target = tmp_path / "out" / "splits"
    command = [sys.executable, "-c", _PUBLISH_SLOWLY, str(target)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline() == b"started\n"
        with pytest.raises(LabeltoolError, match="another export"), folder_for_exports(target.parent):
            pass
        process.kill()
    assert not target.exists()
    with folder_for_exports(target.parent), published(target) as directory:
        (directory / "whole.bin").write_bytes(b"whole")
    assert [path.name for path in target.parent.iterdir()] == ["splits"]
    assert sorted(path.name for path in target.iterdir()) == ["MANIFEST.sha256", "whole.bin"]


def test_an_export_killed_between_its_two_renames_is_put_back(tmp_path: Path) -> None:
    target = tmp_path / "splits"
    with folder_for_exports(tmp_path), published(target) as directory:
        (directory / "old.bin").write_bytes(b"old")
    target.rename(tmp_path / ".splits.labeltool-old")
    with pytest.raises(ZeroDivisionError), folder_for_exports(tmp_path), published(target):
        raise ZeroDivisionError
    assert (target / "old.bin").read_bytes() == b"old"


def test_a_row_is_a_clip_and_a_label_with_all_one_needs_to_find_and_part_it(project: Project, store: Store) -> None:
    heard(store, ("a", "dog", "g1", 1), ("b", "rain", "g2", 2), ("c", "dog", "g3", 3))
    say(store, 1, "rain", annotator="ann")
    say(store, 2, "dog", Value.ABSENT, annotator="ann")
    directory = Path(export(project, "splits")["written"][0])
    assert rows(directory, "train") == [
        {
            "path": "/sounds/a.wav",
            "recording_sha256": "aaaa",
            "start_s": "0.0",
            "end_s": "1.0",
            "label": label,
            "fold": "1",
            "group": "g1",
            "licence": "",
        }
        for label in ("dog", "rain")
    ]
    assert [row["path"] for row in rows(directory, "validation")] == ["/sounds/b.wav"]
    assert [row["path"] for row in rows(directory, "test")] == ["/sounds/c.wav"]
    summary = json.loads((directory / "summary.json").read_text())
    assert summary["parts"]["train"] == {
        "clips": 1,
        "rows": 2,
        "folds": [1],
        "groups": 1,
        "seconds": 1.0,
        "labels": {"dog": 1, "rain": 1},
    }


def test_the_fold_a_model_was_not_taught_tests(project: Project, store: Store) -> None:
    heard(store, ("a", "dog", "g1", 1), ("b", "rain", "g2", 2), ("c", "dog", "g3", 3))
    kept_back_1 = add_model(project, test_fold=1)
    add_model(project, test_fold=2)
    directory = Path(export(project, "splits")["written"][0])
    assert [row["fold"] for row in rows(directory, "test")] == ["2"]
    export(project, "splits", model_id=kept_back_1)
    assert [row["fold"] for row in rows(directory, "test")] == ["1"]
    assert json.loads((directory / "summary.json").read_text())["test_fold"] == 1


def test_labels_stay_text_in_csv_whatever_they_hold(project: Project, store: Store) -> None:
    heard(store, *((f"n{place}", label, None, None) for place, label in enumerate(HOSTILE)))
    directory = Path(export(project, "splits")["written"][0])
    read = {row["label"] for part in ("train", "validation", "test") for row in rows(directory, part)}
    assert read == set(HOSTILE)
    for line in (directory / "train.csv").read_text(encoding="utf-8").splitlines()[:1]:
        assert all(field.startswith('"') and field.endswith('"') for field in line.split(","))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    told=st.lists(
        st.tuples(st.sampled_from(("dog", "rain", "=1+1")), st.integers(0, 9), st.sampled_from((None, 1, 2, 3, 4))),
        min_size=1,
        max_size=40,
    )
)
def test_no_group_and_no_clip_is_ever_in_two_files(
    tmp_path_factory: pytest.TempPathFactory, told: list[tuple[str, int, int | None]]
) -> None:
    from labeltool import project as projects

    project = projects.create(tmp_path_factory.mktemp("hypothesis") / "p")
    recordings = [(f"r{place}.", label, f"g{group}", fold) for place, (label, group, fold) in enumerate(told)]
    with project.open_store() as store:
        records = [
            record
            for name, label, group, fold in recordings
            for record in records_of(name, label, group=group, fold=fold)
        ]
        take_in(store, records, kind="test", source="test")
    directory = Path(export(project, "splits")["written"][0])
    parts = [rows(directory, part) for part in ("train", "validation", "test")]
    groups = [{row["group"] for row in part} for part in parts]
    assert not (groups[0] & groups[1] or groups[0] & groups[2] or groups[1] & groups[2])
    assert sorted(row["recording_sha256"] for part in parts for row in part) == sorted(
        name * 4 for name, *_ in recordings
    )


def test_splits_of_a_project_without_labels_say_what_to_do(project: Project, store: Store) -> None:
    take_in(store, records_of("a"), kind="test", source="test")
    with pytest.raises(LabeltoolError, match="splits: no clip has a label yet"):
        export(project, "splits")


def test_the_int8_model_comes_with_labels_and_card(project: Project) -> None:
    number = add_model(project, int8=b"TFL3 stands here")
    result = export(project, "int8")
    directory = Path(result["written"][0])
    assert result["model"] == number and result["int8_clip_accuracy"] == 0.9
    assert (directory / "model_int8.tflite").read_bytes() == b"TFL3 stands here"
    assert (directory / "labels.txt").read_text() == "dog\nrain\n"
    assert json.loads((directory / "card.json").read_text())["labels"] == ["dog", "rain"]


def test_a_model_that_loses_too_much_in_int8_needs_force(project: Project, ten_groups: Store) -> None:
    add_model(project, clip_accuracy=0.90, int8_clip_accuracy=0.85)
    with pytest.raises(LabeltoolError, match=r"90.0% to 85.0%.*--force"):
        export(project, "splits", "int8")
    assert not project.exports.exists()
    assert export(project, "splits")["written"]
    assert export(project, "int8", force=True)["int8_clip_accuracy"] == 0.85


@pytest.mark.parametrize("accuracies", [(0.90, 0.88), (None, None), (0.8, 0.85)])
def test_a_loss_at_the_bound_or_not_measured_is_no_reason_to_refuse(
    project: Project, accuracies: tuple[float | None, float | None]
) -> None:
    add_model(project, clip_accuracy=accuracies[0], int8_clip_accuracy=accuracies[1])
    assert export(project, "int8")["int8_clip_accuracy"] == accuracies[1]


def test_splits_and_label_tracks_load_no_tensorflow(project: Project, ten_groups: Store) -> None:
    code = (
        "import sys; from labeltool import exporters, project\n"
        "p = project.find(__import__('pathlib').Path(sys.argv[1]))\n"
        "exporters.export(p, report=lambda *a: None, products=['splits', 'audacity'], model_id=None,"
        " output=sys.argv[2], force=False)\n"
        "assert 'tensorflow' not in sys.modules and 'librosa' not in sys.modules\n"
    )
    command = [sys.executable, "-c", code, project.directory, project.exports]
    assert subprocess.run(command, check=False).returncode == 0
