"""What a clip's answer list shows: the model's suggestions, then the labels used most, each with its digit."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MOST_OFFERS = 9
"""As many as there are digits."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A label to take with one key; `probability` where a model gave one."""

    label: str
    probability: float | None = None


def offers(guessed: Mapping[str, float], used: Mapping[str, int]) -> tuple[Offer, ...]:
    """Return up to `MOST_OFFERS` labels to show.

    Parameters
    ----------
    guessed
        What the newest model holds, likeliest first; its labels come first.
    used
        The project's labels with the number of clips that have them: those the model does not know follow, most used
        first.
    """
    known = [Offer(label, probability) for label, probability in guessed.items()]
    return tuple(known + [Offer(label) for label in by_use(used) if label not in guessed])[:MOST_OFFERS]


def by_use(used: Mapping[str, int]) -> list[str]:
    """Return labels most used first, equally used ones in the order they came."""
    return sorted(used, key=lambda label: -used[label])


def search(query: str, labels: Sequence[str]) -> list[str]:
    """Return the labels that a few typed letters may mean, best first; all of them for none.

    Letters count whatever their case and accents. An equal label comes first, then one that begins so, one with a word
    that begins so, one that holds the letters together, and one that holds them in that order; within these the order
    of `labels` stays.
    """
    wanted = _folded(query.strip())
    if not wanted:
        return list(labels)
    ranked = [(rank, place, label) for place, label in enumerate(labels) if (rank := _rank(wanted, _folded(label)))]
    return [label for _, _, label in sorted(ranked)]


def _rank(wanted: str, label: str) -> int:
    """Say how well letters fit a label, 1 best; 0 when they do not."""
    if label == wanted:
        return 1
    if label.startswith(wanted):
        return 2
    if any(word.startswith(wanted) for word in label.replace("_", " ").replace("-", " ").split()):
        return 3
    if wanted in label:
        return 4
    letters = iter(label)
    return 5 if all(letter in letters for letter in wanted if letter != " ") else 0


def _folded(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))
