"""A second of fuzzing, always the same inputs; `make fuzz` looks for hours."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from fuzz.readers import mutated, readers

INPUTS = 60


@pytest.mark.parametrize("name", readers(Path()))
def test_whatever_a_file_contains_a_reader_answers_or_refuses_it(name: str, tmp_path: Path) -> None:
    reader = readers(tmp_path)[name]
    seeds = reader.seeds()
    for seed in seeds:
        reader.read_bytes(seed, tmp_path)
    source = random.Random(name)
    for _ in range(INPUTS):
        reader.read_bytes(mutated(seeds, source), tmp_path)
