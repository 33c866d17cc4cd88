r"""C source text made of Python values: it stays what it was, whatever it holds.

One escape serves for every string: what is not plain printable ASCII becomes three octal digits a byte of UTF-8. Three
digits end an octal escape, so nothing that follows can join it (`\x41` followed by `b` would). `?` is escaped too:
`??/` is a backslash to a C99 compiler.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from labeltool.type_aliases import Float32

_PLAIN = frozenset(range(0x20, 0x7F)) - set(b'"\\?')
_LITERAL_LENGTH = 96
_LINE_LENGTH = 110
_NAME_LENGTH = 40
_LIKE_DIGEST = re.compile("[0-9A-F]{8}$")


def c_string(text: str, *, continued: bool = False) -> str:
    r"""Return a C string literal, or several adjacent ones, that hold a text as UTF-8.

    A NUL, which would end the C string early, becomes U+FFFD, the replacement character.

    Parameters
    ----------
    continued
        Part long texts over lines with `\`, as a macro needs it.
    """
    encoded = text.replace("\0", "\ufffd").encode("utf-8", "replace")
    pieces = [""]
    for byte in encoded:
        if len(pieces[-1]) >= _LITERAL_LENGTH:
            pieces.append("")
        pieces[-1] += chr(byte) if byte in _PLAIN else f"\\{byte:03o}"
    return (" \\\n    " if continued else "\n    ").join(f'"{piece}"' for piece in pieces)


def c_identifiers(prefix: str, names: Sequence[str]) -> list[str]:
    """Make a C identifier of each name, `prefix` and the name in capitals, all different.

    A name that cannot be told by A-Z, 0-9 and `_` alone gets eight hex digits of its SHA-256, so that its identifier
    stays when other names come and go.
    """
    written = [re.sub(r"[^A-Z0-9]+", "_", name.upper()).strip("_") for name in names]
    often = Counter(written)
    identifiers = []
    for name, text in zip(names, written, strict=True):
        # A name that ends like such digits could be taken for another's.
        plain = name.isascii() and 0 < len(text) <= _NAME_LENGTH and not _LIKE_DIGEST.search(text)
        if plain and often[text] == 1:
            identifiers.append(prefix + text)
        else:
            digest = hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:8].upper()
            identifiers.append(prefix + f"{text[:_NAME_LENGTH]}_{digest}".lstrip("_"))
    return identifiers


def c_float(value: float) -> str:
    """Return a float constant that reads back as the same float32."""
    text = f"{np.float32(value):.9g}"
    return f"{text}F" if "." in text or "e" in text else f"{text}.0F"


def c_array(declaration: str, values: Float32 | npt.NDArray[np.integer[Any]]) -> str:
    """Return the definition of an array, `declaration[n] = {...};`, its lines filled."""
    suffix = "U" if values.dtype.kind == "u" else ""
    constants = (c_float(value) if values.dtype == np.float32 else f"{value}{suffix}" for value in values.tolist())
    return f"{declaration}[{len(values)}] = {{\n{_filled(constants)}\n}};\n"


def _filled(constants: Iterable[str]) -> str:
    lines = ["   "]
    for constant in constants:
        if len(lines[-1]) + len(constant) + 2 > _LINE_LENGTH:
            lines.append("   ")
        lines[-1] += f" {constant},"
    return "\n".join(lines)
