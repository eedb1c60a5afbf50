"""Watches every socket of a process that a test starts: Python loads this at its start, being on PYTHONPATH.

The suite's own process runs it too.
"""

import os
import sys

KEPT_AT = "PIXSEARCH_TEST_CONNECTIONS"  # a file: one line for each try
LOOPBACK = "PIXSEARCH_TEST_LOOPBACK"  # set while a test runs that may talk to servers of its own
ADDRESS_AT = {"socket.connect": 1, "socket.sendto": 1, "socket.sendmsg": 1, "socket.getaddrinfo": 0}
LOCAL = ("127.", "::1", "localhost")


class Outbound(BaseException):
    """A test tried what it must not. No library may swallow this, so it is no Exception."""


def host_of(event: str, address: object) -> str | None:
    """The host that is tried, None where it is a Unix socket, or an address of one's own to listen at."""
    if event == "socket.getaddrinfo":
        host = address
    else:
        host = address[0] if isinstance(address, tuple) and isinstance(address[0], str) else None
    return host.decode() if isinstance(host, bytes) else host or None


def watch(event: str, arguments: tuple) -> None:
    """The audit hook."""
    if event not in ADDRESS_AT or KEPT_AT not in os.environ:
        return
    if (host := host_of(event, arguments[ADDRESS_AT[event]])) is None:
        return
    allowed = host.startswith(LOCAL) and LOOPBACK in os.environ
    with open(os.environ[KEPT_AT], "a") as kept:
        test = os.environ.get("PYTEST_CURRENT_TEST")
        kept.write(f"{'loopback' if allowed else 'outbound'}: {event} {host} in {test}\n")
    if not allowed:
        raise Outbound(f"{event} to {host}: only tests with servers of their own, marked `loopback`, open sockets")


sys.addaudithook(watch)
