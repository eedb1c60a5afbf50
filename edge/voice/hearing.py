"""One question while it is heard: its words are guessed while the silence at its end is still running."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future

import numpy as np

from pixsearch.edge.voice.audio import Samples
from pixsearch.edge.voice.capture import Sound
from pixsearch.edge.voice.endpoint import EndPointer, Patience, Turn
from pixsearch.edge.voice.transcriber import Transcript

Transcribe = Callable[[Samples], "Future[Transcript]"]


class Hearing:
    """Follows one question.

    before      : frames that were heard already
    spoke_until : when the last word was heard (`time.monotonic`); None while there is none
    """

    def __init__(self, before: Sequence[Samples], patience: Patience, transcribe: Transcribe) -> None:
        self._frames = list(before)
        self._ends, self._transcribe = EndPointer(patience), transcribe
        self._guess: Future[Transcript] | None = None
        self.spoke_until: float | None = None

    def feed(self, sound: Sound, probability: float) -> Turn | None:
        """The next frame, and how likely it is speech."""
        self._frames.append(sound.frame)
        turn = self._ends.feed(probability)
        if self._ends.speaking:
            self.spoke_until = sound.at
        if turn is Turn.PAUSED:
            self._guess = self._transcribe(np.concatenate(self._frames))
        elif turn is Turn.WENT_ON:
            self.drop()
        return turn

    def end(self) -> "Future[Transcript]":
        """Its words; what was guessed in the last silence is taken, for nothing was said since."""
        return self._guess or self._transcribe(np.concatenate(self._frames))

    def drop(self) -> None:
        """Forget a guess."""
        if self._guess:
            self._guess.cancel()
        self._guess = None
