"""Threads of the loop share one heap."""

import subprocess
import sys

import pytest

THREADS, HEAP_MB = 8, 64  # what glibc reserves for a thread's own
PROGRAM = """
import sys, threading
from pathlib import Path
from pixsearch.edge.heap import share_heap
if sys.argv[1] == "shared":
    share_heap()
barrier, done = threading.Barrier({threads} + 1), threading.Event()
def work():
    kept = [bytes(2000) for _ in range(200)]
    barrier.wait()
    done.wait()
threads = [threading.Thread(target=work) for _ in range({threads})]
for thread in threads:
    thread.start()
barrier.wait()
print(next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmSize")).split()[1])
done.set()
"""


def reserved_mb(how: str) -> float:
    """Address space of a process whose threads have allocated."""
    program = PROGRAM.format(threads=THREADS)
    run = subprocess.run([sys.executable, "-c", program, how], check=True, capture_output=True, text=True)
    return int(run.stdout) / 1024


@pytest.mark.skipif(sys.platform != "linux", reason="address space is read from /proc")
def test_threads_share_one_heap() -> None:
    assert reserved_mb("shared") < reserved_mb("alone") - (THREADS - 1) * HEAP_MB
