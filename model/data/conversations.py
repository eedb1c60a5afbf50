"""Conversations of two to six turns, in which later turns leave out what was said (CRAG-MM, arXiv 2510.26160)."""

from collections.abc import Callable
from dataclasses import replace

from pixsearch.contract.tokenizer import Turn
from pixsearch.model.data.asking import Asking
from pixsearch.model.data.claims import Asked, choose_fact
from pixsearch.model.data.phrasing import Attribute, Words, ask
from pixsearch.model.data.records import Entity, Sample
from pixsearch.model.data.referring import Reference
from pixsearch.model.data.stage2 import fact_of, name_of
from pixsearch.model.data.turns import about_it, of_another, seen
from pixsearch.model.data.writing import Writer, spoken

LENGTHS = (2, 3, 3, 4, 4, 5, 6)
NAMED_SHARE = 0.5  # of first turns that ask what something is
TRIES = 12  # to find a turn that may follow


def converse(asking: Asking) -> tuple[Sample, ...] | None:
    """Turns about one scene, each with the earlier ones as its history; None where the scene offers no two."""
    first = seen(asking)
    if first is None or first[0].plural:
        return None
    talk = _Talk(asking, *first)
    talk.open()
    wanted = asking.rng.choice(LENGTHS)
    for _ in range(TRIES):
        if len(talk.turns) == wanted:
            break
        talk.go_on()
    return tuple(talk.turns) if len(talk.turns) > 1 else None


class _Talk:
    """A conversation, what it is about just now, and the attribute that was asked for last."""

    def __init__(self, asking: Asking, reference: Reference, entity: Entity) -> None:
        self.asking, self.reference, self.entity = asking, reference, entity
        self.attribute: Attribute | None = None
        self.turns: list[Sample] = []

    def open(self) -> None:
        """Ask for a name or for a fact."""
        chosen = choose_fact(self.asking, self.entity)
        if chosen is None or self.asking.rng.random() < NAMED_SHARE:
            self._add(name_of(self.asking, self.reference, self.entity))
        else:
            self.attribute = chosen[0]
            self._add(fact_of(self.asking, self.reference, self.entity, chosen))

    def go_on(self) -> None:
        """Add a turn of a random sort, if it can be asked here."""
        ways: tuple[Callable[[], Sample | None], ...] = (
            self._about_it, self._about_it, self._of_another, self._of_neighbour, self._lead_on, self._colour)
        sample = self.asking.rng.choice(ways)()
        if sample is not None and all(sample.question != turn.question for turn in self.turns):
            self._add(sample)

    def _add(self, sample: Sample) -> None:
        earlier = tuple(Turn(turn.question, spoken(turn.trace)) for turn in self.turns)
        self.turns.append(replace(sample, history=earlier))

    def _about_it(self) -> Sample | None:
        chosen = choose_fact(self.asking, self.entity)
        if chosen is None or chosen[0] == self.attribute:
            return None
        self.attribute = chosen[0]
        if any(self.entity.name in spoken(turn.trace) for turn in self.turns):
            return about_it(self.asking, self.entity, chosen)
        return fact_of(self.asking, Reference("it", self.reference.target, None), self.entity, chosen)

    def _of_another(self) -> Sample | None:
        other = seen(self.asking)
        if self.attribute is None or other is None or other[0].plural or other[0].target == self.reference.target:
            return None
        question, named = ask("same_of", self.asking.split, self.asking.rng, other[0].asked)
        return self._turn_to(Asked(question, other[0], named), other[1])

    def _of_neighbour(self) -> Sample | None:
        view = self.asking.view
        beside = view.related("beside", self.reference.target, range(len(view.placed)))
        gold = self.asking.entities.get(view.placed[beside[0]].thing.id) if beside else None
        if self.attribute is None or gold is None or beside[0] not in view.clear:
            return None
        question, _ = ask("same_beside", self.asking.split, self.asking.rng)
        return self._turn_to(Asked(question, Reference("the one next to it", beside[0], None), True), gold)

    def _turn_to(self, asked: Asked, gold: Entity) -> Sample:
        assert self.attribute is not None
        self.reference, self.entity = asked.reference, gold
        return of_another(self.asking, asked, gold, self.attribute)

    def _lead_on(self) -> Sample | None:
        """ "And who founded that company?" of what the last answer named."""
        last = self.turns[-1].answer
        second = self.asking.world.background.get(last)
        chosen = choose_fact(self.asking, second) if second else None
        if second is None or chosen is None:
            return None
        self.attribute = None  # "and the lamp?" would ask for that of the company
        return about_it(self.asking, second, chosen, f"that {second.category}")

    def _colour(self) -> Sample | None:
        colour = self.asking.view.placed[self.reference.target].thing.colour
        if colour is None:
            return None
        self.attribute = None
        question, _ = ask("colour", self.asking.split, self.asking.rng, Words("it"))
        writer = Writer().mention("It", self.reference.target, None).say(f" is {colour}.")
        accepted = ("gray",) if colour == "grey" else ()
        return self.asking.sample("colour", question, writer, colour, target=self.reference.target, accepted=accepted)

