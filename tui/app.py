"""The labelling app: the views, the background work behind them, and the messages between the two."""

from __future__ import annotations

import os
import threading
from contextlib import suppress

from textual import work

from labeltool import project as projects
from labeltool.annotation import progress, speed
from labeltool.errors import ExitCode, LabeltoolError
from labeltool.project import Project
from labeltool.settings import Settings
from labeltool.store import Store, recordings
from labeltool.store.importing.undo import LastImport, last_import, undo_last_import
from labeltool.store.label_acts.split_queue import Split
from labeltool.store.recordings import StoredRecording
from labeltool.store.spans import Region
from labeltool.tasks.registry import AGREEMENT, EVALUATE, RENEW, RETRAIN
from labeltool.tui import keymap
from labeltool.tui.app_export import ExportApp
from labeltool.tui.app_similar import SimilarApp
from labeltool.tui.background.comparer import Comparer
from labeltool.tui.background.daily_backup import DailyBackup
from labeltool.tui.background.live import LiveSuggestions
from labeltool.tui.background.prefetch import Delivery, Prefetcher
from labeltool.tui.background.store_thread import StoreThread, attempt
from labeltool.tui.background.task import BackgroundTask
from labeltool.tui.background.trainer import Trainer
from labeltool.tui.background.turns import in_turn
from labeltool.tui.dialogs.definitions import DefinitionsScreen
from labeltool.tui.dialogs.labels import LabelsScreen
from labeltool.tui.dialogs.palette import Palette
from labeltool.tui.dialogs.progress import ProgressFacts, ProgressScreen
from labeltool.tui.dialogs.prompts import Confirm, ask
from labeltool.tui.dialogs.settings import SettingsScreen
from labeltool.tui.keys import BATCH_REVIEW, BROWSE, CLASS_MAPPING, CLUSTERS, FIND, LABEL, REGIONS, REVIEW, SPLIT
from labeltool.tui.media.graphics import Graphics
from labeltool.tui.media.look import Look
from labeltool.tui.media.page_player import PagePlayer
from labeltool.tui.media.player import Player
from labeltool.tui.screens.annotate_base import AnnotateScreen
from labeltool.tui.screens.browse import BrowseScreen
from labeltool.tui.screens.class_mapping import ClassMappingScreen
from labeltool.tui.screens.find import FindScreen
from labeltool.tui.screens.label import LabelScreen
from labeltool.tui.screens.pages.batch_review import BatchReviewScreen
from labeltool.tui.screens.pages.clusters import ClustersScreen
from labeltool.tui.screens.pages.split import SplitScreen
from labeltool.tui.screens.picture_base import PictureScreen
from labeltool.tui.screens.regions import RegionsScreen
from labeltool.tui.screens.review import ReviewScreen
from labeltool.tui.services import Services
from labeltool.tui.session import Session
from labeltool.tui.state import State
from labeltool.tui.stylesheet import ParsedOnce
from labeltool.tui.text import truncate
from labeltool.tui.theme import DARK, LIGHT, theme_name
from labeltool.tui.widgets.spectrogram import Spectrogram
from labeltool.util.counted import listed
from labeltool.util.user_state import change_user_state, read_user_state

_CHECK_DATABASE_S = 5.0
_LABEL_CELLS, _MAX_NAMED = 40, 5


class LabelApp(SimilarApp, ExportApp):
    """The labelling app.

    Parameters
    ----------
    recording
        The recording to open in the Regions view; None opens the Label view.

    Attributes
    ----------
    failure
        Why the app ended by itself; None where the user quit.
    next_project
        The directory of the project to open next; "" where the user quit for good.
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
        self.theme = theme_name(project.settings.app.theme)
        self.stylesheet = ParsedOnce(variables=self.get_css_variables())
        # Its process calls back from a thread of its own, once it runs.
        live = LiveSuggestions(project, annotator, lambda: self.services.prefetcher.renew_suggestions())
        self.services = Services(
            project=project,
            session=Session(project, annotator, self.stop_for),
            player=PagePlayer.from_environment() or Player(),
            prefetcher=Prefetcher(project, annotator, live, in_turn(self, self.take_delivery), self.stop_for),
            live=live,
            reader=StoreThread(project, "labeltool-reader", self.stop_for),
            trainer=Trainer(
                project, in_turn(self, self.take_training), task=RETRAIN, arch=project.settings.learning.architecture
            ),
            suggester=Trainer(project, in_turn(self, self.take_suggestions), task=RENEW),
            fetcher=self.make_fetcher(project),
            comparer=Comparer(project, in_turn(self, self.show_comparison)),
            class_agreement=BackgroundTask(
                project,
                AGREEMENT,
                on_result=in_turn(self, self.show_agreement),
                on_failure=in_turn(self, self.show_no_agreement),
            ),
            evaluation=BackgroundTask(
                project,
                EVALUATE,
                on_result=in_turn(self, self.show_evaluation),
                on_failure=in_turn(self, self.warn_view),
            ),
            exporter=self.make_exporter(project),
            keymap=keys,
            state=State(
                settings=project.settings,
                autoplay=project.settings.app.autoplay,
                look=Look().with_settings(project.settings.app, Graphics.NONE),
            ),
        )
        self.set_keymap({action: ",".join(names) for action, names in keys.items()})
        self._add_views(repeat_s)
        self._recording = recording
        self._daily_backup = DailyBackup(project, in_turn(self, self.warn_view))
        self.failure: LabeltoolError | None = None
        self.next_project = ""

    def use_graphics(self, graphics: Graphics) -> None:
        """Draw spectrograms in pixels, where the terminal can."""
        state = self.services.state
        state.graphics, state.look = graphics, state.look.with_settings(state.settings.app, graphics)

    def _add_views(self, repeat_s: float) -> None:
        self.add_mode(LABEL.name, lambda: LabelScreen(self.services, repeat_s=repeat_s))
        self.add_mode(BATCH_REVIEW.name, lambda: BatchReviewScreen(self.services, repeat_s=repeat_s))
        self.add_mode(CLUSTERS.name, lambda: ClustersScreen(self.services, repeat_s=repeat_s))
        self.add_mode(SPLIT.name, lambda: SplitScreen(self.services, repeat_s=repeat_s))
        self.add_mode(REVIEW.name, lambda: ReviewScreen(self.services, repeat_s=repeat_s))
        self.add_mode(BROWSE.name, lambda: BrowseScreen(self.services, repeat_s=repeat_s))
        self.add_mode(FIND.name, lambda: FindScreen(self.services, repeat_s=repeat_s))
        self.add_mode(REGIONS.name, lambda: RegionsScreen(self.services, repeat_s=repeat_s))
        self.add_mode(CLASS_MAPPING.name, lambda: ClassMappingScreen(self.services, self.renew_suggestions))

    async def on_mount(self) -> None:
        self._daily_backup.start()
        self.services.prefetcher.start()
        # Looking for sound cards can take a second; the first clip starts to play after it.
        threading.Thread(target=self.services.player.open, name="labeltool-player", daemon=True).start()
        # Who does nothing meanwhile learns of an exchanged database all the same; the thread ends the app.
        self.set_interval(_CHECK_DATABASE_S, self.services.reader.check)
        self._look_whether_read_only()
        if self._recording is not None:
            await self._open_regions(self._recording)
        elif self.services.project.settings.app.tour and not read_user_state().tour_shown:
            change_user_state(tour_shown=True)
            self.action_tour()
        if self.tour is None:
            self.tour_ended()

    @work
    async def _look_whether_read_only(self) -> None:
        with suppress(LabeltoolError):  # shown with the first clip
            why = self.services.state.read_only = await self.services.reader.do(lambda store: store.read_only)
            if why and self.current_view is not None:
                self.current_view.header.refresh()
                self.warn_view(f"nothing can be labelled here, only looked at and played ({why})")

    def stop_for(self, failure: LabeltoolError) -> None:
        """End the app because it cannot go on; called in any thread."""
        self.failure = failure
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.exit, None, ExitCode.FAILED)

    def close(self) -> None:
        """End the threads and the background work, after the screen is gone."""
        self._daily_backup.stop()
        self.services.close()

    def action_theme(self) -> None:
        self.theme = LIGHT.name if self.theme == DARK.name else DARK.name

    def action_open_project(self) -> None:
        here = str(self.services.project.directory)
        others = [path for path in projects.recent() if path != here]
        if self.is_web or not others:
            self.notify_view("no other project was opened lately: `labeltool --project DIR label`")
            return

        def leave(path: str) -> None:
            self.next_project = path
            self.exit()

        ask(self, Palette("Open which project?", others, allows_new=False), leave)

    def action_settings(self) -> None:
        self.push_screen(SettingsScreen(self.services, self._apply_settings))

    def _apply_settings(self, settings: Settings) -> None:
        state, before = self.services.state, self.services.state.settings
        state.settings = settings
        if settings.app.theme is not before.app.theme:
            self.theme = theme_name(settings.app.theme)
        state.autoplay = settings.app.autoplay
        state.look = state.look.with_settings(settings.app, state.graphics)
        if self.current_view is not None:
            for spectrogram in self.current_view.query(Spectrogram):
                spectrogram.repaint()

    def action_labels(self) -> None:
        """Show the labels with their keys and colours, and change them."""

        def reload(changed: bool | None) -> None:
            if changed:
                self._show_changed_labels()
            if dialog.split is not None:
                self.run_worker(self._open_split(dialog.split))

        dialog = LabelsScreen(self.services)
        self.push_screen(dialog, reload)

    def _show_changed_labels(self) -> None:
        view = self.current_view
        if view is not None:
            view.update_choices()
            view.reload()
            view.header.refresh()

    @work(exclusive=True, group="undo-import")
    async def action_undo_import(self) -> None:
        """Undo the last import, where that is wanted: what would no longer count is shown first."""
        try:
            last = await self.services.reader.do(last_import)
        except LabeltoolError as error:
            self.warn_view(str(error))
            return
        if last is None:
            self.notify_view("nothing to undo: no import has labels")
            return
        lines = (
            f"Undo {last.describe()}?",
            "Its recordings and clips stay, and what people labelled; importing it again brings its labels back.",
        )
        ask(self, Confirm("Undo the last import", lines), lambda _: self._undo_import(last))

    @work
    async def _undo_import(self, last: LastImport) -> None:
        state, session = self.services.state, self.services.session
        unused: list[str] = []

        def undo(store: Store) -> None:
            undone = undo_last_import(store, annotator=session.annotator, expected=last)
            unused.extend(truncate(name, _LABEL_CELLS) for name in (undone.unused_labels if undone else ()))

        changed = await attempt(session.change_labels(undo), self.warn_view)
        if changed is not None:
            state.labels, counts = changed
            state.set_counts(counts)
            self._show_changed_labels()
            retire = f"; F3 retires labels that no clip has now: {listed(unused, _MAX_NAMED)}" if unused else ""
            self.notify_view(f"undone: {last.describe()}{retire}")

    async def _open_split(self, split: Split) -> None:
        await self.action_view(SPLIT.name)
        if isinstance(self.current_view, SplitScreen):
            self.current_view.open(split)

    def action_definitions(self) -> None:
        """Show what the labels mean, and play their examples; the view gets the player back."""

        def give_back(_: None) -> None:
            if isinstance(self.current_view, AnnotateScreen):
                self.current_view.take_player()

        self.push_screen(DefinitionsScreen(self.services), give_back)

    # -- regions

    async def action_regions(self) -> None:
        """Open the recording of the clip on the screen, at that clip; without one, that which was open last."""
        view = self.current_view
        if view is None:
            return
        if view.current is None:
            await self.action_view(REGIONS.name)
            return
        clip = view.current.clip
        read = self.services.reader.do(lambda store: recordings.recording(store, clip.recording_id))
        recording = await view.attempt(read)
        if recording is not None:
            part = view.part if isinstance(view, PictureScreen) else None
            await self._open_regions(recording, part or Region(clip.start_s, clip.end_s), select=part is not None)

    async def _open_regions(
        self, recording: StoredRecording, region: Region | None = None, *, select: bool = False
    ) -> None:
        await self.action_view(REGIONS.name)
        view = self.current_view
        if not isinstance(view, RegionsScreen):
            return  # another tab was clicked meanwhile
        view.open(recording, region)
        if region is not None and select:
            view.select_part(region.start_s, region.end_s)

    # -- progress

    @work(exclusive=True, group="progress")
    async def action_progress(self) -> None:
        """Show the annotation speed, the labels against their goal, and what the models measured."""
        project, session = self.services.project, self.services.session

        def measure(store: Store) -> ProgressFacts:
            return ProgressFacts(
                speed.annotation_statistics(store, annotator=session.annotator, since=session.start_row_id),
                speed.annotation_statistics(store, annotator=session.annotator),
                session.clips_per_minute,
                progress.project_progress(store),
                project.settings.labelling.goal,
                speed.labels_saved(project.own_cache),
            )

        facts = await attempt(self.services.reader.do(measure), self.warn_view)
        if facts is not None:
            self.push_screen(ProgressScreen(facts, self.services.state))

    # -- prefetched clips

    def take_delivery(self, delivery: Delivery) -> None:
        """Pass on what was read to the state and the view."""
        state = self.services.state
        if delivery.model is not None:
            state.model = delivery.model
            self.train_if_due(delivery.model.pending)
            self.suggest_if_due(delivery.model)
        view = self.current_view
        if view is None:
            return
        if delivery.counts is not None and (view.is_up_to_date(delivery) or not state.clips):
            state.set_counts(delivery.counts)
            if list(delivery.labels) != list(state.labels):
                state.labels = delivery.labels
                view.update_choices()
        if isinstance(view, AnnotateScreen):
            view.renew_suggestions(delivery.renewed)
        view.receive(delivery)
        if delivery.model is not None or delivery.counts is not None:
            view.header.refresh()
