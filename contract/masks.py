"""Masks as run lengths and boxes.

The counts are COCO's uncompressed run lengths (column-major, first run background). pycocotools keeps only the
compressed string, which the JSON contract does not use, so the few lines stand here.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixsearch.contract.faults import Fault

MAX_MASK_PIXELS = 100_000_000


def encode_mask(mask: NDArray[np.bool_]) -> dict[str, list[int]]:
    """Run-length code of a bool mask (H, W): {"size": [H, W], "counts": [...]}."""
    flat = np.concatenate([[False], mask.ravel(order="F")])
    changes = np.flatnonzero(flat[1:] != flat[:-1])
    counts = np.diff(np.concatenate([[0], changes, [mask.size]]))
    return {"size": [int(side) for side in mask.shape], "counts": [int(count) for count in counts]}


def decode_mask(code: dict[str, Any]) -> NDArray[np.bool_]:
    """The mask of a run-length code. Raises Fault when the counts do not fill the size."""
    height, width = (int(side) for side in code["size"])
    counts = np.asarray(code["counts"], dtype=np.int64)
    if not 0 < height * width <= MAX_MASK_PIXELS or (counts < 0).any() or counts.sum() != height * width:
        raise Fault("mask", expected=f"run lengths that sum to {height} x {width}", actual=f"sum {counts.sum()}",
                    remedy="encode the mask again")
    values = np.arange(len(counts)) % 2 == 1
    return np.repeat(values, counts).reshape((height, width), order="F")


def box_of(mask: NDArray[np.bool_]) -> tuple[int, int, int, int] | None:
    """Tight box x0, y0, x1, y1 (right and bottom exclusive) of a mask (H, W); None when it is empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
