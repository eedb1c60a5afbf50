"""What a voice session tells."""

from dataclasses import dataclass
from enum import StrEnum, auto


class VoiceState(StrEnum):
    """What the voice is doing."""

    WAITING = auto()  # for its word, or for the button
    LISTENING = auto()
    THINKING = auto()
    SPEAKING = auto()
    DEAF = auto()  # there is no microphone
    ENDED = auto()


@dataclass(frozen=True)
class StateChanged:
    """Another state, and why where it is a trouble."""

    state: VoiceState
    cause: str = ""


@dataclass(frozen=True)
class Woken:
    """The word, or the button."""

    by_word: bool


@dataclass(frozen=True)
class Understood:
    """A question was heard; words are "" where there were none in it."""

    words: str


@dataclass(frozen=True)
class Unanswered:
    """A question could not be answered, and why."""

    words: str
    reason: str


@dataclass(frozen=True)
class Replied:
    """An answer was spoken, or was to be.

    said                : what was spoken
    spoke_until ..      : moments of `time.monotonic`: the last word of the question, its words known, the answer
                          known, the first word of the answer heard (None: never)
    cut                 : somebody broke in, or the loudspeaker was lost
    """

    question: str
    said: str
    spoke_until: float
    understood_at: float
    answered_at: float
    first_word_at: float | None
    cut: bool
    trouble: str = ""

    @property
    def first_word_s(self) -> float | None:
        """Seconds from the last word of the question to the first of the answer."""
        return None if self.first_word_at is None else self.first_word_at - self.spoke_until


VoiceEvent = StateChanged | Woken | Understood | Unanswered | Replied
