"""A question on its way to its answer."""

from collections.abc import Sequence
from concurrent.futures import Future
from itertools import count
from threading import Event

import numpy as np
from numpy.typing import NDArray

from pixsearch.contract.tokenizer import Turn
from pixsearch.edge.answer import Answer
from pixsearch.edge.inputs import Box, Point

_numbers = count(1)


class Ticket(Future[Answer]):
    """A future answer. `result` raises Fault when it could not be given, CancelledError when it was cancelled.

    id     : unique in this process
    frame  : uint8 RGB (H, W, 3) that the question is about; None until its turn comes, unless it was given
    number : of that frame; None for a frame that was given, and until its turn comes
    """

    def __init__(self, question: str, point: Point | None, box: Box | None, frame: NDArray[np.uint8] | None,
                 history: Sequence[Turn]) -> None:
        super().__init__()
        self.id = next(_numbers)
        self.question, self.point, self.box, self.history = question, point, box, tuple(history)
        self.frame = frame
        self.number: int | None = None
        self._unwanted = Event()

    @property
    def unwanted(self) -> bool:
        """Whether it was cancelled."""
        return self._unwanted.is_set()

    def cancel(self) -> bool:
        """Stop it, waiting or under way: it ends before its next token. False when it was answered already."""
        self._unwanted.set()
        return super().cancel() or not self.done()
