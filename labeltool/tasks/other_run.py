"""A retraining that another process runs: it is waited for, and its result taken where it is what was wanted."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from labeltool.active_learning.result import SuggestResult
from labeltool.errors import LabeltoolError
from labeltool.networks import model_folder
from labeltool.project import Project
from labeltool.store import Store, clips, journal, models
from labeltool.tasks.retrain_result import RetrainResult, retrain_result
from labeltool.training.prepare import TrainingRequest
from labeltool.type_aliases import Progress
from labeltool.util.files.locks import try_lock, wait_for_lock


@contextmanager
def retraining_lock(project: Project, report: Progress, *, wait: bool) -> Iterator[float]:
    """Let one process at a time retrain the project; wait for another one, or fail. Yield the seconds waited."""
    path, began_s, waited = project.cache / "retrain.lock", time.monotonic(), set[str]()

    def waiting(what: str) -> None:
        waited.add(what)
        report(what, 0, 0)

    with wait_for_lock(path, "retraining", waiting) if wait else try_lock(path, "retraining"):
        yield time.monotonic() - began_s if waited else 0.0


def newest_id(store: Store, arch: str) -> int:
    """Return the id of the newest model of an architecture; 0 before the first."""
    newest = models.latest(store, arch)
    return newest.id if newest else 0


def result_of_other(project: Project, store: Store, request: TrainingRequest, newer_than: int) -> RetrainResult | None:
    """Return the result of the newest model where it is newer than some id, and is what the request would train now.

    That is: of the same architecture, on the labels of now, with the same seed, within the same budget and without the
    same fold. What else may be asked for is not compared.
    """
    newest = models.latest(store, request.arch)
    suggester = models.suggester(store)
    if newest is None or suggester is None or newest.id <= newer_than:
        return None
    try:
        card = model_folder.read(project.models / str(newest.id)).card
    except LabeltoolError:
        return None  # damaged: this process trains one
    same = (card.seed, card.budget_s, card.test_fold) == (request.seed, request.budget_s, request.test_fold)
    if not same or newest.journal_mark != journal.newest_id(store):
        return None
    suggested = SuggestResult(suggester.id, suggester.pretrained, "", len(clips.unlabelled(store)), ())
    return retrain_result(newest.id, request.frontend.patch_hops_s, card, suggested)
