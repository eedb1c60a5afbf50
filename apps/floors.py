"""What this machine can do at best: measured rates, and the least time that bytes or sums take."""

import os
import platform
import re
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil

REPEATS = 5
READ_BYTES = 256 << 20  # well beyond a last-level cache
GEMM_SIDE = 1024
MS = 1e3


@dataclass(frozen=True)
class Rates:
    """Bytes read a second from memory, and fp32 multiply-adds a second, both with NumPy's own threads."""

    read: float
    multiply_adds: float


def measure_rates() -> Rates:
    """Read a large array and multiply two square matrices; the best of a few runs."""
    large = np.ones(READ_BYTES // 8, dtype=np.float64)
    square = np.random.default_rng(0).standard_normal((GEMM_SIDE, GEMM_SIDE)).astype(np.float32)
    read = _best(lambda: large.sum())
    multiply = _best(lambda: square @ square)
    return Rates(READ_BYTES / read, GEMM_SIDE**3 / multiply)


def floor_ms(rates: Rates, weight_bytes: int, multiply_adds: int = 0) -> float:
    """The least milliseconds of one run: each weight is read once, each multiply-add done once in fp32.

    A graph may beat it: weights that fit into a cache are read faster, and int8 sums done faster.
    """
    return MS * max(weight_bytes / rates.read, multiply_adds / rates.multiply_adds)


def peak_memory_mb() -> float:
    """The most memory that this process has held, in MB (10^6 bytes).

    Linux's own figure is used where there is one: the portable one counts what a parent held before.
    """
    status = Path("/proc/self/status")
    found = re.search(r"VmHWM:\s*(\d+) kB", status.read_text()) if status.is_file() else None
    kilobytes = int(found[1]) if found else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kilobytes * 1024 / 1e6


def folder_mb(folder: Path) -> float:
    """Size of all files below a folder in MB (10^6 bytes)."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def machine() -> str:
    """Processor, usable cores, memory."""
    names = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*:\s*(.+)", names.read_text()) if names.is_file() else None
    name = found[1] if found else platform.processor() or platform.machine()
    return f"{name}, {usable_cores()} cores, {psutil.virtual_memory().total / 1e9:.0f} GB"


def usable_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _best(work: Callable[[], object]) -> float:
    seconds = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return min(seconds)
