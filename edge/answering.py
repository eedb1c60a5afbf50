"""What answers questions about frames: an assistant, or something around one."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pixsearch.contract.tokenizer import Turn
from pixsearch.edge.answer import Answer
from pixsearch.edge.bundle import Bundle
from pixsearch.edge.listener import SILENT, Listener
from pixsearch.edge.perception import Perception
from pixsearch.index.search import Library


class Answering(Protocol):
    """An `Assistant`, or a `Companion` around one."""

    @property
    def bundle(self) -> Bundle:
        """The model."""

    @property
    def library(self) -> Library:
        """The packs."""

    def perceive(self, frame: NDArray[np.uint8]) -> Perception:
        """See `Assistant.perceive`."""

    def ask(self, frame: NDArray[np.uint8], question: str, point: Sequence[float] | None = None,
            box: Sequence[float] | None = None, *, perception: Perception | None = None,
            history: Sequence[Turn] = (), listener: Listener = SILENT) -> Answer:
        """See `Assistant.ask`."""
