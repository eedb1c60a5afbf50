"""Name the colour of a thing, where one colour dominates."""

import cv2
import numpy as np
from numpy.typing import NDArray

COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black", "white", "grey")
DOMINANT_SHARE = 0.62  # of the opaque pixels; below, people name two colours or a pattern
OPAQUE = 200  # alpha, 0..255

_PALE_CHROMA = 42  # saturation below which a pixel has no hue
_HUE_ENDS = np.array([7, 20, 34, 85, 130, 150, 172])  # OpenCV hue (0..179) at which the next colour begins
_HUE_NAMES = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "red")


def dominant_colour(picture: NDArray[np.uint8]) -> str | None:
    """The colour word that most of a cut-out has, or None where no colour dominates.

    picture : uint8 RGBA, shape (H, W, 4)
    returns one of COLOURS, or None (also for a picture with no opaque pixel)
    """
    opaque = picture[..., 3] >= OPAQUE
    if not opaque.any():
        return None
    pixels = picture[opaque][None, :, :3]  # (1, N, 3)
    hsv = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2HSV), dtype=np.uint8)[0]
    shares = np.bincount(_colour_indices(hsv), minlength=len(COLOURS) + 1)[:-1] / len(hsv)
    best = int(shares.argmax())
    return COLOURS[best] if shares[best] >= DOMINANT_SHARE else None


def _colour_indices(hsv: NDArray[np.uint8]) -> NDArray[np.intp]:
    """Index into COLOURS of each pixel, one past the end where people disagree (tan).

    hsv : shape (N, 3), in OpenCV's ranges
    """
    hue, saturation, value = (hsv[:, channel].astype(np.int32) for channel in range(3))
    index = np.array([COLOURS.index(name) for name in _HUE_NAMES])[
        np.searchsorted(_HUE_ENDS, hue, side="right")
    ]
    earthy = (hue < 24) & (saturation < 225)
    index[earthy & (saturation < 150)] = len(COLOURS)
    index[earthy & (value < 165)] = COLOURS.index("brown")
    index[(saturation < 110) & (value >= 165) & ((hue < 6) | (hue >= 160))] = COLOURS.index("pink")
    grey = (saturation < _PALE_CHROMA) | ((value < 80) & (saturation < 80))
    index[grey] = COLOURS.index("grey")
    index[grey & (value > 210)] = COLOURS.index("white")
    index[(value < 55) | ((value < 100) & (hue >= 115) & (hue < 165))] = COLOURS.index("black")
    return index
