"""The turns of a conversation: what they were about stays addressable, as "it" or by order, in view or not any more.

Earlier turns are not put into the model's prompt here: the shipped model answers a question about "it" worse with them
than with the region that is meant.
"""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass

from pixsearch.contract.images import Pixels
from pixsearch.edge.answer import Answer, SearchRecord
from pixsearch.edge.outline import deepest_point
from pixsearch.edge.perception import Perception, Segment
from pixsearch.edge.retrieval import TRUSTED_MASK

MAX_TURNS = 8
FORGOTTEN_AFTER_S = 180.0

_ORDINALS = {"first": 0, "second": 1, "third": 2, "last": -1, "previous": -1, "one before": -2}
_ONE = r"(?:one|thing|object|item)"
_BY_ORDER = re.compile(rf"\bthe (?:(?P<order>first|second|third|last|previous) {_ONE}|(?P<before>one before))\b",
                       re.IGNORECASE)
_THE_OTHER = re.compile(rf"\bthe other {_ONE}\b", re.IGNORECASE)
_BACK = re.compile(r"\b(?:it's|its|it|they|them|their|that one|this one|he|him|his|she|her)\b", re.IGNORECASE)
_POSSESSIVE = {"its", "their", "his"}
_EMPTY_IT = re.compile(r"\b(?:is|was|does|did|will|would) it (?:rain\w*|snow\w*|late|cold outside|time)\b|"
                       r"\bwhat time is it\b", re.IGNORECASE)


@dataclass(frozen=True)
class Spoken:
    """One turn: question, answer, the frame (H, W, 3) it was about, and what was cut out of it."""

    question: str
    answer: Answer
    frame: Pixels
    at: float

    @property
    def segment(self) -> Segment | None:
        """The region that was asked about."""
        return next((one.segment for one in reversed(self.answer.searches) if one.segment and one.mask), None)

    @property
    def entity(self) -> str | None:
        """The thing that was named in the answer."""
        said = self.answer.answer.casefold()
        names = (hit.entity for record in self.answer.searches if not record.is_reading for hit in record.hits)
        return next((name for name in names if name.casefold() in said), None)

    @property
    def reading(self) -> SearchRecord | None:
        """What was read of it."""
        return next((record for record in self.answer.searches if record.is_reading), None)


class Conversation:
    """The last turns. A silence of three minutes ends it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._turns: list[Spoken] = []

    @property
    def turns(self) -> tuple[Spoken, ...]:
        """Oldest first; none after a long silence."""
        if self._turns and self._clock() - self._turns[-1].at > FORGOTTEN_AFTER_S:
            self._turns.clear()
        return tuple(self._turns)

    def add(self, question: str, answer: Answer, frame: Pixels) -> None:
        """Keep a turn."""
        self._turns = [*self.turns, Spoken(question, answer, frame, self._clock())][-MAX_TURNS:]

    def clear(self) -> None:
        """Begin anew."""
        self._turns.clear()

    def entities(self) -> list[str]:
        """What was named so far, in the order in which it was first named."""
        return list(dict.fromkeys(turn.entity for turn in self.turns if turn.entity))

    def region(self) -> Segment | None:
        """What was cut out last."""
        return next((turn.segment for turn in reversed(self.turns) if turn.segment), None)

    def meant(self, question: str) -> Spoken | None:
        """The turn that a question refers back to: by order, as the other one, or the last as "it"; None for none."""
        named = [turn for turn in self.turns if turn.entity]
        first = {turn.entity: turn for turn in reversed(named)}  # the turn in which each was named first
        names = self.entities()
        if (match := _BY_ORDER.search(question)) is not None:
            at = _ORDINALS[(match["order"] or match["before"]).lower()]
            return first[names[at]] if -len(names) <= at < len(names) else None
        if _THE_OTHER.search(question) and len(names) == 2:
            return first[next(name for name in names if name != named[-1].entity)]
        if not refers_back(question):
            return None
        return next((turn for turn in reversed(self.turns) if turn.segment or turn.entity or turn.reading), None)


def named(question: str, name: str) -> str:
    """A question with a name in place of "it", "the first one", "the other one"."""
    told = _THE_OTHER.sub(f"the {name}", _BY_ORDER.sub(f"the {name}", question))
    return told if told != question else _BACK.sub(lambda match: _noun(match[0], name), question, count=1)


def _noun(pronoun: str, name: str) -> str:
    lowered = pronoun.lower()
    if lowered == "it's":
        return f"the {name} is"
    return f"the {name}'s" if lowered in _POSSESSIVE else f"the {name}"


def refers_back(question: str) -> bool:
    """Whether a question speaks of something that was spoken of before."""
    return bool(_BACK.search(question)) and not _EMPTY_IT.search(question)


def find_again(segment: Segment, perception: Perception) -> Segment | None:
    """A region of an earlier frame in this one, None where it is not to be seen."""
    if segment.mask.shape != (perception.height, perception.width):
        return None
    at = deepest_point(segment.mask)
    found = perception.segment(segment.hidden, at, previous=segment.logits, looks=segment.looks)
    return found if found.iou >= TRUSTED_MASK and not found.fallback else None
