"""Parts and folds of a data set: what belongs together is on one side, official folds stay, leaks are named."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeltool.errors import LabeltoolError
from labeltool.records import LabelledClip, StoredClip, Value
from labeltool.training.data_split import (
    checked_shares,
    find_leaks,
    folds_of,
    official_parts,
    refuse_leaks,
    train_validation_test,
    units_of_groups,
)

GROUP = st.integers(0, 9).map(str)
ROWS = st.lists(
    st.tuples(GROUP, st.sets(st.sampled_from("abc"), min_size=1), st.sampled_from((None, 1, 2, 3, 4))), max_size=40
)
PAIRS = st.lists(st.tuples(GROUP, GROUP), max_size=6)


def clip(number: int, group: str, labels: set[str], fold: int | None) -> LabelledClip:
    stored = StoredClip(number, number, f"/sounds/{number}.wav", "x", 0, 1, fold, group)
    return LabelledClip(stored, dict.fromkeys(labels, Value.PRESENT))


@given(pairs=PAIRS)
def test_groups_joined_through_others_are_one_unit(pairs: list[tuple[str, str]]) -> None:
    unit_of = units_of_groups(map(str, range(10)), pairs)
    assert all(unit_of[first] == unit_of[second] for first, second in pairs)
    assert all(unit_of[unit] == unit for unit in unit_of.values())
    assert len(set(unit_of.values())) >= 10 - len(pairs)


@given(rows=ROWS, pairs=PAIRS, test_fold=st.sampled_from((None, 2)), locked=st.sets(GROUP, max_size=3))
def test_the_three_parts_share_no_unit_and_the_test_fold_is_tested(
    rows: list[tuple[str, set[str], int | None]], pairs: list[tuple[str, str]], test_fold: int | None, locked: set[str]
) -> None:
    clips = [clip(number, *one) for number, one in enumerate(rows)]
    unit_of = units_of_groups(map(str, range(10)), pairs)
    test_units = {unit_of[group] for group in locked}
    parts = train_validation_test(clips, test_fold=test_fold, unit_of=unit_of, test_units=test_units)
    assert set(parts) == set(range(len(clips)))
    part_of_unit: dict[str, str] = {}
    for one in clips:
        assert part_of_unit.setdefault(unit_of[one.clip.group], parts[one.clip.id]) == parts[one.clip.id]
    if locked:
        tested = {unit for unit, part in part_of_unit.items() if part == "test"}
        assert tested == test_units & part_of_unit.keys()
        return
    folds = {one.clip.fold for one in clips} - {None}
    if len(folds) >= 3 and (test_fold is None or test_fold in folds):
        tests = test_fold or max(folds)
        assert {parts[one.clip.id] for one in clips if one.clip.fold == tests} == {"test"}


@given(rows=ROWS, pairs=PAIRS, seed=st.integers(0, 2))
def test_folds_share_no_unit_and_keep_the_official_ones(
    rows: list[tuple[str, set[str], int | None]], pairs: list[tuple[str, str]], seed: int
) -> None:
    clips = [clip(number, *one) for number, one in enumerate(rows)]
    official = {one.clip.fold for one in clips if one.clip.fold is not None}
    unit_of = units_of_groups(map(str, range(10)), pairs)
    if official and official != {1, 2, 3, 4}:
        with pytest.raises(LabeltoolError, match="official folds"):
            folds_of(clips, 4, seed=seed, unit_of=unit_of)
        return
    fold_of = folds_of(clips, 4, seed=seed, unit_of=unit_of)
    assert set(fold_of) == set(range(len(clips))) and set(fold_of.values()) <= {1, 2, 3, 4}
    fold_of_unit: dict[str, int] = {}
    for one in clips:
        assert fold_of_unit.setdefault(unit_of[one.clip.group], fold_of[one.clip.id]) == fold_of[one.clip.id]
    if not find_leaks(clips, {fold: fold for fold in official}, unit_of):
        assert all(fold_of[one.clip.id] == one.clip.fold for one in clips if one.clip.fold is not None)


def test_folds_are_of_about_one_size_where_the_data_have_none() -> None:
    clips = [clip(number, str(number // 2), {"ab"[number % 2]}, None) for number in range(60)]
    fold_of = folds_of(clips, 5)
    assert sorted([*fold_of.values()].count(fold) for fold in range(1, 6)) == [12] * 5


def test_official_folds_that_part_a_group_or_a_near_duplicate_are_refused_by_name() -> None:
    rows = [("a", 1), ("a", 3), ("b", 1), ("c", 3), ("d", 1), ("d", 2), ("e", 2)]
    clips = [clip(number, group, {"x"}, fold) for number, (group, fold) in enumerate(rows)]
    sides = official_parts(clips, None, has_test=True)
    assert sides == {1: 0, 2: 1, 3: 2}
    with pytest.raises(LabeltoolError) as caught:
        refuse_leaks(find_leaks(clips, sides, units_of_groups("abcde", [("c", "b")])))
    text = str(caught.value)
    assert "part what belongs together: " in text and text.count("fold") > 6 and "`--force`" in text
    assert "0.wav (fold 1) and 1.wav (fold 3), one group" in text
    assert "2.wav (fold 1) and 3.wav (fold 3), nearly equal sound" in text
    refuse_leaks(find_leaks(clips, {1: 0, 2: 0, 3: 0}, {}))


@pytest.mark.parametrize("shares", [(70, 15), (70, 20, 20), (0, 50, 50), (120, -10, -10)])
def test_shares_that_are_none_are_refused(shares: tuple[int, ...]) -> None:
    with pytest.raises(LabeltoolError, match="add up to 100"):
        checked_shares(shares)


def test_a_share_of_nothing_gives_no_part() -> None:
    clips = [clip(number, str(number), {"ab"[number % 2]}, None) for number in range(40)]
    parts = train_validation_test(clips, shares=(80, 20, 0))
    assert [[*parts.values()].count(part) for part in ("train", "validation", "test")] == [32, 8, 0]
