"""Clips in columns are the records that they were made of, in a tenth of the memory."""

from __future__ import annotations

import pickle
import tracemalloc
from collections.abc import Iterator

import numpy as np

from helpers.tones import A, P, U
from labeltool.clip_arrays import LabelledClips, StoredClips
from labeltool.hierarchy import Hierarchy
from labeltool.records import LabelledClip, StoredClip

ABOVE = Hierarchy({"dog": "animal"})
VERDICTS = ({"dog": P}, {"owl": P, "dog": A}, {"dog": A, "owl": P}, {"dog": U}, {})


def stored(count: int, each: int = 7) -> Iterator[StoredClip]:
    """Yield clips, `each` of a recording."""
    for number in range(count):
        recording = number // each
        yield StoredClip(
            number * 3 + 1,
            recording,
            f"/{recording}.wav",
            f"{recording:064x}",
            number * 0.1,
            number * 0.1 + 0.05,
            number % 3 or None,
            f"group {recording // 2}",
            None if recording % 2 else "ab",
        )


def labelled(count: int) -> list[LabelledClip]:
    hierarchies = (LabelledClip(next(stored(1)), {}).hierarchy, ABOVE)
    return [
        LabelledClip(one, dict(VERDICTS[number % 5]), number % 5 == 4, hierarchies[number % 2])
        for number, one in enumerate(stored(count))
    ]


def test_stored_clips_come_back_as_they_were() -> None:
    records = list(stored(50))
    clips = StoredClips(records)
    assert clips == records and records == clips and [*clips] == records
    assert (clips[-1], clips[10:40:7]) == (records[-1], records[10:40:7])
    assert clips != records[:-1] and clips != records[::-1]
    assert np.asarray(clips.ids).tolist() == [one.id for one in records]
    assert clips.pick([9, 3, 3]) == [records[9], records[3], records[3]]
    assert pickle.loads(pickle.dumps(clips)) == records
    assert StoredClips() == []


def test_labelled_clips_come_back_as_they_were_verdict_by_verdict() -> None:
    records = labelled(50)
    clips = LabelledClips(records)
    assert clips == records and pickle.loads(pickle.dumps(clips)) == records
    assert [[*one.verdicts] for one in clips] == [[*one.verdicts] for one in records]  # in their order
    assert len(clips.distinct) == 10
    assert clips[3:9] == records[3:9] and clips.pick([9, 3]) == [records[9], records[3]]
    assert LabelledClips.of(clips) is clips and LabelledClips.of(records) == records


def test_what_the_verdicts_decide_is_decided_once_for_clips_with_the_same() -> None:
    seen: list[LabelledClip] = []
    clips = LabelledClips(labelled(500))
    with_dog = clips.where(lambda one: seen.append(one) is None and "dog" in one.present)
    assert with_dog == [one for one in labelled(500) if "dog" in one.present] and len(seen) == 10
    assert sum(count for _, count in with_dog.counted()) == len(with_dog) == 100


def test_other_verdicts_change_no_other_clip() -> None:
    records = labelled(50)
    clips = LabelledClips(records)
    for row, verdicts in ((0, {"rain": P}), (7, {"owl": P, "dog": A})):
        records[row] = LabelledClip(records[row].clip, verdicts)
        clips.set_verdicts(row, records[row])
    assert clips == records


def test_a_clip_takes_no_more_than_its_numbers() -> None:
    tracemalloc.start()
    try:
        clips = LabelledClips(LabelledClip(one, {"dog": P}) for one in stored(5000, each=1000))
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # 32 bytes of numbers and a spare eighth; as records they take 600 and more.
    assert taken / len(clips) < 48
