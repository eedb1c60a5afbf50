"""What the words for a thing call it, and which hits that agrees with.

A mask says how a thing looks, its words say what sort it is: a hit of that sort is likelier than its vector tells.
"""

import re
from collections.abc import Sequence

from pixsearch.contract.evidence import PINNED, stems
from pixsearch.index.hits import Hit

AGREEMENT = 0.15  # what agreeing words are worth, as a difference of similarities
FAMILY = "family"
_AFTER = re.compile(
    r"\b(?:of|on|in|at|to|by|near|next|left|right|behind|before|over|under|above|below|beside|between|with|from|"
    r"that|which|who|here|there|i|we|you)\b"
)
_WORD = re.compile(r"[^\W\d_]+")
_NO_NOUNS = frozenset(("this", "that", "these", "those", "it", "one", "thing", "object", "the", "what"))


def noun_of(words: str) -> str | None:
    """The last word before what tells the place: "bird" of "the small bird on the left"; None without one."""
    lead, *_ = _AFTER.split(words.lower().removeprefix("that "), maxsplit=1)
    found = _WORD.findall(lead)
    return found[-1] if found and found[-1] not in _NO_NOUNS else None


def agrees(hit: Hit, noun: str) -> bool:
    """Whether a hit's kind, family or the end of its name is the noun, whatever the number."""
    said = " ".join([hit.kind, hit.fact_map.get(PINNED, ""), hit.fact_map.get(FAMILY, ""),
                     *_WORD.findall(hit.entity)[-1:]])
    return bool(stems(noun) & stems(said))


def in_agreement(hits: Sequence[Hit], words: str | None, count: int) -> list[Hit]:
    """The `count` best of candidate hits when the words for the thing count too; scores stay as they are."""
    noun = noun_of(words) if words else None
    worth = {id(hit): hit.score + (AGREEMENT if noun and agrees(hit, noun) else 0.0) for hit in hits}
    return sorted(hits, key=lambda hit: -worth[id(hit)])[:count]  # stable: without a noun the order stays
