"""The guard over sockets: it sees every try, a test that makes one fails, and marked ones reach only themselves."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
AWAY = "('192.0.2.1', 9)"
TRIES = {
    "connect": f"socket.create_connection({AWAY}, .1)",
    "datagram": f"socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', {AWAY})",
    "name": "socket.getaddrinfo('example.invalid', 443)",
    "swallowed": f"with contextlib.suppress(BaseException): socket.create_connection({AWAY}, .1)",
    "another process": "subprocess.run([sys.executable, '-c', "
    f'"import socket; socket.create_connection({AWAY}, .1)"])',
    "a thread": f"t = threading.Thread(target=socket.create_connection, args=({AWAY}, .1)); t.start(); t.join()",
    "this machine, unmarked": "socket.create_connection(('127.0.0.1', 9), .1)",
}


def test_a_test_that_opens_a_socket_fails_however_it_does(tmp_path: Path) -> None:
    bodies = [f"def test_{number}():\n    {body}\n" for number, body in enumerate(TRIES.values())]
    (tmp_path / "test_tries.py").write_text(
        "import contextlib, socket, subprocess, sys, threading\n\n" + "\n\n".join(bodies)
    )
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "offline_guard", "-p", "no:cacheprovider", str(tmp_path)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
    )
    assert f"outbound connections: {len(TRIES)}," in ended.stdout, ended.stdout + ended.stderr
    assert ended.returncode == 1 and f"{len(TRIES)} errors" in ended.stdout.splitlines()[-1]


@pytest.mark.loopback
def test_a_marked_test_reaches_its_own_server() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname(), 5).close()
