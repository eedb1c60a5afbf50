"""Servers on this machine for tests of the cloud: a real OpenAI-compatible one, and one that sends what it likes."""

import base64
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np

from pixsearch.contract.images import read_image
from pixsearch.edge.assistant import Assistant

Reply = Callable[[socket.socket], None]


@contextmanager
def assistant_server(assistant: Assistant) -> Iterator[str]:
    """Answers chat completions with an assistant's own model; yields the address. Strict about what it is sent."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            try:
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                assert self.path == "/v1/chat/completions" and self.headers["Content-Type"] == "application/json"
                assert isinstance(request["model"], str) and isinstance(request["max_tokens"], int)
                words, picture = parts_of(request)
                answer = assistant.ask(picture, words.split("\n")[0])
                status, reply = 200, {"object": "chat.completion", "model": request["model"], "choices": [
                    {"index": 0, "message": {"role": "assistant", "content": answer.answer}, "finish_reason": "stop"}]}
            except (AssertionError, KeyError, ValueError, TypeError) as error:
                status, reply = 400, {"error": {"message": repr(error)}}
            content = json.dumps(reply).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json; charset=utf-8")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *arguments: object) -> None:
            """Nothing: the standard handler prints every request."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def parts_of(request: dict) -> tuple[str, np.ndarray]:
    """Words and picture of a chat completion's request."""
    system, user = request["messages"]
    assert (system["role"], user["role"]) == ("system", "user")
    if isinstance(user["content"], str):
        return user["content"], np.full((64, 64, 3), 128, np.uint8)
    text, image = user["content"]
    assert (text["type"], image["type"]) == ("text", "image_url")
    head, content = image["image_url"]["url"].split(",")
    assert head == "data:image/jpeg;base64"
    return text["text"], read_image(base64.b64decode(content, validate=True))


class RawServer:
    """Takes connections, keeps every byte it gets, and lets `reply` do what it likes with the connection."""

    def __init__(self, reply: Reply, tls: ssl.SSLContext | None = None) -> None:
        self._reply, self._tls = reply, tls
        self.received: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self.port = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._open.add(connection)
                self._threads.append(threading.Thread(target=self._serve, args=(connection,)))
                self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
                self._open.add(connection)
            self.received.append(_whole_request(connection))
            self._reply(connection)
            connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        for one in (self._listener, *self._open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        for thread in self._threads:
            thread.join()


def _whole_request(connection: socket.socket) -> bytes:
    content = b""
    while b"\r\n\r\n" not in content:
        content += (more := connection.recv(1 << 16))
        if not more:
            return content
    head, body = content.split(b"\r\n\r\n", 1)
    length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
    while len(body) < length:
        more = connection.recv(1 << 16)
        body, content = body + more, content + more
    return content


@contextmanager
def raw_server(reply: Reply, tls: ssl.SSLContext | None = None) -> Iterator[RawServer]:
    server = RawServer(reply, tls)
    try:
        yield server
    finally:
        server.close()


def completion(words: object) -> bytes:
    """The body of a reply that says some words."""
    return json.dumps({"choices": [{"message": {"role": "assistant", "content": words}}]}).encode()


def http(body: bytes, status: str = "200 OK", kind: str = "application/json", more: str = "",
         length: int | None = None) -> bytes:
    """A reply as it goes over the wire."""
    size = len(body) if length is None else length
    return f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {size}\r\n{more}\r\n".encode() + body


def sends(content: bytes) -> Reply:
    return lambda connection: connection.sendall(content)
