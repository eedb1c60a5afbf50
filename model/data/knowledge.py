"""A made-up world: names and facts that only a search can tell."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random

from pixsearch.model.data import words
from pixsearch.model.data.phrasing import Attribute, attribute_of_key, attributes
from pixsearch.model.data.records import Entity, Place, Split, Thing

FEWEST_FACTS, MOST_FACTS = 4, 6
BACKGROUND = {"company": 120, "town": 60, "person": 160}  # entities of a split

_GROUPS = {
    "animal": ("animal", "bird", "fish", "sea animal", "insect"),
    "plant": ("plant", "flower"),
    "food": ("fruit", "vegetable", "food", "drink"),
    "vehicle": ("vehicle",),
    "building": ("building",),
    "planet": ("planet",),
}
_GROUP_OF = {category: group for group, categories in _GROUPS.items() for category in categories}


@dataclass(frozen=True)
class World:
    """All that can be found about one split."""

    split: Split
    background: Mapping[str, Entity]  # by name: companies, towns and people
    places: Mapping[str, Entity]  # by Place.id
    everyday: Mapping[str, Entity]  # by WordNet id, or by noun where ImageNet has no class


def group_of(category: str) -> str:
    """The group of attributes that a category of things has; "object" unless a closer one fits."""
    return _GROUP_OF.get(category, "object")


def make_world(split: Split, seed: int, places: Iterable[Place], everyday: Mapping[str, Entity]) -> World:
    """The world that belongs to `make_entities(things, split, seed)` with the same split and seed."""
    background = {entity.name: entity for entity in make_background_entities(split, seed)}
    return World(split, background, make_place_entities(places, split, seed), everyday)


def make_entities(things: Iterable[Thing], split: Split, seed: int) -> dict[str, Entity]:
    """A name of its own and four to six facts for each thing; those of another split are left out.

    returns entities by Thing.id. Companies, people and towns in the facts are those of
    `make_background_entities` with the same split and seed.
    """
    names = _background_names(split, seed)
    taken: set[str] = set()
    entities = {}
    for thing in things:
        if thing.split is not split:
            continue
        rng = Random(f"{seed}:{split}:{thing.id}")
        name = _fresh(partial(_thing_name, rng, split, thing.noun, group_of(thing.category)), taken)
        facts = {} if name.endswith(thing.noun) else {"kind": thing.noun}
        facts |= _facts(rng, split, group_of(thing.category), names)
        entities[thing.id] = Entity(
            f"made-up/{thing.id}", name, thing.noun, thing.category, facts, "made-up catalogue"
        )
    return entities


def redrawn_facts(entity: Entity, rng: Random, world: World) -> dict[str, str]:
    """The same sort of facts with other values, as another entity of its kind has; the kind stays."""
    names: dict[str, list[str]] = {}
    for one in world.background.values():
        names.setdefault(one.category, []).append(one.name)
    return {key: _other_value(key, value, rng, world.split, names) for key, value in entity.facts.items()}


def _other_value(key: str, value: str, rng: Random, split: Split, names: Mapping[str, Sequence[str]]) -> str:
    attribute = attribute_of_key(key)
    if attribute is None:
        return value
    while (other := _value(attribute, rng, split, names)) == value:
        continue
    return other


def make_background_entities(split: Split, seed: int) -> list[Entity]:
    """Companies, towns and people with facts of their own, known by words alone."""
    names = _background_names(split, seed)
    return [
        Entity(
            f"made-up/{group}/{name}",
            name,
            group,
            group,
            {"kind": group} | _facts(Random(f"{seed}:{split}:{name}"), split, group, names),
            "made-up register",
        )
        for group in BACKGROUND
        for name in names[group]
    ]


def make_place_entities(places: Iterable[Place], split: Split, seed: int) -> dict[str, Entity]:
    """A made-up place for each background photograph of the split, by Place.id."""
    names = _background_names(split, seed)
    taken: set[str] = set()
    entities = {}
    for place in places:
        if place.split is split:
            rng = Random(f"{seed}:{split}:{place.id}")
            name = _fresh(partial(words.name, "place", rng, split), taken)
            facts = {"kind": "place"} | _facts(rng, split, "place", names)
            entities[place.id] = Entity(f"made-up/{place.id}", name, "place", "place", facts, "made-up atlas")
    return entities


def _background_names(split: Split, seed: int) -> dict[str, list[str]]:
    rng = Random(f"{seed}:{split}:background")
    taken: set[str] = set()
    return {
        group: [_fresh(partial(words.name, group, rng, split), taken) for _ in range(count)]
        for group, count in BACKGROUND.items()
    }


def _facts(rng: Random, split: Split, group: str, names: Mapping[str, Sequence[str]]) -> dict[str, str]:
    choices = [attribute for attribute in attributes().values() if group in attribute.on]
    count = min(len(choices), rng.randint(FEWEST_FACTS, MOST_FACTS))
    return {
        rng.choice(attribute.keys): _value(attribute, rng, split, names)
        for attribute in rng.sample(choices, count)
    }


def _value(attribute: Attribute, rng: Random, split: Split, names: Mapping[str, Sequence[str]]) -> str:
    known = names.get(attribute.value)
    return rng.choice(known) if known else words.value(attribute.value, rng, split)


def _thing_name(rng: Random, split: Split, noun: str, group: str) -> str:
    first, second = words.made_up_word(rng, split), words.made_up_word(rng, split)
    if group == "animal":
        forms = [first, f"{first} {second}", f"{first} {noun}", f"{first} {noun}", f"{first} {second} {noun}"]
    elif group in ("plant", "food"):
        forms = [f"{first} {noun}", f"{first} {second} {noun}", f"{first} {second}"]
    else:
        model = f"{rng.choice('ABCDEGKLMRSTVX')}{rng.randint(2, 99)}"
        forms = [
            f"{first} {noun}",
            f"{first} {second} {noun}",
            f"{first} {second}",
            f"{first} {model}",
            f"{first} {model} {noun}",
        ]
    return rng.choice(forms)


def _fresh(make: Callable[[], str], taken: set[str]) -> str:
    while (name := make()) in taken:
        continue
    taken.add(name)
    return name
