"""What a product is made from: the project, its open store, and the model when one is asked for."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Protocol

from labeltool.errors import LabeltoolError
from labeltool.networks import model_folder
from labeltool.networks.model_folder import ModelFiles
from labeltool.project import Project
from labeltool.records import LabelledClip
from labeltool.store import Store, clips, models

# Accuracies are ratios of clips: 0.90 - 0.88 is a hair more than 0.02 in binary.
_ROUNDING = 1e-9


class Report(Protocol):
    """How a product tells how far it is."""

    def __call__(self, stage: str, done: int, total: int, text: str = "") -> None:
        """Tell that `done` of `total` is behind us."""


class Source:
    """A project to export from; what is asked of it is read once, and only when asked.

    Parameters
    ----------
    model_id
        The model asked for; None is the newest.
    """

    def __init__(self, project: Project, store: Store, model_id: int | None, report: Report) -> None:
        self.project = project
        self.store = store
        self.report = report
        self._asked_for = model_id

    @cached_property
    def model_id(self) -> int:
        """The model's id; raises a `LabeltoolError` when there is none."""
        return models.model(self.store, self._asked_for).id

    @cached_property
    def model(self) -> ModelFiles:
        """The model's folder."""
        return model_folder.read(self.project.models / str(self.model_id))

    @cached_property
    def heard(self) -> list[LabelledClip]:
        """The clips on which at least one label was heard."""
        return [labelled for labelled in clips.labelled(self.store) if labelled.present]

    @property
    def test_fold(self) -> int | None:
        """The fold the model asked for was not taught; None without a model or when it kept none back."""
        row = models.latest(self.store) if self._asked_for is None else models.model(self.store, self._asked_for)
        fold: Any = row.card.get("test_fold") if row is not None else None
        return None if fold is None else int(fold)

    def check_model(self, *, force: bool) -> None:
        """Refuse a model that is not there, not whole, or loses more clip accuracy in int8 than the project allows.

        A model whose accuracy was not measured (too few clips to hold some back) is let through: its card says so.

        Parameters
        ----------
        force
            Let a lossy model through as well.

        Raises
        ------
        LabeltoolError
            Saying both accuracies and how to export all the same.
        """
        card = self.model.card
        as_float, as_int8 = card.get("clip_accuracy"), card.get("int8_clip_accuracy")
        allowed = self.project.settings.max_int8_loss
        if force or as_float is None or as_int8 is None or as_float - as_int8 <= allowed + _ROUNDING:
            return
        raise LabeltoolError(
            f"model {self.model_id} falls from {as_float:.1%} to {as_int8:.1%} of clips in int8, more than the "
            f"{allowed:.1%} that max_int8_loss in labeltool.toml allows",
            remedy="retrain, or export it all the same with --force",
        )
