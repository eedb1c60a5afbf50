"""A mounted knowledge pack: opened only after every hash was checked, searched from any thread."""

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
from pixsearch.index import schema, signatures
from pixsearch.index.caches import open_caches
from pixsearch.index.embedder import unit
from pixsearch.index.hash_cache import HashCache
from pixsearch.index.hits import ALL_VIEWS, Hit, View, best_first, check_k
from pixsearch.index.names import is_name, named_entities
from pixsearch.index.nearest import Choice, Nearest
from pixsearch.index.rows import Rows
from pixsearch.index.store import Store
from pixsearch.index.words import CANDIDATES_PER_HIT, lexical_scores, query_words, semantic_scores
from pixsearch.index.writer import seal

NO_CALIBRATION = (("gain", 1.0), ("offset", 0.0))
LOOKED_LIKE = (View.REGION, View.PROTOTYPE)  # views of a thing alone


class Pack:
    """One sealed pack, read-only. Get one from `Pack.open`; close it, or use it as a context manager."""

    def __init__(self, folder: Path, manifest: dict[str, Any], store: Store, nearest: Nearest) -> None:
        self.folder, self.manifest = folder, manifest
        self.name: str = manifest["name"]
        self.embedder = manifests.embedder_of(folder, manifest)
        self._store, self._nearest = store, nearest

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
        known = not read_all and hashes.complete
        store = Store(folder, manifest, embedder, known)
        try:
            caches = open_caches(folder, store.database, manifest, embedder.dimension, store.vectors, known)
            pack = cls(folder, manifest, store, caches)
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

    def search_vectors(self, vector: NDArray[np.floating], view_kinds: Collection[View] = ALL_VIEWS, k: int = 10,
                       kinds: Collection[str] | None = None) -> list[Hit]:
        """The k entities whose best view of the given kinds is nearest to a vector, shape (D,).

        The score is the cosine with that view, computed in float32 from the stored vector, times the pack's "gain"
        plus its "offset" where its manifest has a calibration, cut to -1..1: a cosine with a class prototype is
        smaller than one with a picture of the thing, and one threshold must serve both.

        kinds : kinds of entities to find, such as "tool"; None for all
        Raises ValueError for a vector of another shape, zero or not finite, and for k outside 1 to 1000.
        """
        query = unit(vector, self.embedder.dimension)
        check_k(k)
        rows, scores = self._nearest.search(query, self._choice(view_kinds, kinds), k)
        entities = rows["entity"].tolist()
        seen = zip(rows["id"].tolist(), [ALL_VIEWS[code] for code in rows["view"].tolist()], strict=True)
        return self.hits_of(dict(zip(entities, scores.tolist(), strict=True)),
                            dict(zip(entities, seen, strict=True)))

    def hits_of(self, cosines: Mapping[int, float], views: Mapping[int, tuple[int, View]]) -> list[Hit]:
        """Hits for entities by row, best first, with calibrated scores; `views`: id and kind of what matched."""
        gain, offset = (self.manifest["calibration"].get(name, default) for name, default in NO_CALIBRATION)
        scores = {entity: min(1.0, max(-1.0, cosine * gain + offset)) for entity, cosine in cosines.items()}
        return best_first(self._store.hits(self.name, scores, views), max(1, len(scores)))

    @property
    def rows(self) -> Rows:
        """Every vector, in no order to rely on."""
        return self._nearest.rows

    def kinds_of_entities(self) -> dict[int, str]:
        """The kind of each entity by its row."""
        return dict(self._store.rows("SELECT id, kind FROM entities"))

    def _choice(self, view_kinds: Collection[View], kinds: Collection[str] | None) -> Choice:
        chosen = frozenset(view_kinds)
        views = np.array([view in chosen for view in ALL_VIEWS])
        if kinds is None:
            return Choice(views)
        entities = self._store.entities_of_kinds(frozenset(kinds))
        return Choice(views, entities, float(entities.sum()) / self._store.entities)

    def search_text(self, query: str, vector: NDArray[np.floating] | None = None, k: int = 10,
                    kinds: Collection[str] | None = None) -> list[Hit]:
        """The k entities whose words fit a query; `vector` is the query's text vector, shape (T,), if any.

        The score is `words.lexical_scores`, in [0, 1]; with a vector, its mean with the cosine (cut at 0) of
        the entity's text vector. Entities that score 0 are left out. Any characters are allowed in a query.

        kinds : kinds of entities to find; None for all
        """
        check_k(k)
        wanted = CANDIDATES_PER_HIT * k
        direction = None if vector is None else unit(vector, self.embedder.text_dimension)
        allowed = None if kinds is None else self._store.entities_of_kinds(frozenset(kinds))
        semantic: dict[int, float] = {}
        if direction is not None:
            semantic = semantic_scores(*self._text_vectors, direction, wanted, allowed)
        scores = lexical_scores(self._store.rows, query_words(query), self._store.entities, wanted, list(semantic),
                                kinds)
        if direction is not None:
            scores = {entity: (scores.get(entity, 0.0) + semantic.get(entity, 0.0)) / 2
                      for entity in scores.keys() | semantic.keys()}
        found = sorted(((score, entity) for entity, score in scores.items() if score > 0), reverse=True)
        hits = self._store.hits(self.name, {entity: score for score, entity in found})
        return best_first(hits, k)

    def looks(self, phrase: str) -> NDArray[np.float32]:
        """How the entities of a name look: unit vectors (N, D) of their regions and prototypes, best name first.

        phrase : lower-case words, see `names.named_phrases`; N is 0 where nothing is called so
        """
        return self._store.vectors_of(named_entities(self._store.rows, phrase), LOOKED_LIKE)

    def has_name(self, phrase: str) -> bool:
        """Whether an entity is called exactly so, see `names.is_name`."""
        return is_name(self._store.rows, phrase)

    @cached_property
    def _text_vectors(self) -> tuple[NDArray[Any], NDArray[np.int64]]:
        return self._store.text_vectors()

    def facts(self, key: str) -> dict[str, str]:
        """The facts of an entity by attribute, in the curator's order. Raises KeyError for an unknown key."""
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
    """Make the caches again from the database, whether missing, damaged or of another library version.

    All other files must be sound. Returns the new manifest; equal input and library give an equal pack.
    """
    manifest = manifests.checked_manifest(folder)
    files = {name: digest for name, digest in manifest["files"].items() if name not in schema.CACHE_NAMES}
    for name in schema.CACHE_NAMES:
        if (cache := folder / name).is_file():
            files[name] = sha256_file(cache)  # whatever it holds, it is about to be replaced
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
