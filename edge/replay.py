"""What graphs are given and say while a bundle works, kept to be run again elsewhere."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pixsearch.edge.bundle import Bundle
from pixsearch.edge.sessions import Array, Session, Value

MOST_CALLS = 12  # kept of each graph, the first ones: a prompt, words after it


@dataclass(frozen=True)
class Call:
    """One run of a graph: its inputs and outputs by name."""

    feeds: dict[str, Array]
    outputs: dict[str, Array]


@dataclass
class Recorder:
    """A session that keeps its first calls; see `Session`."""

    session: Session
    most: int = MOST_CALLS
    calls: list[Call] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.path, self.providers = self.session.path, self.session.providers
        self.inputs, self.outputs = self.session.inputs, self.session.outputs

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """See `Session.run`."""
        outputs = self.session.run(feeds)
        self._keep(feeds, outputs)
        return outputs

    def run_values(self, feeds: Mapping[str, Any]) -> Mapping[str, Value]:
        """See `Session.run_values`."""
        outputs = self.session.run_values(feeds)
        if len(self.calls) < self.most:
            self._keep(_arrays(feeds), _arrays(outputs))
        return outputs

    def value(self, array: Array) -> Value:
        """See `Session.value`."""
        return self.session.value(array)

    def interrupt(self) -> None:
        """See `Session.interrupt`."""
        self.session.interrupt()

    def _keep(self, feeds: Mapping[str, Array], outputs: Mapping[str, Array]) -> None:
        if len(self.calls) < self.most:
            self.calls.append(Call({name: one.copy() for name, one in feeds.items()},
                                   {name: one.copy() for name, one in outputs.items()}))


def _arrays(values: Mapping[str, Any]) -> dict[str, Array]:
    return {name: one if isinstance(one, np.ndarray) else one.numpy() for name, one in values.items()}


@contextmanager
def recorded(bundle: Bundle, most: int = MOST_CALLS) -> Iterator[dict[str, list[Call]]]:
    """Keep the first `most` calls of every graph that a bundle makes inside the block, by graph."""
    recorders: dict[str, Recorder] = {}

    def wrap(name: str, session: Session) -> Session:
        recorders[name] = Recorder(session, most)
        return recorders[name]

    with bundle.wrapped(wrap):
        yield {name: recorder.calls for name, recorder in recorders.items()}
