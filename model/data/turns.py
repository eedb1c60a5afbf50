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
from pixsearch.model.data.english import agree
from pixsearch.model.data.phrasing import Words, ask, attribute_of_key
from pixsearch.model.data.records import Entity, Sample
from pixsearch.model.data.referring import Reference
from pixsearch.model.data.retrieval import found
from pixsearch.model.data.writing import Writer


def same_thing(asking: Asking) -> Sample | None:
    """ "How heavy is it?" when its name was told: a text search with the name from the first answer."""
    first = _seen(asking)
    chosen = choose_fact(asking, first[1]) if first else None
    if first is None or chosen is None:
        return None
    reference, entity = first
    rng, (attribute, value) = asking.rng, chosen
    opening, _ = ask("recognition", asking.split, rng, reference.asked)
    named = f"{reference.echo} {agree('is', reference.plural)} {naming(entity)}."
    bare, _ = ask(attribute.name, asking.split, rng, Words("it"), table="attribute")
    question, _ = ask("follow", asking.split, rng, q=bare[0].lower() + bare[1:])
    query = f"{attribute.query} of {entity.name}"
    others = texts_beside(asking, entity)
    evidence = found(entity, others, query, rng, concept=entity.name, scored=False, holds=value)
    said = f"It {attribute.verb_phrase(value)}." if value else UNKNOWN_FACT
    writer = Writer().search(Modality.TEXT, evidence, query).say(said)
    sample = asking.sample(
        "fact" if value else UNANSWERABLE, question, writer, value, modality=Modality.TEXT, entity=entity.id
    )
    return replace(sample, history=(Turn(opening, named),))


def same_question(asking: Asking) -> Sample | None:
    """ "And the lamp?" The fact that was told of one thing, asked of another one."""
    first, second = _seen(asking), _seen(asking)
    if first is None or second is None or first[0].target == second[0].target:
        return None
    (reference, entity), (other, gold) = first, second
    held = [(one, value) for key, value in entity.facts.items() if (one := attribute_of_key(key))]
    if not held:
        return None
    attribute, told = asking.rng.choice(held)
    value = next((value for key, value in gold.facts.items() if attribute_of_key(key) == attribute), "")
    opening, _ = ask(attribute.name, asking.split, asking.rng, reference.asked, table="attribute")
    answer = f"{reference.echo} {agree(attribute.verb_phrase(told), reference.plural)}."
    question, named = ask("same_of", asking.split, asking.rng, other.asked)
    said = f" {agree(attribute.verb_phrase(value), other.plural)}." if value else ""
    claim = Claim("fact", said, value, UNKNOWN_FACT, holds=value)
    sample = by_region(asking, Asked(question, other, named), gold, claim, things_beside(asking, gold))
    return replace(sample, history=(Turn(opening, answer),))


def _seen(asking: Asking) -> tuple[Reference, Entity] | None:
    """Words for a random thing, and its entity; not by a point, which belongs to one turn alone."""
    reference = asking.refer(avoid=("deictic",))
    entity = asking.entities.get(asking.scene.placed[reference.target].thing.id) if reference else None
    return (reference, entity) if reference and entity else None
