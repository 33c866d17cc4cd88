"""Regions: select a region of a long recording and label it."""

from __future__ import annotations

import time
from collections.abc import Sequence

from textual import work

from labeltool.audio.mel_picture import BANDS, MelAnalyzer
from labeltool.records import Segment, StoredClip, Suggestion, Value
from labeltool.store import Store, checked, clips, labels, spans, transcripts
from labeltool.store.checked import CheckedPart
from labeltool.store.journal import JournalRow
from labeltool.store.labels import ProjectLabel
from labeltool.store.spans import Kind, Region, Span
from labeltool.tui.background.prefetch import PreparedClip
from labeltool.tui.keys import REGIONS
from labeltool.tui.media.selection import Selection
from labeltool.tui.screens.annotate_base import Answer
from labeltool.tui.screens.recording_base import RecordingScreen
from labeltool.tui.screens.undo_base import present_labels
from labeltool.tui.services import Services
from labeltool.tui.session import Annotation
from labeltool.tui.shared_keys import View
from labeltool.tui.widgets.label_bar import checked_text
from labeltool.tui.widgets.span_lanes import has_bounds, span_text
from labeltool.tui.widgets.suggestions import LabelMode, describe_row
from labeltool.tui.widgets.time_track import Box
from labeltool.type_aliases import Float64

_OfRecording = tuple[Sequence[Span], clips.Counts, Sequence[ProjectLabel], Sequence[Segment], Sequence[CheckedPart]]

_NOT_STORED = 0  # the id of a region that is no clip yet
_NEAR_S = 1e-4
_EXPORT_HINT = "`labeltool export --audacity` writes it as a label track"


class RegionsScreen(RecordingScreen):
    """Selects regions of a recording and labels them."""

    BINDINGS = REGIONS.bindings()

    def __init__(self, services: Services, *, repeat_s: float, view: View = REGIONS) -> None:
        super().__init__(services, view, repeat_s=repeat_s)
        self.selection = Selection()
        self._spans: Sequence[Span] = ()
        self._spans_read = False
        self._export_hint_shown = False

    def enter(self) -> None:
        """Go on with the recording; say how to open one where there is none."""
        super().enter()
        if self.opened is None:
            self.show_text("No recording is open.", "", *self.nothing_open())

    def nothing_open(self) -> Sequence[str]:
        return [*self.offers(("label", "choose a clip"), ("browse", "find a clip")), "then w: open its recording"]

    # -- selection and labels

    @property
    def selected_region(self) -> Region | None:
        return self.selection.region

    def clear(self) -> None:
        self.selection, self._spans = Selection(), ()
        self._spans_read = False
        self.transcript.show(())
        self.bar.show_checked("")
        self._update_current()

    def show_spans(self) -> None:
        if self.opened is not None:
            self.lanes.show(self._spans, self.opened.viewport, self.selected_region)

    def box(self) -> Box | None:
        selection = self.selection
        if self.opened is None or not selection.started:
            return None
        ends = [end_s for end_s in (selection.start_s, selection.end_s) if end_s is not None]
        start, end = (self.opened.viewport.share(moment_s) for moment_s in (ends[0], ends[-1]))
        return Box(start, end, selection.low_hz, selection.high_hz)

    def action_up(self, steps: int) -> None:
        """Move the edge of the frequency range, or zoom in (out, below zero)."""
        if self.selection.edge is not None:
            rows = 2 * max(1, self._spectrogram.size.height - 1)
            self.selection.move_edge(steps * max(1, BANDS // rows), self._band_hz)
            self._selection_changed()
            return
        self.action_zoom_time(steps)

    def action_jump(self, steps: int) -> None:
        """Select the next label or suggestion, or the previous one."""
        if self.opened is None:
            return
        if not self._spans_read:
            self.notice.show("the labels of this recording are still being read")
            return
        targets = [span for span in self._spans if span.value in (None, Value.PRESENT, Value.UNSURE)]
        position_s = self.services.player.position_s
        # Several may start at one moment: after the selected one comes its neighbour. Where none is selected, one that
        # starts at the playhead comes first.
        here = [
            at for at, span in enumerate(targets) if self.selected_region and has_bounds(span, self.selected_region)
        ]
        if here and abs(targets[here[0]].start_s - position_s) < _NEAR_S:
            at = here[-1] + 1 if steps > 0 else here[0] - 1
        elif steps > 0:
            at = next((at for at, span in enumerate(targets) if span.start_s > position_s - _NEAR_S), len(targets))
        else:
            at = sum(span.start_s < position_s - _NEAR_S for span in targets) - 1
        if not 0 <= at < len(targets):
            self.notice.show(f"no label or suggestion {'after' if steps > 0 else 'before'} this")
            return
        span = targets[at]
        self._select(Region(span.start_s, span.end_s, span.low_hz, span.high_hz))
        self.notice.show(f"{at + 1} of {len(targets)}: {span_text(span)}")
        if self.services.state.autoplay:
            self.action_replay()

    def _select(self, region: Region) -> None:
        if self.opened is not None:
            self.selection.select(region)
            self.opened.viewport.show(region.start_s, region.end_s)
            self.go(region.start_s)
            self._selection_changed()
            self.update_window()

    # -- selecting

    def select_part(self, start_s: float, end_s: float) -> None:
        """Select a region; its frequency range is set with the keys."""
        self._select(Region(start_s, end_s))

    @property
    def _band_hz(self) -> Float64:
        return MelAnalyzer.for_rate(self.opened.recording.sample_rate_hz if self.opened is not None else 16_000).band_hz

    def _selection_changed(self) -> None:
        """Show the changed region, and its labels."""
        self._mode, self._annotated_here, self._shown_at = LabelMode.LABEL, False, time.monotonic()
        self._new_keys.clear()
        self._update_current()
        if self.services.player.loop:
            self.limit_playback()
        self.draw()

    def _update_current(self) -> None:
        opened, region = self.opened, self.selected_region
        self._current = None
        if opened is not None and region is not None:
            clip = StoredClip(
                id=_NOT_STORED,
                recording_id=opened.recording.id,
                path=opened.recording.path,
                sha256="",
                start_s=region.start_s,
                end_s=region.end_s,
                fold=None,
                group="",
            )
            suggestions = [span for span in self._spans if span.kind is Kind.SUGGESTION]
            suggested = max(suggestions, key=lambda span: _overlap_s(span, region), default=None)
            if suggested is not None and _overlap_s(suggested, region) <= 0:
                suggested = None
            self._current = PreparedClip(
                clip=clip,
                sound=None,
                problem="",
                suggestion=None if suggested is None else _suggestion_of(suggested),
                model_uid=None if suggested is None else suggested.model_uid,
                rows=(),
            )
        self._update_labels()

    def _update_labels(self) -> None:
        self.choices = self.with_keys(self._current.probabilities if self._current else {})
        self.show_choices()

    def action_set_start(self) -> None:
        self.selection.set_start(self.services.player.position_s)
        self._selection_changed()

    def action_set_end(self) -> None:
        self.selection.set_end(self.services.player.position_s)
        self._selection_changed()

    def action_nudge(self, steps: int) -> None:
        """Move by columns, with the start or end of the region that is at the playhead."""
        if self.opened is None:
            return
        if self.services.player.playing:
            self.services.player.toggle()
        from_s = self.services.player.position_s
        self.go(from_s + steps * self.opened.viewport.span_s / max(1, self.columns))
        if self.selection.move_boundary(from_s, self._position_s):
            self._selection_changed()

    def action_go_to_end(self, last: bool) -> None:
        moment_s = self.selection.end_s if last else self.selection.start_s
        if moment_s is not None:
            self.go(moment_s)

    def action_frequency_range(self) -> None:
        """Set a frequency range, or go on to its other edge."""
        if self._has_region():
            self.selection.next_edge(self._band_hz)
            self._selection_changed()
            edge = self.selection.edge
            moving = f"↑ ↓ move the {edge} of the frequency range"
            self.notice.show(moving if edge else "frequency range set; F removes it")

    def action_no_frequency_range(self) -> None:
        self.selection.clear_frequency_range()
        self._selection_changed()

    def action_cancel(self) -> None:
        """Cancel what was started last; with nothing started, go back."""
        labelling = self._mode is not LabelMode.LABEL or bool(self.notice.warning)
        super().action_cancel()
        if self.selection.edge is not None:
            self.selection.edge = None
            self._selection_changed()
        elif self.selection.started and not labelling:
            self.selection = Selection()
            self._selection_changed()
        elif not labelling:
            self.call_later(self.run_action, "app.previous_view")

    def _has_region(self) -> bool:
        if self.selected_region is None:
            self.notice.show("select a region first: i sets its start, o its end")
        return self.selected_region is not None

    # -- labels

    def show_choices(self) -> None:
        present = self.present_on(self._current) if self._current else ()
        self.bar.show(self.selection, self.choices, self._mode, present, first=self.first_choice)

    def update_choices(self) -> None:
        self._update_current()

    def present_on(self, prepared: PreparedClip) -> list[str]:
        """Return the labels that are present on exactly the selected region."""
        region = Region(prepared.clip.start_s, prepared.clip.end_s)
        present = [span for span in self._spans if span.value is Value.PRESENT and has_bounds(span, region)]
        # The newest rows may not have been read yet.
        texts = [span.text for span in present if span.text is not None]
        return list(dict.fromkeys([*texts, *present_labels(prepared.rows)]))

    async def action_label_key(self, key: str) -> None:
        if self._has_region():
            await super().action_label_key(key)

    async def action_accept_first(self) -> None:
        if self._has_region():
            await super().action_accept_first()

    def action_find_label(self) -> None:
        if self._has_region():
            super().action_find_label()

    def action_note(self) -> None:
        if self._has_region():
            super().action_note()

    async def annotate(self, answer: Answer) -> None:
        """Write a verdict on the region, which stays selected."""
        if self._has_region():
            await super().annotate(answer)

    async def write(self, prepared: PreparedClip, annotation: Annotation) -> JournalRow:
        assert self.opened is not None
        return await self.services.session.annotate_region(self.opened.recording, self._region_of(prepared), annotation)

    async def write_note(self, prepared: PreparedClip, text: str) -> JournalRow:
        assert self.opened is not None
        row = await self.services.session.note_region(self.opened.recording, self._region_of(prepared), text)
        self.reload()
        return row

    async def action_mark_checked(self) -> None:
        """Mark the region, or without one the whole recording, as checked."""
        if self.opened is None:
            return
        row = await self.attempt(self.services.session.mark_checked(self.opened.recording, self.selected_region))
        if row is None:
            return
        part = "recording" if self.selected_region is None else "region"
        self.notice.show(f"{describe_row(row)}: what has no label in this {part} is background; u undoes it")
        self.reload()

    def _region_of(self, prepared: PreparedClip) -> Region:
        return Region(prepared.clip.start_s, prepared.clip.end_s, self.selection.low_hz, self.selection.high_hz)

    def show_next(self, clip_id: int) -> None:
        """Show the label; the region stays selected, to be moved or labelled further."""
        if not self._export_hint_shown:
            self._export_hint_shown = True
            self.notice.show(f"{self.notice.text}   {_EXPORT_HINT}")
        self.reload()

    def show_undone(self, row: JournalRow) -> None:
        self._select_undone(row)

    @work(exclusive=True, group="spans")
    async def _select_undone(self, row: JournalRow) -> None:
        found = await self.attempt(self.services.reader.do(lambda store: spans.region_of(store, row)))
        await self._refresh()
        if found is not None and self.opened is not None and found[0] == self.opened.recording.id:
            self._select(found[1])
        else:
            self.show_undone_elsewhere(row, "not on this screen")

    def reload(self) -> None:
        self._reload_spans()

    @work(exclusive=True, group="spans")
    async def _reload_spans(self) -> None:
        await self._refresh()

    async def _refresh(self) -> None:
        if self.opened is None:
            return
        recording_id = self.opened.recording.id

        def read(store: Store) -> _OfRecording:
            segments = transcripts.of_recordings(store, recording_id).get(recording_id, ())
            parts = checked.checked_parts(store, recording_id)
            names = labels.project_labels(store)
            return spans.annotated_spans(store, recording_id), clips.counts(store), names, segments, parts

        found = await self.attempt(self.services.reader.do(read))
        if found is None or recording_id != self.opened.recording.id:
            return
        self._spans_read, state = True, self.services.state
        self._spans, counts, state.labels, segments, parts = found
        self.transcript.show(segments)
        self.bar.show_checked(checked_text(parts, self.opened.recording.duration_s))
        state.set_counts(counts)
        self.header.refresh()
        self.overview.show_spans(self._spans)
        self.show_spans()
        self._update_labels()


def _suggestion_of(span: Span) -> Suggestion:
    # The span has the model's uid: it may join clips.
    return Suggestion(span.clip_id, 0, {span.text or "": span.probability or 0.0})


def _overlap_s(span: Span, region: Region) -> float:
    """Return the overlap of a span and a region; below zero where there is none."""
    return min(span.end_s, region.end_s) - max(span.start_s, region.start_s)
