"""Somebody's speech model, from samples to what was said: Whisper, as CTranslate2 and faster-whisper run it.

A model is a folder that the user brings: weights and tables, no code. Nothing is ever downloaded here.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from labeltool.audio import files
from labeltool.errors import LabeltoolError
from labeltool.records import Segment, Word
from labeltool.type_aliases import Float32

if TYPE_CHECKING:
    from faster_whisper import WhisperModel

RATE_HZ = 16_000
"""What Whisper hears at."""

UNDETERMINED = "und"
"""ISO 639's code for a language nobody knows: nothing was said."""

HOW_TO_GET = (
    "where there is a connection, `hf download Systran/faster-distil-whisper-large-v3 --local-dir DIR` brings one for "
    "English, Systran/faster-whisper-small one for 99 languages; then --model DIR"
)
"""How a person comes by a model, for errors."""

_JOINERS = "\u200c\u200d"  # Persian and Indic words are written with them

_WEIGHTS = "model.bin"
# The tokenizer too: without it faster-whisper would ask the network for one.
_NEEDED = (_WEIGHTS, "config.json", "tokenizer.json")


@dataclass(frozen=True, slots=True)
class Asked:
    """How a model is asked.

    Attributes
    ----------
    language
        What is spoken, as a code such as `en`; None lets the model find out.
    words
        Whether the times of single words are wanted too.
    voices_only
        Whether a voice detector first takes out where nobody speaks: a speech model that hears only noise makes words
        up.
    """

    language: str | None = None
    words: bool = False
    voices_only: bool = True

    def to_json(self) -> str:
        """Return it as the store keeps it: equal text, equally asked."""
        return json.dumps({"language": self.language, "voices_only": self.voices_only, "words": self.words})


@dataclass(frozen=True, slots=True)
class Said:
    """What a model heard said, seconds from the first sample.

    `language` is `UNDETERMINED` where nothing was said and no language was told; its probability is None where it was
    not found out.
    """

    language: str
    language_probability: float | None
    segments: tuple[Segment, ...]


class SpeechModelError(LabeltoolError):
    """The model itself cannot be used: no clip will fare better."""


class SpeechModel:
    """A model's folder. Opening the network itself is put off until it is asked.

    Parameters
    ----------
    folder
        As CTranslate2's converter or `hf download` leaves it.

    Attributes
    ----------
    name, sha256
        What it goes by: its folder's name, and the SHA-256 of its weights.

    Raises
    ------
    SpeechModelError
        When there is no such model.
    """

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise SpeechModelError("is no folder with a speech model", file=folder, remedy=HOW_TO_GET)
        missing = [name for name in _NEEDED if not (folder / name).is_file()]
        if missing:
            raise SpeechModelError(f"is no speech model: it lacks {missing[0]}", file=folder, remedy=HOW_TO_GET)
        self._folder = folder
        self._network: WhisperModel | None = None
        self.name = folder.resolve().name
        self.sha256 = files.content_hash(folder / _WEIGHTS)

    def transcribe(self, samples: Float32, asked: Asked) -> Said:
        """Write down what is said in a stretch of sound; equal samples, equally asked, give equal words.

        Parameters
        ----------
        samples : (n,) float32, full scale 1.0, at `RATE_HZ`

        Raises
        ------
        SpeechModelError
            When the model cannot be opened, fails, or does not know the language.
        """
        network = self._network = self._network or self._open()
        self._check_language(network, asked.language)
        import ctranslate2

        ctranslate2.set_random_seed(0)  # where the likeliest words will not do, Whisper draws
        try:
            segments, info = network.transcribe(
                samples,
                language=asked.language,
                word_timestamps=asked.words,
                vad_filter=asked.voices_only,
                # What was misheard once would be repeated for the rest of the sound.
                condition_on_previous_text=False,
            )
            told = [
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
        except Exception as error:  # a folder of strangers' tables: what fits together badly fails in its own way
            raise SpeechModelError(f"failed on a sound: {error}", file=self._folder) from error
        kept = tuple(segment for segment in told if segment.text)
        if asked.language is not None:
            return Said(asked.language, None, kept)
        if not kept:
            return Said(UNDETERMINED, None, ())
        return Said(info.language, round(float(info.language_probability), 4), kept)

    def _open(self) -> WhisperModel:
        os.environ["HF_HUB_OFFLINE"] = "1"  # faster-whisper knows the way to the hub
        try:
            from faster_whisper import WhisperModel
        except ImportError as error:
            raise SpeechModelError(
                "speech is heard by faster-whisper, which is not installed",
                remedy='`pip install "labeltool[transcribe]"`',
            ) from error
        try:
            network = WhisperModel(
                str(self._folder),
                device="cpu",
                compute_type="int8",  # on a processor the fastest, and a fourth of the memory
                cpu_threads=os.cpu_count() or 1,
                local_files_only=True,
            )
        except Exception as error:  # as above
            raise SpeechModelError(
                f"cannot be opened as a speech model: {error}", file=self._folder, remedy=HOW_TO_GET
            ) from error
        heard, wanted = network.feature_extractor.mel_filters.shape[0], network.model.n_mels
        if heard != wanted:
            raise SpeechModelError(
                f"hears {wanted} bands, and nothing in the folder says so: it lacks preprocessor_config.json",
                file=self._folder,
                remedy=HOW_TO_GET,
            )
        return network

    def _check_language(self, network: WhisperModel, language: str | None) -> None:
        if language is None:
            return
        if not network.model.is_multilingual:
            known = language == "en"
        else:
            known = network.hf_tokenizer.token_to_id(f"<|{language}|>") is not None
            known = known and language in network.supported_languages
        if not known:
            speaks = "codes such as en, de, fr" if network.model.is_multilingual else "it knows English alone: en"
            raise SpeechModelError(f"does not know the language {language!r}", file=self._folder, remedy=speaks)


def one_line(text: str) -> str:
    """Return text as it is kept: words parted by single spaces, nothing that steers a terminal."""
    printable = "".join(letter if letter.isprintable() or letter in _JOINERS else " " for letter in text)
    return " ".join(printable.split())
