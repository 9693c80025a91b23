"""The pytest plugin, in the tests of a project that is not this one."""

from __future__ import annotations

import os
import re
import select
import signal
from contextlib import suppress
from pathlib import Path

import pytest

import myna
from myna.testing import ServerFailed, ServerProcess

pytest_plugins = ["pytester"]

SERVER = Path(myna.__file__).parents[1]
WITHOUT_OTHERS = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
"""Whether or not this environment has the plugin installed, it is the one of this checkout."""


@pytest.fixture
def project(pytester, monkeypatch):
    """`project(tests, *arguments)` runs tests with the plugin, in a process of their own."""
    for name, value in WITHOUT_OTHERS.items():
        monkeypatch.setenv(name, value)

    def run(tests: str, *arguments: str) -> pytest.RunResult:
        pytester.makepyfile(tests)
        return pytester.runpytest_subprocess("-p", "myna.testing", *arguments, timeout=300)

    return run


def test_a_server_is_there_for_the_session_and_gone_behind_it(project, pytester):
    result = project(
        """
        import json, os, urllib.request

        def test_speech(myna):
            body = {"model": "tts-1", "voice": "alloy", "input": "Hello."}
            request = urllib.request.Request(
                f"{myna.base_url}/audio/speech", json.dumps(body).encode(),
                {"Content-Type": "application/json"},
            )
            with urllib.request.urlopen(request) as answer:
                assert answer.read()
            assert [seen.status for seen in myna.requests()] == [200]

        def test_it_is_the_same_server(myna_server, myna):
            assert myna is myna_server
            assert myna.url + "/v1" == myna.base_url
            with open("pid", "w") as file:
                file.write(str(myna._process.process.pid))
        """
    )
    result.assert_outcomes(passed=2)
    pid = int((pytester.path / "pid").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="waits for a process of others (Linux)")
def test_a_pytest_that_is_killed_takes_its_server_along(project, pytester):
    """It can stop nothing any more; the kernel closes the pipe on which the server listens."""
    project(
        """
        import os, signal

        def test_killed(myna):
            with open("pid", "w") as file:
                file.write(str(myna._process.process.pid))
            os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    with suppress(ProcessLookupError):  # it has ended already
        server = os.pidfd_open(int((pytester.path / "pid").read_text()))
        try:
            assert select.select([server], [], [], 120)[0], "the server lives on"
        finally:
            os.close(server)


def test_what_a_test_arranges_is_gone_in_the_next(project):
    result = project(
        """
        def test_arranges(myna):
            myna.fail_next(status=500, times=5)
            myna.hear("Hello.")
            assert myna.faults_left == 5

        def test_finds_nothing(myna):
            assert myna.faults_left == 0
            assert myna.requests() == []
        """
    )
    result.assert_outcomes(passed=2)


def test_where_no_test_asks_for_it_nothing_is_started_or_imported(project):
    result = project(
        """
        import os, subprocess, sys

        def test_of_something_else():
            heavy = {"myna.app", "myna.settings", "numpy", "fastapi", "pydantic", "uvicorn"}
            assert heavy & set(sys.modules) == set()

        def test_no_child():
            listed = subprocess.run(["ps", "-o", "args", "--ppid", str(os.getpid())],
                                    capture_output=True, text=True).stdout
            assert "ps" in listed
            assert "myna" not in listed
        """
    )
    result.assert_outcomes(passed=2)


def test_flags_of_the_server_stand_in_the_ini_file(project, pytester):
    pytester.makeini("[pytest]\nmyna_tts = none\nmyna_flags = --strict --max-audio-s 7\n")
    result = project(
        """
        def test_flags(myna_server):
            command = open(f"/proc/{myna_server._process.process.pid}/cmdline").read().split("\\0")
            assert command[command.index("--stt") + 1] == "fake"
            assert command[command.index("--tts") + 1] == "none"
            assert command[command.index("--max-audio-s") + 1] == "7"
            assert "--strict" in command
        """
    )
    result.assert_outcomes(passed=1)


def test_an_engine_named_on_the_command_line_wins_over_the_ini_file(project, pytester):
    pytester.makeini("[pytest]\nmyna_stt = none\n")
    result = project("def test_it(myna): myna.hear('Hello.')", "--myna-stt", "fake")
    result.assert_outcomes(passed=1)


def test_transcripts_are_for_the_fake_engine_only(project):
    result = project(
        """
        import pytest

        def test_it(myna):
            with pytest.raises(ValueError, match="--stt fake"):
                myna.hear("Hello.")
        """,
        "--myna-stt",
        "none",
    )
    result.assert_outcomes(passed=1)


def test_a_server_that_does_not_start_says_why(project):
    result = project("def test_it(myna): pass", "--myna-stt", "no-such-model-anywhere")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*ServerFailed: myna serve ended with 1:*", "*no-such-model*"])


def test_variables_of_the_shell_do_not_reach_the_server(project, monkeypatch):
    monkeypatch.setenv("MYNA_PORT", "1")
    monkeypatch.setenv("MYNA_API_KEYS", "sk-1")
    result = project("def test_it(myna): assert myna.requests() == []")
    result.assert_outcomes(passed=1)


def test_modules_of_the_tested_project_do_not_stand_in_for_ours(project, pytester):
    pytester.makepyfile(
        click="raise SystemExit('mine')",
        # pytester itself puts the project on the path of every child.
        conftest=f"import os; os.environ['PYTHONPATH'] = {str(SERVER)!r}",
    )
    result = project("def test_it(myna): assert myna.log")
    result.assert_outcomes(passed=1)


def test_a_server_that_does_not_end_by_itself_is_ended(tmp_path):
    process = ServerProcess(["--stt", "fake", "--tts", "fake"], tmp_path / "log")
    with pytest.raises(ServerFailed, match="not ready after 0 s"):
        process.wait_until_ready(0.0)
    process.wait_until_ready()
    process.process.send_signal(signal.SIGSTOP)  # or it might just manage to end by itself
    assert process.stop(0.0) == -9
    assert re.search("listening on", process.log)


def test_a_server_that_is_too_busy_to_answer_is_waited_for(tmp_path, monkeypatch):
    process = ServerProcess(["--stt", "fake", "--tts", "fake"], tmp_path / "log")
    ask, silences = process.ask, [TimeoutError, ConnectionResetError]

    def asked(*request):
        if silences:
            raise silences.pop()
        return ask(*request)

    monkeypatch.setattr(process, "ask", asked)
    try:
        process.wait_until_ready()
        assert silences == []
    finally:
        process.stop(240)


def test_the_help_names_what_can_be_set(project):
    result = project("", "--help")
    result.stdout.fnmatch_lines(["*--myna-stt=NAMES*", "*--myna-tts=NAMES*", "*myna_flags (args)*"])


def test_the_examples_of_the_pages_pass(project):
    docs = SERVER.parent / "docs"
    text = "".join((docs / page).read_text("utf-8") for page in ("testing.md", "migrating.md"))
    examples = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    result = project("\n".join(example for example in examples if "def test_" in example))
    result.assert_outcomes(passed=7)
