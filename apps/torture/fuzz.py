"""Fuzzing with atheris: coverage decides which edits of the samples are worth editing further.

`python -m pixsearch.apps.torture.fuzz TARGET RUNS SEED` fuzzes one target in this process and prints how far it is.
"""

import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pixsearch.apps.torture.outcome import Outcome

SHARES = {"manifest": 0.34, "signature": 0.34, "archive": 0.15, "delta": 0.15, "database": 0.02}  # of all inputs
MAX_INPUT = 26  # bytes: six edits
HANG_S = 20  # for one input
MAX_MB = 2048
TOLD_EVERY = 1_000
TOLD = 1_000  # characters of what a crash says
RAM_DISK = Path("/dev/shm")


def fuzz(inputs: int, processes: int, progress: Callable[[int], None]) -> list[Outcome]:
    """Fuzz every target, so many inputs in all, in so many processes at a time."""
    with ThreadPoolExecutor(processes) as pool:
        return list(pool.map(lambda name: _fuzz(name, round(inputs * SHARES[name]), progress), SHARES))


def _fuzz(target: str, runs: int, progress: Callable[[int], None]) -> Outcome:
    outcome = Outcome(f"fuzzed {target}s")
    command = [sys.executable, "-m", "pixsearch.apps.torture.fuzz", target, str(runs), "1"]
    with tempfile.TemporaryFile("w+") as errors, \
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("tried "):
                outcome.tried += int(line.split()[1])
                progress(int(line.split()[1]))
        process.wait()
        errors.seek(0)
        if process.returncode != 0 or outcome.tried < runs:
            told = errors.read()
            begin = told.find("Uncaught Python exception")  # none: it crashed, hung or took too much memory
            outcome.failures.append(f"after {outcome.tried}: " + " ".join(
                told[begin:begin + TOLD].split() if begin >= 0 else told[-TOLD:].split()))
    return outcome


def main() -> None:
    """Fuzz one target; ends with another status than 0 on a crash, a hang, or too much memory."""
    target, runs, seed = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    import atheris  # type: ignore[import-untyped]

    with atheris.instrument_imports(include=["pixsearch.index", "pixsearch.contract.files", "zipfile"]):
        from pixsearch.apps.torture import fuzz_targets

    with tempfile.TemporaryDirectory(dir=RAM_DISK if RAM_DISK.is_dir() else None) as folder:
        inside = Path(folder) / "samples"
        inside.mkdir()
        samples, number = fuzz_targets.Samples(inside), 0
        act = fuzz_targets.TARGETS[target]

        def one(data: bytes) -> None:
            nonlocal number
            act(samples, data)
            number += 1
            if number % TOLD_EVERY == 0 or number == runs:
                print("tried", number % TOLD_EVERY or TOLD_EVERY, flush=True)

        atheris.Setup([sys.argv[0], f"-runs={runs}", f"-seed={seed}", f"-max_len={MAX_INPUT}", "-len_control=0",
                       f"-timeout={HANG_S}", f"-rss_limit_mb={MAX_MB}", f"-artifact_prefix={folder}/"], one)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
