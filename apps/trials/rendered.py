"""Clips whose masks are known: a thing moves over a photograph, turns, changes size, and may be hidden for a while."""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pixsearch.apps.defaults import PHOTOS
from pixsearch.apps.trials.clips import SIZE
from pixsearch.contract.images import Pixels, read_image

FPS, SECONDS = 15.0, 5.0
FACES = ("photograph", "plain", "stripes", "shaded")  # what a thing's surface is
GROUNDS = ("desk.jpg", "parking.jpg", "palace.jpg", "tabletop.jpg", "lake.jpg", "signpost.jpg", "plant.jpg",
           "fruits.jpg")
SURFACES = ("coffee.jpg", "orange.jpg", "aloe.jpg", "monarch.jpg", "rocket.jpg", "mandrill.jpg", "basketball.jpg")
CORNERS = 180  # of an outline
HIDDEN_FROM_S, HIDDEN_S = 2.0, 1.0  # when it is wholly hidden, and how long
PANEL_SPEED = 150.0  # pixels a second, of what hides it, past the thing
NOISE = 3.0  # grey levels, of the sensor

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Shot:
    """A frame, uint8 RGB (H, W, 3), the true mask of what is seen of the thing, bool (H, W), and its second."""

    frame: Pixels
    mask: Mask
    second: float


@dataclass(frozen=True)
class Thing:
    """An outline (N, 2) around 0, 0 in pixels, and a surface, uint8 RGB (H, W, 3), larger than it."""

    outline: NDArray[np.float64]
    surface: Pixels


def render(seed: int, hidden: bool, twin: bool) -> Iterator[Shot]:
    """The frames of one clip; the same seed gives the same.

    hidden : something passes in front, and hides the thing for a second
    twin   : another thing of the same outline moves about
    """
    chance = np.random.default_rng(seed)
    ground = _ground(chance)
    thing = _thing(chance, FACES[seed % len(FACES)])
    other = Thing(thing.outline, _surface(chance, FACES[(seed + 1) % len(FACES)])) if twin else None
    way, other_way = _way(chance), _way(chance)
    panel = _photo_surface(chance)
    for number in range(round(FPS * SECONDS)):
        second = number / FPS
        frame = _camera(ground, second, way[4])
        mask = np.zeros(frame.shape[:2], np.uint8)
        if other is not None:
            _draw(frame, mask, other, other_way, second)
            mask[:] = 0
        centre = _draw(frame, mask, thing, way, second)
        if hidden:
            _hide(frame, mask, panel, thing, centre, second)
        light = 1 + 0.08 * np.sin(second + way[4])
        noisy = frame * light + chance.normal(0, NOISE, frame.shape)
        yield Shot(np.clip(noisy, 0, 255).astype(np.uint8), mask > 0, second)


def _ground(chance: np.random.Generator) -> Pixels:
    photo = read_image(PHOTOS / str(chance.choice(GROUNDS)))
    share = 1.3 * max(SIZE[0] / photo.shape[1], SIZE[1] / photo.shape[0])
    return np.asarray(cv2.resize(photo, None, fx=share, fy=share), np.uint8)


def _camera(ground: Pixels, second: float, phase: float) -> Pixels:
    """The part of the ground that a hand-held camera sees."""
    height, width = ground.shape[:2]
    left = (width - SIZE[0]) / 2 * (1 + 0.6 * np.sin(0.9 * second + phase))
    top = (height - SIZE[1]) / 2 * (1 + 0.6 * np.cos(0.7 * second + phase))
    return np.asarray(cv2.warpAffine(ground, np.array([[1, 0, -left], [0, 1, -top]]), SIZE), np.uint8)


def _thing(chance: np.random.Generator, face: str) -> Thing:
    angles = np.linspace(0, 2 * np.pi, CORNERS, endpoint=False)
    radius = np.full(CORNERS, chance.uniform(45, 75))
    for wave in (2, 3, 5):
        radius *= 1 + chance.uniform(0, 0.18) * np.cos(wave * angles + chance.uniform(0, 7))
    return Thing(np.stack([radius * np.cos(angles), radius * np.sin(angles)], axis=1), _surface(chance, face))


def _surface(chance: np.random.Generator, face: str) -> Pixels:
    if face == "photograph":
        return _photo_surface(chance)
    side = 320
    colour, second = chance.uniform(20, 235, 3), chance.uniform(20, 235, 3)
    x = np.linspace(-1, 1, side)[None, :, None]
    if face == "plain":
        share = np.zeros((side, side, 1))
    elif face == "shaded":
        share = np.broadcast_to((x + 1) / 2, (side, side, 1)) * 0.6
    else:
        share = np.broadcast_to(np.sin(x * chance.uniform(20, 40)) > 0, (side, side, 1)).astype(float)
    return (colour * (1 - share) + second * share).astype(np.uint8)


def _photo_surface(chance: np.random.Generator) -> Pixels:
    photo = read_image(PHOTOS / str(chance.choice(SURFACES)))
    share = 420 / min(photo.shape[:2])
    return np.asarray(cv2.resize(photo, None, fx=share, fy=share), np.uint8)


def _way(chance: np.random.Generator) -> NDArray[np.float64]:
    """Centre x, y; how far it goes across and down; phase; speed; degrees that it turns; how its size changes."""
    return np.array([chance.uniform(240, 400), chance.uniform(190, 290), chance.uniform(40, 110),
                     chance.uniform(20, 70), chance.uniform(0, 7), chance.uniform(0.8, 1.6), chance.uniform(-50, 50),
                     chance.uniform(0.05, 0.25)])


def _place(way: NDArray[np.float64], second: float) -> NDArray[np.float64]:
    """The 2 x 3 map from a thing's own pixels to the frame."""
    x, y, across, down, phase, speed, turn, size = way
    pace = speed * second + phase
    angle, scale = np.radians(turn * np.sin(0.8 * pace)), 1 + size * np.sin(0.6 * pace)
    cosine, sine = scale * np.cos(angle), scale * np.sin(angle)
    return np.array([[cosine, -sine, x + across * np.sin(pace)], [sine, cosine, y + down * np.cos(1.3 * pace)]])


def _draw(frame: Pixels, mask: Pixels, thing: Thing, way: NDArray[np.float64], second: float) -> NDArray[np.float64]:
    """Draw a thing into frame and mask; returns its centre."""
    place = _place(way, second)
    corners = thing.outline @ place[:, :2].T + place[:, 2]
    alpha = np.zeros(mask.shape, np.uint8)
    cv2.fillPoly(alpha, [np.round(corners * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    height, width = thing.surface.shape[:2]
    shift = place.copy()
    shift[:, 2] -= place[:, :2] @ (width / 2, height / 2)
    surface = cv2.warpAffine(thing.surface, shift, SIZE, borderMode=cv2.BORDER_REFLECT)
    share = alpha[..., None] / 255
    frame[:] = (surface * share + frame * (1 - share)).astype(np.uint8)
    mask[alpha > 127] = 255
    return place[:, 2]


def _hide(frame: Pixels, mask: Pixels, panel: Pixels, thing: Thing, centre: NDArray[np.float64],
          second: float) -> None:
    """Let a panel pass over the thing from left to right that covers it for `HIDDEN_S`."""
    reach = 2.4 * np.abs(thing.outline).max()
    width = round(reach + PANEL_SPEED * HIDDEN_S)
    left = round(centre[0] + PANEL_SPEED * (second - HIDDEN_FROM_S - HIDDEN_S / 2) - width / 2)
    low, high = (int(np.clip(edge, 0, SIZE[0])) for edge in (left, left + width))
    if high > low:
        tiled = cv2.copyMakeBorder(panel, 0, SIZE[1], 0, width, cv2.BORDER_WRAP)
        frame[:, low:high] = tiled[:SIZE[1], low - left:high - left]
        mask[:, low:high] = 0
