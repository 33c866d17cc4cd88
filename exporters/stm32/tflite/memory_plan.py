"""Offsets of a network's buffers in one arena: greedy, largest first, in the lowest gap that its lifetime allows.

The plain plan follows Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net Inference" (2020), as
TensorFlow Lite Micro does. The second plan lets an output overlap an input that its layer is the last to read; it
begins as many bytes before the input as the kernel needs (Blacker et al., "Diagonal Memory Optimisation", 2020).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from labeltool.exporters.stm32.tflite.lowering import Program

_ALIGNMENT = 4


@dataclass(frozen=True, slots=True)
class Buffer:
    """Bytes needed from step `first` to step `last`, both included."""

    size: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Plan:
    """Offset of each buffer in the arena, and the size of the arena, bytes."""

    offsets: Mapping[int, int]
    size: int


def place(
    buffers: Mapping[int, Buffer],
    order: Iterable[int],
    leads: Mapping[tuple[int, int], int] | None = None,
    alignment: int = 1,
) -> Plan:
    """Plan an arena: place one buffer after the other, each where the arena grows least.

    Parameters
    ----------
    leads
        Bytes by which an output must begin before an input in order to overlap it, by `(output, input)`. With any, the
        arena may grow downwards too.
    """
    leads = leads or {}
    placed: dict[int, int] = {}
    for number in order:
        size = buffers[number].size
        simultaneous = [other for other in placed if _overlap_in_time(buffers[number], buffers[other])]
        offsets = {0}
        for other in simultaneous:
            offsets.add(_round_up(placed[other] + buffers[other].size, alignment))
            if leads:
                offsets.add(-_round_up(size - placed[other], alignment))
            if (number, other) in leads:
                offsets.add(-_round_up(leads[number, other] - placed[other], alignment))
            if (other, number) in leads:
                offsets.add(_round_up(placed[other] + leads[other, number], alignment))
        lowest = min(placed.values(), default=0)
        highest = max((placed[other] + buffers[other].size for other in placed), default=0)
        possible = [
            (max(highest, offset + size) - min(lowest, offset), offset)
            for offset in offsets
            if all(
                offset + size <= placed[other]
                or placed[other] + buffers[other].size <= offset
                or ((number, other) in leads and offset + leads[number, other] <= placed[other])
                or ((other, number) in leads and placed[other] + leads[other, number] <= offset)
                for other in simultaneous
            )
        ]
        placed[number] = min(possible)[1]
    lowest = min(placed.values(), default=0)
    highest = max((placed[other] + buffers[other].size for other in placed), default=0)
    return Plan({number: offset - lowest for number, offset in placed.items()}, highest - lowest)


def plan_arena(program: Program, *, overlapping: bool = True) -> Plan:
    """Plan the arena of `aed_nn.c`: the network's input and output belong to the caller and are not in it."""
    uses: dict[int, list[int]] = {}
    for step, layer in enumerate(program.layers):
        for buffer in (*layer.inputs, layer.output):
            if buffer not in (program.input, program.output):
                uses.setdefault(buffer, []).append(step)
    buffers = {number: Buffer(program.sizes[number], min(steps), max(steps)) for number, steps in uses.items()}
    leads = {
        (layer.output, buffer): lead
        for step, layer in enumerate(program.layers)
        for buffer, lead in zip(layer.inputs, layer.leads, strict=True)
        if lead is not None and layer.output in buffers and buffer in buffers and buffers[buffer].last == step
    }
    by_size = sorted(buffers, key=lambda number: -buffers[number].size)
    plans = [place(buffers, by_size, alignment=_ALIGNMENT)]
    if overlapping:
        # No order is best for every network: by size, in the order of execution, and in reverse.
        by_step = sorted(buffers, key=lambda number: buffers[number].first)
        plans += [place(buffers, order, leads, _ALIGNMENT) for order in (by_size, by_step, by_step[::-1])]
    return min(plans, key=lambda plan: plan.size)


def _overlap_in_time(one: Buffer, other: Buffer) -> bool:
    return one.first <= other.last and other.first <= one.last


def _round_up(offset: int, alignment: int) -> int:
    return -(-offset // alignment) * alignment
