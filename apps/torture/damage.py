"""Bit flips, zeroed pages and truncations over every file of a pack: each must be refused, none may crash."""

import multiprocessing
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from pixsearch.apps.torture.material import Colours, a_pack, quiet
from pixsearch.apps.torture.outcome import Outcome
from pixsearch.contract.faults import Fault
from pixsearch.index.pack import Pack

PAGE_BYTES = 4096
KINDS = ("bit flips", "zeroed pages", "truncations")


def damage(folder: Path, counts: tuple[int, int, int], progress: Callable[[int], None]) -> list[Outcome]:
    """Damage a pack so often in each of the three ways, one at a time, in a process of its own."""
    pack = a_pack(folder / "pack", 1)
    outcomes, context = [], multiprocessing.get_context("spawn")
    for kind, count in zip(KINDS, counts, strict=True):
        outcome, begin = Outcome(kind), 0
        while begin < count:  # a process that crashed is counted, and another goes on after what crashed it
            here, there = context.Pipe(duplex=False)
            worker = context.Process(target=_damage, args=(pack, kind, begin, count, there))
            worker.start()
            there.close()
            while True:
                try:
                    holds, told = here.recv()
                except EOFError:
                    break
                outcome.check(holds, told)
                begin += 1
                progress(1)
            worker.join()
            if worker.exitcode != 0 and begin < count:
                outcome.check(False, f"number {begin} ended the process with status {worker.exitcode}")
                begin += 1
        outcomes.append(outcome)
    return outcomes


def _damage(pack: Path, kind: str, begin: int, end: int, told: Connection) -> None:
    """Damage and mend one file after another; which, where and how follows from the number alone."""
    names = sorted(str(path.relative_to(pack)) for path in pack.rglob("*") if path.is_file())
    sizes = np.array([(pack / name).stat().st_size for name in names], float)
    with quiet():
        Pack.open(pack, Colours.id).close()  # remembered as sound
        for number in range(begin, end):
            random = np.random.default_rng((KINDS.index(kind), number))
            # every other one by size, so that the large files are met as often as on a disk
            name = str(random.choice(names, p=sizes / sizes.sum())) if number % 2 else names[number // 2 % len(names)]
            path = pack / name
            sound = path.read_bytes()
            path.write_bytes(_damaged(sound, kind, random))
            try:
                Pack.open(pack, Colours.id).close()
                told.send((False, f"{kind} number {number} in {name} was not noticed"))
            except Fault:
                told.send((True, ""))
            except Exception as error:
                told.send((False, f"{kind} number {number} in {name}: {type(error).__name__}: {error}"))
            finally:
                path.write_bytes(sound)


def _damaged(sound: bytes, kind: str, random: np.random.Generator) -> bytes:
    at = int(random.integers(len(sound)))
    if kind == "truncations":
        return sound[:at]
    changed = bytearray(sound)
    if kind == "bit flips":
        changed[at] ^= 1 << int(random.integers(8))
        return bytes(changed)
    pages = [start for start in range(0, len(sound), PAGE_BYTES) if any(sound[start:start + PAGE_BYTES])]
    start = int(random.choice(pages))
    changed[start:start + PAGE_BYTES] = bytes(len(sound[start:start + PAGE_BYTES]))
    return bytes(changed)
