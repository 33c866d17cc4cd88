"""What describes a data set: card, Croissant, attributions; true, readable by others, and the same again."""

from __future__ import annotations

import csv
import hashlib
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from sklearn.metrics import cohen_kappa_score

from helpers.command_line import labeltool_json
from helpers.exports import bytes_of, export
from labeltool import project as projects
from labeltool.annotation.annotation_table import DTYPES
from labeltool.audio import files
from labeltool.exporters import licences, markdown
from labeltool.exporters.data_sets import summary
from labeltool.project import Project
from labeltool.records import Clip, Imported, Recording, Value, Verdict
from labeltool.store import Store, journal
from labeltool.store.importing import import_records

RATE_HZ = 8000
BREAKS = {*map(chr, range(32)), *map(chr, range(0x7F, 0xA0)), "\u2028", "\u2029"}
NAMES = ("a|b", "rain", "🐦 *сова*", "NA")


def sound(directory: Path, number: int, licence: str | None, group: str = "") -> tuple[Recording, Clip]:
    """Write a second of noise; return its recording and a clip of half a second."""
    path = directory / f"rec_{number}.wav"
    soundfile.write(path, np.random.default_rng(number).normal(0, 0.1, RATE_HZ), RATE_HZ)
    found = files.describe(path)
    recording = Recording(found.path, found.sha256, RATE_HZ, 1, RATE_HZ, group or f"g{number}", licence)
    return recording, Clip(found.sha256, 0.25, 0.75)


@pytest.fixture
def published(tmp_path: Path) -> Project:
    """Twelve recordings, three licences and none; labels of a file and of two people, one clip with two labels."""
    project = projects.create(tmp_path / 'night: "#1" 🦉')
    given_licences = ["CC BY 4.0", "CC BY-NC 3.0", "https://creativecommons.org/publicdomain/zero/1.0/", None]
    records: list[Imported] = []
    for number in range(12):
        recording, clip = sound(tmp_path, number, given_licences[number % 4], "freesound:77" if number == 0 else "")
        verdict = Verdict(clip, NAMES[number % 2], low_hz=100.0 if number < 3 else None)
        records += [recording, clip, verdict, Verdict(clip, NAMES[2], Value.ABSENT)]
    with project.open_store() as store:
        import_records(store, records, kind="test", source="test")
        journal.annotate(store, 1, NAMES[3], annotator="ann")
        for clip_id in (1, 2, 3, 4):
            journal.annotate(store, clip_id, "rain" if clip_id == 4 else "a|b", annotator="bob")
            journal.annotate(store, clip_id, "rain" if clip_id > 2 else "a|b", annotator="ann")
        journal.annotate(store, 5, NAMES[3], Value.UNSURE, annotator="bob")
    return project


def tables(text: str) -> Iterator[list[list[str]]]:
    """Yield the tables of a Markdown page, as a reader of Markdown sees them."""
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    for token in tokens:
        if token.type == "table_open":
            table: list[list[str]] = []
        elif token.type == "tr_open":
            table.append([])
        elif token.type == "inline" and token.level >= 4:
            table[-1].append("".join(child.content for child in token.children or []))
        elif token.type == "table_close":
            yield table


def test_the_card_counts_what_is_there_and_what_is_not(published: Project) -> None:
    directory = Path(export(published, "audiofolder").written[0])
    _, front_matter, body = (directory / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    head = yaml.safe_load(front_matter)
    assert head["license"] == ["cc-by-4.0", "cc-by-nc-3.0", "cc0-1.0", "unknown"]
    assert head["pretty_name"] == published.directory.name and head["size_categories"] == ["n<1K"]
    parts = [one["split"] for one in head["configs"][0]["data_files"]]
    labels, annotators, agreement, of_licence, lost, columns = tables(body)
    counted = {part: pd.read_csv(directory / part / "metadata.csv", keep_default_na=False) for part in parts}
    assert labels[0] == ["label", *parts, "absent", "unsure", "unchecked"]
    assert [row[0] for row in labels[1:]] == ["NA", "a|b", "rain", "all clips"]
    for label, *cells in labels[1:]:
        for part, text in zip(parts, cells, strict=False):
            rows = counted[part]
            if label != "all clips":
                rows = rows[[label in json.loads(one) for one in rows["labels"]]]
            assert text == f"{len(rows)} / {len(rows) / 2:.1f} / {rows['group'].nunique()}"
    assert labels[1][-3:] == ["0", "1", "10"]  # NA: present in one clip, unsure in another
    assert {row[0]: row[1:] for row in annotators[1:]} == {"ann": ["5", "4"], "bob": ["5", "5"], "test": ["24", "12"]}
    # ann: NA and a|b, a|b, rain, rain; bob: a|b, a|b, a|b, rain. The file has a|b, rain, a|b, rain.
    assert {row[0]: row[1:3] for row in agreement[1:]} == {
        "ann, bob": ["4", "50.0%"], "ann, test": ["4", "25.0%"], "bob, test": ["4", "75.0%"],
    }  # fmt: skip
    assert dict(row[:2] for row in of_licence[1:])["Licence not known"] == "3" and len(of_licence) == 5
    assert lost[1:] == [["3", "without its frequency range"]]
    assert columns[1][0] == "file_name" and "drawn at random" in body


def test_the_time_on_the_card_gives_the_same_data_set_again(published: Project) -> None:
    directory = Path(export(published, "audiofolder").written[0])
    first = bytes_of(directory)
    state = json.loads((directory / "croissant.json").read_text(encoding="utf-8"))["dateModified"]
    assert f"--as-of {state}" in (directory / "README.md").read_text(encoding="utf-8")
    with published.open_store() as store:
        journal.annotate(store, 2, "owl", annotator="ann")
    assert bytes_of(Path(export(published, "audiofolder").written[0])) != first
    assert bytes_of(Path(export(published, "audiofolder", as_of=state).written[0])) == first


def test_croissant_names_every_file_and_column(published: Project, caplog: pytest.LogCaptureFixture) -> None:
    directory = Path(export(published, "audiofolder").written[0])
    described = json.loads((directory / "croissant.json").read_text(encoding="utf-8"))
    assert described["conformsTo"] == "http://mlcommons.org/croissant/1.1"
    assert "https://creativecommons.org/licenses/by-nc/3.0/" in described["license"] and len(described["license"]) == 4
    objects = {one["@id"]: one for one in described["distribution"] if one["@type"] == "cr:FileObject"}
    assert set(objects) == {str(path.relative_to(directory)) for path in directory.glob("*/metadata.csv")}
    sets = [one["includes"] for one in described["distribution"] if one["@type"] == "cr:FileSet"]
    assert sorted(path for one in sets for path in directory.glob(one)) == sorted(directory.rglob("*.wav"))
    for records in described["recordSet"]:
        sources = {field["source"]["fileObject"]["@id"] for field in records["field"]}
        content = (directory / (table := sources.pop())).read_bytes()
        assert not sources and objects[table]["sha256"] == hashlib.sha256(content).hexdigest()
        header = next(csv.reader(content.decode().splitlines()))
        assert [field["source"]["extract"]["column"] for field in records["field"]] == header


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # mlcroissant 1.1 with rdflib 7.6
def test_mlcroissant_validates_and_reads_the_records(published: Project) -> None:
    mlcroissant = pytest.importorskip("mlcroissant", reason="mlcroissant is not installed")
    directory = Path(export(published, "audiofolder").written[0])
    logging.getLogger("absl").setLevel(logging.ERROR)  # what is recommended and only a publisher knows
    read = mlcroissant.Dataset(jsonld=directory / "croissant.json")
    assert not read.metadata.issues.errors
    for part in ("train", "test"):
        rows = pd.read_csv(directory / part / "metadata.csv")
        records = list(read.records(part))
        assert [one[f"{part}/file_name"].decode() for one in records] == rows["file_name"].to_list()
        assert [one[f"{part}/end_s"] for one in records] == rows["end_s"].to_list()


def test_each_recording_is_attributed(published: Project) -> None:
    with published.open_store() as store, store.transaction() as connection:
        rows = [(2, "Author", "J. <Doe> | & Co"), (2, "url", "https://example.org/a_b"), (2, "site", "marsh")]
        connection.executemany("INSERT INTO recording_columns VALUES (?, ?, ?)", rows)
    done = labeltool_json(published, "export", "--audiofolder", "--clips")
    (note,) = done["notes"]
    assert note == "the licence of 3 of 12 recordings is not known: ATTRIBUTION.md lists them"
    of_product = {}
    for directory in map(Path, done["written"]):
        found = pd.read_csv(directory / "attributions.csv", keep_default_na=False).set_index("recording")
        assert len(found) == 12 and found.loc["rec_0.wav", "url"] == "https://freesound.org/s/77/"
        assert found.loc["rec_1.wav", "author"] == "J. <Doe> | & Co" and "site" not in found
        page = (directory / "ATTRIBUTION.md").read_text(encoding="utf-8")
        of_licence = list(tables(page))
        assert [len(one) - 1 for one in of_licence] == [3, 3, 3, 3] and "## Licence not known" in page
        assert ["rec_1.wav", "J. <Doe> | & Co", "https://example.org/a_b"] in of_licence[1]
        of_product[directory.name] = (page, found.to_csv())
    assert of_product["clips"] == of_product["audiofolder"]


@pytest.mark.parametrize(
    ("licence", "identifier", "address"),
    [
        ("CC BY 3.0", "cc-by-3.0", "https://creativecommons.org/licenses/by/3.0/"),
        ("cc-by-nc-sa 4.0", "cc-by-nc-sa-4.0", "https://creativecommons.org/licenses/by-nc-sa/4.0/"),
        ("http://creativecommons.org/licenses/by-nc/4.0/", "cc-by-nc-4.0", "https://creativecommons.org/licenses/by-nc/4.0/"),
        ("http://creativecommons.org/publicdomain/zero/1.0/", "cc0-1.0", "https://creativecommons.org/publicdomain/zero/1.0/"),
        ("CC0", "cc0-1.0", "https://creativecommons.org/publicdomain/zero/1.0/"),
        ("CC BY-ND 2.0", "other", "https://creativecommons.org/licenses/by-nd/2.0/"),
        ("MIT", "mit", "MIT"),
        ("ask me first", "other", "ask me first"),
        ("", "unknown", ""),
    ],
)  # fmt: skip
def test_licences_have_the_names_of_the_catalogues(licence: str, identifier: str, address: str) -> None:
    assert licences.identifier(licence) == identifier and licences.address(licence) == address


@settings(max_examples=50)
@given(st.lists(st.text(max_size=40), min_size=1, max_size=4))
def test_any_text_is_itself_in_a_table(texts: list[str]) -> None:
    (read,) = tables(
        markdown.table(pd.DataFrame({"number": range(len(texts)), "text": pd.Series(texts, dtype=object)}))
    )
    expected = ["".join(" " if one in BREAKS else one for one in text) for text in texts]
    assert [" ".join(row[1].split()) for row in read[1:]] == [" ".join(text.split()) for text in expected]


@settings(max_examples=25)
@given(st.lists(st.tuples(*[st.sampled_from(["dog", "cat", "owl"])] * 2), min_size=1, max_size=12))
def test_agreement_is_cohens_kappa(pairs: list[tuple[str, str]]) -> None:
    rows: list[dict[str, Any]] = [
        {"clip_id": number, "label": label, "value": "present", "annotator": who, "journal_id": f"{number:03}{who}"}
        for number, pair in enumerate(pairs)
        for who, label in zip("ab", pair, strict=True)
    ]
    verdicts = pd.DataFrame(rows).reindex(columns=list(DTYPES)).astype({"region_start_s": float, "region_end_s": float})
    (found,) = summary.agreement(verdicts).to_dict("records")
    first, second = zip(*pairs, strict=True)
    assert found["clips"] == len(pairs)
    assert found["agreement"] == pytest.approx(np.mean([one == other for one, other in pairs]))
    if len({*first, *second}) > 1:
        assert found["kappa"] == pytest.approx(cohen_kappa_score(first, second))
    else:
        assert np.isnan(found["kappa"])


def test_official_folds_are_named(project: Project, store: Store, tmp_path: Path) -> None:
    for number in range(6):
        recording, clip = sound(tmp_path, number, "MIT")
        in_fold = Clip(clip.recording_sha256, clip.start_s, clip.end_s, fold=number // 2 + 1)
        import_records(store, [recording, in_fold, Verdict(in_fold, "dog")], kind="test", source="test")
    result = export(project, "audiofolder")
    body = (Path(result.written[0]) / "README.md").read_text(encoding="utf-8")
    assert "By the official folds (train: 1; validation: 2; test: 3)" in body and result.notes == ()
