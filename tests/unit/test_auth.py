"""Keys: where they come from, how a request shows one, and what is never shown."""

from __future__ import annotations

import hmac
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from myna import auth
from myna.accounts import Allowance
from myna.auth import Keyring, masked, sent_key
from myna.errors import Unauthorized


def ring(listed: str, file: Path | None = None) -> Keyring:
    return Keyring.load(SecretStr(listed), file)


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def test_without_keys_everybody_is_admitted():
    keyring = Keyring.load(None, None)
    assert len(keyring) == 0
    for headers in ({}, bearer("anything"), bearer("")):
        assert keyring.admit(headers) is None


def test_a_key_is_admitted_under_its_name():
    keyring = ring("ci:sk-one, sk-two ,phone: sk-three")
    assert len(keyring) == 3
    admitted = [keyring.admit(bearer(key)) for key in ("sk-one", "sk-two", "sk-three")]
    assert admitted == ["ci", "key2", "phone"]


def test_a_key_may_hold_colons_behind_its_name():
    assert ring("ci:sk:one").admit(bearer("sk:one")) == "ci"


@pytest.mark.parametrize("headers", [{}, bearer(""), bearer("  "), {"authorization": "Bearer"}])
def test_no_key_is_refused_and_says_how_to_send_one(headers):
    with pytest.raises(Unauthorized, match="Authorization: Bearer") as caught:
        ring("sk-one").admit(headers)
    assert caught.value.code is None


@pytest.mark.parametrize(
    "sent", ["sk-on", "sk-onee", "SK-ONE", "ci", "ci:sk-one", "schlüssel", "\udcff"]
)
def test_a_wrong_key_is_refused(sent):
    with pytest.raises(Unauthorized, match="Incorrect API key") as caught:
        ring("ci:sk-one").admit(bearer(sent))
    assert caught.value.code == "invalid_api_key"
    assert caught.value.status == 401


def test_a_wrong_key_is_not_repeated_in_the_answer():
    with pytest.raises(Unauthorized) as caught:
        ring("sk-one").admit(bearer("sk-nearly-the-right-one"))
    assert "sk-nearly-the-right-one" not in caught.value.message
    assert "sk-one" not in caught.value.message


@pytest.mark.parametrize(
    ("headers", "key"),
    [
        ({"authorization": "Bearer sk-one"}, "sk-one"),
        ({"authorization": "bearer sk-one"}, "sk-one"),
        ({"authorization": "BEARER   sk-one "}, "sk-one"),
        ({"authorization": "Basic c2stb25l"}, ""),
        ({"authorization": "sk-one"}, ""),
        ({"api-key": "sk-one"}, "sk-one"),
        ({"api-key": " sk-one "}, "sk-one"),
        ({"authorization": "Bearer ", "api-key": "sk-one"}, "sk-one"),
        ({"authorization": "Basic x", "api-key": "sk-one"}, "sk-one"),
        ({"authorization": "Bearer sk-one", "api-key": "sk-two"}, "sk-one"),
        ({}, ""),
    ],
)
def test_a_key_comes_as_a_bearer_token_or_in_azures_header(headers, key):
    assert sent_key(headers) == key


def test_every_key_is_compared_in_constant_time(monkeypatch):
    compared: list[bytes] = []
    monkeypatch.setattr(auth, "hmac", _Spy(compared))
    assert ring("a:one,b:two,c:three").admit(bearer("one")) == "a"
    assert compared == [b"one", b"two", b"three"]


class _Spy:
    """The module hmac, with a list of what was compared."""

    def __init__(self, compared: list[bytes]) -> None:
        self.compared = compared

    def compare_digest(self, known: bytes, sent: bytes) -> bool:
        self.compared.append(known)
        return hmac.compare_digest(known, sent)


@pytest.fixture
def key_file(tmp_path: Path):
    def write(text: str) -> Path:
        path = tmp_path / "keys"
        path.write_text(text, "utf-8")
        return path

    return write


def test_a_file_has_a_key_a_line_and_comments(key_file):
    file = key_file("# who may call\n\nci:sk-one  # the build\n  sk-two\n#sk-three\n\n")
    keyring = Keyring.load(None, file)
    assert len(keyring) == 2
    assert keyring.admit(bearer("sk-one")) == "ci"
    assert keyring.admit(bearer("sk-two")) == "key2"
    with pytest.raises(Unauthorized):
        keyring.admit(bearer("sk-three"))


def test_listed_keys_and_those_of_a_file_are_all_on_the_ring(key_file):
    keyring = ring("one:sk-one", key_file("two:sk-two\r\n"))
    assert [keyring.admit(bearer(key)) for key in ("sk-one", "sk-two")] == ["one", "two"]


def test_a_file_that_is_not_there_stops_the_start(tmp_path):
    with pytest.raises(OSError, match="nowhere"):
        Keyring.load(None, tmp_path / "nowhere")


def test_a_file_without_a_key_does_not_open_the_server(key_file):
    with pytest.raises(ValueError, match="key"):
        Keyring.load(None, key_file("# no key yet\n\n"))


@pytest.mark.parametrize("listed", ["ci:", "ci: ,phone:sk-one"])
def test_an_empty_key_stops_the_start(listed):
    with pytest.raises(ValueError, match=r"key 1 \(ci\) is empty"):
        ring(listed)


def test_a_key_without_a_name_before_its_colon_gets_a_number():
    assert ring(":sk-one").admit(bearer("sk-one")) == "key1"


def test_keys_do_not_show_in_a_repr():
    keyring = ring("ci:sk-very-secret")
    assert "sk-very-secret" not in repr(keyring) + repr(vars(keyring)) + repr(keyring._keys[0])


@pytest.mark.parametrize(
    ("key", "shown"),
    [("", ""), ("abc", "***"), ("12345678", "********"), ("sk-abcdefghijkl", "sk-********ijkl")],
)
def test_a_masked_key_shows_its_ends_at_most(key, shown):
    assert masked(key) == shown


@given(st.text(st.characters(codec="ascii", exclude_characters="*"), min_size=1, max_size=200))
def test_masking_hides_at_least_half_of_a_key_and_is_short(key):
    shown = [char for char in masked(key) if char != "*"]
    assert len(shown) <= len(key) / 2
    assert len(masked(key)) <= 27


def test_what_a_key_is_allowed_stands_behind_it(key_file):
    usual = Allowance(requests_per_minute=60)
    file = key_file(
        "ci:sk-one share=0.5 audio_s_per_minute=600  # nights only\n"
        "sk-two requests_per_minute=0\n"
        "phone:sk-three\n"
    )
    keyring = Keyring.load(None, file, usual)
    assert keyring.admit(bearer("sk-one")) == "ci"
    assert keyring.allowances == {
        "ci": Allowance(60, 600, 0.5),
        "key2": Allowance(0, 0, 1),
        "phone": usual,
    }


@pytest.mark.parametrize(
    "words", ["shares=2", "share", "share=", "share=-1", "share=0", "share=nan", "share=1e999", "2"]
)
def test_an_allowance_that_is_none_stops_the_start_and_says_what_there_is(words):
    with pytest.raises(ValueError, match="requests_per_minute, audio_s_per_minute, share"):
        ring(f"ci:sk-one {words}")


def test_an_allowance_without_a_key_is_no_key():
    with pytest.raises(ValueError, match=r"key 1 \(ci\) is empty"):
        ring("ci: share=2")


def test_a_secret_with_a_space_in_it_is_not_shown_by_what_is_wrong_with_it():
    with pytest.raises(ValueError, match="none of them") as caught:
        ring("ci:sk-one very-secret-part-of-it")
    assert "secret" not in str(caught.value)


def test_two_keys_of_one_name_are_one_caller_and_allowed_the_same():
    assert len(ring("ci:sk-one share=2,ci:sk-two share=2").allowances) == 1
    with pytest.raises(ValueError, match="named ci"):
        ring("ci:sk-one share=2,ci:sk-two")
