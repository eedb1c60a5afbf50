"""Frames and crops as the networks see them: nothing is shifted, stretched or lost."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixsearch.contract import preprocess
from pixsearch.contract.preprocess import (
    CROP_CELLS,
    CROP_PIXELS,
    FRAME_PIXELS,
    MASK_PIXELS,
    PAD_VALUE,
    Letterbox,
    frame_batch,
    region_batch,
)

sides = st.integers(24, 900)


@settings(max_examples=40, deadline=None)
@given(sides, sides, st.data())
def test_a_mask_survives_the_letterbox(height: int, width: int, data: st.DataObject) -> None:
    box_width = data.draw(st.integers(max(1, width // 3), width))
    box_height = data.draw(st.integers(max(1, height // 3), height))
    x = data.draw(st.integers(0, width - box_width))
    y = data.draw(st.integers(0, height - box_height))
    mask = np.zeros((height, width), np.bool_)
    mask[y : y + box_height, x : x + box_width] = True
    letterbox = Letterbox.fit(height, width)
    back = letterbox.restore_mask(letterbox.place_mask(mask) - 0.5)
    cell = max(height, width) / MASK_PIXELS  # frame pixels of one mask cell
    assert back.shape == mask.shape
    assert (back != mask).sum() <= 2 * cell * (box_width + box_height + 2 * cell)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 3000), st.integers(1, 3000))
def test_every_frame_fits_its_square_with_grey_around(height: int, width: int) -> None:
    letterbox = Letterbox.fit(height, width)
    square = letterbox.place(np.zeros((height, width, 3), np.uint8))
    assert square.shape == (FRAME_PIXELS, FRAME_PIXELS, 3)
    black = (square == 0).all(axis=2)
    rows, columns = np.flatnonzero(black.any(axis=1)), np.flatnonzero(black.any(axis=0))
    assert max(len(rows), len(columns)) == FRAME_PIXELS
    assert black.sum() == len(rows) * len(columns) and (square[~black] == PAD_VALUE).all()


def test_a_point_lands_where_its_pixel_lands() -> None:
    frame = np.zeros((300, 600, 3), np.uint8)
    frame[200:210, 450:460] = 255
    letterbox = Letterbox.fit(300, 600)
    bright = (letterbox.place(frame) > 200).all(axis=2)
    rows, columns = np.nonzero(bright)
    x, y = letterbox.to_unit(455, 205)
    assert abs(x * FRAME_PIXELS - columns.mean()) < 1.5 and abs(y * FRAME_PIXELS - rows.mean()) < 1.5


def test_scaling_puts_grey_near_zero_and_keeps_channels_apart() -> None:
    batch, _ = frame_batch(np.full((10, 10, 3), (255, PAD_VALUE, 0), np.uint8))
    assert batch.shape == (1, 3, FRAME_PIXELS, FRAME_PIXELS) and batch.dtype == np.float32
    assert np.allclose(batch[0, :, 5, 5], [1, 0, -0.992], atol=0.01)


def test_a_region_is_cut_out_with_weights_on_its_cells() -> None:
    frame = np.zeros((400, 400, 3), np.uint8)
    mask = np.zeros((400, 400), np.bool_)
    frame[100:200, 100:300], mask[100:200, 100:200] = 255, True
    pixels, weights = region_batch(frame, mask)
    assert pixels.shape == (1, 3, CROP_PIXELS, CROP_PIXELS)
    assert weights.shape == (1, 1, CROP_CELLS, CROP_CELLS) and weights.sum() == pytest.approx(1)
    middle, corner = weights[0, 0, CROP_CELLS // 2, CROP_CELLS // 2], weights[0, 0, 0, 0]
    assert middle > 1.5 * corner and pixels[0, 0, CROP_PIXELS // 2, CROP_PIXELS // 2] > 0.9


def test_the_whole_frame_and_a_full_mask_show_the_same_pixels() -> None:
    frame = np.random.default_rng(0).integers(0, 256, (60, 90, 3), np.uint8)
    whole, full = region_batch(frame, None), region_batch(frame, np.ones((60, 90), np.bool_))
    assert (whole[0] == full[0]).all() and np.allclose(whole[1], full[1])


def test_an_empty_mask_is_refused() -> None:
    with pytest.raises(ValueError, match="no pixel"):
        region_batch(np.zeros((9, 9, 3), np.uint8), np.zeros((9, 9), np.bool_))


def test_the_constants_of_a_manifest_are_those_in_use() -> None:
    assert preprocess.CONSTANTS["frame_pixels"] == FRAME_PIXELS
    assert set(preprocess.CONSTANTS.values()) >= {CROP_PIXELS, MASK_PIXELS, CROP_CELLS, PAD_VALUE}
