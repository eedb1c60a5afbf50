"""One frame, encoded once: masks, region vectors and image tokens are all read from it."""

from dataclasses import dataclass, field, replace
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from pixsearch.contract import graphs
from pixsearch.contract.looks import gather_looks
from pixsearch.contract.preprocess import MASK_PIXELS, frame_batch
from pixsearch.edge import outline
from pixsearch.edge.bundle import Bundle
from pixsearch.edge.embedder import BundleEmbedder
from pixsearch.edge.inputs import Box, Point
from pixsearch.edge.language import Beginning

DISC_SHARE = 0.1  # radius of the disc around a point that stands in for an empty mask, of the shorter side

Mask = NDArray[np.bool_]
Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Segment:
    """What the mask graph found for some words.

    mask     : bool (H, W) at frame size; at least one pixel set
    logits   : float32 (96, 96) in the letterboxed square, to be fed back for the next frame
    iou      : predicted IoU of the mask, 0..1; 0 for a fallback
    tags     : TAG_* of each word, int (N,); N at most SPAN_TOKENS
    span     : which words name the thing, bool (N,)
    hidden   : the words' hidden states, float32 (N, W)
    looks    : how an index knows things of that name, float32 (M, R); M is 0 where it knows none
    fallback : the graph's mask was empty; `mask` is the box, a disc around the point, or else the whole frame
    """

    mask: Mask
    logits: Array = field(repr=False)
    iou: float
    tags: NDArray[np.int64]
    span: Mask
    hidden: Array = field(repr=False)
    looks: Array = field(repr=False)
    fallback: bool

    @property
    def is_whole_frame(self) -> bool:
        """Whether nothing was cut out at all."""
        return self.fallback and bool(self.mask.all())


class Perception:
    """A frame with its vision outputs; vectors of the frame are computed once."""

    def __init__(self, bundle: Bundle, frame: NDArray[np.uint8]) -> None:
        """frame : uint8 RGB, shape (H, W, 3). Raises ValueError for anything else."""
        if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3 or not frame.size:
            raise ValueError(f"frame must be uint8 (H, W, 3), got {frame.dtype} {frame.shape}")
        self.frame = frame
        self.height, self.width = frame.shape[:2]
        self._bundle, self._embedder = bundle, BundleEmbedder(bundle)
        pixels, self._letterbox = frame_batch(frame)
        outputs = bundle.session(graphs.VISION).run({"pixels": pixels})
        self.image_tokens: Array = outputs.pop("image_tokens")  # (1, 36, W)
        self.beginning = Beginning()  # of prompts about this frame
        self._features = outputs  # detail (1, C, 96, 96), context (1, D, 24, 24), dense (1, R, 12, 12)

    def segment(self, hidden: Array, point: Point | None = None, box: Box | None = None,
                previous: Array | None = None, looks: Array | None = None) -> Segment:
        """The mask of the last entity that some words name.

        hidden     : hidden states of the words, float32 (N, W); the last SPAN_TOKENS are used, N may be 0
        point, box : in frame pixels, where the wearer looks or points
        previous   : logits of an earlier mask, float32 (96, 96)
        looks      : unit vectors of things of that name, float32 (M, R); None is the same as M = 0
        """
        hidden = hidden[-graphs.SPAN_TOKENS:]
        words = len(hidden)
        looks = np.zeros((0, self._bundle.dimensions.region), np.float32) if looks is None else looks
        session = self._bundle.session(graphs.MASK)
        known = {"looks": gather_looks(looks)[None]} if "looks" in session.inputs else {}
        outputs = session.run({
            **self._features, **known, **self._padded(hidden), "point": self._point(point), "box": self._box(box),
            "previous": np.zeros((1, 1, MASK_PIXELS, MASK_PIXELS), np.float32) if previous is None
            else previous[None, None]})
        logits = outputs["mask"][0, 0]
        mask, iou = self._letterbox.restore_mask(logits), float(np.clip(outputs["iou"].item(), 0, 1))
        fallback = not mask.any()
        if fallback:
            mask, iou = self._stand_in(point, box), 0.0
        return Segment(mask, logits, iou, outputs["tags"][0, :words].argmax(axis=1),
                       outputs["span"][0, :words] > 0.5, hidden, looks, fallback)

    def look_closer(self, segment: Segment) -> Segment:
        """The segment with a better mask: a small thing is seen again near by, and outlines follow the picture.

        The second look is kept where the mask graph trusts it more than the first.
        """
        if segment.fallback:
            return segment
        if (window := outline.window_around(segment.mask)) is not None:
            near = Perception(self._bundle, np.ascontiguousarray(self.frame[window]))
            again = near.segment(segment.hidden, outline.deepest_point(segment.mask[window]), looks=segment.looks)
            if again.iou > segment.iou:
                mask = np.zeros_like(segment.mask)
                mask[window] = near._trimmed(again)
                return replace(segment, mask=mask, iou=again.iou)
        return replace(segment, mask=self._trimmed(segment))

    def _trimmed(self, segment: Segment) -> Mask:
        return outline.trimmed(self.frame, segment.mask, self._letterbox.restore(segment.logits))

    def region_vector(self, mask: Mask) -> Array:
        """Unit vector of a masked part, float32 (R,), at camera resolution. Raises ValueError when empty."""
        return self._embedder.region(self.frame, mask)

    def likeness(self, vectors: Array) -> Array:
        """How alike each place is to things of these unit vectors (N, R): the highest cosine, float32 (H, W)."""
        dense = self._features["dense"][0]  # (R, 12, 12)
        unit = dense / np.maximum(np.linalg.norm(dense, axis=0), 1e-6)
        cosines = np.tensordot(vectors, unit, 1).max(axis=0).astype(np.float32)
        return self._letterbox.restore(cv2.resize(cosines, (MASK_PIXELS,) * 2, interpolation=cv2.INTER_LINEAR))

    def frame_vector(self) -> Array:
        """Unit vector of the whole frame, float32 (R,)."""
        return self._frame_vector

    @cached_property
    def _frame_vector(self) -> Array:
        return self._embedder.region(self.frame, None)

    def _padded(self, hidden: Array) -> dict[str, Array]:
        states = np.zeros((1, graphs.SPAN_TOKENS, self._bundle.dimensions.width), np.float32)
        given = np.zeros((1, graphs.SPAN_TOKENS), np.float32)
        if len(hidden):
            states[0, :len(hidden)], given[0, :len(hidden)] = hidden, 1
        return {"hidden": states, "hidden_mask": given}

    def _point(self, point: Point | None) -> Array:
        if point is None:
            return np.zeros((1, 3), np.float32)
        return np.array([[*self._letterbox.to_unit(*point), 1]], np.float32)

    def _box(self, box: Box | None) -> Array:
        if box is None:
            return np.zeros((1, 5), np.float32)
        to_unit = self._letterbox.to_unit
        return np.array([[*to_unit(*box[:2]), *to_unit(*box[2:]), 1]], np.float32)

    def _stand_in(self, point: Point | None, box: Box | None) -> Mask:
        mask = np.zeros((self.height, self.width), np.bool_)
        if box is not None:
            mask[int(box[1]):int(np.ceil(box[3])), int(box[0]):int(np.ceil(box[2]))] = True
        elif point is not None:
            rows, columns = np.ogrid[:self.height, :self.width]
            radius = max(1.0, DISC_SHARE * min(self.height, self.width))
            mask |= (columns - point[0]) ** 2 + (rows - point[1]) ** 2 <= radius ** 2
        else:
            mask[:] = True
        return mask
