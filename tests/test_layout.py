"""What stands where, as the pyramid learns it."""

import numpy as np
import torch

from pixsearch.contract.preprocess import MASK_PIXELS
from pixsearch.model.layout import AHEAD, LAYOUT_CHANNELS, MOST_AHEAD, REACH, layout_loss, layout_of

SIDE = MASK_PIXELS // 4


def two_things() -> np.ndarray:
    """A small square at the upper left and a big one at the lower right."""
    masks = np.zeros((2, MASK_PIXELS, MASK_PIXELS), np.float32)
    masks[0, 8:24, 8:24] = 1.0
    masks[1, 48:88, 40:88] = 1.0
    return masks


def test_cells_know_their_thing_and_its_order_among_the_others() -> None:
    layout = layout_of(two_things(), SIDE)
    covered, reach, ahead, ends = layout.split([1, REACH, AHEAD, LAYOUT_CHANNELS - 1 - REACH - AHEAD])
    small, big, nothing = (4, 3), (15, 12), (20, 2)  # rows and columns of cells
    assert covered[0][small] == covered[0][big] == 1.0
    assert layout[:, nothing[0], nothing[1]].eq(0).all()
    place = torch.tensor([3.5 / SIDE, 4.5 / SIDE])
    expected = torch.cat([place - 8 / MASK_PIXELS, 24 / MASK_PIXELS - place])
    assert torch.allclose(reach[:, small[0], small[1]], expected, atol=1e-6)
    assert (ahead[:, small[0], small[1]] * MOST_AHEAD).tolist() == [0, 0, 1, 1]
    assert (ahead[:, big[0], big[1]] * MOST_AHEAD).tolist() == [1, 1, 0, 0]
    assert ends[:, small[0], small[1]].tolist() == [1, 1, 0, 0, 0, 1]  # first from left and top, the smallest
    assert ends[:, big[0], big[1]].tolist() == [0, 0, 1, 1, 1, 0]


def test_a_mirrored_frame_changes_left_and_right_only() -> None:
    layout, mirrored = (layout_of(np.ascontiguousarray(masks), SIDE).flip(-1 if turn else ())
                        for turn, masks in ((False, two_things()), (True, two_things()[..., ::-1])))
    order = [0, 3, 2, 1, 4, 7, 6, 5, 8, 11, 10, 9, 12, 13, 14]
    assert torch.allclose(layout, mirrored[order], atol=1e-6) and not torch.allclose(layout, mirrored, atol=1e-2)


def test_the_loss_prefers_what_is_there() -> None:
    gold = layout_of(two_things(), SIDE)[None]
    logits = (gold * 2 - 1) * 12
    right = torch.cat([logits[:, :1], gold[:, 1:1 + REACH + AHEAD], logits[:, 1 + REACH + AHEAD:]], dim=1)
    assert layout_loss(right, gold) < 1e-3
    for channel in (0, 1, 1 + REACH, 1 + REACH + AHEAD):
        wrong = right.clone()
        wrong[:, channel] = -wrong[:, channel] - 1.0
        assert layout_loss(wrong, gold) > layout_loss(right, gold) + 0.01, channel
