"""Retraining: what is labelled now, a network taught on it, checked, written down, and its word on all the rest."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from labeltool.active_learning import pretrained_suggester
from labeltool.active_learning.suggest import Suggested, in_turn, suggest_for_all
from labeltool.audio.frontend import Frontend
from labeltool.errors import LabeltoolError
from labeltool.networks import model_folder
from labeltool.pretrained import registry
from labeltool.pretrained.card import read_card
from labeltool.pretrained.embedding_frontend import ear_for
from labeltool.project import Project
from labeltool.records import StoredClip
from labeltool.store import Store, clips, journal, models
from labeltool.training.semi_supervised import without_fold
from labeltool.training.targets import Lesson, lesson
from labeltool.training.train_model import Recipe, Taught, teach
from labeltool.training.warm_start import FEWEST_TO_JUDGE_BY, due, newest_parent, state
from labeltool.type_aliases import Progress
from labeltool.util.locks import alone
from labeltool.util.stage_clock import StageClock

# Training from scratch in less than so many times what a warm start took is not worth beginning.
_SCRATCH_IS_LONGER_BY = 2


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
    ear: str | None = None,
) -> dict[str, Any]:
    """Train a model on what is labelled, write it down and let it suggest; a task of the worker.

    Parameters
    ----------
    teacher
        A file; None: the ear of the project's settings, if it embeds sounds and there is no budget, which its listening
        might use up; "": none.
    patch_s
        Seconds of a patch; None: as the project's settings have it.
    ear
        Name of the project's ear that an architecture over embeddings hears by; None: as `ears.frames.ear_for` has it.

    Returns
    -------
    dict
        As `labeltool retrain --json` prints it.

    Raises
    ------
    LabeltoolError
        When there is too little to learn from, or another retraining is under way.
    """
    began = time.monotonic()
    recipe = Recipe(
        arch,
        seed,
        budget_s,
        test_fold,
        Path(teacher) if teacher else _own_teacher(project) if teacher is None and budget_s is None else None,
        teacher_tensor,
        Path(backbone) if backbone else None,
        project.settings.patch_s if patch_s is None else patch_s,
        ear_for(project, arch, ear),
    )
    report = clock = StageClock(report, "reading")
    with alone(project.cache / "retrain.lock", "retraining"), project.open_store() as store:
        mark = journal.mark(store)
        labelled = clips.labelled(store)
        lessons = lesson(labelled, test_fold=test_fold)
        report("starting TensorFlow", 0, 0)
        import tensorflow  # noqa: F401  (told apart from what follows)

        report("loading the last model", 0, 0)
        parent = (
            None
            if from_scratch
            else newest_parent(
                project, store, labelled, lessons, arch=arch, frontend=recipe.frontend, test_fold=test_fold
            )
        )
        other_patch_s = None if from_scratch or parent else _other_patch_s(store, recipe)
        scratch = project.models / ".training"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        try:
            waiting = without_fold(clips.unanswered(store), labelled, test_fold)

            def with_what_is_left() -> Recipe:
                return recipe if budget_s is None else replace(recipe, budget_s=budget_s - (time.monotonic() - began))

            taught = teach(project, lessons, with_what_is_left(), parent, scratch, report=report, waiting=waiting)
            left_s = with_what_is_left().budget_s
            if parent and (left_s is None or left_s > _SCRATCH_IS_LONGER_BY * (time.monotonic() - began)):
                taught = _better_from_scratch(
                    project, lessons, with_what_is_left(), taught, scratch, report=report, waiting=waiting
                )
            taught_s = time.monotonic() - began
            card = taught.card
            model_id = _publish(project, store, scratch, card, mark)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        with in_turn(project, report):
            suggested, suggester, why = _suggest(project, store, model_id, taught, report)
    return {
        "model": model_id,
        "arch": arch,
        "parameters": card["parameters"],
        "labels_seen": card["labels_seen"],
        "pool_clips": card["pool_clips"],
        "clip_accuracy": card["clip_accuracy"],
        "int8_clip_accuracy": card["int8_clip_accuracy"],
        "label_accuracy": card.get("label_accuracy"),
        "int8_label_accuracy": card.get("int8_label_accuracy"),
        "validation_clips": card["validation_clips"],
        "head": card["clip_rule"]["head"],
        "several_labels_clips": card["several_labels_clips"],
        "background": card["background"],
        "assumed_absent": card["assumed_absent"],
        "threshold": card["clip_rule"]["threshold"],
        "compared": card["compared"] if parent else None,
        "warm": card["parent"] is not None,
        "patch_s": recipe.frontend.patch_hops_s,
        "other_patch_s": other_patch_s,
        "ear": suggester,
        "hears_by": card["hears_by"] and card["hears_by"]["name"],
        "why": why,
        "suggestions": suggested.waiting,
        "left_out": [*card["left_out"], *(one for one in suggested.left_out if one not in card["left_out"])],
        "stages": clock.spent(),
        "seconds_until_taught": round(taught_s, 1),
        "seconds": round(time.monotonic() - began, 1),
    }


def _own_teacher(project: Project) -> Path | None:
    name = pretrained_suggester.chosen(project)
    if name is None:
        return None
    try:
        path = registry.find(project, name)
        return path if read_card(path.parent).embedding is not None else None
    except LabeltoolError:
        return None  # nobody asked for this teacher by name: its damage stops nothing


def _suggest(
    project: Project, store: Store, model_id: int, taught: Taught, report: Progress
) -> tuple[Suggested, str | None, str]:
    """Let the new network suggest, or the ear of the settings where that still does better; say which, and why."""
    why, name = "", pretrained_suggester.chosen(project)
    if name is not None:
        try:
            heard = pretrained_suggester.suggest(project, store, name, report=report, seed=taught.card["seed"])
        except LabeltoolError as error:
            heard = str(error)  # what is trained is there: it suggests
        if isinstance(heard, pretrained_suggester.Heard):
            return Suggested(heard.suggestions, heard.left_out), name, heard.why
        why = heard
    return suggest_for_all(project, store, model_id, report=report, network=taught.network), None, why


def _better_from_scratch(
    project: Project,
    lessons: Lesson,
    recipe: Recipe,
    taught: Taught,
    directory: Path,
    *,
    report: Progress,
    waiting: Sequence[StoredClip],
) -> Taught:
    """Train from scratch too where that is due, and keep what does better on the same validation clips.

    Parameters
    ----------
    recipe
        With what is left of the budget.
    taught, directory
        The warm start's; the folder ends with the better one's files.
    """
    card = taught.card
    if card["validation_clips"] < FEWEST_TO_JUDGE_BY or not due(card["compared"], lessons):
        return taught
    other = directory.with_name(directory.name + "-from-scratch")
    shutil.rmtree(other, ignore_errors=True)
    other.mkdir()
    try:
        held = model_folder.read(directory).groups_checked()
        anew = teach(
            project,
            lessons,
            recipe,
            None,
            other,
            report=lambda stage, *told: report(f"from scratch, to compare: {stage}", *told),
            checked_on=held,
            waiting=waiting,
        )
        losses = {"warm_log_loss": card["log_loss"], "from_scratch_log_loss": anew.card["log_loss"]}
        if anew.card["log_loss"] < card["log_loss"]:
            shutil.rmtree(directory)
            other.rename(directory)
            taught = anew
    finally:
        shutil.rmtree(other, ignore_errors=True)
    card = taught.card | {"compared": state(lessons) | losses}
    model_folder.write_card(directory, card)
    return replace(taught, card=card)


def _other_patch_s(store: Store, recipe: Recipe) -> float | None:
    """Return the patch length of the newest model where that alone keeps training from going on from it."""
    newest = models.latest(store)
    if newest is None or newest.architecture != recipe.arch or "frontend" not in newest.card:
        return None
    before = Frontend.from_dict(newest.card["frontend"])
    own = recipe.frontend
    same = before == replace(own, patch_frames=before.patch_frames, patch_hop=before.patch_hop)
    return before.patch_hops_s if same and before.patch_frames != own.patch_frames else None


def _publish(project: Project, store: Store, scratch: Path, card: dict[str, Any], mark: str) -> int:
    def publish(model_id: int) -> None:
        target = project.models / str(model_id)
        # Left by a process that died between renaming and committing: nobody knows of it.
        shutil.rmtree(target, ignore_errors=True)
        scratch.rename(target)

    return models.add(store, parent_id=card["parent"], card=card, journal_mark=mark, publish=publish)
