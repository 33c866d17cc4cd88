"""A group stays on one side, whatever the groups, labels and folds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from labeltool.records import LabelledClip, StoredClip, Value
from labeltool.training import splits

ITEMS = st.lists(st.tuples(st.integers(0, 12).map(str), st.sampled_from("abc")), min_size=1, max_size=60)


@given(items=ITEMS, share=st.floats(0.05, 0.5), seed=st.integers(0, 9))
def test_held_out_clips_split_no_group_and_leave_every_label_two(
    items: list[tuple[str, str]], share: float, seed: int
) -> None:
    groups, labels = [group for group, _ in items], [label for _, label in items]
    held_out = splits.hold_out(groups, labels, share=share, seed=seed)
    assert held_out == splits.hold_out(groups, labels, share=share, seed=seed)
    rest = [index for index in range(len(items)) if index not in held_out]
    assert not {groups[index] for index in held_out} & {groups[index] for index in rest}
    for label in {labels[index] for index in held_out}:
        assert len({groups[index] for index in rest if labels[index] == label}) >= 2


def test_about_the_share_is_held_out_of_every_label() -> None:
    labels = ["a"] * 100 + ["b"] * 40
    groups = [str(index // 2) for index in range(140)]
    held_out = splits.hold_out(groups, labels, share=0.2, seed=0)
    assert (sum(i < 100 for i in held_out), sum(i >= 100 for i in held_out)) == (20, 8)
    assert held_out != splits.hold_out(groups, labels, share=0.2, seed=1)


@given(items=ITEMS, required=st.sets(st.integers(0, 12).map(str)), allowed=st.sets(st.integers(0, 12).map(str)))
def test_required_groups_are_held_out_and_only_allowed_ones_beside_them(
    items: list[tuple[str, str]], required: set[str], allowed: set[str]
) -> None:
    groups, labels = [group for group, _ in items], [label for _, label in items]
    found = {groups[i] for i in splits.hold_out(groups, labels, share=0.3, seed=0, required=required, allowed=allowed)}
    assert required & set(groups) <= found <= required | allowed
    for label in {label for group, label in items if group in found - required}:
        assert len({group for group, other in items if other == label and group not in found}) >= 2


def test_a_share_of_the_groups_is_kept_from_pools_by_name_alone() -> None:
    names = [f"session {number}" for number in range(2000)]
    kept = [name for name in names if splits.kept_from_pools(name, 0.1)]
    assert 160 <= len(kept) <= 240
    assert all(splits.kept_from_pools(name, 0.2) for name in kept)


def clip(number: int, group: str, label: str, fold: int | None) -> LabelledClip:
    return LabelledClip(StoredClip(number, number, "/x", "x", 0, 1, fold, group), {label: Value.PRESENT})


@given(
    rows=st.lists(
        st.tuples(st.integers(0, 9).map(str), st.sampled_from("ab"), st.sampled_from((None, 1, 2, 3, 4))), max_size=40
    ),
    test_fold=st.sampled_from((None, 2)),
)
def test_the_three_parts_share_no_group_and_the_test_fold_is_tested(
    rows: list[tuple[str, str, int | None]], test_fold: int | None
) -> None:
    clips = [clip(number, *one) for number, one in enumerate(rows)]
    parts = splits.train_validation_test(clips, test_fold=test_fold)
    assert set(parts) == set(range(len(clips)))
    part_of_group: dict[str, str] = {}
    for one in clips:
        assert part_of_group.setdefault(one.clip.group, parts[one.clip.id]) == parts[one.clip.id]
    folds = {one.clip.fold for one in clips} - {None}
    if len(folds) >= 3 and (test_fold is None or test_fold in folds):
        tested = test_fold or max(folds)
        assert {parts[one.clip.id] for one in clips if one.clip.fold == tested} == {"test"}
