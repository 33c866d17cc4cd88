"""The checks of a package on this machine; each passed, failed or did not run, with its figures or the reason."""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np

from labeltool.audio.device import device_frontend
from labeltool.audio.files import content_hash
from labeltool.audio.frontend import LogMelFrontend, frontend_from_dict
from labeltool.errors import LabeltoolError
from labeltool.exporters.atomic_folder import MANIFEST
from labeltool.exporters.stm32.codegen.frontend_tables import require_log_mel
from labeltool.exporters.stm32.codegen.model_config import CONFIG_VERSION
from labeltool.exporters.stm32.st_applications.config_header import class_list
from labeltool.exporters.stm32.st_applications.folder import CONFIG_HEADER, FOLDER
from labeltool.exporters.stm32.tflite.summary import TensorFormat
from labeltool.exporters.stm32.verification.toolchain import MACHINES, WITHOUT_FPU, InstructionCounts, Toolchain
from labeltool.networks.model_folder import INT8, LABELS, one_line
from labeltool.networks.postprocessing import ClipRule
from labeltool.networks.stream_rule import StreamRule
from labeltool.type_aliases import Int16
from labeltool.util.files.bounded_read import parse_json, read_bytes, read_text
from labeltool.util.files.npz import UNREADABLE, open_npz

Outcome = Literal["passed", "failed", "not run"]

# Files that the commands of the package's documents leave in it.
_BUILT = re.compile(r"test/build/|firmware/(build|sound\.raw|device\.log)|(st/[^/]+/)?st_ai_(output|ws)/|generated/")


@dataclass(frozen=True, slots=True)
class Check:
    """One check: what was checked, its outcome, and the figures or the reason."""

    name: str
    outcome: Outcome
    detail: str


@dataclass(frozen=True, slots=True)
class Package:
    """A package's description of its model, from `model_config.json`.

    Attributes
    ----------
    labels
        In the order of the model's outputs.
    background
        The output that stands for none of the labels; None without one.
    """

    directory: Path
    model: int
    sha256: str
    labels: tuple[str, ...]
    background: str | None
    frontend: LogMelFrontend
    input: TensorFormat
    clip_rule: ClipRule
    stream_rule: StreamRule

    @property
    def golden_pcm(self) -> Int16:
        """The clips of the self-test, `(clips, samples) int16`, from its header file."""
        text = (self.directory / "test" / "golden_pcm.h").read_text(encoding="utf-8")
        clips = re.findall(r"\{([^{}]+)\}", text)
        return np.array([[int(sample) for sample in clip.replace(",", " ").split()] for clip in clips], np.int16)


def read_package(directory: Path) -> Package:
    """Read a package's `model_config.json`.

    Raises
    ------
    LabeltoolError
        When it is missing, damaged, or of an older labeltool.
    """
    path = directory / "model" / "model_config.json"
    try:
        config: dict[str, Any] = parse_json(read_bytes(path))
        if config["config_version"] < CONFIG_VERSION:
            raise LabeltoolError("was made by an older labeltool", file=path, remedy="export the package again")
        input_values, labels = dict(config["input"]), tuple(map(str, config["labels"]))
        rule = StreamRule(**{**config["stream_rule"], "thresholds": (*config["stream_rule"]["thresholds"],)})
        if len(rule.thresholds) != len(labels) or config["background"] not in (None, *labels):
            raise ValueError("labels, thresholds and background do not match")
        return Package(
            directory=directory,
            model=int(config["model"]),
            sha256=str(config["sha256"]),
            labels=labels,
            background=config["background"],
            frontend=require_log_mel(frontend_from_dict(config["frontend"])),
            input=TensorFormat(tuple(input_values.pop("shape")), **input_values),
            clip_rule=ClipRule(**config["clip_rule"]),
            stream_rule=rule,
        )
    except OSError as error:
        raise LabeltoolError("cannot be read", file=path, remedy="give the folder of an STM32 package") from error
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise LabeltoolError(f"is damaged: {error!r}", file=path, remedy="export the package again") from error


def check_manifest(directory: Path) -> Check:
    """Check every file against the manifest, and that no other file is there."""
    name = "all files match the manifest"
    try:
        lines = read_text(directory / MANIFEST).splitlines()
    except (OSError, ValueError):
        return Check(name, "failed", f"{MANIFEST} cannot be read")
    listed: set[str] = set()
    for number, line in enumerate(lines, start=1):
        entry = re.fullmatch(r"([0-9a-f]{64})  (\S.*)", line)
        if entry is None or ".." in PurePosixPath(entry[2]).parts or entry[2].startswith("/"):
            return Check(name, "failed", f"{MANIFEST}, line {number} is damaged")
        try:
            is_same = content_hash(directory / entry[2]) == entry[1]
        except (OSError, ValueError):
            return Check(name, "failed", f"{entry[2]} is missing")
        if not is_same:
            return Check(name, "failed", f"{entry[2]} was changed")
        listed.add(entry[2])
    present = {path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file()}
    unlisted = sorted(path for path in present - listed - {MANIFEST} if not _BUILT.match(path))
    if unlisted:
        return Check(name, "failed", f"{unlisted[0]} is not in the manifest")
    return Check(name, "passed", f"{len(listed)} files")


def check_configuration(package: Package) -> Check:
    """Check that the model's file, its labels, and the class lists of ST's applications match `model_config.json`."""
    name = "model, labels and configuration belong to one model"
    folder = package.directory / "model"
    labels = "".join(f"{one_line(label)}\n" for label in package.labels)
    if hashlib.sha256((folder / INT8).read_bytes()).hexdigest() != package.sha256:
        return Check(name, "failed", f"model/{INT8} belongs to another model")
    if (folder / LABELS).read_text(encoding="utf-8") != labels:
        return Check(name, "failed", f"model/{LABELS} has other labels or another order")
    lists = class_list(package.labels)
    for path in sorted((package.directory / FOLDER).glob(f"*/{CONFIG_HEADER}")):
        if lists not in path.read_text(encoding="utf-8"):
            return Check(name, "failed", f"{path.parent.name}/{path.name} has other labels or another order")
    return Check(name, "passed", f"{len(package.labels)} labels")


def host_checks(package: Package, toolchain: Toolchain) -> Iterator[Check]:
    """Build for this machine and check each stage; the later checks need the build."""
    name = "host: builds without warnings, self-test"
    missing = toolchain.missing_for_host()
    if missing:
        yield Check(name, "not run", missing)
        return
    result = toolchain.make("host")
    if not result.passed:
        yield Check(name, "failed", result.reason)
        return
    yield Check(name, "passed", f"{len(package.golden_pcm)} recordings, samples to scores, bit-exact")
    yield _check_labels(package, toolchain)
    yield check_features(package, toolchain, list(package.golden_pcm), "the self-test's recordings")
    yield _check_network(package, toolchain)


def check_features(package: Package, toolchain: Toolchain, clips: list[Int16], which: str) -> Check:
    """Compare the features of the C frontend with float64, value by value."""
    name = f"host: features within one int8 step of float64, {which}"
    values = different = 0
    for pcm in clips:
        codes = toolchain.features(pcm, package.frontend).codes
        expected = device_frontend.in_float64(package.frontend, pcm, package.input)
        if codes.shape != expected.shape:
            return Check(name, "failed", f"{len(codes)} patches, not {len(expected)}")
        steps = np.abs(codes.astype(np.int64) - expected)
        if steps.size and steps.max() > 1:
            return Check(name, "failed", f"a value differs by {steps.max()} steps")
        values += steps.size
        different += int((steps > 0).sum())
    return Check(name, "passed", f"{different} of {values:,} values differ by one step")


def fixed_point_check(toolchain: Toolchain) -> Check:
    """Run the self-test with the frontend in integers on this machine."""
    result = toolchain.make("host")
    detail = "bit-exact" if result.passed else result.reason
    return Check("host: self-test, frontend in fixed point", "passed" if result.passed else "failed", detail)


def device_checks(toolchain: Toolchain) -> Iterator[tuple[Check, InstructionCounts | None]]:
    """Build for each device, run the self-test in QEMU and compare with the host; also yield its instruction counts.

    The frontend in fixed point is for devices without a floating point unit.
    """
    machines = {machine: MACHINES[machine] for machine in (WITHOUT_FPU if toolchain.fixed_point else MACHINES)}
    for machine, core in machines.items():
        title = f"{core}, fixed point" if toolchain.fixed_point else core
        missing = toolchain.missing_for_devices(emulate=False)
        built = toolchain.make(f"arm-{machine}") if not missing else None
        if built is None or not built.passed:
            outcome: Outcome = "not run" if built is None else "failed"
            yield Check(f"{title}: compiles", outcome, built.reason if built else missing), None
            continue
        yield Check(f"{title}: compiles", "passed", "without warnings"), None
        name = f"{title}: prints the same as the host"
        missing = toolchain.missing_for_devices(emulate=True)
        if missing:
            yield Check(name, "not run", missing), None
            continue
        result = toolchain.emulate(machine)
        if result.too_large:
            yield Check(name, "not run", f"too large for its memory: {result.too_large}"), None
        elif not result.same or result.instructions is None:
            yield Check(name, "failed", result.reason), None
        else:
            counts = result.instructions
            detail = f"first patch {counts.first_patch:,}, next patch {counts.next_patch:,}, network {counts.network:,}"
            yield Check(name, "passed", f"instructions: {detail}"), counts


def _check_labels(package: Package, toolchain: Toolchain) -> Check:
    name = "host: labels in the C in the order of the outputs"
    printed = re.findall(r"^# label (\d+)$", toolchain.printed(), re.MULTILINE)
    expected = [str(zlib.crc32(label.replace("\0", "\ufffd").encode("utf-8", "replace"))) for label in package.labels]
    if printed != expected:
        return Check(name, "failed", "they differ from model_config.json")
    return Check(name, "passed", f"{len(expected)} labels")


def _check_network(package: Package, toolchain: Toolchain) -> Check:
    """Compare the scores of the C network and of the reference kernels with those in `validation/`."""
    from labeltool.networks.quantization import Int8Model

    name = "host: scores of the network, reference kernels and C, bit-exact"
    try:
        with open_npz(package.directory / "validation" / "val.npz") as arrays:
            inputs, outputs = arrays["m_inputs"], arrays["m_outputs"]
    except UNREADABLE as error:
        return Check(name, "failed", f"validation/val.npz cannot be read: {error}")
    kernels = Int8Model((package.directory / "model" / INT8).read_bytes()).predict_int8(inputs)
    for path, scores in (("the reference kernels", kernels), ("the C", toolchain.scores(inputs, len(package.labels)))):
        if not np.array_equal(scores, outputs):
            return Check(name, "failed", f"{path} and validation/val.npz differ")
    return Check(name, "passed", f"{len(inputs)} patches of validation/val.npz")
