"""Retraining: a model trained and measured on the labels of now, published, and its suggestions for every clip."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from labeltool.active_learning import pretrained_suggester
from labeltool.active_learning.result import SuggestResult
from labeltool.active_learning.suggest import suggest_by_model, suggestion_lock
from labeltool.audio.frontend import frontend_from_dict
from labeltool.errors import LabeltoolError, SkippedFile
from labeltool.networks import model_folder
from labeltool.networks.heads import Head
from labeltool.networks.model_card import Comparison, ModelCard, card_from_json
from labeltool.pretrained import registry
from labeltool.pretrained.card import read_card
from labeltool.pretrained.embedding_frames import pretrained_for
from labeltool.project import Project
from labeltool.records import StoredClip
from labeltool.store import Store, clips, journal, models
from labeltool.training.labelled_spans import read_training_clips
from labeltool.training.semi_supervised import without_fold
from labeltool.training.targets import TrainingSet, build_training_set
from labeltool.training.train_model import TrainedModel, TrainingRequest, train_model
from labeltool.training.warm_start import MIN_CLIPS_TO_COMPARE, Parent, newest_parent, scratch_run_due, scratch_state
from labeltool.type_aliases import Progress
from labeltool.util.locks import try_lock
from labeltool.util.stage_clock import StageClock

# Training from scratch takes longer than a warm start: with less time left than this many times the warm start's, it
# is not begun.
_SCRATCH_IS_LONGER_BY = 2


@dataclass(frozen=True, slots=True)
class RetrainResult:
    """What `labeltool retrain --json` prints; accuracies are shares of the validation clips, None where there are none.

    Attributes
    ----------
    model
        Id of the new model.
    labels_seen
        Clips with labels it was trained or validated on.
    pool_clips
        Unlabelled clips it was trained on.
    background_windows
        Windows without any label, of checked recordings, that it was trained or validated on.
    embedding_model
        Name of the pretrained model whose embeddings the architecture takes; None for other architectures.
    several_labels_clips
        Clips that speak for a probability for each label (head "sigmoid").
    background
        Name of the output for clips with none of the labels; None without one.
    assumed_absent
        Labels hardly ever marked absent, for which clips without a mark are weak negatives.
    compared
        Where a model was trained from scratch beside the warm start: the log loss of both.
    warm
        Whether it continues the last model.
    patch_s, other_patch_s
        Seconds of one input; those of the last model where they alone kept training from continuing it.
    pretrained, why
        The pretrained model that suggests labels, None where the new model does, and why.
    suggestions
        Unlabelled clips with a suggestion.
    skipped
        Files that could not be read.
    stages
        Seconds spent in each stage.
    seconds_until_trained, seconds
        Until the model was published, and in all.
    """

    model: int
    arch: str
    parameters: int
    labels_seen: int
    pool_clips: int
    background_windows: int
    clip_accuracy: float | None
    int8_clip_accuracy: float | None
    label_accuracy: float | None
    int8_label_accuracy: float | None
    validation_clips: int
    head: Head
    several_labels_clips: int
    background: str | None
    assumed_absent: tuple[str, ...]
    threshold: float
    compared: Comparison | None
    warm: bool
    patch_s: float
    other_patch_s: float | None
    embedding_model: str | None
    pretrained: str | None
    why: str
    suggestions: int
    skipped: tuple[SkippedFile, ...]
    stages: dict[str, float] = field(default_factory=dict)
    seconds_until_trained: float = 0.0
    seconds: float = 0.0


def retrain(
    project: Project,
    *,
    report: Progress,
    arch: str,
    from_scratch: bool = False,
    test_fold: int | None = None,
    seed: int = 0,
    budget_s: float | None = None,
    teacher: str | None = None,
    teacher_tensor: str | None = None,
    backbone: str | None = None,
    patch_s: float | None = None,
    pretrained: str | None = None,
) -> RetrainResult:
    """Train a model on the labels of now, publish it and write its suggestions; a task of the worker.

    Its parameters are the options of `labeltool retrain`, as JSON values, which is why there are more than seven.

    Parameters
    ----------
    teacher
        A file; None: the pretrained model of the project's settings, if it has embeddings and there is no budget, which
        computing them might exceed; "": none.
    patch_s
        Seconds of a patch; None: as in the project's settings.
    pretrained
        Name of the pretrained model whose embeddings the architecture takes; None: as `pretrained_for` chooses.

    Raises
    ------
    LabeltoolError
        When there are too few labels to train on, or another retraining is running.
    """
    began_s = time.monotonic()
    default_teacher = _teacher_of_settings(project) if teacher is None and budget_s is None else None
    request = TrainingRequest(
        arch,
        seed,
        budget_s,
        test_fold,
        Path(teacher) if teacher else default_teacher,
        teacher_tensor,
        Path(backbone) if backbone else None,
        project.settings.learning.patch_s if patch_s is None else patch_s,
        project.settings.learning.target,
        pretrained_for(project, arch, pretrained),
    )
    clock = StageClock(report, "reading")
    with try_lock(project.cache / "retrain.lock", "retraining"), project.open_store() as store:
        run = _Run(project, store, request, began_s, clock)
        model_id, trained, other_patch_s = run.train(from_scratch=from_scratch)
        trained_s = time.monotonic() - began_s
        with suggestion_lock(project, clock):
            suggested = _suggest(project, store, model_id, trained, clock)
    result = _result(model_id, request.frontend.patch_hops_s, trained.card, suggested)
    return replace(
        result,
        other_patch_s=other_patch_s,
        compared=trained.card.compared if run.parent else None,
        stages=clock.spent(),
        seconds_until_trained=round(trained_s, 1),
        seconds=round(time.monotonic() - began_s, 1),
    )


def _result(model_id: int, patch_s: float, card: ModelCard, suggested: SuggestResult) -> RetrainResult:
    measured = card.measured
    return RetrainResult(
        model=model_id,
        arch=card.architecture,
        parameters=card.parameters,
        labels_seen=card.labels_seen,
        pool_clips=card.pool_clips,
        background_windows=card.background_windows,
        clip_accuracy=card.clip_accuracy,
        int8_clip_accuracy=card.int8_clip_accuracy,
        label_accuracy=measured.label_accuracy if measured else None,
        int8_label_accuracy=measured.int8_label_accuracy if measured else None,
        validation_clips=card.validation_clips,
        head=card.clip_rule.head,
        several_labels_clips=card.several_labels_clips,
        background=card.background,
        assumed_absent=card.assumed_absent,
        threshold=card.clip_rule.threshold,
        compared=None,
        warm=card.parent is not None,
        patch_s=patch_s,
        other_patch_s=None,
        embedding_model=card.embedding_model.name if card.embedding_model else None,
        pretrained=suggested.pretrained,
        why=suggested.why,
        suggestions=suggested.suggestions,
        skipped=tuple(dict.fromkeys((*card.skipped, *suggested.skipped))),
    )


@dataclass(slots=True)
class _Run:
    """One retraining under way: what its steps share."""

    project: Project
    store: Store
    request: TrainingRequest
    began_s: float
    report: StageClock
    parent: Parent | None = None

    def train(self, *, from_scratch: bool) -> tuple[int, TrainedModel, float | None]:
        """Train and publish; return the model's id, the model, and the last one's patch length if only that differs."""
        mark = journal.newest_id(self.store)
        frontend, test_fold = self.request.frontend, self.request.test_fold
        annotated = read_training_clips(self.store, min_window_s=frontend.patch_samples / frontend.sample_rate_hz)
        labelled = annotated.labelled
        training_set = build_training_set(labelled, annotated.background, test_fold=test_fold)
        self.report("starting TensorFlow", 0, 0)
        import tensorflow  # noqa: F401  (timed apart from what follows)

        self.report("loading the last model", 0, 0)
        if not from_scratch:
            self.parent = newest_parent(
                self.project,
                self.store,
                labelled,
                training_set,
                arch=self.request.arch,
                frontend=frontend,
                test_fold=test_fold,
            )
        other_patch_s = None if from_scratch or self.parent else _other_patch_s(self.store, self.request)
        unlabelled = without_fold(clips.unlabelled(self.store), labelled, test_fold)
        folder = self.project.models / ".training"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        try:
            trained = self._train_in(folder, training_set, unlabelled)
            return _publish(self.project, self.store, folder, trained.card, mark), trained, other_patch_s
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _train_in(self, folder: Path, training_set: TrainingSet, unlabelled: Sequence[StoredClip]) -> TrainedModel:
        train = partial(train_model, self.project, training_set, unlabelled=unlabelled)
        trained = train(self._remaining(), self.parent, folder, report=self.report)
        left_s, spent_s = self._remaining().budget_s, time.monotonic() - self.began_s
        if self.parent is None or (left_s is not None and left_s <= _SCRATCH_IS_LONGER_BY * spent_s):
            return trained
        return self._better_from_scratch(train, training_set, trained, folder)

    def _remaining(self) -> TrainingRequest:
        """Return the request with what is left of its budget."""
        budget_s = self.request.budget_s
        if budget_s is None:
            return self.request
        return replace(self.request, budget_s=budget_s - (time.monotonic() - self.began_s))

    def _better_from_scratch(
        self, train: partial[TrainedModel], training_set: TrainingSet, warm: TrainedModel, folder: Path
    ) -> TrainedModel:
        """Train from scratch too where that is due, and keep the model that is better on the same validation clips.

        `folder` holds the warm start's files and ends with those of the better model.
        """
        if warm.card.validation_clips < MIN_CLIPS_TO_COMPARE or not scratch_run_due(warm.card.compared, training_set):
            return warm
        other = folder.with_name(folder.name + "-from-scratch")
        shutil.rmtree(other, ignore_errors=True)
        other.mkdir()

        def report(stage: str, done: int, total: int, text: str = "", /) -> None:
            self.report(f"from scratch, to compare: {stage}", done, total, text)

        better = warm
        try:
            validation_groups = model_folder.read(folder).groups_validated_on()
            request = replace(self._remaining(), validation_groups=validation_groups)
            scratch = train(request, None, other, report=report)
            losses = warm.card.log_loss, scratch.card.log_loss
            assert losses[0] is not None and losses[1] is not None  # both have validation clips
            if losses[1] < losses[0]:
                shutil.rmtree(folder)
                other.rename(folder)
                better = scratch
        finally:
            shutil.rmtree(other, ignore_errors=True)
        compared = replace(scratch_state(training_set), warm_log_loss=losses[0], from_scratch_log_loss=losses[1])
        card = replace(better.card, compared=compared)
        model_folder.write_card(folder, card)
        return replace(better, card=card)


def _teacher_of_settings(project: Project) -> Path | None:
    """Return the file of the settings' pretrained model where it has embeddings."""
    name = pretrained_suggester.select_pretrained(project)
    if name is None:
        return None
    try:
        path = registry.find(project, name)
        return path if read_card(path.parent).embedding is not None else None
    except LabeltoolError:
        return None  # nobody named this teacher: its damage stops nothing


def _suggest(project: Project, store: Store, model_id: int, trained: TrainedModel, report: Progress) -> SuggestResult:
    """Write suggestions by the new model, or by the settings' pretrained one where that is still better."""
    why, name = "", pretrained_suggester.select_pretrained(project)
    if name is not None:
        try:
            suggested = pretrained_suggester.suggest_by_pretrained(
                project, store, name, report=report, seed=trained.card.seed
            )
        except LabeltoolError as error:
            suggested = str(error)  # the new model is there: it suggests
        if isinstance(suggested, SuggestResult):
            return suggested
        why = suggested
    return replace(suggest_by_model(project, store, model_id, report=report, network=trained.network), why=why)


def _other_patch_s(store: Store, request: TrainingRequest) -> float | None:
    """Return the patch length of the newest model where that alone keeps training from continuing it."""
    newest = models.latest(store)
    if newest is None or newest.architecture != request.arch:
        return None
    try:
        before, own = frontend_from_dict(card_from_json(newest.card).frontend), request.frontend
    except LabeltoolError:
        return None  # of a damaged card, or one of a newer version: training starts from scratch
    same = before == own.with_patches(before.patch_frames, before.patch_hop)
    return before.patch_hops_s if same and before.patch_frames != own.patch_frames else None


def _publish(project: Project, store: Store, folder: Path, card: ModelCard, mark: str) -> int:
    def publish(model_id: int) -> None:
        target = project.models / str(model_id)
        # Left by a process that died between renaming and committing: nothing refers to it.
        shutil.rmtree(target, ignore_errors=True)
        folder.rename(target)

    model = models.NewModel(
        card.architecture, card.to_json(), card.labels_seen, card.clip_accuracy, card.int8_clip_accuracy
    )
    return models.add(store, model, parent_id=card.parent, journal_mark=mark, publish=publish)
