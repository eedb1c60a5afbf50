"""Where things stand in a frame: sides, order, size and neighbours, each only where a person would agree."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from pixsearch.model.data.english import ORDINALS
from pixsearch.model.data.records import Placed, Scene

CLEAR_VISIBLE, CLEAR_PIXELS = 0.45, 500  # what is less visible is not asked about
SIDE, GAP = 0.42, 0.06  # shares of the frame's side
SIZE_RATIO = 1.5
LEFT_END, MIDDLE, RIGHT_END = 0.36, (0.42, 0.58), 0.64
NEAR = 0.25  # of the frame's width: the farthest that is "next to"
CENTRE_RATIO = 0.5  # the nearest to the centre must be this much nearer than the next


class View:
    """A scene with the measures that words need. Indices are into Scene.placed."""

    def __init__(self, scene: Scene, names: Sequence[frozenset[str]]) -> None:
        """names : what each placed thing can be called"""
        self.placed: tuple[Placed, ...] = scene.placed
        self._names = names
        self.height, self.width = scene.frame.shape[:2]

    @cached_property
    def _centres(self) -> list[tuple[float, float]]:
        return [
            ((x0 + x1) / 2 / self.width, (y0 + y1) / 2 / self.height)
            for x0, y0, x1, y1 in (one.box for one in self.placed)
        ]

    @cached_property
    def _areas(self) -> list[int]:
        return [int(one.mask.sum()) for one in self.placed]

    @cached_property
    def clear(self) -> list[int]:
        """What is visible enough to be asked about."""
        return [
            at
            for at, one in enumerate(self.placed)
            if one.visible >= CLEAR_VISIBLE and self._areas[at] >= CLEAR_PIXELS
        ]

    def named(self, word: str) -> list[int]:
        """All that a word can mean."""
        return [at for at, names in enumerate(self._names) if word in names]

    def side(self, at: int) -> str | None:
        """ "on the left", "in the middle", "on the right", or None near a border between them."""
        x = self._centres[at][0]
        if x < LEFT_END:
            return "on the left"
        if x > RIGHT_END:
            return "on the right"
        return "in the middle" if MIDDLE[0] < x < MIDDLE[1] else None

    def rank(self, way: str, at: int, group: Sequence[int]) -> int | None:
        """Place of a thing in its group (0 is first) where it holds by a clear margin; else None.

        way : "left", "right", "middle", "top", "bottom", "ordinal_left" or "_right", "biggest", "smallest"
        """
        others = [one for one in group if one != at]
        x, y = self._centres[at]
        match way:
            case "left" | "right" | "top" | "bottom":
                axis, sign = (0 if way in ("left", "right") else 1), (1 if way in ("left", "top") else -1)
                near = (x, y)[axis] if sign > 0 else 1 - (x, y)[axis]
                ahead = all(sign * (self._centres[one][axis] - (x, y)[axis]) > GAP for one in others)
                return 0 if near < SIDE and ahead else None
            case "middle":
                off = abs(x - 0.5)
                return (
                    0
                    if off < 0.1 and all(abs(self._centres[one][0] - 0.5) > off + GAP for one in others)
                    else None
                )
            case "biggest":
                return (
                    0
                    if others and self._areas[at] > SIZE_RATIO * max(self._areas[o] for o in others)
                    else None
                )
            case "smallest":
                return (
                    0
                    if others and SIZE_RATIO * self._areas[at] < min(self._areas[o] for o in others)
                    else None
                )
        return self._ordinal(at, group, from_right=way == "ordinal_right")

    def _ordinal(self, at: int, group: Sequence[int], *, from_right: bool) -> int | None:
        order = sorted(group, key=lambda one: self._centres[one][0], reverse=from_right)
        gaps = [
            abs(self._centres[b][0] - self._centres[a][0]) for a, b in zip(order, order[1:], strict=False)
        ]
        if (
            len(order) < 3
            or min(gaps) < GAP
            or not 0 < (rank := order.index(at)) < min(len(order) - 1, len(ORDINALS))
        ):
            return None
        return rank

    def related(self, way: str, anchor: int, group: Sequence[int]) -> list[int]:
        """Those of a group that stand in a relation to `anchor`; for "beside" the nearest, if clearly so.

        way : "beside", "left_of", "right_of", "above" or "below"
        """
        others = [one for one in group if one != anchor]
        if way == "beside":
            return self._beside(anchor, others)
        axis, sign = (0 if way in ("left_of", "right_of") else 1), (-1 if way in ("left_of", "above") else 1)
        off = [sign * (self._centres[one][axis] - self._centres[anchor][axis]) for one in others]
        if any(0 <= value <= GAP for value in off):  # too close to call
            return []
        return [one for one, value in zip(others, off, strict=True) if value > GAP]

    def _beside(self, anchor: int, others: Sequence[int]) -> list[int]:
        order = sorted(others, key=lambda one: self._distance(anchor, one))
        near = [self._distance(anchor, one) for one in order[:2]]
        if not near or near[0] > NEAR or (len(near) > 1 and near[0] > 0.5 * near[1] - 0.01):
            return []
        return order[:1]

    def _distance(self, a: int, b: int) -> float:
        """Between two boxes, in frame widths."""
        ax0, ay0, ax1, ay1 = self.placed[a].box
        bx0, by0, bx1, by1 = self.placed[b].box
        dx, dy = max(bx0 - ax1, ax0 - bx1, 0), max(by0 - ay1, ay0 - by1, 0)
        return float(np.hypot(dx, dy)) / self.width

    def larger(self, a: int, b: int) -> bool | None:
        """Whether a looks larger than b; None where it is close."""
        if self._areas[a] > SIZE_RATIO * self._areas[b]:
            return True
        return False if self._areas[b] > SIZE_RATIO * self._areas[a] else None

    def central(self) -> int | None:
        """The thing at the centre of view: it covers it, or is clearly the nearest; else None."""
        x, y = self.width // 2, self.height // 2
        covering = [at for at, one in enumerate(self.placed) if one.mask[y, x]]
        if covering:
            return covering[0]
        distances = sorted(
            (self._from_centre(one), at) for at, one in enumerate(self.placed) if one.mask.any()
        )
        if not distances or (len(distances) > 1 and distances[0][0] > CENTRE_RATIO * distances[1][0]):
            return None
        return distances[0][1]

    def _from_centre(self, placed: Placed) -> float:
        rows, columns = (
            np.nonzero(placed.mask[::4, ::4]) if placed.mask[::4, ::4].any() else np.nonzero(placed.mask)
        )
        step = 4 if placed.mask[::4, ::4].any() else 1
        return float(np.hypot(columns * step - self.width / 2, rows * step - self.height / 2).min())
