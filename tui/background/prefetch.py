"""Prefetching: a thread reads the next clips of the queue, decodes them and computes their spectrograms ahead."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from threadpoolctl import threadpool_limits

from labeltool.active_learning.suggester_state import stored_source
from labeltool.annotation import next_clips
from labeltool.annotation.people.overlap import is_second
from labeltool.annotation.remote_clips import clips_on_disk
from labeltool.audio.remote.reference import Unreachable
from labeltool.audio.remote.waiting import give_up
from labeltool.errors import LabeltoolError
from labeltool.project import Project
from labeltool.records import StoredClip, Suggestion, Transcript
from labeltool.store import Store, clips, journal, labels, models, transcripts
from labeltool.store.clips import Counts
from labeltool.store.database import DatabaseExchanged
from labeltool.store.journal import JournalRow
from labeltool.store.labels import ProjectLabel
from labeltool.tui.background.live import LiveSuggestions
from labeltool.tui.background.model_state import ModelState, ModelWatcher
from labeltool.tui.media.clip_picture import ClipPicture, load_clip
from labeltool.util.urls import is_url

AHEAD = 4
"""The number of clips that are prepared beyond the one on the screen."""

_CACHE_BYTES = 64 << 20
_SECOND = "labelled by two: nothing is suggested"
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
    rows
        The journal rows of the clip, oldest first.
    proposed
        Classes of a pretrained model, by name, that may be new labels, with their probabilities, highest first.
    likely
        The classes that the pretrained model itself predicts, the most probable first: the palette finds them first.
    source
        What suggests, on how many labels, in words; "" where nothing does.
    is_second
        Another labelled the clip, and the annotator is to label it without seeing that: `rows` are the annotator's own,
        and nothing is suggested.
    """

    clip: StoredClip
    sound: ClipPicture | None
    problem: str
    suggestion: Suggestion | None
    model_uid: str | None
    rows: tuple[JournalRow, ...]
    transcript: Transcript | None = None
    proposed: Mapping[str, float] = field(default_factory=dict)
    likely: tuple[str, ...] = ()
    source: str = ""
    is_second: bool = False

    @property
    def probabilities(self) -> Mapping[str, float]:
        """The predicted probabilities, highest first; empty before there is a model."""
        return self.suggestion.probabilities if self.suggestion is not None else {}

    @property
    def has_verdict(self) -> bool:
        """Whether the clip counts as labelled."""
        return any(row.kind == "verdict" for row in self.rows)


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
    renewed
        Clips on the screen or next, whose suggestions are newer than those delivered before.
    """

    request: int = 0
    queue: tuple[PreparedClip, ...] | None = None
    complete: bool = True
    requested: PreparedClip | None = None
    renewed: tuple[PreparedClip, ...] = ()
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
    live
        Suggests labels from what is labelled by now.
    on_exchange
        See `StoreThread`.
    """

    def __init__(
        self,
        project: Project,
        annotator: str,
        live: LiveSuggestions,
        deliver: Callable[[Delivery], None],
        on_exchange: Callable[[DatabaseExchanged], None],
    ) -> None:
        self._project = project
        self._annotator = annotator
        self._live = live
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
        self._described = False
        self._is_offline = False
        # The clips on the screen and those that come next, whose suggestions may change.
        self._shown: tuple[StoredClip, ...] = ()
        self._watcher = ModelWatcher(project)
        self._sources: dict[int, str] = {}
        self._thread = threading.Thread(target=self._run, name="labeltool-prefetcher", daemon=True)

    def start(self) -> None:
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

    def renew_suggestions(self) -> None:
        """Renew the suggestions of the clips on the screen: what they are made from has changed."""
        with self._wake:
            self._described = True
            self._wake.notify()

    def stop(self) -> None:
        with self._wake:
            self._stopping = True
            self._wake.notify()
        give_up(self._thread)
        self._thread.join()

    def _run(self) -> None:
        store: Store | None = None
        # NumPy's products are tiny here: a second thread for them would only take a core from a training.
        threadpool_limits(limits=1, user_api="blas")
        try:
            while not self._stopping:
                request = self._next_request()
                try:
                    store = store or self._project.open_store()
                    if request is None:
                        self._renew_suggestions(store)
                    elif request.clip_id is not None:
                        self._deliver_clip(store, request.clip_id, request.next_ids)
                    else:
                        self._deliver_queue(store, request)
                except DatabaseExchanged as error:
                    self._on_exchange(error)
                except LabeltoolError as error:
                    self._deliver(Delivery(request=request.number if request else 0, failure=str(error)))
        finally:
            self._live.close()
            if store is not None:
                with suppress(LabeltoolError):  # a claim that is not released expires
                    next_clips.release(store, annotator=self._annotator)
                store.close()

    def _next_request(self) -> _Request | None:
        """Wait for a request; return None where suggestions are to be renewed meanwhile, or the thread is to end."""
        with self._wake:
            while not (self._stopping or self._described or self._exclude is not None or self._clip_id is not None):
                due_in_s = self._live.due_in_s
                if due_in_s == 0.0:
                    return None
                self._wake.wait(due_in_s)
            if self._clip_id is not None:
                clip_id, self._clip_id = self._clip_id, None
                return _Request(self._request, clip_id, self._next_ids, ())
            if self._stopping or self._exclude is None:
                return None
            exclude, self._exclude = self._exclude, None
            return _Request(self._request, None, (), exclude)

    def _is_superseded(self) -> bool:
        with self._wake:
            return self._stopping or self._exclude is not None or self._clip_id is not None

    def _renew_suggestions(self, store: Store) -> None:
        """Renew the suggestions of the clips on the screen, where more is known by now."""
        described, self._described = self._described, False
        if self._live.work(store) or described:
            shown = tuple(self._prepare(store, clip) for clip in self._shown)
            self._deliver(Delivery(renewed=shown, model=self._model(store)))

    def _deliver_clip(self, store: Store, clip_id: int, next_ids: Sequence[int]) -> None:
        self._live.update(store)
        requested = clips.clip(store, clip_id)
        self._shown = (requested,)
        self._deliver(Delivery(requested=self._prepare(store, requested)))
        for next_id in next_ids:
            if self._is_superseded():
                return
            with suppress(LabeltoolError):  # reported when this clip is requested
                self._picture(clips.clip(store, next_id))
        if not self._is_superseded():
            self._deliver(Delivery(model=self._model(store)))

    def _deliver_queue(self, store: Store, request: _Request) -> None:
        queue: list[PreparedClip] = []
        here = tuple(clips.clips_by_ids(store, request.exclude))
        if self._live.update(store) and here:
            # The clip on the screen first: it appeared before the last label counted.
            self._deliver(Delivery(renewed=tuple(self._prepare(store, clip) for clip in here)))
        # Two annotators never get the same clip; an app that was killed gets its own claims again.
        overlap = self._project.settings.labelling.overlap
        claimed = next_clips.claim_clips(
            store, AHEAD, annotator=self._annotator, exclude=request.exclude, overlap=overlap
        )
        self._shown = (*here, *claimed)
        is_replaced = False
        while len(queue) < len(claimed):
            place = len(queue)
            if not is_replaced and self._is_away(claimed[place]):
                is_replaced = True
                claimed = [*claimed[:place], *self._within_reach(store, claimed[place:], request)]
                self._shown = (*here, *claimed)
                continue
            queue.append(self._prepare(store, claimed[place]))
            self._deliver(Delivery(request=request.number, queue=tuple(queue), complete=place + 1 == len(claimed)))
            if self._counted_at is None:
                self._deliver_counts(store, request.number)  # after the first clip, which the user waits for
            if self._is_superseded():
                return
        self._is_offline = is_replaced
        if not claimed:
            self._deliver(Delivery(request=request.number, queue=()))
        self._deliver(Delivery(model=self._model(store)))
        if self._counted_at is None or time.monotonic() - self._counted_at > _COUNT_EVERY_S or not claimed:
            self._deliver_counts(store, request.number)

    def _within_reach(self, store: Store, claimed: list[StoredClip], request: _Request) -> list[StoredClip]:
        """Return clips of a queue, in the place of those that are out of reach others that are on this disk."""
        away = [clip for clip in claimed if self._is_away(clip)]
        here = [clip for clip in claimed if clip not in away]
        # Those that were delivered already too: the app gets none twice.
        given = {*request.exclude, *(clip.id for clip in self._shown)}
        on_disk = [clip_id for clip_id in clips_on_disk(store) if clip_id not in given]
        free = next_clips.free_among(store, on_disk, annotator=self._annotator)
        instead = [clip_id for clip_id in on_disk if clip_id in free][: len(away)]
        instead = next_clips.claim(store, instead, annotator=self._annotator)  # others may have been faster
        if not self._is_offline:
            self._is_offline = True
            self._deliver(Delivery(failure=f"offline: {len(free)} more remote clips are in the cache"))
        if not here and not instead:
            return claimed  # each says why it cannot be played
        next_clips.release(store, annotator=self._annotator, clip_ids=[clip.id for clip in away])
        return [*here, *clips.clips_by_ids(store, instead)]

    def _is_away(self, clip: StoredClip) -> bool:
        """Whether a clip's server cannot be reached; its picture is in the cache where it can."""
        if not is_url(clip.path):
            return False
        try:
            self._picture(clip)
        except Unreachable:
            return True
        except LabeltoolError:
            return False
        return False

    def _prepare(self, store: Store, clip: StoredClip) -> PreparedClip:
        picture, problem = None, ""
        try:
            picture = self._picture(clip)
        except LabeltoolError as error:
            problem = str(error)
        if is_second(store, clip, annotator=self._annotator, share=self._project.settings.labelling.overlap):
            own = tuple(row for row in journal.active_rows(store, clip.id) if row.annotator == self._annotator)
            transcript = transcripts.of_clip(store, clip.id)
            return PreparedClip(clip, picture, problem, None, None, own, transcript, source=_SECOND, is_second=True)
        live = self._live.suggestion(store, clip)
        suggestion = live.suggestion if live else models.suggestion(store, clip.id)
        uid = live.model_uid if live else models.uid(store, suggestion.model_id) if suggestion else None
        return PreparedClip(
            clip=clip,
            sound=picture,
            problem=problem,
            suggestion=suggestion,
            model_uid=uid,
            rows=journal.active_rows(store, clip.id),
            transcript=transcripts.of_clip(store, clip.id),
            proposed=live.proposed if live else {},
            likely=live.likely if live else (),
            source=live.source if live else self._source_of(store, suggestion),
        )

    def _source_of(self, store: Store, suggestion: Suggestion | None) -> str:
        if suggestion is None:
            return ""
        if suggestion.model_id not in self._sources:
            self._sources = {suggestion.model_id: stored_source(store, suggestion.model_id)}
        return self._sources[suggestion.model_id]

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

    def _model(self, store: Store) -> ModelState:
        return self._watcher.read(store, self._live.state(store))
