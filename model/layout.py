"""What stands where in a picture: dense targets that teach the pyramid to take a frame apart before words are read.

Every cell learns whether a thing covers it, how far that thing reaches to each side (as in FCOS, arXiv 1904.01355),
and how it stands among the others: words such as "the second from the left" then pick among what is already known.
Only training reads these maps.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

REACH, AHEAD, ENDS = 4, 4, 6  # channels after the first: to each side; things ahead on each side; at an end
LAYOUT_CHANNELS = 1 + REACH + AHEAD + ENDS
MOST_AHEAD = 4.0  # brings counts to about 0..1
LEAST_COVERED = 0.25  # of a cell that belongs to a thing
UNKNOWN = -1.0  # covered or not, where not everything in a picture has a mask
PRESENT_WEIGHT, REACH_WEIGHT, AHEAD_WEIGHT, ENDS_WEIGHT = 2.0, 4.0, 1.0, 0.5


def layout_of(masks: NDArray[np.float32], side: int, complete: bool = True) -> Tensor:
    """Targets of one frame: coverage of its things (K, M, M) → (LAYOUT_CHANNELS, side, side).

    complete : whether these are all its things; elsewhere it is UNKNOWN otherwise whether a thing is there

    Channels: covered 0..1; reach of the cell's thing to left, top, right and bottom in 0..1 of the square; how many
    things have their middle further left, up, right and down (over MOST_AHEAD); whether it is the first of those four
    orders, the biggest, the smallest. All but the first are zero where no thing is.
    """
    if not len(masks):
        nothing = torch.zeros(LAYOUT_CHANNELS, side, side)
        nothing[0] = 0.0 if complete else UNKNOWN
        return nothing
    things = torch.from_numpy(masks)
    cells = F.adaptive_avg_pool2d(things, side)  # (K, side, side)
    covered = cells.sum(dim=0).clamp(max=1.0)
    owner = cells.argmax(dim=0)  # (side, side)
    boxes = torch.stack([_box(one) for one in things])  # (K, 4)
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2
    ahead = torch.stack([(sign * (middles[None, :, axis] - middles[:, None, axis]) < 0).sum(dim=1)
                         for sign in (1, -1) for axis in (0, 1)], dim=1).float()  # (K, 4): left, up, right, down
    area = things.sum(dim=(1, 2))
    ends = torch.cat([ahead == 0, (area == area.max())[:, None], (area == area.min())[:, None]], dim=1).float()
    centres = (torch.arange(side) + 0.5) / side
    place = torch.stack([centres[None].expand(side, side), centres[:, None].expand(side, side)])  # (2, side, side)
    corners = boxes[owner].permute(2, 0, 1)  # (4, side, side)
    reach = torch.cat([place - corners[:2], corners[2:] - place])
    rest = torch.cat([reach, (ahead[owner] / MOST_AHEAD).permute(2, 0, 1), ends[owner].permute(2, 0, 1)])
    told = covered if complete else covered.masked_fill(covered <= LEAST_COVERED, UNKNOWN)
    return torch.cat([told[None], rest * (covered > LEAST_COVERED)])


def _box(mask: Tensor) -> Tensor:
    """(M, M) → x0, y0, x1, y1 in 0..1 of what is covered; zeros where nothing is."""
    rows, columns = (mask > 0.5).any(dim=1).nonzero(), (mask > 0.5).any(dim=0).nonzero()
    if not len(rows):
        return torch.zeros(4)
    size = len(mask)
    return torch.stack([columns[0, 0], rows[0, 0], columns[-1, 0] + 1, rows[-1, 0] + 1]) / size


def layout_loss(guess: Tensor, gold: Tensor) -> Tensor:
    """guess (B, LAYOUT_CHANNELS, m, m) logits and values, gold as `layout_of` makes them."""
    known = gold[:, 0] != UNKNOWN
    present = F.binary_cross_entropy_with_logits(guess[:, 0][known], gold[:, 0][known]) if known.any() \
        else guess.sum() * 0.0
    owned = (gold[:, 0] > LEAST_COVERED).float()
    sizes = [1, REACH, AHEAD, ENDS]
    (_, reach, ahead, ends), (_, true_reach, true_ahead, true_ends) = guess.split(sizes, 1), gold.split(sizes, 1)
    parts = (REACH_WEIGHT * (reach - true_reach).abs().mean(dim=1) + AHEAD_WEIGHT * (ahead - true_ahead).abs().mean(1)
             + ENDS_WEIGHT * F.binary_cross_entropy_with_logits(ends, true_ends, reduction="none").mean(dim=1))
    return PRESENT_WEIGHT * present + (parts * owned).sum() / owned.sum().clamp(min=1.0)
