"""Collect everything that a report says; a part that cannot be had stops no other."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from labeltool import __version__
from labeltool.errors import LabeltoolError
from labeltool.evaluation.call_density import By, CallDensity, call_density
from labeltool.project import Project
from labeltool.records import LabelledClip, Skipped
from labeltool.report import clip_map, data_set, errors, labelling, model
from labeltool.report.contents import MapPart, Missing, Mistakes, ModelPart, Report
from labeltool.store import Store
from labeltool.tasks.measure_clips import HeldOut, held_out, measure_on
from labeltool.type_aliases import Progress


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a report is to have: of which model (None: the newest), how many errors, and whether it is to be shared."""

    model_id: int | None
    errors: int
    is_shared: bool


class _Gaps:
    """What is missing, and which files were skipped, collected on the way."""

    def __init__(self, *, is_shared: bool) -> None:
        self._is_shared = is_shared
        self.missing: list[Missing] = []
        self._skipped: dict[str, None] = {}

    def add(self, part: str, error: LabeltoolError) -> None:
        """Note that a part cannot be had; the file that the reason names stays out of a shared report."""
        named = self._is_shared and (error.file is not None or "/" in error.reason or "\\" in error.reason)
        self.missing.append(Missing(part, "a file cannot be read" if named else error.without_place))

    def skip(self, files: tuple[Skipped, ...]) -> None:
        """Note files that could not be read."""
        self._skipped.update(dict.fromkeys(map(str, files)))

    @property
    def skipped(self) -> tuple[str, ...]:
        """The reasons, without names in a shared report."""
        return ("a recording cannot be read",) * len(self._skipped) if self._is_shared else tuple(self._skipped)


def collect(project: Project, wanted: Wanted, report: Progress) -> Report:
    """Return the contents of a report.

    Raises
    ------
    LabeltoolError
        When the project has no recordings, or not the model that was named.
    """
    gaps = _Gaps(is_shared=wanted.is_shared)
    with project.open_store() as store:
        report("the data set", 0, 0)
        data = data_set.collect(store, is_shared=wanted.is_shared)
        if not data.recordings:
            raise LabeltoolError("the project has no recordings to report on", remedy="`labeltool import` adds some")
        if not data.labelled:
            gaps.add("labels", LabeltoolError("no clip is labelled yet", remedy="`labeltool label`"))
        of_model, mistakes = _model(project, store, wanted, report, gaps)
        clips_wrong = {one.clip for one in mistakes.shown} if mistakes else set()
        on_map = _map(project, clips_wrong, wanted, report, gaps)
        return Report(
            title="" if wanted.is_shared else project.directory.resolve().name,
            created_at=datetime.now().astimezone().strftime("%Y-%m-%d %H:%M"),
            version=__version__,
            is_shared=wanted.is_shared,
            data_set=data,
            model=of_model,
            mistakes=mistakes,
            map=on_map,
            labelling=labelling.collect(project, store),
            density=_density(store, wanted, gaps),
            missing=tuple(gaps.missing),
            skipped=gaps.skipped,
        )


def _model(
    project: Project, store: Store, wanted: Wanted, report: Progress, gaps: _Gaps
) -> tuple[ModelPart | None, Mistakes | None]:
    try:
        held = _judged_by(project, wanted.model_id)
        tested = measure_on(project, held.files, held.names, held.clips, report)
    except LabeltoolError as error:
        if wanted.model_id is not None:
            raise
        gaps.add("the model", error)
        return None, None
    gaps.skip(tested.skipped)
    part = model.collect(project, store, held, tested, measured_on(held, tested.clips))
    mistakes = errors.collect(store, held, tested, limit=wanted.errors, is_shared=wanted.is_shared, report=report)
    return part, mistakes


def _judged_by(project: Project, model_id: int | None) -> HeldOut:
    """Return the clips that a model is judged by: the locked test set, else its test fold, else what else there is."""
    held = held_out(project, model_id, locked=None)
    fold = held.files.card.test_fold
    if fold is not None and not held.is_locked:
        with suppress(LabeltoolError):  # no clip of that fold is left
            return held_out(project, held.model.id, fold=fold)
    return held


def measured_on(held: HeldOut, tested: Sequence[LabelledClip]) -> str:
    """Return in words which clips a model was measured on.

    Validation clips chose its epoch, temperature and thresholds, so they are evidence of second rank; those that it was
    trained on without their labels, or whose labels are a model's own, are of third.
    """
    if held.is_locked:
        return "test clips: the locked test set, on which it was not trained"
    fold = held.files.card.test_fold
    accepted = sum(one.clip.id in held.auto_accepted for one in tested)
    ends = [f"{accepted} with labels that were accepted automatically, so a model's own"] if accepted else []
    if fold is not None and all(one.clip.fold == fold for one in tested):
        parts = [f"test clips: fold {fold}, on which it was not trained"]
    else:
        validated, in_pools = held.files.groups_validated_on(), held.files.groups_in_pools()
        chose = sum(one.clip.group in validated for one in tested)
        pooled = sum(one.clip.group in in_pools - validated for one in tested)
        rest = len(tested) - chose - pooled
        parts = (
            [f"{chose} validation clips: not trained on, but they chose its epoch and its calibration"] if chose else []
        )
        parts += [f"{pooled} clips that it was trained on before they had labels"] if pooled else []
        parts += [f"{rest} clips on which it was not trained"] if rest else []
    return ", and ".join(parts) + "".join(f"; among them {end}" for end in ends)


def _map(project: Project, clips_wrong: set[int], wanted: Wanted, report: Progress, gaps: _Gaps) -> MapPart | None:
    try:
        part, found = clip_map.collect(project, errors=clips_wrong, is_shared=wanted.is_shared, report=report)
    except LabeltoolError as error:
        gaps.add("the map", error)
        return None
    gaps.skip(found.skipped)
    return part


def _density(store: Store, wanted: Wanted, gaps: _Gaps) -> CallDensity | None:
    """Return the density by hour; by site instead where no time is known, unless the report is shared."""
    try:
        found = call_density(store, ("hour",))
        if found.without_time == found.recordings:
            by: tuple[By, ...] = () if wanted.is_shared else ("site",)
            found = call_density(store, by)
        return found
    except LabeltoolError as error:
        gaps.add("call density", error)
        return None
