"""The labels that a clip can get with one key: each keeps its key, whatever the model predicts for the clip."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from labeltool.annotation.listing import MIN_PROBABILITY
from labeltool.pretrained.class_names import stem
from labeltool.store.labels import LABEL_KEYS, ProjectLabel, by_current_names, colour_of_key

ENTER = "enter"
"""The key of the first suggestion."""

_MAX_WITHOUT_KEY = 3
# The ranks of names: each typed word starts a word of it; each does, or is another form of one; it has the letters
# together; it has them, but not together.
_STARTS, _FORMS, _TOGETHER, _SCATTERED = 3, 4, 5, 6
_NO_PROBABILITIES: Mapping[str, float] = {}
_NO_KEYS: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class LabelChoice:
    """A label that one key gives.

    Attributes
    ----------
    key
        Its key; "" where it has none.
    probability
        0 to 1, where a model predicts it.
    colour
        One of `labels.COLOURS`; "" where it has none.
    is_new
        Whether it becomes a label of the project when it is given.
    """

    label: str
    key: str = ""
    probability: float | None = None
    colour: str = ""
    is_new: bool = False
    definition: str = ""

    @property
    def is_suggested(self) -> bool:
        """Whether a model predicts it so that it can be accepted."""
        return self.probability is not None and self.probability >= MIN_PROBABILITY


def label_choices(
    labels: Sequence[ProjectLabel],
    suggested: Mapping[str, float],
    proposed: Mapping[str, float] = _NO_PROBABILITIES,
    *,
    keys: Collection[str] = LABEL_KEYS,
    kept: Mapping[str, str] = _NO_KEYS,
) -> tuple[LabelChoice, ...]:
    """Return the labels with a key in the order of `LABEL_KEYS`, then suggested ones without, then new ones.

    Parameters
    ----------
    labels
        Those of the project.
    suggested
        The model's probabilities, highest first. Of labels without a key only the first ones are returned.
    proposed
        Classes of a pretrained model that may be new labels, with their probabilities, highest first. They get the free
        keys in order: the first gets the one that the next new label will have.
    keys
        The keys that work; another action may be on one of them.
    kept
        The keys that new labels had before on this clip: no other one gets them, unless a label of the project has it
        by now.
    """
    # What was predicted before a renaming has the former names.
    renamed = {former: label.name for label in labels for former in label.former}
    suggested, proposed = by_current_names(suggested, renamed), by_current_names(proposed, renamed)
    known = {label.name: label for label in labels}
    # A class may have the name of a label that was undone: it is proposed again.
    suggested = {**{name: share for name, share in proposed.items() if name in known}, **suggested}
    with_key = sorted(
        (label for label in labels if label.key in set(keys)), key=lambda label: LABEL_KEYS.index(label.key)
    )
    choices = [
        LabelChoice(label.name, label.key, suggested.get(label.name), label.colour, definition=label.definition)
        for label in with_key
    ]
    shown = {label.name for label in with_key}
    for name in list(suggested)[:_MAX_WITHOUT_KEY]:
        if name in known and name not in shown:
            of_label = known[name]
            choices.append(LabelChoice(name, "", suggested[name], of_label.colour, definition=of_label.definition))
    given = {label.key for label in labels}
    free = iter([key for key in LABEL_KEYS if key in keys and key not in {*given, *kept.values()}])
    # A device, or a model of others, may predict labels that the project does not have.
    for name, probability in {**proposed, **suggested}.items():
        if name not in known:
            key = kept[name] if name in kept and kept[name] not in given else next(free, "")
            choices.append(LabelChoice(name, key, probability, colour_of_key(key), is_new=True))
    return tuple(choices)


def first_choice(choices: Sequence[LabelChoice]) -> LabelChoice | None:
    """Return the most probable label, which Enter accepts; None where a model suggests none."""
    suggested = [choice for choice in choices if choice.is_suggested]
    return max(suggested, key=lambda choice: choice.probability or 0.0, default=None)


def label_of_keys(choices: Sequence[LabelChoice]) -> dict[str, str]:
    """Return the label that each key gives, and `ENTER`."""
    first = first_choice(choices)
    return {one.key: one.label for one in choices if one.key} | ({ENTER: first.label} if first is not None else {})


def fitting(choices: Sequence[LabelChoice], count: int) -> tuple[LabelChoice, ...]:
    """Return as many labels as there is space for, in their order: the most probable ones are among them."""
    kept = set(by_probability(choices)[: max(0, count)])
    return tuple(choice for choice in choices if choice in kept)


def by_probability(choices: Sequence[LabelChoice]) -> list[LabelChoice]:
    """Return the suggested labels, the most probable first, then the others in their order."""
    return sorted(choices, key=lambda choice: -(choice.probability or 0.0) if choice.is_suggested else 1.0)


def by_usage(label_counts: Mapping[str, int]) -> list[str]:
    """Return labels most used first; equal counts keep their order."""
    return sorted(label_counts, key=lambda label: -label_counts[label])


def search(
    query: str, names: Sequence[str], synonyms: Mapping[str, Sequence[str]] | None = None, *, in_words: bool = False
) -> list[str]:
    """Return the names that match the typed letters, best first; all names for no letters.

    Case and accents do not matter. The order is: an equal name, one that starts with the letters, one with words that
    start with the typed words, in any order, one with other forms of them ("crying baby": "Baby cry, infant cry"), one
    that contains the letters together, one that contains them in that order; then the order of `names`.

    Parameters
    ----------
    synonyms
        Other words by which names are found.
    in_words
        Whether names that only contain the letters one after the other do not match.
    """
    letters = _folded(query.strip())
    if not letters:
        return list(names)
    others = synonyms or {}
    ranked = []
    for place, name in enumerate(names):
        ranks = [_rank(letters, _folded(word)) for word in (name, *others.get(name, ()))]
        rank = min((rank for rank in ranks if rank), default=_SCATTERED + 1)
        if rank < _SCATTERED + (not in_words):
            ranked.append((rank, place, name))
    return [name for _, _, name in sorted(ranked)]


def is_name(query: str, name: str) -> bool:
    """Return whether what is typed is a name, apart from case and accents."""
    return _folded(query.strip()) == _folded(name)


def starts_word(query: str, name: str) -> bool:
    """Return whether what is typed is the start of a name, or of words of it."""
    return 1 <= _rank(_folded(query.strip()), _folded(name)) <= _STARTS


def _rank(letters: str, label: str) -> int:
    """Return how well letters match a label, 1 best; 0 where they do not."""
    if label == letters:
        return 1
    if label.startswith(letters):
        return 2
    typed, words = _words(letters), _words(label)
    if typed and all(any(word.startswith(one) for word in words) for one in typed):
        return _STARTS
    if typed and all(any(word.startswith(one) or stem(word) == stem(one) for word in words) for one in typed):
        return _FORMS
    if letters in label:
        return _TOGETHER
    rest = iter(label)
    return _SCATTERED if all(letter in rest for letter in letters if letter != " ") else 0


@lru_cache(maxsize=4096)  # hundreds of classes, at every letter
def _words(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"[^\W_]+", text))


def _folded(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))
