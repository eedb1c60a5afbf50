"""Questions about one scene, with the traces that answer them."""

from collections.abc import Callable, Mapping
from random import Random

from pixsearch.model.data.asking import Asking
from pixsearch.model.data.knowledge import World
from pixsearch.model.data.records import Entity, Sample, Scene, Split
from pixsearch.model.data.stage1 import SEES_AND_SAYS
from pixsearch.model.data.stage2 import fact, multi_hop, recognition
from pixsearch.model.data.stage2_elsewhere import place, text
from pixsearch.model.data.stage2_everyday import everyday
from pixsearch.model.data.stage2_several import aggregation, comparison, reasoning
from pixsearch.model.data.turns import same_question, same_thing

FEWEST, MOST = 3, 5  # samples of a scene
TRIES = 40  # a scene may offer nothing for a kind of question

Maker = Callable[[Asking], Sample | None]


def _sees_and_says(asking: Asking) -> Sample | None:
    return asking.rng.choices(list(SEES_AND_SAYS), list(SEES_AND_SAYS.values()))[0](asking)


_MAKERS: dict[int, dict[Maker, int]] = {
    1: {_sees_and_says: 1},
    2: {
        recognition: 16,
        fact: 19,
        everyday: 18,
        multi_hop: 7,
        text: 7,
        place: 7,
        comparison: 5,
        aggregation: 3,
        reasoning: 4,
        same_thing: 4,
        same_question: 4,
        _sees_and_says: 14,
    },
}


def make_samples(
    scene: Scene, entities: Mapping[str, Entity], world: World, split: Split, rng: Random, stage: int
) -> list[Sample]:
    """Three to five questions about a scene, fewer where it offers no more.

    entities : by Thing.id, of `make_entities` with the world's split and seed
    stage : 1, answered by looking; 2, most of them answered by searching
    returns samples with different questions, each well-formed
    """
    asking = Asking(scene, entities, world, split, rng, stage)
    makers, wanted = _MAKERS[stage], rng.randint(FEWEST, MOST)
    samples: dict[str, Sample] = {}
    for _ in range(TRIES):
        if len(samples) == wanted:
            break
        maker = rng.choices(list(makers), list(makers.values()))[0]
        for _ in range(TRIES):  # a kind that a scene can hardly offer must not lose its share
            if sample := maker(asking):
                samples.setdefault(sample.question, sample)
                break
    return list(samples.values())
