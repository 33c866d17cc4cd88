"""What a package must hold to, checked on this machine: each check passed, failed, or not run, and why."""

from __future__ import annotations

import hashlib
import json
import re
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np

from labeltool.audio.frontend import Frontend
from labeltool.errors import LabeltoolError
from labeltool.exporters.atomic_folder import MANIFEST
from labeltool.exporters.stm32.tflite.summary import Tensor
from labeltool.exporters.stm32.verification import bit_exact_frontend
from labeltool.exporters.stm32.verification.toolchain import MACHINES, Bench
from labeltool.networks.model_folder import INT8, LABELS, one_line
from labeltool.type_aliases import Int16

Outcome = Literal["passed", "failed", "not run"]

# What `make` leaves in the package when somebody builds it there.
_BUILT = "test/build/"


@dataclass(frozen=True, slots=True)
class Check:
    """One check: what, how it went, and the figures or the reason."""

    name: str
    outcome: Outcome
    detail: str

    def to_dict(self) -> dict[str, str]:
        """Return the fields as JSON values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Package:
    """What a package says of its model."""

    directory: Path
    model: int
    sha256: str
    labels: tuple[str, ...]
    frontend: Frontend
    input: Tensor

    @property
    def golden_pcm(self) -> Int16:
        """The clips of the self-test, `(clips, samples) int16`, read from its header."""
        text = (self.directory / "test" / "golden_pcm.h").read_text(encoding="utf-8")
        clips = re.findall(r"\{([^{}]+)\}", text)
        return np.array([[int(sample) for sample in clip.replace(",", " ").split()] for clip in clips], np.int16)


def read_package(directory: Path) -> Package:
    """Read a package's `model_config.json`.

    Raises
    ------
    LabeltoolError
        When it is missing or damaged.
    """
    path = directory / "model" / "model_config.json"
    try:
        told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        ends = dict(told["input"])
        return Package(
            directory=directory,
            model=int(told["model"]),
            sha256=str(told["sha256"]),
            labels=tuple(map(str, told["labels"])),
            frontend=Frontend.from_dict(told["frontend"]),
            input=Tensor(tuple(ends.pop("shape")), **ends),
        )
    except OSError as error:
        raise LabeltoolError("cannot be read", file=path, remedy="is this an STM32 package?") from error
    except (KeyError, TypeError, ValueError) as error:
        raise LabeltoolError(f"is damaged: {error!r}", file=path, remedy="export the package again") from error


def check_manifest(directory: Path) -> Check:
    """Check every file against the manifest, and that there is no other."""
    name = "every file is the one in the manifest"
    try:
        lines = (directory / MANIFEST).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return Check(name, "failed", f"no {MANIFEST} that can be read")
    listed: set[str] = set()
    for number, line in enumerate(lines, start=1):
        found = re.fullmatch(r"([0-9a-f]{64})  (\S.*)", line)
        if found is None or ".." in PurePosixPath(found[2]).parts or found[2].startswith("/"):
            return Check(name, "failed", f"{MANIFEST}, line {number} is damaged")
        path = directory / found[2]
        if not path.is_file():
            return Check(name, "failed", f"{found[2]} is missing")
        if hashlib.sha256(path.read_bytes()).hexdigest() != found[1]:
            return Check(name, "failed", f"{found[2]} was changed")
        listed.add(found[2])
    there = {path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file()}
    strange = sorted(path for path in there - listed - {MANIFEST} if not path.startswith(_BUILT))
    if strange:
        return Check(name, "failed", f"{strange[0]} is not in the manifest")
    return Check(name, "passed", f"{len(listed)} files")


def check_configuration(package: Package) -> Check:
    """Check that the model's file and its labels are those that `model_config.json` speaks of."""
    name = "model, labels and configuration are of one model"
    folder = package.directory / "model"
    labels = "".join(f"{one_line(label)}\n" for label in package.labels)
    if hashlib.sha256((folder / INT8).read_bytes()).hexdigest() != package.sha256:
        return Check(name, "failed", f"model/{INT8} is another model's")
    if (folder / LABELS).read_text(encoding="utf-8") != labels:
        return Check(name, "failed", f"model/{LABELS} has other labels, or another order")
    return Check(name, "passed", f"{len(package.labels)} labels")


def host_checks(package: Package, bench: Bench) -> Iterator[Check]:
    """Build for this machine and check each stage; later ones need the first."""
    name = "host: builds without a warning, self-test"
    missing = bench.missing_for_host()
    if missing:
        yield Check(name, "not run", missing)
        return
    ran = bench.make("host")
    if not ran.passed:
        yield Check(name, "failed", _telling(ran.text))
        return
    yield Check(name, "passed", f"{len(package.golden_pcm)} recordings, PCM to scores, to the bit")
    yield _check_labels(package, bench)
    yield check_features(package, bench, list(package.golden_pcm), "the self-test's recordings")
    yield _check_network(package, bench)


def check_features(package: Package, bench: Bench, clips: list[Int16], which: str) -> Check:
    """Hold the C front end against float64, value by value."""
    name = f"host: features within one int8 step of float64, {which}"
    values = off = 0
    for pcm in clips:
        codes, _ = bench.features(pcm, package.frontend)
        wanted = bit_exact_frontend.in_float64(package.frontend, pcm, package.input)
        if codes.shape != wanted.shape:
            return Check(name, "failed", f"{len(codes)} patches, not {len(wanted)}")
        steps = np.abs(codes.astype(np.int64) - wanted)
        if steps.size and steps.max() > 1:
            return Check(name, "failed", f"one is {steps.max()} steps off")
        values += steps.size
        off += int((steps > 0).sum())
    return Check(name, "passed", f"{off} of {values:,} values are one step off")


def chip_checks(bench: Bench) -> Iterator[tuple[Check, dict[str, int]]]:
    """Build for each chip, run it in QEMU, and compare with the host; also what the emulator counted."""
    for machine, called in MACHINES.items():
        missing = bench.missing_for_chips(emulate=False)
        built = bench.make(f"arm-{machine}") if not missing else None
        if built is None or not built.passed:
            outcome: Outcome = "not run" if built is None else "failed"
            yield Check(f"{called}: compiles", outcome, _telling(built.text) if built else missing), {}
            continue
        yield Check(f"{called}: compiles", "passed", "without a warning"), {}
        name = f"{called}: prints what the host prints"
        missing = bench.missing_for_chips(emulate=True)
        if missing:
            yield Check(name, "not run", missing), {}
            continue
        found = bench.emulate(machine)
        if found.unfit:
            yield Check(name, "not run", f"too large for its memory: {_unfit(found.unfit)}"), {}
        elif not found.same:
            yield Check(name, "failed", _telling(found.text)), {}
        else:
            counted = ", ".join(f"{kind.replace('_', ' ')} {n:,}" for kind, n in found.instructions.items())
            yield Check(name, "passed", f"instructions: {counted}"), found.instructions


def _check_labels(package: Package, bench: Bench) -> Check:
    name = "host: the labels in the C, in the order of the outputs"
    found = re.findall(r"^# label (\d+)$", bench.printed(), re.MULTILINE)
    wanted = [str(zlib.crc32(label.replace("\0", "\ufffd").encode("utf-8", "replace"))) for label in package.labels]
    if found != wanted:
        return Check(name, "failed", "they are not those of model_config.json")
    return Check(name, "passed", f"{len(wanted)} labels")


def _check_network(package: Package, bench: Bench) -> Check:
    """Hold the C network and the model's file, run by the reference kernels, against the answers in `validation/`."""
    from labeltool.networks.quantization import Int8Model

    name = "host: the network's scores, reference kernels and C, to the bit"
    with np.load(package.directory / "validation" / "val.npz", allow_pickle=False) as arrays:
        inputs, outputs = arrays["m_inputs"], arrays["m_outputs"]
    kernels = Int8Model((package.directory / "model" / INT8).read_bytes()).predict_int8(inputs)
    for who, scores in (("the kernels", kernels), ("the C", bench.scores(inputs, len(package.labels)))):
        if not np.array_equal(scores, outputs):
            return Check(name, "failed", f"{who} and validation/val.npz differ")
    return Check(name, "passed", f"{len(inputs)} patches of validation/val.npz")


def _telling(text: str) -> str:
    """Return the line of a failed build or run that says the most."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for mark in ("FAILED", "error", "differ"):
        for line in lines:
            if mark in line:
                return line
    return lines[-1] if lines else "it ended without a word"


def _unfit(linker: str) -> str:
    return "; ".join(re.findall(r"region `?\w+'? overflowed by \d+ bytes", linker)) or linker
