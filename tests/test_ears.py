"""Borrowed networks: what they are is found out, what they hear is right, and what is hostile is refused."""

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
from ear_helpers import altered, converted, message, onnx, onnx_value, onnx_weights, quiet, rising, with_list, written
from test_command_line import labeltool

from labeltool.audio.frontend import Frontend
from labeltool.errors import LabeltoolError
from labeltool.pretrained import class_list, probe, registry
from labeltool.pretrained.probe import introduce, open_ear
from labeltool.project import Project

ONES = np.full(400, 32767, np.int16)


@pytest.fixture
def linear(tmp_path: Path) -> Path:
    """An ONNX network of the shape AclNet has: logits 0 to 3 of a window of ones."""
    return written(tmp_path / "net.onnx", onnx(onnx_weights(rising(400, 4)), shape=(1, 1, 1, 400), classes=4))


def test_class_lists_are_read_as_networks_come_with_them() -> None:
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
def test_samples_go_in_by_any_shape_and_logits_become_probabilities(tmp_path: Path, shape: tuple[int | str]) -> None:
    path = written(tmp_path / "net.onnx", onnx(onnx_weights(rising(400, 4)), shape=shape, classes=4))
    card = introduce(path, rate_hz=8000, window=400 if shape == (1, "length") else None, classes=list("abcd"))
    assert (card.window, card.activation, card.embedding) == (400, "sigmoid", None)
    found = probe.Ear(path, card).probabilities(ONES)
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-np.arange(4))), atol=1e-3)
    asked = introduce(path, rate_hz=8000, window=400, activation="softmax")
    powers = np.exp(np.arange(4))
    np.testing.assert_allclose(probe.Ear(path, asked).probabilities(ONES), powers / powers.sum(), atol=1e-3)


def test_a_window_may_be_standardised_and_a_frontend_may_hear(tmp_path: Path, linear: Path) -> None:
    card = introduce(linear, rate_hz=8000, standardised=True)
    # Loudness and offset do not reach it.
    wave = np.random.default_rng(0).normal(0, 2000, 400).astype(np.int16)
    ear = probe.Ear(linear, card)
    np.testing.assert_allclose(ear.scores(wave), ear.scores((3 * wave + 500).astype(np.int16)), atol=1e-3)

    frontend = Frontend(n_mels=8, patch_frames=5, patch_hop=5)
    (tmp_path / "frontend.json").write_text(json.dumps(frontend.to_dict()))
    samples = (np.random.default_rng(1).normal(0, 2000, frontend.patch_samples)).astype(np.int16)
    (patch,) = frontend.patches(frontend.log_mel(samples))
    for name, shape, place in (("mels", (1, 8, 5, 1), 7 * 5 + 2), ("time", (1, 5, 8), 2 * 8 + 7)):
        path = written(tmp_path / f"{name}.tflite", converted(one_of(place), shape))
        card = introduce(path, frontend=probe.read_frontend(tmp_path / "frontend.json"))
        assert (card.rate_hz, card.window) == (16_000, frontend.patch_samples)
        # The highest band of the third frame, whichever way round the network wants them.
        assert probe.Ear(path, card).scores(samples)[1] == pytest.approx(patch[7, 2], abs=1e-4)
    with pytest.raises(LabeltoolError, match=r"takes \[1, 5, 8\]; the frontend makes \[8, 6\]"):
        introduce(path, frontend=Frontend(n_mels=8, patch_frames=6))
    with pytest.raises(LabeltoolError, match=r"takes \[1, 5, 8\], not samples .*--frontend"):
        introduce(path, rate_hz=16_000)


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
    with pytest.raises(LabeltoolError, match=r"does not say at which rate it hears .*--rate HZ"):
        registry.add(project, **options)
    told = registry.add(project, **options, rate_hz=48_000)
    assert (told["window"], told["classes"], told["activation"]) == (144_000, 2, "sigmoid")
    ear = open_ear(registry.find(project, "birds"), embedding=True)
    assert ear.embed(np.zeros(1000, np.int16)).shape == (10,)


def test_a_network_of_any_length_is_given_windows_and_its_frames_are_averaged(tmp_path: Path) -> None:
    import tensorflow as tf

    def frames(x: Any) -> Any:
        embedding = tf.signal.frame(x, 400, 400) @ tf.ones((400, 5)) / 400.0
        return {"scores": embedding[:, :3], "embedding": embedding}

    path = written(tmp_path / "frames.tflite", converted(frames, (None,)))
    with pytest.raises(LabeltoolError, match=r"takes any number of samples .*--window SAMPLES"):
        introduce(path, rate_hz=8000)
    card = introduce(path, rate_hz=8000, window=1200, classes=list("abc"), activation="none")
    half = np.concatenate([np.full(400, 16384), np.zeros(800)]).astype(np.int16)
    ear = probe.Ear(path, card, embedding=True)
    np.testing.assert_allclose(ear.probabilities(half), [1 / 6] * 3, atol=1e-5)
    # One window: mean and maximum over windows are the same.
    np.testing.assert_allclose(ear.embed(half), [1 / 6] * 10, atol=1e-5)


def test_a_file_brings_its_class_list_along_and_one_of_another_length_is_refused(
    ear_file: Path, tmp_path: Path
) -> None:
    path = written(tmp_path / "named.tflite", with_list(ear_file.read_bytes(), ["rain", "wind", "hail"]))
    card = introduce(path, rate_hz=16_000)
    assert (card.classes, card.activation) == (("rain", "wind", "hail"), "none")
    with pytest.raises(LabeltoolError, match=r"named\.tflite: tells 3 scores, and the list names 2 classes"):
        introduce(path, rate_hz=16_000, classes=["rain", "wind"])
    with pytest.raises(LabeltoolError, match=r"takes 1600 samples at once, not 400"):
        introduce(path, rate_hz=16_000, window=400)
    with pytest.raises(LabeltoolError, match=r"has no embedding '0' \(what may hold one: .*\d"):
        open_ear(path, "0", rate_hz=16_000, embedding=True)


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
    ("name", "make", "said"),
    [
        ("half.tflite", lambda ear: ear[: len(ear) // 2], "cut short or damaged"),
        ("tables.tflite", lambda ear: ear[:200], "cut short or damaged"),
        ("magic.tflite", lambda ear: ear[:4] + b"XXXX" + ear[8:], "not a TensorFlow Lite network"),
        ("huge.tflite", lambda ear: altered(ear, _huge), "a tensor of shape [1048576, 1048576], which no ear needs"),
        ("custom.tflite", lambda ear: altered(ear, _custom), "an operation of its own, 'FlexWriteFile'"),
        ("elsewhere.tflite", lambda ear: altered(ear, _elsewhere), "cut short or damaged"),
        ("pickle.tflite", lambda _: pickle.dumps(_Runs()), "not a TensorFlow Lite network"),
        ("pickle.onnx", lambda _: pickle.dumps(_Runs()), "not a whole ONNX network"),
        ("empty.onnx", lambda _: b"", "not a whole ONNX network"),
        ("half.onnx", lambda _: onnx(onnx_weights(rising(400, 4)), shape=(1, 400), classes=4)[:3000], "not a whole"),
        ("big.onnx", lambda _: onnx(BIG, shape=(1, 400), classes=4), "claims weights of shape [1099511627776]"),
        ("wide.onnx", lambda _: onnx(onnx_weights(rising(4, 4)), shape=(1 << 40, 4), classes=4), "which no ear needs"),
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
            "speaks of weights up to byte 9",
        ),
        ("lambda.keras", None, "is of no kind that can be borrowed"),
        ("old.h5", lambda _: b"\x89HDF\r\n\x1a\n", "is of no kind that can be borrowed"),
    ],
)
def test_a_hostile_file_is_refused_in_one_line_and_nothing_of_it_runs(
    project: Project,
    ear_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    make: Callable[[bytes], bytes] | None,
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / name
    if make is None:
        _lambda_layer(path)
    else:
        path.write_bytes(make(ear_file.read_bytes()))
    path.with_suffix(".bin").write_bytes(b"")
    with pytest.raises(LabeltoolError, match=re.escape(said)) as refused:
        registry.add(project, report=quiet, file=str(path), rate_hz=16_000)
    assert len(str(refused.value).splitlines()) == 1 and path.stem in str(refused.value)
    assert not (tmp_path / "owned").exists() and not (project.models / "ears").exists()


def test_what_only_asks_for_memory_once_it_runs_is_refused_too(project: Project, tmp_path: Path) -> None:
    # 400 samples, and a table of 2^42 zeros that no table of the file speaks of.
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
    ("module", "said"),
    [
        (
            "import os, signal\nclass SessionOptions:\n    def __init__(self): os.kill(os.getpid(), signal.SIGSEGV)\n",
            11,
        ),
        ("raise ImportError('not here')\n", 'pip install "labeltool[onnx]"'),
    ],
)
def test_a_runtime_that_crashes_or_is_not_there_ends_in_one_line(
    project: Project, linear: Path, tmp_path: Path, module: str, said: str | int
) -> None:
    folder = tmp_path / "instead"
    folder.mkdir()
    (folder / "onnxruntime.py").write_text(module)
    at = ("--project", project.directory, "model", "add", linear, "--rate", "8000")
    path = os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))
    done = labeltool(*at, check=1, PYTHONPATH=path)
    assert done.stdout == "" and len(done.stderr.splitlines()) == 1
    assert (said if isinstance(said, str) else f"killed by signal {said}") in done.stderr
    assert registry.names(project) == []


def test_the_shelf_takes_an_ear_once_and_under_one_name(project: Project, linear: Path, tmp_path: Path) -> None:
    names = written(tmp_path / "names.txt", b"a\nb\nc\nd\n")
    options: dict[str, Any] = {"report": quiet, "file": str(linear), "labels": str(names), "rate_hz": 8000}
    assert registry.add(project, **options)["added"] is True
    place = project.models / "ears" / "net"
    stood = {path: path.stat().st_mtime_ns for path in place.iterdir()}
    assert registry.add(project, **options)["added"] is False
    assert {path: path.stat().st_mtime_ns for path in place.iterdir()} == stood
    other = onnx(onnx_weights(2 * rising(400, 4)), shape=(1, 400), classes=4)
    linear.write_bytes(other)
    with pytest.raises(LabeltoolError, match=r"another ear is called 'net' .*--name.*labeltool model remove net"):
        registry.add(project, **options)
    assert registry.add(project, **options, name="twice")["name"] == "twice"
    assert registry.names(project) == ["net", "twice"]
    for name in ("../out", ".hidden", "a/b", "", "17", "x" * 65):
        with pytest.raises(LabeltoolError, match="an ear cannot be called"):
            registry.add(project, **options, name=name)
    # The original may go; what stands on the shelf may not change.
    linear.unlink()
    assert open_ear(registry.find(project, "net")).card.classes == ("a", "b", "c", "d")
    (place / "net.onnx").write_bytes(other)
    with pytest.raises(LabeltoolError, match=r"is not the file its card speaks of"):
        open_ear(registry.find(project, "net"))
    registry.remove(project, "net")
    assert [path.name for path in place.parent.iterdir()] == ["twice"]
    with pytest.raises(LabeltoolError, match=r"there is no file or ear 'net' .*the project's are: twice"):
        registry.find(project, "net")


def test_yamnet_and_aclnet_are_what_they_say(project: Project, real_data: Path) -> None:
    yamnet, aclnet = real_data / "models" / "yamnet", real_data / "models" / "aclnet"
    told = registry.add(project, report=quiet, file=str(yamnet / "yamnet.tflite"))
    assert (told["classes"], told["rate_hz"], told["window"], told["embedding"]) == (521, 16_000, 15_600, "115")
    card = open_ear(registry.find(project, "yamnet")).card
    # Inside the file is the same list as beside it.
    assert card.classes == class_list.read(yamnet / "yamnet_class_map.csv") and card.activation == "none"
    pytest.importorskip("openvino")
    options: dict[str, Any] = {"rate_hz": 16_000, "labels": str(aclnet / "aclnet_53cl.txt"), "standardised": True}
    file = str(aclnet / "aclnet_des_53_int8.xml")
    told = registry.add(project, report=quiet, file=file, name="aclnet", **options)
    assert (told["classes"], told["window"], told["activation"]) == (53, 16_000, "none")
    assert {path.suffix for path in (project.models / "ears" / "aclnet").iterdir()} == {".xml", ".bin", ".json"}
    bark = real_data / "esc10" / "audio" / "1-100032-A-0.ogg"
    for model, known in (("yamnet", "Animal"), ("aclnet", "Dog")):
        done = labeltool("--project", project.directory, "classify", bark, "--model", model, "--top", "1")
        assert re.fullmatch(rf"{re.escape(str(bark))}\nCategory: {known}, index: \d+, score: 0\.\d\d\n", done.stdout)


def test_an_extra_is_no_part_of_what_is_always_loaded(project: Project) -> None:
    program = f"""
import sys
from labeltool.cli import cli
cli.main(["--project", {str(project.directory)!r}, "model", "list"], standalone_mode=False)
print("LOADED", *sorted({{"tensorflow", "onnxruntime", "openvino", "pooch", "sklearn"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines()[-1] == "LOADED"
