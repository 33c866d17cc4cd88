"""Clips are described in the order in which a person needs them, and one that cannot be read stops nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from helpers.app import fill
from helpers.described import ByPitch, add_pretrained
from helpers.progress import quiet
from labeltool.errors import LabeltoolError
from labeltool.pretrained import describe
from labeltool.pretrained.card import read_card
from labeltool.pretrained.clip_cache import cached, described, read_described
from labeltool.pretrained.model import ClipDescription
from labeltool.project import Project
from labeltool.store import clips, journal, queue
from labeltool.type_aliases import Int16


def test_the_next_clips_of_the_queue_come_first_also_when_it_changes(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(project, tmp_path / "sounds", 40)
    add_pretrained(project)
    folder = project.models / "pretrained" / "net"
    with project.open_store() as store:
        ids = [clip.id for clip in clips.all_clips(store)]
        journal.annotate(store, ids[0], "woof", annotator="ann")
        queue.replace(store, ids[20:])
        order: list[int] = []

        def report(_: str, _done: int, _total: int, text: str = "", /) -> None:
            order.append(int(text))
            if len(order) == 15:  # somebody else's network was trained: other clips come next
                queue.replace(store, ids[5:17])

        class Model(ByPitch):
            def __init__(self, *_: object, **__: object) -> None:
                super().__init__(folder)

            def describe(self, pcm: Int16) -> ClipDescription:
                if len(order) == 17:
                    raise LabeltoolError("cannot be read")
                return super().describe(pcm)

        monkeypatch.setattr(describe, "PretrainedModel", Model)
        result = describe.describe_clips(project, report=report, name="net")
        assert (result.described, result.failed) == (39, 1)
        assert order[:12] == ids[20:32]
        assert order[12] == ids[0]  # labelled
        expected = [clip_id for clip_id in ids[5:17] if clip_id not in order[:24]]
        assert expected and order[24 : 24 + len(expected)] == expected
        card, directory = read_card(folder), project.cache / "teacher"
        missing = [clip.id for clip in clips.all_clips(store) if read_described(card, directory, clip) is None]
        assert missing == [order[17]]
        # What is there is not computed again.
        order.clear()
        assert describe.describe_clips(project, report=quiet, name="net").described == 1


def test_an_embedding_that_was_stored_in_32_bits_is_read_as_one_of_16(project: Project, tmp_path: Path) -> None:
    fill(project, tmp_path / "sounds", 1)
    add_pretrained(project)
    model, directory = ByPitch(project.models / "pretrained" / "net"), project.cache / "teacher"
    with project.open_store() as store:
        (clip,) = clips.all_clips(store)
    new = described(model, directory, clip).embedding  # type: ignore[arg-type]
    assert new is not None
    (path,) = (directory / model.card.fingerprint).glob(f"{'[0-9a-f]' * 64}.npy")
    assert np.load(path).dtype == np.float16
    exact = np.float32([1.0 if value > 0.5 else 0.02 for value in new])
    assert not np.array_equal(exact, new)
    np.save(path, exact)
    found = read_described(model.card, directory, clip)
    assert found is not None and np.array_equal(found.embedding, new)
    for kept in (
        cached(directory, model, clip, (clip.start_s, clip.end_s), "", lambda _: exact, lambda: None),  # type: ignore[arg-type]
        described(model, directory, clip).embedding,  # type: ignore[arg-type]
    ):
        assert np.array_equal(kept, new)
