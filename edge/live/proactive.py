"""Proactive mode: names what has been looked at for two seconds."""

import time
from collections.abc import Callable

import numpy as np

from pixsearch.contract.masks import box_of
from pixsearch.edge.live.events import Noticed
from pixsearch.edge.perception import Perception
from pixsearch.index.search import Library

DWELL_S = 2.0  # of looking at one thing
EVERY_S = 0.5  # between two looks at what it is


class Attention:
    """Watches what is in the middle of the view. Speaks once about a thing, until another one has been looked at."""

    def __init__(self, library: Library, sure: float, notice: Callable[[Noticed], None],
                 clock: Callable[[], float] = time.monotonic) -> None:
        """sure : similarity, -1..1, from which a thing counts as known"""
        self._library, self._sure, self._notice, self._clock = library, sure, notice, clock
        self._seen: Noticed | None = None
        self._since = self._looked_at = clock()
        self._told: str | None = None

    def look(self, perception: Perception, moved: bool) -> None:
        """See the newest frame; one that did not move is not looked up again."""
        now = self._clock()
        if now - self._looked_at >= EVERY_S and (moved or self._seen is None):
            self._looked_at = now
            seen = self._in_the_middle(perception)
            if (seen and seen.name) != (self._seen and self._seen.name):
                self._since = now
            self._seen = seen
        if self._seen and now - self._since >= DWELL_S and self._seen.name != self._told:
            self._told = self._seen.name
            self._notice(self._seen)

    def _in_the_middle(self, perception: Perception) -> Noticed | None:
        middle = perception.width / 2, perception.height / 2
        segment = perception.segment(np.zeros((0, 0), np.float32), middle)
        box = box_of(segment.mask)
        hits = self._library.search_vectors(perception.region_vector(segment.mask), k=1)
        if box is None or not hits or hits[0].score < self._sure:
            return None
        return Noticed(hits[0].entity, float(np.clip(hits[0].score, 0, 1)), hits[0], box)
