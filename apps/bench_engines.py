"""What the index is measured beside: raw hnswlib, usearch and faiss over the same vectors, each by one search call."""

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import click
import hnswlib  # type: ignore[import-untyped]
import numpy as np
from numpy.typing import NDArray

from pixsearch.apps.bench_regions import VIEWS_STORED
from pixsearch.index.embedder import EmbedderId
from pixsearch.index.hits import View
from pixsearch.index.pack import Pack
from pixsearch.index.writer import PackWriter

K = 10
NEIGHBOURS, EF_CONSTRUCTION = 16, 100  # of every graph beside ours
ROWS_AT_A_TIME = 4096
EMBEDDER = "bench-index"
KINDS = ("chair", "lamp", "table", "plant", "tool", "toy", "shelf", "cup")

Vectors = NDArray[np.float32]
Numbers = NDArray[np.integer[Any]]
Bar = Callable[[int], object]  # told how many rows more are done


class Engine(Protocol):
    """One index over vectors, float32 (N, D), unit length."""

    name: str
    file: str
    efs: tuple[int, ...]  # tried, from quick to thorough
    of_entities: bool  # whether it finds entities, by number, rather than rows

    def build(self, vectors: Vectors, path: Path, bar: Bar) -> None:
        """Make its file."""

    def open(self, path: Path, dimension: int) -> None:
        """Make ready to search."""

    def search(self, query: Vectors, ef: int) -> Numbers:
        """The K nearest rows or entities of one query, (D,)."""


class RawHnswlib:
    """hnswlib with float32 vectors, and nothing around it."""

    name, file, of_entities = "hnswlib float32", "hnswlib.bin", False
    efs: tuple[int, ...] = (10, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384)

    def build(self, vectors: Vectors, path: Path, bar: Bar) -> None:
        index = hnswlib.Index("ip", vectors.shape[1])
        index.init_index(len(vectors), M=NEIGHBOURS, ef_construction=EF_CONSTRUCTION, random_seed=1)
        for start in range(0, len(vectors), ROWS_AT_A_TIME):
            index.add_items(part := vectors[start:start + ROWS_AT_A_TIME], np.arange(start, start + len(part)))
            bar(len(part))
        index.save_index(str(path))

    def open(self, path: Path, dimension: int) -> None:
        self.index = hnswlib.Index("ip", dimension)
        self.index.load_index(str(path))

    def search(self, query: Vectors, ef: int) -> Numbers:
        self.index.set_ef(ef)
        return self.index.knn_query(query, K, num_threads=1)[0][0]


class RawEntities(RawHnswlib):
    """The same graph asked for the K nearest entities: as many rows as hold enough of them, the best of each kept."""

    name, of_entities = "hnswlib float32, for entities", True
    efs: tuple[int, ...] = (16, 24, 32, 48, 64, 80, 96, 128, 192, 256, 384)

    def search(self, query: Vectors, ef: int) -> Numbers:
        self.index.set_ef(ef)
        rows = self.index.knn_query(query, ef, num_threads=1)[0][0]
        return np.array(list(dict.fromkeys((rows // VIEWS_STORED).tolist()))[:K])


class Usearch:
    """usearch with int8 vectors."""

    name, file, of_entities = "usearch int8", "usearch.bin", False
    efs: tuple[int, ...] = RawHnswlib.efs
    index: Any

    def _index(self, dimension: int) -> Any:
        from usearch.index import Index

        return Index(ndim=dimension, metric="cos", dtype="i8", connectivity=NEIGHBOURS,
                     expansion_add=EF_CONSTRUCTION)

    def build(self, vectors: Vectors, path: Path, bar: Bar) -> None:
        index = self._index(vectors.shape[1])
        for start in range(0, len(vectors), ROWS_AT_A_TIME):
            part = vectors[start:start + ROWS_AT_A_TIME]
            index.add(np.arange(start, start + len(part)), part, threads=0)
            bar(len(part))
        index.save(str(path))

    def open(self, path: Path, dimension: int) -> None:
        from usearch.index import Index

        self.index = Index.restore(str(path))

    def search(self, query: Vectors, ef: int) -> Numbers:
        self.index.expansion_search = ef
        return self.index.search(query, K, threads=1).keys


class Faiss:
    """faiss: HNSW over vectors of one byte a number."""

    name, file, of_entities = "faiss HNSW-SQ8", "faiss.bin", False
    efs: tuple[int, ...] = RawHnswlib.efs
    index: Any

    def build(self, vectors: Vectors, path: Path, bar: Bar) -> None:
        import faiss

        number: Any = faiss.ScalarQuantizer.QT_8bit
        index: Any = faiss.IndexHNSWSQ(vectors.shape[1], number, NEIGHBOURS)
        index.hnsw.efConstruction = EF_CONSTRUCTION
        index.train(vectors[:100_000])
        for start in range(0, len(vectors), ROWS_AT_A_TIME):
            index.add(part := vectors[start:start + ROWS_AT_A_TIME])
            bar(len(part))
        faiss.write_index(index, str(path))

    def open(self, path: Path, dimension: int) -> None:
        import faiss

        faiss.omp_set_num_threads(1)
        self.index = faiss.read_index(str(path))

    def search(self, query: Vectors, ef: int) -> Numbers:
        self.index.hnsw.efSearch = ef
        return self.index.search(query[None], K)[1][0]


@dataclass
class OurPack:
    """A pack as `pack build` makes it, by its whole search call: filter, pooling by entity, facts of every hit."""

    kinds: tuple[str, ...] | None = None
    name: str = "a pack, whole call"
    file: str = "pack.pxpack"
    efs: tuple[int, ...] = (4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192)
    of_entities: bool = True

    def build(self, vectors: Vectors, path: Path, bar: Bar) -> None:
        with PackWriter(path, name="bench", licence="none", embedder=EmbedderId(EMBEDDER, vectors.shape[1], 1)) as pack:
            for number in range(0, len(vectors) // VIEWS_STORED):
                kind = KINDS[number % len(KINDS)]
                entity = pack.add_entity(f"{number}", f"{kind} {number}", kind=kind, facts={
                    "maker": f"workshop {number % 997}", "first sold": f"{1850 + number % 170}",
                    "material": ("oak", "steel", "glass", "wool")[number % 4], "stands in": f"room {number % 61}"})
                for vector in vectors[number * VIEWS_STORED:(number + 1) * VIEWS_STORED]:
                    pack.add_vector(entity, vector, View.REGION)
                bar(VIEWS_STORED)

    def open(self, path: Path, dimension: int) -> None:
        self.pack = Pack.open(path, EMBEDDER)
        self._of_ef = {ef: self._with(ef) for ef in self.efs}

    def _with(self, ef: int) -> Any:
        return replace(self.pack._nearest, ef=ef)

    def search(self, query: Vectors, ef: int) -> Numbers:
        self.pack._nearest = self._of_ef[ef]
        hits = self.pack.search_vectors(query, (View.REGION, View.PROTOTYPE), K, self.kinds)
        return np.array([int(hit.key) for hit in hits])

    @property
    def ef(self) -> int:
        """What building chose."""
        return int(self.pack.manifest["index"]["ef"])


def engines() -> list[Engine]:
    """Ours first; the peers need packages of the extra `bench`."""
    return [OurPack(), RawHnswlib(), Usearch(), Faiss()]


def build_all(folder: Path, vectors: Vectors, chosen: Sequence[Engine]) -> dict[str, float]:
    """Make the files that are missing; returns seconds by name of those that were made."""
    made = {}
    for engine in chosen:
        if not (folder / engine.file).exists():
            began = time.monotonic()
            with click.progressbar(length=len(vectors), label=f"building {engine.name}", file=sys.stderr) as bar:
                engine.build(vectors, folder / engine.file, bar.update)
            made[engine.name] = time.monotonic() - began
    return made
