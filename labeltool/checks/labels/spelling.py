"""Labels that may be one label, spelt in two ways."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Iterator, Sequence

from labeltool.checks.finding import Finding, Subject
from labeltool.store import clips

# A letter's difference in a shorter word is most often another word: "rain" and "train", "clap" and "clip".
_MIN_LETTERS = 6
# Plurals of shorter words are passed over: "a" and "as".
_MIN_SINGULAR = 3
_WORD = re.compile(r"[^\W\d_]+|\d+")
_CASE_CHANGE = re.compile(r"(?<=[^\W\d_A-Z])(?=[A-Z])")


def find_spelling_twins(subject: Subject) -> list[Finding]:
    """Find labels whose names differ only in case, separators, the order of words, plurals, or one letter.

    A letter's difference is a note: such names are often two labels.
    """
    counts = clips.counts(subject.store).labels
    found = []
    for first, second, is_sure in spelling_twins(list(counts)):
        other, kept = sorted((first, second), key=lambda name: counts[name])
        found.append(
            Finding(
                "spelling",
                f"{other!r} ({counts[other]} clips) may be {kept!r} ({counts[kept]})",
                f"`labeltool rename {shlex.quote(other)} {shlex.quote(kept)}` makes them one",
                labels=(other, kept),
                score=2.0 if is_sure else 1.0,
                severity="warning" if is_sure else "note",
            )
        )
    return found


def spelling_twins(names: Sequence[str]) -> Iterator[tuple[str, str, bool]]:
    """Yield pairs of names that may mean one label; whether but case, separators, plurals or order differ."""
    words_of = {name: _WORD.findall(_CASE_CHANGE.sub(" ", name).casefold()) for name in names}
    vocabulary = {word for words in words_of.values() for word in words}
    seen: dict[str, str] = {}
    for name, plurals in words_of.items():
        words = words_of[name] = [_singular(word, vocabulary) for word in plurals]
        keys = ["".join(words), " ".join(sorted(words))]
        twin = next((seen[key] for key in keys if key in seen), None)
        if twin is not None and words:
            yield twin, name, True
        seen.update(dict.fromkeys((key for key in keys if key not in seen), name))
    yield from _slips({name: words for name, words in words_of.items() if name in set(seen.values())})


def _slips(words_of: dict[str, list[str]]) -> Iterator[tuple[str, str, bool]]:
    """Yield pairs of names in which one word has a letter more, less, or another, or two that are exchanged."""
    seen: dict[tuple[str, ...], list[str]] = {}
    done: set[tuple[str, str]] = set()
    for name, words in words_of.items():
        for place, word in enumerate(words):
            if len(word) < _MIN_LETTERS or word.isdigit():
                continue
            # Two words a slip apart have a form in common when each may lose one letter.
            for shorter in {word, *(word[:at] + word[at + 1 :] for at in range(len(word)))}:
                key = (*words[:place], f"~{shorter}", *words[place + 1 :])
                for other in seen.get(key, ()):
                    if other != name and (other, name) not in done:
                        done.add((other, name))
                        yield other, name, False
                seen.setdefault(key, []).append(name)


def _singular(word: str, vocabulary: Collection[str]) -> str:
    """Return the word that a word is the plural of, where that is among the words of all labels."""
    candidates = (word.removesuffix("s"), word.removesuffix("es"), word.removesuffix("ies") + "y")
    return next((one for one in candidates if len(one) >= _MIN_SINGULAR and one != word and one in vocabulary), word)
