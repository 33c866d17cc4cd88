"""What the page shows of a sound is what the commands compute."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from helpers.progress import quiet, silent
from helpers.tones import add_tones
from helpers.whisper import SENTENCES, write_whisper
from labeltool.errors import LabeltoolError
from labeltool.inference.classify import classify
from labeltool.inference.detect import detect
from labeltool.inference.detection_records import DetectOptions
from labeltool.project import Project
from labeltool.records import Value
from labeltool.similarity import compare, search
from labeltool.store import clips
from labeltool.web.try_sound import TriedSound, TryOptions, try_sound

Write = Callable[..., Path]


def tried(project: Project | None, file: Path, folder: Path, *, max_s: float = 60.0, **named: str) -> TriedSound:
    # The speech of these tests is a tone, which the voice detector would remove.
    options = TryOptions(named.get("model"), named.get("speech_model"), None, False, max_s, str(folder))
    return try_sound(project, report=silent, file=str(file), options=options)


def test_an_own_models_classes_and_events_are_those_of_the_commands(
    modelled: Project, write_tone: Write, tmp_path: Path
) -> None:
    sound = write_tone("new.wav", frequency_hz=700.0, seconds=4.0)
    found = tried(modelled, sound, tmp_path / "folder")
    (classified,) = classify(modelled, report=silent, files=[str(sound)], top=5).files
    assert (found.scores, found.predicted) == (classified.scores, classified.predicted)
    assert found.windows == tuple((one.start_s, one.end_s) for one in classified.windows)
    for number, window in enumerate(classified.windows):
        best = max(found.curves, key=lambda curve: curve.scores[number])
        assert best.scores[number] == window.score
    options = DetectOptions(cache=str(tmp_path / "cache"))
    detected = detect(modelled, report=silent, files=[str(sound)], options=options)
    assert found.events == detected.files[0].spans
    assert found.failed[0].startswith("similar clips: the project's clips were not compared yet")


def test_the_nearest_labelled_clips_are_those_of_the_index(project: Project, write_tone: Write, tmp_path: Path) -> None:
    present = Value.PRESENT
    add_tones(
        project,
        tmp_path / "sounds",
        *((["low"], {"low": present}), (["high"], {"high": present}), (["low"], {}), (["middle"], {"middle": present})),
    )
    compare.compare(project, report=quiet)
    with project.open_store() as store:
        all_clips = clips.all_clips(store)
        source = search.feature_source(project, store)
        near = search.similar_clips(project, store, source, all_clips[0], 10)
    assert near is not None
    from labeltool.audio.files import describe
    from labeltool.similarity.nearest_labelled import nearest_labelled

    before = sorted(path for path in project.cache.rglob("*") if path.is_file())
    found = nearest_labelled(project, describe(all_clips[0].path), 10, tmp_path / "folder")
    assert sorted(path for path in project.cache.rglob("*") if path.is_file()) == before
    assert found.by == "sound"
    labelled = {clip.id: distance for clip, distance in near.clips if clip.id != all_clips[2].id}
    assert [one.clip.id for one, _ in found.clips] == list(labelled)
    assert [distance for _, distance in found.clips] == pytest.approx(list(labelled.values()), abs=1e-3)
    assert found.clips[0][0].present == ("low",)


def test_speech_is_written_down_and_what_fails_is_reported_beside_the_rest(
    level_project: Project, tmp_path: Path, write_tone: Write
) -> None:
    sound = write_tone("speech.wav", seconds=2.0)
    model = write_whisper(tmp_path / "whisper", language="de")
    found = tried(level_project, sound, tmp_path, model="pretrained", speech_model=str(model))
    assert found.segments is not None
    assert [one.text for one in found.segments] == [text for _, text, _ in SENTENCES]
    assert found.language == "de"
    assert found.events is None  # it is not calibrated
    missing = tried(level_project, sound, tmp_path, model="pretrained", speech_model=str(tmp_path / "nothing"))
    assert missing.segments is None and missing.scores == found.scores
    assert any("is no folder with a speech model" in reason for reason in missing.failed)


def test_outside_a_project_a_models_file_classifies(level_project: Project, tmp_path: Path, write_tone: Write) -> None:
    sound = write_tone("tone.wav")
    file = next((level_project.models / "pretrained" / "pretrained").glob("*.tflite"))
    found = tried(None, sound, tmp_path, model=str(file))
    assert found.neighbours is None and found.events is None and found.segments is None
    assert found.failed == ()
    assert found.scores == tried(level_project, sound, tmp_path, model="pretrained").scores


def test_silence_has_no_scores_and_a_long_sound_is_refused(
    level_project: Project, tmp_path: Path, write_tone: Write
) -> None:
    import soundfile

    silence = tmp_path / "silence.wav"
    soundfile.write(silence, np.zeros(16_000, np.int16), 16_000)
    found = tried(level_project, silence, tmp_path, model="pretrained")
    assert (found.scores, found.windows, found.curves) == ((), (), ())
    with pytest.raises(LabeltoolError, match="lasts 2 s, longer than the 1 s"):
        tried(level_project, write_tone("long.wav", seconds=2.0), tmp_path, model="pretrained", max_s=1.0)
