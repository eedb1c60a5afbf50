"""Second turns of a conversation, which leave out what the first one said: "how heavy is it?", "and the lamp?"."""

from dataclasses import replace

from pixsearch.contract.abstention import UNKNOWN_FACT
from pixsearch.contract.grammar import Modality
from pixsearch.contract.tokenizer import Turn
from pixsearch.model.data.asking import Asking
from pixsearch.model.data.claims import (
    UNANSWERABLE,
    Asked,
    Claim,
    by_region,
    choose_fact,
    naming,
    texts_beside,
    things_beside,
)
from pixsearch.model.data.english import agree, capitalise
from pixsearch.model.data.phrasing import Attribute, Words, ask, attribute_of_key
from pixsearch.model.data.records import Entity, Sample
from pixsearch.model.data.referring import Reference
from pixsearch.model.data.retrieval import found
from pixsearch.model.data.writing import Writer


def same_thing(asking: Asking) -> Sample | None:
    """ "How heavy is it?" when its name was told: a text search with the name from the first answer."""
    first = seen(asking)
    chosen = choose_fact(asking, first[1]) if first else None
    if first is None or chosen is None:
        return None
    reference, entity = first
    opening, _ = ask("recognition", asking.split, asking.rng, reference.asked)
    named = f"{reference.echo} {agree('is', reference.plural)} {naming(entity)}."
    return replace(about_it(asking, entity, chosen), history=(Turn(opening, named),))


def about_it(asking: Asking, entity: Entity, chosen: tuple[Attribute, str], it: str = "it") -> Sample:
    """A fact of what was named before, which the question calls `it`."""
    rng, (attribute, value) = asking.rng, chosen
    bare, _ = ask(attribute.name, asking.split, rng, Words(it), table="attribute")
    question, _ = ask("follow", asking.split, rng, q=bare[0].lower() + bare[1:])
    query = f"{attribute.query} of {entity.name}"
    others = texts_beside(asking, entity)
    evidence = found(entity, others, query, rng, concept=entity.name, scored=False, holds=value)
    said = f"{capitalise(it)} {attribute.verb_phrase(value)}." if value else UNKNOWN_FACT
    writer = Writer().search(Modality.TEXT, evidence, query).say(said)
    return asking.sample(
        "fact" if value else UNANSWERABLE, question, writer, value, modality=Modality.TEXT, entity=entity.id
    )


def same_question(asking: Asking) -> Sample | None:
    """ "And the lamp?" The fact that was told of one thing, asked of another one."""
    first, second = seen(asking), seen(asking)
    if first is None or second is None or first[0].target == second[0].target:
        return None
    (reference, entity), (other, gold) = first, second
    held = [(one, value) for key, value in entity.facts.items() if (one := attribute_of_key(key))]
    if not held:
        return None
    attribute, told = asking.rng.choice(held)
    opening, _ = ask(attribute.name, asking.split, asking.rng, reference.asked, table="attribute")
    answer = f"{reference.echo} {agree(attribute.verb_phrase(told), reference.plural)}."
    question, named = ask("same_of", asking.split, asking.rng, other.asked)
    return replace(
        of_another(asking, Asked(question, other, named), gold, attribute), history=(Turn(opening, answer),)
    )


def of_another(asking: Asking, asked: Asked, gold: Entity, attribute: Attribute) -> Sample:
    """The fact that was told before, of another thing."""
    value = next((value for key, value in gold.facts.items() if attribute_of_key(key) == attribute), "")
    said = f" {agree(attribute.verb_phrase(value), asked.reference.plural)}." if value else ""
    claim = Claim("fact", said, value, UNKNOWN_FACT, holds=value)
    return by_region(asking, asked, gold, claim, things_beside(asking, gold))


def seen(asking: Asking) -> tuple[Reference, Entity] | None:
    """Words for a random thing, and its entity; not by a point, which belongs to one turn alone."""
    reference = asking.refer(avoid=("deictic",))
    entity = asking.entities.get(asking.scene.placed[reference.target].thing.id) if reference else None
    return (reference, entity) if reference and entity else None
