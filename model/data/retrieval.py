"""What a search would bring back: the right entity among others, with believable scores."""

from collections.abc import Callable, Sequence
from random import Random

from pixsearch.contract.evidence import MAX_HITS, EvidenceItem, format_evidence
from pixsearch.model.data.records import Entity
from pixsearch.model.data.referring import called

RANKS = (0.78, 0.17, 0.05)  # of the right hit, where another can be told to be wrong
EMPTY, MISMATCHED = (
    0.2,
    0.5,
)  # shares of failed searches: nothing found; hits of another sort (rest: all unsure)
SURE, LIKELY, UNSURE = (0.78, 0.97), (0.57, 0.73), (0.2, 0.5)  # within the bands of contract.evidence
_SURE_SHARE = 0.72
TRIES = 30


def entity_called(entity: Entity) -> frozenset[str]:
    """Words that an evidence line of this entity bears out."""
    return called(entity.noun, entity.category) | {entity.facts.get("kind", entity.noun)}


def found(
    gold: Entity,
    others: Callable[[], Entity],
    question: str,
    rng: Random,
    *,
    concept: str | None,
    scored: bool = True,
    holds: str = "",
) -> str:
    """Evidence that holds `gold`.

    others : draws another entity
    concept : what the question calls the thing. Only with it can the right hit come second or third, and then
        the hits before it are called otherwise
    scored : False for a text search, whose hits carry no similarity
    holds : a value of `gold` that must not be left out; as the first hit it shows all that fits
    """
    rank = rng.choices((0, 1, 2), RANKS)[0] if concept else 0
    evidence = _around(gold, others, question, rng, rank, concept, scored)
    return evidence if holds in evidence else _around(gold, others, question, rng, 0, concept, scored)


def _around(
    gold: Entity,
    others: Callable[[], Entity],
    question: str,
    rng: Random,
    rank: int,
    concept: str | None,
    scored: bool,
) -> str:
    before = _draw(
        others, rng, rank, lambda other: other.name != gold.name and concept not in entity_called(other)
    )
    after = _draw(
        others, rng, rng.randint(0, MAX_HITS - 1 - len(before)), lambda other: other.name != gold.name
    )
    score = rng.uniform(*(SURE if rng.random() < _SURE_SHARE else LIKELY))
    scores = [
        *(rng.uniform(score, SURE[1]) for _ in before),
        score,
        *(rng.uniform(UNSURE[0], score) for _ in after),
    ]
    return _write([*before, gold, *after], sorted(scores, reverse=True), question, scored)


def failed(
    others: Callable[[], Entity],
    question: str,
    rng: Random,
    *,
    concept: str | None,
    scored: bool = True,
    shun: str = "",
) -> str:
    """Evidence that answers nothing: none, hits of another sort than `concept`, or hits that are all unsure.

    shun : a name that must not be among the hits
    """
    if rng.random() < EMPTY:
        return ""
    mismatched = concept is not None and (not scored or rng.random() < MISMATCHED)
    hits = _draw(
        others,
        rng,
        rng.choice((1, 2, 3)),
        lambda other: other.name != shun and (not mismatched or concept not in entity_called(other)),
    )
    low, high = (UNSURE[0], SURE[1]) if mismatched else UNSURE
    return _write(hits, sorted((rng.uniform(low, high) for _ in hits), reverse=True), question, scored)


def _draw(
    others: Callable[[], Entity], rng: Random, count: int, fits: Callable[[Entity], bool]
) -> list[Entity]:
    drawn: dict[str, Entity] = {}
    for _ in range(TRIES):
        if len(drawn) >= count:
            break
        if fits(other := others()):
            drawn[other.name] = other
    return list(drawn.values())


def _write(hits: Sequence[Entity], scores: Sequence[float], question: str, scored: bool) -> str:
    items = [
        EvidenceItem(hit.name, hit.facts, score if scored else None, hit.source)
        for hit, score in zip(hits, scores, strict=True)
    ]
    return format_evidence(items, question)
