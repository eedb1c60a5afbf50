"""Reader threads and reader processes beside one writer: no exception, and every answer as if each had been alone."""

import multiprocessing
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixsearch.apps.torture.material import Colours, a_large_pack, quiet
from pixsearch.apps.torture.outcome import Outcome
from pixsearch.index.memory import MemoryPack
from pixsearch.index.pack import Pack

LASTING = 1_000  # things that stay in the memory throughout
SEALED = 6_000  # vectors of the sealed pack that is searched meanwhile
PASSING = 200  # things that the writer lets be there at a time
QUERIES = 64
HITS = 10


@dataclass(frozen=True)
class Alone:
    """What one reader alone finds: the lasting things by nearness to each query, and the sealed pack's hits."""

    queries: NDArray[np.float32]
    ranking: list[list[str]]
    sealed: list[list[str]]


def crowd(folder: Path, seconds: float, threads: int, processes: int, progress: Callable[[int], None]) -> Outcome:
    """Read and write for so many seconds. `tried` counts searches."""
    outcome = Outcome(f"{threads} reader threads, {processes} reader processes, 1 writer")
    sealed = a_large_pack(folder / "sealed", SEALED)
    with quiet(), MemoryPack.open(folder / "memory", Colours()) as memory, Pack.open(sealed, Colours.id) as pack:
        for at in range(LASTING):
            memory.add(f"lasting {at}", {"number": str(at)}, region=_vector(at))
        alone = _alone(memory, pack)
        context = multiprocessing.get_context("spawn")
        stop, told = context.Event(), context.Queue()
        others = [context.Process(target=_read_elsewhere, args=(folder / "memory", sealed, alone, number, stop, told))
                  for number in range(processes)]
        found: list[tuple[int, list[str]]] = []
        readers = [threading.Thread(target=lambda number=number: found.append(
            _read(memory, pack, alone, number, stop))) for number in range(processes, processes + threads)]
        everyone: list[Any] = [*others, *readers]
        for one in everyone:
            one.start()
        writes = _write(memory, seconds, outcome, progress)
        stop.set()
        found += [told.get() for _ in others]
        for one in everyone:
            one.join()
        memory.check()
        outcome.check(_alone(memory, pack).sealed == alone.sealed, "the sealed pack answers otherwise afterwards")
    for searches, failures in found:
        outcome.tried += searches
        outcome.failures += failures
    outcome.notes |= {"writes": writes, "recall_at_10_against_sequential": 0.0 if outcome.failures else 1.0}
    return outcome


def _vector(number: int) -> NDArray[np.float32]:
    return np.random.default_rng((1, number)).normal(size=Colours.dimension).astype(np.float32)


def _alone(memory: MemoryPack, pack: Pack) -> Alone:
    queries = np.stack([np.random.default_rng((2, at)).normal(size=Colours.dimension) for at in range(QUERIES)])
    return Alone(queries.astype(np.float32),
                 [[hit.entity for hit in memory.search_vectors(query, k=LASTING)] for query in queries],
                 [[hit.key for hit in pack.search_vectors(query, k=HITS)] for query in queries])


def _write(memory: MemoryPack, seconds: float, outcome: Outcome, progress: Callable[[int], None]) -> int:
    """Add things and take the oldest away; what was acknowledged must be found at once."""
    begun, told, passing, number = time.monotonic(), 0, [], 0
    while (now := time.monotonic() - begun) < seconds:
        vector = _vector(LASTING + number)
        try:
            passing.append(memory.add(f"passing {number}", {"number": str(number)}, region=vector))
            first = memory.search_vectors(vector, k=1)[0].entity
            outcome.check(first == f"passing {number}", f"{first} was found, not what was just added")
            if len(passing) > PASSING:
                memory.remove(passing.pop(0))
        except Exception as error:
            outcome.check(False, f"writer: {type(error).__name__}: {error}")
        number += 1
        progress(int(now) - told)
        told = int(now)
    progress(int(seconds) - told)
    return number + max(0, number - PASSING)


def _read_elsewhere(memory: Path, sealed: Path, alone: Alone, number: int, stop: Event,
                    told: "multiprocessing.Queue[tuple[int, list[str]]]") -> None:
    with quiet(), MemoryPack.open(memory, Colours()) as opened, Pack.open(sealed, Colours.id) as pack:
        told.put(_read(opened, pack, alone, number, stop))


def _read(memory: MemoryPack, pack: Pack, alone: Alone, number: int, stop: Event) -> tuple[int, list[str]]:
    """Search until told to stop: how often, and what was not as it should be."""
    searches, failures = 0, []
    random = np.random.default_rng((3, number))
    while not stop.is_set():
        at = int(random.integers(QUERIES))
        try:
            hits = memory.search_vectors(alone.queries[at], k=HITS)
            lasting = [hit.entity for hit in hits if hit.entity.startswith("lasting")]
            # whatever passes by, the things that stay come in the order in which one reader alone finds them
            if len(hits) != HITS or lasting != alone.ranking[at][:len(lasting)]:
                failures.append(f"query {at}: {[hit.entity for hit in hits]}")
            if any(hit.fact_map["number"] != hit.entity.split()[1] for hit in hits):
                failures.append(f"query {at}: facts of another thing")
            if [hit.key for hit in pack.search_vectors(alone.queries[at], k=HITS)] != alone.sealed[at]:
                failures.append(f"query {at}: other hits of the sealed pack")
            if not memory.search_text(f"lasting {at}", k=1):
                failures.append(f"words 'lasting {at}' find nothing")
        except Exception as error:
            failures.append(f"{type(error).__name__}: {error}")
        searches += 3
    return searches, failures
