"""Pixels as the networks see them: a letterboxed frame, and a crop of the region at camera resolution."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pixsearch.contract.masks import box_of

FRAME_PIXELS = 384  # side of the letterboxed frame
CROP_PIXELS = 224  # side of a region crop, EfficientNet-Lite0's own training size
MASK_PIXELS = FRAME_PIXELS // 4  # side of a predicted mask
CROP_CELLS = CROP_PIXELS // 32  # side of the grid that a crop's features are pooled over
PIXEL_MEAN, PIXEL_SCALE = 0.498, 0.502  # EfficientNet-Lite's input scaling of pixels in 0..1
PAD_VALUE = 127  # grey that is zero after scaling
CROP_MARGIN = 0.25  # of the box's longer side, kept around a region: what ImageNet's pictures show of a thing
BACKGROUND_WEIGHT = 0.10  # pooling weight of cells outside the mask: context helps a little, neighbours harm

CONSTANTS: dict[str, float] = {  # a bundle's manifest repeats them; a device of other constants refuses it
    "frame_pixels": FRAME_PIXELS, "crop_pixels": CROP_PIXELS, "mask_pixels": MASK_PIXELS, "crop_cells": CROP_CELLS,
    "pixel_mean": PIXEL_MEAN, "pixel_scale": PIXEL_SCALE, "pad_value": PAD_VALUE, "crop_margin": CROP_MARGIN,
    "background_weight": BACKGROUND_WEIGHT}

Pixels = NDArray[np.uint8]  # (H, W, 3) RGB
Batch = NDArray[np.float32]  # (1, 3, S, S)


_SCALED = ((np.arange(256).astype(np.float32) / 255.0 - PIXEL_MEAN) / PIXEL_SCALE).astype(np.float32)  # by pixel value


def scale_pixels(image: Pixels) -> Batch:
    """uint8 RGB (S, S, 3) → float32 (1, 3, S, S) in about -1..1."""
    planes = [cv2.LUT(channel, _SCALED) for channel in cv2.split(image)]
    return np.stack(planes, dtype=np.float32)[None]


@dataclass(frozen=True)
class Letterbox:
    """How a frame of (height, width) lies in the square: scaled by `scale`, shifted by (left, top) pixels."""

    height: int
    width: int
    scale: float
    left: int
    top: int

    @classmethod
    def fit(cls, height: int, width: int) -> "Letterbox":
        """The letterbox of a frame size."""
        scale = FRAME_PIXELS / max(height, width)
        inner_height, inner_width = max(1, round(height * scale)), max(1, round(width * scale))
        return cls(height, width, scale, (FRAME_PIXELS - inner_width) // 2, (FRAME_PIXELS - inner_height) // 2)

    def to_unit(self, x: float, y: float) -> tuple[float, float]:
        """A point in frame pixels → 0..1 in the square."""
        return (x * self.scale + self.left) / FRAME_PIXELS, (y * self.scale + self.top) / FRAME_PIXELS

    def place(self, image: Pixels) -> Pixels:
        """The frame in its square, uint8 (FRAME_PIXELS, FRAME_PIXELS, 3)."""
        inner = self._inner(image.shape[0], image.shape[1])
        small = cv2.resize(image, inner, interpolation=cv2.INTER_AREA if self.scale < 1 else cv2.INTER_LINEAR)
        square = np.full((FRAME_PIXELS, FRAME_PIXELS, 3), PAD_VALUE, dtype=np.uint8)
        square[self.top:self.top + inner[1], self.left:self.left + inner[0]] = small
        return square

    def place_mask(self, mask: NDArray[np.bool_]) -> NDArray[np.float32]:
        """A frame mask (H, W) → share of each cell that is covered, float32 (MASK_PIXELS, MASK_PIXELS)."""
        inner = self._inner(*mask.shape)
        square = np.zeros((FRAME_PIXELS, FRAME_PIXELS), dtype=np.float32)
        square[self.top:self.top + inner[1], self.left:self.left + inner[0]] = cv2.resize(
            mask.astype(np.float32), inner, interpolation=cv2.INTER_AREA)
        covered = cv2.resize(square, (MASK_PIXELS, MASK_PIXELS), interpolation=cv2.INTER_AREA)
        return covered.astype(np.float32)

    def restore(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        """Mask logits (MASK_PIXELS, MASK_PIXELS) → logits at frame size, float32 (H, W)."""
        inner = self._inner(self.height, self.width)
        square = cv2.resize(logits, (FRAME_PIXELS, FRAME_PIXELS), interpolation=cv2.INTER_LINEAR)
        cut = square[self.top:self.top + inner[1], self.left:self.left + inner[0]]
        return cv2.resize(cut, (self.width, self.height), interpolation=cv2.INTER_LINEAR).astype(np.float32, copy=False)

    def restore_mask(self, logits: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Mask logits (MASK_PIXELS, MASK_PIXELS) → bool mask at frame size (H, W)."""
        return self.restore(logits) > 0

    def _inner(self, height: int, width: int) -> tuple[int, int]:
        return max(1, round(width * self.scale)), max(1, round(height * self.scale))


def frame_batch(frame: Pixels) -> tuple[Batch, Letterbox]:
    """A frame as the vision graph takes it, and its letterbox."""
    letterbox = Letterbox.fit(frame.shape[0], frame.shape[1])
    return scale_pixels(letterbox.place(frame)), letterbox


def region_batch(frame: Pixels, mask: NDArray[np.bool_] | None) -> tuple[Batch, NDArray[np.float32]]:
    """The masked part of a frame as the region graph takes it, cut at camera resolution.

    frame : uint8 RGB (H, W, 3)
    mask : bool (H, W) with at least one pixel set, or None for the whole frame
    returns pixels float32 (1, 3, CROP_PIXELS, CROP_PIXELS) and pooling weights float32
    (1, 1, CROP_CELLS, CROP_CELLS) that sum to 1. Raises ValueError for an empty mask.
    """
    if mask is None:
        mask = np.ones(frame.shape[:2], dtype=np.bool_)
        square, inside = _square(frame, mask, (0, 0, frame.shape[1], frame.shape[0]))
    else:
        box = box_of(mask)
        if box is None:
            raise ValueError("the mask of a region has no pixel set")
        square, inside = _square(frame, mask, _grow(box, frame.shape[0], frame.shape[1]))
    cells = cv2.resize(inside, (CROP_CELLS, CROP_CELLS), interpolation=cv2.INTER_AREA)
    weights = BACKGROUND_WEIGHT + (1 - BACKGROUND_WEIGHT) * cells
    return scale_pixels(square), (weights / weights.sum())[None, None].astype(np.float32)


def _grow(box: tuple[int, int, int, int], height: int, width: int) -> tuple[int, int, int, int]:
    x0, y0, x1, y1 = box
    margin = round(CROP_MARGIN * max(x1 - x0, y1 - y0))
    return max(0, x0 - margin), max(0, y0 - margin), min(width, x1 + margin), min(height, y1 + margin)


def _square(frame: Pixels, mask: NDArray[np.bool_], box: tuple[int, int, int, int]
            ) -> tuple[Pixels, NDArray[np.float32]]:
    """Cut a box and letterbox it into the crop square, pixels and mask alike."""
    x0, y0, x1, y1 = box
    scale = CROP_PIXELS / max(y1 - y0, x1 - x0)
    size = max(1, round((x1 - x0) * scale)), max(1, round((y1 - y0) * scale))
    left, top = (CROP_PIXELS - size[0]) // 2, (CROP_PIXELS - size[1]) // 2
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    square = np.full((CROP_PIXELS, CROP_PIXELS, 3), PAD_VALUE, dtype=np.uint8)
    inside = np.zeros((CROP_PIXELS, CROP_PIXELS), dtype=np.float32)
    view = (slice(top, top + size[1]), slice(left, left + size[0]))
    square[view] = cv2.resize(np.ascontiguousarray(frame[y0:y1, x0:x1]), size, interpolation=method)
    inside[view] = cv2.resize(mask[y0:y1, x0:x1].astype(np.float32), size, interpolation=method)
    return square, inside
