"""The motion gate: a still scene is noticed at the cost of a thumbnail, and nothing else is computed."""

import cv2
import numpy as np
from numpy.typing import NDArray

CELLS = (32, 24)  # of the view, across and down
MOVED = 6.0  # levels of a colour that the mean of a cell changes by; noise of a sensor is averaged away

Pixels = NDArray[np.uint8]


class MotionGate:
    """Compares frames with the last one that was let through, so that slow changes add up."""

    def __init__(self) -> None:
        self._kept: NDArray[np.float32] | None = None

    def moved(self, frame: Pixels) -> bool:
        """Whether a frame, uint8 RGB (H, W, 3), differs from the last one for which this was true."""
        cells = cv2.resize(frame, CELLS, interpolation=cv2.INTER_AREA).astype(np.float32)
        if self._kept is not None and self._kept.shape == cells.shape and float(
                np.abs(cells - self._kept).max()) < MOVED:
            return False
        self._kept = cells
        return True

    def forget(self) -> None:
        """Let the next frame through in any case."""
        self._kept = None
