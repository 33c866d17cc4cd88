"""Products of labels as of an earlier time: the bytes of an export made then, whatever happened since."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

import labeltool
from helpers.acts import ACTS, act
from helpers.command_line import labeltool_here
from helpers.exports import add_model, bytes_of, export
from labeltool import project as projects
from labeltool.audio import files
from labeltool.errors import LabeltoolError
from labeltool.exporters.registry import EXPORTERS
from labeltool.project import Project
from labeltool.records import Clip, Imported, Recording, Value, Verdict
from labeltool.store import database, journal, labels, models
from labeltool.store.importing import import_records
from labeltool.store.label_acts import changes

RATE_HZ = 8000
OF_LABELS = [one.name for one in EXPORTERS.values() if one.of_labels]
OTHERS = ["int8", "stm32", "transcripts"]
MORE_ACTS = ACTS | st.tuples(st.just("model"), st.integers(1, 4))


def sound_records(directory: Path, name: str, label: str) -> list[Imported]:
    """Return a recording of a second, which is written, in a fold of its own."""
    path = directory / f"{name}.wav"
    if not path.exists():
        soundfile.write(path, np.random.default_rng(ord(name)).normal(0, 0.1, RATE_HZ), RATE_HZ)
    found = files.describe(path)
    clip = Clip(found.sha256, 0.0, 1.0, fold="abcd".index(name) + 1)
    return [Recording(found.path, found.sha256, RATE_HZ, 1, RATE_HZ, name), clip, Verdict(clip, label)]


def do(project: Project, acts: list[tuple[Any, ...]], directory: Path) -> None:
    for kind, *values in acts:
        if kind == "model":
            add_model(project, test_fold=values[0])
            continue
        with suppress(LabeltoolError), project.open_store() as store:  # a renaming that makes no sense
            act(store, kind, *values, records=partial(sound_records, directory))


def exported(project: Project, *products: str, **options: Any) -> list[dict[str, bytes]]:
    written = export(project, *(products or OF_LABELS), **options).written
    return [bytes_of(Path(directory)) for directory in written]


@example(before=[("parent", "bob", "dog", "hound")], after=[("delete", "bob", "hound")])
@settings(max_examples=4, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(before=st.lists(MORE_ACTS, max_size=6), after=st.lists(MORE_ACTS, min_size=3, max_size=10))
def test_an_export_as_of_a_time_has_the_bytes_of_that_time(
    before: list[tuple[Any, ...]], after: list[tuple[Any, ...]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    directory = tmp_path_factory.mktemp("p")
    project = projects.create(directory / "p")
    with project.open_store() as store:
        for name in "abc":
            import_records(store, sound_records(directory, name, "dog"), kind="test", source="test")
    do(project, [*before, ("annotate", "ann", 1, "dog", Value.PRESENT)], directory)
    try:
        first = exported(project)
    except LabeltoolError:
        return  # all was removed
    time = database.now()
    with project.open_store() as store:
        event = journal.newest_id(store)
        newest = models.latest(store)
        is_of_event = newest is None or newest.created_at <= journal.row(store, event).created_at
    do(project, [*after, ("import", "d", "owl"), ("rename", "ann", "dog", "wolf")], directory)
    assert exported(project, as_of=time) == first
    if is_of_event:
        assert exported(project, as_of=event) == first


def test_the_table_of_labels_is_of_that_time(project: Project, tmp_path: Path) -> None:
    with project.open_store() as store:
        for name, label in zip("abcd", ("dog", "dog", "cat", "owl"), strict=True):
            import_records(store, sound_records(tmp_path, name, label), kind="test", source="test")
        changes.define(store, "dog", "barks", annotator="ann")
        changes.set_parent(store, "dog", "animal", annotator="ann")
        changes.retire(store, "owl", annotator="ann")
    first, time = exported(project, "table")[0]["labels.csv"], database.now()
    assert first.splitlines()[1:] == [b'"dog","animal","barks"', b'"cat","",""', b'"animal","",""']
    with project.open_store() as store:
        event = journal.newest_id(store)
        changes.define(store, "dog", "howls", annotator="ann")
        changes.set_parent(store, "dog", "pet", annotator="ann")
        changes.retire(store, "cat", annotator="ann")
        changes.split(store, "dog", ["hound", "owl"], annotator="ann")
        labels.rename(store, "dog", "wolf", annotator="ann")
    assert exported(project, "table")[0]["labels.csv"] != first
    for as_of in (time, event):
        assert exported(project, "table", as_of=as_of)[0]["labels.csv"] == first


def test_the_newest_model_of_that_time_decides_the_test_fold(project: Project, tmp_path: Path) -> None:
    with project.open_store() as store:
        for name in "abcd":
            import_records(store, sound_records(tmp_path, name, "dog"), kind="test", source="test")
    summaries = []
    times = []
    for fold in (1, 2):
        add_model(project, test_fold=fold)
        times.append(database.now())
        summaries.append(exported(project, "splits")[0]["summary.json"])
        assert f'"test_fold": {fold}'.encode() in summaries[-1]
    assert [exported(project, "splits", as_of=time)[0]["summary.json"] for time in times] == summaries
    p = labeltool.open(project.directory)
    (written,) = p.export("splits", as_of=times[0], output=tmp_path / "out", in_process=True).written
    assert (Path(written) / "summary.json").read_bytes() == summaries[0]


@pytest.mark.parametrize("product", OTHERS)
def test_what_is_not_made_of_labels_has_no_earlier_time(project: Project, product: str) -> None:
    done = labeltool_here(project, "export", "--splits", f"--{product}", "--as-of", "2026-01-01", check=2)
    assert f"made of labels, not for --{product}" in done.stderr
    with pytest.raises(LabeltoolError, match=f"not for --{product}"):
        export(project, product, as_of="2026-01-01")
    assert sorted([*OF_LABELS, *OTHERS]) == sorted(EXPORTERS)


def test_a_time_that_is_none_is_refused(project: Project) -> None:
    with pytest.raises(LabeltoolError, match="neither an event nor a time"):
        export(project, "splits", as_of="yesterday")
    assert not project.exports.exists()
