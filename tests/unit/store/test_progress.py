import io

import pytest

from myna.store.progress import TerminalProgress

BIG = 100_000_000


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_without_a_terminal_a_file_is_two_plain_lines(tmp_path):
    stream = io.StringIO()
    with TerminalProgress(stream).fetching("base/model.bin", BIG, tmp_path):
        assert stream.getvalue() == "fetching base/model.bin (100MB)\n"
    assert stream.getvalue().splitlines()[1].startswith("fetched base/model.bin (100MB) in ")
    assert "\r" not in stream.getvalue()


def test_a_small_file_is_one_line(tmp_path):
    stream = io.StringIO()
    with TerminalProgress(stream).fetching("base/config.json", 2300, tmp_path):
        assert stream.getvalue() == ""
    assert stream.getvalue().startswith("fetched base/config.json (2.30kB)")


def test_on_a_terminal_a_bar_ends_at_the_whole_size(tmp_path):
    stream = Terminal()
    with TerminalProgress(stream).fetching("base/model.bin", BIG, tmp_path):
        (tmp_path / "part").write_bytes(b"x" * 1000)
    assert "base/model.bin: 100%" in stream.getvalue()


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()])
def test_a_failed_fetch_is_not_shown_as_done(tmp_path, stream):
    with (
        pytest.raises(RuntimeError),
        TerminalProgress(stream).fetching("base/model.bin", BIG, tmp_path),
    ):
        raise RuntimeError
    assert "fetched" not in stream.getvalue()
    assert "100%" not in stream.getvalue()
