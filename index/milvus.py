"""A pack whose vectors lie in Milvus: the same searches where they outgrow one machine."""

import json
import sys
from collections.abc import Collection
from types import TracebackType
from typing import Any, Self

import click
import numpy as np
from numpy.typing import NDArray

from pixsearch.contract.faults import Fault
from pixsearch.index.embedder import EmbedderId, unit
from pixsearch.index.hits import ALL_VIEWS, Hit, View, check_k
from pixsearch.index.pack import Pack
from pixsearch.index.rows import unit_vectors

ROWS_AT_A_TIME = 1000
MAX_KIND_BYTES = 1024
FIELDS = ["row", "entity", "view"]


class MilvusPack:
    """A mounted pack, searched by look in a Milvus collection and by words in its own database.

    Names, words and facts stay in the pack: they are small beside vectors, and every hit needs them whole. Use as a
    context manager, or close it; both belong to it from then on. Mount it in a `Library` like any pack.
    """

    def __init__(self, pack: Pack, client: Any, collection: str) -> None:
        self._pack, self._client, self.collection = pack, client, collection
        self.name = pack.name

    @classmethod
    def upload(cls, pack: Pack, uri: str, collection: str, *, token: str = "", index: str = "AUTOINDEX") -> Self:
        """Put every vector of a pack into a new collection, and mount it.

        uri   : of a cluster, "http://host:19530", or a file name, which Milvus Lite serves from this process
        index : kind of index, such as "AUTOINDEX", "HNSW", "DISKANN" or, exact, "FLAT"
        Raises Fault where pymilvus is missing, the server says no, or a collection of this name is there already.
        """
        client = _connect(uri, token)
        try:
            if client.has_collection(collection):
                raise Fault(f"Milvus collection {collection!r}", expected="a new name", actual="one that is taken",
                            remedy="name another, or drop it first")
            _create(client, collection, pack.embedder.dimension, index)
            _insert(client, collection, pack)
        except _errors() as error:
            client.close()
            raise _refused(uri, error) from error
        except BaseException:
            client.close()
            raise
        return cls(pack, client, collection)

    @classmethod
    def open(cls, pack: Pack, uri: str, collection: str, *, token: str = "") -> Self:
        """Mount a pack whose vectors were uploaded before. Raises Fault for a collection that holds another number."""
        client = _connect(uri, token)
        try:
            client.load_collection(collection)
            count = int(client.query(collection, output_fields=["count(*)"])[0]["count(*)"])
        except _errors() as error:
            client.close()
            raise _refused(uri, error) from error
        if count != pack.manifest["counts"]["regions"] + pack.manifest["counts"]["images"]:
            client.close()
            raise Fault(f"Milvus collection {collection!r}", expected=f"the vectors of pack {pack.name!r}",
                        actual=f"{count} others", remedy="upload the pack again")
        return cls(pack, client, collection)

    @property
    def embedder(self) -> EmbedderId:
        """What its vectors were made with."""
        return self._pack.embedder

    def search_vectors(self, vector: NDArray[np.floating], view_kinds: Collection[View] = ALL_VIEWS, k: int = 10,
                       kinds: Collection[str] | None = None) -> list[Hit]:
        """See `Pack.search_vectors`; Milvus pools the views of an entity by grouping. Raises Fault when it fails."""
        query = unit(vector, self.embedder.dimension)
        check_k(k)
        views = sorted(ALL_VIEWS.index(View(view)) for view in view_kinds)
        wanted = f"view in {views}"
        if kinds is not None:
            wanted += f" and kind in {json.dumps(sorted(kinds), ensure_ascii=False)}"
        if not views or kinds is not None and not kinds:
            return []
        try:
            found = self._client.search(self.collection, [query.tolist()], filter=wanted, limit=k,
                                        group_by_field="entity", output_fields=FIELDS)[0]
        except _errors() as error:
            raise _refused(self.collection, error) from error
        best: dict[int, tuple[float, int, int]] = {}
        for one in found:
            row, entity, view = (int(one["entity"][field]) for field in FIELDS)
            best.setdefault(entity, (float(one["distance"]), row, view))
        return self._pack.hits_of({entity: score for entity, (score, _, _) in best.items()},
                                  {entity: (row, ALL_VIEWS[view]) for entity, (_, row, view) in best.items()})

    def search_text(self, query: str, vector: NDArray[np.floating] | None = None, k: int = 10,
                    kinds: Collection[str] | None = None) -> list[Hit]:
        """See `Pack.search_text`."""
        return self._pack.search_text(query, vector, k, kinds)

    def looks(self, phrase: str) -> NDArray[np.float32]:
        """See `Pack.looks`."""
        return self._pack.looks(phrase)

    def has_name(self, phrase: str) -> bool:
        """See `Pack.has_name`."""
        return self._pack.has_name(phrase)

    def close(self) -> None:
        """Close the connection and the pack."""
        self._client.close()
        self._pack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()


def _connect(uri: str, token: str) -> Any:
    try:
        from pymilvus import MilvusClient
    except ModuleNotFoundError as error:
        raise Fault(f"package {error.name}", expected="the extra 'scale'", actual="not installed",
                    remedy="pip install 'pixsearch[scale]'") from error
    try:
        return MilvusClient(uri, token=token)
    except _errors() as error:
        raise _refused(uri, error) from error


def _errors() -> type[Exception]:
    from pymilvus.exceptions import MilvusException

    return MilvusException


def _refused(where: str, error: Exception) -> Fault:
    return Fault(f"Milvus {where}", expected="an answer", actual=str(error)[:200], remedy="see the server's log")


def _create(client: Any, collection: str, dimension: int, index: str) -> None:
    from pymilvus import DataType

    schema = client.create_schema(auto_id=False)
    schema.add_field("row", DataType.INT64, is_primary=True)
    schema.add_field("entity", DataType.INT64)
    schema.add_field("view", DataType.INT64)
    schema.add_field("kind", DataType.VARCHAR, max_length=MAX_KIND_BYTES)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=dimension)
    indexes = client.prepare_index_params()
    indexes.add_index("vector", index_type=index, metric_type="COSINE")
    client.create_collection(collection, schema=schema, index_params=indexes)


def _insert(client: Any, collection: str, pack: Pack) -> None:
    kinds = pack.kinds_of_entities()
    rows = pack.rows
    with click.progressbar(length=len(rows), label="uploading vectors", file=sys.stderr, show_pos=True) as bar:
        for start in range(0, len(rows), ROWS_AT_A_TIME):
            part = rows[start:start + ROWS_AT_A_TIME]
            client.insert(collection, [
                {"row": row, "entity": entity, "view": view, "kind": kinds[entity], "vector": vector}
                for row, entity, view, vector in zip(part["id"].tolist(), part["entity"].tolist(),
                                                     part["view"].tolist(), unit_vectors(part).tolist(), strict=True)])
            bar.update(len(part))
