"""Outlines get better: a window around small things, trimming along colours."""

import numpy as np
import pytest
from edge_builders import RED, a_bundle, a_frame

from pixsearch.contract.masks import box_of
from pixsearch.edge.bundle import Bundle
from pixsearch.edge.outline import deepest_point, trimmed, window_around
from pixsearch.edge.perception import Perception


def a_mask(height: int, width: int, box: tuple[int, int, int, int]) -> np.ndarray:
    mask = np.zeros((height, width), np.bool_)
    mask[box[1]:box[3], box[0]:box[2]] = True
    return mask


@pytest.mark.parametrize("box", [(300, 200, 340, 230), (0, 0, 10, 12), (600, 470, 640, 480), (5, 100, 6, 101)])
def test_the_window_of_a_small_thing_holds_it_and_lies_in_the_frame(box: tuple[int, int, int, int]) -> None:
    mask = a_mask(480, 640, box)
    rows, columns = window_around(mask)
    assert rows.stop - rows.start == columns.stop - columns.start >= 96
    assert rows.start >= 0 and rows.stop <= 480 and columns.start >= 0 and columns.stop <= 640
    assert mask[rows, columns].sum() == mask.sum()


@pytest.mark.parametrize("box", [(0, 0, 640, 480), (100, 100, 300, 300), (0, 0, 0, 0)])
def test_a_big_thing_and_an_empty_mask_have_no_window(box: tuple[int, int, int, int]) -> None:
    assert window_around(a_mask(480, 640, box)) is None


def test_a_frame_smaller_than_any_window_has_none() -> None:
    assert window_around(a_mask(50, 60, (10, 10, 14, 14))) is None


def test_the_deepest_point_is_inside() -> None:
    mask = a_mask(100, 100, (10, 10, 20, 90)) | a_mask(100, 100, (10, 60, 70, 90))
    x, y = deepest_point(mask)
    assert mask[int(y), int(x)] and 70 < y < 80


def test_trimming_follows_the_colours() -> None:
    frame = a_frame(box=(60, 40, 120, 100))
    truth = (frame == RED).all(axis=2)
    noise = np.random.default_rng(0).normal(0, 12, frame.shape)
    frame = np.clip(frame + noise, 0, 255).astype(np.uint8)
    rows, columns = np.mgrid[:200, :300]
    # a sloppy disc over the square, sure only of its middle
    logits = (45 - np.hypot(columns - 94, rows - 74)).astype(np.float32) / 8
    sloppy = logits > 0
    better = trimmed(frame, sloppy, logits)
    overlaps = [(one & truth).sum() / (one | truth).sum() for one in (sloppy, better)]
    assert overlaps[0] < 0.6 < 0.95 < overlaps[1]
    assert np.array_equal(better, trimmed(frame, sloppy, logits))


def test_trimming_leaves_what_it_cannot_better() -> None:
    frame, nothing = a_frame(), np.zeros((200, 300), np.bool_)
    logits = np.full((200, 300), -5, np.float32)
    assert not trimmed(frame, nothing, logits).any()
    whole = ~nothing
    assert trimmed(frame, whole, -logits).all()
    grey = np.full_like(frame, 128)
    mask = a_mask(200, 300, (60, 40, 120, 100))
    kept = trimmed(grey, mask, np.where(mask, 1, -1).astype(np.float32))
    assert 0.5 < kept.sum() / mask.sum() < 2


def test_a_second_look_is_taken_at_what_is_small(tmp_path) -> None:
    box = (410, 310, 422, 320)
    frame = a_frame(box=box, height=480, width=640)
    perception = Perception(Bundle.load(a_bundle(tmp_path / "bundle"), threads=1), frame)
    hidden = np.ones((2, 3), np.float32)
    first = perception.segment(hidden)
    closer = perception.look_closer(first)
    truth = (frame == RED).all(axis=2)
    overlaps = [(one.mask & truth).sum() / (one.mask | truth).sum() for one in (first, closer)]
    assert overlaps[1] > max(0.9, overlaps[0]) and closer.iou >= first.iou
    assert box_of(closer.mask) == box and np.array_equal(closer.logits, first.logits)
