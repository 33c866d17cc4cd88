"""Labelling spans in a long recording: it opens at once, zooms and scrolls, and what is marked in it is said of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from textual import work

from labeltool.errors import LabeltoolError
from labeltool.records import Segment, StoredClip, Suggestion, Value
from labeltool.store import Store, clips, spans, transcripts
from labeltool.store.journal import JournalRow
from labeltool.store.spans import Kind, Mark, Span
from labeltool.tui.background.prefetch import Delivery, Prepared
from labeltool.tui.keys import SPANS
from labeltool.tui.label_choices import offers
from labeltool.tui.media.clip_picture import BANDS, Eye
from labeltool.tui.media.selection import Marking
from labeltool.tui.screens.answering import heard as present_after
from labeltool.tui.screens.recording_base import RecordingScreen
from labeltool.tui.services import Services
from labeltool.tui.session import Answer
from labeltool.tui.widgets.span_lanes import is_of, name_of
from labeltool.tui.widgets.suggestions import Saying
from labeltool.tui.widgets.time_track import Box
from labeltool.type_aliases import Float64

_T = TypeVar("_T")

_NOT_STORED = 0  # the id of a span that is no clip yet
_NEAR_S = 1e-4
_EXPORT_HINT = "`labeltool export --audacity` writes it as a label track"


class SpansScreen(RecordingScreen):
    """Marks spans of a recording and takes answers on them."""

    BINDINGS = SPANS.bindings()

    def __init__(self, services: Services, *, repeat_s: float) -> None:
        super().__init__(services, SPANS, repeat_s=repeat_s)
        self.marking = Marking()
        self._spans: Sequence[Span] = ()
        self._hinted = False

    # -- what is marked and what stands

    @property
    def mark(self) -> Mark | None:
        """The marked span."""
        return self.marking.mark

    def came_to_another(self) -> None:
        """Forget the mark and what stood on the recording before."""
        self.marking, self._spans = Marking(), ()
        self.spoken.show(())
        self._ask()

    def show_standing(self) -> None:
        """Show what stands on the stretch in sight."""
        if self.opened is not None:
            self.lanes.show(self._spans, self.opened.window, self.mark)

    def box(self) -> Box | None:
        """Return the marked span as a part of what is seen."""
        marking = self.marking
        if self.opened is None or not marking.begun:
            return None
        ends = [end_s for end_s in (marking.start_s, marking.end_s) if end_s is not None]
        start, end = (self.opened.window.share(moment_s) for moment_s in (ends[0], ends[-1]))
        return Box(start, end, marking.low_hz, marking.high_hz)

    def action_rise(self, steps: int) -> None:
        """Move the edge of the band, or zoom in (out, below zero)."""
        if self.marking.edge is not None:
            rows = 2 * max(1, self._spectrogram.size.height - 1)
            self.marking.move_edge(steps * max(1, BANDS // rows), self._band_hz)
            self._mark_changed()
            return
        self.zoom(steps)

    def action_jump(self, steps: int) -> None:
        """Go to the next label or suggestion, or the one before, and take its bounds for the mark."""
        if self.opened is None:
            return
        places = [span for span in self._spans if span.value in (None, Value.PRESENT, Value.UNSURE)]
        position_s = self.services.player.position_s
        # Several may begin at one moment: from the one whose bounds the mark has it goes on to its neighbour.
        here = [at for at, span in enumerate(places) if self.mark and is_of(span, self.mark)]
        if here and abs(places[here[0]].start_s - position_s) < _NEAR_S:
            at = here[-1] + 1 if steps > 0 else here[0] - 1
        elif steps > 0:
            at = next((at for at, span in enumerate(places) if span.start_s > position_s + _NEAR_S), len(places))
        else:
            at = sum(span.start_s < position_s - _NEAR_S for span in places) - 1
        if not 0 <= at < len(places):
            self.notice.tell(f"no label or suggestion {'after' if steps > 0 else 'before'} this")
            return
        span = places[at]
        self._show_mark(Mark(span.start_s, span.end_s, span.low_hz, span.high_hz))
        self.notice.tell(f"{at + 1} of {len(places)}: {name_of(span)}")
        if self.services.state.autoplay:
            self.action_replay()

    def _show_mark(self, mark: Mark) -> None:
        """Take a span for the mark and go to it."""
        if self.opened is not None:
            self.marking.take(mark)
            self.opened.window.show(mark.start_s, mark.end_s)
            self.go(mark.start_s)
            self._mark_changed()
            self.look()

    # -- marking

    @property
    def _band_hz(self) -> Float64:
        return Eye.of(self.opened.recording.sample_rate_hz if self.opened is not None else 16_000).band_hz

    def _mark_changed(self) -> None:
        """Show the mark as it is now, and ask of it."""
        self._saying, self._said_here, self._appeared = Saying.ANSWER, False, time.monotonic()
        self._ask()
        if self.services.player.loop:
            self.keep_within_mark()
        self.draw()

    def _ask(self) -> None:
        opened, mark = self.opened, self.mark
        self._now = None
        held = None
        if opened is not None and mark is not None:
            clip = StoredClip(
                id=_NOT_STORED,
                recording_id=opened.recording.id,
                path=opened.recording.path,
                sha256="",
                start_s=mark.start_s,
                end_s=mark.end_s,
                fold=None,
                group="",
            )
            held = max(self._held_there(mark), key=lambda span: _shared_s(span, mark), default=None)
            self._now = Prepared(
                clip=clip,
                sound=None,
                problem="",
                suggestion=None if held is None else _suggestion_of(held),
                model_uid=None if held is None else held.model_uid,
                said=(),
            )
        self._offers = offers(self._now.shares if self._now else {}, self.services.state.used)
        self.show_offers()

    def _held_there(self, mark: Mark) -> list[Span]:
        return [span for span in self._spans if span.kind is Kind.SUGGESTION and _shared_s(span, mark) > 0]

    def action_mark_in(self) -> None:
        """Let the span begin at the playhead."""
        self.marking.begin(self.services.player.position_s)
        self._mark_changed()

    def action_mark_out(self) -> None:
        """Let the span end at the playhead."""
        self.marking.finish(self.services.player.position_s)
        self._mark_changed()

    def action_nudge(self, steps: int) -> None:
        """Go by a column; the end of the span that the playhead stands on goes with it."""
        if self.opened is None:
            return
        if self.services.player.playing:
            self.services.player.toggle()
        from_s = self.services.player.position_s
        self.go(from_s + steps * self.opened.window.span_s / max(1, self.columns))
        if self.marking.carry(from_s, self._position_s):
            self._mark_changed()

    def action_to_end(self, last: bool) -> None:
        """Go to the beginning or the end of the span."""
        moment_s = self.marking.end_s if last else self.marking.start_s
        if moment_s is not None:
            self.go(moment_s)

    def action_band(self) -> None:
        """Give the span a band, or go on to its other edge."""
        if self._marked():
            self.marking.next_edge(self._band_hz)
            self._mark_changed()
            edge = self.marking.edge
            self.notice.tell(f"↑ ↓ move the {edge} of the band" if edge else "the band stays; F takes it away")

    def action_no_band(self) -> None:
        """Take the band away."""
        self.marking.drop_band()
        self._mark_changed()

    def action_drop(self) -> None:
        """Forget what was begun last; with nothing begun, go back."""
        begun = self._saying is not Saying.ANSWER or bool(self.notice.warning)
        super().action_drop()
        if self.marking.edge is not None:
            self.marking.edge = None
            self._mark_changed()
        elif self.marking.begun and not begun:
            self.marking = Marking()
            self._mark_changed()
        elif not begun:
            self.call_later(self.run_action, "app.return")

    def _marked(self) -> bool:
        if self.mark is None:
            self.notice.tell("mark a span first: i where it begins, o where it ends")
        return self.mark is not None

    # -- answering

    def show_offers(self) -> None:
        """Show the labels to take and the span they are taken for."""
        self.bar.show(self.marking, self._offers, self._saying, self.heard_on(self._now) if self._now else ())

    def labels_came(self) -> None:
        """Offer the labels that were not known before."""
        self._ask()

    def heard_on(self, asked: Prepared) -> list[str]:
        """Return the labels that stand as present on just the marked span."""
        mark = Mark(asked.clip.start_s, asked.clip.end_s)
        heard = [span for span in self._spans if span.value is Value.PRESENT and is_of(span, mark)]
        # What was just said of it may not have been read yet.
        texts = [span.text for span in heard if span.text is not None]
        return list(dict.fromkeys([*texts, *present_after(asked.said)]))

    async def action_take(self, place: int) -> None:
        """Take the label shown with a digit for the marked span."""
        if self._marked():
            await super().action_take(place)

    def action_find(self) -> None:
        """Open the palette."""
        if self._marked():
            super().action_find()

    def action_note(self) -> None:
        """Write a note on the marked span."""
        if self._marked():
            super().action_note()

    async def say(
        self,
        key: str,
        label: str | None,
        value: Value = Value.PRESENT,
        *,
        accepted_from: str | None = None,
        relabels: bool = True,
    ) -> None:
        """Write a verdict on the marked span, which stays marked."""
        if self._marked():
            await super().say(key, label, value, accepted_from=accepted_from, relabels=relabels)

    async def write(self, asked: Prepared, answer: Answer) -> JournalRow:
        """Write a verdict on the marked span."""
        assert self.opened is not None
        return await self.services.session.say_span(self.opened.recording, self._mark_of(asked), answer)

    async def write_note(self, asked: Prepared, text: str) -> JournalRow:
        """Write a note on the marked span."""
        assert self.opened is not None
        row = await self.services.session.note_span(self.opened.recording, self._mark_of(asked), text)
        self.look_again()
        return row

    def _mark_of(self, asked: Prepared) -> Mark:
        return Mark(asked.clip.start_s, asked.clip.end_s, self.marking.low_hz, self.marking.high_hz)

    def go_on(self, answered: int) -> None:
        """Show what was said; the span stays marked, for another word on it or to be moved."""
        if not self._hinted:
            self._hinted = True
            self.notice.tell(f"{self.notice.text}   {_EXPORT_HINT}")
        self.look_again()

    def go_back(self, row: JournalRow) -> None:
        """Mark the span again of which something was taken back."""
        self._go_back(row)

    @work(exclusive=True, group="standing")
    async def _go_back(self, row: JournalRow) -> None:
        place = await self._read(lambda store: spans.place_of(store, row))
        await self._refresh()
        if place is not None and self.opened is not None and place[0] == self.opened.recording.id:
            self._show_mark(place[1])

    def look_again(self) -> None:
        """Read again what stands on the recording."""
        self._look_again()

    @work(exclusive=True, group="standing")
    async def _look_again(self) -> None:
        await self._refresh()

    async def _refresh(self) -> None:
        if self.opened is None:
            return
        recording_id = self.opened.recording.id

        def read(store: Store) -> tuple[Sequence[Span], clips.Counts, Sequence[Segment]]:
            said = transcripts.of_recordings(store, recording_id).get(recording_id, ())
            return spans.standing(store, recording_id), clips.counts(store), said

        found = await self._read(read)
        if found is None or recording_id != self.opened.recording.id:
            return
        self._spans, counts, said = found
        self.spoken.show(said)
        self.services.state.count(counts)
        self.header.refresh()
        self.overview.show_spans(self._spans)
        self.show_standing()
        if self._offers:
            self.show_offers()  # those shown keep their digits
        else:
            self._ask()

    async def _read(self, what: Callable[[Store], _T]) -> _T | None:
        try:
            return await self.services.reader.do(what)
        except LabeltoolError as error:
            self.notice.warn(str(error))
            return None

    def take_delivery(self, delivery: Delivery) -> None:
        """Tell what went wrong in reading; clips that were made ready are for other ways to work."""
        if delivery.failure:
            self.notice.warn(delivery.failure)


def _suggestion_of(held: Span) -> Suggestion:
    # Which model it was stands in the span: many clips may have been joined.
    return Suggestion(held.clip_id, 0, {held.text or "": held.probability or 0.0})


def _shared_s(span: Span, mark: Mark) -> float:
    """Return how long a span and a mark overlap; below zero where they do not."""
    return min(span.end_s, mark.end_s) - max(span.start_s, mark.start_s)
