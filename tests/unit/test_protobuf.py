"""Protocol buffers read and written, against bytes of the documentation's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from myna import protobuf


def read(message: bytes) -> list[tuple[int, int | bytes]]:
    found = protobuf.fields(message)
    return [(at, value if isinstance(value, int) else bytes(value)) for at, value in found]


def test_the_documentations_examples() -> None:
    """https://protobuf.dev/programming-guides/encoding"""
    assert read(bytes.fromhex("089601")) == [(1, 150)]
    assert read(bytes.fromhex("120774657374696e67")) == [(2, b"testing")]
    assert protobuf.integer(1, 150) == bytes.fromhex("089601")
    assert protobuf.text(2, "testing") == bytes.fromhex("120774657374696e67")
    assert protobuf.integers(memoryview(bytes.fromhex("038e029ea705"))) == [3, 270, 86942]


@given(st.lists(st.tuples(st.integers(1, 500), st.integers(-(2**63), 2**63 - 1) | st.binary())))
def test_what_is_written_is_read(wanted: list[tuple[int, int | bytes]]) -> None:
    message = b"".join(
        protobuf.integer(number, value) if isinstance(value, int) else protobuf.data(number, value)
        for number, value in wanted
    )
    found = [
        (number, protobuf.integers(value)[0] if isinstance(value, int) else bytes(value))
        for number, value in protobuf.fields(message)
    ]
    assert found == wanted


def test_fixed_widths_come_as_their_bytes() -> None:
    assert read(protobuf.four_bytes(3, b"abcd")) == [(3, b"abcd")]
    assert read(bytes([4 << 3 | 1]) + b"abcdefgh") == [(4, b"abcdefgh")]


@pytest.mark.parametrize("message", [b"\x08", b"\x12\x05abc", b"\x0b", b"\x08\xff"])
def test_what_is_no_message_is_an_error(message: bytes) -> None:
    with pytest.raises(ValueError, match=r"cut off|wire type"):
        list(protobuf.fields(message))
