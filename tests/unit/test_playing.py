"""Which player is taken, and what it is given."""

from __future__ import annotations

import sys
import wave

import pytest

from myna.playing import NoPlayer, player, playing


@pytest.mark.parametrize("name", ["pw-cat", "paplay", "aplay", "ffplay", "mpv", "play"])
def test_a_player_that_is_there_is_told_the_rate(name: str) -> None:
    found = player(24_000, {name: f"/bin/{name}"}.get)
    assert found[0] == f"/bin/{name}"
    assert any("24000" in argument for argument in found)
    assert not any("{" in argument for argument in found)


@pytest.mark.parametrize(("platform", "hint"), [("linux", "alsa-utils"), ("darwin", "brew")])
def test_where_there_is_none_it_is_said_what_to_install(platform: str, hint: str) -> None:
    with pytest.raises(NoPlayer, match=hint):
        player(24_000, lambda _: None, platform)


def test_what_is_written_reaches_the_player_before_the_block_is_left(tmp_path) -> None:
    heard = tmp_path / "heard"
    code = f"import sys; open({str(heard)!r}, 'wb').write(sys.stdin.buffer.read())"
    with playing([sys.executable, "-c", code], 24_000) as target:
        target.write(b"sound")
    assert heard.read_bytes() == b"sound"


def test_a_player_of_files_is_given_a_wave_file(tmp_path) -> None:
    afplay = tmp_path / "afplay"
    afplay.write_text(f"#!/bin/sh\ncp $1 {tmp_path}/heard.wav\n")
    afplay.chmod(0o755)
    assert player(24_000, {"afplay": str(afplay)}.get) == [str(afplay)]
    with playing([str(afplay)], 24_000) as target:
        target.write(b"\x01\x00" * 2400)
    with wave.open(str(tmp_path / "heard.wav")) as file:
        assert (file.getframerate(), file.getnchannels(), file.getnframes()) == (24_000, 1, 2400)


def play(complaint: str, data: bytes, read: str = "sys.stdin.buffer.read(); ") -> None:
    code = f"import sys; {read}sys.exit({complaint!r})"
    with playing([sys.executable, "-c", code], 24_000) as target:
        target.write(data)
        target.flush()


def test_a_player_that_fails_says_why() -> None:
    with pytest.raises(NoPlayer, match=r"no such device.*-o speech\.wav"):
        play("no such device", b"sound")


def test_a_player_that_is_gone_early_is_a_failure_and_no_broken_pipe() -> None:
    with pytest.raises(NoPlayer, match="busy"):
        play("busy", bytes(50_000_000), read="")
