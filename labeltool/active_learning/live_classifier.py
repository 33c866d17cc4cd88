"""A classifier over embeddings that is renewed clip by clip, in NumPy, within the app.

Kernel ridge regression (Gaussian process regression with a prior mean): what a pretrained model's own classes predict
of a label is the prior, and the labelled clips correct it. The inverse of the regularised kernel matrix is kept: one
clip more or less costs the square of their number, not its cube, and predictions for each clip without its group
cost next to nothing (Rasmussen and Williams 2006, "Gaussian Processes for Machine Learning", 2.7 and 5.4.2).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np

from labeltool.type_aliases import Float32, Float64

MAX_CLIPS = 2000
"""Clips that are kept, the newest: the matrix has their number squared."""

_REGULARISATION = 0.1
_MAX_SINGLY = 8
# Numerical errors of updates add up: the inverse is computed anew after as many of them.
_MAX_UPDATES = 512


@dataclass(slots=True)
class LiveClassifier:
    """Labelled clips, and the inverse of their regularised kernel matrix.

    Attributes
    ----------
    keys
        The clips' ids, in the order of the rows.
    groups
        The group of each: clips of one group are near-duplicates.
    rows : (clips, width) float32
        Their embeddings, each of length one.
    inverse : (clips, clips) float64
        Of the matrix of inner products with the regularisation on its diagonal.
    """

    keys: list[int] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    rows: Float32 = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    inverse: Float64 = field(default_factory=lambda: np.zeros((0, 0)))
    _updates: int = 0

    def __len__(self) -> int:
        return len(self.keys)

    def fit(self, keys: Sequence[int], rows: Float32, groups: Sequence[str]) -> None:
        """Replace all clips by others; beyond `MAX_CLIPS` the last ones count."""
        self.keys, self.groups = [*keys[-MAX_CLIPS:]], [*groups[-MAX_CLIPS:]]
        self.rows = np.ascontiguousarray(rows[-MAX_CLIPS:], np.float32)
        self._invert()

    def add_all(self, keys: Sequence[int], rows: Float32, groups: Sequence[str]) -> None:
        """Add clips that are not there: a few one by one, more by computing the inverse anew."""
        if len(keys) > _MAX_SINGLY:
            before = [self.rows] if len(self) else []
            self.fit([*self.keys, *keys], np.concatenate([*before, rows]), [*self.groups, *groups])
            return
        for key, row, group in zip(keys, rows, groups, strict=True):
            self.add(key, row, group)

    def add(self, key: int, row: Float32, group: str) -> None:
        """Add a clip, or replace the one of the same key; beyond `MAX_CLIPS` the oldest is dropped."""
        if key in self.keys:
            self.remove(key)
        elif len(self) == MAX_CLIPS:
            self.remove(self.keys[0])
        row = np.asarray(row, np.float32)[None]
        if not len(self):
            self.fit([key], row, [group])
            return
        products = (self.rows @ row[0]).astype(np.float64)
        weights = self.inverse @ products
        # At least the regularisation, so a second clip like another does no harm.
        rest = float(row[0] @ row[0]) + _REGULARISATION - products @ weights
        grown = np.empty((len(self) + 1,) * 2)
        grown[:-1, :-1] = self.inverse + np.outer(weights, weights / rest)
        grown[-1, :-1] = grown[:-1, -1] = -weights / rest
        grown[-1, -1] = 1.0 / rest
        self.inverse, self.rows = grown, np.concatenate([self.rows, row])
        self.keys.append(key)
        self.groups.append(group)
        self._count_update()

    def remove(self, key: int) -> None:
        """Remove a clip that is there."""
        place = self.keys.index(key)
        kept = np.arange(len(self)) != place
        column = self.inverse[kept, place]
        self.inverse = self.inverse[np.ix_(kept, kept)] - np.outer(column, column / self.inverse[place, place])
        self.rows = self.rows[kept]
        del self.keys[place], self.groups[place]
        self._count_update()

    def remove_all(self, keys: Collection[int]) -> None:
        """Remove clips that are there: a few one by one, more by computing the inverse anew."""
        if len(keys) > _MAX_SINGLY:
            kept = [place for place, key in enumerate(self.keys) if key not in keys]
            self.fit([self.keys[place] for place in kept], self.rows[kept], [self.groups[place] for place in kept])
            return
        for key in keys:
            self.remove(key)

    def weights(self, residuals: Float64) -> Float64:
        """Return the weight of each labelled clip in predictions, by its targets less its prior, (clips, labels)."""
        return np.asarray(self.inverse @ residuals)

    def predict(self, rows: Float32, prior: Float64, weights: Float64) -> Float64:
        """Predict labels, (clips, labels) in about 0 to 1.

        Parameters
        ----------
        rows : (clips, width) float32
            Embeddings, each of length one.
        prior : (clips, labels)
            What is predicted of them without any labelled clip.
        weights : (labelled clips, labels)
            Of `weights`.
        """
        if not len(self):
            return prior
        return np.asarray(prior + (rows @ self.rows.T).astype(np.float64) @ weights)

    def held_out_errors(self, residuals: Float64) -> Float64:
        """Return targets less prediction of each labelled clip as if its group were not there, without refitting."""
        weights = self.weights(residuals)
        errors = np.zeros_like(residuals)
        members: dict[str, list[int]] = {}
        for place, group in enumerate(self.groups):
            members.setdefault(group, []).append(place)
        for places in members.values():
            errors[places] = np.linalg.solve(self.inverse[np.ix_(places, places)], weights[places])
        return errors

    def _count_update(self) -> None:
        self._updates += 1
        if self._updates >= _MAX_UPDATES:
            self._invert()

    def _invert(self) -> None:
        matrix = (self.rows @ self.rows.T).astype(np.float64)
        matrix[np.diag_indices(len(matrix))] += _REGULARISATION
        self.inverse = np.asarray(np.linalg.inv(matrix), np.float64)
        self._updates = 0
