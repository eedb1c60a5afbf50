"""Following a region that was asked for from frame to frame, without the language model.

Dense optical flow carries the mask along; colours of the thing and its surroundings correct it, so that it neither
trails nor spreads; and it is fed back to the mask graph, as PLUM does, which gives back parts that got lost. A thing
out of sight is looked for where its colours are, or what the vision graph takes for its like, and counts as found only
where its region vector is its own.
"""

from collections import deque
from copy import copy
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pixsearch.contract.masks import box_of
from pixsearch.edge.appearance import Colours, to_lab
from pixsearch.edge.bundle import Bundle
from pixsearch.edge.embedder import BundleEmbedder
from pixsearch.edge.inputs import Point
from pixsearch.edge.outline import deepest_point
from pixsearch.edge.perception import Mask, Perception, Segment

SIDE = 320  # pixels of the longer side of what is worked on
CARRIED = 2.5  # log odds that a pixel inside the carried mask belongs to the thing
BAND = 3  # pixels by which the carried outline may be wrong
REACH = 0.35  # of the mask's size around it that the thing may appear in from one frame to the next
SMOOTHED = 4  # pixels around each that the guided filter looks at
EDGE = 40.0  # grey levels squared that count as an edge of the picture
LOST_SHARE = 0.25  # of the usual area below which it is out of sight
LOST_LIKENESS = 0.45  # of colours, below which something else is in its place
LEARNING = 0.05  # of what each frame shows
FOUND_LIKENESS = 0.6  # of colours from which a place is worth a region vector
FOUND_COSINE, LOST_COSINE = 0.5, 0.2  # of region vectors: the same thing, turned, has about 0.6, others below 0.3
GALLERY = 5  # looks at the thing that are kept to compare with
FOUND_LEAST, FOUND_MOST = 0.4, 2.0  # of the usual area
SURE_COSINE, SURE_LIKENESS, SURE_LEAST = 0.6, LOST_LIKENESS, 0.3  # from which it is the thing, seen in part
FOUND_ROUNDS = 3
REDRAW_EVERY = 3  # updates between two masks that the mask graph draws
TRUSTED_IOU = 0.75  # that the mask graph says of its mask, from which it counts
LEAST_DRAWN, MOST_DRAWN = 0.95, 1.5  # of the carried mask's area: what is cut off wrongly would not come back
AGREED_IOU = 0.6  # of that mask with the one that was carried along, from which it is of the same thing
CHECK_EVERY = 10  # updates between two looks at the region vector
PLACES, ALIKE = 4, 2  # that are looked at in a frame: of its colours, and of its look to the vision graph
BEFORE = 20  # steps before it got out of sight: what passes in front had not touched it yet

Pixels = NDArray[np.uint8]
Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Track:
    """Where the region is in one frame: bool (H, W); None while it is out of sight."""

    mask: Mask | None

    @property
    def lost(self) -> bool:
        """Whether the region was not found."""
        return self.mask is None


@dataclass(frozen=True, eq=False)
class _Look:
    """How large the thing was in one frame, in pixels, and its colours."""

    area: float
    colours: Colours


class RegionTracker:
    """Follows one region. Frames must all be of the size of the first; not for several threads."""

    def __init__(self, bundle: Bundle, frame: Pixels, segment: Segment) -> None:
        """segment : of the region search that found it in this frame, `SearchRecord.segment`."""
        self._embedder, self._segment, self._size = BundleEmbedder(bundle), segment, segment.mask.shape
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
        small = _scaled(frame, _working_shape(frame))
        self._grey = _grey(small)
        self._belief: Array = _resized(segment.mask.astype(np.float32), small.shape)
        inside = self._belief > 0.5
        if not inside.any():
            inside = self._belief >= self._belief.max()
        self._colours = Colours(to_lab(small), inside, _around(inside))
        self._area, self._seen, self._lost = float(inside.sum()), inside, False
        self._before = deque([_Look(self._area, copy(self._colours))], maxlen=BEFORE)
        self._gallery = [self._embedder.region(frame, segment.mask)]
        self._logits, self._updates = segment.logits, 0

    def glance(self, frame: Pixels) -> None:
        """Follow it into a frame for which there was no time; one of another size is as good."""
        if not self._lost:
            self._step(self._small(frame))

    def update(self, perception: Perception) -> Track:
        """Find the region in the next frame. Raises ValueError for a size other than the first."""
        frame = perception.frame
        if frame.shape[:2] != self._size:
            raise ValueError(f"frame must be {self._size}, got {frame.shape[:2]}")
        small = self._small(frame)
        if not self._lost:
            self._step(small)
            self._updates += 1
            if not self._lost and self._updates % REDRAW_EVERY == 0:
                self._redraw(perception)
            if not self._lost and self._updates % CHECK_EVERY == 0:
                self._check(frame)
        if self._lost:
            self._look_for_it(perception, small)
        return Track(None if self._lost else self._mask())

    def _small(self, frame: Pixels) -> Pixels:
        """A frame of any size, as it is worked on."""
        return _scaled(frame, self._grey.shape)

    def _mask(self) -> Mask:
        """Where it is, at frame size."""
        return np.asarray(_resized(self._belief, self._size) > 0.5, np.bool_)

    def _step(self, small: Pixels) -> None:
        """Carry the mask into the next frame, and see what the colours say."""
        grey, lab = _grey(small), to_lab(small)
        carried = _carried(self._flow, grey, self._grey, self._belief)
        belief = _decided(carried, self._colours.evidence(lab), grey)
        inside = _main_part(belief > 0.5, carried)
        self._grey = grey
        usual = max(self._area, self._before[0].area)
        if inside.sum() < LOST_SHARE * usual or self._colours.likeness(lab, inside) < LOST_LIKENESS:
            self._lose()
            return
        self._belief, self._seen = np.where(cv2.dilate(inside.astype(np.uint8), np.ones((5, 5))) > 0, belief, 0), inside
        self._area += LEARNING * (float(inside.sum()) - self._area)
        self._colours.learn(lab, inside, _around(inside), LEARNING)
        self._before.append(_Look(self._area, copy(self._colours)))

    def _lose(self) -> None:
        """It is out of sight; looked for is what it was like before something began to cover it."""
        self._lost = True
        self._area, self._colours = self._before[0].area, self._before[0].colours.beside(self._colours)

    def _redraw(self, perception: Perception) -> None:
        """Feed the mask back to the mask graph, and take halfway what it draws, where both agree."""
        mask = self._mask()
        if (box := box_of(mask)) is None:
            return
        drawn = perception.segment(self._segment.hidden, deepest_point(mask), box, self._logits, self._segment.looks)
        together = (drawn.mask & mask).sum() / (drawn.mask | mask).sum()
        share = drawn.mask.sum() / mask.sum()
        if drawn.iou >= TRUSTED_IOU and together >= AGREED_IOU and LEAST_DRAWN <= share <= MOST_DRAWN:
            seen = _resized(drawn.mask.astype(np.float32), self._belief.shape)
            self._belief, self._logits = np.maximum(self._belief, 0.6 * seen), drawn.logits

    def _check(self, frame: Pixels) -> None:
        """See by its region vector whether it is the thing still."""
        mask = self._mask()
        vector = self._embedder.region(frame, mask) if mask.any() else np.zeros_like(self._gallery[0])
        cosine = self._cosine(vector)
        if cosine < LOST_COSINE:
            self._lose()
        elif cosine >= FOUND_COSINE:  # no look at something else is kept; the first stays
            self._gallery = [self._gallery[0], *self._gallery[1:][-(GALLERY - 2):], vector]

    def _cosine(self, vector: Array) -> float:
        """With the most similar look at the thing."""
        return max(float(vector @ look) for look in self._gallery)

    def _look_for_it(self, perception: Perception, small: Pixels) -> None:
        """Look where its colours are; the best place is taken when colours and region vector are the thing's own."""
        lab = to_lab(small)
        evidence = self._colours.evidence(lab)
        self._grey = _grey(small)
        best, found = 0.0, None
        alike = _resized(perception.likeness(np.stack(self._gallery)), self._grey.shape)
        for place in (*_places(evidence, self._area), *_peaks(alike, self._area, ALIKE)):
            belief = self._at(place, evidence)
            inside = belief > 0.5
            share, colour = inside.sum() / self._area, self._colours.likeness(lab, inside)
            if not SURE_LEAST < share < FOUND_MOST or colour < SURE_LIKENESS:
                continue
            cosine = self._cosine(self._embedder.region(perception.frame, _resized(belief, self._size) > 0.5))
            whole = share > FOUND_LEAST and colour >= FOUND_LIKENESS and cosine >= FOUND_COSINE
            if (whole or cosine >= SURE_COSINE) and colour * cosine > best:
                best, found = colour * cosine, belief
        if found is not None:
            self._belief, self._seen, self._lost = found, found > 0.5, False
            self._before = deque([_Look(self._area, copy(self._colours))], maxlen=BEFORE)

    def _at(self, place: Point, evidence: Array) -> Array:
        """What belongs to the thing if it is centred there: the mask as it was seen last, corrected by colours."""
        belief = _shifted(self._seen.astype(np.float32), place)
        for _ in range(FOUND_ROUNDS):
            belief = _decided(belief, evidence, self._grey)
            inside = _main_part(belief > 0.5, belief)
            belief = np.where(inside, belief, 0).astype(np.float32)
            if not inside.any():
                break
        return belief


def centre_of(mask: Mask) -> Point:
    """Centre of gravity x, y of a mask (H, W) with at least one pixel set, in pixels."""
    rows, columns = np.nonzero(mask)
    return float(columns.mean()), float(rows.mean())


def _working_shape(frame: Pixels) -> tuple[int, int]:
    height, width = frame.shape[:2]
    scale = SIDE / max(height, width)
    return max(8, round(height * scale)), max(8, round(width * scale))


def _scaled(frame: Pixels, shape: tuple[int, ...]) -> Pixels:
    return np.asarray(cv2.resize(frame, (shape[1], shape[0]), interpolation=cv2.INTER_AREA), np.uint8)


def _grey(small: Pixels) -> Pixels:
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8)


def _resized(belief: Array, shape: tuple[int, ...]) -> Array:
    return np.asarray(cv2.resize(belief, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR), np.float32)


def _around(inside: Mask) -> Mask:
    """What surrounds a mask, as far as the thing is large, with a gap where nobody knows."""
    reach = max(6, round(np.sqrt(inside.sum()) * 0.5))
    pixels = inside.astype(np.uint8)
    near = cv2.dilate(pixels, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1)))
    gap = cv2.dilate(pixels, np.ones((5, 5), np.uint8))
    return (near > 0) & (gap == 0)


def _carried(flow: cv2.DISOpticalFlow, grey: Pixels, before: Pixels, belief: Array) -> Array:
    """The belief of the frame before, moved as the picture moved."""
    motion = flow.calc(grey, before, np.zeros((*grey.shape, 2), np.float32))  # (H, W, 2): where each pixel was
    rows, columns = np.indices(grey.shape, np.float32)
    return np.asarray(cv2.remap(belief, columns + motion[..., 0], rows + motion[..., 1], cv2.INTER_LINEAR), np.float32)


def _decided(carried: Array, evidence: Array, grey: Pixels) -> Array:
    """Belief 0..1 from what was carried here and what the colours say, along the edges of the picture."""
    inside = (carried > 0.5).astype(np.uint8)
    depth = cv2.distanceTransform(inside, cv2.DIST_L2, 3) - cv2.distanceTransform(1 - inside, cv2.DIST_L2, 3)
    odds = CARRIED * np.clip(depth / BAND, -2, 1) + cv2.blur(evidence, (3, 3))
    reach = 2 * BAND + REACH * float(np.sqrt(inside.sum()))
    belief = (1 / (1 + np.exp(-odds))) * (depth > -reach)
    return _guided(belief.astype(np.float32), grey)


def _guided(belief: Array, grey: Pixels) -> Array:
    """Smoothed along the edges of a picture (guided filter: He et al., ECCV 2010)."""
    guide, side = grey.astype(np.float32), (2 * SMOOTHED + 1,) * 2
    mean, mean_belief = cv2.blur(guide, side), cv2.blur(belief, side)
    slope = (cv2.blur(guide * belief, side) - mean * mean_belief) / (cv2.blur(guide * guide, side) - mean * mean + EDGE)
    offset = mean_belief - slope * mean
    return np.asarray(np.clip(cv2.blur(slope, side) * guide + cv2.blur(offset, side), 0, 1), np.float32)


def _main_part(inside: Mask, carried: Array) -> Mask:
    """The connected part that most of the carried belief lies in."""
    count, labels = cv2.connectedComponents(inside.astype(np.uint8))
    if count <= 2:
        return inside
    weights = np.bincount(labels.ravel(), carried.ravel(), count)
    weights[0] = -1
    return np.asarray(labels == weights.argmax(), np.bool_)


def _places(evidence: Array, area: float) -> list[Point]:
    """Where the colours of a thing of this area are, best first."""
    score = cv2.GaussianBlur(np.clip(evidence, -1, 2), (0, 0), max(3.0, float(np.sqrt(area))) / 3)
    return _peaks(score.astype(np.float32), area, PLACES)


def _peaks(score: Array, area: float, most: int) -> list[Point]:
    """The highest places of a map that are above 0 and apart as things of this area are, best first."""
    score, places = score.copy(), list[Point]()
    while len(places) < most:
        _, highest, _, (x, y) = cv2.minMaxLoc(score)
        if highest <= 0:
            break
        places.append((float(x), float(y)))
        cv2.circle(score, (x, y), round(max(3.0, float(np.sqrt(area))) / 2), -1.0, -1)
    return places


def _shifted(seen: Array, place: Point) -> Array:
    """A mask moved to another centre."""
    x, y = centre_of(seen > 0.5)
    way = np.array([[1, 0, place[0] - x], [0, 1, place[1] - y]], np.float32)
    return np.asarray(cv2.warpAffine(seen, way, seen.shape[::-1]), np.float32)
