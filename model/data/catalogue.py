"""What the index of a benchmark holds: everyday things, look-alikes, tiers of popularity, and things left out of it."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from random import Random

from pixsearch.model.data import words
from pixsearch.model.data.cutouts import colourfulness, load_cutout
from pixsearch.model.data.knowledge import World, make_entities, redrawn_facts
from pixsearch.model.data.records import Entity, Split, Thing
from pixsearch.model.data.wordnet import WordNet

EVERYDAY_SHARE = 0.4  # of the kinds of things that WordNet knows: these have no made-up name
ABSENT_SHARE = 0.12  # of things with a made-up name that the index does not hold
ALIKE_SHARE = 0.35  # of the colourful things that it holds with a look-alike in other colours
COLOURFUL = 0.25  # chroma from which other colours are told apart
HUES = (100, 130, 180, 230, 260)  # degrees by which a look-alike's colours are turned
PLAIN_FACTS = {"head": 6, "torso": 4, "tail": 3}  # how many facts are known


class Tier(StrEnum):
    """How popular an entity is: how much is known of it, from how many sides, and how often it is asked about."""

    HEAD = "head"
    TORSO = "torso"
    TAIL = "tail"


TIERS = {Tier.HEAD: 0.2, Tier.TORSO: 0.3, Tier.TAIL: 0.5}  # shares of the entities
SIDES = {Tier.HEAD: 99, Tier.TORSO: 2, Tier.TAIL: 1}  # index pictures at most
WEIGHTS = {Tier.HEAD: 4, Tier.TORSO: 2, Tier.TAIL: 1}  # of being shown in a scene


@dataclass(frozen=True)
class Entry:
    """One entity of the index and the pictures that it is known from.

    hue : degrees by which the pictures' colours are turned; aliases : synonyms
    """

    entity: Entity
    pictures: tuple[Path, ...]
    hue: int = 0
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class Catalogue:
    """All that is told of a split's things.

    branded    : by Thing.id, things with a made-up name
    absent     : by Thing.id, the same for things that the index does not hold
    everyday   : by key (WordNet id, or noun), things that WordNet tells about
    synonyms   : of everyday entities, by Entity.id
    lookalikes : by the Thing.id of what they look like
    strangers  : never shown or asked about
    """

    split: Split
    things: Sequence[Thing]
    branded: Mapping[str, Entity]
    absent: Mapping[str, Entity]
    everyday: Mapping[str, Entity]
    synonyms: Mapping[str, tuple[str, ...]]
    lookalikes: Mapping[str, Entry]
    strangers: Sequence[Entry]

    def entity_of(self, thing: Thing) -> Entity | None:
        """What the index knows a thing as, if it does."""
        return self.branded.get(thing.id) or self.everyday.get(key_of(thing))

    @cached_property
    def alike(self) -> frozenset[str]:
        """Entity.id of those that have a look-alike."""
        return frozenset(self.branded[id].id for id in self.lookalikes)

    @cached_property
    def shown(self) -> list[Thing]:
        """The things of scenes, popular ones several times."""
        return [thing for thing in self.things for _ in range(WEIGHTS[tier_of(thing.id)])]

    def entries(self) -> list[Entry]:
        """All entities that have pictures."""
        of_kind: dict[str, list[Path]] = {}
        found = []
        for thing in self.things:
            pictures = thing.index_pictures[: SIDES[tier_of(thing.id)]]
            if thing.id in self.branded:
                found.append(Entry(self.branded[thing.id], pictures))
            elif key_of(thing) in self.everyday:
                of_kind.setdefault(key_of(thing), []).extend(pictures)
        everyday = {self.everyday[key].id: Entry(self.everyday[key], tuple(pictures), 0,
                                                 self.synonyms[self.everyday[key].id])
                    for key, pictures in of_kind.items()}
        return [*found, *everyday.values(), *self.lookalikes.values(), *self.strangers]


def key_of(thing: Thing) -> str:
    """What `World.everyday` knows a thing's kind by."""
    return thing.wordnet or thing.noun


def tier_of(identity: str) -> Tier:
    """The tier of a thing, by its id."""
    chance, reached = chance_of(f"tier:{identity}"), 0.0
    for tier, share in TIERS.items():
        reached += share
        if chance < reached:
            return tier
    return Tier.TAIL


def chance_of(text: str) -> float:
    """A number from 0 to 1 that belongs to a text."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) / 2**64


def make_catalogue(things: Iterable[Thing], strangers: Iterable[Thing], seed: int, world: World,
                   wordnet: WordNet) -> Catalogue:
    """The catalogue that belongs to a seed.

    things    : of the world's split
    strangers : of other splits, which the index holds under made-up names and nobody asks about
    """
    split, things = world.split, list(things)
    strangers = [replace(one, split=split) for one in strangers]
    named = make_entities([*things, *strangers], split, seed)
    known = {key_of(one) for one in things} & set(world.everyday)
    everyday = {key: world.everyday[key] for key in sorted(known) if chance_of(f"everyday:{key}") < EVERYDAY_SHARE}
    made_up = [one for one in things if key_of(one) not in everyday]
    absent = {one.id for one in made_up if chance_of(f"absent:{one.id}") < ABSENT_SHARE}
    branded = {one.id: _known(named[one.id], one) for one in made_up if one.id not in absent}
    taken = {entity.name for entity in named.values()}
    lookalikes = {one.id: _lookalike(one, branded[one.id], world, seed, taken)
                  for one in made_up if one.id in branded and _may_have_lookalike(one)}
    return Catalogue(
        split, things, branded, {one: named[one] for one in sorted(absent)}, everyday,
        {entity.id: _synonyms(wordnet, entity) for entity in everyday.values()}, lookalikes,
        [Entry(_known(named[one.id], one), one.index_pictures[:1]) for one in strangers])


def _known(entity: Entity, thing: Thing) -> Entity:
    """An entity with as many facts as its tier has; the kind is always told."""
    kept = list(entity.facts)[: PLAIN_FACTS[tier_of(thing.id)] + ("kind" in entity.facts)]
    return replace(entity, facts={key: entity.facts[key] for key in kept})


def _may_have_lookalike(thing: Thing) -> bool:
    return chance_of(f"alike:{thing.id}") < ALIKE_SHARE and colourfulness(load_cutout(thing.path)) >= COLOURFUL


def _lookalike(thing: Thing, entity: Entity, world: World, seed: int, taken: set[str]) -> Entry:
    """The same thing in other colours: another name, and the same sort of facts with other values."""
    rng = Random(f"{seed}:{world.split}:alike:{thing.id}")
    made_up = entity.name.removesuffix(entity.noun).split() or [entity.name]
    while (name := entity.name.replace(made_up[-1], words.made_up_word(rng, world.split))) in taken:
        continue
    taken.add(name)
    facts = redrawn_facts(entity, rng, world)
    twin = Entity(f"{entity.id}/alike", name, entity.noun, entity.category, facts, entity.source)
    return Entry(twin, thing.index_pictures[: SIDES[tier_of(thing.id)]], rng.choice(HUES))


def _synonyms(wordnet: WordNet, entity: Entity) -> tuple[str, ...]:
    return tuple(word for word in wordnet.synset(entity.id).lemmas if word != entity.name)
