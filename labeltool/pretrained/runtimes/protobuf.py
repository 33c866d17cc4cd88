"""The wire format of protocol buffers, read by hand: enough to check an ONNX file.

Why not the `protobuf` or `onnx` package: the file may come from anybody, and this runs before any library sees it.
A generated reader builds an object for every field, and two bytes of a file can be one of 200 bytes; here fields are
views into the file's own bytes, their number is limited (`MAX_FIELDS`), every length is checked against what is there,
and nothing is allocated by a length that the file claims. Only the fields that are asked for are read further, so
there is no schema to generate or to keep up to date, and the check needs neither package installed.

Source: protobuf.dev, "Encoding".
"""

from __future__ import annotations

from collections.abc import Iterator

Field = int | memoryview
"""A number, or the bytes of what is longer: text, a packed list, a message."""

_MAX_VARINT_BYTES = 10

MAX_FIELDS = 1_000_000
"""Of a whole file, numbers in packed lists counted too: two bytes of a file can be one, which takes 200 here."""


class Reader:
    """Reads one file's messages, which may have `MAX_FIELDS` fields together."""

    def __init__(self) -> None:
        self._left = MAX_FIELDS

    def fields(self, message: memoryview) -> dict[int, list[Field]]:
        """Return a message's fields by number, each as often as it occurs.

        Raises
        ------
        ValueError
            When the bytes are no message, end within one, or the file has more fields than any real one.
        """
        found: dict[int, list[Field]] = {}
        position = 0
        while position < len(message):
            self._count()
            number, value, position = _field(message, position)
            found.setdefault(number, []).append(value)
        return found

    def messages(self, values: list[Field] | None) -> Iterator[dict[int, list[Field]]]:
        """Read each of a repeated field's messages.

        Raises
        ------
        ValueError
            When one is none, and as `fields`.
        """
        for value in values or ():
            if isinstance(value, int):
                raise ValueError("a number in place of a message")
            yield self.fields(value)

    def numbers(self, values: list[Field] | None) -> list[int]:
        """Return a repeated field of signed 64-bit numbers, packed or not; raises a `ValueError` as `fields`."""
        found: list[int] = []
        for value in values or ():
            if isinstance(value, int):
                found.append(value)
                continue
            position = 0
            while position < len(value):
                self._count()
                number, position = _varint(value, position)
                found.append(number)
        return [number - (1 << 64) if number >> 63 else number for number in found]

    def _count(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise ValueError("more fields than any real file has")


def text(values: list[Field] | None) -> str:
    """Return a field's text, empty where it is missing; raises a `ValueError` where it is none."""
    if not values:
        return ""
    last = values[-1]
    if isinstance(last, int):
        raise ValueError("a number in place of a text")
    return bytes(last).decode("utf-8", "replace")


def _field(message: memoryview, position: int) -> tuple[int, Field, int]:
    """Return the number and the value of the field at a position, and where the next one begins."""
    tag, position = _varint(message, position)
    kind = tag & 7
    if kind == 0:
        value, position = _varint(message, position)
        return tag >> 3, value, position
    if kind == 2:
        size, position = _varint(message, position)
    elif kind in (1, 5):
        size = 8 if kind == 1 else 4
    else:
        raise ValueError(f"wire type {kind}")
    content = message[position : position + size]
    if len(content) != size:
        raise ValueError("cut short")
    return tag >> 3, content, position + size


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    number = 0
    for index in range(_MAX_VARINT_BYTES):
        if position + index >= len(message):
            raise ValueError("cut short")
        byte = message[position + index]
        number |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return number & ((1 << 64) - 1), position + index + 1
    raise ValueError("a number without end")
