"""A live view over a loop, for tests of its server and of its page."""

from collections.abc import Iterator
from contextlib import contextmanager

from pixsearch.apps.web.address import Address
from pixsearch.apps.web.hub import Hub
from pixsearch.apps.web.server import WebView
from pixsearch.edge.assistant import Assistant
from pixsearch.edge.live import Loop, LoopOptions

HERE = Address(port=0)


@contextmanager
def viewed(assistant: Assistant, source: str, address: Address = HERE) -> Iterator[tuple[Loop, Hub, WebView]]:
    with Loop(assistant, source, LoopOptions(repeat=True)) as loop:
        hub = Hub(loop)
        with WebView(hub, address) as view:
            yield loop, hub, view
