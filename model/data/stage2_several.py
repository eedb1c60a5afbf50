"""Questions that put facts together: which of two is heavier, what two cost together, whether one is older than."""

from dataclasses import dataclass

from pixsearch.contract.abstention import UNKNOWN_FACT
from pixsearch.contract.grammar import Modality
from pixsearch.model.data.amounts import Amount, amount_of, total
from pixsearch.model.data.asking import Asking
from pixsearch.model.data.claims import UNANSWERABLE, Asked, region_sample, things_beside
from pixsearch.model.data.english import agree
from pixsearch.model.data.phrasing import Attribute, Words, ask, attribute_of_key
from pixsearch.model.data.records import Entity, Sample
from pixsearch.model.data.referring import Reference
from pixsearch.model.data.retrieval import failed, found
from pixsearch.model.data.writing import Writer

FEWEST_APART = 1.1  # ratio of two amounts that can be compared; years: two apart
LIMITS = {"g": (200, 500, 1000, 2000, 5000, 10000, 20000, 50000), "euros": (5, 10, 20, 50, 100, 200, 500)}


@dataclass(frozen=True)
class Scale:
    """How an attribute's amounts are spoken of."""

    more: str  # "heavier"
    less: str
    together: str | None  # the verb of a sum, "weigh"; None where a sum means nothing


SCALES = {
    "weight": Scale("heavier", "lighter", "weigh"),
    "length": Scale("longer", "shorter", None),
    "price": Scale("more expensive", "cheaper", "cost"),
    "first_sold": Scale("newer", "older", None),
    "warranty": Scale("under warranty for longer", "under warranty for less time", None),
}


@dataclass(frozen=True)
class _Known:
    """A thing in view, its entity, and the amount that it is asked about."""

    reference: Reference
    entity: Entity
    attribute: Attribute
    value: str  # as its facts state it
    amount: Amount

    def said(self) -> str:
        """ " weighs 2 kg" """
        return f" {agree(self.attribute.verb_phrase(self.value), self.reference.plural)}"


def comparison(asking: Asking) -> Sample | None:
    """ "Which is heavier, the kettle or the lamp?" Two region searches; abstains where one finds nothing."""
    pair = _pair(asking)
    if pair is None or not _apart(pair):
        return None
    rng, scale = asking.rng, SCALES[pair[0].attribute.name]
    wants_more = rng.random() < 0.5
    word = scale.more if wants_more else scale.less
    winner = max(pair, key=lambda one: one.amount.value if wants_more else -one.amount.value)
    question = _about_two("comparison", asking, pair, c=word)
    verdict = f"{winner.reference.words} {agree('is', winner.reference.plural)} {word}"
    return _two_searches(asking, question, pair, "comparison", f", so {verdict}.", verdict)


def aggregation(asking: Asking) -> Sample | None:
    """ "What do the kettle and the lamp cost together?" """
    pair = _pair(asking)
    verb = SCALES[pair[0].attribute.name].together if pair else None
    sum_ = total([one.value for one in pair]) if pair else None
    if pair is None or verb is None or sum_ is None:
        return None
    question = _about_two("total", asking, pair, v=verb)
    return _two_searches(asking, question, pair, "aggregation", f", together {sum_}.", f"together {sum_}")


def reasoning(asking: Asking) -> Sample | None:
    """ "Is the kettle older than 1990?", "Does it weigh more than 5 kg?" One search and a yes or no."""
    rng, known = asking.rng, _known(asking)
    if known is None or (limit := _limit(known, asking)) is None:
        return None
    stated, bound = limit
    scale, wants_more = SCALES[known.attribute.name], rng.random() < 0.5
    word = scale.more if wants_more else scale.less
    question, named = ask("limit", asking.split, rng, known.reference.asked, c=word, l=stated)
    yes = (known.amount.value > bound) == wants_more
    asked = Asked(question, known.reference, named)
    writer = Writer().begin(known.reference, named=named)
    if asking.fails():
        writer.search(Modality.REGION, _nothing(asking, known, question)).say(f"? {UNKNOWN_FACT}")
        return region_sample(asking, UNANSWERABLE, asked, writer, "")
    evidence = _evidence(asking, known, question)
    writer.search(Modality.REGION, evidence).say(f"{known.said()}, so {'yes' if yes else 'no'}.")
    answer = f"so {'yes' if yes else 'no'}"
    return region_sample(asking, "reasoning", asked, writer, answer, entity=known.entity.id)


def _two_searches(
    asking: Asking, question: str, pair: tuple[_Known, _Known], kind: str, ending: str, answer: str
) -> Sample:
    first, second = pair
    asked = Asked(question, first.reference, True)
    writer = Writer().begin(first.reference)
    fails = asking.fails()
    if fails and asking.rng.random() < 0.5:
        writer.search(Modality.REGION, _nothing(asking, first, question)).say(f"? {UNKNOWN_FACT}")
        return region_sample(asking, UNANSWERABLE, asked, writer, "")
    writer.search(Modality.REGION, _evidence(asking, first, question)).say(f"{first.said()} and ")
    writer.mention(second.reference.words, second.reference.target, second.reference.concept)
    if fails:
        writer.search(Modality.REGION, _nothing(asking, second, question)).say(f"? {UNKNOWN_FACT}")
        return region_sample(asking, UNANSWERABLE, asked, writer, "")
    writer.search(Modality.REGION, _evidence(asking, second, question)).say(second.said() + ending)
    return region_sample(asking, kind, asked, writer, answer, entity=first.entity.id)


def _about_two(kind: str, asking: Asking, pair: tuple[_Known, _Known], **fields: str) -> str:
    first, second = pair
    words = Words(first.reference.words)
    question, _ = ask(
        kind, asking.split, asking.rng, words, table="ask", keep_case=False, y=second.reference.words, **fields
    )
    return question


def _pair(asking: Asking) -> tuple[_Known, _Known] | None:
    """Two things told by words alone, with amounts of one attribute."""
    targets = list(asking.view.clear)
    asking.rng.shuffle(targets)
    known = [one for target in targets for one in _all_known(asking, target)]
    for first in known:
        for second in known:
            if (
                first.reference.target != second.reference.target
                and first.attribute == second.attribute
                and first.amount.unit == second.amount.unit
            ):
                return first, second
    return None


def _known(asking: Asking) -> _Known | None:
    if not asking.view.clear:
        return None
    known = _all_known(asking, asking.rng.choice(asking.view.clear))
    return asking.rng.choice(known) if known else None


def _all_known(asking: Asking, target: int) -> list[_Known]:
    """What is known of a thing that has an amount; nothing for one that words alone do not tell."""
    entity = asking.entities.get(asking.scene.placed[target].thing.id)
    reference = asking.refer(target)
    if entity is None or reference is None or reference.point is not None or reference.bare:
        return []
    found_ = []
    for key, value in entity.facts.items():
        attribute, amount = attribute_of_key(key), amount_of(value)
        if attribute and attribute.name in SCALES and amount:
            found_.append(_Known(reference, entity, attribute, value, amount))
    return found_


def _apart(pair: tuple[_Known, _Known]) -> bool:
    low, high = sorted(one.amount.value for one in pair)
    return high - low >= 2 if pair[0].amount.unit == "year" else high >= FEWEST_APART * low


def _limit(known: _Known, asking: Asking) -> tuple[str, float] | None:
    """A round amount to compare with, as it is said and in the base unit."""
    value, rng = known.amount.value, asking.rng
    if known.amount.unit == "year":
        year = 10 * round((value + rng.choice((-25, -12, 12, 25))) / 10)
        return (str(year), float(year)) if year != value else None
    limits = [one for one in LIMITS.get(known.amount.unit, ()) if one != value]
    if not limits:
        return None
    bound = min(limits, key=lambda one: abs(one - value * rng.choice((0.4, 0.7, 1.5, 2.5))))
    if known.amount.unit == "euros":
        return f"{bound} euros", float(bound)
    return (f"{bound // 1000} kg" if bound >= 1000 else f"{bound} g"), float(bound)


def _evidence(asking: Asking, known: _Known, question: str) -> str:
    others = things_beside(asking, known.entity)
    return found(known.entity, others, question, asking.rng, concept=known.reference.concept, holds=known.value)


def _nothing(asking: Asking, known: _Known, question: str) -> str:
    others = things_beside(asking, known.entity)
    return failed(others, question, asking.rng, concept=known.reference.concept, shun=known.entity.name)
