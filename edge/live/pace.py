"""Frame rate and resolution that fit the load and the heat of the board."""

from dataclasses import dataclass

import psutil

LATE_SHARE = 0.9  # of its time that perception may be busy before it slows down
IDLE_SHARE = 0.5  # below which it may be faster again
CALM_S = 5.0  # of little load before it is faster again: no hunting up and down


@dataclass(frozen=True)
class Level:
    """fps : frames a second that are perceived at most; side : pixels of the longer side that following works on"""

    fps: float
    side: int


LEVELS = (Level(30, 320), Level(20, 320), Level(15, 256), Level(10, 192), Level(5, 160), Level(2, 128))
HOT_LEVEL = 3  # at least, while the board is warm
STILL_FPS = 24.0  # perceived of a still scene: enough to see at once that it moves


class Pace:
    """Chooses a level. Not for several threads."""

    def __init__(self, warm_c: float) -> None:
        """warm_c : degrees Celsius from which heat slows everything down"""
        self._warm_c, self._calm_since = warm_c, 0.0
        self.number = 0

    @property
    def level(self) -> Level:
        """The present one."""
        return LEVELS[self.number]

    def adapt(self, busy: float, hottest_c: float | None, now: float) -> None:
        """Look at the last second.

        busy : share of the time that perception was at work, 0..1; now : seconds of a clock that never goes back
        """
        hot = hottest_c is not None and hottest_c >= self._warm_c
        if busy > LATE_SHARE:
            self.number, self._calm_since = min(self.number + 1, len(LEVELS) - 1), now
        elif busy > IDLE_SHARE:
            self._calm_since = now
        elif self.number and now - self._calm_since >= CALM_S and not (hot and self.number <= HOT_LEVEL):
            self.number, self._calm_since = self.number - 1, now
        if hot:
            self.number = max(self.number, HOT_LEVEL)


def hottest_c() -> float | None:
    """Degrees Celsius of the hottest sensor; None where the board has none that can be read."""
    try:
        sensors = psutil.sensors_temperatures()
    except (AttributeError, OSError):
        return None
    readings = [one.current for group in sensors.values() for one in group if one.current]
    return max(readings, default=None)
