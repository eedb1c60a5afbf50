"""Where scenes get their pictures: packages, cut-outs with names and colours, photographs, and splits."""

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from pixsearch.contract.faults import Fault
from pixsearch.model.data import sources
from pixsearch.model.data.colours import dominant_colour
from pixsearch.model.data.emoji_names import EMOJI
from pixsearch.model.data.places import HALVES, PHOTOGRAPHS, cut_halves, load_places
from pixsearch.model.data.records import Split
from pixsearch.model.data.things import contact_sheet, head_noun, load_things, split_of


def a_cutout(path: Path, colour: tuple[int, int, int], size: tuple[int, int] = (120, 90)) -> Path:
    """A disc of one colour on nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.new("RGBA", size, (0, 0, 0, 0))
    ImageDraw.Draw(picture).ellipse((5, 5, size[0] - 6, size[1] - 6), fill=(*colour, 255))
    picture.save(path)
    return path


@pytest.mark.parametrize(
    ("noun", "head"),
    [
        ("cherries", "cherry"),
        ("glass of milk", "glass"),
        ("sports car", "car"),
        ("cups of tea", "cup"),
        ("box", "box"),
        ("boxes", "box"),
        ("cactus", "cactus"),
        ("dress", "dress"),
        ("tomatoes", "tomato"),
        ("bow and arrow", "bow"),
    ],
)
def test_head_nouns_are_singular(noun, head):
    assert head_noun(noun) == head


def test_nouns_with_one_head_share_a_split_and_all_splits_are_used():
    assert split_of("sports car") == split_of("cars") == split_of("car")
    nouns = [
        " ".join(entry.split()).rpartition("= ")[2]
        for entries in EMOJI.values()
        for entry in entries.split(",")
    ]
    shares = {split: sum(split_of(noun) is split for noun in nouns) / len(nouns) for split in Split}
    assert 0.66 < shares[Split.TRAIN] < 0.86 and shares[Split.VALIDATION] > 0.03 and shares[Split.TEST] > 0.08


def test_stamps_and_emoji_become_things_with_names_colours_and_classes(tmp_path):
    stamps, emoji = tmp_path / "stamps", tmp_path / "emoji"
    a_cutout(stamps / "animals/mammals/pig.png", (240, 130, 170))
    (stamps / "animals/mammals/pig.txt").write_text("A polar pig (a big one).\nes.utf8=Un cerdo.\n")
    a_cutout(stamps / "food/fruit/cartoon/apple.png", (200, 10, 10))
    (stamps / "food/fruit/cartoon/apple.txt").write_text("A red apple.\n")
    a_cutout(stamps / "symbols/math/plus.png", (0, 0, 0))
    a_cutout(stamps / "animals/birds/crow.png", (0, 0, 0), size=(20, 20))
    a_cutout(emoji / "1f34f.webp", (80, 190, 20))
    a_cutout(emoji / "1f345.webp", (200, 10, 10))
    a_cutout(emoji / "1f9d1-200d-1f33e.webp", (200, 10, 10))
    found = {thing.id: thing for thing in load_things(tmp_path)}
    assert {
        key: (thing.noun, thing.category, thing.colour, thing.photograph) for key, thing in found.items()
    } == {
        "emoji/1f345": ("tomato", "vegetable", "red", False),
        "emoji/1f34f": ("apple", "fruit", "green", False),
        "stamps/animals/mammals/pig": ("polar pig", "animal", "pink", True),
        "stamps/food/fruit/cartoon/apple": ("apple", "fruit", "red", False),
    }
    assert found["emoji/1f34f"].split == found["stamps/food/fruit/cartoon/apple"].split
    contact_sheet(list(found.values()), tmp_path / "sheet.png")
    assert Image.open(tmp_path / "sheet.png").width > 0


def test_a_noun_that_names_an_imagenet_class_gets_its_id(tmp_path):
    a_cutout(tmp_path / "emoji/1f34b.webp", (240, 220, 20))
    a_cutout(tmp_path / "emoji/1fa81.webp", (240, 20, 20))
    classes = {thing.noun: thing.wordnet for thing in load_things(tmp_path)}
    assert classes == {"lemon": "n07749582", "kite": None}


def test_missing_pictures_are_a_fault(tmp_path):
    with pytest.raises(Fault, match="make data"):
        load_things(tmp_path)
    with pytest.raises(Fault, match="make data"):
        load_places(tmp_path)


def test_no_photograph_is_in_two_splits_and_halves_share_no_pixel(tmp_path):
    names = [name for split in PHOTOGRAPHS.values() for name in split]
    assert len(set(names)) == len(names)
    photograph = tmp_path / "photo.jpg"
    Image.new("RGB", (701, 500), "olive").save(photograph)
    (tmp_path / "places").mkdir()
    for split in Split:
        cut_halves(photograph, PHOTOGRAPHS[split][0], tmp_path / "places")
    places = load_places(tmp_path)
    assert [place.split for place in places] == [split for split in PHOTOGRAPHS for _ in HALVES]
    widths = [Image.open(place.path).width for place in places[:2]]
    assert sum(widths) == Image.open(photograph).width


@pytest.mark.parametrize(
    ("rgb", "name"),
    [
        ((210, 20, 20), "red"),
        ((250, 140, 0), "orange"),
        ((245, 220, 30), "yellow"),
        ((30, 160, 40), "green"),
        ((30, 60, 220), "blue"),
        ((130, 40, 190), "purple"),
        ((250, 130, 180), "pink"),
        ((110, 65, 30), "brown"),
        ((15, 15, 15), "black"),
        ((245, 245, 245), "white"),
        ((128, 128, 128), "grey"),
    ],
)
def test_plain_colours_are_named(rgb, name):
    assert dominant_colour(np.full((20, 20, 4), (*rgb, 255), np.uint8)) == name


def test_two_colours_or_nothing_have_no_name():
    picture = np.full((20, 20, 4), (210, 20, 20, 255), np.uint8)
    picture[:10, :, :3] = (30, 60, 220)
    assert dominant_colour(picture) is None
    assert dominant_colour(np.zeros((20, 20, 4), np.uint8)) is None


def an_archive(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def a_source(members: dict[str, bytes]) -> sources.Source:
    return sources.Source(
        "made-up",
        lambda package, folder: an_archive(folder / "made-up.tgz", members),
        sources.below("package/assets/", (".webp",)),
    )


def test_only_the_selected_members_of_a_package_are_unpacked(tmp_path):
    sources.unpack(
        a_source({"package/assets/a.webp": b"a", "package/assets/a.txt": b"b", "package/b.webp": b"c"}),
        tmp_path,
    )
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["a.webp"]


@pytest.mark.parametrize(
    "members", [{"package/other.webp": b"a"}, {"package/assets/../../../escaped.webp": b"a"}]
)
def test_a_package_without_the_files_or_with_escaping_paths_is_refused(members, tmp_path):
    folder = tmp_path / "deep" / "folder"
    folder.mkdir(parents=True)
    with pytest.raises((Fault, tarfile.FilterError)):
        sources.unpack(a_source(members), folder)
    assert not list(tmp_path.rglob("*.webp"))


def test_an_oversized_member_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "MAX_FILE_BYTES", 3)
    with pytest.raises(Fault, match="at most 3 bytes"):
        sources.unpack(a_source({"package/assets/a.webp": b"four"}), tmp_path)


@pytest.mark.parametrize(
    ("member", "target"),
    [
        ("usr/share/wallpapers/Path/contents/images/2560x1600.jpg", "Path/2560x1600.jpg"),
        ("usr/share/wallpapers/Path/contents/images_dark/2560x1600.jpg", None),
        ("usr/share/wallpapers/Path/contents/screenshot.jpg", None),
        ("usr/share/wallpapers/Volna/contents/images/5120x2880.jpg", None),
        ("usr/share/backgrounds/mate/nature/Dune.jpg", "Dune.jpg"),
        ("usr/share/backgrounds/mate/desktop/Stripes.png", None),
    ],
)
def test_only_chosen_photographs_are_taken_from_the_wallpapers(member, target):
    assert {source.select(member) for source in sources.DEBIAN_WALLPAPERS} == {target}


def test_folders_that_are_there_already_are_left_alone(tmp_path):
    made = "stamps emoji furniture renders wordnet opencv places scikit-image flats salient"
    for name in made.split():
        (tmp_path / name).mkdir()
    sources.make_data(tmp_path)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_the_committed_package_list_names_what_is_downloaded():
    listed = (Path(__file__).parents[1] / "apt.txt").read_text().split("# data")[1].splitlines()[1:]
    assert sorted(listed) == sorted(sources.DEBIAN_PACKAGES)
