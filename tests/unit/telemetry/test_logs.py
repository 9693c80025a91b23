"""The log, for people and for machines."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator

import pytest

from myna.telemetry.logs import configure_logging


@pytest.fixture
def logging_restored() -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger("myna")
    kept = root.handlers[:], root.level, ours.level
    yield
    root.handlers[:], level, own = kept
    root.setLevel(level)
    ours.setLevel(own)


def test_the_log_is_one_line_an_event_on_standard_error(logging_restored, capsys):
    configure_logging("info")
    logging.getLogger("myna.access").info("a request")
    logging.getLogger("myna.access").debug("too much")
    logging.getLogger("somebody").info("else")
    logging.getLogger("somebody").warning("matters")
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = captured.err.splitlines()
    assert [re.sub(r"^\d\d:\d\d:\d\d ", "", line) for line in lines] == [
        "INFO    a request",
        "WARNING matters",
    ]


def test_configuring_the_log_twice_does_not_double_it(logging_restored, capsys):
    configure_logging("info")
    configure_logging("error")
    logging.getLogger("myna").error("once")
    logging.getLogger("myna").info("not at all")
    assert capsys.readouterr().err.count("\n") == 1


def test_json_lines_hold_what_an_event_came_with(logging_restored, capsys):
    configure_logging("info", "json")
    fields = {"request_id": "req_1", "status": 200, "path": "/a\nb"}
    logging.getLogger("myna.access").info("%s is done", "req_1", extra={"fields": fields})
    (line,) = capsys.readouterr().err.splitlines()
    content = json.loads(line)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", content.pop("time"))
    assert content == {
        "level": "info",
        "logger": "myna.access",
        "message": "req_1 is done",
        "request_id": "req_1",
        "status": 200,
        "path": "/a\nb",
    }


def test_a_traceback_stays_within_its_json_line(logging_restored, capsys):
    configure_logging("info", "json")
    try:
        int("something inside")
    except ValueError:
        logging.getLogger("myna").exception("crashed")
    (line,) = capsys.readouterr().err.splitlines()
    assert "something inside" in json.loads(line)["traceback"]
