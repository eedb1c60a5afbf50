"""TensorRT engines: built on the device from the graphs of a bundle, and kept under all that they depend on.

Works with `tensorrt` (Jetson, servers) and `tensorrt_rtx` (desktop GPUs); building needs no GPU with the latter.
"""

import hashlib
import importlib
import logging
import re
import sys
import threading
from collections.abc import Callable
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import click
import platformdirs

from pixsearch.contract.faults import Fault
from pixsearch.contract.files import sha256_file, write_atomic
from pixsearch.contract.tokenizer import MAX_CONTEXT_TOKENS

PACKAGES = ("tensorrt", "tensorrt_rtx")
MB = 1 << 20
USUAL_TOKENS = 64  # new tokens that kernels are chosen for: a prompt; single ones run through the same engine
_building = threading.Lock()  # two builds at once are too much for a small board
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Limits:
    """What a build may take; the defaults leave an 8 GB board usable while it builds.

    workspace_mb : scratch memory of one engine; tokens : the longest context, new and earlier tokens together
    """

    workspace_mb: int = 512
    tokens: int = MAX_CONTEXT_TOKENS


@dataclass(frozen=True)
class Device:
    """What an engine is tied to besides its graph: it runs nowhere else."""

    gpu: str
    driver: str
    tensorrt: str


def load_tensorrt() -> Any:
    """The first of PACKAGES that imports. Raises Fault when none does."""
    reasons = []
    for name in PACKAGES:
        try:
            return importlib.import_module(name)
        except (ImportError, OSError) as error:  # OSError: a library beside the package is missing
            reasons.append(f"{name}: {error}")
    raise Fault("TensorRT", expected=f"the package {' or '.join(PACKAGES)}", actual="; ".join(reasons)[:200],
                remedy="install one that fits the GPU's driver, or run on CUDA or the CPU")


def build_engine(graph: Path, limits: Limits = Limits(), timing_cache: Path | None = None) -> bytes:  # noqa: B008
    """Parse a graph and build its engine; minutes on a board, with a progress bar on stderr.

    timing_cache : file with kernel timings of earlier builds, read if there and written after; TensorRT refuses
        timings of another version or device itself
    Raises Fault with the parser's words for a graph that TensorRT cannot take, and when building fails.
    """
    trt = load_tensorrt()
    log, errors = _log(trt)
    builder = trt.Builder(log)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, log)
    if not parser.parse_from_file(str(graph)):
        said = "; ".join(str(parser.get_error(number)) for number in range(parser.num_errors))
        raise Fault(f"graph {graph}", expected="operators that TensorRT knows", actual=said[:300],
                    remedy="export the bundle with --target tensorrt")
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, limits.workspace_mb * MB)
    if profile := _profile(builder, network, limits):
        config.add_optimization_profile(profile)
    timings = _timings(config, timing_cache)
    with click.progressbar(length=1000, label=f"engine {graph.stem}", file=sys.stderr) as bar:
        config.progress_monitor = monitor = _monitor(trt, bar)
        engine = builder.build_serialized_network(network, config)
        bar.update(bar.length - bar.pos if bar.length else 0)
    del monitor
    if engine is None:
        raise Fault(f"graph {graph}", expected="an engine", actual="; ".join(errors)[-300:] or "none was built",
                    remedy="give the build more workspace, or run this bundle on CUDA or the CPU")
    if timing_cache is not None and timings is not None:
        write_atomic(timing_cache, bytes(timings.serialize()))
    return bytes(engine)


def cached_engine(graph: Path, device: Device, limits: Limits = Limits(), cache: Path | None = None,  # noqa: B008
                  build: Callable[[Path, Limits, Path | None], bytes] = build_engine) -> Path:
    """The engine of a graph for a device: from the cache, or else built now and kept.

    cache : a folder; the user's own cache folder unless given
    An engine of another graph, GPU, driver, TensorRT version or limit has another name, so that none is ever opened
    where it does not fit; older ones of the same graph name and GPU are removed when a new one is there.
    """
    folder = cache or Path(platformdirs.user_cache_dir("pixsearch")) / "engines"
    kind = f"{graph.stem}-{_plain(device.gpu)}-"
    wanted = folder / f"{kind}{engine_key(graph, device, limits)}.engine"
    with _building:
        if wanted.is_file():
            return wanted
        folder.mkdir(parents=True, exist_ok=True)
        older = sorted(folder.glob(f"{kind}*.engine"))
        reason = "graph, driver, TensorRT or limits have changed" if older else "none is kept yet"
        logger.warning("building the engine of %s: %s", graph.stem, reason)
        timings = folder / f"{_plain(device.gpu)}-{_plain(device.tensorrt)}.timings"
        write_atomic(wanted, build(graph, limits, timings))
        for path in older:
            path.unlink(missing_ok=True)
        return wanted


def engine_key(graph: Path, device: Device, limits: Limits) -> str:
    """A digest of everything that an engine depends on."""
    text = "\n".join((sha256_file(graph), *astuple(device), *map(str, astuple(limits))))
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9.]+", "-", name).strip("-").lower()


def _profile(builder: Any, network: Any, limits: Limits) -> Any:
    """Least, usual and largest sizes of dynamic axes: new tokens in `ids`, earlier ones elsewhere."""
    inputs = [network.get_input(number) for number in range(network.num_inputs)]
    dynamic = [one for one in inputs if -1 in tuple(one.shape)]
    if not dynamic:
        return None
    profile = builder.create_optimization_profile()
    for one in dynamic:
        sizes = (1, USUAL_TOKENS, limits.tokens) if one.name == "ids" else (0, USUAL_TOKENS, limits.tokens)
        profile.set_shape(one.name, *(tuple(size if axis == -1 else axis for axis in tuple(one.shape))
                                      for size in sizes))
    return profile


def _timings(config: Any, path: Path | None) -> Any:
    if path is None:
        return None
    known = path.read_bytes() if path.is_file() else b""
    timings = config.create_timing_cache(known)
    if timings is None or not config.set_timing_cache(timings, ignore_mismatch=False):
        timings = config.create_timing_cache(b"")
        config.set_timing_cache(timings, ignore_mismatch=False)
    return timings


def _log(trt: Any) -> tuple[Any, list[str]]:
    """A logger that keeps what TensorRT calls an error, and the list that it keeps them in."""
    errors: list[str] = []

    class Log(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)

        def log(self, severity: Any, message: str) -> None:
            if severity in (trt.ILogger.ERROR, trt.ILogger.INTERNAL_ERROR):
                errors.append(message)
            logger.debug("%s", message)

    return Log(), errors


def _monitor(trt: Any, bar: Any) -> Any:
    """TensorRT's phases on a progress bar. The total is unknown before: each step takes a share of what is left."""

    class Monitor(trt.IProgressMonitor):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)

        def phase_start(self, name: str, parent: str | None, steps: int) -> None:
            """A phase begins."""

        def step_complete(self, name: str, step: int) -> bool:
            """A step is done; True goes on."""
            bar.update(max(0, (bar.length - bar.pos) // 50))
            return True

        def phase_finish(self, name: str) -> None:
            """A phase ends."""

    return Monitor()
