"""Teaching: a network trained on a lesson, made int8, checked, and written into a model's folder."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from labeltool import __version__
from labeltool.audio import files
from labeltool.audio.frontend import Frontend
from labeltool.evaluation.measure import measure
from labeltool.inference.clip_features import cache_of, hear
from labeltool.networks import model_folder
from labeltool.networks.architectures import frontend_of
from labeltool.networks.calibration import pooling_named
from labeltool.pretrained.card import read_card
from labeltool.project import Project
from labeltool.records import StoredClip
from labeltool.training.budget import seconds_after_training
from labeltool.training.semi_supervised import gather
from labeltool.training.targets import Lesson
from labeltool.training.warm_start import Parent, state, validation_of
from labeltool.type_aliases import Progress

if TYPE_CHECKING:
    import keras

    from labeltool.pretrained.model import Ear


# What a bare file that does not say is taken to hear at.
_TEACHERS_RATE_HZ = 16_000


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to train.

    Attributes
    ----------
    arch
        A name in `models.ARCHITECTURES`.
    budget_s
        Seconds at most; None: no limit.
    test_fold
        The fold kept unseen.
    teacher, teacher_tensor
        A borrowed network from sound to embedding, and which tensor that is (`labeltool.ears.introducing.open_ear`).
    backbone
        Pre-trained weights that a start from scratch begins with (`labeltool.backbones`).
    patch_s
        Seconds of a patch; None: the architecture's own.
    ear
        The network's file of the ear that it hears by; None where the architecture hears for itself.
    """

    arch: str
    seed: int = 0
    budget_s: float | None = None
    test_fold: int | None = None
    teacher: Path | None = None
    teacher_tensor: str | None = None
    backbone: Path | None = None
    patch_s: float | None = None
    ear: Path | None = None

    @property
    def frontend(self) -> Frontend:
        """What the network sees by; raises where that is an ear which cannot be loaded."""
        if self.ear is None:
            return frontend_of(self.arch, self.patch_s)
        from labeltool.pretrained.embedding_frontend import frontend_by

        return frontend_by(self.arch, self.patch_s, self.ear, read_card(self.ear.parent))


@dataclass(frozen=True, slots=True)
class Taught:
    """A model that was trained: its card, and the float network that its folder holds."""

    card: dict[str, Any]
    network: keras.Model


def teach(
    project: Project,
    lessons: Lesson,
    recipe: Recipe,
    parent: Parent | None,
    directory: Path,
    *,
    report: Progress,
    checked_on: Collection[str] | None = None,
    waiting: Sequence[StoredClip] = (),
) -> Taught:
    """Train on a lesson and fill a model's folder.

    Parameters
    ----------
    waiting
        Clips without a verdict, to learn from too.
    parent
        What to start from; None starts from scratch.
    directory
        Exists; gets the files of `labeltool.modelfiles`.
    checked_on
        Groups to keep for validation; default a share of every label that can spare it, and with a parent its own.
    """
    from labeltool.networks import build as networks
    from labeltool.networks import pretrained_weights, quantization
    from labeltool.training import fit, label_propagation

    began = time.monotonic()
    pooling = pooling_named(project.settings.pooling) if project.settings.pooling else None
    settings = fit.settings_for(recipe.arch, seed=recipe.seed, pooling=pooling)
    frontend = recipe.frontend
    if frontend != networks.architecture(recipe.arch).frontend:
        # It may refuse: better before everything is listened to.
        networks.build(recipe.arch, len(lessons.labels), frontend, lessons.head)
    report("listening", 0, 0)
    cache = cache_of(project, frontend)
    hearing = hear(cache, lessons.clips, report=report)
    lessons, log_mels = lessons.only(hearing.clips), hearing.log_mels
    held_out = (
        validation_of(lessons, parent, share=settings.validation_share, seed=settings.seed)
        if checked_on is None
        else np.array([place for place, group in enumerate(lessons.groups) if group in checked_on], np.int64)
    )
    teacher = _opened(recipe)
    beside = gather(
        project,
        cache,
        lessons,
        held_out,
        waiting,
        teacher=teacher,
        share=settings.validation_share,
        seed=recipe.seed,
        report=report,
    )
    ends_s = None
    if recipe.budget_s is not None:
        to_check = sum(len(frontend.patch_starts(len(log_mels[place]))) for place in held_out)
        report("rehearsing what follows training", 0, 0)
        after_s = seconds_after_training(
            recipe.arch, frontend, len(lessons.labels), lessons.head, patches_to_check=to_check, seed=recipe.seed
        )
        ends_s = began + recipe.budget_s - after_s

    def settled() -> fit.TrainingSettings:
        """Return the settings with what is left of the budget."""
        return replace(settings, budget_s=None if ends_s is None else max(0.0, ends_s - time.monotonic()))

    pool, weights = beside.pool, pretrained_weights.read_weights(recipe.backbone) if recipe.backbone else None
    learnt = np.setdiff1d(np.arange(len(log_mels)), held_out)
    if len(pool) and teacher is None:
        report("hearing which clips are alike", 0, 0)
        pool = label_propagation.told_by_kin(
            recipe.arch,
            frontend,
            [log_mels[i] for i in learnt],
            lessons.present[learnt],
            [lessons.groups[i] for i in learnt],
            pool,
            settings=settled(),
            network=parent.network if parent else None,
            backbone=weights,
            on_progress=lambda told: report("telling clips apart", told["step"], told["steps"]),
        )
    report("training", 0, 0)
    fitted = fit.fit(
        recipe.arch,
        frontend,
        log_mels,
        lessons.present,
        lessons.groups,
        label_names=lessons.labels,
        absent=lessons.absent,
        head=lessons.head,
        settings=settled(),
        warm_start=parent.network if parent else None,
        backbone=weights,
        hints=beside.hints,
        pool=pool,
        validation=held_out,
        on_progress=lambda told: report("training", told["step"], told["steps"], f"{told['left_s']:.0f} s left"),
    )
    report("converting to int8", 0, 0)
    validation = {int(index) for index in fitted.validation}
    # What fixes the int8 scales comes from clips that were learnt from, as the weights do.
    heard = [*(log_mels[i] for i in learnt), *pool.log_mels]
    int8 = quantization.to_int8(fitted.model, np.concatenate([frontend.patches(log_mel) for log_mel in heard]))
    card: dict[str, Any] = {
        "architecture": recipe.arch,
        "parameters": int(fitted.model.count_params()),
        "macc": networks.macc(fitted.model),
        "frontend": frontend.to_dict(),
        "fingerprint": frontend.fingerprint,
        "labels": list(lessons.labels),
        "background": lessons.background,
        "several_labels_clips": lessons.several,
        "assumed_absent": list(lessons.assumed_absent),
        "clip_rule": fitted.rule.to_dict(),
        "labels_seen": len(lessons.clips),
        "pool_clips": len(beside.pool),
        "teacher": _described(recipe.teacher, teacher),
        "hears_by": {"name": recipe.ear.parent.name, **(_described(recipe.ear) or {})} if recipe.ear else None,
        "backbone": _described(recipe.backbone) if parent is None else None,
        "validation_clips": len(validation),
        "left_out": [*hearing.left_out, *(one for one in beside.hearing.left_out if one not in hearing.left_out)],
        "seed": recipe.seed,
        "test_fold": recipe.test_fold,
        "seconds": round(fitted.seconds, 1),
        "patches": fitted.patches,
        "losses": [(told["step"], round(told["loss"], 5)) for told in fitted.history],
        "budget_s": recipe.budget_s,
        "parent": parent.id if parent else None,
        "compared": parent.files.card.get("compared") if parent else state(lessons),
        "clip_accuracy": None,
        "int8_clip_accuracy": None,
        "versions": _versions(),
    }
    fitted.model.save(directory / model_folder.KERAS)
    parts = [(clip, "validation" if i in validation else "train") for i, clip in enumerate(lessons.clips)]
    parts += [(clip, "pool") for clip in beside.hearing.clips]
    written = model_folder.write(directory, card=card, int8=int8, seen=parts, parent=parent.files if parent else None)
    if not validation:
        return Taught(written, fitted.model)
    held = sorted(validation)
    measured = measure(
        model_folder.read(directory),
        [log_mels[i] for i in held],
        lessons.present[held],
        lessons.absent[held],
        names=lessons.labels,
        report=report,
        network=fitted.model,
    )
    known = written | measured.to_dict()
    model_folder.write_card(directory, known)
    return Taught(known, fitted.model)


def _opened(recipe: Recipe) -> Ear | None:
    if recipe.teacher is None:
        return None
    from labeltool.pretrained.probe import open_ear

    return open_ear(recipe.teacher, recipe.teacher_tensor, rate_hz=_TEACHERS_RATE_HZ, embedding=True)


def _described(path: Path | None, ear: Ear | None = None) -> dict[str, str] | None:
    """Name a file for the card by what does not tell where it lay, and an ear by all that it hears with."""
    if path is None:
        return None
    return {"file": path.name, "sha256": files.content_hash(path)} | ({"fingerprint": ear.name} if ear else {})


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    return {"labeltool": __version__, **{name: version(name) for name in ("tensorflow", "keras", "numpy")}}
