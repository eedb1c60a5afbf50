"""One graph on ONNX Runtime: a small interface, and the truth about which provider runs it."""

import logging
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from pixsearch.contract.faults import Fault

CPU = "CPUExecutionProvider"
MAX_THREADS = 4  # small graphs gain nothing beyond
LOG_ERRORS_ONLY = 3

Shape = tuple[int | str, ...]  # a string names a dynamic axis
Array = NDArray[Any]
logger = logging.getLogger(__name__)


class Session:
    """An opened graph."""

    def __init__(self, path: Path, backend: ort.InferenceSession) -> None:
        self.path, self._backend = path, backend
        self.providers: tuple[str, ...] = tuple(backend.get_providers())
        self.inputs: dict[str, Shape] = {node.name: tuple(node.shape) for node in backend.get_inputs()}
        self.outputs: dict[str, Shape] = {node.name: tuple(node.shape) for node in backend.get_outputs()}
        self._running: set[ort.RunOptions] = set()
        self._lock = threading.Lock()

    def interrupt(self) -> None:
        """End the runs that are under way in other threads: they raise."""
        with self._lock:
            for options in self._running:
                options.terminate = True

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """All outputs by name."""
        names = list(self.outputs)
        with self._interruptible() as options:
            return dict(zip(names, self._backend.run(names, dict(feeds), options), strict=True))

    def run_values(self, feeds: Mapping[str, Array | ort.OrtValue]) -> dict[str, ort.OrtValue]:
        """As `run`, but outputs stay the runtime's own and can be fed again: a cache is never copied out."""
        values = {name: feed if isinstance(feed, ort.OrtValue) else ort.OrtValue.ortvalue_from_numpy(feed)
                  for name, feed in feeds.items()}
        names = list(self.outputs)
        with self._interruptible() as options:
            return dict(zip(names, self._backend.run_with_ort_values(names, values, options), strict=True))

    @contextmanager
    def _interruptible(self) -> Iterator[ort.RunOptions]:
        options = ort.RunOptions()
        with self._lock:
            self._running.add(options)
        try:
            yield options
        finally:
            with self._lock:
                self._running.discard(options)


def open_session(path: Path, providers: Sequence[str] | None = None, threads: int | None = None) -> Session:
    """Open a graph file.

    providers : execution providers in order of preference; None asks for the CPU
    threads   : threads of one operator; None takes the cores of this process, at most 4
    A provider that cannot be had is named once in the log with the reason, and the next one is taken; the CPU
    is always the last. Raises Fault when the file is no graph.
    """
    wanted = tuple(dict.fromkeys((*(providers or ()), CPU)))
    usable = [provider for provider in wanted if provider in ort.get_available_providers()]
    try:
        options = _options(threads or default_threads())
        session = Session(path, ort.InferenceSession(str(path), options, usable))
    except Exception as error:  # the runtime raises kinds of its own, without a common base
        raise Fault(f"graph {path}", expected="an ONNX graph that this runtime can open",
                    actual=str(error)[:200], remedy="install the bundle again") from error
    for provider in wanted:
        if provider not in session.providers:
            _tell_fallback(provider, provider in usable, session.providers)
    return session


def default_threads() -> int:
    """Cores that this process may use, at most 4."""
    return min(MAX_THREADS, len(os.sched_getaffinity(0)))


def _options(threads: int) -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = LOG_ERRORS_ONLY
    options.add_session_config_entry("session.force_spinning_stop", "1")  # they would slow the next graph
    return options


@cache  # five graphs, one line
def _tell_fallback(provider: str, listed: bool, obtained: tuple[str, ...]) -> None:
    reason = "its libraries did not load" if listed else "this build of onnxruntime does not have it"
    logger.warning("%s asked for, %s; running on %s", provider, reason, ", ".join(obtained))


def as_array(value: ort.OrtValue) -> NDArray[np.float32]:
    """The content of a runtime value."""
    return np.asarray(value.numpy(), np.float32)
