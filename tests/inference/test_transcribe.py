"""Transcription by CTranslate2 and faster-whisper themselves, with a model whose output is known."""

from __future__ import annotations

import json
import pickle
import shutil
import socket
import sys
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from helpers.command_line import contents, labeltool
from helpers.exports import export
from helpers.progress import quiet
from helpers.records import rows_of
from helpers.whisper import SENTENCES, write_whisper
from labeltool import project as projects
from labeltool.errors import LabeltoolError
from labeltool.importers import audacity, audio_files
from labeltool.inference import transcribe as inference_transcribe
from labeltool.inference.transcribe import TranscribeOptions, TranscribeResult
from labeltool.inference.whisper import UNDETERMINED, DecodingOptions, SpeechModel, SpeechModelError, _of_folder
from labeltool.project import Project
from labeltool.records import Transcript
from labeltool.store import journal, transcripts
from labeltool.store.importing import import_records
from labeltool.type_aliases import Progress

RATE = 8_000
WORDS = [text for _, text, _ in SENTENCES]


@pytest.fixture(scope="session")
def whisper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An English model that transcribes every sound as the same two sentences."""
    return write_whisper(tmp_path_factory.mktemp("models") / "whisper")


@pytest.fixture
def talk(project: Project, tmp_path: Path) -> Project:
    """A project of a recording in four clips of a second: two of speech, one of a dog, one unlabelled."""
    noise = np.random.default_rng(1).normal(0, 0.1, 4 * RATE)
    soundfile.write(tmp_path / "talk.wav", noise, RATE)
    with project.open_store() as store:
        import_records(store, audio_files.read([tmp_path / "talk.wav"], 1.0, None), kind="audio", source="test")
        for clip_id, label in ((1, "Speech"), (2, "dog"), (3, "talking")):
            journal.annotate(store, clip_id, label, annotator="ann")
    return project


def transcribe(project: Project, model: Path | None, report: Progress = quiet, **options: Any) -> TranscribeResult:
    """Transcribe without voice activity detection, which would find no speech in noise."""
    return inference_transcribe.transcribe(
        project,
        report=report,
        model=None if model is None else str(model),
        options=TranscribeOptions(**{"vad": False, **options}),
    )


def made(project: Project) -> dict[int, Transcript]:
    with project.open_store() as store:
        return {one.clip.id: one.transcript for one in transcripts.search(store, "")[1]}


# -- transcripts


def test_speech_clips_get_a_transcript_in_the_recordings_time_and_nothing_else_changes(
    talk: Project, whisper: Path
) -> None:
    before = [line for line in contents(talk) if "transcript" not in line]
    result = transcribe(talk, whisper, language="en")
    assert (result.clips, result.transcribed, result.kept, result.silent) == (2, 2, 0, 0)
    assert result.audio_s == 2.0 and result.skipped == ()
    found = made(talk)
    assert set(found) == {1, 3}
    third = found[3]
    assert [(one.start_s, one.text, one.end_s) for one in third.segments] == [
        (2.0 + start_s, text, 2.0 + end_s) for start_s, text, end_s in SENTENCES
    ]
    assert (third.model, third.model_sha256) == ("whisper", result.model_sha256)
    assert (third.language, third.language_probability) == ("en", None)
    assert third.created_at.endswith("Z")
    assert [line for line in contents(talk) if "transcript" not in line] == before


def test_times_past_the_end_of_the_clip_are_brought_into_it(talk: Project, tmp_path: Path) -> None:
    model = write_whisper(tmp_path / "late", ((0.0, "one", 0.5), (0.98, "two", 29.0)))
    transcribe(talk, model, clips=("1",))
    assert [(one.start_s, one.end_s) for one in made(talk)[1].segments] == [(0.0, 0.5), (0.98, 1.0)]


def test_single_words_have_times_with_the_option(talk: Project, whisper: Path) -> None:
    transcribe(talk, whisper, clips=("3",), words=True)
    for segment in made(talk)[3].segments:
        assert " ".join(word.text for word in segment.words) == segment.text
        assert all(2.0 <= word.start_s <= word.end_s <= 3.0 for word in segment.words)


def test_a_model_of_several_languages_finds_out_which_is_spoken(talk: Project, tmp_path: Path) -> None:
    model = write_whisper(tmp_path / "polyglot", language="de")
    transcribe(talk, model, clips=("1",))
    assert made(talk)[1].language == "de" and (made(talk)[1].language_probability or 0) > 0.9
    with pytest.raises(SpeechModelError, match="does not support the language 'xx'"):
        transcribe(talk, model, clips=("2",), language="xx")


def test_a_worker_with_another_model_in_the_folder_refuses_it(whisper: Path, tmp_path: Path) -> None:
    shutil.copytree(whisper, tmp_path / "model")
    sent = pickle.dumps(SpeechModel(tmp_path / "model"))
    assert pickle.loads(sent).name == "model"
    sent = pickle.dumps(SpeechModel(tmp_path / "model"))
    with (tmp_path / "model" / "model.bin").open("ab") as file:
        file.write(b"more")
    _of_folder.cache_clear()  # as in another process
    with pytest.raises(SpeechModelError, match="is another speech model on this machine"):
        pickle.loads(sent)


def test_a_clip_without_speech_gets_an_empty_transcript_and_is_not_transcribed_again(
    talk: Project, whisper: Path
) -> None:
    result = transcribe(talk, whisper, vad=True)
    assert (result.transcribed, result.silent) == (2, 2)
    assert made(talk)[1].segments == () and made(talk)[1].language == UNDETERMINED
    assert transcribe(talk, whisper, vad=True).kept == 2


def test_long_clips_are_transcribed_in_stretches_cut_where_it_is_quiet(
    project: Project, tmp_path: Path, whisper: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inference_transcribe, "_STRETCH_S", 3.0)
    monkeypatch.setattr(inference_transcribe, "_CUT_WITHIN_S", 2.0)
    sound = np.random.default_rng(1).normal(0, 0.1, 7 * RATE)
    sound[round(2.0 * RATE) : round(2.2 * RATE)] *= 0.01
    soundfile.write(tmp_path / "long.wav", sound, RATE)
    with project.open_store() as store:
        import_records(store, audio_files.read([tmp_path / "long.wav"], None, None), kind="audio", source="test")
    transcribe(project, whisper, every_clip=True)
    begins = [one.start_s for one in made(project)[1].segments[::2]]
    assert begins[:2] == [0.0, pytest.approx(2.1, abs=0.05)]
    assert all(0.9 <= later - before <= 3.0 for before, later in pairwise(begins))
    assert 7.0 - begins[-1] <= 3.0


# -- what is kept, and what is transcribed again


def test_a_transcript_is_kept_and_overwritten_only_with_another_model_or_other_options(
    talk: Project, whisper: Path, tmp_path: Path
) -> None:
    other = write_whisper(tmp_path / "other", ((0.0, "something else", 0.5),))
    transcribe(talk, whisper)
    assert transcribe(talk, other, every_clip=True).kept == 2
    assert [made(talk)[clip_id].text for clip_id in (1, 2)] == [" ".join(WORDS), "something else"]
    assert transcribe(talk, other, overwrite=True).transcribed == 2
    assert {one.text for one in made(talk).values()} == {"something else"}
    assert transcribe(talk, other, overwrite=True).transcribed == 0
    assert transcribe(talk, other, overwrite=True, words=True).transcribed == 2
    # The same weights under another name are the same model.
    copy = shutil.copytree(other, tmp_path / "copy")
    assert transcribe(talk, copy, overwrite=True, words=True).transcribed == 0


def test_an_interrupted_run_goes_on_with_the_rest(talk: Project, whisper: Path) -> None:
    def interrupt(stage: str, done: int, total: int, text: str = "") -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        transcribe(talk, whisper, every_clip=True, report=interrupt)
    first = {clip_id: one.created_at for clip_id, one in made(talk).items()}
    assert set(first) == {1, 2}
    result = transcribe(talk, whisper, every_clip=True)
    assert (result.transcribed, result.kept) == (2, 2)
    assert first.items() <= {clip_id: one.created_at for clip_id, one in made(talk).items()}.items()


def test_an_unreadable_file_is_reported_and_the_others_are_transcribed(
    talk: Project, whisper: Path, write_tone: Callable[..., Path], tmp_path: Path
) -> None:
    with talk.open_store() as store:
        import_records(store, audio_files.read([write_tone("gone.wav")], None, None), kind="audio", source="test")
    (tmp_path / "gone.wav").unlink()
    result = transcribe(talk, whisper, every_clip=True)
    assert result.transcribed == 4
    assert [one.file for one in result.skipped] == [str(tmp_path / "gone.wav")]
    with pytest.raises(LabeltoolError, match=r"gone\.wav"):
        transcribe(talk, whisper, clips=("5",))


def test_clips_are_named_by_id_or_by_their_file(talk: Project, whisper: Path) -> None:
    assert transcribe(talk, whisper, clips=("2", "talk.wav")).clips == 4
    with pytest.raises(LabeltoolError, match="no clip 99"):
        transcribe(talk, whisper, clips=("99",))


def test_the_settings_name_the_labels_of_speech_and_options_override_them(talk: Project, whisper: Path) -> None:
    settings = talk.directory / "labeltool.toml"
    settings.write_text(f'[speech]\nlabels = ["DOG"]\nmodel = {json.dumps(str(whisper))}\nlanguage = "en"\n')
    configured = projects.load(talk.directory)
    transcribe(configured, None)
    assert set(made(talk)) == {2}
    assert '"language": "en"' in made(talk)[2].options
    transcribe(configured, None, labels=("speech",))
    assert set(made(talk)) == {1, 2}
    with pytest.raises(LabeltoolError, match=r"no clip is labelled or suggested as speech.*as one of: owl"):
        transcribe(configured, None, labels=("owl",))
    for wrong in ('labels = "speech"', "labels = [1]", "model = 3", "language = false"):
        settings.write_text(f"[speech]\n{wrong}\n")
        with pytest.raises(LabeltoolError, match=r"labeltool\.toml: \[speech\]"):
            projects.load(talk.directory)


# -- unusable models


@pytest.fixture
def unplugged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no connection be opened."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.mark.usefixtures("unplugged")
@pytest.mark.parametrize("missing", ["model.bin", "config.json", "tokenizer.json", "everything"])
def test_without_a_model_one_line_names_the_remedy(talk: Project, whisper: Path, tmp_path: Path, missing: str) -> None:
    folder = tmp_path / "model"
    if missing != "everything":
        (shutil.copytree(whisper, folder) / missing).unlink()
    with pytest.raises(LabeltoolError, match=r"hf download Systran/\S+ --local-dir DIR") as failure:
        transcribe(talk, folder)
    assert len(str(failure.value).splitlines()) == 1 and str(folder) in str(failure.value)
    assert missing in ("everything", *str(failure.value).split())
    with pytest.raises(LabeltoolError, match=r"no speech model is named.*hf download"):
        transcribe(talk, None)
    assert made(talk) == {}


@pytest.mark.usefixtures("unplugged")
def test_a_broken_model_ends_in_one_line(talk: Project, whisper: Path, tmp_path: Path) -> None:
    def damage(name: str, content: bytes) -> Path:
        folder = shutil.copytree(whisper, tmp_path / f"broken-{name}-{len(content)}")
        (folder / name).write_bytes(content)
        return folder

    weights = (whisper / "model.bin").read_bytes()
    broken = [
        damage("model.bin", weights[:10_000]),
        damage("model.bin", b"not at all"),
        damage("config.json", b"{"),
        damage("tokenizer.json", b'{"version": "1.0"}'),
        damage("vocabulary.json", b'["a"]'),
        write_whisper(tmp_path / "mels", mels=128),
    ]
    for folder in broken:
        with pytest.raises(SpeechModelError) as failure:
            transcribe(talk, folder)
        assert str(folder) in str(failure.value) and len(str(failure.value).splitlines()) == 1
    assert made(talk) == {}


def test_where_faster_whisper_is_not_installed_the_extra_is_named(
    talk: Project, whisper: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "faster_whisper", None)
    with pytest.raises(LabeltoolError, match=r'pip install "labeltool\[transcribe\]"'):
        transcribe(talk, whisper)


@pytest.mark.usefixtures("unplugged")
def test_equal_sounds_give_equal_text_and_no_sound_is_too_short(whisper: Path) -> None:
    model = SpeechModel(whisper)
    without_vad = DecodingOptions(vad=False)
    noise = np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32)
    assert model.transcribe(noise, without_vad) == model.transcribe(noise, without_vad)
    for count in (0, 1, 100):
        for options in (without_vad, DecodingOptions()):
            assert model.transcribe(noise[:count], options).segments == ()


# -- the command line


def test_from_the_command_line_to_the_search_and_the_label_tracks(talk: Project, whisper: Path) -> None:
    run = partial(labeltool, talk)
    done = run("transcribe", "--model", whisper, "--no-vad", "--json")
    result = json.loads(done.stdout)
    assert (result["transcribed"], result["heard_s"], result["left_out"]) == (2, 2.0, [])
    counts = ["clips", "transcribed", "kept", "silent"]
    assert list(result) == ["model", "model_sha256", *counts, "heard_s", "seconds", "left_out"]
    found = json.loads(run("transcripts", "HURT", "fire", "--json").stdout)
    assert found["matching"] == 2
    first = found["transcripts"][0]
    assert (first["clip"], first["text"]) == (1, " ".join(WORDS))
    assert run("transcripts", '"was hurt"').stdout.splitlines()[1].endswith("2.5 s  … nobody was hurt")
    nothing = run("transcripts", "harbour")
    assert nothing.stdout == "" and nothing.stderr == "no transcript contains that\n"
    assert run("clips", "--transcript", "brigade", "--json").stdout.count('"clip":') == 2
    wrong = run("transcribe", "1", "--all", check=2)
    assert "name clips, or give --all" in wrong.stderr


def test_transcripts_are_exported_as_label_tracks_that_read_back(talk: Project, whisper: Path) -> None:
    with pytest.raises(LabeltoolError, match="transcripts: no transcript contains text yet"):
        export(talk, "transcripts")
    transcribe(talk, whisper, vad=True)
    with pytest.raises(LabeltoolError, match="no transcript contains text yet"):
        export(talk, "transcripts")
    transcribe(talk, whisper, overwrite=True)
    folder = Path(export(talk, "transcripts").written[0])
    assert (folder / "talk.txt").read_text() == "".join(
        f"{begin + start_s:.6f}\t{begin + end_s:.6f}\t{text}\n"
        for begin in (0, 2)
        for start_s, text, end_s in SENTENCES
    )
    assert not (folder / "words").exists()
    transcribe(talk, whisper, overwrite=True, words=True)
    folder = Path(export(talk, "transcripts").written[0])
    rows = rows_of(audacity.parse(folder / "words" / "talk.txt"))
    assert {row.label for row in rows} <= set(" ".join(WORDS).split()) and rows
