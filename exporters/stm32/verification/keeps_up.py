"""Whether a processor keeps up with the sound: instructions per second needed, from the counts of the emulator.

QEMU counts instructions, not cycles. A processor without a second pipeline needs at least one cycle for each, and more
for loads, branches and slow flash; a Cortex-M7 or M55 may do two in one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from labeltool.errors import LabeltoolError
from labeltool.exporters.stm32.verification.toolchain import WITHOUT_FPU, Footprint, InstructionCounts, Toolchain

# Above this share, wait states of the flash and interrupts decide.
_COMFORTABLE = 0.8


@dataclass(frozen=True, slots=True)
class Target:
    """A processor core with a typical clock.

    Attributes
    ----------
    machine
        Its name in the package's Makefile.
    ram_kib, flash_kib
        Its largest block of RAM, and its flash; None: it has none of its own.
    """

    machine: str
    core: str
    clock_mhz: int
    example: str
    ram_kib: int
    flash_kib: int | None


TARGETS = (
    Target("m0plus", "Cortex-M0+", 64, "STM32G071", 36, 128),
    Target("m3", "Cortex-M3", 72, "STM32F103", 96, 1024),
    Target("m4", "Cortex-M4F", 168, "STM32F405", 128, 1024),
    Target("m33", "Cortex-M33", 160, "STM32U585", 768, 2048),
    Target("m7", "Cortex-M7", 480, "STM32H743", 512, 2048),
    Target("m55", "Cortex-M55", 800, "STM32N657", 4096, None),
)


@dataclass(frozen=True, slots=True)
class TargetFigures:
    """What a core needs for a continuous stream: a new patch and the network's output every `patch_hop_s` seconds."""

    target: Target
    fixed_point: bool
    counts: InstructionCounts
    footprint: Footprint
    patch_hop_s: float

    @property
    def name(self) -> str:
        """Core and frontend."""
        return _name(self.target, self.fixed_point)

    @property
    def front_end_mips(self) -> float:
        """Million instructions per second of the frontend."""
        return self.counts.next_patch / self.patch_hop_s / 1e6

    @property
    def all_mips(self) -> float:
        """Million instructions per second of the frontend and the network in C."""
        return (self.counts.next_patch + self.counts.network) / self.patch_hop_s / 1e6

    @property
    def too_small(self) -> str:
        """By how much the memory of the example is too small; empty where frontend, network and rules fit into it."""
        ram = self.footprint.static_ram + self.footprint.stack
        needed = (("RAM", ram, self.target.ram_kib), ("flash", self.footprint.flash, self.target.flash_kib))
        missing = [
            f"{size - 1024 * kib:,} bytes more {memory} than its {kib:,} KiB"
            for memory, size, kib in needed
            if kib is not None and size > 1024 * kib
        ]
        return f"{self.target.example} would need {' and '.join(missing)}" if missing else ""

    def pace(self, mips: float) -> str:
        """Return in words whether the core executes that number of million instructions per second, one in a cycle."""
        share = mips / self.target.clock_mhz
        if share > 1:
            return "cannot keep up"
        return "hardly keeps up" if share > _COMFORTABLE else "keeps up"

    def pace_at_clock(self, mips: float) -> str:
        """Return `pace` with the clock and how busy the core is, or the clock that it would need."""
        clock = self.target.clock_mhz
        needed = f"needs {mips:,.0f} MHz" if mips > clock else f"{mips / clock:.1%} busy"
        return f"{self.pace(mips)} at {clock} MHz, {needed}"


@dataclass(frozen=True, slots=True)
class NotMeasured:
    """A core on which nothing was measured, and why."""

    name: str
    reason: str


def measure_targets(
    in_float: Toolchain, in_fixed_point: Toolchain | None, patch_hop_s: float
) -> Iterator[TargetFigures | NotMeasured]:
    """Run the self-test on each emulated core, whose tools are there.

    Parameters
    ----------
    in_float, in_fixed_point
        The package with the C frontend in float32, and in fixed point; None where the model does not allow that.

    Yields
    ------
    TargetFigures or NotMeasured
        One for each core and frontend.

    Raises
    ------
    LabeltoolError
        When a core computes other numbers than the host.
    """
    for toolchain in (in_float, in_fixed_point):
        for target in TARGETS:
            if toolchain is not None and (toolchain is in_float or target.machine in WITHOUT_FPU):
                yield _measure(target, toolchain, patch_hop_s)


def _measure(target: Target, toolchain: Toolchain, patch_hop_s: float) -> TargetFigures | NotMeasured:
    result = toolchain.emulate(target.machine)
    name = _name(target, toolchain.fixed_point)
    if result.too_large:
        return NotMeasured(name, result.too_large)
    if not result.same or result.instructions is None or result.footprint is None:
        raise LabeltoolError(
            f"the package does not pass its own check: an emulated {name} prints other numbers than the host"
        )
    return TargetFigures(target, toolchain.fixed_point, result.instructions, result.footprint, patch_hop_s)


def _name(target: Target, fixed_point: bool) -> str:
    return f"{target.core} ({'fixed point' if fixed_point else 'float32'})"
