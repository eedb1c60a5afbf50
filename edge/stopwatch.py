"""Time by stage; a stage inside another counts for itself alone."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

MS_PER_SECOND = 1000.0


class Stopwatch:
    """Adds up the seconds of each stage on a clock."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock, self._nested = clock, 0.0
        self.started = clock()
        self._seconds: defaultdict[str, float] = defaultdict(float)

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        """Count what the block takes, less the stages measured inside it."""
        started, outside = self._clock(), self._nested
        self._nested = 0.0
        try:
            yield
        finally:
            elapsed = self._clock() - started
            self._seconds[stage] += elapsed - self._nested
            self._nested = outside + elapsed

    def ms(self, stage: str) -> float:
        """Milliseconds spent in a stage so far."""
        return MS_PER_SECOND * max(0.0, self._seconds[stage])

    def ms_since_start(self, moment: float) -> float:
        """Milliseconds from the start to a reading of the clock."""
        return MS_PER_SECOND * (moment - self.started)
