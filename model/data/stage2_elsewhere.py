"""Questions about what no region shows: something named, and the place of the picture."""

from pixsearch.contract.abstention import UNKNOWN, UNKNOWN_FACT, UNKNOWN_PLACE
from pixsearch.contract.grammar import Modality
from pixsearch.model.data.asking import Asking
from pixsearch.model.data.claims import UNANSWERABLE, choose_fact, texts_beside
from pixsearch.model.data.english import agree, capitalise, is_plural
from pixsearch.model.data.phrasing import Words, ask, attribute_of_key, place_words, templates
from pixsearch.model.data.records import Entity, Sample
from pixsearch.model.data.referring import called, thing_called, turn_round
from pixsearch.model.data.retrieval import failed, found
from pixsearch.model.data.writing import Writer

BACKGROUND_SHARE = 0.65  # of text questions about companies, towns and people rather than things
NAME_SHARE = 0.5  # of place questions that ask where it is
STRAY_THINGS = 8  # entities of things among the places that a search by image may confuse


def text(asking: Asking) -> Sample | None:
    """ "Who founded Norvik?" A fact of something named, which need not be in view."""
    rng = asking.rng
    background = list(asking.world.background.values())
    gold = rng.choice(background if rng.random() < BACKGROUND_SHARE or not asking.pool else asking.pool)
    chosen = choose_fact(asking, gold)
    if chosen is None:
        return None
    attribute, value = chosen
    generic = gold.name.endswith(gold.noun)
    words, many = f"the {gold.name}" if generic else gold.name, generic and is_plural(gold.noun)
    question, _ = ask(
        attribute.name, asking.split, rng, Words(words, plural=many), table="attribute", keep_case=True
    )
    query, missed, others = (
        f"{attribute.query} of {gold.name}",
        asking.fails(),
        texts_beside(asking, gold),
    )
    evidence = (
        failed(others, query, rng, concept=gold.name, scored=False, shun=gold.name)
        if missed
        else found(gold, others, query, rng, concept=gold.name, scored=False, holds=value)
    )
    told = bool(value) and not missed
    said = f"{capitalise(words)} {agree(attribute.verb_phrase(value), many)}." if told else UNKNOWN_FACT
    writer = Writer().search(Modality.TEXT, evidence, query).say(said)
    return asking.sample(
        "text" if told else UNANSWERABLE,
        question,
        writer,
        value if told else "",
        modality=Modality.TEXT,
        entity=None if missed else gold.id,
    )


def place(asking: Asking) -> Sample | None:
    """ "Where was this taken?" The background's place, or a fact of it, by the whole image."""
    rng, gold = asking.rng, asking.world.places.get(asking.scene.place.id)
    claim = _place_claim(asking, gold) if gold else None
    if gold is None or claim is None:
        return None
    question, words, said, value = claim
    stray = rng.sample(asking.pool, min(len(asking.pool), STRAY_THINGS))
    missed, hits = asking.fails(), [*asking.world.places.values(), *stray]
    evidence = (
        failed(lambda: rng.choice(hits), question, rng, concept="place", shun=gold.name)
        if missed
        else found(
            gold,
            lambda: rng.choice(hits),
            question,
            rng,
            concept="place",
            holds="" if value == gold.name else value,
        )
    )
    told = bool(value) and not missed
    unknown = UNKNOWN_PLACE if missed else UNKNOWN_FACT
    writer = Writer().say(words).search(Modality.IMAGE, evidence).say(said if told else f"? {unknown}")
    return asking.sample(
        "place" if told else UNANSWERABLE,
        question,
        writer,
        value if told else "",
        modality=Modality.IMAGE,
        entity=None if missed else gold.id,
    )


def not_in_view(asking: Asking) -> Sample | None:
    """ "Who makes the guitar?" where there is none: the answer says so, and searches for nothing."""
    other = asking.rng.choice(asking.pool) if asking.pool else None
    if other is None or is_plural(other.noun) or not _is_absent(asking, other):
        return None
    noun_phrase = asking.rng.choice(templates("noun", asking.split, "refer")).format(n=other.noun)
    held = [attribute for key in other.facts if (attribute := attribute_of_key(key))]
    kind, table = (asking.rng.choice(held).name, "attribute") if held else ("recognition", "ask")
    question, _ = ask(kind, asking.split, asking.rng, Words(noun_phrase), table=table)
    writer = Writer().say(f"I see no {other.noun}. {UNKNOWN}")
    return asking.sample(UNANSWERABLE, question, writer, "", accepted=(f"no {other.noun}",))


def _is_absent(asking: Asking, entity: Entity) -> bool:
    """Whether nothing in view could be taken for such a thing."""
    words = called(entity.noun, entity.category)
    return not any(words & thing_called(one.thing) for one in asking.scene.placed)


def _place_claim(asking: Asking, gold: Entity) -> tuple[str, str, str, str] | None:
    """Question, words for the place, what is said of it, and the value ("" where the entity lacks it)."""
    rng = asking.rng
    if rng.random() < NAME_SHARE:
        return ask("place", asking.split, rng)[0], "This place", f" is {gold.name}.", gold.name
    chosen = choose_fact(asking, gold)
    if chosen is None:
        return None
    attribute, value = chosen
    words = rng.choice(place_words(asking.split))
    question, _ = ask(attribute.name, asking.split, rng, Words(words), table="attribute")
    said = f" {attribute.verb_phrase(value)}." if value else ""
    return question, capitalise(turn_round(words)), said, value
