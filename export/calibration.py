"""What static int8 takes its ranges from: photographs, as the graphs are given them."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader

from pixsearch.contract import graphs
from pixsearch.contract.images import Pixels
from pixsearch.contract.preprocess import frame_batch, region_batch

Feeds = dict[str, NDArray[np.float32]]


class Reader(CalibrationDataReader):
    """Inputs one after another, as the quantizer asks for them."""

    def __init__(self, feeds: Sequence[Feeds]) -> None:
        self._left: Iterator[Feeds] = iter(feeds)

    def get_next(self) -> Feeds | None:
        """The next ones, None at the end."""
        return next(self._left, None)


def feeds_of(name: str, frames: Sequence[Pixels]) -> list[Feeds]:
    """Inputs of the vision or region graph: every frame, uint8 RGB (H, W, 3); for regions also its quarters."""
    if name == graphs.VISION:
        return [{"pixels": frame_batch(frame)[0]} for frame in frames]
    seen = [region_batch(part, None) for frame in frames for part in (frame, *_quarters(frame))]
    return [{"pixels": pixels, "weights": weights} for pixels, weights in seen]


def _quarters(frame: Pixels) -> list[Pixels]:
    y, x = frame.shape[0] // 2, frame.shape[1] // 2
    return [frame[:y, :x], frame[:y, x:], frame[y:, :x], frame[y:, x:]]
