"""Annotators who label at random, and other libraries' coefficients of their agreement."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from labeltool.annotation.people.agreement import NOT_RATED, cohen_kappa, fleiss_kappa, krippendorff_alpha
from labeltool.type_aliases import Int64


@dataclass(frozen=True)
class Annotators:
    """Each recognises a clip with a probability, which is higher or lower by `spread` in half of the groups."""

    recognise: float
    classes: tuple[float, ...]
    raters: int = 2
    clips_a_group: int = 1
    spread: float = 0.0
    missing: float = 0.0

    def label(self, clips: int, rng: np.random.Generator) -> tuple[Int64, Int64]:
        """Return the codes, (clips, raters), and the group of each clip."""
        groups = np.arange(clips) % max(1, clips // self.clips_a_group)
        easy = rng.random(groups.max() + 1) < 0.5
        recognised = np.where(easy[groups], self.recognise + self.spread, self.recognise - self.spread)
        kinds = len(self.classes)
        true = rng.choice(kinds, clips, p=self.classes)
        by_chance = rng.choice(kinds, (clips, self.raters), p=self.classes)
        codes = np.where(rng.random((clips, self.raters)) < recognised[:, None], true[:, None], by_chance)
        codes[rng.random(codes.shape) < self.missing] = NOT_RATED
        return codes, groups


def _sklearn(codes: Int64) -> float:
    from sklearn.metrics import cohen_kappa_score

    return float(cohen_kappa_score(codes[:, 0], codes[:, 1]))


def _statsmodels(codes: Int64) -> float:
    from statsmodels.stats.inter_rater import aggregate_raters, fleiss_kappa

    return float(fleiss_kappa(aggregate_raters(codes)[0]))


def _task(codes: Int64) -> object:
    from nltk.metrics.agreement import AnnotationTask

    rows = [row for row in enumerate(codes) if (row[1] != NOT_RATED).sum() > 1]
    return AnnotationTask(
        [(str(who), str(clip), str(code)) for clip, row in rows for who, code in enumerate(row) if code != NOT_RATED]
    )


def _nltk_pi(codes: Int64) -> float:
    return float(_task(codes).pi())  # type: ignore[attr-defined]


def _nltk_alpha(codes: Int64) -> float:
    return float(_task(codes).alpha())  # type: ignore[attr-defined]


def _krippendorff(codes: Int64) -> float:
    from krippendorff import alpha

    return float(alpha(np.where(codes == NOT_RATED, np.nan, codes).T, level_of_measurement="nominal"))


_ORACLES: dict[str, tuple[str, Callable[[Int64], float]]] = {
    "scikit-learn cohen_kappa_score": ("cohen", _sklearn),
    "statsmodels fleiss_kappa": ("fleiss", _statsmodels),
    "nltk multi-pi": ("fleiss", _nltk_pi),
    "nltk alpha": ("alpha", _nltk_alpha),
    "krippendorff alpha": ("alpha", _krippendorff),
}


def oracle_differences(*, tables: int, seed: int = 0) -> dict[str, float]:
    """Return the largest difference of ours from each other library that is installed, over tables at random."""
    rng = np.random.default_rng(seed)
    worst: dict[str, float] = {}
    for _ in range(tables):
        kinds, raters = rng.integers(2, 6), int(rng.integers(2, 6))
        people = Annotators(rng.random(), tuple(rng.dirichlet(np.ones(kinds))), raters)
        codes, groups = people.label(int(rng.integers(5, 80)), rng)
        sparse = np.where(rng.random(codes.shape) < 0.3, NOT_RATED, codes)
        given = {"cohen": codes[:, :2], "fleiss": codes, "alpha": sparse}
        ours = {
            "cohen": cohen_kappa(codes[:, :2], groups),
            "fleiss": fleiss_kappa(codes, groups),
            "alpha": krippendorff_alpha(sparse, groups),
        }
        for name, (of, oracle) in _ORACLES.items():
            value = ours[of].value
            if value is not None:
                with suppress(ImportError):
                    worst[name] = max(worst.get(name, 0.0), abs(value - oracle(given[of])))
    return worst
