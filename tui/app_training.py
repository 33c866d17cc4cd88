"""The app's trainings: when one starts, and what the screen shows of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from textual import work

from labeltool.errors import LabeltoolError
from labeltool.networks.architectures import require_training
from labeltool.tui.app_base import AppBase
from labeltool.tui.background.model_state import ModelState
from labeltool.tui.background.trainer import SUGGEST_AFTER, TrainingProgress

if TYPE_CHECKING:
    from labeltool.tasks.evaluate import EvaluateResult

_RESULT_S = 60.0

_FIRST_SUGGEST_AFTER = 2


class TrainingApp(AppBase):
    """Trains models and lets them suggest."""

    # What was left to do when training or suggesting failed: neither is tried again for the same labels.
    _pending_at_failure = 0
    _pending_suggest_at_failure = 0

    def action_train(self) -> None:
        if why := self.services.state.read_only:
            self.warn_view(f"nothing can be trained here ({why})")
        elif why := self._why_untrainable():
            self.warn_view(why)
        else:
            self.notify_view("training started; go on labelling" if self._train() else "a training is running already")

    def _why_untrainable(self) -> str:
        """Return what is missing to train the architecture of the settings, "" if nothing is."""
        try:
            require_training(self.services.state.settings.learning.architecture)
        except LabeltoolError as error:
            return str(error)
        return ""

    @work(exclusive=True, group="cancel-training")
    async def action_cancel_training(self) -> None:
        """Stop the training that runs; the models of before stay."""
        if not self.services.trainer.busy:
            self.notify_view("no training is running")
            return
        self.notify_view("stopping the training …")
        await asyncio.to_thread(self.services.trainer.cancel)

    def train_if_due(self, pending: int) -> None:
        """Train where enough labels are newer than the newest model."""
        after = self.services.state.settings.learning.retrain_after
        # Only labels of this session start a training: opening the app on older labels does not.
        wanted = self.services.session.clips_done and self.services.state.has_two_classes
        if not (wanted and 0 < after <= pending - self._pending_at_failure):
            return
        if why := self._why_untrainable():  # shown again after as many further labels
            self._pending_at_failure = pending
            self.warn_view(why)
        else:
            self._train()

    def suggest_if_due(self, model: ModelState) -> None:
        """Make new suggestions for all clips where enough labels are newer than them: at first after two.

        A training that runs is no reason to wait. The clip on the screen does not need them, see `background.live`.
        """
        after = min(SUGGEST_AFTER, max(_FIRST_SUGGEST_AFTER, model.labels_suggest // 2))
        if self.services.session.clips_done and model.pending_suggest - self._pending_suggest_at_failure >= after:
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

    def take_training(self, training: TrainingProgress) -> None:
        """Show the progress of the training; at its end load the new suggestions."""
        before = self.services.state.training
        self._show_training(training)
        if training.elsewhere and not (before and before.elsewhere):
            self.notify_view(f"{training.stage}; go on labelling")
        elif training.for_suggestions and not (before and before.for_suggestions):
            self.notify_view("the training waits for the suggestions that are being computed; go on labelling")
        if training.failure:
            # The next try comes after as many further labels.
            model = self.services.state.model
            self._pending_at_failure = model.pending if model else 0
            self.warn_view(training.failure)
        elif training.stopped:
            self._pending_at_failure = self.services.state.model.pending if self.services.state.model else 0
            self.notify_view("training stopped; the suggestions stay as they are")
        elif training.model is not None:
            self._pending_at_failure = self._pending_suggest_at_failure = 0
            self.notify_view(f"model {training.model} is trained; its suggestions start with the next clip")
            self.reload_view()

    def take_suggestions(self, training: TrainingProgress) -> None:
        """Load new suggestions, with a notice that fades."""
        model = self.services.state.model
        pending = model.pending_suggest if model else 0
        if training.failure:
            self._pending_suggest_at_failure = pending
            self.warn_view(training.failure)
        elif training.model is not None:
            # Where no pretrained model could suggest, the next try comes after as many further labels too.
            self._pending_suggest_at_failure = 0 if training.model else pending
            if training.model:
                self.notify_view("new suggestions")
            self.reload_view()

    # -- evaluation

    def action_evaluate(self) -> None:
        started = self.services.evaluation.start()
        self.notify_view("evaluating the newest model; go on" if started else "an evaluation is running already")

    def show_evaluation(self, result: EvaluateResult) -> None:
        """Show the accuracy, for long enough to be read between two clips."""
        if self.current_view is not None:
            measured = f"model {result.model}: {result.clip_accuracy:.1%} of {result.clips:,} clips right"
            int8 = f"int8 {result.int8_clip_accuracy:.1%}"
            written = f"; {result.report}" if result.report else ""
            self.current_view.notice.show(f"{measured}, {int8}{written}", seconds=_RESULT_S, wraps=True)
