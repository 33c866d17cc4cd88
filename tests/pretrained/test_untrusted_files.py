"""Untrusted cards, class lists, names and odd files of other formats."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers.command_line import labeltool
from helpers.pretrained import altered, message, onnx, onnx_value, onnx_weights, rising, with_list, written
from helpers.progress import quiet
from labeltool.cli.common import ProgressDisplay
from labeltool.errors import LabeltoolError
from labeltool.pretrained import class_list, registry, runtimes
from labeltool.pretrained.card import PretrainedCard, write_card
from labeltool.pretrained.model import PretrainedModel
from labeltool.pretrained.probe import GivenProperties, make_card, open_model
from labeltool.pretrained.runtimes import base, protobuf, tflite_metadata
from labeltool.pretrained.runtimes import onnx as runtimes_onnx
from labeltool.pretrained.runtimes import openvino as runtimes_openvino
from labeltool.project import Project

ONES = np.full(400, 32767, np.int16)
MATMUL = message(f1=["x", "w"], f2="y", f4="MatMul")


@pytest.fixture
def linear(tmp_path: Path) -> Path:
    """An ONNX network: logits 0 to 3 of a window of ones."""
    return written(tmp_path / "net.onnx", onnx(onnx_weights(rising(400, 4)), shape=(1, 400), classes=4))


def test_the_fingerprint_covers_all_that_changes_an_embedding() -> None:
    sums = {"n.xml": "a" * 64, "n.bin": "b" * 64}
    card = PretrainedCard(sums, rate_hz=16_000, window=400, shape=(1, 400), classes=(), scores="y", embedding="e" * 300)
    others = [
        replace(card, files=sums | {"n.bin": "c" * 64}),
        replace(card, window=800, shape=(1, 800)),
        replace(card, shape=(400,)),
        replace(card, rate_hz=8000),
        replace(card, embedding="f"),
        replace(card, scores="z"),
        replace(card, standardised=True),
    ]
    assert len({one.fingerprint for one in (card, *others)}) == len(others) + 1
    renamed = replace(card, files={"m.xml": "a" * 64, "m.bin": "b" * 64}, classes=("dog",))
    assert renamed.fingerprint == card.fingerprint and len(card.fingerprint) == 64


def test_a_card_counts_for_its_own_file_only(linear: Path) -> None:
    other = written(linear.with_name("other.onnx"), onnx(onnx_weights(rising(400, 2)), shape=(1, 400), classes=2))
    write_card(linear.parent, make_card(linear, GivenProperties(rate_hz=8000, classes=list("abcd"))))
    assert open_model(linear).card.classes == tuple("abcd")
    bare = open_model(other, rate_hz=16_000)
    assert (bare.card.network, bare.card.rate_hz, bare.card.classes) == ("other.onnx", 16_000, ())


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda card: {"files": {"../outside.onnx": card.files["net.onnx"]}}, "which is no file beside it"),
        (lambda card: {"files": {"/net.onnx": card.files["net.onnx"]}}, "which is no file beside it"),
        (lambda card: {"files": {"..": card.files["net.onnx"]}}, "which is no file beside it"),
        (lambda _: {"scores": "nope"}, "names an output 'nope'"),
        (lambda _: {"embedding": "nope"}, "names an embedding 'nope'"),
        (lambda _: {"classes": ["a"]}, "names 1 classes, and the network has 4 scores"),
        (lambda _: {"classes": list("abcdef")}, "names 6 classes, and the network has 4 scores"),
        (lambda _: {"rate_hz": 0}, "impossible rate, 0 Hz"),
        (lambda _: {"rate_hz": float("inf")}, "is not a pretrained model's card"),
        (lambda _: {"window": 0}, "impossible window, 0 samples"),
        (lambda _: {"shape": [1, 7]}, "does not fit the 400 numbers of a window"),
        (lambda _: {"shape": [400]}, "describes input [400], and the network takes [1, 400]"),
        (lambda _: {"shape": [1, -400]}, "impossible shape, [1, -400]"),
        (lambda _: {"window": 1 << 40, "shape": [1, 1 << 40]}, "a tensor of impossible shape"),
        (lambda _: {"frontend": {"n_mels": 0}}, "n_mels must be above zero"),
        (lambda _: {"frontend": {"kind": "embedding"}}, "its frontend needs another pretrained model"),
        (lambda _: {"frontend": {"n_mels": 8}}, "its frontend has another rate or another window"),
        (None, "is not a pretrained model's card"),
    ],
)
def test_an_untrusted_card_is_refused_in_one_line_that_names_it(
    linear: Path, change: Callable[[PretrainedCard], dict[str, Any]] | None, reason: str
) -> None:
    card = make_card(linear, GivenProperties(rate_hz=8000, classes=list("abcd")))
    text = "[" * 100_000 if change is None else json.dumps(card.to_dict() | change(card))
    (linear.parent / "pretrained.json").write_text(text)
    with pytest.raises(LabeltoolError) as refused:
        open_model(registry.find(None, str(linear.parent)))
    assert str(refused.value).startswith(f"{linear.parent / 'pretrained.json'}: ") and reason in str(refused.value)


def test_another_bin_than_the_cards_is_refused_even_where_the_card_lists_none(tmp_path: Path) -> None:
    graph = written(tmp_path / "net.xml", b"<net/>")
    written(tmp_path / "net.bin", b"")
    with pytest.raises(LabeltoolError, match=r"net\.bin: is not the file that its card describes"):
        PretrainedModel(graph, PretrainedCard({"net.xml": base.sha256_of(graph)}, 8000, 400, (1, 400), (), "y"))


def test_a_functions_default_reaches_no_other_file_and_training_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path / "secret", rising(400, 4).astype("<f4").tobytes())
    outside = message(f1=[400, 4], f2=1, f8="w", f13=message(f1="location", f2="secret"), f14=1)
    constant = message(f2="w", f4="Constant", f5=message(f1="value", f20=4, f21="w0"))
    default = message(f1="w0", f20=4, f5=outside)
    opset, domain = message(f1="", f2=17), "com.microsoft"
    function = message(f1="F", f4="x", f5="y", f7=[constant, MATMUL], f9=opset, f10=domain, f11=default)
    node = message(f1="x", f2="y", f4="F", f7=domain)
    graph = message(f1=node, f2="g", f11=onnx_value("x", (1, 400)), f12=onnx_value("y", (1, 4)))
    opsets = [opset, message(f1=domain, f2=1)]
    path = written(tmp_path / "default.onnx", message(f1=8, f7=graph, f8=opsets, f25=function))
    with pytest.raises(LabeltoolError, match="keeps its weights in another file"):
        runtimes_onnx.read_layout(path)
    plain = onnx(onnx_weights(rising(400, 4)), shape=(1, 400), classes=4)
    runtimes_onnx.read_layout(written(path, plain))
    with pytest.raises(LabeltoolError, match="not a whole ONNX network"):
        runtimes_onnx.read_layout(written(path, plain + message(f20=message(f1=graph))))


def test_a_network_may_have_an_output_of_the_most_likely_class_beside_its_scores(tmp_path: Path) -> None:
    most_likely = message(f1="y", f2="l", f4="ArgMax")
    number = message(f1="l", f2=message(f1=message(f1=7, f2=message(f1=[message(f2="n"), message(f2="m")]))))
    outputs = [number, onnx_value("y", (1, 4))]
    graph = message(
        f1=[MATMUL, most_likely], f2="g", f5=onnx_weights(rising(400, 4)), f11=onnx_value("x", (1, 400)), f12=outputs
    )
    path = written(tmp_path / "likeliest.onnx", message(f1=8, f7=graph, f8=message(f1="", f2=17)))
    card = make_card(path, GivenProperties(rate_hz=8000))
    assert (card.scores, card.embedding) == ("y", None)
    np.testing.assert_allclose(PretrainedModel(path, card).scores(ONES), range(4), atol=1e-3)


def test_a_network_that_fails_is_named(linear: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretrained = open_model(linear, rate_hz=8000)
    with pytest.raises(LabeltoolError, match=r"^\S+net\.onnx: the network stopped: "):
        monkeypatch.setattr(runtimes_onnx.ONNXNetwork, "run", _with_wrong_input(runtimes_onnx.ONNXNetwork.run))
        pretrained.scores(ONES)


def _with_wrong_input(run: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self, values: run(self, values[:, :7])


def test_memory_is_bounded_while_a_file_is_read_and_run(linear: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretrained = open_model(linear, rate_hz=8000)
    huge = 64 << 30
    for owner, name in ((protobuf.Reader, "fields"), (runtimes_onnx.ONNXNetwork, "run")):
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, lambda *_: bytearray(huge))
            with pytest.raises(
                LabeltoolError, match=r"net\.onnx: asks for more memory than a pretrained model may use"
            ):
                pretrained.scores(ONES) if name == "run" else make_card(linear, GivenProperties(rate_hz=8000))


def test_a_file_of_a_million_fields_is_refused(linear: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protobuf, "MAX_FIELDS", 1000, raising=False)
    runtimes_onnx.read_layout(linear)
    with pytest.raises(LabeltoolError, match="not a whole ONNX network"):
        runtimes_onnx.read_layout(written(linear, linear.read_bytes() + message(f2=[b""] * 1000)))


def test_subgraphs_that_share_their_tensors_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "shared.tflite", _sharing(60))
    with pytest.raises(LabeltoolError, match="cut short or damaged"):
        runtimes.runtime_of(path).read_layout(path)


def _sharing(count: int) -> bytes:
    """Return `count` subgraphs, each of which lists the one tensor `count` times: all in some hundred bytes."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    out = flatbuffers.Builder(0)

    def listed(value: int, times: int, prepend: Callable[[int], None]) -> int:
        out.StartVector(4, times, 4)
        for _ in range(times):
            prepend(value)
        return int(out.EndVector())

    shape = listed(400, 1, out.PrependInt32)
    schema.TensorStart(out)
    schema.TensorAddShape(out, shape)
    tensors = listed(schema.TensorEnd(out), count, out.PrependUOffsetTRelative)
    first = listed(0, 1, out.PrependInt32)
    schema.SubGraphStart(out)
    schema.SubGraphAddTensors(out, tensors)
    schema.SubGraphAddInputs(out, first)
    schema.SubGraphAddOutputs(out, first)
    graphs = listed(schema.SubGraphEnd(out), count, out.PrependUOffsetTRelative)
    schema.BufferStart(out)
    buffers = listed(schema.BufferEnd(out), 1, out.PrependUOffsetTRelative)
    schema.ModelStart(out)
    schema.ModelAddVersion(out, 3)
    schema.ModelAddSubgraphs(out, graphs)
    schema.ModelAddBuffers(out, buffers)
    out.Finish(schema.ModelEnd(out), b"TFL3")
    return bytes(out.Output())


def test_a_list_inside_the_file_chooses_the_output_and_a_damaged_one_is_no_list(
    pretrained_file: Path, tmp_path: Path
) -> None:
    def swapped(model: Any) -> None:
        graph = model.subgraphs[0]
        wide = next(i for i, one in enumerate(graph.tensors) if [*one.shape] == [1, 7] and not one.isVariable)
        graph.outputs = np.array([wide, *graph.outputs], np.int32)

    two = altered(pretrained_file.read_bytes(), swapped)
    path = written(tmp_path / "two.tflite", with_list(two, ["rain", "wind", "hail"]))
    card = make_card(path, GivenProperties(rate_hz=16_000))
    assert (
        card.classes == ("rain", "wind", "hail")
        and len(PretrainedModel(path, card).probabilities(np.zeros(1600, np.int16))) == 3
    )

    for text, harm in (("\n".join(map(str, range(3000))), True), ('"' + "x" * 200_000 + '",b\n', False)):
        file = io.BytesIO(b"TFL3" * 100)
        file.seek(0, io.SEEK_END)
        with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("labels.txt", text)
        content = bytearray(file.getvalue())
        if harm:
            begin = content.find(b"labels.txt") + 30
            content[begin : begin + 200] = b"\xff" * 200
        assert tflite_metadata.read(bytes(content)) == tflite_metadata.Metadata()


def test_numbers_without_end_are_names_and_endless_lines_are_no_list(tmp_path: Path) -> None:
    digits = "9" * 5000
    assert class_list.parse(f"{digits} dog\n1 cat\n") == (f"{digits} dog", "1 cat")
    assert class_list.parse(f"index,name\n{digits},dog\n1,cat\n") == ("dog", "cat")
    with pytest.raises(LabeltoolError, match=r"long\.txt: is not a list of classes"):
        class_list.read(written(tmp_path / "long.txt", b'"' + b"x" * 200_000 + b'"\n'))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_entities_are_refused_in_any_encoding(tmp_path: Path, encoding: str) -> None:
    text = f'<?xml version="1.0" encoding="{encoding}"?><!DOCTYPE n [<!ENTITY a "b">]><net>&a;</net>'
    path = written(tmp_path / "net.xml", text.encode(encoding))
    written(tmp_path / "net.bin", b"")
    with pytest.raises(LabeltoolError, match="it declares entities"):
        runtimes_openvino.read_layout(path)


@pytest.mark.parametrize(
    ("within", "reason"),
    [
        ('<layer id="9" type="Const"><data offset="0" size="9"/></layer>', "needs weights up to byte 9"),
        ('<layer id="9" type="Const"><data offset="-4" size="4"/></layer>', "is not a whole OpenVINO graph"),
        (f'<layer id="9"><output><port><dim>{1 << 40}</dim></port></output></layer>', "a tensor of impossible shape"),
    ],
)
def test_the_body_of_a_loop_is_checked_too(tmp_path: Path, within: str, reason: str) -> None:
    loop = f'<layer id="0" type="Loop"><body><layers>{within}</layers></body></layer>'
    path = written(tmp_path / "net.xml", f"<net><layers>{loop}</layers></net>".encode())
    written(tmp_path / "net.bin", b"")
    with pytest.raises(LabeltoolError, match=reason):
        runtimes_openvino.read_layout(path)


def test_an_openvino_network_runs_and_embeds_from_within(tmp_path: Path) -> None:
    openvino = pytest.importorskip("openvino")
    from openvino import opset8

    given = opset8.parameter([1, 400], np.float32, name="x")
    hidden = opset8.relu(opset8.matmul(given, opset8.constant(rising(400, 5)), False, False))
    hidden.set_friendly_name("hidden")
    scores = opset8.matmul(hidden, opset8.constant(np.eye(5, 3, dtype=np.float32)), False, False)
    path = tmp_path / "net.xml"
    openvino.save_model(openvino.Model([opset8.result(scores)], [given], "net"), path, compress_to_fp16=False)
    card = make_card(path, GivenProperties(rate_hz=8000, classes=list("abc"), activation="none"))
    assert (card.embedding, [*card.files]) == ("hidden", ["net.xml", "net.bin"])
    pretrained = PretrainedModel(path, card, embedding=True)
    np.testing.assert_allclose(pretrained.scores(ONES), [0, 1, 2], atol=1e-3)
    np.testing.assert_allclose(pretrained.embed(ONES), [0, 1, 2, 3, 4] * 2, atol=1e-3)
    path.with_suffix(".bin").write_bytes(bytes(path.with_suffix(".bin").stat().st_size))
    with pytest.raises(LabeltoolError, match=r"net\.bin: is not the file that its card describes"):
        PretrainedModel(path, card)


def test_escape_codes_of_a_tensors_name_do_not_reach_the_terminal(
    project: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "e\x1b]0;owned\x07\x1b[31mRED"
    relu = message(f1="y", f2=name, f4="Relu")
    outputs = [onnx_value("y", (1, 4)), onnx_value(name, (1, 4))]
    graph = message(
        f1=[MATMUL, relu], f2="g", f5=onnx_weights(rising(400, 4)), f11=onnx_value("x", (1, 400)), f12=outputs
    )
    path = written(tmp_path / "esc.onnx", message(f1=8, f7=graph, f8=message(f1="", f2=17)))
    stderr = labeltool(project, "model", "add", path, "--rate", "8000").stderr
    assert "\x1b" not in stderr and "\x07" not in stderr and r"\x1b[31mRED" in stderr
    progress = ProgressDisplay()
    progress._shown_at_s = float("-inf")
    progress("scoring", 1, 2, "a\x1b[31m\nb.wav")
    assert capsys.readouterr().err == "scoring: 1 of 2  a\\x1b[31m\\nb.wav\n"


def test_a_worker_without_a_project_names_no_log(linear: Path, tmp_path: Path) -> None:
    folder = tmp_path / "instead"
    folder.mkdir()
    (folder / "onnxruntime.py").write_text("import os\nos._exit(3)\n")
    write_card(linear.parent, make_card(linear, GivenProperties(rate_hz=8000, classes=list("abcd"))))
    path = os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))
    sound = written(tmp_path / "a.wav", _wave())
    done = labeltool("classify", sound, "--model", linear.parent, check=1, PYTHONPATH=path)
    assert "ended with code 3 (nothing was changed)" in done.stderr and os.devnull not in done.stderr


def _wave() -> bytes:
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, np.full(800, 0.5), 8000, format="WAV")
    return file.getvalue()


def test_a_model_that_is_added_twice_at_once_is_there_once(
    project: Project, linear: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = make_card(linear, GivenProperties(rate_hz=8000))
    monkeypatch.setattr(registry.probe, "make_card", lambda *_: card)

    def add() -> bool:
        return registry.add(project, report=quiet, file=str(linear)).added

    with ThreadPoolExecutor(1) as pool:
        others: list[Future[bool]] = []

        def interrupted(folder: Path, one: PretrainedCard) -> None:
            if not others:
                others.append(pool.submit(add))
                wait(others, 0.3)  # it may not get through now
            write_card(folder, one)

        monkeypatch.setattr(registry, "write_card", interrupted)
        assert add() is True and others[0].result() is False
    assert sorted(path.name for path in (project.models / "pretrained").iterdir()) == [".lock", "net"]
