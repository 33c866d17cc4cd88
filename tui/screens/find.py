"""Find: the events of a label in hours of sound, one candidate after the other, the most informative first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from textual import work
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Static

from labeltool.errors import LabeltoolError
from labeltool.records import Value
from labeltool.similarity.find import Candidate, FindResult, propose
from labeltool.similarity.segment_index import SegmentIndex, segment_index
from labeltool.store import Store, recordings
from labeltool.store.journal import JournalRow
from labeltool.store.recordings import StoredRecording
from labeltool.store.spans import Region
from labeltool.tasks.registry import FIND as FIND_TASK
from labeltool.tui.background.task import BackgroundTask
from labeltool.tui.background.turns import in_turn
from labeltool.tui.dialogs.palette import Palette
from labeltool.tui.dialogs.prompts import ask
from labeltool.tui.keys import FIND
from labeltool.tui.label_choices import by_usage
from labeltool.tui.screens.annotate_base import Answer
from labeltool.tui.screens.regions import RegionsScreen
from labeltool.tui.services import Services
from labeltool.tui.text import one_line, truncate

_LIMIT = 20
_CONTEXT_S = 1.0
_LABEL_CELLS = 28
_SEARCHING = "The recordings are searched; the first candidate opens by itself."


@dataclass(frozen=True, slots=True)
class _Proposal:
    """What is known, and the candidate on the screen with its recording; None where there is none left."""

    result: FindResult
    candidate: Candidate | None
    recording: StoredRecording | None


class FindScreen(RegionsScreen):
    """Shows one candidate of a label at a time; each annotation refits the classifier."""

    BINDINGS = FIND.bindings()

    def __init__(self, services: Services, *, repeat_s: float) -> None:
        super().__init__(services, repeat_s=repeat_s, view=FIND)
        self._title = Static(id="find-title")
        self._label = self._progress = ""
        self._proposal: _Proposal | None = None
        self._index: SegmentIndex | None = None
        self._skipped: set[int] = set()
        self._proposing = False
        self._embedding = BackgroundTask(
            services.project,
            FIND_TASK,
            on_progress=in_turn(self, self._show_progress),
            on_result=in_turn(self, self._take_result),
            on_failure=in_turn(self, self._show_failure),
        )

    # -- the label

    def enter(self) -> None:
        """Go on with the label, or choose one."""
        super().enter()
        if not self._label and self._labels():
            self.action_choose_label()

    def nothing_open(self) -> Sequence[str]:
        """Return how to begin, or what is on its way."""
        if self._embedding.busy:
            return [_SEARCHING, "", *self.offers(("label", "label meanwhile"))]
        if not self._labels():
            return [
                "Find needs a few events that are labelled.",
                *self.offers(
                    ("label", "label clips"), ("browse", "find a clip, then w: label regions of its recording")
                ),
            ]
        return self.offers(("choose_label", "choose the label whose events to find"))

    def _labels(self) -> list[str]:
        counts = self.services.state.label_counts
        return [name for name in by_usage(counts) if counts[name]]

    def on_unmount(self) -> None:
        """Stop the search; what is embedded stays in the cache."""
        self._embedding.stop()
        super().on_unmount()

    def action_choose_label(self) -> None:
        ask(self.app, Palette("Find the events of which label?", self._labels(), allows_new=False), self.search)

    def search(self, label: str) -> None:
        """Embed the recordings where that was not done yet, then show the candidates of a label."""
        if self._embedding.busy:
            self.notice.show("the recordings are being embedded: wait for it, or go on in another view")
            return
        self._label, self._proposal, self._index = label, None, None
        self._skipped.clear()
        self._progress = "embedding the recordings"
        self.show_title()
        if self.opened is None:
            self.show_text(_SEARCHING, "", *self.offers(("label", "label meanwhile")))
        self._embedding.start(label=label, limit=_LIMIT)

    def _show_progress(self, stage: str, done: int, total: int, text: str = "") -> None:
        self._progress = f"{stage}: {done:,} of {total:,} {text}" if total else stage
        self.show_title()

    def _take_result(self, result: FindResult) -> None:
        self._progress = ""
        self._propose(result.by)
        self.show_title()

    def _show_failure(self, failure: str) -> None:
        self._progress = "the search failed"
        self.notice.warn(failure)
        if self.opened is None:
            offers = (
                ("choose_label", "search again"),
                ("fetch_pretrained", "fetch YAMNet, where no model is there to search with"),
                ("label", "label meanwhile"),
            )
            self.show_text("The search failed.", "", *self.offers(*offers))
        self.show_title()

    # -- the candidates

    @property
    def busy(self) -> bool:
        """Whether another candidate is on its way."""
        return self._proposing or super().busy

    @work(exclusive=True, group="find")
    async def _propose(self, pretrained: str, *, undone: JournalRow | None = None) -> None:
        """Refit the classifier to the store, and go to the candidate to check next, or to a row that was undone."""
        label, self._proposing = self._label, True

        def read(store: Store) -> _Proposal:
            if self._index is None:
                self._index = segment_index(self.services.project, store, pretrained, _ignore)
            result = propose(store, self._index, label, limit=_LIMIT + len(self._skipped))
            candidate = next((one for one in result.candidates if one.clip not in self._skipped), None)
            found = None if candidate is None else recordings.find_recording(store, candidate.recording)
            return _Proposal(result, candidate, found)

        try:
            proposal = await self.services.reader.do(read)
        except LabeltoolError as error:
            self.notice.warn(str(error))
            return
        finally:
            self._proposing = False
        if label != self._label:
            return
        self._proposal = proposal
        self.show_title()
        if undone is None:
            self._show_candidate()
        else:
            super().show_undone(undone)

    def _show_candidate(self) -> None:
        proposal = self._proposal
        if proposal is None or proposal.candidate is None or proposal.recording is None:
            self.notice.show(f"no candidate of {self._label!r} is left; F chooses another label")
            return
        region = Region(proposal.candidate.start_s, proposal.candidate.end_s)
        self.open(proposal.recording, region)
        self._select(region)
        if self.services.state.autoplay:
            self.action_replay()

    def limit_playback(self) -> None:
        """Limit the player to the region and what is around it."""
        region = self.selected_region
        if region is None or self.opened is None:
            super().limit_playback()
            return
        end_s = min(self.opened.recording.duration_s, region.end_s + _CONTEXT_S)
        self.services.player.limit_to(max(0.0, region.start_s - _CONTEXT_S), end_s)

    # -- annotations

    def command_titles(self) -> Mapping[str, str | None]:
        accept, reject = f"accept: {self._label} is present", f"reject: {self._label} is absent"
        return {"accept": accept if self._label else None, "reject": reject if self._label else None}

    async def action_accept(self) -> None:
        """Accept the region as it is selected: the label is present."""
        uid = self.current.model_uid if self.current is not None else None
        if self._label:
            await self.annotate(Answer("accept", self._label, accepted_from=uid, replaces=False))

    async def action_reject(self) -> None:
        """Reject the region: the label is absent."""
        if self._label:
            await self.annotate(Answer("reject", self._label, Value.ABSENT, replaces=False))

    def action_skip_candidate(self) -> None:
        if self._proposal is not None and self._proposal.candidate is not None and not self.busy:
            self._skipped.add(self._proposal.candidate.clip)
            self._propose(self._proposal.result.by)

    def show_next(self, clip_id: int) -> None:
        if self._proposal is None:
            super().show_next(clip_id)
        else:
            self._propose(self._proposal.result.by)

    def show_undone(self, row: JournalRow) -> None:
        """Refit the classifier, and select the region of a row that was undone."""
        if self._proposal is None:
            super().show_undone(row)
        else:
            self._propose(self._proposal.result.by, undone=row)

    # -- the screen

    def compose_body(self) -> ComposeResult:
        yield self._title
        yield from super().compose_body()

    def show_title(self) -> None:
        """Show the label, and how many of its events are found and how many there are."""
        name = f"Find: {truncate(one_line(self._label), _LABEL_CELLS)}" if self._label else "Find"
        facts = self._progress
        if self._proposal is not None:
            result = self._proposal.result
            low, high = result.interval
            facts = (
                f"{result.found} found, {result.accepted} checked · {low} to {high} likely · "
                f"recall {result.recall:.0%}{', done' if result.done else ''}"
            )
        self._title.update(Content.assemble((f"{name}   ", "bold $foreground"), (one_line(facts), "$foreground")))


def _ignore(*_: object) -> None:
    """Take a report and drop it: everything is embedded by now."""
