"""Where each buffer of a network lies in one arena: greedy, largest first, in the lowest gap its lifetime leaves.

The plain plan is TensorFlow Lite Micro's (after Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net
Inference", 2020). The better one lets an output lie over an input that it is the last to read, as far before it as the
kernel's walk needs (after Blacker et al., "Diagonal Memory Optimisation", 2020).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod

from labeltool.exporters.stm32.tflite.graph import Graph
from labeltool.exporters.stm32.tflite.lowering import Program

_TFLM_ALIGNMENT = 16
_ALIGNMENT = 4


@dataclass(frozen=True, slots=True)
class Buffer:
    """Bytes needed from step `first` to step `last`, both included."""

    size: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Plan:
    """Where each buffer begins, bytes into the arena, and the size of the arena."""

    offsets: Mapping[int, int]
    size: int


def place(
    buffers: Mapping[int, Buffer],
    order: Iterable[int],
    leads: Mapping[tuple[int, int], int] | None = None,
    alignment: int = 1,
) -> Plan:
    """Plan an arena, one buffer after the other, each where the arena grows least.

    Parameters
    ----------
    buffers
        By a number of their own.
    order
        The numbers in the order of placing.
    leads
        `(output, input)` to the bytes by which that output must begin before that input to lie over it. Given any, an
        arena may grow downwards too.
    alignment
        What every offset is a multiple of.
    """
    leads = leads or {}
    placed: dict[int, int] = {}
    for number in order:
        size = buffers[number].size
        beside = [other for other in placed if _together(buffers[number], buffers[other])]
        tried = {0}
        for other in beside:
            tried.add(_up(placed[other] + buffers[other].size, alignment))
            if leads:
                tried.add(-_up(size - placed[other], alignment))
            if (number, other) in leads:
                tried.add(-_up(leads[number, other] - placed[other], alignment))
            if (other, number) in leads:
                tried.add(_up(placed[other] + leads[other, number], alignment))
        lowest = min(placed.values(), default=0)
        highest = max((placed[other] + buffers[other].size for other in placed), default=0)
        possible = [
            (max(highest, offset + size) - min(lowest, offset), offset)
            for offset in tried
            if all(
                offset + size <= placed[other]
                or placed[other] + buffers[other].size <= offset
                or ((number, other) in leads and offset + leads[number, other] <= placed[other])
                or ((other, number) in leads and placed[other] + leads[other, number] <= offset)
                for other in beside
            )
        ]
        placed[number] = min(possible)[1]
    lowest = min(placed.values(), default=0)
    highest = max((placed[other] + buffers[other].size for other in placed), default=0)
    return Plan({number: offset - lowest for number, offset in placed.items()}, highest - lowest)


def tflm_plan(graph: Graph) -> Plan:
    """Plan as TensorFlow Lite Micro does: every tensor that is computed, input and output too, nothing folded.

    What its kernels keep beside the tensors (their parameters, at the arena's other end) is not in it.
    """
    buffers: dict[int, Buffer] = {}
    steps = len(graph.operators)
    uses = {graph.input: [0], graph.output: [steps - 1]}
    for step, operator in enumerate(graph.operators):
        for index in (*operator.inputs, *operator.outputs):
            if index >= 0 and not graph.tensors[index].constant_bytes:
                uses.setdefault(index, []).append(step)
    for index in sorted(uses):
        bytes_each = {"INT8": 1, "INT16": 2}.get(graph.tensors[index].dtype, 4)
        size = _up(prod(graph.tensors[index].shape) * bytes_each, _TFLM_ALIGNMENT)
        buffers[index] = Buffer(size, min(uses[index]), max(uses[index]))
    return place(buffers, _largest_first(buffers), alignment=_TFLM_ALIGNMENT)


def our_plan(program: Program, *, overlapping: bool = True) -> Plan:
    """Plan what `aed_nn.c` needs: paddings folded, renamings free, input and output the caller's.

    Parameters
    ----------
    overlapping
        Let outputs lie over inputs.
    """
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
    plans = [place(buffers, _largest_first(buffers), alignment=_ALIGNMENT)]
    if overlapping:
        # No order is the best for every network: along the walk, against it, by size.
        by_time = sorted(buffers, key=lambda number: buffers[number].first)
        orders = (_largest_first(buffers), by_time, by_time[::-1])
        plans += [place(buffers, order, leads, _ALIGNMENT) for order in orders]
    return min(plans, key=lambda plan: plan.size)


def _largest_first(buffers: Mapping[int, Buffer]) -> list[int]:
    return sorted(buffers, key=lambda number: -buffers[number].size)


def _together(one: Buffer, other: Buffer) -> bool:
    return one.first <= other.last and other.first <= one.last


def _up(offset: int, alignment: int) -> int:
    return -(-offset // alignment) * alignment
