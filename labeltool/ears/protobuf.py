"""The wire format of protocol buffers, read and nothing built: enough to look into an ONNX file.

Source: protobuf.dev, "Encoding".
"""

from __future__ import annotations

from collections.abc import Iterator

Field = int | memoryview
"""A number, or the bytes of what is longer: text, a packed list, a message."""

_LONGEST_VARINT = 10


def fields(message: memoryview) -> dict[int, list[Field]]:
    """Return a message's fields by number, each as often as it stands there.

    Raises
    ------
    ValueError
        When the bytes are no message, or end within one.
    """
    found: dict[int, list[Field]] = {}
    place = 0
    while place < len(message):
        tag, place = _varint(message, place)
        kind = tag & 7
        value: Field
        if kind == 0:
            value, place = _varint(message, place)
        else:
            if kind == 2:
                size, place = _varint(message, place)
            elif kind in (1, 5):
                size = 8 if kind == 1 else 4
            else:
                raise ValueError(f"wire type {kind}")
            value = message[place : place + size]
            if len(value) != size:
                raise ValueError("cut short")
            place += size
        found.setdefault(tag >> 3, []).append(value)
    return found


def messages(values: list[Field] | None) -> Iterator[dict[int, list[Field]]]:
    """Read each of a repeated field's messages.

    Raises
    ------
    ValueError
        When one is none.
    """
    for value in values or ():
        if isinstance(value, int):
            raise ValueError("a number for a message")
        yield fields(value)


def numbers(values: list[Field] | None) -> list[int]:
    """Return a repeated field of signed 64-bit numbers, packed or not."""
    found: list[int] = []
    for value in values or ():
        if isinstance(value, int):
            found.append(value)
            continue
        place = 0
        while place < len(value):
            number, place = _varint(value, place)
            found.append(number)
    return [number - (1 << 64) if number >> 63 else number for number in found]


def text(values: list[Field] | None) -> str:
    """Return a field's text, empty where it is not there; raises a `ValueError` where it is none."""
    if not values:
        return ""
    last = values[-1]
    if isinstance(last, int):
        raise ValueError("a number for a text")
    return bytes(last).decode("utf-8", "replace")


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
