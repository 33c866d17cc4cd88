"""A group stays on one side, whatever the groups, labels and folds."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from labeltool.training.stratified_groups import draw_parts, hold_out, kept_from_pools

ITEMS = st.lists(st.tuples(st.integers(0, 12).map(str), st.sampled_from("abc")), min_size=1, max_size=60)


@given(items=ITEMS, share=st.floats(0.05, 0.5), seed=st.integers(0, 9))
def test_held_out_clips_split_no_group_and_leave_every_label_two(
    items: list[tuple[str, str]], share: float, seed: int
) -> None:
    groups, labels = [group for group, _ in items], [[label] for _, label in items]
    held_out = hold_out(groups, labels, share=share, seed=seed)
    assert held_out == hold_out(groups, labels, share=share, seed=seed)
    rest = [index for index in range(len(items)) if index not in held_out]
    assert not {groups[index] for index in held_out} & {groups[index] for index in rest}
    for label in {labels[index][0] for index in held_out}:
        assert len({groups[index] for index in rest if labels[index] == [label]}) >= 2


def test_about_the_share_is_held_out_of_every_label() -> None:
    labels = ["a"] * 100 + ["b"] * 40  # a string is its letters
    groups = [str(index // 2) for index in range(140)]
    held_out = hold_out(groups, labels, share=0.2, seed=0)
    assert (sum(i < 100 for i in held_out), sum(i >= 100 for i in held_out)) == (20, 8)
    assert held_out != hold_out(groups, labels, share=0.2, seed=1)


def test_a_label_of_few_groups_gives_one_and_a_label_of_one_group_none() -> None:
    labels = ["a"] * 40 + ["b"] * 6 + ["c"] * 2
    groups = [f"a{i // 4}" for i in range(40)] + [f"b{i}" for i in range(6)] + ["c", "c"]
    for seed in range(20):
        named = {groups[i] for i in hold_out(groups, labels, share=0.2, seed=seed)}
        assert sorted(group[0] for group in named) == ["a", "a", "b"]


@given(items=ITEMS, required=st.sets(st.integers(0, 12).map(str)), allowed=st.sets(st.integers(0, 12).map(str)))
def test_required_groups_are_held_out_and_only_allowed_ones_beside_them(
    items: list[tuple[str, str]], required: set[str], allowed: set[str]
) -> None:
    groups, labels = [group for group, _ in items], [[label] for _, label in items]
    found = {groups[i] for i in hold_out(groups, labels, share=0.3, seed=0, required=required, allowed=allowed)}
    assert required & set(groups) <= found <= required | allowed
    for label in {label for group, label in items if group in found - required}:
        assert len({group for group, other in items if other == label and group not in found}) >= 2


def test_a_share_of_the_groups_is_kept_from_pools_by_name_alone() -> None:
    names = [f"session {number}" for number in range(2000)]
    kept = [name for name in names if kept_from_pools(name, 0.1)]
    assert 160 <= len(kept) <= 240
    assert all(kept_from_pools(name, 0.2) for name in kept)


MULTI = st.lists(st.tuples(st.integers(0, 15).map(str), st.sets(st.sampled_from("abcd"))), min_size=1, max_size=60)


@given(items=MULTI, shares=st.lists(st.integers(1, 9), min_size=2, max_size=5), seed=st.integers(0, 3))
def test_every_group_gets_a_part_and_what_is_fixed_stays(
    items: list[tuple[str, set[str]]], shares: list[int], seed: int
) -> None:
    groups, labels = [group for group, _ in items], [of_item for _, of_item in items]
    wanted = [share / sum(shares) for share in shares]
    fixed = {groups[0]: len(shares) - 1, "not there": 0}
    parts = draw_parts(groups, labels, wanted, seed=seed, fixed=fixed)
    assert parts.keys() == set(groups) and parts[groups[0]] == len(shares) - 1
    assert set(parts.values()) <= set(range(len(shares)))
    again = draw_parts(groups[::-1], labels[::-1], wanted, seed=seed, fixed=fixed)
    assert again == parts  # the order of the clips says nothing


def test_each_of_several_labels_is_divided_by_the_shares() -> None:
    rng = np.random.default_rng(0)
    labels = [{f"l{label}" for label in range(6) if rng.random() < 0.05 * (label + 1)} for _ in range(600)]
    groups = [str(group) for group in rng.integers(0, 200, 600)]
    parts = draw_parts(groups, labels, (0.7, 0.15, 0.15), seed=0)
    for part, share in enumerate((0.7, 0.15, 0.15)):
        for label in range(6):
            of_label = [
                parts[group] == part for group, names in zip(groups, labels, strict=True) if f"l{label}" in names
            ]
            assert abs(np.mean(of_label) - share) < 0.03
    assert parts != draw_parts(groups, labels, (0.7, 0.15, 0.15), seed=1)


def test_labels_that_are_present_together_are_divided_like_labels() -> None:
    labels = [{"a"}, {"b"}, {"a", "b"}] * 20
    for seed in range(10):
        held_out = hold_out([str(index) for index in range(60)], labels, share=0.2, seed=seed)
        assert [sum(labels[index] == of_kind for index in held_out) for of_kind in labels[:3]] == [4, 4, 4]


def test_the_same_seed_draws_the_same_parts_on_every_machine() -> None:
    groups = [f"g{number % 23}" for number in range(90)]
    labels = [{"abcd"[number % 4], "abcd"[number % 3]} for number in range(90)]
    drawn = draw_parts(groups, labels, (0.6, 0.2, 0.2), seed=7, trained_on=0)
    assert "".join(str(drawn[f"g{number}"]) for number in range(23)) == "00000220000101201002110"
