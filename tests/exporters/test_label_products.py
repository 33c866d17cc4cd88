"""Products of labels: what others read back is what was labelled, and each loss is named in a report."""

from __future__ import annotations

import importlib
import json
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from helpers.exports import bytes_of, export
from helpers.records import of_kind, records_of
from helpers.store import replace_suggestions
from labeltool.audio.files import describe
from labeltool.errors import LabeltoolError
from labeltool.exporters.annotations import DTYPES, Carries
from labeltool.exporters.registry import EXPORTERS
from labeltool.importers.base import recording_of
from labeltool.importers.registry import FORMATS
from labeltool.project import Project
from labeltool.records import Clip, Imported, Recording, Suggestion, Value, Verdict
from labeltool.store import Store, models
from labeltool.store.importing import import_records
from labeltool.store.journal import annotate

RATE_HZ = 44_100
SOUND = Recording("/sounds/marsh.wav", "ab" * 32, RATE_HZ, 2, RATE_HZ * 600, "marsh", "CC BY 4.0")
LABEL_PRODUCTS = ("table", "audacity", "audacity-by-label", "raven", "dcase", "label-studio")


def lost(directory: Path) -> pd.DataFrame:
    frame = pd.read_csv(directory / "not_exported.csv", keep_default_na=False, dtype={"label": str})
    assert list(frame) == [*DTYPES, "exported", "reason"]
    return frame


@pytest.fixture
def labelled_store(store: Store) -> Store:
    """A recording with labels present, absent and unsure, one of each kind of bounds, and a suggestion."""
    clips = [Clip(SOUND.sha256, start_s, start_s + 1.0, fold=2) for start_s in (0.0, 1.0, 2.0, 3.0)]
    records: list[Imported] = [
        SOUND,
        *clips,
        Verdict(clips[0], "call", start_s=0.25, end_s=0.5, low_hz=500.0, confidence=0.75, track="birds"),
        Verdict(clips[0], "rain", Value.ABSENT),
        Verdict(clips[1], "song, loud"),
        Verdict(clips[1], "point", start_s=1.5, end_s=1.5),
    ]
    import_records(store, records, kind="test", source="test")
    annotate(store, 2, "rain", Value.UNSURE, annotator="ann")
    annotate(store, 3, None, Value.ABSENT, annotator="ann")
    model_id = models.add(
        store, models.NewModel("miniresnet", "{}"), parent_id=None, journal_mark="", publish=lambda _: None
    )
    replace_suggestions(store, [Suggestion(4, model_id, {"call": 0.9, "rain": 0.1})])
    return store


def test_the_table_has_every_verdict_with_who_and_when(project: Project, labelled_store: Store) -> None:
    directory = Path(export(project, "table").written[0])
    table = pd.read_csv(directory / "annotations.csv", keep_default_na=False, dtype=str)
    assert (table["path"] == SOUND.path).all() and (table["group"] == "marsh").all() and (table["fold"] == "2").all()
    shown = table[["start_s", "label", "value", "region_start_s", "low_hz", "high_hz", "confidence", "track"]]
    assert sorted(shown.itertuples(index=False, name=None)) == [
        ("0.0", "call", "present", "0.25", "500.0", "", "0.75", "birds"),
        ("0.0", "rain", "absent", "", "", "", "", ""),
        ("1.0", "point", "present", "1.5", "", "", "", ""),
        ("1.0", "rain", "unsure", "", "", "", "", ""),
        ("1.0", "song, loud", "present", "", "", "", "", ""),
        ("2.0", "", "absent", "", "", "", "", ""),
    ]
    people = table[table["annotator"] == "ann"]
    assert list(people["origin"]) == ["human", "human"] and people["created_at"].str.endswith("Z").all()
    suggested = pd.read_csv(directory / "suggestions.csv")
    assert suggested[["start_s", "end_s", "label", "probability"]].values.tolist() == [[3.0, 4.0, "call", 0.9]]


def test_tables_beside_the_labels_agree_with_them(project: Project, labelled_store: Store) -> None:
    dcase, label_studio, by_label = map(Path, export(project, "dcase", "label-studio", "audacity-by-label").written)
    weak = pd.read_csv(dcase / "weak.tsv", sep="\t")
    assert weak.values.tolist() == [["marsh.wav", "call,point,song; loud"]]
    choices = [one.get("value") for one in ET.parse(label_studio / "config.xml").iter("Label")]
    assert choices == ["call", "point", "song, loud"]
    (task,) = json.loads((label_studio / "tasks.json").read_text(encoding="utf-8"))
    assert task["data"]["audio"] == "/data/local-files/?d=marsh.wav"
    index = pd.read_csv(by_label / "tracks.csv")
    tracks = [(by_label / name).read_text(encoding="utf-8").split("\n")[0].split("\t")[2] for name in index["track"]]
    assert tracks == list(index["label"]) == choices and list(index["regions"]) == [1, 1, 1]


def test_parquet_has_the_same_table_with_types(project: Project, labelled_store: Store) -> None:
    pytest.importorskip("pyarrow", reason="the extra `parquet` is not installed")
    directory = Path(export(project, "table").written[0])
    numbers = dict.fromkeys((name for name, dtype in DTYPES.items() if dtype != "object"), "")
    text = {name: str for name, dtype in DTYPES.items() if dtype == "object"}
    table = pd.read_csv(directory / "annotations.csv", keep_default_na=False, na_values=numbers, dtype=text)
    typed = pd.read_parquet(directory / "annotations.parquet")
    assert typed["fold"].dtype == "Int64" and typed["start_s"].dtype == "float64"
    pd.testing.assert_frame_equal(typed.fillna({name: "" for name in text}), table, check_dtype=False)


@pytest.mark.parametrize(
    ("product", "expected"),
    [
        ("audacity", {"call": "without its confidence"}),
        ("audacity-by-label", {"call": "without its confidence"}),
        ("raven", {"call": "the other bound of its frequencies is made up", "point": "a point has no duration"}),
        (
            "dcase",
            {
                "call": "without its frequency range; without its confidence",
                "song, loud": "in weak.tsv, a comma in its label is written as ;",
            },
        ),
        ("label-studio", {"call": "without its frequency range; without its confidence"}),
        (
            "splits",
            {
                "call": "without its bounds inside the clip; without its frequency range; without its confidence",
                "point": "without its bounds inside the clip",
            },
        ),
    ],
)
def test_what_a_product_lacks_is_named_row_by_row(
    project: Project, labelled_store: Store, product: str, expected: dict[str, str]
) -> None:
    result = export(project, product)
    report = lost(Path(result.written[0]))
    assert result.lost == {product: len(report)}
    not_present = {
        "rain": "only present labels can be expressed",
        "": "an annotation of the clip as a whole cannot be expressed",
    }
    assert dict(zip(report["label"], report["reason"], strict=True)) == expected | not_present
    whole = {"rain", ""} | ({"point"} if product == "raven" else set())
    assert set(report.loc[report["exported"] == "no", "label"]) == whole
    assert set(report.loc[report["exported"] == "in part", "label"]) == expected.keys() - whole


def test_raven_tables_are_imported_with_the_bands_that_were_known(project: Project, tmp_path: Path) -> None:
    path = tmp_path / "marsh.wav"
    soundfile.write(path, np.zeros(RATE_HZ // 5), 11_025)
    sound = recording_of(describe(path))
    bands = {"none": (), "low": (500.0,), "both": (500.0, 900.0), "whole": (0.0, 5512.5), "high": (None, 900.0)}
    clip = Clip(sound.sha256, 0.0, 0.5)
    verdicts = [Verdict(clip, label, Value.PRESENT, 0.0, 0.25, *band) for label, band in bands.items()]
    with project.open_store() as store:
        import_records(store, [sound, clip, *verdicts], kind="test", source="test")
    directory = Path(export(project, "raven").written[0])
    report = lost(directory)
    assert set(report["label"]) == {"low", "whole", "high"} and set(report["exported"]) == {"in part"}
    (written,) = directory.glob("*.selections.txt")
    read = FORMATS["table"].read([written], audio=path)
    found = {one.label: (one.low_hz, one.high_hz) for one in of_kind(list(read), Verdict)}
    assert found == {
        "none": (None, None),
        "low": (500.0, 5512.5),
        "both": (500.0, 900.0),
        "whole": (None, None),
        "high": (0.0, 900.0),
    }


def test_suggestions_are_predictions_of_label_studio(project: Project, labelled_store: Store) -> None:
    directory = Path(export(project, "label-studio").written[0])
    (task,) = json.loads((directory / "tasks.json").read_text(encoding="utf-8"))
    (prediction,) = task["predictions"]
    assert prediction["score"] == 0.9 and prediction["model_version"] == models.uid(labelled_store, 1)
    (region,) = prediction["result"]
    assert region["score"] == 0.9 and region["value"] == {"start": 3.0, "end": 4.0, "channel": 0, "labels": ["call"]}
    assert "/sounds" in (directory / "README.md").read_text(encoding="utf-8")


def test_equal_file_names_become_paths_below_their_folder(project: Project, store: Store) -> None:
    for number, path in enumerate(["/data/a/rec.wav", "/data/b/rec.wav"]):
        sound = Recording(path, f"{number}" * 64, 16_000, 1, 16_000, path)
        clip = Clip(sound.sha256, 0.0, 1.0)
        import_records(store, [sound, clip, Verdict(clip, "dog")], kind="test", source="test")
    directory = Path(export(project, "dcase").written[0])
    assert list(pd.read_csv(directory / "weak.tsv", sep="\t")["filename"]) == ["a/rec.wav", "b/rec.wav"]


def test_the_same_labels_give_the_same_bytes(project: Project, labelled_store: Store) -> None:
    first = [bytes_of(Path(directory)) for directory in export(project, *LABEL_PRODUCTS).written]
    assert [bytes_of(Path(directory)) for directory in export(project, *LABEL_PRODUCTS).written] == first


@pytest.mark.parametrize("product", [name for name, one in EXPORTERS.items() if one.of_labels])
@pytest.mark.parametrize("names", ["", "a"])
def test_a_project_without_labels_has_no_product(project: Project, store: Store, product: str, names: str) -> None:
    for name in names:
        import_records(store, records_of(name), kind="test", source="test")
    with pytest.raises(LabeltoolError, match=f"{product}: (no clip has a label yet|nothing is labelled yet)"):
        export(project, product)
    assert not project.exports.exists()


def test_removed_recordings_are_in_no_product(project: Project, labelled_store: Store) -> None:
    from labeltool.store import recordings

    recordings.remove(labelled_store, [recordings.recording(labelled_store, 1)], annotator="ann")
    for product in LABEL_PRODUCTS:
        with pytest.raises(LabeltoolError, match="label"):
            export(project, product)


@pytest.mark.filterwarnings("ignore:The inplace keyword")  # crowsetta 5.1 with pandas 3.1
def test_raven_tables_are_read_by_crowsetta(project: Project, labelled_store: Store) -> None:
    crowsetta = pytest.importorskip("crowsetta", reason="crowsetta is not installed")
    directory = Path(export(project, "raven").written[0])
    read = crowsetta.formats.bbox.Raven.from_file(directory / "marsh.selections.txt", annot_col="Annotation")
    boxes = [(box.onset, box.offset, box.low_freq, box.high_freq, box.label) for box in read.to_bbox()]
    assert boxes == [(0.25, 0.5, 500.0, 22_050.0, "call"), (1.0, 2.0, 0.0, 22_050.0, "song, loud")]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # label-studio-sdk 2.0 with pydantic 2.14
def test_tasks_are_valid_for_label_studio_and_its_converter(
    project: Project, labelled_store: Store, tmp_path: Path
) -> None:
    pytest.importorskip("label_studio_sdk", reason="label-studio-sdk is not installed")
    from label_studio_sdk.converter import Converter
    from label_studio_sdk.label_interface import LabelInterface

    directory = Path(export(project, "label-studio").written[0])
    config = (directory / "config.xml").read_text(encoding="utf-8")
    interface = LabelInterface(config)
    interface.validate()
    (task,) = json.loads((directory / "tasks.json").read_text(encoding="utf-8"))
    assert interface.validate_task({"data": task["data"]})
    assert all(map(interface.validate_annotation, task["annotations"]))
    assert all(map(interface.validate_prediction, task["predictions"]))
    Converter(config, str(directory)).convert(str(directory / "tasks.json"), str(tmp_path), "CSV", is_dir=False)
    (converted,) = pd.read_csv(tmp_path / "result.csv")["label"]
    assert [region["labels"] for region in json.loads(converted)] == [["call"], ["song, loud"], ["point"]]


def test_help_lists_every_product_without_loading_pandas() -> None:
    import subprocess

    code = (
        "import sys; from labeltool.cli.main import cli\n"
        "try: cli(['export', '--help'])\n"
        "except SystemExit: pass\n"
        "assert 'pandas' not in sys.modules and 'numpy' not in sys.modules"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert all(f"--{product}" in shown for product in (*LABEL_PRODUCTS, "clips", "audiofolder"))


@pytest.mark.parametrize("name", ["splits", "clips", "audiofolder", "audacity", "audacity-by-label", "raven", "dcase"])
def test_what_a_product_is_listed_to_carry_is_what_it_does(name: str) -> None:
    listed = EXPORTERS[name]
    does: Carries = importlib.import_module(listed.module).CARRIES
    for carried, is_carried in {
        "regions": does.regions,
        "bands": does.frequencies,
        "confidence": does.confidence,
    }.items():
        assert (carried in listed.carries) is is_carried
