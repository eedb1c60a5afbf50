"""Between one loop and many pages: each event is written once, and no slow page holds up another, or the loop."""

import asyncio
import json
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from pixsearch.apps.web import messages
from pixsearch.apps.web.messages import Ask, Cancel, Forget, Shown, Talk, Wish
from pixsearch.contract.faults import Fault
from pixsearch.edge.live import Answered, AnswerStarted, Event, Failed, HealthChanged, Loop, Seen, Ticket, View
from pixsearch.edge.voice.events import StateChanged, VoiceEvent

MAX_VIEWERS = 8
MAX_BEHIND = 64  # messages that wait for one page; one that is further behind is sent away, and may come again
KEPT = 6  # ends of questions that a new page is shown
HEALTH_S = 1.0


class Button(Protocol):
    """Push-to-talk, as a voice session has it."""

    def talk(self) -> None:
        """It is pressed."""

    def release(self) -> None:
        """It is let go."""


class Viewer:
    """One page; all of it happens on the server's event loop."""

    def __init__(self, greeting: list[str]) -> None:
        self._texts = deque(greeting)
        self._picture: bytes | None = None
        self._ready = True  # for a picture: the last one is on the page
        self._wake = asyncio.Event()
        self._wake.set()
        self.gone = asyncio.Event()  # it is to be sent away

    @property
    def wants_picture(self) -> bool:
        """Whether it has shown what it was given."""
        return self._ready and self._picture is None

    def offer(self, text: str) -> None:
        """Send a message when its turn comes."""
        if len(self._texts) >= MAX_BEHIND:
            self.gone.set()
        else:
            self._texts.append(text)
            self._wake.set()

    def offer_picture(self, picture: bytes) -> None:
        """Send a picture, unless a newer one comes before."""
        self._picture = picture
        self._wake.set()

    def shown(self) -> None:
        """The last picture is on the page."""
        self._ready = True
        self._wake.set()

    async def next(self) -> str | bytes:
        """What to send next: words before pictures."""
        while True:
            if self._texts:
                return self._texts.popleft()
            if self._picture is not None and self._ready:
                picture, self._picture, self._ready = self._picture, None, False
                return picture
            self._wake.clear()
            await self._wake.wait()


class Hub:
    """Tells all pages what the loop tells. Its methods belong to the server's event loop, unless they say otherwise.

    button : of the voice, where there is one; set it before pages come
    """

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self.button: Button | None = None
        self._open: dict[int, Ticket] = {}  # questions without an end
        self._viewers: set[Viewer] = set()
        self._kept: deque[str] = deque(maxlen=KEPT)
        self._voice = _text(messages.voice("waiting"))
        self._server: asyncio.AbstractEventLoop | None = None
        self._events = loop.subscribe()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._tell_all, name="pixsearch-web-hub", daemon=True)

    def start(self, server: asyncio.AbstractEventLoop) -> None:
        """Begin to tell; `server` is the event loop that pages are served on. From any thread."""
        self._server = server
        self._thread.start()

    def close(self) -> None:
        """Tell no more; returns when the thread has ended. From any thread."""
        self._closing.set()
        self._events.close()
        if self._thread.ident is not None:
            self._thread.join()

    def enter(self) -> Viewer | None:
        """A new page; None when there are too many."""
        if len(self._viewers) >= MAX_VIEWERS:
            return None
        hello = _text({"kind": "hello", "voice": self.button is not None, "source": self.loop.source})
        viewer = Viewer([hello, _text(messages.health(self.loop.health())), self._voice, *self._kept])
        self._viewers.add(viewer)
        if (view := self.loop.view()) is not None:
            viewer.offer_picture(messages.picture(view))
        return viewer

    def leave(self, viewer: Viewer) -> None:
        """A page is gone."""
        self._viewers.discard(viewer)

    def end_pages(self) -> None:
        """Send all pages away; from any thread."""
        self._hand(self._end_pages)

    def _end_pages(self) -> None:
        for viewer in self._viewers:
            viewer.gone.set()

    def heard(self, event: VoiceEvent) -> None:
        """What the voice tells; from any thread."""
        if isinstance(event, StateChanged):
            self._hand(self._keep_voice, _text(messages.voice(event.state.value, event.cause)))

    def fulfil(self, viewer: Viewer, wish: Wish) -> None:
        """Do what a page wishes; a refusal is told to that page alone."""
        try:
            match wish:
                case Shown():
                    viewer.shown()
                case Ask():
                    self._ask(wish)
                case Forget():
                    self.loop.forget()
                case Cancel(number) if number in self._open:
                    self._open[number].cancel()
                case Talk(pressed):
                    self._talk(pressed)
        except Fault as fault:
            viewer.offer(_text(messages.refused(str(fault))))

    def _ask(self, wish: Ask) -> None:
        view = self.loop.view()
        point = messages.in_pixels(wish.point, view.frame) if view is not None else None
        if wish.point and point is None:
            raise Fault("point", expected="a picture to point into", actual="none yet", remedy="wait for the camera")
        ticket = self.loop.ask(wish.question, point)
        self._watch(ticket)
        self._spread(_text(messages.started(ticket)))

    def _watch(self, ticket: Ticket) -> None:
        """Keep a question, so that it can be cancelled, until it has an end. From any thread."""
        self._open[ticket.id] = ticket
        ticket.add_done_callback(lambda _: self._open.pop(ticket.id, None))

    def _talk(self, pressed: bool) -> None:
        if self.button is None:
            raise Fault("voice", expected="a microphone", actual="started without --voice", remedy="type the question")
        if pressed:
            self.button.talk()
        else:
            self.button.release()

    def _tell_all(self) -> None:
        due = 0.0  # when the figures are told next
        while not self._closing.is_set():
            event = self._events.get(max(0.0, due - time.monotonic()))
            try:
                if event is not None:
                    self._tell(event)
                if (now := time.monotonic()) >= due:
                    self._tell_health()
                    due = now + HEALTH_S
            except Exception as error:  # one event that cannot be shown; the others can
                self._hand(self._spread, _text(messages.refused(f"{type(error).__name__}: {error}"[:200])))
            if event is None:
                self._closing.wait(0.05)  # the loop may have ended: its events come at once then, and are none

    def _tell_health(self) -> None:
        self._hand(self._spread, _text(messages.health(self.loop.health())))

    def _tell(self, event: Event) -> None:
        if isinstance(event, HealthChanged):
            self._tell_health()
        elif isinstance(event, Seen):
            self._show(event.view)
        elif isinstance(event, Answered):
            self._hand(self._keep, _text(messages.answered(event.ticket, event.answer)))
        elif told := messages.of_event(event):
            if isinstance(event, AnswerStarted):
                self._watch(event.ticket)
            self._hand(self._keep if isinstance(event, Failed) else self._spread, _text(told))

    def _show(self, view: View) -> None:
        """Draw and compress once, and only when somebody looks."""
        if any(viewer.wants_picture for viewer in tuple(self._viewers)):
            self._hand(self._spread_picture, messages.picture(view))

    def _hand(self, work: Callable[..., None], *arguments: Any) -> None:
        """Go on in the server's event loop, unless that has ended."""
        if self._server is None or self._server.is_closed():
            return
        self._server.call_soon_threadsafe(work, *arguments)

    def _keep(self, text: str) -> None:
        self._kept.append(text)
        self._spread(text)

    def _keep_voice(self, text: str) -> None:
        self._voice = text
        self._spread(text)

    def _spread(self, text: str) -> None:
        for viewer in self._viewers:
            viewer.offer(text)

    def _spread_picture(self, picture: bytes) -> None:
        for viewer in self._viewers:
            viewer.offer_picture(picture)


def _text(message: dict[str, Any]) -> str:
    return json.dumps(message)
