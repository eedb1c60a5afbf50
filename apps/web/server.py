"""The live view's server: one page, its WebSocket, and a guard before both. Needs the extra `web`."""

import asyncio
import contextlib
import hmac
import secrets
import socket
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import uvicorn
from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from fastapi.responses import FileResponse, PlainTextResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pixsearch.apps.web.address import LOOPBACK_NAMES, Address
from pixsearch.apps.web.hub import Hub, Viewer
from pixsearch.apps.web.messages import MAX_MESSAGE_BYTES, read_wish
from pixsearch.contract.faults import Fault

STATIC = Path(__file__).parent / "static"
COOKIE = "pixsearch"
START_S = 10.0
POLICY, TRY_LATER = 1008, 1013  # codes that close a WebSocket
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
                               "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Guard:
    """Lets in whoever asks for this host, from its own page, and has the token where there is one."""

    def __init__(self, app: ASGIApp, address: Address, token: str | None) -> None:
        self._app, self._address, self._token = app, address, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or refuse it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        asked = HTTPConnection(scope)
        if scope["type"] == "http" and self._brings_token(asked):
            answer = RedirectResponse("/", 303)
            answer.set_cookie(COOKIE, self._token or "", httponly=True, samesite="strict")
            await answer(scope, receive, send)
        elif refused := self._refusal(asked, scope["type"] == "websocket"):
            await self._refuse(refused, scope, receive, send)
        else:
            await self._app(scope, receive, _with_headers(send))

    def _brings_token(self, asked: HTTPConnection) -> bool:
        return self._token is not None and _same(asked.query_params.get("token", ""), self._token)

    def _refusal(self, asked: HTTPConnection, is_socket: bool) -> str | None:
        """Why not, in words; None for who may come in."""
        host = asked.headers.get("host", "")
        if self._token is None and host not in _own_names(self._address.port):
            return "this view is for this machine alone"  # a page elsewhere whose name was made to lead here
        if self._token is not None and not _same(asked.cookies.get(COOKIE, ""), self._token):
            return "open the address with the token that was printed at the start"
        if is_socket and urlsplit(asked.headers.get("origin", "")).netloc != host:
            return "only the view's own page may connect"
        return None

    async def _refuse(self, reason: str, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": POLICY, "reason": reason})
        else:
            await PlainTextResponse(reason, 403, HEADERS)(scope, receive, send)


def _own_names(port: int) -> set[str]:
    return {f"{name}{end}" for name in LOOPBACK_NAMES for end in (f":{port}", *([""] if port == 80 else []))}


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(), wanted.encode())


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
        await send(message)
    return sending


def web_app(hub: Hub, address: Address, token: str | None) -> ASGIApp:
    """The page and its WebSocket behind the guard."""
    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        hub.start(asyncio.get_running_loop())
        yield

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)

    @app.get("/")
    async def page() -> FileResponse:
        return FileResponse(STATIC / "index.html")

    @app.websocket("/live")
    async def live(page: WebSocket) -> None:
        await page.accept()
        viewer = hub.enter()
        if viewer is None:
            await page.close(TRY_LATER, "too many viewers")
            return
        try:
            await _serve(page, hub, viewer)
        finally:
            hub.leave(viewer)

    app.mount("/static", StaticFiles(directory=STATIC))
    return Guard(app, address, token)


async def _serve(page: WebSocket, hub: Hub, viewer: Viewer) -> None:
    """Until the page leaves, misbehaves, or is sent away."""
    works = [asyncio.create_task(work) for work in (_read(page, hub, viewer), _write(page, viewer), viewer.gone.wait())]
    ended, going = await asyncio.wait(works, return_when=asyncio.FIRST_COMPLETED)
    for work in going:
        work.cancel()
    await asyncio.gather(*works, return_exceptions=True)
    errors = [error for work in ended if (error := work.exception())]
    if not any(isinstance(error, WebSocketDisconnect) for error in errors):
        code = POLICY if any(isinstance(error, ValueError | KeyError) for error in errors) else TRY_LATER
        with contextlib.suppress(RuntimeError, WebSocketDisconnect):  # it may be gone by now
            await page.close(code)


async def _read(page: WebSocket, hub: Hub, viewer: Viewer) -> None:
    while True:
        hub.fulfil(viewer, read_wish(await page.receive_text()))


async def _write(page: WebSocket, viewer: Viewer) -> None:
    while True:
        content = await viewer.next()
        if isinstance(content, str):
            await page.send_text(content)
        else:
            await page.send_bytes(content)


class WebView:
    """Serves the live view from a thread of its own; use it as a context manager.

    url : what to open, with the token where the address can be reached from elsewhere
    Raises Fault when the address cannot be listened at.
    """

    def __init__(self, hub: Hub, address: Address) -> None:
        self._hub = hub
        self._socket = _listen(address)
        self.address = Address(address.host, self._socket.getsockname()[1])
        self.token = None if address.loopback else secrets.token_urlsafe(24)
        self.url = self.address.url + (f"?token={self.token}" if self.token else "")
        self._server = uvicorn.Server(uvicorn.Config(
            web_app(hub, self.address, self.token), ws="websockets-sansio", ws_max_size=MAX_MESSAGE_BYTES,
            ws_per_message_deflate=False, limit_concurrency=64, timeout_keep_alive=5, timeout_graceful_shutdown=2,
            log_level="warning", access_log=False, server_header=False, proxy_headers=False))
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), name="pixsearch-web",
                                        daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        deadline = threading.Event()
        for _ in range(round(START_S / 0.02)):
            if self._server.started or not self._thread.is_alive():
                break
            deadline.wait(0.02)
        if not self._server.started:
            raise Fault("web view", expected="a server", actual="it did not start", remedy="start again")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._hub.end_pages()
        self._server.should_exit = True
        self._thread.join()
        self._hub.close()
        self._socket.close()


def _listen(address: Address) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((address.host, address.port))
    except OSError as error:
        listening.close()
        raise Fault(f"web address {address.host}:{address.port}", expected="one of this machine that is free",
                    actual=error.strerror or str(error), remedy="choose another port or host") from error
    return listening
