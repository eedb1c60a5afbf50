"""The promise that nothing leaves the device: a test fails that opens a socket, or starts a process that does.

Tests with servers of their own are marked `loopback`, and reach only those. A pytest plugin, named by conftest.py.
"""

import os
import runpy
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

WATCH = Path(__file__).parent / "offline"  # the folder of the sitecustomize that watches


def pytest_configure(config: pytest.Config) -> None:
    """Watch the sockets of this process, and of all that it starts."""
    config.addinivalue_line("markers", "loopback: talks to servers that it starts on this machine")
    kept, path = tempfile.mkstemp(prefix="pixsearch-sockets-")
    os.close(kept)
    os.environ["PIXSEARCH_TEST_CONNECTIONS"] = path
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(WATCH), os.environ.get("PYTHONPATH")]))
    runpy.run_path(str(WATCH / "sitecustomize.py"))


@pytest.fixture(autouse=True)
def no_socket(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fails a test that tried to reach anything, even where the code under test swallowed the error."""
    if request.node.get_closest_marker("loopback"):
        monkeypatch.setenv("PIXSEARCH_TEST_LOOPBACK", "1")
    before = len(tries("outbound"))
    yield
    assert not tries("outbound")[before:], "sockets were opened"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how often anything was tried."""
    terminalreporter.write_line(f"outbound connections: {len(tries('outbound'))}, "
                                f"to servers of a test's own: {len(tries('loopback'))}")
    for line in tries("outbound"):
        terminalreporter.write_line(f"  {line}")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the run for a try outside of every test's time, too."""
    if tries("outbound") and not session.exitstatus:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_unconfigure() -> None:
    """Leave no file behind."""
    Path(os.environ["PIXSEARCH_TEST_CONNECTIONS"]).unlink(missing_ok=True)


def tries(kind: str) -> list[str]:
    """What was tried so far, "outbound" or "loopback", here and in processes started from here."""
    kept = Path(os.environ["PIXSEARCH_TEST_CONNECTIONS"])
    return [line for line in kept.read_text().splitlines() if line.startswith(kind)]
