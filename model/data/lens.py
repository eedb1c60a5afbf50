"""The barrel distortion of a wide-angle lens, for frames and for maps of labels."""

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

STEPS = 50  # a unit of strength has so many different lenses, so that their tables can be kept


def through_lens(picture: NDArray[np.uint8], strength: float) -> NDArray[np.uint8]:
    """A picture as a wide-angle lens shows it: its middle enlarged, its edges bent; the corners stay.

    picture  : uint8, shape (H, W, 3) of colours, or (H, W) of labels, which are not mixed
    strength : 0..1, 0 for a straight lens: how much larger the middle is drawn than the corners
    """
    step = round(strength * STEPS)
    if not step:
        return picture
    height, width = picture.shape[:2]
    mixing = cv2.INTER_NEAREST if picture.ndim == 2 else cv2.INTER_LINEAR
    return np.asarray(cv2.remap(picture, *_tables(height, width, step), mixing), dtype=np.uint8)


@lru_cache(maxsize=STEPS)
def _tables(height: int, width: int, step: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Where each pixel comes from: columns and rows, float32 (H, W)."""
    bend = step / STEPS
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    y, x = np.mgrid[:height, :width].astype(np.float64)
    x, y = x - centre[0], y - centre[1]
    squared = (x**2 + y**2) / (centre**2).sum()  # 1 in the corners
    scale = (1 + bend * squared) / (1 + bend)
    return (x * scale + centre[0]).astype(np.float32), (y * scale + centre[1]).astype(np.float32)
