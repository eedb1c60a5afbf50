"""The HNSW cache: nearest stored vectors by cosine, rebuilt from SQLite whenever needed."""

import os
import sqlite3
import struct
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
import hnswlib  # type: ignore[import-untyped]
import numpy as np
from numpy.typing import NDArray

from pixsearch.contract.faults import Fault
from pixsearch.contract.files import sync_directory
from pixsearch.index.schema import from_blobs

NEIGHBOURS = 16
EF_CONSTRUCTION = 200
MIN_EF = 64
SEED = 20260119
ROWS_AT_A_TIME = 1024

# A saved index starts with: offset of level 0, capacity, count, bytes an element, label offset, data offset.
HEADER = struct.Struct("<6Q")
LINK_BYTES, FLOAT_BYTES, LABEL_BYTES = 4, 4, 8


def recipe() -> dict[str, Any]:
    """What the bytes of an index depend on besides its vectors; a manifest records it."""
    return {"library": "hnswlib", "version": version("hnswlib"), "neighbours": NEIGHBOURS,
            "ef_construction": EF_CONSTRUCTION, "seed": SEED}


def build_index(database: sqlite3.Connection, dimension: int) -> hnswlib.Index:
    """Index every row of `vectors` under its id. One thread and a fixed seed: same rows, same bytes."""
    count = database.execute("SELECT count(*) FROM vectors").fetchone()[0]
    index = hnswlib.Index("cosine", dimension)
    index.init_index(max(count, 1), M=NEIGHBOURS, ef_construction=EF_CONSTRUCTION, random_seed=SEED)
    rows = database.execute("SELECT id, embedding FROM vectors ORDER BY id")
    with click.progressbar(length=count, label="indexing vectors", file=sys.stderr) as bar:
        while chunk := rows.fetchmany(ROWS_AT_A_TIME):
            vectors = from_blobs([blob for _, blob in chunk], dimension)
            index.add_items(vectors, np.array([row for row, _ in chunk]), num_threads=1)
            bar.update(len(chunk))
    return index


def save_index(index: hnswlib.Index, path: Path) -> None:
    """Save whole or not at all: hnswlib itself would destroy a good file when killed."""
    temporary = path.with_name(f".{path.name}.saving")
    try:
        index.save_index(str(temporary))
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_directory(path.parent)


def load_index(path: Path, dimension: int, count: int) -> hnswlib.Index:
    """Load a file whose hash was checked. Raises Fault when it does not hold `count` vectors of this size.

    hnswlib believes the sizes in a file's header, so they are compared before it reads them.
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
    index = hnswlib.Index("cosine", dimension)
    try:
        index.load_index(str(path))
    except RuntimeError as error:
        raise Fault(f"pack index {path}", expected="an HNSW index", actual=str(error),
                    remedy="build the pack again") from error
    return index


def nearest(index: hnswlib.Index, vector: NDArray[np.float32], k: int,
            allowed: Callable[[int], bool] | None) -> list[int] | None:
    """Ids of about the k nearest vectors, or None when the graph reaches fewer (many equal vectors)."""
    index.set_ef(max(MIN_EF, 2 * k))
    try:
        labels, _ = index.knn_query(vector[None], k=k, num_threads=1, filter=allowed)
    except RuntimeError:
        return None
    return [int(label) for label in labels[0]]
