"""Embeddings and class scores of a project's clips, computed ahead of the person who labels them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from labeltool.annotation.next_clips import next_clips
from labeltool.errors import LabeltoolError
from labeltool.pretrained import registry
from labeltool.pretrained.card import read_card
from labeltool.pretrained.clip_cache import described, is_described
from labeltool.pretrained.model import PretrainedModel
from labeltool.project import Project
from labeltool.records import StoredClip
from labeltool.store import Store, clips
from labeltool.type_aliases import Progress

POOL = 512
"""Clips of chance that are described before the rest: what is usual in the project is read off them."""

# The clips asked about next are described first; which they are is asked again after as many clips.
_AHEAD = 12
# Labelled clips that are described for the classifier, others ahead of time, and clips read from the store at once.
_MAX_LABELLED = 2000
_MAX_AHEAD = 20_000
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class DescribeResult:
    """How many clips were described, and how many could not be read."""

    described: int
    failed: int


def describe_clips(project: Project, *, report: Progress, name: str, annotator: str = "") -> DescribeResult:
    """Describe clips that are not yet, in the order in which they are needed; the cache gets what is computed.

    First the next clips of the queue, again and again, then labelled ones, then a sample, then others: of a large
    project not all, which would take days and fill the disk.
    """
    path = registry.find(project, name)
    card = read_card(path.parent)
    pretrained = PretrainedModel(path, card, embedding=card.embedding is not None)
    directory = project.cache / "teacher"
    done: set[int] = set()
    computed = failed = 0
    with project.open_store() as store:
        for clip in _in_order(store, annotator, done):
            done.add(clip.id)
            if is_described(card, directory, clip):
                continue
            try:
                described(pretrained, directory, clip)
                computed += 1
            except LabeltoolError:
                failed += 1  # the views show why the clip cannot be read
            report("describing clips", computed + failed, 0, str(clip.id))
    return DescribeResult(computed, failed)


def _in_order(store: Store, annotator: str, done: set[int]) -> Iterator[StoredClip]:
    """Yield clips that are not done, what is asked about next always first."""
    rest = _rest(store)
    while True:
        yield from (clip for clip in next_clips(store, _AHEAD, annotator=annotator) if clip.id not in done)
        count = 0
        for clip in rest:
            if clip.id not in done:
                yield clip
                count += 1
            if count == _AHEAD:
                break
        else:
            return


def _rest(store: Store) -> Iterator[StoredClip]:
    yield from (one.clip for one in clips.labelled(store, clips.last_labelled(store, _MAX_LABELLED)))
    yield from clips.random_unlabelled(store, POOL)
    last = 0
    for _ in range(0, _MAX_AHEAD, _AT_ONCE):
        some = clips.unlabelled_after(store, last, _AT_ONCE)
        yield from some
        last = some[-1].id if some else last
