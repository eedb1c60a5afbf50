"""The vectors of a pack as an array of rows, mapped from `regions.npy` so that only what a search touches is read."""

import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixsearch.contract.faults import Fault
from pixsearch.contract.files import atomic_file
from pixsearch.index.hits import ALL_VIEWS, View
from pixsearch.index.schema import PRECISIONS, TINY, from_blobs

ROWS_AT_A_TIME = 4096

Rows = NDArray[np.void]  # of `row_type`


def row_type(dimension: int, number: np.dtype[Any]) -> np.dtype[Any]:
    """One row: a stored vector, one over its length, whose it is, its id in the database, and the place of its view
    in ALL_VIEWS."""
    return np.dtype([("vector", number, (dimension,)), ("scale", "<f4"), ("entity", "<u4"), ("id", "<u4"),
                     ("view", "u1"), ("spare", "u1", (3,))])


def read_rows(database: sqlite3.Connection, dimension: int, precision: str, count: int) -> Rows:
    """The `count` vectors of a database in the order of their ids."""
    rows = np.zeros(count, row_type(dimension, PRECISIONS[precision]))
    codes = {str(view): code for code, view in enumerate(ALL_VIEWS)}
    cursor = database.execute("SELECT id, entity, view, embedding FROM vectors ORDER BY id")
    for start in range(0, count, ROWS_AT_A_TIME):
        ids, entities, views, blobs = zip(*cursor.fetchmany(ROWS_AT_A_TIME), strict=True)
        part = rows[start:start + len(ids)]
        part["id"], part["entity"] = ids, entities
        part["view"] = [codes[view] for view in views]
        part["vector"] = from_blobs(blobs, dimension, precision)
    rows["scale"] = _scales(rows["vector"])
    return rows


def in_memory(rows: Rows) -> Rows:
    """The same rows with float32 vectors, which are compared quicker and take more memory; what is not finite is 0."""
    copied = np.zeros(len(rows), row_type(rows["vector"].shape[1], np.dtype("<f4")))
    for name in ("vector", "scale", "entity", "id", "view"):
        copied[name] = np.nan_to_num(rows[name], nan=0.0, posinf=0.0, neginf=0.0)
    return copied


def save_rows(path: Path, rows: Rows) -> None:
    """Save in NumPy's format, whole or not at all."""
    with atomic_file(path) as stream:
        np.lib.format.write_array(stream, rows, version=(1, 0), allow_pickle=False)


def open_rows(path: Path, dimension: int, precision: str, count: int) -> Rows:
    """Map a file whose hash was checked. Raises Fault when it does not hold `count` such rows."""
    expected = row_type(dimension, PRECISIONS[precision])
    try:
        rows: Any = np.load(path, mmap_mode="r", allow_pickle=False)
        actual = f"{rows.dtype} of {rows.shape}"[:80]
        fits = rows.dtype == expected and rows.shape == (count,)
    except (ValueError, OSError, SyntaxError) as error:
        fits, actual = False, str(error)
    if not fits:
        raise Fault(f"pack rows {path}", expected=f"{count} vectors of {dimension} numbers ({precision})",
                    actual=actual, remedy="build the pack again")
    return np.asarray(rows)  # the mapping without the overhead of its class


def cosines(rows: Rows, query: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cosines of a unit vector (D,) with rows, (N,), up to rounding; not a number where a row says so."""
    return rows["vector"].astype(np.float32) @ query * rows["scale"]  # type: ignore[no-any-return]


def unit_vectors(rows: Rows) -> NDArray[np.float32]:
    """Their vectors at length one, float32 (N, D)."""
    return rows["vector"].astype(np.float32) * rows["scale"][:, None]


def view_of(row: np.void) -> View:
    """What a row's vector was made from."""
    return ALL_VIEWS[row["view"]]


def _scales(vectors: NDArray[Any]) -> NDArray[np.float32]:
    """One over the length of each, (N,)."""
    scales = np.zeros(len(vectors), np.float32)
    for start in range(0, len(vectors), ROWS_AT_A_TIME):
        part = vectors[start:start + ROWS_AT_A_TIME].astype(np.float32)
        scales[start:start + ROWS_AT_A_TIME] = 1 / np.maximum(np.linalg.norm(part, axis=1), TINY)
    return scales
