"""Published networks timed in turns with what ours does in their place, on the same threads.

Graphs run on ONNX Runtime; they are exported once into build/peers, which takes the extra `export`. Gemma is decoded by
transformers on torch. One peer is in memory at a time.
"""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np

from pixsearch.apps.extras import needs_extra
from pixsearch.apps.floors import MS
from pixsearch.contract.faults import Fault
from pixsearch.edge.sessions import open_session

FOLDER = Path("build/peers")
ROUNDS, WARM_UP = 5, 1
STEPS_A_ROUND = 3  # tokens of a language model, which take little time each
ORT, TORCH = "onnxruntime fp32", "torch"
Work = Callable[[], object]


@dataclass(frozen=True)
class Peer:
    """name : in results; row : of `export.peers.PEERS`; beside : our stage that does what it does."""

    name: str
    row: str
    beside: str

    @property
    def file(self) -> Path:
        """Its graph."""
        return FOLDER / f"{self.name}.onnx"


UNIT = Peer("efficientnet-lite0-fp32-224", "efficientnet-lite0", "region")  # all stages are compared with it
OTHERS = (
    Peer("resnet18-fp32-1024", "resnet18", "perception"),
    Peer("mobilesam-fp32-1024", "mobilesam", "perception"),
    Peer("sam2-hiera-tiny-fp32-1024", "sam2-hiera-tiny", "perception"),
    Peer("clip-vit-b16-fp32-224", "clip-vit-b16", "region"),
)
GEMMA, GEMMA_BESIDE = "gemma-3-270m", "language_step"


def graph_work(peer: Peer, threads: int) -> Work:
    """One run of a peer's graph. Raises Fault where it has not been exported and cannot be here."""
    if not peer.file.is_file():
        _export(peer)
    session = open_session(peer.file, threads=threads)
    noise = np.random.default_rng(0)
    feeds = {name: noise.standard_normal([int(side) for side in shape]).astype(np.float32)
             for name, shape in session.inputs.items()}
    return lambda: session.run(feeds)


@needs_extra("export")
def _export(peer: Peer) -> None:
    from pixsearch.export.peers import export_peer

    click.echo(f"exporting {peer.name} to {peer.file}", err=True)
    export_peer(peer.row, peer.file)


def unit_work(threads: int) -> Work | None:
    """One run of the peer that all stages are compared with; None, told in one line, where it cannot be had."""
    try:
        return graph_work(UNIT, threads)
    except Fault as fault:
        _left_out(UNIT.name, fault)
        return None


def time_others(ours: Mapping[str, Work], threads: int) -> dict[str, dict[str, Any]]:
    """Time every peer in turns with what is beside it; those that cannot be had are left out, told in one line.

    ours : one call of each stage that some peer names
    returns by name: p50_ms; ratio, how many times longer it takes than ours; beside and beside_p50_ms, what ours is
    and takes in the same turns; runtime
    """
    rows: dict[str, dict[str, Any]] = {}
    missing: dict[str, Fault] = {}
    with click.progressbar([*OTHERS, None], label="peers", file=sys.stderr) as bar:
        for peer in bar:
            try:
                if peer is None:
                    rows |= _time_gemma(ours[GEMMA_BESIDE], threads)
                else:
                    times = in_turns(graph_work(peer, threads), ours[peer.beside])
                    rows[peer.name] = compared(*times, peer.beside, ORT)
            except Fault as fault:
                missing[peer.name if peer else GEMMA] = fault
    if missing:
        _left_out(", ".join(missing), next(iter(missing.values())))
    return rows


def in_turns(peer: Work, ours: Work, rounds: int = ROUNDS) -> tuple[list[float], list[float]]:
    """Milliseconds of a peer and of ours, one after the other; ours runs once untimed before, to be warm."""
    of_peer, of_ours = [], []
    for number in range(WARM_UP + rounds):
        ours()
        taken = run_ms(ours), run_ms(peer)
        if number >= WARM_UP:
            of_ours.append(taken[0])
            of_peer.append(taken[1])
    return of_peer, of_ours


def compared(of_peer: list[float], of_ours: list[float], beside: str, runtime: str) -> dict[str, Any]:
    """The row of one peer, from its milliseconds and ours."""
    theirs, own = float(np.median(of_peer)), float(np.median(of_ours))
    return {"p50_ms": round(theirs, 2), "ratio": round(theirs / own, 2), "beside": beside,
            "beside_p50_ms": round(own, 2), "runtime": runtime}


@needs_extra("export")
def _time_gemma(step: Work, threads: int) -> dict[str, dict[str, Any]]:
    with _torch_threads():
        from pixsearch.export.gemma import GemmaDecoding

        gemma = GemmaDecoding(threads=threads)
        of_peer, of_ours = in_turns(gemma.step, step, ROUNDS * STEPS_A_ROUND)
    row = compared(of_peer, of_ours, GEMMA_BESIDE, f"{TORCH} {gemma.dtype}")
    return {GEMMA: {**row, "tokens_per_s": round(MS / float(np.median(of_peer)), 1)}}


@contextmanager
def _torch_threads() -> Iterator[None]:
    """Leave torch with as many threads as it had."""
    import torch

    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)


def run_ms(work: Work) -> float:
    """Milliseconds of one run."""
    started = time.perf_counter()
    work()
    return MS * (time.perf_counter() - started)


def _left_out(names: str, fault: Fault) -> None:
    click.echo(f"left out: {names}: {fault}", err=True)
