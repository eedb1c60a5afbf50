"""Flat things: drawn from one split's pictures and words, and shown in perspective."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_pictures import a_cutout

from pixsearch.model.data import flats
from pixsearch.model.data.cutouts import turned_corners
from pixsearch.model.data.flats import Materials, draw_flats
from pixsearch.model.data.records import Place, Split, Thing
from pixsearch.model.data.settings import SETTINGS
from pixsearch.model.data.things import FLATS, load_things
from pixsearch.model.data.views import draw_patch


@pytest.fixture
def drawn(tmp_path: Path, monkeypatch) -> list[Thing]:
    """One flat thing of each sort, in two splits."""
    monkeypatch.setattr(flats, "COUNTS", dict.fromkeys(Split, 5))
    red, wood = a_cutout(tmp_path / "red.png", (255, 0, 0)), a_cutout(tmp_path / "wood.png", (90, 60, 30), (400, 300))
    (tmp_path / FLATS).mkdir()
    for split in (Split.TRAIN, Split.TEST):
        motif = Thing("m", "ball", "toy", split, red, False, None)
        draw_flats(Materials(split, [motif], [Place("w", split, wood)]), tmp_path / FLATS)
    return load_things(tmp_path)


def test_each_split_has_its_own_of_every_sort(drawn: list[Thing]) -> None:
    assert all(thing.flat for thing in drawn)
    for split in (Split.TRAIN, Split.TEST):
        nouns = sorted(thing.noun for thing in drawn if thing.split is split)
        assert nouns == ["book", "label", "picture", "poster", "screen"]
    assert len({thing.path.read_bytes() for thing in drawn}) == len(drawn)


def test_a_page_seen_from_aside_narrows_and_its_far_edge_shrinks() -> None:
    moved = turned_corners(1.0, 1.0, 60.0, 0.0)
    page = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]]) + moved
    assert np.ptp(page[:, 0]) < 0.6
    near, far = page[3, 1] - page[0, 1], page[2, 1] - page[1, 1]
    assert near > 1.15 and far < 0.9
    assert np.allclose(turned_corners(1.0, 0.5, 0.0, 0.0), 0)


def test_scenes_show_flat_things_turned_but_never_mirrored(tmp_path: Path) -> None:
    page = np.zeros((100, 100, 3), np.uint8)
    page[:, 50:] = 255  # black at the left, white at the right
    Image.fromarray(page).save(tmp_path / "page.png")
    thing = Thing("p", "page", "stationery", Split.TRAIN, tmp_path / "page.png", False, None, flat=True)
    settings = replace(SETTINGS[Split.TRAIN], wild_chance=0.0)
    rng = np.random.default_rng(0)
    patches = [draw_patch(thing, 120, 0, settings, rng) for _ in range(20)]
    shapes = [patch.shape[1] / patch.shape[0] for patch in patches]
    assert max(shapes) - min(shapes) > 0.2
    for patch in patches:
        columns = np.nonzero((patch[..., 3] == 255) & (patch[..., 0] < 128))[1]
        assert columns.mean() < patch.shape[1] / 2
