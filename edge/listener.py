"""What may be heard of an answer while it is made, and how it is stopped."""

from collections.abc import Callable
from dataclasses import dataclass

from pixsearch.edge.answer import SearchRecord


class Stopped(Exception):
    """The answer was not wanted any more."""


def _nothing(_: object) -> None:
    """For who does not listen."""


def _never() -> bool:
    return False


@dataclass(frozen=True)
class Listener:
    """Called from the thread that answers.

    on_text   : the words of the answer so far, whole: words may be taken back
    on_search : each search when it is made
    stopped   : asked before each token; True ends the answer with `Stopped`
    """

    on_text: Callable[[str], None] = _nothing
    on_search: Callable[[SearchRecord], None] = _nothing
    stopped: Callable[[], bool] = _never


SILENT = Listener()
