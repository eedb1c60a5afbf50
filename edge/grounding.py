"""Names and numbers in an answer must come from somewhere: from the evidence or from the question.

A small language model that has read "Pekingese" may still say "Chihuahua", since it has seen more of them, and "10
years" where no evidence told an age. A word that the mounted packs know as the name of a thing, and a number, may be
said of a searched thing only where a search or the wearer said it.
"""

import re
from collections.abc import Callable

LONGEST_NAME = 4  # words
SUM = "together"  # after this word a number may be new

_WORD = re.compile(r"[^\W_]+")


class NameGuard:
    """Finds names and numbers that nothing supports in what is being said.

    is_name : whether a phrase in lower case, words parted by one space, is the name of something that is known
    """

    def __init__(self, is_name: Callable[[str], bool], question: str) -> None:
        self._is_name = is_name
        self._supported = _plain(question)
        self._known: dict[str, bool] = {}
        self.read_evidence = False

    def read(self, evidence: str) -> None:
        """Take evidence that a search has given: its words may be said from now on."""
        self._supported += "/" + _plain(evidence)
        self.read_evidence = True

    def unsupported(self, said: str) -> int | None:
        """Where in `said` the number or the longest name begins that ends it and that nothing supports; None if none.

        They are looked at once evidence was read: without a search the model speaks of what it sees.
        """
        words = list(_WORD.finditer(said))[-LONGEST_NAME:] if self.read_evidence else []
        if words and _is_number(words[-1].group()) and SUM not in said.lower():
            return None if self._is_supported(words[-1].group().lower()) else words[-1].start()
        for first in range(len(words)):
            phrase = " ".join(word.group().lower() for word in words[first:])
            if not self._is_supported(phrase) and self._names(phrase):
                return words[first].start()
        return None

    def _is_supported(self, phrase: str) -> bool:
        return any(f" {form} " in self._supported for form in (phrase, phrase.removesuffix("s"), phrase + "s"))

    def _names(self, phrase: str) -> bool:
        if phrase not in self._known:
            self._known[phrase] = self._is_name(phrase)
        return self._known[phrase]


def _is_number(word: str) -> bool:
    return any(map(str.isdigit, word))


def _plain(text: str) -> str:
    return f" {' '.join(_WORD.findall(text.lower()))} "
