"""An ear's classes put to the project's labels: by name, by what people answered so far, and by hand.

`mapping.toml` beside the ear's card is what a person wants; for labels that it does not name, classes are proposed anew
each time. No dictionary is behind that: labels and classes are compared word by word.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any, Literal

import numpy as np

from labeltool.errors import LabeltoolError
from labeltool.type_aliases import Bools, Float32, Int64
from labeltool.util import toml_edit

FILE = "mapping.toml"


Reason = Literal["by hand", "by name", "by answers", "none"]
"""Where a label's classes come from."""

_PREAMBLE = """\
# Which of this network's classes suggest which label: "label" = ["Class", "Another class"]
# What stands here counts. A label that is not here is matched anew each time; [] lets nothing suggest it.
"""

# A class is heard in a clip whose score reaches this, 0 to 1, on the mean of the clip's windows.
_HEARD_FROM = 0.05
# A class that answers speak for is heard in so many clips of the label at least, and in so large a share of them,
_FEWEST_CLIPS = 3
_FEWEST_OF_LABEL = 0.5
# and so many times as often as in the clips of any other label.
_LIFT = 3.0
# A name gives way after so many clips of the label at the earliest: questions go to the odd ones first.
_FEWEST_TO_DENY = 5
# Only the most telling of them: the broader ones follow.
_MOST_CLASSES = 3
# Names written as one word here and as two there, or bent otherwise: "chain saw", "air conditioner".
_ALIKE = 0.85
# (a cow is no crow).
_LONG = 6
# What follows one of these says more of a thing, not which thing it is: "rain on surface" is rain.
_PARTING = frozenset({"at", "by", "for", "from", "in", "of", "on", "to", "with"})
_LITTLE = frozenset({"a", "an", "and", "or", "the"})
_ENDINGS = ("ing", "ed", "es", "er", "s", "e")
_SHORTEST_STEM = 3


@dataclass(frozen=True, slots=True)
class Mapped:
    """A label, the places of the classes that suggest it, and where that comes from."""

    label: str
    classes: tuple[int, ...]
    reason: Reason


@dataclass(frozen=True, slots=True)
class _Name:
    """One name of a class: its words' stems, the thing that it is a kind of, and whether that stands in brackets."""

    words: frozenset[str]
    head: str
    joined: str
    aside: bool


def mapped(
    folder: Path,
    classes: Sequence[str],
    labels: Sequence[str],
    *,
    scores: Float32 | None = None,
    heard: Bools | None = None,
) -> list[Mapped]:
    """Put classes to labels: as the file has it, and by name and by answers for labels that it does not name.

    Parameters
    ----------
    folder
        The ear's; `mapping.toml` may be there.
    classes
        The ear's, in the order of its scores.
    scores : (clips, classes) float32, optional
        What the ear makes of the clips that have an answer.
    heard : (clips, labels) bool, optional
        What people heard in them.

    Raises
    ------
    LabeltoolError
        When the file cannot be read, or names a class that the ear has not.
    """
    by_hand = read(folder, classes)
    return [
        Mapped(one.label, by_hand[one.label], "by hand") if one.label in by_hand else one
        for one in proposed(classes, labels, scores=scores, heard=heard)
    ]


def proposed(
    classes: Sequence[str],
    labels: Sequence[str],
    *,
    scores: Float32 | None = None,
    heard: Bools | None = None,
) -> list[Mapped]:
    """Put classes to labels by name and by answers, whatever the file has; the parameters are those of `mapped`."""
    told = by_answers(scores, heard) if scores is not None and heard is not None else {}
    found = []
    for number, label in enumerate(labels):
        named, answered = by_name(classes, label), told.get(number, ())
        # A name that answers bear out, or that they do not speak against yet, is the surer guide.
        if named and not (answered and _unheard(scores, heard, number, named)):
            found.append(Mapped(label, named, "by name"))
        else:
            found.append(Mapped(label, answered, "by answers" if answered else "none"))
    return found


def by_name(classes: Sequence[str], label: str) -> tuple[int, ...]:
    """Return the places of the classes that a label's name speaks of.

    In the order of trust: classes of the same words ("crying_baby", "Baby cry, infant cry") with those that are a kind
    of it ("rain", "Rain on surface"); classes whose words are among the label's ("clock_tick": "Clock", "Tick");
    classes that have its words among others, or are spelt nearly so. Only what the first of these finds is taken.
    """
    wanted = _name(label)
    if wanted is None:
        return ()
    names = [(place, one) for place, told in enumerate(classes) for one in _names(told)]
    same = {place for place, one in names if one.words == wanted.words or one.joined == wanted.joined}
    kinds = {place for place, one in names if one.words >= wanted.words and one.head == wanted.head}
    parts = {place for place, one in names if one.words < wanted.words and not one.aside}
    near = {place for place, one in names if one.words > wanted.words or _alike(one.joined, wanted.joined)}
    return tuple(sorted(same | kinds or parts or near))


def hits(scores: Float32, heard: Bools) -> Int64:
    """Count in how many clips of each label each class is heard: (labels, classes)."""
    return np.asarray(heard.T.astype(np.int64) @ (scores >= _HEARD_FROM).astype(np.int64))


def by_answers(scores: Float32, heard: Bools) -> dict[int, tuple[int, ...]]:
    """Return, label by label, the classes that tell its clips from the others'.

    Parameters
    ----------
    scores : (clips, classes) float32
    heard : (clips, labels) bool

    Returns
    -------
    dict
        Place of a label to places of classes, the most telling first; a class stands for one label at most.
    """
    if heard.shape[1] < 2 or not len(heard):
        return {}
    counted = hits(scores, heard).astype(np.float64)
    clips = heard.sum(axis=0)[:, None].astype(np.float64)
    # As if each label had one clip more, in which the class was heard by half: three of three are no certainty.
    shares = (counted + 0.5) / (clips + 1.0)
    place = shares.argmax(axis=0)
    column = np.arange(scores.shape[1])
    others = shares.copy()
    others[place, column] = 0.0
    lift = shares[place, column] / np.maximum(others.max(axis=0), 1e-9)
    enough = (counted[place, column] >= _FEWEST_CLIPS) & (counted[place, column] >= _FEWEST_OF_LABEL * clips[place, 0])
    found: dict[int, list[int]] = {}
    for one in np.argsort(-lift, kind="stable"):
        places = found.setdefault(int(place[one]), [])
        if enough[one] and lift[one] >= _LIFT and len(places) < _MOST_CLASSES:
            places.append(int(one))
    return {label: tuple(places) for label, places in found.items() if places}


def shares(scores: Float32, mapping: Sequence[Mapped]) -> Float32:
    """Return what scores of classes say of labels, `(clips, classes)` to `(clips, labels)`.

    Of several classes the largest score counts: they are names of one thing ("Dog", "Bark") that are heard together,
    and their sum would prefer the label that has most of them.
    """
    told = np.zeros((len(scores), len(mapping)), np.float32)
    for column, one in enumerate(mapping):
        if one.classes:
            told[:, column] = scores[:, list(one.classes)].max(axis=1)
    return told


def read(folder: Path, classes: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Read what a person wants: label to places of classes; nothing where there is no file.

    Raises
    ------
    LabeltoolError
        When it cannot be read, or names a class that the ear has not.
    """
    path = folder / FILE
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise LabeltoolError(f"cannot be read as a mapping: {error}", file=path) from error
    places = {name: place for place, name in reversed(list(enumerate(classes)))}
    folded = {name.casefold(): place for name, place in places.items()}
    found: dict[str, tuple[int, ...]] = {}
    for label, value in told.items():
        several: list[Any] = value if isinstance(value, list) else [value]
        if not all(isinstance(name, str) for name in several):
            raise LabeltoolError(f"{label!r} needs a list of classes", file=path, remedy=f'{label!r} = ["Class"]')
        wanted = []
        for name in several:
            place = places.get(name, folded.get(name.casefold()))
            if place is None:
                near = max(classes, key=lambda one: _likeness(one.casefold(), name.casefold()), default="")
                raise LabeltoolError(f"there is no class {name!r}", file=path, remedy=f"did you mean {near!r}?")
            wanted.append(place)
        found[label] = tuple(dict.fromkeys(wanted))
    return found


def write(folder: Path, classes: Sequence[str], mapping: Sequence[Mapped]) -> bool:
    """Write labels that the file does not name behind what stands in it; return whether there were any."""
    path = folder / FILE
    stands = read(folder, classes)
    fresh = [one for one in mapping if one.label not in stands and one.classes]
    if not fresh:
        return False
    before = path.read_text(encoding="utf-8") if path.exists() else _PREAMBLE
    lines = [toml_edit.line(one.label, [classes[place] for place in one.classes]) for one in fresh]
    _store(path, [*before.rstrip("\n").split("\n"), *lines])
    return True


def put(folder: Path, classes: Sequence[str], label: str, places: Sequence[int]) -> None:
    """Write which classes a label gets, in the place of what the file said of it; nothing else there is touched.

    Comments beside and inside the entry stay.

    Raises
    ------
    LabeltoolError
        As `read`.
    """
    path = folder / FILE
    stands = read(folder, classes)
    lines = (path.read_text(encoding="utf-8-sig") if path.exists() else _PREAMBLE).rstrip("\n").split("\n")
    entry = toml_edit.line(label, [classes[place] for place in places])
    _store(path, toml_edit.replaced(lines, label, entry) if label in stands else [*lines, entry])


def _store(path: Path, lines: Sequence[str]) -> None:
    beside = path.with_suffix(".partial")
    beside.write_text("\n".join([*lines, ""]), encoding="utf-8")
    beside.replace(path)


def _names(told: str) -> list[_Name]:
    """Return the names a class goes by: what commas part, and what stands in brackets, of which it is a kind."""
    plain = re.sub(r"\(.*?\)", " ", told)
    inside = re.findall(r"\((.*?)\)", told)
    found = [*map(_name, plain.split(",")), *(_name(one, aside=True) for one in inside)]
    return [one for one in found if one is not None]


def _name(text: str, *, aside: bool = False) -> _Name | None:
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", unicodedata.normalize("NFKC", text))
    words = [word for word in re.findall(r"[^\W_]+", apart.casefold()) if word not in _LITTLE]
    parting = next((place for place, word in enumerate(words) if place and word in _PARTING), len(words))
    stems = [_stem(word) for word in words if word not in _PARTING]
    if not stems:
        return None
    return _Name(frozenset(stems), _stem(words[parting - 1]), "".join(stems), aside)


def _stem(word: str) -> str:
    """Take endings off: "crackling" and "crackle", "waves" and "wave", "babies" and "baby" become one."""
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _SHORTEST_STEM and not word.endswith("ss"):
            word = word[: -len(ending)]
            break
    if len(word) > _SHORTEST_STEM and word[-1] == word[-2]:
        word = word[:-1]
    word = word.removesuffix("e") if len(word) > _SHORTEST_STEM else word
    return word[:-1] + "i" if word.endswith("y") else word


def _alike(one: str, other: str) -> bool:
    return min(len(one), len(other)) >= _LONG and _likeness(one, other) >= _ALIKE


def _likeness(one: str, other: str) -> float:
    return SequenceMatcher(None, one, other, autojunk=False).ratio()


def _unheard(scores: Float32 | None, heard: Bools | None, label: int, classes: Sequence[int]) -> bool:
    """Say whether classes are hardly ever heard in the clips of a label."""
    if scores is None or heard is None:
        return False
    of_label = scores[heard[:, label]][:, list(classes)].max(axis=1) >= _HEARD_FROM
    return len(of_label) >= _FEWEST_TO_DENY and float(of_label.mean()) < _FEWEST_OF_LABEL
