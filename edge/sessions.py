"""One graph on a runtime: a small interface, and the truth about what runs it."""

import logging
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from pixsearch.contract.faults import Fault
from pixsearch.edge.engine_session import TENSORRT, EngineSession, this_device
from pixsearch.edge.engines import cached_engine
from pixsearch.edge.heap import share_heap

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
MAX_THREADS = 4  # small graphs gain nothing beyond
LOG_ERRORS_ONLY = 3

Shape = tuple[int | str, ...]  # a string names a dynamic axis
Array = NDArray[Any]
logger = logging.getLogger(__name__)


class Value(Protocol):
    """An array in a runtime's own memory."""

    def numpy(self) -> Array:
        """Its content on the host."""


class Session(Protocol):
    """An opened graph.

    path : of its file; providers : what runs it, best first; inputs, outputs : shapes by name
    """

    path: Path
    providers: tuple[str, ...]
    inputs: dict[str, Shape]
    outputs: dict[str, Shape]

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """All outputs by name."""

    def run_values(self, feeds: Mapping[str, Any]) -> Mapping[str, Value]:
        """As `run`, but outputs stay the runtime's own and can be fed again: a cache is never copied out."""

    def value(self, array: Array) -> Value:
        """An array in this session's memory, to be fed to `run_values`; it may be part of another."""

    def interrupt(self) -> None:
        """End the runs that are under way in other threads: they raise, as far as the runtime can be told to."""


class OnnxSession:
    """A graph on ONNX Runtime."""

    def __init__(self, path: Path, backend: ort.InferenceSession) -> None:
        self.path, self._backend = path, backend
        self.providers: tuple[str, ...] = tuple(backend.get_providers())
        self.inputs: dict[str, Shape] = {node.name: tuple(node.shape) for node in backend.get_inputs()}
        self.outputs: dict[str, Shape] = {node.name: tuple(node.shape) for node in backend.get_outputs()}
        self._running: set[ort.RunOptions] = set()
        self._lock = threading.Lock()

    def interrupt(self) -> None:
        """See `Session.interrupt`."""
        with self._lock:
            for options in self._running:
                options.terminate = True

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """All outputs by name."""
        names = list(self.outputs)
        with self._interruptible() as options:
            return dict(zip(names, self._backend.run(names, dict(feeds), options), strict=True))

    def run_values(self, feeds: Mapping[str, Array | ort.OrtValue]) -> dict[str, ort.OrtValue]:
        """See `Session.run_values`."""
        values = {name: feed if isinstance(feed, ort.OrtValue) else self.value(feed) for name, feed in feeds.items()}
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

    def value(self, array: Array) -> ort.OrtValue:
        """See `Session.value`."""
        return ort.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(array))


def open_session(path: Path, providers: Sequence[str] | None = None, threads: int | None = None,
                 kind: type[OnnxSession] = OnnxSession) -> Session:
    """Open a graph file.

    providers : TENSORRT or execution providers of ONNX Runtime, in order of preference; None asks for the CPU
    threads   : threads of one operator; None takes the cores of this process, at most 4
    kind      : what a graph on ONNX Runtime becomes
    A provider that cannot be had is named once in the log with the reason, and the next one is taken; the CPU
    is always the last. Raises Fault when the file is no graph.
    """
    wanted = tuple(dict.fromkeys((*(providers or ()), CPU)))
    if TENSORRT in wanted:
        try:
            return EngineSession(path, cached_engine(path, this_device()))
        except Fault as fault:
            _tell_fallback(TENSORRT, f"{fault.what}: {fault.actual}", wanted[wanted.index(TENSORRT) + 1:])
    wanted = tuple(one for one in wanted if one != TENSORRT)
    usable = [provider for provider in wanted if provider in ort.get_available_providers()]
    try:
        options = _options(threads or default_threads())
        session = kind(path, ort.InferenceSession(str(path), options, usable))
    except Exception as error:  # the runtime raises kinds of its own, without a common base
        raise Fault(f"graph {path}", expected="an ONNX graph that this runtime can open",
                    actual=str(error)[:200], remedy="install the bundle again") from error
    for provider in wanted:
        if provider not in session.providers:
            reason = "its libraries did not load" if provider in usable else "this build of onnxruntime lacks it"
            _tell_fallback(provider, reason, session.providers)
    return session


def open_plain(path: Path) -> Session:
    """A graph as it is written: on the CPU, on one thread, nothing fused or folded. Slow; a reference for others."""
    options = _options(threads=1)
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    return OnnxSession(path, ort.InferenceSession(str(path), options, [CPU]))


def default_threads() -> int:
    """Cores that this process may use, at most 4."""
    return min(MAX_THREADS, len(os.sched_getaffinity(0)))


def _options(threads: int) -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = LOG_ERRORS_ONLY
    # Memory for results: one arena for all graphs, of which only one runs at a time; a block planned ahead for each
    # length that a sequence has would keep more, and saves no time.
    _share_memory()
    options.add_session_config_entry("session.use_env_allocators", "1")
    options.enable_mem_pattern = False
    options.add_session_config_entry("session.force_spinning_stop", "1")  # they would slow the next graph
    return options


@cache  # one for the process
def _share_memory() -> None:
    share_heap()
    kind = ort.OrtMemoryInfo("Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT)
    ort.create_and_register_allocator(kind, None)


@cache  # five graphs, one line
def _tell_fallback(provider: str, reason: str, obtained: tuple[str, ...]) -> None:
    logger.warning("%s asked for, %s; going on with %s", provider, reason, ", ".join(obtained))


def as_array(value: Value) -> NDArray[np.float32]:
    """The content of a runtime value."""
    return np.asarray(value.numpy(), np.float32)
