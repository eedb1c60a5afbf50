"""Questions that the picture alone answers: masks, sides, lists, colours, counts, presence."""

from collections.abc import Mapping

from pixsearch.model.data.asking import Asking
from pixsearch.model.data.english import NUMBER_WORDS, agree, capitalise, is_plural, listing, plural, with_article
from pixsearch.model.data.phrasing import Words, ask
from pixsearch.model.data.records import Sample
from pixsearch.model.data.referring import POSITIONS, RELATIONS, Reference, kinds, plain, turn_round
from pixsearch.model.data.writing import Writer

MOST_LISTED, MOST_COUNTED = 6, 10
COUNTABLE = (
    "animal",
    "bird",
    "fish",
    "insect",
    "flower",
    "plant",
    "fruit",
    "vegetable",
    "vehicle",
    "tool",
    "toy",
    "building",
    "coin",
    "planet",
    "instrument",
)
_RELATION_WORDS = {
    "left_of": ("left of", "to the left of"),
    "right_of": ("right of", "to the right of"),
    "above": ("above",),
    "below": ("below",),
}
_OPPOSITES = {"left_of": "right_of", "right_of": "left_of", "above": "below", "below": "above"}


def point_out(asking: Asking) -> Sample | None:
    """ "Point out the kettle and the red cup." One to three things, each with its mask."""
    rng, clear = asking.rng, asking.view.clear
    count = min(len(clear), rng.choice((1, 1, 1, 2, 2, 3)))
    avoid = () if count == 1 else ("deictic",)
    found = [asking.refer(target, avoid) for target in rng.sample(clear, count)]
    references = [one for one in found if one is not None]
    if not references:
        return None
    words = Words(listing([one.words for one in references]))
    question, _ = ask("point_out", asking.split, rng, words)
    writer = Writer()
    for at, one in enumerate(references):
        joint = "" if at == 0 else " and " if at == len(references) - 1 else ", "
        writer.say(joint).mention(one.echo if at == 0 else turn_round(one.words), one.target, one.concept)
    answer = "; ".join(turn_round(one.words) for one in references)
    return asking.sample(
        "point-out",
        question,
        writer.say("."),
        answer,
        point=references[0].point,
        target=references[0].target if len(references) == 1 else None,
    )


def where(asking: Asking) -> Sample | None:
    """ "Where is the kettle?" Left, middle or right."""
    reference = asking.refer(avoid=(*POSITIONS, *RELATIONS, "deictic"))
    if reference is None or (side := asking.view.side(reference.target)) is None:
        return None
    question, _ = ask("where", asking.split, asking.rng, reference.asked)
    writer = Writer().begin(reference).say(f" {agree('is', reference.plural)} {side}.")
    return _about(asking, "where", question, writer, side.split()[-1], reference)


def what_is_there(asking: Asking) -> Sample | None:
    """ "What do you see?" All things, left to right."""
    view = asking.view
    if not view.clear or len(view.placed) > MOST_LISTED:
        return None
    question, _ = ask("list", asking.split, asking.rng)
    writer, seen = Writer(), set[str]()
    for position, at in enumerate(view.clear):
        noun = view.placed[at].thing.noun
        again = noun in seen and not is_plural(noun)
        words = f"another {noun}" if again else with_article(noun)
        joint = "" if position == 0 else " and " if position == len(view.clear) - 1 else ", "
        writer.say(joint).mention(words if position else capitalise(words), at, noun)
        seen.add(noun)
    nouns = dict.fromkeys(view.placed[at].thing.noun for at in view.clear)
    return asking.sample("list", question, writer.say("."), "; ".join(nouns))


def colour(asking: Asking) -> Sample | None:
    """ "What colour is the kettle?" Only of things with one dominant colour."""
    coloured = [at for at in asking.view.clear if asking.view.placed[at].thing.colour]
    reference = asking.refer(asking.rng.choice(coloured), ("colour",)) if coloured else None
    if reference is None:
        return None
    value = str(asking.view.placed[reference.target].thing.colour)
    question, named = ask("colour", asking.split, asking.rng, reference.asked)
    writer = Writer().begin(reference, named=named).say(f" {agree('is', reference.plural)} {value}.")
    return _about(
        asking, "colour", question, writer, value, reference, accepted=("gray",) if value == "grey" else ()
    )


def count(asking: Asking) -> Sample | None:
    """ "How many animals are there?" Not asked while something that could count is hardly visible."""
    view, rng = asking.view, asking.rng
    said = [
        word
        for at in view.clear
        for word in (view.placed[at].thing.noun, *kinds(view.placed[at].thing.category))
        if word in COUNTABLE or word == view.placed[at].thing.noun
    ]
    noun = rng.choice((*said, *said, rng.choice(COUNTABLE))) if rng.random() < 0.85 else "thing"
    if is_plural(noun):
        return None
    group = list(range(len(view.placed))) if noun == "thing" else view.named(noun)
    if any(at not in view.clear for at in group) or len(group) > MOST_COUNTED:
        return None
    question, _ = ask("count", asking.split, rng, ns=plural(noun))
    words = noun if len(group) == 1 else plural(noun)
    writer = Writer().say(f"There {'is' if len(group) == 1 else 'are'} {NUMBER_WORDS[len(group)]} {words}.")
    accepted = ("none", "zero") if not group else ()
    return asking.sample("count", question, writer, NUMBER_WORDS[len(group)], accepted=accepted)


def presence(asking: Asking) -> Sample | None:
    """ "Is there a dog?" Half of the time there is none."""
    view, rng = asking.view, asking.rng
    if rng.random() < 0.5:
        return _absence(asking)
    at = rng.choice(view.clear) if view.clear else None
    noun = plain(view, at) if at is not None else None
    if at is None or noun is None or is_plural(noun):
        return None
    question, _ = ask("presence", asking.split, rng, n=noun, a_n=with_article(noun))
    side = view.side(at)
    writer = Writer().say("Yes, there is ").mention(with_article(noun), at, noun)
    return asking.sample("presence", question, writer.say(f" {side}." if side else "."), "yes", target=at)


def _absence(asking: Asking) -> Sample | None:
    other = asking.rng.choice(asking.pool) if asking.pool else None
    categories = {one.thing.category for one in asking.view.placed}
    if (
        other is None
        or other.category in categories
        or asking.view.named(other.noun)
        or is_plural(other.noun)
    ):
        return None
    question, _ = ask("presence", asking.split, asking.rng, n=other.noun, a_n=with_article(other.noun))
    return asking.sample("presence", question, Writer().say(f"No, there is no {other.noun}."), "no")


def reading(asking: Asking, inscriptions: Mapping[str, str]) -> Sample | None:
    """ "What does the label say?" `inscriptions` : the words on things, by Thing.id."""
    written = [at for at in asking.view.clear if asking.view.placed[at].thing.id in inscriptions]
    reference = asking.refer(asking.rng.choice(written)) if written else None
    if reference is None:
        return None
    words = inscriptions[asking.view.placed[reference.target].thing.id]
    question, named = ask("read", asking.split, asking.rng, reference.asked)
    writer = Writer().begin(reference, named=named).say(f' {agree("says", reference.plural)} "{words}".')
    return _about(asking, "reading", question, writer, words, reference)


def compare(asking: Asking) -> Sample | None:
    """ "Is the kettle left of the cup?"."""
    view, rng = asking.view, asking.rng
    if len(view.clear) < 2:
        return None
    first, second = (asking.refer(at, ("deictic", *RELATIONS)) for at in rng.sample(view.clear, 2))
    relation = _relation(asking, first.target, second.target) if first and second else None
    if first is None or second is None or relation is None:
        return None
    asked, true = relation if rng.random() < 0.5 else (relation[1], relation[1])
    question, _ = ask("compare", asking.split, rng, first.asked, r=asked, y=second.words)
    yes = asked == true
    writer = (
        Writer().say("Yes, " if yes else "No, ").mention(turn_round(first.words), first.target, first.concept)
    )
    writer.say(f" {agree('is', first.plural)} {true} ").mention(
        turn_round(second.words), second.target, second.concept
    )
    return asking.sample("compare", question, writer.say("."), "yes" if yes else "no", target=first.target)


def _relation(asking: Asking, first: int, second: int) -> tuple[str, str] | None:
    """A false and a true statement of how the first stands to the second."""
    view, rng = asking.view, asking.rng
    if rng.random() < 0.3:
        larger = view.larger(first, second)
        return (
            None
            if larger is None
            else ("smaller than", "bigger than")
            if larger
            else ("bigger than", "smaller than")
        )
    ways = [way for way in _OPPOSITES if first in view.related(way, second, [first])]
    if not ways:
        return None
    way = rng.choice(ways)
    return rng.choice(_RELATION_WORDS[_OPPOSITES[way]]), rng.choice(_RELATION_WORDS[way])


def _about(
    asking: Asking,
    kind: str,
    question: str,
    writer: Writer,
    answer: str,
    reference: Reference,
    accepted: tuple[str, ...] = (),
) -> Sample:
    return asking.sample(
        kind, question, writer, answer, point=reference.point, target=reference.target, accepted=accepted
    )


SEES_AND_SAYS = {
    point_out: 30,
    where: 14,
    what_is_there: 12,
    colour: 10,
    count: 10,
    presence: 10,
    compare: 7,
}
