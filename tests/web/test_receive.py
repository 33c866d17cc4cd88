"""Sounds that are sent from the page become recordings, once, and are next in the queue."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile

from helpers.progress import silent
from labeltool.annotation import next_clips
from labeltool.audio import files
from labeltool.errors import LabeltoolError
from labeltool.project import Project
from labeltool.store import clips, journal, queue, recordings
from labeltool.web.receive import FOLDER, Received, receive

Write = Callable[..., Path]


def sent(project: Project, file: Path, name: str = "sound.wav") -> Received:
    return receive(project, report=silent, file=str(file), name=name, max_s=60.0)


def next_clip(project: Project) -> int:
    with project.open_store() as store:
        return next_clips.next_clips(store, 1, annotator="ann")[0].id


def test_a_sound_is_copied_under_its_hash_and_is_the_next_clip(project: Project, write_tone: Write) -> None:
    first, second = write_tone("a.wav"), write_tone("b.wav")
    one = sent(project, first, "über <b>all</b>.wav")
    assert (one.state, one.labels) == ("new", ())
    assert Path(one.file).parent == project.directory / FOLDER
    assert Path(one.file).read_bytes() == first.read_bytes()
    assert next_clip(project) == one.clip
    other = sent(project, second)
    assert next_clip(project) == other.clip != one.clip
    with project.open_store() as store:
        (value,) = store.connection.execute(
            "SELECT value FROM recording_columns WHERE name = 'sent_as' AND recording_id = ?",
            (clips.clip(store, one.clip).recording_id,),
        ).fetchone()
        assert value == "über <b>all</b>.wav"
        # The order is computed again, as after a training: what was sent stays first until it is labelled.
        queue.replace(store, [one.clip, other.clip])
        assert next_clips.next_clips(store, 1, annotator="ann")[0].id == other.clip
        journal.annotate(store, other.clip, "dog", annotator="ann")
        assert next_clips.next_clips(store, 1, annotator="ann")[0].id == one.clip


def test_the_same_sound_twice_is_one_recording(project: Project, write_tone: Write, tmp_path: Path) -> None:
    wav = write_tone("a.wav")
    one = sent(project, wav)
    again = sent(project, wav, "again.wav")
    flac = tmp_path / "a.flac"
    soundfile.write(flac, soundfile.read(wav, dtype="int16")[0], 16_000)
    as_flac = sent(project, flac)
    assert [again.state, as_flac.state] == ["known", "known"]
    assert again.clip == as_flac.clip == one.clip
    assert [path.name for path in (project.directory / FOLDER).iterdir()] == [Path(one.file).name]
    with project.open_store() as store:
        assert clips.counts(store).recordings == 1
        journal.annotate(store, one.clip, "dog", annotator="ann")
    labelled = sent(project, wav)
    assert (labelled.state, labelled.labels, labelled.clip) == ("labelled", ("dog",), one.clip)


def test_nothing_is_replaced_and_no_link_is_followed(project: Project, write_tone: Write, tmp_path: Path) -> None:
    wav = write_tone("a.wav")
    one = sent(project, wav)
    Path(one.file).write_bytes(b"something else")
    project.database.unlink()  # the project forgets it
    for companion in project.directory.glob("labels.db-*"):
        companion.unlink()
    from labeltool.store import Store

    Store.create(project.database).close()
    with pytest.raises(LabeltoolError, match="is another file than its name says"):
        sent(project, wav)
    assert Path(one.file).read_bytes() == b"something else"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (project.directory / FOLDER).rename(tmp_path / "before")
    (project.directory / FOLDER).symlink_to(elsewhere)
    with pytest.raises(LabeltoolError, match="link"):
        sent(project, wav)
    assert list(elsewhere.iterdir()) == []


def test_a_sound_whose_file_is_gone_is_kept_instead_of_it(project: Project, write_tone: Write, tmp_path: Path) -> None:
    wav = write_tone("a.wav")
    one = sent(project, wav)
    with project.open_store() as store:
        clip = clips.clip(store, one.clip)
        recordings.relocate(store, [(clip.sha256, str(tmp_path / "gone.wav"))])
    found = sent(project, wav)
    assert found == Received(one.clip, one.file, "known")
    # In another encoding too.
    Path(found.file).unlink()
    flac = tmp_path / "a.flac"
    soundfile.write(flac, soundfile.read(wav, dtype="int16")[0], 16_000)
    encoded = sent(project, flac)
    assert encoded.clip == one.clip and Path(encoded.file).read_bytes() == flac.read_bytes()
    assert Path(encoded.file).parent == project.directory / FOLDER
    files.require_content(encoded.file, clip.sha256, clip.samples_sha256)
    with project.open_store() as store:
        recordings.relocate(store, [(clip.sha256, "https://sounds.example/a.wav")])
    assert sent(project, wav).file == "https://sounds.example/a.wav"


def test_skipped_clips_and_bad_audio_are_states_of_their_own(project: Project, write_tone: Write) -> None:
    wav = write_tone("a.wav")
    one = sent(project, wav)
    with project.open_store() as store:
        journal.exclude(store, one.clip, "skip", annotator="ann")
    assert sent(project, wav).state == "skipped"
    with project.open_store() as store:
        assert next_clips.next_clips(store, 1, annotator="bob")[0].id == one.clip
        journal.exclude(store, one.clip, "bad audio", annotator="ann")
    assert sent(project, wav).state == "excluded"
    with project.open_store() as store:
        assert next_clips.next_clips(store, 1, annotator="ann") == []


def test_what_was_removed_stays_removed_and_what_is_too_long_is_refused_before_it_is_decoded(
    project: Project, write_tone: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    wav = write_tone("a.wav", seconds=2.0)
    with monkeypatch.context() as patched, pytest.raises(LabeltoolError, match="lasts 2 s"):
        patched.setattr(files, "decoded_properties", None)
        receive(project, report=silent, file=str(wav), name="", max_s=1.0)
    one = sent(project, wav)
    with project.open_store() as store:
        recordings.remove(store, [recordings.find_recording(store, one.file)], annotator="ann")
    Path(one.file).unlink()
    with pytest.raises(LabeltoolError, match="was removed"):
        sent(project, wav)
    assert not Path(one.file).exists()
