"""Compose egocentric frames of several things on a photograph, with exact instance masks.

`compose` makes whole frames. The pictures of single things and places, which the index holds and the region
head learns from, are made in `views` and can be had from here too.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import cv2
import numpy as np

from pixsearch.model.data import cutouts
from pixsearch.model.data.cutouts import SOLID, Image8, Mask
from pixsearch.model.data.degrade import degrade
from pixsearch.model.data.hands import draw_hand
from pixsearch.model.data.lens import through_lens
from pixsearch.model.data.quality import Problem, level
from pixsearch.model.data.records import FRAME_HEIGHT, FRAME_WIDTH, Place, Placed, Scene, Thing
from pixsearch.model.data.settings import (
    CLOSE_SIDE,
    CLOSE_VISIBLE,
    PILE_COUNTS,
    PILE_KIND,
    PILE_SIDE,
    PILE_VISIBLE,
    SETTINGS,
    SceneSettings,
)
from pixsearch.model.data.views import augmented_view, draw_patch, place_view, reference_view

__all__ = ["SETTINGS", "SceneSettings", "augmented_view", "compose", "place_view", "reference_view"]

ATTEMPTS = 16  # to find a spot for a thing before it is left out
MIN_MASK_PIXELS = 48  # a visible mask below that cannot be judged
HAND_LENGTH = (0.5, 1.0)  # of the frame's height, sleeve included
ARRANGEMENT = 1  # the number of the generator that draws close-ups and piles: other scenes stay as they were
SAME_NOUN = 0.6  # of the scenes with rivals: two of one noun; else two of one category


def compose(seed: int, things: Sequence[Thing], places: Sequence[Place], settings: SceneSettings) -> Scene:
    """The scene that belongs to a seed: the same arguments always give the same pixels.

    things, places : all of one split
    returns a scene of at least one thing; every thing's visible share is at least `settings.visible`
    Raises ValueError when things and places are not all of one split.
    """
    if not things or not places or len({one.split for one in things} | {one.split for one in places}) != 1:
        raise ValueError("a scene takes things and places of one split, at least one of each")
    rng = np.random.default_rng(seed)
    settings, things = _arranged(seed, settings, things)
    place = places[int(rng.integers(len(places)))]
    tilt = rng.uniform(-settings.tilt, settings.tilt)
    frame = cutouts.crop(
        cutouts.load_photograph(place.path),
        (FRAME_WIDTH, FRAME_HEIGHT),
        rng.uniform(*settings.zoom),
        tilt,
        bool(rng.random() < 0.5),
        (rng.random(), rng.random()),
    )
    layers: list[_Layer] = []
    for thing in _choose(things, settings, rng):
        _add(layers, thing, settings, tilt, rng)
    if rng.random() < settings.hand:
        _add_hand(layers, settings, rng)
    for layer in layers:
        if layer.thing and rng.random() < settings.shadow:
            cutouts.shade(frame, layer.patch, layer.x, layer.y, rng.uniform(0.2, 0.5))
        cutouts.blend(frame, layer.patch, layer.x, layer.y)
    strength = rng.uniform(*settings.lens)
    placed = _placed(layers, strength)
    frame, conditions = degrade(through_lens(frame, strength), settings.camera, rng)
    problems = {
        Problem.LOW_LIGHT: level(Problem.LOW_LIGHT, 1 / conditions.exposure),
        Problem.BLUR: level(Problem.BLUR, conditions.blur),
        Problem.ROTATION: level(Problem.ROTATION, abs(tilt)),
    }
    return Scene(seed, frame, place, tuple(placed), problems)


def _arranged(
    seed: int, settings: SceneSettings, things: Sequence[Thing]
) -> tuple[SceneSettings, Sequence[Thing]]:
    """What a close-up or a pile is made from, where chance makes the scene one."""
    rng = np.random.default_rng([seed, ARRANGEMENT])
    chance = rng.random()
    if chance < settings.close_up:
        return replace(settings, counts=(1.0,), side=CLOSE_SIDE, visible=CLOSE_VISIBLE), things
    if chance < settings.close_up + settings.pile:
        kind = things[int(rng.integers(len(things)))].category
        alike = [thing for thing in things if thing.category == kind]
        several = len(alike) >= len(PILE_COUNTS) and rng.random() < PILE_KIND
        pile = replace(settings, counts=PILE_COUNTS, side=PILE_SIDE, visible=PILE_VISIBLE, occluding=1.0)
        return pile, alike if several else things
    return settings, things


@dataclass
class _Layer:
    """A thing, or a hand, at its spot, far ones first. `visible` shrinks as nearer ones are added."""

    thing: Thing | None
    patch: Image8
    x: int
    y: int
    pixels: int  # of the whole mask, in frame or not
    outside: float  # share of them that is out of the frame
    visible: Mask = field(repr=False)  # (FRAME_HEIGHT, FRAME_WIDTH)


def _choose(things: Sequence[Thing], settings: SceneSettings, rng: np.random.Generator) -> list[Thing]:
    """Distinct things in random order of depth."""
    weights = np.array(settings.counts) / sum(settings.counts)
    count = min(1 + int(rng.choice(len(weights), p=weights)), len(things))
    chosen = []
    if count > 1 and rng.random() < settings.rivals:
        chosen = _rivals(things, settings, rng)
    for _ in range(ATTEMPTS):
        if len(chosen) >= count:
            break
        drawn = _draw(things, settings, rng)
        if all(thing.id != drawn.id for thing in chosen):
            chosen.append(drawn)
    return [chosen[index] for index in rng.permutation(len(chosen))]


def _draw(things: Sequence[Thing], settings: SceneSettings, rng: np.random.Generator) -> Thing:
    """A random thing, with the settings' share of photographs where the draw of kinds can be met."""
    wanted = rng.random() < settings.photographs
    for _ in range(ATTEMPTS):
        thing = things[int(rng.integers(len(things)))]
        if thing.photograph == wanted:
            break
    return thing


def _rivals(things: Sequence[Thing], settings: SceneSettings, rng: np.random.Generator) -> list[Thing]:
    """Two things that their noun or category does not tell apart; one where `things` has no such pair."""
    by_noun = rng.random() < SAME_NOUN
    for _ in range(ATTEMPTS):
        thing = _draw(things, settings, rng)
        others = [
            other
            for other in things
            if other.id != thing.id
            and (other.noun == thing.noun if by_noun else other.category == thing.category)
        ]
        if others:
            return [thing, others[int(rng.integers(len(others)))]]
    return [thing]


def _add(
    layers: list[_Layer], thing: Thing, settings: SceneSettings, tilt: float, rng: np.random.Generator
) -> None:
    """Put a thing in front of the others where all stay visible enough; leave it out if no spot is found."""
    low, high = settings.side
    side = FRAME_HEIGHT * float(np.exp(rng.uniform(np.log(low), np.log(high))))  # fewer big ones
    patch = draw_patch(thing, side, tilt, settings, rng)
    pixels = int((patch[..., 3] >= SOLID).sum())
    outside, occluding = rng.random() < settings.outside, rng.random() < settings.occluding
    for attempt in range(ATTEMPTS):
        near = (
            layers[int(rng.integers(len(layers)))]
            if layers and occluding and attempt < ATTEMPTS // 2
            else None
        )
        x, y = _spot(patch, near, outside and attempt < ATTEMPTS // 2, rng)
        if _put(layers, thing, patch, (x, y), settings.visible, max(MIN_MASK_PIXELS, settings.visible * pixels)):
            return


def _add_hand(layers: list[_Layer], settings: SceneSettings, rng: np.random.Generator) -> None:
    """Let a hand reach in from below or from a side; leave it out where it would hide a thing too much."""
    for _ in range(ATTEMPTS):
        length = FRAME_HEIGHT * rng.uniform(*HAND_LENGTH)
        upright = bool(rng.random() < 0.6)
        lean = rng.uniform(-35, 35) if upright else float(rng.choice((-1, 1))) * rng.uniform(55, 100)
        hand = cutouts.pose(draw_hand(length, rng), length, lean, False, np.zeros((4, 2)))
        height, width = hand.shape[:2]
        x = rng.uniform(-0.3, 1) * (FRAME_WIDTH - 0.7 * width)
        y = FRAME_HEIGHT - height * rng.uniform(0.4, 0.9)
        if not upright:
            x = -0.4 * width if lean < 0 else FRAME_WIDTH - 0.6 * width
            y = rng.uniform(0, FRAME_HEIGHT - height)
        if _put(layers, None, hand, (int(x), int(y)), settings.visible, 1):
            return


def _put(
    layers: list[_Layer], thing: Thing | None, patch: Image8, at: tuple[int, int], visible: float, least: float
) -> bool:
    """Put a patch before the others if `least` pixels of it and `visible` of every other thing can be seen."""
    solid = patch[..., 3] >= SOLID
    inside, part = cutouts.window(solid.shape, *at, (FRAME_HEIGHT, FRAME_WIDTH))
    seen, pixels = int(solid[part].sum()), int(solid.sum())
    if seen < least or not _leaves_visible(layers, inside, solid[part], visible):
        return False
    for layer in layers:
        layer.visible[inside] &= ~solid[part]
    mask = np.zeros((FRAME_HEIGHT, FRAME_WIDTH), bool)
    mask[inside] = solid[part]
    layers.append(_Layer(thing, patch, *at, pixels, 1 - seen / pixels, mask))
    return True


def _spot(patch: Image8, near: _Layer | None, outside: bool, rng: np.random.Generator) -> tuple[int, int]:
    """Where a patch's upper left corner goes: by another thing, half out of the frame, or anywhere inside."""
    height, width = patch.shape[:2]
    if near is not None:
        reach = 0.4 * (np.array(near.patch.shape[:2]) + (height, width))
        y, x = np.array([near.y, near.x]) + (np.array(near.patch.shape[:2]) - (height, width)) / 2
        y, x = np.array([y, x]) + rng.uniform(-reach, reach)
    elif outside:
        x, y = (
            rng.uniform(-width / 2, FRAME_WIDTH - width / 2),
            rng.uniform(-height / 2, FRAME_HEIGHT - height / 2),
        )
    else:
        x, y = _along(FRAME_WIDTH - width, rng), _along(FRAME_HEIGHT - height, rng)
    return int(x), int(y)


def _along(room: int, rng: np.random.Generator) -> float:
    """Where a patch begins along one side of the frame: within it, or so that it fills it where it is larger."""
    return float(rng.uniform(0, max(1, room)) if room >= 0 else rng.uniform(room, 0))


def _leaves_visible(layers: list[_Layer], inside: tuple[slice, slice], solid: Mask, least: float) -> bool:
    """Whether every earlier thing stays visible enough behind a new mask."""
    for layer in layers:
        left = int(layer.visible.sum()) - int((layer.visible[inside] & solid).sum())
        if left < max(MIN_MASK_PIXELS, least * layer.pixels):
            return False
    return True


def _placed(layers: Sequence[_Layer], strength: float) -> list[Placed]:
    """Things from left to right as the lens shows them; a hand is none."""
    labels = np.zeros((FRAME_HEIGHT, FRAME_WIDTH), np.uint8)
    for label, layer in enumerate(layers, 1):
        labels[layer.visible] = label
    bent = through_lens(labels, strength)
    nearest = [(label, layer) for label, layer in enumerate(layers, 1) if layer.thing][::-1]
    placed = []
    for depth, (label, layer) in enumerate(nearest):
        mask = bent == label
        x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
        if width and layer.thing:
            share = int(layer.visible.sum()) / layer.pixels
            placed.append(Placed(layer.thing, mask, (x, y, x + width, y + height), share, depth, layer.outside))
    return sorted(placed, key=lambda one: (one.box[0] + one.box[2], one.box[1], one.depth))
