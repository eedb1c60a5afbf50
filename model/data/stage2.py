"""Questions about a thing in view that need a search: what it is, its facts, and where these lead."""

from pixsearch.contract.abstention import UNKNOWN_FACT, UNKNOWN_THING
from pixsearch.contract.grammar import Modality
from pixsearch.model.data.asking import Asking
from pixsearch.model.data.claims import (
    UNANSWERABLE,
    Asked,
    Claim,
    abstain,
    by_region,
    choose_fact,
    naming,
    region_sample,
    texts_beside,
    things_beside,
)
from pixsearch.model.data.english import agree
from pixsearch.model.data.phrasing import Attribute, Words, ask, attribute_of_key, hop_templates
from pixsearch.model.data.records import Entity, Sample
from pixsearch.model.data.referring import Reference
from pixsearch.model.data.retrieval import found
from pixsearch.model.data.writing import Writer

BY_KIND_SHARE = 0.75  # of "what is …" questions that do not say the noun
BY_PLACE_SHARE = 0.5  # of those about a thing that its place tells without a noun, which say the place alone


def recognition(asking: Asking) -> Sample | None:
    """ "What is this?" The made-up name of a thing."""
    reference = asking.refer(by_kind=asking.rng.random() < BY_KIND_SHARE)
    gold = _entity(asking, reference) if reference else None
    return name_of(asking, reference, gold) if reference and gold else None


def name_of(asking: Asking, reference: Reference, gold: Entity) -> Sample:
    """What a thing is called."""
    question, named = ask("recognition", asking.split, asking.rng, reference.asked)
    if reference.place and reference.concept is None and asking.rng.random() < BY_PLACE_SHARE:
        question, named = ask("recognition_at", asking.split, asking.rng, p=reference.place)[0], True
    said = f" {agree('is', reference.plural)} {naming(gold)}."
    return by_region(
        asking,
        Asked(question, reference, named),
        gold,
        Claim("recognition", said, gold.name, UNKNOWN_THING),
        things_beside(asking, gold),
    )


def fact(asking: Asking) -> Sample | None:
    """ "Who makes the kettle?" One fact of a thing."""
    reference = asking.refer()
    gold = _entity(asking, reference) if reference else None
    chosen = choose_fact(asking, gold) if gold else None
    return fact_of(asking, reference, gold, chosen) if reference and gold and chosen else None


def fact_of(asking: Asking, reference: Reference, gold: Entity, chosen: tuple[Attribute, str]) -> Sample:
    """A fact of a thing, "" where it is not known."""
    attribute, value = chosen
    question, named = ask(attribute.name, asking.split, asking.rng, reference.asked, table="attribute")
    said = f" {agree(attribute.verb_phrase(value), reference.plural)}." if value else ""
    return by_region(
        asking,
        Asked(question, reference, named),
        gold,
        Claim("fact", said, value, UNKNOWN_FACT, holds=value),
        things_beside(asking, gold),
    )


def multi_hop(asking: Asking) -> Sample | None:
    """ "Who founded the maker of the kettle?" A region search, then a text search."""
    rng, reference = asking.rng, asking.refer()
    gold = _entity(asking, reference) if reference else None
    hops = _hops(asking, gold) if gold else []
    if reference is None or gold is None or not hops:
        return None
    hop, second = rng.choice(hops)
    chosen = choose_fact(asking, second)
    if chosen is None:
        return None
    path = rng.choice(hop_templates(hop.name, asking.split)).format(x=reference.words)
    question, _ = ask(chosen[0].name, asking.split, rng, Words(path), table="attribute")
    asked, others = Asked(question, reference, True), things_beside(asking, gold)
    if asking.fails():
        return abstain(asking, asked, gold, UNKNOWN_FACT, others)
    evidence = found(gold, others, question, rng, concept=reference.concept, holds=second.name)
    writer = Writer().begin(reference).search(Modality.REGION, evidence)
    writer.say(f" {agree(hop.verb_phrase(second.name), reference.plural)}")
    return _second_hop(asking, asked, second, chosen, writer)


def _hops(asking: Asking, gold: Entity) -> list[tuple[Attribute, Entity]]:
    """Attributes of an entity that lead to another one."""
    return [
        (attribute, asking.world.background[value])
        for key, value in gold.facts.items()
        if (attribute := attribute_of_key(key)) and attribute.hops and value in asking.world.background
    ]


def _second_hop(
    asking: Asking, asked: Asked, entity: Entity, chosen: tuple[Attribute, str], writer: Writer
) -> Sample:
    attribute, value = chosen
    query = f"{attribute.query} of {entity.name}"
    evidence = found(
        entity,
        texts_beside(asking, entity),
        query,
        asking.rng,
        concept=entity.name,
        scored=False,
        holds=value,
    )
    pronoun = "who" if entity.category == "person" else "which"
    ending = f", {pronoun} {attribute.verb_phrase(value)}." if value else f". {UNKNOWN_FACT}"
    writer.search(Modality.TEXT, evidence, query).say(ending)
    return region_sample(
        asking, "multi-hop" if value else UNANSWERABLE, asked, writer, value, entity=entity.id
    )


def _entity(asking: Asking, reference: Reference) -> Entity | None:
    return asking.entities.get(asking.scene.placed[reference.target].thing.id)
