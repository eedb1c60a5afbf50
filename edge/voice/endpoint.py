"""When a spoken question begins and ends."""

import math
from dataclasses import dataclass
from enum import StrEnum, auto

from pixsearch.edge.voice.audio import FRAME_S


class Turn(StrEnum):
    """What became clear with a frame."""

    BEGAN = auto()  # somebody speaks
    PAUSED = auto()  # a silence that may be the end: time to begin guessing the words
    WENT_ON = auto()  # it was not
    ENDED = auto()  # it was
    NOBODY = auto()  # nobody spoke in time


@dataclass(frozen=True)
class Patience:
    """Limits of a spoken question, in seconds; probabilities between which nothing changes."""

    begin_s: float = 6.0  # for the first word
    pause_s: float = 0.19  # of silence, before guessing
    end_s: float = 0.48  # of silence, at the end
    longest_s: float = 12.0
    least_s: float = 0.1  # of speech: less is a click
    speech: float = 0.5
    silence: float = 0.35


class EndPointer:
    """Follows one question; a new one is made for each."""

    def __init__(self, patience: Patience | None = None) -> None:
        self._patience = patience or Patience()
        self._frames = self._speech = self._silent = 0
        self._speaking = self._began = False

    def feed(self, probability: float) -> Turn | None:
        """The next frame's probability of speech, 0..1."""
        limits = self._patience
        self._frames += 1
        self._speaking = probability >= (limits.silence if self._speaking else limits.speech)
        if self._speaking:
            return self._speak()
        self._silent += 1
        if not self._began:
            return self._unless_begun(limits)
        if self._silent == _frames(limits.end_s) or self._frames >= _frames(limits.longest_s):
            return Turn.ENDED if self._speech >= _frames(limits.least_s) else Turn.NOBODY
        return Turn.PAUSED if self._silent == _frames(limits.pause_s) else None

    @property
    def speaking(self) -> bool:
        """Whether the last frame was speech."""
        return self._speaking

    def _speak(self) -> Turn | None:
        resumed = self._began and self._silent >= _frames(self._patience.pause_s)
        self._silent = 0
        self._speech += 1
        if not self._began:
            self._began = True
            return Turn.BEGAN
        if self._frames >= _frames(self._patience.longest_s):
            return Turn.ENDED
        return Turn.WENT_ON if resumed else None

    def _unless_begun(self, limits: Patience) -> Turn | None:
        return Turn.NOBODY if self._frames >= _frames(limits.begin_s) else None


def _frames(seconds: float) -> int:
    return math.ceil(seconds / FRAME_S)
