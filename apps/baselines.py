"""What the assistant is compared with: other ways to choose what a region search cuts out.

Each is a perception, so that language model, grammar, index and answers are the very same.
"""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from pixsearch.edge.bundle import Bundle
from pixsearch.edge.inputs import Box, Point
from pixsearch.edge.perception import Mask, Perception, Segment

SALIENT = Path("salient") / "u2netp.onnx"  # below the data root
SALIENT_SIDE, SALIENT_AT = 320, 0.5  # pixels of its input; share of the map's range from which a pixel is cut out
_MEAN, _SPREAD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])  # of ImageNet's pixels, 0..1


class GivenMask(Perception):
    """Cuts out given masks, whatever the words name: the oracle's, or another network's."""

    def __init__(self, bundle: Bundle, frame: NDArray[np.uint8], *masks: Mask) -> None:
        """masks : bool (H, W), one a search, the last one also for all later searches; empty: the whole frame."""
        super().__init__(bundle, frame)
        self._masks = [mask if mask.any() else np.ones_like(mask) for mask in masks]

    def segment(
        self,
        hidden: NDArray[np.float32],
        point: Point | None = None,
        box: Box | None = None,
        previous: NDArray[np.float32] | None = None,
        looks: NDArray[np.float32] | None = None,
    ) -> Segment:
        """The next given mask, with the words that the model itself would have cut out."""
        own = super().segment(hidden, point, box, previous, looks)
        return replace(own, mask=self._masks[0], iou=1.0, fallback=bool(self._masks[0].all()))

    def look_closer(self, segment: Segment) -> Segment:
        """The given mask stays as it is; a search looks closer once."""
        if len(self._masks) > 1:
            del self._masks[0]
        return segment


class WholeFrame(GivenMask):
    """Cuts out nothing: every search with pixels is made with the whole frame."""

    def __init__(self, bundle: Bundle, frame: NDArray[np.uint8]) -> None:
        super().__init__(bundle, frame, np.ones(frame.shape[:2], np.bool_))


class Unaided(Perception):
    """Cuts out what words name without being told how an index knows such things."""

    def segment(
        self,
        hidden: NDArray[np.float32],
        point: Point | None = None,
        box: Box | None = None,
        previous: NDArray[np.float32] | None = None,
        looks: NDArray[np.float32] | None = None,
    ) -> Segment:
        """As always, but `looks` are left out."""
        return super().segment(hidden, point, box, previous)


class FirstLook(Perception):
    """Searches with the mask as it is drawn first."""

    def look_closer(self, segment: Segment) -> Segment:
        """The segment as it is."""
        return segment


class SalientCutter:
    """Finds what stands out of a frame with U²-Net's small version (Qin et al., arXiv 2005.09007)."""

    def __init__(self, data: Path, threads: int | None = None) -> None:
        """data : the folder that `make data` filled."""
        options = ort.SessionOptions()
        if threads:
            options.intra_op_num_threads = threads
        self._session = ort.InferenceSession(str(data / SALIENT), options, providers=["CPUExecutionProvider"])

    def __call__(self, frame: NDArray[np.uint8]) -> Mask:
        """frame : uint8 RGB (H, W, 3); returns bool (H, W), possibly empty."""
        small = cv2.resize(frame, (SALIENT_SIDE, SALIENT_SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
        pixels = (small / max(1.0, float(small.max())) - _MEAN) / _SPREAD
        name = self._session.get_inputs()[0].name
        first = self._session.run(None, {name: pixels.transpose(2, 0, 1)[None].astype(np.float32)})[0]
        shown = np.asarray(first, np.float32)[0, 0]
        low, high = float(shown.min()), float(shown.max())
        scaled = (shown - low) / max(high - low, 1e-6)
        size = (frame.shape[1], frame.shape[0])
        return np.asarray(cv2.resize(scaled, size, interpolation=cv2.INTER_LINEAR)) >= SALIENT_AT
