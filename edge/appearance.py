"""What colours a thing has and its surroundings do not: keeps a mask from trailing where flow sees nothing."""

from copy import copy

import cv2
import numpy as np
from numpy.typing import NDArray

BINS = 16  # of each channel
BLUR = (0.25, 0.5, 0.25)  # over neighbouring bins: light changes
MOST = 4.0  # of a log ratio
FLOOR = 2e-4  # of a colour's share: unseen colours are no proof

Pixels = NDArray[np.uint8]
Array = NDArray[np.float32]


class Colours:
    """Shares of the colours inside and outside of a mask, in CIE Lab."""

    def __init__(self, lab: Pixels, inside: NDArray[np.bool_], outside: NDArray[np.bool_]) -> None:
        """lab : uint8 (H, W, 3), see `to_lab`; inside, outside : bool (H, W), which need not fill the picture"""
        self._inside, self._outside = _shares(lab, inside), _shares(lab, outside)
        self._first = self._inside

    def learn(self, lab: Pixels, inside: NDArray[np.bool_], outside: NDArray[np.bool_], rate: float) -> None:
        """Move towards what is seen now; what was seen first is never quite forgotten."""
        if inside.any():
            seen = (1 - rate) * self._inside + rate * _shares(lab, inside)
            self._inside = 0.9 * seen + 0.1 * self._first
        if outside.any():
            self._outside = (1 - 3 * rate) * self._outside + 3 * rate * _shares(lab, outside)

    def beside(self, later: "Colours") -> "Colours":
        """These, with surroundings that are as likely those of `later`: what covered the thing is not the thing."""
        mixed = copy(self)
        mixed._outside = ((self._outside + later._outside) / 2).astype(np.float32)
        return mixed

    def evidence(self, lab: Pixels) -> Array:
        """Log ratio of inside over outside for each pixel, float32 (H, W) in -4..4."""
        ratio = np.log((self._inside + FLOOR) / (self._outside + FLOOR)).astype(np.float32)
        return np.clip(ratio, -MOST, MOST)[_bins(lab)]

    def likeness(self, lab: Pixels, inside: NDArray[np.bool_]) -> float:
        """How alike the colours under a mask are to those of the thing: Bhattacharyya coefficient, 0..1."""
        return float(np.sqrt(self._inside * _shares(lab, inside)).sum())


def to_lab(frame: Pixels) -> Pixels:
    """uint8 RGB (H, W, 3) in Lab, without the sensor's noise."""
    return np.asarray(cv2.cvtColor(cv2.GaussianBlur(frame, (3, 3), 0), cv2.COLOR_RGB2LAB), np.uint8)


def _bins(lab: Pixels) -> NDArray[np.intp]:
    # Colours of pictures fill but the middle of a and b: twice as fine there.
    light = lab[..., 0].astype(np.intp) * BINS // 256
    a, b = (np.clip((lab[..., axis].astype(np.intp) - 64) * BINS // 128, 0, BINS - 1) for axis in (1, 2))
    return (light * BINS + a) * BINS + b


def _shares(lab: Pixels, mask: NDArray[np.bool_]) -> Array:
    counts = np.bincount(_bins(lab)[mask], minlength=BINS ** 3).astype(np.float32).reshape(BINS, BINS, BINS)
    for axis in range(3):
        padded = np.pad(counts, [(1, 1) if at == axis else (0, 0) for at in range(3)], mode="edge")
        parts = [np.take(padded, range(shift, shift + BINS), axis) * share for shift, share in enumerate(BLUR)]
        counts = parts[0] + parts[1] + parts[2]
    return (counts / max(1.0, float(counts.sum()))).ravel()
