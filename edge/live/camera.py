"""What every source of frames can do."""

from collections.abc import Iterator
from typing import Protocol

from pixsearch.contract.images import Pixels


class Camera(Protocol):
    """An opened source of frames, all of one size.

    source        : as it was named
    live          : frames come at their own time; otherwise they can be read as fast as wished
    fps           : frames a second that it says to give
    frames        : how many there are; None where nobody knows
    height, width : of each, in pixels
    """

    source: str
    live: bool
    fps: float
    frames: int | None
    height: int
    width: int

    def read(self) -> Pixels | None:
        """The next frame, uint8 RGB (H, W, 3); None when there is none any more, or none came in time."""

    def skip(self) -> bool:
        """Pass over the next frame, cheaply; False where `read` would give None."""

    def close(self) -> None:
        """Release device, file or connection."""

    def __iter__(self) -> Iterator[Pixels]:
        """Every frame from here on."""
        while (frame := self.read()) is not None:
            yield frame
