"""The labelling app: the views, the background work behind them, and the messages between the two."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import suppress

from textual import work
from textual.app import App
from textual.message import Message

from labeltool.annotation import speed
from labeltool.annotation.speed import AnnotationStatistics
from labeltool.errors import ExitCode, LabeltoolError
from labeltool.project import Project
from labeltool.similarity import search
from labeltool.store import Store, recordings
from labeltool.store.recordings import StoredRecording
from labeltool.store.spans import Region
from labeltool.tasks.registry import RENEW, RETRAIN
from labeltool.tui import keymap
from labeltool.tui.background.class_agreement import ClassAgreementTask
from labeltool.tui.background.comparer import Comparer
from labeltool.tui.background.daily_backup import DailyBackup
from labeltool.tui.background.prefetch import Prefetcher
from labeltool.tui.background.store_thread import StoreThread
from labeltool.tui.background.trainer import SUGGEST_AFTER, Trainer, TrainingProgress
from labeltool.tui.keys import BATCH_REVIEW, BROWSE, CLUSTERS, FIND, LABEL, REGIONS, REVIEW
from labeltool.tui.media.player import Player
from labeltool.tui.messages import (
    AgreementMeasured,
    BackupFailed,
    Prefetched,
    SimilarityChanged,
    SuggestionsChanged,
    TrainingChanged,
)
from labeltool.tui.screens.annotate_base import AnnotateScreen
from labeltool.tui.screens.batch_review import BatchReviewScreen
from labeltool.tui.screens.browse import BrowseScreen
from labeltool.tui.screens.class_mapping import ClassMappingScreen, mapped_model
from labeltool.tui.screens.clusters import ClustersScreen
from labeltool.tui.screens.find import FindScreen
from labeltool.tui.screens.label import LabelScreen
from labeltool.tui.screens.regions import RegionsScreen
from labeltool.tui.screens.review import ReviewScreen
from labeltool.tui.screens.statistics import StatisticsScreen
from labeltool.tui.services import Services
from labeltool.tui.session import Session
from labeltool.tui.theme import DARK, LIGHT, theme_by_terminal

_RETRY_S = 0.5
_CHECK_DATABASE_S = 5.0
_MAX_SIMILAR = 200


class LabelApp(App[None]):
    """The labelling app.

    Parameters
    ----------
    annotator
        Who labels.
    recording
        The recording to open in the Regions view; None opens the Label view.
    repeat_s
        See `AnnotateScreen`.

    Attributes
    ----------
    failure
        Why the app ended by itself; None where the user quit.
    """

    CSS_PATH = "style.tcss"
    TITLE = "labeltool"
    DEFAULT_MODE = LABEL.name
    # Textual's own palette would parse labels as markup; `/` and `:` open ours.
    ENABLE_COMMAND_PALETTE = False

    def __init__(
        self, project: Project, *, annotator: str, recording: StoredRecording | None = None, repeat_s: float = 0.12
    ) -> None:
        keys = keymap.read(project)
        # Under NO_COLOR Textual turns colours grey; with the terminal's own colours it leaves them out.
        super().__init__(ansi_color=True if os.environ.get("NO_COLOR") else None)
        self.register_theme(DARK)
        self.register_theme(LIGHT)
        self.theme = theme_by_terminal()
        self.services = Services(
            project=project,
            session=Session(project, annotator, self.stop_for),
            player=Player(),
            prefetcher=Prefetcher(
                project, annotator, lambda delivery: self._post_from_thread(Prefetched(delivery)), self.stop_for
            ),
            reader=StoreThread(project, "labeltool-reader", self.stop_for),
            trainer=Trainer(
                project,
                lambda training: self._post_from_thread(TrainingChanged(training)),
                task=RETRAIN,
                arch=project.settings.learning.architecture,
            ),
            suggester=Trainer(
                project, lambda training: self._post_from_thread(SuggestionsChanged(training)), task=RENEW
            ),
            comparer=Comparer(project, lambda comparison: self._post_from_thread(SimilarityChanged(comparison))),
            class_agreement=ClassAgreementTask(
                project, lambda agreement: self._post_from_thread(AgreementMeasured(agreement))
            ),
            keymap=keys,
        )
        self.set_keymap({action: ",".join(names) for action, names in keys.items()})
        # What was left to do when training or suggesting failed: neither is tried again for the same labels.
        self._pending_at_failure = self._pending_suggest_at_failure = 0
        self.add_mode(LABEL.name, lambda: LabelScreen(self.services, repeat_s=repeat_s))
        self.add_mode(BATCH_REVIEW.name, lambda: BatchReviewScreen(self.services, repeat_s=repeat_s))
        self.add_mode(CLUSTERS.name, lambda: ClustersScreen(self.services, repeat_s=repeat_s))
        self.add_mode(REVIEW.name, lambda: ReviewScreen(self.services, repeat_s=repeat_s))
        self.add_mode(BROWSE.name, lambda: BrowseScreen(self.services, repeat_s=repeat_s))
        self.add_mode(FIND.name, lambda: FindScreen(self.services, repeat_s=repeat_s))
        self.add_mode(REGIONS.name, lambda: RegionsScreen(self.services, repeat_s=repeat_s))
        self._recording = recording
        self._previous_view = LABEL.name
        self._daily_backup = DailyBackup(project, lambda problem: self._post_from_thread(BackupFailed(problem)))
        self.failure: LabeltoolError | None = None

    @property
    def current_view(self) -> AnnotateScreen | None:
        """The view on the screen, below palettes and pages that are open over it."""
        screens = (screen for screen in reversed(self.screen_stack) if isinstance(screen, AnnotateScreen))
        return next(screens, None)

    async def on_mount(self) -> None:
        """Start the threads."""
        self._daily_backup.start()
        self.services.prefetcher.start()
        # Looking for sound cards can take a second; the first clip starts to play after it.
        threading.Thread(target=self.services.player.open, name="labeltool-player", daemon=True).start()
        # Who does nothing meanwhile learns of an exchanged database all the same; the thread ends the app.
        self.set_interval(_CHECK_DATABASE_S, self.services.reader.check)
        self._look_whether_read_only()
        if self._recording is not None:
            await self._open_regions(self._recording)

    @work
    async def _look_whether_read_only(self) -> None:
        with suppress(LabeltoolError):  # shown with the first clip
            why = self.services.state.read_only = await self.services.reader.do(lambda store: store.read_only)
            if why and self.current_view is not None:
                self.current_view.header.refresh()
                self._warn(f"nothing can be labelled here, only looked at and played ({why})")

    def stop_for(self, failure: LabeltoolError) -> None:
        """End the app because it cannot go on; called in any thread."""
        self.failure = failure
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.exit, None, ExitCode.FAILED)

    def on_backup_failed(self, message: BackupFailed) -> None:
        """Show why today has no backup."""
        self._warn(message.problem)

    def close(self) -> None:
        """End the threads and the background work, after the screen is gone."""
        self._daily_backup.stop()
        self.services.close()

    def action_theme(self) -> None:
        """Change between dark and light."""
        self.theme = LIGHT.name if self.theme == DARK.name else DARK.name

    async def action_view(self, name: str) -> None:
        """Go to another view; each keeps its position."""
        if name == self.current_mode:
            return
        await self.switch_mode(name)
        if self.current_view is not None:
            self.current_view.enter()

    def _notify(self, message: str) -> None:
        if self.current_view is not None:
            self.current_view.notice.show(message)

    def _warn(self, warning: str) -> None:
        if self.current_view is not None:
            self.current_view.notice.warn(warning)

    # -- similar clips and clusters

    @work(exclusive=True, group="similar")
    async def action_similar(self) -> None:
        """Browse the clips most similar to the one on the screen; index the clips first where they are not."""
        view = self.current_view
        if view is None or view.current is None:
            return
        clip, project, comparer = view.current.clip, self.services.project, self.services.comparer

        def find(store: Store) -> tuple[search.SimilarClips | None, int]:
            source = search.feature_source(project, store)
            similar = search.similar_clips(project, store, source, clip, _MAX_SIMILAR)
            return similar, search.count_unindexed(project, store, source)

        try:
            similar, unindexed = await self.services.reader.do(find)
        except LabeltoolError as error:
            view.notice.warn(str(error))
            return
        comparer.start(unindexed)
        if self.current_view is not view or view.current is None or view.current.clip.id != clip.id:
            return  # another clip is on the screen by now: the next key must not meet a list instead of it
        if similar is not None:
            await self.action_view(BROWSE.name)
            if isinstance(self.current_view, BrowseScreen):
                self.current_view.show_similar(similar)
        elif comparer.busy:
            view.notice.show(f"comparing {unindexed:,} clips first; go on, and press L again when it is done")
        else:
            view.notice.warn("no similar clips: the file of this clip cannot be read")

    def on_similarity_changed(self, message: SimilarityChanged) -> None:
        """Show the progress, the result or the failure of indexing or clustering."""
        comparison, view = message.comparison, self.current_view
        if comparison.groups is not None:
            self.services.state.groups = comparison.groups
        if isinstance(view, ClustersScreen):
            view.update_progress(comparison)
        elif not comparison.over:
            return
        elif comparison.failure:
            self._warn(comparison.failure)
        elif comparison.groups is not None:
            self._notify(f"{len(comparison.groups.clips):,} clusters of similar clips: C shows them")
        else:
            self._notify(f"{comparison.added:,} clips compared: L shows the clips similar to this one")

    # -- class mapping

    def action_class_mapping(self) -> None:
        """Show which classes of a pretrained model suggest which label."""
        try:
            pretrained = mapped_model(self.services.project)
            screen = None if pretrained is None else ClassMappingScreen(self.services, pretrained)
        except LabeltoolError as error:
            self._warn(str(error))
            return
        if screen is not None:
            self.push_screen(screen, self._suggest_by_mapping)
        else:
            self._notify("no pretrained model with classes: `labeltool model fetch yamnet`")

    def _suggest_by_mapping(self, changed: bool | None) -> None:
        if changed:
            self._notify("class mapping changed: new suggestions follow in the background")
            self._start_suggester()

    def _start_suggester(self) -> None:
        if not self.services.suggester.start():
            self.set_timer(_RETRY_S, self._start_suggester)

    def on_agreement_measured(self, message: AgreementMeasured) -> None:
        """Show how a pretrained model's classes agree with the labels."""
        for screen in self.screen_stack:
            if isinstance(screen, ClassMappingScreen):
                screen.show_agreement(message.agreement)

    # -- regions

    async def action_regions(self) -> None:
        """Open the recording of the clip on the screen, at that clip."""
        view = self.current_view
        if view is None or view.current is None:
            return
        clip = view.current.clip
        try:
            recording = await self.services.reader.do(lambda store: recordings.recording(store, clip.recording_id))
        except LabeltoolError as error:
            view.notice.warn(str(error))
            return
        await self._open_regions(recording, Region(clip.start_s, clip.end_s))

    async def _open_regions(self, recording: StoredRecording, region: Region | None = None) -> None:
        self._previous_view = self.current_mode
        await self.switch_mode(REGIONS.name)
        assert isinstance(self.current_view, RegionsScreen)
        self.current_view.open(recording, region)

    async def action_close_regions(self) -> None:
        """Go back to the view from which the recording was opened."""
        await self.action_view(self._previous_view)

    # -- statistics

    async def action_statistics(self) -> None:
        """Show the annotation speed and how often suggestions were right."""
        project, session = self.services.project, self.services.session

        def measure(store: Store) -> tuple[AnnotationStatistics, AnnotationStatistics]:
            of_session = speed.annotation_statistics(store, annotator=session.annotator, since=session.start_row_id)
            return of_session, speed.annotation_statistics(store, annotator=session.annotator)

        try:
            of_session, total = await self.services.reader.do(measure)
        except LabeltoolError as error:
            self._warn(str(error))
            return
        self.push_screen(StatisticsScreen(of_session, total, speed.labels_saved(project.own_cache)))

    # -- prefetched clips

    def on_prefetched(self, message: Prefetched) -> None:
        """Pass on what was read to the state and the view."""
        delivery, state = message.delivery, self.services.state
        if delivery.model is not None:
            state.model = delivery.model
            self._train_if_due(delivery.model.pending)
            self._suggest_if_due(delivery.model.pending_suggest)
        view = self.current_view
        if view is None:
            return
        if delivery.counts is not None and (view.is_up_to_date(delivery) or not state.clips):
            first = not state.label_counts
            state.set_counts(delivery.counts)
            if first:
                view.update_choices()
        view.receive(delivery)
        if delivery.model is not None or delivery.counts is not None:
            view.header.refresh()

    # -- the model

    def action_train(self) -> None:
        """Train now."""
        if why := self.services.state.read_only:
            self._warn(f"nothing can be trained here ({why})")
        else:
            self._notify("training started; go on labelling" if self._train() else "a training is running already")

    def _train_if_due(self, pending: int) -> None:
        after = self.services.project.settings.learning.retrain_after
        # Only labels of this session start a training: opening the app on older labels does not.
        wanted = self.services.session.clips_done and self.services.state.has_two_classes
        if wanted and 0 < after <= pending - self._pending_at_failure:
            self._train()

    def _suggest_if_due(self, pending: int) -> None:
        due = pending - self._pending_suggest_at_failure >= SUGGEST_AFTER
        # A training that runs makes new suggestions at its end.
        if self.services.session.clips_done and due and not self.services.trainer.busy:
            self.services.suggester.start()

    def _train(self) -> bool:
        if not self.services.trainer.start():
            return False
        self._show_training(TrainingProgress())
        return True

    def _show_training(self, training: TrainingProgress) -> None:
        self.services.state.training = training
        if self.current_view is not None:
            self.current_view.header.refresh()

    def on_training_changed(self, message: TrainingChanged) -> None:
        """Show the progress of the training; at its end load the new suggestions."""
        training, before = message.training, self.services.state.training
        self._show_training(training)
        if training.elsewhere and not (before and before.elsewhere):
            self._notify(f"{training.stage}; go on labelling")
        if training.failure:
            # The next try comes after as many further labels.
            model = self.services.state.model
            self._pending_at_failure = model.pending if model else 0
            self._warn(training.failure)
        elif training.model is not None:
            self._pending_at_failure = self._pending_suggest_at_failure = 0
            self._notify(f"model {training.model} is trained; its suggestions start with the next clip")
            self._reload_view()

    def on_suggestions_changed(self, message: SuggestionsChanged) -> None:
        """Load new suggestions without a notice: the user did not ask for them."""
        model = self.services.state.model
        pending = model.pending_suggest if model else 0
        if message.training.failure:
            self._pending_suggest_at_failure = pending
            self._warn(message.training.failure)
        elif message.training.model is not None:
            # Where no pretrained model could suggest, the next try comes after as many further labels too.
            self._pending_suggest_at_failure = 0 if message.training.model else pending
            self._reload_view()

    def _reload_view(self) -> None:
        if self.current_view is not None:
            self.current_view.reload()

    def _post_from_thread(self, message: Message) -> None:
        if self._loop is not None and not self._loop.is_closed():
            post: Callable[[Message], bool] = self.post_message
            self._loop.call_soon_threadsafe(post, message)
