"""Questions about everyday things, answered from ImageNet's classes and WordNet's facts."""

from collections.abc import Callable
from dataclasses import replace

from pixsearch.contract.abstention import UNKNOWN_FACT, UNKNOWN_THING
from pixsearch.contract.evidence import MAX_VALUE_CHARS
from pixsearch.model.data.asking import Asking
from pixsearch.model.data.claims import Asked, Claim, by_region, naming
from pixsearch.model.data.english import agree
from pixsearch.model.data.everyday import ABOUT, FAMILY, PARTS
from pixsearch.model.data.phrasing import ask
from pixsearch.model.data.records import Entity, Sample, Thing
from pixsearch.model.data.referring import Reference

BREEDS = ("dog", "cat")
BY_PLACE_SHARE = 0.75  # of names asked of a thing that its place tells, which say kind and place alone
SIBLING_SHARE = 0.5  # of other hits that are of the same kind or category
_NAMED, _ASKED_FOR_FACTS = 0.6, (FAMILY, ABOUT, PARTS)


def everyday(asking: Asking) -> Sample | None:
    """ "What kind of bird is this?" Of a thing that ImageNet or WordNet knows."""
    known = [at for at in asking.view.clear if _key(asking.scene.placed[at].thing) in asking.world.everyday]
    named = asking.rng.random() < _NAMED
    reference = asking.refer(asking.rng.choice(known), by_kind=named) if known else None
    if reference is None:
        return None
    gold = asking.world.everyday[_key(asking.scene.placed[reference.target].thing)]
    if named:
        return _name(asking, reference, gold)
    return _fact(asking, reference, gold, asking.rng.choice(_ASKED_FOR_FACTS))


def _name(asking: Asking, reference: Reference, gold: Entity) -> Sample:
    sort = reference.concept or gold.category
    bred = gold.category in BREEDS and gold.name != gold.category
    kind = asking.rng.choice(("recognition", "everyday", "breed" if bred else "everyday"))
    if sort == gold.name:
        kind = "recognition"
    question, named = ask(kind, asking.split, asking.rng, reference.asked, k=sort)
    if kind == "everyday" and reference.place and not reference.plural and asking.rng.random() < BY_PLACE_SHARE:
        question, named = ask("everyday_at", asking.split, asking.rng, k=sort, p=reference.place)[0], True
        reference = replace(reference, words=f"the {sort} {reference.place}", concept=sort)
    said = f" {agree('is', reference.plural)} {naming(gold)}."
    return by_region(
        asking,
        Asked(question, reference, named),
        gold,
        Claim("everyday", said, gold.name, UNKNOWN_THING),
        _classes(asking, gold),
    )


def _fact(asking: Asking, reference: Reference, gold: Entity, key: str) -> Sample | None:
    value = gold.facts.get(key, "")
    if len(value) > MAX_VALUE_CHARS:  # evidence would cut it
        return None
    question, named = ask(key, asking.split, asking.rng, reference.asked)
    verb = agree("is", reference.plural)
    if key == FAMILY:
        claim = Claim("everyday", f" {verb} a kind of {value}.", value, UNKNOWN_FACT, holds=value)
    elif key == ABOUT:
        said = f" {verb} {naming(gold)}: {value}."
        claim = Claim("everyday", said, gold.name, UNKNOWN_FACT, (value,), value)
    else:
        said = f" {agree('has', reference.plural)} these parts: {value}."
        claim = Claim("everyday", said, value.replace(",", ";"), UNKNOWN_FACT, holds=value)
    return by_region(asking, Asked(question, reference, named), gold, claim, _classes(asking, gold))


def _key(thing: Thing) -> str:
    return thing.wordnet or thing.noun


def _classes(asking: Asking, gold: Entity) -> Callable[[], Entity]:
    """Draws other classes, often of the same kind."""
    classes = list(asking.world.everyday.values())
    alike = [one for one in classes if one.facts.get(FAMILY) == gold.facts.get(FAMILY)]
    alike = alike if len(alike) > 2 else [one for one in classes if one.category == gold.category]
    return lambda: asking.rng.choice(alike if asking.rng.random() < SIBLING_SHARE else classes)
