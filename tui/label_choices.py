"""The labels that a clip can get with one key: the model's suggestions, then the labels used most."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MAX_CHOICES = 9
"""One for each digit."""


@dataclass(frozen=True, slots=True)
class LabelChoice:
    """A label that one key gives; `probability`, 0 to 1, where a model suggests it."""

    label: str
    probability: float | None = None


def top_choices(suggested: Mapping[str, float], label_counts: Mapping[str, int]) -> tuple[LabelChoice, ...]:
    """Return up to `MAX_CHOICES` labels.

    Parameters
    ----------
    suggested
        The newest model's probabilities, highest first; these labels come first.
    label_counts
        The project's labels with the number of clips that have them. Those that the model does not suggest follow,
        most used first.
    """
    choices = [LabelChoice(label, probability) for label, probability in suggested.items()]
    choices += [LabelChoice(label) for label in by_usage(label_counts) if label not in suggested]
    return tuple(choices[:MAX_CHOICES])


def by_usage(label_counts: Mapping[str, int]) -> list[str]:
    """Return labels most used first; equal counts keep their order."""
    return sorted(label_counts, key=lambda label: -label_counts[label])


def search(query: str, labels: Sequence[str]) -> list[str]:
    """Return the labels that match the typed letters, best first; all labels for no letters.

    Case and accents do not matter. The order is: an equal label, one that starts with the letters, one with a word that
    starts with them, one that contains them together, one that contains them in that order; then the order of
    `labels`.
    """
    letters = _folded(query.strip())
    if not letters:
        return list(labels)
    ranked = [(rank, place, label) for place, label in enumerate(labels) if (rank := _rank(letters, _folded(label)))]
    return [label for _, _, label in sorted(ranked)]


def _rank(letters: str, label: str) -> int:
    """Return how well letters match a label, 1 best; 0 where they do not."""
    if label == letters:
        return 1
    if label.startswith(letters):
        return 2
    if any(word.startswith(letters) for word in label.replace("_", " ").replace("-", " ").split()):
        return 3
    if letters in label:
        return 4
    rest = iter(label)
    return 5 if all(letter in rest for letter in letters if letter != " ") else 0


def _folded(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))
