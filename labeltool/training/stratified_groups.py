"""Groups drawn into parts that have their share of each label; a group stays in one part, so that no split leaks.

One function draws them all, `draw_parts`: the parts and the folds of a data set (`data_split`), and the validation
clips of a training.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from labeltool.records import LabelledClip
from labeltool.type_aliases import Float32

# Groups with a label that the training part keeps, at least, before another part gets one.
_MIN_GROUPS_KEPT = 2
# Rounds in which groups are moved once all have a part; the sum of squares falls in each, and nearly all of it at once.
_MAX_ROUNDS = 8
_SMALLEST_GAIN = 1e-9
# Stands for the items as a whole beside their labels, of which none is called so: names have no blanks at their ends.
_ALL = " "
# Between labels that are present together: a name is one line.
_TOGETHER = "\n"


def draw_parts(
    groups: Sequence[str],
    labels: Sequence[Collection[str]],
    shares: Sequence[float],
    *,
    seed: int,
    fixed: Mapping[str, int] = MappingProxyType({}),
    trained_on: int | None = None,
) -> dict[str, int]:
    """Draw a part for each group, so that each part has about its share of every label and of all items.

    Labels that are present together on many items are divided too: else a part might have each only without the other.

    The iterative stratification of Sechidis, Tsoumakas and Vlahavas (2011, "On the Stratification of Multi-Label
    Data") with groups in the place of items: the groups of the rarest label first, the largest of them first, each to
    the part where the squared deviations from the wanted numbers, relative to those, grow least. At the end groups are
    moved while that makes them smaller. Same seed, same parts, on every machine: the sums are plain floats in a fixed
    order.

    Parameters
    ----------
    groups, labels
        Of each item: its group, and its labels, any number of them.
    shares
        Of the items, of each part, above 0; they sum to 1.
    fixed
        The parts of groups that have one already; they count.
    trained_on
        The part that is trained on: a label gives a group to another one only where at least two groups with it are
        not in those. None: all parts are equals.

    Returns
    -------
    dict
        The part of each group, an index into `shares`.
    """
    drawing = _Drawing(groups, labels, shares, trained_on)
    for group in drawing.counts:
        if group in fixed:
            drawing.put(group, fixed[group])
    rng = np.random.default_rng([seed, 1])
    names = sorted(drawing.counts.keys() - fixed.keys())
    drawn = [names[place] for place in rng.permutation(len(names))]
    drawn.sort(key=lambda group: (drawing.rarity(group), -drawing.counts[group][_ALL]))
    for group in drawn:
        drawing.put(group, drawing.best_part(group))
    for _ in range(_MAX_ROUNDS):
        if not any([drawing.move(group) for group in drawn]):
            break
    return drawing.parts


class _Drawing:
    """Groups with the parts they were given so far.

    Attributes
    ----------
    counts
        Group to its items: of each label, of those that are often present together, and all.
    """

    def __init__(
        self, groups: Sequence[str], labels: Sequence[Collection[str]], shares: Sequence[float], trained_on: int | None
    ) -> None:
        items = Counter((group, *sorted(set(of_item))) for group, of_item in zip(groups, labels, strict=True))
        together: Counter[str] = Counter()
        for (_, *of_items), count in items.items():
            together[_TOGETHER.join(of_items)] += count * (len(of_items) > 1)
        # Of fewer a part would get none, and which one does not matter.
        often = {name for name, count in together.items() if count * min(shares) >= 1}
        self._not_labels = {_ALL, *often}
        counted: dict[str, Counter[str]] = {}
        for (group, *of_items), count in items.items():
            names = [*of_items, *({_TOGETHER.join(of_items)} & often), _ALL]
            counted.setdefault(group, Counter()).update(dict.fromkeys(names, count))
        # In the order of their names, whatever that of the items and of a set.
        self.counts = {group: Counter(dict(sorted(counted[group].items()))) for group in sorted(counted)}
        self.parts: dict[str, int] = {}
        total: Counter[str] = Counter()
        # Groups with each label: all, and those that are not held out.
        self._with_label: Counter[str] = Counter()
        for counts in self.counts.values():
            total.update(counts)
            self._with_label.update(counts.keys())
        self._kept = self._with_label.copy()
        self._trained_on = trained_on
        self._wanted = [{label: share * count for label, count in total.items()} for share in shares]
        self._taken: list[Counter[str]] = [Counter() for _ in shares]

    def rarity(self, group: str) -> int:
        """Return the number of groups with the group's rarest label."""
        return min(self._with_label[label] for label in self.counts[group])

    def put(self, group: str, part: int) -> None:
        """Give a group a part."""
        self.parts[group] = part
        self._taken[part].update(self.counts[group])
        if self._is_held_out(part):
            self._kept.subtract(self.counts[group].keys())

    def best_part(self, group: str) -> int:
        """Return the part of those it may have where a group adds least to the deviations; the first of equals."""
        parts = range(len(self._wanted))
        if self._trained_on is not None and not self._can_be_given(group):
            return self._trained_on
        return min(parts, key=lambda part: self._added(group, part))

    def move(self, group: str) -> bool:
        """Move a group where that makes the deviations smaller; return whether it did."""
        before = self.parts.pop(group)
        self._taken[before].subtract(self.counts[group])
        if self._is_held_out(before):
            self._kept.update(self.counts[group].keys())
        best = self.best_part(group)
        if self._added(group, best) > self._added(group, before) - _SMALLEST_GAIN:
            best = before
        self.put(group, best)
        return best != before

    def _is_held_out(self, part: int) -> bool:
        return self._trained_on not in (None, part)

    def _can_be_given(self, group: str) -> bool:
        return all(self._kept[label] > _MIN_GROUPS_KEPT for label in self.counts[group].keys() - self._not_labels)

    def _added(self, group: str, part: int) -> float:
        """Return by how much a group would add to the sum of (taken - wanted)² / wanted of a part."""
        taken, wanted = self._taken[part], self._wanted[part]
        added = 0.0
        for label, count in self.counts[group].items():
            added += count * (2 * (taken[label] - wanted[label]) + count) / wanted[label]
        return added


def hold_out(
    groups: Sequence[str],
    labels: Sequence[Collection[str]],
    *,
    share: float,
    seed: int,
    required: Collection[str] = (),
    allowed: Collection[str] | None = None,
) -> list[int]:
    """Choose about a share of the items to hold out, whole groups, of each label.

    A label keeps at least two groups to train on; with fewer than three it gives none. With few groups the list may be
    empty.

    Parameters
    ----------
    groups, labels
        As `draw_parts` takes them.
    share
        Above 0 and below 1, of each label's items.
    required
        Groups that are held out whatever the share; they count towards it.
    allowed
        The groups that may be held out beside those; default all.

    Returns
    -------
    list of int
        Indices, ascending.
    """
    refused = () if allowed is None else set(groups) - set(allowed)
    fixed = {**dict.fromkeys(refused, 0), **dict.fromkeys(required, 1)}
    parts = draw_parts(groups, labels, (1 - share, share), seed=seed, fixed=fixed, trained_on=0)
    return [index for index, group in enumerate(groups) if parts[group] == 1]


def label_sets(present: Float32) -> list[list[str]]:
    """Return the labels of each clip as `draw_parts` takes them, given targets (clips, labels): columns as text.

    Clips without a label count as one with a label of its own.
    """
    made: dict[bytes, list[str]] = {}
    found = []
    for row, packed in zip(present, np.packbits(present != 0, axis=1), strict=True):
        if (key := packed.tobytes()) not in made:
            made[key] = [str(column) for column in np.flatnonzero(row)] or [""]
        found.append(made[key])
    return found


def kept_from_pools(group: str, share: float) -> bool:
    """Return whether a group is never in a pool of unlabelled clips, so that it can validate what a pool trained.

    A hash of the name alone decides: the same groups in every generation, whatever the seed. About a share of them.
    """
    mark = int.from_bytes(hashlib.sha256(group.encode()).digest()[:8])
    return mark < share * 2**64


def groups_of_fold(clips: Sequence[LabelledClip], fold: int) -> set[str]:
    """Return the groups with a clip in a fold: what must not be trained on when the fold tests."""
    return {labelled.clip.group for labelled in clips if labelled.clip.fold == fold}
