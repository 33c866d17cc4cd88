"""The registry: published sizes, heads that follow the labels, files that run no code."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from labeltool.audio.frontend import LogMelFrontend
from labeltool.errors import LabeltoolError
from labeltool.networks import build as networks
from labeltool.networks.predict import predict

FRONTEND = LogMelFrontend()
# Parameters (weights and biases, batch-norm statistics included) and millions of multiply-accumulates of one patch with
# ten labels: those of the Miniresnets and the work of yamnet256 as ST publishes them.
SIZES = {
    "miniresnet": (131_338, 14.5),
    "miniresnet2": (463_882, 26.0),
    "miniresnetv2": (126_410, 15.0),
    "miniresnetv2_2": (440_906, 27.0),
    "yamnet256": (161_458, 24.0),
    "sbcnn": (241_434, 57.4),
    "aclnet": (152_122, 23.2),
    "embedding-mlp": (264_970, 0.265),
    "embedding-attention": (281_482, 1.396),
}
PATCHES = np.random.default_rng(0).normal(0, 1, (5, 64, 50)).astype(np.float32)


@pytest.mark.parametrize("arch", sorted(networks.ARCHITECTURES))
def test_sizes_are_the_published_ones(arch: str) -> None:
    spec, (parameters, mega_macc) = networks.ARCHITECTURES[arch], SIZES[arch]
    model = networks.build(arch, 10, spec.frontend)
    assert model.count_params() == parameters
    assert networks.macc(model) / 1e6 == pytest.approx(mega_macc, rel=0.02)
    shape = (5, spec.frontend.n_features, spec.frontend.patch_frames)
    probabilities = predict(model, np.random.default_rng(0).normal(0, 1, shape).astype(np.float32))
    assert probabilities.shape == (5, 10)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, rtol=1e-5)


def test_sizes_follow_from_the_papers_layers() -> None:
    # Batch norms are folded in YAMNet's layers, and a hidden layer stands before the head.
    pairs = [(32, 64), (64, 128), (128, 128), (128, 256), (256, 256)]
    layers = 9 * 32 + 32 + sum(9 * a + a + a * b + b for a, b in pairs)
    assert SIZES["yamnet256"][0] == layers + 513 * 56 + 57 * 10
    # Salamon and Bello 2017, section II.A, give the shape of every layer's weights; work follows from it.
    shapes = [(24, 1, 5, 5), (48, 24, 5, 5), (48, 48, 5, 5), (2400, 64), (64, 10)]
    biases = 24 + 48 + 48 + 64 + 10
    parameters, mega_macc = SIZES["sbcnn"]
    assert parameters == sum(int(np.prod(shape)) for shape in shapes) + biases
    work = 24 * 25 * 124**2 + 48 * 24 * 25 * (27 * 58) + 48 * 48 * 25 * (2 * 25) + 2400 * 64 + 640
    assert mega_macc == pytest.approx(work / 1e6, rel=0.01)
    # Huang and Leanos 2018 publish 155 thousand for 50 labels: the weights, without batch norms and biases. Their 49.3
    # million multiply-adds a second do not follow from the layers they list at 16 kHz; ours are counted from ours.
    aclnet = networks.build("aclnet", 50, networks.ARCHITECTURES["aclnet"].frontend)
    weights = sum(int(np.prod(weight.shape)) for weight in aclnet.weights if weight.name == "kernel")
    assert round(weights / 1000) == 155


@pytest.mark.slow
def test_every_network_has_a_training_copy_that_takes_its_weights() -> None:
    """Whatever the form of its batch norms."""
    import keras

    keras.utils.set_random_seed(1)  # some first weights leave half of a network without a gradient
    for arch, spec in networks.ARCHITECTURES.items():
        model = networks.build(arch, 3, spec.frontend)
        patches = np.random.default_rng(1).normal(0, 1, (4, *model.input_shape[1:])).astype(np.float32)
        twin = networks.training_copy(model)
        twin.compile(optimizer="sgd", loss="categorical_crossentropy", run_eagerly=True)  # one batch needs no graph
        before = twin.get_weights()
        twin.train_on_batch(patches, np.eye(3, dtype=np.float32)[[0, 1, 2, 0]])
        assert len(before) == len(model.get_weights())
        moved = [not np.array_equal(one, other) for one, other in zip(before, twin.get_weights(), strict=True)]
        assert sum(moved) > len(moved) / 2, arch


def test_widening_keeps_the_weights_of_known_labels() -> None:
    import keras

    keras.utils.set_random_seed(3)
    old = networks.build("miniresnet", 3, FRONTEND)
    old.get_layer(networks.HEAD).bias.assign([0.5, -0.5, 0.25])
    wide = networks.widen_head(old, ["cat", "dog", "owl"], ["bee", "cat", "dog", "owl"])
    before, after = predict(old, PATCHES), predict(wide, PATCHES)
    assert after.shape == (5, 4)
    # The known labels keep their odds among themselves, whatever the new one takes.
    np.testing.assert_allclose(after[:, 1:] / after[:, 1:].sum(axis=1, keepdims=True), before, rtol=1e-3)
    narrow = networks.widen_head(wide, ["bee", "cat", "dog", "owl"], ["owl", "cat"])
    kept = before[:, [2, 0]] / before[:, [2, 0]].sum(axis=1, keepdims=True)
    np.testing.assert_allclose(predict(narrow, PATCHES), kept, rtol=1e-3)
    np.testing.assert_array_equal(predict(old, PATCHES), before)


def test_widening_refuses_a_card_that_does_not_fit() -> None:
    model = networks.build("miniresnet", 3, FRONTEND)
    with pytest.raises(LabeltoolError, match="3 outputs but its card lists 2"):
        networks.widen_head(model, ["a", "b"], ["a", "b", "c"])
    with pytest.raises(LabeltoolError, match="two labels"):
        networks.widen_head(model, ["a", "b", "c"], ["a"])


def test_an_unknown_architecture_and_a_single_label_are_refused() -> None:
    with pytest.raises(LabeltoolError, match="there are: miniresnet"):
        networks.build("resnet5000", 10, FRONTEND)
    with pytest.raises(LabeltoolError, match="two labels"):
        networks.build("miniresnet", 1, FRONTEND)


def test_a_saved_network_comes_back_the_same(tmp_path: Path) -> None:
    model = networks.build("miniresnet", 4, FRONTEND)
    model.save(tmp_path / "model.keras")
    np.testing.assert_array_equal(predict(networks.load(tmp_path / "model.keras"), PATCHES), predict(model, PATCHES))


def test_a_model_file_runs_no_code(tmp_path: Path) -> None:
    import keras

    ran = tmp_path / "ran"
    inputs = keras.Input((2,))
    harmful = keras.Model(inputs, keras.layers.Lambda(lambda x: x, output_shape=(2,))(inputs))
    harmful.save(tmp_path / "lambda.keras")
    with pytest.raises(LabeltoolError, match=r"lambda\.keras"):
        networks.load(tmp_path / "lambda.keras")
    config = (
        '{"module": "builtins", "class_name": "exec", "config": '
        f'"open({str(ran)!r}, \'w\')", "registered_name": null}}'
    )
    with zipfile.ZipFile(tmp_path / "exec.keras", "w") as file:
        file.writestr("config.json", config)
        file.writestr("metadata.json", '{"keras_version": "3.0.0"}')
        file.writestr("model.weights.h5", b"")
    with pytest.raises(LabeltoolError):
        networks.load(tmp_path / "exec.keras")
    assert not ran.exists()


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04 damaged"])
def test_a_damaged_model_file_is_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.keras"
    path.write_bytes(content)
    with pytest.raises(LabeltoolError) as caught:
        networks.load(path)
    assert "model.keras" in str(caught.value) and "\n" not in str(caught.value)
    with pytest.raises(LabeltoolError, match="no such model"):
        networks.load(tmp_path / "none.keras")


@pytest.mark.parametrize("bfloat16, tolerance", [(False, 1e-4), (True, 0.05)])
def test_the_copy_that_trains_computes_the_same(
    monkeypatch: pytest.MonkeyPatch, bfloat16: bool, tolerance: float
) -> None:
    import keras

    monkeypatch.setattr(networks, "_has_bfloat16_units", lambda: bfloat16)
    keras.utils.set_random_seed(1)
    model = networks.build("miniresnet", 4, FRONTEND)
    twin = networks.training_copy(model)
    expected = np.asarray(model(PATCHES[..., None], training=True))
    model_statistics = model.get_layer("stem_norm").get_weights()
    got = np.asarray(twin(PATCHES[..., None], training=True))
    np.testing.assert_allclose(got, expected, atol=tolerance)
    assert all(variable.dtype == "float32" for variable in twin.weights)
    for ours, theirs in zip(twin.get_layer("stem_norm").get_weights(), model_statistics, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=tolerance)
