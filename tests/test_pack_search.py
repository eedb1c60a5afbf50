"""Searching packs: right entities, exact scores, hostile words, merged packs, many threads."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from test_pack_build import Histogram, a_pack

from pixsearch.index.embedder import EmbedderId
from pixsearch.index.hits import ALL_VIEWS, View
from pixsearch.index.pack import Pack
from pixsearch.index.search import Library
from pixsearch.index.writer import PackWriter

ROWS = [
    {"id": "egyptian", "name": "Egyptian cat", "facts": {"legs": "4"}, "text": "A slender cat of the Nile."},
    {"id": "tabby", "name": "Tabby", "aliases": ["tabby cat"], "text": "Striped."},
    {"id": "shop", "name": "Pet shop", "text": "Sells food for the Egyptian cat and for dogs."},
    {"id": "café", "name": "Café Müller", "facts": {"opened": "1951"}},
]


def vectors_pack(folder: Path, vectors: np.ndarray, entities: int, name: str = "p") -> Pack:
    """Vector i belongs to entity i % entities; every third is an image view."""
    with PackWriter(folder / f"{name}.pxpack", name=name, licence="CC0-1.0",
                    embedder=EmbedderId("e", vectors.shape[1], 2)) as writer:
        rows = [writer.add_entity(f"k{at}", f"entity {at}") for at in range(entities)]
        for at, vector in enumerate(vectors):
            writer.add_vector(rows[at % entities], vector, View.IMAGE if at % 3 == 0 else View.REGION)
    return Pack.open(folder / f"{name}.pxpack", "e")


@pytest.mark.parametrize("kinds", [ALL_VIEWS, (View.REGION,), (View.IMAGE,)])
def test_search_equals_brute_force_over_the_best_view_of_each_entity(
        tmp_path: Path, kinds: tuple[View, ...]) -> None:
    random = np.random.default_rng(0)
    stored = random.normal(size=(900, 16))
    pack = vectors_pack(tmp_path, stored, 150)
    unit = stored / np.linalg.norm(stored, axis=1, keepdims=True)
    is_image = np.arange(900) % 3 == 0
    allowed = np.where(is_image, View.IMAGE in kinds, View.REGION in kinds)
    agreed = 0
    for query in random.normal(size=(20, 16)):
        cosines = np.where(allowed, unit @ query / np.linalg.norm(query), -2)
        best = np.array([cosines[at::150].max() for at in range(150)])
        expected = [f"k{at}" for at in np.argsort(-best)[:5]]
        hits = pack.search_vectors(query, kinds, 5)
        agreed += len({hit.key for hit in hits} & set(expected))
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
        for hit in hits:
            assert hit.view in kinds and abs(hit.score - best[int(hit.key[1:])]) < 1e-2
    assert agreed >= 98


def test_many_views_of_one_entity_do_not_crowd_out_the_others(tmp_path: Path) -> None:
    crowd = np.array([1.0, 0, 0]) + np.random.default_rng(0).normal(scale=0.01, size=(300, 3))
    with PackWriter(tmp_path / "p", name="p", embedder=EmbedderId("e", 3, 2), licence="CC0-1.0") as writer:
        near, far = (writer.add_entity(key, key) for key in ("near", "far"))
        for vector in crowd:
            writer.add_vector(near, vector)
        writer.add_vector(far, np.array([0, 1.0, 0]))
    with Pack.open(tmp_path / "p", "e") as pack:
        assert [hit.key for hit in pack.search_vectors(np.array([1.0, 0, 0]), k=2)] == ["near", "far"]


def test_equal_vectors_that_break_the_graph_are_all_found(tmp_path: Path) -> None:
    pack = vectors_pack(tmp_path, np.ones((400, 4)), 400)
    assert len(pack.search_vectors(np.ones(4), k=90)) == 90


def test_a_pack_without_vectors_answers_by_words_alone(tmp_path: Path) -> None:
    with Pack.open(a_pack(tmp_path, ROWS), "histogram-4") as pack:
        assert pack.search_vectors(np.ones(64)) == []
        assert pack.search_text("Nile")[0].key == "egyptian"


@pytest.mark.parametrize(("query", "key"), [
    ("Egyptian cat", "egyptian"), ("egyptian CATS", "egyptian"), ("tabby cat", "tabby"), ("striped", "tabby"),
    ("who sells food for dogs?", "shop"), ("cafe muller", "café"), ("1951", "café"),
])
def test_words_find_names_aliases_facts_and_text(tmp_path: Path, query: str, key: str) -> None:
    with Pack.open(a_pack(tmp_path, ROWS), "histogram-4") as pack:
        for vector in (None, Histogram().text(query)):
            hits = pack.search_text(query, vector, 3)
            assert all(0 < hit.score <= 1 for hit in hits)
            assert vector is not None or hits[0].key == key
            assert key in {hit.key for hit in hits}


@pytest.mark.parametrize("query", [
    '" OR * NEAR(', "cat\" OR \"1", "name:cat AND", "NEAR(cat dog, 5)", "cat*", "^cat", "-cat",
    "'; DROP TABLE",    "", " \0\t",
    "*" * 20_000, "cat " * 20_000, "🐈", "<search>", "\ud800", "{cat} + (dog", "_", "猫",
])
def test_any_query_is_plain_words(tmp_path: Path, query: str) -> None:
    with Pack.open(a_pack(tmp_path, ROWS), "histogram-4") as pack:
        hits = pack.search_text(query)
        assert {hit.key for hit in hits} <= {"egyptian", "tabby", "shop"}
        assert bool(hits) == ("cat" in query)


def test_hits_of_several_packs_merge_by_score(tmp_path: Path) -> None:
    paths = [a_pack(tmp_path, [{"id": name, "name": f"{name} jar", "images": [f"{name}-cut.png"]}], name)
             for name in ("red", "blue")]
    with Library([Pack.open(path, "histogram-4") for path in paths]) as library:
        for first, second, colour in (("red", "blue", (200, 20, 30)), ("blue", "red", (30, 40, 210))):
            vector = Histogram().region(np.full((2, 2, 3), colour, np.uint8), None)
            assert [hit.pack for hit in library.search_vectors(vector)] == [first, second]
            assert [hit.pack for hit in library.search_vectors(vector, k=1)] == [first]
            assert [hit.pack for hit in library.search_text(f"the {first} jar")] == [first, second]


def test_a_library_refuses_packs_of_two_embedders(tmp_path: Path) -> None:
    packs = [Pack.open(a_pack(tmp_path), "histogram-4"), vectors_pack(tmp_path, np.eye(3), 3)]
    with pytest.raises(ValueError, match="one embedder"):
        Library(packs)


def test_facts_and_sources_come_with_each_hit(tmp_path: Path) -> None:
    with Pack.open(a_pack(tmp_path), "histogram-4") as pack:
        hit = pack.search_text("crimson crate")[0]
        assert hit.facts == ("maker: Orlo", "year: 1911") and hit.fact_map == pack.facts("r")
        assert hit.source == "catalogue 1" and hit.thumbnail is not None and hit.thumbnail.is_file()
        assert hit.as_json()["facts"] == ["maker: Orlo", "year: 1911"]
        with pytest.raises(KeyError):
            pack.facts("nobody")


def test_queries_that_cannot_be_compared_are_refused(tmp_path: Path) -> None:
    pack = vectors_pack(tmp_path, np.eye(3), 3)
    for vector in (np.ones(4), np.zeros(3), np.array([np.nan, 0, 0]), np.ones((1, 3))):
        with pytest.raises(ValueError, match="vector must"):
            pack.search_vectors(vector)
    for k in (0, 1001):
        with pytest.raises(ValueError, match="k must"):
            pack.search_vectors(np.ones(3), k=k)


def test_threads_get_the_answers_of_one_caller(tmp_path: Path) -> None:
    queries = np.random.default_rng(1).normal(size=(64, 8))
    pack = vectors_pack(tmp_path, np.random.default_rng(0).normal(size=(300, 8)), 100)
    alone = [pack.search_vectors(query, [View.REGION], 3) for query in queries]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda query: pack.search_vectors(query, [View.REGION], 3), queries))
    assert together == alone


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> tuple[Pack, np.ndarray]:
    """A pack that is large enough for its graph: a few views around each of many centres; every tenth is a tool."""
    entities, views, dimension, folder = 1500, 4, 32, tmp_path_factory.mktemp("crowd")
    random = np.random.default_rng(0)
    centres = random.normal(size=(entities, dimension))
    stored = np.repeat(centres, views, axis=0) + 0.3 * random.normal(size=(entities * views, dimension))
    with PackWriter(folder / "crowd", name="crowd", licence="CC0-1.0",
                    embedder=EmbedderId("e", dimension, 2)) as writer:
        for at in range(entities):
            entity = writer.add_entity(f"k{at}", f"entity {at}", kind="tool" if at % 10 == 0 else "toy",
                                       facts={"number": str(at)})
            for vector in stored[at * views:(at + 1) * views]:
                writer.add_vector(entity, vector, View.IMAGE if at % 3 == 0 else View.REGION)
    return Pack.open(folder / "crowd", "e"), stored / np.linalg.norm(stored, axis=1, keepdims=True)


@pytest.mark.parametrize(("kinds", "views"), [
    (None, ALL_VIEWS), (None, (View.IMAGE,)), (["tool"], ALL_VIEWS), (["tool"], (View.IMAGE,)), (["no"], ALL_VIEWS)])
def test_the_graph_of_a_large_pack_finds_what_comparing_all_finds(
        crowd: tuple[Pack, np.ndarray], kinds: list[str] | None, views: tuple[View, ...]) -> None:
    pack, stored = crowd
    assert pack._nearest.graph is not None and pack.manifest["index"]["recall"] >= 0.98
    numbers = np.arange(1500)
    allowed = np.isin(np.where(numbers % 10 == 0, "tool", "toy"), kinds or ["tool", "toy"])
    allowed &= (numbers % 3 == 0) | (View.REGION in views)
    found = expected = 0
    for query in np.random.default_rng(1).normal(size=(30, 32)):
        cosines = np.where(allowed, (stored @ query / np.linalg.norm(query)).reshape(1500, 4).max(axis=1), -2)
        best = {f"k{at}" for at in np.argsort(-cosines)[:10] if cosines[at] > -2}
        hits = pack.search_vectors(query, views, 10, kinds)
        assert {hit.kind for hit in hits} <= set(kinds or {"tool", "toy"})
        found, expected = found + len(best & {hit.key for hit in hits}), expected + len(best)
    assert found >= 0.97 * expected


def test_words_find_only_the_kinds_that_are_asked_for(tmp_path: Path) -> None:
    with Pack.open(a_pack(tmp_path, [{"id": name, "name": f"{name} box", "kind": name} for name in ("red", "blue")]),
                   "histogram-4") as pack:
        for vector in (None, Histogram().text("box")):
            assert {hit.key for hit in pack.search_text("box", vector)} == {"red", "blue"}
            assert {hit.key for hit in pack.search_text("box", vector, kinds=["blue"])} == {"blue"}


@pytest.mark.parametrize("precision", ["float16", "int8"])
def test_either_precision_is_read_back(tmp_path: Path, precision: str) -> None:
    vector = np.array([0.6, 0.0, -0.8])
    with PackWriter(tmp_path / "p", name="p", embedder=EmbedderId("e", 3, 3), licence="CC0-1.0",
                    precision=precision) as writer:
        entity = writer.add_entity("a", "a")
        writer.add_vector(entity, vector)
        writer.add_text_vector(entity, vector)
    with Pack.open(tmp_path / "p", "e") as pack:
        assert pack.search_vectors(vector)[0].score == pytest.approx(1, abs=1e-4)
        assert pack.search_text("zzz", vector)[0].score == pytest.approx(0.5, abs=1e-4)
        assert pack.looks("a") == pytest.approx(vector[None], abs=0.01)
