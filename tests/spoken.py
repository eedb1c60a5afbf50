"""Builders for tests of the voice: real speech, and devices that fail when told to."""

import time
from collections import deque
from collections.abc import Callable, Sequence

import numpy as np

from pixsearch.edge.voice.audio import FRAME_S, FRAME_SAMPLES, SAMPLE_RATE, Samples
from pixsearch.edge.voice.speech import Speech

STEP = 3, 2  # from the voice's 24 kHz to 16 kHz


def at_16_khz(sound: Samples) -> Samples:
    """Linear interpolation: good enough for words to be understood."""
    moments = np.arange(0, len(sound) - 1, STEP[0] / STEP[1])
    return np.interp(moments, np.arange(len(sound)), sound).astype(np.int16)


def say(speech: Speech, *parts: str | float) -> Samples:
    """Sentences, and silences in seconds between them, at 16 kHz."""
    sounds = [np.zeros(round(part * SAMPLE_RATE), np.int16) if isinstance(part, float)
              else at_16_khz(np.concatenate(list(speech.say(part)))) for part in parts]
    return np.concatenate(sounds)


class Dialogue:
    """A microphone that hears what it is given with `hear`, and silence in between, four times as fast as real ones."""

    name = "dialogue"

    def __init__(self) -> None:
        self._frames: deque[Samples] = deque()

    def hear(self, sound: Samples) -> None:
        whole = np.pad(sound, (0, -len(sound) % FRAME_SAMPLES))
        self._frames.extend(whole.reshape(-1, FRAME_SAMPLES))

    @property
    def busy(self) -> bool:
        """Whether not all was heard."""
        return bool(self._frames)

    def open(self) -> "Dialogue":
        return self

    def read(self, wait_s: float) -> Samples:
        time.sleep(FRAME_S / 4)
        return self._frames.popleft() if self._frames else np.zeros(FRAME_SAMPLES, np.int16)

    def close(self) -> None:
        """Nothing is held."""


class Devices:
    """Opens devices one after another; each is what its function makes, or the error that it is."""

    name = "test device"

    def __init__(self, *makers: Callable[[], object] | OSError) -> None:
        self._makers = list(makers)
        self.opened: list[object] = []

    def open(self, rate: int = 0) -> object:
        maker = self._makers.pop(0) if len(self._makers) > 1 else self._makers[0]
        if isinstance(maker, OSError):
            raise maker
        self.opened.append(maker())
        return self.opened[-1]


class Reads:
    """An open microphone that gives so many frames, then does what `then` is: an error, or None for nothing."""

    def __init__(self, frames: int, then: Exception | None) -> None:
        self._left, self._then, self.closed = frames, then, False

    def read(self, wait_s: float) -> Samples | None:
        self._left -= 1
        if self._left >= 0:
            return np.full(FRAME_SAMPLES, 7, np.int16)
        if self._then:
            raise self._then
        time.sleep(wait_s)
        return None

    def close(self) -> None:
        self.closed = True


class Plays:
    """An open loudspeaker, at once, that is lost after so many writes."""

    latency_s = 0.0

    def __init__(self, writes: int = 10**9) -> None:
        self._left, self.played, self.closed = writes, 0, False

    def write(self, samples: Sequence[int]) -> None:
        self._left -= 1
        if self._left < 0:
            raise OSError("unplugged")
        self.played += len(samples)

    def close(self) -> None:
        self.closed = True
