"""Retraining: a model trained and measured on the labels of now, published, and its suggestions for every clip."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

from labeltool.active_learning import pretrained_suggester
from labeltool.active_learning.candidates import suggesting_model
from labeltool.active_learning.pretrained_suggester import NotSuggested, teacher_of_settings
from labeltool.active_learning.result import SuggestResult
from labeltool.active_learning.suggest import suggest, suggest_by_model, suggestion_lock
from labeltool.errors import LabeltoolError, require_known
from labeltool.networks import model_folder
from labeltool.networks.architectures import TRUNK_ARCHITECTURE, require_training
from labeltool.networks.build import start_tensorflow
from labeltool.networks.model_card import Beside, PretrainedComparison
from labeltool.pretrained.trunk import has_trunk
from labeltool.project import Project
from labeltool.records import StoredClip
from labeltool.store import Store, clips, groups, journal, models
from labeltool.tasks import earlier_models
from labeltool.tasks.locking import lock_near_duplicates
from labeltool.tasks.other_run import newest_id, result_of_other, retraining_lock
from labeltool.tasks.publish_model import publish_model
from labeltool.tasks.retrain_result import RenewResult, RetrainResult, retrain_result
from labeltool.training.budget import NO_BUDGET, Budget, budget_of
from labeltool.training.labelled_spans import labels_above, read_training_clips
from labeltool.training.prepare import TrainedModel, TrainingRequest, make_request
from labeltool.training.targets import TrainingSet, build_training_set
from labeltool.training.train_model import train_model
from labeltool.training.unlabelled.semi_supervised import without_fold
from labeltool.training.warm_start import MIN_CLIPS_TO_COMPARE, Parent, newest_parent, scratch_run_due, scratch_state
from labeltool.type_aliases import Progress
from labeltool.util.files.atomic_write import NewFolder, new_folder
from labeltool.util.stage_clock import StageClock
from labeltool.util.time_limit import Clock

# Training from scratch takes longer than a warm start: with less time left than this many times the warm start's, it
# is not begun.
_SCRATCH_IS_LONGER_BY = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrainOptions:
    """The options of `labeltool retrain`, as JSON values.

    Attributes
    ----------
    teacher
        A file; None: the pretrained model of the project's settings, if it has embeddings and there is no budget, which
        computing them might exceed; "": none.
    patch_s
        Seconds of a patch; None: as in the project's settings.
    pretrained
        Name of the pretrained model whose embeddings or layers the architecture takes; None: as `make_request` chooses.
    finetune
        Train those layers too.
    wait
        Where another process retrains the project, wait for it; without further options take its result, if it is
        what this one would train.
    """

    arch: str
    from_scratch: bool = False
    test_fold: int | None = None
    seed: int = 0
    budget_s: float | None = None
    teacher: str | None = None
    teacher_tensor: str | None = None
    backbone: str | None = None
    patch_s: float | None = None
    pretrained: str | None = None
    finetune: bool = False
    wait: bool = True

    @property
    def are_plain(self) -> bool:
        """Whether a retraining of another process gives the same."""
        given = {self.teacher, self.teacher_tensor, self.backbone, self.patch_s, self.pretrained}
        return not (self.from_scratch or self.finetune) and given == {None}

    def request(self, project: Project) -> TrainingRequest:
        """Return what they ask of a training."""
        require_training(self.arch, finetune=self.finetune)
        default = teacher_of_settings(project) if self.teacher is None and self.budget_s is None else None
        request = make_request(
            project,
            self.arch,
            seed=self.seed,
            budget_s=self.budget_s,
            test_fold=self.test_fold,
            teacher=Path(self.teacher) if self.teacher else default,
            teacher_tensor=self.teacher_tensor,
            backbone=Path(self.backbone) if self.backbone else None,
            patch_s=self.patch_s,
            pretrained=self.pretrained,
            finetune=self.finetune,
        )
        return replace(request, teacher=None) if self.teacher == "" else request


def retrain(project: Project, *, report: Progress, clock: Clock = time.monotonic, **given: Any) -> RetrainResult:
    """Train a model on the labels of now, publish it and write its suggestions; a task of the worker.

    Parameters
    ----------
    clock
        By which a budget is counted.
    given
        The fields of `RetrainOptions`.

    Raises
    ------
    LabeltoolError
        When there is no such option, there are too few labels, or another retraining is running and is not waited for.
    """
    began_s, stages = clock(), StageClock(report, "reading")
    require_known("retrain", given, (option.name for option in fields(RetrainOptions)))
    options = RetrainOptions(**given)
    request = options.request(project)
    with project.open_store(to_write=True) as store:
        before = newest_id(store, options.arch)
        with retraining_lock(project, stages, wait=options.wait) as waited_s:
            other = result_of_other(project, store, request, before) if waited_s and options.are_plain else None
            if other is not None:
                return other
            began_s += waited_s  # no part of the budget
            budget, accepted = budget_of(options.budget_s, began_s, clock), frozenset(clips.auto_accepted(store))
            request = replace(request, budget=budget, accepted=accepted)
            run = _Run(project, store, request, began_s, clock, stages)
            return run.result(from_scratch=options.from_scratch)


def renew(project: Project, *, report: Progress) -> RenewResult:
    """Suggest anew within seconds; a task of the worker.

    The head behind a pretrained trunk is trained on the labels of now, where the project can have one and there are
    labels enough, unless it did worse than the architecture of the settings when both were trained. Else the
    pretrained model of the settings suggests, or the newest model.
    """
    if has_trunk(project) and not earlier_models.other_architecture_is_better(project):
        try:
            return RenewResult(retrain(project, report=report, arch=TRUNK_ARCHITECTURE, wait=False).suggester)
        except LabeltoolError as error:
            report("suggesting", 0, 0, str(error))  # too few labels so far, or a training is running
    return RenewResult(suggest(project, report=report).model)


@dataclass(slots=True)
class _Run:
    """One retraining under way: what its steps share."""

    project: Project
    store: Store
    request: TrainingRequest
    began_s: float
    clock: Clock
    report: StageClock
    parent: Parent | None = None

    def result(self, *, from_scratch: bool) -> RetrainResult:
        """Train, publish and suggest."""
        model_id, trained, other_patch_s = self.train(from_scratch=from_scratch)
        trained_s = self.clock() - self.began_s
        with suggestion_lock(self.project, self.report):
            suggested = _suggest(self.project, self.store, trained, self.report, self.request.budget)
        highest_hz = self.request.frontend.highest_hz
        result = retrain_result(model_id, self.request.frontend.patch_hops_s, trained.card, suggested)
        return replace(
            result,
            other_patch_s=other_patch_s,
            left_out=trained.left_out,
            above_band=tuple(label for label in labels_above(self.store, highest_hz) if label in trained.card.labels),
            highest_hz=highest_hz,
            locked_clips=len(clips.labelled(self.store, which="locked")),
            accepted_validation_clips=self._accepted_validation_clips(model_id),
            compared=trained.card.compared if self.parent else None,
            stages=self.report.spent(),
            seconds_until_trained=round(trained_s, 1),
            seconds=round(self.clock() - self.began_s, 1),
        )

    def _accepted_validation_clips(self, model_id: int) -> int:
        files = model_folder.read(self.project.models / str(model_id), groups.groups_now(self.store))
        validated = files.groups_validated_on()
        return sum(clip.group in validated for clip in clips.clips_by_ids(self.store, [*self.request.accepted]))

    def train(self, *, from_scratch: bool) -> tuple[int, TrainedModel, float | None]:
        """Train and publish; return the model's id, the model, and the last one's patch length if only that differs."""
        lock_near_duplicates(self.project, self.store, report=self.report)
        mark = journal.newest_id(self.store)
        frontend, test_fold = self.request.frontend, self.request.test_fold
        annotated = read_training_clips(self.store, min_window_s=frontend.patch_samples / frontend.sample_rate_hz)
        labelled = annotated.labelled
        training_set = build_training_set(labelled, annotated.background, test_fold=test_fold)
        light = self.request.trunk is not None and not self.request.finetune
        if not light:
            self.report("starting TensorFlow", 0, 0)
            before_s = self.clock()
            start_tensorflow()  # timed apart from what follows
            budget = replace(self.request.budget, rest_s=self.clock() - before_s)
            self.request = replace(self.request, budget=budget)
        if light and not from_scratch:
            known_head = earlier_models.known_head(self.project, self.store, training_set, self.request)
            self.request = replace(self.request, known_head=known_head)
        if not from_scratch and not light:
            self.report("loading the last model", 0, 0)
            self.parent = newest_parent(
                self.project,
                self.store,
                labelled,
                training_set,
                arch=self.request.arch,
                frontend=frontend,
                test_fold=test_fold,
            )
        other_patch_s = None if from_scratch or self.parent else earlier_models.other_patch_s(self.store, self.request)
        unlabelled = without_fold(clips.unlabelled_to_train_on(self.store), labelled, test_fold)
        with ExitStack() as folders:
            new, trained = self._train_in(folders, training_set, unlabelled)
            if not light:
                trained = self._with_model_beside(new.path, trained, training_set, unlabelled, mark)
            worse = earlier_models.still_worse(self.project, self.store, training_set, self.request.arch)
            if worse is not None:
                trained = replace(trained, card=replace(trained.card, worse_pretrained=worse))
                model_folder.write_card(new.path, trained.card)
            return publish_model(self.store, new, trained.card, mark, self.report), trained, other_patch_s

    def _train_in(
        self, folders: ExitStack, training_set: TrainingSet, unlabelled: Sequence[StoredClip]
    ) -> tuple[NewFolder, TrainedModel]:
        train = partial(train_model, self.project, training_set, unlabelled=unlabelled)
        new = folders.enter_context(new_folder(self.project.models))
        trained = train(self.request, self.parent, new.path, report=self.report)
        spent_s = self.clock() - self.began_s
        if self.parent is None or self.request.budget.model.left_s <= _SCRATCH_IS_LONGER_BY * spent_s:
            return new, trained
        return self._better_from_scratch(folders, train, training_set, trained, new)

    def _with_model_beside(
        self,
        folder: Path,
        trained: TrainedModel,
        training_set: TrainingSet,
        unlabelled: Sequence[StoredClip],
        mark: str,
    ) -> TrainedModel:
        """Train a model with a pretrained trunk on the same clips too, where the project has one, and publish it.

        Its features take longer than a budget may allow, so there is none with a budget.
        """
        if self.request.budget_s is not None:
            return trained
        try:
            request = make_request(self.project, TRUNK_ARCHITECTURE, seed=self.request.seed)
        except LabeltoolError:
            return trained  # no pretrained model that can be one
        validated = model_folder.read(folder).groups_validated_on()
        request = replace(request, test_fold=self.request.test_fold, validation_groups=validated)
        try:
            with new_folder(self.project.models) as other:
                with_trunk = train_model(
                    self.project, training_set, request, None, other.path, unlabelled=unlabelled, report=self.report
                ).card
                model_id = publish_model(self.store, other, with_trunk, mark, self.report)
        except LabeltoolError as error:
            self.report("training", 0, 0, f"no {TRUNK_ARCHITECTURE} beside it: {error}")
            return trained
        beside = Beside(model_id, with_trunk.architecture, with_trunk.log_loss, trained.card.log_loss)
        card = replace(trained.card, beside=beside)
        model_folder.write_card(folder, card)
        return replace(trained, card=card)

    def _better_from_scratch(
        self,
        folders: ExitStack,
        train: partial[TrainedModel],
        training_set: TrainingSet,
        warm: TrainedModel,
        new: NewFolder,
    ) -> tuple[NewFolder, TrainedModel]:
        """Train from scratch too where that is due, and return the model that is better on the same validation clips.

        `new` is the warm start's folder.
        """
        if warm.card.validation_clips < MIN_CLIPS_TO_COMPARE or not scratch_run_due(warm.card.compared, training_set):
            return new, warm

        def report(stage: str, done: int, total: int, text: str = "", /) -> None:
            self.report(f"from scratch, to compare: {stage}", done, total, text)

        validation_groups = model_folder.read(new.path).groups_validated_on()
        request = replace(self.request, validation_groups=validation_groups)
        other = folders.enter_context(new_folder(self.project.models))
        scratch = train(request, None, other.path, report=report)
        losses = warm.card.log_loss, scratch.card.log_loss
        assert losses[0] is not None and losses[1] is not None  # both have validation clips
        better, trained = (other, scratch) if losses[1] < losses[0] else (new, warm)
        compared = replace(scratch_state(training_set), warm_log_loss=losses[0], from_scratch_log_loss=losses[1])
        card = replace(trained.card, compared=compared)
        model_folder.write_card(better.path, card)
        return better, replace(trained, card=card)


def _suggest(project: Project, store: Store, trained: TrainedModel, report: Progress, budget: Budget) -> SuggestResult:
    """Write suggestions by the better new model, or by the settings' pretrained one where that is still better.

    After a training within a budget neither that comparison nor a large project may take long.
    """
    chosen = suggesting_model(store)
    assert chosen is not None  # one was just published
    worse, why = trained.card.worse_pretrained, ""
    name = pretrained_suggester.select_pretrained(project)
    if name is not None and budget == NO_BUDGET and (worse is None or worse.pretrained != name):
        try:
            suggested = pretrained_suggester.suggest_by_pretrained(
                project, store, name, report=report, seed=trained.card.seed
            )
        except LabeltoolError as error:
            suggested = NotSuggested(str(error))  # the new model is there: it suggests
        if isinstance(suggested, SuggestResult):
            return suggested
        why = suggested.why
        worse = PretrainedComparison(
            name, trained.card.labels_seen, trained.card.labels, why, is_worse=suggested.is_worse
        )
        newest = project.models / str(models.model(store).id)
        model_folder.write_card(newest, replace(model_folder.read(newest).card, worse_pretrained=worse))
    elif name is not None and worse is not None:
        why = f"{worse.why}, with {worse.clips} labelled clips"
    beside = trained.card.beside
    network = None if beside is not None and beside.is_better else trained.network
    limit = budget.end.after(0.75)  # the rest is for storing them and the queue
    suggested = suggest_by_model(project, store, chosen.id, report=report, network=network, limit=limit)
    return replace(suggested, why=why)
