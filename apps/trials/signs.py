"""Signs whose words are known, drawn over photographs: small, blurred, tilted, turned, in bad light."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from pixsearch.apps.defaults import PHOTOS
from pixsearch.contract.images import Pixels, read_image

# Photographs without text.
GROUNDS = ("desk.jpg", "palace.jpg", "tabletop.jpg", "lake.jpg", "fruits.jpg", "basketball.jpg", "rocket.jpg")
FACES = ("", "DejaVuSans.ttf", "DejaVuSerif.ttf", "DejaVuSansMono-Bold.ttf")  # "" is Pillow's own
COLOURS = (((20, 20, 30), (240, 236, 220)), ((255, 255, 255), (20, 60, 140)), ((250, 240, 120), (40, 40, 40)),
           ((160, 20, 20), (255, 255, 255)))  # letters, ground
WORDS = ("NO PARKING\nDay and night", "Mind the step", "Platform 9\nTrains to Leeds", "Open 9:00-18:30\nClosed Sunday",
         "Best before\n12.03.2027", "Wheat flour\n500 g", "EMERGENCY EXIT", "Please do not touch\nthe exhibits",
         "Room 214\nDr. Alma Novak", "Alto kettle\nmade by Norvik", "Caution: hot surface", "Bus stop 31 B",
         "Vitamin C\n120 tablets", "Pull to open", "Self-service\nCoffee 2.40", "Fuse 7\nKitchen, 16 A",
         "Shelf 12: Poetry", "Keep refrigerated\n2 to 8 degrees", "Welcome to\nHarbour Lane", "Ring twice")
SIZE = 24  # pixels of a letter's square, where nothing else is said
DISTANCE = 3.0  # of the eye from a tilted sign, in widths of it


@dataclass(frozen=True)
class Look:
    """How a sign is seen.

    size : pixels of a letter's square; blur : standard deviation in pixels
    tilt : degrees about the upright axis; turn : degrees in the picture's plane
    light : share of its contrast and brightness that is left; noise : standard deviation in grey levels
    """

    size: int = SIZE
    blur: float = 0.0
    tilt: float = 0.0
    turn: float = 0.0
    light: float = 1.0
    noise: float = 0.0


@dataclass(frozen=True)
class Sign:
    """A frame, uint8 RGB (H, W, 3), with a sign on it, the sign's true mask, bool (H, W), and its words."""

    frame: Pixels
    mask: NDArray[np.bool_]
    words: str


def a_scene(seed: int, look: Look) -> Sign:
    """A sign on a photograph; the same seed gives the same."""
    chance = np.random.default_rng(seed)
    words, colours = WORDS[seed % len(WORDS)], COLOURS[chance.integers(len(COLOURS))]
    face = board(words, look.size, *colours, face=FACES[chance.integers(len(FACES))])
    ground = read_image(PHOTOS / GROUNDS[chance.integers(len(GROUNDS))])
    scale = 960 / ground.shape[1]
    frame = np.asarray(cv2.resize(ground, (960, round(ground.shape[0] * scale))), np.uint8)
    corners = seen_corners(face, look)
    low, high = corners.min(axis=0), corners.max(axis=0)
    room = np.maximum(frame.shape[1::-1] - (high - low), 0)
    sign = placed(frame, face, corners - low + chance.uniform(0, 1, 2) * room, words)
    return Sign(_seen(sign.frame, look, chance), sign.mask, words)


def board(words: str, size: int, letters: tuple[int, int, int], ground: tuple[int, int, int], face: str = "") -> Pixels:
    """Words on a plain board, uint8 RGB (H, W, 3)."""
    font = _font(face, size)
    box = ImageDraw.Draw(Image.new("RGB", (1, 1))).multiline_textbbox((0, 0), words, font=font)
    image = Image.new("RGB", (int(box[2]) + 2 * size, int(box[3]) + 2 * size), ground)
    ImageDraw.Draw(image).multiline_text((size, size), words, fill=letters, font=font)
    return np.array(image)


def seen_corners(face: Pixels, look: Look) -> NDArray[np.float64]:
    """Where a board's corners are seen, x, y (4, 2), clockwise from the top left, about 0, 0."""
    height, width = face.shape[:2]
    corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * (width / 2, height / 2)
    tilt, turn = np.radians((look.tilt, look.turn))
    nearer = 1 - corners[:, :1] * np.sin(tilt) / (DISTANCE * width)
    seen = corners * (np.cos(tilt), 1) / nearer
    return seen @ np.array([(np.cos(turn), np.sin(turn)), (-np.sin(turn), np.cos(turn))])


def placed(frame: Pixels, face: Pixels, corners: NDArray[np.floating], words: str) -> Sign:
    """A frame (H, W, 3) with a board drawn between four corners (4, 2), clockwise from the top left."""
    height, width = face.shape[:2]
    flat = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    way = cv2.getPerspectiveTransform(flat, corners.astype(np.float32))
    size = frame.shape[1::-1]
    share = cv2.warpPerspective(np.ones((height, width), np.float32), way, size)[..., None]
    drawn = cv2.warpPerspective(face, way, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return Sign((frame * (1 - share) + drawn * share).round().astype(np.uint8), share[..., 0] > 0.5, words)


def _seen(frame: Pixels, look: Look, chance: np.random.Generator) -> Pixels:
    seen = cv2.GaussianBlur(frame, (0, 0), look.blur) if look.blur else frame
    noisy = seen * look.light + chance.normal(0, look.noise, frame.shape) if look.noise else seen * look.light
    return np.clip(noisy, 0, 255).round().astype(np.uint8)


@lru_cache
def _font(face: str, size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    if not face:
        return ImageFont.load_default(size)
    import matplotlib

    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / face), size)
