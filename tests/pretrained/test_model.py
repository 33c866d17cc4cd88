"""Pretrained models: their cards are found by a trial, their numbers are right, and hostile files are refused."""

from __future__ import annotations

import json
import os
import pickle
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers.command_line import labeltool
from helpers.pretrained import altered, converted, message, onnx, onnx_value, onnx_weights, rising, with_list, written
from helpers.progress import quiet
from helpers.waits import DEADLINE_S
from labeltool.audio.frontend import LogMelFrontend
from labeltool.errors import LabeltoolError
from labeltool.pretrained import class_list, probe, registry
from labeltool.pretrained.model import PretrainedModel
from labeltool.pretrained.probe import GivenProperties, make_card, open_model
from labeltool.project import Project

ONES = np.full(400, 32767, np.int16)


@pytest.fixture
def linear(tmp_path: Path) -> Path:
    """An ONNX network of the shape AclNet has: logits 0 to 3 of a window of ones."""
    return written(tmp_path / "net.onnx", onnx(onnx_weights(rising(400, 4)), shape=(1, 1, 1, 400), classes=4))


def test_class_lists_of_known_networks_are_read() -> None:
    yamnet = 'index,mid,display_name\n0,/m/1,Speech\n2,/m/3,"Cat, tom"\n1,/m/2,Dog\n'
    assert class_list.parse(yamnet) == ("Speech", "Dog", "Cat, tom")
    birds = "Turdus merula_Eurasian Blackbird\nDog_Dog\n"
    assert class_list.parse(birds) == ("Turdus merula_Eurasian Blackbird", "Dog_Dog")
    assert class_list.parse("0 background\n1 dog bark\n2: cat") == ("background", "dog bark", "cat")
    assert class_list.parse("1,dog\n2,cat\n\n") == ("dog", "cat")
    # No numbering, but names that begin with numbers.
    assert class_list.parse("3 knocks\n7 knocks") == ("3 knocks", "7 knocks")
    assert class_list.parse("Rain, heavy\nRain, light\r\n") == ("Rain, heavy", "Rain, light")


@pytest.mark.parametrize("shape", [(400,), (1, 400), (1, 1, 1, 400), ("batch", 400), (1, "length")])
def test_samples_fit_any_input_shape_and_logits_become_probabilities(tmp_path: Path, shape: tuple[int | str]) -> None:
    path = written(tmp_path / "net.onnx", onnx(onnx_weights(rising(400, 4)), shape=shape, classes=4))
    card = make_card(
        path, GivenProperties(rate_hz=8000, window=400 if shape == (1, "length") else None, classes=list("abcd"))
    )
    assert (card.window, card.activation, card.embedding) == (400, "sigmoid", None)
    found = PretrainedModel(path, card).probabilities(ONES)
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-np.arange(4))), atol=1e-3)
    softmax = make_card(path, GivenProperties(rate_hz=8000, window=400, activation="softmax"))
    powers = np.exp(np.arange(4))
    np.testing.assert_allclose(PretrainedModel(path, softmax).probabilities(ONES), powers / powers.sum(), atol=1e-3)


def test_a_window_may_be_standardised_or_have_a_frontend(tmp_path: Path, linear: Path) -> None:
    card = make_card(linear, GivenProperties(rate_hz=8000, standardised=True))
    # Loudness and offset do not reach it.
    wave = np.random.default_rng(0).normal(0, 2000, 400).astype(np.int16)
    pretrained = PretrainedModel(linear, card)
    np.testing.assert_allclose(pretrained.scores(wave), pretrained.scores((3 * wave + 500).astype(np.int16)), atol=1e-3)

    frontend = LogMelFrontend(n_mels=8, patch_frames=5, patch_hop=5)
    (tmp_path / "frontend.json").write_text(json.dumps(frontend.to_dict()))
    samples = (np.random.default_rng(1).normal(0, 2000, frontend.patch_samples)).astype(np.int16)
    (patch,) = frontend.patches(frontend.log_mel(samples))
    for name, shape, place in (("mels", (1, 8, 5, 1), 7 * 5 + 2), ("time", (1, 5, 8), 2 * 8 + 7)):
        path = written(tmp_path / f"{name}.tflite", converted(one_of(place), shape))
        card = make_card(path, GivenProperties(frontend=probe.read_frontend(tmp_path / "frontend.json")))
        assert (card.rate_hz, card.window) == (16_000, frontend.patch_samples)
        # The highest band of the third frame, in either order of the axes.
        assert PretrainedModel(path, card).scores(samples)[1] == pytest.approx(patch[7, 2], abs=1e-4)
    with pytest.raises(LabeltoolError, match=r"takes \[1, 5, 8\]; the frontend's patches are \[8, 6\]"):
        make_card(path, GivenProperties(frontend=LogMelFrontend(n_mels=8, patch_frames=6)))
    with pytest.raises(LabeltoolError, match=r"takes \[1, 5, 8\], not samples .*--frontend"):
        make_card(path, GivenProperties(rate_hz=16_000))


def one_of(place: int) -> Callable[[Any], Any]:
    """Return a network of two scores: nothing, and one of the forty numbers it is given."""
    import tensorflow as tf

    weights = np.zeros((40, 2), np.float32)
    weights[place, 1] = 1.0
    return lambda x: tf.reshape(x, (1, 40)) @ tf.constant(weights)


def test_a_bird_network_of_48_khz_and_an_open_batch_works_like_any_other(project: Project, tmp_path: Path) -> None:
    import tensorflow as tf

    def birds(x: Any) -> Any:
        loud = tf.reduce_mean(tf.abs(tf.reshape(x, (-1, 3, 48_000))), axis=2)
        hidden = tf.nn.relu(loud @ tf.ones((3, 5)))
        return hidden @ tf.reshape(tf.linspace(-9.0, 9.0, 10), (5, 2))

    written(tmp_path / "birds.tflite", converted(birds, (None, 144_000)))
    (tmp_path / "labels.txt").write_text("Turdus merula_Eurasian Blackbird\nDog_Dog\n")
    options = {"file": str(tmp_path / "birds.tflite"), "labels": str(tmp_path / "labels.txt"), "report": quiet}
    with pytest.raises(LabeltoolError, match=r"does not give its sample rate .*--rate HZ"):
        registry.add(project, **options)
    added = registry.add(project, **options, rate_hz=48_000)
    assert (added.window, added.classes, added.activation) == (144_000, 2, "sigmoid")
    pretrained = open_model(registry.find(project, "birds"), embedding=True)
    assert pretrained.embed(np.zeros(1000, np.int16)).shape == (10,)


def test_a_network_of_any_length_is_given_windows_and_its_frames_are_averaged(tmp_path: Path) -> None:
    import tensorflow as tf

    def frames(x: Any) -> Any:
        embedding = tf.signal.frame(x, 400, 400) @ tf.ones((400, 5)) / 400.0
        return {"scores": embedding[:, :3], "embedding": embedding}

    path = written(tmp_path / "frames.tflite", converted(frames, (None,)))
    with pytest.raises(LabeltoolError, match=r"takes any number of samples .*--window SAMPLES"):
        make_card(path, GivenProperties(rate_hz=8000))
    card = make_card(path, GivenProperties(rate_hz=8000, window=1200, classes=list("abc"), activation="none"))
    half = np.concatenate([np.full(400, 16384), np.zeros(800)]).astype(np.int16)
    pretrained = PretrainedModel(path, card, embedding=True)
    np.testing.assert_allclose(pretrained.probabilities(half), [1 / 6] * 3, atol=1e-5)
    # One window: mean and maximum over windows are the same.
    np.testing.assert_allclose(pretrained.embed(half), [1 / 6] * 10, atol=1e-5)


def test_a_file_brings_its_class_list_along_and_one_of_another_length_is_refused(
    pretrained_file: Path, tmp_path: Path
) -> None:
    path = written(tmp_path / "named.tflite", with_list(pretrained_file.read_bytes(), ["rain", "wind", "hail"]))
    card = make_card(path, GivenProperties(rate_hz=16_000))
    assert (card.classes, card.activation) == (("rain", "wind", "hail"), "none")
    with pytest.raises(LabeltoolError, match=r"named\.tflite: has 3 scores, and the list names 2 classes"):
        make_card(path, GivenProperties(rate_hz=16_000, classes=["rain", "wind"]))
    with pytest.raises(LabeltoolError, match=r"takes 1600 samples at once, not 400"):
        make_card(path, GivenProperties(rate_hz=16_000, window=400))
    with pytest.raises(LabeltoolError, match=r"has no embedding '0' \(tensors that may be one: .*\d"):
        open_model(path, "0", rate_hz=16_000, embedding=True)


def _huge(model: Any) -> None:
    model.subgraphs[0].tensors[-1].shape = np.array([1 << 20, 1 << 20], np.int32)


def _custom(model: Any) -> None:
    code = model.operatorCodes[0]
    code.builtinCode, code.deprecatedBuiltinCode, code.customCode = 32, 32, b"FlexWriteFile"


def _elsewhere(model: Any) -> None:
    buffer = next(one for one in model.buffers if one.data is not None)
    buffer.data, buffer.offset, buffer.size = None, 1 << 40, 4


class _Runs:
    """A pickle of it would make a folder."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("owned",)


def _lambda_layer(path: Path) -> None:
    import keras

    keras.Sequential([keras.Input((4,)), keras.layers.Lambda(lambda x: x)]).save(path)


BIG = message(f1=[1 << 40], f2=1, f8="w")
OUTSIDE = message(f1=[400, 4], f2=1, f8="w", f13=message(f1="location", f2="../../secret"), f14=1)
GRAPH_OUTSIDE = message(f1="y", f5=message(f1="then", f6=message(f5=OUTSIDE), f20=5), f4="If")


@pytest.mark.parametrize(
    ("name", "make", "message_part"),
    [
        ("half.tflite", lambda pretrained: pretrained[: len(pretrained) // 2], "cut short or damaged"),
        ("tables.tflite", lambda pretrained: pretrained[:200], "cut short or damaged"),
        ("magic.tflite", lambda pretrained: pretrained[:4] + b"XXXX" + pretrained[8:], "not a TensorFlow Lite network"),
        (
            "huge.tflite",
            lambda pretrained: altered(pretrained, _huge),
            "a tensor of impossible shape [1048576, 1048576]",
        ),
        ("custom.tflite", lambda pretrained: altered(pretrained, _custom), "an operation of its own, 'FlexWriteFile'"),
        ("elsewhere.tflite", lambda pretrained: altered(pretrained, _elsewhere), "cut short or damaged"),
        ("pickle.tflite", lambda _: pickle.dumps(_Runs()), "not a TensorFlow Lite network"),
        ("pickle.onnx", lambda _: pickle.dumps(_Runs()), "not a whole ONNX network"),
        ("empty.onnx", lambda _: b"", "not a whole ONNX network"),
        ("half.onnx", lambda _: onnx(onnx_weights(rising(400, 4)), shape=(1, 400), classes=4)[:3000], "not a whole"),
        ("big.onnx", lambda _: onnx(BIG, shape=(1, 400), classes=4), "claims weights of shape [1099511627776]"),
        (
            "wide.onnx",
            lambda _: onnx(onnx_weights(rising(4, 4)), shape=(1 << 40, 4), classes=4),
            "a tensor of impossible shape",
        ),
        ("outside.onnx", lambda _: onnx(OUTSIDE, shape=(1, 400), classes=4), "keeps its weights in another file"),
        (
            "within.onnx",
            lambda _: message(f1=8, f7=message(f1=GRAPH_OUTSIDE, f11=onnx_value("x", (1, 400)))),
            "keeps its weights in another file",
        ),
        (
            "custom.onnx",
            lambda _: onnx(onnx_weights(rising(400, 4)), shape=(1, 400), classes=4, operation="Run", domain="evil"),
            "an operation of its own, 'evil.Run'",
        ),
        ("page.xml", lambda _: b"<html><body>not found</body></html>", "is not a whole OpenVINO graph"),
        ("entity.xml", lambda _: b'<!DOCTYPE n [<!ENTITY a "b">]><net>&a;</net>', "it declares entities"),
        (
            "short.xml",
            lambda _: b'<net><layers><layer id="0" type="Const"><data offset="0" size="9"/></layer></layers></net>',
            "needs weights up to byte 9",
        ),
        ("lambda.keras", None, "is not a model file that can be read"),
        ("old.h5", lambda _: b"\x89HDF\r\n\x1a\n", "is not a model file that can be read"),
    ],
)
def test_a_hostile_file_is_refused_in_one_line_and_nothing_of_it_runs(
    project: Project,
    pretrained_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    make: Callable[[bytes], bytes] | None,
    message_part: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / name
    if make is None:
        _lambda_layer(path)
    else:
        path.write_bytes(make(pretrained_file.read_bytes()))
    path.with_suffix(".bin").write_bytes(b"")
    with pytest.raises(LabeltoolError, match=re.escape(message_part)) as refused:
        registry.add(project, report=quiet, file=str(path), rate_hz=16_000)
    assert len(str(refused.value).splitlines()) == 1 and path.stem in str(refused.value)
    assert not (tmp_path / "owned").exists() and not (project.models / "pretrained").exists()


def test_a_network_that_needs_too_much_memory_when_it_runs_is_refused_too(project: Project, tmp_path: Path) -> None:
    # 400 samples, and a table of 2^42 zeros that is in no table of the file.
    size = message(f1=[1], f2=7, f8="w", f9=(1 << 42).to_bytes(8, "little"))
    grow = message(f1="w", f2="zeros", f4="ConstantOfShape")
    add = message(f1=["x", "zeros"], f2="y", f4="Add")
    graph = message(
        f1=[grow, add], f2="g", f5=size, f11=onnx_value("x", (400, 1)), f12=onnx_value("y", ("some", "more"))
    )
    path = written(tmp_path / "grows.onnx", message(f1=8, f7=graph, f8=message(f1="", f2=17)))
    with pytest.raises(LabeltoolError, match=r"onnxruntime refuses it|the network stopped"):
        registry.add(project, report=quiet, file=str(path), rate_hz=16_000)


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        (
            "import os, signal\nclass SessionOptions:\n    def __init__(self): os.kill(os.getpid(), signal.SIGSEGV)\n",
            11,
        ),
        ("raise ImportError('not here')\n", 'pip install "labeltool[onnx]"'),
    ],
)
def test_a_runtime_that_crashes_or_is_not_there_ends_in_one_line(
    project: Project, linear: Path, tmp_path: Path, module: str, expected: str | int
) -> None:
    folder = tmp_path / "instead"
    folder.mkdir()
    (folder / "onnxruntime.py").write_text(module)
    at = (project, "model", "add", linear, "--rate", "8000")
    path = os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))
    done = labeltool(*at, check=1, PYTHONPATH=path)
    assert done.stdout == "" and len(done.stderr.splitlines()) == 1
    assert (expected if isinstance(expected, str) else f"killed by signal {expected}") in done.stderr
    assert registry.names(project) == []


def test_a_model_is_added_once_and_under_one_name(project: Project, linear: Path, tmp_path: Path) -> None:
    names = written(tmp_path / "names.txt", b"a\nb\nc\nd\n")
    options: dict[str, Any] = {"report": quiet, "file": str(linear), "labels": str(names), "rate_hz": 8000}
    assert registry.add(project, **options).added is True
    place = project.models / "pretrained" / "net"
    before = {path: path.stat().st_mtime_ns for path in place.iterdir()}
    assert registry.add(project, **options).added is False
    assert {path: path.stat().st_mtime_ns for path in place.iterdir()} == before
    other = onnx(onnx_weights(2 * rising(400, 4)), shape=(1, 400), classes=4)
    linear.write_bytes(other)
    with pytest.raises(
        LabeltoolError, match=r"another pretrained model is called 'net' .*--name.*labeltool model remove net"
    ):
        registry.add(project, **options)
    assert registry.add(project, **options, name="twice").name == "twice"
    assert registry.names(project) == ["net", "twice"]
    for name in ("../out", ".hidden", "a/b", "", "17", "x" * 65):
        with pytest.raises(LabeltoolError, match="a pretrained model cannot be called"):
            registry.add(project, **options, name=name)
    # The original may be deleted; the copy may not be changed.
    linear.unlink()
    assert open_model(registry.find(project, "net")).card.classes == ("a", "b", "c", "d")
    (place / "net.onnx").write_bytes(other)
    with pytest.raises(LabeltoolError, match=r"is not the file that its card describes"):
        open_model(registry.find(project, "net"))
    registry.remove(project, "net")
    assert sorted(path.name for path in place.parent.iterdir()) == [".lock", "twice"]
    with pytest.raises(LabeltoolError, match=r"there is no file or pretrained model 'net' .*the project's are: twice"):
        registry.find(project, "net")


def test_the_cards_of_yamnet_and_aclnet_are_right(project: Project, real_data: Path) -> None:
    yamnet, aclnet = real_data / "models" / "yamnet", real_data / "models" / "aclnet"
    added = registry.add(project, report=quiet, file=str(yamnet / "yamnet.tflite"))
    assert (added.classes, added.rate_hz, added.window, added.embedding) == (521, 16_000, 15_600, "115")
    card = open_model(registry.find(project, "yamnet")).card
    # The class list inside the file is the one beside it.
    assert card.classes == class_list.read(yamnet / "yamnet_class_map.csv") and card.activation == "none"
    pytest.importorskip("openvino")
    options: dict[str, Any] = {"rate_hz": 16_000, "labels": str(aclnet / "aclnet_53cl.txt"), "standardised": True}
    file = str(aclnet / "aclnet_des_53_int8.xml")
    added = registry.add(project, report=quiet, file=file, name="aclnet", **options)
    assert (added.classes, added.window, added.activation) == (53, 16_000, "none")
    assert {path.suffix for path in (project.models / "pretrained" / "aclnet").iterdir()} == {".xml", ".bin", ".json"}
    bark = real_data / "esc10" / "audio" / "1-100032-A-0.ogg"
    for model, known in (("yamnet", "Animal"), ("aclnet", "Dog")):
        done = labeltool(project, "classify", bark, "--model", model, "--top", "1")
        assert re.fullmatch(rf"{re.escape(str(bark))}\nCategory: {known}, index: \d+, score: 0\.\d\d\n", done.stdout)


def test_an_extra_is_no_part_of_what_is_always_loaded(project: Project) -> None:
    program = f"""
import sys
from labeltool.cli.main import cli
cli.main(["--project", {str(project.directory)!r}, "model", "list"], standalone_mode=False)
print("LOADED", *sorted({{"tensorflow", "onnxruntime", "openvino", "pooch", "sklearn"}} & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=DEADLINE_S, check=True
    )
    assert done.stdout.splitlines()[-1] == "LOADED"


def test_onnxruntime_keeps_no_record_and_sends_none(project: Project, tmp_path: Path) -> None:
    path = written(tmp_path / "net.onnx", onnx(onnx_weights(rising(400, 4)), shape=(1, 1, 1, 400), classes=4))
    imports = "import sys; from pathlib import Path; from labeltool.pretrained.runtimes import onnx"
    program = f"{imports}; onnx.ONNXNetwork(Path(sys.argv[1]))"
    home = tmp_path / "home"
    home.mkdir()
    # Not the variables by which it knows that it is tested.
    environment = {"HOME": str(home), "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", program, str(path)], check=True, timeout=DEADLINE_S, env=environment)
    assert list(home.rglob("*")) == []
