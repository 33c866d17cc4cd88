"""The wire format of protocol buffers, read and nothing built: enough to look into an ONNX file.

Source: protobuf.dev, "Encoding".
"""

from __future__ import annotations

from collections.abc import Iterator

Field = int | memoryview
"""A number, or the bytes of what is longer: text, a packed list, a message."""

_LONGEST_VARINT = 10

MOST_FIELDS = 1_000_000
"""What a whole file may have, numbers in packed lists counted too: two bytes in a file can be one, and 200 here."""


class Reader:
    """Reads one file's messages; together they may have `MOST_FIELDS` fields."""

    def __init__(self) -> None:
        self._left = MOST_FIELDS

    def fields(self, message: memoryview) -> dict[int, list[Field]]:
        """Return a message's fields by number, each as often as it stands there.

        Raises
        ------
        ValueError
            When the bytes are no message, end within one, or the file has more fields than any real one.
        """
        found: dict[int, list[Field]] = {}
        place = 0
        while place < len(message):
            self._count()
            number, value, place = _field(message, place)
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
                raise ValueError("a number for a message")
            yield self.fields(value)

    def numbers(self, values: list[Field] | None) -> list[int]:
        """Return a repeated field of signed 64-bit numbers, packed or not; raises a `ValueError` as `fields`."""
        found: list[int] = []
        for value in values or ():
            if isinstance(value, int):
                found.append(value)
                continue
            place = 0
            while place < len(value):
                self._count()
                number, place = _varint(value, place)
                found.append(number)
        return [number - (1 << 64) if number >> 63 else number for number in found]

    def _count(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise ValueError("more fields than any real file has")


def text(values: list[Field] | None) -> str:
    """Return a field's text, empty where it is not there; raises a `ValueError` where it is none."""
    if not values:
        return ""
    last = values[-1]
    if isinstance(last, int):
        raise ValueError("a number for a text")
    return bytes(last).decode("utf-8", "replace")


def _field(message: memoryview, place: int) -> tuple[int, Field, int]:
    """Return the number and the value of the field at a place, and where the next one begins."""
    tag, place = _varint(message, place)
    kind = tag & 7
    if kind == 0:
        value, place = _varint(message, place)
        return tag >> 3, value, place
    if kind == 2:
        size, place = _varint(message, place)
    elif kind in (1, 5):
        size = 8 if kind == 1 else 4
    else:
        raise ValueError(f"wire type {kind}")
    longer = message[place : place + size]
    if len(longer) != size:
        raise ValueError("cut short")
    return tag >> 3, longer, place + size


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    number = 0
    for index in range(_LONGEST_VARINT):
        if place + index >= len(message):
            raise ValueError("cut short")
        byte = message[place + index]
        number |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return number & ((1 << 64) - 1), place + index + 1
    raise ValueError("a number without end")
