"""Following a region that was asked for through the frames of a clip, without the language model."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pixsearch.edge.bundle import Bundle
from pixsearch.edge.inputs import Point
from pixsearch.edge.perception import Mask, Perception, Segment

LOST_BELOW_IOU = 0.5


@dataclass(frozen=True, eq=False)
class Track:
    """Where the region is in one frame: bool (H, W); None while it is out of sight."""

    mask: Mask | None

    @property
    def lost(self) -> bool:
        """Whether the region was not found."""
        return self.mask is None


class RegionTracker:
    """Feeds the last mask, its centre and the words that named it back into the mask graph, as PLUM does.

    A lost region is looked for again in the next frame, from where it was seen last.
    """

    def __init__(self, bundle: Bundle, frame: NDArray[np.uint8], segment: Segment) -> None:
        """segment : of the region search that found it in this frame, `SearchRecord.segment`."""
        self._bundle, self._last = bundle, segment
        self._hidden = segment.hidden

    def glance(self, frame: NDArray[np.uint8]) -> None:
        """Follow it into a frame for which there was no time; one of another size is as good."""

    def update(self, perception: Perception) -> Track:
        """Find the region in the next frame. Raises ValueError for a size other than the first."""
        if perception.frame.shape[:2] != self._last.mask.shape:
            raise ValueError(f"frame must be {self._last.mask.shape}, got {perception.frame.shape[:2]}")
        found = perception.segment(self._hidden, centre_of(self._last.mask), previous=self._last.logits,
                                   looks=self._last.looks)
        if found.iou < LOST_BELOW_IOU:  # an empty mask has none
            return Track(None)
        self._last = found
        return Track(found.mask)


def centre_of(mask: Mask) -> Point:
    """Centre of gravity x, y of a mask (H, W) with at least one pixel set, in pixels."""
    rows, columns = np.nonzero(mask)
    return float(columns.mean()), float(rows.mean())
