"""3D models: their catalogues, their names, and pictures of them from sides that scenes and index never share."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixsearch.contract.faults import Fault
from pixsearch.model.data import furniture
from pixsearch.model.data.furniture import CATALOGUE, load_models, unpack_catalogue
from pixsearch.model.data.furniture_names import noun_of, sort_of
from pixsearch.model.data.rendering import Light, Renderer, View
from pixsearch.model.data.renders import INDEX_VIEWS, LEAST_APART, draw_models, scene_views
from pixsearch.model.data.settings import SETTINGS
from pixsearch.model.data.things import RENDERS, load_things
from pixsearch.model.data.views import draw_patch, reference_views

SIDE = 96
ROWS = """
name#1=Frame Chambord
category#1=Miscellaneous
model#1=/house/frame/frame.obj
width#1=20.0
depth#1=10.0
height#1=30.0
name#2=Door
category#2=Doors and windows
model#2=/house/door/door.obj
width#2=1
depth#2=1
height#2=1
name#3=Caf\\u00e9 table
model#3=/house/table/table.obj
width#3=1
depth#3=1
height#3=1
"""
# A box, twice as high as it is wide: its front is red, its right side green, the others are white.
BOX = """mtllib box.mtl
v -1 -2 -1\nv 1 -2 -1\nv 1 2 -1\nv -1 2 -1\nv -1 -2 1\nv 1 -2 1\nv 1 2 1\nv -1 2 1
usemtl red\nf 5 6 7\nf 5 7 8
usemtl green\nf 6 2 3\nf 6 3 7
usemtl white\nf 2 1 4\nf 2 4 3\nf 1 5 8\nf 1 8 4\nf 8 7 3\nf 8 3 4\nf 1 2 6\nf 1 6 5
"""
MATERIALS = "newmtl red\nKd 1 0 0\nd 0\nnewmtl green\nKd 0 1 0\nnewmtl white\nKd 1 1 1\n"


def write_box(folder: Path, name: str = "box") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "box.mtl").write_text(MATERIALS)
    (folder / f"{name}.obj").write_text(BOX)
    return folder / f"{name}.obj"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A data folder with one catalogue of a frame, a door and a table, all of them boxes."""
    house = tmp_path / furniture.FOLDER / "house"
    for name in ("frame", "door", "table"):
        write_box(house / "house" / name, name)
    (house / CATALOGUE).write_text(ROWS, "latin-1")
    return tmp_path


def test_models_are_named_as_people_do_and_doors_are_left_out(root: Path) -> None:
    frame, table = load_models(root)
    assert (frame.id, frame.noun, frame.category, frame.size) == (
        "furniture/house/frame", "picture frame", "household object", (20.0, 10.0, 30.0))
    assert (table.noun, table.category) == ("café table", "furniture")
    assert frame.path.is_file()


def test_an_empty_folder_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(Fault, match="make data"):
        load_models(tmp_path)


@pytest.mark.parametrize(("name", "noun", "sort"), [
    ("Hashtray", "ashtray", "household object"), ("Concept Sedan 02 Sport", "sports car", "vehicle"),
    ("Coffee table", "coffee table", "furniture"), ("Table fan", "table fan", "device"),
    ("Grand piano", "grand piano", "musical instrument")])
def test_names_become_nouns_of_a_sort(name: str, noun: str, sort: str) -> None:
    assert noun_of(name) == noun and sort_of(noun) == sort


@pytest.mark.parametrize("name", ["Parking slot 45°", "Rounded switch", "Wall dimmer switch", "Rails"])
def test_parts_of_streets_and_walls_are_left_out(name: str) -> None:
    assert noun_of(name) is None


def test_a_catalogue_is_unpacked_without_icons_and_within_bounds(tmp_path: Path, monkeypatch) -> None:
    archive = tmp_path / "house.sh3f"
    with zipfile.ZipFile(archive, "w") as opened:
        for name in (CATALOGUE, "house/frame.png", "house/frame/frame.obj", "house/frame/wood.JPG", "house/frame/a.sh"):
            opened.writestr(name, "x" * 10)
    unpack_catalogue(archive, tmp_path / "out")
    files = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert files == {CATALOGUE, "house/frame/frame.obj", "house/frame/wood.JPG"}
    monkeypatch.setattr(furniture, "MAX_MODEL_BYTES", 5)
    with pytest.raises(Fault, match="at most"):
        unpack_catalogue(archive, tmp_path / "more")
    assert not (tmp_path / "more").exists()


def test_a_damaged_catalogue_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "bad.sh3f").write_bytes(b"no zip")
    with pytest.raises(Fault, match="zip"):
        unpack_catalogue(tmp_path / "bad.sh3f", tmp_path)


@pytest.mark.parametrize(("azimuth", "channel"), [(0.0, 0), (90.0, 1)])
def test_each_side_of_a_model_is_seen_from_its_direction(tmp_path: Path, azimuth: float, channel: int) -> None:
    renderer = Renderer(SIDE)
    renderer.open(write_box(tmp_path))
    picture = renderer.draw(View(azimuth, 0), Light())
    solid = picture[..., 3] == 255
    colours = picture[solid][:, :3].astype(int)
    assert (colours[:, channel] > 100).all() and (np.delete(colours, channel, axis=1) == 0).all()
    rows, columns = np.nonzero(solid)
    assert np.ptp(rows) / np.ptp(columns) == pytest.approx(2, abs=0.1)
    assert min(rows.min(), columns.min(), SIDE - 1 - rows.max()) > 0, "the whole model is in the picture"


def test_colours_reach_the_edge_of_a_model_undarkened(tmp_path: Path) -> None:
    renderer = Renderer(SIDE)
    renderer.open(write_box(tmp_path))
    picture = renderer.draw(View(20, 15), Light())
    edge = (picture[..., 3] > 60) & (picture[..., 3] < 200)
    assert edge.any() and picture[edge][:, :3].max(axis=1).min() > 60


def test_the_light_comes_from_where_it_is_told(tmp_path: Path) -> None:
    renderer = Renderer(SIDE)
    renderer.open(write_box(tmp_path))
    lit, unlit = (renderer.draw(View(90, 0), Light(azimuth, 0.0, 1.0, 0.0)) for azimuth in (0.0, 89.0))
    assert lit[SIDE // 2, SIDE // 2, 1] > unlit[SIDE // 2, SIDE // 2, 1] + 60


def test_a_file_without_a_surface_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "empty.obj").write_text("v 0 0 0\n")
    with pytest.raises(Fault, match="surface"):
        Renderer(SIDE).open(tmp_path / "empty.obj")


def test_sides_of_the_index_and_of_scenes_are_never_close() -> None:
    assert View(0, 0).angle(View(90, 0)) == pytest.approx(90) and View(10, 90).angle(View(200, 90)) == pytest.approx(0)
    for seed in range(200):
        for view in scene_views(np.random.default_rng(seed)):
            assert min(view.angle(known) for known in INDEX_VIEWS) >= LEAST_APART


def test_a_drawn_model_is_a_thing_that_scenes_show_from_sides_which_the_index_does_not_know(root: Path) -> None:
    draw_models(load_models(root), root / RENDERS)
    frame, _ = load_things(root)
    assert frame.id == "furniture/house/frame" and not set(frame.index_pictures) & set(frame.scene_pictures)
    assert len(reference_views(frame, 0)) == len(INDEX_VIEWS)
    with Image.open(frame.path) as picture:
        assert picture.mode == "RGBA" and max(picture.size) <= 320
    rng = np.random.default_rng(0)
    patches = [draw_patch(frame, 60, 0, SETTINGS[frame.split], rng) for _ in range(12)]
    shares = {round(float((patch[..., 1] > patch[..., 0]).mean()), 1) for patch in patches}
    assert len(shares) > 2, "different sides are shown"
