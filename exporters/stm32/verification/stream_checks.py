"""Sounds that go wrong on devices, through the C for streams and through its twin in Python, patch by patch."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from labeltool.exporters.stm32.verification.checks import Check, Package
from labeltool.exporters.stm32.verification.toolchain import Toolchain
from labeltool.exporters.stm32.verification.tools import missing_tools
from labeltool.inference.device_detector import DeviceStream
from labeltool.networks.model_folder import INT8
from labeltool.networks.quantization import Int8Model
from labeltool.type_aliases import Int16

_PATCHES = 6
_SEED = 7
# 34 dB.
_QUIET = 0.02


def stream_checks(package: Package, toolchain: Toolchain) -> Iterator[Check]:
    """Compare probabilities and events of the C with those of Python; silence and the like must give no event."""
    network = Int8Model((package.directory / "model" / INT8).read_bytes())
    for sound, pcm, is_nothing in _sounds(package):
        name = f"host: events of a stream equal those of Python, {sound}"
        background = None if package.background is None else package.labels.index(package.background)
        stream = DeviceStream(
            package.frontend,
            network,
            package.clip_rule,
            package.stream_rule,
            package.stream_rule.thresholds,
            background,
        )
        expected, events = stream.push(pcm)
        events += stream.end()
        probabilities, found = toolchain.stream(pcm, len(package.labels))
        if not np.array_equal(probabilities.view(np.uint32), expected.view(np.uint32)):
            yield Check(name, "failed", "a probability differs")
        elif found != events:
            yield Check(name, "failed", f"{len(found)} events, {len(events)} in Python, or other ones")
        elif is_nothing and events:
            yield Check(name, "failed", f"{package.labels[events[0].label]!r} is found where nothing is")
        else:
            yield Check(name, "passed", f"{len(expected)} patches, {len(events)} events")


def _sounds(package: Package) -> Iterator[tuple[str, Int16, bool]]:
    """Yield each sound's name, its samples, and whether it must have no events."""
    frontend = package.frontend
    n = frontend.patch_samples + (_PATCHES - 1) * frontend.patch_hop * frontend.hop
    random = np.random.default_rng(_SEED)
    yield "digital silence", np.zeros(n, np.int16), True
    yield "a DC offset", np.full(n, 12_000, np.int16), True
    yield "a DC offset of full scale", np.full(n, -32768, np.int16), True
    yield "noise of the last bit", random.integers(-1, 2, n).astype(np.int16), True
    yield "clipping", random.choice(np.array([-32768, 32767], np.int16), n), False
    loud, quiet = package.golden_pcm[0].astype(np.float64), package.golden_pcm[-1].astype(np.float64)
    parts = [np.resize(32767 * one / max(1.0, np.abs(one).max()), n) for one in (loud, quiet)]
    yield "loud, then 34 dB quieter", np.concatenate([parts[0], _QUIET * parts[1]]).astype(np.int16), False


def check_builds(toolchain: Toolchain) -> Check:
    """Build as GNU C and as C++, and compare the self-test with the host's."""
    name = "host: the same as gnu11 and as C++17"
    if missing := missing_tools("gcc", "g++"):
        return Check(name, "not run", missing)
    result = toolchain.make("builds", "COMPILERS=gcc", "STANDARDS=gnu11 c++17", "LEVELS=O2")
    if not result.passed:
        return Check(name, "failed", result.reason)
    return Check(name, "passed", "self-test, bit-exact")
