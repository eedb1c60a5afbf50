"""What is well and what is not: the camera's state, alarms, and figures; each limit has a name."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

MB = 1 << 20


class State(StrEnum):
    """Of the camera."""

    CONNECTING = "connecting"
    STREAMING = "streaming"
    STALLED = "stalled"  # connected, but nothing comes
    LOST = "lost"  # not connected; tried again with growing pauses
    ENDED = "ended"  # a clip was shown to its end, or the loop is closed


@dataclass(frozen=True)
class Limits:
    """When the watchdog speaks.

    no_frame_s     : seconds without a frame after which a stream is stalled
    falling_rate   : share of the usual frames a second below which the rate is falling
    stuck_engine_s : seconds that one answer or one perception may take before it is ended
    full_disk_mb   : free space below which nothing more can be stored
    warm_board_c   : degrees Celsius from which the loop slows down, hot_board_c: from which it says so
    """

    no_frame_s: float = 1.0
    falling_rate: float = 0.5
    stuck_engine_s: float = 20.0
    full_disk_mb: float = 200.0
    warm_board_c: float = 75.0
    hot_board_c: float = 85.0


@dataclass(frozen=True)
class Figures:
    """Measured over the last seconds; None where there is nothing to measure.

    capture_fps, perceived_fps, encoded_fps : frames a second that came, were looked at, went through the vision graph
    usual_fps   : of the camera, when all is well
    overlay_ms  : from the frame to its view, median
    busy_s      : how long the answer or the perception under way takes already
    disk_mb     : free where things are stored
    hottest_c   : of the board's sensors
    memory_mb   : of this process
    level       : of pace: 0 is full speed
    """

    capture_fps: float = 0.0
    perceived_fps: float = 0.0
    encoded_fps: float = 0.0
    usual_fps: float | None = None
    overlay_ms: float | None = None
    busy_s: float = 0.0
    disk_mb: float | None = None
    hottest_c: float | None = None
    memory_mb: float = 0.0
    level: int = 0


@dataclass(frozen=True)
class Alarm:
    """One limit that is passed. name : no-frame, falling-rate, stuck-engine, full-disk or hot-board"""

    name: str
    message: str


@dataclass(frozen=True)
class Health:
    """How the loop is.

    state      : of the camera, at the moment of asking
    cause      : why it is lost, ended or slow; empty when all is well
    losses     : how often the camera was lost, tries: to get it back since it was lost
    silent_s   : seconds since the last frame; None before the first
    """

    state: State
    cause: str = ""
    alarms: tuple[Alarm, ...] = ()
    losses: int = 0
    tries: int = 0
    silent_s: float | None = None
    figures: Figures = field(default_factory=Figures)

    def same_kind(self, other: "Health") -> bool:
        """Whether nothing happened that a wearer should be told."""
        return (self.state, self.cause, [one.name for one in self.alarms]) == (
            other.state, other.cause, [one.name for one in other.alarms])

    def as_json(self) -> dict[str, Any]:
        """For `--json` and the live view."""
        return {**asdict(self), "state": self.state.value}


def alarms(limits: Limits, state: State, silent_s: float | None, figures: Figures) -> tuple[Alarm, ...]:
    """The limits that are passed."""
    return tuple(_alarms(limits, state, silent_s, figures))


def _alarms(limits: Limits, state: State, silent_s: float | None, figures: Figures) -> Iterator[Alarm]:
    if state in (State.STALLED, State.LOST):
        since = f"for {silent_s:.0f} s" if silent_s is not None else "yet"
        yield Alarm("no-frame", f"no picture {since}")
    usual = figures.usual_fps
    if state is State.STREAMING and usual and figures.capture_fps < limits.falling_rate * usual:
        yield Alarm("falling-rate", f"{figures.capture_fps:.1f} frames a second instead of {usual:.1f}")
    if figures.busy_s > limits.stuck_engine_s:
        yield Alarm("stuck-engine", f"no result for {figures.busy_s:.0f} s; ended")
    if figures.disk_mb is not None and figures.disk_mb < limits.full_disk_mb:
        yield Alarm("full-disk", f"{figures.disk_mb:.0f} MB free, {limits.full_disk_mb:.0f} MB wanted")
    if figures.hottest_c is not None and figures.hottest_c >= limits.hot_board_c:
        yield Alarm("hot-board", f"{figures.hottest_c:.0f} °C; working slowly")
