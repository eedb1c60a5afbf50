"""Better outlines of a mask: where to look closer, and trimming along the colours of the picture."""

import cv2
import numpy as np
from numpy.typing import NDArray

from pixsearch.contract.masks import box_of

WINDOW = 4.5  # sides of a small thing's box that a closer look spans
SMALLEST_WINDOW = 96  # pixels
CLOSER = 0.75  # of the frame's longer side that a closer look spans at most: beyond that it shows hardly more
TRIM_MARGIN = 0.5  # of the box's sides around it that trimming sees
TRIM_PIXELS = 160  # of the longer side of what trimming works on
SURE = 3.0  # logits from which trimming leaves pixels as they are: 95 of 100
MOST_CHANGE = 2.0  # times the mask's area, up or down: trimming that changes more has lost the thing
ROUNDS = 2

Mask = NDArray[np.bool_]
Slices = tuple[slice, slice]


def window_around(mask: Mask) -> Slices | None:
    """Rows and columns of a square around a small mask (H, W), or None where it is not small or empty."""
    box = box_of(mask)
    if box is None:
        return None
    height, width = mask.shape
    x0, y0, x1, y1 = box
    side = round(max(SMALLEST_WINDOW, WINDOW * max(x1 - x0, y1 - y0)))
    if side > min(height, width, CLOSER * max(height, width)):
        return None
    left, top = (int(np.clip((low + high - side) // 2, 0, most - side))
                 for low, high, most in ((x0, x1, width), (y0, y1, height)))
    return slice(top, top + side), slice(left, left + side)


def deepest_point(mask: Mask) -> tuple[float, float]:
    """The x, y of the pixel of a mask that is farthest from its outline."""
    row, column = np.unravel_index(cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5).argmax(), mask.shape)
    return float(column), float(row)


def trimmed(frame: NDArray[np.uint8], mask: Mask, logits: NDArray[np.float32]) -> Mask:
    """The mask, moved to where the picture's colours change (GrabCut: Rother et al., SIGGRAPH 2004).

    frame : uint8 RGB (H, W, 3); mask bool (H, W); logits float32 (H, W) of belonging to the thing
    """
    box = box_of(mask)
    if box is None:
        return mask
    x0, y0, x1, y1 = box
    across, down = round((x1 - x0) * TRIM_MARGIN) + 8, round((y1 - y0) * TRIM_MARGIN) + 8
    view = (slice(max(0, y0 - down), y1 + down), slice(max(0, x0 - across), x1 + across))
    pixels, belief = np.ascontiguousarray(frame[view]), logits[view]
    scale = min(1.0, TRIM_PIXELS / max(belief.shape))
    size = max(1, round(belief.shape[1] * scale)), max(1, round(belief.shape[0] * scale))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    few = cv2.resize(belief, size, interpolation=cv2.INTER_AREA)
    labels = np.select([few > SURE, few > 0, few > -SURE],
                       [cv2.GC_FGD, cv2.GC_PR_FGD, cv2.GC_PR_BGD], cv2.GC_BGD).astype(np.uint8)
    if not 0 < (labels & 1).mean() < 1:  # odd labels are inside: GrabCut needs both
        return mask
    cv2.setRNGSeed(0)  # its colour clusters start at random
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(small, labels, (0, 0, 0, 0), *models, ROUNDS, cv2.GC_INIT_WITH_MASK)
    cut = np.zeros_like(mask)
    inside = (labels & 1).astype(np.float32)
    cut[view] = cv2.resize(inside, pixels.shape[1::-1], interpolation=cv2.INTER_LINEAR) > 0.5
    return cut if 1 / MOST_CHANGE < cut.sum() / mask.sum() < MOST_CHANGE else mask
