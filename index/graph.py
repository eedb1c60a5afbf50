"""`regions.hnsw`: an HNSW graph over unit vectors, saved whole or not at all and checked before it is read."""

import os
import struct
import sys
from pathlib import Path

import click
import hnswlib  # type: ignore[import-untyped]
import numpy as np
from numpy.typing import NDArray

from pixsearch.contract.faults import Fault
from pixsearch.contract.files import sync_directory
from pixsearch.index.graph_check import check_graph

NEIGHBOURS = 16
EF_CONSTRUCTION = 200
SEED = 20260119
ROWS_AT_A_TIME = 8192

# A saved graph starts with: offset of level 0, capacity, count, bytes an element, label offset, data offset.
HEADER = struct.Struct("<6Q")
LINK_BYTES, FLOAT_BYTES, LABEL_BYTES = 4, 4, 8


def graph_of(vectors: NDArray[np.float32], labels: NDArray[np.int64]) -> hnswlib.Index:
    """An HNSW graph over unit vectors. One thread and a fixed seed: the same vectors give the same bytes."""
    graph = hnswlib.Index("ip", vectors.shape[1])
    graph.init_index(max(1, len(vectors)), M=NEIGHBOURS, ef_construction=EF_CONSTRUCTION, random_seed=SEED)
    with click.progressbar(length=len(vectors), label="indexing groups", file=sys.stderr,
                           hidden=len(vectors) < ROWS_AT_A_TIME) as bar:
        for start in range(0, len(vectors), ROWS_AT_A_TIME):
            part = slice(start, start + ROWS_AT_A_TIME)
            graph.add_items(vectors[part], labels[part], num_threads=1)
            bar.update(len(labels[part]))
    return graph


def save_graph(graph: hnswlib.Index, path: Path) -> None:
    """Save whole or not at all: hnswlib itself would destroy a good file when killed."""
    temporary = path.with_name(f".{path.name}.saving")
    try:
        graph.save_index(str(temporary))
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_directory(path.parent)


def load_graph(path: Path, dimension: int, count: int, known: bool = False) -> hnswlib.Index:
    """Load a file whose hash was checked. Raises Fault when it does not hold `count` vectors of this size.

    hnswlib believes the sizes in a file's header, and all links, so they are checked before it reads them.
    known : whether the links of these very bytes were checked before
    """
    with path.open("rb") as stream:
        header = stream.read(HEADER.size)
    links = LINK_BYTES * (2 * NEIGHBOURS + 1)
    element = links + FLOAT_BYTES * dimension + LABEL_BYTES
    expected = (0, count, count, element, element - LABEL_BYTES, links)
    actual = HEADER.unpack(header) if len(header) == HEADER.size else ()
    if actual != expected:
        raise Fault(f"pack index {path}", expected=f"an HNSW index of {count} vectors of {dimension}",
                    actual=f"a header of {actual}", remedy="build the pack again")
    if not known:
        check_graph(path, NEIGHBOURS)
    graph = hnswlib.Index("ip", dimension)
    try:
        graph.load_index(str(path))
    except RuntimeError as error:
        raise Fault(f"pack index {path}", expected="an HNSW index", actual=str(error),
                    remedy="build the pack again") from error
    return graph
