"""Pictures of a single thing or place: what an index holds, and what the region head learns from."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pixsearch.model.data import cutouts
from pixsearch.model.data.cutouts import SOLID, Image8, Mask
from pixsearch.model.data.degrade import degrade
from pixsearch.model.data.records import FRAME_HEIGHT, FRAME_WIDTH, Place, Thing
from pixsearch.model.data.settings import SETTINGS, WILD_DEGREES, SceneSettings

REFERENCE_SIDE, REFERENCE_MARGIN = 320, 0.08  # pixels; share of the side on each edge
AUGMENTED_SIDE = 256  # pixels
OBJECT_SHARE = (0.5, 0.9)  # of an augmented view's side that the thing's longest side takes
OCCLUDER_CHANCE, OCCLUDER_SHARE = 0.3, (0.15, 0.45)  # of the thing's longest side


def draw_patch(
    thing: Thing, side: float, tilt: float, settings: SceneSettings, rng: np.random.Generator
) -> Image8:
    """A randomly posed and recoloured picture of a thing: premultiplied RGBA, shape (H, W, 4).

    side : longest side in pixels before rotation; tilt : the camera's, in degrees
    """
    pictures = thing.scene_pictures
    picture = pictures[int(rng.integers(len(pictures)))] if len(pictures) > 1 else thing.path
    most = WILD_DEGREES if rng.random() < settings.wild_chance else settings.degrees
    patch = cutouts.pose(
        cutouts.load_cutout(picture),
        side,
        tilt + rng.uniform(-most, most),
        bool(rng.random() < 0.5) and not thing.flat,
        _moved_corners(thing, settings, rng),
    )
    return cutouts.recoloured(
        patch,
        rng.uniform(1 - settings.gain, 1 + settings.gain, 3),
        rng.uniform(-settings.offset, settings.offset),
        rng.uniform(*settings.contrast),
    )


def _moved_corners(thing: Thing, settings: SceneSettings, rng: np.random.Generator) -> NDArray[np.float64]:
    """How far each corner of a picture moves, (4, 2) in longest sides; a flat thing is turned in space."""
    moved = rng.uniform(-settings.skew, settings.skew, (4, 2))
    if not thing.flat:
        return moved
    height, width = cutouts.load_cutout(thing.path).shape[:2]
    yaw, pitch = rng.uniform(-1, 1, 2) * (settings.perspective, settings.perspective / 2)
    return cutouts.turned_corners(width / max(height, width), height / max(height, width), yaw, pitch)


def reference_views(thing: Thing, seed: int) -> list[tuple[Image8, Mask]]:
    """The index's pictures of a thing, at least one: `reference_view` of each."""
    return [reference_view(picture, seed + number) for number, picture in enumerate(thing.index_pictures)]


def reference_view(picture: Path, seed: int, hue: int = 0) -> tuple[Image8, Mask]:
    """A cut-out as an index takes it: clean, upright, on a plain neutral background that the seed shades.

    hue : degrees by which its colours are turned
    returns RGB, shape (REFERENCE_SIDE, REFERENCE_SIDE, 3), and the mask of that height and width
    """
    rng = np.random.default_rng(seed)
    view = np.full((REFERENCE_SIDE, REFERENCE_SIDE, 3), rng.integers(150, 246), np.uint8)
    cutout = cutouts.turned_hue(cutouts.load_cutout(picture), hue)
    patch = cutouts.resized(cutout, REFERENCE_SIDE * (1 - 2 * REFERENCE_MARGIN) / max(cutout.shape[:2]))
    return view, _put_centred(view, patch, (0, 0))


def augmented_view(
    thing: Thing, place: Place, rng: np.random.Generator, settings: SceneSettings | None = None
) -> tuple[Image8, Mask]:
    """A thing as a crop of a composed scene would show it: posed, on a photograph, perhaps partly hidden.

    settings : the preset of the thing's split when left out
    returns RGB, shape (AUGMENTED_SIDE, AUGMENTED_SIDE, 3), and the mask of what is visible, of that height
        and width; an occluder leaves `settings.visible` of the thing
    """
    settings = settings or SETTINGS[thing.split]
    low, high = settings.side
    longest = FRAME_HEIGHT * float(np.exp(rng.uniform(np.log(low), np.log(high))))
    side = round(longest / rng.uniform(*OBJECT_SHARE))  # pixels of the frame that the crop spans
    tilt = rng.uniform(-settings.tilt, settings.tilt)
    share = rng.uniform(*settings.zoom) * side / FRAME_HEIGHT
    photograph = cutouts.load_photograph(place.path)
    view = cutouts.crop(photograph, (side, side), min(1.0, share), tilt, False, (rng.random(), rng.random()))
    patch = draw_patch(thing, longest, tilt, settings, rng)
    shift = rng.uniform(-0.1, 0.1, 2) * side
    mask = _put_centred(
        view,
        patch,
        (int(shift[0]), int(shift[1])),
        rng.uniform(0.2, 0.5) if rng.random() < settings.shadow else 0.0,
    )
    if rng.random() < OCCLUDER_CHANCE:
        _occlude(view, mask, photograph, longest, settings.visible, rng)
    size = (AUGMENTED_SIDE, AUGMENTED_SIDE)
    seen = cv2.resize(degrade(view, settings.camera, rng)[0], size, interpolation=cv2.INTER_LINEAR)
    shown = cv2.resize(mask.astype(np.uint8) * 255, size, interpolation=cv2.INTER_LINEAR)
    return np.asarray(seen, dtype=np.uint8), np.asarray(shown) >= SOLID


def place_view(place: Place, rng: np.random.Generator) -> Image8:
    """A view of a place without things, wider than in scenes: RGB, shape (FRAME_HEIGHT, FRAME_WIDTH, 3)."""
    return cutouts.crop(
        cutouts.load_photograph(place.path),
        (FRAME_WIDTH, FRAME_HEIGHT),
        rng.uniform(0.96, 1.0),
        0.0,
        False,
        (rng.random(), rng.random()),
    )


def _put_centred(view: Image8, patch: Image8, shift: tuple[int, int], shadow: float = 0.0) -> Mask:
    """Draw a patch at the centre of a view, shifted; returns its mask in the view's size."""
    x, y = ((view.shape[axis] - patch.shape[axis]) // 2 + shift[1 - axis] for axis in (1, 0))
    if shadow:
        cutouts.shade(view, patch, x, y, shadow)
    cutouts.blend(view, patch, x, y)
    mask = np.zeros(view.shape[:2], bool)
    inside, part = cutouts.window(patch.shape[:2], x, y, view.shape[:2])
    mask[inside] = patch[part][..., 3] >= SOLID
    return mask


def _occlude(
    view: Image8, mask: Mask, photograph: Image8, longest: float, visible: float, rng: np.random.Generator
) -> None:
    """Hide a part of the thing behind a blob of the photograph, in place, if enough of it stays visible."""
    rows, columns = np.nonzero(mask)
    at = int(rng.integers(len(rows)))
    axes = (rng.uniform(*OCCLUDER_SHARE, 2) * longest / 2).astype(int) + 1
    blob = np.zeros(mask.shape, np.uint8)
    cv2.ellipse(
        blob,
        (int(columns[at]), int(rows[at])),
        (int(axes[0]), int(axes[1])),
        rng.uniform(0, 180),
        0,
        360,
        1,
        cv2.FILLED,
    )
    left = mask & (blob == 0)
    if left.sum() >= max(1, visible * mask.sum()):
        texture = cutouts.crop(
            photograph,
            (view.shape[1], view.shape[0]),
            rng.uniform(0.1, 0.6),
            0.0,
            False,
            (rng.random(), rng.random()),
        )
        view[blob > 0] = texture[blob > 0]
        mask &= left
