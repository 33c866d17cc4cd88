"""What works behind the screens, in one handful: journal, player, preparer, learner, and what they all show."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from labeltool.project import Project
from labeltool.tui.background.class_agreement import Mapper
from labeltool.tui.background.comparer import Comparer
from labeltool.tui.background.prefetch import Preparer
from labeltool.tui.background.store_thread import StoreThread
from labeltool.tui.background.trainer import Learner
from labeltool.tui.keymap import Keymap
from labeltool.tui.media.player import Player
from labeltool.tui.session import Session
from labeltool.tui.state import State
from labeltool.type_aliases import Int16


@dataclass(frozen=True, slots=True)
class Services:
    """Made by the app, used by its screens."""

    project: Project
    session: Session
    player: Player
    preparer: Preparer
    reader: StoreThread
    learner: Learner
    suggester: Learner
    comparer: Comparer
    mapper: Mapper
    keymap: Keymap
    state: State = field(default_factory=State)
    silence: Int16 = field(default_factory=lambda: np.zeros(0, np.int16))
