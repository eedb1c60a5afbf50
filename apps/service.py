"""The loop as a service: tells the service manager that it is ready, how it is, and that it is not stuck.

The protocol is systemd's: datagrams of `NAME=value` lines to the socket that NOTIFY_SOCKET names (sd_notify(3)). Where
no manager asked for it, nothing is sent.
"""

import os
import socket
import time
from typing import Self

from pixsearch.edge.live import Loop, State

READY, WATCHDOG, STOPPING = "READY=1", "WATCHDOG=1", "STOPPING=1"
SHARE = 3.0  # signs of life in the time after which the manager would take it for stuck
MAX_STATUS = 200  # characters


class Manager:
    """The one that started this process and waits for signs of life; use it as a context manager."""

    def __init__(self) -> None:
        self._address = os.environ.get("NOTIFY_SOCKET", "")
        self._every_s = _watchdog_s() / SHARE
        self._told, self._next = "", 0.0
        self._ready = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._send(STOPPING)

    def look(self, loop: Loop) -> None:
        """Call it often: ready once the threads run, then how the camera is, and a sign of life while all go on."""
        if not self._address or (now := time.monotonic()) < self._next:
            return
        self._next = now + min(self._every_s, 1.0)
        lines = [] if self._ready else [READY]
        if (status := _status(loop)) != self._told:
            lines.append(f"STATUS={status}")
            self._told = status
        if loop.alive:
            lines.append(WATCHDOG)
        self._ready = True
        if lines:
            self._send("\n".join(lines))

    def _send(self, message: str) -> None:
        if not self._address:
            return
        name = "\0" + self._address[1:] if self._address.startswith("@") else self._address  # "@" is an abstract name
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as door:
            try:
                door.sendto(message.encode(), name)
            except OSError:  # a manager that is gone is no reason to stop looking
                return


def _watchdog_s() -> float:
    """Seconds of silence that the manager allows; without end where it does not watch this process."""
    try:
        return int(os.environ["WATCHDOG_USEC"]) / 1e6
    except (KeyError, ValueError):
        return float("inf")


def _status(loop: Loop) -> str:
    health = loop.health()
    parts = [health.state.value, *([health.cause] if health.cause and health.state is not State.STREAMING else []),
             *(alarm.message for alarm in health.alarms)]
    return " ".join(", ".join(parts).split())[:MAX_STATUS]
