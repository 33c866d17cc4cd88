"""Coverage of the intervals of agreement: how often they have the true value.

    python benchmarks/agreement.py --runs 1000

Annotators are simulated: each recognises a clip's true class with a probability that depends on the clip's group, and
chooses by chance otherwise. The true coefficient is that of 400,000 clips. One line of JSON a case: the share of runs
whose 95 % interval has the true value, and the median width of the interval; runs where no value is defined, as where
all chose the same, are counted apart. With `--oracles` the coefficients themselves are compared with `krippendorff`
(GPL-3.0), `statsmodels`, scikit-learn and NLTK, as far as they are installed.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from helpers.simulated_annotators import Annotators, oracle_differences  # noqa: E402
from labeltool.annotation.people.agreement import Agreement, cohen_kappa, fleiss_kappa, krippendorff_alpha  # noqa: E402
from labeltool.type_aliases import Int64  # noqa: E402


@dataclass(frozen=True)
class Case:
    """Some clips and who labels them."""

    clips: int
    annotators: Annotators


CASES = (
    Case(30, Annotators(0.9, (0.5, 0.5))),
    Case(50, Annotators(0.95, (0.8, 0.2))),
    Case(100, Annotators(0.7, (0.5, 0.3, 0.2))),
    Case(100, Annotators(0.95, (0.25,) * 4)),
    Case(120, Annotators(0.85, (0.5, 0.3, 0.2), clips_a_group=4, spread=0.1)),
    Case(120, Annotators(0.85, (0.9, 0.1), clips_a_group=4, spread=0.1)),
    Case(100, Annotators(0.8, (0.4, 0.3, 0.3), raters=4, missing=0.4)),
    Case(300, Annotators(0.9, (0.5, 0.3, 0.2), clips_a_group=3, spread=0.05)),
    Case(200, Annotators(0.8, (0.4, 0.3, 0.3), raters=3)),
)


def coverage(case: Case, coefficient: Callable[[Int64, Int64], Agreement], runs: int, seed: int) -> dict[str, object]:
    """Return how often the interval has the true value."""
    rng = np.random.default_rng(seed)
    codes, _ = case.annotators.label(400_000, rng)
    true = coefficient(codes, np.arange(len(codes)) % 2).value
    assert true is not None
    hits, widths, without = 0, [], 0
    for _ in range(runs):
        one = coefficient(*case.annotators.label(case.clips, rng))
        if one.low is None or one.high is None:
            without += 1
            continue
        hits += one.low <= true <= one.high
        widths.append(one.high - one.low)
    return {
        "true": round(true, 3),
        "covered": round(hits / len(widths), 3),
        "median_width": round(float(np.median(widths)), 3),
        "without_interval": without,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--oracles", action="store_true", help="compare with other libraries instead")
    wanted = parser.parse_args()
    if wanted.oracles:
        print(json.dumps(oracle_differences(tables=200, seed=wanted.seed)))
        return
    for case in CASES:
        coefficients = [krippendorff_alpha]
        if not case.annotators.missing:
            coefficients += [fleiss_kappa] if case.annotators.raters > 2 else [cohen_kappa]
        for coefficient in coefficients:
            found = coverage(case, coefficient, wanted.runs, wanted.seed)
            print(json.dumps({"clips": case.clips, **vars(case.annotators), "of": coefficient.__name__, **found}))


if __name__ == "__main__":
    main()
