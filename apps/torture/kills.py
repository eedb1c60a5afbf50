"""`kill -9` at random instants of build, add, delta, install and compact: old or new, and nothing acknowledged lost."""

import multiprocessing
import shutil
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from pixsearch.apps.torture.material import NAME, Colours, Silence, a_folder, a_pack, digests, quiet
from pixsearch.apps.torture.outcome import Outcome
from pixsearch.contract.files import remove_leftovers
from pixsearch.index.build import build_pack, work_folder
from pixsearch.index.compact import compact
from pixsearch.index.delta import apply_delta, write_delta
from pixsearch.index.installed import install, installed_folder, remove, rollback
from pixsearch.index.memory import MemoryPack
from pixsearch.index.pack import Pack

OPERATIONS = ("build", "add", "delta", "install", "compact")
ENTITIES = 40
AFTER = 1.1  # kills fall into the time that the whole work takes, and a little after
MODULES = ["pixsearch.apps.torture.kills"]
TAKEN_OUT = ("k1", "k8")


def kills(folder: Path, count: int, progress: Callable[[int], None]) -> list[Outcome]:
    """Kill each operation so often. `folder` is empty; the user's folders must lie in a place of their own."""
    old, new = a_pack(folder / "old", 1, ENTITIES), a_pack(folder / "new", 2, ENTITIES)
    a_folder(folder / "rows", 2, ENTITIES)
    with quiet():
        write_delta(old, new, folder / "sound.delta")
        shutil.copytree(old, folder / "compacted")
        compact(folder / "compacted", TAKEN_OUT)
    context = multiprocessing.get_context("forkserver")  # children that start at once, from a process without threads
    context.set_forkserver_preload(MODULES)
    return [_kill_often(context, operation, folder, count, progress) for operation in OPERATIONS]


def _kill_often(context: multiprocessing.context.ForkServerContext, operation: str, folder: Path, count: int,
                progress: Callable[[int], None]) -> Outcome:
    outcome = Outcome(f"kill -9 during {operation}")
    random = np.random.default_rng(OPERATIONS.index(operation))
    whole = max(_run(context, operation, folder, None)[1] for _ in range(3))
    unfinished = 0
    for _ in range(count):
        said, _, killed = _run(context, operation, folder, float(random.uniform(0, AFTER * whole)))
        unfinished += killed
        try:
            with quiet():
                trouble = _check(operation, folder, said)
        except Exception as error:  # whatever it is, it must not happen
            trouble = f"{type(error).__name__}: {error}"
        outcome.check(not trouble, trouble)
        progress(1)
    outcome.notes["unfinished"] = unfinished
    return outcome


def _run(context: multiprocessing.context.ForkServerContext, operation: str, folder: Path,
         kill_after: float | None) -> tuple[list[tuple[str, int]], float, bool]:
    """Run an operation in a process and kill it: what it acknowledged, its seconds, and whether it was cut short."""
    with quiet():
        _reset(operation, folder)
    here, there = context.Pipe(duplex=False)
    worker = context.Process(target=_work, args=(operation, folder, there, kill_after is not None))
    worker.start()
    there.close()
    here.recv()  # it begins
    begun = time.monotonic()
    if kill_after is not None:
        time.sleep(kill_after)
        worker.kill()
    said = []
    try:
        while True:
            said.append(here.recv())
    except (EOFError, OSError):
        worker.join()
    done = said[-1:] == [("done", 0)]
    return said, time.monotonic() - begun, not done


def _work(operation: str, folder: Path, told: Connection, endless: bool) -> None:
    import sys

    sys.stderr = Silence()
    target = folder / "target"
    told.send(("begun", 0))
    if operation == "build":
        build_pack(folder / "rows", target, Colours(), NAME, "CC0-1.0", version=2, work=work_folder(target))
    elif operation == "add":
        _remember(folder / "memory", told, 10_000 if endless else 12)
    elif operation == "delta":
        write_delta(folder / "old", folder / "new", folder / "made.delta")
        apply_delta(target, folder / "made.delta")
    elif operation == "install":
        install(folder / "new")
    else:
        compact(target, TAKEN_OUT)
    told.send(("done", 0))


def _remember(folder: Path, told: Connection, count: int) -> None:
    """Add things and remove every fourth; each is told once the call has returned."""
    with MemoryPack.open(folder, Colours()) as memory:
        for at in range(count):
            vector = np.random.default_rng(at).normal(size=Colours.dimension)
            item = memory.add(f"thing {at}", {"number": str(at)}, region=vector, text="words " * 40)
            told.send(("added", item))
            if at % 4 == 3:
                told.send(("removing", item - 1))
                memory.remove(item - 1)
                told.send(("removed", item - 1))


def _reset(operation: str, folder: Path) -> None:
    """The old state. What a killed process left beside it stays: the next one must cope."""
    target = folder / "target"
    if operation == "install":
        if installed_folder(NAME):
            remove(NAME)
        install(folder / "old")
    elif operation != "add" and (not target.exists() or digests(target) != digests(folder / "old")):
        shutil.rmtree(target, ignore_errors=True)
        shutil.rmtree(work_folder(target), ignore_errors=True)
        shutil.copytree(folder / "old", target)


def _check(operation: str, folder: Path, said: list[tuple[str, int]]) -> str:
    """What does not hold after a kill; empty when all does."""
    if operation == "add":
        return _check_memory(folder / "memory", said)
    if operation == "install":
        found = installed_folder(NAME)
        if found is None:
            return "nothing is installed"
        states = {"old": digests(folder / "old"), "new": digests(folder / "new")}
        trouble = _check_state(found, states)
        install(folder / "new")  # goes on where it was killed, and can be taken back
        return trouble or _check_state(rollback(NAME).folder, {"old": states["old"]})
    new = folder / ("compacted" if operation == "compact" else "new")
    target, made = folder / "target", folder / "made.delta"
    trouble = _check_state(target, {"old": digests(folder / "old"), "new": digests(new)})
    if not trouble and operation == "delta" and made.exists():
        trouble = "" if made.read_bytes() == (folder / "sound.delta").read_bytes() else "half a delta was left"
        made.unlink()
    remove_leftovers(target)
    if left := [path.name for path in folder.glob(".target*")]:
        return f"left behind: {left}"
    return trouble


def _check_state(pack: Path, states: dict[str, dict[str, str]]) -> str:
    Pack.open(pack, Colours.id).close()
    return "" if digests(pack) in states.values() else f"neither {' nor '.join(states)}"


def _check_memory(folder: Path, said: list[tuple[str, int]]) -> str:
    told = {what: {item for one, item in said if one == what} for what in ("added", "removing", "removed")}
    with MemoryPack.open(folder, Colours()) as memory:
        memory.check()
        items = {item.id: item for item in memory.items()}
        lost = told["added"] - told["removing"] - set(items)
        back = told["removed"] & set(items)
        halves = [item.id for item in items.values() if item.facts != {"number": item.entity.split()[1]}]
    return f"lost {lost}, back {back}, halves {halves}" if lost or back or halves else ""
