"""The one gate through which bytes leave: to one host, until a deadline, and only after the log has them on disk."""

import ssl
import time
from collections.abc import Callable, Iterable
from typing import Any

import httpcore

from pixsearch.edge.outbound_log import Exchange

WRITE_BYTES = 1 << 14  # at most so many at once, so that a server that does not read cannot pass the deadline


class Refused(Exception):
    """The gate did not let something through."""


class Gate(httpcore.NetworkBackend):
    """Opens connections for one exchange. It knows no proxy, no redirect and no other host."""

    def __init__(self, host: str, port: int, exchange: Exchange, deadline: float, max_reply_bytes: int,
                 clock: Callable[[], float] = time.monotonic) -> None:
        """deadline : of everything together, by `clock`; max_reply_bytes : read over all connections, headers too."""
        self._allowed, self._exchange = (host, port), exchange
        self._deadline, self._clock = deadline, clock
        self._reply_left = max_reply_bytes
        self._opened = httpcore.SyncBackend()

    def connect_tcp(self, host: str, port: int, timeout: float | None = None, local_address: str | None = None,
                    socket_options: Iterable[Any] | None = None) -> httpcore.NetworkStream:
        """Connect. Raises Refused for another host than the one allowed."""
        if (host, port) != self._allowed:
            raise Refused(f"a connection to {host}:{port} instead of {self._allowed[0]}:{self._allowed[1]}")
        self._exchange.connecting()
        return _Stream(self, self._opened.connect_tcp(host, port, self.seconds_left(), local_address, socket_options))

    def leaving(self, content: bytes) -> None:
        """Put bytes into the log before they leave."""
        self._exchange.leaving(content)

    def arrived(self, count: int) -> None:
        """Count what came back. Raises Refused when it is too much."""
        self._reply_left -= count
        if self._reply_left < 0:
            raise Refused("a reply that is too long")

    def seconds_left(self) -> float:
        """Until the deadline, above 0. Raises TimeoutError when it has passed."""
        left = self._deadline - self._clock()
        if left <= 0:
            raise TimeoutError("the time was up")
        return left


class _Stream(httpcore.NetworkStream):
    """A connection whose every read and write the gate sees. Inside TLS the log has what TLS wraps."""

    def __init__(self, gate: Gate, inner: httpcore.NetworkStream) -> None:
        self._gate, self._inner = gate, inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        content = self._inner.read(max_bytes, self._gate.seconds_left())
        self._gate.arrived(len(content))
        return content

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._gate.leaving(bytes(buffer))
        for start in range(0, len(buffer), WRITE_BYTES):
            self._inner.write(buffer[start:start + WRITE_BYTES], self._gate.seconds_left())

    def start_tls(self, ssl_context: ssl.SSLContext, server_hostname: str | None = None,
                  timeout: float | None = None) -> httpcore.NetworkStream:
        return _Stream(self._gate, self._inner.start_tls(ssl_context, server_hostname, self._gate.seconds_left()))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)

    def close(self) -> None:
        self._inner.close()
