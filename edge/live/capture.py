"""The thread that reads the camera: it never waits for anyone, and gets a lost camera back."""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from pixsearch.contract.faults import Fault
from pixsearch.contract.images import Pixels
from pixsearch.edge.live.camera import Camera
from pixsearch.edge.live.cameras import is_live, open_camera
from pixsearch.edge.live.health import State
from pixsearch.edge.live.latest import Latest

LATE_S = 0.5  # a clip that is behind by more than this goes on from where it is
RATE_WINDOW_S = 4.0
MISSING_FRAMES = 3  # a clip that ends by more than so many frames early was cut off


@dataclass(frozen=True)
class Captured:
    """A frame, uint8 RGB (H, W, 3), its number, and when it came (`time.monotonic`)."""

    pixels: Pixels
    number: int
    at: float


@dataclass(frozen=True)
class Backoff:
    """Pauses before a lost camera is tried again, in seconds: doubled from first to longest."""

    first_s: float = 0.25
    longest_s: float = 5.0

    def pause(self, tries: int) -> float:
        """After so many tries that failed."""
        return float(min(self.longest_s, self.first_s * 2 ** min(tries, 16)))


class Rate:
    """Frames a second over the last seconds."""

    def __init__(self) -> None:
        self._moments: deque[float] = deque(maxlen=1000)
        self._lock = threading.Lock()

    def count(self, moment: float) -> None:
        """One frame came."""
        with self._lock:
            self._moments.append(moment)

    def per_second(self, now: float) -> float:
        """How many came in the window that ends now."""
        with self._lock:
            recent = [moment for moment in self._moments if now - moment <= RATE_WINDOW_S]
        if len(recent) < 2:
            return 0.0
        return (len(recent) - 1) / (now - recent[0]) if now > recent[0] else 0.0


class Capture:
    """Reads a source on a thread of its own into a slot with the latest frame."""

    def __init__(self, source: str, wanted_fps: Callable[[], float], repeat: bool = False,
                 backoff: Backoff | None = None) -> None:
        """wanted_fps : frames a second that somebody will look at; the others are passed over undecoded."""
        self.frames: Latest[Captured] = Latest()
        self.rate = Rate()
        self.state, self.cause = State.CONNECTING, ""
        self.losses = self.tries = 0
        self.last_at: float | None = None
        self.fps: float | None = None
        self._source, self._live, self._repeat = source, is_live(source), repeat
        self._wanted_fps, self._backoff = wanted_fps, backoff or Backoff()
        self._stop = threading.Event()
        self.number = 0  # of the frame that comes next
        self._shown = 0  # frames of a clip that have been: one that was cut off goes on there
        self._thread = threading.Thread(target=self._run, name="pixsearch-capture", daemon=True)

    @property
    def alive(self) -> bool:
        """Whether it reads, or has read all that there is."""
        return self._thread.is_alive() or self.state is State.ENDED

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def close(self, timeout: float = 10.0) -> None:
        """Stop reading and release the camera; waits for a read that is under way."""
        self._stop.set()
        self.frames.close()
        if self._thread.ident is not None:
            self._thread.join(timeout)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                camera = open_camera(self._source)
            except Exception as error:  # whatever a driver raises: the camera is not there now
                self._lose(str(error) if isinstance(error, Fault) else f"{type(error).__name__}: {error}")
                continue
            try:
                whole = self._read(camera)
            except Exception as error:
                whole, self.cause = False, f"{type(error).__name__}: {error}"
            finally:
                camera.close()
            if self._stop.is_set():
                break
            if not whole:
                self._lose(self.cause or "the stream broke off")
            elif not self._repeat:
                break
            else:
                self._shown = 0
        self.state = State.ENDED

    def _lose(self, cause: str) -> None:
        if self.state is not State.LOST:
            self.losses += self.last_at is not None
            self.tries = 0
        self.state, self.cause = State.LOST, cause
        self._stop.wait(self._backoff.pause(self.tries))
        self.tries += 1

    def _read(self, camera: Camera) -> bool:
        """Until it ends; returns whether it ended as it should, as a clip does."""
        self.fps, taken = camera.fps, -1.0
        if not camera.live and not all(camera.skip() for _ in range(self._shown)):
            return False
        start = time.monotonic() - self._shown / camera.fps
        while not self._stop.is_set():
            if not camera.live:
                start = self._wait_until(start + self._shown / camera.fps, start)
            wanted = time.monotonic() - taken >= 1 / self._wanted_fps() - 0.5 / camera.fps
            frame = camera.read() if wanted else None
            if (frame is None) if wanted else not camera.skip():
                return not camera.live and (camera.frames is None or self._shown + MISSING_FRAMES >= camera.frames)
            now = time.monotonic()
            self._came(now)
            if frame is not None:
                taken = now
                self.frames.put(Captured(frame, self.number - 1, now))
        return True

    def _wait_until(self, due: float, start: float) -> float:
        """Wait for a frame's time; returns when the clip began, put later if it is far behind."""
        late = time.monotonic() - due
        if late < 0:
            self._stop.wait(-late)
        return start + late if late > LATE_S else start

    def _came(self, now: float) -> None:
        self.number, self._shown = self.number + 1, self._shown + 1
        self.last_at = now
        self.rate.count(now)
        if self.state is not State.STREAMING:
            self.state, self.cause, self.tries = State.STREAMING, "", 0
