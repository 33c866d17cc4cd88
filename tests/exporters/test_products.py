"""Exports that are whole or absent, and the products that can be tested without a trained network."""

from __future__ import annotations

import csv
import importlib
import inspect
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from helpers.exports import add_model, bytes_of, export, metrics
from helpers.progress import silent
from helpers.records import records_of
from labeltool.errors import LabeltoolError
from labeltool.exporters import registry, splits
from labeltool.exporters.atomic_folder import atomic_folder, locked_folder
from labeltool.exporters.source import Source
from labeltool.project import Project
from labeltool.records import Value, label_name
from labeltool.store import Store, labels
from labeltool.store.importing import import_records
from labeltool.store.journal import annotate
from labeltool.util.files import file_locks

HOSTILE = ("=SUM(A1)", "a;b,c", 'quo"te', "tab\there", "line\nbreak", "NA", "صوت", "../../x", "x" * 10_000)


def add_clips(store: Store, *clips: tuple[str, str, str | None, int | None]) -> None:
    """Import one-second recordings: name, label, group, fold."""
    for name, label, group, fold in clips:
        import_records(store, records_of(name, label, group=group, fold=fold), kind="test", source="test")


def rows(directory: Path, part: str) -> list[dict[str, str]]:
    with (directory / f"{part}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def ten_groups(store: Store) -> Store:
    add_clips(store, *((f"{group}{take}", "dog" if group % 2 else "rain", f"g{group}", None)
                   for group in range(10) for take in range(2)))  # fmt: skip
    return store


def test_a_model_with_other_labels_than_the_project_is_exported_with_a_note(project: Project, store: Store) -> None:
    add_clips(store, ("a", "dog", None, None), ("b", "rain", None, None))
    add_model(project)
    assert export(project, "int8").notes == ()
    add_clips(store, ("c", "owl", None, None))
    labels.rename(store, "dog", "hound", annotator="ann")
    (note,) = export(project, "int8").notes
    assert "it lacks 'owl' (1 clip), 'hound' (1 clip); it has 'dog' (now 'hound')" in note and "retrain" in note


def test_an_export_returns_its_folders_and_sha256sum_accepts_them(project: Project, ten_groups: Store) -> None:
    result = export(project, "splits", "audacity")
    assert result.written == (str(project.exports / "splits"), str(project.exports / "audacity"))
    assert result.model is None and result.int8_clip_accuracy is None
    for directory in result.written:
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
    before = [bytes_of(Path(directory)) for directory in first.written]
    assert [bytes_of(Path(directory)) for directory in export(project, *products).written] == before
    in_another_folder = registry.export(
        project, report=silent, products=products, model_id=None, output=str(tmp_path / "a" / "b"), force=False
    )
    assert [bytes_of(Path(directory)) for directory in in_another_folder.written] == before


def test_a_folder_that_is_not_an_export_is_never_replaced(project: Project, ten_groups: Store) -> None:
    theirs = project.exports / "splits" / "thesis.txt"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("years of work")
    with pytest.raises(LabeltoolError, match=r"splits: .*not an export of labeltool.*nothing was exported"):
        export(project, "audacity", "splits")
    assert theirs.read_text() == "years of work"
    assert [path.name for path in project.exports.iterdir()] == ["splits"]


def test_a_link_with_the_name_of_a_product_is_not_followed(project: Project, ten_groups: Store, tmp_path: Path) -> None:
    project.exports.mkdir()
    (project.exports / "splits").symlink_to(tmp_path)
    with pytest.raises(LabeltoolError, match="exists and is not a folder"):
        export(project, "splits")
    assert (project.exports / "splits").is_symlink()


def test_a_file_in_place_of_the_folder_is_one_clear_line(project: Project, ten_groups: Store) -> None:
    project.exports.write_text("not a folder")
    with pytest.raises(LabeltoolError, match=r"exports: (File exists|Not a directory)"):
        export(project, "splits")
    assert project.exports.read_text() == "not a folder"


def test_when_one_product_fails_none_is_written_and_the_error_names_it(project: Project, ten_groups: Store) -> None:
    with pytest.raises(LabeltoolError, match=r"^int8: .*no model yet.*nothing was exported"):
        export(project, "splits", "int8")
    assert not project.exports.exists()


def test_a_failure_does_not_change_the_earlier_export(
    project: Project, ten_groups: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = Path(export(project, "splits").written[0])
    before = bytes_of(directory)

    def fail(source: Source, directory: Path) -> None:
        (directory / "half.bin").write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(splits, "write", fail)
    with pytest.raises(LabeltoolError, match="splits: No space left on device; nothing was exported"):
        export(project, "splits")
    assert bytes_of(directory) == before
    assert list(project.exports.iterdir()) == [directory]


_EXPORT_SLOWLY = """
import sys, time
from pathlib import Path
from labeltool.exporters.atomic_folder import atomic_folder, locked_folder
target = Path(sys.argv[1])
with locked_folder(target.parent), atomic_folder(target) as directory:
    (directory / "half.bin").write_bytes(b"half")
    print("started", flush=True)
    time.sleep(600)
"""


def test_a_killed_export_leaves_no_target_and_the_next_one_cleans_up(tmp_path: Path) -> None:
    target = tmp_path / "out" / "splits"
    command = [sys.executable, "-c", _EXPORT_SLOWLY, str(target)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline() == b"started\n"
        with pytest.raises(LabeltoolError, match="another export"), locked_folder(target.parent):
            pass
        process.kill()
    assert not target.exists()
    with locked_folder(target.parent), atomic_folder(target) as directory:
        (directory / "whole.bin").write_bytes(b"whole")
    assert [path.name for path in target.parent.iterdir()] == ["splits"]
    assert sorted(path.name for path in target.iterdir()) == ["MANIFEST.sha256", "whole.bin"]


def test_where_there_are_no_locks_no_folder_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(descriptor: int) -> bool:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(file_locks, "acquire", refuse)
    with pytest.raises(LabeltoolError, match="No locks available"), locked_folder(tmp_path / "a" / "b"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_an_export_killed_between_its_two_renames_is_restored(tmp_path: Path) -> None:
    target = tmp_path / "splits"
    with locked_folder(tmp_path), atomic_folder(target) as directory:
        (directory / "old.bin").write_bytes(b"old")
    target.rename(tmp_path / f".splits.{'0f' * 16}.replaced")
    with pytest.raises(ZeroDivisionError), locked_folder(tmp_path), atomic_folder(target):
        raise ZeroDivisionError
    assert (target / "old.bin").read_bytes() == b"old"


def test_a_row_is_a_clip_and_a_label_with_everything_to_find_and_split_it(project: Project, store: Store) -> None:
    add_clips(store, ("a", "dog", "g1", 1), ("b", "rain", "g2", 2), ("c", "dog", "g3", 3))
    annotate(store, 1, "rain", annotator="ann")
    annotate(store, 2, "dog", Value.ABSENT, annotator="ann")
    directory = Path(export(project, "splits").written[0])
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


def test_the_test_set_is_the_fold_the_model_was_not_trained_on(project: Project, store: Store) -> None:
    add_clips(store, ("a", "dog", "g1", 1), ("b", "rain", "g2", 2), ("c", "dog", "g3", 3))
    first_model = add_model(project, test_fold=1)
    add_model(project, test_fold=2)
    directory = Path(export(project, "splits").written[0])
    assert [row["fold"] for row in rows(directory, "test")] == ["2"]
    export(project, "splits", model_id=first_model)
    assert [row["fold"] for row in rows(directory, "test")] == ["1"]
    assert json.loads((directory / "summary.json").read_text())["test_fold"] == 1


def test_labels_stay_text_in_csv_whatever_they_contain(project: Project, store: Store) -> None:
    add_clips(store, *((f"n{place}", label, None, None) for place, label in enumerate(HOSTILE)))
    directory = Path(export(project, "splits").written[0])
    read = {row["label"] for part in ("train", "validation", "test") for row in rows(directory, part)}
    assert read == set(map(label_name, HOSTILE))
    for line in (directory / "train.csv").read_text(encoding="utf-8").splitlines()[:1]:
        assert all(field.startswith('"') and field.endswith('"') for field in line.split(","))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    clips=st.lists(
        st.tuples(st.sampled_from(("dog", "rain", "=1+1")), st.integers(0, 9), st.sampled_from((None, 1, 2, 3, 4))),
        min_size=1,
        max_size=40,
    )
)
def test_no_group_and_no_clip_is_in_two_files(
    new_project: Callable[[Path], Project],
    tmp_path_factory: pytest.TempPathFactory,
    clips: list[tuple[str, int, int | None]],
) -> None:
    project = new_project(tmp_path_factory.mktemp("hypothesis") / "p")
    recordings = [(f"r{place}.", label, f"g{group}", fold) for place, (label, group, fold) in enumerate(clips)]
    with project.open_store() as store:
        records = [
            record
            for name, label, group, fold in recordings
            for record in records_of(name, label, group=group, fold=fold)
        ]
        import_records(store, records, kind="test", source="test")
    directory = Path(export(project, "splits", force=True).written[0])
    parts = [rows(directory, part) for part in ("train", "validation", "test")]
    groups = [{row["group"] for row in part} for part in parts]
    assert not (groups[0] & groups[1] or groups[0] & groups[2] or groups[1] & groups[2])
    assert sorted(row["recording_sha256"] for part in parts for row in part) == sorted(
        name * 4 for name, *_ in recordings
    )


def test_the_int8_model_comes_with_labels_and_card(project: Project) -> None:
    number = add_model(project, int8=b"not a real TFL3")
    result = export(project, "int8")
    directory = Path(result.written[0])
    assert result.model == number and result.int8_clip_accuracy == 0.9
    assert (directory / "model_int8.tflite").read_bytes() == b"not a real TFL3"
    assert (directory / "labels.txt").read_text() == "dog\nrain\n"
    assert json.loads((directory / "card.json").read_text())["labels"] == ["dog", "rain"]


def test_a_model_that_loses_too_much_in_int8_needs_force(project: Project, ten_groups: Store) -> None:
    add_model(project, measured=metrics(("dog", "rain"), 0.90, 0.85))
    with pytest.raises(LabeltoolError, match=r"90.0% to 85.0%.*--force"):
        export(project, "splits", "int8")
    assert not project.exports.exists()
    assert export(project, "splits").written
    assert export(project, "int8", force=True).int8_clip_accuracy == 0.85


@pytest.mark.parametrize("accuracies", [(0.90, 0.88), None, (0.8, 0.85)])
def test_a_loss_at_the_bound_or_not_measured_is_accepted(
    project: Project, accuracies: tuple[float, float] | None
) -> None:
    add_model(project, measured=metrics(("dog", "rain"), *accuracies) if accuracies else None)
    assert export(project, "int8").int8_clip_accuracy == (accuracies[1] if accuracies else None)


@pytest.mark.parametrize("exporter", registry.EXPORTERS.values(), ids=registry.EXPORTERS)
def test_an_entry_of_the_registry_has_a_module_that_writes_it(exporter: registry.Exporter) -> None:
    module = importlib.import_module(exporter.module)
    assert list(inspect.signature(module.write).parameters) == ["source", "directory"]
    assert exporter.help.endswith(".") and len(exporter.help) <= 80
    assert ("{model}" not in exporter.folder) or exporter.needs_model


def test_splits_and_label_tracks_load_no_tensorflow(project: Project, ten_groups: Store) -> None:
    code = (
        "import sys; from labeltool import project; from labeltool.exporters import registry\n"
        "p = project.find(__import__('pathlib').Path(sys.argv[1]))\n"
        "registry.export(p, report=lambda *a: None, products=['splits', 'audacity'], model_id=None,"
        " output=sys.argv[2], force=False)\n"
        "assert 'tensorflow' not in sys.modules and 'librosa' not in sys.modules\n"
    )
    command = [sys.executable, "-c", code, project.directory, project.exports]
    assert subprocess.run(command, check=False).returncode == 0
