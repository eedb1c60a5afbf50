"""The thread that looks at frames: gate, vision graph, and the region that an answer is pinned to."""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import cv2
import numpy as np
from numpy.typing import NDArray

from pixsearch.edge.live.capture import Captured, Rate
from pixsearch.edge.live.events import View
from pixsearch.edge.live.gate import MotionGate
from pixsearch.edge.live.latest import Latest
from pixsearch.edge.live.pace import STILL_FPS, Pace
from pixsearch.edge.live.proactive import Attention
from pixsearch.edge.perception import Perception
from pixsearch.edge.tracking import RegionTracker

KEPT_FRAMES = 40  # small ones, so that an answer's region can be followed from its question's frame to now
STILL_AFTER_S = 1.0  # without motion, before frames are taken less often
TICK_S = 0.25

Perceive = Callable[[NDArray[np.uint8]], Perception]


@dataclass(frozen=True)
class Pin:
    """A region that an answer belongs to, followed from frame to frame."""

    tracker: RegionTracker
    label: str | None
    ticket_id: int


class Sight:
    """Perceives the newest frame, again and again; `show` gets each view."""

    def __init__(self, frames: Latest[Captured], perceive: Perceive, pace: Pace, show: Callable[[View], None],
                 attention: Attention | None) -> None:
        self._frames, self._perceive, self.pace, self._show = frames, perceive, pace, show
        self._attention = attention
        self._gate = MotionGate()
        self._lock = threading.Lock()  # over what other threads set and read
        self._pin: Pin | None = None
        self._view: View | None = None
        self._kept: deque[tuple[int, NDArray[np.uint8]]] = deque(maxlen=KEPT_FRAMES)
        self._perception: tuple[int, Perception] | None = None  # of the last frame that went through the vision graph
        self._overlay_ms: deque[float] = deque(maxlen=200)
        self.perceived, self.encoded = Rate(), Rate()
        self.working_since: float | None = None
        self.cause = ""  # of the last frame that could not be perceived
        self._busy_s = 0.0
        self._moved_at = time.monotonic()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pixsearch-perceive", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def close(self, timeout: float = 10.0) -> None:
        """Stop looking."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(timeout)

    @property
    def alive(self) -> bool:
        """Whether its thread runs."""
        return self._thread.is_alive()

    def view(self) -> View | None:
        """The latest."""
        with self._lock:
            return self._view

    def latest(self) -> tuple[View, Perception | None] | None:
        """The latest view, with its encoding where the vision graph has seen it, or one just like it."""
        with self._lock:
            if self._view is None:
                return None
            known = self._perception and (self._view.still or self._perception[0] == self._view.number)
            return self._view, self._perception[1] if self._perception and known else None

    def pin(self, tracker: RegionTracker, number: int, label: str | None, ticket_id: int) -> None:
        """Follow a region, first through the frames that came since the one with this number."""
        with self._lock:
            missed = [small for kept, small in self._kept if kept > number]
        for small in missed[::2]:
            tracker.glance(small)
        with self._lock:
            self._pin = Pin(tracker, label, ticket_id)
        self._gate.forget()

    def unpin(self) -> None:
        """Follow nothing."""
        with self._lock:
            self._pin = None
        self._gate.forget()

    def wanted_fps(self) -> float:
        """How many frames a second are worth reading now."""
        still = time.monotonic() - self._moved_at > STILL_AFTER_S
        return min(self.pace.level.fps, STILL_FPS) if still else self.pace.level.fps

    def overlay_ms(self) -> float | None:
        """Median milliseconds from a frame to its view."""
        recent = list(self._overlay_ms)
        return median(recent) if recent else None

    def take_busy_s(self) -> float:
        """Seconds of work since this was asked last."""
        busy, self._busy_s = self._busy_s, 0.0
        return busy

    def _run(self) -> None:
        while not self._stop.is_set():
            captured = self._frames.take(TICK_S)
            if captured is None:
                continue
            began = self.working_since = time.monotonic()
            try:
                view = self._look(captured)
            except Exception as error:  # a graph that was interrupted, or fails: the next frame may be well
                self.cause = f"{type(error).__name__}: {error}"
                continue
            finally:
                self.working_since = None
                self._busy_s += time.monotonic() - began
            self.perceived.count(view.perceived_at)
            self._overlay_ms.append(1000 * (view.perceived_at - view.captured_at))
            self._show(view)

    def _look(self, captured: Captured) -> View:
        frame = captured.pixels
        moved = self._gate.moved(frame)
        with self._lock:
            pin, last = self._pin, self._view
        if moved or last is None or last.frame.shape != frame.shape:
            self._moved_at = time.monotonic()
            mask, lost = self._follow(captured, pin)
        else:
            mask, lost = last.mask, last.lost
        if self._attention and self._perception:
            self._attention.look(self._perception[1], moved)
        view = View(frame, captured.number, captured.at, time.monotonic(), mask, pin.label if pin else None,
                    pin.ticket_id if pin else None, lost, not moved)
        with self._lock:
            self._view = view
        return view

    def _follow(self, captured: Captured, pin: Pin | None) -> tuple[NDArray[np.bool_] | None, bool]:
        perception = self._perceive(captured.pixels)
        self.encoded.count(time.monotonic())
        with self._lock:
            self._perception = captured.number, perception
            self._kept.append((captured.number, _small(captured.pixels, self.pace.level.side)))
        if pin is None:
            return None, False
        track = pin.tracker.update(perception)
        return track.mask, track.lost


def _small(frame: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    height, width = frame.shape[:2]
    scale = min(1.0, side / max(height, width))
    return np.asarray(cv2.resize(frame, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_AREA),
                      np.uint8)
