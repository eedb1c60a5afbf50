"""The caches of a pack's vectors, made from its database: rows in the order of their groups, and the graph of those."""

import sqlite3
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixsearch.contract.faults import Fault
from pixsearch.index import schema
from pixsearch.index.graph import EF_CONSTRUCTION, NEIGHBOURS, SEED, graph_of, load_graph, save_graph
from pixsearch.index.groups import ROWS_A_GROUP, Groups, grouped
from pixsearch.index.hits import ALL_VIEWS
from pixsearch.index.nearest import RECALL_AT, ROWS_A_HIT, Nearest, best_of_entities
from pixsearch.index.rows import Rows, cosines, in_memory, open_rows, read_rows, save_rows, unit_vectors

EXACT_BELOW = 4096  # vectors: fewer are compared one and all, which is quicker than any graph
EFS = (8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)  # groups looked at, of which one is chosen by measure
WANTED_RECALL = 0.985  # a little above the promised .98: a sample has an error
SAMPLED = 400
ROWS_AT_A_TIME = 16_384


def recipe() -> dict[str, Any]:
    """What the bytes of the caches depend on besides the vectors; a manifest records it."""
    return {"library": "hnswlib", "version": version("hnswlib"), "neighbours": NEIGHBOURS,
            "ef_construction": EF_CONSTRUCTION, "seed": SEED, "rows_a_group": ROWS_A_GROUP}


def build_caches(folder: Path, database: sqlite3.Connection, dimension: int, precision: str,
                 count: int) -> dict[str, Any]:
    """Write both caches of a database with `count` vectors; returns what the manifest says of them.

    That is the recipe, and the "ef" that reaches a recall of .98 at ten, with the "recall" that a sample had.
    """
    for name in schema.CACHE_NAMES:
        (folder / name).unlink(missing_ok=True)
    if not count:
        return recipe()
    rows, groups, centres = grouped(read_rows(database, dimension, precision, count))
    graph = graph_of(centres, groups.labels)
    save_graph(graph, folder / schema.INDEX_NAME)
    save_rows(folder / schema.ROWS_NAME, rows)
    return {**recipe(), "groups": len(groups.starts), **_measured(Nearest(rows, groups, graph))}


def open_caches(folder: Path, database: sqlite3.Connection, manifest: Mapping[str, Any], dimension: int,
                count: int, known: bool = False) -> Nearest:
    """What finds the nearest of `count` vectors: the caches where this version wrote them, else the database itself.

    known : whether these very bytes were checked before
    Raises Fault when the caches do not hold what the manifest says.
    """
    made, precision = manifest["index"], manifest.get("precision", schema.FIRST_PRECISION)
    mine = all(made.get(name) == value for name, value in recipe().items())
    if not mine or not set(schema.CACHE_NAMES) <= set(manifest["files"]):
        return Nearest(in_memory(read_rows(database, dimension, precision, count)))
    rows = open_rows(folder / schema.ROWS_NAME, dimension, precision, count)
    if not known:
        _check_rows(folder / schema.ROWS_NAME, rows, count)
    graph = load_graph(folder / schema.INDEX_NAME, dimension, _whole(made.get("groups"), count), known)
    groups = Groups.of_labels(np.array(graph.get_ids_list(), np.int64))
    if ((groups.starts < 0) | (groups.starts + groups.counts > count) | (groups.views >= len(ALL_VIEWS))).any() or (
            groups.counts.sum() != count):
        raise Fault(f"pack index {folder / schema.INDEX_NAME}", expected=f"groups of {count} vectors",
                    actual="others", remedy="build the pack again")
    if count < EXACT_BELOW:
        return Nearest(in_memory(rows))
    return Nearest(rows, groups, graph, max(1, _whole(made.get("ef"), len(groups.starts))))


def _check_rows(path: Path, rows: Rows, count: int) -> None:
    """Raise Fault for rows of views or things that no pack has."""
    limits = {"id": (1, count), "entity": (1, schema.MAX_ENTITIES), "view": (0, len(ALL_VIEWS) - 1)}
    for name, (least, most) in limits.items():
        if len(rows) and not least <= rows[name].min() <= rows[name].max() <= most:
            raise Fault(f"pack rows {path}", expected=f"{name} from {least} to {most}",
                        actual=f"{rows[name].min()} to {rows[name].max()}", remedy="build the pack again")


def _whole(value: object, most: int) -> int:
    """A number from a manifest, within bounds."""
    return min(max(value, 0), most) if type(value) is int else 0


def _measured(index: Nearest) -> dict[str, Any]:
    """The least of EFS with the wanted recall of entities, for stored vectors that search for all but themselves."""
    rng = np.random.default_rng(SEED)
    chosen = np.sort(rng.choice(len(index.rows), min(SAMPLED, len(index.rows)), replace=False))
    queries = unit_vectors(index.rows[chosen])
    truth = [_entities(index.rows, near, query) for near, query in zip(
        _exact_neighbours(index.rows, queries, chosen), queries, strict=True)]
    recall = 1.0
    for ef in EFS:
        if ef >= len(index.groups.starts):  # type: ignore[union-attr]
            break
        found = [_found(index, query, own, ef) for query, own in zip(queries, chosen, strict=True)]
        recall = float(np.mean([len(near & exact) / max(1, len(exact))
                                for near, exact in zip(found, truth, strict=True)]))
        if recall >= WANTED_RECALL:
            return {"ef": ef, "recall": round(recall, 4)}
    return {"ef": EFS[-1], "recall": round(recall, 4)}


def _exact_neighbours(rows: Rows, queries: NDArray[np.float32], own: NDArray[np.int64]) -> NDArray[np.int64]:
    """The nearest rows of each query but its own, enough for RECALL_AT entities of some views each, (Q, N)."""
    wanted = min(RECALL_AT * ROWS_A_HIT, len(rows))
    best = np.zeros((len(queries), 0), np.int64)
    scores = np.zeros((len(queries), 0), np.float32)
    for start in range(0, len(rows), ROWS_AT_A_TIME):
        part = unit_vectors(rows[start:start + ROWS_AT_A_TIME])
        near = queries @ part.T
        mine = np.flatnonzero((own >= start) & (own < start + len(part)))
        near[mine, own[mine] - start] = -2
        best = np.hstack([best, np.broadcast_to(np.arange(start, start + len(part)), near.shape)])
        scores = np.hstack([scores, near])
        keep = np.argpartition(-scores, wanted - 1, axis=1)[:, :wanted]
        best, scores = np.take_along_axis(best, keep, 1), np.take_along_axis(scores, keep, 1)
    own_left = best != own[:, None]
    return np.where(own_left, best, best[np.arange(len(best)), own_left.argmax(axis=1)][:, None])


def _entities(rows: Rows, numbers: NDArray[np.int64], query: NDArray[np.float32]) -> set[int]:
    """The RECALL_AT nearest entities among these rows."""
    some = rows.take(numbers)
    return set(best_of_entities(some, cosines(some, query), RECALL_AT)[0]["entity"].tolist())


def _found(index: Nearest, query: NDArray[np.float32], own: int, ef: int) -> set[int]:
    """What a search for ten finds in `ef` groups, its own row left out."""
    try:
        labels, _ = index.graph.knn_query(query, k=ef, num_threads=1)  # type: ignore[union-attr]
    except RuntimeError:
        return set()
    numbers = Groups.of_labels(labels[0]).rows()
    return _entities(index.rows, numbers[numbers != own], query)
