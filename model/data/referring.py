"""Words that mean exactly one thing of a scene."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from random import Random

import cv2
import numpy as np

from pixsearch.model.data.english import NUMBER_WORDS, ORDINALS, agree_words, capitalise, is_plural, plural
from pixsearch.model.data.geometry import View
from pixsearch.model.data.phrasing import Words, templates
from pixsearch.model.data.records import Placed, Split, Thing

DEICTIC_SHARE = 0.25  # of references, where a point or the centre of view can tell
POINT_SHARE = 0.7  # of deictic references that come with a point
LOOKS_SHARE = 0.12  # of words that tell by themselves, where a point comes too
POSITIONS = ("left", "right", "middle", "top", "bottom", "ordinal_left", "ordinal_right")
SIZES = ("biggest", "smallest")
RELATIONS = ("beside", "left_of", "right_of", "above", "below")
TRIES = 12

_KINDS = {
    "bird": ("bird", "animal"),
    "fish": ("fish", "animal"),
    "sea animal": ("sea animal", "animal"),
    "insect": ("insect", "animal"),
    "flower": ("flower", "plant"),
    "musical instrument": ("instrument",),
    "science instrument": ("instrument",),
    "clothing": ("piece of clothing",),
    "food": (),
    "drink": ("drink",),
    "household object": (),
    "stationery": (),
    "sports gear": (),
    "object": (),
}
_PLACED = {
    *("on", "in", "at", "to", "near", "next", "beside", "by", "left", "right", "above", "below", "under", "over"),
    *("beneath", "close", "further", "furthest", "higher", "lower", "nearest", "up", "down"),
}
_SPOKEN_TO = ((r"\bI'm\b", "you're"), (r"\bI am\b", "you are"), (r"\bme\b", "you"))
_MARGIN = 7  # pixels that a point keeps from the edge of a mask, where the mask is that wide


@dataclass(frozen=True)
class Reference:
    """Words for one thing, and what they leave to a point."""

    words: str  # within a question, "the kettle on the left"
    target: int  # index into Scene.placed
    concept: str | None
    plural: bool = False
    point: tuple[float, float] | None = None
    bare: bool = False  # the words may be left out

    @property
    def echo(self) -> str:
        """The same words at the beginning of an answer."""
        return capitalise(turn_round(self.words))

    @property
    def place(self) -> str | None:
        """What the words say of where it is, "on the left"; None where they tell in another way."""
        noun = f"the {self.concept} "
        start = next((one for one in (noun, "the thing ", "the object ") if self.words.startswith(one)), None)
        rest = self.words[len(start):] if start else ""
        return rest if rest and rest.split()[0] in _PLACED else None

    @property
    def asked(self) -> Words:
        return Words(self.words, self.bare, self.plural)


def turn_round(words: str) -> str:
    """Said back to the asker: "the thing I'm looking at" becomes "the thing you're looking at"."""
    for pattern, answer in _SPOKEN_TO:
        words = re.sub(pattern, answer, words)
    return words


def kinds(category: str) -> tuple[str, ...]:
    """Words for a category that people say, closest first; () where there is none."""
    return _KINDS.get(category, (category,))


def called(noun: str, category: str) -> frozenset[str]:
    """What such a thing can be called: "polar bear", "bear", "animal"."""
    head = re.split(r" (?:of|in|with|and) ", noun)[0].split()
    return frozenset({noun, *(" ".join(head[at:]) for at in range(len(head))), *kinds(category)})


def thing_called(thing: Thing) -> frozenset[str]:
    """`called` for a thing."""
    return called(thing.noun, thing.category)


def refer(
    view: View, target: int, split: Split, rng: Random, *, avoid: Iterable[str] = (), by_kind: bool = False
) -> Reference | None:
    """Words that mean `target` and nothing else in view; None where none were found.

    avoid : ways not to use, of "noun", "kind", "colour", "deictic" (no point either), POSITIONS, SIZES
        and RELATIONS
    by_kind : do not say the thing's own noun, at most its kind
    """
    ways = {way: weight for way, weight in _WAYS.items() if way not in set(avoid)}
    if (
        "deictic" in ways
        and rng.random() < DEICTIC_SHARE
        and (found := _deictic(view, target, split, rng, by_kind))
    ):
        return found
    ways.pop("deictic", None)
    for _ in range(TRIES):
        way = rng.choices(list(ways), list(ways.values()))[0]
        if found := _try(way, view, target, split, rng, by_kind):
            looks = "deictic" not in avoid and rng.random() < LOOKS_SHARE
            return replace(found, point=point_in(view.placed[target], rng)) if looks else found
    return None


def plain(view: View, target: int) -> str | None:
    """The noun of a thing where nothing else in view is called so."""
    noun = view.placed[target].thing.noun
    return noun if view.named(noun) == [target] else None


def point_in(placed: Placed, rng: Random) -> tuple[float, float]:
    """A random pixel (x, y) of a mask, away from its edge where it is wide enough."""
    inner = cv2.erode(placed.mask.astype(np.uint8), np.ones((2 * _MARGIN + 1,) * 2, np.uint8))
    rows, columns = np.nonzero(inner if inner.any() else placed.mask)
    at = rng.randrange(len(rows))
    return float(columns[at]), float(rows[at])


def _try(way: str, view: View, target: int, split: Split, rng: Random, by_kind: bool) -> Reference | None:
    thing = view.placed[target].thing
    noun, group = _group(way, view, thing, rng, by_kind)
    fields = {"n": noun, "ns": plural(noun), "k": noun}
    if way == "colour":
        if thing.colour is None or not _colour_tells(view, target, group):
            return None
        fields["c"] = thing.colour
    elif way in RELATIONS:
        anchor = _anchor(way, view, target, group, rng)
        if anchor is None:
            return None
        fields["o"] = f"the {anchor}"
    elif way in POSITIONS or way in SIZES:
        rank = view.rank(way, target, group)
        if rank is None:
            return None
        fields |= {"i": ORDINALS[rank], "d": NUMBER_WORDS[rank + 1]}
    elif group != [target]:
        return None
    words = rng.choice(templates(way, split, "refer")).format(**fields)
    many = is_plural(noun)
    concept = None if noun in ("thing", "object") else noun
    return Reference(agree_words(words) if many else words, target, concept, many)


def _group(way: str, view: View, thing: Thing, rng: Random, by_kind: bool) -> tuple[str, list[int]]:
    """A word, and all in view that it could mean."""
    said = [word for word in kinds(thing.category) if not (by_kind and word == thing.noun)]
    own = said if by_kind else [thing.noun]
    choices = {"kind": said, "noun": own, "colour": own}.get(way, [*own, *said])
    if not choices or (way not in ("kind", "noun", "colour") and rng.random() < 0.5):
        return rng.choice(("thing", "thing", "object")), list(range(len(view.placed)))
    word = rng.choice(choices)
    return word, view.named(word)


def _colour_tells(view: View, target: int, group: list[int]) -> bool:
    colour = view.placed[target].thing.colour
    others = [view.placed[one].thing.colour for one in group if one != target]
    return all(other is not None and other != colour for other in others)


def _anchor(way: str, view: View, target: int, group: list[int], rng: Random) -> str | None:
    """The noun of a thing to which only `target` of the group stands in this relation."""
    anchors = [one for one in range(len(view.placed)) if one != target and plain(view, one)]
    rng.shuffle(anchors)
    return next((plain(view, one) for one in anchors if view.related(way, one, group) == [target]), None)


def pointed_at(view: View, target: int, split: Split, rng: Random) -> Reference:
    """ "This", with a point on it."""
    return Reference(rng.choice(templates("deictic", split, "refer")), target, None,
                     point=point_in(view.placed[target], rng), bare=True)


def _deictic(view: View, target: int, split: Split, rng: Random, by_kind: bool) -> Reference | None:
    pointed = rng.random() < POINT_SHARE
    if not pointed and view.central() != target:
        return None
    point = point_in(view.placed[target], rng) if pointed else None
    thing = view.placed[target].thing
    nouns = [word for word in (thing.noun, *kinds(thing.category)) if not (by_kind and word == thing.noun)]
    if nouns and rng.random() < 0.35:
        noun = rng.choice(nouns)
        if not is_plural(noun):
            words = rng.choice(templates("deictic_noun", split, "refer")).format(n=noun)
            return Reference(words, target, noun, point=point, bare=True)
    return Reference(rng.choice(templates("deictic", split, "refer")), target, None, point=point, bare=True)


_WAYS: dict[str, int] = {
    "noun": 30,
    "kind": 14,
    "colour": 10,
    "left": 7,
    "right": 7,
    "middle": 4,
    "top": 4,
    "bottom": 4,
    "ordinal_left": 3,
    "ordinal_right": 3,
    "biggest": 4,
    "smallest": 4,
    "beside": 5,
    "left_of": 3,
    "right_of": 3,
    "above": 3,
    "below": 3,
    "deictic": 0,
}
