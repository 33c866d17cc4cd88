"""Asking: the clip that teaches most is played and shown, one key answers it, the next one is there."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal

from labeltool.store.journal import JournalRow
from labeltool.tui.background.clip_queue import Line
from labeltool.tui.background.prefetch import Delivery, Prepared
from labeltool.tui.keys import ASK
from labeltool.tui.screens.answering import AnsweringScreen
from labeltool.tui.services import Services

_ASK_AGAIN_S = 5.0
_NONE_ASKED = 0  # the preparer numbers requests from 1


class AskScreen(AnsweringScreen):
    """The queue, one clip at a time."""

    BINDINGS = ASK.bindings()

    def __init__(self, services: Services, *, repeat_s: float) -> None:
        super().__init__(services, ASK, repeat_s=repeat_s)
        self._line = Line()
        self._request = _NONE_ASKED
        # What undo took back, until its clip is here: a key pressed meanwhile is not meant for the one on the screen.
        self._fetching: JournalRow | None = None

    @property
    def now(self) -> Prepared | None:
        """The clip on the screen."""
        return self._line.now

    @now.setter
    def now(self, prepared: Prepared | None) -> None:
        self._line.now = prepared

    @property
    def busy(self) -> bool:
        """Whether undo waits for its clip."""
        return self._fetching is not None

    def compose(self) -> ComposeResult:
        """Lay the room out."""
        yield self.header
        yield Horizontal(*self.compose_sight(), self.panel, id="desk")
        yield self.notice
        yield self.hints

    def on_mount(self) -> None:
        """Ask for the first clips."""
        self.show_nothing("The first clip is being read …")
        self.look_again()
        self.set_interval(_ASK_AGAIN_S, self._ask_again)

    def entered(self) -> None:
        """Put the queue in order anew: clips were answered elsewhere meanwhile, perhaps the one on the screen."""
        super().entered()
        self._line.drop_left()
        self._line.take((), complete=True)
        self.look_again()
        self._check()

    def look_again(self) -> None:
        """Ask for the queue; the clip on the screen stays."""
        self._request = self.services.preparer.want(self._line.here)

    def _ask_again(self) -> None:
        """Look for new clips (of an import elsewhere, say) while there is nothing to show."""
        if self.now is None and not self.busy and self.in_front:
            self.look_again()

    def go_on(self, answered: int) -> None:
        """Show the next clip of the queue."""
        following = self._line.advance()
        if following is not None:
            self.show_prepared(following)
        else:
            self.show_nothing("The next clip is being read …")
        # What is on its way was made before this answer: it may hold the clip just left, or count it as open.
        self._request = _NONE_ASKED
        # Painting comes first: the thread that prepares would take turns with it.
        self.call_after_refresh(self.look_again)

    def go_back(self, row: JournalRow) -> None:
        """Fetch the clip of a row that was taken back."""
        if row.clip_id is not None:
            self._fetching = row
            self.services.preparer.want_one(row.clip_id)

    def is_up_to_date(self, delivery: Delivery) -> bool:
        """Tell whether a delivery was made after the last answer here."""
        return delivery.request == self._request

    def take_delivery(self, delivery: Delivery) -> None:
        """Take what the preparer made."""
        state = self.services.state
        if delivery.failure:
            self._fetching = None
            self.notice.warn(delivery.failure)
        undone = self._fetching
        if undone is not None and delivery.one is not None and delivery.one.clip.id == undone.clip_id:
            self._fetching = None
            state.labelled -= undone.kind == "verdict" and not delivery.one.has_verdict
            self.header.refresh()
            self._return_to(delivery.one)
            self.look_again()
        elif delivery.one is not None and self._answered_elsewhere(delivery.one):
            self.go_on(delivery.one.clip.id)
            self._check()
        if delivery.queue is not None and delivery.request == self._request:
            self._take_queue(delivery.queue, complete=delivery.complete)

    def _check(self) -> None:
        if self.now is not None:
            self.services.preparer.want_one(self.now.clip.id)

    def _answered_elsewhere(self, one: Prepared) -> bool:
        now = self.now
        return now is not None and one.clip.id == now.clip.id and one.has_verdict > now.has_verdict

    def _take_queue(self, queue: tuple[Prepared, ...], *, complete: bool) -> None:
        self._line.take(queue, complete=complete)
        if self.now is not None or self.busy:
            return
        following = self._line.advance()
        if following is not None:
            self.show_prepared(following)
        elif complete:
            self.show_nothing(
                "Nothing is left to ask.",
                "",
                "Every clip has its answer.",
                "u takes the last one back · t trains · q leaves",
            )

    def _return_to(self, prepared: Prepared) -> None:
        here = self.now is not None and self.now.clip.id == prepared.clip.id
        self._line.go_back(prepared)
        if here:
            # Something said on this clip was taken back: the sound goes on.
            self._said_here = False
            self.show_offers()
        else:
            self.show_prepared(prepared)
