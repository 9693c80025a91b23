"""Protocol buffers on the wire: fields with their numbers, without a schema.

What a field means is for those to know who read or write a format; ONNX files are the format here.
https://protobuf.dev/programming-guides/encoding
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

Value = int | memoryview
"""A number, or the bytes of a text, a message or a packed list."""

_VARINT, _EIGHT_BYTES, _LENGTH, _FOUR_BYTES = 0, 1, 2, 5
_SIGN = 1 << 63


def fields(message: bytes | memoryview) -> Iterator[tuple[int, Value]]:
    """Number and value of each field, in order; views, not copies. What is of fixed width comes as
    its bytes. Raises ValueError where the bytes are no message."""
    view = memoryview(message)
    at = 0
    while at < len(view):
        key, at = _read_varint(view, at)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, at = _read_varint(view, at)
            yield number, value
            continue
        if kind == _LENGTH:
            length, at = _read_varint(view, at)
        elif kind in (_EIGHT_BYTES, _FOUR_BYTES):
            length = 8 if kind == _EIGHT_BYTES else 4
        else:
            raise ValueError(f"no such wire type: {kind}")
        if at + length > len(view):
            raise ValueError("the message is cut off")
        yield number, view[at : at + length]
        at += length


def integers(value: Value) -> list[int]:
    """One value of a repeated integer field, which may hold several if it is packed."""
    if isinstance(value, int):
        return [_signed(value)]
    found: list[int] = []
    at = 0
    while at < len(value):
        number, at = _read_varint(value, at)
        found.append(_signed(number))
    return found


def text(number: int, content: str) -> bytes:
    """A field of text."""
    return data(number, content.encode())


def data(number: int, content: bytes | memoryview) -> bytes:
    """A field of bytes, or of a message."""
    return b"".join((opening(number, len(content)), content))


def each(number: int, messages: Iterable[bytes | memoryview]) -> bytes:
    """A repeated field."""
    # Weights go through here by the hundred megabytes: not to be copied message by message.
    written = ((opening(number, len(message)), message) for message in messages)
    return b"".join(chain.from_iterable(written))


def opening(number: int, length: int) -> bytes:
    """What stands before the content of a field of so many bytes."""
    return _varint(number << 3 | _LENGTH) + _varint(length)


def integer(number: int, value: int) -> bytes:
    """A field of an integer; negative ones in two's complement of 64 bits."""
    return _varint(number << 3) + _varint(value % (1 << 64))


def four_bytes(number: int, content: bytes) -> bytes:
    """A field of fixed width, such as a float."""
    return _varint(number << 3 | _FOUR_BYTES) + content


def field(number: int, value: Value) -> bytes:
    """A field as `fields` gives it, but for those of fixed width."""
    return b"".join(parts(number, value))


def parts(number: int, value: Value) -> tuple[bytes | memoryview, ...]:
    """Its pieces, to be joined: the content uncopied."""
    if isinstance(value, int):
        return (integer(number, value),)
    return opening(number, len(value)), value


def _signed(number: int) -> int:
    return number - (1 << 64) if number >= _SIGN else number


def _read_varint(view: memoryview, at: int) -> tuple[int, int]:
    """A number, and where the bytes go on behind it."""
    number = shift = 0
    while True:
        if at >= len(view):
            raise ValueError("the message is cut off")
        byte = view[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
        shift += 7


def _varint(number: int) -> bytes:
    """Seven bits a byte, the lowest first; the top bit says that more follow."""
    written = bytearray()
    while number > 0x7F:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    written.append(number)
    return bytes(written)
