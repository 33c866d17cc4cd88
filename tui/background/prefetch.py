"""Prefetching: a thread reads the next clips of the queue, decodes them and computes their spectrograms ahead."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property

from threadpoolctl import threadpool_limits

from labeltool.annotation import next_clips
from labeltool.errors import LabeltoolError
from labeltool.pretrained.trunk import has_trunk
from labeltool.project import Project
from labeltool.records import StoredClip, Suggestion, Transcript
from labeltool.store import Store, clips, journal, labels, models, transcripts
from labeltool.store.clips import Counts
from labeltool.store.database import DatabaseExchanged
from labeltool.store.journal import JournalRow
from labeltool.store.labels import ProjectLabel
from labeltool.tui.media.clip_picture import ClipPicture, load_clip

AHEAD = 4
"""The number of clips that are prepared beyond the one on the screen."""

_CACHE_BYTES = 64 << 20
_COUNT_EVERY_S = 10.0  # counting a large project takes a while; in between the app updates the counts itself


@dataclass(frozen=True, slots=True)
class PreparedClip:
    """A clip with all that the screen shows of it.

    Attributes
    ----------
    sound
        None if the file cannot be read; `problem` then says why, in one line.
    suggestion
        The prediction of the newest model; None before there is a model.
    model_uid
        The `uid` of that model.
    rows
        The journal rows of the clip, oldest first.
    transcript
        The speech in the clip; None if it was not transcribed.
    proposed
        Classes of a pretrained model, by name, that may be new labels, with their probabilities, highest first.
    """

    clip: StoredClip
    sound: ClipPicture | None
    problem: str
    suggestion: Suggestion | None
    model_uid: str | None
    rows: tuple[JournalRow, ...]
    transcript: Transcript | None = None
    proposed: Mapping[str, float] = field(default_factory=dict)

    @property
    def probabilities(self) -> Mapping[str, float]:
        """The predicted probabilities, highest first; empty before there is a model."""
        return self.suggestion.probabilities if self.suggestion is not None else {}

    @property
    def has_verdict(self) -> bool:
        """Whether the clip counts as labelled."""
        return any(row.kind == "verdict" for row in self.rows)


@dataclass(frozen=True, slots=True)
class ModelState:
    """The newest model, for the header, and how many labels are newer than it.

    Attributes
    ----------
    id
        The project's newest model; None before there is one.
    clip_accuracy
        The accuracy of the model that makes the suggestions.
    pending
        The number of verdicts that the newest model was not trained on.
    pretrained
        The name of the pretrained model, where one makes the suggestions.
    pending_suggest
        The number of verdicts since a pretrained model made its suggestions; 0 where a model of the project makes them.
    """

    id: int | None
    clip_accuracy: float | None
    pending: int
    pretrained: str | None = None
    pending_suggest: int = 0


@dataclass(frozen=True, slots=True)
class Delivery:
    """What the thread hands to the screen; what is not new is None.

    Attributes
    ----------
    request
        The number of the request that `queue` belongs to and during which `counts` were read.
    queue
        The next clips, the most informative first; empty if no unlabelled clips are left.
    complete
        False while clips are still being added to the queue.
    requested
        The clip that was requested by its id.
    counts
        The number of labelled clips, and of each label.
    labels
        The labels with their keys and colours; read with the counts.
    model
        The newest model.
    failure
        Why a request failed; empty if it did not.
    """

    request: int = 0
    queue: tuple[PreparedClip, ...] | None = None
    complete: bool = True
    requested: PreparedClip | None = None
    counts: Counts | None = None
    labels: Sequence[ProjectLabel] = ()
    model: ModelState | None = None
    failure: str = ""


@dataclass(frozen=True, slots=True)
class _Request:
    """A clip by its id, with those likely to be requested next; without one, the queue except some clips."""

    number: int
    clip_id: int | None
    next_ids: tuple[int, ...]
    exclude: tuple[int, ...]


class Prefetcher:
    """The thread and its requests.

    Parameters
    ----------
    annotator
        Who labels; the clips of the queue are claimed for this annotator.
    deliver
        Gets what was read; called in the thread.
    on_exchange
        See `StoreThread`.
    """

    def __init__(
        self,
        project: Project,
        annotator: str,
        deliver: Callable[[Delivery], None],
        on_exchange: Callable[[DatabaseExchanged], None],
    ) -> None:
        self._project = project
        self._annotator = annotator
        self._deliver = deliver
        self._on_exchange = on_exchange
        self._wake = threading.Condition()
        self._exclude: tuple[int, ...] | None = None
        self._request = 0
        self._clip_id: int | None = None
        self._next_ids: tuple[int, ...] = ()
        self._stopping = False
        self._cache: OrderedDict[str, ClipPicture] = OrderedDict()
        self._counted_at: float | None = None
        # The last row that the newest model was trained on, the last row that was counted since, and their number.
        self._trained_row = self._counted_row = ""
        self._pending = 0
        self._thread = threading.Thread(target=self._run, name="labeltool-prefetcher", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def request_queue(self, exclude: Collection[int]) -> int:
        """Request the queue without some clips; return the request's number. It replaces earlier requests."""
        with self._wake:
            self._request += 1
            self._exclude = tuple(exclude)
            self._wake.notify()
            return self._request

    def recount(self) -> None:
        """Count the clips again with the next request for the queue."""
        self._counted_at = None

    def request_clip(self, clip_id: int, *, next_ids: Sequence[int] = ()) -> None:
        """Request one clip, before the queue; the clips `next_ids` are likely to be requested next."""
        with self._wake:
            self._clip_id, self._next_ids = clip_id, tuple(next_ids)
            self._wake.notify()

    def stop(self) -> None:
        """End the thread and wait for it."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        self._thread.join()

    def _run(self) -> None:
        store: Store | None = None
        # NumPy's products are tiny here: a second thread for them would only take a core from a training.
        threadpool_limits(limits=1, user_api="blas")
        try:
            while (request := self._next_request()) is not None:
                try:
                    store = store or self._project.open_store()
                    if request.clip_id is not None:
                        self._deliver_clip(store, request.clip_id, request.next_ids)
                    else:
                        self._deliver_queue(store, request)
                except DatabaseExchanged as error:
                    self._on_exchange(error)
                except LabeltoolError as error:
                    self._deliver(Delivery(request=request.number, failure=str(error)))
        finally:
            if store is not None:
                with suppress(LabeltoolError):  # a claim that is not released expires
                    next_clips.release(store, annotator=self._annotator)
                store.close()

    def _next_request(self) -> _Request | None:
        """Wait for a request; return None when the thread is to end."""
        with self._wake:
            while not self._stopping and self._exclude is None and self._clip_id is None:
                self._wake.wait()
            if self._stopping:
                return None
            if self._clip_id is not None:
                clip_id, self._clip_id = self._clip_id, None
                return _Request(self._request, clip_id, self._next_ids, ())
            exclude, self._exclude = self._exclude or (), None
            return _Request(self._request, None, (), exclude)

    def _is_superseded(self) -> bool:
        with self._wake:
            return self._stopping or self._exclude is not None or self._clip_id is not None

    def _deliver_clip(self, store: Store, clip_id: int, next_ids: Sequence[int]) -> None:
        self._deliver(Delivery(requested=self._prepare(store, clips.clip(store, clip_id))))
        for next_id in next_ids:
            if self._is_superseded():
                return
            with suppress(LabeltoolError):  # reported when this clip is requested
                self._picture(clips.clip(store, next_id))
        if not self._is_superseded():
            self._deliver(Delivery(model=self._model(store)))

    def _deliver_queue(self, store: Store, request: _Request) -> None:
        queue: list[PreparedClip] = []
        # Two annotators never get the same clip; an app that was killed gets its own claims again.
        claimed = next_clips.claim_clips(store, AHEAD, annotator=self._annotator, exclude=request.exclude)
        for place, clip in enumerate(claimed, start=1):
            queue.append(self._prepare(store, clip))
            self._deliver(Delivery(request=request.number, queue=tuple(queue), complete=place == len(claimed)))
            if self._counted_at is None:
                self._deliver_counts(store, request.number)  # after the first clip, which the user waits for
            if self._is_superseded():
                return
        if not claimed:
            self._deliver(Delivery(request=request.number, queue=()))
        self._deliver(Delivery(model=self._model(store)))
        if self._counted_at is None or time.monotonic() - self._counted_at > _COUNT_EVERY_S or not claimed:
            self._deliver_counts(store, request.number)

    def _prepare(self, store: Store, clip: StoredClip) -> PreparedClip:
        picture, problem = None, ""
        try:
            picture = self._picture(clip)
        except LabeltoolError as error:
            problem = str(error)
        suggestion = models.suggestion(store, clip.id)
        rows = [row for row in journal.rows(store, clip_id=clip.id) if not row.revoked and row.kind != "revoke"]
        return PreparedClip(
            clip=clip,
            sound=picture,
            problem=problem,
            suggestion=suggestion,
            model_uid=models.uid(store, suggestion.model_id) if suggestion else None,
            rows=tuple(reversed(rows)),
            transcript=transcripts.of_clip(store, clip.id),
        )

    def _picture(self, clip: StoredClip) -> ClipPicture:
        """Return a clip's picture, from the cache if it is there; the clips used longest ago leave the cache."""
        if clip.key in self._cache:
            self._cache.move_to_end(clip.key)
            return self._cache[clip.key]
        picture = self._cache[clip.key] = load_clip(clip)
        while len(self._cache) > 1 and sum(cached.size_bytes for cached in self._cache.values()) > _CACHE_BYTES:
            self._cache.popitem(last=False)
        return picture

    def _deliver_counts(self, store: Store, request: int) -> None:
        self._deliver(Delivery(request=request, counts=clips.counts(store), labels=labels.project_labels(store)))
        self._counted_at = time.monotonic()

    @cached_property
    def _has_trunk(self) -> bool:
        """Whether a model is trained in a second on the layers of a pretrained one; asked in the reader's thread."""
        return has_trunk(self._project)

    def _model(self, store: Store) -> ModelState:
        newest = models.latest(store, self._project.settings.learning.architecture)
        trained_row = newest.journal_mark if newest else ""
        if trained_row != self._trained_row:
            self._trained_row = self._counted_row = trained_row
            self._pending = 0
        # Only the rows since the last time: the journal of a large project is long.
        with store.snapshot():
            self._pending += models.pending(store, self._counted_row)
            self._counted_row = journal.newest_id(store)
        suggester = models.suggester(store)
        by_pretrained = suggester is not None and suggester.pretrained is not None
        pending_suggest = 0
        configured = self._project.settings.learning.pretrained is not None
        if self._has_trunk or (configured and (suggester is None or by_pretrained)):
            pending_suggest = models.pending(store, suggester.journal_mark if suggester else "")
        shown = suggester or newest
        own = newest if suggester is None or by_pretrained else suggester
        return ModelState(
            id=own.id if own else None,
            clip_accuracy=shown.clip_accuracy if shown else None,
            pending=self._pending,
            pretrained=suggester.pretrained if suggester else None,
            pending_suggest=pending_suggest,
        )
