"""The next clips, made ready before they are asked for: a thread that reads the queue, decodes and draws ahead."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from threadpoolctl import threadpool_limits

from labeltool.annotation import next_clips
from labeltool.errors import LabeltoolError
from labeltool.project import Project
from labeltool.records import StoredClip, Suggestion, Transcript
from labeltool.store import Store, clips, journal, models, transcripts
from labeltool.store.clips import Counts
from labeltool.store.journal import JournalRow
from labeltool.tui.media.clip_picture import Sound, load

AHEAD = 4
"""Clips made ready beyond the one on the screen."""

_CACHE_BYTES = 64 << 20
_COUNT_EVERY_S = 10.0  # counting a large project takes a while; between counts the room adds up itself


@dataclass(frozen=True, slots=True)
class Prepared:
    """A clip with all that the screen shows of it.

    Attributes
    ----------
    sound
        None where the file cannot be read; `problem` then says why, in one line.
    suggestion
        What the newest model holds of it; None before there is a model.
    model_uid
        That model.
    said
        What stands on the clip already, oldest first.
    transcript
        What is said in it; None where no speech model was asked.
    """

    clip: StoredClip
    sound: Sound | None
    problem: str
    suggestion: Suggestion | None
    model_uid: str | None
    said: tuple[JournalRow, ...]
    transcript: Transcript | None = None

    @property
    def shares(self) -> Mapping[str, float]:
        """What the model holds of it, likeliest first; nothing before there is a model."""
        return self.suggestion.probabilities if self.suggestion is not None else {}

    @property
    def has_verdict(self) -> bool:
        """Whether it counts as labelled."""
        return any(row.kind == "verdict" for row in self.said)


@dataclass(frozen=True, slots=True)
class ModelState:
    """What the header tells of the newest model; `pending` counts the answers it has not learnt from.

    `ear` is the borrowed network where that suggests, `clip_accuracy` its; `unheard` counts the answers given since a
    borrowed network suggested last, 0 where a model of the project's does.
    """

    id: int | None
    clip_accuracy: float | None
    pending: int
    ear: str | None = None
    unheard: int = 0


@dataclass(frozen=True, slots=True)
class Delivery:
    """What the thread hands to the screen, whichever parts of it are new.

    Attributes
    ----------
    request
        The number of the request that `queue` answers and during which `counts` were taken.
    queue
        The next clips, the most telling first; empty when nothing is left to ask.
    complete
        False while clips are still being added to the queue.
    one
        A clip that was asked for by its id.
    """

    request: int = 0
    queue: tuple[Prepared, ...] | None = None
    complete: bool = True
    one: Prepared | None = None
    counts: Counts | None = None
    model: ModelState | None = None
    failure: str = ""


class Preparer:
    """The thread. Ask with `want` and `want_one`; it answers through `deliver`, called in the thread."""

    def __init__(self, project: Project, annotator: str, deliver: Callable[[Delivery], None]) -> None:
        self._project = project
        self._annotator = annotator
        self._deliver = deliver
        self._wake = threading.Condition()
        self._exclude: tuple[int, ...] | None = None
        self._request = 0
        self._one: int | None = None
        self._then: tuple[int, ...] = ()
        self._stopping = False
        self._sounds: OrderedDict[str, Sound] = OrderedDict()
        self._counted_at: float | None = None
        # Up to which row the newest model has learnt, up to which row was counted since, and how many that were.
        self._learnt = self._counted = ""
        self._pending = 0
        self._thread = threading.Thread(target=self._run, name="labeltool-preparer", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def want(self, exclude: Collection[int]) -> int:
        """Ask for the queue without some clips (those on the screen); the newest request replaces earlier ones."""
        with self._wake:
            self._request += 1
            self._exclude = tuple(exclude)
            self._wake.notify()
            return self._request

    def want_one(self, clip_id: int, *, then: Sequence[int] = ()) -> None:
        """Ask for one clip, before anything else; the clips `then` are likely to be asked for next."""
        with self._wake:
            self._one, self._then = clip_id, tuple(then)
            self._wake.notify()

    def stop(self) -> None:
        """End the thread and wait for it."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        self._thread.join()

    def _run(self) -> None:
        store: Store | None = None
        # NumPy's products are tiny here: a second thread for them would only spin, on a core that a training wants.
        threadpool_limits(limits=1, user_api="blas")
        try:
            while (task := self._next_task()) is not None:
                try:
                    store = store or self._project.open_store()
                    self._do(store, *task)
                except LabeltoolError as error:
                    self._deliver(Delivery(request=task[1], failure=str(error)))
        finally:
            if store is not None:
                with suppress(LabeltoolError):  # a claim that stays runs out by itself
                    next_clips.release(store, annotator=self._annotator)
                store.close()

    def _next_task(self) -> tuple[int | None, int, tuple[int, ...] | None] | None:
        with self._wake:
            while not self._stopping and self._exclude is None and self._one is None:
                self._wake.wait()
            if self._stopping:
                return None
            one, self._one = self._one, None
            exclude = None
            if one is None:
                exclude, self._exclude = self._exclude, None
            return one, self._request, exclude

    def _superseded(self) -> bool:
        with self._wake:
            return self._stopping or self._exclude is not None or self._one is not None

    def _do(self, store: Store, one: int | None, request: int, exclude: tuple[int, ...] | None) -> None:
        if one is not None:
            self._deliver(Delivery(one=self._prepare(store, clips.clip(store, one))))
            for clip_id in self._then:
                if self._superseded():
                    return
                with suppress(LabeltoolError):  # told when it is asked for
                    self._sound(clips.clip(store, clip_id))
            if not self._superseded():
                self._deliver(Delivery(model=self._model(store)))
            return
        assert exclude is not None
        queue: list[Prepared] = []
        # Two people are never asked about the same clip; a room that was killed finds its own again.
        wanted = next_clips.claim_clips(store, AHEAD, annotator=self._annotator, exclude=exclude)
        for place, clip in enumerate(wanted, start=1):
            queue.append(self._prepare(store, clip))
            self._deliver(Delivery(request=request, queue=tuple(queue), complete=place == len(wanted)))
            if self._counted_at is None:
                self._tell_counts(store, request)  # after the first clip, which is what one waits for
            if self._superseded():
                return
        if not wanted:
            self._deliver(Delivery(request=request, queue=()))
        self._deliver(Delivery(model=self._model(store)))
        if self._counted_at is None or time.monotonic() - self._counted_at > _COUNT_EVERY_S or not wanted:
            self._tell_counts(store, request)

    def _prepare(self, store: Store, clip: StoredClip) -> Prepared:
        sound, problem = None, ""
        try:
            sound = self._sound(clip)
        except LabeltoolError as error:
            problem = str(error)
        suggestion = models.suggestion(store, clip.id)
        said = [row for row in journal.rows(store, clip_id=clip.id) if not row.revoked and row.kind != "revoke"]
        return Prepared(
            clip=clip,
            sound=sound,
            problem=problem,
            suggestion=suggestion,
            model_uid=models.uid(store, suggestion.model_id) if suggestion else None,
            said=tuple(reversed(said)),
            transcript=transcripts.of_clip(store, clip.id),
        )

    def _sound(self, clip: StoredClip) -> Sound:
        if clip.key in self._sounds:
            self._sounds.move_to_end(clip.key)
            return self._sounds[clip.key]
        sound = self._sounds[clip.key] = load(clip)
        while len(self._sounds) > 1 and sum(kept.size_bytes for kept in self._sounds.values()) > _CACHE_BYTES:
            self._sounds.popitem(last=False)
        return sound

    def _tell_counts(self, store: Store, request: int) -> None:
        self._deliver(Delivery(request=request, counts=clips.counts(store)))
        self._counted_at = time.monotonic()

    def _model(self, store: Store) -> ModelState:
        newest = models.latest(store)
        mark = newest.journal_mark if newest else ""
        if mark != self._learnt:
            self._learnt = self._counted = mark
            self._pending = 0
        # Only what was said since the last time: the journal of a large project is long.
        with store.snapshot():
            self._pending += models.pending(store, self._counted)
            self._counted = journal.mark(store)
        suggester = models.suggester(store)
        by_ear = suggester is not None and suggester.ear is not None
        unheard = 0
        if self._project.settings.ear is not None and (suggester is None or by_ear):
            unheard = models.pending(store, suggester.journal_mark if suggester else "")
        shown = suggester if by_ear else newest
        return ModelState(
            id=newest.id if newest else None,
            clip_accuracy=shown.clip_accuracy if shown else None,
            pending=self._pending,
            ear=suggester.ear if suggester else None,
            unheard=unheard,
        )
