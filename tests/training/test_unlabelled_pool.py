"""Training on unlabelled clips: labels propagated from similar clips, a teacher model's labels, pretrained weights."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from helpers.training import FRONTEND, QUICK, TINY, clips, training_data
from labeltool.audio import files
from labeltool.errors import LabeltoolError
from labeltool.networks import build as networks
from labeltool.networks import predict, pretrained_weights
from labeltool.networks.heads import Head
from labeltool.pretrained.clip_cache import cached, embed_clips
from labeltool.pretrained.probe import open_model
from labeltool.records import StoredClip
from labeltool.training import fit as training_fit
from labeltool.training.unlabelled.label_propagation import (
    propagate_by_embeddings,
    propagate_labels,
    spread_by_label,
    spread_labels,
)
from labeltool.training.unlabelled.linear_probe import label_by_probes, may_train_itself, train_probe
from labeltool.training.unlabelled.pool import Pool, draw_weights


@pytest.mark.usefixtures("tiny")
def test_propagated_labels_are_the_same_each_time_and_validation_groups_are_never_trained_on() -> None:
    log_mels, targets, groups = clips()
    more, truth, _ = clips(seed=5)
    held = np.array([4, 5])
    # Training on these would fail: they are shorter than a patch.
    refused = [np.zeros((1, 64), np.float32)] * 2
    unlabelled = Pool(more, [f"pool-{i}" for i in range(len(more))])
    data, start = training_data(log_mels, targets, groups), training_fit.InitialNetwork(TINY.name)

    def fit() -> training_fit.FitResult:
        labelled = data.only(np.delete(np.arange(len(groups)), held))
        found = propagate_labels(start, labelled, unlabelled, QUICK).targets
        assert found is not None
        assert (found.argmax(axis=1) == truth.argmax(axis=1)).mean() > 0.8
        pool = Pool([*more, *refused], [*unlabelled.groups, groups[4], groups[5]], np.concatenate([found, found[:2]]))
        return training_fit.fit(start, data, QUICK, pool=pool, validation=held)

    first, second = fit(), fit()
    for one, other in zip(first.model.get_weights(), second.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    scores, _ = predict.clip_probabilities(partial(predict.predict, first.model), FRONTEND, more, first.rule)
    assert (scores.argmax(axis=1) == truth.argmax(axis=1)).mean() > 0.8


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("head", ["softmax", "sigmoid"])
def test_a_teachers_labels_of_the_pool_are_learned(head: Head) -> None:
    # No labelled clip is of "middle": only the teacher's labels are.
    log_mels, targets, groups = clips(labels=2)
    more, truth, more_groups = clips(seed=5)
    by_label = head == "sigmoid"
    data = training_data(
        log_mels,
        np.pad(targets, ((0, 0), (0, 1))),
        groups,
        absent=np.pad(1 - targets, ((0, 0), (0, 1))) if by_label else None,
        head=head,
    )
    fitted = training_fit.fit(
        training_fit.InitialNetwork(TINY.name),
        data,
        QUICK,
        pool=Pool(more, [f"pool-{group}" for group in more_groups], truth, 1 - truth if by_label else None),
        validation=np.array([], np.int64),
    )
    others, wanted, _ = clips(seed=9)
    scores, _ = predict.clip_probabilities(partial(predict.predict, fitted.model), FRONTEND, others, fitted.rule)
    assert (scores.argmax(axis=1) == wanted.argmax(axis=1))[12:].mean() > 0.8
    assert (scores[:12, 2] < 0.5).mean() > 0.8


def test_labels_spread_along_neighbours_one_step_after_another() -> None:
    # Two rows of beads: the far end of each lies nearer to the other row's labelled end than to its own.
    beads = np.stack([np.tile(np.arange(40) / 4, 2), np.repeat([0.0, 4.0], 40)], axis=1)
    order = np.concatenate([[0, 79], np.delete(np.arange(80), [0, 79])])
    apart = np.linalg.norm(beads[order][:, None] - beads[order][None], axis=2)
    spread = spread_labels(np.exp(-apart), np.eye(3, dtype=np.float32)[:2], ["a", "b"]).targets
    np.testing.assert_allclose(spread.sum(axis=1), 1.0, rtol=1e-5)
    assert (spread.argmax(axis=1) == (order[2:] >= 40)).all()
    assert (spread[:, 2] == 0).all()


def test_propagated_labels_are_as_sharp_as_the_labelled_clips_allow() -> None:
    rng = np.random.default_rng(0)
    kinds = np.arange(90) % 3
    rows = np.eye(3)[kinds] + rng.normal(0, 0.3, (90, 3))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    similarity, alone = rows @ rows.T, [str(i) for i in range(30)]
    targets = np.eye(3, dtype=np.float32)[kinds[:30]]
    consistent = spread_labels(similarity, targets, alone).targets
    shuffled = spread_labels(similarity, targets[rng.permutation(30)], alone).targets
    assert consistent.max(axis=1).mean() > shuffled.max(axis=1).mean() + 0.2
    # A clip is not predicted from its own group: here every group has a label of its own, and no other.
    by_kind = spread_labels(similarity, targets, [str(kind) for kind in kinds[:30]]).targets
    assert not np.allclose(consistent, by_kind)


def test_each_label_spreads_by_itself_against_its_absence() -> None:
    rng = np.random.default_rng(0)
    truth = (rng.random((120, 4)) < 0.4).astype(np.float32)
    rows = truth @ np.eye(4) + rng.normal(0, 0.2, (120, 4)) - 0.4
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    similarity, alone = rows @ rows.T, [str(i) for i in range(40)]
    present, absent = truth[:40].copy(), 1 - truth[:40]
    # The third label is never absent, the last never present, the first was checked on a half of the clips.
    absent[:, 2] = present[:, 3] = 0
    present[20:, 0] = absent[20:, 0] = 0
    found, found_absent = spread_by_label(similarity, present, absent, alone)
    assert found.shape == (80, 4) and not found[:, 2:].any() and not found_absent[:, 2:].any()
    np.testing.assert_allclose((found + found_absent)[:, :2], 1.0, rtol=1e-5)
    assert ((found[:, :2] > 0.5) == (truth[40:, :2] > 0)).mean() > 0.8
    # As sharp as the labelled clips allow, which are predicted without their group.
    shuffled, _ = spread_by_label(similarity, present[rng.permutation(40)], absent[rng.permutation(40)], alone)
    assert found[:, 1].std() > shuffled[:, 1].std() + 0.1
    one_group, _ = spread_by_label(similarity, present, absent, ["a"] * 40)
    assert not np.allclose(found, one_group)


def test_a_third_of_the_patches_are_of_labelled_clips_however_large_the_pool() -> None:
    estimates = np.repeat(np.array([[0.2, 0.8], [0.0, 0.0]], np.float32), [600, 400], axis=0)
    weights = draw_weights(10, Pool(), estimates)
    assert weights[:10].sum() / weights.sum() == pytest.approx(1 / 3)
    assert (weights[10:] > 0).sum() == 600
    assert draw_weights(100, Pool(), estimates[:10]).tolist() == [1.0] * 110


def test_clips_with_distillation_targets_are_drawn_as_far_as_their_labels_are_certain() -> None:
    estimates = np.array([[0.25, 0.75], [0.5, 0.5], [0.0, 0.0]], np.float32)
    pool = Pool(distillation_targets=[np.zeros((1, 4), np.float32)] * 3)
    assert draw_weights(2, pool, estimates).tolist() == [1.0, 1.0, 0.75, 0.5, 0.0]


@pytest.mark.parametrize("kind", ["zoo", "keras"])
def test_a_backbone_sets_its_layers_but_not_its_head(kind: str, tmp_path: Path) -> None:
    keras.utils.set_random_seed(3)
    source, target = (networks.build("miniresnet", n, FRONTEND) for n in (5, 3))
    path = tmp_path / f"backbone.{'h5' if kind == 'zoo' else 'keras'}"
    if kind == "keras":
        source.save(path)
    else:
        write_as_the_zoo_does(source, path)
    head = target.get_layer(networks.HEAD).get_weights()
    assert pretrained_weights.apply_weights(target, pretrained_weights.read_weights(path)) == 14
    for one, other in zip(source.layers[:-1], target.layers[:-1], strict=True):
        for wanted, got in zip(one.get_weights(), other.get_weights(), strict=True):
            np.testing.assert_array_equal(wanted, got)
    np.testing.assert_array_equal(head[0], target.get_layer(networks.HEAD).get_weights()[0])
    with pytest.raises(LabeltoolError, match="none of the backbone's layers fits sbcnn"):
        pretrained_weights.apply_weights(
            networks.build("sbcnn", 3, networks.frontend_of("sbcnn")), pretrained_weights.read_weights(path)
        )
    path.write_bytes(b"not a model")
    with pytest.raises(LabeltoolError, match=r"backbone\."):
        pretrained_weights.read_weights(path)


def write_as_the_zoo_does(model: keras.Model, path: Path) -> None:
    """Write a miniresnet as Keras 2 did: one nested model, `:0` behind each variable."""
    with h5py.File(path, "w") as file:
        for layer in model.layers:
            for variable in layer.variables:
                file[f"model_weights/model_2/{layer.name}/{variable.name}:0"] = variable.numpy()


def test_layers_of_keras_applications_are_found_by_name() -> None:
    model = networks.build("miniresnetv2", 3, FRONTEND)
    halves = {one.name: {v.name: np.full(v.shape, 0.5, np.float32) for v in one.variables} for one in model.layers}
    foreign = {
        "conv1_conv": "stem_conv",
        "conv2_block1_preact_bn": "stack1_block1_in_norm",
        "conv2_block1_1_bn": "stack1_block1_conv1_norm",
        "conv2_block2_2_conv": "stack1_block2_conv2",
        "post_bn": "out_norm",
    }
    weights = {name: halves[ours] for name, ours in foreign.items()}
    # Of another shape: not set.
    weights["conv2_block1_0_conv"] = {"kernel": np.zeros((1, 1, 3, 3), np.float32), "bias": np.zeros(3, np.float32)}
    assert pretrained_weights.apply_weights(model, weights) == 5
    assert (model.get_layer("stack1_block2_conv2").get_weights()[0] == 0.5).all()


def test_a_pretrained_model_embeds_a_clip_once(
    pretrained_file: Path, tmp_path: Path, write_tone: Callable[..., Path]
) -> None:
    pretrained = open_model(pretrained_file, rate_hz=16_000, embedding=True)
    embedded = []
    stored = []
    for number, pitch in enumerate((300, 900)):
        path = write_tone(f"{number}.wav", frequency_hz=pitch, seconds=0.5)
        stored.append(StoredClip(number, number, str(path), files.content_hash(path), 0.0, 0.5, None, str(number)))

    def embed() -> np.ndarray:
        found, failed = embed_clips(
            pretrained, tmp_path / "cache", stored, report=lambda stage, done, total: embedded.append(done)
        )
        assert not failed
        return np.stack([found[clip.key] for clip in stored])

    first = embed()
    assert first.shape == (2, 14) and len(embedded) == 2 and np.abs(first[0] - first[1]).max() > 0
    np.testing.assert_array_equal(first, embed())
    assert len(embedded) == 2
    assert {np.load(path).dtype.name for path in (tmp_path / "cache").rglob("*.npy")} == {"float16"}
    wide = np.array([1e6, 1.0], np.float32)  # beyond what float16 has
    for _ in range(2):
        span = (0.0, 0.25)
        kept = cached(tmp_path / "cache", pretrained, stored[0], span, "", lambda _: wide, lambda: None)
        np.testing.assert_array_equal(kept, wide)
    # A damaged file in the cache is computed again.
    next(path for path in (tmp_path / "cache").rglob("*.npy") if np.load(path).dtype == np.float16).write_bytes(b"")
    np.testing.assert_array_equal(first, embed())
    assert len(embedded) == 3
    assert (
        open_model(pretrained_file, pretrained.card.embedding, rate_hz=16_000, embedding=True).fingerprint
        == pretrained.fingerprint
    )


def test_embeddings_label_the_rest_from_few_clips_and_only_with_their_labels() -> None:
    rng = np.random.default_rng(0)
    centres = rng.exponential(1.0, (3, 64))
    truth = rng.integers(0, 3, 90)
    embeddings = (centres[truth] * rng.exponential(1.0, (90, 64))).astype(np.float32)
    first = [int(np.flatnonzero(truth == kind)[0]) for kind in range(3)]
    order = np.concatenate([first, np.setdiff1d(np.arange(90), first)])
    targets = np.pad(np.eye(3, dtype=np.float32), ((0, 0), (0, 1)))
    probe = train_probe("softmax", embeddings[first], targets, np.zeros_like(targets), embeddings[order[3:]])
    for found in (
        propagate_by_embeddings(embeddings[order], targets, ["a", "b", "c"]).targets,
        probe(embeddings[order[3:]]),
    ):
        np.testing.assert_allclose(found.sum(axis=1), 1.0, rtol=1e-5)
        assert (found.argmax(axis=1) == truth[order][3:]).mean() > 0.9
        assert (found[:, 3] == 0).all()
    assert propagate_by_embeddings(embeddings[first], targets, ["a", "b", "c"]).targets.shape == (0, 4)
    assert propagate_by_embeddings(embeddings[:1], targets[:1], ["a"]).targets.shape == (0, 4)


def test_a_probe_trains_itself_on_a_pool_where_embeddings_separate_the_labels_and_not_where_they_do_not() -> None:
    rng = np.random.default_rng(0)
    kind = rng.integers(0, 3, 120)
    embeddings = (rng.exponential(1.0, (3, 64))[kind] * rng.exponential(1.0, (120, 64))).astype(np.float32)
    labelled, pool = embeddings[:30], embeddings[30:]
    groups, pool_groups = [f"clip-{i}" for i in range(30)], [f"pool-{i}" for i in range(90)]
    separated, other = np.eye(3, dtype=np.float32)[kind[:30]], np.eye(3, dtype=np.float32)[rng.permutation(30) % 3]
    assert may_train_itself(labelled, separated, groups, pool, pool_groups)
    assert not may_train_itself(labelled, other, groups, pool, pool_groups)
    # Too few to tell, and nothing to tell apart without the one group.
    assert may_train_itself(labelled[:19], other[:19], groups[:19], pool, pool_groups)
    assert may_train_itself(labelled, other, ["one"] * 30, pool, ["one"] * 90)


def test_probes_estimate_nothing_for_a_label_that_is_never_present_or_never_absent() -> None:
    rng = np.random.default_rng(0)
    sounds = rng.exponential(1.0, (4, 64))
    truth = (rng.random((120, 4)) < 0.4).astype(np.float32)
    embeddings = ((truth @ sounds + 0.2) * rng.exponential(1.0, (120, 64)) ** 0.5).astype(np.float32)
    present, absent = truth[:40].copy(), 1 - truth[:40]
    # The first was checked on a part of the clips and is weakly absent; the third is never absent, the last never
    # present.
    present[20:, 0] = absent[20:, 0] = 0
    absent[:, 0] *= 0.3
    absent[:, 2] = present[:, 3] = 0
    found_present, found_absent = label_by_probes(embeddings, present, absent)
    np.testing.assert_allclose((found_present + found_absent)[:, :2], 1.0, rtol=1e-5)
    assert not (found_present + found_absent)[:, 2:].any()
    assert ((found_present[:, :2] > 0.5) == (truth[40:, :2] > 0)).mean() > 0.8
    assert label_by_probes(embeddings[:40], present, absent)[0].shape == (0, 4)
