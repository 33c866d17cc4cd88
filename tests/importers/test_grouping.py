"""Groups of recordings: guessed from names, as a person asks for, changed later."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import pytest
from click.testing import CliRunner, Result

from helpers.records import of_kind
from helpers.store import dump
from labeltool.annotation import listing
from labeltool.audio.frontend import Frontend
from labeltool.cli.main import cli
from labeltool.errors import LabeltoolError
from labeltool.importers.grouping import grouped
from labeltool.networks.model_card import ModelCard
from labeltool.networks.model_folder import ModelFiles
from labeltool.project import Project
from labeltool.records import Clip, GroupsNote, Imported, Recording, Verdict
from labeltool.store import Store, clips, groups, journal
from labeltool.store.importing import ImportResult, import_records
from labeltool.store.text_journal.lines import export_lines
from labeltool.store.text_journal.reading import import_journal


@pytest.fixture
def store(new_store: Callable[..., Store], tmp_path: Path) -> Iterator[Store]:
    with new_store(tmp_path) as store:
        yield store


def records(*names: str, group: str | None = None, **labels: str) -> list[Imported]:
    """Return recordings of a second by their paths; `labels` are by the beginning of the file's name."""
    found: list[Imported] = []
    for name in names:
        path = Path("/field") / name
        columns = (("site", path.stem.partition("-")[0]), ("height", "")) if "-" in name else ()
        sha256 = hashlib.sha256(name.encode()).hexdigest()
        recording = Recording(str(path), sha256, 16_000, 1, 16_000, group or sha256, columns=columns)
        clip = Clip(sha256, 0.0, 1.0)
        found += [recording, clip]
        found += [Verdict(clip, label) for start, label in labels.items() if path.name.startswith(start)]
    return found


def groups_of(found: list[Imported], by: str | None = None) -> list[str]:
    """Return the groups by letters: "a" for the first, "b" for the next."""
    names = [one.group for one in of_kind(list(grouped(found, by)), Recording)]
    order = list(dict.fromkeys(names))
    return ["abcdefgh"[order.index(name)] for name in names]


def imported(store: Store, found: list[Imported], by: str | None = None) -> ImportResult:
    return import_records(store, grouped(found, by), kind="test", source="test")


SITES = ("siteA-01.wav", "siteA-02.wav", "siteB-01.wav", "siteB-02.wav")


@pytest.mark.parametrize(
    ("names", "by", "expected"),
    [
        (SITES, None, "aabb"),
        (("siteA_20240501_053000.wav", "siteA_20240501_060000.wav", "siteB_20240501_053000.wav"), None, "aab"),
        # One site alone would be one group of everything: then by its days.
        (("s_20240501_0530.wav", "s_20240501_0600.wav", "s_20240502_0530.wav"), None, "aab"),
        (("s_1.wav", "s_2.wav", "s_3.wav"), None, "abc"),
        # Dates are no counters, and numbers alone no place.
        (("20240501_053000.wav", "20240501_060000.wav", "20240502_053000.wav"), None, "abc"),
        (("2024-05-01.wav", "2024-05-02.wav", "2025-05-01.wav"), None, "abc"),
        (("s-2024-05-01.wav", "s-2024-05-02.wav", "s-2024-06-01.wav"), None, "abc"),
        (("s-2024-05-01.wav", "s-2024-05-02.wav", "2024-05-01.wav", "2024-05-02.wav"), None, "aabc"),
        (("XC1.wav", "XC2.wav", "XC3-1.wav", "XC3-2.wav"), None, "abcc"),
        # Folders are other places.
        (("x/rec-1.wav", "x/rec-2.wav", "y/rec-1.wav", "y/rec-2.wav"), None, "aabb"),
        (("x/rec-1.wav", "y/rec-1.wav"), None, "ab"),
        (SITES, "none", "abcd"),
        (SITES, "name", "aabb"),
        (("x/1.wav", "x/2.wav", "y/1.wav"), "folder", "aab"),
        (SITES, "column:site", "aabb"),
        (SITES, "{site}-*", "aabb"),
        (SITES, "*-{visit}", "abab"),
        (("A/2024_1.wav", "A/2025_1.wav", "B/2024_1.wav"), "{site}/{year}_*", "abc"),
        (("A/2024_1.wav", "A/2025_1.wav", "B/2024_1.wav"), "{site}/*", "aab"),
    ],
)
def test_groups_by_names_folders_columns_and_patterns(names: tuple[str, ...], by: str | None, expected: str) -> None:
    assert groups_of(records(*names), by) == list(expected)


def test_names_that_repeat_the_labels_are_no_groups() -> None:
    names = ("dog-1.wav", "dog-2.wav", "dog-3.wav", "cat-1.wav", "cat-2.wav")
    assert groups_of(records(*names)) == list("aaabb")
    assert groups_of(records(*names, dog="dog", cat="cat")) == list("abcde")
    assert groups_of(records(*SITES, site="dog")) == list("aabb")


def test_the_groups_of_a_data_set_stay() -> None:
    assert groups_of(records(*SITES, group="freesound:1")) == list("aaaa")
    assert groups_of(records(*SITES, group="freesound:1"), "name") == list("aaaa")


def test_groups_by_names_are_in_one_line_and_a_pattern_gives_columns(store: Store) -> None:
    (note,) = of_kind(imported(store, records(*SITES, "x.wav")).skipped, GroupsNote)
    for text in ("2 ('siteA#", "siteA-01.wav, siteA-02.wav", "1 more", "guessed", "--group-by"):
        assert text in note.reason
    assert "\n" not in note.reason
    # A project that has the recordings keeps their groups, and the import says nothing of any.
    assert not of_kind(imported(store, records(*SITES, "x.wav")).skipped, GroupsNote)
    result = imported(store, records(*SITES, "x.wav"), "{place}-{visit}")
    assert ["keeps the group" in one.reason for one in result.skipped] == [True]
    found = listing.matching(store, listing.Filter(where=(("place", "siteA"), ("visit", "02"))))
    assert [clip.path for clip in (clips.clip(store, number) for number in found)] == ["/field/siteA-02.wav"]
    with pytest.raises(LabeltoolError, match=r"no recording has a column 'plaze' .*'place', 'site', 'visit'"):
        listing.matching(store, listing.Filter(where=(("plaze", "siteA"),)))


@pytest.mark.parametrize("rule", ["", "site", "column:", "{}-*", "{a}{b}", "*", "{a}*", "{a}_{a}", "{1}", "x" * 300])
def test_a_rule_that_is_none_is_refused(rule: str) -> None:
    with pytest.raises(LabeltoolError):
        list(grouped(records(*SITES), rule))


def test_a_rule_that_fits_no_recording_is_refused() -> None:
    for rule in ("column:device", "{a}+{b}"):
        with pytest.raises(LabeltoolError, match="gives no recording a group"):
            list(grouped(records(*SITES), rule))


def test_no_name_makes_a_pattern_slow() -> None:
    name = "-" * 200 + ".wav"
    assert groups_of(records(name, "a-b-c-d-e-f-g-h_ix.wav"), "*-*-*-*-*-*-{a}-*_*x") == ["a", "b"]


def test_groups_are_changed_undone_and_travel_with_the_journal(store: Store, tmp_path: Path) -> None:
    imported(store, records(*SITES))
    before = groups.group_sizes(store)
    assert groups.set_groups(store, {1: "north", 3: "north"}, annotator="ann") == 2
    assert groups.group_sizes(store)["north"] == 2
    assert groups.set_groups(store, {1: "north"}, annotator="ann") == 0
    groups.set_groups(store, {1: "south"}, annotator="ann")
    journal.undo(store, annotator="ann")
    assert next(clip.group for clip in clips.all_clips(store)) == "north"
    # An import has no say in what a person named; what it joins is joined behind it.
    imported(store, records("siteA-01.wav", group="survey"))
    assert groups.group_sizes(store)["north"] == 2
    text = b"".join(export_lines(store))
    (tmp_path / "copy").mkdir()
    with Store.create(tmp_path / "copy" / "labels.db") as copy:
        assert import_journal(copy, io.BytesIO(text), "x").skipped == []
        assert groups.group_sizes(copy) == groups.group_sizes(store)
        assert groups.own_columns(copy) == groups.own_columns(store) != {}
        assert b"".join(export_lines(copy)) == text
        again = dump(copy)
        import_journal(copy, io.BytesIO(text), "x")
        assert dump(copy) == again
        journal.undo(copy, annotator="ann")
        assert groups.group_sizes(copy) == before
    row = journal.undo(store, annotator="ann")
    assert row is not None and row.to_json()["group_name"] == "north" and row.recording == "/field/siteB-01.wav"
    assert groups.group_sizes(store) == before
    journal.redo(store, annotator="ann")
    assert groups.group_sizes(store)["north"] == 2


def test_a_model_has_seen_a_recording_under_every_name_of_its_group(store: Store, tmp_path: Path) -> None:
    imported(store, records(*SITES))
    siteA, siteB = (clip.group for clip in clips.all_clips(store)[::2])
    groups.set_groups(store, {1: "north"}, annotator="ann")
    (tmp_path / "seen.csv").write_text(f"group,part\n{siteA},train\nnorth,inherited\nsouth,pool\n{siteB},validation\n")

    def files() -> ModelFiles:
        return ModelFiles(tmp_path, cast(ModelCard, None), cast(Frontend, None), groups.groups_now(store))

    assert files().groups_trained_on() == {siteA, "north"} and files().groups_in_pools() == {"south"}
    groups.set_groups(store, {2: "east", 3: "north"}, annotator="ann")
    imported(store, records("siteB-02.wav", group="survey"))
    groups.set_groups(store, {1: "west"}, annotator="ann")
    now = [clip.group for clip in clips.all_clips(store)]
    assert now == ["west", "east", "north", siteB]
    assert set(now[:3]) <= files().groups_trained_on()
    # What it was trained on validates nothing any more.
    assert files().groups_validated_on() == {siteB}


def test_the_command_line_groups_filters_lists_and_undoes(project: Project, write_tone: Callable[..., Path]) -> None:
    def run(*arguments: str, code: int = 0) -> Result:
        result = CliRunner().invoke(cli, ["--project", str(project.directory), *arguments])
        assert result.exit_code == code, result.output
        return result

    sounds = [str(write_tone(name, seconds=0.2)) for name in SITES]
    folder = str(Path(sounds[0]).parent)
    assert "guessed" in run("import", "audio", *sounds).stderr
    assert (
        json.loads(run("import", "audio", folder, "--group-by", "{site}-{visit}", "--json").stdout)["recordings"] == 0
    )
    assert run("clips", "--where", "visit=01", "--json").stdout.count("wav") == 2
    run("clips", "--where", "visit", code=2)
    assert "2 recordings" in run("group", "siteA-01.wav", "siteB-01.wav", "--as", "first").stderr
    assert "2\t'first'" in run("group").stdout
    assert json.loads(run("group", "--by", "column:site", "--json").stdout)["changed"] == 4
    assert run("group", "no.wav", "--as", "x", "--json", code=1).stdout.count("no.wav") == 1
    assert "as 'site=siteB'" in run("log", "--limit", "1").stdout
    assert "undone 4 rows" in run("undo").stderr
    assert "2\t'first'" in run("group").stdout
    for rule in ("column:nope", "{nope}/{x}_{y}"):
        assert "gives no recording a group" in str(run("group", "--by", rule, code=1).exception)
    for wrong in (["group", "x.wav"], ["group", "--as", "x"], ["group", "--as", "x", "--by", "folder"]):
        run(*wrong, code=2)
    assert "note: 'Dog'" in [run("mark", "1", label) for label in ("dog", "Dog")][1].stderr
