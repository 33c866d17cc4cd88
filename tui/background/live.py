"""Suggestions that include the last answer: a pretrained model's classes and a classifier over its embeddings.

What the model computes of clips comes from a process of its own (`labeltool.pretrained.describe`); here is only NumPy.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np

from labeltool.active_learning.live_classifier import MAX_CLIPS
from labeltool.active_learning.live_model import embedding_of
from labeltool.active_learning.proposals import ProposalPool, propose_classes
from labeltool.active_learning.suggester_state import SuggesterState, live_pretrained, suggester_state, write_estimate
from labeltool.annotation.batch_review import GroupPage
from labeltool.errors import LabeltoolError
from labeltool.pretrained import class_mapping, registry
from labeltool.pretrained.card import read_card
from labeltool.pretrained.class_names import classes_by_name
from labeltool.pretrained.clip_cache import read_described
from labeltool.pretrained.describe import POOL
from labeltool.pretrained.model import ClipDescription
from labeltool.project import Project
from labeltool.records import StoredClip, Suggestion
from labeltool.store import Store, clips, journal, models
from labeltool.store.label_acts.levels import suggested_labels
from labeltool.tasks.registry import DESCRIBE
from labeltool.tui.background.opened_model import OpenedModel
from labeltool.tui.background.task import BackgroundTask
from labeltool.type_aliases import Float32

# Read at once, so that a request for a clip does not wait long.
_AT_ONCE = 32
# With no more labels to read than this, what was read suggests.
_BEHIND = 8
_CACHED = 256
# Clips that were not described yet are looked for again after as many seconds.
_LOOK_AGAIN_S = 1.0
# A class with a lower probability is not proposed as a label.
_MIN_PROPOSED = 0.03
# Of the pretrained model's classes those with a higher score come before a name that is typed: below it, what is typed
# is more often a name of the user's own.
_MIN_LIKELY = 0.1
_NICENESS = 5  # before a training, behind the app


@dataclass(frozen=True, slots=True)
class ClipSuggestion:
    """What is suggested for a clip; the fields are those of `PreparedClip`."""

    suggestion: Suggestion | None
    model_uid: str | None
    proposed: Mapping[str, float]
    likely: tuple[str, ...]
    source: str


class LiveSuggestions:
    """The classifier of the app, renewed after every answer.

    `class_names`, `map_class` and `stop` are for the screen; all else is called in the threads that read clips.

    Parameters
    ----------
    annotator
        Who labels: the clips that come next for this annotator are described first.
    on_described
        Called in a thread when a clip that was asked for is described.
    """

    def __init__(self, project: Project, annotator: str, on_described: Callable[[], None]) -> None:
        self._project = project
        self._on_described = on_described
        # A page of clips is suggested for in another thread than the clip on the screen.
        self._lock = threading.Lock()
        self._opened: OpenedModel | None = None
        self._suggests = False
        self._mapping_changed = False
        self._cache: OrderedDict[int, ClipDescription] = OrderedDict()
        # Clips that were asked for before they were described; those that a run of the task was started for.
        self._missing: set[int] = set()
        self._tried: set[int] = set()
        self._looked_at = -_LOOK_AGAIN_S
        self._task = BackgroundTask(
            project,
            DESCRIBE,
            on_progress=self._note_described,
            on_result=lambda _: self._on_described(),
            on_failure=lambda _: None,  # its log has it; without descriptions there are other suggestions
            niceness=_NICENESS,
            annotator=annotator,
        )

    # -- for the screen

    @property
    def pretrained(self) -> str | None:
        """The pretrained model of the settings, where the project has it."""
        name = self._project.settings.learning.pretrained
        return name if name is not None and name in registry.names(self._project) else None

    def class_names(self) -> Sequence[str]:
        """Return the names of the pretrained model's classes; none where there is no model."""
        if (opened := self._opened) is not None:
            return opened.card.classes
        with suppress(LabeltoolError):
            if (name := self.pretrained) is not None:
                return read_card(registry.find(self._project, name).parent).classes
        return ()

    def map_class(self, label: str, class_name: str) -> None:
        """Let a class suggest a label from now on; nothing is written where the label's name does so already."""
        name, classes = self.pretrained, self.class_names()
        if name is None or class_name not in classes:
            return
        folder, index = registry.find(self._project, name).parent, classes.index(class_name)
        by_hand = class_mapping.read_mapping(folder, classes).get(label)
        if index in (classes_by_name(classes, label) if by_hand is None else by_hand):
            return
        class_mapping.set_mapping(folder, classes, label, [*(by_hand or ()), index])
        self._mapping_changed = True

    def stop(self) -> None:
        """End the process that describes clips."""
        self._task.stop()

    # -- for the thread that prepares clips

    @property
    def due_in_s(self) -> float | None:
        """After how many seconds `work` is to be called; None where there is nothing to do."""
        opened = self._opened
        if opened is None:
            return None
        if opened.is_read and not (opened.unread or opened.pool_unread or opened.is_estimate_due):
            return None
        return max(0.0, self._looked_at + _LOOK_AGAIN_S - time.monotonic())

    def update(self, store: Store) -> bool:
        """Include what was labelled, undone and renamed since the last time; return whether that was anything."""
        with self._lock:
            return self._update(store)

    def _update(self, store: Store) -> bool:
        opened = self._open(store)
        if opened is None:
            return False
        self._suggests = live_pretrained(self._project, store) is not None
        changed = journal.changed_clips(store, opened.mark)
        if changed is not None and not changed and not self._mapping_changed:
            return False
        if changed is not None and len(changed) > MAX_CLIPS:
            changed = None  # an action on more clips than count
        self._mapping_changed = False
        # The mark before the labels: what is written in between is read again the next time.
        opened.mark = journal.newest_id(store)
        # After a renaming, say, all that counts is read again.
        wanted = clips.last_labelled(store, MAX_CLIPS) if changed is None else changed
        answers = {one.clip.id: one for one in clips.labelled(store, wanted)}
        opened.labels = tuple(suggested_labels(store))
        known = {*opened.unread, *opened.model.classifier.keys, *(one.clip.id for one, _ in opened.ready)}
        gone = (known if changed is None else changed) - answers.keys()
        opened.model.remove(gone)
        opened.ready = [one for one in opened.ready if one[0].clip.id not in {*gone, *answers}]
        opened.unread = {clip_id: one for clip_id, one in opened.unread.items() if clip_id not in gone} | answers
        self._read_labelled(opened)
        opened.renew()
        return True

    def work(self, store: Store) -> bool:
        """Read some clips that are described by now, or estimate the accuracy; return whether anything has changed."""
        with self._lock:
            return self._opened is not None and self.due_in_s == 0.0 and self._work(store, self._opened)

    def _work(self, store: Store, opened: OpenedModel) -> bool:
        if not opened.is_read:  # not before the first clip is on the screen
            before = clips.labelled(store, clips.last_labelled(store, MAX_CLIPS))
            known = {*opened.unread, *opened.model.classifier.keys}
            opened.unread = {one.clip.id: one for one in before if one.clip.id not in known} | opened.unread
            opened.pool_unread, opened.is_read = clips.random_unlabelled(store, POOL), True
            return bool(opened.labels)  # it was behind until now
        found = self._read_labelled(opened)
        found += self._read_pool(opened) if found < _AT_ONCE else 0
        if found < _AT_ONCE:  # what is missing is not described yet
            self._looked_at = time.monotonic()
            missing = {*opened.unread, *(clip.id for clip in opened.pool_unread)}
            if not found and not self._task.busy and missing <= self._tried:
                opened.unread, opened.pool_unread = {}, []  # they cannot be read
            self._request(missing)
        if found:
            opened.renew()
        elif opened.is_estimate_due:
            opened.renew_estimate()
            return True
        return found > 0

    def suggestion(self, store: Store, clip: StoredClip) -> ClipSuggestion | None:
        """Return what is suggested for a clip; None where a network suggests, or the clip is not described yet."""
        with self._lock:
            opened = self._opened
            return None if opened is None or not self._suggests else self._suggestion(store, opened, clip)

    def suggestions_for_page(self, store: Store, page: GroupPage) -> GroupPage:
        """Return a page of similar clips with what is suggested for them now, and the classes that they may be of."""
        live = {
            clip.id: found
            for clip in clips.clips_by_ids(store, page.clip_ids)
            if (found := self.suggestion(store, clip)) is not None
        }
        proposed: dict[str, float] = {}
        for found in live.values():
            for name, share in found.proposed.items():
                proposed[name] = proposed.get(name, 0.0) + share / len(live)
        suggestions = {clip_id: found.suggestion for clip_id, found in live.items() if found.suggestion is not None}
        ordered = dict(sorted(proposed.items(), key=lambda item: -item[1]))
        return replace(page, suggestions={**page.suggestions, **suggestions}, proposed=ordered)

    def _suggestion(self, store: Store, opened: OpenedModel, clip: StoredClip) -> ClipSuggestion | None:
        description = self._description(opened, clip)
        if description is None:
            self._missing.add(clip.id)
            self._request({clip.id})
            return None
        if _is_behind(opened):
            return None
        predicted = opened.model.predict([description])
        none = float(predicted.none[0]) if predicted.labels else 1.0
        proposed = propose_classes(
            opened.card.classes,
            embedding_of(description),
            description.peaks,
            opened.compared,
            mapped=opened.model.mapped_classes(),
            by_label=opened.model.scores_by_label,
        )
        model_id, uid = self._origin(store, opened)
        probabilities = zip(predicted.labels, predicted.probabilities[0].tolist(), strict=True)
        ordered = dict(sorted(probabilities, key=lambda item: -item[1]))
        return ClipSuggestion(
            Suggestion(clip.id, model_id, ordered, none, predicted.independent) if ordered else None,
            uid,
            {name: share * none for name, share in proposed.items() if share * none >= _MIN_PROPOSED},
            _likely_classes(opened.card.classes, description.peaks),
            opened.state.source,
        )

    def state(self, store: Store) -> SuggesterState | None:
        opened = self._opened
        live = opened is not None and self._suggests and not _is_behind(opened)
        if opened is None or not live:
            return suggester_state(self._project, store)
        if clips.has_unlabelled(store):
            return opened.state
        return replace(opened.state, accuracy=None, is_done=True)

    def close(self) -> None:
        """Keep the estimate for other commands."""
        if self._opened is not None and self._opened.estimate is not None:
            write_estimate(self._project, self._opened.name, self._opened.estimate)

    # -- inside

    def _open(self, store: Store) -> OpenedModel | None:
        name = self.pretrained
        if self._opened is not None and self._opened.name != name:
            self._opened, self._suggests = None, False  # another one was chosen
            self._cache.clear()
            self._tried.clear()
        if self._opened is not None or name is None:
            return self._opened
        with suppress(LabeltoolError):  # `labeltool model list` names a damaged one
            path = registry.find(self._project, name)
            opened = OpenedModel(name, path.parent, read_card(path.parent))
            opened.mark = journal.newest_id(store)
            opened.labels = tuple(suggested_labels(store))
            opened.renew()
            self._opened = opened
        return self._opened

    def _description(self, opened: OpenedModel, clip: StoredClip) -> ClipDescription | None:
        if clip.id not in self._cache:
            found = read_described(opened.card, self._project.cache / "teacher", clip)
            if found is None:
                return None
            self._cache[clip.id] = found
            self._missing.discard(clip.id)
            while len(self._cache) > _CACHED:
                self._cache.popitem(last=False)
        self._cache.move_to_end(clip.id)
        return self._cache[clip.id]

    def _read_labelled(self, opened: OpenedModel) -> int:
        """Read labelled clips that are described by now; those there are at the start count all at once."""
        found = 0
        for clip_id, one in list(opened.unread.items()):
            description = self._description(opened, one.clip)
            if description is not None:
                opened.ready.append((one, description))
                del opened.unread[clip_id]
                found += 1
            if found == _AT_ONCE:
                return found
        opened.model.set_answers(opened.ready)
        opened.ready.clear()
        return found

    def _read_pool(self, opened: OpenedModel) -> int:
        """Read clips to compare with that are described by now."""
        before, unread = len(opened.pool), []
        for clip in opened.pool_unread:
            full = len(opened.pool) - before == _AT_ONCE
            description = None if full else self._description(opened, clip)
            if description is None:
                unread.append(clip)
            else:
                opened.pool[clip.id] = description
        opened.pool_unread = unread
        if len(opened.pool) > before:
            described = opened.pool.values()
            rows, peaks = [embedding_of(one) for one in described], [one.peaks for one in described]
            opened.compared = ProposalPool(np.stack(rows), np.stack(peaks))
        return len(opened.pool) - before

    def _origin(self, store: Store, opened: OpenedModel) -> tuple[int, str | None]:
        """Return the id and `uid` of the pretrained model's row; no `uid` where none can be written."""
        if opened.origin is None:
            opened.origin = (0, None)
            if not store.read_only:
                with suppress(LabeltoolError):
                    model_id = models.live_model_id(store, opened.name)
                    opened.origin = (model_id, models.uid(store, model_id))
        return opened.origin

    def _request(self, clip_ids: set[int]) -> None:
        """Have clips described, unless that was tried: one that cannot be read stays missing."""
        if self._opened is not None and clip_ids - self._tried and self._task.start(name=self._opened.name):
            self._tried |= clip_ids

    def _note_described(self, stage: str, done: int, total: int, text: str = "", /) -> None:
        if text.isdecimal() and int(text) in self._missing:
            self._missing.discard(int(text))
            self._on_described()


def _likely_classes(classes: Sequence[str], peaks: Float32) -> tuple[str, ...]:
    """Return the classes that a pretrained model predicts for a clip, the most probable first."""
    order = np.argsort(-peaks, kind="stable")
    return tuple(classes[place] for place in order[: int((peaks >= _MIN_LIKELY).sum())])


def _is_behind(opened: OpenedModel) -> bool:
    """Return whether most labels of a project that was opened are still to be read: older suggestions are better."""
    if not opened.is_read and opened.labels:
        return True  # the labelled clips are not even looked for yet
    return len(opened.unread) + len(opened.ready) > max(_BEHIND, len(opened.model))
