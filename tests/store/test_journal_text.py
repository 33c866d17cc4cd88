"""The journal as text means the same in another project, and what is odd or hostile in it is refused by its line."""

from __future__ import annotations

import hashlib
import io
import json
import random
import subprocess
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.command_line import labeltool_here, labeltool_json
from helpers.journal_rows import WHO, act, fill_with_everything, recording_records
from helpers.store import current, dump
from labeltool.annotation.review import label_issues
from labeltool.errors import LabeltoolError
from labeltool.project import Project
from labeltool.records import MAX_LABEL_CHARACTERS, Checked, Value, label_name
from labeltool.store import Store, checked, clips, groups, journal, labels, recordings, spans
from labeltool.store.importing import import_records
from labeltool.store.label_acts import changes, split_queue
from labeltool.store.spans import Region
from labeltool.store.text_journal.journal_import import JournalImport
from labeltool.store.text_journal.lines import MAX_LINE_BYTES, VERSION, RowLine, export_lines, read_lines
from labeltool.store.text_journal.reading import MAX_SKIPPED, import_journal


def exported(store: Store) -> bytes:
    return b"".join(export_lines(store))


def imported(store: Store, text: bytes) -> JournalImport:
    return import_journal(store, io.BytesIO(text), "labels.jsonl")


def of_both(text: bytes, more: bytes) -> bytes:
    return text + more.partition(b"\n")[2]


def shown(store: Store) -> list[Any]:
    """Return what `log`, `status` and `review` show, and what counts."""
    rows = list(journal.rows(store))
    return [
        rows,
        clips.counts(store),
        label_issues(store),
        current(store),
        spans.verdicts(store),
        clips.labelled(store),
        labels.project_labels(store),
        labels.parents(store.connection),
        groups.locked_recordings(store),
    ]


def undo_and_redo(store: Store) -> list[Any]:
    """Return what some undo and redo revert and repeat, without the ids and times of their new rows."""
    changes = (journal.undo, journal.undo, journal.redo, journal.undo, journal.redo, journal.redo)
    rows = [change(store, annotator=who) for who in WHO for change in changes]
    return [row and (row.kind, row.clip_id, row.label, row.value, row.batch_size, row.recording) for row in rows]


@pytest.mark.parametrize("seed", range(3))
def test_a_project_with_everything_is_the_same_after_export_and_import(
    new_store: Callable[[], Store], seed: int
) -> None:
    with new_store() as store, new_store() as copy:
        fill_with_everything(store, 300, seed=seed)
        text = exported(store)
        result = imported(copy, text)
        assert (result.skipped, result.rows) == (
            [],
            store.connection.execute("SELECT COUNT(*) FROM journal").fetchone()[0],
        )
        assert exported(copy) == text
        assert shown(copy) == shown(store)
        assert [part.clip.id for part in checked.checked_parts(copy)] == [
            part.clip.id for part in checked.checked_parts(store)
        ]
        before = dump(copy)
        again = imported(copy, text)
        assert (again.rows, again.recordings, again.clips, again.skipped) == (0, 0, 0, [])
        assert again.already_there["rows"] == result.rows and dump(copy) == before
        assert undo_and_redo(copy) == undo_and_redo(store)
        assert shown(copy)[1:] == shown(store)[1:]
        # What was imported is known by its content.
        records = recording_records(0, random.Random(seed))
        results = [import_records(one, records, kind="test", source="test").already_there for one in (copy, store)]
        assert results[0] == results[1]


WHO_ACTS, A_NAME = st.sampled_from(WHO[:2]), st.sampled_from(("dog", "cat", "owl"))
LABEL_ACTS = st.one_of(
    st.tuples(st.just("annotate"), WHO_ACTS, A_NAME, st.integers(1, 3), st.sampled_from(list(Value))),
    st.tuples(st.just("answer"), WHO_ACTS, A_NAME, st.integers(1, 3)),
    st.tuples(st.just("define"), WHO_ACTS, A_NAME, st.sampled_from((None, "", "a beast")), st.integers(0, 3)),
    st.tuples(st.just("parent"), WHO_ACTS, A_NAME, st.none() | A_NAME),
    st.tuples(st.just("split"), WHO_ACTS, A_NAME, st.permutations(("dog", "cat", "owl"))),
    st.tuples(st.just("rename"), WHO_ACTS, A_NAME, A_NAME),
    st.tuples(st.sampled_from(("retire", "delete", "undo", "redo")), WHO_ACTS, A_NAME),
    st.tuples(st.just("lock"), WHO_ACTS, A_NAME, st.just(1)),
)


def act_on_labels(store: Store, kind: str, who: str, label: str, *values: Any) -> None:
    if kind == "annotate":
        journal.annotate(store, values[0], label, values[1], annotator=who)
    elif kind == "answer":
        if (split := split_queue.find_split(store, label)) is not None:
            split_queue.label_again(store, split, {values[0]: split.names[0]}, annotator=who, response_ms=None)
    elif kind == "define":
        changes.define(store, label, values[0], [values[1]] if values[1] else [], annotator=who)
    elif kind == "parent":
        changes.set_parent(store, label, values[0], annotator=who)
    elif kind == "split":
        changes.split(store, label, values[0][:2], annotator=who)
    elif kind == "rename":
        labels.rename(store, label, values[0], annotator=who)
    elif kind == "lock":
        groups.lock_recordings(store, values, annotator=who)
    elif kind in ("undo", "redo"):
        getattr(journal, kind)(store, annotator=who)
    else:
        getattr(changes, kind)(store, label, annotator=who)


@settings(derandomize=True, deadline=None, max_examples=40)
@given(acts=st.lists(LABEL_ACTS, min_size=4, max_size=25), later=st.lists(LABEL_ACTS, max_size=5))
def test_whatever_is_done_to_labels_comes_back_with_undo_and_redo(
    acts: list[tuple[Any, ...]], later: list[tuple[Any, ...]], new_store: Callable[[], Store]
) -> None:
    with new_store() as store, new_store() as copy, new_store() as third:
        import_records(store, recording_records(0, random.Random(0)), kind="test", source="test")
        for one in acts:
            with suppress(LabeltoolError):
                act_on_labels(store, *one)
        text = exported(store)
        assert imported(copy, text).skipped == []
        assert exported(copy) == text and split_queue.splits(copy) == split_queue.splits(store)
        assert shown(copy) == shown(store)
        # It goes on there as here: the rows that follow do the same.
        for one in later:
            for each in (store, copy):
                with suppress(LabeltoolError):
                    act_on_labels(each, *one)
        assert undo_and_redo(copy) == undo_and_redo(store)
        assert shown(copy)[1:] == shown(store)[1:]
        assert [split.left for split in split_queue.splits(copy)] == [split.left for split in split_queue.splits(store)]
        imported(third, exported(copy))
        assert exported(third) == exported(copy)


TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
NUMBER = st.floats(allow_nan=False, allow_infinity=False)


@settings(derandomize=True, deadline=None, max_examples=40)
@given(
    label=TEXT.map(label_name).filter(bool),
    texts=st.tuples(TEXT, TEXT, TEXT).filter(lambda texts: texts[0].strip()),
    numbers=st.tuples(*[st.none() | NUMBER] * 4),
    span=st.tuples(st.floats(0, 59), st.floats(0, 1, exclude_min=True)).filter(lambda one: one[0] + one[1] > one[0]),
    whole=st.integers(0, 2**63 - 1),
)
def test_any_text_and_any_number_comes_back(
    label: str,
    texts: tuple[str, str, str],
    numbers: tuple[float | None, ...],
    span: tuple[float, float],
    whole: int,
    new_store: Callable[[], Store],
) -> None:
    with new_store() as store, new_store() as copy:
        import_records(store, recording_records(0, random.Random(0)), kind=texts[1], source=texts[2])
        with store.transaction() as connection:
            clip_id = connection.execute(
                "INSERT INTO clips (recording_id, start_s, end_s, fold, is_region) VALUES (1, ?, ?, ?, 1)",
                (span[0], span[0] + span[1], whole),
            ).lastrowid
            labels.ensure_label(connection, label)
            journal.append(
                connection, kind="verdict", clip_id=clip_id, label=label, value="present", annotator=texts[1],
                origin="suggestion", model_uid=texts[2], suggested_label=texts[0], track=texts[1], start_s=numbers[3],
                low_hz=numbers[0], high_hz=numbers[1], confidence=numbers[2], response_ms=whole,
            )  # fmt: skip
        journal.note(store, clip_id or 0, texts[0], annotator=label)
        text = exported(store)
        assert imported(copy, text).skipped == []
        assert exported(copy) == text
        columns = (
            "id, kind, label, value, note, annotator, origin, model_uid, suggested_label, track, start_s, low_hz, "
        )
        read = f"SELECT {columns} high_hz, confidence, response_ms, created_at FROM journal ORDER BY id"
        assert [tuple(row) for row in copy.connection.execute(read)] == [
            tuple(row) for row in store.connection.execute(read)
        ]


def test_journals_of_two_people_merge_as_a_set(new_store: Callable[[], Store]) -> None:
    """From a common beginning each goes on; both ways to merge give the same annotations."""
    with new_store() as store, new_store() as other, new_store() as third:
        fill_with_everything(store, 60)
        imported(other, exported(store))
        for one, seed in ((store, 1), (other, 2)):
            rng = random.Random(seed)
            for _ in range(40):
                act(one, rng)
        texts = exported(store), exported(other)
        for one, text in ((store, texts[1]), (other, texts[0]), (third, of_both(*texts))):
            assert imported(one, text).skipped == []
        rows = [[row.id for row in journal.rows(one)] for one in (store, other, third)]
        assert rows[0] == rows[1] == rows[2] and len(rows[0]) > 100
        annotations = [by_content(one) for one in (store, other, third)]
        assert annotations[0] == annotations[1] == annotations[2]
        assert [clips.counts(one) for one in (store, other)] == [clips.counts(third)] * 2


def by_content(store: Store) -> list[tuple[Any, ...]]:
    return sorted(
        (
            tuple(row)
            for row in store.connection.execute("SELECT path, start_s, end_s, label, value FROM labelled_clips")
        ),
        key=repr,
    )


def test_what_two_people_imported_from_one_file_is_there_once(store: Store, tmp_path: Path) -> None:
    records = [*recording_records(0, random.Random(1)), *recording_records(1, random.Random(3))]
    records.append(Checked(hashlib.sha256(b"1").hexdigest(), 0.0, 1.0))
    with Store.create(tmp_path / "b.db") as other:
        for one in (store, other):
            import_records(one, records, kind="audacity", source="labels.txt")
        recording = recordings.all_recordings(other)[1][0]
        revoked = checked.mark_unchecked(other, recording, annotator="bob")
        labelled, text = current(store), exported(other)
        count = len(list(journal.rows(store)))
        result = imported(store, text)
        assert (result.rows, result.already_there["rows"], result.skipped) == (revoked, count, [])
        assert current(store) == labelled
        # The row that revokes another's row revokes our own of the same content.
        assert checked.checked_parts(store, recording.id) == []
        before = dump(store)
        assert imported(store, text).rows == 0 and dump(store) == before


def test_a_known_recording_keeps_its_place_and_takes_what_it_lacks(store: Store, tmp_path: Path) -> None:
    sound, *_ = records = recording_records(0, random.Random(0))
    with Store.create(tmp_path / "b.db") as other:
        import_records(other, records, kind="test", source="test")
        text = exported(other)
    elsewhere = type(sound)(str(tmp_path / "here.wav"), sound.sha256, 16_000, 1, 16_000 * 60, "mine", "CC BY")
    import_records(store, [elsewhere], kind="audio", source="test")
    result = imported(store, text)
    assert (result.recordings, result.already_there["recordings"], result.missing) == (0, 1, 1)
    row = store.connection.execute("SELECT path, group_name, licence FROM recordings").fetchone()
    assert tuple(row) == ("here.wav" if tmp_path == store.directory else str(tmp_path / "here.wav"), "g0", "CC BY")
    assert [tuple(row) for row in store.connection.execute("SELECT * FROM group_aliases")] == [("mine", "g0")]
    assert clips.counts(store).clips == 6


ID = "01900000-0000-7000-8000-00000000000"
SHA = "ab" * 32
HEADER = {"type": "labeltool journal", "version": 1}
RECORDING = {
    **{"type": "recording", "sha256": SHA, "path": "a.wav", "sample_rate_hz": 8000, "channels": 1, "frames": 80000},
    **{"group": "g", "added_at": "2026-01-01T00:00:00.000Z"},
}
CLIP = {"type": "clip", "id": 1, "recording": SHA, "start_s": 0.0, "end_s": 10.0}
ROW = {
    **{"type": "row", "id": f"{ID}1", "kind": "verdict", "annotator": "ann", "origin": "human", "label": "dog"},
    **{"created_at": "2026-01-01T00:00:00.000Z", "recording": SHA, "clip": [0.0, 10.0], "value": "present"},
}
GOOD = {**ROW, "id": f"{ID}9", "label": "cat"}


def lines(*given: object) -> bytes:
    texts = (one if isinstance(one, bytes) else json.dumps(one).encode() for one in given)
    return b"".join(text + b"\n" for text in texts)


def without(row: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in names}


DAMAGED: list[object] = [
    *(b"{", b"[1]", b"null", b"\xff\xfe{}", b"[" * 100_000, b'{"a":' * 100_000, b"x" * (MAX_LINE_BYTES + 5)),
    *({**ROW, "type": "rows"}, {**ROW, "extra": 1}, without(ROW, "id"), without(ROW, "type")),
    *({**ROW, "id": bad} for bad in ("x", "", 5, None, f"{ID}G", f"{ID}1\n", "f" + f"{ID}1"[1:], "0" * 32)),
    *({**ROW, "kind": bad} for bad in ("revoke", "rename", "note", "remove", "skip", "erase", "split", "lock", None)),
    *({**without(ROW, "value", "label"), "kind": kind, "note": "x"} for kind in ("define", "split", "example")),
    {**without(ROW, "value", "label", "recording", "clip"), "kind": "parent", "new_label": "cat"},
    {**without(ROW, "value", "recording", "clip"), "kind": "example"},
    {**without(ROW, "value", "label", "recording", "clip"), "kind": "skip"},
    {**without(ROW, "value", "label"), "kind": "remove"},
    {**without(ROW, "value", "label", "recording", "clip"), "kind": "rename", "new_label": "cat"},
    *({**ROW, "confidence": bad} for bad in ("1", True, float("nan"), float("inf"), 10**400)),
    lines({**ROW, "confidence": 7}).replace(b"7}", b"1" * 100_000 + b"}"),
    *({**ROW, "response_ms": bad} for bad in (-1, 1.5, 2**63, 10**30)),
    *({**ROW, "created_at": bad} for bad in ("yesterday", "2026-13-01T00:00:00Z", "9" * 999, "2026-01-01T00:00:00Z\n")),
    *({**ROW, "label": bad} for bad in ("", " \u00a0", "\ud800", 5, "x" * (MAX_LABEL_CHARACTERS + 1))),
    *({**ROW, "clip": bad} for bad in ([0.0], [0.0, 1.0, 2.0], [5.0, 5.0], [5.0, 1.0], [-1.0, 1.0], [0.0, 1e300], 3)),
    *({**ROW, "recording": bad} for bad in (SHA.upper(), "cd" * 32, SHA + "\n", None)),
    {**ROW, "import": "ab" * 16},
    {**ROW, "revokes": f"{ID}0"},
    {**ROW, "redoes": f"{ID}0"},
    {**ROW, "batch_id": f"{ID}0"},
    {**ROW, "batch_id": f"{ID}2"},
    {**without(ROW, "value", "clip", "recording"), "kind": "revoke", "revokes": f"{ID}0"},
    {**GOOD, "label": "another"},
    *({**without(ROW, "value", "clip", "recording", "label"), "kind": "rename", "new_label": "cat", **bad} for bad in (
        {"label": "cat"}, {}, {"label": "dog", "new_label": " "},
    )),
    *({**RECORDING, "sha256": "cd" * 32, **bad} for bad in (
        {"frames": -1}, {"frames": 2**70}, {"sample_rate_hz": 0}, {"channels": 0},
        {"path": ""}, {"path": "\0"}, {"path": "/" + "x" * 300}, {"path": "x/" * 3000}, {"added_at": "now"},
    )),
    *({**CLIP, "start_s": 1.0, **bad} for bad in (
        {"end_s": 1.0}, {"start_s": -1.0}, {"end_s": 1e30}, {"id": 0}, {"id": 2**62}, {"fold": 1.5}, {"is_region": 1},
    )),
    {**CLIP, "recording": "cd" * 32},
    {"type": "label", "name": "", "created_at": ROW["created_at"]},
    {"type": "label", "name": "x", "created_at": ROW["created_at"], "retired_at": "2026-13-99T00:00:00Z"},
    {"type": "label", "name": "x", "created_at": ROW["created_at"], "retired_at": "٢٠٢٦-01-01T00:00:00Z"},
    {"type": "group", "alias": "x"},
    {"type": "import", "kind": "x"},
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(DAMAGED)))
def test_a_damaged_line_is_named_and_stops_no_other(store: Store, number: int) -> None:
    result = imported(store, lines(HEADER, RECORDING, CLIP, GOOD, DAMAGED[number], {**GOOD, "id": f"{ID}a"}))
    (skipped,) = result.skipped
    assert (skipped.file, skipped.line) == ("labels.jsonl", 5)
    assert 0 < len(skipped.reason) < 300
    assert (result.recordings, result.clips, result.rows) == (1, 1, 2)
    assert current(store) == {(1, "cat"): "present"}
    # The project works on.
    journal.annotate(store, 1, "owl", annotator="ann")
    assert journal.undo(store, annotator="ann") is not None
    assert store.connection.execute("PRAGMA foreign_key_check").fetchall() == []


def test_a_line_that_the_database_refuses_is_named_and_stops_no_other(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RowLine, "check", lambda _: None)
    refused = {**without(ROW, "value", "label"), "kind": "remove"}
    result = imported(store, lines(HEADER, RECORDING, CLIP, refused, GOOD))
    assert [(one.line, one.reason.startswith("the database refused: ")) for one in result.skipped] == [(4, True)]
    assert current(store) == {(1, "cat"): "present"}


def test_many_damaged_lines_are_counted(store: Store) -> None:
    result = imported(store, lines(HEADER, *[b"x"] * (MAX_SKIPPED + 7), RECORDING))
    assert (len(result.skipped), result.recordings) == (MAX_SKIPPED + 1, 1)
    assert result.skipped[-1].reason == "7 more lines"


def test_a_row_whose_clip_has_no_line_makes_a_region(store: Store) -> None:
    result = imported(store, lines(HEADER, RECORDING, b"damaged", ROW))
    assert (result.clips, result.rows, len(result.skipped)) == (1, 1, 1)
    assert clips.counts(store).unlabelled == 0 and current(store) == {(1, "dog"): "present"}
    imported(store, lines(HEADER, RECORDING, CLIP))
    journal.undo(store, annotator="ann")
    assert clips.counts(store).unlabelled == 1


def test_rows_of_another_order_line_ends_and_a_mark_at_the_beginning_are_read(store: Store) -> None:
    text = b"\xef\xbb\xbf" + lines(HEADER, b"", RECORDING, HEADER, CLIP, GOOD, ROW).replace(b"\n", b"\r\n").rstrip()
    assert imported(store, text).skipped == []
    assert current(store) == {(1, "dog"): "present", (1, "cat"): "present"}


@pytest.mark.parametrize(
    "text, reason",
    [
        (b"", "no journal"),
        (b"0.0\t1.0\tdog\n", "no journal"),
        (b"\0" * (MAX_LINE_BYTES + 10), "no journal"),
        (b"[" * 1_000_000, "no journal"),
        (lines(RECORDING), "no journal"),
        (lines({**HEADER, "version": "1"}), "no journal"),
        (lines({**HEADER, "version": VERSION + 1, "new": {}}), "newer labeltool"),
    ],
)
def test_another_file_is_refused_whole(store: Store, text: bytes, reason: str) -> None:
    before = dump(store)
    with pytest.raises(LabeltoolError, match=reason) as raised:
        imported(store, text)
    assert raised.value.file == "labels.jsonl" and dump(store) == before


def test_an_interrupted_import_leaves_nothing(store: Store) -> None:
    class Interrupted(io.BytesIO):
        def readline(self, size: int | None = -1, /) -> bytes:
            if not (line := super().readline(size)):
                raise KeyboardInterrupt
            return line

    before = dump(store)
    with pytest.raises(KeyboardInterrupt):
        import_journal(store, Interrupted(lines(HEADER, RECORDING, CLIP, ROW)), "x")
    assert dump(store) == before


@settings(derandomize=True, deadline=None, max_examples=60)
@given(data=st.data())
def test_a_journal_with_any_bytes_changed_is_read_or_refused(
    data: st.DataObject, new_store: Callable[[], Store]
) -> None:
    text = bytearray(lines(HEADER, RECORDING, CLIP, ROW, GOOD, {**without(ROW, "value"), "kind": "note", "note": "x"}))
    for _ in range(data.draw(st.integers(1, 8))):
        place = data.draw(st.integers(0, len(text) - 1))
        text[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
    with new_store() as store:
        before = dump(store)
        try:
            imported(store, bytes(text))
        except LabeltoolError:
            assert dump(store) == before
        assert store.connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        assert store.connection.execute("PRAGMA foreign_key_check").fetchall() == []


def test_lines_are_written_as_they_are_read(store: Store) -> None:
    """Nothing of the project is read whole, neither out nor in."""
    fill_with_everything(store, 100)
    reading = export_lines(store)
    first = [next(reading) for _ in range(3)]
    assert all(line.endswith(b"\n") and line.count(b"\n") == 1 for line in first)
    reading.close()
    assert not store.connection.in_transaction

    def endless() -> Iterable[bytes]:
        yield from (lines(HEADER), lines(RECORDING))
        while True:
            yield lines(CLIP)

    class Stream(io.RawIOBase):
        source = iter(endless())

        def readline(self, size: int | None = -1, /) -> bytes:
            return next(self.source)

    taken = zip(read_lines(Stream(), "x"), range(1000), strict=False)  # type: ignore[arg-type]
    assert sum(1 for _ in taken) == 1000


def test_the_commands(project: Project, store: Store, tmp_path: Path, write_tone: Callable[..., Path]) -> None:
    sounds = [write_tone(f"{hz}.wav", frequency_hz=hz, seconds=2.0) for hz in (300, 400)]
    labeltool_here(project, "import", "audio", *sounds, "--clip-seconds", "1")
    journal.annotate(store, 1, "dog", annotator="ann")
    journal.note(store, 3, "two\nlines", annotator="ann")
    spans.annotate_region(store, recordings.find_recording(store, "300.wav"), Region(0.25, 1.5), "owl", annotator="ann")
    labels.rename(store, "dog", "hound", annotator="ann")
    labeltool_here(project, "remove", "400.wav")
    file, copy = tmp_path / "labels.jsonl", tmp_path / "copy"
    (tmp_path / "link").symlink_to(tmp_path)
    labeltool_here(project, "journal", "export", "-o", tmp_path / "link" / file.name)
    text = file.read_text(encoding="utf-8")
    sounds[0].unlink()
    labeltool_here("init", copy)
    there = ("--project", copy)
    done = labeltool_json(*there, "journal", "import", file)
    assert {"recordings": 2, "clips": 5, "rows": 5, "verdicts": 2, "missing": 1, "skipped": []}.items() <= done.items()
    assert labeltool_here(*there, "journal", "export").stdout == text
    for command in ("log", "status"):
        assert labeltool_here(*there, command).stdout == labeltool_here(project, command).stdout
    file.write_text(text + "damaged\n")
    again = labeltool_here(*there, "journal", "import", file, check=1).stderr
    assert f"{file}:{text.count(chr(10)) + 1}: is no line of a journal" in again
    assert "nothing new imported" in again and "1 line skipped" in again and "relocate" in again
    piped = ["-m", "labeltool", *map(str, there), "journal", "import", "-"]
    assert subprocess.run([sys.executable, *piped], input=text.encode(), check=True, capture_output=True).stdout == b""
    for arguments in (("import", tmp_path / "none"), ("import", tmp_path), ("export", "-o", tmp_path)):
        assert labeltool_here(*there, "journal", *arguments, check=1).stderr.count("\n") == 1
