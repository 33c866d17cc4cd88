"""Class names compared with labels: word by word, by their stems, without a dictionary."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache

# Names written as one word here and as two there, or inflected otherwise: "chain saw", "air conditioner".
_MIN_SIMILARITY = 0.85
# Shorter names are not compared so: a cow is no crow.
_MIN_LETTERS = 6
# What follows one of these describes a thing, not which thing it is: "rain on surface" is rain.
_PREPOSITIONS = frozenset({"at", "by", "for", "from", "in", "of", "on", "to", "with"})
_FILLERS = frozenset({"a", "an", "and", "or", "the"})
_ENDINGS = ("ing", "ed", "es", "er", "s", "e")
_MIN_STEM = 3
# Comparing takes time with the square of the length: what a name has beyond these characters is not compared.
_MAX_COMPARED = 200


@dataclass(frozen=True, slots=True)
class _Name:
    """One name of a class.

    Attributes
    ----------
    words
        Stems of its words.
    head
        Stem of the thing that it is a kind of.
    joined
        All stems as one word.
    in_brackets
        Whether it is in brackets behind another name.
    """

    words: frozenset[str]
    head: str
    joined: str
    in_brackets: bool


def classes_by_name(classes: Sequence[str], label: str) -> tuple[int, ...]:
    """Return the indices of the classes that a label names.

    In this order: classes of the same words ("crying_baby", "Baby cry, infant cry") with those that are a kind
    of it ("rain", "Rain on surface"); classes whose words are among the label's ("clock_tick": "Clock", "Tick");
    classes with its words among others, or of nearly the same spelling. Only what the first of these finds is used.
    """
    wanted = _parse_name(label)
    if wanted is None:
        return ()
    names = [(index, name) for index, text in enumerate(classes) for name in _parse_class(text)]
    same = {index for index, name in names if name.words == wanted.words or name.joined == wanted.joined}
    kinds = {index for index, name in names if name.words >= wanted.words and name.head == wanted.head}
    parts = {index for index, name in names if name.words < wanted.words and not name.in_brackets}
    near = {index for index, name in names if name.words > wanted.words or _is_similar(name.joined, wanted.joined)}
    return tuple(sorted(same | kinds or parts or near))


def closest(name: str, classes: Sequence[str]) -> str:
    """Return the class whose name is most similar; empty where there are none."""
    return max(classes, key=lambda one: _similarity(one, name), default="")


def _parse_class(text: str) -> list[_Name]:
    """Return the names of a class: those between commas, and those in brackets, of which it is a kind."""
    text = text[:_MAX_COMPARED]
    outside = re.sub(r"\(.*?\)", " ", text)
    inside = re.findall(r"\((.*?)\)", text)
    names = [*map(_parse_name, outside.split(",")), *(_parse_name(name, in_brackets=True) for name in inside)]
    return [name for name in names if name is not None]


def _parse_name(text: str, *, in_brackets: bool = False) -> _Name | None:
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", unicodedata.normalize("NFKC", text[:_MAX_COMPARED]))
    words = [word for word in re.findall(r"[^\W_]+", spaced.casefold()) if word not in _FILLERS]
    end = next((place for place, word in enumerate(words) if place and word in _PREPOSITIONS), len(words))
    stems = [stem(word) for word in words if word not in _PREPOSITIONS]
    if not stems:
        return None
    return _Name(frozenset(stems), stem(words[end - 1]), "".join(stems), in_brackets)


@lru_cache(maxsize=4096)
def stem(word: str) -> str:
    """Remove endings: "crackling" and "crackle", "waves" and "wave", "babies" and "baby" become one."""
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _MIN_STEM and not word.endswith("ss"):
            word = word[: -len(ending)]
            break
    if len(word) > _MIN_STEM and word[-1] == word[-2]:
        word = word[:-1]
    word = word.removesuffix("e") if len(word) > _MIN_STEM else word
    return word[:-1] + "i" if word.endswith("y") else word


def _is_similar(one: str, other: str) -> bool:
    return min(len(one), len(other)) >= _MIN_LETTERS and _similarity(one, other) >= _MIN_SIMILARITY


def _similarity(one: str, other: str) -> float:
    first, second = one[:_MAX_COMPARED].casefold(), other[:_MAX_COMPARED].casefold()
    return SequenceMatcher(None, first, second, autojunk=False).ratio()
