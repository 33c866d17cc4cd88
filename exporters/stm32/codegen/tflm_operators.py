"""`tflm_operators.h`: the operators of a model, as TensorFlow Lite Micro's `MicroMutableOpResolver` adds them."""

from __future__ import annotations

from collections.abc import Iterable

_HEADER = """\
/* The operators of the model, for network_tflm.cc; generated, do not edit. */
#ifndef TFLM_OPERATORS_H
#define TFLM_OPERATORS_H

#define TFLM_OPERATORS {count}

/* Whether all could be added. */
#define TFLM_ADD_OPERATORS(resolver) \\
    ({calls})

#endif
"""


def tflm_operators_h(operators: Iterable[str]) -> str:
    """Return the text of `tflm_operators.h` for different operators, named as TFLite does (`CONV_2D`)."""
    calls = [f"(resolver).{_method(name)}() == kTfLiteOk" for name in operators]
    return _HEADER.format(count=len(calls), calls=" && \\\n     ".join(calls))


def _method(name: str) -> str:
    """Return the method of `MicroMutableOpResolver` that adds an operator: `AddConv2D` for `CONV_2D`."""
    return "Add" + "".join(part if part[0].isdigit() else part.capitalize() for part in name.split("_"))
