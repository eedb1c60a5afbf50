"""Which entities look alike: for every view the nearest one of another entity, and whether its own is nearer."""

import sqlite3
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from pixsearch.index.hits import View

MAX_QUERIES = 4096  # views that are compared with all others; of larger packs a sample, evenly spread
ROWS_AT_A_TIME = 2048
THINGS = (View.REGION, View.PROTOTYPE)  # compared among themselves, and whole pictures among themselves


@dataclass(frozen=True)
class LookAlike:
    """Two entities with the views of them, by row id, that are nearest to each other."""

    cosine: float
    entity: int
    view: int
    other_entity: int
    other_view: int


@dataclass(frozen=True)
class Resemblance:
    """What comparing the views of a pack found.

    pairs      : entities that look alike, nearest first, each pair once
    compared   : views that were compared with all others
    told_apart : of how many views that have another of their own entity
    recognised : of how many of these the nearest other view is of their own entity
    """

    pairs: list[LookAlike]
    compared: int
    told_apart: int
    recognised: int


Numbers = NDArray[np.int64]
Decode = Callable[[list[bytes]], NDArray[Any]]  # stored vectors to numbers (N, D); only directions count


def resemblance(database: sqlite3.Connection, decode: Decode, most: int) -> Resemblance:
    """Compare the views of a pack, exactly; `most` pairs are kept."""
    best: dict[tuple[int, int], LookAlike] = {}
    compared = told_apart = recognised = 0
    for kinds in (THINGS, (View.IMAGE,)):
        queries = _Queries(database, decode, kinds)
        queries.compare()
        compared += len(queries.rows)
        own = queries.own > -2
        told_apart, recognised = told_apart + int(own.sum()), recognised + int((queries.own > queries.other)[own].sum())
        for pair in queries.pairs():
            key = min(pair.entity, pair.other_entity), max(pair.entity, pair.other_entity)
            if key not in best or pair.cosine > best[key].cosine:
                best[key] = pair
    pairs = sorted(best.values(), key=lambda pair: (-pair.cosine, pair.entity, pair.other_entity))
    return Resemblance(pairs[:most], compared, told_apart, recognised)


class _Queries:
    """Views of some kinds, and the nearest other view of each: of its own entity and of another one."""

    def __init__(self, database: sqlite3.Connection, decode: Decode, kinds: tuple[View, ...]) -> None:
        self._database, self._decode = database, decode
        self._where = "view IN (" + ", ".join(f"'{kind}'" for kind in kinds) + ")"
        self._count = database.execute(f"SELECT count(*) FROM vectors WHERE {self._where}").fetchone()[0]
        step = max(1, -(-self._count // MAX_QUERIES))
        chunks, place = [], 0
        for rows, entities, vectors in self._chunks():
            taken = slice(-place % step, None, step)  # every step-th of all, wherever the chunk begins
            chunks.append((rows[taken], entities[taken], vectors[taken]))
            place += len(rows)
        self.rows = np.concatenate([rows for rows, _, _ in chunks] or [np.zeros(0, np.int64)])
        self.entities = np.concatenate([entities for _, entities, _ in chunks] or [np.zeros(0, np.int64)])
        self._vectors = np.concatenate([vectors for _, _, vectors in chunks] or [np.zeros((0, 0), np.float32)])
        self.own = np.full(len(self.rows), -2.0, np.float32)
        self.other = np.full(len(self.rows), -2.0, np.float32)
        self._other_row, self._other_entity = np.zeros_like(self.rows), np.zeros_like(self.rows)

    def compare(self) -> None:
        """Find the nearest of all views of these kinds."""
        if not len(self.rows):
            return
        with click.progressbar(length=self._count, label="comparing views", file=sys.stderr) as bar:
            for rows, entities, vectors in self._chunks():
                self._compare_with(rows, entities, vectors)
                bar.update(len(rows))

    def _compare_with(self, rows: Numbers, entities: Numbers, vectors: NDArray[np.float32]) -> None:
        cosines = self._vectors @ vectors.T  # (queries, rows)
        cosines[self.rows[:, None] == rows[None]] = -2
        same = self.entities[:, None] == entities[None]
        self.own = np.maximum(self.own, np.where(same, cosines, -2).max(axis=1))
        cosines[same] = -2
        place = cosines.argmax(axis=1)
        nearest = cosines[np.arange(len(place)), place]
        nearer = nearest > self.other
        self.other = np.where(nearer, nearest, self.other)
        self._other_row = np.where(nearer, rows[place], self._other_row)
        self._other_entity = np.where(nearer, entities[place], self._other_entity)

    def pairs(self) -> Iterator[LookAlike]:
        """Each view with the nearest of another entity."""
        for index in np.flatnonzero(self.other > -2):
            yield LookAlike(float(min(self.other[index], 1.0)), int(self.entities[index]), int(self.rows[index]),
                            int(self._other_entity[index]), int(self._other_row[index]))

    def _chunks(self) -> Iterator[tuple[Numbers, Numbers, NDArray[np.float32]]]:
        """Row ids (N,), entities (N,) and unit vectors (N, D)."""
        cursor = self._database.execute(f"SELECT id, entity, embedding FROM vectors WHERE {self._where} ORDER BY id")
        while chunk := cursor.fetchmany(ROWS_AT_A_TIME):
            vectors = self._decode([blob for _, _, blob in chunk]).astype(np.float32)
            vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.finfo(np.float32).tiny)
            yield np.array([row for row, _, _ in chunk]), np.array([entity for _, entity, _ in chunk]), vectors
