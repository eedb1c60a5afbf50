"""The thread that reads the microphone, and gets a lost one back."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from pixsearch.edge.live.capture import Backoff
from pixsearch.edge.voice.audio import Samples
from pixsearch.edge.voice.devices import Heard, Microphone

WAIT_S = 0.1
SILENT_S = 2.0  # a microphone that gives nothing for so long is lost: silence is samples, too
BACKOFF = Backoff(first_s=0.1, longest_s=2.0)


@dataclass(frozen=True)
class Sound:
    """A frame, int16 (512,), and when it was read (`time.monotonic`)."""

    frame: Samples
    at: float


@dataclass(frozen=True)
class Lost:
    """The microphone went away, or is not there."""

    cause: str


@dataclass(frozen=True)
class Back:
    """The microphone gives sound, for the first time or again."""


@dataclass(frozen=True)
class Over:
    """There will be no more sound."""


Message = Sound | Lost | Back | Over


class Capture:
    """Reads a microphone on a thread of its own; `tell` is called from there and must not wait."""

    def __init__(self, microphone: Microphone, tell: Callable[[Message], None], backoff: Backoff = BACKOFF) -> None:
        self._microphone, self._tell, self._backoff = microphone, tell, backoff
        self._there: bool | None = None  # None: not known yet
        self._tries = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pixsearch-microphone", daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def close(self) -> None:
        """Stop; returns when the device is let go."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._listen()
            except EOFError:
                self._tell(Over())
                return
            except OSError as error:
                self._lose(str(error))
                self._stop.wait(self._backoff.pause(self._tries))
                self._tries += 1

    def _listen(self) -> None:
        """Read until stopped. Raises OSError when the device is lost, EOFError at the end of a file."""
        heard = self._microphone.open()
        try:
            self._read_all(heard)
        finally:
            heard.close()

    def _read_all(self, heard: Heard) -> None:
        last = time.monotonic()
        while not self._stop.is_set():
            frame, now = heard.read(WAIT_S), time.monotonic()
            if frame is not None:
                self._find()
                self._tell(Sound(frame, now))
                last = now
            elif now - last > SILENT_S:
                raise OSError(f"{self._microphone.name} gave nothing for {SILENT_S:g} s")

    def _find(self) -> None:
        if not self._there:
            self._there, self._tries = True, 0
            self._tell(Back())

    def _lose(self, cause: str) -> None:
        if self._there is not False:
            self._there = False
            self._tell(Lost(cause))
