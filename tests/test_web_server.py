"""The live view's server: who is let in, what is refused, and how its command begins and ends."""

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import pytest
from click.testing import CliRunner
from conftest import Run
from test_live_loop import a_clip, until
from web_lab import HERE, viewed
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from pixsearch.apps.main import cli
from pixsearch.apps.web.address import Address, parse_address
from pixsearch.apps.web.hub import MAX_BEHIND, MAX_VIEWERS, Hub, Viewer
from pixsearch.apps.web.messages import Ask, Cancel, Forget, Shown, Talk, read_wish
from pixsearch.apps.web.server import WebView
from pixsearch.contract.faults import Fault
from pixsearch.edge.assistant import Assistant
from pixsearch.edge.live import Loop, LoopOptions

pytestmark = pytest.mark.loopback


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return a_clip(tmp_path_factory.mktemp("web") / "box.avi", frames=40, step=3)


def get(address: Address, path: str = "/", **headers: str) -> HTTPResponse:
    asking = HTTPConnection("127.0.0.1", address.port, timeout=10)
    asking.request("GET", path, headers=headers)
    answer = asking.getresponse()
    answer.read()
    asking.close()
    return answer


def socket_of(view: WebView, origin: str | None = None, cookie: str = "") -> ClientConnection:
    host = f"127.0.0.1:{view.address.port}"
    return connect(f"ws://{host}/live", origin=origin or f"http://{host}",  # type: ignore[arg-type]
                   additional_headers={"Cookie": cookie} if cookie else {}, max_size=1 << 24, proxy=None)


def test_only_this_machine_s_own_page_is_let_in(red_assistant: Assistant, clip: Path) -> None:
    with viewed(red_assistant, str(clip)) as (_, _, view):
        answer = get(view.address)
        policy = answer.headers["Content-Security-Policy"]
        assert answer.status == 200 and "default-src 'none'" in policy and "unsafe" not in policy
        assert get(view.address, Host="example.org").status == 403  # a name that was made to lead here
        assert get(view.address, Host=f"example.org:{view.address.port}").status == 403
        assert get(view.address, "/docs").status == get(view.address, "/static/../server.py").status == 404
        with pytest.raises(InvalidStatus):
            socket_of(view, origin="http://example.org")
        with socket_of(view) as own:
            assert json.loads(own.recv(10))["kind"] == "hello"


def test_elsewhere_only_the_token_opens_the_view(red_assistant: Assistant, clip: Path) -> None:
    with viewed(red_assistant, str(clip), Address("0.0.0.0", 0)) as (_, _, view):
        assert view.token and view.token in view.url
        assert get(view.address).status == get(view.address, "/?token=wrong").status == 403
        assert get(view.address, "/static/view.js").status == 403
        with pytest.raises(InvalidStatus):
            socket_of(view)
        answer = get(view.address, f"/?token={view.token}")
        cookie = answer.headers["Set-Cookie"]
        assert answer.status == 303 and "HttpOnly" in cookie and "samesite=strict" in cookie.lower()
        name = cookie.split(";")[0]
        assert get(view.address, Cookie=name).status == 200
        with socket_of(view, cookie=name) as own:
            assert json.loads(own.recv(10))["kind"] == "hello"


@pytest.mark.parametrize("text", ["", "{", "[]", "1", '"ask"', "null", '{"kind": "open"}', '{"kind": "ask"}',
                                  "[" * 4000, '{"kind": "ask", "question": 1, "point": null}',
                                  json.dumps({"kind": "ask", "question": "x" * 1001, "point": None}),
                                  '{"kind": "ask", "question": "What?", "point": [1]}',
                                  '{"kind": "ask", "question": "What?", "point": [0.5, NaN]}',
                                  '{"kind": "ask", "question": "What?", "point": [0.5, 1.5]}',
                                  '{"kind": "ask", "question": "What?", "point": [true, 0]}',
                                  '{"kind": "cancel", "id": true}', '{"kind": "talk", "pressed": 1}', "x" * 9000])
def test_what_no_page_of_ours_sends_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        read_wish(text)


def test_what_a_page_sends_is_read() -> None:
    assert read_wish('{"kind": "ask", "question": "What?", "point": null}') == Ask("What?", None)
    assert read_wish('{"kind": "ask", "question": "What?", "point": [0, 0.5]}') == Ask("What?", (0.0, 0.5))
    assert [read_wish(json.dumps(one)) for one in ({"kind": "shown"}, {"kind": "forget"}, {"kind": "cancel", "id": 3},
            {"kind": "talk", "pressed": True})] == [Shown(), Forget(), Cancel(3), Talk(True)]


def test_a_page_that_misbehaves_is_sent_away_and_the_others_stay(red_assistant: Assistant, clip: Path) -> None:
    with viewed(red_assistant, str(clip)) as (loop, _, view), socket_of(view) as well:
        for bad in ("nonsense", "x" * 9000, b"bytes"):
            with socket_of(view) as ill, pytest.raises(ConnectionClosed):
                ill.send(bad)
                while True:
                    ill.recv(10)
        well.send('{"kind": "ask", "question": "", "point": null}')
        assert "question" in next(told for told in texts(well) if told["kind"] == "refused")["reason"]
        well.send('{"kind": "ask", "question": "What is this?", "point": null}')
        assert "owl" in next(told for told in texts(well) if told["kind"] == "answered")["answer"]
        assert loop.health().cause == ""


def texts(connection: ClientConnection) -> Iterator[dict]:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        told = connection.recv(10)
        if isinstance(told, str):
            yield json.loads(told)


def test_viewers_are_bounded_and_a_slow_one_holds_up_nobody(red_assistant: Assistant, clip: Path) -> None:
    with viewed(red_assistant, str(clip)) as (_, hub, view):
        many = [socket_of(view) for _ in range(MAX_VIEWERS)]
        with socket_of(view) as late, pytest.raises(ConnectionClosed) as refused:
            late.recv(10)
        assert refused.value.rcvd is not None and refused.value.rcvd.code == 1013
        for one in many[1:]:
            one.close()
        pictures = [told for told in (many[0].recv(10) for _ in range(8)) if isinstance(told, bytes)]
        assert len(pictures) == 1  # the next comes only when this one is said to be shown
        many[0].send('{"kind": "shown"}')
        until(lambda: isinstance(many[0].recv(10), bytes))
        many[0].close()
        until(lambda: not hub._viewers)


def test_a_page_that_is_too_far_behind_is_sent_away() -> None:
    async def behind() -> bool:
        viewer = Viewer([])
        for number in range(MAX_BEHIND):
            viewer.offer(str(number))
        before = viewer.gone.is_set()
        viewer.offer("one more")
        return not before and viewer.gone.is_set()
    with ThreadPoolExecutor(1) as elsewhere:  # the browser's driver has an event loop in this thread
        assert elsewhere.submit(asyncio.run, behind()).result()


def test_a_waiting_question_can_be_cancelled_from_the_page(red_assistant: Assistant, clip: Path) -> None:
    loop = Loop(red_assistant, str(clip), LoopOptions(repeat=True))  # not started: questions wait
    with WebView(Hub(loop), HERE) as view, socket_of(view) as own:
        for _ in range(2):
            own.send('{"kind": "ask", "question": "What is this?", "point": null}')
        first, second = (next(told for told in texts(own) if told["kind"] == "started")["id"] for _ in range(2))
        own.send(json.dumps({"kind": "cancel", "id": first}))
        own.send(json.dumps({"kind": "cancel", "id": 10 ** 9}))
        own.send('{"kind": "forget"}')
        until(lambda: loop._waiting.queue[0].unwanted)
        with loop:
            ends = {}
            for told in texts(own):
                if told["kind"] in ("answered", "failed"):
                    ends[told["id"]] = told.get("reason", "answered")
                if len(ends) == 2:
                    break
    assert ends == {first: "cancelled", second: "answered"}


@pytest.mark.parametrize(("text", "expected"), [
    ("8080", Address("127.0.0.1", 8080)), ("0.0.0.0:80", Address("0.0.0.0", 80)), ("[::1]:1", Address("::1", 1)),
    ("board.local:9000", Address("board.local", 9000))])
def test_an_address_is_read(text: str, expected: Address) -> None:
    assert parse_address(text) == expected
    assert expected.loopback == (expected.host in ("127.0.0.1", "::1"))


@pytest.mark.parametrize("text", ["", "x", ":80", "70000", "::1:80", "host:", "1.5"])
def test_an_address_at_fault_is_one_line(text: str) -> None:
    with pytest.raises(Fault, match="HOST"):
        parse_address(text)
    ended = CliRunner().invoke(cli, ["glasses", "--web", text])
    assert ended.exit_code == 2 and "HOST" in ended.stderr


def test_a_port_that_is_taken_is_one_line(red_assistant: Assistant, clip: Path) -> None:
    with viewed(red_assistant, str(clip)) as (loop, _, view), pytest.raises(Fault, match="free"):
        WebView(Hub(loop), replace(view.address))


def test_the_command_prints_the_address_serves_and_ends(red_bundle: Path, red_pack: Path, clip: Path) -> None:
    words = [sys.executable, "-m", "pixsearch.apps.main", "glasses", "--camera", clip, "--repeat", "--web", "0",
             "--bundle", red_bundle, "--pack", red_pack, "--no-memory"]
    with subprocess.Popen([str(word) for word in words], stdin=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True) as process:
        assert process.stderr
        url = next(line.split()[1] for line in process.stderr if line.startswith("view"))
        assert get(Address(port=int(url.rstrip("/").rsplit(":", 1)[1]))).status == 200
        process.send_signal(signal.SIGTERM)
        process.stderr.read()
        assert process.wait(20) == 0


def test_a_view_of_a_clip_s_questions_is_refused(run: Run, clip: Path) -> None:
    ended = run("glasses", "--camera", clip, "--questions", clip, "--web")
    assert ended.exit_code == 2 and "--web" in ended.stderr
