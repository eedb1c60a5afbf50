"""What a photograph is of: the bundle's own mask of the most salient thing, for packs built from plain photographs."""

import hashlib
import json

import cv2
import numpy as np
from numpy.typing import NDArray

from pixsearch.contract import graphs
from pixsearch.edge.bundle import Bundle
from pixsearch.edge.perception import Perception

TRUSTED_MASK = 0.5  # predicted IoU below which nothing stands out: a landscape, a room, a heap
RECIPE = 1  # counts up whenever this file makes another mask of the same photograph
SEEN_PIXELS = 1280  # of the longer side: a camera's photograph holds more than an outline needs
LARGEST = 0.97  # of the picture: such a mask says no more than the whole picture does


class SalientCutter:
    """Implements `index.views.Cutter` with the mask graph, which without words or a point cuts out what stands out."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self.id = _graphs_id(bundle)

    def __call__(self, rgb: NDArray[np.uint8]) -> NDArray[np.bool_] | None:
        """The mask of the salient thing, bool (H, W), or None where nothing stands out.

        rgb : uint8, shape (H, W, 3)
        """
        height, width = rgb.shape[:2]
        scale = SEEN_PIXELS / max(height, width)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        seen = rgb if scale >= 1 else cv2.resize(rgb, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
        perception = Perception(self._bundle, seen)
        no_words = np.zeros((0, self._bundle.dimensions.width), np.float32)
        segment = perception.look_closer(perception.segment(no_words))
        if segment.fallback or segment.iou < TRUSTED_MASK or not 0 < segment.mask.mean() < LARGEST:
            return None
        if scale >= 1:
            return segment.mask
        return cv2.resize(segment.mask.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST) > 0


def _graphs_id(bundle: Bundle) -> str:
    """A name that changes with the graphs that make the mask, and with this file."""
    files = [bundle.manifest["files"][graphs.graph_file(name)] for name in (graphs.VISION, graphs.MASK)]
    return "salient-" + hashlib.sha256(json.dumps([RECIPE, *files]).encode()).hexdigest()[:16]
