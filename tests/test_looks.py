"""Looks: what an index holds under the words of a span, in training and on the device."""

from pathlib import Path

import numpy as np
import pytest
import torch
from miniature import some_looks

from pixsearch.contract.looks import LOOKS, gather_looks
from pixsearch.index.embedder import EmbedderId
from pixsearch.index.hits import View
from pixsearch.index.names import MAX_NAMED, named_phrases
from pixsearch.index.pack import Pack
from pixsearch.index.search import Library
from pixsearch.index.writer import PackWriter

RED, GREEN, BLUE = np.eye(3, dtype=np.float32)


def a_pack(folder: Path, name: str, *things: tuple[str, dict, np.ndarray]) -> Pack:
    """Entities with one region each: (name, further arguments of `add_entity`, vector)."""
    with PackWriter(folder / name, name=name, embedder=EmbedderId("e", 3, 2), licence="CC0-1.0") as writer:
        for at, (thing, more, vector) in enumerate(things):
            writer.add_vector(writer.add_entity(f"k{at}", thing, **more), vector, View.REGION)
    return Pack.open(folder / name, "e")


@pytest.mark.parametrize(("words", "phrases"), [
    ("the red coffee mug on the left", ["red coffee mug", "coffee mug", "mug"]),
    ("This kettle", ["kettle"]), ("a", []), ("", []), ("on the left", ["on the left", "the left", "left"]),
    ("the cup of tea", ["cup"]), ('that "mug" OR (NEAR', ["mug or", "or"])])
def test_names_are_the_ends_of_what_stands_before_where(words: str, phrases: list[str]) -> None:
    assert named_phrases(words) == phrases


def test_things_are_known_by_name_alias_and_kind(tmp_path: Path) -> None:
    with Library([a_pack(
            tmp_path, "p", ("Brindlow kettle", {}, RED), ("Kettle", {}, GREEN),
            ("Kettle drum", {"text": "struck, no kettle"}, BLUE), ("Norvik", {"facts": {"kind": "samovar"}}, BLUE),
            ("Hob", {"aliases": ["stove kettles", "cooker"]}, BLUE))]) as library:
        assert np.allclose(library.looks("the big kettle"), [GREEN, RED, BLUE])  # what is called just so comes first
        assert np.allclose(library.looks("those samovars next to the kettle"), [BLUE])
        assert np.allclose(library.looks("a cooker"), [BLUE])
        for unknown in ("the left one", "", "mug", '"', "kettle*", "x" * 20_000):
            assert (library.looks(unknown).shape == (0, 3)) == (unknown != "kettle*")


def test_the_most_specific_name_that_any_pack_knows_decides(tmp_path: Path) -> None:
    packs = [a_pack(tmp_path, "one", ("mug", {}, RED)), a_pack(tmp_path, "two", ("coffee mug", {}, GREEN))]
    with Library(packs) as library:
        assert np.allclose(library.looks("the coffee mug"), [GREEN])
        assert np.allclose(library.looks("the tea mug"), [RED, GREEN])
    assert Library([]).looks("mug").shape == (0, 0)


def test_whole_pictures_and_more_than_enough_are_left_out(tmp_path: Path) -> None:
    with PackWriter(tmp_path / "p", name="p", embedder=EmbedderId("e", 3, 2), licence="CC0-1.0") as writer:
        for at in range(MAX_NAMED + 5):
            row = writer.add_entity(f"k{at}", "cup")
            writer.add_vector(row, RED, View.PROTOTYPE)
            writer.add_vector(row, GREEN, View.IMAGE)
    with Pack.open(tmp_path / "p", "e") as pack:
        assert np.allclose(pack.looks("cup"), np.tile(RED, (MAX_NAMED, 1)))


def test_looks_are_repeated_or_averaged_to_a_fixed_number() -> None:
    rng = np.random.default_rng(0)
    many = rng.normal(size=(20, 5)).astype(np.float32)
    many /= np.linalg.norm(many, axis=1, keepdims=True)
    assert np.array_equal(gather_looks(many[:0]), np.zeros((LOOKS, 5)))
    assert np.array_equal(gather_looks(many[:3]), many[[0, 1, 2, 0, 1, 2, 0, 1]])
    assert np.array_equal(gather_looks(many[:LOOKS]), many[:LOOKS])
    averaged = gather_looks(many)
    assert averaged.shape == (LOOKS, 5) and np.allclose(np.linalg.norm(averaged, axis=1), 1)
    assert np.allclose(averaged[0], many[:3].mean(axis=0) / np.linalg.norm(many[:3].mean(axis=0)))


def test_training_draws_what_an_index_might_know() -> None:
    looks = some_looks()
    drawn = looks.draw(["cup", None, "spoon", "Mug"] * 50, np.random.default_rng(0))
    assert torch.equal(drawn, looks.draw(["cup", None, "spoon", "Mug"] * 50, np.random.default_rng(0)))
    given = drawn.flatten(1).any(dim=1).reshape(50, 4).float().mean(dim=0)
    assert 0.4 < given[0] < 0.8 and given[1] == 0 and given[2] < 0.2 and 0.4 < given[3] < 0.8
    known = torch.from_numpy(np.concatenate([looks._seen["cup"], looks._seen["mug"]]))
    found = drawn[drawn.flatten(1).any(dim=1)]
    assert torch.cdist(found, known.expand(len(found), -1, -1)).amin(dim=2).max() < 1e-5
    assert looks.draw([], np.random.default_rng(0)).shape == (0, LOOKS, drawn.shape[2])
