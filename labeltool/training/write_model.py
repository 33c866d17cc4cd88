"""From a trained network to a model's folder: its card, its files, and what the validation clips measure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from labeltool import __version__
from labeltool.audio import files
from labeltool.evaluation.measure import measure
from labeltool.networks import model_folder
from labeltool.networks.model_card import Comparison, ModelCard, SourceFile, TrunkSource
from labeltool.networks.postprocessing import ClipRule
from labeltool.networks.stream_rule import StreamRule
from labeltool.training.prepare import Prepared, TrainedModel, TrainingRequest
from labeltool.training.targets import TrainingSet
from labeltool.training.warm_start import Parent, scratch_state
from labeltool.type_aliases import Progress
from labeltool.util.extras import has_tensorflow
from labeltool.util.lazy_frames import pick
from labeltool.util.time_limit import NO_LIMIT, TimeLimit

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True, slots=True)
class Fitted:
    """A network that was fitted, as its card describes it; `losses` are steps and mean training losses."""

    parameters: int
    macc: int
    rule: ClipRule
    stream_rule: StreamRule
    seconds: float
    patches: int
    losses: tuple[tuple[int, float], ...] = ()
    trunk: TrunkSource | None = None


def make_card(request: TrainingRequest, parent: Parent | None, prepared: Prepared, fitted: Fitted) -> ModelCard:
    """Return the model's card, without what `model_folder.write` and the measurement add."""
    training_set, frontend, teacher = prepared.training_set, request.frontend, prepared.teacher
    return ModelCard(
        architecture=request.arch,
        parameters=fitted.parameters,
        macc=fitted.macc,
        frontend=frontend.to_dict(),
        fingerprint=frontend.fingerprint,
        labels=training_set.labels,
        background=training_set.background,
        several_labels_clips=training_set.multi_label_clips,
        assumed_absent=training_set.assumed_absent,
        clip_rule=fitted.rule,
        stream_rule=fitted.stream_rule,
        labels_seen=len(training_set.clips) - training_set.background_windows,
        background_windows=training_set.background_windows,
        pool_clips=len(prepared.unlabelled.pool),
        teacher=_describe_file(request.teacher, fingerprint=teacher.model.fingerprint if teacher else None),
        embedding_model=_describe_file(
            request.pretrained, name=request.pretrained.parent.name if request.pretrained else None
        ),
        backbone=_describe_file(request.backbone) if parent is None else None,
        validation_clips=len(prepared.held_out),
        trunk=fitted.trunk,
        skipped=prepared.skipped,
        seed=request.seed,
        test_fold=request.test_fold,
        seconds=round(fitted.seconds, 1),
        patches=fitted.patches,
        losses=fitted.losses,
        budget_s=request.budget_s,
        parent=parent.id if parent else None,
        compared=_compared(request, parent, training_set),
        versions=_versions(),
    )


def _compared(request: TrainingRequest, parent: Parent | None, training_set: TrainingSet) -> Comparison | None:
    """Return what the last training from scratch, or the last comparison of heads, was given."""
    if parent is not None:
        return parent.files.card.compared
    return request.known_head.compared if request.known_head else scratch_state(training_set)


def write_model(
    directory: Path,
    card: ModelCard,
    int8: bytes,
    save: Callable[[Path], None],
    prepared: Prepared,
    parent: Parent | None,
    report: Progress,
    *,
    network: keras.Model | None = None,
    limit: TimeLimit = NO_LIMIT,
) -> TrainedModel:
    """Write the model's folder, and into its card what the validation clips measure.

    Parameters
    ----------
    limit
        Where it passes, the int8 network is measured on some of the clips.
    """
    training_set, held_out = prepared.training_set, sorted(prepared.held_out.tolist())
    save(directory)
    validation = set(held_out)
    seen = chain(
        ((clip, "validation" if i in validation else "train") for i, clip in enumerate(training_set.clips)),
        ((clip, "pool") for clip in prepared.unlabelled.features.clips),
    )
    card = model_folder.write(directory, card=card, int8=int8, seen=seen, parent=parent.files if parent else None)
    if not held_out:
        return TrainedModel(card, network, prepared.left_out)
    measured = measure(
        model_folder.read(directory),
        pick(prepared.data.frames, held_out),
        training_set.present[held_out],
        training_set.absent[held_out],
        names=training_set.labels,
        report=report,
        network=network,
        limit=limit,
    )
    card = replace(card, measured=measured)
    model_folder.write_card(directory, card)
    return TrainedModel(card, network, prepared.left_out)


def _describe_file(path: Path | None, *, name: str | None = None, fingerprint: str | None = None) -> SourceFile | None:
    return None if path is None else SourceFile(path.name, files.content_hash(path), name, fingerprint)


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    of_training = ("tensorflow", "keras") if has_tensorflow() else ()
    return {"labeltool": __version__, **{name: version(name) for name in (*of_training, "numpy")}}
