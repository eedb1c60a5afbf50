"""The word that wakes: openWakeWord's detector, run only while somebody speaks."""

from collections import deque

import numpy as np

from pixsearch.edge.voice.audio import FRAME_SAMPLES, SAMPLE_RATE, Samples

THRESHOLD = 0.5
BACKLOG_S = 0.64  # of sound before speech was noticed that is looked through, too
AWAKE_S = 1.0  # after the last speech
WORDS = ("hey jarvis", "okay nabu", "hey mycroft", "alexa", "hey rhasspy")  # that come with the detector
REST_S = 1.0  # after a hit: one word wakes once


class WakeWord:
    """Listens for one of the words that the detector knows."""

    def __init__(self, words: str = "hey jarvis") -> None:
        """words : one of WORDS."""
        from pyopen_wakeword import Model, OpenWakeWord, OpenWakeWordFeatures

        self.words = words
        self._features = OpenWakeWordFeatures.from_builtin()
        self._word = OpenWakeWord.from_builtin(Model(words.replace(" ", "_")))
        self._backlog: deque[Samples] = deque(maxlen=round(BACKLOG_S * SAMPLE_RATE / FRAME_SAMPLES))
        self._active = self._resting = 0  # frames left
        warm = np.zeros(FRAME_SAMPLES, np.int16)
        for _ in range(3):
            self._score(warm)

    def feed(self, frame: Samples, speech: bool) -> bool:
        """Whether the words end here. frame : int16 (512,); speech : whether somebody speaks in it."""
        self._resting = max(0, self._resting - 1)
        if self.likelihood(frame, speech) < THRESHOLD or self._resting:
            return False
        self._resting = _frames(REST_S)
        return True

    def likelihood(self, frame: Samples, speech: bool) -> float:
        """How likely the words end here, 0..1; 0 while nobody speaks. See `feed`."""
        self._active = _frames(AWAKE_S) if speech else self._active - 1
        if self._active <= 0:
            self._backlog.append(frame)
            return 0.0
        sound = np.concatenate([*self._backlog, frame])
        self._backlog.clear()
        return self._score(sound)

    def close(self) -> None:
        """Free the detector."""
        self._word.close()
        self._features.close()

    def _score(self, sound: Samples) -> float:
        found = [probability for features in self._features.process_streaming(sound.tobytes())
                 for probability in self._word.process_streaming(features)]
        return max(found, default=0.0)


def _frames(seconds: float) -> int:
    return round(seconds * SAMPLE_RATE / FRAME_SAMPLES)
