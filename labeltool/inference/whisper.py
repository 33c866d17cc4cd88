"""Transcribe speech with Whisper, as CTranslate2 and faster-whisper run it: samples in, segments of text out.

A model is a folder that the user brings: weights and tables, no code. Nothing is ever downloaded here.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labeltool.audio import files
from labeltool.errors import LabeltoolError
from labeltool.parallel.worker_process import is_worker
from labeltool.records import Segment, Word
from labeltool.type_aliases import Float32

if TYPE_CHECKING:
    import faster_whisper.transcribe
    from faster_whisper import WhisperModel

RATE_HZ = 16_000
"""Sample rate of Whisper's input."""

UNDETERMINED = "und"
"""ISO 639's code for an undetermined language: there is no speech."""

HOW_TO_GET_A_MODEL = (
    "where there is a connection, `hf download Systran/faster-distil-whisper-large-v3 --local-dir DIR` brings one for "
    "English, Systran/faster-whisper-small one for 99 languages; then --model DIR"
)
"""Remedy in errors."""

_JOINERS = "\u200c\u200d"  # Persian and Indic words are written with them

_WEIGHTS = "model.bin"
# The tokenizer too: without it faster-whisper would fetch one from the network.
_REQUIRED_FILES = (_WEIGHTS, "config.json", "tokenizer.json")


@dataclass(frozen=True, slots=True)
class DecodingOptions:
    """How a model transcribes.

    Attributes
    ----------
    language
        Spoken language, as a code such as `en`; None lets the model detect it.
    words
        Whether the times of single words are wanted too.
    vad
        Whether a voice activity detector first removes what is not speech: on noise alone a speech model invents words.
    """

    language: str | None = None
    words: bool = False
    vad: bool = True

    def to_json(self) -> str:
        """Return the options as the store keeps them: equal options, equal text."""
        return json.dumps({"language": self.language, "voices_only": self.vad, "words": self.words})


@dataclass(frozen=True, slots=True)
class Transcription:
    """What a model transcribed, seconds from the first sample.

    Attributes
    ----------
    language
        `UNDETERMINED` where there is no speech and no language was given.
    language_probability
        None where the language was not detected.
    """

    language: str
    language_probability: float | None
    segments: tuple[Segment, ...]


class SpeechModelError(LabeltoolError):
    """The model itself cannot be used, so that no clip can be transcribed."""


class SpeechModel:
    """A speech model's folder. The network is loaded when it first transcribes.

    Parameters
    ----------
    folder
        As CTranslate2's converter or `hf download` leaves it.

    Raises
    ------
    SpeechModelError
        When there is no such model.
    """

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise SpeechModelError("is no folder with a speech model", file=folder, remedy=HOW_TO_GET_A_MODEL)
        missing = [name for name in _REQUIRED_FILES if not (folder / name).is_file()]
        if missing:
            raise SpeechModelError(f"is no speech model: it lacks {missing[0]}", file=folder, remedy=HOW_TO_GET_A_MODEL)
        self._folder = folder
        self._network: WhisperModel | None = None
        self.name = folder.resolve().name

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of its weights, which may have gigabytes."""
        return files.content_hash(self._folder / _WEIGHTS)

    def __reduce__(self) -> tuple[Any, ...]:
        return _of_folder, (self._folder, self.sha256)

    def transcribe(self, samples: Float32, options: DecodingOptions) -> Transcription:
        """Transcribe a stretch of sound; equal samples and options give equal text.

        Parameters
        ----------
        samples : (n,) float32, full scale 1.0, at `RATE_HZ`

        Raises
        ------
        SpeechModelError
            When the model cannot be opened, fails, or does not support the language.
        """
        network = self._network = self._network or self._open()
        self._check_language(network, options.language)
        import ctranslate2

        ctranslate2.set_random_seed(0)  # where the most probable words do not pass Whisper's checks, it samples
        try:
            segments, info = network.transcribe(
                samples,
                language=options.language,
                word_timestamps=options.words,
                vad_filter=options.vad,
                # An error would be repeated for the rest of the sound.
                condition_on_previous_text=False,
            )
            transcribed = [segment for segment in _segments(segments) if segment.text]
        except Exception as error:  # a damaged or mismatched folder fails in many ways
            raise SpeechModelError(f"failed on a sound: {error}", file=self._folder) from error
        if options.language is not None:
            return Transcription(options.language, None, tuple(transcribed))
        if not transcribed:
            return Transcription(UNDETERMINED, None, ())
        return Transcription(info.language, round(float(info.language_probability), 4), tuple(transcribed))

    def _open(self) -> WhisperModel:
        os.environ["HF_HUB_OFFLINE"] = "1"  # faster-whisper would look for files on the hub
        try:
            from faster_whisper import WhisperModel
        except ImportError as error:
            raise _not_installed() from error
        try:
            network = WhisperModel(
                str(self._folder),
                device="cpu",
                compute_type="int8",  # on a processor the fastest, and a fourth of the memory
                cpu_threads=1 if is_worker() else os.cpu_count() or 1,
                local_files_only=True,
            )
        except Exception as error:  # as above
            raise SpeechModelError(
                f"cannot be opened as a speech model: {error}", file=self._folder, remedy=HOW_TO_GET_A_MODEL
            ) from error
        bands, expected = network.feature_extractor.mel_filters.shape[0], network.model.n_mels
        if bands != expected:
            raise SpeechModelError(
                f"needs {expected} mel bands, and no file in the folder gives that: it lacks preprocessor_config.json",
                file=self._folder,
                remedy=HOW_TO_GET_A_MODEL,
            )
        return network

    def _check_language(self, network: WhisperModel, language: str | None) -> None:
        if language is None:
            return
        if not network.model.is_multilingual:
            is_supported = language == "en"
        else:
            is_supported = network.hf_tokenizer.token_to_id(f"<|{language}|>") is not None
            is_supported = is_supported and language in network.supported_languages
        if not is_supported:
            remedy = "codes such as en, de, fr" if network.model.is_multilingual else "it supports English only: en"
            raise SpeechModelError(f"does not support the language {language!r}", file=self._folder, remedy=remedy)


def require_speech_model(folder: Path) -> None:
    """Raise a `SpeechModelError` where there is no speech model, or nothing to run it."""
    SpeechModel(folder)
    if find_spec("faster_whisper") is None:
        raise _not_installed()


def _not_installed() -> SpeechModelError:
    return SpeechModelError(
        "transcription needs faster-whisper, which is not installed", remedy='`pip install "labeltool[transcribe]"`'
    )


def _segments(segments: Iterable[faster_whisper.transcribe.Segment]) -> list[Segment]:
    return [
        Segment(
            float(segment.start),
            float(segment.end),
            one_line(segment.text),
            tuple(
                Word(float(word.start), float(word.end), one_line(word.word), round(float(word.probability), 4))
                for word in segment.words or ()
            ),
        )
        for segment in segments
    ]


def one_line(text: str) -> str:
    """Return text as it is stored: words separated by single spaces, without control characters of a terminal."""
    printable = "".join(letter if letter.isprintable() or letter in _JOINERS else " " for letter in text)
    return " ".join(printable.split())


@lru_cache(maxsize=1)
def _of_folder(folder: Path, sha256: str) -> SpeechModel:
    """Return a model that was sent to this process; its network is loaded once.

    Raises
    ------
    SpeechModelError
        When the folder has other weights here.
    """
    model = SpeechModel(folder)
    if model.sha256 != sha256:
        raise SpeechModelError("is another speech model on this machine", file=folder)
    return model
