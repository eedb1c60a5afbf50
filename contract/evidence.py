"""How search hits are written into a trace: the one form that training and the device share."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MAX_HITS = 3
FACTS_OF_FIRST, FACTS_OF_OTHERS = 6, 2
MAX_VALUE_CHARS = 80
DEFAULT_LIMIT_CHARS = 700
SURE_AT, LIKELY_AT = 0.75, 0.55  # cosine similarities; a bundle's calibrated thresholds replace them
PINNED = "kind"  # always shown: it tells whether a hit is the sort of thing that was asked about

_WORD = re.compile(r"[^\W_]+")
_ENDINGS = ("ing", "ed", "er", "or", "es", "e", "s")
_MIN_STEM = 3


@dataclass(frozen=True)
class EvidenceItem:
    """One search hit. `score` is its similarity (-1..1), None where the search gives none that compares."""

    name: str
    facts: Mapping[str, str]
    score: float | None
    source: str


def format_evidence(
    hits: Sequence[EvidenceItem],
    question: str,
    limit_chars: int = DEFAULT_LIMIT_CHARS,
    *,
    sure_at: float = SURE_AT,
    likely_at: float = LIKELY_AT,
) -> str:
    """Write hits as evidence, one line each: `name (sure) | attribute: value | …`.

    Best hit first; at most three are used. Facts are ranked by the words that they share with the question;
    the kind always comes first. Whole facts, then whole hits, are left out until at most `limit_chars`
    characters remain. No hits give "".
    """
    wanted = stems(question)
    lines: list[str] = []
    left = limit_chars
    for position, hit in enumerate(hits[:MAX_HITS]):
        line = _flat(hit.name) + _confidence(hit.score, sure_at, likely_at)
        if len(line) > left:
            break
        for fact in _ranked(hit.facts, wanted, FACTS_OF_OTHERS if position else FACTS_OF_FIRST):
            if len(line) + len(fact) <= left:
                line += fact
        lines.append(line)
        left -= len(line) + 1
    return "\n".join(lines)


def _ranked(facts: Mapping[str, str], wanted: set[str], count: int) -> list[str]:
    others = sorted(
        (name for name in facts if name != PINNED),
        key=lambda name: -len(wanted & stems(f"{name} {facts[name]}")),
    )  # stable: ties keep their order
    chosen = ([PINNED] if PINNED in facts else []) + others[:count]
    return [f" | {_flat(name)}: {_cut(_flat(facts[name]))}" for name in chosen]


def _confidence(score: float | None, sure_at: float, likely_at: float) -> str:
    if score is None:
        return ""
    return " (sure)" if score >= sure_at else " (likely)" if score >= likely_at else " (unsure)"


def _flat(text: str) -> str:
    """One line without the sign that separates facts."""
    return " ".join(text.replace("|", "/").split())


def _cut(value: str) -> str:
    if len(value) <= MAX_VALUE_CHARS:
        return value
    return value[: MAX_VALUE_CHARS - 1].rsplit(" ", 1)[0] + "…"


def stems(text: str) -> set[str]:
    """The words of a text in lower case, without the endings of number and tense."""
    found = set()
    for word in _WORD.findall(text.lower()):
        ending = next(
            (end for end in _ENDINGS if word.endswith(end) and len(word) - len(end) >= _MIN_STEM), ""
        )
        found.add(word.removesuffix(ending))
    return found
