"""What the makers of search questions share: claims, the facts they rest on, and how a region search ends."""

from collections.abc import Callable
from dataclasses import dataclass

from pixsearch.contract.grammar import Modality
from pixsearch.model.data.asking import Asking
from pixsearch.model.data.english import with_article
from pixsearch.model.data.phrasing import Attribute, attribute_of_key, attributes
from pixsearch.model.data.records import Entity, Sample
from pixsearch.model.data.referring import Reference
from pixsearch.model.data.retrieval import failed, found
from pixsearch.model.data.writing import Writer

FACTLESS_SHARE = 0.18  # of questions for a fact that the entity lacks
LOOKALIKE_SHARE, EVERYDAY_SHARE = 0.5, 0.15  # of other hits: of the same category; everyday classes
UNANSWERABLE = "unanswerable"


@dataclass(frozen=True)
class Asked:
    """A question about a thing in view."""

    question: str
    reference: Reference
    named: bool  # whether the question holds the words of the reference

    @property
    def concept(self) -> str | None:
        return self.reference.concept if self.named else None


@dataclass(frozen=True)
class Claim:
    """What the answer says of an entity, if the search finds it."""

    kind: str  # of the sample
    said: str  # after the words for the thing
    answer: str  # "" where the entity does not tell
    unknown: str  # the sentence that abstains
    accepted: tuple[str, ...] = ()
    holds: str = ""  # what the evidence must hold apart from the entity's name


def by_region(
    asking: Asking, asked: Asked, gold: Entity, claim: Claim, others: Callable[[], Entity]
) -> Sample:
    """Search with a region, then claim; or abstain where the search fails or the entity does not tell."""
    if asking.fails():
        return abstain(asking, asked, gold, claim.unknown, others)
    evidence = found(gold, others, asked.question, asking.rng, concept=asked.concept, holds=claim.holds)
    told = bool(claim.answer)
    writer = Writer().begin(asked.reference, named=asked.named).search(Modality.REGION, evidence)
    writer.say(claim.said if told else f"? {claim.unknown}")
    return region_sample(
        asking,
        claim.kind if told else UNANSWERABLE,
        asked,
        writer,
        claim.answer,
        entity=gold.id,
        accepted=claim.accepted if told else (),
    )


def abstain(asking: Asking, asked: Asked, gold: Entity, unknown: str, others: Callable[[], Entity]) -> Sample:
    """A region search that finds nothing of use."""
    evidence = failed(others, asked.question, asking.rng, concept=asked.concept, shun=gold.name)
    writer = Writer().begin(asked.reference, named=asked.named).search(Modality.REGION, evidence)
    return region_sample(asking, UNANSWERABLE, asked, writer.say(f"? {unknown}"), "")


def region_sample(
    asking: Asking,
    kind: str,
    asked: Asked,
    writer: Writer,
    answer: str,
    *,
    entity: str | None = None,
    accepted: tuple[str, ...] = (),
) -> Sample:
    """A sample whose first search is by region."""
    return asking.sample(
        kind,
        asked.question,
        writer,
        answer,
        modality=Modality.REGION,
        point=asked.reference.point,
        target=asked.reference.target,
        entity=entity,
        accepted=accepted,
    )


def naming(entity: Entity) -> str:
    """An entity's name as a complement: "a Tamsel kiwi", or "Tamsel" where the name is its own."""
    generic = entity.name.lower().endswith(entity.noun.lower())
    return with_article(entity.name) if generic else entity.name


def choose_fact(asking: Asking, gold: Entity) -> tuple[Attribute, str] | None:
    """An attribute that fits an entity, and its value; "" where the entity lacks the fact."""
    rng = asking.rng
    held = [(attribute, value) for key, value in gold.facts.items() if (attribute := attribute_of_key(key))]
    if not held:
        return None
    if rng.random() >= FACTLESS_SHARE:
        return rng.choice(held)
    known = [attribute for attribute, _ in held]
    common = {group for group in known[0].on if all(group in attribute.on for attribute in known)}
    lacking = [one for one in attributes().values() if common & set(one.on) and one not in known]
    return (rng.choice(lacking), "") if lacking else rng.choice(held)


def things_beside(asking: Asking, gold: Entity) -> Callable[[], Entity]:
    """Draws what a region search may find beside an entity: often of its category, at times everyday."""
    alike = [one for one in asking.pool if one.category == gold.category]
    everyday = list(asking.world.everyday.values())

    def draw() -> Entity:
        share = asking.rng.random()
        if share < LOOKALIKE_SHARE:
            return asking.rng.choice(alike)
        return asking.rng.choice(everyday if everyday and share > 1 - EVERYDAY_SHARE else asking.pool)

    return draw


def texts_beside(asking: Asking, gold: Entity) -> Callable[[], Entity]:
    """Draws what a text search may bring up beside an entity."""
    background = list(asking.world.background.values())
    alike = [one for one in background if one.category == gold.category] or asking.pool
    return lambda: asking.rng.choice(alike if asking.rng.random() < 0.7 else background)
