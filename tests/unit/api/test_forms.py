import asyncio

import pytest

from myna.api.forms import Form
from myna.api.multipart import read_form
from myna.errors import BadRequest

HEADERS = {"content-type": "multipart/form-data; boundary=b0und"}


def field(name: str, value: str) -> bytes:
    head = f'Content-Disposition: form-data; name="{name}"'
    return f"--b0und\r\n{head}\r\n\r\n{value}\r\n".encode()


def parsed(*parts: bytes) -> Form:
    """A form without files, as it arrives."""

    async def body():
        yield b"".join(parts) + b"--b0und--\r\n"

    return asyncio.run(read_form(body(), HEADERS))


def test_the_last_scalar_wins_and_blank_means_not_given():
    form = parsed(field("a", "1"), field("a", "2"), field("b", ""), field("c", "x"), field("c", ""))
    assert form.text("a") == "2"
    assert form.text("b") is None
    assert form.text("c") is None


def test_lists_are_merged_from_all_spellings_in_order():
    form = parsed(
        field("x[]", "1"), field("x", "2"), field("x[0]", "3"), field("x[]", ""), field("x[7]", "4")
    )
    assert form.texts("x") == ["1", "2", "3", "4"]
    assert form.nested("x") == "4"


def test_bracketed_keys_become_an_object():
    form = parsed(
        field("chunking_strategy[type]", "server_vad"),
        field("chunking_strategy[threshold]", "0.5"),
        field("chunking_strategy[prefix_padding_ms]", ""),
    )
    assert form.nested("chunking_strategy") == {"type": "server_vad", "threshold": "0.5"}
    assert form.text("chunking_strategy") is None


def test_a_json_string_becomes_an_object():
    form = parsed(field("s", ' {"type":"server_vad","threshold":0.5}'), field("s[type]", "x"))
    assert form.nested("s") == {"type": "x", "threshold": 0.5}


def test_any_other_string_stays_one():
    form = parsed(field("s", "auto"), field("empty", ""))
    assert form.nested("s") == "auto"
    assert form.nested("empty") is None
    assert form.nested("absent") is None


@pytest.mark.parametrize("text", ["{", '{"a":NaN}', '{"a":' + "[" * 100_000, "{}{}"])
def test_a_broken_json_string_is_refused(text):
    with pytest.raises(BadRequest) as caught:
        Form([("s", text)]).nested("s")
    assert caught.value.param == "s"


@pytest.mark.parametrize("name", ["a[b][c]", "[x]", "]", "a[", "", "a]b", "a[b]c"])
def test_odd_names_are_names(name):
    assert Form([(name, "v")]).text(name) == "v"


def test_booleans_are_read_in_the_spellings_of_all_clients():
    for text in ("true", "True", "TRUE", "1", "yes", "on", " true "):
        assert Form([("stream", text)]).boolean("stream") is True
    for text in ("false", "False", "0", "no", "off"):
        assert Form([("stream", text)]).boolean("stream") is False
    assert Form([("stream", "")]).boolean("stream") is None
    assert Form().boolean("stream") is None


@pytest.mark.parametrize("text", ["2", "maybe", "[]", "tru"])
def test_what_is_no_boolean_is_refused(text):
    with pytest.raises(BadRequest) as caught:
        Form([("stream", text)]).boolean("stream")
    assert caught.value.param == "stream"


@pytest.mark.parametrize(
    ("text", "number"), [("0", 0), ("0.0", 0), ("0.30", 0.3), ("1", 1), (".5", 0.5), ("1e-1", 0.1)]
)
def test_numbers_within_bounds_are_read(text, number):
    assert Form([("temperature", text)]).number("temperature", 0, 1) == number


@pytest.mark.parametrize(
    "text", ["2", "-0.1", "abc", "nan", "inf", "-inf", "1e999", "0x1", "1_0", "٠", "0,5", "1 0"]
)
def test_what_is_no_number_within_bounds_is_refused(text):
    with pytest.raises(BadRequest) as caught:
        Form([("temperature", text)]).number("temperature", 0, 1)
    assert caught.value.param == "temperature"
    assert "from 0 to 1" in caught.value.message


def test_a_number_that_was_not_given_is_none():
    assert Form([("temperature", "")]).number("temperature", 0, 1) is None


def test_a_choice_is_one_of_those_allowed():
    form = Form([("response_format", "text"), ("other", "bogus"), ("blank", "")])
    assert form.choice("response_format", ("json", "text")) == "text"
    assert form.choice("blank", ("json", "text")) is None
    with pytest.raises(BadRequest, match="'json', 'text'") as caught:
        form.choice("other", ("json", "text"))
    assert caught.value.param == "other"
