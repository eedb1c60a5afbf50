"""The glasses' loop: camera, perception and answers on threads of their own, watched by a fourth."""

import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import psutil
from numpy.typing import NDArray

from pixsearch.contract.faults import Fault
from pixsearch.contract.tokenizer import Turn
from pixsearch.edge.answer import Answer, SearchRecord
from pixsearch.edge.answering import Answering
from pixsearch.edge.inputs import Box, Point, check_box, check_point, check_question
from pixsearch.edge.language import reserve
from pixsearch.edge.listener import Listener, Stopped
from pixsearch.edge.live.capture import Backoff, Capture
from pixsearch.edge.live.events import (
    Answered,
    AnswerStarted,
    Bus,
    Failed,
    HealthChanged,
    Said,
    Searched,
    Seen,
    Subscription,
    View,
)
from pixsearch.edge.live.health import MB, Figures, Health, Limits, State, alarms
from pixsearch.edge.live.pace import Pace, hottest_c
from pixsearch.edge.live.proactive import Attention
from pixsearch.edge.live.sight import Sight
from pixsearch.edge.live.tickets import Ticket
from pixsearch.edge.perception import Perception
from pixsearch.edge.tracking import RegionTracker

MAX_WAITING = 4  # questions that wait for their turn
FRESH_S = 2.0  # how old the picture of a question may be
FIRST_FRAME_S = 10.0  # how long a question waits for the camera
WATCH_S = 0.25
PACE_S = 1.0
STANDSTILL = 2.0  # times the limit of a stuck engine, after which ending it did not help
SETTLED_S = 3.0  # of streaming, before a rate is called usual


@dataclass(frozen=True)
class LoopOptions:
    """How a loop behaves.

    repeat    : a clip begins again at its end
    proactive : see `live.proactive`
    storage   : folder whose disk is watched
    """

    repeat: bool = False
    proactive: bool = False
    storage: Path | None = None
    limits: Limits = field(default_factory=Limits)
    backoff: Backoff = field(default_factory=Backoff)


class Loop:
    """Looks, and answers. Use it as a context manager; all methods may be called from any thread.

    assistant : what answers; the caller closes it after the loop
    source    : see `cameras.open_camera`; one that is not there now is tried until it is
    """

    def __init__(self, assistant: Answering, source: str, options: LoopOptions | None = None) -> None:
        self.assistant, self.source, self.options = assistant, source, options or LoopOptions()
        self._bus = Bus()
        self._pace = Pace(self.options.limits.warm_board_c)
        self._capture = Capture(source, self._wanted_fps, self.options.repeat, self.options.backoff)
        attention = Attention(assistant.library, assistant.bundle.calibration.sure,
                              self._bus.publish) if self.options.proactive else None
        self._sight = Sight(self._capture.frames, assistant.perceive, self._pace, self._show, attention)
        self._waiting: queue.Queue[Ticket | None] = queue.Queue()
        self._answering: tuple[Ticket, float] | None = None
        self._told = self._watched = Health(State.CONNECTING)
        self._usual_fps: float | None = None
        self._counting = threading.Lock()
        self._open = 0  # questions that have no end yet
        self._started = time.monotonic()
        self._closing = threading.Event()
        self._process = psutil.Process()
        self._threads = [threading.Thread(target=work, name=f"pixsearch-{name}", daemon=True)
                         for name, work in (("answer", self._answer_all), ("watch", self._watch))]

    @property
    def captured(self) -> int:
        """How many frames the camera has given."""
        return self._capture.number

    @property
    def busy(self) -> bool:
        """Whether a question waits or is being answered."""
        return self._open > 0

    @property
    def alive(self) -> bool:
        """Whether all threads go on: an answer or a perception that could not be ended in time is a standstill."""
        running = all(thread.is_alive() for thread in self._threads) and self._capture.alive and self._sight.alive
        return running and self._busy_s(time.monotonic()) < STANDSTILL * self.options.limits.stuck_engine_s

    @property
    def running_s(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._started

    def start(self) -> None:
        """Start the threads."""
        self._started = time.monotonic()
        self._capture.start()
        self._sight.start()
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Stop everything, whatever is under way; returns when the threads have ended."""
        if self._closing.is_set():
            return
        self._closing.set()
        if (now := self._answering) is not None:
            now[0].cancel()
        self._waiting.put(None)
        self._capture.close()
        self._sight.close()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()
        self._bus.publish(HealthChanged(self.health()))
        self._bus.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def ask(self, question: str, point: Sequence[float] | None = None, box: Sequence[float] | None = None,
            frame: NDArray[np.uint8] | None = None, history: Sequence[Turn] = ()) -> Ticket:
        """Ask about what is seen when the question's turn comes, or about a frame of one's own; returns at once.

        point, box : in pixels of the frame, which must have come by then
        frame      : uint8 RGB (H, W, 3)
        Raises Fault for what cannot be asked, and when too many questions wait.
        """
        question = check_question(question)
        shown = frame if frame is not None else view.frame if (view := self.view()) else None
        if shown is not None:
            height, width = shown.shape[:2]
            point = None if point is None else check_point(point, height, width)
            box = None if box is None else check_box(box, height, width)
        if self._waiting.qsize() >= MAX_WAITING or self._closing.is_set():
            raise Fault("question", expected=f"at most {MAX_WAITING} that wait", actual="more, or an ended loop",
                        remedy="ask again in a moment")
        ticket = Ticket(question, _pair(point), _quadruple(box), frame, history)
        with self._counting:
            self._open += 1
        self._waiting.put(ticket)
        return ticket

    def subscribe(self, *kinds: type, size: int = 256) -> Subscription:
        """Events of these kinds from now on, all when none is named; at most `size` wait, see `events.Subscription`."""
        return self._bus.subscribe(*kinds, size=size)

    def view(self) -> View | None:
        """The latest perceived frame; None before the first."""
        return self._sight.view()

    def forget(self) -> None:
        """Let the picture go on without the last answer."""
        self._sight.unpin()

    def health(self) -> Health:
        """How things are at this moment: a stream that is silent is never called streaming."""
        now, capture, limits = time.monotonic(), self._capture, self.options.limits
        silent = None if capture.last_at is None else now - capture.last_at
        state = capture.state
        if self._closing.is_set():
            state = State.ENDED
        elif state is State.STREAMING and silent is not None and silent > limits.no_frame_s:
            state = State.STALLED
        figures = self._figures(now)
        return Health(state, capture.cause or self._sight.cause, alarms(limits, state, silent, figures),
                      capture.losses, capture.tries, silent, figures)

    def _figures(self, now: float) -> Figures:
        storage = self.options.storage
        return Figures(
            capture_fps=self._capture.rate.per_second(now), perceived_fps=self._sight.perceived.per_second(now),
            encoded_fps=self._sight.encoded.per_second(now), usual_fps=self._usual_fps,
            overlay_ms=self._sight.overlay_ms(), busy_s=self._busy_s(now),
            disk_mb=psutil.disk_usage(str(storage)).free / MB if storage else None, hottest_c=hottest_c(),
            memory_mb=self._process.memory_info().rss / MB, level=self._pace.number)

    def _busy_s(self, now: float) -> float:
        began = [moment for moment in (self._sight.working_since, (self._answering or (None, None))[1]) if moment]
        return now - min(began) if began else 0.0

    def _wanted_fps(self) -> float:
        return self._sight.wanted_fps()

    def _show(self, view: View) -> None:
        self._bus.publish(Seen(view))

    def _answer_all(self) -> None:
        with suppress(Exception):  # the first question will tell what is wrong with a graph
            reserve(self.assistant.bundle)
        while (ticket := self._waiting.get()) is not None:
            self._serve(ticket)
        while (ticket := self._left()) is not None:
            self._serve(ticket)

    def _serve(self, ticket: Ticket) -> None:
        """Bring one question to its end, whatever happens."""
        self._answering = ticket, time.monotonic()
        try:
            if self._closing.is_set() or not ticket.set_running_or_notify_cancel():
                raise Stopped
            answer = self._answer(ticket)
        except Exception as error:
            self._fail(ticket, error)
        else:
            ticket.set_result(answer)
            self._bus.publish(Answered(ticket, answer))
        finally:
            self._answering = None
            with self._counting:
                self._open -= 1

    def _left(self) -> Ticket | None:
        try:
            return self._waiting.get_nowait()
        except queue.Empty:
            return None

    def _fail(self, ticket: Ticket, error: Exception) -> None:
        if isinstance(error, Stopped) or ticket.unwanted:
            reason, error = "cancelled", CancelledError()
        elif isinstance(error, Fault):
            reason = str(error)
        else:
            error = Fault("answer", expected="one from the model", actual=f"{type(error).__name__}: {error}"[:200],
                          remedy="ask again")
            reason = str(error)
        if not ticket.done():
            ticket.set_exception(error)
        self._bus.publish(Failed(ticket, reason))

    def _answer(self, ticket: Ticket) -> Answer:
        perception = None
        if ticket.frame is None:
            view, perception = self._fresh()
            ticket.frame, ticket.number = view.frame, view.number
        frame = ticket.frame
        self._bus.publish(AnswerStarted(ticket))

        def found(record: SearchRecord) -> None:
            self._pin(ticket, frame, record)
            self._bus.publish(Searched(ticket, record))

        listener = Listener(self._teller(ticket), found, lambda: ticket.unwanted)
        return self.assistant.ask(frame, ticket.question, point=ticket.point, box=ticket.box, perception=perception,
                                  history=ticket.history, listener=listener)

    def _fresh(self) -> tuple[View, Perception | None]:
        """What is seen now. Raises Fault when the camera gives nothing, or nothing new."""
        deadline = time.monotonic() + FIRST_FRAME_S
        while not self._closing.is_set():
            seen, health = self._sight.latest(), self.health()
            silent = health.silent_s if health.state is not State.ENDED else 0.0  # the last picture of a clip stays
            if seen and silent is not None and silent <= FRESH_S:
                return seen
            if health.state is State.ENDED or time.monotonic() >= deadline:
                raise Fault(f"camera {self.source}", expected="a picture to ask about",
                            actual=f"{health.state}, {health.cause or 'no new picture'}", remedy="check the camera")
            time.sleep(0.02)
        raise Stopped

    def _teller(self, ticket: Ticket) -> Callable[[str], None]:
        said = ""

        def tell(text: str) -> None:
            nonlocal said
            if text != said:
                said = text
                self._bus.publish(Said(ticket, text))
        return tell

    def _pin(self, ticket: Ticket, frame: NDArray[np.uint8], record: SearchRecord) -> None:
        """Follow what was cut out; a frame that did not come from the camera has no next one."""
        if record.segment is None or record.mask is None or ticket.number is None:
            return
        label = record.hits[0].entity if record.hits else record.words
        self._sight.pin(RegionTracker(self.assistant.bundle, frame, record.segment), ticket.number, label, ticket.id)

    def _watch(self) -> None:
        paced = interrupted = 0.0
        streaming_since: float | None = None
        while not self._closing.wait(WATCH_S):
            now, health = time.monotonic(), self.health()
            if not health.same_kind(self._told):
                self._told = health
                self._bus.publish(HealthChanged(health))
            limit = self.options.limits.stuck_engine_s
            if health.figures.busy_s > limit and now - interrupted > limit:
                interrupted = now
                self.assistant.bundle.interrupt()
                if (answering := self._answering) is not None:
                    answering[0].cancel()
            streaming_since = (streaming_since or now) if health.state is State.STREAMING else None
            if streaming_since and now - streaming_since >= SETTLED_S:
                self._usual_fps = max(self._usual_fps or 0.0, min(health.figures.capture_fps, self._capture.fps or 0.0))
            if now - paced >= PACE_S:
                self._pace.adapt(self._sight.take_busy_s() / (now - paced), health.figures.hottest_c, now)
                paced = now


def _pair(values: Sequence[float] | None) -> Point | None:
    return None if values is None else (float(values[0]), float(values[1]))


def _quadruple(values: Sequence[float] | None) -> Box | None:
    return None if values is None else (float(values[0]), float(values[1]), float(values[2]), float(values[3]))
