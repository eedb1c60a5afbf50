"""Composed scenes: the same from the same seed, exact masks, and splits that share nothing."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw

from pixsearch.model.data import cutouts
from pixsearch.model.data.degrade import Camera
from pixsearch.model.data.quality import Problem, level
from pixsearch.model.data.records import FRAME_HEIGHT, FRAME_WIDTH, Place, Split, Thing
from pixsearch.model.data.scenes import SETTINGS, augmented_view, compose, place_view, reference_view
from pixsearch.model.data.settings import CLOSE_VISIBLE, PILE_VISIBLE, SceneSettings

CLEAR = Camera(
    exposure=(1, 1),
    dark_chance=0,
    dark_exposure=(1, 1),
    cast=0,
    blur_chance=0,
    blur_pixels=(0, 0),
    noise=(0, 0),
    jpeg=(100, 100),
)


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    yield
    cv2.setNumThreads(threads)


def a_cutout(path: Path, colour: tuple[int, int, int], size: tuple[int, int] = (120, 90)) -> Path:
    """An ellipse of one colour on nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.new("RGBA", size, (0, 0, 0, 0))
    ImageDraw.Draw(picture).ellipse((5, 5, size[0] - 6, size[1] - 6), fill=(*colour, 255))
    picture.save(path)
    return path


def a_photograph(path: Path, seed: int, size: tuple[int, int] = (700, 500)) -> Path:
    """Smooth random colours, like an out-of-focus photograph."""
    path.parent.mkdir(parents=True, exist_ok=True)
    grid = np.random.default_rng(seed).integers(30, 220, (5, 7, 3)).astype(np.uint8)
    Image.fromarray(grid).resize(size, Image.Resampling.BICUBIC).save(path, quality=95)
    return path


@pytest.fixture
def things(tmp_path: Path) -> list[Thing]:
    colours = {"red": (210, 20, 20), "green": (20, 160, 30), "blue": (20, 40, 220), "yellow": (240, 220, 20)}
    return [
        Thing(
            f"{noun}/{colour}",
            noun,
            kind,
            Split.TRAIN,
            a_cutout(tmp_path / f"{noun}-{colour}.png", value),
            False,
            colour,
        )
        for noun, kind in (("ball", "toy"), ("kite", "toy"), ("cup", "dish"))
        for colour, value in colours.items()
    ]


@pytest.fixture
def places(tmp_path: Path) -> list[Place]:
    return [Place(f"place{n}", Split.TRAIN, a_photograph(tmp_path / f"{n}.jpg", n)) for n in range(3)]


@pytest.fixture
def scenes(things, places):
    return [compose(seed, things, places, SETTINGS[Split.TRAIN]) for seed in range(25)]


def test_the_same_seed_composes_the_same_scene(things, places):
    settings = SETTINGS[Split.TEST]
    first, again, other = (compose(seed, things, places, settings) for seed in (7, 7, 8))
    assert np.array_equal(first.frame, again.frame)
    assert [(one.thing.id, one.box, one.depth) for one in first.placed] == [
        (one.thing.id, one.box, one.depth) for one in again.placed
    ]
    assert all(np.array_equal(a.mask, b.mask) for a, b in zip(first.placed, again.placed, strict=True))
    assert not np.array_equal(first.frame, other.frame)


def test_masks_are_disjoint_and_boxes_are_tight(scenes):
    for scene in scenes:
        assert scene.frame.shape == (FRAME_HEIGHT, FRAME_WIDTH, 3) and scene.frame.dtype == np.uint8
        assert 1 <= len(scene.placed) <= 12
        assert sum(one.mask.astype(int) for one in scene.placed).max() == 1
        assert sorted(one.depth for one in scene.placed) == list(range(len(scene.placed)))
        centres = [one.box[0] + one.box[2] for one in scene.placed]
        assert centres == sorted(centres)
        for one in scene.placed:
            rows, columns = np.nonzero(one.mask)
            assert one.mask.shape == (FRAME_HEIGHT, FRAME_WIDTH)
            assert one.box == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)


def test_masks_lie_exactly_on_the_pixels_of_their_things(things, places):
    plain = SceneSettings(
        **{
            **vars(SETTINGS[Split.TRAIN]),
            "camera": CLEAR,
            "gain": 0,
            "contrast": (1, 1),
            "offset": 0,
            "shadow": 0,
            "close_up": 0,
            "pile": 0,
            "lens": (0, 0),
            "hand": 0,
        }
    )
    for seed in range(6):
        scene = compose(seed, things[:1], places, plain)
        distance = np.abs(scene.frame.astype(int) - (210, 20, 20)).max(axis=-1)
        inner = cv2.erode(scene.placed[0].mask.astype(np.uint8), np.ones((7, 7))) > 0
        outer = cv2.dilate(scene.placed[0].mask.astype(np.uint8), np.ones((7, 7))) > 0
        assert inner.any() and distance[inner].max() < 30
        assert distance[~outer].mean() > 40


def test_a_close_up_is_one_thing_that_fills_much_of_the_frame(things, places):
    close, never = (
        SceneSettings(**{**vars(SETTINGS[Split.TRAIN]), "close_up": chance, "pile": 0}) for chance in (1.0, 0.0)
    )
    sizes = []
    for seed in range(12):
        (one,) = compose(seed, things, places, close).placed
        assert one.visible >= CLOSE_VISIBLE
        sizes.append(max(one.box[2] - one.box[0], one.box[3] - one.box[1]) / FRAME_HEIGHT)
    assert np.median(sizes) > 0.6
    some = SceneSettings(**{**vars(SETTINGS[Split.TRAIN]), "close_up": 0.3, "pile": 0})
    mixed = [compose(seed, things, places, some).frame for seed in range(20)]
    kept = [np.array_equal(frame, compose(seed, things, places, never).frame) for seed, frame in enumerate(mixed)]
    assert 0 < kept.count(False) < kept.count(True), "scenes that are no close-ups keep their pixels"


def test_a_pile_covers_much_of_the_frame_with_many_things(things, places):
    pile = SceneSettings(**{**vars(SETTINGS[Split.TRAIN]), "close_up": 0.0, "pile": 1.0})
    scenes = [compose(seed, things, places, pile) for seed in range(12)]
    assert all(one.visible >= PILE_VISIBLE for scene in scenes for one in scene.placed)
    assert np.median([len(scene.placed) for scene in scenes]) >= 5
    assert np.median([sum(one.mask.mean() for one in scene.placed) for scene in scenes]) > 0.5


def test_every_thing_stays_visible_and_its_share_is_true(things, places):
    shares = []
    settings = SceneSettings(
        **{
            **vars(SETTINGS[Split.TRAIN]),
            "side": (0.5, 0.5),
            "occluding": 1.0,
            "outside": 0.0,
            "degrees": 0,
            "wild_chance": 0,
            "tilt": 0,
            "skew": 0,
            "close_up": 0,
            "pile": 0,
            "lens": (0, 0),
            "hand": 0,
        }
    )
    whole = compose(0, things[:1], places, settings).placed[0].mask.sum()
    for seed in range(15):
        for one in compose(seed, things, places, settings).placed:
            assert one.visible >= settings.visible
            assert one.visible == pytest.approx(one.mask.sum() / whole, rel=0.01)
            shares.append(one.visible)
    assert min(shares) < 0.9 and max(shares) == 1.0


def test_at_least_a_third_of_the_scenes_need_more_than_a_noun(things, places):
    many = [compose(seed, things, places, SETTINGS[Split.TRAIN]) for seed in range(40)]
    rivals = [len({one.thing.category for one in scene.placed}) < len(scene.placed) for scene in many]
    assert sum(rivals) >= len(many) / 3
    assert all(len({one.thing.id for one in scene.placed}) == len(scene.placed) for scene in many)


def test_the_test_split_looks_different_from_training(things, places):
    training, test = SETTINGS[Split.TRAIN], SETTINGS[Split.TEST]
    assert {"side", "degrees", "skew", "tilt", "zoom", "camera"} <= {
        name for name in vars(test) if getattr(test, name) != getattr(training, name)
    }
    assert not np.array_equal(
        compose(3, things, places, training).frame, compose(3, things, places, test).frame
    )


@pytest.mark.parametrize("flipped", [False, True])
@pytest.mark.parametrize("degrees", [-12.0, 0.0, 9.0])
def test_a_tilted_camera_turns_background_and_things_alike(degrees, flipped):
    picture = np.zeros((400, 600, 4), np.uint8)
    picture[200:] = 255
    behind = cutouts.crop(picture[..., :3], (240, 200), 0.6, degrees, flipped, (0.5, 0.5))[..., 0] > 127
    before = cutouts.pose(picture, 200, degrees, flipped, np.zeros((4, 2)))[..., 3] > 127
    slope = np.tan(np.deg2rad(degrees))
    for mask, columns in ((behind, (60, 180)), (before, (60, 140))):
        left, right = (int(mask[:, column].argmax()) for column in columns)
        assert (left - right) / (columns[1] - columns[0]) == pytest.approx(slope, abs=0.03)


def test_a_lens_bends_frame_and_masks_alike(things, places):
    plain = dict(vars(SETTINGS[Split.TRAIN]), camera=CLEAR, gain=0, contrast=(1, 1), offset=0, shadow=0, hand=0)
    for seed in range(4):
        straight, bent = (
            compose(seed, things[:1], places, SceneSettings(**{**plain, "lens": (strength, strength)}))
            for strength in (0.0, 0.35)
        )
        for scene in (straight, bent):
            inner = cv2.erode(scene.placed[0].mask.astype(np.uint8), np.ones((7, 7))) > 0
            assert np.abs(scene.frame[inner].astype(int) - (210, 20, 20)).max() < 30
        assert not np.array_equal(straight.placed[0].mask, bent.placed[0].mask)


def test_a_hand_hides_no_more_than_it_may_and_is_no_thing(things, places):
    never, always = (
        SceneSettings(**{**vars(SETTINGS[Split.TRAIN]), "hand": chance, "lens": (0, 0), "pile": 0})
        for chance in (0.0, 1.0)
    )
    changed = 0
    for seed in range(12):
        before, after = (compose(seed, things, places, settings) for settings in (never, always))
        assert {one.thing.id for one in after.placed} == {one.thing.id for one in before.placed}
        assert all(one.visible >= always.visible for one in after.placed)
        changed += not np.array_equal(before.frame, after.frame)
    assert changed > 6


def test_problems_have_levels(things, places):
    dark = replace(CLEAR, exposure=(0.15, 0.15), blur_chance=1.0, blur_pixels=(4, 4))
    settings = replace(SETTINGS[Split.TRAIN], camera=dark, tilt=0.0, side=(0.5, 0.5), outside=1.0, close_up=0.0,
                       pile=0.0)
    found = [compose(seed, things[:1], places, settings) for seed in range(10)]
    assert {tuple(scene.problems.values()) for scene in found} == {(3, 1, 0)}
    levels = {one.problems[Problem.TRUNCATION] for scene in found for one in scene.placed}
    assert len(levels) > 1 and all(one.problems[Problem.OCCLUSION] == 0 for scene in found for one in scene.placed)


@pytest.mark.parametrize(("value", "expected"), [(1.0, 0), (2.0, 1), (4.9, 2), (7.0, 3)])
def test_a_level_rises_with_what_is_measured(value, expected):
    assert level(Problem.LOW_LIGHT, value) == expected


def test_mixed_splits_are_refused(things, places):
    stray = Place("stray", Split.TEST, places[0].path)
    with pytest.raises(ValueError, match="one split"):
        compose(0, things, [*places, stray], SETTINGS[Split.TRAIN])


def test_a_reference_view_is_clean_centred_and_has_a_margin(things):
    view, mask = reference_view(things[0].path, 3)
    rows, columns = np.nonzero(mask)
    assert len(np.unique(view[~cv2.dilate(mask.astype(np.uint8), np.ones((5, 5))).astype(bool)])) == 1
    assert abs(columns.min() - (mask.shape[1] - 1 - columns.max())) <= 2
    assert columns.min() / mask.shape[1] == pytest.approx(0.08, abs=0.02)
    assert np.array_equal(view, reference_view(things[0].path, 3)[0])


def test_augmented_views_show_their_thing(things, places):
    rng = np.random.default_rng(0)
    views = [augmented_view(things[0], places[0], rng) for _ in range(20)]
    assert all(
        view.shape == (256, 256, 3) and mask.shape == (256, 256) and mask.mean() > 0.02
        for view, mask in views
    )
    assert len({view.tobytes() for view, _ in views}) == 20
    again = augmented_view(things[0], places[0], np.random.default_rng(0))
    assert np.array_equal(again[0], views[0][0]) and np.array_equal(again[1], views[0][1])


def test_a_place_view_has_the_frame_size_and_no_thing(places):
    view = place_view(places[0], np.random.default_rng(1))
    assert view.shape == (FRAME_HEIGHT, FRAME_WIDTH, 3)
    assert (
        np.abs(view.mean(axis=(0, 1)) - np.asarray(Image.open(places[0].path)).mean(axis=(0, 1))).max() < 25
    )
