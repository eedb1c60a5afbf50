"""The questions of the benchmark `egoqa`: each belongs to its number, whatever was made before."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial
from pathlib import Path
from random import Random
from typing import Any

from pixsearch.model.data import flats
from pixsearch.model.data.asking import Asking
from pixsearch.model.data.catalogue import Catalogue, make_catalogue, tier_of
from pixsearch.model.data.conversations import converse
from pixsearch.model.data.everyday import everyday_entities, everyday_nouns
from pixsearch.model.data.knowledge import World, make_world
from pixsearch.model.data.places import load_places
from pixsearch.model.data.records import Entity, Place, Placed, Sample, Scene, Split, sample_as_json, sample_from_json
from pixsearch.model.data.scenes import SETTINGS, compose
from pixsearch.model.data.stage1 import colour, count, presence, reading, where
from pixsearch.model.data.stage2 import fact, multi_hop, recognition
from pixsearch.model.data.stage2_elsewhere import not_in_view, place, text
from pixsearch.model.data.stage2_everyday import everyday
from pixsearch.model.data.stage2_several import aggregation, comparison, reasoning
from pixsearch.model.data.things import load_things
from pixsearch.model.data.wordnet import WordNet

SEED = 41  # of the made-up world and the order of questions
SCENE_SEEDS = {Split.TRAIN: 10_000_000, Split.VALIDATION: 20_000_000, Split.TEST: 30_000_000}
CONVERSATIONS_AT = 5_000_000  # where the scene seeds of conversations begin
SCENES_A_QUESTION = 60  # that are tried: a scene may offer nothing for a kind of question
TRIES = 25  # a scene, for the same reason
NOT_IN_INDEX, FACT_MISSING, NOT_IN_VIEW = "not in index", "fact missing", "not in view"

# How many questions of 2,000 are of a kind, and which type of CRAG-MM's a kind is of.
COUNTS = {
    "recognition": 300, "everyday": 240, "fact": 300, "text": 60, "place": 100, "multi-hop": 160, "comparison": 120,
    "aggregation": 80, "reasoning": 120, "colour": 60, "count": 60, "where": 60, "presence": 40, "reading": 40,
    NOT_IN_INDEX: 140, FACT_MISSING: 60, NOT_IN_VIEW: 60,
}
QUESTIONS, CONVERSATIONS = sum(COUNTS.values()), 300
NO_SEARCH, UNANSWERABLE = "no search", "unanswerable"
_TYPES = {
    "recognition": "recognition", "fact": "knowledge", "text": "knowledge", "multi-hop": "multi-hop",
    "comparison": "comparison", "aggregation": "aggregation", "reasoning": "reasoning",
    **dict.fromkeys(("colour", "count", "where", "presence", "reading"), NO_SEARCH),
    **dict.fromkeys((NOT_IN_INDEX, FACT_MISSING, NOT_IN_VIEW), UNANSWERABLE),
}

Maker = Callable[[Asking], Sample | None]


@dataclass(frozen=True)
class Question:
    """One question with what its score is broken down by.

    number   : of the question; of the conversation, for a turn
    kind     : one of COUNTS; "turn" in a conversation
    type     : CRAG-MM's, "no search" or "unanswerable"
    shown    : id of the entity that a region search for the thing asked about should find
    tier     : of that thing's popularity; size : its share of the frame, 0..1
    problems : level of each of CRAG-MM's problems, of the frame and of the thing, 0..3
    alike    : whether the index holds a look-alike
    """

    number: int
    kind: str
    type: str
    sample: Sample
    shown: str | None
    tier: str | None
    size: float | None
    problems: Mapping[str, int]
    alike: bool

    def as_json(self) -> dict[str, Any]:
        """The question as an object of JSON."""
        return {**vars(self), "sample": sample_as_json(self.sample)}

    @classmethod
    def from_json(cls, row: dict[str, Any]) -> "Question":
        """The inverse of `as_json`."""
        return cls(**{**row, "sample": sample_from_json(row["sample"])})


@dataclass(frozen=True)
class Exam:
    """All that a split's questions are made from. `inscriptions`: words on things, by Thing.id."""

    catalogue: Catalogue
    world: World
    places: list[Place]
    inscriptions: Mapping[str, str]

    @cached_property
    def _asked_world(self) -> World:
        """The world without the everyday things that have a made-up name here."""
        return replace(self.world, everyday=self.catalogue.everyday)

    @cached_property
    def _makers(self) -> dict[str, Maker]:
        return {
            "recognition": recognition, "everyday": everyday, "fact": fact, "text": text, "place": place,
            "multi-hop": multi_hop, "comparison": comparison, "aggregation": aggregation, "reasoning": reasoning,
            "colour": colour, "count": count, "where": where, "presence": presence,
            "reading": partial(reading, inscriptions=self.inscriptions),
            NOT_IN_INDEX: _of_what_is_unknown, FACT_MISSING: fact, NOT_IN_VIEW: not_in_view,
        }

    def scene(self, seed: int) -> Scene:
        """The scene that belongs to a seed."""
        split = self.catalogue.split
        return compose(seed, self.catalogue.shown, self.places, SETTINGS[split])

    def question(self, number: int) -> Question:
        """The n-th single-turn question. Raises RuntimeError where no scene offers one of its kind."""
        kind = kind_of(number)
        for scene in self._scenes(number * SCENES_A_QUESTION):
            asking = self._asking(scene, unknown=kind == NOT_IN_INDEX)
            for _ in range(TRIES):
                sample = self._makers[kind](asking)
                if sample and bool(sample.answer) == (_TYPES.get(kind) != UNANSWERABLE):
                    return self._described(number, kind, scene, sample)
        raise RuntimeError(f"no scene offers a question of kind {kind!r} for number {number}")

    def conversation(self, number: int) -> list[Question]:
        """The turns of the n-th conversation."""
        for scene in self._scenes(CONVERSATIONS_AT + number * SCENES_A_QUESTION):
            asking = self._asking(scene)
            for _ in range(TRIES):
                if turns := converse(asking):
                    return [self._described(number, "turn", scene, turn) for turn in turns]
        raise RuntimeError(f"no scene offers conversation {number}")

    def _scenes(self, first: int) -> Iterator[Scene]:
        start = SCENE_SEEDS[self.catalogue.split] + first
        return (self.scene(seed) for seed in range(start, start + SCENES_A_QUESTION))

    def _asking(self, scene: Scene, unknown: bool = False) -> Asking:
        known = self.catalogue.absent if unknown else self.catalogue.branded
        rng = Random(f"{SEED}:{scene.seed}")
        return Asking(scene, known, self._asked_world, self.catalogue.split, rng, 2, float(unknown))

    def _described(self, number: int, kind: str, scene: Scene, sample: Sample) -> Question:
        target = None if sample.target is None else scene.placed[sample.target]
        entity = self.catalogue.entity_of(target.thing) if target else None
        if entity and entity.id in self.catalogue.synonyms:
            sample = replace(sample, accepted=(*sample.accepted, *self._synonyms(sample, entity)))
        return Question(
            number, kind, self._type(kind, sample), sample, entity.id if entity else None,
            tier_of(target.thing.id).value if target else None, _size(target), _problems(scene, target),
            entity is not None and entity.id in self.catalogue.alike)

    def _synonyms(self, sample: Sample, entity: Entity) -> tuple[str, ...]:
        return self.catalogue.synonyms[entity.id] if sample.answer == entity.name else ()

    def _type(self, kind: str, sample: Sample) -> str:
        if not sample.answer:
            return UNANSWERABLE
        if kind in _TYPES:
            return _TYPES[kind]
        names = {one.name for one in (*self.catalogue.everyday.values(), *self.world.places.values(),
                                      *self.catalogue.branded.values())}
        if kind == "turn" and sample.modality is None:
            return NO_SEARCH
        return "recognition" if sample.answer in names else "knowledge"


def load_exam(data: Path, split: Split) -> Exam:
    """All that a split's questions are made from; data : the folder that `make data` filled."""
    things = load_things(data)
    own, strangers = ([one for one in things if one.split is chosen] for chosen in (split, Split.TRAIN))
    places = [place for place in load_places(data) if place.split is split]
    wordnet = WordNet(data / "wordnet" / "3.0")
    world = make_world(split, SEED, places, {**everyday_entities(wordnet), **everyday_nouns(wordnet, own)})
    drawn = flats.Materials(split, [one for one in own if not one.flat], places)
    return Exam(make_catalogue(own, strangers, SEED, world, wordnet), world, places, flats.inscriptions(drawn))


def kind_of(number: int) -> str:
    """The kind of the n-th question: all kinds in their shares, in an order that belongs to SEED."""
    return _order()[number % QUESTIONS]


@cache
def _order() -> list[str]:
    kinds = [kind for kind, count_ in COUNTS.items() for _ in range(count_)]
    Random(SEED).shuffle(kinds)
    return kinds


def _of_what_is_unknown(asking: Asking) -> Sample | None:
    """Asks for the name or a fact of a thing that the index does not hold."""
    return asking.rng.choice((recognition, fact))(asking)


def _size(target: Placed | None) -> float | None:
    return None if target is None else round(float(target.mask.mean()), 5)


def _problems(scene: Scene, target: Placed | None) -> dict[str, int]:
    levels = {**scene.problems, **(target.problems if target else {})}
    return {problem.value: amount for problem, amount in levels.items()}
