"""Cut-outs and photographs as pixels: load them once, pose a cut-out, blend it into a frame.

Cut-outs are premultiplied: a colour channel holds colour times alpha, so that warping makes no dark seams.
"""

from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pixsearch.contract.faults import Fault

CUTOUT_SIDE = 320  # pixels of the longest side; scenes draw no thing larger than that
CAMERA_DISTANCE = 2.5  # of a flat thing, in its longest sides
MAX_PICTURE_PIXELS = 40_000_000
FAINT, SOLID = 8, 128  # alpha from which a pixel counts as drawn at all, and as part of the mask

Image8 = NDArray[np.uint8]
Mask = NDArray[np.bool_]


def _open(path: Path, mode: str) -> Image.Image:
    with Image.open(path) as opened:
        if opened.width * opened.height > MAX_PICTURE_PIXELS:
            raise Fault(
                f"picture {path}",
                expected=f"at most {MAX_PICTURE_PIXELS} pixels",
                actual=f"{opened.width}x{opened.height}",
                remedy="remove it",
            )
        return opened.convert(mode)


@lru_cache(maxsize=1024)
def load_cutout(path: Path) -> Image8:
    """Premultiplied RGBA, shape (H, W, 4), cropped to what is drawn, sides up to CUTOUT_SIDE. Read-only."""
    picture = np.asarray(_open(path, "RGBA"))
    drawn = picture[..., 3] >= FAINT
    if not drawn.any():
        raise Fault(
            f"picture {path}", expected="at least one opaque pixel", actual="none", remedy="remove it"
        )
    x, y, width, height = cv2.boundingRect(drawn.astype(np.uint8))
    picture = picture[y : y + height, x : x + width].copy()
    picture[..., :3] = (picture[..., :3] * (picture[..., 3:] / 255.0) + 0.5).astype(np.uint8)
    if (scale := CUTOUT_SIDE / max(height, width)) < 1:
        picture = resized(picture, scale)
    picture.setflags(write=False)
    return picture


@lru_cache(maxsize=48)
def load_photograph(path: Path) -> Image8:
    """RGB, shape (H, W, 3). Read-only."""
    picture = np.array(_open(path, "RGB"))
    picture.setflags(write=False)
    return picture


def resized(picture: Image8, scale: float) -> Image8:
    """Scale a picture down by averaging, or up linearly; no side falls below one pixel."""
    height, width = picture.shape[:2]
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    smaller = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    return np.asarray(smaller, dtype=np.uint8)


def pose(cutout: Image8, side: float, degrees: float, flipped: bool, skew: NDArray[np.float64]) -> Image8:
    """A cut-out scaled, mirrored, rotated and seen a little from aside, cropped to what is drawn.

    side : pixels of the longest side before rotation
    degrees : counter-clockwise
    skew : (4, 2), how far each corner moves, as a share of the side
    returns premultiplied RGBA, shape (H, W, 4)
    """
    height, width = cutout.shape[:2]
    if (scale := side / max(height, width)) < 1:
        cutout = resized(cutout, scale)
        height, width = cutout.shape[:2]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64)
    target = (corners - corners.mean(axis=0)) * (side / max(height, width))
    if flipped:
        target[:, 0] *= -1
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])  # y points down
    target = (target + skew * side) @ turn.T
    target -= target.min(axis=0) - 1
    size = np.ceil(target.max(axis=0)).astype(int) + 1
    matrix = cv2.getPerspectiveTransform(corners.astype(np.float32), target.astype(np.float32))
    patch = np.asarray(
        cv2.warpPerspective(cutout, matrix, (int(size[0]), int(size[1])), flags=cv2.INTER_LINEAR),
        dtype=np.uint8,
    )
    x, y, drawn_width, drawn_height = cv2.boundingRect((patch[..., 3] >= FAINT).astype(np.uint8))
    return patch[y : y + drawn_height, x : x + drawn_width] if drawn_width else patch


def turned_corners(width: float, height: float, yaw: float, pitch: float) -> NDArray[np.float64]:
    """How far the corners of a page move when it is turned in space: (4, 2), in its longest sides.

    width, height : in longest sides, so that one of them is 1
    yaw, pitch : degrees about its upright and its level axis; the camera stands CAMERA_DISTANCE away
    """
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * (width / 2, height / 2)
    yaw, pitch = np.deg2rad(yaw), np.deg2rad(pitch)
    x, away = corners[:, 0] * np.cos(yaw), corners[:, 0] * np.sin(yaw)
    y, away = corners[:, 1] * np.cos(pitch) - away * np.sin(pitch), corners[:, 1] * np.sin(pitch) + away * np.cos(pitch)
    seen = np.stack([x, y], axis=1) * (CAMERA_DISTANCE / (CAMERA_DISTANCE + away))[:, None]
    return np.asarray(seen - corners)


def recoloured(patch: Image8, gain: NDArray[np.float64], offset: float, contrast: float) -> Image8:
    """Change gain per channel, brightness offset (0..255) and contrast of a premultiplied patch."""
    alpha = patch[..., 3:].astype(np.float32)
    middle = 128.0 / 255.0 * alpha
    colour = (
        (patch[..., :3] - middle) * (contrast * gain).astype(np.float32) + middle + alpha * (offset / 255.0)
    )
    return np.concatenate([np.clip(colour, 0, alpha).astype(np.uint8), patch[..., 3:]], axis=-1)


def turned_hue(picture: Image8, degrees: int) -> Image8:
    """A premultiplied RGBA picture in other colours: hues turned, light and dark as they were."""
    if not degrees:
        return picture
    hsv = np.asarray(cv2.cvtColor(picture[..., :3], cv2.COLOR_RGB2HSV), np.uint8)
    hsv[..., 0] = (hsv[..., 0].astype(int) + degrees // 2) % 180  # OpenCV's hues are half degrees
    turned = np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), np.uint8)
    return np.concatenate([np.minimum(turned, picture[..., 3:]), picture[..., 3:]], axis=-1)


def colourfulness(picture: Image8) -> float:
    """Mean chroma of the opaque pixels of a premultiplied RGBA picture, 0..1."""
    colours = picture[picture[..., 3] >= SOLID][:, :3].astype(np.float32)
    return float((colours.max(axis=1) - colours.min(axis=1)).mean() / 255) if len(colours) else 0.0


def window(
    patch_size: tuple[int, int],
    x: int,
    y: int,
    frame_size: tuple[int, int],
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Where a patch at (x, y) falls: slices of the frame and of the patch; sizes are (height, width)."""
    x0, y0 = max(x, 0), max(y, 0)
    x1, y1 = min(x + patch_size[1], frame_size[1]), min(y + patch_size[0], frame_size[0])
    return (
        (slice(y0, max(y0, y1)), slice(x0, max(x0, x1))),
        (slice(y0 - y, max(y0, y1) - y), slice(x0 - x, max(x0, x1) - x)),
    )


def blend(frame: Image8, patch: Image8, x: int, y: int) -> None:
    """Draw a premultiplied patch with its upper left corner at (x, y), in place; the outside is cut off."""
    inside, part = window(patch.shape[:2], x, y, frame.shape[:2])
    cut = patch[part]
    behind = frame[inside].astype(np.uint16) * (255 - cut[..., 3:].astype(np.uint16))
    frame[inside] = np.minimum(cut[..., :3] + (behind + 127) // 255, 255)


def shade(frame: Image8, patch: Image8, x: int, y: int, strength: float) -> None:
    """Darken the frame softly below and around a patch, as where it touches the ground; in place.

    strength : 0..1, how dark
    """
    reach = max(3, max(patch.shape[:2]) // 10)
    alpha = cv2.copyMakeBorder(patch[..., 3], reach, reach, reach, reach, cv2.BORDER_CONSTANT, value=0)
    soft = np.asarray(cv2.blur(alpha, (2 * reach + 1, reach + 1)), dtype=np.uint8)
    inside, part = window(soft.shape, x - reach, y - reach + reach // 2, frame.shape[:2])
    keep = 1.0 - soft[part][..., None].astype(np.float32) * (strength / 255.0)
    frame[inside] = (frame[inside] * keep).astype(np.uint8)


def crop(
    photograph: Image8,
    size: tuple[int, int],
    share: float,
    degrees: float,
    flipped: bool,
    centre: tuple[float, float],
) -> Image8:
    """A window of a photograph, drawn at `size` (width, height) with its content turned counter-clockwise.

    share : 0..1, of the largest window that fits
    degrees : how far the content is turned
    centre : 0..1 each, where the window lies in what room is left
    """
    height, width = photograph.shape[:2]
    angle = np.deg2rad(degrees)
    cosine, sine = abs(np.cos(angle)), abs(np.sin(angle))
    extent = [size[0] * cosine + size[1] * sine, size[0] * sine + size[1] * cosine]  # of the tilted window
    reach = np.array(extent)
    scale = share * min((width - 2) / reach[0], (height - 2) / reach[1])
    room = np.array([width - 1, height - 1]) - reach * scale
    middle = reach * scale / 2 + room * np.array(centre)
    axes = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    if flipped:
        axes[0] *= -1  # before the turn, so that a mirrored window tilts the same way
    offset = middle - axes @ (np.array(size) / 2)
    return np.asarray(
        cv2.warpAffine(
            photograph,
            np.column_stack([axes, offset]),
            size,
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REFLECT,
        ),
        dtype=np.uint8,
    )
