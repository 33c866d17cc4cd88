"""Projects of several people become one: in any order, any number of times, through others, the same truth."""

from __future__ import annotations

import hashlib
import io
import random
import shutil
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.command_line import labeltool_here, labeltool_json
from helpers.journal_rows import act, fill_with_everything, recording_records
from helpers.store import current, dump
from labeltool.project import Project
from labeltool.records import Clip, Imported, Recording, Value, Verdict
from labeltool.store import Store, clips, journal, labels, models, progress
from labeltool.store.importing import import_records
from labeltool.store.importing.undo import undo_last_import
from labeltool.store.label_acts import changes
from labeltool.store.text_journal.lines import export_lines
from labeltool.store.text_journal.reading import import_journal


def exported(store: Store) -> bytes:
    return b"".join(export_lines(store))


def add(store: Store, text: bytes) -> None:
    result = import_journal(store, io.BytesIO(text), "labels.jsonl")
    assert result.skipped == []


_CLIP = "SELECT r.sha256 || ' ' || c.start_s || ' ' || c.end_s FROM clips c JOIN recordings r ON r.id = c.recording_id"
_TRUTH = (
    f"SELECT ({_CLIP} WHERE c.id = clip_id), label, value, journal_id FROM current_annotations",
    f"SELECT ({_CLIP} WHERE c.id = clip_id), journal_id FROM checked_parts",
    "SELECT sha256, group_name, is_removed, is_locked FROM recordings",
    f"SELECT ({_CLIP} WHERE c.id = o.id), is_labelled, is_region, is_removed, fold FROM clips o "
    "WHERE NOT is_region OR EXISTS (SELECT 1 FROM journal j WHERE j.clip_id = o.id)",
)


def truth(store: Store) -> list[Any]:
    """Return what counts, by content: annotations, checked parts, groups, clips, and the labels with their keys."""
    tables = [sorted(map(tuple, store.connection.execute(statement)), key=repr) for statement in _TRUTH]
    return [*tables, labels.project_labels(store)]


def sounds(*names: str, label: str | None = None) -> list[Imported]:
    """Return a recording with one clip for each name."""
    records: list[Imported] = []
    for name in names:
        sound = Recording(f"{name}.wav", hashlib.sha256(name.encode()).hexdigest(), 100, 1, 100, name)
        clip = Clip(sound.sha256, 0.0, 1.0)
        records += [sound, clip if label is None else Verdict(clip, label, Value.PRESENT)]
    return records


def all_ways(new_store: Callable[[], Store], texts: Sequence[bytes]) -> None:
    """Merge journals in every order, some twice, and through a third project; all have to become the same."""
    first: tuple[bytes, list[Any]] | None = None
    for order in permutations(range(len(texts))):
        with new_store() as store:
            for number in (*order, order[0]):
                add(store, texts[number])
            found = exported(store), truth(store)
            first = first or found
            assert found == first
            before = dump(store)
            add(store, found[0])
            assert dump(store) == before  # its own journal adds nothing
    with new_store() as left, new_store() as right, new_store() as together:
        for number, text in enumerate(texts):
            add(left if number % 2 else right, text)
        for part in (left, right):
            add(together, exported(part))
        assert (exported(together), truth(together)) == first


@settings(derandomize=True, deadline=None, max_examples=8)
@given(st.data())
def test_journals_merge_in_any_order_to_the_same_truth(new_store: Callable[[], Store], data: st.DataObject) -> None:
    """From nothing in common, or from a common beginning, people go on by themselves."""
    seeds = data.draw(st.lists(st.integers(0, 10**6), min_size=2, max_size=3, unique=True))
    shared = data.draw(st.sampled_from(["nothing", "the files that were imported", "a whole project"]))
    texts = []
    with new_store() as common:
        if shared == "a whole project":
            fill_with_everything(common, 40, seed=seeds[0])
        for seed in seeds:
            with new_store() as store:
                rng = random.Random(seed)
                if shared == "a whole project":
                    add(store, exported(common))
                elif shared == "nothing":
                    fill_with_everything(store, 30, seed=seed)
                else:
                    records = [one for number in range(2) for one in recording_records(number, random.Random(number))]
                    import_records(store, records, kind="audacity", source=f"labels {seed}.txt")
                for _ in range(data.draw(st.integers(0, 40))):
                    act(store, rng)
                texts.append(exported(store))
    all_ways(new_store, texts)


def test_the_earlier_of_two_imports_of_a_file_counts_so_that_corrections_stay_later(
    new_store: Callable[[], Store],
) -> None:
    """Ann imports and corrects; Bob imports the same file later, and undoes a row of it."""
    with new_store() as ann, new_store() as bob:
        records = sounds("a", "b", label="dog")
        import_records(ann, records, kind="esc50", source="x")
        journal.annotate(ann, 1, "dog", Value.ABSENT, annotator="ann")
        import_records(bob, records, kind="esc50", source="x")
        with bob.transaction() as connection:
            (row_id,) = connection.execute("SELECT id FROM journal WHERE clip_id = 2").fetchone()
            journal.append(connection, kind="revoke", revokes=row_id, annotator="bob", origin="human")
        all_ways(new_store, [exported(ann), exported(bob)])
        add(bob, exported(ann))
        found = bob.connection.execute("SELECT clip_id, label, value FROM current_annotations").fetchall()
        assert [tuple(row) for row in found] == [(1, "dog", "absent")]
        assert bob.connection.execute("PRAGMA foreign_key_check").fetchall() == []
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            bob.connection.execute("UPDATE journal SET label = 'cat'")


def notes_of(store: Store, text: bytes) -> list[str]:
    return [note.reason for note in import_journal(store, io.BytesIO(text), "labels.jsonl").notes]


def undone(count: str, where: str, who: str) -> list[str]:
    return [
        f"{count} of this import that counted {where} no longer count: {who} undid it "
        "(importing it again brings them back)"
    ]


@pytest.mark.parametrize("is_later", [False, True], ids=["imported before the undo", "imported after the undo"])
def test_an_import_that_one_undid_is_undone_for_all_who_imported_it_until_it_is_imported_again(
    new_store: Callable[[], Store], is_later: bool
) -> None:
    """Ann imports and undoes; Bob imports the same file, labels and corrects: only what people labelled counts."""
    records = sounds("a", "b", label="dog")
    with new_store() as ann, new_store() as bob:
        import_records(ann, records, kind="table", source="ann.csv")
        if is_later:
            undo_last_import(ann, annotator="ann")
        import_records(bob, records, kind="table", source="bob.csv")
        journal.annotate(bob, 1, "dog", annotator="bob")
        journal.annotate(bob, 2, "cat", annotator="bob")
        if not is_later:
            undo_last_import(ann, annotator="ann")
        texts = exported(ann), exported(bob)
        all_ways(new_store, texts)
        # A note, on either side, and once.
        assert notes_of(bob, texts[0]) == undone("2 annotations", "here", "ann")
        assert notes_of(ann, texts[1]) == undone("2 annotations", "there", "ann")
        assert notes_of(bob, texts[0]) == notes_of(ann, exported(bob)) == notes_of(bob, exported(ann)) == []
        of_people = {(1, "dog"): "present", (2, "cat"): "present"}
        assert current(ann) == current(bob) == of_people
        # Either brings it back for both.
        import_records(bob, records, kind="table", source="bob.csv")
        assert current(bob) == {**of_people, (2, "dog"): "present"}
        assert notes_of(ann, exported(bob)) == [] and current(ann) == current(bob)
        all_ways(new_store, [*texts, exported(bob)])


def test_an_undo_of_an_import_that_both_had_is_known_to_who_goes_on_with_it(new_store: Callable[[], Store]) -> None:
    """Bob goes on with a copy of Ann's project, and deletes a label; she undoes the import meanwhile."""
    with new_store() as ann, new_store() as bob:
        import_records(ann, [*sounds("a", label="dog"), *sounds("b", label="owl")], kind="table", source="x.csv")
        add(bob, exported(ann))
        changes.delete(bob, "owl", annotator="bob")
        undo_last_import(ann, annotator="ann")
        texts = exported(ann), exported(bob)
        assert notes_of(bob, texts[0]) == undone("1 annotation", "here", "ann")
        assert notes_of(ann, texts[1]) == [] and current(ann) == current(bob) == {}
        all_ways(new_store, texts)


def test_one_sound_in_two_encodings_numbers_keys_and_names_become_the_same(new_store: Callable[[], Store]) -> None:
    with new_store() as ann, new_store() as bob:
        for store, letter, names in ((ann, "a", ("own", "dog", "cat")), (bob, "b", ("other", "cat", "owl", "dog"))):
            sha256 = hashlib.sha256(letter.encode()).hexdigest()
            sound = Recording("x.wav", sha256, 100, 1, 100, f"by {names[0]}", letter.upper(), samples_sha256="5" * 64)
            import_records(store, [*sounds(names[0]), sound, Clip(sha256, 0.0, 1.0)], kind="audio", source="x")
            for name in names:
                journal.annotate(store, 2, name, annotator=names[0])
        labels.set_key(bob, "owl", "Z")
        labels.rename(ann, "dog", "hound", annotator="own")
        labels.rename(bob, "dog", "wolf", annotator="other")
        texts = [exported(ann), exported(bob)]
        all_ways(new_store, texts)
        result = import_journal(ann, io.BytesIO(texts[1]), "bob.jsonl")
        assert [one.reason for one in result.notes] == ["licence is 'A' here and 'B' there: 'A' counts"]
        assert ann.connection.execute("SELECT COUNT(*) FROM recordings").fetchone()[0] == 3
        shown = {one.name: one.key for one in labels.project_labels(ann)}
        assert shown["owl"] == "Z" and len({*shown.values()}) == len(shown) and "dog" not in shown
        # A number that both have stays that of the own clip.
        assert ann.connection.execute("SELECT id, id_elsewhere FROM clips").fetchall()[-1][1] == 1


def test_models_trained_since_have_not_seen_the_rows_that_are_merged(new_store: Callable[[], Store]) -> None:
    with new_store() as ann, new_store() as bob:
        for store in (ann, bob):
            import_records(store, sounds("a", "b"), kind="audio", source="x")
        journal.annotate(bob, 2, "dog", annotator="bob")
        journal.annotate(ann, 1, "dog", annotator="ann")
        model = models.NewModel("miniresnet", "{}", labels_seen=1)
        models.add(ann, model, parent_id=None, journal_mark=journal.newest_id(ann), publish=lambda _: None)
        assert progress.count_labelled_since(ann, models.model(ann).journal_mark) == 0
        add(ann, exported(bob))
        assert progress.count_labelled_since(ann, models.model(ann).journal_mark) == 2


@pytest.fixture
def other(new_project: Callable[[Path], Project], tmp_path: Path) -> Project:
    """Another person's project, with sounds of its own."""
    made = new_project(tmp_path / "bob")
    (made.directory / "b.wav").write_bytes(b"RIFF")
    with made.open_store() as store:
        sound = hashlib.sha256(b"b").hexdigest()
        records = [Recording(str(made.directory / "b.wav"), sound, 100, 1, 100, "g"), Clip(sound, 0.0, 1.0)]
        import_records(store, records, kind="audio", source="x")
        journal.annotate(store, 1, "dog", annotator="bob")
    return made


def test_another_project_is_read_and_its_sounds_are_found_where_it_has_them(project: Project, other: Project) -> None:
    journalled = labeltool_json(project, "merge", other.directory)
    assert (journalled["rows"], journalled["recordings"], journalled["missing"]) == (1, 1, 0)
    assert "already there" in labeltool_here(project, "merge", other.directory).stderr
    with project.open_store() as store:
        assert current(store) == {(1, "dog"): "present"}
        assert Path(clips.clip(store, 1).path) == other.directory / "b.wav"
        journal.annotate(store, 1, "cat", annotator="ann")
    assert "1 clip that people label differently" in labeltool_here(project, "merge", other.directory).stderr
    # A backup and a journal are merged as well.
    copied = other.directory / "copy.db"
    labeltool_here(other, "backup", copied)
    text = other.directory / "bob.jsonl"
    labeltool_here(other, "journal", "export", "-o", text)
    for each in (copied, text):
        assert labeltool_json(project, "merge", each)["rows"] == 0


def test_what_was_committed_to_its_wal_is_merged_and_nothing_is_written_there(project: Project, other: Project) -> None:
    with other.open_store() as store:
        journal.annotate(store, 1, "cat", annotator="bob")
        # As a process that was killed leaves it.
        killed = project.directory.parent / "killed"
        shutil.copytree(other.directory, killed, ignore=shutil.ignore_patterns("*-shm"))
    assert (killed / "labels.db-wal").stat().st_size
    before = {path: path.read_bytes() for path in killed.rglob("*") if path.is_file()}
    assert labeltool_json(project, "merge", killed)["rows"] == 2
    assert {path: path.read_bytes() for path in killed.rglob("*") if path.is_file()} == before


def test_what_is_no_project_or_a_strangers_trap_is_refused_in_one_line(project: Project, other: Project) -> None:
    assert "is this project itself" in labeltool_here(project, "merge", project.directory, check=1).stderr
    assert "is no labeltool project" in labeltool_here(project, "merge", other.directory.parent, check=1).stderr
    assert "no such project" in labeltool_here(project, "merge", other.directory / "x", check=1).stderr
    copied = shutil.copy(other.database, other.directory / "elsewhere.db")
    with closing(sqlite3.connect(other.database)) as connection:
        connection.execute("CREATE TRIGGER trap AFTER INSERT ON journal BEGIN DELETE FROM clips; END")
    assert "could change what is stored" in labeltool_here(project, "merge", other.directory, check=1).stderr
    other.database.unlink()
    other.database.symlink_to(copied)
    assert "is a link" in labeltool_here(project, "merge", other.directory, check=1).stderr
