"""The thread that speaks: in order, stopped at once when asked to, and not for ever when the device is gone."""

import queue
import threading
import time
from collections.abc import Callable, Iterable

from pixsearch.edge.live.capture import Backoff
from pixsearch.edge.voice.audio import Samples
from pixsearch.edge.voice.devices import Loudspeaker, Spoken

BLOCK_S = 0.04  # between two looks whether to go on
LINGER_S = 3.0  # that the device stays open after the last word
GIVE_UP_S = 4.0  # of trying to open a device: what was to be said then is late anyway
BACKOFF = Backoff(first_s=0.1, longest_s=1.0)


class Utterance:
    """Something to say.

    pieces   : the sound, int16, made while it is spoken
    about    : whatever it belongs to
    first_at : when its first sample is heard (`time.monotonic`); None before
    whole    : None until it ended; whether it was heard to its end
    """

    def __init__(self, pieces: Iterable[Samples], about: object = None) -> None:
        self.pieces, self.about = pieces, about
        self.first_at: float | None = None
        self.whole: bool | None = None
        self.trouble = ""
        self._unwanted = threading.Event()

    def stop(self) -> None:
        """Be quiet."""
        self._unwanted.set()

    @property
    def unwanted(self) -> bool:
        """Whether it was stopped."""
        return self._unwanted.is_set()

    def wait(self, seconds: float) -> bool:
        """Until stopped; True when it was."""
        return self._unwanted.wait(seconds)


class Player:
    """Speaks one utterance after another; `ended` is called from its thread for each."""

    def __init__(self, loudspeaker: Loudspeaker, rate: int, ended: Callable[[Utterance], None]) -> None:
        self._loudspeaker, self._rate, self._ended = loudspeaker, rate, ended
        self._waiting: queue.Queue[Utterance | None] = queue.Queue()
        self._now: Utterance | None = None
        self._spoken: Spoken | None = None
        self._thread = threading.Thread(target=self._run, name="pixsearch-loudspeaker", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def say(self, pieces: Iterable[Samples], about: object = None) -> Utterance:
        """Speak after what is being spoken; no pieces only open the device, so that it is ready."""
        utterance = Utterance(pieces, about)
        self._waiting.put(utterance)
        return utterance

    def hush(self) -> None:
        """Stop what is being spoken, and what waits."""
        for utterance in [*self._waiting.queue, self._now]:
            if utterance:
                utterance.stop()

    def close(self) -> None:
        """Stop; returns when the device is let go."""
        self.hush()
        self._waiting.put(None)
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        try:
            while True:
                try:
                    utterance = self._waiting.get(timeout=LINGER_S if self._spoken else None)
                except queue.Empty:
                    self._let_go()
                    continue
                if utterance is None:
                    return
                self._serve(utterance)
        finally:
            self._let_go()

    def _serve(self, utterance: Utterance) -> None:
        self._now = utterance
        try:
            self._speak(utterance)
        except Exception as error:  # whatever happens to one, the next is spoken
            utterance.trouble = str(error) or type(error).__name__
            self._let_go()
        self._now = None
        utterance.whole = not utterance.unwanted and not utterance.trouble
        self._ended(utterance)

    def _speak(self, utterance: Utterance) -> None:
        spoken = self._opened(utterance)
        heard_until = 0.0
        block = round(BLOCK_S * self._rate)
        for piece in utterance.pieces:
            for start in range(0, len(piece), block):
                if utterance.unwanted:
                    return self._let_go()
                part = piece[start : start + block]
                now = time.monotonic()
                spoken.write(part)
                utterance.first_at = utterance.first_at or now + spoken.latency_s
                heard_until = max(heard_until, now + spoken.latency_s) + len(part) / self._rate
        if utterance.wait(max(0.0, heard_until - time.monotonic())):
            self._let_go()

    def _opened(self, utterance: Utterance) -> Spoken:
        """The device. Raises OSError when it does not come back in time."""
        deadline, tries = time.monotonic() + GIVE_UP_S, 0
        while self._spoken is None:
            try:
                self._spoken = self._loudspeaker.open(self._rate)
            except OSError:
                pause = BACKOFF.pause(tries)
                if time.monotonic() + pause > deadline or utterance.wait(pause):
                    raise
                tries += 1
        return self._spoken

    def _let_go(self) -> None:
        spoken, self._spoken = self._spoken, None
        if spoken:
            spoken.close()
