"""What the screens share: the session, the player, the background work and the state."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from labeltool.pretrained.registry import AddResult
from labeltool.project import Project
from labeltool.tui.background.comparer import Comparer
from labeltool.tui.background.live import LiveSuggestions
from labeltool.tui.background.prefetch import Prefetcher
from labeltool.tui.background.store_thread import StoreThread
from labeltool.tui.background.task import BackgroundTask
from labeltool.tui.background.trainer import Trainer
from labeltool.tui.keymap import Keymap
from labeltool.tui.media.player import Player
from labeltool.tui.session import Session
from labeltool.tui.state import State
from labeltool.type_aliases import Int16

if TYPE_CHECKING:
    from labeltool.pretrained.project_classes import AgreementResult
    from labeltool.tasks.evaluate import EvaluateResult


@dataclass(frozen=True, slots=True)
class Services:
    """Made by the app, used by its screens."""

    project: Project
    session: Session
    player: Player
    prefetcher: Prefetcher
    live: LiveSuggestions
    reader: StoreThread
    trainer: Trainer
    suggester: Trainer
    fetcher: BackgroundTask[AddResult]
    comparer: Comparer
    class_agreement: BackgroundTask[AgreementResult]
    evaluation: BackgroundTask[EvaluateResult]
    exporter: BackgroundTask[Any]  # its result: `exporters.registry.ExportResult`
    keymap: Keymap
    state: State = field(default_factory=State)
    silence: Int16 = field(default_factory=lambda: np.zeros(0, np.int16))

    def close(self) -> None:
        """End the threads and the background work; what was labelled is written first."""
        with ThreadPoolExecutor() as stopping:  # together: each waits for its process to clean up
            tasks = (self.trainer, self.suggester, self.fetcher, self.comparer, self.class_agreement)
            for task in (*tasks, self.evaluation, self.exporter, self.live):
                stopping.submit(task.stop)
            self.session.close()
            self.prefetcher.stop()
            self.reader.interrupt()
            self.reader.close()
            self.player.close()
