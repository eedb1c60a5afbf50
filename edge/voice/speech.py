"""Words to speech, a clause at a time, so that the first is heard while the next is made."""

import re
from collections.abc import Iterator

import numpy as np

from pixsearch.edge.voice.audio import Samples, to_int16

MAX_CHARS = 600  # of an answer that is spoken
CLAUSE_CHARS = 40  # shorter ones are spoken with the next
QUIET = 0.02  # what is softer at either end is cut off
EDGE_S = 0.03  # of it that stays
BREATH_S = 0.12  # between clauses

_END = re.compile(r"(?<=[.!?;:])\s+|(?<=,)\s+")
_MARKS = re.compile(r"[\[\]{}<>|/\\*_#`~^]+")  # signs that would be read out, or tell the engine how to say something


class Speech:
    """A voice; `rate` is in Hz."""

    def __init__(self) -> None:
        from hibari import Hibari

        self._voice = Hibari()
        self.rate = int(getattr(self._voice, "sample_rate", 24_000))
        self._make("Ready.")  # the first one is slow

    def say(self, text: str) -> Iterator[Samples]:
        """The text as sound, int16 (n,), a piece for each clause."""
        for clause in clauses(text):
            sound = self._make(clause)
            if len(sound):
                yield np.concatenate([sound, np.zeros(round(BREATH_S * self.rate), np.int16)])

    def _make(self, clause: str) -> Samples:
        sound = np.asarray(self._voice(clause, seed=0), np.float32)
        loud = np.flatnonzero(np.abs(sound) > QUIET)
        if not len(loud):
            return np.zeros(0, np.int16)
        edge = round(EDGE_S * self.rate)
        return to_int16(sound[max(0, loud[0] - edge) : loud[-1] + 1 + edge])


def clauses(text: str) -> list[str]:
    """Pieces that can be spoken on their own, at most 600 characters in all."""
    plain = " ".join(_MARKS.sub(" ", "".join(c if c.isprintable() else " " for c in text)).split())
    if len(plain) > MAX_CHARS:
        plain = plain[:MAX_CHARS].rsplit(" ", 1)[0]
    found: list[str] = []
    for piece in _END.split(plain):
        if found and (len(found[-1]) < CLAUSE_CHARS and not found[-1].endswith((".", "!", "?"))):
            found[-1] += f" {piece}"
        elif any(character.isalnum() for character in piece):
            found.append(piece)
    return found
