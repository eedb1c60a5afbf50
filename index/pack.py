"""A mounted knowledge pack: opened only after every hash was checked, searched from any thread."""

import threading
from collections.abc import Collection, Mapping
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from numpy.typing import NDArray

from pixsearch.contract.faults import Fault
from pixsearch.contract.files import MANIFEST_NAME, manifest_bytes, sha256_file, write_atomic
from pixsearch.contract.images import read_image
from pixsearch.index import manifest as manifests
from pixsearch.index import nearest, schema, signatures
from pixsearch.index.embedder import Vector, unit
from pixsearch.index.hash_cache import HashCache
from pixsearch.index.hits import ALL_VIEWS, Hit, View, best_first, check_k
from pixsearch.index.names import is_name, named_entities
from pixsearch.index.store import Store
from pixsearch.index.words import CANDIDATES_PER_HIT, lexical_scores, query_words, semantic_scores
from pixsearch.index.writer import seal

VIEWS_PER_HIT = 4  # first guess at how many views to look at for one entity
WIDEN = 4
LOOKED_LIKE = (View.REGION, View.PROTOTYPE)  # views of a thing alone


class Pack:
    """One sealed pack, read-only. Get one from `Pack.open`; close it, or use it as a context manager."""

    def __init__(self, folder: Path, manifest: dict[str, Any], store: Store, index: Any) -> None:
        self.folder, self.manifest = folder, manifest
        self.name: str = manifest["name"]
        self.embedder = manifests.embedder_of(folder, manifest)
        self._store, self._index = store, index
        self._lock = threading.Lock()  # hnswlib and one SQLite connection serve one caller at a time

    @classmethod
    def open(cls, folder: Path, embedder_id: str, *, trusted: Mapping[str, str] | None = None,
             read_all: bool = False) -> Self:
        """Check and mount a pack. Raises Fault when it is damaged or of another format or embedder.

        trusted  : keys of `signatures.trusted_keys`, one of which must have signed it; None asks for no signature
        read_all : read every byte, even of files that have not changed since they were last found sound
        """
        folder = folder.resolve()  # an installed pack may be switched while this one is open
        manifest = manifests.checked_manifest(folder)
        signatures.require_trusted(manifest, trusted, f"pack {folder}")
        embedder = manifests.embedder_of(folder, manifest)
        if embedder.id != embedder_id:
            raise Fault(f"pack {folder}", expected=f"embedder {embedder_id!r}", actual=repr(embedder.id),
                        remedy="build the pack again with this model, or choose the model it was built with")
        hashes = HashCache(folder)
        manifests.verify_pack_files(folder, manifest, sha256_file if read_all else hashes.sha256)
        store = Store(folder, manifest, embedder)
        try:
            pack = cls(folder, manifest, store, _index(folder, manifest, store))
            hashes.save()
            return pack
        except BaseException:
            store.close()
            raise

    def close(self) -> None:
        """Release the database."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def search_vectors(self, vector: NDArray[np.floating], view_kinds: Collection[View] = ALL_VIEWS,
                       k: int = 10) -> list[Hit]:
        """The k entities whose best view of the given kinds is nearest to a vector, shape (D,).

        The score is the cosine with that view, computed exactly in float32 from the stored float16 vector, times
        the pack's "gain" plus its "offset" where its manifest has a calibration, cut to -1..1: a cosine with a
        class prototype is smaller than one with a picture of the thing, and one threshold must serve both.
        Raises ValueError for a vector of another shape, zero or not finite, and for k outside 1 to 1000.
        """
        query = unit(vector, self.embedder.dimension)
        check_k(k)
        with self._lock:
            chosen = self._store.rows_of(view_kinds)
            wanted = min(VIEWS_PER_HIT * k, len(chosen))
            best: dict[int, tuple[float, int]] = {}
            while wanted and len(best) < k:
                best = self._store.best_views(query, self._candidates(query, wanted, chosen))
                if wanted == len(chosen):
                    break
                wanted = min(WIDEN * wanted, len(chosen))
            scores = {entity: self._calibrated(score) for entity, (score, _) in best.items()}
            hits = self._store.hits(self.name, scores, {entity: row for entity, (_, row) in best.items()})
        return best_first(hits, k)

    def _calibrated(self, cosine: float) -> float:
        calibration = self.manifest["calibration"]
        return min(1.0, max(-1.0, cosine * calibration.get("gain", 1.0) + calibration.get("offset", 0.0)))

    def _candidates(self, query: Vector, wanted: int, chosen: frozenset[int]) -> list[int]:
        """Ids of about the `wanted` nearest vectors among those chosen; of all when the graph falls short."""
        found = None
        if wanted < len(chosen):
            allowed = None if len(chosen) == self._store.vectors else chosen.__contains__
            found = nearest.nearest(self._index, query, wanted, allowed)
        return sorted(chosen) if found is None else found

    def search_text(self, query: str, vector: NDArray[np.floating] | None = None, k: int = 10) -> list[Hit]:
        """The k entities whose words fit a query; `vector` is the query's text vector, shape (T,), if any.

        The score is `words.lexical_scores`, in [0, 1]; with a vector, its mean with the cosine (cut at 0) of
        the entity's text vector. Entities that score 0 are left out. Any characters are allowed in a query.
        """
        check_k(k)
        wanted = CANDIDATES_PER_HIT * k
        direction = None if vector is None else unit(vector, self.embedder.text_dimension)
        with self._lock:
            semantic: dict[int, float] = {}
            if direction is not None:
                semantic = semantic_scores(*self._text_vectors, direction, wanted)
            scores = lexical_scores(self._store.rows, query_words(query), self.manifest["counts"]["entities"],
                                    wanted, list(semantic))
            if direction is not None:
                scores = {entity: (scores.get(entity, 0.0) + semantic.get(entity, 0.0)) / 2
                          for entity in scores.keys() | semantic.keys()}
            found = {entity: score for entity, score in scores.items() if score > 0}
            hits = self._store.hits(self.name, found)
        return best_first(hits, k)

    def looks(self, phrase: str) -> NDArray[np.float32]:
        """How the entities of a name look: unit vectors (N, D) of their regions and prototypes, best name first.

        phrase : lower-case words, see `names.named_phrases`; N is 0 where nothing is called so
        """
        with self._lock:
            return self._store.vectors_of(named_entities(self._store.rows, phrase), LOOKED_LIKE)

    def has_name(self, phrase: str) -> bool:
        """Whether an entity is called exactly so, see `names.is_name`."""
        with self._lock:
            return is_name(self._store.rows, phrase)

    @cached_property
    def _text_vectors(self) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        return self._store.text_vectors()

    def facts(self, key: str) -> dict[str, str]:
        """The facts of an entity by attribute, in the curator's order. Raises KeyError for an unknown key."""
        with self._lock:
            rows = self._store.rows("SELECT id FROM entities WHERE key = ?", (key,))
            if not rows:
                raise KeyError(key)
            return self._store.facts(rows[0][0])

    def thumbnail(self, hit: Hit) -> NDArray[np.uint8] | None:
        """The picture beside a hit, uint8 RGB, at most 160 pixels a side, or None."""
        return None if hit.thumbnail is None else read_image(hit.thumbnail)


def verify(folder: Path, trusted: Mapping[str, str] | None = None) -> None:
    """Read every byte of a pack and check it against hashes, counts, schema and signature. Raises Fault."""
    embedder = manifests.embedder_of(folder, manifests.checked_manifest(folder))
    with Pack.open(folder, embedder.id, trusted=trusted, read_all=True) as pack:
        pack._store.check()


def info(folder: Path) -> dict[str, Any]:
    """The checked manifest with its counts; hashes of the files are left to `verify`. Raises Fault."""
    return manifests.checked_manifest(folder)


def sign(folder: Path, key: Ed25519PrivateKey) -> dict[str, Any]:
    """Read every byte of a pack and put a signature over all of it into its manifest, which is returned."""
    verify(folder)
    manifest = signatures.signed(manifests.checked_manifest(folder), key)
    write_atomic(folder / MANIFEST_NAME, manifest_bytes(manifest))
    return manifest


def rebuild_cache(folder: Path) -> dict[str, Any]:
    """Make `regions.hnsw` again from the database, whether missing, damaged or of another library version.

    All other files must be sound. Returns the new manifest; equal input and library give an equal pack.
    """
    manifest = manifests.checked_manifest(folder)
    files = {name: digest for name, digest in manifest["files"].items() if name != schema.INDEX_NAME}
    if (cache := folder / schema.INDEX_NAME).is_file():
        files[schema.INDEX_NAME] = sha256_file(cache)  # whatever it holds, it is about to be replaced
    manifests.verify_pack_files(folder, {**manifest, "files": files})
    store = Store(folder, manifest, manifests.embedder_of(folder, manifest))
    try:
        unsigned = {key: value for key, value in manifest.items() if key != signatures.FIELD}
        made = seal(folder, {key: value for key, value in unsigned.items() if key != "files"}, store.database)
        if made == unsigned:  # the very bytes that were signed
            write_atomic(folder / MANIFEST_NAME, manifest_bytes(manifest))
            return manifest
        return made
    finally:
        store.close()


def _index(folder: Path, manifest: dict[str, Any], store: Store) -> Any:
    """The HNSW index: loaded when this library wrote it, else rebuilt in memory; None without vectors."""
    if not store.vectors:
        return None
    dimension = store.embedder.dimension
    if schema.INDEX_NAME not in manifest["files"] or manifest["index"] != nearest.recipe():
        return nearest.build_index(store.database, dimension)
    return nearest.load_index(folder / schema.INDEX_NAME, dimension, store.vectors)
