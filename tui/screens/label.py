"""Label: the most informative unlabelled clip is shown and played; one key labels it, and the next one appears."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Horizontal

from labeltool.store.journal import JournalRow
from labeltool.tui.background.clip_queue import ClipQueue
from labeltool.tui.background.prefetch import Delivery, PreparedClip
from labeltool.tui.keys import LABEL
from labeltool.tui.screens.annotate_base import AnnotateScreen
from labeltool.tui.services import Services
from labeltool.tui.session import Annotation

_RETRY_S = 5.0
_NO_REQUEST = 0  # requests are numbered from 1


class LabelScreen(AnnotateScreen):
    """Shows the queue, one clip at a time."""

    BINDINGS = LABEL.bindings()

    def __init__(self, services: Services, *, repeat_s: float) -> None:
        super().__init__(services, LABEL, repeat_s=repeat_s)
        self._queue = ClipQueue()
        self._request = _NO_REQUEST
        self._at_end = False
        # Whether suggestions that include the last label are on their way to the clip on the screen.
        self._renewing = False
        # The clip of what was undone, until it is read: a key meanwhile is not meant for the clip on the screen.
        self._undone_id: int | None = None

    @property
    def current(self) -> PreparedClip | None:
        return self._queue.current

    @current.setter
    def current(self, prepared: PreparedClip | None) -> None:
        self._queue.current = prepared

    @property
    def awaits_clip(self) -> bool:
        """Whether the next clip is being read."""
        return self.current is None and not self._at_end

    @property
    def busy(self) -> bool:
        """Whether the clip of what was undone is being read."""
        return self._undone_id is not None

    @property
    def source(self) -> str:
        """Where the suggestions come from, with dots while they do not include the last label."""
        return f"{super().source} …" if self._renewing else super().source

    async def write(self, prepared: PreparedClip, annotation: Annotation) -> JournalRow:
        row = await super().write(prepared, annotation)
        model = self.services.state.model
        suggester = model.suggester if model is not None else None
        self._renewing = suggester is not None and suggester.kind != "network"  # which is not renewed by a label
        return row

    def renew_suggestions(self, renewed: Sequence[PreparedClip]) -> None:
        if self.current is not None and any(one.clip == self.current.clip for one in renewed):
            self._renewing = False
        super().renew_suggestions(renewed)

    def compose_body(self) -> ComposeResult:
        yield Horizontal(*self.compose_clip(), self.panel, id="main")

    def on_mount(self) -> None:
        self.show_no_clip("Reading the first clip …")
        self.reload()
        self.set_interval(_RETRY_S, self._look_for_clips)

    def enter(self) -> None:
        """Request the queue again: clips were labelled in another view meanwhile, perhaps the one on the screen."""
        super().enter()
        self._queue.forget_undone()
        self._queue.replace((), complete=True)
        self.reload()
        self._check_current()

    def reload(self) -> None:
        """Request the queue; the clip on the screen stays."""
        self._request = self.services.prefetcher.request_queue(self._queue.here)

    def _look_for_clips(self) -> None:
        """Look for new clips, of an import in another program for example, while there is nothing to show."""
        if self.current is None and not self.busy and self.owns_player:
            self.reload()

    def show_prepared(self, prepared: PreparedClip) -> None:
        self.remove_class("-empty")
        super().show_prepared(prepared)

    def show_next(self, clip_id: int) -> None:
        following = self._queue.advance()
        if following is not None:
            self.show_prepared(following)
        else:
            self._at_end = False
            self.show_no_clip("Reading the next clip …")
        # A queue on its way is older than this label: it may contain the clip, or count it as unlabelled.
        self._request = _NO_REQUEST
        # Drawing comes first: the thread that reads ahead would compete with it.
        self.call_after_refresh(self.reload)

    def show_undone(self, row: JournalRow) -> None:
        if row.clip_id is not None:
            self._undone_id = row.clip_id
            self.services.prefetcher.request_clip(row.clip_id)

    def is_up_to_date(self, delivery: Delivery) -> bool:
        return delivery.request == self._request

    def receive(self, delivery: Delivery) -> None:
        if delivery.failure:
            self._undone_id = None
            self.notice.warn(delivery.failure)
        if delivery.requested is not None and delivery.requested.clip.id == self._undone_id:
            self._undone_id = None
            self.services.prefetcher.recount()  # what was on its way here was counted before
            self._return_to(delivery.requested)
            self.reload()
        elif delivery.requested is not None and self._labelled_elsewhere(delivery.requested):
            self.show_next(delivery.requested.clip.id)
            self._check_current()
        self._queue.renew(delivery.renewed)
        if delivery.queue is not None and delivery.request == self._request:
            self._take_queue(delivery.queue, complete=delivery.complete)

    def _check_current(self) -> None:
        if self.current is not None:
            self.services.prefetcher.request_clip(self.current.clip.id)

    def _labelled_elsewhere(self, requested: PreparedClip) -> bool:
        current = self.current
        return (
            current is not None and requested.clip.id == current.clip.id and requested.has_verdict > current.has_verdict
        )

    def _take_queue(self, queue: tuple[PreparedClip, ...], *, complete: bool) -> None:
        self._queue.replace(queue, complete=complete)
        following = self._queue.following
        if following is not None and following.sound is not None:
            self.services.player.expect(following.sound.samples)
            self.expect(following.sound)
        if self.current is not None or self.busy:
            return
        following = self._queue.advance()
        if following is not None:
            self.show_prepared(following)
        elif complete:
            self._at_end = True
            self.add_class("-empty")  # the panel of labels would take the space
            self.show_no_clip(
                "No unlabelled clips are left.",
                "",
                *self.offers(
                    ("review", "review labels that are suspicious"),
                    ("train", "train a model on all labels"),
                    ("evaluate", "evaluate the newest model"),
                    ("export", "export data sets or the model"),
                    ("undo", "undo the last label"),
                    ("quit", "quit"),
                ),
            )

    def _return_to(self, prepared: PreparedClip) -> None:
        here = self.current is not None and self.current.clip.id == prepared.clip.id
        self._queue.return_to(prepared)
        if here:
            # An annotation on the clip on the screen was undone: the sound goes on.
            self._annotated_here = False
            self.show_choices()
        else:
            self.show_prepared(prepared)
