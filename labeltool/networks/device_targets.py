"""What ST's audio applications demand of a network's input, known when a network is trained for one of them.

An application that cannot take a patch fails on the device, with a message at best. So `[learning] target` limits the
patch before a network is trained, and the export refuses or omits an application whose limits the network exceeds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from labeltool.audio.frontend import Frontend, LogMelFrontend
from labeltool.errors import LabeltoolError

# A whole patch is in memory, on the MCU too.
_SHORTEST_PATCH_S, _LONGEST_PATCH_S = 0.1, 60.0

# The double buffer of a microphone driver: two patches of 16-bit samples.
_BYTES_PER_SAMPLE = 2 * 2


@dataclass(frozen=True, slots=True)
class DeviceTarget:
    """Limits of one application.

    Attributes
    ----------
    name
        As `target` in `labeltool.toml` and `labeltool export --for` take it.
    max_microphone_bytes
        Largest buffer that its microphone driver takes; None: it takes any.
    max_side
        Largest number of bands, columns and labels that it accepts; None: any.
    """

    name: str
    max_microphone_bytes: int | None = None
    max_side: int | None = None
    rate_hz: int = 16_000

    def most_frames(self, frontend: LogMelFrontend) -> int:
        """Return the largest number of frames, up to the frontend's own, that a patch may have; 0 where none may."""
        frames = frontend.patch_frames
        if self.max_microphone_bytes is not None:
            samples = self.max_microphone_bytes // _BYTES_PER_SAMPLE
            frames = min(frames, max(0, 1 + (samples - frontend.n_fft) // frontend.hop))
        return frames if self.max_side is None else min(frames, self.max_side)

    def problem(self, frontend: LogMelFrontend) -> str:
        """Return why the application cannot take the patches of a frontend; empty when it can."""
        columns, needed = frontend.patch_frames, microphone_bytes(frontend)
        if frontend.sample_rate_hz != self.rate_hz:
            return f"its microphone runs at {self.rate_hz:,} Hz, the model needs {frontend.sample_rate_hz:,} Hz"
        if self.max_side is not None and max(frontend.n_mels, columns) > self.max_side:
            return f"patches of {frontend.n_mels} bands and {columns} columns, it takes at most {self.max_side} of each"
        if self.max_microphone_bytes is not None and needed > self.max_microphone_bytes:
            return (
                f"{columns} columns need a microphone buffer of {needed:,} bytes, "
                f"the driver takes at most {self.max_microphone_bytes:,}"
            )
        return ""


def microphone_bytes(frontend: LogMelFrontend) -> int:
    """Return the size of the double buffer in which ST's applications record patches, bytes.

    They count as many samples for the last frame as the FFT has.
    """
    return _BYTES_PER_SAMPLE * ((frontend.patch_frames - 1) * frontend.hop + frontend.n_fft)


# The sizes of a DMA block and of a driver's argument, both 16 bits, and the application's own check of the shapes. The
# U3's application asserts that its buffer is below 0xFFFF.
_U5 = {"max_microphone_bytes": 65_535, "max_side": 100}

DEVICE_TARGETS: Mapping[str, DeviceTarget] = MappingProxyType(
    {
        target.name: target
        for target in (
            DeviceTarget("u5-freertos", **_U5),
            DeviceTarget("u5-threadx", **_U5),
            DeviceTarget("u3", max_microphone_bytes=65_534),
            DeviceTarget("n6"),
        )
    }
)
"""The applications by name, in the order in which they are listed."""


def device_target(name: str) -> DeviceTarget:
    """Look an application up.

    Raises
    ------
    LabeltoolError
        When there is none of that name.
    """
    if name not in DEVICE_TARGETS:
        raise LabeltoolError(f"no target is called {name!r}", remedy="there are: " + ", ".join(DEVICE_TARGETS))
    return DEVICE_TARGETS[name]


def with_patch_length(frontend: Frontend, patch_s: float | None, target: str | None = None) -> Frontend:
    """Return a frontend with patches of another length, if one is given; they overlap by half then.

    Parameters
    ----------
    patch_s
        Seconds, as `Frontend.patch_hops_s` counts them; None: its own, or shorter where `target` needs it.

    Raises
    ------
    LabeltoolError
        When a patch cannot have that length, or the application cannot take it: a network that cannot run where it is
        to run is not worth the training.
    """
    wanted = frontend if patch_s is None else _lasting(frontend, patch_s)
    if target is None:
        return wanted
    application = device_target(target)
    if not isinstance(wanted, LogMelFrontend):
        raise LabeltoolError(
            f"target {target}: no application computes the input of this architecture",
            remedy="another architecture, or no target in labeltool.toml",
        )
    most = application.most_frames(wanted)
    if patch_s is None and 0 < most < wanted.patch_frames:
        wanted = wanted.with_patches(most, max(1, most // 2))
    problem = application.problem(wanted)
    if problem:
        longest = f"patch_s = {most * wanted.hop / wanted.sample_rate_hz:g} at most, or " if patch_s and most else ""
        raise LabeltoolError(
            f"target {target}: {problem}", remedy=f"{longest}another architecture or target in labeltool.toml"
        )
    return wanted


def _lasting(frontend: Frontend, patch_s: float) -> Frontend:
    if not _SHORTEST_PATCH_S <= patch_s <= _LONGEST_PATCH_S:
        raise LabeltoolError(
            f"a patch of {patch_s:g} s is not possible",
            remedy=f"from {_SHORTEST_PATCH_S:g} to {_LONGEST_PATCH_S:g} s are",
        )
    return frontend.lasting(patch_s)
