r"""C source text made from Python values; every value reads back unchanged.

All strings use one escape: each byte of UTF-8 that is not plain printable ASCII becomes three octal digits. An octal
escape ends after three digits, so the next character cannot extend it (`\x41` followed by `b` would be). `?` is escaped
too, because `??/` is a backslash to a C99 compiler.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from textwrap import TextWrapper
from typing import Any

import numpy as np
import numpy.typing as npt

from labeltool.type_aliases import Float32

_PLAIN = frozenset(range(0x20, 0x7F)) - set(b'"\\?')
_LITERAL_LENGTH = 96
_LINES = TextWrapper(110, "    ", "    ", break_long_words=False, break_on_hyphens=False)
_NAME_LENGTH = 40
_LIKE_DIGEST = re.compile("[0-9A-F]{8}$")


def c_string(text: str, *, continued: bool = False) -> str:
    r"""Return a C string literal, or several adjacent ones, with a text as UTF-8.

    A NUL would end the C string early and becomes U+FFFD, the replacement character.

    Parameters
    ----------
    continued
        Break long texts into lines with `\`, as a macro needs it.
    """
    encoded = text.replace("\0", "\ufffd").encode("utf-8", "replace")
    pieces = [""]
    for byte in encoded:
        if len(pieces[-1]) >= _LITERAL_LENGTH:
            pieces.append("")
        pieces[-1] += chr(byte) if byte in _PLAIN else f"\\{byte:03o}"
    return (" \\\n    " if continued else "\n    ").join(f'"{piece}"' for piece in pieces)


def c_identifiers(prefix: str, names: Sequence[str]) -> list[str]:
    """Return a C identifier for each name, `prefix` and the name in capitals, all different.

    Where A-Z, 0-9 and `_` alone do not identify a name, eight hex digits of its SHA-256 are appended, so that its
    identifier does not change when other names come and go.
    """
    upper = [re.sub(r"[^A-Z0-9]+", "_", name.upper()).strip("_") for name in names]
    counts = Counter(upper)
    identifiers = []
    for name, text in zip(names, upper, strict=True):
        # A name that ends like such digits could collide with another one.
        plain = name.isascii() and 0 < len(text) <= _NAME_LENGTH and not _LIKE_DIGEST.search(text)
        if plain and counts[text] == 1:
            identifiers.append(prefix + text)
        else:
            digest = hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:8].upper()
            identifiers.append(prefix + f"{text[:_NAME_LENGTH]}_{digest}".lstrip("_"))
    return identifiers


def c_float(value: float) -> str:
    """Return a C constant that reads back as the same float32."""
    text = f"{np.float32(value):.9g}"
    return f"{text}F" if "." in text or "e" in text else f"{text}.0F"


def c_array(declaration: str, values: Float32 | npt.NDArray[np.integer[Any]]) -> str:
    """Return the definition of an array, `declaration[n] = {...};`, as filled lines."""
    suffix = "U" if values.dtype.kind == "u" else ""
    is_float = values.dtype == np.float32
    constants = (f"{c_float(value) if is_float else f'{value}{suffix}'}," for value in values.tolist())
    return f"{declaration}[{len(values)}] = {{\n{_LINES.fill(' '.join(constants))}\n}};\n"
