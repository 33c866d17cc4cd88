"""What the cards of earlier models spare a retraining: comparisons that need not be made anew."""

from __future__ import annotations

from labeltool.audio.frontend import frontend_from_dict
from labeltool.errors import LabeltoolError
from labeltool.networks import model_folder
from labeltool.networks.architectures import TRUNK_ARCHITECTURE
from labeltool.networks.model_card import Comparison, PretrainedComparison, card_from_json
from labeltool.project import Project
from labeltool.store import Store, groups, models
from labeltool.training.prepare import KnownHead, TrainingRequest
from labeltool.training.targets import TrainingSet
from labeltool.training.warm_start import scratch_run_due


def other_architecture_is_better(project: Project) -> bool:
    """Return whether the last model of the settings' architecture did better than that with a trunk beside it."""
    with project.open_store() as store:
        newest = models.latest(store, project.settings.learning.architecture)
    if newest is None:
        return False
    try:
        beside = card_from_json(newest.card).beside
    except LabeltoolError:
        return False
    return beside is not None and None not in (beside.log_loss, beside.own_log_loss) and not beside.is_better


def known_head(project: Project, store: Store, training_set: TrainingSet, request: TrainingRequest) -> KnownHead | None:
    """Return the kind and the rules of the last head on the same trunk, where they need not be chosen anew.

    A model with another test fold, or from before the test set was locked, may have chosen it by clips of that.
    """
    last = models.latest(store, TRUNK_ARCHITECTURE)
    if last is None:
        return None
    try:
        files = model_folder.read(project.models / str(last.id), groups.groups_now(store))
        has_seen_test = not files.groups_seen().isdisjoint(groups.locked_groups(store))
    except LabeltoolError:
        return None
    card = files.card
    if has_seen_test or card.trunk is None or card.compared is None or scratch_run_due(card.compared, training_set):
        return None
    trunk = card.trunk
    last_one = card.test_fold, card.labels, card.clip_rule.head, trunk.fingerprint, trunk.head_units
    own = request.trunk.fingerprint if request.trunk else None
    this = request.test_fold, training_set.labels, training_set.head, own, request.units
    if last_one != this or project.settings.learning.pooling not in (None, card.clip_rule.pooling):
        return None
    return KnownHead(
        trunk.pools, trunk.units, trunk.without_unlabelled, card.clip_rule, card.stream_rule, card.compared
    )


def still_worse(project: Project, store: Store, training_set: TrainingSet, arch: str) -> PretrainedComparison | None:
    """Return the pretrained model that did worse before, where it need not be compared anew.

    As a training from scratch is: when the clips have doubled since, or half the labels are others.
    """
    last = models.latest(store, arch)
    if last is None:
        return None
    try:
        worse = model_folder.read(project.models / str(last.id)).card.worse_pretrained
    except LabeltoolError:
        return None
    return None if worse is None or scratch_run_due(Comparison(worse.clips, worse.labels), training_set) else worse


def other_patch_s(store: Store, request: TrainingRequest) -> float | None:
    """Return the patch length of the newest model where that alone keeps training from continuing it."""
    newest = models.latest(store, request.arch)
    if newest is None:
        return None
    try:
        before, own = frontend_from_dict(card_from_json(newest.card).frontend), request.frontend
    except LabeltoolError:
        return None  # of a damaged card, or one of a newer version: training starts from scratch
    same = before == own.with_patches(before.patch_frames, before.patch_hop)
    return before.patch_hops_s if same and before.patch_frames != own.patch_frames else None
