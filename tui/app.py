"""The application around the screens: it owns the threads, the training, and takes care that leaving is always safe."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

from textual import work
from textual.app import App
from textual.message import Message

from labeltool.annotation import pace
from labeltool.errors import LabeltoolError
from labeltool.project import Project
from labeltool.similarity import search
from labeltool.store import Store, recordings
from labeltool.store.recordings import StoredRecording
from labeltool.store.spans import Mark
from labeltool.tui import keymap
from labeltool.tui.background.class_agreement import Agreement, Mapper
from labeltool.tui.background.comparer import Comparer, Comparison
from labeltool.tui.background.prefetch import Delivery, Preparer
from labeltool.tui.background.store_thread import StoreThread
from labeltool.tui.background.trainer import HANDFUL, Learner, Training
from labeltool.tui.keys import ASK, BROWSE, CLUSTERS, REVIEW, SPANS, SWEEP
from labeltool.tui.media.player import Player
from labeltool.tui.screens.answering import AnsweringScreen
from labeltool.tui.screens.ask import AskScreen
from labeltool.tui.screens.browse import BrowseScreen
from labeltool.tui.screens.class_mapping import MappingScreen, ear_of
from labeltool.tui.screens.clusters import ClustersScreen
from labeltool.tui.screens.review import ReviewScreen
from labeltool.tui.screens.spans import SpansScreen
from labeltool.tui.screens.stopwatch import Stopwatch
from labeltool.tui.screens.sweep import SweepScreen
from labeltool.tui.services import Services
from labeltool.tui.session import Session
from labeltool.tui.theme import DARK, LIGHT, theme_by_terminal

_AGAIN_S = 0.5
_MOST_ALIKE = 200  # more than one looks through


class Delivered(Message):
    """The preparer has something new."""

    def __init__(self, delivery: Delivery) -> None:
        super().__init__()
        self.delivery = delivery


class Trained(Message):
    """The learner has something new."""

    def __init__(self, training: Training) -> None:
        super().__init__()
        self.training = training


class Compared(Message):
    """The comparer has something new."""

    def __init__(self, comparison: Comparison) -> None:
        super().__init__()
        self.comparison = comparison


class Agreed(Message):
    """The mapper is done."""

    def __init__(self, agreement: Agreement) -> None:
        super().__init__()
        self.agreement = agreement


class Suggested(Message):
    """A borrowed ear has suggested anew."""

    def __init__(self, training: Training) -> None:
        super().__init__()
        self.training = training


class Room(App[None]):
    """The labelling room.

    Parameters
    ----------
    annotator
        Who answers.
    recording
        The recording to open at first; None asks about clips.
    repeat_s
        See `AnsweringScreen`.
    """

    CSS_PATH = "style.tcss"
    TITLE = "labeltool"
    DEFAULT_MODE = ASK.name
    # Textual's own palette would show every label's text through markup; `/` and `:` open ours.
    ENABLE_COMMAND_PALETTE = False

    def __init__(
        self, project: Project, *, annotator: str, recording: StoredRecording | None = None, repeat_s: float = 0.12
    ) -> None:
        keys = keymap.read(project)
        # Under NO_COLOR Textual turns colours grey; with the terminal's own colours it leaves them out altogether.
        super().__init__(ansi_color=True if os.environ.get("NO_COLOR") else None)
        self.register_theme(DARK)
        self.register_theme(LIGHT)
        self.theme = theme_by_terminal()
        self.services = Services(
            project=project,
            session=Session(project, annotator),
            player=Player(),
            preparer=Preparer(project, annotator, lambda delivery: self._pass_on(Delivered(delivery))),
            reader=StoreThread(project, "labeltool-reader"),
            learner=Learner(
                project,
                lambda training: self._pass_on(Trained(training)),
                task="retrain",
                arch=project.settings.architecture,
            ),
            suggester=Learner(project, lambda training: self._pass_on(Suggested(training)), task="suggest"),
            comparer=Comparer(project, lambda comparison: self._pass_on(Compared(comparison))),
            mapper=Mapper(project, lambda agreement: self._pass_on(Agreed(agreement))),
            keymap=keys,
        )
        self.set_keymap({action: ",".join(names) for action, names in keys.items()})
        self._pending_at_failure = self._unheard_at_failure = 0
        self.add_mode(ASK.name, lambda: AskScreen(self.services, repeat_s=repeat_s))
        self.add_mode(SWEEP.name, lambda: SweepScreen(self.services, repeat_s=repeat_s))
        self.add_mode(CLUSTERS.name, lambda: ClustersScreen(self.services, repeat_s=repeat_s))
        self.add_mode(REVIEW.name, lambda: ReviewScreen(self.services, repeat_s=repeat_s))
        self.add_mode(BROWSE.name, lambda: BrowseScreen(self.services, repeat_s=repeat_s))
        self.add_mode(SPANS.name, lambda: SpansScreen(self.services, repeat_s=repeat_s))
        self._recording = recording
        self._came_from = ASK.name

    @property
    def desk(self) -> AnsweringScreen | None:
        """The screen that takes answers now; palettes and pages may lie over it."""
        screens = (screen for screen in reversed(self.screen_stack) if isinstance(screen, AnsweringScreen))
        return next(screens, None)

    async def on_mount(self) -> None:
        """Start the threads."""
        self.services.preparer.start()
        # Probing for sound cards can take a second; the first clip begins to play when it is done.
        threading.Thread(target=self.services.player.open, name="labeltool-player", daemon=True).start()
        if self._recording is not None:
            await self._open(self._recording)

    def close(self) -> None:
        """End the threads and a running training, after the screen is gone."""
        self.services.preparer.stop()
        self.services.session.close()
        self.services.reader.close()
        self.services.player.close()
        self.services.learner.stop()
        self.services.suggester.stop()
        self.services.comparer.stop()
        self.services.mapper.stop()

    def action_theme(self) -> None:
        """Change between dark and light."""
        self.theme = LIGHT.name if self.theme == DARK.name else DARK.name

    async def action_work(self, way: str) -> None:
        """Go over to another way to work; each keeps its place."""
        if way == self.current_mode:
            return
        await self.switch_mode(way)
        if self.desk is not None:
            self.desk.entered()

    @work(exclusive=True, group="like")
    async def action_like(self) -> None:
        """Browse what sounds most like the clip on the screen, once that is known; else have it worked out."""
        desk = self.desk
        if desk is None or desk.now is None:
            return
        clip, project, comparer = desk.now.clip, self.services.project, self.services.comparer

        def find(store: Store) -> tuple[search.Like | None, int]:
            source = search.source_of(project, store)
            return search.like(project, store, source, clip, _MOST_ALIKE), search.waiting(project, store, source)

        try:
            like, waiting = await self.services.reader.do(find)
        except LabeltoolError as error:
            desk.notice.warn(str(error))
            return
        comparer.start(waiting)
        if self.desk is not desk or desk.now is None or desk.now.clip.id != clip.id:
            return  # the person has gone on: no key must find another clip than the one it was meant for
        if like is not None:
            await self.action_work(BROWSE.name)
            if isinstance(self.desk, BrowseScreen):
                self.desk.show_like(like)
        elif comparer.busy:
            desk.notice.tell(f"{waiting:,} clips are being compared by how they sound; go on, and L again when told")
        else:
            desk.notice.warn("this clip cannot be compared: can its file be read?")

    def on_compared(self, message: Compared) -> None:
        """Tell how far comparing clips is, that they were compared or put into groups, or why not."""
        comparison, desk = message.comparison, self.desk
        if comparison.groups is not None:
            self.services.state.groups = comparison.groups
        if isinstance(desk, ClustersScreen):
            desk.compared(comparison)
        elif desk is None or not comparison.over:
            return
        elif comparison.failure:
            desk.notice.warn(comparison.failure)
        elif comparison.groups is not None:
            desk.notice.tell(f"{len(comparison.groups.clips):,} groups of clips that sound alike: C shows them")
        else:
            desk.notice.tell(f"{comparison.added:,} clips were compared: L shows the like of the one on the screen")

    def action_mapping(self) -> None:
        """Show which of a borrowed ear's classes suggest which label."""
        try:
            ear = ear_of(self.services.project)
            screen = None if ear is None else MappingScreen(self.services, ear)
        except LabeltoolError as error:
            if self.desk is not None:
                self.desk.notice.warn(str(error))
            return
        if screen is not None:
            self.push_screen(screen, self._mapped)
        elif self.desk is not None:
            self.desk.notice.tell("no borrowed network here has classes: `labeltool model fetch yamnet`")

    def _mapped(self, changed: bool | None) -> None:
        if not changed:
            return
        if self.desk is not None:
            self.desk.notice.tell("the mapping was changed: what the ear suggests follows, behind the screen")
        self._suggest_anew()

    def _suggest_anew(self) -> None:
        if not self.services.suggester.start():
            self.set_timer(_AGAIN_S, self._suggest_anew)

    def on_agreed(self, message: Agreed) -> None:
        """Show how an ear's classes agree with the answers."""
        for screen in self.screen_stack:
            if isinstance(screen, MappingScreen):
                screen.agreed(message.agreement)

    async def action_whole_recording(self) -> None:
        """Open the recording of the clip on the screen, at that clip."""
        desk = self.desk
        if desk is None or desk.now is None:
            return
        clip = desk.now.clip
        try:
            recording = await self.services.reader.do(lambda store: recordings.recording(store, clip.recording_id))
        except LabeltoolError as error:
            desk.notice.warn(str(error))
            return
        await self._open(recording, Mark(clip.start_s, clip.end_s))

    async def _open(self, recording: StoredRecording, at: Mark | None = None) -> None:
        self._came_from = self.current_mode
        await self.switch_mode(SPANS.name)
        assert isinstance(self.desk, SpansScreen)
        self.desk.open(recording, at)

    async def action_return(self) -> None:
        """Go back to the way to work from which a whole recording was opened."""
        await self.action_work(self._came_from)

    async def action_stopwatch(self) -> None:
        """Show how fast it goes."""
        project, session = self.services.project, self.services.session

        def measure(store: Store) -> tuple[pace.Pace, pace.Pace]:
            sitting = pace.measure(store, annotator=session.annotator, since=session.began_after)
            return sitting, pace.measure(store, annotator=session.annotator)

        try:
            sitting, ever = await self.services.reader.do(measure)
        except LabeltoolError as error:
            if self.desk is not None:
                self.desk.notice.warn(str(error))
            return
        self.push_screen(Stopwatch(sitting, ever, pace.labels_saved(project.cache)))

    def action_leave(self) -> None:
        """Close the room."""
        self.exit()

    def on_delivered(self, message: Delivered) -> None:
        """Hand on what the preparer made."""
        delivery = message.delivery
        if delivery.model is not None:
            self.services.state.model = delivery.model
            self._train_if_due(delivery.model.pending)
            self._suggest_if_due(delivery.model.unheard)
        desk = self.desk
        if desk is None:
            return
        if delivery.counts is not None and (desk.is_up_to_date(delivery) or not self.services.state.clips):
            first = not self.services.state.used
            self.services.state.count(delivery.counts)
            if first:
                desk.labels_came()
        desk.take_delivery(delivery)
        if delivery.model is not None or delivery.counts is not None:
            desk.header.refresh()

    # -- the model

    def action_train(self) -> None:
        """Train now."""
        begun = self._train()
        if self.desk is not None:
            self.desk.notice.tell("training has begun; go on labelling" if begun else "a training is under way already")

    def _train_if_due(self, pending: int) -> None:
        after = self.services.project.settings.retrain_after
        # Only someone who answers here sets it off: opening the room on old answers does not.
        asked = self.services.session.answers and self.services.state.tells_apart
        if asked and 0 < after <= pending - self._pending_at_failure:
            self._train()

    def _suggest_if_due(self, unheard: int) -> None:
        due = unheard - self._unheard_at_failure >= HANDFUL
        # A training that is under way lets the ear suggest at its end.
        if self.services.session.answers and due and not self.services.learner.busy:
            self.services.suggester.start()

    def _train(self) -> bool:
        if not self.services.learner.start():
            return False
        self._show_training(Training())
        return True

    def _show_training(self, training: Training) -> None:
        self.services.state.training = training
        if self.desk is not None:
            self.desk.header.refresh()

    def on_trained(self, message: Trained) -> None:
        """Show how the training goes; at its end let the screen take the new suggestions."""
        training = message.training
        self._show_training(training)
        if training.failure:
            # Not again at once: after as many further answers.
            model = self.services.state.model
            self._pending_at_failure = model.pending if model else 0
            if self.desk is not None:
                self.desk.notice.warn(training.failure)
        elif training.model is not None:
            self._pending_at_failure = self._unheard_at_failure = 0
            if self.desk is not None:
                self.desk.notice.tell(f"model {training.model} has learnt; its suggestions begin with the next clip")
                self.desk.look_again()

    def on_suggested(self, message: Suggested) -> None:
        """Let the screen take an ear's new suggestions; nobody waited for them, so nothing is said if all went well."""
        model = self.services.state.model
        if message.training.failure:
            self._unheard_at_failure = model.unheard if model else 0
            if self.desk is not None:
                self.desk.notice.warn(message.training.failure)
        elif message.training.model is not None:
            # Where no ear could suggest, not again at once either: after as many further answers.
            self._unheard_at_failure = 0 if message.training.model else model.unheard if model else 0
            if self.desk is not None:
                self.desk.look_again()

    def _pass_on(self, message: Message) -> None:
        """Bring a thread's message to the app."""
        loop = self._loop
        if loop is None or loop.is_closed():
            return
        post: Callable[[Message], bool] = self.post_message
        loop.call_soon_threadsafe(post, message)
