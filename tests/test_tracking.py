"""Following a region through rendered clips whose masks are known."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from pixsearch.apps.trials.rendered import render
from pixsearch.apps.trials.tracking import GOOD_IOU, SAME_IOU, a_segment, follow
from pixsearch.edge.bundle import Bundle, default_bundle
from pixsearch.edge.perception import Perception
from pixsearch.edge.tracking import RegionTracker


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    """The shipped one: its region vectors are what tells things apart."""
    return Bundle.load(default_bundle())


@pytest.mark.parametrize("seed", [0, 1])  # a piece of a photograph; one plain colour
def test_a_mask_stays_on_its_thing_while_all_moves(red_bundle: Path, seed: int) -> None:
    followed = follow(Bundle.load(red_bundle), render(seed, hidden=False, twin=False))
    assert np.mean(followed.ious) >= GOOD_IOU


def test_a_thing_that_was_hidden_is_found_again_and_not_another(bundle: Bundle) -> None:
    followed = follow(bundle, render(1002, hidden=True, twin=True))
    assert followed.hidden > 10 and followed.wrong == 0 and followed.last >= SAME_IOU


def test_what_looks_like_its_ground_comes_back_by_its_look(bundle: Bundle) -> None:
    followed = follow(bundle, render(1336, hidden=True, twin=True))  # its colours are all over the ground
    assert followed.wrong == 0 and followed.last >= SAME_IOU


def test_frames_in_between_are_followed_without_the_mask_graph(red_bundle: Path) -> None:
    bundle, shots = Bundle.load(red_bundle), list(render(2, hidden=False, twin=False))[:20]
    tracker = RegionTracker(bundle, shots[0].frame, a_segment(bundle, shots[0].mask))
    for shot in shots[1:-1]:
        tracker.glance(shot.frame[::2, ::2])
    mask = tracker.update(Perception(bundle, shots[-1].frame)).mask
    assert mask is not None and (mask & shots[-1].mask).sum() / (mask | shots[-1].mask).sum() > GOOD_IOU


@pytest.mark.parametrize("side", [320, 256, 192, 128])  # as the loop keeps frames when it is slowed down
def test_frames_may_be_smaller_by_any_factor(red_bundle: Path, side: int) -> None:
    bundle = Bundle.load(red_bundle)
    frames = [np.full((272, 640, 3), 128, np.uint8) for _ in range(2)]
    for number, frame in enumerate(frames):
        frame[80:180, 200 + 4 * number:300 + 4 * number] = (255, 0, 0)
    mask = (frames[0] == (255, 0, 0)).all(axis=2)
    tracker = RegionTracker(bundle, frames[0], a_segment(bundle, mask))
    tracker.glance(cv2.resize(frames[1], (side, round(272 * side / 640))))
    found = tracker.update(Perception(bundle, frames[1])).mask
    moved = (frames[1] == (255, 0, 0)).all(axis=2)
    assert found is not None and (found & moved).sum() / (found | moved).sum() > GOOD_IOU
