"""What works behind the screen, in one handful: journal, player, preparer and learner."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from labeltool.project import Project
from labeltool.tui.learner import Learner
from labeltool.tui.playback import Player
from labeltool.tui.preparation import Preparer
from labeltool.tui.session import Session


@dataclass(frozen=True, slots=True)
class Services:
    """Made by the app, used by its screens."""

    project: Project
    session: Session
    player: Player
    preparer: Preparer
    learner: Learner
    silence: npt.NDArray[np.int16] = field(default_factory=lambda: np.zeros(0, np.int16))
